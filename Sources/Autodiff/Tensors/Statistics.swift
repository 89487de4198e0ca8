extension Tensor {
  /// The square root of the variance over some axes (all if none are named). Its derivative where all elements are equal is zero.
  public func standardDeviation(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    let spread = variance(axes: axes, keepingAxes: keepingAxes)
    let isZero = spread .== 0.0
    return select(isZero, 0.0, sqrt(select(isZero, 1.0, spread)))
  }
  /// The value below which a fraction of an axis' elements lies, interpolated linearly between neighbours; NaN where one is.
  public func quantile(_ fraction: Double, axis: Int = -1) -> Tensor {
    guard let place = self.axis(axis, "quantile") else { return failed(self) }
    guard (0...1).contains(fraction), shape[place] > 0 else {
      return TensorError(
        .argument, "quantile",
        "needs a fraction between 0 and 1, not \(fraction), and elements along axis \(axis) of the shape \(shape)"
      ).report()
    }
    let x = elementType.isFloatingPoint ? self : converted(to: .float64)
    let ordered = x.sorted(axis: place)
    let exact = fraction * Double(shape[place] - 1)
    let low = Int(exact.rounded(.down))
    let high = Swift.min(low + 1, shape[place] - 1)
    func entry(_ k: Int) -> Tensor { ordered.slice(axis: place, from: k, count: 1).squeezed(place) }
    let weight = exact - Double(low)
    let between = weight == 0 ? entry(low) : entry(low) * (1 - weight) + entry(high) * weight
    // NaN comes last.
    return select(isNaN(entry(shape[place] - 1)), Double.nan, between)
  }
  /// The middle of an axis' elements in order; the mean of the two in the middle of an even number.
  public func median(axis: Int = -1) -> Tensor { quantile(0.5, axis: axis) }
}

/// True where two tensors differ by at most `absolute + relative · |b|`, or are the same infinity.
public func isClose(_ a: Tensor, _ b: Tensor, relative: Double = 1e-5, absolute: Double = 1e-8)
  -> Tensor
{
  (a .== b) .| ((abs(a - b) .<= abs(b) * relative + absolute) .& isFinite(b))
}
/// True if ``isClose(_:_:relative:absolute:)`` holds everywhere: one truth value.
public func allClose(_ a: Tensor, _ b: Tensor, relative: Double = 1e-5, absolute: Double = 1e-8)
  -> Tensor
{
  let close = isClose(a, b, relative: relative, absolute: absolute)
  return close.count == 0 ? Tensor(scalar: true) : close.all()
}

/// For each value the number of elements of an ascending vector that are less (with `right`, less or equal): where it belongs.
/// `int32`.
/// - Complexity: O(values · elements): all are compared.
public func searchSorted(_ sorted: Tensor, _ values: Tensor, right: Bool = false) -> Tensor {
  guard sorted.rank == 1 else {
    return TensorError(.shape, "searchSorted", "needs a vector; the shape is \(sorted.shape)")
      .report()
  }
  let x = values.expandingAxis(-1)
  return (right ? sorted .<= x : sorted .< x).converted(to: .int32).sum(axis: -1)
}
/// The piecewise linear function through points with ascending abscissas, constant outside of them. Differentiable in all three
/// arguments; at a point it has the slope of the piece to its left.
public func interpolate(_ x: Tensor, abscissas: Tensor, ordinates: Tensor) -> Tensor {
  guard abscissas.rank == 1, abscissas.shape == ordinates.shape, abscissas.count > 0 else {
    return TensorError(
      .shape, "interpolate",
      "needs two vectors of one length, not empty; the shapes are \(abscissas.shape) and \(ordinates.shape)"
    ).report()
  }
  let count = abscissas.count
  if count == 1 { return ordinates[0].broadcast(to: x.shape) }
  let upper = minimum(maximum(searchSorted(abscissas, x), 1.0), Double(count - 1)).converted(
    to: .int32)
  let lower = upper - 1
  let (x0, x1) = (abscissas.taking(lower), abscissas.taking(upper))
  let (y0, y1) = (ordinates.taking(lower), ordinates.taking(upper))
  let limited = minimum(maximum(x, abscissas[0]), abscissas[count - 1])
  return y0 + (limited - x0) / (x1 - x0) * (y1 - y0)
}
