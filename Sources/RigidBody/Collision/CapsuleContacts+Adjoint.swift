import Lanes

/// Cotangents of the nearest points of two lines `c₁ = p₁ + a x` and `c₂ = p₂ + b y` through their parameters.
///
/// Free parameters obey `a·(c₁ - c₂) = 0` and `b·(c₂ - c₁) = 0`, whose matrix in (x, y) is `[a·a, -a·b; -a·b, b·b]`. With
/// (λ, μ) its solution for (x̄, ȳ), a fixed parameter's being zero, κ = μ b - λ a and D = c₁ - c₂:
///
///     p̄₁ = κ,   p̄₂ = -κ,   ā = x κ - λ D,   b̄ = -y κ + μ D
struct LineParametersAdjoint<L: Lane> {
  var point1: Vector3<L>
  var a: Vector3<L>
  var b: Vector3<L>
  /// Both are free and the lines are parallel to rounding; both are then held fixed.
  var isParallel: L.Mask

  /// - Parameters:
  ///   - between: c₁ - c₂.
  ///   - xBar: cotangent of x, used where it is free.
  @inline(__always)
  init(
    a: Vector3<L>, b: Vector3<L>, between: Vector3<L>, x: L, y: L, xBar: L, yBar: L, isXFree: L.Mask,
    isYFree: L.Mask
  ) {
    let zero = L(0.0)
    let one = L(1.0)
    let (aa, ab, bb) = (a.dot(a), -a.dot(b), b.dot(b))
    let isBoth = isXFree .& isYFree
    // That is |a × b|², which keeps digits where the lines are nearly parallel.
    let determinant = a.cross(b).normSquared
    isParallel = isBoth .& (determinant .<= aa * bb * (1e4 * Double(L.Scalar.ulpOfOne)))
    let u = xBar.replacing(with: zero, where: .!isXFree .| isParallel)
    let v = yBar.replacing(with: zero, where: .!isYFree .| isParallel)
    let inverse = one / determinant.replacing(with: one, where: .!isBoth .| isParallel)
    let isXOnly = isXFree .& .!isYFree
    let isYOnly = isYFree .& .!isXFree
    let lambda = select(isBoth, (bb * u - ab * v) * inverse, u / aa.replacing(with: one, where: .!isXOnly))
    let mu = select(isBoth, (aa * v - ab * u) * inverse, v / bb.replacing(with: one, where: .!isYOnly))
    point1 = b * mu - a * lambda
    self.a = point1 * x - between * lambda
    self.b = between * mu - point1 * y
  }
}

extension ContactGeometryCotangent {
  @inline(__always)
  mutating func addCapsuleCapsule(
    _ pose1: GeomPose<L>, _ size1: Vector3<L>, _ pose2: GeomPose<L>, _ size2: Vector3<L>, branch: L,
    normal: Vector3<L>, _ cotangent: ContactPointCotangent<L>
  ) {
    let one = L(1.0)
    let zero = L(0.0)
    var code = branch - zero.replacing(with: L(64.0), where: branch .>= L(64.0))
    let isAligned = code .>= L(9.0)
    // At most four nines above the two digits.
    code = code - zero.replacing(with: L(18.0), where: code .>= L(18.0))
    code = code - zero.replacing(with: L(9.0), where: code .>= L(9.0))
    code = code - zero.replacing(with: L(9.0), where: code .>= L(9.0))
    let s = select(code .>= L(6.0), one, select(code .>= L(3.0), zero, -one))
    let t = code - (s + 1.0) * 3.0 - 1.0
    let isXFree = s .== zero
    let isYFree = t .== zero

    let a = pose1.axis * size1.y
    let b = pose2.axis * size2.y
    let offset = pose1.position - pose2.position
    let (aa, ab, bb) = (a.dot(a), -a.dot(b), b.dot(b))
    let (u, v) = (-a.dot(offset), b.dot(offset))
    let isBoth = isXFree .& isYFree
    // The solution of both, `(bb u - ab v) / (aa bb - ab ab)` for x, by vector products, which lose fewer digits.
    let product = a.cross(b)
    let inverse = one / product.normSquared.replacing(with: one, where: .!isBoth)
    let x = select(
      isBoth, -(b.cross(product).dot(offset) * inverse), select(isXFree, (u - ab * t) / aa, s))
    let y = select(
      isBoth, -(a.cross(product).dot(offset) * inverse), select(isYFree, (v - ab * s) / bb, t))
    let (arm1, arm2) = (a * x, b * y)
    let between = arm2 - arm1 - offset
    let bars = sphereSphereAdjoint(
      between: between, radius1: size1.x, radius2: size2.x, normal: normal,
      where: L.Mask(repeating: true), cotangent)
    let line = LineParametersAdjoint(
      a: a, b: b, between: -between, x: x, y: y, xBar: a.dot(bars.center1), yBar: b.dot(bars.center2),
      isXFree: isXFree, isYFree: isYFree)
    let aBar = bars.center1 * x + line.a
    let bBar = bars.center2 * y + line.b
    geom1.force += bars.center1 + line.point1
    geom2.force += bars.center2 - line.point1
    geom1.add(aBar, toDirection: a)
    geom2.add(bBar, toDirection: b)
    geom1.size += Vector3(bars.radius1, pose1.axis.dot(aBar), zero)
    geom2.size += Vector3(bars.radius2, pose2.axis.dot(bBar), zero)
    add(.parallel, where: isAligned .| line.isParallel)
  }
}
