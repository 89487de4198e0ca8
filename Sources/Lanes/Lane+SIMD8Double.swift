public import CLanes

extension SIMD8: Lane where Scalar == Double {
  public typealias Mask = SIMDMask<SIMD8<Int64>>

  @inlinable @inline(__always) public static var laneCount: Int { 8 }
  @inlinable @inline(__always) public init(_ value: Double) { self.init(repeating: value) }
  @inlinable @inline(__always) public init(broadcasting value: Double) { self.init(repeating: value) }
  @inlinable @inline(__always) public subscript(lane index: Int) -> Double {
    get { self[index] }
    set { self[index] = newValue }
  }

  // The standard library's is 0 - a, which loses the sign of zero.
  @inlinable @inline(__always) public static prefix func - (a: Self) -> Self { costate_negate_d8(a) }
  @inlinable @inline(__always) public static func multiplyAdd(_ a: Self, _ b: Self, _ c: Self) -> Self {
    costate_multiply_add_d8(a, b, c)
  }
  @inlinable @inline(__always)
  public static func multiplyAdd(_ a: Self, scalar b: Double, _ c: Self) -> Self {
    costate_multiply_add_d8(a, Self(repeating: b), c)
  }
  @inlinable @inline(__always) public static func multiply(_ a: Self, scalar b: Double) -> Self {
    a * Self(repeating: b)
  }
  @inlinable @inline(__always) public var magnitude: Self { costate_abs_d8(self) }
  @inlinable @inline(__always) public var squareRoot: Self { costate_sqrt_d8(self) }
  @inlinable @inline(__always) public var sine: Self { costate_sin_d8(self) }
  @inlinable @inline(__always) public var cosine: Self { costate_cos_d8(self) }
  @inlinable @inline(__always) public var exponential: Self { costate_exp_d8(self) }
  @inlinable @inline(__always) public var naturalLogarithm: Self { costate_log_d8(self) }
  @inlinable @inline(__always) public var hyperbolicTangent: Self { costate_tanh_d8(self) }
  @inlinable @inline(__always) public var arcCosine: Self { costate_acos_d8(self) }
  @inlinable @inline(__always) public static func arcTangent(y: Self, x: Self) -> Self {
    costate_atan2_d8(y, x)
  }
  @inlinable @inline(__always) public static func power(_ base: Self, _ exponent: Self) -> Self {
    costate_pow_d8(base, exponent)
  }
  @inlinable @inline(__always) public var isFinite: Mask { magnitude .< Self(repeating: .infinity) }
}
