import COpenBLAS

/// P A = L U with partial pivoting. Results: L below the diagonal (its own is one) and U on and above it; the rows of A in
/// the order of P A.
package struct LUFactorize: MatrixPrimitive {
  package var name: String { "lu" }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    try requireMatrices(operands[0], isSquare: true)
    return [operands[0], TensorType(.int32, operands[0].shape.dropLast())]
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let factor = try MatrixStack(copying: operands[0])
    let n = factor.rows
    let order = DenseArray(uninitialized: .int32, operands[0].shape.dropLast())
    var pivots = [Int32](repeating: 0, count: n)
    for index in 0..<factor.count {
      // A zero pivot leaves the factor as it is; solving with it is the error.
      _ = LAPACKE_dgetrf(
        LAPACK_ROW_MAJOR, Int32(n), Int32(n), factor.matrix(index), Int32(max(n, 1)), &pivots)
      let rows = order.pointer(Int32.self) + index * n
      for k in 0..<n { rows[k] = Int32(k) }
      for k in 0..<n where Int(pivots[k]) - 1 != k { swap(&rows[k], &rows[Int(pivots[k]) - 1]) }
    }
    return [try factor.converted(to: operands[0].elementType), order]
  }
  /// With F = L⁻¹ P dA U⁻¹: dL = L tril(F, −1), dU = triu(F) U.
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    let results = bind(self, primals)
    guard let t = tangents[0] else { return (results, [nil, nil]) }
    let factor = results[0]
    let moved = t.permutingRows(results[1])
    let left = triangularSolve(factor, moved, lower: true, unitDiagonal: true)
    let f = triangularSolve(factor, left.matrixTransposed, lower: false, transposed: true).matrixTransposed
    let strict = f.lowerTriangle(offset: -1)
    let lower = factor.lowerTriangle(offset: -1)
    let dLower = matmul(lower, strict) + strict
    return (results, [dLower + matmul(f.upperTriangle(), factor.upperTriangle()), nil])
  }
}

extension Tensor {
  /// Rows of each matrix in another order: `[…, n, k]` by `[…, n]`.
  func permutingRows(_ order: Tensor) -> Tensor {
    let lead = order.shape.dropLast().reduce(1, *)
    let (n, k) = (shape[rank - 2], shape[rank - 1])
    return bind1(Gather(isBatched: true), reshaped([lead, n, k]), order.reshaped([lead, n])).reshaped(shape)
  }
}

/// A⁻¹ b or A⁻ᵀ b with a factor of A at hand. Operands: A, its factor, the order of rows, b. Linear in b.
package struct FactoredSolve: MatrixPrimitive {
  let isTransposed: Bool
  package var name: String { "solve" }
  package var attributes: String { isTransposed ? "transposed" : "" }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    try requireMatrices(operands[0], isSquare: true)
    try requireRightSide(operands[0], operands[3])
    return [operands[3]]
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let factor = try MatrixStack(copying: operands[1])
    let x = try MatrixStack(copying: operands[3])
    let order = operands[2].contiguous()
    defer { withExtendedLifetime((factor.array, order)) {} }
    let (n, k) = (x.rows, x.columns)
    if n == 0 || k == 0 { return [operands[3]] }
    var column = [Double](repeating: 0, count: n * k)
    for index in 0..<factor.count {
      let a = factor.matrix(index)
      for i in 0..<n where a[i * n + i] == 0 || !a[i * n + i].isFinite {
        throw failure(
          index, factor.count,
          "is singular or not finite: pivot \(i) of its LU decomposition is \(a[i * n + i])")
      }
      let rows = order.pointer(Int32.self) + index * n
      let b = x.matrix(index)
      if !isTransposed {
        for i in 0..<n { for j in 0..<k { column[i * k + j] = b[Int(rows[i]) * k + j] } }
        b.update(from: column, count: n * k)
        triangular(a, b, n, k, CblasLower, CblasNoTrans, CblasUnit)
        triangular(a, b, n, k, CblasUpper, CblasNoTrans, CblasNonUnit)
      } else {
        triangular(a, b, n, k, CblasUpper, CblasTrans, CblasNonUnit)
        triangular(a, b, n, k, CblasLower, CblasTrans, CblasUnit)
        for i in 0..<n { for j in 0..<k { column[Int(rows[i]) * k + j] = b[i * k + j] } }
        b.update(from: column, count: n * k)
      }
    }
    return [try x.converted(to: operands[3].elementType)]
  }
  private func triangular(
    _ a: UnsafePointer<Double>, _ b: UnsafeMutablePointer<Double>, _ n: Int, _ k: Int, _ half: CBLAS_UPLO,
    _ transpose: CBLAS_TRANSPOSE, _ diagonal: CBLAS_DIAG
  ) {
    cblas_dtrsm(
      CblasRowMajor, CblasLeft, half, transpose, diagonal, Int32(n), Int32(k), 1, a, Int32(n), b, Int32(k))
  }
  /// A ẋ = ḃ − Ȧ x.
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    let x = bind1(self, primals[0], primals[1], primals[2], primals[3])
    let moved = tangents[0].map { -matmul(isTransposed ? $0.matrixTransposed : $0, x) }
    let right = sum(tangents[3], moved)
    return ([x], [right.map { bind1(self, primals[0], primals[1], primals[2], $0) }])
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let c = cotangents[0] else { return [nil, nil, nil, nil] }
    let known = operands.prefix(3).compactMap(\.known)
    guard known.count == 3 else {
      throw TensorError(.unsupportedDerivative, name, "is linear in the right-hand side only")
    }
    return [
      nil, nil, nil, bind1(FactoredSolve(isTransposed: !isTransposed), known[0], known[1], known[2], c),
    ]
  }
}

/// The solution x of A x = b. `b` is a vector or a matrix of columns; leading axes are stacks.
/// A singular matrix is a mistake, with reason ``TensorError/Reason/singular``.
/// - Complexity: O(n³) for each matrix. Derivatives use the same factor.
public func solve(_ a: Tensor, _ b: Tensor) -> Tensor {
  guard let (matrices, right, isVector) = matchedSystem("solve", a, b) else { return failed(a, b) }
  let factors = bind(LUFactorize(), [stopGradient(matrices)])
  guard factors.count == 2 else { return factors[0] }
  let x = bind1(FactoredSolve(isTransposed: false), matrices, factors[0], factors[1], right)
  return isVector ? x.squeezed(-1) : x
}

/// Matrices and right-hand sides of one type with equal leading axes; a vector becomes a column.
func matchedSystem(_ operation: String, _ a: Tensor, _ b: Tensor) -> (Tensor, Tensor, isVector: Bool)? {
  if case .failed = a.representation { return nil }
  if case .failed = b.representation { return nil }
  let type = max(a.elementType, b.elementType, .float32) == .float32 ? ElementType.float32 : .float64
  let isVector =
    b.rank == 1 || (b.rank == a.rank - 1 && b.rank > 1 && a.rank > 2 && b.shape == Array(a.shape.dropLast()))
  let right = isVector ? b.expandingAxis(-1) : b
  guard a.rank >= 2, right.rank >= 2, a.shape[a.rank - 2] == right.shape[right.rank - 2],
    let lead = broadcastShape(Array(a.shape.dropLast(2)), Array(right.shape.dropLast(2)))
  else {
    TensorError(
      .shape, operation,
      "a right-hand side of shape \(b.shape) does not belong to matrices of shape \(a.shape)"
    ).record()
    return nil
  }
  return (
    a.converted(to: type).broadcast(to: lead + a.shape.suffix(2)),
    right.converted(to: type).broadcast(to: lead + right.shape.suffix(2)), isVector
  )
}

/// The inverse of each matrix. Prefer ``solve(_:_:)`` where the inverse is only multiplied with something.
public func inverse(_ a: Tensor) -> Tensor {
  guard a.rank >= 2 else {
    return TensorError(.shape, "inverse", "needs matrices; the shape is \(a.shape)").report()
  }
  return solve(
    a, Tensor.identity(a.shape[a.rank - 1], type: a.elementType.isFloatingPoint ? a.elementType : .float64))
}
/// Sign and logarithm of the absolute value of each matrix' determinant.
public func signAndLogDeterminant(_ a: Tensor) -> (sign: Tensor, logarithm: Tensor) {
  let (diagonal, parity) = luDiagonal(a)
  return (sign(diagonal).product(axis: -1) * parity, log(abs(diagonal)).sum(axis: -1))
}
/// The determinant of each matrix. Its derivative exists where the matrix has rank n − 1 or n only if the pivots of the
/// decomposition but the last are not zero.
public func determinant(_ a: Tensor) -> Tensor {
  let (diagonal, parity) = luDiagonal(a)
  return diagonal.product(axis: -1) * parity
}
/// The diagonal of U, and the sign of the permutation.
private func luDiagonal(_ a: Tensor) -> (Tensor, Tensor) {
  let x = a.elementType.isFloatingPoint ? a : a.converted(to: .float64)
  let factors = bind(LUFactorize(), [x])
  guard factors.count == 2 else { return (factors[0], factors[0]) }
  let order = factors[1]
  // The number of pairs out of order decides the sign.
  let n = order.shape[order.rank - 1]
  let pairs = (order.expandingAxis(-1) .> order.expandingAxis(-2)).converted(to: .int32)
  let above = Tensor.ones([n, n], type: .int32).upperTriangle(offset: 1)
  let inversions = (pairs * above).sum(axes: [-2, -1])
  return (factors[0].diagonal, (1 - 2 * (inversions % Tensor(scalar: Int32(2)))).converted(to: x.elementType))
}
/// Permutation, lower and upper triangle with A = P L U.
public func luDecomposition(_ a: Tensor) -> (permutation: Tensor, lower: Tensor, upper: Tensor) {
  let x = a.elementType.isFloatingPoint ? a : a.converted(to: .float64)
  let factors = bind(LUFactorize(), [x])
  guard factors.count == 2 else { return (factors[0], factors[0], factors[0]) }
  let n = a.shape[a.rank - 1]
  let lower = factors[0].lowerTriangle(offset: -1) + Tensor.identity(n, type: x.elementType)
  return (factors[1].oneHot(n, type: x.elementType).matrixTransposed, lower, factors[0].upperTriangle())
}
