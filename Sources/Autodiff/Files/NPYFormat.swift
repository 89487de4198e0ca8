/// NumPy's `.npy` format, versions 1 to 3 (NEP 1): either byte order and either order of axes on reading.
enum NPYFormat {
  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  static func decode(_ bytes: [UInt8], _ source: String) throws(TensorError) -> Tensor {
    func fail(_ message: String) -> TensorError { TensorError(.format, source, message) }
    guard bytes.starts(with: magic), bytes.count >= 10 else { throw fail("is not an .npy file") }
    let lengthBytes = bytes[6] == 1 ? 2 : 4
    guard (1...3).contains(bytes[6]), bytes.count >= 8 + lengthBytes else {
      throw fail("has the .npy version \(bytes[6]), or is cut short; versions 1 to 3 are known")
    }
    let headerLength = bytes[8..<8 + lengthBytes].reversed().reduce(0) { $0 << 8 | Int($1) }
    let start = 8 + lengthBytes
    guard bytes.count - start >= headerLength else { throw fail("is cut short in its header") }
    let header = String(decoding: bytes[start..<start + headerLength], as: UTF8.self)
    guard let descriptor = field("descr", of: header)?.filter({ $0 != "'" && $0 != "\"" }),
      let order = field("fortran_order", of: header), let shapeText = field("shape", of: header)
    else { throw fail("has a header without descr, fortran_order and shape: \(header)") }
    var shape: [Int] = []
    for part in shapeText.dropFirst().dropLast().split(separator: ",") where part != " " {
      guard let extent = Int(part.filter { $0 != " " }), extent >= 0 else {
        throw fail("has the shape \(shapeText)")
      }
      shape.append(extent)
    }
    var count = 1
    for extent in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, product < 1 << 48 else { throw fail("has the impossible shape \(shapeText)") }
      count = product
    }
    let (kind, size) = (descriptor.dropFirst().first, Int(descriptor.dropFirst(2)) ?? 0)
    let data = bytes[(start + headerLength)...]
    guard data.count == count * size else {
      throw fail("has \(data.count) bytes of data for \(count) elements of \(size) bytes")
    }
    let isBigEndian = descriptor.first == ">"
    func bits(_ index: Int) -> UInt64 {
      let at = data.startIndex + index * size
      return (0..<size).reduce(0) {
        $0 | UInt64(data[isBigEndian ? at + size - 1 - $1 : at + $1]) << UInt64(8 * $1)
      }
    }
    // Stored with the first axis fastest, the array is the transpose of one with its axes reversed.
    let stored = order == "True" ? Array(shape.reversed()) : shape
    let result: Tensor
    switch (kind, size) {
    case ("f", 8): result = Tensor((0..<count).map { Double(bitPattern: bits($0)) }, shape: stored)
    case ("f", 4): result = Tensor((0..<count).map { Float(bitPattern: UInt32(bits($0))) }, shape: stored)
    case ("b", 1): result = Tensor((0..<count).map { bits($0) != 0 }, shape: stored)
    case ("i", 4): result = Tensor((0..<count).map { Int32(bitPattern: UInt32(bits($0))) }, shape: stored)
    case ("i", 8):
      var values: [Int32] = []
      for k in 0..<count {
        guard let value = Int32(exactly: Int64(bitPattern: bits(k))) else {
          throw fail("has the integer \(Int64(bitPattern: bits(k))), which is not an int32")
        }
        values.append(value)
      }
      result = Tensor(values, shape: stored)
    default: throw fail("has elements of type \(descriptor); f8, f4, i8, i4 and b1 are known")
    }
    return order == "True" ? Tensor(result.transposed.dense!.contiguous()) : result
  }

  /// The text of a field of the header, a Python dictionary.
  private static func field(_ name: String, of header: String) -> String? {
    guard let key = header.firstRange(of: "'\(name)':") else { return nil }
    let rest = header[key.upperBound...].drop { $0 == " " }
    if rest.first == "(" { return rest.firstIndex(of: ")").map { String(rest[...$0]) } }
    return rest.firstIndex { $0 == "," || $0 == "}" }.map { String(rest[..<$0]) }
  }

  static func encode(_ tensor: Tensor) throws(TensorError) -> [UInt8] {
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
    // Data begin at a multiple of 64.
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
