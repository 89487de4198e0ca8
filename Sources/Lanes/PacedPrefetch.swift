public import CLanes

/// Brings memory into the second-level cache while other work goes on: a piece at each call of ``advance()``.
///
/// Asked for all at once, more lines would be on their way than a core can wait for, and it would stand still.
public struct PacedPrefetch {
  @usableFromInline var address: UnsafeRawPointer?
  @usableFromInline var end: UnsafeRawPointer?
  @usableFromInline var piece = 0

  /// Nothing to fetch.
  public init() {}

  /// Fetches `byteCount` bytes from `start` in `pieces` calls.
  public init(_ start: UnsafeRawPointer, byteCount: Int, pieces: Int) {
    address = start
    end = start + byteCount
    piece = ((byteCount + pieces - 1) / pieces + 63) & ~63
  }

  /// Fetches the next piece.
  @inlinable @inline(__always) public mutating func advance() {
    guard let start = address, let end else { return }
    let next = start + piece
    costate_prefetch(start, min(piece, end - start))
    address = next < end ? next : nil
  }
}

/// Brings numbers into the second-level cache while other work goes on.
@inline(__always)
package func prefetch(_ start: UnsafePointer<Double>, count: Int) {
  costate_prefetch(start, count &* MemoryLayout<Double>.stride)
}
