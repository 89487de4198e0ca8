import Autodiff
import ImplicitLayers

/// The error of a layer that a closure throws; nil if it throws none, or another.
func layerError(_ body: () throws -> Void) -> ImplicitLayerError? {
  do { try body() } catch { return error as? ImplicitLayerError }
  return nil
}
/// The error of a transformation that a closure throws; nil if it throws none, or another.
func tensorError(_ body: () throws -> Void) -> TensorError? {
  do { try body() } catch { return error as? TensorError }
  return nil
}
extension ImplicitLayerError {
  /// The status of a solve that failed.
  var status: SolverStatus? {
    if case .notSolved(let status, _) = self { return status }
    return nil
  }
}
/// The largest difference of two tensors' elements; infinite if their shapes differ or an element is NaN.
func distance(_ a: Tensor, _ b: Tensor) -> Double {
  guard a.shape == b.shape else { return .infinity }
  return zip(a.values, b.values).reduce(0) { largest, pair in
    let difference = abs(pair.0 - pair.1)
    return difference.isNaN ? .infinity : max(largest, difference)
  }
}
