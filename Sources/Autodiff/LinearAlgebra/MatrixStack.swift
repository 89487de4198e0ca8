/// Matrices along the last two axes of arrays, for LAPACK: row-major copies in double precision.
struct MatrixStack {
  let rows: Int
  let columns: Int
  let count: Int
  let array: DenseArray

  /// A copy of an array's matrices, which may be overwritten.
  init(copying source: DenseArray) throws(TensorError) {
    let wide = try source.converted(to: .float64).contiguous()
    let copy = DenseArray(uninitialized: wide.type)
    copy.pointer(Double.self).update(from: wide.pointer(Double.self), count: wide.count)
    self.init(copy)
  }
  init(uninitialized shape: [Int]) { self.init(DenseArray(uninitialized: .float64, shape)) }
  private init(_ array: DenseArray) {
    self.array = array
    rows = array.shape[array.rank - 2]
    columns = array.shape[array.rank - 1]
    count = array.shape.dropLast(2).reduce(1, *)
  }
  func matrix(_ index: Int) -> UnsafeMutablePointer<Double> {
    array.pointer(Double.self) + index * rows * columns
  }
  func converted(to type: ElementType) throws(TensorError) -> DenseArray { try array.converted(to: type) }
}

/// What all primitives on stacks of matrices share.
protocol MatrixPrimitive: Primitive {}
extension MatrixPrimitive {
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    let results = try bindOrThrow(self, zip(operands, isBatched).map { $0.batched($1, size) })
    return (results, results.map { _ in true })
  }
  func requireMatrices(_ type: TensorType, isSquare: Bool) throws(TensorError) {
    let shape = type.shape
    guard shape.count >= 2, type.elementType.isFloatingPoint else {
      throw TensorError(.shape, name, "needs floating-point matrices along the last two axes, not \(type)")
    }
    if isSquare && shape[shape.count - 1] != shape[shape.count - 2] {
      throw TensorError(.shape, name, "needs square matrices; the shape is \(shape)")
    }
  }
  func requireRightSide(_ a: TensorType, _ b: TensorType) throws(TensorError) {
    guard b.shape.count == a.shape.count, b.elementType == a.elementType,
      b.shape.dropLast(2) == a.shape.dropLast(2),
      b.shape[b.shape.count - 2] == a.shape[a.shape.count - 1]
    else { throw TensorError(.shape, name, "a right-hand side \(b) does not belong to matrices \(a)") }
  }
  func failure(_ index: Int, _ count: Int, _ text: String) -> TensorError {
    TensorError(.singular, name, (count > 1 ? "matrix \(index) of \(count) " : "the matrix ") + text)
  }
}
