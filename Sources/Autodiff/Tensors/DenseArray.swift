/// Numbers in memory: a strided view of a shared buffer. What a ``Tensor`` outside a trace is made of, and what
/// programs compute with.
package struct DenseArray: @unchecked Sendable {
  package let elementType: ElementType
  package let shape: [Int]
  /// Steps between neighbours along each axis, in elements; zero along a broadcast axis.
  package let strides: [Int]
  /// The first element's place in the buffer, in elements.
  package let offset: Int
  var buffer: TensorBuffer

  init(_ elementType: ElementType, _ shape: [Int], strides: [Int], offset: Int, buffer: TensorBuffer) {
    self.elementType = elementType
    self.shape = shape
    self.strides = strides
    self.offset = offset
    self.buffer = buffer
  }
  /// A row-major array whose elements are not yet set.
  package init(uninitialized elementType: ElementType, _ shape: [Int]) {
    self.init(
      elementType, shape, strides: shape.rowMajorStrides, offset: 0,
      buffer: TensorBuffer(byteCount: shape.elementCount * elementType.byteCount))
  }
  package init(uninitialized type: TensorType) { self.init(uninitialized: type.elementType, type.shape) }

  /// A row-major array of these numbers. Their count must be the shape's.
  package init<T: TensorScalar>(_ values: [T], shape: [Int]) {
    assert(values.count == shape.elementCount)
    self.init(uninitialized: T.elementType, shape)
    if !values.isEmpty { pointer(T.self).update(from: values, count: values.count) }
  }
  package init<T: TensorScalar>(scalar value: T) {
    self.init(uninitialized: T.elementType, [])
    pointer(T.self).pointee = value
  }
  /// The same number everywhere; takes the memory of one.
  package init(filling value: Double, _ type: TensorType) {
    let cell = DenseArray(uninitialized: type.elementType, [])
    cell.write(value, at: 0)
    self = cell.broadcast(to: type.shape, axes: [])
  }

  package var type: TensorType { TensorType(elementType, shape) }
  package var count: Int { shape.elementCount }
  package var rank: Int { shape.count }

  /// The first element. Valid while the array lives: a local copy whose memory is used only through this must be kept
  /// alive to the end of its use.
  package func pointer<T>(_ type: T.Type) -> UnsafeMutablePointer<T> {
    buffer.base.assumingMemoryBound(to: T.self) + offset
  }
  /// True if elements lie one after the other in row-major order.
  package var isContiguous: Bool {
    var step = 1
    for axis in shape.indices.reversed() where shape[axis] != 1 {
      if strides[axis] != step { return shape.contains(0) }
      step *= shape[axis]
    }
    return true
  }
  /// True if all elements are one number in memory.
  var isUniform: Bool {
    for axis in shape.indices where shape[axis] != 1 && strides[axis] != 0 { return false }
    return true
  }

  /// The number at a place of the buffer, counted from the first element.
  func read(at place: Int) -> Double {
    switch elementType {
    case .bool: pointer(Bool.self)[place] ? 1 : 0
    case .int32: Double(pointer(Int32.self)[place])
    case .float32: Double(pointer(Float.self)[place])
    case .float64: pointer(Double.self)[place]
    }
  }
  func write(_ value: Double, at place: Int) {
    switch elementType {
    case .bool: pointer(Bool.self)[place] = value != 0
    case .int32: pointer(Int32.self)[place] = Int32(truncatingIfNeeded: Int(value))
    case .float32: pointer(Float.self)[place] = Float(value)
    case .float64: pointer(Double.self)[place] = value
    }
  }

  /// The same numbers, row-major. Costs a copy only where they are not so already.
  package func contiguous() -> DenseArray {
    if isContiguous { return self }
    let result = DenseArray(uninitialized: elementType, shape)
    result.adoptObjects(of: self)
    switch elementType.byteCount {
    case 1: copyStrided(from: self, to: result.pointer(UInt8.self))
    case 4: copyStrided(from: self, to: result.pointer(UInt32.self))
    default: copyStrided(from: self, to: result.pointer(UInt64.self))
    }
    return result
  }
  /// The numbers as a Swift array, row-major.
  package func values<T: TensorScalar>(_ type: T.Type) -> [T] {
    assert(T.elementType == elementType)
    let source = contiguous()
    defer { withExtendedLifetime(source) {} }
    return Array(UnsafeBufferPointer(start: source.pointer(T.self), count: count))
  }
}

/// Copies a strided array to row-major memory.
func copyStrided<T: BitwiseCopyable>(from source: DenseArray, to target: UnsafeMutablePointer<T>) {
  var target = target
  let base = source.pointer(T.self)
  forEachRow(shape: source.shape, strides: [source.strides]) { length, steps, places in
    let row = base + places[0]
    let step = steps[0]
    switch step {
    case 1: target.update(from: row, count: length)
    case 0: target.update(repeating: row.pointee, count: length)
    default: for k in 0..<length { target[k] = row[k &* step] }
    }
    target += length
  }
}

/// Visits several strided arrays of one shape row by row, in row-major order. A row is the longest run of trailing
/// axes along which every array has one step. The closure gets the row's length, each array's step along it, and the
/// place of each array's first element.
func forEachRow(shape: [Int], strides: [[Int]], _ body: (Int, [Int], [Int]) -> Void) {
  if shape.contains(0) { return }
  let arrays = strides.count
  // Merge axes that all arrays step through evenly.
  var extents: [Int] = []
  var steps: [[Int]] = []
  for axis in shape.indices.reversed() where shape[axis] != 1 {
    let step = strides.map { $0[axis] }
    if let last = steps.last, let extent = extents.last,
      (0..<arrays).allSatisfy({ step[$0] == last[$0] * extent })
    {
      extents[extents.count - 1] *= shape[axis]
    } else {
      extents.append(shape[axis])
      steps.append(step)
    }
  }
  let length = extents.first ?? 1
  let rowSteps = steps.first ?? [Int](repeating: 1, count: arrays)
  var counter = [Int](repeating: 0, count: max(extents.count - 1, 0))
  var places = [Int](repeating: 0, count: arrays)
  while true {
    body(length, rowSteps, places)
    var axis = 0
    while axis < counter.count {
      counter[axis] += 1
      for k in 0..<arrays { places[k] += steps[axis + 1][k] }
      if counter[axis] < extents[axis + 1] { break }
      for k in 0..<arrays { places[k] -= steps[axis + 1][k] * extents[axis + 1] }
      counter[axis] = 0
      axis += 1
    }
    if axis == counter.count { return }
  }
}
