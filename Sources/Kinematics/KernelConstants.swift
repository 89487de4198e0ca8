public import Lanes

/// Three numbers that all worlds share.
public struct Constant3<Scalar: Sendable>: Sendable {
  public var x: Scalar
  public var y: Scalar
  public var z: Scalar
  @inlinable @inline(__always) public init(_ x: Scalar, _ y: Scalar, _ z: Scalar) {
    self.x = x
    self.y = y
    self.z = z
  }
  @inlinable public init(_ v: Vector3<Double>) where Scalar: BinaryFloatingPoint {
    self.init(Scalar(v.x), Scalar(v.y), Scalar(v.z))
  }
}

/// Nine numbers that all worlds share: the columns of a 3x3 matrix.
public struct Constant9<Scalar: Sendable>: Sendable {
  public var column0: Constant3<Scalar>
  public var column1: Constant3<Scalar>
  public var column2: Constant3<Scalar>
  @inlinable public init(_ m: Matrix3<Double>) where Scalar: BinaryFloatingPoint {
    column0 = Constant3(m.column0)
    column1 = Constant3(m.column1)
    column2 = Constant3(m.column2)
  }
}

/// A symmetric 3x3 matrix that all worlds share.
public struct Constant6<Scalar: Sendable>: Sendable {
  public var xx: Scalar
  public var yy: Scalar
  public var zz: Scalar
  public var xy: Scalar
  public var xz: Scalar
  public var yz: Scalar
  /// The upper triangle of a matrix.
  @inlinable public init(_ m: Matrix3<Double>) where Scalar: BinaryFloatingPoint {
    xx = Scalar(m.column0.x)
    yy = Scalar(m.column1.y)
    zz = Scalar(m.column2.z)
    xy = Scalar(m.column1.x)
    xz = Scalar(m.column2.x)
    yz = Scalar(m.column2.y)
  }
}

extension Vector3 {
  /// The same vector in every lane.
  @inlinable @inline(__always) public init(broadcasting c: Constant3<L.Scalar>) {
    self.init(L(broadcasting: c.x), L(broadcasting: c.y), L(broadcasting: c.z))
  }
}

extension Matrix3 {
  /// The same matrix in every lane.
  @inlinable @inline(__always) public init(broadcasting c: Constant9<L.Scalar>) {
    self.init(
      columns: Vector3(broadcasting: c.column0), Vector3(broadcasting: c.column1),
      Vector3(broadcasting: c.column2))
  }
}
