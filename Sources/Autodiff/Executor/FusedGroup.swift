/// Element-by-element operations on arrays of one shape, done in one pass over memory.
struct FusedGroup: Sendable {
  var code: RegisterProgram
  /// Arrays that the group reads.
  var inputs: [Int32]
  /// Values that are needed outside of the group, and their types.
  var outputs: [Int32]
  var types: [TensorType]
  /// For each output an input of its type that nothing else needs any more: its memory may take the result.
  var replaced: [Int32?]
  var count: Int

  /// Results of at least so many bytes go past the caches: whoever reads them would not find them there.
  private static let streamedSize = 8 << 20

  /// The arithmetic that an operation on operands of these types is part of; nil if it cannot be in a group.
  static func arithmetic(_ primitive: any Primitive, _ operands: [TensorType], _ result: TensorType)
    -> ElementType?
  {
    guard result.count > 1 else { return nil }
    var arithmetic = ElementType.bool
    for type in operands + [result] where type.elementType != .bool {
      guard type.elementType != .int32, arithmetic == .bool || arithmetic == type.elementType else {
        return nil
      }
      arithmetic = type.elementType
    }
    if primitive is Comparison && operands[0].elementType == .bool { return nil }
    let isElementwise =
      primitive is Unary || primitive is Binary || primitive is Comparison || primitive is Logical
      || primitive is Select || primitive is Convert
    return isElementwise ? (arithmetic == .bool ? .float64 : arithmetic) : nil
  }

  /// Chooses which of the values that nothing needs after the group make room for its results.
  mutating func replace(_ released: [Int32], _ program: Program) {
    var free = inputs.filter { released.contains($0) }
    for k in outputs.indices {
      guard let place = free.firstIndex(where: { program.types[Int($0)] == types[k] }) else { continue }
      replaced[k] = free.remove(at: place)
    }
  }

  func run(_ values: inout [DenseArray?]) {
    // A uniform array is one number for all lanes.
    let results = zip(types, replaced).map { type, input in
      input.flatMap { values[Int($0)]!.reused(as: type) } ?? DenseArray(uninitialized: type)
    }
    let arrays = inputs.map { id -> (DenseArray, Int) in
      let value = values[Int(id)]!
      return value.isUniform ? (value, 0) : (value.contiguous(), 1)
    }
    let sources = arrays.map { $0.0.laneArray(stride: $0.1) }
    let targets = zip(results, replaced).map { result, input in
      var target = result.laneArray(stride: 1)
      let isInPlace = input.map { values[Int($0)]!.buffer === result.buffer } ?? false
      target.isStreamed = !isInPlace && result.buffer.byteCount >= Self.streamedSize
      return target
    }
    withExtendedLifetime((arrays, results)) {
      code.runBatch(count: count, inputs: sources, outputs: targets)
    }
    for (id, value) in zip(outputs, results) { values[Int(id)] = value }
  }
}

extension DenseArray {
  /// The same memory for other numbers, if this array is all that uses it.
  fileprivate mutating func reused(as type: TensorType) -> DenseArray? {
    guard self.type == type, isContiguous, buffer.byteCount == count * elementType.byteCount,
      buffer.objects == nil, isKnownUniquelyReferenced(&buffer)
    else { return nil }
    return self
  }
  func laneArray(stride: Int) -> LaneArray {
    LaneArray(
      base: buffer.base + offset * elementType.byteCount, laneStride: stride, isBool: elementType == .bool)
  }
}
