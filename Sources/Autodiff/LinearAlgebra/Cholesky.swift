import COpenBLAS

/// A = L Lᵀ for symmetric positive definite A, of which the lower half is read.
package struct CholeskyFactorize: MatrixPrimitive {
  package var name: String { "cholesky" }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    try requireMatrices(operands[0], isSquare: true)
    return operands
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let factor = try MatrixStack(copying: operands[0])
    let n = factor.rows
    for index in 0..<factor.count {
      let a = factor.matrix(index)
      let info = LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 76 /* L */, Int32(n), a, Int32(max(n, 1)))
      if info != 0 {
        throw failure(
          index, factor.count, "is not positive definite: its leading minor of order \(info) is not positive")
      }
      for i in 0..<n { for j in (i + 1)..<max(n, i + 1) { a[i * n + j] = 0 } }
    }
    return [try factor.converted(to: operands[0].elementType)]
  }
  /// dL = L Φ(L⁻¹ dA L⁻ᵀ), Φ: the lower half, the diagonal halved (Murray 2016).
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    let factor = bind1(self, primals[0])
    let tangent = tangents[0].map { t -> Tensor in
      let symmetric = t.lowerTriangle() + t.lowerTriangle(offset: -1).matrixTransposed
      let left = triangularSolve(factor, symmetric, lower: true)
      let inner = triangularSolve(factor, left.matrixTransposed, lower: true)
      let half = (inner.lowerTriangle() + inner.lowerTriangle(offset: -1)) * 0.5
      return matmul(factor, half)
    }
    return ([factor], [tangent])
  }
}

/// The lower triangular L with A = L Lᵀ. The symmetric part of A is what counts.
/// A matrix that is not positive definite is a mistake, with reason ``TensorError/Reason/singular``.
public func cholesky(_ a: Tensor) -> Tensor {
  guard a.rank >= 2 else {
    return TensorError(.shape, "cholesky", "needs matrices; the shape is \(a.shape)").report()
  }
  return bind1(CholeskyFactorize(), (a + a.matrixTransposed) * 0.5)
}
/// The solution of A x = b with a Cholesky factor of A.
public func choleskySolve(_ factor: Tensor, _ b: Tensor) -> Tensor {
  triangularSolve(factor, triangularSolve(factor, b, lower: true), lower: true, transposed: true)
}
