extension Tensor {
  /// A scalar of this tensor's type, or of `float64` if it holds integers and the number is not one; what a Swift
  /// literal in an expression becomes.
  func like(_ value: Double) -> Tensor {
    let isInteger = value == value.rounded() && abs(value) < 2_147_483_648
    let type: ElementType =
      elementType.isFloatingPoint || (elementType == .int32 && isInteger) ? elementType : .float64
    return Tensor(DenseArray(filling: value, TensorType(type, [])))
  }

  /// The tensor repeated to a shape that it broadcasts to by NumPy's rules.
  public func broadcast(to shape: [Int]) -> Tensor {
    if shape == self.shape { return self }
    if case .failed = representation { return self }
    let missing = shape.count - rank
    guard missing >= 0 else {
      return TensorError(.shape, "broadcast", "the shape \(self.shape) does not broadcast to \(shape)")
        .report()
    }
    return broadcast(to: shape, axes: self.shape.indices.map { $0 + missing })
  }
  func broadcast(to shape: [Int], axes: [Int]) -> Tensor {
    if shape == self.shape { return self }
    return bind1(Broadcast(shape: shape, axes: axes), self)
  }
  /// With the batch as axis 0, repeated if the tensor is the same for all.
  package func batched(_ isBatched: Bool, _ size: Int) -> Tensor {
    isBatched ? self : broadcast(to: [size] + shape, axes: shape.indices.map { $0 + 1 })
  }

  /// The same elements, in row-major order, under another shape. One extent may be -1: it is what remains.
  public func reshaped(_ shape: [Int]) -> Tensor {
    if shape == self.shape { return self }
    if case .failed = representation { return self }
    var target = shape
    if let free = shape.firstIndex(of: -1) {
      target[free] = 1
      let rest = target.elementCount
      target[free] = rest > 0 ? count / rest : -1
    }
    return bind1(Reshape(shape: target), self)
  }
  /// One axis with all elements.
  public var flattened: Tensor { reshaped([count]) }

  /// The tensor whose axis `k` is this one's axis `order[k]`. Axes may count from the end (-1 is the last).
  public func transposed(_ order: [Int]) -> Tensor {
    let order = order.map { $0 < 0 ? $0 + rank : $0 }
    if order == Array(0..<rank) { return self }
    if case .failed = representation { return self }
    return bind1(Transpose(order: order), self)
  }
  /// All axes in reverse order; for a matrix the transpose.
  public var transposed: Tensor { transposed(shape.indices.reversed()) }
  /// The last two axes exchanged: the transpose of each matrix of a stack.
  public var matrixTransposed: Tensor {
    guard rank >= 2 else {
      if case .failed = representation { return self }
      return TensorError(.shape, "matrixTransposed", "needs at least two axes; the shape is \(shape)")
        .report()
    }
    return transposed(Array(0..<rank - 2) + [rank - 1, rank - 2])
  }
  /// One axis moved to another place.
  public func movingAxis(_ source: Int, to destination: Int) -> Tensor {
    guard let from = axis(source, "movingAxis"), let to = axis(destination, "movingAxis") else {
      return failed(self)
    }
    var order = Array(0..<rank)
    order.remove(at: from)
    order.insert(from, at: to)
    return transposed(order)
  }
  /// A new axis of extent one.
  public func expandingAxis(_ place: Int) -> Tensor {
    let at = place < 0 ? place + rank + 1 : place
    guard (0...rank).contains(at) else {
      return TensorError(.range, "expandingAxis", "there is no place \(place) among \(rank) axes").report()
    }
    var shape = shape
    shape.insert(1, at: at)
    return reshaped(shape)
  }
  /// Without an axis of extent one; all of these if none is named.
  public func squeezed(_ place: Int? = nil) -> Tensor {
    guard let place else { return reshaped(shape.filter { $0 != 1 }) }
    guard let at = axis(place, "squeezed") else { return failed(self) }
    guard shape[at] == 1 else {
      return TensorError(.shape, "squeezed", "axis \(place) of the shape \(shape) has extent \(shape[at])")
        .report()
    }
    var shape = shape
    shape.remove(at: at)
    return reshaped(shape)
  }

  /// An axis counted from the front; nil after a mistake.
  func axis(_ axis: Int, _ operation: String) -> Int? {
    if case .failed = representation { return nil }
    let place = axis < 0 ? axis + rank : axis
    if shape.indices.contains(place) { return place }
    TensorError(.range, operation, "there is no axis \(axis) in the shape \(shape)").record()
    return nil
  }
  func axes(_ axes: [Int], _ operation: String) -> [Int]? {
    var result: [Int] = []
    for axis in axes {
      guard let place = self.axis(axis, operation) else { return nil }
      result.append(place)
    }
    return result
  }
}
