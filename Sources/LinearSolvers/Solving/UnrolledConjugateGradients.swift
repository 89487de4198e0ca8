public import Autodiff
import LinearAlgebra

extension SolveCall {
  /// So many steps of conjugate gradients as ordinary tensor operations; those before the last `differentiated` count as constants.
  func unrolled(iterations: Int, differentiated: Int) throws -> Tensor {
    guard plan.node.isPositiveDefinite,
      plan.options.method == .automatic || plan.options.method == .conjugateGradients
    else {
      throw LinearAlgebraError.argument(
        "the iteration that can be unrolled is conjugate gradients, for operators tagged positiveDefinite; differentiate "
          + "other methods implicitly")
    }
    guard plan.options.preconditioner == .none else {
      throw LinearAlgebraError.argument(
        "an unrolled iteration is differentiated with respect to its preconditioner: pass one made of tensors "
          + "(preconditioner:)")
    }
    guard differentiated >= 0, differentiated <= iterations else {
      throw LinearAlgebraError.argument(
        "\(differentiated) of \(iterations) iterations cannot be differentiated")
    }
    let start = guess ?? Tensor.zeros([plan.node.columns, b.shape[1]], type: b.elementType)
    let fixed = { (x: Tensor) in stopGradient(x) }
    let first =
      differentiated == iterations
      ? start
      : fixed(
        try steps(
          iterations - differentiated, from: fixed(start), parameters.map(fixed),
          inverse?.parameters.map(fixed), fixed(b)))
    return try steps(differentiated, from: first, parameters, inverse?.parameters, b)
  }

  private func steps(
    _ count: Int, from start: Tensor, _ parameters: [Tensor], _ inverse: [Tensor]?, _ b: Tensor
  ) throws -> Tensor {
    let node = plan.node
    let inverseNode = plan.inverse
    func precondition(_ r: Tensor) throws -> Tensor {
      guard let inverseNode, let inverse else { return r }
      return try inverseNode.apply(inverse[...], r, transposed: false)
    }
    func inner(_ x: Tensor, _ y: Tensor) -> Tensor { (x * y).sum(axis: 0, keepingAxes: true) }
    let r = b - (try node.apply(parameters[...], start, transposed: false))
    let z = try precondition(r)
    let state = [start, r, z, inner(r, z)]
    // A residual that is exactly zero stays so: no step is made, and none is differentiated.
    return try forLoop(count, initial: state) { _, state in
      let (x, r, p, rho) = (state[0], state[1], state[2], state[3])
      let q = try node.apply(parameters[...], p, transposed: false)
      let alpha = quotient(rho, inner(p, q))
      let next = r - alpha * q
      let z = try precondition(next)
      let nextRho = inner(next, z)
      return [x + alpha * p, next, z + quotient(nextRho, rho) * p, nextRho]
    }[0]
  }
}

/// a / b, zero where b is.
private func quotient(_ a: Tensor, _ b: Tensor) -> Tensor {
  let isZero = b .== 0.0
  return select(
    isZero, Tensor.zeros(b.shape, type: b.elementType),
    a / select(isZero, Tensor.ones(b.shape, type: b.elementType), b))
}

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
