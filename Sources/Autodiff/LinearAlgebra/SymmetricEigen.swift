import COpenBLAS

/// A = V diag(λ) Vᵀ for symmetric A, of which the lower half is read; eigenvalues ascend.
package struct SymmetricEigen: MatrixPrimitive {
  package var name: String { "eigh" }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    try requireMatrices(operands[0], isSquare: true)
    return [TensorType(operands[0].elementType, operands[0].shape.dropLast()), operands[0]]
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let vectors = try MatrixStack(copying: operands[0])
    let n = vectors.rows
    let values = DenseArray(uninitialized: .float64, operands[0].shape.dropLast())
    for index in 0..<vectors.count {
      let info = LAPACKE_dsyevd(
        LAPACK_ROW_MAJOR, 86 /* V */, 76 /* L */, Int32(n), vectors.matrix(index), Int32(max(n, 1)),
        values.pointer(Double.self) + index * n)
      if info != 0 {
        throw failure(index, vectors.count, "has no eigenvalues that LAPACK finds (is it finite?)")
      }
    }
    let type = operands[0].elementType
    return [try values.converted(to: type), try vectors.converted(to: type)]
  }
  /// With M = Vᵀ dA V: dλ = diag M, dV = V (F ∘ M), F_ij = 1 / (λ_j − λ_i). Within a repeated eigenvalue the
  /// eigenvectors are not differentiable; F is taken as zero there, which is right for functions of their span and
  /// for functions that treat the equal values alike; how these part (the off-diagonal entries of M) is lost.
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    let results = bind(self, primals)
    guard let t = tangents[0], results.count == 2 else { return (results, results.map { _ in nil }) }
    let (values, vectors) = (results[0], results[1])
    let symmetric = t.lowerTriangle() + t.lowerTriangle(offset: -1).matrixTransposed
    let inner = matmul(matmul(vectors.matrixTransposed, symmetric), vectors)
    let gap = values.expandingAxis(-2) - values.expandingAxis(-1)
    return (results, [inner.diagonal, matmul(vectors, inner * reciprocalOrZero(gap))])
  }
}

/// 1 / x, and zero where x is.
func reciprocalOrZero(_ x: Tensor) -> Tensor {
  let isZero = x .== 0.0
  return select(isZero, 0.0, 1.0 / select(isZero, 1.0, x))
}

/// Eigenvalues (ascending) and eigenvectors (columns) of the symmetric part of each matrix.
///
/// Derivatives of eigenvectors that share an eigenvalue do not exist. Where eigenvalues coincide, first derivatives are right
/// for functions that treat the equal values alike and for functions of the space that their vectors span (its
/// projector), but not for functions that join values with vectors, such as V f(Λ) Vᵀ: how the equal values part along
/// a direction is missing. Use a function of the matrix itself there (``inverse(_:)``, ``solve(_:_:)``, ``cholesky(_:)``).
public func symmetricEigen(_ a: Tensor) -> (values: Tensor, vectors: Tensor) {
  guard a.rank >= 2 else {
    let result = TensorError(.shape, "symmetricEigen", "needs matrices; the shape is \(a.shape)").report()
    return (result, result)
  }
  let results = bind(SymmetricEigen(), [(a + a.matrixTransposed) * 0.5])
  return (results[0], results[results.count - 1])
}
