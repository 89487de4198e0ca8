import Lanes

/// Two spheres: one point. Where the centres coincide the normal is along the vector product of the geoms' z axes, or x
/// where these are parallel; the branch is then larger by 64.
@inline(__always)
func sphereSphere<L: Lane>(
  center1: Vector3<L>, axis1: Vector3<L>, radius1: L, center2: Vector3<L>, axis2: Vector3<L>, radius2: L,
  cutoff: L, branch: L = L(0.0), where mask: L.Mask = L.Mask(repeating: true),
  into list: inout ContactPointList<L>, limit: Int
) {
  let between = center2 - center1
  let square = between.normSquared
  let reach = cutoff + radius1 + radius2
  let isNear = mask .& (reach .>= L(0.0)) .& (square .<= reach * reach)
  guard isNear.anyTrue else { return }
  let length = square.squareRoot
  let distance = length - radius1 - radius2
  let isConcentric = length .< L(1e-15)
  let scale = 1.0 / length.replacing(with: L(1.0), where: isConcentric)
  var normal = between * scale
  if isConcentric.anyTrue {
    normal = normal.replacing(with: axis1.cross(axis2).normalized(orXBelow: 1e-15), where: isConcentric)
  }
  list.append(
    ContactPoint(
      distance: distance, position: normal.multiplyAdd(distance * 0.5 + radius1, center1), normal: normal,
      branch: branch + L(0.0).replacing(with: L(64.0), where: isConcentric)),
    where: isNear, limit: limit)
}

/// Sphere and capsule: the sphere and the nearest sphere in the capsule. Branch 1 between the ends, 0 and 2 at the lower
/// and upper end.
@inline(__always)
func sphereCapsule<L: Lane>(
  _ sphere: GeomPose<L>, _ size1: Vector3<L>, _ capsule: GeomPose<L>, _ size2: Vector3<L>, cutoff: L,
  into list: inout ContactPointList<L>
) {
  let axis = capsule.axis
  let (along, branch) = clampedWithBranch(axis.dot(sphere.position - capsule.position), size2.y)
  sphereSphere(
    center1: sphere.position, axis1: sphere.axis, radius1: size1.x,
    center2: axis.multiplyAdd(along, capsule.position), axis2: axis, radius2: size2.x, cutoff: cutoff,
    branch: branch, into: &list, limit: 1)
}

/// A number limited to `[-limit, limit]`, and which way: 0 below, 1 within, 2 above.
@inline(__always)
func clampedWithBranch<L: Lane>(_ value: L, _ limit: L) -> (value: L, branch: L) {
  let isBelow = value .< -limit
  let isAbove = value .> limit
  let clamped = value.replacing(with: -limit, where: isBelow).replacing(with: limit, where: isAbove)
  return (clamped, L(1.0).replacing(with: L(0.0), where: isBelow).replacing(with: L(2.0), where: isAbove))
}

/// Sphere and cylinder: one point, on the cylinder's side (branch 0), an end (1 for the upper, 2 for the lower) or a rim
/// (3 and 4). A centre inside goes to the nearer of side and end.
@inline(__always)
func sphereCylinder<L: Lane>(
  _ sphere: GeomPose<L>, _ size1: Vector3<L>, _ cylinder: GeomPose<L>, _ size2: Vector3<L>, cutoff: L,
  into list: inout ContactPointList<L>
) {
  let (radius, height) = (size2.x, size2.y)
  let axis = cylinder.axis
  let offset = sphere.position - cylinder.position
  let along = axis.dot(offset)
  let radial = offset - axis * along
  let radialSquare = radial.normSquared
  let isBetween = along.magnitude .< height
  let isWithin = radialSquare .< radius * radius
  let radialLength = radialSquare.squareRoot
  let isEndNearer = height - along.magnitude .< radius - radialLength
  let isSide = isBetween .& (.!isWithin .| .!isEndNearer)
  let isEnd = isWithin .& (.!isBetween .| isEndNearer)
  let isUpper = along .> L(0.0)

  // Side: a sphere on the axis. Rim: a point.
  let rimScale = radius / radialLength.replacing(with: L(1.0), where: isWithin)
  let rim = (radial * rimScale) + axis * height.replacing(with: -height, where: .!isUpper)
  let target = rim.replacing(with: axis * along, where: isSide) + cylinder.position
  let rimBranch = L(4.0).replacing(with: L(3.0), where: isUpper)
  sphereSphere(
    center1: sphere.position, axis1: sphere.axis, radius1: size1.x, center2: target, axis2: axis,
    radius2: L(0.0).replacing(with: radius, where: isSide), cutoff: cutoff,
    branch: rimBranch.replacing(with: L(0.0), where: isSide), where: .!isEnd, into: &list, limit: 1)

  // End: a plane.
  let distance = along.magnitude - height - size1.x
  let normal = axis.replacing(with: -axis, where: isUpper)
  list.append(
    ContactPoint(
      distance: distance, position: normal.multiplyAdd(distance * 0.5 + size1.x, sphere.position),
      normal: normal, branch: L(2.0).replacing(with: L(1.0), where: isUpper)),
    where: isEnd .& (distance .<= cutoff), limit: 1)
}
