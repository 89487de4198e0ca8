import Lanes

/// Memory of tensors, aligned to cache lines, shared by views and by copies until one of them is written to.
final class TensorBuffer: @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  let byteCount: Int
  /// What numbers in this memory stand for, if they stand for objects.
  var objects: [Int32: DenseArray.Object]?

  init(byteCount: Int) {
    self.byteCount = byteCount
    // Small arrays take the allocator's fast path; large ones come from a store, whose pages are mapped already.
    base =
      byteCount < 4096
      ? UnsafeMutableRawPointer.allocate(byteCount: max(byteCount, 8), alignment: 16)
      : BufferStore.take(byteCount)
  }
  deinit { if byteCount < 4096 { base.deallocate() } else { BufferStore.give(base, byteCount) } }
}
