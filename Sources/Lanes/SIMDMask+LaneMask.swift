extension SIMDMask: LaneMask {
  /// True if at least one lane is true.
  @inlinable @inline(__always) public var anyTrue: Bool { Swift.any(self) }
  /// True if every lane is true.
  @inlinable @inline(__always) public var allTrue: Bool { Swift.all(self) }
  /// The value in one lane.
  @inlinable @inline(__always) public subscript(lane index: Int) -> Bool {
    get { self[index] }
    set { self[index] = newValue }
  }
}
