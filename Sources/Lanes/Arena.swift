import CLanes
import Synchronization

/// One block of memory from which kernels' arrays are carved, aligned to cache lines and freed as a whole.
///
/// It starts as zero bits, the number zero in every lane: scratch memory never holds signalling garbage.
package struct Arena: ~Copyable {
  private let base: UnsafeMutableRawPointer
  private let capacity: Int
  private let pool: ArenaPool?
  private let isOwner: Bool
  private var used = 0

  /// What starts here is worth pages of two megabytes.
  private static var hugePage: Int { 2 << 20 }

  /// - Parameter pool: where the block comes from, if it has one of that size, and goes to in the end.
  package init(byteCount: Int, pool: ArenaPool? = nil) {
    capacity = max(byteCount, 64)
    self.pool = pool
    isOwner = true
    base = pool?.take(capacity) ?? Self.allocate(capacity)
    base.initializeMemory(as: UInt8.self, repeating: 0, count: capacity)
  }

  /// An arena in memory that somebody else owns, aligned to cache lines.
  package init(in memory: UnsafeMutableRawPointer, byteCount: Int) {
    capacity = byteCount
    pool = nil
    isOwner = false
    base = memory
    base.initializeMemory(as: UInt8.self, repeating: 0, count: capacity)
  }

  deinit {
    guard isOwner else { return }
    if let pool { pool.give(base, capacity) } else { base.deallocate() }
  }

  /// Memory that nothing is known of.
  package static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
    guard byteCount >= hugePage else { return .allocate(byteCount: byteCount, alignment: 64) }
    let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: hugePage)
    costate_prefer_huge_pages(memory, byteCount)
    return memory
  }

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

/// Blocks of memory that are kept for the next arena of the same size.
///
/// Fresh memory costs more than what is computed in it: the system provides it page by page, when it is first touched.
/// Kept blocks count up to `limit` bytes; beyond that those of other sizes are freed, then what is given.
package final class ArenaPool: Sendable {
  private struct Blocks: ~Copyable {
    var free: [Int: [UInt]] = [:]
    var byteCount = 0
  }
  private let blocks = Mutex(Blocks())
  private let limit: Int

  package init(limit: Int) { self.limit = limit }

  deinit {
    blocks.withLock { blocks in
      for pointers in blocks.free.values {
        for pointer in pointers { UnsafeMutableRawPointer(bitPattern: pointer)?.deallocate() }
      }
    }
  }

  package func take(_ capacity: Int) -> UnsafeMutableRawPointer? {
    blocks.withLock { blocks in
      guard let pointer = blocks.free[capacity]?.popLast() else { return nil }
      blocks.byteCount -= capacity
      return UnsafeMutableRawPointer(bitPattern: pointer)
    }
  }

  package func give(_ base: UnsafeMutableRawPointer, _ capacity: Int) {
    let isKept = blocks.withLock { blocks in
      // Blocks of sizes that are no longer asked for make room.
      if blocks.byteCount + capacity > limit {
        for (size, pointers) in blocks.free where size != capacity {
          for pointer in pointers { UnsafeMutableRawPointer(bitPattern: pointer)?.deallocate() }
          blocks.byteCount -= size * pointers.count
          blocks.free[size] = nil
        }
      }
      guard blocks.byteCount + capacity <= limit else { return false }
      blocks.free[capacity, default: []].append(UInt(bitPattern: base))
      blocks.byteCount += capacity
      return true
    }
    if !isKept { base.deallocate() }
  }
}
