extension Tensor {
  private func reduced(_ kind: Reduction.Kind, _ axes: [Int]?, keepingAxes: Bool) -> Tensor {
    guard let places = axes.map({ self.axes($0, "\(kind)") }) ?? Array(0..<rank) else { return failed(self) }
    if places.isEmpty && kind != .sum { return self }
    let x = elementType == .bool ? converted(to: .int32) : self
    let result = places.isEmpty ? x : bind1(Reduction(kind: kind, axes: places.sorted()), x)
    return keepingAxes ? result.keeping(places, of: shape) : result
  }
  /// Reduced axes put back with extent one.
  func keeping(_ axes: [Int], of shape: [Int]) -> Tensor {
    if case .failed = representation { return self }
    return reshaped(shape.indices.map { axes.contains($0) ? 1 : shape[$0] })
  }

  /// The sum over some axes (all if none are named), which disappear or, with `keepingAxes`, become one long.
  public func sum(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    reduced(.sum, axes, keepingAxes: keepingAxes)
  }
  /// The sum along an axis.
  public func sum(axis: Int, keepingAxes: Bool = false) -> Tensor {
    sum(axes: [axis], keepingAxes: keepingAxes)
  }
  /// The mean over some axes (all if none are named).
  public func mean(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    guard let places = axes.map({ self.axes($0, "mean") }) ?? Array(0..<rank) else { return failed(self) }
    let count = places.reduce(1) { $0 * shape[$1] }
    let x = elementType.isFloatingPoint ? self : converted(to: .float64)
    return x.sum(axes: places, keepingAxes: keepingAxes) / Double(count)
  }
  /// The mean along an axis.
  public func mean(axis: Int, keepingAxes: Bool = false) -> Tensor {
    mean(axes: [axis], keepingAxes: keepingAxes)
  }
  /// The variance over some axes (all if none are named): the mean squared distance from the mean.
  public func variance(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    square(self - mean(axes: axes, keepingAxes: true)).mean(axes: axes, keepingAxes: keepingAxes)
  }
  /// The largest element over some axes (all if none are named). Elements that share it share the derivative.
  public func max(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    reduced(.maximum, axes, keepingAxes: keepingAxes)
  }
  /// The largest element along an axis.
  public func max(axis: Int, keepingAxes: Bool = false) -> Tensor {
    max(axes: [axis], keepingAxes: keepingAxes)
  }
  /// The smallest element over some axes (all if none are named). Elements that share it share the derivative.
  public func min(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    reduced(.minimum, axes, keepingAxes: keepingAxes)
  }
  /// The smallest element along an axis.
  public func min(axis: Int, keepingAxes: Bool = false) -> Tensor {
    min(axes: [axis], keepingAxes: keepingAxes)
  }
  /// True where some element along the axes (all if none are named) is not zero.
  public func any(axes: [Int]? = nil) -> Tensor { converted(to: .bool).max(axes: axes).converted(to: .bool) }
  /// True where every element along the axes (all if none are named) is not zero.
  public func all(axes: [Int]? = nil) -> Tensor { converted(to: .bool).min(axes: axes).converted(to: .bool) }

  /// The product along an axis, by a tree of pairwise products: its derivatives are exact where elements are zero.
  public func product(axis: Int, keepingAxes: Bool = false) -> Tensor {
    guard let place = self.axis(axis, "product") else { return failed(self) }
    var x = movingAxis(place, to: 0)
    while x.shape[0] > 1 {
      let half = x.shape[0] / 2
      let pairs = x.slice(axis: 0, from: 0, count: half) * x.slice(axis: 0, from: half, count: half)
      x =
        x.shape[0] % 2 == 0
        ? pairs : concatenate([pairs, x.slice(axis: 0, from: 2 * half, count: 1)], axis: 0)
    }
    let result =
      x.shape[0] == 0 ? Tensor.ones(TensorType(elementType, Array(x.shape.dropFirst()))) : x.squeezed(0)
    return keepingAxes ? result.keeping([place], of: shape) : result
  }
  /// The product of all elements.
  public func product() -> Tensor { flattened.product(axis: 0) }
}
