/// Memory of tensors, aligned to cache lines, shared by views and by copies until one of them is written to.
final class TensorBuffer: @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  let byteCount: Int

  init(byteCount: Int) {
    self.byteCount = byteCount
    base = UnsafeMutableRawPointer.allocate(byteCount: max(byteCount, 8), alignment: 64)
  }
  deinit { base.deallocate() }
}
