public import Autodiff

/// A solution with what its solver did: a status instead of an error, and the best point so far where there is no solution.
///
/// In a compiled or batched function its numbers are tensors like others (one status for each element of a batch). Derivatives go through
/// ``solution``; those of a solve that did not converge, or whose solution is degenerate, are errors.
public struct ImplicitSolution<Unknown: TensorTree>: TensorTree {
  /// The solution; whatever the status, the best point found.
  public var solution: Unknown
  /// The raw value of a ``SolverStatus``, `int32`.
  public var status: Tensor
  /// Iterations made, `int32`.
  public var iterations: Tensor
  /// Evaluations of the function, `int32`.
  public var evaluations: Tensor
  /// Evaluations of derivatives, `int32`: Jacobians, gradients, Hessians, and products with them.
  public var derivativeEvaluations: Tensor
  /// The measure that the solver makes small; see ``SolveProgress/measure``.
  public var measure: Tensor
  /// The value at the solution; see ``SolveProgress/value``.
  public var value: Tensor
  /// The measure at the initial point and after each iteration, repeated after the last; as long as was asked for.
  public var trace: Tensor

  /// Takes a layer's results apart.
  init(_ template: Unknown, _ results: [Tensor]) throws {
    let n = results.count - 7
    solution = try template.replacing(leaves: Array(results.prefix(n)))
    status = results[n]
    iterations = results[n + 1]
    evaluations = results[n + 2]
    derivativeEvaluations = results[n + 3]
    measure = results[n + 4]
    value = results[n + 5]
    trace = results[n + 6]
  }

  /// How the solve ended, where that is one number that is known.
  /// - Throws: `TensorError` if the status is traced or one of many.
  public func solverStatus() throws -> SolverStatus {
    guard let status = SolverStatus(rawValue: Int32(try Int(status))) else {
      throw ImplicitLayerError.argument("\(self.status) is no status")
    }
    return status
  }
}
