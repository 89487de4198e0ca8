/// Sums of an axis' elements up to each place, or from each place on.
package struct CumulativeSum: Primitive {
  let axis: Int
  let isReverse: Bool

  package var name: String { "cumulativeSum" }
  package var attributes: String { "axis: \(axis)" + (isReverse ? ", reverse" : "") }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    guard operands[0].shape.indices.contains(axis), operands[0].elementType != .bool else {
      throw TensorError(.range, name, "there is no axis \(axis) of numbers in \(operands[0])")
    }
    return operands
  }
  package func evaluate(_ operands: [DenseArray]) -> [DenseArray] {
    let source = operands[0].contiguous()
    let result = DenseArray(uninitialized: source.type)
    switch source.elementType {
    case .float64: accumulate(source, result, Double.self)
    case .float32: accumulate(source, result, Float.self)
    case .int32: accumulate(source, result, Int32.self)
    case .bool: preconditionFailure("the result type of \(name) excludes bool")
    }
    return [result]
  }
  private func accumulate<T: Numeric & BitwiseCopyable>(_ x: DenseArray, _ y: DenseArray, _ type: T.Type) {
    let extent = x.shape[axis]
    let inner = x.shape.dropFirst(axis + 1).reduce(1, *)
    let outer = x.shape.prefix(axis).reduce(1, *)
    let (from, to) = (x.pointer(T.self), y.pointer(T.self))
    for block in 0..<outer {
      for k in 0..<extent {
        let place = (block &* extent &+ (isReverse ? extent &- 1 &- k : k)) &* inner
        let previous = place &+ (isReverse ? inner : 0 &- inner)
        for j in 0..<inner {
          to[place &+ j] = k == 0 ? from[place &+ j] : from[place &+ j] + to[previous &+ j]
        }
      }
    }
  }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) -> (results: [Tensor], tangents: [Tensor?]) {
    (bind(self, primals), [tangents[0].map { bind1(self, $0) }])
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) -> [Tensor?] {
    [cotangents[0].map { bind1(CumulativeSum(axis: axis, isReverse: !isReverse), $0) }]
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) { (bind(CumulativeSum(axis: axis + 1, isReverse: isReverse), operands), [true]) }
}
