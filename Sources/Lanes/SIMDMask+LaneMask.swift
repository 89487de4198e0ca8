public import CLanes

// The standard library's `any` and `all` look at the lanes one after the other.
extension SIMDMask: LaneMask {
  /// True if at least one lane is true.
  @inlinable @inline(__always) public var anyTrue: Bool {
    if Storage.self == SIMD16<Int32>.self {
      return costate_any_16(unsafeBitCast(self, to: SIMD16<Int32>.self))
    }
    if Storage.self == SIMD8<Int64>.self { return costate_any_8(unsafeBitCast(self, to: SIMD8<Int64>.self)) }
    return Swift.any(self)
  }
  /// True if every lane is true.
  @inlinable @inline(__always) public var allTrue: Bool {
    if Storage.self == SIMD16<Int32>.self {
      return costate_all_16(unsafeBitCast(self, to: SIMD16<Int32>.self))
    }
    if Storage.self == SIMD8<Int64>.self { return costate_all_8(unsafeBitCast(self, to: SIMD8<Int64>.self)) }
    return Swift.all(self)
  }
  /// The value in one lane.
  @inlinable @inline(__always) public subscript(lane index: Int) -> Bool {
    get { self[index] }
    set { self[index] = newValue }
  }
}
