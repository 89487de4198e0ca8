/// A quaternion `w + x i + y j + z k`; of unit length it stands for a rotation.
public struct Quaternion<L: Lane>: Sendable {
  /// The scalar part.
  public var w: L
  /// First component of the vector part.
  public var x: L
  /// Second component of the vector part.
  public var y: L
  /// Third component of the vector part.
  public var z: L

  /// A quaternion from its components.
  @inlinable @inline(__always) public init(_ w: L, _ x: L, _ y: L, _ z: L) {
    self.w = w
    self.x = x
    self.y = y
    self.z = z
  }
  /// A quaternion from its scalar and vector parts.
  @inlinable @inline(__always) public init(_ w: L, _ v: Vector3<L>) { self.init(w, v.x, v.y, v.z) }

  /// The rotation by no angle.
  @inlinable @inline(__always) public static var identity: Self { Self(L(1.0), L(0.0), L(0.0), L(0.0)) }
  /// The vector part.
  @inlinable @inline(__always) public var vector: Vector3<L> { Vector3(x, y, z) }
  /// The quaternion with the vector part negated; the inverse of a unit quaternion.
  @inlinable @inline(__always) public var conjugate: Self { Self(w, -x, -y, -z) }
  /// The squared length.
  @inlinable @inline(__always) public var normSquared: L {
    L.multiplyAdd(w, w, L.multiplyAdd(x, x, L.multiplyAdd(y, y, z * z)))
  }

  /// Hamilton product: the rotation `b` followed by the rotation `a`.
  @inlinable @inline(__always) public static func * (a: Self, b: Self) -> Self {
    let w = L.multiplyAdd(-a.y, b.y, L.multiplyAdd(-a.z, b.z, L.multiplyAdd(-a.x, b.x, a.w * b.w)))
    return Self(w, a.vector.cross(b.vector, adding: b.vector.multiplyAdd(a.w, a.vector * b.w)))
  }
  /// The quaternion divided by its length; the identity where the length is below 1e-15, as in MuJoCo.
  @inlinable @inline(__always) public var normalized: Self {
    let square = normSquared
    let degenerate = square .< L(1e-30)
    let scale = 1.0 / square.replacing(with: L(1.0), where: degenerate).squareRoot
    return Self(
      (w * scale).replacing(with: L(1.0), where: degenerate),
      (x * scale).replacing(with: L(0.0), where: degenerate),
      (y * scale).replacing(with: L(0.0), where: degenerate),
      (z * scale).replacing(with: L(0.0), where: degenerate))
  }
  /// The rotation matrix of a unit quaternion.
  @inlinable @inline(__always) public var matrix: Matrix3<L> {
    let x2 = x + x
    let y2 = y + y
    let z2 = z + z
    let xx = x * x2
    let yy = y * y2
    let zz = z * z2
    let xy = x * y2
    let xz = x * z2
    let yz = y * z2
    let wx = w * x2
    let wy = w * y2
    let wz = w * z2
    return Matrix3(
      columns: Vector3(1.0 - (yy + zz), xy + wz, xz - wy),
      Vector3(xy - wz, 1.0 - (xx + zz), yz + wx),
      Vector3(xz + wy, yz - wx, 1.0 - (xx + yy)))
  }
  /// The vector turned by a unit quaternion.
  @inlinable @inline(__always) public func rotate(_ v: Vector3<L>) -> Vector3<L> {
    let t = vector.cross(v) * L(2.0)
    return vector.cross(t, adding: t.multiplyAdd(w, v))
  }
}

extension Quaternion: Equatable where L: Equatable {}
extension Quaternion: Hashable where L: Hashable {}
extension Quaternion: Codable where L: Codable {}

extension Quaternion where L == Double {
  /// The four components, `w` first.
  @inlinable public var array: [Double] { [w, x, y, z] }
}
