/// Element-by-element operations on arrays of one shape, done in one pass over memory.
struct FusedGroup: Sendable {
  var code: RegisterProgram
  /// Arrays that the group reads.
  var inputs: [Int32]
  /// Values that are needed outside of the group, and their types.
  var outputs: [Int32]
  var types: [TensorType]
  var count: Int
  /// True if the group computes in float32.
  var isSingle: Bool

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

  func run(_ values: inout [DenseArray?]) {
    // A uniform array is one number for all lanes.
    let arrays = inputs.map { id -> (DenseArray, Int) in
      let value = values[Int(id)]!
      return value.isUniform ? (value, 0) : (value.contiguous(), 1)
    }
    let results = types.map { DenseArray(uninitialized: $0) }
    let sources = arrays.map { $0.0.laneArray(stride: $0.1) }
    let targets = results.map { $0.laneArray(stride: 1) }
    withExtendedLifetime((arrays, results)) {
      code.runBatch(count: count, inputs: sources, outputs: targets, isSingle: isSingle)
    }
    for (id, value) in zip(outputs, results) { values[Int(id)] = value }
  }
}

extension DenseArray {
  func laneArray(stride: Int) -> LaneArray {
    LaneArray(
      base: buffer.base + offset * elementType.byteCount, laneStride: stride, isBool: elementType == .bool)
  }
}
