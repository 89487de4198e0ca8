/// NumPy's `.npy` format, versions 1 to 3 (NEP 1): either byte order and either order of axes on reading.
package enum NPYFormat {
  package static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// - Parameter source: the name of the file, for errors.
  package static func decode(_ bytes: [UInt8], _ source: String) throws(TensorError) -> Tensor {
    func fail(_ message: String) -> TensorError { TensorError(.format, source, message) }
    let header = try NPYHeader(bytes, source)
    let (descriptor, shape) = (header.descriptor, header.shape)
    guard let size = Int(descriptor.dropFirst(2)), [1, 2, 4, 8].contains(size) else {
      throw unsupported(descriptor, source)
    }
    var count = 1
    for extent in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, product < 1 << 48 else { throw fail("has the impossible shape \(shape)") }
      count = product
    }
    let data = bytes[header.dataStart...]
    guard data.count == count * size else {
      throw fail(
        "has \(data.count) bytes of data; shape \(shape) of \(size)-byte elements needs \(count * size)")
    }
    // Stored with the first axis fastest, the array is the transpose of one with its axes reversed.
    let stored = header.isFortranOrder ? Array(shape.reversed()) : shape
    let isSwapped = descriptor.first == ">"
    let result: DenseArray
    switch descriptor.dropFirst() {
    case "f8": result = array(data, stored, UInt64.self, isSwapped) { Double(bitPattern: $0) }
    case "f4": result = array(data, stored, UInt32.self, isSwapped) { Float(bitPattern: $0) }
    case "b1": result = array(data, stored, UInt8.self, false) { $0 != 0 }
    case "i1": result = array(data, stored, UInt8.self, false) { Int32(Int8(bitPattern: $0)) }
    case "u1": result = array(data, stored, UInt8.self, false) { Int32($0) }
    case "i2": result = array(data, stored, UInt16.self, isSwapped) { Int32(Int16(bitPattern: $0)) }
    case "u2": result = array(data, stored, UInt16.self, isSwapped) { Int32($0) }
    case "i4": result = array(data, stored, UInt32.self, isSwapped) { Int32(bitPattern: $0) }
    case "u4", "i8", "u8":
      var tooLarge: String?
      func narrow(_ value: some FixedWidthInteger) -> Int32 {
        if let narrow = Int32(exactly: value) { return narrow }
        tooLarge = tooLarge ?? "\(value)"
        return 0
      }
      result =
        switch descriptor.dropFirst() {
        case "u4": array(data, stored, UInt32.self, isSwapped) { narrow($0) }
        case "i8": array(data, stored, UInt64.self, isSwapped) { narrow(Int64(bitPattern: $0)) }
        default: array(data, stored, UInt64.self, isSwapped) { narrow($0) }
        }
      if let tooLarge { throw fail("has the integer \(tooLarge), which is not an int32") }
    default: throw unsupported(descriptor, source)
    }
    return Tensor(
      header.isFortranOrder ? result.transposed(stored.indices.reversed()).contiguous() : result)
  }
  private static func unsupported(_ descriptor: String, _ source: String) -> TensorError {
    TensorError(
      .format, source,
      "has elements of type '\(descriptor)', which are not supported; f8, f4, i1 to i8, u1 to u8 and b1 are")
  }

  /// Elements from their bytes. The count has been checked.
  private static func array<Bits: FixedWidthInteger & BitwiseCopyable, T: TensorScalar>(
    _ data: ArraySlice<UInt8>, _ shape: [Int], _ type: Bits.Type, _ isSwapped: Bool, _ body: (Bits) -> T
  ) -> DenseArray {
    let result = DenseArray(uninitialized: T.elementType, shape)
    let target = result.pointer(T.self)
    data.withUnsafeBytes { source in
      for k in 0..<result.count {
        let bits = source.loadUnaligned(fromByteOffset: k * MemoryLayout<Bits>.size, as: Bits.self)
        target[k] = body(isSwapped ? Bits(bigEndian: bits) : Bits(littleEndian: bits))
      }
    }
    return result
  }

  /// Version 1.0, row-major; data begin at a multiple of 64.
  package static func encode(_ tensor: Tensor) throws(TensorError) -> [UInt8] {
    let array = try tensor.denseValue("npy").contiguous()
    let descriptor =
      switch array.elementType {
      case .float64: "<f8"
      case .float32: "<f4"
      case .int32: "<i4"
      case .bool: "|b1"
      }
    let extents = array.shape.map(String.init).joined(separator: ", ") + (array.rank == 1 ? "," : "")
    var header = "{'descr': '\(descriptor)', 'fortran_order': False, 'shape': (\(extents)), }"
    header += String(repeating: " ", count: (64 - (header.utf8.count + 11) % 64) % 64) + "\n"
    let length = UInt16(header.utf8.count)
    let data = UnsafeRawBufferPointer(
      start: array.buffer.base + array.offset * array.elementType.byteCount,
      count: array.count * array.elementType.byteCount)
    return withExtendedLifetime(array) {
      magic + [1, 0, UInt8(length & 0xff), UInt8(length >> 8)] + Array(header.utf8) + Array(data)
    }
  }
}
