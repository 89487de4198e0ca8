extension DenseArray {
  /// A view with other shape and strides.
  func view(_ shape: [Int], strides: [Int], offset: Int? = nil) -> DenseArray {
    DenseArray(elementType, shape, strides: strides, offset: offset ?? self.offset, buffer: buffer)
  }

  /// The view in which axis `k` of the array is axis `axes[k]` of `shape`, and all else repeats.
  package func broadcast(to shape: [Int], axes: [Int]) -> DenseArray {
    var steps = [Int](repeating: 0, count: shape.count)
    for (axis, target) in axes.enumerated() where self.shape[axis] == shape[target] && shape[target] != 1 {
      steps[target] = strides[axis]
    }
    return view(shape, strides: steps)
  }

  /// The view whose axis `k` is this one's axis `order[k]`.
  package func transposed(_ order: [Int]) -> DenseArray {
    view(order.map { shape[$0] }, strides: order.map { strides[$0] })
  }

  /// The same numbers, in row-major order, under another shape. A view where that is possible.
  package func reshaped(_ shape: [Int]) -> DenseArray {
    if shape == self.shape { return self }
    if let strides = strides(reshapedTo: shape) { return view(shape, strides: strides) }
    let source = contiguous()
    return source.view(shape, strides: shape.rowMajorStrides)
  }

  /// Strides with which this memory reads as another shape, if there are such.
  private func strides(reshapedTo target: [Int]) -> [Int]? {
    if count == 0 { return target.rowMajorStrides }
    let from = shape.indices.filter { shape[$0] != 1 }
    var result = [Int](repeating: 0, count: target.count)
    var i = from.count - 1
    var k = target.count - 1
    // From the last axis backwards, match groups of axes with equal numbers of elements.
    while k >= 0 {
      if target[k] == 1 {
        k -= 1
        continue
      }
      guard i >= 0 else { return nil }
      var have = shape[from[i]]
      let step = strides[from[i]]
      var want = target[k]
      result[k] = step
      while have != want {
        if have < want {
          guard i > 0, strides[from[i - 1]] == strides[from[i]] * shape[from[i]] else { return nil }
          i -= 1
          have *= shape[from[i]]
        } else {
          guard k > 0 else { return nil }
          let inner = want
          k -= 1
          want *= target[k]
          result[k] = step * inner
        }
      }
      i -= 1
      k -= 1
    }
    return result
  }

  /// Every `step`-th element from `start` on, `counts` of them, along each axis. Negative steps run backwards.
  package func strided(start: [Int], counts: [Int], steps: [Int]) -> DenseArray {
    var place = offset
    for axis in start.indices where counts[axis] > 0 { place += start[axis] * strides[axis] }
    return view(counts, strides: zip(strides, steps).map { $0 * $1 }, offset: place)
  }
}
