public import CLanes

extension SIMD16: Lane where Scalar == Float {
  public typealias Mask = SIMDMask<SIMD16<Int32>>

  @inlinable @inline(__always) public static var laneCount: Int { 16 }
  @inlinable @inline(__always) public init(_ value: Double) { self.init(repeating: Float(value)) }
  @inlinable @inline(__always) public init(broadcasting value: Float) { self.init(repeating: value) }
  @inlinable @inline(__always) public subscript(lane index: Int) -> Float {
    get { self[index] }
    set { self[index] = newValue }
  }

  @inlinable @inline(__always) public static func + (a: Self, b: Double) -> Self { a + Self(b) }
  @inlinable @inline(__always) public static func + (a: Double, b: Self) -> Self { Self(a) + b }
  @inlinable @inline(__always) public static func - (a: Self, b: Double) -> Self { a - Self(b) }
  @inlinable @inline(__always) public static func - (a: Double, b: Self) -> Self { Self(a) - b }
  @inlinable @inline(__always) public static func * (a: Self, b: Double) -> Self { a * Self(b) }
  @inlinable @inline(__always) public static func * (a: Double, b: Self) -> Self { Self(a) * b }
  @inlinable @inline(__always) public static func / (a: Self, b: Double) -> Self { a / Self(b) }
  @inlinable @inline(__always) public static func / (a: Double, b: Self) -> Self { Self(a) / b }

  // The standard library's is 0 - a, which loses the sign of zero.
  @inlinable @inline(__always) public static prefix func - (a: Self) -> Self { costate_negate_f16(a) }
  @inlinable @inline(__always) public static func multiplyAdd(_ a: Self, _ b: Self, _ c: Self) -> Self {
    costate_multiply_add_f16(a, b, c)
  }
  @inlinable @inline(__always)
  public static func multiplyAdd(_ a: Self, scalar b: Float, _ c: Self) -> Self {
    costate_multiply_add_f16(a, Self(repeating: b), c)
  }
  @inlinable @inline(__always) public static func multiply(_ a: Self, scalar b: Float) -> Self {
    a * Self(repeating: b)
  }
  @inlinable @inline(__always) public var magnitude: Self { costate_abs_f16(self) }
  @inlinable @inline(__always) public var squareRoot: Self { costate_sqrt_f16(self) }
  @inlinable @inline(__always) public var sine: Self { costate_sin_f16(self) }
  @inlinable @inline(__always) public var cosine: Self { costate_cos_f16(self) }
  @inlinable @inline(__always) public var exponential: Self { costate_exp_f16(self) }
  @inlinable @inline(__always) public var naturalLogarithm: Self { costate_log_f16(self) }
  @inlinable @inline(__always) public var hyperbolicTangent: Self { costate_tanh_f16(self) }
  @inlinable @inline(__always) public var arcCosine: Self { costate_acos_f16(self) }
  @inlinable @inline(__always) public static func arcTangent(y: Self, x: Self) -> Self {
    costate_atan2_f16(y, x)
  }
  @inlinable @inline(__always) public static func power(_ base: Self, _ exponent: Self) -> Self {
    costate_pow_f16(base, exponent)
  }
  @inlinable @inline(__always) public var isFinite: Mask { magnitude .< Self(repeating: .infinity) }
}
