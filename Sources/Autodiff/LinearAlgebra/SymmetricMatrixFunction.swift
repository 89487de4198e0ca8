/// Derivatives of a function of symmetric matrices: A, E₁ … E_k to Dᵏf(A)[E₁, …, E_k]; f(A) itself without directions.
///
/// In the basis of A's eigenvectors, with divided differences of f,
///
///     Df(A)[E]_ij = f[λ_i, λ_j] E_ij        D²f(A)[E, G]_ij = Σ_a f[λ_i, λ_a, λ_j] (E_ia G_aj + G_ia E_aj)
///
/// (Daleckii and Krein). At equal values f[λ, λ] = f′(λ) and f[λ, λ, λ] = f″(λ) / 2, so that nothing is lost there, and no
/// eigenvector is differentiated. f(A) is the gradient of tr F(A), F′ = f; Dᵏf(A) is therefore symmetric in all its
/// directions and the cotangent, and transposing it with respect to a direction puts the cotangent in its place.
package struct SymmetricMatrixFunction: HigherOrderPrimitive, MatrixPrimitive {
  /// f, f′, f″, from a number to a number.
  let derivatives: [Program]
  let function: String
  /// Number of directions.
  let order: Int

  package var name: String { "symmetricMatrixFunction" }
  package var attributes: String { order == 0 ? function : "\(function), derivative \(order)" }
  package var programs: [(role: String, program: Program)] { derivatives.map { ("function", $0) } }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    try requireMatrices(operands[0], isSquare: true)
    return [operands[0]]
  }

  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let decomposition = try SymmetricEigen().evaluate([try operands[0].converted(to: .float64)])
    let values = Tensor(decomposition[0])
    let vectors = Tensor(decomposition[1])
    let transposed = vectors.matrixTransposed
    var directions: [Tensor] = []
    for operand in operands.dropFirst() {
      let e = Tensor(try operand.converted(to: .float64))
      directions.append(matmul(matmul(transposed, (e + e.matrixTransposed) * 0.5), vectors))
    }
    let inner: Tensor
    switch order {
    case 0: inner = Tensor.identity(values.shape.last!) * (try apply(0, values)).expandingAxis(-1)
    case 1:
      inner = try first(values.expandingAxis(-1), values.expandingAxis(-2)) * directions[0]
    default: inner = try second(values, directions[0], directions[1])
    }
    let result = matmul(matmul(vectors, inner), transposed)
    return [try dense(result).converted(to: operands[0].elementType)]
  }

  private func dense(_ tensor: Tensor) throws(TensorError) -> DenseArray { try tensor.denseValue(name) }

  /// A derivative of f for every element.
  private func apply(_ index: Int, _ x: Tensor) throws(TensorError) -> Tensor {
    let flat = x.reshaped([x.count])
    if x.count == 0 { return x }
    let result: Tensor
    do {
      let (values, flags) = try derivatives[index].batched([flat], [true], size: x.count)
      result = values[0].batched(flags[0], x.count)
    } catch {
      throw error as? TensorError ?? TensorError(.argument, name, "\(error)")
    }
    let array = try dense(result).contiguous()
    for k in 0..<array.count where !array.read(at: k).isFinite {
      throw TensorError(
        .nonFinite, name,
        "the \(function)'s \(["value", "derivative", "second derivative"][index]) is \(array.read(at: k)) at the eigenvalue "
          + "\(flat[k].scalar)")
    }
    return result.reshaped(x.shape)
  }

  /// f[x, y]: the quotient, or where it would cancel the mean of f′ between x and y by Gauss's rule of eight points.
  private func first(_ x: Tensor, _ y: Tensor) throws(TensorError) -> Tensor {
    let shape = (x + y).shape
    let (a, b) = (x.broadcast(to: shape), y.broadcast(to: shape))
    let gap = b - a
    let isNear = Self.isNear(a, b)
    let difference = try apply(0, y) - apply(0, x)
    let quotient = difference / select(isNear, 1.0, gap)
    var mean = Tensor.zeros(shape)
    // Where the quotient is used, the rule looks at x only.
    let step = select(isNear, gap, 0.0)
    for (node, weight) in Self.rule {
      let slopes = try apply(1, a + step * node)
      mean = mean + slopes * weight
    }
    return select(isNear, mean, quotient)
  }

  /// f[x, y, z] is the mean of f″ over the triangle, ∫₀¹ ∫₀¹ u f″(c + u (b − c) + u v (a − b)) dv du for a ≤ b ≤ c, where the three are near, and the
  /// quotient of first differences of the two that are furthest apart elsewhere.
  private func second(_ values: Tensor, _ e: Tensor, _ g: Tensor) throws(TensorError) -> Tensor {
    let n = values.shape.last!
    let pairs = try first(values.expandingAxis(-1), values.expandingAxis(-2))
    var rows: [Tensor] = []
    let lead = values.rank - 1
    for i in 0..<n {
      // One row i of the result at a time: arrays [a, j].
      let x = values.slice(axis: lead, from: i, count: 1).expandingAxis(-1)
      let y = values.expandingAxis(-1)
      let z = values.expandingAxis(-2)
      let shape = (x + y + z).shape
      let (p, q, r) = (x.broadcast(to: shape), y.broadcast(to: shape), z.broadcast(to: shape))
      let low = minimum(minimum(p, q), r)
      let high = maximum(maximum(p, q), r)
      let middle = maximum(minimum(p, q), minimum(maximum(p, q), r))
      let isNear = Self.isNear(low, high)
      let down = select(isNear, middle - high, 0.0)
      let further = select(isNear, low - middle, 0.0)
      var mean = Tensor.zeros(shape)
      for (u, wu) in Self.rule {
        for (v, wv) in Self.rule {
          let curvatures = try apply(2, high + down * u + further * (u * v))
          mean = mean + curvatures * (u * wu * wv)
        }
      }
      // f[low, middle], f[middle, high] from the table: which of x, y, z they are decides the entry.
      let row = pairs.slice(axis: lead, from: i, count: 1)
      let xy = row.matrixTransposed.broadcast(to: shape)
      let xz = row.broadcast(to: shape)
      let yz = pairs
      let (dxy, dyz, dxz) = (abs(p - q), abs(q - r), abs(p - r))
      let widest = maximum(maximum(dxy, dyz), dxz)
      let byXZ = (yz - xy) / Self.nonzero(r - p, isNear)
      let byXY = (yz - xz) / Self.nonzero(q - p, isNear)
      let byYZ = (xz - xy) / Self.nonzero(r - q, isNear)
      let quotient = select(widest .== dxz, byXZ, select(widest .== dxy, byXY, byYZ))
      let triple = select(isNear, mean, quotient)
      let eRow = e.slice(axis: lead, from: i, count: 1).matrixTransposed
      let gRow = g.slice(axis: lead, from: i, count: 1).matrixTransposed
      rows.append((triple * (eRow * g + gRow * e)).sum(axis: lead))
    }
    return stack(rows, axis: lead)
  }
  private static func nonzero(_ x: Tensor, _ isNear: Tensor) -> Tensor {
    select(isNear .| (x .== 0.0), 1.0, x)
  }

  /// Near: closer than a tenth of the larger magnitude, and than one half.
  private static func isNear(_ x: Tensor, _ y: Tensor) -> Tensor {
    abs(x - y) .<= minimum(0.1 * maximum(abs(x), abs(y)), 0.5)
  }
  /// Gauss and Legendre's nodes and weights on [0, 1], eight points.
  private static let rule: [(node: Double, weight: Double)] = {
    let half: [(Double, Double)] = [
      (0.1834346424956498, 0.3626837833783620), (0.5255324099163290, 0.3137066458778873),
      (0.7966664774136267, 0.2223810344533745), (0.9602898564975363, 0.1012285362903763),
    ]
    var rule: [(node: Double, weight: Double)] = []
    for (node, weight) in half {
      rule.append((0.5 - node / 2, weight / 2))
      rule.append((0.5 + node / 2, weight / 2))
    }
    return rule
  }()

  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    let results = try bindOrThrow(self, primals)
    var moved: Tensor?
    for k in 1..<max(primals.count, 1) {
      guard let t = tangents[k] else { continue }
      var operands = primals
      operands[k] = t
      moved = sum(moved, try bindOrThrow(self, operands)[0])
    }
    if let t = tangents[0] {
      guard order < 2 else {
        throw TensorError(.unsupportedDerivative, name, "has derivatives up to the second")
      }
      let next = SymmetricMatrixFunction(derivatives: derivatives, function: function, order: order + 1)
      moved = sum(moved, try bindOrThrow(next, primals + [t])[0])
    }
    return (results, [moved])
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let cotangent = cotangents[0] else { return operands.map { _ in nil } }
    let linear = operands.indices.filter { operands[$0].isLinear }
    guard linear.count == 1, linear[0] > 0 else {
      throw TensorError(.unsupportedDerivative, name, "is linear in one direction at a time")
    }
    let filled = operands.enumerated().map { $0 == linear[0] ? cotangent : $1.known! }
    var results = [Tensor?](repeating: nil, count: operands.count)
    results[linear[0]] = try bindOrThrow(self, filled)[0]
    return results
  }
}

/// The function of the symmetric part of each matrix that applies a function to its eigenvalues: V f(Λ) Vᵀ.
///
/// Values and derivatives are exact for eigenvalues that are equal too, where those of eigenvectors do not exist.
///
/// ```swift
/// let softened = try symmetricMatrixFunction(a) { tanh($0) }
/// ```
///
/// - Parameters:
///   - a: `[…, n, n]`.
///   - function: a smooth function of one number, twice differentiable by forward mode near the eigenvalues. It must not capture
///     traced tensors.
/// - Returns: `[…, n, n]`, symmetric. Derivatives up to the second exist.
/// - Throws: ``TensorError``, or what `function` throws. A value or derivative of `function` that is not finite at an eigenvalue
///   is a mistake with reason ``TensorError/Reason/nonFinite``.
/// - Complexity: one eigendecomposition and O(n³); a second derivative O(64 n³) evaluations of f″.
public func symmetricMatrixFunction(_ a: Tensor, _ function: (Tensor) throws -> Tensor) throws -> Tensor {
  try symmetricMatrixFunction(a, "function", function)
}

private func symmetricMatrixFunction(
  _ a: Tensor, _ label: String, _ function: (Tensor) throws -> Tensor
) throws -> Tensor {
  let name = "symmetricMatrixFunction"
  guard a.rank >= 2 else { throw TensorError(.shape, name, "needs matrices; the shape is \(a.shape)") }
  let number = TensorType(.float64, [])
  let traced = try trace([number]) { [try function($0[0])] }
  guard traced.captures.isEmpty else {
    throw TensorError(
      .argument, name, "the function captures traced tensors; its derivative does not see them")
  }
  guard traced.program.outputTypes == [number] else {
    throw TensorError(
      .shape, name, "the function must give a float64 number, not \(traced.program.outputTypes)")
  }
  var derivatives = [traced.program]
  for _ in 0..<2 {
    let previous = derivatives.last!
    derivatives.append(
      try trace([number]) { x in
        [try previous.forwardMode(x, [Tensor(1.0)]).tangents[0] ?? Tensor(0.0)]
      }.program)
  }
  let primitive = SymmetricMatrixFunction(derivatives: derivatives, function: label, order: 0)
  return try bindOrThrow(primitive, [(a + a.matrixTransposed) * 0.5])[0]
}
private func reported(_ a: Tensor, _ label: String, _ function: (Tensor) -> Tensor) -> Tensor {
  do { return try symmetricMatrixFunction(a, label, function) } catch {
    return (error as? TensorError ?? TensorError(.argument, label, "\(error)")).report()
  }
}

/// The exponential of the symmetric part of each matrix; derivatives as of ``symmetricMatrixFunction(_:_:)``.
public func symmetricExponential(_ a: Tensor) -> Tensor { reported(a, "exponential") { exp($0) } }
/// The logarithm of each symmetric positive definite matrix; derivatives as of ``symmetricMatrixFunction(_:_:)``.
public func symmetricLogarithm(_ a: Tensor) -> Tensor { reported(a, "logarithm") { log($0) } }
/// The square root of each symmetric positive definite matrix; derivatives as of ``symmetricMatrixFunction(_:_:)``.
public func symmetricSquareRoot(_ a: Tensor) -> Tensor { reported(a, "square root") { sqrt($0) } }
/// A^(−1/2) of each symmetric positive definite matrix; derivatives as of ``symmetricMatrixFunction(_:_:)``.
public func symmetricInverseSquareRoot(_ a: Tensor) -> Tensor {
  reported(a, "inverse square root") { 1.0 / sqrt($0) }
}
/// A^p of each symmetric positive definite matrix; derivatives as of ``symmetricMatrixFunction(_:_:)``, for the matrix.
public func symmetricPower(_ a: Tensor, _ exponent: Double) -> Tensor {
  reported(a, "power \(exponent)") { pow($0, Tensor(exponent)) }
}
