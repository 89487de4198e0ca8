extension Tensor {
  /// `count` elements along an axis, from `start` on.
  public func slice(axis: Int, from start: Int, count: Int, step: Int = 1) -> Tensor {
    guard let place = self.axis(axis, "slice") else { return failed(self) }
    var starts = [Int](repeating: 0, count: rank)
    var counts = shape
    var steps = [Int](repeating: 1, count: rank)
    (starts[place], counts[place], steps[place]) = (start, count, step)
    return bind1(Slice(start: starts, counts: counts, steps: steps), self)
  }
  /// The elements along an axis in reverse order.
  public func reversed(axis: Int) -> Tensor {
    guard let place = self.axis(axis, "reversed") else { return failed(self) }
    return slice(axis: place, from: Swift.max(shape[place] - 1, 0), count: shape[place], step: -1)
  }

  /// Elements picked by a place, a range or all of each axis, as in `x[3]`, `x[0..<2, -1]`, `x[.all, 1]`. A place makes its axis
  /// disappear; axes not named are kept whole; places and bounds may count from the end.
  public subscript(_ picks: any TensorIndex...) -> Tensor {
    get {
      guard let (slice, shape) = resolve(picks) else { return failed(self) }
      return bind1(slice, self).reshaped(shape)
    }
    set {
      guard let (slice, _) = resolve(picks) else {
        self = failed(self)
        return
      }
      self = replacing(slice, with: newValue)
    }
  }

  private func resolve(_ picks: [any TensorIndex]) -> (Slice, [Int])? {
    if case .failed = representation { return nil }
    guard picks.count <= rank else {
      TensorError(.range, "subscript", "\(picks.count) indices for the shape \(shape)").record()
      return nil
    }
    var start: [Int] = []
    var counts: [Int] = []
    var kept: [Int] = []
    for (axis, extent) in shape.enumerated() {
      guard axis < picks.count else {
        start.append(0)
        counts.append(extent)
        kept.append(extent)
        continue
      }
      let pick = picks[axis].resolved(extent: extent)
      guard pick.start >= 0, pick.count >= 0, pick.start + pick.count <= extent else {
        TensorError(
          .range, "subscript", "\(picks[axis]) lies outside of axis \(axis) of the shape \(shape)"
        ).record()
        return nil
      }
      start.append(pick.start)
      counts.append(pick.count)
      if pick.keepsAxis { kept.append(pick.count) }
    }
    return (Slice(start: start, counts: counts, steps: [Int](repeating: 1, count: rank)), kept)
  }

  /// With a region replaced; the new value broadcasts to it.
  private func replacing(_ slice: Slice, with value: Tensor) -> Tensor {
    let dropped = slice.counts.enumerated().filter { $0.element != 1 || shape[$0.offset] == 1 }.map(\.element)
    let region = value.converted(to: elementType)
    let fitted: Tensor
    if region.count == slice.counts.elementCount
      && region.shape.filter({ $0 != 1 }) == slice.counts.filter({ $0 != 1 })
    {
      fitted = region.reshaped(slice.counts)
    } else if broadcastShape(region.shape, slice.counts) == slice.counts {
      fitted = region.broadcast(to: slice.counts)
    } else if broadcastShape(region.shape, dropped) == dropped {
      fitted = region.broadcast(to: dropped).reshaped(slice.counts)
    } else {
      return TensorError(
        .shape, "subscript", "a value of shape \(value.shape) does not fill a region of shape \(slice.counts)"
      ).report()
    }
    let ones = Tensor.ones(TensorType(.int32, slice.counts))
    let isInside = bind1(Embed(shape: shape, start: slice.start, steps: slice.steps), ones).converted(
      to: .bool)
    let placed = bind1(Embed(shape: shape, start: slice.start, steps: slice.steps), fitted)
    return bind1(Select(), isInside, placed, self)
  }

  /// Surrounded by a constant: `before[k]` elements before and `after[k]` after the present ones along axis `k`.
  public func padded(before: [Int], after: [Int], with value: Double = 0) -> Tensor {
    if case .failed = representation { return self }
    guard before.count == rank, after.count == rank, (before + after).allSatisfy({ $0 >= 0 }) else {
      return TensorError(
        .shape, "padded",
        "needs one count, not negative, for each axis of the shape \(shape); got \(before), \(after)"
      ).report()
    }
    let target = shape.indices.map { before[$0] + shape[$0] + after[$0] }
    let embed = Embed(shape: target, start: before, steps: [Int](repeating: 1, count: rank))
    let placed = bind1(embed, self)
    if value == 0 { return placed }
    let isInside = bind1(embed, Tensor.ones(TensorType(.int32, shape))).converted(to: .bool)
    return bind1(Select(), isInside, placed, like(value).converted(to: elementType).broadcast(to: target))
  }
}

/// Something that picks elements along one axis in a subscript: an `Int`, a range, or `.all`.
public protocol TensorIndex: Sendable {
  /// First place, number of places, and whether the axis is kept.
  func resolved(extent: Int) -> (start: Int, count: Int, keepsAxis: Bool)
}
extension Int: TensorIndex {
  /// One place; negative ones count from the end.
  public func resolved(extent: Int) -> (start: Int, count: Int, keepsAxis: Bool) {
    (self < 0 ? self + extent : self, 1, false)
  }
}
extension Range<Int>: TensorIndex {
  /// The places of the range; negative bounds count from the end.
  public func resolved(extent: Int) -> (start: Int, count: Int, keepsAxis: Bool) {
    let from = lowerBound < 0 ? lowerBound + extent : lowerBound
    let to = upperBound < 0 ? upperBound + extent : upperBound
    return (from, to - from, true)
  }
}
extension PartialRangeFrom<Int>: TensorIndex {
  /// The places from the bound to the end.
  public func resolved(extent: Int) -> (start: Int, count: Int, keepsAxis: Bool) {
    let from = lowerBound < 0 ? lowerBound + extent : lowerBound
    return (from, extent - from, true)
  }
}
extension PartialRangeUpTo<Int>: TensorIndex {
  /// The places before the bound.
  public func resolved(extent: Int) -> (start: Int, count: Int, keepsAxis: Bool) {
    (0, upperBound < 0 ? upperBound + extent : upperBound, true)
  }
}
/// All places of an axis.
public struct AllIndices: TensorIndex {
  /// First place, number of places, and that the axis is kept.
  public func resolved(extent: Int) -> (start: Int, count: Int, keepsAxis: Bool) { (0, extent, true) }
}
extension TensorIndex where Self == AllIndices {
  /// All places of an axis.
  public static var all: AllIndices { AllIndices() }
}

/// Joins tensors along an existing axis.
public func concatenate(_ tensors: [Tensor], axis: Int = 0) -> Tensor {
  guard let first = tensors.first else {
    return TensorError(.argument, "concatenate", "needs at least one tensor").report()
  }
  guard let place = first.axis(axis, "concatenate") else { return failed(first) }
  let type = tensors.map(\.elementType).max()!
  return bind(Concatenate(axis: place), tensors.map { $0.converted(to: type) })[0]
}
/// Joins tensors of one shape along a new axis.
public func stack(_ tensors: [Tensor], axis: Int = 0) -> Tensor {
  guard let first = tensors.first else {
    return TensorError(.argument, "stack", "needs at least one tensor").report()
  }
  for tensor in tensors {
    if case .failed = tensor.representation { return tensor }
    guard tensor.shape == first.shape else {
      return TensorError(.shape, "stack", "the shapes \(first.shape) and \(tensor.shape) differ").report()
    }
  }
  return concatenate(tensors.map { $0.expandingAxis(axis) }, axis: axis)
}
extension Tensor {
  /// Cut along an axis into parts of these sizes, which must add up to its extent.
  public func split(sizes: [Int], axis: Int = 0) -> [Tensor] {
    guard let place = self.axis(axis, "split") else { return sizes.map { _ in failed(self) } }
    guard sizes.reduce(0, +) == shape[place] else {
      let result = TensorError(
        .shape, "split", "parts of sizes \(sizes) do not make up axis \(axis) of the shape \(shape)"
      ).report()
      return sizes.map { _ in result }
    }
    var start = 0
    return sizes.map { size in
      defer { start += size }
      return slice(axis: place, from: start, count: size)
    }
  }
  /// The parts along an axis, which disappears.
  public func unstacked(axis: Int = 0) -> [Tensor] {
    guard let place = self.axis(axis, "unstacked") else { return [] }
    return (0..<shape[place]).map { slice(axis: place, from: $0, count: 1).squeezed(place) }
  }
}
