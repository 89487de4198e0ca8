extension Tensor {
  /// Elements moved along an axis, those that leave at one end coming in at the other.
  public func rolled(by places: Int, axis: Int) -> Tensor {
    guard let place = self.axis(axis, "rolled") else { return failed(self) }
    let extent = shape[place]
    guard extent > 0 else { return self }
    let shift = ((places % extent) + extent) % extent
    if shift == 0 { return self }
    return concatenate(
      [
        slice(axis: place, from: extent - shift, count: shift),
        slice(axis: place, from: 0, count: extent - shift),
      ], axis: place)
  }
  /// The whole tensor side by side with itself, `counts[k]` times along axis `k`; counts for fewer axes are for the last ones.
  public func tiled(_ counts: [Int]) -> Tensor {
    if case .failed = representation { return self }
    guard counts.allSatisfy({ $0 >= 0 }) else {
      return TensorError(.argument, "tiled", "the counts \(counts) must not be negative").report()
    }
    let full = Swift.max(rank, counts.count)
    let extents = [Int](repeating: 1, count: full - rank) + shape
    let times = [Int](repeating: 1, count: full - counts.count) + counts
    // A new axis before each.
    let paired = reshaped(extents.flatMap { [1, $0] })
    return paired.broadcast(to: zip(times, extents).flatMap { [$0, $1] }).reshaped(
      zip(times, extents).map { $0 * $1 })
  }
  /// Each entry along an axis several times in a row.
  public func repeated(_ count: Int, axis: Int) -> Tensor {
    guard let place = self.axis(axis, "repeated") else { return failed(self) }
    guard count >= 0 else {
      return TensorError(.argument, "repeated", "the count \(count) must not be negative").report()
    }
    var (wide, result) = (shape, shape)
    wide.insert(count, at: place + 1)
    result[place] *= count
    return expandingAxis(place + 1).broadcast(to: wide).reshaped(result)
  }
  /// Two axes exchanged.
  public func swappingAxes(_ first: Int, _ second: Int) -> Tensor {
    guard let a = axis(first, "swappingAxes"), let b = axis(second, "swappingAxes") else {
      return failed(self)
    }
    var order = Array(0..<rank)
    order.swapAt(a, b)
    return transposed(order)
  }
  /// The sum of the main diagonal of the last two axes.
  public var trace: Tensor { diagonal.sum(axis: -1) }
}

/// The coordinates of a grid: for each vector an array over all of them, in which it varies along its own axis.
public func meshGrid(_ axes: [Tensor]) -> [Tensor] {
  let shape = axes.map(\.count)
  return axes.enumerated().map { place, values in
    guard values.rank == 1 else {
      return TensorError(.shape, "meshGrid", "needs vectors; one has the shape \(values.shape)")
        .report()
    }
    return values.broadcast(to: shape, axes: [place])
  }
}

/// The Kronecker product of matrices: the products of all elements of the first with the whole of the second; leading axes are stacks
/// that broadcast.
public func kroneckerProduct(_ a: Tensor, _ b: Tensor) -> Tensor {
  guard a.rank >= 2, b.rank >= 2 else {
    return TensorError(
      .shape, "kroneckerProduct", "needs matrices; the shapes are \(a.shape) and \(b.shape)"
    ).report()
  }
  let (m, n, p, q) = (
    a.shape[a.rank - 2], a.shape[a.rank - 1], b.shape[b.rank - 2], b.shape[b.rank - 1]
  )
  let blocks =
    a.reshaped(a.shape.dropLast(2) + [m, 1, n, 1]) * b.reshaped(b.shape.dropLast(2) + [1, p, 1, q])
  return blocks.reshaped(blocks.shape.dropLast(4) + [m * p, n * q])
}
