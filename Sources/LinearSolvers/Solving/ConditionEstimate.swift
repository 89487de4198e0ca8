import Autodiff
import LinearAlgebra

extension LinearOperator {
  /// An estimate of 1 / (‖A‖₁ ‖A⁻¹‖₁). Relative errors of the operator and of the right-hand side are magnified in the solution by at most
  /// the reciprocal: solutions lose about −log₁₀ of the number in digits.
  ///
  /// Both norms are estimated from below (Hager 1984, Higham 1988), so that the number is seldom more than three times too large in each. It has no
  /// derivative.
  ///
  /// - Parameter method: a direct one, by whose factors ‖A⁻¹‖ is estimated; by the operator's form and tags if left out. Operators with
  ///   functions in them are formed.
  /// - Returns: a number between zero and one; zero for singular operators, one for those without rows.
  /// - Throws: `TensorError` if the operator is not square, holds numbers that are not finite, is not as its tags say, or is being traced;
  ///   if the method is an iteration.
  /// - Complexity: a factorisation, and at most eleven products and eleven solutions.
  public func reciprocalCondition(method: LinearMethod = .automatic) throws -> Double {
    let operation = "reciprocalCondition"
    if let error { throw error }
    guard !method.isIterative else {
      throw TensorError(
        .argument, operation, "\(method) has no factors to estimate the condition by; name a direct method")
    }
    var arrays: [DenseArray] = []
    for parameter in parameters {
      arrays.append(try parameter.denseValue(operation).converted(to: .float64).contiguous())
    }
    let map = NumericOperator(node, arrays)
    do {
      try map.requireFinite()
      guard node.isSquare else {
        throw LinearAlgebraError.shape("an operator of \(rows) x \(columns) has no condition of its inverse")
      }
      guard rows > 0 else { return 1 }
      try map.requireTagsOfBands(method)
      let factors = try map.factorization(
        LinearSolveOptions(method: method, minimumReciprocalCondition: 0))
      let norm = try estimatedOneNorm(size: rows) { try map.multiply($0, into: $1, transposed: $2) }
      let inverse = try estimatedOneNorm(size: rows) {
        try factors.solve($0, into: $1, count: 1, transposed: $2)
      }
      let product = norm * inverse
      return product.isFinite && product > 0 ? min(1, 1 / product) : 0
    } catch LinearAlgebraError.singular, LinearAlgebraError.structurallySingular {
      return 0
    } catch { throw tensorError(error, operation) }
  }
}
