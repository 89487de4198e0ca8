import Lanes

/// Memory of numbers that a factorisation owns, aligned to cache lines; written while it is made, and only read afterwards.
package final class NumberBuffer: @unchecked Sendable {
  package let base: UnsafeMutablePointer<Double>
  package let count: Int

  /// Longer ones come from a store of used memory, whose pages are mapped already.
  private static let storedCount = 512

  /// Memory that is not yet set.
  package init(count: Int) {
    self.count = count
    let memory =
      count < Self.storedCount
      ? UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * 8, alignment: 64)
      : BufferStore.take(count * 8)
    base = memory.bindMemory(to: Double.self, capacity: max(count, 1))
  }
  package convenience init(zeros count: Int) {
    self.init(count: count)
    base.initialize(repeating: 0, count: count)
  }
  package convenience init(copying source: UnsafePointer<Double>, count: Int) {
    self.init(count: count)
    base.initialize(from: source, count: count)
  }
  package convenience init(_ values: [Double]) {
    self.init(count: values.count)
    values.withUnsafeBufferPointer {
      if let source = $0.baseAddress { base.initialize(from: source, count: values.count) }
    }
  }
  deinit {
    let memory = UnsafeMutableRawPointer(base)
    if count < Self.storedCount { memory.deallocate() } else { BufferStore.give(memory, count * 8) }
  }

  package var values: [Double] { Array(UnsafeBufferPointer(start: base, count: count)) }
}

/// The transposed of a row-major matrix.
package func transposeMatrix(
  _ source: UnsafePointer<Double>, rows: Int, columns: Int, into target: UnsafeMutablePointer<Double>
) {
  var i = 0
  while i < rows {
    var j = 0
    while j < columns {
      target[j &* rows &+ i] = source[i &* columns &+ j]
      j = j &+ 1
    }
    i = i &+ 1
  }
}
