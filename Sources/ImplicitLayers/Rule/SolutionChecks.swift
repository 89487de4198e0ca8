import Autodiff

/// The point or its tangents, if the solve that they belong to found a solution: operands are the status and the numbers, of which it is
/// the identity.
struct RequireSolution: Primitive {
  let layer: ImplicitLayer
  var name: String { layer.name }

  func resultTypes(_ operands: [TensorType]) -> [TensorType] { [operands[1]] }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    try layer.requireSolved(operands[0])
    return [operands[1]]
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let result = try bindOrThrow(self, primals)
    return (result, [try tangents[1].map { try bindOrThrow(self, [primals[0], $0])[0] }])
  }
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let c = cotangents[0] else { return [nil, nil] }
    return [nil, try bindOrThrow(self, coefficients(operands.prefix(1), "the status") + [c])[0]]
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) { (try bindOrThrow(self, [operands[0], operands[1].batched(isBatched[1], size)]), [true]) }
}

/// The tangents, if the point that they belong to is a root with a regular Jacobian. Operands: the relative length of Newton's step (in a
/// series, of its own iteration's), the relative change of the Jacobian over it where that is known and else zero, and the tangents, of
/// which it is the identity.
struct RequireRegularRoot: Primitive {
  /// At simple roots the change is about the relative error of the derivative; at a double root it is one half.
  static let largestChange = 0.05
  let layer: ImplicitLayer
  var name: String { layer.name }

  func resultTypes(_ operands: [TensorType]) -> [TensorType] { [operands[2]] }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let (steps, changes) = (operands[0].values(Double.self), operands[1].values(Double.self))
    let count = max(steps.count, changes.count)
    for k in 0..<count {
      let error = layer.regularityError(
        step: steps[steps.count == 1 ? 0 : k], change: changes[changes.count == 1 ? 0 : k])
      if let error { throw error.tensorError(name, place: count > 1 ? "element \(k) of the batch: " : "") }
    }
    return [operands[2]]
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let result = try bindOrThrow(self, primals)
    return (result, [try tangents[2].map { try bindOrThrow(self, [primals[0], primals[1], $0])[0] }])
  }
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let c = cotangents[0] else { return [nil, nil, nil] }
    return [
      nil, nil, try bindOrThrow(self, coefficients(operands.prefix(2), "the distance to the root") + [c])[0],
    ]
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    (
      try bindOrThrow(self, [operands[0], operands[1], operands[2].batched(isBatched[2], size)]), [true]
    )
  }
}

/// Right-hand sides, if the Jacobian that they belong to is as symmetric as it is said to be. Operands: |uᵀ J v − vᵀ J u|, the sum of the
/// magnitudes of all terms, and the numbers, of which it is the identity.
struct RequireSymmetry: Primitive {
  let layer: ImplicitLayer
  var name: String { layer.name }

  func resultTypes(_ operands: [TensorType]) -> [TensorType] { [operands[2]] }
  func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let (asymmetries, sizes) = (operands[0].values(Double.self), operands[1].values(Double.self))
    let limit = operands[2].elementType == .float32 ? 1e-4 : 1e-9
    for k in 0..<max(asymmetries.count, sizes.count) {
      let (asymmetry, size) = (
        asymmetries[asymmetries.count == 1 ? 0 : k], sizes[sizes.count == 1 ? 0 : k]
      )
      if size.isFinite, asymmetry <= limit * size { continue }
      let place = max(asymmetries.count, sizes.count) > 1 ? "element \(k) of the batch: " : ""
      guard size.isFinite, asymmetry.isFinite else {
        throw TensorError(
          .nonFinite, name,
          place + "the Jacobian is said to be symmetric, and its products with vectors are not finite")
      }
      throw TensorError(
        .argument, name,
        place
          + "the Jacobian is said to be symmetric and is not: uᵀ J v and vᵀ J u differ by the fraction \(asymmetry / size) of their terms"
      )
    }
    return [operands[2]]
  }
  func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (results: [Tensor], tangents: [Tensor?]) {
    let result = try bindOrThrow(self, primals)
    return (result, [try tangents[2].map { try bindOrThrow(self, [primals[0], primals[1], $0])[0] }])
  }
  func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let c = cotangents[0] else { return [nil, nil, nil] }
    return [nil, nil, try bindOrThrow(self, coefficients(operands.prefix(2), "the symmetry") + [c])[0]]
  }
  func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    (
      try bindOrThrow(self, [operands[0], operands[1], operands[2].batched(isBatched[2], size)]), [true]
    )
  }
}

extension ImplicitLayer {
  fileprivate func requireSolved(_ status: DenseArray) throws(TensorError) {
    let all = status.values(Int32.self)
    guard let place = all.firstIndex(where: { $0 != SolverStatus.converged.rawValue }) else { return }
    let found = SolverStatus(rawValue: all[place]).map { "\($0)" } ?? "\(all[place])"
    let element = all.count > 1 ? "element \(place) of the batch: " : ""
    let isDegenerate = all[place] == SolverStatus.degenerate.rawValue
    throw TensorError(
      isDegenerate ? .singular : .notConverged, name,
      element
        + "\(isDegenerate ? "no derivative" : "the derivative of a solution that was not found"): \(found)")
  }

  /// Why a point with these measures has no derivative; nil if it has one.
  func regularityError(step: Double, change: Double) -> ImplicitLayerError? {
    guard step.isFinite, change.isFinite else {
      return .nonFinite(
        "the residual or its Jacobian is not finite at the solution, or at a step of the size of rounding from it"
      )
    }
    if change > RequireRegularRoot.largestChange {
      return .singularJacobian(
        "the Jacobian of the residual is singular at the solution, or so nearly that its inverse means nothing: "
          + "it changes by the fraction \(change) of itself over Newton's step of relative length \(step). "
          + "Two roots that meet, a flat minimum or a kink have no derivative; a solver that stopped far from the root "
          + "looks the same")
    }
    if step > differentiation.largestNewtonStep {
      return .notSolved(
        .stalled,
        "the point that the solver returned is no root of the residual: the next step from it has the relative "
          + "length \(step). Solve more accurately, or allow larger steps (largestNewtonStep)")
    }
    return nil
  }
}
