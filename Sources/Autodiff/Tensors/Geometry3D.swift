// Vectors and rotations in three dimensions: the last axis has 3 (vectors) or 4 (quaternions w, x, y, z) elements, all
// others are stacks that broadcast.

/// The cross product of vectors.
public func cross(_ a: Tensor, _ b: Tensor) -> Tensor {
  guard a.shape.last == 3, b.shape.last == 3 else {
    return TensorError(
      .shape, "cross", "needs last axes of extent 3; the shapes are \(a.shape) and \(b.shape)"
    ).report()
  }
  let first: Tensor = Tensor([Int32(1), 2, 0])
  let second: Tensor = Tensor([Int32(2), 0, 1])
  return a.taking(first, axis: -1) * b.taking(second, axis: -1) - a.taking(second, axis: -1)
    * b.taking(first, axis: -1)
}

/// The matrix that multiplies like the cross product with a vector.
public func skew(_ v: Tensor) -> Tensor {
  guard v.shape.last == 3 else {
    return TensorError(.shape, "skew", "needs a last axis of extent 3, not \(v.shape)").report()
  }
  var generators = [Double](repeating: 0, count: 27)
  // Row-major [3, 9]: which vector element stands where.
  for (k, place, sign) in [(2, 1, -1.0), (1, 2, 1), (2, 3, 1), (0, 5, -1), (1, 6, -1), (0, 7, 1)] {
    generators[k * 9 + place] = sign
  }
  return matmul(v, Tensor(generators, shape: [3, 9]).converted(to: v.elementType)).reshaped(
    v.shape.dropLast() + [3, 3])
}

/// The product of quaternions: the rotation `b`, then `a`.
public func quaternionProduct(_ a: Tensor, _ b: Tensor) -> Tensor {
  guard a.shape.last == 4, b.shape.last == 4 else {
    return TensorError(
      .shape, "quaternionProduct", "needs last axes of extent 4; the shapes are \(a.shape) and \(b.shape)"
    ).report()
  }
  let (w, v) = (a[last: 0..<1], a[last: 1..<4])
  let (s, u) = (b[last: 0..<1], b[last: 1..<4])
  let scalar = w * s - (v * u).sum(axis: -1, keepingAxes: true)
  return concatenate([scalar, w * u + s * v + cross(v, u)], axis: -1)
}
/// The quaternion of the opposite rotation (of a unit quaternion its inverse).
public func quaternionConjugate(_ q: Tensor) -> Tensor {
  guard q.shape.last == 4 else {
    return TensorError(.shape, "quaternionConjugate", "needs a last axis of extent 4, not \(q.shape)")
      .report()
  }
  return q * Tensor([1.0, -1, -1, -1]).converted(to: q.elementType)
}
/// Vectors rotated by unit quaternions: v + 2 w (u × v) + 2 u × (u × v).
public func rotate(_ vector: Tensor, by quaternion: Tensor) -> Tensor {
  guard vector.shape.last == 3, quaternion.shape.last == 4 else {
    return TensorError(
      .shape, "rotate",
      "needs vectors and quaternions; the shapes are \(vector.shape) and \(quaternion.shape)"
    ).report()
  }
  let (w, u) = (quaternion[last: 0..<1], quaternion[last: 1..<4])
  let t = cross(u, vector) * 2.0
  return vector + w * t + cross(u, t)
}
/// The rotation matrix of a unit quaternion.
public func rotationMatrix(quaternion q: Tensor) -> Tensor {
  guard q.shape.last == 4 else {
    return TensorError(.shape, "rotationMatrix", "needs a last axis of extent 4, not \(q.shape)").report()
  }
  let c = q.movingAxis(-1, to: 0).unstacked()
  let (w, x, y, z) = (c[0], c[1], c[2], c[3])
  let rows = [
    1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y),
    2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x),
    2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y),
  ]
  return stack(rows, axis: -1).reshaped(q.shape.dropLast() + [3, 3])
}
/// The unit quaternion of a rotation vector (axis times angle, in radians): smooth at zero.
public func quaternionExponential(_ rotation: Tensor) -> Tensor {
  guard rotation.shape.last == 3 else {
    return TensorError(
      .shape, "quaternionExponential", "needs a last axis of extent 3, not \(rotation.shape)"
    ).report()
  }
  let half = rotation * 0.5
  // As functions of the squared angle, cosine and sinc are smooth: no square root's derivative at zero.
  let squared = square(half).sum(axis: -1, keepingAxes: true)
  let isSmall = squared .< 1e-3
  let angle = sqrt(select(isSmall, 1.0, squared))
  let cosine = select(isSmall, cosineSeries(squared), cos(angle))
  let sinc = select(isSmall, sincSeries(squared), sin(angle) / angle)
  return concatenate([cosine, half * sinc], axis: -1)
}
/// cos √s for s < 1e-3; the next term is below 1e-19.
private func cosineSeries(_ s: Tensor) -> Tensor {
  1.0 + s * (-0.5 + s * (1.0 / 24 + s * (-1.0 / 720 + s * (1.0 / 40320 - s * (1.0 / 3_628_800)))))
}
/// sin √s / √s for s < 1e-3; the next term is below 1e-20.
private func sincSeries(_ s: Tensor) -> Tensor {
  1.0 + s * (-1.0 / 6 + s * (1.0 / 120 + s * (-1.0 / 5040 + s * (1.0 / 362_880 - s * (1.0 / 39_916_800)))))
}

extension Tensor {
  /// A range of the last axis.
  fileprivate subscript(last range: Range<Int>) -> Tensor {
    slice(axis: -1, from: range.lowerBound, count: range.count)
  }
}
