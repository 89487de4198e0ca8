import Synchronization

/// Memory of large arrays that were released, kept for the next of the same size: fresh pages cost more than the arithmetic
/// on them. At most ``limit`` bytes are kept.
package enum BufferStore {
  static let limit = 1 << 28

  private struct Block: @unchecked Sendable { var base: UnsafeMutableRawPointer }
  private struct State: Sendable {
    var free: [Int: [Block]] = [:]
    var total = 0
  }
  private static let state = Mutex(State())

  package static func take(_ byteCount: Int) -> UnsafeMutableRawPointer {
    state.withLock { state -> Block? in
      guard let reused = state.free[byteCount]?.popLast() else { return nil }
      state.total -= byteCount
      return reused
    }?.base ?? Arena.allocate(byteCount)
  }
  package static func give(_ base: UnsafeMutableRawPointer, _ byteCount: Int) {
    // What does not fit pushes out all that lies there: sizes that are in use come back.
    let block = Block(base: base)
    let dropped = state.withLock { state -> [Block] in
      var dropped: [Block] = []
      if state.total + byteCount > limit {
        dropped = state.free.values.flatMap { $0 }
        state.free = [:]
        state.total = 0
      }
      if byteCount > limit { return dropped + [block] }
      state.free[byteCount, default: []].append(block)
      state.total += byteCount
      return dropped
    }
    for block in dropped { block.base.deallocate() }
  }
}
