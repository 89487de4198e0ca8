extension SIMDMask: LaneMask {
  @inlinable @inline(__always) public var anyTrue: Bool { Swift.any(self) }
  @inlinable @inline(__always) public var allTrue: Bool { Swift.all(self) }
  @inlinable @inline(__always) public subscript(lane index: Int) -> Bool {
    get { self[index] }
    set { self[index] = newValue }
  }
}
