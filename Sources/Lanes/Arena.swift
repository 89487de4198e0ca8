/// One block of memory from which kernels' arrays are carved, aligned to cache lines and freed as a whole.
package struct Arena: ~Copyable {
  private let base: UnsafeMutableRawPointer
  private let capacity: Int
  private var used = 0

  package init(byteCount: Int) {
    capacity = max(byteCount, 64)
    base = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
    // Zero bits are the number zero in every lane: scratch memory never holds signalling garbage.
    base.initializeMemory(as: UInt8.self, repeating: 0, count: capacity)
  }
  deinit { base.deallocate() }

  /// Bytes that an array takes in an arena.
  package static func byteCount<T>(_ type: T.Type, _ count: Int) -> Int {
    (max(count, 1) * MemoryLayout<T>.stride + 63) & ~63
  }

  /// The next array of `count` elements, all bits zero. `T` must be made of plain numbers.
  package mutating func take<T>(_ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
    let bytes = Self.byteCount(type, count)
    precondition(used + bytes <= capacity, "arena exhausted")
    defer { used += bytes }
    return (base + used).bindMemory(to: T.self, capacity: max(count, 1))
  }
}

/// Counts what an arena must hold; same calls as ``Arena``.
package struct ArenaMeasure {
  package init() {}
  package private(set) var byteCount = 0
  package mutating func take<T>(_ type: T.Type, _ count: Int) { byteCount += Arena.byteCount(type, count) }
}
