public import CLanes

extension Bool: LaneMask {
  /// The same value in every lane.
  @inlinable @inline(__always) public init(repeating value: Bool) { self = value }
  /// True where both are.
  @inlinable @inline(__always) public static func .& (a: Bool, b: Bool) -> Bool { a && b }
  /// True where at least one is.
  @inlinable @inline(__always) public static func .| (a: Bool, b: Bool) -> Bool { a || b }
  /// True where `a` is false.
  @inlinable @inline(__always) public static prefix func .! (a: Bool) -> Bool { !a }
  /// True if at least one lane is true.
  @inlinable @inline(__always) public var anyTrue: Bool { self }
  /// True if every lane is true.
  @inlinable @inline(__always) public var allTrue: Bool { self }
  /// The value in one lane.
  @inlinable @inline(__always) public subscript(lane index: Int) -> Bool {
    get { self }
    set { self = newValue }
  }
}

extension Double: Lane {
  /// The floating-point type of one lane.
  public typealias Scalar = Double
  /// What comparisons give.
  public typealias Mask = Bool

  /// Number of worlds in one value.
  @inlinable @inline(__always) public static var laneCount: Int { 1 }
  /// The same value in every lane.
  @inlinable @inline(__always) public init(broadcasting value: Double) { self = value }
  /// The number in one lane.
  @inlinable @inline(__always) public subscript(lane index: Int) -> Double {
    get { self }
    set { self = newValue }
  }
  /// `a * b + c`, fused where the machine can.
  @inlinable @inline(__always) public static func multiplyAdd(_ a: Double, _ b: Double, _ c: Double) -> Double
  {
    costate_multiply_add_d1(a, b, c)
  }
  /// `a * b + c` with a number `b` that all lanes share.
  @inlinable @inline(__always)
  public static func multiplyAdd(_ a: Double, scalar b: Double, _ c: Double) -> Double {
    costate_multiply_add_d1(a, b, c)
  }
  /// `a * b` with a number `b` that all lanes share.
  @inlinable @inline(__always) public static func multiply(_ a: Double, scalar b: Double) -> Double { a * b }
  /// The square root.
  @inlinable @inline(__always) public var squareRoot: Double { costate_sqrt_d1(self) }
  /// The sine of an angle in radians.
  @inlinable @inline(__always) public var sine: Double { costate_sin_d1(self) }
  /// The cosine of an angle in radians.
  @inlinable @inline(__always) public var cosine: Double { costate_cos_d1(self) }
  /// e raised to the number.
  @inlinable @inline(__always) public var exponential: Double { costate_exp_d1(self) }
  /// The logarithm to base e.
  @inlinable @inline(__always) public var naturalLogarithm: Double { costate_log_d1(self) }
  /// The hyperbolic tangent.
  @inlinable @inline(__always) public var hyperbolicTangent: Double { costate_tanh_d1(self) }
  /// The angle in [0, pi] with this cosine; NaN outside [-1, 1].
  @inlinable @inline(__always) public var arcCosine: Double { costate_acos_d1(self) }
  /// The angle in [-pi, pi] of the point `(x, y)`.
  @inlinable @inline(__always) public static func arcTangent(y: Double, x: Double) -> Double {
    costate_atan2_d1(y, x)
  }
  /// `base` raised to `exponent`, with the special cases of C.
  @inlinable @inline(__always) public static func power(_ base: Double, _ exponent: Double) -> Double {
    costate_pow_d1(base, exponent)
  }
  /// ``power(_:_:)`` of a positive number within 2 %, for exponents up to 1/2.
  @inlinable @inline(__always) package static func roughPower(_ base: Double, _ exponent: Double) -> Double {
    costate_rough_power_d1(base, exponent)
  }
  /// True where `a` is less than `b`.
  @inlinable @inline(__always) public static func .< (a: Double, b: Double) -> Bool { a < b }
  /// True where `a` is at most `b`.
  @inlinable @inline(__always) public static func .<= (a: Double, b: Double) -> Bool { a <= b }
  /// True where both are equal.
  @inlinable @inline(__always) public static func .== (a: Double, b: Double) -> Bool { a == b }
  /// `other` where the mask is true, `self` elsewhere.
  @inlinable @inline(__always) public func replacing(with other: Double, where mask: Bool) -> Double {
    mask ? other : self
  }
}
