import Lanes

extension ContactGeometryCotangent {
  /// Adds what a plane's contact with the other geom's point q hands on, and returns the cotangent of q.
  @inline(__always)
  mutating func addPlane(
    _ plane: GeomPose<L>, point: Vector3<L>, _ cotangent: ContactPointCotangent<L>
  ) -> Vector3<L> {
    let normal = plane.axis
    let bars = planePointAdjoint(normal: normal, between: point - plane.position, cotangent)
    geom1.add(bars.origin, toPointAt: .zero)
    geom1.add(bars.normal, toDirection: normal)
    return bars.point
  }

  /// A sphere's lowest point is q = c - r n. Returns the cotangent of c.
  @inline(__always)
  mutating func addPlaneSphere(
    _ plane: GeomPose<L>, center: Vector3<L>, radius: L, _ cotangent: ContactPointCotangent<L>
  ) -> Vector3<L> {
    let normal = plane.axis
    let bar = addPlane(plane, point: center - normal * radius, cotangent)
    geom1.add(bar * -radius, toDirection: normal)
    geom2.size.x -= normal.dot(bar)
    return bar
  }

  @inline(__always)
  mutating func addPlaneCapsule(
    _ plane: GeomPose<L>, _ capsule: GeomPose<L>, _ size: Vector3<L>, branch: L,
    _ cotangent: ContactPointCotangent<L>
  ) {
    let side = L(-1.0).replacing(with: L(1.0), where: branch .== L(0.0))
    let axis = capsule.axis
    let segment = axis * (size.y * side)
    let bar = addPlaneSphere(plane, center: capsule.position + segment, radius: size.x, cotangent)
    geom2.add(bar, toPointAt: segment)
    geom2.add(cotangent.tangent, toDirection: axis)
    geom2.size.y += side * axis.dot(bar)
  }

  /// The lowest point is q = p + R S s, s = w / |w|, w = S m, m = -Rᵀ n, with S the half sizes.
  @inline(__always)
  mutating func addPlaneEllipsoid(
    _ plane: GeomPose<L>, _ ellipsoid: GeomPose<L>, _ size: Vector3<L>, _ cotangent: ContactPointCotangent<L>
  ) {
    let normal = plane.axis
    let down = ellipsoid.rotation.transposedTimes(-normal)
    let w = down.scaled(by: size)
    let length = w.norm
    let scale = 1.0 / length.replacing(with: L(1.0), where: length .< L(1e-15))
    let s = w * scale
    let arm = ellipsoid.rotation * s.scaled(by: size)
    let bar = addPlane(plane, point: ellipsoid.position + arm, cotangent)
    geom2.add(bar, toPointAt: arm)
    let local = ellipsoid.rotation.transposedTimes(bar)
    let sBar = local.scaled(by: size)
    let wBar = (sBar - s * s.dot(sBar)) * scale
    geom2.size += local.scaled(by: s) + wBar.scaled(by: down)
    // m turns against the geom: the pair turned together leaves it as it is.
    let mBar = ellipsoid.rotation * wBar.scaled(by: size)
    geom1.add(-mBar, toDirection: normal)
    geom2.add(mBar, toDirection: normal)
  }

  @inline(__always)
  mutating func addPlaneBox(
    _ plane: GeomPose<L>, _ box: GeomPose<L>, _ size: Vector3<L>, branch: L,
    _ cotangent: ContactPointCotangent<L>
  ) {
    let one = L(1.0)
    // Bits of the corner, from the highest.
    let isUpperZ = branch .>= L(4.0)
    let rest = branch - L(0.0).replacing(with: L(4.0), where: isUpperZ)
    let isUpperY = rest .>= L(2.0)
    let isUpperX = (rest - L(0.0).replacing(with: L(2.0), where: isUpperY)) .>= one
    let signs = Vector3(select(isUpperX, one, -one), select(isUpperY, one, -one), select(isUpperZ, one, -one))
    let arm = box.rotation * size.scaled(by: signs)
    let bar = addPlane(plane, point: box.position + arm, cotangent)
    geom2.add(bar, toPointAt: arm)
    geom2.size += box.rotation.transposedTimes(bar).scaled(by: signs)
  }

  /// With the cylinder's axis a turned towards the plane and û the unit vector along `a (a·n) - n`, the points are
  ///
  ///     q = p + α r û + β h a + γ r (û × a)
  ///
  /// with (α, β, γ) = (1, 1, 0), (1, -1, 0) and (-1/2, 1, ±√3/2).
  @inline(__always)
  mutating func addPlaneCylinder(
    _ plane: GeomPose<L>, _ cylinder: GeomPose<L>, _ size: Vector3<L>, branch: L,
    _ cotangent: ContactPointCotangent<L>
  ) {
    let one = L(1.0)
    let zero = L(0.0)
    let isParallel = branch .>= L(8.0)
    let rest = branch - zero.replacing(with: L(8.0), where: isParallel)
    let isReversed = rest .>= L(4.0)
    let number = rest - zero.replacing(with: L(4.0), where: isReversed)
    let alpha = one.replacing(with: L(-0.5), where: number .>= L(2.0))
    let beta = one.replacing(with: -one, where: number .== one)
    let sine = L(3.0.squareRoot() / 2)
    let gamma = zero.replacing(with: sine, where: number .== L(2.0)).replacing(
      with: -sine, where: number .== L(3.0))

    let normal = plane.axis
    let axis = cylinder.axis.replacing(with: -cylinder.axis, where: isReversed)
    let height = axis.dot(normal)
    let down = axis * height - normal
    let length = down.norm.replacing(with: one, where: isParallel)
    let radial = (down * (1.0 / length)).replacing(with: cylinder.rotation.column0, where: isParallel)
    let sideways = radial.cross(axis)
    let direction = radial * alpha + sideways * gamma
    let arm = direction * size.x + axis * (beta * size.y)
    let bar = addPlane(plane, point: cylinder.position + arm, cotangent)
    geom2.force += bar
    geom2.size.x += direction.dot(bar)
    geom2.size.y += beta * axis.dot(bar)
    let radialBar = (bar * alpha + axis.cross(bar) * gamma) * size.x
    var axisBar = bar * (beta * size.y) + bar.cross(radial) * (gamma * size.x)
    let downBar = ((radialBar - radial * radial.dot(radialBar)) * (1.0 / length))
      .replacing(with: .zero, where: isParallel)
    let along = axis.dot(downBar)
    geom1.add(axis * along - downBar, toDirection: normal)
    axisBar += downBar * height + normal * along
    geom2.add(axisBar, toDirection: axis)
    geom2.add(radialBar.replacing(with: .zero, where: .!isParallel), toDirection: radial)
    add(.parallel, where: isParallel)
  }
}

extension Vector3 {
  /// The product of each component with another's.
  @inline(__always) func scaled(by other: Self) -> Self { Self(x * other.x, y * other.y, z * other.z) }
}
