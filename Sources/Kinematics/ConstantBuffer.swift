/// An immutable array at a fixed address, read by kernels without reference counting or bounds checks in
/// release builds.
public final class ConstantBuffer<Element: Sendable>: @unchecked Sendable {
  public let base: UnsafePointer<Element>
  public let count: Int

  public init(_ elements: [Element]) {
    let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(elements.count, 1))
    memory.initialize(from: elements, count: elements.count)
    base = UnsafePointer(memory)
    count = elements.count
  }
  deinit {
    UnsafeMutablePointer(mutating: base).deinitialize(count: count)
    base.deallocate()
  }
  @inlinable @inline(__always) public subscript(index: Int) -> Element {
    assert(index >= 0 && index < count, "index out of range")
    return base[index]
  }
  /// A pointer to one element, for structures of which a kernel reads a few fields.
  @inlinable @inline(__always) public func pointer(_ index: Int) -> UnsafePointer<Element> {
    assert(index >= 0 && index < count, "index out of range")
    return base + index
  }
  public var array: [Element] { Array(UnsafeBufferPointer(start: base, count: count)) }
}
