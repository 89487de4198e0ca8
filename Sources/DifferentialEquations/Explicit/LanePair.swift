public import Lanes

/// Two lane groups side by side, as one value of twice the lanes: what is compiled for it does two independent things at a time.
@usableFromInline @frozen
struct LanePair<L: Lane>: Lane {
  @usableFromInline var first: L
  @usableFromInline var second: L

  @usableFromInline @frozen
  struct Mask: LaneMask {
    @usableFromInline var first: L.Mask
    @usableFromInline var second: L.Mask
    @inlinable @inline(__always) init(_ first: L.Mask, _ second: L.Mask) {
      self.first = first
      self.second = second
    }
    @inlinable @inline(__always) init(repeating value: Bool) {
      self.init(L.Mask(repeating: value), L.Mask(repeating: value))
    }
    @inlinable @inline(__always) static func .& (a: Self, b: Self) -> Self {
      Self(a.first .& b.first, a.second .& b.second)
    }
    @inlinable @inline(__always) static func .| (a: Self, b: Self) -> Self {
      Self(a.first .| b.first, a.second .| b.second)
    }
    @inlinable @inline(__always) static prefix func .! (a: Self) -> Self { Self(.!a.first, .!a.second) }
    @inlinable @inline(__always) var anyTrue: Bool { first.anyTrue || second.anyTrue }
    @inlinable @inline(__always) var allTrue: Bool { first.allTrue && second.allTrue }
    @inlinable subscript(lane index: Int) -> Bool {
      get { index < L.laneCount ? first[lane: index] : second[lane: index - L.laneCount] }
      set {
        if index < L.laneCount {
          first[lane: index] = newValue
        } else {
          second[lane: index - L.laneCount] = newValue
        }
      }
    }
  }

  @inlinable static var laneCount: Int { 2 * L.laneCount }
  @inlinable @inline(__always) init(_ first: L, _ second: L) {
    self.first = first
    self.second = second
  }
  @inlinable @inline(__always) init(_ value: Double) { self.init(L(value), L(value)) }
  @inlinable @inline(__always) init(broadcasting value: L.Scalar) {
    self.init(L(broadcasting: value), L(broadcasting: value))
  }
  @inlinable subscript(lane index: Int) -> L.Scalar {
    get { index < L.laneCount ? first[lane: index] : second[lane: index - L.laneCount] }
    set {
      if index < L.laneCount {
        first[lane: index] = newValue
      } else {
        second[lane: index - L.laneCount] = newValue
      }
    }
  }

  /// The same of both.
  @inlinable @inline(__always) func map(_ body: (L) -> L) -> Self { Self(body(first), body(second)) }
  @inlinable @inline(__always) func map(_ other: Self, _ body: (L, L) -> L) -> Self {
    Self(body(first, other.first), body(second, other.second))
  }
  @inlinable @inline(__always) func compare(_ other: Self, _ body: (L, L) -> L.Mask) -> Mask {
    Mask(body(first, other.first), body(second, other.second))
  }

  @inlinable @inline(__always) static prefix func - (a: Self) -> Self { a.map { -$0 } }
  @inlinable @inline(__always) static func + (a: Self, b: Self) -> Self { a.map(b) { $0 + $1 } }
  @inlinable @inline(__always) static func - (a: Self, b: Self) -> Self { a.map(b) { $0 - $1 } }
  @inlinable @inline(__always) static func * (a: Self, b: Self) -> Self { a.map(b) { $0 * $1 } }
  @inlinable @inline(__always) static func / (a: Self, b: Self) -> Self { a.map(b) { $0 / $1 } }
  @inlinable @inline(__always) static func + (a: Self, b: Double) -> Self { a.map { $0 + b } }
  @inlinable @inline(__always) static func - (a: Self, b: Double) -> Self { a.map { $0 - b } }
  @inlinable @inline(__always) static func * (a: Self, b: Double) -> Self { a.map { $0 * b } }
  @inlinable @inline(__always) static func / (a: Self, b: Double) -> Self { a.map { $0 / b } }
  @inlinable @inline(__always) static func + (a: Double, b: Self) -> Self { b.map { a + $0 } }
  @inlinable @inline(__always) static func - (a: Double, b: Self) -> Self { b.map { a - $0 } }
  @inlinable @inline(__always) static func * (a: Double, b: Self) -> Self { b.map { a * $0 } }
  @inlinable @inline(__always) static func / (a: Double, b: Self) -> Self { b.map { a / $0 } }
  @inlinable @inline(__always) static func += (a: inout Self, b: Self) { a = a + b }
  @inlinable @inline(__always) static func -= (a: inout Self, b: Self) { a = a - b }
  @inlinable @inline(__always) static func *= (a: inout Self, b: Self) { a = a * b }
  @inlinable @inline(__always) static func multiplyAdd(_ a: Self, _ b: Self, _ c: Self) -> Self {
    Self(L.multiplyAdd(a.first, b.first, c.first), L.multiplyAdd(a.second, b.second, c.second))
  }
  @inlinable @inline(__always) static func multiplyAdd(_ a: Self, scalar b: L.Scalar, _ c: Self) -> Self {
    Self(L.multiplyAdd(a.first, scalar: b, c.first), L.multiplyAdd(a.second, scalar: b, c.second))
  }
  @inlinable @inline(__always) static func multiply(_ a: Self, scalar b: L.Scalar) -> Self {
    a.map { L.multiply($0, scalar: b) }
  }
  @inlinable @inline(__always) var squareRoot: Self { map(\.squareRoot) }
  @inlinable @inline(__always) var magnitude: Self { map(\.magnitude) }
  @inlinable @inline(__always) var sine: Self { map(\.sine) }
  @inlinable @inline(__always) var cosine: Self { map(\.cosine) }
  @inlinable @inline(__always) var exponential: Self { map(\.exponential) }
  @inlinable @inline(__always) var naturalLogarithm: Self { map(\.naturalLogarithm) }
  @inlinable @inline(__always) var hyperbolicTangent: Self { map(\.hyperbolicTangent) }
  @inlinable @inline(__always) var arcCosine: Self { map(\.arcCosine) }
  @inlinable @inline(__always) static func arcTangent(y: Self, x: Self) -> Self {
    y.map(x) { L.arcTangent(y: $0, x: $1) }
  }
  @inlinable @inline(__always) static func power(_ base: Self, _ exponent: Self) -> Self {
    base.map(exponent) { L.power($0, $1) }
  }
  @inlinable @inline(__always) static func .< (a: Self, b: Self) -> Mask { a.compare(b) { $0 .< $1 } }
  @inlinable @inline(__always) static func .<= (a: Self, b: Self) -> Mask { a.compare(b) { $0 .<= $1 } }
  @inlinable @inline(__always) static func .== (a: Self, b: Self) -> Mask { a.compare(b) { $0 .== $1 } }
  @inlinable @inline(__always) var isFinite: Mask { Mask(first.isFinite, second.isFinite) }
  @inlinable @inline(__always) func replacing(with other: Self, where mask: Mask) -> Self {
    Self(
      first.replacing(with: other.first, where: mask.first),
      second.replacing(with: other.second, where: mask.second))
  }
}
