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
  /// With M = Uᵀ dA V and F_ij = 1 / (s_j² − s_i²), zero where singular values are equal:
  /// ds = diag M, dU = U (F ∘ (M S + S Mᵀ)) + (I − U Uᵀ) dA V S⁻¹, dV = V (F ∘ (S M + Mᵀ S)) + (I − V Vᵀ) dAᵀ U S⁻¹
  /// (Townsend 2016).
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    let results = bind(self, primals)
    guard let t = tangents[0], results.count == 3 else { return (results, results.map { _ in nil }) }
    let (u, s, vt) = (results[0], results[1], results[2])
    let v = vt.matrixTransposed
    let inner = matmul(matmul(u.matrixTransposed, t), v)
    let row = s.expandingAxis(-2)
    let column = s.expandingAxis(-1)
    let f = reciprocalOrZero((row - column) * (row + column))
    let innerT = inner.matrixTransposed
    let inverse = reciprocalOrZero(row)
    var du = matmul(u, f * (inner * row + column * innerT))
    var dv = matmul(v, f * (column * inner + innerT * row))
    let (m, n) = (t.shape[t.rank - 2], t.shape[t.rank - 1])
    if m > n {
      let x = matmul(t, v)
      du = du + (x - matmul(u, matmul(u.matrixTransposed, x))) * inverse
    }
    if n > m {
      let x = matmul(t.matrixTransposed, u)
      dv = dv + (x - matmul(v, matmul(vt, x))) * inverse
    }
    return (results, [du, inner.diagonal, dv.matrixTransposed])
  }
}

/// U, s and Vᵀ with A = U diag(s) Vᵀ, reduced; singular values descend.
///
/// Derivatives of singular vectors that share a singular value do not exist. Where singular values coincide, first
/// derivatives are right for functions that treat the equal values alike (their sum) and for functions of the spaces that
/// their vectors span, but not for functions that join values with vectors, such as U f(S) Vᵀ. Singular values are differentiable where they are distinct and not zero.
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
