/// Conversion of element types. Linear between floating-point types.
package struct Convert: Primitive {
  let target: ElementType

  package var name: String { "convert" }
  package var attributes: String { "to: \(target)" }
  package var internalCode: Int? { 124 + Int(target.rawValue) }
  package var zeroPattern: ZeroPattern { .elementwise }

  package func resultTypes(_ operands: [TensorType]) -> [TensorType] {
    [TensorType(target, operands[0].shape)]
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    [try operands[0].converted(to: target)]
  }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), target.isFloatingPoint ? tangents.map { $0.map { bind1(self, $0) } } : [nil])
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard target.isFloatingPoint, operands[0].type.elementType.isFloatingPoint else {
      throw TensorError(
        .unsupportedDerivative, name,
        "from \(operands[0].type.elementType) to \(target) is not linear, so that it has no transpose")
    }
    return [cotangents[0].map { bind1(Convert(target: operands[0].type.elementType), $0) }]
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) { (bind(self, operands), isBatched) }
}

extension DenseArray {
  /// The numbers in another type. Truth is one; numbers other than zero are true; integers are rounded towards zero.
  package func converted(to target: ElementType) throws(TensorError) -> DenseArray {
    if target == elementType { return self }
    if isUniform && count > 1 {
      return try view([], strides: []).converted(to: target).broadcast(to: shape, axes: [])
    }
    let source = contiguous()
    let result = DenseArray(uninitialized: target, shape)
    switch (elementType, target) {
    case (.float64, .float32): fill(result, source, Double.self) { Float($0) }
    case (.float64, .bool): fill(result, source, Double.self) { $0 != 0 }
    case (.float32, .float64): fill(result, source, Float.self) { Double($0) }
    case (.float32, .bool): fill(result, source, Float.self) { $0 != 0 }
    case (.int32, .float64): fill(result, source, Int32.self) { Double($0) }
    case (.int32, .float32): fill(result, source, Int32.self) { Float($0) }
    case (.int32, .bool): fill(result, source, Int32.self) { $0 != 0 }
    case (.bool, .float64): fill(result, source, Bool.self) { $0 ? 1.0 : 0.0 }
    case (.bool, .float32): fill(result, source, Bool.self) { $0 ? Float(1) : Float(0) }
    case (.bool, .int32): fill(result, source, Bool.self) { $0 ? Int32(1) : Int32(0) }
    case (_, .int32):
      for k in 0..<count {
        let value = source.read(at: k)
        guard let integer = Int32(exactly: value.rounded(.towardZero)) else {
          throw TensorError(.range, "convert", "\(value) is not an int32; element \(k) of shape \(shape)")
        }
        result.pointer(Int32.self)[k] = integer
      }
    default: preconditionFailure("conversion of \(elementType) to itself")
    }
    return result
  }
  private func fill<S, T>(_ result: DenseArray, _ source: DenseArray, _ type: S.Type, _ body: (S) -> T) {
    let (x, y) = (source.pointer(S.self), result.pointer(T.self))
    for k in 0..<count { y[k] = body(x[k]) }
  }
}

extension Tensor {
  /// The same numbers in another element type. Integers are rounded towards zero; numbers other than zero are true.
  /// A number that is not an `int32` (NaN, infinite, too large) is a mistake.
  public func converted(to type: ElementType) -> Tensor {
    if type == elementType { return self }
    if case .failed = representation { return self }
    return bind1(Convert(target: type), self)
  }
}
