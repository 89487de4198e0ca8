import COpenBLAS

/// Products of stacks of matrices: `[b, m, k] × [b, k, n] → [b, m, n]`. Every other product is brought to this form by
/// views.
package struct MatrixProduct: Primitive {
  package var name: String { "matrixProduct" }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let (a, b) = (operands[0], operands[1])
    guard a.shape.count == 3, b.shape.count == 3, a.shape[0] == b.shape[0], a.shape[2] == b.shape[1],
      a.elementType == b.elementType, a.elementType != .bool
    else { throw TensorError(.shape, name, "\(a) and \(b) do not fit together") }
    return [TensorType(a.elementType, [a.shape[0], a.shape[1], b.shape[2]])]
  }

  package func evaluate(_ operands: [DenseArray]) -> [DenseArray] {
    let (a, b) = (operands[0], operands[1])
    let result = DenseArray(uninitialized: a.elementType, [a.shape[0], a.shape[1], b.shape[2]])
    let size = a.shape[1] * a.shape[2] * b.shape[2]
    switch a.elementType {
    case .float64 where a.shape[2] == 1 && b.strides[2] == 1: multiplyOuter(a, b, result, Double.self)
    case .float32 where a.shape[2] == 1 && b.strides[2] == 1: multiplyOuter(a, b, result, Float.self)
    case .float64:
      if size <= 512 { multiply(a, b, result, Double.self) } else { multiplyBLAS(a, b, result, Double.self) }
    case .float32:
      if size <= 512 { multiply(a, b, result, Float.self) } else { multiplyBLAS(a, b, result, Float.self) }
    case .int32: multiply(a, b, result, Int32.self)
    case .bool: preconditionFailure("the result type of \(name) excludes bool")
    }
    return [result]
  }

  /// Small and integer products, for any strides.
  @specialized(where T == Double)
  @specialized(where T == Float)
  @specialized(where T == Int32)
  private func multiply<T: Numeric & BitwiseCopyable>(
    _ a: DenseArray, _ b: DenseArray, _ c: DenseArray, _ type: T.Type
  ) {
    let (m, k, n) = (a.shape[1], a.shape[2], b.shape[2])
    let (aRow, aColumn, bRow, bColumn) = (a.strides[1], a.strides[2], b.strides[1], b.strides[2])
    for batch in 0..<a.shape[0] {
      let x = a.pointer(T.self) + batch * a.strides[0]
      let y = b.pointer(T.self) + batch * b.strides[0]
      let z = c.pointer(T.self) + batch * m * n
      for i in 0..<m {
        for j in 0..<n { z[i &* n &+ j] = 0 }
        for l in 0..<k {
          let factor = x[i &* aRow &+ l &* aColumn]
          for j in 0..<n { z[i &* n &+ j] += factor * y[l &* bRow &+ j &* bColumn] }
        }
      }
    }
  }

  /// Products of a column and a row of neighbouring elements.
  @specialized(where T == Double)
  @specialized(where T == Float)
  private func multiplyOuter<T: Numeric & BitwiseCopyable>(
    _ a: DenseArray, _ b: DenseArray, _ c: DenseArray, _ type: T.Type
  ) {
    let (m, n, row) = (a.shape[1], b.shape[2], a.strides[1])
    for batch in 0..<a.shape[0] {
      let x = a.pointer(T.self) + batch * a.strides[0]
      let y = b.pointer(T.self) + batch * b.strides[0]
      let z = c.pointer(T.self) + batch * m * n
      for i in 0..<m {
        let factor = x[i &* row]
        for j in 0..<n { z[i &* n &+ j] = factor * y[j] }
      }
    }
  }

  private func multiplyBLAS<T>(_ a: DenseArray, _ b: DenseArray, _ c: DenseArray, _ type: T.Type) {
    let (m, k, n) = (a.shape[1], a.shape[2], b.shape[2])
    let (x, xTransposed, xLeading) = Self.blasLayout(a)
    let (y, yTransposed, yLeading) = Self.blasLayout(b)
    defer { withExtendedLifetime((x, y)) {} }
    for batch in 0..<a.shape[0] {
      let transposeX = xTransposed ? CblasTrans : CblasNoTrans
      let transposeY = yTransposed ? CblasTrans : CblasNoTrans
      if T.self == Double.self {
        cblas_dgemm(
          CblasRowMajor, transposeX, transposeY, Int32(m), Int32(n), Int32(k), 1,
          x.pointer(Double.self) + batch * x.strides[0], Int32(xLeading),
          y.pointer(Double.self) + batch * y.strides[0], Int32(yLeading), 0,
          c.pointer(Double.self) + batch * m * n, Int32(n))
      } else {
        cblas_sgemm(
          CblasRowMajor, transposeX, transposeY, Int32(m), Int32(n), Int32(k), 1,
          x.pointer(Float.self) + batch * x.strides[0], Int32(xLeading),
          y.pointer(Float.self) + batch * y.strides[0], Int32(yLeading), 0,
          c.pointer(Float.self) + batch * m * n, Int32(n))
      }
    }
  }
  /// The array as BLAS can read it: rows contiguous, or columns (transposed); a copy where neither is so.
  private static func blasLayout(_ a: DenseArray) -> (DenseArray, isTransposed: Bool, leading: Int) {
    let (rows, columns) = (a.shape[1], a.shape[2])
    let (row, column) = (a.strides[1], a.strides[2])
    if (column == 1 || columns == 1) && (row >= columns || rows == 1) { return (a, false, max(row, columns)) }
    if (row == 1 || rows == 1) && (column >= rows || columns == 1) { return (a, true, max(column, rows)) }
    return (a.contiguous(), false, columns)
  }

  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    let first = tangents[0].map { bind1(self, $0, primals[1]) }
    let second = tangents[1].map { bind1(self, primals[0], $0) }
    return (bind(self, primals), [sum(first, second)])
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let c = cotangents[0] else { return [nil, nil] }
    switch (operands[0], operands[1]) {
    case (.linear, .known(let b)): return [bind1(self, c, b.transposed([0, 2, 1])), nil]
    case (.known(let a), .linear): return [nil, bind1(self, a.transposed([0, 2, 1]), c)]
    default: throw TensorError(.unsupportedDerivative, name, "is not linear in both operands jointly")
    }
  }
  /// A batch in one operand only is one larger product.
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    let (a, b) = (operands[0], operands[1])
    switch (isBatched[0], isBatched[1]) {
    case (true, false):
      let (stack, m, k) = (a.shape[1], a.shape[2], a.shape[3])
      let wide = a.transposed([1, 0, 2, 3]).reshaped([stack, size * m, k])
      let product = bind1(self, wide, b).reshaped([stack, size, m, b.shape[2]])
      return ([product.transposed([1, 0, 2, 3])], [true])
    case (false, true):
      let (stack, k, n) = (b.shape[1], b.shape[2], b.shape[3])
      let wide = b.transposed([1, 2, 0, 3]).reshaped([stack, k, size * n])
      let product = bind1(self, a, wide).reshaped([stack, a.shape[1], size, n])
      return ([product.transposed([2, 0, 1, 3])], [true])
    default:
      let x = a.batched(isBatched[0], size)
      let y = b.batched(isBatched[1], size)
      let stack = x.shape[1]
      let product = bind1(
        self, x.reshaped([size * stack, x.shape[2], x.shape[3]]),
        y.reshaped([size * stack, y.shape[2], y.shape[3]]))
      return ([product.reshaped([size, stack, x.shape[2], y.shape[3]])], [true])
    }
  }
}
