import Lanes

/// Chooses between two arrays element by element: `mask ? a : b`. Linear in both branches.
package struct Select: Primitive {
  package var name: String { "select" }
  package var internalCode: Int? { 120 }
  package var zeroPattern: ZeroPattern { .selection }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    guard operands[0] == TensorType(.bool, operands[1].shape), operands[1] == operands[2] else {
      throw TensorError(
        .shape, name,
        "mask, first and second branch of types \(operands[0]), \(operands[1]) and \(operands[2]) "
          + "do not fit together")
    }
    return [operands[1]]
  }

  package func evaluate(_ operands: [DenseArray]) -> [DenseArray] {
    let mask = operands[0]
    if mask.isUniform && mask.count > 0 { return [mask.read(at: 0) != 0 ? operands[1] : operands[2]] }
    let result = DenseArray(uninitialized: operands[1].type)
    result.adoptObjects(of: operands[1])
    result.adoptObjects(of: operands[2])
    let condition = mask.contiguous()
    switch result.elementType.byteCount {
    case 8: choose(condition, operands[1], operands[2], result, UInt64.self)
    case 4: choose(condition, operands[1], operands[2], result, UInt32.self)
    default: choose(condition, operands[1], operands[2], result, UInt8.self)
    }
    return [result]
  }
  private func choose<T: BitwiseCopyable>(
    _ mask: DenseArray, _ a: DenseArray, _ b: DenseArray, _ result: DenseArray, _ type: T.Type
  ) {
    let condition = mask.pointer(Bool.self)
    let out = result.pointer(T.self)
    forEachPair(a, b) { x, y, place, length in
      let (p, q) = (x.0.assumingMemoryBound(to: T.self), y.0.assumingMemoryBound(to: T.self))
      for k in 0..<length { out[place &+ k] = condition[place &+ k] ? p[k &* x.1] : q[k &* y.1] }
    }
  }

  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    let result = bind(self, primals)
    if tangents[1] == nil && tangents[2] == nil { return (result, [nil]) }
    let zero = Tensor.zeros(primals[1].type)
    return (result, bind(self, [primals[0], tangents[1] ?? zero, tangents[2] ?? zero]))
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard let c = cotangents[0] else { return [nil, nil, nil] }
    let mask = try coefficients(operands.prefix(1), "the mask")[0]
    let zero = Tensor.zeros(c.type)
    return [
      nil,
      operands[1].isLinear ? bind1(self, mask, c, zero) : nil,
      operands[2].isLinear ? bind1(self, mask, zero, c) : nil,
    ]
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    (bind(self, zip(operands, isBatched).map { $0.batched($1, size) }), [true])
  }
}

/// Chooses element by element: `a` where the mask is true, `b` elsewhere. All three broadcast.
///
/// Both branches are computed; values and derivatives of the branch that is not taken have no influence, even where
/// they are infinite or NaN.
public func select(_ mask: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
  let condition = mask.converted(to: .bool)
  if a.elementType == .bool && b.elementType == .bool && a.shape == b.shape && a.shape == mask.shape {
    return bind1(Select(), condition, a, b)
  }
  guard let (x, y) = unified("select", a, b) else { return failed(a, b) }
  guard let shape = broadcastShape(condition.shape, x.shape) else {
    return TensorError(
      .shape, "select",
      "a mask of shape \(mask.shape) does not broadcast against branches of shapes \(a.shape) and "
        + "\(b.shape)"
    ).report()
  }
  return bind1(Select(), condition.broadcast(to: shape), x.broadcast(to: shape), y.broadcast(to: shape))
}
/// Chooses element by element: `a` where the mask is true, the number `b` elsewhere.
public func select(_ mask: Tensor, _ a: Tensor, _ b: Double) -> Tensor { select(mask, a, a.like(b)) }
/// Chooses element by element: the number `a` where the mask is true, `b` elsewhere.
public func select(_ mask: Tensor, _ a: Double, _ b: Tensor) -> Tensor { select(mask, b.like(a), b) }
