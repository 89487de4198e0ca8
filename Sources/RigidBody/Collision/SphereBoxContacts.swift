import Lanes

/// Sphere and box: one point.
@inline(__always)
func sphereBox<L: Lane>(
  _ sphere: GeomPose<L>, _ size1: Vector3<L>, _ box: GeomPose<L>, _ size2: Vector3<L>, cutoff: L,
  into list: inout ContactPointList<L>
) {
  sphereBox(
    localCenter: box.rotation.transposedTimes(sphere.position - box.position), radius: size1.x, box, size2,
    cutoff: cutoff, where: L.Mask(repeating: true), into: &list, limit: 1)
}

/// A sphere, with its centre in the box's frame, and the box.
///
/// Branch for a centre outside: `9 sx + 3 sy + sz` where each digit says whether the nearest point has the centre's
/// coordinate (1) or lies on the lower (0) or upper (2) face; for a centre inside 27 plus the nearest face, in the order
/// -x, +x, -y, +y, -z, +z.
@inline(__always)
func sphereBox<L: Lane>(
  localCenter center: Vector3<L>, radius: L, _ box: GeomPose<L>, _ size: Vector3<L>, cutoff: L,
  branch: L = L(0.0), where mask: L.Mask, into list: inout ContactPointList<L>, limit: Int
) {
  let (x, branchX) = clampedWithBranch(center.x, size.x)
  let (y, branchY) = clampedWithBranch(center.y, size.y)
  let (z, branchZ) = clampedWithBranch(center.z, size.z)
  let nearest = Vector3(x, y, z)
  let toward = nearest - center
  let length = toward.norm
  let isNear = mask .& (length - radius .<= cutoff)
  guard isNear.anyTrue else { return }
  let isInside = length .<= L(1e-15)
  let direction = toward * (1.0 / length.replacing(with: L(1.0), where: isInside))

  let distance = length - radius
  // Halfway between the nearest point and the sphere's deepest.
  let middle = (nearest + direction.multiplyAdd(radius, center)) * L(0.5)
  var point = ContactPoint(
    distance: distance, position: box.rotation.multiplyAdd(middle, box.position),
    normal: box.rotation * direction, branch: branch + (branchX * 9.0 + branchY * 3.0 + branchZ))

  let isDeep = isInside .& isNear
  if isDeep.anyTrue {
    var depth = (center.x + size.x).magnitude
    var inward = Vector3(L(1.0), L(0.0), L(0.0))
    var face = L(0.0)
    @inline(__always) func consider(_ other: L, _ axis: Vector3<L>, _ number: Double) {
      let isNearer = other .< depth
      depth = depth.replacing(with: other, where: isNearer)
      inward = inward.replacing(with: axis, where: isNearer)
      face = face.replacing(with: L(number), where: isNearer)
    }
    let zero = L(0.0)
    let one = L(1.0)
    consider((size.x - center.x).magnitude, Vector3(-one, zero, zero), 1)
    consider((center.y + size.y).magnitude, Vector3(zero, one, zero), 2)
    consider((size.y - center.y).magnitude, Vector3(zero, -one, zero), 3)
    consider((center.z + size.z).magnitude, Vector3(zero, zero, one), 4)
    consider((size.z - center.z).magnitude, Vector3(zero, zero, -one), 5)
    let deepMiddle = inward.multiplyAdd((radius - depth) * 0.5, center)
    let deep = ContactPoint(
      distance: -depth - radius, position: box.rotation.multiplyAdd(deepMiddle, box.position),
      normal: box.rotation * inward, branch: branch + face + 27.0)
    point = point.replacing(with: deep, where: isDeep)
  }
  list.append(point, where: isNear, limit: limit)
}
