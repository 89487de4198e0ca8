/// The Euclidean norm over some axes (all if none are named). Its derivative at zero is zero; it neither overflows nor
/// underflows.
public func norm(_ x: Tensor, axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
  let x = x.elementType.isFloatingPoint ? x : x.converted(to: .float64)
  if x.count == 0 { return sqrt(square(x).sum(axes: axes, keepingAxes: keepingAxes)) }
  // The norm does not depend on the scale that it is computed with, so neither does its derivative.
  let largest = stopGradient(abs(x).max(axes: axes, keepingAxes: true))
  let scale = select((largest .> 0.0) .& isFinite(largest), largest, 1.0)
  let squares = square(x / scale).sum(axes: axes, keepingAxes: keepingAxes)
  let isZero = squares .== 0.0
  let result = sqrt(select(isZero, 1.0, squares)) * scale.reshaped(squares.shape)
  return select(isZero, 0.0, result)
}
/// The sum of absolute values.
public func norm1(_ x: Tensor, axes: [Int]? = nil) -> Tensor { abs(x).sum(axes: axes) }
/// The largest absolute value.
public func normInfinity(_ x: Tensor, axes: [Int]? = nil) -> Tensor { abs(x).max(axes: axes) }
/// The vector of length one in the direction of the last axis; a zero vector stays zero.
public func normalized(_ x: Tensor) -> Tensor {
  let length = norm(x, axes: [-1], keepingAxes: true)
  return x / select(length .== 0.0, 1.0, length)
}

/// log Σ eˣ over some axes (all if none are named), without overflow. Where all elements are -infinity the result is
/// -infinity and the derivative zero.
public func logSumExp(_ x: Tensor, axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
  let largest = stopGradient(x.max(axes: axes, keepingAxes: true))
  let shift = select(isFinite(largest), largest, 0.0)
  let total = exp(x - shift).sum(axes: axes, keepingAxes: keepingAxes)
  let isEmpty = total .== 0.0
  let result = log(select(isEmpty, 1.0, total)) + shift.reshaped(total.shape)
  return select(isEmpty, -Double.infinity, result)
}
/// eˣ / Σ eˣ along an axis.
public func softmax(_ x: Tensor, axis: Int = -1) -> Tensor {
  let y = exp(x - stopGradient(x.max(axis: axis, keepingAxes: true)))
  return y / y.sum(axis: axis, keepingAxes: true)
}
/// The logarithm of ``softmax(_:axis:)``.
public func logSoftmax(_ x: Tensor, axis: Int = -1) -> Tensor {
  x - logSumExp(x, axes: [axis], keepingAxes: true)
}
