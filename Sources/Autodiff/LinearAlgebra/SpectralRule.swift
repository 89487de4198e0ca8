/// The linear maps in the derivatives of eigen- and singular values λ and of their vectors V, which refuse what does not exist.
///
/// With M = Vᵀ dA V (symmetric), dλ = diag M and dV = V K, K_ij = M_ij / (λ_j − λ_i). Let B be a set of equal values. Along dA
/// its values part as the eigenvalues of M_B, and its vectors turn at once into those of M_B: neither is linear in dA.
///
/// *Forwards*, nothing is known about what the result is used for, so M_B must be a multiple of the identity (the values stay
/// together). *Backwards*, the cotangents λ̄ and K̄ = Vᵀ V̄ say what is asked for:
/// - values alone: λ̄ equal within B, a function of their sum, whose derivative is that of tr A_B;
/// - vectors alone: K is antisymmetric, and a function of the space that the vectors of B span does not change when they turn:
///   the antisymmetric part of K̄_B is zero, and only K outside of B counts;
/// - both: V f(Λ) Vᵀ is differentiable, but its derivative M̄_ij = f′ W_ij in B is a limit 0 / 0 of the antisymmetric part of
///   K̄ and the gap, of which λ̄ and K̄ at the point hold nothing (at f(λ) = 0, K̄ is zero altogether). It cannot be told from
///   a sum of values and projectors, so both are refused. "Both" is a matter of the program, not of numbers: λ̄ may
///   happen to be zero.
///
/// Differentiating these maps once more needs values that are distinct.
package enum SpectralRule: MatrixPrimitive {
  /// λ, M to dλ, K.
  case differential
  /// λ, then λ̄ and K̄ as far as they are there, to M̄.
  case adjoint(values: Bool, vectors: Bool)
  /// λ, X to X, if all values are distinct.
  case requireDistinct
  /// D, X to X, if no element of D is zero (relative to the largest of its matrix) where X's is not.
  case requireNonzero

  package var name: String { "spectralDerivative" }
  package var attributes: String {
    switch self {
    case .differential: "differential"
    case .adjoint(let values, let vectors): "adjoint\(values ? ", values" : "")\(vectors ? ", vectors" : "")"
    case .requireDistinct: "distinct"
    case .requireNonzero: "nonzero"
    }
  }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let first = operands[0]
    return switch self {
    case .differential: [first, operands[1]]
    case .adjoint: [TensorType(first.elementType, first.shape + [first.shape.last!])]
    case .requireDistinct, .requireNonzero: [operands[1]]
    }
  }

  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    var wide: [DenseArray] = []
    for operand in operands { wide.append(try operand.converted(to: .float64).contiguous()) }
    defer { withExtendedLifetime(wide) {} }
    let isSingle = operands[0].elementType == .float32
    if self == .requireNonzero {
      let (d, x) = (wide[0].pointer(Double.self), wide[1].pointer(Double.self))
      let size = max(wide[0].shape.suffix(2).reduce(1, *), 1)
      let zero = isSingle ? 1e-6 : 1e-14
      for k in 0..<wide[1].count where x[k] != 0 {
        let matrix = k / size * size
        let largest = (matrix..<matrix + size).reduce(0.0) { max($0, d[$1].magnitude) }
        if d[k].magnitude > zero * largest { continue }
        throw TensorError(
          .unsupportedDerivative, "singularValueDecomposition",
          "singular vectors of singular values that are zero have no derivative along this direction")
      }
      return [operands[1]]
    }
    let n = operands[0].shape.last!
    let count = n == 0 ? 0 : wide[0].count / n
    let types = try resultTypes(operands.map(\.type))
    let results = types.map { DenseArray(uninitialized: .float64, $0.shape) }
    for index in 0..<count {
      let stack = SpectralStack(
        values: wide[0].pointer(Double.self) + index * n, n: n, isSingle: isSingle)
      switch self {
      case .differential:
        try stack.differential(
          wide[1].pointer(Double.self) + index * n * n, results[0].pointer(Double.self) + index * n,
          results[1].pointer(Double.self) + index * n * n)
      case .adjoint(let values, let vectors):
        try stack.adjoint(
          values: values ? wide[1].pointer(Double.self) + index * n : nil,
          vectors: vectors ? wide[values ? 2 : 1].pointer(Double.self) + index * n * n : nil,
          results[0].pointer(Double.self) + index * n * n)
      case .requireDistinct: try stack.requireDistinct()
      case .requireNonzero: break
      }
    }
    if self == .requireDistinct { return [operands[1]] }
    var converted: [DenseArray] = []
    for (result, type) in zip(results, types) { converted.append(try result.converted(to: type.elementType)) }
    return converted
  }

  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    let results = try bindOrThrow(self, primals)
    let values = primals[0]
    switch self {
    case .requireDistinct, .requireNonzero:
      return (results, [try tangents[1].map { try bindOrThrow(self, [values, $0])[0] }])
    case .differential:
      var moved: [Tensor?] = [nil, nil]
      if let t = tangents[1] { moved = try bindOrThrow(self, [values, t]).map { $0 } }
      if let change = tangents[0] {
        moved[1] = sum(moved[1], try Self.gapTerm(values, change, results[1]))
      }
      return (results, moved)
    case .adjoint(_, let hasVectors):
      var moved: Tensor?
      if tangents.dropFirst().contains(where: { $0 != nil }) {
        let filled = zip(primals, tangents).dropFirst().map { $1 ?? Tensor.zeros($0.type) }
        moved = try bindOrThrow(self, [values] + filled)[0]
      }
      if hasVectors, let change = tangents[0] {
        let rotated = try bindOrThrow(
          Self.adjoint(values: false, vectors: true), [values, primals[primals.count - 1]])[0]
        moved = sum(moved, try Self.gapTerm(values, change, rotated))
      }
      return (results, [moved])
    }
  }
  /// −X ∘ (λ̇_j − λ̇_i) / (λ_j − λ_i): how a quotient by the gaps changes with them.
  private static func gapTerm(_ values: Tensor, _ change: Tensor, _ x: Tensor) throws -> Tensor {
    let gap = values.expandingAxis(-2) - values.expandingAxis(-1)
    let rate = change.expandingAxis(-2) - change.expandingAxis(-1)
    return try bindOrThrow(Self.requireDistinct, [values, -(x * rate * reciprocalOrZero(gap))])[0]
  }

  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let values = operands[0].known else {
      throw TensorError(.unsupportedDerivative, name, "is linear in its later operands only")
    }
    if cotangents.allSatisfy({ $0 == nil }) { return operands.map { _ in nil } }
    switch self {
    case .requireDistinct, .requireNonzero: return [nil, try bindOrThrow(self, [values, cotangents[0]!])[0]]
    case .differential:
      let rule = Self.adjoint(values: cotangents[0] != nil, vectors: cotangents[1] != nil)
      return [nil, try bindOrThrow(rule, [values] + cotangents.compactMap { $0 })[0]]
    case .adjoint(let hasValues, let hasVectors):
      let results = try bindOrThrow(Self.differential, [values, cotangents[0]!])
      return [nil] + (hasValues ? [results[0]] : []) + (hasVectors ? [results[1]] : [])
    }
  }
}

/// The values of one matrix, and which of them count as equal.
private struct SpectralStack {
  let values: UnsafePointer<Double>
  let n: Int
  /// Differences below this count as none.
  let tolerance: Double
  /// What of a matrix counts as zero, relative to its largest element.
  let relativeZero: Double

  init(values: UnsafePointer<Double>, n: Int, isSingle: Bool) {
    self.values = values
    self.n = n
    let largest = (0..<n).reduce(0.0) { max($0, values[$1].magnitude) }
    tolerance = largest * (isSingle ? 1e-5 : 1e-10)
    relativeZero = isSingle ? 1e-3 : 1e-8
  }
  func isEqual(_ i: Int, _ j: Int) -> Bool { (values[i] - values[j]).magnitude <= tolerance }

  private func refuse(_ i: Int, _ j: Int, _ what: String) -> TensorError {
    TensorError(
      .unsupportedDerivative, "symmetricEigen or singularValueDecomposition",
      "the values \(values[i]) (\(i)) and \(values[j]) (\(j)) are equal within rounding, and \(what) there. For a "
        + "function of the matrix use symmetricMatrixFunction, symmetricExponential and their kin; of vectors with equal values "
        + "only their projector, V Vᵀ over all of them, has a derivative, in reverse mode")
  }
  func requireDistinct() throws(TensorError) {
    for i in 0..<n {
      for j in 0..<i where isEqual(i, j) { throw refuse(j, i, "a second derivative does not exist") }
    }
  }
  func differential(
    _ m: UnsafePointer<Double>, _ slopes: UnsafeMutablePointer<Double>, _ k: UnsafeMutablePointer<Double>
  ) throws(TensorError) {
    let zero = relativeZero * (0..<n * n).reduce(0.0) { max($0, m[$1].magnitude) }
    for i in 0..<n {
      slopes[i] = m[i * n + i]
      for j in 0..<n {
        if i == j {
          k[i * n + j] = 0
        } else if isEqual(i, j) {
          let split = max(m[i * n + j].magnitude, (m[i * n + i] - m[j * n + j]).magnitude)
          if !(split <= zero) {
            throw refuse(
              min(i, j), max(i, j), "part along this direction: they and their vectors have no derivative")
          }
          k[i * n + j] = 0
        } else {
          k[i * n + j] = m[i * n + j] / (values[j] - values[i])
        }
      }
    }
  }
  func adjoint(
    values slopes: UnsafePointer<Double>?, vectors k: UnsafePointer<Double>?,
    _ m: UnsafeMutablePointer<Double>
  ) throws(TensorError) {
    let slopeZero = relativeZero * (slopes.map { s in (0..<n).reduce(0.0) { max($0, s[$1].magnitude) } } ?? 0)
    let zero = relativeZero * (k.map { k in (0..<n * n).reduce(0.0) { max($0, k[$1].magnitude) } } ?? 0)
    for i in 0..<n {
      for j in 0..<n {
        m[i * n + j] = i == j ? slopes?[i] ?? 0 : 0
        if i == j { continue }
        if !isEqual(i, j) {
          if let k { m[i * n + j] = k[i * n + j] / (values[j] - values[i]) }
          continue
        }
        if slopes != nil && k != nil {
          throw refuse(
            min(i, j), max(i, j),
            "what joins values and vectors (V f(Λ) Vᵀ) has no derivative that they determine")
        }
        if let slopes, !((slopes[i] - slopes[j]).magnitude <= slopeZero) {
          throw refuse(min(i, j), max(i, j), "what treats them differently has no derivative")
        }
        if let k, !((k[i * n + j] - k[j * n + i]).magnitude <= zero) {
          throw refuse(min(i, j), max(i, j), "what depends on the single vectors has no derivative")
        }
      }
    }
  }
}
