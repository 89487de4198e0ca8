import Autodiff
import LinearAlgebra

extension SolveCall {
  /// So many steps of an iteration as ordinary tensor operations; those before the last `differentiated` count as constants.
  func unrolled(iterations: Int, differentiated: Int) throws -> Tensor {
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
    let steps = try unrolledSteps()
    let first =
      differentiated == iterations
      ? start
      : fixed(
        try steps(
          UnrolledSystem(
            node: plan.node, parameters: parameters.map(fixed), inverseNode: plan.inverse,
            inverse: inverse?.parameters.map(fixed), b: fixed(b)), fixed(start), iterations - differentiated))
    return try steps(
      UnrolledSystem(
        node: plan.node, parameters: parameters, inverseNode: plan.inverse, inverse: inverse?.parameters, b: b
      ),
      first, differentiated)
  }

  /// A system, where to start, and the number of steps, to the last iterate.
  private typealias Steps = (UnrolledSystem, Tensor, Int) throws -> Tensor

  private func unrolledSteps() throws -> Steps {
    let node = plan.node
    let method =
      plan.options.method == .automatic
      ? node.isPositiveDefinite ? .conjugateGradients : node.isSymmetric ? .minres : .gmres()
      : plan.options.method
    func require(_ holds: Bool, _ tag: String) throws {
      guard holds else {
        throw LinearAlgebraError.argument(
          "\(method) is for operators tagged \(tag); this \(node.label) one is not")
      }
    }
    let side = plan.options.preconditionerSide
    switch method {
    case .conjugateGradients:
      try require(node.isPositiveDefinite, "positiveDefinite")
      return { try $0.conjugateGradients(from: $1, $2) }
    case .minres:
      try require(node.isSymmetric, "symmetric")
      return { try $0.minimumResidual(from: $1, $2) }
    case .bicgstab: return { try $0.stabilizedBiconjugateGradients(from: $1, $2) }
    case .gmres(let restart):
      guard side != .split || plan.inverse == nil else {
        throw LinearAlgebraError.argument(
          "a preconditioner made of tensors is not a product of two factors, so that it cannot be split; use it from the "
            + "left or the right")
      }
      guard restart > 0 else {
        throw LinearAlgebraError.argument("GMRES needs cycles of at least one step")
      }
      return { try $0.generalizedMinimumResidual(from: $1, $2, restart: restart, isLeft: side == .left) }
    case .richardson: return { try $0.richardson(from: $1, $2) }
    default:
      throw LinearAlgebraError.argument(
        "\(method) cannot be unrolled: conjugateGradients, minres, bicgstab, gmres and richardson can; differentiate it "
          + "implicitly")
    }
  }
}

/// A system whose products and preconditioner are recorded. Vectors are matrices of columns, numbers of an iteration rows with one
/// number for each column.
///
/// The recurrences are those of the methods of the same names in `LinearAlgebra`, without their restarts. A division by zero gives zero and
/// the root of zero has no slope, so that steps after an iteration has ended change nothing, and have the derivative zero.
struct UnrolledSystem {
  let node: OperatorNode
  let parameters: [Tensor]
  let inverseNode: OperatorNode?
  let inverse: [Tensor]?
  let b: Tensor

  func multiply(_ x: Tensor) throws -> Tensor { try node.apply(parameters[...], x, transposed: false) }
  func precondition(_ r: Tensor) throws -> Tensor {
    guard let inverseNode, let inverse else { return r }
    return try inverseNode.apply(inverse[...], r, transposed: false)
  }
  func residual(_ x: Tensor) throws -> Tensor { b - (try multiply(x)) }
  private var zeros: Tensor { Tensor.zeros([1, b.shape[1]], type: b.elementType) }

  func conjugateGradients(from start: Tensor, _ count: Int) throws -> Tensor {
    let r = try residual(start)
    let z = try precondition(r)
    let first = inner(r, z)
    return try forLoop(count, initial: [start, r, z, first]) { _, state in
      let (x, r, p, rho) = (state[0], state[1], state[2], state[3])
      let q = try multiply(p)
      let alpha = quotient(rho, inner(p, q))
      let next = r - alpha * q
      let z = try precondition(next)
      let nextRho = inner(next, z)
      // A residual of rounding is none: its inner products underflow, and their quotients have derivatives of any size.
      let kept = select(abs(nextRho) .<= 1e-30 * abs(first), zeros, zeros + 1.0)
      return [
        x + alpha * p, next * kept, (z + quotient(nextRho, rho) * p) * kept, nextRho * kept,
      ]
    }[0]
  }

  func minimumResidual(from start: Tensor, _ count: Int) throws -> Tensor {
    let r = try residual(start)
    let z = try precondition(r)
    let beta = lengthOf(r, z)
    let none = Tensor.zeros(r.shape, type: r.elementType)
    let initial = [start, none, r, z, none, none, beta, zeros, beta, zeros - 1.0, zeros, zeros, zeros]
    return try forLoop(count, initial: initial) { _, state in
      let (x, older, old, z, wOlder, wOld) = (state[0], state[1], state[2], state[3], state[4], state[5])
      let (beta, betaOld, left, cosine, sine) = (state[6], state[7], state[8], state[9], state[10])
      let (bar, third) = (state[11], state[12])
      // One step of Lanczos' process in the inner product of M⁻¹.
      let v = z * quotient(1.0, beta)
      var fresh = try multiply(v) - quotient(beta, betaOld) * older
      let alpha = inner(v, fresh)
      fresh = fresh - quotient(alpha, beta) * old
      let nextZ = try precondition(fresh)
      let nextBeta = withoutRounding(lengthOf(fresh, nextZ), of: abs(alpha) + beta)
      let second = cosine * bar + sine * alpha
      let remaining = sine * bar - cosine * alpha
      let first = root(square(remaining) + square(nextBeta))
      let nextCosine = quotient(remaining, first)
      let nextSine = quotient(nextBeta, first)
      let w = (v - third * wOlder - second * wOld) * quotient(1.0, first)
      return [
        x + nextCosine * left * w, old, fresh, nextZ, wOld, w, nextBeta, beta, left * nextSine, nextCosine,
        nextSine, -cosine * nextBeta, sine * nextBeta,
      ]
    }[0]
  }

  /// The length of r in the inner product of M⁻¹, z being M⁻¹ r. Not a number, for want of an error, where M⁻¹ shows that it is not
  /// positive definite.
  private func lengthOf(_ r: Tensor, _ z: Tensor) -> Tensor {
    let product = inner(r, z)
    let rounding = (r.elementType == .float32 ? 1e-4 : 1e-10) * root(inner(r, r)) * root(inner(z, z))
    return select(product .< -rounding, zeros + Double.nan, root(product))
  }

  func stabilizedBiconjugateGradients(from start: Tensor, _ count: Int) throws -> Tensor {
    let shadow = try residual(start)
    let none = Tensor.zeros(shadow.shape, type: shadow.elementType)
    let one = zeros + 1.0
    let size = root(inner(shadow, shadow))
    return try forLoop(count, initial: [start, shadow, none, none, one, one, one]) { _, state in
      let (x, r, p, v) = (state[0], state[1], state[2], state[3])
      let (rho, alpha, omega) = (state[4], state[5], state[6])
      let nextRho = inner(shadow, r)
      let beta = quotient(nextRho, rho) * quotient(alpha, omega)
      let nextP = r + beta * (p - omega * v)
      let y = try precondition(nextP)
      let nextV = try multiply(y)
      let nextAlpha = quotient(nextRho, inner(shadow, nextV))
      let s = r - nextAlpha * nextV
      let z = try precondition(s)
      let t = try multiply(z)
      let nextOmega = quotient(inner(t, s), inner(t, t))
      let nextR = s - nextOmega * t
      // A residual of rounding is none: its shadow's share is noise that later steps would divide by.
      let isOver = root(inner(nextR, nextR)) .<= 1e-15 * size
      let kept = select(isOver, zeros, one)
      return [
        x + nextAlpha * y + nextOmega * z, nextR * kept, nextP * kept, nextV * kept, nextRho, nextAlpha,
        nextOmega,
      ]
    }[0]
  }

  func richardson(from start: Tensor, _ count: Int) throws -> Tensor {
    try forLoop(count, initial: start) { _, x in x + (try precondition(try residual(x))) }
  }

  func generalizedMinimumResidual(from start: Tensor, _ count: Int, restart: Int, isLeft: Bool) throws
    -> Tensor
  {
    let cycle = min(restart, max(node.rows, 1))
    let x = try forLoop(count / cycle, initial: start) { _, x in try self.cycle(x, cycle, isLeft: isLeft) }
    return count % cycle == 0 ? x : try self.cycle(x, count % cycle, isLeft: isLeft)
  }

  /// A cycle of GMRES: Arnoldi's process with every direction orthogonalised twice, and rotations.
  private func cycle(_ x: Tensor, _ count: Int, isLeft: Bool) throws -> Tensor {
    let r = try residual(x)
    let z = isLeft ? try precondition(r) : r
    let size = root(inner(z, z))
    var directions = [z * quotient(1.0, size)]
    var columns: [[Tensor]] = []
    var rotations: [(cosine: Tensor, sine: Tensor)] = []
    var right = [size]
    for step in 0..<count {
      let last = directions[step]
      var fresh = isLeft ? try precondition(try multiply(last)) : try multiply(try precondition(last))
      let before = root(inner(fresh, fresh))
      var column = [Tensor](repeating: zeros, count: step + 1)
      for _ in 0..<2 {
        let shares = directions.map { inner($0, fresh) }
        for (k, share) in shares.enumerated() {
          fresh = fresh - share * directions[k]
          column[k] = column[k] + share
        }
      }
      let length = withoutRounding(root(inner(fresh, fresh)), of: before)
      directions.append(fresh * quotient(1.0, length))
      for (k, rotation) in rotations.enumerated() {
        let (upper, lower) = (column[k], column[k + 1])
        column[k] = rotation.cosine * upper + rotation.sine * lower
        column[k + 1] = rotation.cosine * lower - rotation.sine * upper
      }
      let first = root(square(column[step]) + square(length))
      let (cosine, sine) = (quotient(column[step], first), quotient(length, first))
      column[step] = first
      rotations.append((cosine, sine))
      columns.append(column)
      right.append(-sine * right[step])
      right[step] = cosine * right[step]
    }
    var shares = [Tensor](repeating: zeros, count: count)
    for k in (0..<count).reversed() {
      var sum = right[k]
      for later in k + 1..<max(count, k + 1) { sum = sum - columns[later][k] * shares[later] }
      shares[k] = quotient(sum, columns[k][k])
    }
    let step = zip(shares, directions).reduce(Tensor.zeros(x.shape, type: x.elementType)) { $0 + $1.0 * $1.1 }
    return x + (isLeft ? step : try precondition(step))
  }
}

func inner(_ x: Tensor, _ y: Tensor) -> Tensor { (x * y).sum(axis: 0, keepingAxes: true) }

/// a / b, zero where b is.
func quotient(_ a: Tensor, _ b: Tensor) -> Tensor {
  let isZero = b .== 0.0
  return select(
    isZero, Tensor.zeros(b.shape, type: b.elementType),
    a / select(isZero, Tensor.ones(b.shape, type: b.elementType), b))
}
func quotient(_ a: Double, _ b: Tensor) -> Tensor {
  quotient(Tensor.ones(b.shape, type: b.elementType) * a, b)
}
/// √x, zero and without slope where x is not positive; NaN stays.
func root(_ x: Tensor) -> Tensor {
  let isZero = x .<= 0.0
  return select(
    isZero, Tensor.zeros(x.shape, type: x.elementType),
    sqrt(select(isZero, Tensor.ones(x.shape, type: x.elementType), x)))
}
/// A length that is left after a subtraction of numbers of some size; zero where rounding made it.
func withoutRounding(_ length: Tensor, of size: Tensor) -> Tensor {
  let limit = length.elementType == .float32 ? 1e-6 : 1e-14
  return select(length .<= limit * size, Tensor.zeros(length.shape, type: length.elementType), length)
}
