public import CLanes

extension Bool: LaneMask {
  @inlinable @inline(__always) public init(repeating value: Bool) { self = value }
  @inlinable @inline(__always) public static func .& (a: Bool, b: Bool) -> Bool { a && b }
  @inlinable @inline(__always) public static func .| (a: Bool, b: Bool) -> Bool { a || b }
  @inlinable @inline(__always) public static prefix func .! (a: Bool) -> Bool { !a }
  @inlinable @inline(__always) public var anyTrue: Bool { self }
  @inlinable @inline(__always) public var allTrue: Bool { self }
  @inlinable @inline(__always) public subscript(lane index: Int) -> Bool {
    get { self }
    set { self = newValue }
  }
}

extension Double: Lane {
  public typealias Scalar = Double
  public typealias Mask = Bool

  @inlinable @inline(__always) public static var laneCount: Int { 1 }
  @inlinable @inline(__always) public init(broadcasting value: Double) { self = value }
  @inlinable @inline(__always) public subscript(lane index: Int) -> Double {
    get { self }
    set { self = newValue }
  }
  @inlinable @inline(__always) public static func multiplyAdd(_ a: Double, _ b: Double, _ c: Double) -> Double
  {
    costate_multiply_add_d1(a, b, c)
  }
  @inlinable @inline(__always)
  public static func multiplyAdd(_ a: Double, scalar b: Double, _ c: Double) -> Double {
    costate_multiply_add_d1(a, b, c)
  }
  @inlinable @inline(__always) public static func multiply(_ a: Double, scalar b: Double) -> Double { a * b }
  @inlinable @inline(__always) public var squareRoot: Double { costate_sqrt_d1(self) }
  @inlinable @inline(__always) public var sine: Double { costate_sin_d1(self) }
  @inlinable @inline(__always) public var cosine: Double { costate_cos_d1(self) }
  @inlinable @inline(__always) public var exponential: Double { costate_exp_d1(self) }
  @inlinable @inline(__always) public var naturalLogarithm: Double { costate_log_d1(self) }
  @inlinable @inline(__always) public var hyperbolicTangent: Double { costate_tanh_d1(self) }
  @inlinable @inline(__always) public var arcCosine: Double { costate_acos_d1(self) }
  @inlinable @inline(__always) public static func arcTangent(y: Double, x: Double) -> Double {
    costate_atan2_d1(y, x)
  }
  @inlinable @inline(__always) public static func power(_ base: Double, _ exponent: Double) -> Double {
    costate_pow_d1(base, exponent)
  }
  @inlinable @inline(__always) public static func .< (a: Double, b: Double) -> Bool { a < b }
  @inlinable @inline(__always) public static func .<= (a: Double, b: Double) -> Bool { a <= b }
  @inlinable @inline(__always) public static func .== (a: Double, b: Double) -> Bool { a == b }
  @inlinable @inline(__always) public func replacing(with other: Double, where mask: Bool) -> Double {
    mask ? other : self
  }
}
