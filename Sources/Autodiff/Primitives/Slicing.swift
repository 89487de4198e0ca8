/// Every `steps`-th element from `start` on, `counts` of them, along each axis. Steps may be negative.
package struct Slice: Primitive {
  let start: [Int]
  let counts: [Int]
  let steps: [Int]

  package var name: String { "slice" }
  package var attributes: String { "start: \(start), counts: \(counts), steps: \(steps)" }
  package var zeroPattern: ZeroPattern { .structural }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let shape = operands[0].shape
    guard start.count == shape.count, Self.fits(start, counts, steps, in: shape) else {
      throw TensorError(.range, name, "[\(attributes)] leaves the shape \(shape)")
    }
    return [TensorType(operands[0].elementType, counts)]
  }
  static func fits(_ start: [Int], _ counts: [Int], _ steps: [Int], in shape: [Int]) -> Bool {
    shape.indices.allSatisfy { axis in
      let end = start[axis] + (counts[axis] - 1) * steps[axis]
      let range = 0..<shape[axis]
      return counts[axis] == 0 || (counts[axis] > 0 && range.contains(start[axis]) && range.contains(end))
    }
  }
  package func evaluate(_ operands: [DenseArray]) -> [DenseArray] {
    [operands[0].strided(start: start, counts: counts, steps: steps)]
  }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), [tangents[0].map { bind1(self, $0) }])
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) -> [Tensor?] {
    [cotangents[0].map { bind1(Embed(shape: operands[0].type.shape, start: start, steps: steps), $0) }]
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    (bind(Slice(start: [0] + start, counts: [size] + counts, steps: [1] + steps), operands), [true])
  }
}

/// Places an array's elements in an array of zeros: the transpose of ``Slice``.
package struct Embed: Primitive {
  let shape: [Int]
  let start: [Int]
  let steps: [Int]

  package var name: String { "embed" }
  package var attributes: String { "in: \(shape), start: \(start), steps: \(steps)" }
  package var zeroPattern: ZeroPattern { .structural }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    guard operands[0].shape.count == shape.count, Slice.fits(start, operands[0].shape, steps, in: shape)
    else {
      throw TensorError(.range, name, "[\(attributes)] does not hold the shape \(operands[0].shape)")
    }
    return [TensorType(operands[0].elementType, shape)]
  }
  package func evaluate(_ operands: [DenseArray]) -> [DenseArray] {
    let result = DenseArray(uninitialized: operands[0].elementType, shape)
    result.buffer.base.initializeMemory(as: UInt8.self, repeating: 0, count: result.buffer.byteCount)
    result.strided(start: start, counts: operands[0].shape, steps: steps).overwrite(with: operands[0])
    return [result]
  }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), [tangents[0].map { bind1(self, $0) }])
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) -> [Tensor?] {
    [cotangents[0].map { bind1(Slice(start: start, counts: operands[0].type.shape, steps: steps), $0) }]
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) { (bind(Embed(shape: [size] + shape, start: [0] + start, steps: [1] + steps), operands), [true]) }
}

extension DenseArray {
  /// Writes another array's elements to this view's places in memory, which nothing else must share.
  func overwrite(with source: DenseArray) {
    adoptObjects(of: source)
    switch elementType.byteCount {
    case 8: overwrite(with: source, UInt64.self)
    case 4: overwrite(with: source, UInt32.self)
    default: overwrite(with: source, UInt8.self)
    }
  }
  private func overwrite<T: BitwiseCopyable>(with source: DenseArray, _ type: T.Type) {
    let target = pointer(T.self)
    let base = source.pointer(T.self)
    forEachRow(shape: shape, strides: [strides, source.strides]) { length, steps, places in
      let (to, from) = (target + places[0], base + places[1])
      if steps[0] == 1 && steps[1] == 1 {
        to.update(from: from, count: length)
      } else {
        for k in 0..<length { to[k &* steps[0]] = from[k &* steps[1]] }
      }
    }
  }
}

/// Joins arrays along an axis.
package struct Concatenate: Primitive {
  let axis: Int

  package var name: String { "concatenate" }
  package var attributes: String { "axis: \(axis)" }
  package var zeroPattern: ZeroPattern { .structural }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    var result = operands[0]
    guard result.shape.indices.contains(axis) else {
      throw TensorError(.range, name, "there is no axis \(axis) in the shape \(result.shape)")
    }
    for operand in operands.dropFirst() {
      var other = operand.shape
      if other.count == result.shape.count { other[axis] = operands[0].shape[axis] }
      guard other == operands[0].shape, operand.elementType == result.elementType else {
        throw TensorError(
          .shape, name,
          "\(operands[0]) and \(operand) do not fit together along axis \(axis): the other extents and "
            + "the element types must agree")
      }
      result.shape[axis] += operand.shape[axis]
    }
    return [result]
  }
  package func evaluate(_ operands: [DenseArray]) -> [DenseArray] {
    var shape = operands[0].shape
    shape[axis] = operands.reduce(0) { $0 + $1.shape[axis] }
    let result = DenseArray(uninitialized: operands[0].elementType, shape)
    var start = [Int](repeating: 0, count: shape.count)
    let ones = [Int](repeating: 1, count: shape.count)
    for operand in operands {
      result.strided(start: start, counts: operand.shape, steps: ones).overwrite(with: operand)
      start[axis] += operand.shape[axis]
    }
    return [result]
  }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), bind(self, zip(primals, tangents).map { $1 ?? Tensor.zeros($0.type) }))
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) -> [Tensor?] {
    guard let c = cotangents[0] else { return operands.map { _ in nil } }
    var start = [Int](repeating: 0, count: c.rank)
    let ones = [Int](repeating: 1, count: c.rank)
    return operands.map { operand in
      defer { start[axis] += operand.type.shape[axis] }
      return operand.isLinear ? bind1(Slice(start: start, counts: operand.type.shape, steps: ones), c) : nil
    }
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    (bind(Concatenate(axis: axis + 1), zip(operands, isBatched).map { $0.batched($1, size) }), [true])
  }
}
