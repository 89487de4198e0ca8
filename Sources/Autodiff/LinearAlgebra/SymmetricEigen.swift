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
  /// With M = Vᵀ dA V: dλ = diag M, dV = V K, K_ij = M_ij / (λ_j − λ_i); ``SpectralRule`` says what holds where values are equal.
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    let results = try bindOrThrow(self, primals)
    guard let t = tangents[0] else { return (results, results.map { _ in nil }) }
    let (values, vectors) = (results[0], results[1])
    let symmetric = t.lowerTriangle() + t.lowerTriangle(offset: -1).matrixTransposed
    let inner = matmul(matmul(vectors.matrixTransposed, symmetric), vectors)
    let changes = try bindOrThrow(SpectralRule.differential, [values, inner])
    return (results, [changes[0], matmul(vectors, changes[1])])
  }
}

/// 1 / x, and zero where x is.
func reciprocalOrZero(_ x: Tensor) -> Tensor {
  let isZero = x .== 0.0
  return select(isZero, 0.0, 1.0 / select(isZero, 1.0, x))
}

/// Eigenvalues (ascending) and eigenvectors (columns) of the symmetric part of each matrix.
///
/// Where eigenvalues are equal (closer than 1e-10 of the largest; 1e-5 in single precision), single values and vectors are not
/// differentiable. Reverse mode gives the derivative of functions of the values alone that treat the equal ones alike (their sum), and
/// of functions of the vectors alone that depend on the space which those of equal values span (its projector). Everything else is
/// refused with reason ``TensorError/Reason/unsupportedDerivative``: what treats them differently, what joins values with vectors
/// such as V f(Λ) Vᵀ (for which there is ``symmetricMatrixFunction(_:_:)``), second derivatives, and forward mode along
/// directions in which the equal values part. A function that joins the vectors with the matrix itself (the diagonal of
/// Vᵀ A V in place of the values) cannot be recognised: take the values from here.
public func symmetricEigen(_ a: Tensor) -> (values: Tensor, vectors: Tensor) {
  guard a.rank >= 2 else {
    let result = TensorError(.shape, "symmetricEigen", "needs matrices; the shape is \(a.shape)").report()
    return (result, result)
  }
  let results = bind(SymmetricEigen(), [(a + a.matrixTransposed) * 0.5])
  return (results[0], results[results.count - 1])
}
