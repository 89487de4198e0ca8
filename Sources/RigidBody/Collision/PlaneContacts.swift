import Lanes

/// Contacts with a plane: the half space below the z axis of the first geom. Contact exists where the distance is at
/// most `cutoff`.

/// Plane and sphere: one point.
@inline(__always)
func planeSphere<L: Lane>(
  _ plane: GeomPose<L>, center: Vector3<L>, radius: L, cutoff: L, tangent: Vector3<L> = .zero,
  branch: L = L(0.0), into list: inout ContactPointList<L>, limit: Int
) {
  let normal = plane.axis
  let centerDistance = (center - plane.position).dot(normal)
  let distance = centerDistance - radius
  list.append(
    ContactPoint(
      distance: distance, position: center + normal * (distance * -0.5 - radius), normal: normal,
      tangent: tangent, branch: branch),
    where: centerDistance .<= cutoff + radius, limit: limit)
}

/// Plane and capsule: its two ends as spheres, the upper end along its axis first (branch 0 and 1); the contact frames
/// are aligned with the capsule.
@inline(__always)
func planeCapsule<L: Lane>(
  _ plane: GeomPose<L>, _ capsule: GeomPose<L>, _ size: Vector3<L>, cutoff: L,
  into list: inout ContactPointList<L>
) {
  let axis = capsule.axis
  let segment = axis * size.y
  planeSphere(
    plane, center: capsule.position + segment, radius: size.x, cutoff: cutoff, tangent: axis, branch: L(0.0),
    into: &list, limit: 2)
  planeSphere(
    plane, center: capsule.position - segment, radius: size.x, cutoff: cutoff, tangent: axis, branch: L(1.0),
    into: &list, limit: 2)
}

/// Plane and ellipsoid: the lowest point.
@inline(__always)
func planeEllipsoid<L: Lane>(
  _ plane: GeomPose<L>, _ ellipsoid: GeomPose<L>, _ size: Vector3<L>, cutoff: L,
  into list: inout ContactPointList<L>
) {
  let normal = plane.axis
  let down = ellipsoid.rotation.transposedTimes(-normal)
  // The support point in direction d is S² d / |S d|.
  let scaled = Vector3(down.x * size.x, down.y * size.y, down.z * size.z).normalized(orXBelow: 1e-15)
  let local = Vector3(scaled.x * size.x, scaled.y * size.y, scaled.z * size.z)
  let lowest = ellipsoid.rotation.multiplyAdd(local, ellipsoid.position)
  let distance = (lowest - plane.position).dot(normal)
  list.append(
    ContactPoint(distance: distance, position: lowest + normal * (distance * -0.5), normal: normal),
    where: distance .<= cutoff, limit: 1)
}

/// Plane and box: the first four corners of the lower half that are near enough. The branch is the corner: bit k is set
/// where its coordinate along axis k is positive.
@inline(__always)
func planeBox<L: Lane>(
  _ plane: GeomPose<L>, _ box: GeomPose<L>, _ size: Vector3<L>, cutoff: L,
  into list: inout ContactPointList<L>
) {
  let normal = plane.axis
  let centerDistance = (box.position - plane.position).dot(normal)
  for corner in 0..<8 {
    let local = Vector3(
      corner & 1 != 0 ? size.x : -size.x, corner & 2 != 0 ? size.y : -size.y,
      corner & 4 != 0 ? size.z : -size.z)
    let offset = box.rotation * local
    let height = normal.dot(offset)
    let distance = centerDistance + height
    let isNear = (distance .<= cutoff) .& (height .<= L(0.0))
    list.append(
      ContactPoint(
        distance: distance, position: box.position + offset + normal * (distance * -0.5), normal: normal,
        branch: L(Double(corner))),
      where: isNear, limit: 4)
  }
}

/// Plane and cylinder: the lowest point of the lower rim (branch 0), the point above it on the other rim (1), and two
/// more on the lower rim that make a triangle with the first (2 and 3). The branch is larger by 4 where the cylinder's
/// axis points away from the plane, and by 8 where its ends are parallel to the plane, so that the lowest point is taken
/// along the cylinder's x axis.
@inline(__always)
func planeCylinder<L: Lane>(
  _ plane: GeomPose<L>, _ cylinder: GeomPose<L>, _ size: Vector3<L>, cutoff: L,
  into list: inout ContactPointList<L>
) {
  let normal = plane.axis
  let alignment = normal.dot(cylinder.axis)
  let isReversed = alignment .> L(0.0)
  let axis = cylinder.axis.replacing(with: -cylinder.axis, where: isReversed)
  let axisHeight = -alignment.magnitude
  let centerDistance = (cylinder.position - plane.position).dot(normal)

  // Towards the plane in the planes of the ends.
  let projected = axis * axisHeight - normal
  // The axis is of unit length only to rounding, which would pass for a direction where nothing else is left.
  let down = projected - axis * projected.dot(axis)
  let square = down.normSquared
  // Rounding of the axes is no direction.
  let rounding = 16 * Double(L.Scalar.ulpOfOne)
  let isParallel = square .< L(rounding * rounding)
  let scale = size.x / square.replacing(with: L(1.0), where: isParallel).squareRoot
  let radial = (down * scale).replacing(with: cylinder.rotation.column0 * size.x, where: isParallel)
  let radialHeight = radial.dot(normal)
  let segment = axis * size.y
  let segmentHeight = axisHeight * size.y
  let branch =
    L(0.0).replacing(with: L(4.0), where: isReversed)
    + L(0.0).replacing(with: L(8.0), where: isParallel)

  let lowest = centerDistance + segmentHeight + radialHeight
  let isNear = lowest .<= cutoff
  guard isNear.anyTrue else { return }
  list.append(
    ContactPoint(
      distance: lowest, position: cylinder.position + radial + segment + normal * (lowest * -0.5),
      normal: normal, branch: branch),
    where: isNear, limit: 4)
  let upper = centerDistance - segmentHeight + radialHeight
  list.append(
    ContactPoint(
      distance: upper, position: cylinder.position + radial - segment + normal * (upper * -0.5),
      normal: normal, branch: branch + 1.0),
    where: isNear .& (upper .<= cutoff), limit: 4)

  let side = centerDistance + segmentHeight - radialHeight * 0.5
  let isSideNear = isNear .& (side .<= cutoff)
  let sideways = radial.cross(segment).normalized(orXBelow: 1e-15) * (size.x * (3.0.squareRoot() / 2))
  let middle = cylinder.position + segment + radial * L(-0.5) + normal * (side * -0.5)
  list.append(
    ContactPoint(distance: side, position: middle + sideways, normal: normal, branch: branch + 2.0),
    where: isSideNear, limit: 4)
  list.append(
    ContactPoint(distance: side, position: middle - sideways, normal: normal, branch: branch + 3.0),
    where: isSideNear, limit: 4)
}
