/// Inertia that a body shows at a reference point when others hang on it by joints that move freely: a symmetric
/// 6x6 matrix that is no longer that of a rigid body.
///
/// With the angular part first the matrix is `[rotational, coupling; couplingᵀ, linear]`; it maps an
/// acceleration to the force that causes it. Featherstone, Rigid Body Dynamics Algorithms (2008), chapter 7.
public struct ArticulatedInertia<L: Lane>: Sendable {
  /// Torque caused by angular acceleration.
  public var rotational: SymmetricMatrix3<L>
  /// Torque caused by linear acceleration; transposed, force caused by angular acceleration.
  public var coupling: Matrix3<L>
  /// Force caused by linear acceleration.
  public var linear: SymmetricMatrix3<L>

  /// The matrix with the given blocks.
  @inlinable @inline(__always)
  public init(rotational: SymmetricMatrix3<L>, coupling: Matrix3<L>, linear: SymmetricMatrix3<L>) {
    self.rotational = rotational
    self.coupling = coupling
    self.linear = linear
  }

  /// The inertia of a rigid body with nothing attached.
  @inlinable @inline(__always) public init(_ rigid: RigidInertia<L>) {
    let zero = L(0.0)
    let h = rigid.firstMoment
    self.init(
      rotational: rigid.rotational,
      coupling: Matrix3(
        columns: Vector3(zero, h.z, -h.y), Vector3(-h.z, zero, h.x), Vector3(h.y, -h.x, zero)),
      linear: SymmetricMatrix3(
        xx: rigid.mass, yy: rigid.mass, zz: rigid.mass, xy: zero, xz: zero, yz: zero))
  }

  /// No inertia.
  @inlinable @inline(__always) public static var zero: Self {
    Self(rotational: .zero, coupling: .zero, linear: .zero)
  }
  /// The inertia of two bodies that move as one.
  @inlinable @inline(__always) public static func + (a: Self, b: Self) -> Self {
    Self(
      rotational: a.rotational + b.rotational, coupling: a.coupling + b.coupling,
      linear: a.linear + b.linear)
  }
  /// Adds the inertia of another body that moves with this one.
  @inlinable @inline(__always) public static func += (a: inout Self, b: Self) { a = a + b }

  /// Force of an acceleration.
  @inlinable @inline(__always) public static func * (a: Self, m: Motion<L>) -> Force<L> {
    Force(
      angular: a.coupling.multiplyAdd(m.linear, a.rotational * m.angular),
      linear: a.coupling.transposedTimes(m.angular, adding: a.linear * m.linear))
  }

  /// The matrix plus `scale * f fᵀ`. A joint about `s` that moves freely takes `U = I s` with the scale
  /// `-1 / (s · U)` off the inertia that its parent sees.
  @inlinable @inline(__always) public func adding(outerProductOf f: Force<L>, scale: L) -> Self {
    let scaledAngular = f.angular * scale
    return Self(
      rotational: rotational.adding(outerProductOf: f.angular, scale: scale),
      coupling: Matrix3(
        columns: scaledAngular.multiplyAdd(f.linear.x, coupling.column0),
        scaledAngular.multiplyAdd(f.linear.y, coupling.column1),
        scaledAngular.multiplyAdd(f.linear.z, coupling.column2)),
      linear: linear.adding(outerProductOf: f.linear, scale: scale))
  }
}
