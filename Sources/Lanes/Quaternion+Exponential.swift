/// The exponential map of rotations, its logarithm, and their derivatives.
///
/// Every function is smooth through zero: below an angle of one half radian power series in the squared angle
/// replace the quotients, which lose digits there (and whose square root has no derivative at zero).
/// Source of the formulas: Solà, Deray, Atchuthan, A micro Lie theory for state estimation in robotics (2018),
/// section on SO(3); `Jr` is the right Jacobian.
extension Quaternion {
  /// Squared angle below which the power series are used.
  @inlinable @inline(__always) static var seriesLimit: Double { 0.25 }

  /// The rotation by the angle `|v|` about `v`.
  @inlinable @inline(__always) public init(rotationVector v: Vector3<L>) {
    let square = v.normSquared
    let isSmall = square .< L(Self.seriesLimit)
    let half = square.replacing(with: L(1.0), where: isSmall).squareRoot * 0.5
    let x = square * 0.25
    // sin(h) / (2 h) and cos(h) in powers of x = h².
    var sinc = L.multiplyAdd(x, L(-1.0 / 39_916_800), L(1.0 / 362_880))
    sinc = L.multiplyAdd(x, sinc, L(-1.0 / 5040))
    sinc = L.multiplyAdd(x, sinc, L(1.0 / 120))
    sinc = L.multiplyAdd(x, sinc, L(-1.0 / 6))
    sinc = L.multiplyAdd(x, sinc, L(1.0)) * 0.5
    var cosine = L.multiplyAdd(x, L(1.0 / 479_001_600), L(-1.0 / 3_628_800))
    cosine = L.multiplyAdd(x, cosine, L(1.0 / 40320))
    cosine = L.multiplyAdd(x, cosine, L(-1.0 / 720))
    cosine = L.multiplyAdd(x, cosine, L(1.0 / 24))
    cosine = L.multiplyAdd(x, cosine, L(-0.5))
    cosine = L.multiplyAdd(x, cosine, L(1.0))
    if !isSmall.allTrue {
      sinc = (half.sine / (half + half)).replacing(with: sinc, where: isSmall)
      cosine = half.cosine.replacing(with: cosine, where: isSmall)
    }
    self.init(cosine, v * sinc)
  }

  /// The rotation vector of a unit quaternion, of length at most pi.
  @inlinable @inline(__always) public var rotationVector: Vector3<L> {
    let square = vector.normSquared
    let isSmall = square .< L(1e-4)
    let isNegative = w .< L(0.0)
    let sign = L(1.0).replacing(with: L(-1.0), where: isNegative)
    let s = square.replacing(with: L(1.0), where: isSmall).squareRoot
    let c = w * sign
    // 2 atan(s / c) / s in powers of (s / c)².
    let ratio = square / (c * c).replacing(with: L(1.0), where: .!isSmall)
    var series = L.multiplyAdd(ratio, L(1.0 / 9), L(-1.0 / 7))
    series = L.multiplyAdd(ratio, series, L(0.2))
    series = L.multiplyAdd(ratio, series, L(-1.0 / 3))
    series = L.multiplyAdd(ratio, series, L(1.0)) * 2.0 / c.replacing(with: L(1.0), where: .!isSmall)
    let general = L.arcTangent(y: s, x: c) * 2.0 / s
    return vector * (general.replacing(with: series, where: isSmall) * sign)
  }
}

/// Coefficients of the right Jacobian of SO(3): `Jr(v) = 1 - a [v] + b [v]²` with
/// `a = (1 - cos t) / t²`, `b = (t - sin t) / t³`, `t = |v|`.
@inlinable @inline(__always)
func rightJacobianCoefficients<L: Lane>(_ v: Vector3<L>) -> (a: L, b: L) {
  let x = v.normSquared
  let isSmall = x .< L(0.25)
  var a = L.multiplyAdd(x, L(-1.0 / 6_227_020_800 / 14), L(1.0 / 479_001_600))
  a = L.multiplyAdd(x, a, L(-1.0 / 3_628_800))
  a = L.multiplyAdd(x, a, L(1.0 / 40320))
  a = L.multiplyAdd(x, a, L(-1.0 / 720))
  a = L.multiplyAdd(x, a, L(1.0 / 24))
  a = L(0.5) - x * a
  var b = L.multiplyAdd(x, L(1.0 / 6_227_020_800), L(-1.0 / 39_916_800))
  b = L.multiplyAdd(x, b, L(1.0 / 362_880))
  b = L.multiplyAdd(x, b, L(-1.0 / 5040))
  b = L.multiplyAdd(x, b, L(1.0 / 120))
  b = L(1.0 / 6) - x * b
  if !isSmall.allTrue {
    let safe = x.replacing(with: L(1.0), where: isSmall)
    let angle = safe.squareRoot
    a = ((1.0 - angle.cosine) / safe).replacing(with: a, where: isSmall)
    b = ((angle - angle.sine) / (safe * angle)).replacing(with: b, where: isSmall)
  }
  return (a, b)
}

/// `Jr(v)ᵀ g`: turns the cotangent of a rotation `exp(v)` (in coordinates of the turned frame) into that of `v`.
/// `exp(v + dv) = exp(v) exp(Jr(v) dv)` to first order.
@inlinable @inline(__always)
public func rightJacobianTransposed<L: Lane>(_ v: Vector3<L>, times g: Vector3<L>) -> Vector3<L> {
  let (a, b) = rightJacobianCoefficients(v)
  let once = v.cross(g)
  return v.cross(once).multiplyAdd(b, once.multiplyAdd(a, g))
}

/// `Jr(v) u`.
@inlinable @inline(__always)
public func rightJacobian<L: Lane>(_ v: Vector3<L>, times u: Vector3<L>) -> Vector3<L> {
  let (a, b) = rightJacobianCoefficients(v)
  let once = v.cross(u)
  return v.cross(once).multiplyAdd(b, once.multiplyAdd(-a, u))
}

/// `Jr(v)⁻ᵀ g`: turns the cotangent of a rotation vector into that of the rotation, in coordinates of the turned
/// frame. Valid for angles below 2 pi.
@inlinable @inline(__always)
public func inverseRightJacobianTransposed<L: Lane>(
  _ v: Vector3<L>, times g: Vector3<L>
) -> Vector3<L> {
  let x = v.normSquared
  let isSmall = x .< L(0.25)
  // (1 - (t/2) cot(t/2)) / t²: the coefficients are |B(2n)| / (2n)!.
  var c = L.multiplyAdd(x, L(1.0 / 74_724_249_600), L(691.0 / 1_307_674_368_000))
  c = L.multiplyAdd(x, c, L(1.0 / 47_900_160))
  c = L.multiplyAdd(x, c, L(1.0 / 1_209_600))
  c = L.multiplyAdd(x, c, L(1.0 / 30_240))
  c = L.multiplyAdd(x, c, L(1.0 / 720))
  c = L.multiplyAdd(x, c, L(1.0 / 12))
  if !isSmall.allTrue {
    let safe = x.replacing(with: L(1.0), where: isSmall)
    let half = safe.squareRoot * 0.5
    c = ((1.0 - half * half.cosine / half.sine) / safe).replacing(with: c, where: isSmall)
  }
  let once = v.cross(g)
  return v.cross(once).multiplyAdd(c, once.multiplyAdd(L(-0.5), g))
}
