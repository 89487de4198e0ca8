import Lanes

/// Where a geom is in the world.
struct GeomPose<L: Lane>: Sendable {
  /// The origin of the geom's frame.
  var position: Vector3<L>
  /// The geom's axes in world coordinates, as columns.
  var rotation: Matrix3<L>

  /// The axis of planes, capsules and cylinders.
  @inline(__always) var axis: Vector3<L> { rotation.column2 }
}

/// One point of contact between two geoms, in each lane.
struct ContactPoint<L: Lane> {
  /// Distance of the surfaces along the normal (m); negative where they penetrate.
  var distance: L
  /// The point halfway between the surfaces.
  var position: Vector3<L>
  /// Unit normal from the first geom to the second.
  var normal: Vector3<L>
  /// The direction to which the frame's second axis is aligned, or zero where there is none.
  var tangent: Vector3<L>
  /// Which of the pair's discrete cases gave the point, as a small whole number that the pair's function documents.
  /// With the case frozen, the point is a smooth function of poses and sizes.
  var branch: L

  @inline(__always)
  init(
    distance: L, position: Vector3<L>, normal: Vector3<L>, tangent: Vector3<L> = .zero, branch: L = L(0.0)
  ) {
    self.distance = distance
    self.position = position
    self.normal = normal
    self.tangent = tangent
    self.branch = branch
  }

  /// The axes of the contact: the normal, a second axis along the tangent, by default along the world's y (z where the
  /// normal is within 60 degrees of y), made orthogonal to the normal, and their vector product.
  @inline(__always) var frame: Matrix3<L> {
    let x = normal.normalized(orXBelow: 1e-15)
    let hasTangent = tangent.normSquared .>= L(0.25)
    let isAcross = x.y.magnitude .< L(0.5)
    let zero = L(0.0)
    let one = L(1.0)
    let defaultAxis = Vector3(zero, select(isAcross, one, zero), select(isAcross, zero, one))
    let hint = defaultAxis.replacing(with: tangent, where: hasTangent)
    var across = hint - x * x.dot(hint)
    // A tangent along the normal, as of a capsule that stands upright, leaves rounding: then the x axis is the hint.
    let isAlong = across.norm .< L(16 * Double(L.Scalar.ulpOfOne))
    if isAlong.anyTrue {
      let isX = x.x.magnitude .> L(0.9)
      let other = Vector3(select(isX, zero, one), select(isX, one, zero), zero)
      across = across.replacing(with: other - x * x.dot(other), where: isAlong)
    }
    let y = across.normalized(orXBelow: 1e-15)
    return Matrix3(columns: x, y, x.cross(y))
  }

  @inline(__always) func replacing(with other: Self, where mask: L.Mask) -> Self {
    Self(
      distance: distance.replacing(with: other.distance, where: mask),
      position: position.replacing(with: other.position, where: mask),
      normal: normal.replacing(with: other.normal, where: mask),
      tangent: tangent.replacing(with: other.tangent, where: mask),
      branch: branch.replacing(with: other.branch, where: mask))
  }
}

extension Vector3 {
  /// The vector divided by its length, or the x axis where the length is below `threshold`.
  @inline(__always) func normalized(orXBelow threshold: Double) -> Self {
    let length = norm
    let isShort = length .< L(threshold)
    let scale = 1.0 / length.replacing(with: L(1.0), where: isShort)
    return (self * scale).replacing(with: Self(L(1.0), L(0.0), L(0.0)), where: isShort)
  }
}

/// The points that one pair of geoms has in each lane, in the order in which they were found. The memory is the
/// caller's and holds ``PairKind/largestPointCount`` points.
struct ContactPointList<L: Lane> {
  let points: UnsafeMutablePointer<ContactPoint<L>>
  /// Points in each lane so far.
  private(set) var count = L(0.0)

  @inline(__always) init(in points: UnsafeMutablePointer<ContactPoint<L>>) { self.points = points }

  /// Adds a point where the mask is true and the lane has fewer than `limit` points.
  @inline(__always)
  mutating func append(_ point: ContactPoint<L>, where mask: L.Mask, limit: Int) {
    let isAdded = mask .& (count .< L(Double(limit)))
    guard isAdded.anyTrue else { return }
    if L.laneCount == 1 {
      points[Int(count[lane: 0])] = point
    } else {
      for slot in 0..<limit {
        let isHere = isAdded .& (count .== L(Double(slot)))
        if isHere.anyTrue { points[slot] = points[slot].replacing(with: point, where: isHere) }
      }
    }
    count = count.replacing(with: count + 1.0, where: isAdded)
  }

  /// Adds a point to one lane.
  @inline(__always)
  mutating func append(_ point: ContactPoint<Double>, lane: Int, limit: Int) {
    let slot = Int(count[lane: lane])
    guard slot < limit else { return }
    points[slot].distance[lane: lane] = L.Scalar(point.distance)
    points[slot].position.set(point.position, lane: lane)
    points[slot].normal.set(point.normal, lane: lane)
    points[slot].tangent.set(point.tangent, lane: lane)
    points[slot].branch[lane: lane] = L.Scalar(point.branch)
    count[lane: lane] += 1
  }
}
