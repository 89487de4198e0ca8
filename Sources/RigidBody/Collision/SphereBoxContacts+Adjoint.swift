import Lanes

extension ContactGeometryCotangent {
  /// A sphere beside an edge or a corner touches the box's nearest point, whose coordinates are the centre's or ± a half
  /// size; a sphere over a face, or with its centre inside, touches that face's plane.
  ///
  /// - Parameter branch: that of `sphereBox`, without what callers add.
  @inline(__always)
  mutating func addSphereBox(
    _ sphere: GeomPose<L>, radius: L, _ box: GeomPose<L>, _ size: Vector3<L>, branch: L, normal: Vector3<L>,
    _ cotangent: ContactPointCotangent<L>
  ) {
    let zero = L(0.0)
    let one = L(1.0)
    let isInside = branch .>= L(27.0)
    // Digits of the branch less one: -1, 0 and 1.
    let x = select(branch .>= L(18.0), one, select(branch .>= L(9.0), zero, -one))
    let restX = branch - (x + 1.0) * 9.0
    let y = select(restX .>= L(6.0), one, select(restX .>= L(3.0), zero, -one))
    let z = restX - (y + 1.0) * 3.0 - 1.0
    var signs = Vector3(x, y, z)
    if isInside.anyTrue {
      let face = branch - 27.0
      let isX = face .< L(2.0)
      let isZ = face .>= L(4.0)
      let first = select(isX, zero, select(isZ, L(4.0), L(2.0)))
      let side = select(face .== first, -one, one)
      let deep = Vector3(select(isX, side, zero), select(isX .| isZ, zero, side), select(isZ, side, zero))
      signs = signs.replacing(with: deep, where: isInside)
    }
    let isFace = isInside .| (signs.normSquared .== one)

    var result = self
    let offset = sphere.position - box.position
    if !isFace.allTrue {
      let center = box.rotation.transposedTimes(offset)
      let fixed = signs.scaled(by: signs)
      let free = Vector3(one, one, one) - fixed
      let arm = box.rotation * (size.scaled(by: signs) + center.scaled(by: free))
      let bars = result.sphereSphereAdjoint(
        between: arm - offset, radius1: radius, radius2: zero, normal: normal, where: .!isFace, cotangent)
      let local = box.rotation.transposedTimes(bars.center2)
      let centerBar = box.rotation * local.scaled(by: free)
      result.geom1.force += bars.center1 + centerBar
      result.geom1.size.x += bars.radius1
      result.geom2.add(bars.center2, toPointAt: arm)
      // The local centre turns against the box.
      result.geom2.add(-centerBar, toPointAt: offset)
      result.geom2.size += local.scaled(by: signs)
    }
    if isFace.anyTrue {
      var flat = self
      let heightBar = flat.addSphereFace(
        sphere, radius: radius, box, outward: box.rotation * signs, height: size.dot(signs.scaled(by: signs)),
        cotangent)
      flat.geom2.size += signs.scaled(by: signs) * heightBar
      result = result.replacing(with: flat, where: isFace)
    }
    self = result
  }
}
