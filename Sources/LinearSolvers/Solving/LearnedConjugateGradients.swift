public import Autodiff
import LinearAlgebra

/// Steps of conjugate gradients with given step sizes αₖ and momenta βₖ in place of the computed ones: an iteration that can be
/// trained for a family of systems.
///
/// x ← x + αₖ p, r ← r − αₖ A p, p ← z + βₖ p with z = M⁻¹ r. Unlike the computed ones, given numbers need no inner products and make the result linear
/// in b.
///
/// - Parameters:
///   - a: a square operator.
///   - b: a vector, or a matrix of columns.
///   - stepSizes: αₖ, one for each step.
///   - momenta: βₖ, one for each step.
///   - preconditioner: M⁻¹.
///   - initialGuess: where the iteration starts; zero if left out.
/// - Returns: the last iterate, differentiable in everything.
/// - Throws: `TensorError` if shapes do not fit.
public func learnedConjugateGradients(
  _ a: LinearOperator, _ b: Tensor, stepSizes: Tensor, momenta: Tensor, preconditioner: LinearOperator? = nil,
  initialGuess: Tensor? = nil
) throws -> Tensor {
  guard a.rows == a.columns, b.rank == 1 || b.rank == 2, b.shape[0] == a.rows else {
    throw TensorError(
      .shape, "learnedConjugateGradients",
      "a right-hand side of shape \(b.shape) does not belong to an operator of \(a.rows) x \(a.columns)")
  }
  guard stepSizes.rank == 1, momenta.shape == stepSizes.shape else {
    throw TensorError(
      .shape, "learnedConjugateGradients",
      "step sizes of shape \(stepSizes.shape) and momenta of shape \(momenta.shape); both are one number for each step"
    )
  }
  let start = initialGuess ?? Tensor.zeros(b.shape, type: b.elementType)
  let r = b - a(start)
  let z = preconditioner.map { $0(r) } ?? r
  return try scan(initial: [start, r, z], over: [stepSizes, momenta]) { state, numbers in
    let (x, r, p) = (state[0], state[1], state[2])
    let next = r - numbers[0] * a(p)
    let z = preconditioner.map { $0(next) } ?? next
    return ([x + numbers[0] * p, next, z + numbers[1] * p], [Tensor]())
  }.state[0]
}
