/// Repeats an array along new axes, and along axes of extent one: axis `k` of the operand becomes axis `axes[k]`.
package struct Broadcast: Primitive {
  let shape: [Int]
  let axes: [Int]

  package var name: String { "broadcast" }
  package var attributes: String { "to: \(shape), axes: \(axes)" }
  package var zeroPattern: ZeroPattern { .structural }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let from = operands[0].shape
    let fits =
      axes.count == from.count && zip(axes, axes.dropFirst()).allSatisfy({ $0 < $1 })
      && zip(axes, from).allSatisfy { shape.indices.contains($0) && ($1 == 1 || $1 == shape[$0]) }
    guard fits else {
      throw TensorError(.shape, name, "the shape \(from) does not broadcast to \(shape)")
    }
    return [TensorType(operands[0].elementType, shape)]
  }
  package func evaluate(_ operands: [DenseArray]) -> [DenseArray] {
    [operands[0].broadcast(to: shape, axes: axes)]
  }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), [tangents[0].map { bind1(self, $0) }])
  }
  /// The sum over what was repeated.
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) -> [Tensor?] {
    guard let c = cotangents[0] else { return [nil] }
    let from = operands[0].type.shape
    var repeated = [Bool](repeating: true, count: shape.count)
    for (axis, target) in axes.enumerated() where from[axis] == shape[target] { repeated[target] = false }
    let summed = c.sum(axes: shape.indices.filter { repeated[$0] })
    return [summed.reshaped(from)]
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    (bind(Broadcast(shape: [size] + shape, axes: [0] + axes.map { $0 + 1 }), operands), [true])
  }
}

/// The same numbers, in row-major order, under another shape.
package struct Reshape: Primitive {
  let shape: [Int]

  package var name: String { "reshape" }
  package var attributes: String { "to: \(shape)" }
  package var zeroPattern: ZeroPattern { .structural }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    guard shape.allSatisfy({ $0 >= 0 }), operands[0].count == shape.elementCount else {
      throw TensorError(
        .shape, name,
        "\(operands[0].count) elements of shape \(operands[0].shape) do not fill the shape \(shape)")
    }
    return [TensorType(operands[0].elementType, shape)]
  }
  package func evaluate(_ operands: [DenseArray]) -> [DenseArray] { [operands[0].reshaped(shape)] }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), [tangents[0].map { bind1(self, $0) }])
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) -> [Tensor?] {
    [cotangents[0].map { $0.reshaped(operands[0].type.shape) }]
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) { ([operands[0].reshaped([size] + shape)], [true]) }
}

/// Reorders axes: axis `k` of the result is axis `order[k]` of the operand.
package struct Transpose: Primitive {
  let order: [Int]

  package var name: String { "transpose" }
  package var attributes: String { "axes: \(order)" }
  package var zeroPattern: ZeroPattern { .structural }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    guard order.sorted() == Array(0..<operands[0].shape.count) else {
      throw TensorError(
        .range, name, "\(order) is not a permutation of the axes of the shape \(operands[0].shape)")
    }
    return [TensorType(operands[0].elementType, order.map { operands[0].shape[$0] })]
  }
  package func evaluate(_ operands: [DenseArray]) -> [DenseArray] { [operands[0].transposed(order)] }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), [tangents[0].map { bind1(self, $0) }])
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) -> [Tensor?] {
    var inverse = order
    for (k, axis) in order.enumerated() { inverse[axis] = k }
    return [cotangents[0].map { bind1(Transpose(order: inverse), $0) }]
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) { (bind(Transpose(order: [0] + order.map { $0 + 1 }), operands), [true]) }
}
