import COpenBLAS

/// T⁻¹ b or T⁻ᵀ b for triangular T, of which only its half is read. Linear in b.
package struct TriangularSolve: MatrixPrimitive {
  let isLower: Bool
  let isTransposed: Bool
  let isUnit: Bool
  package var name: String { "triangularSolve" }
  package var attributes: String {
    (isLower ? "lower" : "upper") + (isTransposed ? ", transposed" : "") + (isUnit ? ", unit diagonal" : "")
  }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    try requireMatrices(operands[0], isSquare: true)
    try requireRightSide(operands[0], operands[1])
    return [operands[1]]
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let factor = try MatrixStack(copying: operands[0])
    defer { withExtendedLifetime(factor.array) {} }
    let x = try MatrixStack(copying: operands[1])
    let (n, k) = (x.rows, x.columns)
    if n == 0 || k == 0 { return [operands[1]] }
    for index in 0..<factor.count {
      let t = factor.matrix(index)
      for i in 0..<n where !isUnit && t[i * n + i] == 0 {
        throw failure(index, factor.count, "is singular: element \(i) of its diagonal is zero")
      }
      cblas_dtrsm(
        CblasRowMajor, CblasLeft, isLower ? CblasLower : CblasUpper, isTransposed ? CblasTrans : CblasNoTrans,
        isUnit ? CblasUnit : CblasNonUnit, Int32(n), Int32(k), 1, t, Int32(n), x.matrix(index), Int32(k))
    }
    return [try x.converted(to: operands[1].elementType)]
  }
  /// T ẋ = ḃ − Ṫ x, with the half of Ṫ that counts.
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    let x = bind1(self, primals[0], primals[1])
    let moved = tangents[0].map { t in
      let half = isLower ? t.lowerTriangle(offset: isUnit ? -1 : 0) : t.upperTriangle(offset: isUnit ? 1 : 0)
      return -matmul(isTransposed ? half.matrixTransposed : half, x)
    }
    return ([x], [sum(tangents[1], moved).map { bind1(self, primals[0], $0) }])
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let t = operands[0].known else {
      throw TensorError(.unsupportedDerivative, name, "is linear in the right-hand side only")
    }
    let opposite = TriangularSolve(isLower: isLower, isTransposed: !isTransposed, isUnit: isUnit)
    return [nil, cotangents[0].map { bind1(opposite, t, $0) }]
  }
}

/// The solution x of T x = b (or Tᵀ x = b) for triangular T; the other half of T is not read. `b` is a vector or a matrix of
/// columns; leading axes are stacks.
public func triangularSolve(
  _ t: Tensor, _ b: Tensor, lower: Bool, transposed: Bool = false, unitDiagonal: Bool = false
) -> Tensor {
  guard let (matrices, right, isVector) = matchedSystem("triangularSolve", t, b) else { return failed(t, b) }
  let x = bind1(
    TriangularSolve(isLower: lower, isTransposed: transposed, isUnit: unitDiagonal), matrices, right)
  return isVector ? x.squeezed(-1) : x
}
