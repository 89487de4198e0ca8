/// A number and its derivative in one direction: forward-mode differentiation of a kernel.
///
/// `Dual<Double>` carries one direction through one world; `Dual<SIMD8<Double>>` one direction in each of
/// eight worlds, or eight directions of one world whose primal numbers are repeated over the lanes.
/// Comparisons look at the primal part only, so the derivative is that of the branch taken.
public struct Dual<Base: Lane>: Sendable {
  public var primal: Base
  public var tangent: Base

  @inlinable @inline(__always) public init(primal: Base, tangent: Base) {
    self.primal = primal
    self.tangent = tangent
  }
}

extension Dual: Lane {
  public typealias Scalar = Base.Scalar
  public typealias Mask = Base.Mask

  @inlinable @inline(__always) public static var laneCount: Int { Base.laneCount }
  @inlinable @inline(__always) public init(_ value: Double) {
    self.init(primal: Base(value), tangent: Base(0.0))
  }
  @inlinable @inline(__always) public init(broadcasting value: Scalar) {
    self.init(primal: Base(broadcasting: value), tangent: Base(0.0))
  }
  @inlinable @inline(__always) public subscript(lane index: Int) -> Scalar {
    get { primal[lane: index] }
    set { primal[lane: index] = newValue }
  }

  @inlinable @inline(__always) public static prefix func - (a: Self) -> Self {
    Self(primal: -a.primal, tangent: -a.tangent)
  }
  @inlinable @inline(__always) public static func + (a: Self, b: Self) -> Self {
    Self(primal: a.primal + b.primal, tangent: a.tangent + b.tangent)
  }
  @inlinable @inline(__always) public static func - (a: Self, b: Self) -> Self {
    Self(primal: a.primal - b.primal, tangent: a.tangent - b.tangent)
  }
  @inlinable @inline(__always) public static func * (a: Self, b: Self) -> Self {
    Self(
      primal: a.primal * b.primal,
      tangent: Base.multiplyAdd(a.primal, b.tangent, a.tangent * b.primal))
  }
  @inlinable @inline(__always) public static func / (a: Self, b: Self) -> Self {
    let quotient = a.primal / b.primal
    return Self(primal: quotient, tangent: (a.tangent - quotient * b.tangent) / b.primal)
  }
  @inlinable @inline(__always) public static func + (a: Self, b: Double) -> Self {
    Self(primal: a.primal + b, tangent: a.tangent)
  }
  @inlinable @inline(__always) public static func - (a: Self, b: Double) -> Self {
    Self(primal: a.primal - b, tangent: a.tangent)
  }
  @inlinable @inline(__always) public static func * (a: Self, b: Double) -> Self {
    Self(primal: a.primal * b, tangent: a.tangent * b)
  }
  @inlinable @inline(__always) public static func / (a: Self, b: Double) -> Self {
    Self(primal: a.primal / b, tangent: a.tangent / b)
  }
  @inlinable @inline(__always) public static func + (a: Double, b: Self) -> Self {
    Self(primal: a + b.primal, tangent: b.tangent)
  }
  @inlinable @inline(__always) public static func - (a: Double, b: Self) -> Self {
    Self(primal: a - b.primal, tangent: -b.tangent)
  }
  @inlinable @inline(__always) public static func * (a: Double, b: Self) -> Self {
    Self(primal: a * b.primal, tangent: a * b.tangent)
  }
  @inlinable @inline(__always) public static func / (a: Double, b: Self) -> Self {
    let quotient = a / b.primal
    return Self(primal: quotient, tangent: -quotient * b.tangent / b.primal)
  }
  @inlinable @inline(__always) public static func += (a: inout Self, b: Self) { a = a + b }
  @inlinable @inline(__always) public static func -= (a: inout Self, b: Self) { a = a - b }
  @inlinable @inline(__always) public static func *= (a: inout Self, b: Self) { a = a * b }

  @inlinable @inline(__always) public static func multiplyAdd(_ a: Self, _ b: Self, _ c: Self) -> Self {
    Self(
      primal: Base.multiplyAdd(a.primal, b.primal, c.primal),
      tangent: Base.multiplyAdd(
        a.primal, b.tangent, Base.multiplyAdd(a.tangent, b.primal, c.tangent)))
  }
  @inlinable @inline(__always)
  public static func multiplyAdd(_ a: Self, scalar b: Scalar, _ c: Self) -> Self {
    Self(
      primal: Base.multiplyAdd(a.primal, scalar: b, c.primal),
      tangent: Base.multiplyAdd(a.tangent, scalar: b, c.tangent))
  }
  @inlinable @inline(__always) public static func multiply(_ a: Self, scalar b: Scalar) -> Self {
    Self(primal: Base.multiply(a.primal, scalar: b), tangent: Base.multiply(a.tangent, scalar: b))
  }

  @inlinable @inline(__always) public var squareRoot: Self {
    let root = primal.squareRoot
    return Self(primal: root, tangent: tangent / (root + root))
  }
  @inlinable @inline(__always) public var magnitude: Self {
    replacing(with: -self, where: primal .< Base(0.0))
  }
  @inlinable @inline(__always) public var sine: Self {
    Self(primal: primal.sine, tangent: tangent * primal.cosine)
  }
  @inlinable @inline(__always) public var cosine: Self {
    Self(primal: primal.cosine, tangent: -tangent * primal.sine)
  }
  @inlinable @inline(__always) public var exponential: Self {
    let value = primal.exponential
    return Self(primal: value, tangent: tangent * value)
  }
  @inlinable @inline(__always) public var naturalLogarithm: Self {
    Self(primal: primal.naturalLogarithm, tangent: tangent / primal)
  }
  @inlinable @inline(__always) public var hyperbolicTangent: Self {
    let value = primal.hyperbolicTangent
    return Self(primal: value, tangent: tangent * (1.0 - value * value))
  }
  @inlinable @inline(__always) public var arcCosine: Self {
    Self(primal: primal.arcCosine, tangent: -tangent / (1.0 - primal * primal).squareRoot)
  }
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

  @inlinable @inline(__always) public static func .< (a: Self, b: Self) -> Mask { a.primal .< b.primal }
  @inlinable @inline(__always) public static func .<= (a: Self, b: Self) -> Mask { a.primal .<= b.primal }
  @inlinable @inline(__always) public static func .== (a: Self, b: Self) -> Mask { a.primal .== b.primal }
  @inlinable @inline(__always) public var isFinite: Mask { primal.isFinite .& tangent.isFinite }
  @inlinable @inline(__always) public func replacing(with other: Self, where mask: Mask) -> Self {
    Self(
      primal: primal.replacing(with: other.primal, where: mask),
      tangent: tangent.replacing(with: other.tangent, where: mask))
  }
}
