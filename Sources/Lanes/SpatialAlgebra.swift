/// A spatial motion vector (velocity or acceleration of a rigid body): the angular part, and the linear part
/// of the body-fixed point that passes the reference point.
///
/// Featherstone, Rigid Body Dynamics Algorithms (2008), chapter 2; the angular part stands first.
public struct Motion<L: Lane>: Sendable {
  /// Angular velocity or acceleration.
  public var angular: Vector3<L>
  /// Linear velocity or acceleration of the point at the reference point.
  public var linear: Vector3<L>

  /// A motion vector from its parts.
  @inlinable @inline(__always) public init(angular: Vector3<L>, linear: Vector3<L>) {
    self.angular = angular
    self.linear = linear
  }
  /// No motion.
  @inlinable @inline(__always) public static var zero: Self { Self(angular: .zero, linear: .zero) }
  /// The sum.
  @inlinable @inline(__always) public static func + (a: Self, b: Self) -> Self {
    Self(angular: a.angular + b.angular, linear: a.linear + b.linear)
  }
  /// The difference.
  @inlinable @inline(__always) public static func - (a: Self, b: Self) -> Self {
    Self(angular: a.angular - b.angular, linear: a.linear - b.linear)
  }
  /// The opposite motion.
  @inlinable @inline(__always) public static prefix func - (a: Self) -> Self {
    Self(angular: -a.angular, linear: -a.linear)
  }
  /// Adds in place.
  @inlinable @inline(__always) public static func += (a: inout Self, b: Self) { a = a + b }
  /// The vector times a number.
  @inlinable @inline(__always) public static func * (a: Self, s: L) -> Self {
    Self(angular: a.angular * s, linear: a.linear * s)
  }
  /// `self * s + b`.
  @inlinable @inline(__always) public func multiplyAdd(_ s: L, _ b: Self) -> Self {
    Self(angular: angular.multiplyAdd(s, b.angular), linear: linear.multiplyAdd(s, b.linear))
  }
  /// Power: the scalar product with a force vector about the same reference point.
  @inlinable @inline(__always) public func dot(_ f: Force<L>) -> L {
    angular.dot(f.angular, adding: linear.dot(f.linear))
  }
  /// `self x m`: rate of change of a motion vector carried along by `self`.
  @inlinable @inline(__always) public func cross(_ m: Self) -> Self {
    Self(
      angular: angular.cross(m.angular),
      linear: angular.cross(m.linear, adding: linear.cross(m.angular)))
  }
  /// `self x* f`: rate of change of a force vector carried along by `self`;
  /// the negative transpose of ``cross(_:)-(Motion<L>)``.
  @inlinable @inline(__always) public func cross(_ f: Force<L>) -> Force<L> {
    Force(
      angular: angular.cross(f.angular, adding: linear.cross(f.linear)),
      linear: angular.cross(f.linear))
  }
}

/// A spatial force vector: torque about the reference point, and force. Also the type of cotangents of
/// ``Motion`` and of momenta.
public struct Force<L: Lane>: Sendable {
  /// Torque about the reference point.
  public var angular: Vector3<L>
  /// Force.
  public var linear: Vector3<L>

  /// A force vector from its parts.
  @inlinable @inline(__always) public init(angular: Vector3<L>, linear: Vector3<L>) {
    self.angular = angular
    self.linear = linear
  }
  /// No force.
  @inlinable @inline(__always) public static var zero: Self { Self(angular: .zero, linear: .zero) }
  /// The sum.
  @inlinable @inline(__always) public static func + (a: Self, b: Self) -> Self {
    Self(angular: a.angular + b.angular, linear: a.linear + b.linear)
  }
  /// The difference.
  @inlinable @inline(__always) public static func - (a: Self, b: Self) -> Self {
    Self(angular: a.angular - b.angular, linear: a.linear - b.linear)
  }
  /// Adds in place.
  @inlinable @inline(__always) public static func += (a: inout Self, b: Self) { a = a + b }
  /// The vector times a number.
  @inlinable @inline(__always) public static func * (a: Self, s: L) -> Self {
    Self(angular: a.angular * s, linear: a.linear * s)
  }
  /// `self * s + b`.
  @inlinable @inline(__always) public func multiplyAdd(_ s: L, _ b: Self) -> Self {
    Self(angular: angular.multiplyAdd(s, b.angular), linear: linear.multiplyAdd(s, b.linear))
  }
}

/// A symmetric 3x3 matrix.
public struct SymmetricMatrix3<L: Lane>: Sendable {
  /// Entry in the first row and first column.
  public var xx: L
  /// Entry in the second row and second column.
  public var yy: L
  /// Entry in the third row and third column.
  public var zz: L
  /// Entry in the first row and second column.
  public var xy: L
  /// Entry in the first row and third column.
  public var xz: L
  /// Entry in the second row and third column.
  public var yz: L

  /// A matrix from its six different entries.
  @inlinable @inline(__always) public init(xx: L, yy: L, zz: L, xy: L, xz: L, yz: L) {
    self.xx = xx
    self.yy = yy
    self.zz = zz
    self.xy = xy
    self.xz = xz
    self.yz = yz
  }
  /// The matrix of zeros.
  @inlinable @inline(__always) public static var zero: Self {
    Self(xx: L(0.0), yy: L(0.0), zz: L(0.0), xy: L(0.0), xz: L(0.0), yz: L(0.0))
  }
  /// The sum.
  @inlinable @inline(__always) public static func + (a: Self, b: Self) -> Self {
    Self(
      xx: a.xx + b.xx, yy: a.yy + b.yy, zz: a.zz + b.zz, xy: a.xy + b.xy, xz: a.xz + b.xz, yz: a.yz + b.yz)
  }
  /// Matrix times vector.
  @inlinable @inline(__always) public static func * (a: Self, v: Vector3<L>) -> Vector3<L> {
    Vector3(
      L.multiplyAdd(a.xx, v.x, L.multiplyAdd(a.xy, v.y, a.xz * v.z)),
      L.multiplyAdd(a.xy, v.x, L.multiplyAdd(a.yy, v.y, a.yz * v.z)),
      L.multiplyAdd(a.xz, v.x, L.multiplyAdd(a.yz, v.y, a.zz * v.z)))
  }
  /// The matrix plus `scale * v vᵀ`.
  @inlinable @inline(__always) public func adding(outerProductOf v: Vector3<L>, scale: L) -> Self {
    let w = v * scale
    return Self(
      xx: L.multiplyAdd(w.x, v.x, xx), yy: L.multiplyAdd(w.y, v.y, yy), zz: L.multiplyAdd(w.z, v.z, zz),
      xy: L.multiplyAdd(w.x, v.y, xy), xz: L.multiplyAdd(w.x, v.z, xz), yz: L.multiplyAdd(w.y, v.z, yz))
  }
}

/// Inertia of a rigid body, or of several moving as one, about the reference point, in world axes.
public struct RigidInertia<L: Lane>: Sendable {
  /// Mass.
  public var mass: L
  /// Mass times the vector from the reference point to the centre of mass.
  public var firstMoment: Vector3<L>
  /// Rotational inertia about the reference point.
  public var rotational: SymmetricMatrix3<L>

  /// An inertia from its parts.
  @inlinable @inline(__always)
  public init(mass: L, firstMoment: Vector3<L>, rotational: SymmetricMatrix3<L>) {
    self.mass = mass
    self.firstMoment = firstMoment
    self.rotational = rotational
  }
  /// No inertia.
  @inlinable @inline(__always) public static var zero: Self {
    Self(mass: L(0.0), firstMoment: .zero, rotational: .zero)
  }
  /// The inertia of two bodies that move as one.
  @inlinable @inline(__always) public static func + (a: Self, b: Self) -> Self {
    Self(
      mass: a.mass + b.mass, firstMoment: a.firstMoment + b.firstMoment,
      rotational: a.rotational + b.rotational)
  }
  /// Adds in place.
  @inlinable @inline(__always) public static func += (a: inout Self, b: Self) { a = a + b }
  /// Momentum of a motion, or force of an acceleration.
  @inlinable @inline(__always) public static func * (a: Self, m: Motion<L>) -> Force<L> {
    Force(
      angular: a.firstMoment.cross(m.linear, adding: a.rotational * m.angular),
      linear: m.angular.cross(a.firstMoment, adding: m.linear * a.mass))
  }
  /// The inertia of a body of `mass` whose centre of mass lies at `offset` from the reference point and whose
  /// rotational inertia about that centre is `central`, in world axes.
  @inlinable @inline(__always)
  public init(mass: L, offset: Vector3<L>, central: SymmetricMatrix3<L>) {
    let h = offset * mass
    let xx = h.x * offset.x
    let yy = h.y * offset.y
    let zz = h.z * offset.z
    self.init(
      mass: mass, firstMoment: h,
      rotational: SymmetricMatrix3(
        xx: central.xx + (yy + zz), yy: central.yy + (xx + zz), zz: central.zz + (xx + yy),
        xy: central.xy - h.x * offset.y, xz: central.xz - h.x * offset.z,
        yz: central.yz - h.y * offset.z))
  }
}
