/// A vector with three components.
public struct Vector3<L: Lane>: Sendable {
  /// First component.
  public var x: L
  /// Second component.
  public var y: L
  /// Third component.
  public var z: L

  /// A vector from its components.
  @inlinable @inline(__always) public init(_ x: L, _ y: L, _ z: L) {
    self.x = x
    self.y = y
    self.z = z
  }

  /// The vector of length zero.
  @inlinable @inline(__always) public static var zero: Self { Self(L(0.0), L(0.0), L(0.0)) }

  /// The opposite vector.
  @inlinable @inline(__always) public static prefix func - (a: Self) -> Self { Self(-a.x, -a.y, -a.z) }
  /// The sum.
  @inlinable @inline(__always) public static func + (a: Self, b: Self) -> Self {
    Self(a.x + b.x, a.y + b.y, a.z + b.z)
  }
  /// The difference.
  @inlinable @inline(__always) public static func - (a: Self, b: Self) -> Self {
    Self(a.x - b.x, a.y - b.y, a.z - b.z)
  }
  /// The vector times a number.
  @inlinable @inline(__always) public static func * (a: Self, s: L) -> Self {
    Self(a.x * s, a.y * s, a.z * s)
  }
  /// The vector times a number.
  @inlinable @inline(__always) public static func * (s: L, a: Self) -> Self {
    Self(a.x * s, a.y * s, a.z * s)
  }
  /// Adds in place.
  @inlinable @inline(__always) public static func += (a: inout Self, b: Self) { a = a + b }
  /// Subtracts in place.
  @inlinable @inline(__always) public static func -= (a: inout Self, b: Self) { a = a - b }

  /// Scalar product.
  @inlinable @inline(__always) public func dot(_ b: Self) -> L {
    L.multiplyAdd(z, b.z, L.multiplyAdd(y, b.y, x * b.x))
  }
  /// Scalar product, plus `c`.
  @inlinable @inline(__always) public func dot(_ b: Self, adding c: L) -> L {
    L.multiplyAdd(z, b.z, L.multiplyAdd(y, b.y, L.multiplyAdd(x, b.x, c)))
  }
  /// Vector product.
  @inlinable @inline(__always) public func cross(_ b: Self) -> Self {
    Self(
      L.multiplyAdd(y, b.z, -(z * b.y)),
      L.multiplyAdd(z, b.x, -(x * b.z)),
      L.multiplyAdd(x, b.y, -(y * b.x)))
  }
  /// `self x b + c`.
  @inlinable @inline(__always) public func cross(_ b: Self, adding c: Self) -> Self {
    Self(
      L.multiplyAdd(y, b.z, L.multiplyAdd(-z, b.y, c.x)),
      L.multiplyAdd(z, b.x, L.multiplyAdd(-x, b.z, c.y)),
      L.multiplyAdd(x, b.y, L.multiplyAdd(-y, b.x, c.z)))
  }
  /// `self * s + b`, component by component.
  @inlinable @inline(__always) public func multiplyAdd(_ s: L, _ b: Self) -> Self {
    Self(L.multiplyAdd(x, s, b.x), L.multiplyAdd(y, s, b.y), L.multiplyAdd(z, s, b.z))
  }
  /// The squared length.
  @inlinable @inline(__always) public var normSquared: L { dot(self) }
  /// The length.
  @inlinable @inline(__always) public var norm: L { dot(self).squareRoot }

  /// The vector with `other`'s components where the mask is true.
  @inlinable @inline(__always) public func replacing(with other: Self, where mask: L.Mask) -> Self {
    Self(
      x.replacing(with: other.x, where: mask), y.replacing(with: other.y, where: mask),
      z.replacing(with: other.z, where: mask))
  }
}

extension Vector3: Equatable where L: Equatable {}
extension Vector3: Hashable where L: Hashable {}
extension Vector3: Codable where L: Codable {}

extension Vector3 where L == Double {
  /// Component 0, 1 or 2.
  @inlinable public subscript(index: Int) -> Double {
    get {
      precondition((0..<3).contains(index), "a 3-vector has components 0, 1 and 2")
      return index == 0 ? x : index == 1 ? y : z
    }
    set {
      precondition((0..<3).contains(index), "a 3-vector has components 0, 1 and 2")
      if index == 0 { x = newValue } else if index == 1 { y = newValue } else { z = newValue }
    }
  }
  /// The three components.
  @inlinable public var array: [Double] { [x, y, z] }
  /// True if no component is infinite or NaN.
  @inlinable public var isFinite: Bool { x.isFinite && y.isFinite && z.isFinite }
  /// The vector divided by a number.
  @inlinable public static func / (a: Self, s: Double) -> Self { Self(a.x / s, a.y / s, a.z / s) }
}
