import COpenBLAS

/// A = U diag(s) Vᵀ, reduced; singular values descend. Results: U, s, Vᵀ.
package struct SingularValueDecomposition: MatrixPrimitive {
  package var name: String { "svd" }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    try requireMatrices(operands[0], isSquare: false)
    let shape = operands[0].shape
    let (m, n) = (shape[shape.count - 2], shape[shape.count - 1])
    let (lead, k) = (Array(shape.dropLast(2)), min(m, n))
    let type = operands[0].elementType
    return [TensorType(type, lead + [m, k]), TensorType(type, lead + [k]), TensorType(type, lead + [k, n])]
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let types = try resultTypes(operands.map(\.type))
    let a = try MatrixStack(copying: operands[0])
    defer { withExtendedLifetime(a.array) {} }
    let (m, n) = (a.rows, a.columns)
    let k = min(m, n)
    let (u, v) = (MatrixStack(uninitialized: types[0].shape), MatrixStack(uninitialized: types[2].shape))
    let s = DenseArray(uninitialized: .float64, types[1].shape)
    for index in 0..<(k == 0 ? 0 : a.count) {
      let info = LAPACKE_dgesdd(
        LAPACK_ROW_MAJOR, 83 /* S */, Int32(m), Int32(n), a.matrix(index), Int32(n),
        s.pointer(Double.self) + index * k,
        u.matrix(index), Int32(k), v.matrix(index), Int32(n))
      if info != 0 {
        throw failure(index, a.count, "has no singular values that LAPACK finds (is it finite?)")
      }
    }
    let type = operands[0].elementType
    return [try u.converted(to: type), try s.converted(to: type), try v.converted(to: type)]
  }
  /// With M = Uᵀ dA V, its symmetric half S and its antisymmetric half N: ds = diag S, dU = U (K + H) + (I − U Uᵀ) dA V S⁻¹ and
  /// dV = V (K − H) + (I − V Vᵀ) dAᵀ U S⁻¹, K_ij = S_ij / (s_j − s_i), H_ij = N_ij / (s_i + s_j) (Townsend 2016, in halves). K turns
  /// both sides together and follows ``SpectralRule``; H, the polar factor's U Vᵀ, is regular at equal values.
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    let results = try bindOrThrow(self, primals)
    guard let t = tangents[0] else { return (results, results.map { _ in nil }) }
    let (u, s, vt) = (results[0], results[1], results[2])
    let v = vt.matrixTransposed
    let inner = matmul(matmul(u.matrixTransposed, t), v)
    let row = s.expandingAxis(-2)
    let column = s.expandingAxis(-1)
    let innerT = inner.matrixTransposed
    let changes = try bindOrThrow(SpectralRule.differential, [s, (inner + innerT) * 0.5])
    func quotient(_ x: Tensor, _ d: Tensor) throws -> Tensor {
      let divisor = d.broadcast(to: x.shape)
      return try bindOrThrow(SpectralRule.requireNonzero, [divisor, x])[0] * reciprocalOrZero(divisor)
    }
    let apart = try quotient((inner - innerT) * 0.5, row + column)
    var du = matmul(u, changes[1] + apart)
    var dv = matmul(v, changes[1] - apart)
    let (m, n) = (t.shape[t.rank - 2], t.shape[t.rank - 1])
    if m > n {
      let x = matmul(t, v)
      du = du + (try quotient(x - matmul(u, matmul(u.matrixTransposed, x)), row))
    }
    if n > m {
      let x = matmul(t.matrixTransposed, u)
      dv = dv + (try quotient(x - matmul(v, matmul(vt, x)), row))
    }
    return (results, [du, changes[0], dv.matrixTransposed])
  }
}

/// U, s and Vᵀ with A = U diag(s) Vᵀ, reduced; singular values descend.
///
/// Where singular values are equal, what ``symmetricEigen(_:)`` says of eigenvalues holds: in reverse mode their sum, the
/// projectors of the spaces that their vectors span, and the polar factor U Vᵀ have their derivatives, and the rest is refused.
/// Singular values are differentiable where they are distinct and not zero; vectors of values that are zero are refused where their
/// derivative does not exist.
public func singularValueDecomposition(_ a: Tensor) -> (u: Tensor, s: Tensor, vt: Tensor) {
  let results = bind(SingularValueDecomposition(), [a])
  guard results.count == 3 else { return (results[0], results[0], results[0]) }
  return (results[0], results[1], results[2])
}
/// The Moore–Penrose inverse of each matrix of full rank.
public func pseudoInverse(_ a: Tensor) -> Tensor {
  guard a.rank >= 2 else {
    return TensorError(.shape, "pseudoInverse", "needs matrices; the shape is \(a.shape)").report()
  }
  return leastSquares(
    a, Tensor.identity(a.shape[a.rank - 2], type: a.elementType.isFloatingPoint ? a.elementType : .float64))
}
