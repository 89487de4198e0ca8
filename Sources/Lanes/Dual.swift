/// A number and its derivative in one direction: forward-mode differentiation of a kernel.
///
/// `Dual<Double>` carries one direction through one world; `Dual<SIMD8<Double>>` one direction in each of
/// eight worlds, or eight directions of one world whose primal numbers are repeated over the lanes.
/// Comparisons look at the primal part only, so the derivative is that of the branch taken.
public struct Dual<Base: Lane>: Sendable {
  /// The number.
  public var primal: Base
  /// Its derivative.
  public var tangent: Base

  /// A number with its derivative.
  @inlinable @inline(__always) public init(primal: Base, tangent: Base) {
    self.primal = primal
    self.tangent = tangent
  }
}

extension Dual: Lane {
  /// The floating-point type of one lane.
  public typealias Scalar = Base.Scalar
  /// The mask of the number's type.
  public typealias Mask = Base.Mask

  /// Number of worlds in one value.
  @inlinable @inline(__always) public static var laneCount: Int { Base.laneCount }
  /// A constant: the derivative is zero.
  @inlinable @inline(__always) public init(_ value: Double) {
    self.init(primal: Base(value), tangent: Base(0.0))
  }
  /// A constant, the same in every lane.
  @inlinable @inline(__always) public init(broadcasting value: Scalar) {
    self.init(primal: Base(broadcasting: value), tangent: Base(0.0))
  }
  /// The primal part in one lane.
  @inlinable @inline(__always) public subscript(lane index: Int) -> Scalar {
    get { primal[lane: index] }
    set { primal[lane: index] = newValue }
  }

  /// The negative.
  @inlinable @inline(__always) public static prefix func - (a: Self) -> Self {
    Self(primal: -a.primal, tangent: -a.tangent)
  }
  /// The sum.
  @inlinable @inline(__always) public static func + (a: Self, b: Self) -> Self {
    Self(primal: a.primal + b.primal, tangent: a.tangent + b.tangent)
  }
  /// The difference.
  @inlinable @inline(__always) public static func - (a: Self, b: Self) -> Self {
    Self(primal: a.primal - b.primal, tangent: a.tangent - b.tangent)
  }
  /// The product.
  @inlinable @inline(__always) public static func * (a: Self, b: Self) -> Self {
    Self(
      primal: a.primal * b.primal,
      tangent: Base.multiplyAdd(a.primal, b.tangent, a.tangent * b.primal))
  }
  /// The quotient.
  @inlinable @inline(__always) public static func / (a: Self, b: Self) -> Self {
    let quotient = a.primal / b.primal
    return Self(primal: quotient, tangent: (a.tangent - quotient * b.tangent) / b.primal)
  }
  /// The sum.
  @inlinable @inline(__always) public static func + (a: Self, b: Double) -> Self {
    Self(primal: a.primal + b, tangent: a.tangent)
  }
  /// The difference.
  @inlinable @inline(__always) public static func - (a: Self, b: Double) -> Self {
    Self(primal: a.primal - b, tangent: a.tangent)
  }
  /// The product.
  @inlinable @inline(__always) public static func * (a: Self, b: Double) -> Self {
    Self(primal: a.primal * b, tangent: a.tangent * b)
  }
  /// The quotient.
  @inlinable @inline(__always) public static func / (a: Self, b: Double) -> Self {
    Self(primal: a.primal / b, tangent: a.tangent / b)
  }
  /// The sum.
  @inlinable @inline(__always) public static func + (a: Double, b: Self) -> Self {
    Self(primal: a + b.primal, tangent: b.tangent)
  }
  /// The difference.
  @inlinable @inline(__always) public static func - (a: Double, b: Self) -> Self {
    Self(primal: a - b.primal, tangent: -b.tangent)
  }
  /// The product.
  @inlinable @inline(__always) public static func * (a: Double, b: Self) -> Self {
    Self(primal: a * b.primal, tangent: a * b.tangent)
  }
  /// The quotient.
  @inlinable @inline(__always) public static func / (a: Double, b: Self) -> Self {
    let quotient = a / b.primal
    return Self(primal: quotient, tangent: -quotient * b.tangent / b.primal)
  }
  /// Adds in place.
  @inlinable @inline(__always) public static func += (a: inout Self, b: Self) { a = a + b }
  /// Subtracts in place.
  @inlinable @inline(__always) public static func -= (a: inout Self, b: Self) { a = a - b }
  /// Multiplies in place.
  @inlinable @inline(__always) public static func *= (a: inout Self, b: Self) { a = a * b }

  /// `a * b + c`, fused where the machine can.
  @inlinable @inline(__always) public static func multiplyAdd(_ a: Self, _ b: Self, _ c: Self) -> Self {
    Self(
      primal: Base.multiplyAdd(a.primal, b.primal, c.primal),
      tangent: Base.multiplyAdd(
        a.primal, b.tangent, Base.multiplyAdd(a.tangent, b.primal, c.tangent)))
  }
  /// `a * b + c` with a number `b` that all lanes share.
  @inlinable @inline(__always)
  public static func multiplyAdd(_ a: Self, scalar b: Scalar, _ c: Self) -> Self {
    Self(
      primal: Base.multiplyAdd(a.primal, scalar: b, c.primal),
      tangent: Base.multiplyAdd(a.tangent, scalar: b, c.tangent))
  }
  /// `a * b` with a number `b` that all lanes share.
  @inlinable @inline(__always) public static func multiply(_ a: Self, scalar b: Scalar) -> Self {
    Self(primal: Base.multiply(a.primal, scalar: b), tangent: Base.multiply(a.tangent, scalar: b))
  }

  /// The square root.
  @inlinable @inline(__always) public var squareRoot: Self {
    let root = primal.squareRoot
    return Self(primal: root, tangent: tangent / (root + root))
  }
  /// The absolute value.
  @inlinable @inline(__always) public var magnitude: Self {
    Self(
      primal: primal.magnitude, tangent: tangent.replacing(with: -tangent, where: primal .< Base(0.0)))
  }
  /// The sine of an angle in radians.
  @inlinable @inline(__always) public var sine: Self {
    Self(primal: primal.sine, tangent: tangent * primal.cosine)
  }
  /// The cosine of an angle in radians.
  @inlinable @inline(__always) public var cosine: Self {
    Self(primal: primal.cosine, tangent: -tangent * primal.sine)
  }
  /// e raised to the number.
  @inlinable @inline(__always) public var exponential: Self {
    let value = primal.exponential
    return Self(primal: value, tangent: tangent * value)
  }
  /// The logarithm to base e.
  @inlinable @inline(__always) public var naturalLogarithm: Self {
    Self(primal: primal.naturalLogarithm, tangent: tangent / primal)
  }
  /// The hyperbolic tangent.
  @inlinable @inline(__always) public var hyperbolicTangent: Self {
    let value = primal.hyperbolicTangent
    return Self(primal: value, tangent: tangent * (1.0 - value * value))
  }
  /// The angle in [0, pi] with this cosine; NaN outside [-1, 1].
  @inlinable @inline(__always) public var arcCosine: Self {
    Self(primal: primal.arcCosine, tangent: -tangent / (1.0 - primal * primal).squareRoot)
  }
  /// The angle in [-pi, pi] of the point `(x, y)`.
  @inlinable @inline(__always) public static func arcTangent(y: Self, x: Self) -> Self {
    let square = Base.multiplyAdd(x.primal, x.primal, y.primal * y.primal)
    return Self(
      primal: Base.arcTangent(y: y.primal, x: x.primal),
      tangent: (x.primal * y.tangent - y.primal * x.tangent) / square)
  }
  /// `base` raised to `exponent`; the derivative with respect to the exponent is taken as zero where it is
  /// multiplied by a zero tangent, so that a constant exponent works at base zero and below.
  @inlinable @inline(__always) public static func power(_ base: Self, _ exponent: Self) -> Self {
    let value = Base.power(base.primal, exponent.primal)
    let byBase = exponent.primal * Base.power(base.primal, exponent.primal - 1.0) * base.tangent
    let byExponent = value * base.primal.naturalLogarithm * exponent.tangent
    let constantExponent = exponent.tangent .== Base(0.0)
    let constantBase = base.tangent .== Base(0.0)
    return Self(
      primal: value,
      tangent: byBase.replacing(with: Base(0.0), where: constantBase)
        + byExponent.replacing(with: Base(0.0), where: constantExponent))
  }

  /// True where the primal part of `a` is less than that of `b`.
  @inlinable @inline(__always) public static func .< (a: Self, b: Self) -> Mask { a.primal .< b.primal }
  /// True where the primal part of `a` is at most that of `b`.
  @inlinable @inline(__always) public static func .<= (a: Self, b: Self) -> Mask { a.primal .<= b.primal }
  /// True where the primal parts are equal.
  @inlinable @inline(__always) public static func .== (a: Self, b: Self) -> Mask { a.primal .== b.primal }
  /// True where number and derivative are neither infinite nor NaN.
  @inlinable @inline(__always) public var isFinite: Mask { primal.isFinite .& tangent.isFinite }
  /// `other` where the mask is true, `self` elsewhere.
  @inlinable @inline(__always) public func replacing(with other: Self, where mask: Mask) -> Self {
    Self(
      primal: primal.replacing(with: other.primal, where: mask),
      tangent: tangent.replacing(with: other.tangent, where: mask))
  }
}
