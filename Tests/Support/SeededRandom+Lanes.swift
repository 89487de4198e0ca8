public import Lanes

extension SeededRandom {
  /// A finite number of either sign, every exponent (subnormals included) equally likely.
  public mutating func finiteNumber<F: BinaryFloatingPoint>(_ type: F.Type) -> F
  where F.RawSignificand: FixedWidthInteger {
    let exponents = (1 << F.exponentBitCount) - 1
    let raw = next()
    let exponent = F.RawExponent(Int(raw >> 32) % exponents)
    let significand = F.RawSignificand(truncatingIfNeeded: next()) & ((1 << F.significandBitCount) - 1)
    return F(
      sign: raw & 1 == 0 ? .plus : .minus, exponentBitPattern: exponent, significandBitPattern: significand)
  }

  /// A lane group whose lanes differ.
  public mutating func lanes<L: Lane>(_ type: L.Type = L.self, in range: ClosedRange<Double> = -1...1) -> L {
    var value = L(0.0)
    for lane in 0..<L.laneCount { value[lane: lane] = L.Scalar(uniform(range.lowerBound, range.upperBound)) }
    return value
  }

  /// A vector with components in a range.
  public mutating func vector<L: Lane>(_ type: L.Type = L.self, in range: ClosedRange<Double> = -1...1)
    -> Vector3<L>
  {
    Vector3(lanes(in: range), lanes(in: range), lanes(in: range))
  }

  /// A unit quaternion.
  public mutating func rotation<L: Lane>(_ type: L.Type = L.self) -> Quaternion<L> {
    // The first component is kept away from zero, so that the length is too.
    Quaternion(lanes(in: 0.2...1), vector(in: -1...1)).normalized
  }

  /// A motion vector.
  public mutating func motion<L: Lane>(_ type: L.Type = L.self) -> Motion<L> {
    Motion(angular: vector(), linear: vector())
  }

  /// A force vector.
  public mutating func force<L: Lane>(_ type: L.Type = L.self) -> Force<L> {
    Force(angular: vector(), linear: vector())
  }

  /// The inertia of a box with its centre of mass away from the reference point.
  public mutating func inertia<L: Lane>(_ type: L.Type = L.self) -> RigidInertia<L> {
    let x: L = lanes(in: 0.1...1)
    let y: L = lanes(in: 0.1...1)
    let z: L = lanes(in: 0.1...1)
    let axes = rotation(L.self).matrix
    func entry(_ row: (Matrix3<L>) -> Vector3<L>, _ column: (Matrix3<L>) -> Vector3<L>) -> L {
      let a = row(axes)
      let b = column(axes)
      return a.x * b.x * (y + z) + a.y * b.y * (x + z) + a.z * b.z * (x + y)
    }
    func first(_ m: Matrix3<L>) -> Vector3<L> { Vector3(m.column0.x, m.column1.x, m.column2.x) }
    func second(_ m: Matrix3<L>) -> Vector3<L> { Vector3(m.column0.y, m.column1.y, m.column2.y) }
    func third(_ m: Matrix3<L>) -> Vector3<L> { Vector3(m.column0.z, m.column1.z, m.column2.z) }
    let central = SymmetricMatrix3(
      xx: entry(first, first), yy: entry(second, second), zz: entry(third, third), xy: entry(first, second),
      xz: entry(first, third), yz: entry(second, third))
    return RigidInertia(mass: lanes(in: 0.5...3), offset: vector(), central: central)
  }
}
