import COpenBLAS

/// A = Q R with orthonormal columns in Q and R upper triangular (reduced: with k = min(m, n), Q is m × k). The diagonal of R is not negative.
package struct QRFactorize: MatrixPrimitive {
  package var name: String { "qr" }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    try requireMatrices(operands[0], isSquare: false)
    let shape = operands[0].shape
    let (m, n) = (shape[shape.count - 2], shape[shape.count - 1])
    let lead = Array(shape.dropLast(2))
    let type = operands[0].elementType
    return [TensorType(type, lead + [m, min(m, n)]), TensorType(type, lead + [min(m, n), n])]
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let types = try resultTypes(operands.map(\.type))
    let a = try MatrixStack(copying: operands[0])
    defer { withExtendedLifetime(a.array) {} }
    let (m, n) = (a.rows, a.columns)
    let k = min(m, n)
    let (q, r) = (MatrixStack(uninitialized: types[0].shape), MatrixStack(uninitialized: types[1].shape))
    var scales = [Double](repeating: 0, count: max(k, 1))
    for index in 0..<(k == 0 ? 0 : a.count) {
      let (x, qx, rx) = (a.matrix(index), q.matrix(index), r.matrix(index))
      _ = LAPACKE_dgeqrf(LAPACK_ROW_MAJOR, Int32(m), Int32(n), x, Int32(n), &scales)
      for i in 0..<k { for j in 0..<n { rx[i * n + j] = j >= i ? x[i * n + j] : 0 } }
      for i in 0..<m { for j in 0..<k { qx[i * k + j] = x[i * n + j] } }
      _ = LAPACKE_dorgqr(LAPACK_ROW_MAJOR, Int32(m), Int32(k), Int32(k), qx, Int32(k), &scales)
      for i in 0..<k where rx[i * n + i] < 0 {
        for j in i..<n { rx[i * n + j] = -rx[i * n + j] }
        for j in 0..<m { qx[j * k + i] = -qx[j * k + i] }
      }
    }
    let type = operands[0].elementType
    return [try q.converted(to: type), try r.converted(to: type)]
  }
  /// With X = dA R⁻¹ and Ω the antisymmetric matrix that has the strict lower half of QᵀX:
  /// dQ = Q (Ω − QᵀX) + X, dR = (QᵀX − Ω) R.
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    let results = bind(self, primals)
    guard let t = tangents[0] else { return (results, [nil, nil]) }
    let (q, r) = (results[0], results[1])
    guard t.shape[t.rank - 2] >= t.shape[t.rank - 1] else {
      throw TensorError(
        .unsupportedDerivative, name,
        "the derivative needs at least as many rows as columns; the shape is \(t.shape)")
    }
    let x = triangularSolve(r, t.matrixTransposed, lower: false, transposed: true).matrixTransposed
    let inner = matmul(q.matrixTransposed, x)
    let strict = inner.lowerTriangle(offset: -1)
    let omega = strict - strict.matrixTransposed
    return (results, [matmul(q, omega - inner) + x, matmul(inner - omega, r)])
  }
}

/// A = Q R, reduced, the diagonal of R not negative. The derivative needs full column rank.
public func qrDecomposition(_ a: Tensor) -> (q: Tensor, r: Tensor) {
  let results = bind(QRFactorize(), [a])
  return (results[0], results[results.count - 1])
}

/// The x that minimises ‖A x − b‖, for A of full rank; of several solutions (fewer rows than columns) the shortest.
/// A rank-deficient matrix with an exact zero on the diagonal of R is a mistake, with reason ``TensorError/Reason/singular``.
public func leastSquares(_ a: Tensor, _ b: Tensor) -> Tensor {
  guard let (matrices, right, isVector) = matchedSystem("leastSquares", a, b) else { return failed(a, b) }
  let (m, n) = (matrices.shape[matrices.rank - 2], matrices.shape[matrices.rank - 1])
  let x: Tensor
  if m >= n {
    let (q, r) = qrDecomposition(matrices)
    x = triangularSolve(r, matmul(q.matrixTransposed, right), lower: false)
  } else {
    let (q, r) = qrDecomposition(matrices.matrixTransposed)
    x = matmul(q, triangularSolve(r, right, lower: false, transposed: true))
  }
  return isVector ? x.squeezed(-1) : x
}
