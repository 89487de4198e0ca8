public import CLanes

extension SIMD8: Lane where Scalar == Double {
  /// What comparisons give.
  public typealias Mask = SIMDMask<SIMD8<Int64>>

  /// Number of worlds in one value.
  @inlinable @inline(__always) public static var laneCount: Int { 8 }
  /// The same value in every lane.
  @inlinable @inline(__always) public init(_ value: Double) { self.init(repeating: value) }
  /// The same value in every lane.
  @inlinable @inline(__always) public init(broadcasting value: Double) { self.init(repeating: value) }
  /// The number in one lane.
  @inlinable @inline(__always) public subscript(lane index: Int) -> Double {
    get { self[index] }
    set { self[index] = newValue }
  }

  // The standard library's go lane by lane until the optimiser puts the lanes together again, not always as they were.
  /// The sum.
  @inlinable @inline(__always) public static func + (a: Self, b: Self) -> Self { costate_add_d8(a, b) }
  /// The difference.
  @inlinable @inline(__always) public static func - (a: Self, b: Self) -> Self { costate_subtract_d8(a, b) }
  /// The product.
  @inlinable @inline(__always) public static func * (a: Self, b: Self) -> Self { costate_multiply_d8(a, b) }
  /// The quotient.
  @inlinable @inline(__always) public static func / (a: Self, b: Self) -> Self { costate_divide_d8(a, b) }
  /// The sum, in place.
  @inlinable @inline(__always) public static func += (a: inout Self, b: Self) { a = costate_add_d8(a, b) }
  /// The difference, in place.
  @inlinable @inline(__always) public static func -= (a: inout Self, b: Self) {
    a = costate_subtract_d8(a, b)
  }
  /// The product, in place.
  @inlinable @inline(__always) public static func *= (a: inout Self, b: Self) {
    a = costate_multiply_d8(a, b)
  }

  // The standard library's is 0 - a, which loses the sign of zero.
  /// The negative.
  @inlinable @inline(__always) public static prefix func - (a: Self) -> Self { costate_negate_d8(a) }
  /// `a * b + c`, fused where the machine can.
  @inlinable @inline(__always) public static func multiplyAdd(_ a: Self, _ b: Self, _ c: Self) -> Self {
    costate_multiply_add_d8(a, b, c)
  }
  /// `a * b + c` with a number `b` that all lanes share.
  @inlinable @inline(__always)
  public static func multiplyAdd(_ a: Self, scalar b: Double, _ c: Self) -> Self {
    costate_multiply_add_d8(a, Self(repeating: b), c)
  }
  /// `a * b` with a number `b` that all lanes share.
  @inlinable @inline(__always) public static func multiply(_ a: Self, scalar b: Double) -> Self {
    a * Self(repeating: b)
  }
  /// The absolute value.
  @inlinable @inline(__always) public var magnitude: Self { costate_abs_d8(self) }
  /// The square root.
  @inlinable @inline(__always) public var squareRoot: Self { costate_sqrt_d8(self) }
  /// The sine of an angle in radians.
  @inlinable @inline(__always) public var sine: Self { costate_sin_d8(self) }
  /// The cosine of an angle in radians.
  @inlinable @inline(__always) public var cosine: Self { costate_cos_d8(self) }
  /// e raised to the number.
  @inlinable @inline(__always) public var exponential: Self { costate_exp_d8(self) }
  /// The logarithm to base e.
  @inlinable @inline(__always) public var naturalLogarithm: Self { costate_log_d8(self) }
  /// The hyperbolic tangent.
  @inlinable @inline(__always) public var hyperbolicTangent: Self { costate_tanh_d8(self) }
  /// The angle in [0, pi] with this cosine; NaN outside [-1, 1].
  @inlinable @inline(__always) public var arcCosine: Self { costate_acos_d8(self) }
  /// The angle in [-pi, pi] of the point `(x, y)`.
  @inlinable @inline(__always) public static func arcTangent(y: Self, x: Self) -> Self {
    costate_atan2_d8(y, x)
  }
  /// `base` raised to `exponent`, with the special cases of C.
  @inlinable @inline(__always) public static func power(_ base: Self, _ exponent: Self) -> Self {
    costate_pow_d8(base, exponent)
  }
  /// ``power(_:_:)`` of positive numbers to about 1 %, for exponents up to 1/2.
  @inlinable @inline(__always) package static func roughPower(_ base: Self, _ exponent: Double) -> Self {
    costate_rough_power_d8(base, exponent)
  }
  /// True where the number is neither infinite nor NaN.
  @inlinable @inline(__always) public var isFinite: Mask { magnitude .< Self(repeating: .infinity) }

  /// Four numbers, and four of any value: numbers that were written one by one a moment ago are at hand sooner than by a wider read.
  @inlinable @inline(__always)
  package static func reading4(_ place: UnsafePointer<Double>) -> Self { costate_read4_d8(place) }
  /// Eight numbers, likewise.
  @inlinable @inline(__always)
  package static func reading8(_ place: UnsafePointer<Double>) -> Self { costate_read8_d8(place) }
  /// The sum of the first four lanes.
  @inlinable @inline(__always) package var sumOfFour: Double { costate_sum4_d8(self) }
  /// The sum of all lanes.
  @inlinable @inline(__always) package var sumOfLanes: Double { costate_sum8_d8(self) }
}
