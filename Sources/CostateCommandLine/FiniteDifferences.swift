/// Central differences with one step of Richardson's extrapolation: the error falls with the fourth power of the step.
enum FiniteDifferences {
  /// Displacements at which a function is evaluated, and their weights in the derivative.
  static func stencil(step: Double) -> [(displacement: Double, weight: Double)] {
    let coarse = -1 / (6 * step)
    let fine = 4 / (3 * step)
    return [(step, coarse), (-step, -coarse), (step / 2, fine), (-step / 2, -fine)]
  }

  /// `|value - reference| / |reference|`, in the Euclidean norm; the absolute difference where the reference is zero.
  static func relativeError(_ value: [Double], reference: [Double]) -> Double {
    precondition(value.count == reference.count, "only equal lengths can be compared")
    func norm(_ x: some Sequence<Double>) -> Double { x.reduce(0) { $0 + $1 * $1 }.squareRoot() }
    let difference = norm(zip(value, reference).map { $0 - $1 })
    let size = norm(reference)
    return size > 0 ? difference / size : difference
  }
}
