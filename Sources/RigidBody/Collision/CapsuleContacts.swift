import Lanes

/// Two capsules: the nearest points of their segments as spheres, or two points where they are parallel.
///
/// With the half axes a and b and the parameters x and y in [-1, 1], the squared distance of the segments' points is
/// a quadratic form with matrix `[a·a, -a·b; -a·b, b·b]`; each parameter that leaves its interval is clamped and the
/// other solved again.
///
/// Branch: `3 * s + t` where s and t say which parameter is at its lower end (0), free (1) or at its upper end (2). For
/// parallel capsules 9 is added, and 9 more for each of the four tests: end +1 and -1 of the first against the second, end
/// +1 and -1 of the second against the first.
@inline(__always)
func capsuleCapsule<L: Lane>(
  _ pose1: GeomPose<L>, _ size1: Vector3<L>, _ pose2: GeomPose<L>, _ size2: Vector3<L>, cutoff: L,
  into list: inout ContactPointList<L>
) {
  let a = pose1.axis * size1.y
  let b = pose2.axis * size2.y
  let between = pose1.position - pose2.position
  let aa = a.dot(a)
  let ab = -a.dot(b)
  let bb = b.dot(b)
  let u = -a.dot(between)
  let v = b.dot(between)
  let determinant = aa * bb - ab * ab
  // What rounding leaves of parallel axes is no direction.
  let rounding = L.maximum(L(1e-15), aa * bb * (8 * Double(L.Scalar.ulpOfOne)))
  let isParallel = determinant.magnitude .< rounding
  let one = L(1.0)
  let inverse = one / determinant.replacing(with: one, where: isParallel)

  @inline(__always)
  func append(_ x: L, _ y: L, _ branch: L, where mask: L.Mask) {
    sphereSphere(
      center1: a.multiplyAdd(x, pose1.position), axis1: pose1.axis, radius1: size1.x,
      center2: b.multiplyAdd(y, pose2.position), axis2: pose2.axis, radius2: size2.x, cutoff: cutoff,
      branch: branch, where: mask, into: &list, limit: 2)
  }

  if !isParallel.allTrue {
    var (x, s) = clampedWithBranch((bb * u - ab * v) * inverse, one)
    let freeY = (aa * v - ab * u) * inverse
    let isXFree = s .== one
    let (y, t) = clampedWithBranch(freeY.replacing(with: (v - ab * x) / bb, where: .!isXFree), one)
    let isYFree = t .== one
    let (againX, againS) = clampedWithBranch((u - ab * y) / aa, one)
    x = x.replacing(with: againX, where: .!isYFree)
    s = s.replacing(with: againS, where: .!isYFree)
    append(x, y, s * 3.0 + t, where: .!isParallel)
  }
  if isParallel.anyTrue {
    for test in 0..<4 {
      let sign = test & 1 == 0 ? 1.0 : -1.0
      if test < 2 {
        let (y, t) = clampedWithBranch((v - ab * sign) / bb, one)
        let code: Double = 9 + 9 * Double(test) + 3 * (sign + 1)
        append(L(sign), y, t + code, where: isParallel)
      } else {
        let (x, s) = clampedWithBranch((u - ab * sign) / aa, one)
        let code: Double = 9 + 9 * Double(test) + (sign + 1)
        append(x, L(sign), s * 3.0 + code, where: isParallel)
      }
    }
  }
}
