extension Tensor {
  /// The entries along an axis with these numbers (`int32`), which may repeat. The axis is replaced by the axes of the indices.
  /// An index outside of the axis is a mistake.
  public func taking(_ indices: Tensor, axis: Int = 0) -> Tensor {
    guard let place = self.axis(axis, "taking") else { return failed(self) }
    let gathered = bind1(Gather(isBatched: false), movingAxis(place, to: 0), indices)
    if place == 0 { return gathered }
    // The axes of the indices stand first; they belong where the axis was.
    let count = indices.rank
    let order =
      (count..<count + place).map { $0 } + Array(0..<count)
      + Array((count + place)..<Swift.max(gathered.rank, count + place))
    return gathered.transposed(order)
  }
  /// For each place of `indices` (`int32`, of the same shape but along the axis) the entry along the axis with that number.
  public func takingAlong(_ indices: Tensor, axis: Int) -> Tensor {
    guard let place = self.axis(axis, "takingAlong") else { return failed(self, indices) }
    let x = movingAxis(place, to: -1)
    guard indices.rank == rank else {
      return TensorError(
        .shape, "takingAlong", "indices of shape \(indices.shape) do not belong to the shape \(shape)"
      ).report()
    }
    let picks = indices.movingAxis(place, to: -1)
    guard x.shape.dropLast() == picks.shape.dropLast() else {
      return TensorError(
        .shape, "takingAlong", "indices of shape \(indices.shape) do not belong to the shape \(shape)"
      ).report()
    }
    let lead = x.shape.dropLast().reduce(1, *)
    let gathered = bind1(
      Gather(isBatched: true), x.reshaped([lead, x.shape.last!]), picks.reshaped([lead, picks.shape.last!]))
    return gathered.reshaped(picks.shape).movingAxis(-1, to: place)
  }
  /// With rows added at the places along axis 0 that the indices (`int32`) name. Repeated indices add up.
  public func addingRows(_ rows: Tensor, at indices: Tensor) -> Tensor {
    guard rank > 0 else { return TensorError(.shape, "addingRows", "a scalar has no rows").report() }
    let filled = rows.converted(to: elementType).broadcast(to: indices.shape + shape.dropFirst())
    return self + bind1(ScatterAdd(count: shape[0], isBatched: false), indices, filled)
  }
  /// Ones at the places that the indices (`int32`) name along a new last axis, zeros elsewhere.
  public func oneHot(_ count: Int, type: ElementType = .float64) -> Tensor {
    (expandingAxis(-1) .== Tensor.indices(count)).converted(to: type)
  }

  /// The order that sorts an axis: ascending, equal elements as they stand, NaN last. `int32`.
  public func argumentSorted(axis: Int = -1) -> Tensor { ordered(.argumentSort, axis) }
  /// The elements of an axis in ascending order, NaN last.
  public func sorted(axis: Int = -1) -> Tensor { takingAlong(argumentSorted(axis: axis), axis: axis) }
  /// The first place of the largest element of an axis, which disappears. `int32`.
  public func argumentMaximum(axis: Int = -1) -> Tensor { ordered(.argumentMaximum, axis) }
  /// The first place of the smallest element of an axis, which disappears. `int32`.
  public func argumentMinimum(axis: Int = -1) -> Tensor { ordered(.argumentMinimum, axis) }
  private func ordered(_ kind: Ordering, _ axis: Int) -> Tensor {
    guard let place = self.axis(axis, kind.name) else { return failed(self) }
    let result = bind1(kind, movingAxis(place, to: -1))
    return kind == .argumentSort ? result.movingAxis(-1, to: place) : result
  }

  /// The sums of an axis' elements up to and including each place.
  public func cumulativeSum(axis: Int = -1, reverse: Bool = false) -> Tensor {
    guard let place = self.axis(axis, "cumulativeSum") else { return failed(self) }
    return bind1(
      CumulativeSum(axis: place, isReverse: reverse), elementType == .bool ? converted(to: .int32) : self)
  }
  /// The products of an axis' elements up to and including each place, by doubling spans: derivatives are exact where
  /// elements are zero.
  public func cumulativeProduct(axis: Int = -1) -> Tensor {
    guard let place = self.axis(axis, "cumulativeProduct") else { return failed(self) }
    var x = self
    var span = 1
    while span < shape[place] {
      let head = x.slice(axis: place, from: 0, count: span)
      let rest = x.slice(axis: place, from: span, count: shape[place] - span)
      let before = x.slice(axis: place, from: 0, count: shape[place] - span)
      x = concatenate([head, rest * before], axis: place)
      span *= 2
    }
    return x
  }
  /// The differences of neighbours along an axis.
  public func differences(axis: Int = -1) -> Tensor {
    guard let place = self.axis(axis, "differences") else { return failed(self) }
    let count = Swift.max(shape[place] - 1, 0)
    return slice(axis: place, from: Swift.min(1, shape[place]), count: count)
      - slice(axis: place, from: 0, count: count)
  }

  /// The main diagonal of the last two axes.
  public var diagonal: Tensor {
    guard rank >= 2 else {
      return TensorError(.shape, "diagonal", "needs two axes; the shape is \(shape)").report()
    }
    let (rows, columns) = (shape[rank - 2], shape[rank - 1])
    let count = Swift.min(rows, columns)
    let flat = reshaped(Array(shape.dropLast(2)) + [rows * columns])
    return flat.slice(axis: -1, from: 0, count: count, step: columns + 1)
  }
  /// The matrix with these elements (of the last axis) on its diagonal.
  public var asDiagonal: Tensor {
    guard rank >= 1 else {
      return TensorError(.shape, "asDiagonal", "needs an axis; the tensor is a scalar").report()
    }
    let n = shape[rank - 1]
    if n == 0 { return reshaped(shape + [0]) }
    let lead = Array(shape.dropLast())
    let zeros = lead.map { _ in 0 }
    let embed = Embed(shape: lead + [n * n], start: zeros + [0], steps: lead.map { _ in 1 } + [n + 1])
    return bind1(embed, self).reshaped(lead + [n, n])
  }
  /// The lower triangle of the last two axes, zeros above; `offset` moves the border up.
  public func lowerTriangle(offset: Int = 0) -> Tensor { triangle(offset, keepsLower: true) }
  /// The upper triangle of the last two axes, zeros below; `offset` moves the border up.
  public func upperTriangle(offset: Int = 0) -> Tensor { triangle(offset, keepsLower: false) }
  private func triangle(_ offset: Int, keepsLower: Bool) -> Tensor {
    guard rank >= 2 else {
      return TensorError(.shape, "triangle", "needs two axes; the shape is \(shape)").report()
    }
    let (rows, columns) = (shape[rank - 2], shape[rank - 1])
    let mask = (0..<rows * columns).map { k in
      let above = k % columns - k / columns
      return keepsLower ? above <= offset : above >= offset
    }
    return select(Tensor(mask, shape: [rows, columns]), self, 0.0)
  }
}
