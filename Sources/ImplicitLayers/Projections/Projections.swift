public import Autodiff

// The nearest point of a convex set, with its exact derivative: each is composed of differentiable functions such that the active pieces
// (which coordinates are at zero, whether the point lies inside) are constants. Where a point lies on the border between two pieces the
// derivative is one of the two; of a box it is half of both.

/// The nearest point of the box lower ≤ x ≤ upper; the tensors broadcast.
///
/// Where a lower bound lies above its upper bound, the upper one wins.
public func projectOntoBox(_ point: Tensor, lower: Tensor, upper: Tensor) -> Tensor {
  minimum(maximum(point, lower), upper)
}

/// The nearest point of the simplex x ≥ 0, Σ x = total, along the last axis.
///
/// The result is max(y − θ, 0) with the θ for which the sum is right (Held, Wolfe and Crowder 1974).
/// - Parameters:
///   - point: [..., n].
///   - total: the sum, positive; a scalar, or of the shape without the last axis.
/// - Throws: `TensorError` if there is no coordinate, or the sum is known and not positive.
/// - Complexity: O(n log n).
public func projectOntoSimplex(_ point: Tensor, total: Tensor = Tensor(1.0)) throws -> Tensor {
  try requirePositive(total, "the sum of a simplex", "projectOntoSimplex")
  guard point.rank > 0, let n = point.shape.last, n > 0 else {
    throw TensorError(.shape, "projectOntoSimplex", "a point of shape \(point.shape) has no coordinates")
  }
  let y = stopGradient(point)
  let sum = total.rank == 0 ? total : total.expandingAxis(-1)
  // Descending; the first k coordinates are positive for the largest k at which the k-th lies above its θ.
  let descending = -(-y).sorted(axis: -1)
  let ranks = Tensor.range(1, to: Double(n + 1)).converted(to: point.elementType)
  let isIn = descending * ranks .> descending.cumulativeSum(axis: -1) - stopGradient(sum)
  let count = isIn.converted(to: point.elementType).sum(axis: -1, keepingAxes: true)
  let inside = select(isIn, descending, 0.0).sum(axis: -1, keepingAxes: true)
  let threshold = (inside - stopGradient(sum)) / count
  let support = (y .> threshold).converted(to: point.elementType)
  let size = maximum(support.sum(axis: -1, keepingAxes: true), 1.0)
  let shift = ((support * point).sum(axis: -1, keepingAxes: true) - sum) / size
  return support * (point - shift)
}

/// The nearest point of the ball Σ |x| ≤ radius, along the last axis.
/// - Throws: `TensorError` if there is no coordinate, or the radius is known and not positive.
/// - Complexity: O(n log n).
public func projectOntoL1Ball(_ point: Tensor, radius: Tensor = Tensor(1.0)) throws -> Tensor {
  try requirePositive(radius, "the radius of a ball", "projectOntoL1Ball")
  let size = abs(point).sum(axis: -1, keepingAxes: true)
  let limit = radius.rank == 0 ? radius : radius.expandingAxis(-1)
  let outside = try projectOntoSimplex(abs(point), total: radius) * stopGradient(sign(point))
  return select(size .<= limit, point, outside)
}

/// The nearest point of the ball ‖x‖₂ ≤ radius, along the last axis.
/// - Throws: `TensorError` if the radius is known and not positive.
public func projectOntoL2Ball(_ point: Tensor, radius: Tensor = Tensor(1.0)) throws -> Tensor {
  try requirePositive(radius, "the radius of a ball", "projectOntoL2Ball")
  let limit = radius.rank == 0 ? radius : radius.expandingAxis(-1)
  let squared = (point * point).sum(axis: -1, keepingAxes: true)
  let isInside = squared .<= limit * limit
  // The root has no derivative at zero, which lies inside.
  let length = sqrt(select(isInside, 1.0, squared))
  return select(isInside, point, point * (limit / length))
}

/// The nearest point of the ball max |x| ≤ radius; radius is a scalar, or of the shape without the last axis.
/// - Throws: `TensorError` if the radius is known and not positive.
public func projectOntoInfinityBall(_ point: Tensor, radius: Tensor = Tensor(1.0)) throws -> Tensor {
  try requirePositive(radius, "the radius of a ball", "projectOntoInfinityBall")
  let limit = radius.rank == 0 ? radius : radius.expandingAxis(-1)
  return projectOntoBox(point, lower: -limit, upper: limit)
}

/// The nearest point of the second-order cone ‖x‖₂ ≤ t, along the last axis, on which t is the last element.
///
/// Points of the cone stay; points of the polar cone ‖x‖ ≤ −t go to zero; others to ½ (1 + t/‖x‖) (x, ‖x‖).
/// - Parameter point: [..., n + 1].
/// - Throws: `TensorError` if there is no t.
public func projectOntoSecondOrderCone(_ point: Tensor) throws -> Tensor {
  guard point.rank > 0, let size = point.shape.last, size > 0 else {
    throw TensorError(
      .shape, "projectOntoSecondOrderCone", "a point of shape \(point.shape) has no last element, t")
  }
  let x = point.slice(axis: -1, from: 0, count: size - 1)
  let t = point.slice(axis: -1, from: size - 1, count: 1)
  let squared = (x * x).sum(axis: -1, keepingAxes: true)
  // ‖x‖ against |t| by squares: the root has no derivative at zero.
  let isFree = squared .> t * t
  let length = sqrt(select(isFree, squared, 1.0))
  let factor = 0.5 * (1.0 + t / length)
  let surface = concatenate([x * factor, length * factor], axis: -1)
  let rest = select(t .>= 0.0, point, 0.0)
  return select(isFree, surface, rest)
}

/// The nearest point of the half-space a · x ≤ b, along the last axis.
/// - Parameters:
///   - point: [..., n].
///   - normal: a, [n], not zero.
///   - offset: b, a scalar.
/// - Throws: `TensorError` if the normal is known and zero, or shapes do not fit.
public func projectOntoHalfspace(_ point: Tensor, normal: Tensor, offset: Tensor) throws -> Tensor {
  guard normal.rank == 1, point.shape.last == normal.shape[0], offset.rank == 0 else {
    throw TensorError(
      .shape, "projectOntoHalfspace",
      "a point \(point.shape), a normal \(normal.shape) and an offset \(offset.shape): [..., n], [n] and [] are needed"
    )
  }
  if let values = normal.dense?.values(Double.self, as: .float64), values.allSatisfy({ $0 == 0 }) {
    throw TensorError(.argument, "projectOntoHalfspace", "the normal is zero")
  }
  let excess = (point * normal).sum(axis: -1, keepingAxes: true) - offset
  return point - normal * (relu(excess) / (normal * normal).sum())
}

/// The nearest point of the affine set A x = b: y − Aᵀ (A Aᵀ)⁻¹ (A y − b).
/// - Parameters:
///   - point: [n].
///   - matrix: A, [p, n], with independent rows.
///   - values: b, [p].
/// - Throws: `TensorError` if shapes do not fit or rows of A depend on each other.
public func projectOntoAffineSet(_ point: Tensor, matrix: Tensor, values: Tensor) throws -> Tensor {
  guard point.rank == 1, matrix.rank == 2, matrix.shape == [values.shape.first ?? 0, point.shape[0]],
    values.rank == 1
  else {
    throw TensorError(
      .shape, "projectOntoAffineSet",
      "a point \(point.shape), a matrix \(matrix.shape) and values \(values.shape): [n], [p, n] and [p] are needed"
    )
  }
  if values.shape[0] == 0 { return point }
  let excess = matmul(matrix, point.expandingAxis(-1)) - values.expandingAxis(-1)
  let shift = try withTensorErrors { solve(matmul(matrix, matrix.transposed), excess) }
  return point - matmul(matrix.transposed, shift).squeezed(-1)
}

/// The nearest point of the polyhedron A x = b, l ≤ G x ≤ u, lo ≤ x ≤ hi: the quadratic program of the distance.
///
/// Parameters, errors and the treatment of degenerate points are those of
/// ``quadraticProgram(quadratic:linear:equalities:equalityValues:inequalities:lower:upper:lowerBounds:upperBounds:options:policy:throwsOnFailure:)-(Tensor,_,_,_,_,_,_,_,_,_,_,_)``.
public func projectOntoPolyhedron(
  _ point: Tensor, equalities: Tensor? = nil, equalityValues: Tensor? = nil, inequalities: Tensor? = nil,
  lower: Tensor? = nil, upper: Tensor? = nil, lowerBounds: Tensor? = nil, upperBounds: Tensor? = nil,
  options: QuadraticProgramOptions = .init(), policy: DegeneracyPolicy = .error
) throws -> Tensor {
  guard point.rank == 1 else {
    throw TensorError(
      .shape, "projectOntoPolyhedron", "the point has shape \(point.shape); vmap takes several")
  }
  return try quadraticProgram(
    quadratic: Tensor.identity(point.shape[0]), linear: -point, equalities: equalities,
    equalityValues: equalityValues, inequalities: inequalities, lower: lower, upper: upper,
    lowerBounds: lowerBounds, upperBounds: upperBounds, options: options, policy: policy
  ).x
}

private func requirePositive(_ value: Tensor, _ what: String, _ operation: String) throws(TensorError) {
  guard let known = value.dense?.values(Double.self, as: .float64),
    let bad = known.first(where: { !($0 > 0) })
  else { return }
  throw TensorError(.argument, operation, "\(what) is \(bad); it must be positive")
}

extension DenseArray {
  fileprivate func values(_ type: Double.Type, as element: ElementType) -> [Double]? {
    (try? converted(to: element))?.values(Double.self)
  }
}
