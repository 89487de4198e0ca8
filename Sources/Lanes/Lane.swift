/// Truth values of a lane group: the result of comparing two ``Lane`` values.
public protocol LaneMask {
  /// The same value in every lane.
  init(repeating value: Bool)
  static func .& (a: Self, b: Self) -> Self
  static func .| (a: Self, b: Self) -> Self
  static prefix func .! (a: Self) -> Self
  /// True if at least one lane is true.
  var anyTrue: Bool { get }
  /// True if every lane is true.
  var allTrue: Bool { get }
  /// The value in one lane.
  subscript(lane index: Int) -> Bool { get set }
}

/// A scalar that a kernel computes with: one number, or one number for each of several worlds.
///
/// A numeric kernel is written once, generic over `Lane`, and runs as `Double` (one world, lowest
/// latency), as `SIMD8<Double>` or `SIMD16<Float>` (eight or sixteen worlds in one pass), or as
/// ``Dual`` of these where a forward derivative is wanted. Branches on data are comparisons that give a
/// ``LaneMask`` and selections with ``replacing(with:where:)``.
///
/// Arithmetic with `Double` literals has overloads of its own, because the type checker needs
/// exponential time to find them through literal conversion in generic code.
public protocol Lane: Sendable {
  /// The floating-point type of one lane.
  associatedtype Scalar: BinaryFloatingPoint & SIMDScalar & Sendable
  associatedtype Mask: LaneMask

  /// Number of worlds in one value.
  static var laneCount: Int { get }

  /// The same number in every lane (with zero derivative for ``Dual``).
  init(_ value: Double)
  /// The same number in every lane (with zero derivative for ``Dual``).
  init(broadcasting value: Scalar)
  /// The number (for ``Dual``, its primal part) in one lane.
  subscript(lane index: Int) -> Scalar { get set }

  static prefix func - (a: Self) -> Self
  static func + (a: Self, b: Self) -> Self
  static func - (a: Self, b: Self) -> Self
  static func * (a: Self, b: Self) -> Self
  static func / (a: Self, b: Self) -> Self
  static func + (a: Self, b: Double) -> Self
  static func - (a: Self, b: Double) -> Self
  static func * (a: Self, b: Double) -> Self
  static func / (a: Self, b: Double) -> Self
  static func + (a: Double, b: Self) -> Self
  static func - (a: Double, b: Self) -> Self
  static func * (a: Double, b: Self) -> Self
  static func / (a: Double, b: Self) -> Self
  static func += (a: inout Self, b: Self)
  static func -= (a: inout Self, b: Self)
  static func *= (a: inout Self, b: Self)

  /// `a * b + c`, fused where the machine can.
  static func multiplyAdd(_ a: Self, _ b: Self, _ c: Self) -> Self
  /// `a * b + c` with a number `b` that all lanes share.
  static func multiplyAdd(_ a: Self, scalar b: Scalar, _ c: Self) -> Self
  /// `a * b` with a number `b` that all lanes share.
  static func multiply(_ a: Self, scalar b: Scalar) -> Self

  var squareRoot: Self { get }
  var magnitude: Self { get }
  var sine: Self { get }
  var cosine: Self { get }
  var exponential: Self { get }
  var naturalLogarithm: Self { get }
  var hyperbolicTangent: Self { get }
  var arcCosine: Self { get }
  static func arcTangent(y: Self, x: Self) -> Self
  static func power(_ base: Self, _ exponent: Self) -> Self

  static func .< (a: Self, b: Self) -> Mask
  static func .<= (a: Self, b: Self) -> Mask
  static func .== (a: Self, b: Self) -> Mask
  /// True where the number is neither infinite nor NaN (and, for ``Dual``, its derivative too).
  var isFinite: Mask { get }
  /// `other` where the mask is true, `self` elsewhere.
  func replacing(with other: Self, where mask: Mask) -> Self
}

extension Lane {
  /// Zero in every lane.
  @inlinable @inline(__always) public static var zero: Self { Self(0.0) }
  /// One in every lane.
  @inlinable @inline(__always) public static var one: Self { Self(1.0) }

  /// True where `a` is greater than `b`.
  @inlinable @inline(__always) public static func .> (a: Self, b: Self) -> Mask { b .< a }
  /// True where `a` is at least `b`.
  @inlinable @inline(__always) public static func .>= (a: Self, b: Self) -> Mask { b .<= a }

  /// The smaller of two numbers, lane by lane; `a` where either is NaN.
  @inlinable @inline(__always) public static func minimum(_ a: Self, _ b: Self) -> Self {
    a.replacing(with: b, where: b .< a)
  }
  /// The larger of two numbers, lane by lane; `a` where either is NaN.
  @inlinable @inline(__always) public static func maximum(_ a: Self, _ b: Self) -> Self {
    a.replacing(with: b, where: a .< b)
  }
  /// The number limited to `[lower, upper]`.
  @inlinable @inline(__always) public func clamped(_ lower: Self, _ upper: Self) -> Self {
    Self.minimum(Self.maximum(self, lower), upper)
  }
  /// The number times itself.
  @inlinable @inline(__always) public var squared: Self { self * self }
}

/// Chooses lane by lane: `a` where the mask is true, `b` elsewhere.
@inlinable @inline(__always)
public func select<L: Lane>(_ mask: L.Mask, _ a: L, _ b: L) -> L { b.replacing(with: a, where: mask) }

/// `a * b + c`, fused where the machine can.
@inlinable @inline(__always)
public func multiplyAdd<L: Lane>(_ a: L, _ b: L, _ c: L) -> L { L.multiplyAdd(a, b, c) }
