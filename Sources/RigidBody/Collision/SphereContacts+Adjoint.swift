import Lanes

extension ContactGeometryCotangent {
  /// Two spheres, with between = c₂ - c₁, ℓ its length and n its direction:
  ///
  ///     distance = ℓ - r₁ - r₂,   position = (c₁ + c₂) / 2 + n (r₁ - r₂) / 2
  ///
  /// Centres that coincide leave n fixed. Adds to no geom, but for the defect.
  @inline(__always)
  mutating func sphereSphereAdjoint(
    between: Vector3<L>, radius1: L, radius2: L, normal: Vector3<L>, where mask: L.Mask,
    _ cotangent: ContactPointCotangent<L>
  ) -> (center1: Vector3<L>, center2: Vector3<L>, radius1: L, radius2: L) {
    let length = between.norm
    let isConcentric = length .<= (radius1 + radius2) * (1000 * Double(L.Scalar.ulpOfOne))
    let scale = (1.0 / length.replacing(with: L(1.0), where: isConcentric)).replacing(
      with: L(0.0), where: isConcentric)
    let half = cotangent.position * L(0.5)
    let along = normal.dot(half)
    let normalBar = half.multiplyAdd(radius1 - radius2, cotangent.normal)
    let bar = (normalBar - normal * normal.dot(normalBar)) * scale + normal * cotangent.distance
    add(.normal, where: isConcentric .& mask)
    return (half - bar, half + bar, along - cotangent.distance, -along - cotangent.distance)
  }

  @inline(__always)
  mutating func addSphereSphere(
    _ pose1: GeomPose<L>, _ size1: Vector3<L>, _ pose2: GeomPose<L>, _ size2: Vector3<L>, normal: Vector3<L>,
    _ cotangent: ContactPointCotangent<L>
  ) {
    let bars = sphereSphereAdjoint(
      between: pose2.position - pose1.position, radius1: size1.x, radius2: size2.x, normal: normal,
      where: L.Mask(repeating: true), cotangent)
    geom1.force += bars.center1
    geom2.force += bars.center2
    geom1.size.x += bars.radius1
    geom2.size.x += bars.radius2
  }

  /// The nearest sphere in the capsule is at `p + a t`, t being `a·(c - p)` or one of ±h.
  @inline(__always)
  mutating func addSphereCapsule(
    _ sphere: GeomPose<L>, _ size1: Vector3<L>, _ capsule: GeomPose<L>, _ size2: Vector3<L>, branch: L,
    normal: Vector3<L>, _ cotangent: ContactPointCotangent<L>
  ) {
    let axis = capsule.axis
    let offset = sphere.position - capsule.position
    // Concentric: 64 more.
    let end = branch - 1.0 - L(0.0).replacing(with: L(64.0), where: branch .>= L(64.0))
    let isFree = end .== L(0.0)
    let along = (end * size2.y).replacing(with: axis.dot(offset), where: isFree)
    let bars = sphereSphereAdjoint(
      between: axis * along - offset, radius1: size1.x, radius2: size2.x, normal: normal,
      where: L.Mask(repeating: true), cotangent)
    geom1.force += bars.center1
    geom1.size.x += bars.radius1
    geom2.add(bars.center2, toPointAt: axis * along)
    geom2.size.x += bars.radius2
    let alongBar = axis.dot(bars.center2)
    geom2.size.y += end * alongBar
    addFoot(alongBar.replacing(with: L(0.0), where: .!isFree), offset: offset, axis: axis)
  }

  /// The cotangent of `a·(c₁ - p₂)`, the place along the second geom's axis beside the first's centre.
  @inline(__always)
  private mutating func addFoot(_ cotangent: L, offset: Vector3<L>, axis: Vector3<L>) {
    geom1.force += axis * cotangent
    geom2.force -= axis * cotangent
    geom2.add(offset * cotangent, toDirection: axis)
  }

  /// A sphere and a flat side of the second geom, whose outward normal is m and distance from the origin `height`. The
  /// contact's normal is -m. Returns the cotangent of `height`.
  @inline(__always)
  mutating func addSphereFace(
    _ sphere: GeomPose<L>, radius: L, _ pose2: GeomPose<L>, outward: Vector3<L>, height: L,
    _ cotangent: ContactPointCotangent<L>
  ) -> L {
    let arm = outward * height
    var opposite = cotangent
    opposite.normal = -cotangent.normal
    let bars = planePointAdjoint(
      normal: outward, between: sphere.position - outward * radius - (pose2.position + arm), opposite)
    geom1.force += bars.point
    geom1.size.x -= outward.dot(bars.point)
    geom2.add(bars.origin, toPointAt: arm)
    geom2.add(bars.normal - bars.point * radius, toDirection: outward)
    return outward.dot(bars.origin)
  }

  /// Side: a sphere on the axis. Rim: the point `p ± a h + r û`, û along the centre's offset across the axis. End: a face.
  @inline(__always)
  mutating func addSphereCylinder(
    _ sphere: GeomPose<L>, _ size1: Vector3<L>, _ cylinder: GeomPose<L>, _ size2: Vector3<L>, branch: L,
    normal: Vector3<L>, _ cotangent: ContactPointCotangent<L>
  ) {
    let zero = L(0.0)
    let one = L(1.0)
    // Concentric with the axis: 64 more.
    let isConcentric = branch .>= L(64.0)
    let code = branch - zero.replacing(with: L(64.0), where: isConcentric)
    let isSide = code .== zero
    let isUpper = (code .== one) .| (code .== L(3.0))
    let isEnd = (code .== one) .| (code .== L(2.0))
    let side = select(isUpper, one, -one)
    let axis = cylinder.axis
    let offset = sphere.position - cylinder.position

    var round = self
    let along = axis.dot(offset)
    let radial = offset - axis * along
    let isRim = .!isSide .& .!isEnd
    let length = radial.norm.replacing(with: one, where: .!isRim)
    let direction = radial * (1.0 / length)
    let arm = (direction * size2.x + axis * (side * size2.y)).replacing(with: axis * along, where: isSide)
    let radius2 = zero.replacing(with: size2.x, where: isSide)
    let bars = round.sphereSphereAdjoint(
      between: arm - offset, radius1: size1.x, radius2: radius2, normal: normal, where: .!isEnd, cotangent)
    round.geom1.force += bars.center1
    round.geom1.size.x += bars.radius1
    // Of the second centre: its place along the axis, and across it.
    let alongBar = axis.dot(bars.center2)
    round.geom2.force += bars.center2
    round.geom2.size.x += bars.radius2.replacing(with: direction.dot(bars.center2), where: isRim)
    round.geom2.size.y += (side * alongBar).replacing(with: zero, where: .!isRim)
    let axial = (side * size2.y).replacing(with: along, where: isSide)
    round.geom2.add(bars.center2 * axial, toDirection: axis)
    let directionBar = bars.center2 * size2.x
    let radialBar = ((directionBar - direction * direction.dot(directionBar)) * (1.0 / length))
      .replacing(with: .zero, where: .!isRim)
    // radial = offset - a (a·offset)
    round.geom1.force += radialBar
    round.geom2.force -= radialBar
    round.geom2.add(radialBar * -along, toDirection: axis)
    round.addFoot(
      alongBar.replacing(with: -axis.dot(radialBar), where: isRim), offset: offset, axis: axis)

    if isEnd.anyTrue {
      var flat = self
      let heightBar = flat.addSphereFace(
        sphere, radius: size1.x, cylinder, outward: axis * side, height: size2.y, cotangent)
      flat.geom2.size.y += heightBar
      round = round.replacing(with: flat, where: isEnd)
    }
    self = round
  }
}
