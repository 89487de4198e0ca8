/// NumPy's `.npy` format, versions 1.0 and 2.0 (NEP 1): float64 and float32, either byte order on reading, C and
/// Fortran order.
enum NPY {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// - Throws: `CommandFailure` (invalid input) that says what would be valid.
  static func read(_ file: InputFile) throws(CommandFailure) -> NumericArray {
    let bytes = file.bytes
    guard bytes.starts(with: magic), bytes.count >= 10 else {
      throw file.failure("not an .npy file: it must begin with \\x93NUMPY and a header")
    }
    let version = bytes[6]
    guard version == 1 || version == 2, bytes[7] == 0 else {
      throw file.failure(
        ".npy version \(version).\(bytes[7]) is not supported; save it as version 1.0 or 2.0")
    }
    let lengthBytes = version == 1 ? 2 : 4
    guard bytes.count >= 8 + lengthBytes else { throw file.failure("the .npy header is cut short") }
    let headerLength = littleEndian(bytes[8..<8 + lengthBytes])
    let start = 8 + lengthBytes
    guard bytes.count - start >= headerLength else { throw file.failure("the .npy header is cut short") }
    let header = try NPYHeader(
      String(decoding: bytes[start..<start + headerLength], as: UTF8.self), of: file)

    let size = header.elementSize
    var count = 1
    for extent in header.shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, product <= Int.max / size else {
        throw file.failure("the shape \(NumericArray.describe(header.shape)) is impossibly large")
      }
      count = product
    }
    let data = bytes[(start + headerLength)...]
    guard data.count == count * size else {
      throw file.failure(
        "shape \(NumericArray.describe(header.shape)) of \(size)-byte numbers needs \(count * size) bytes of data, "
          + "the file has \(data.count)")
    }
    var elements = [Double](repeating: 0, count: count)
    for i in 0..<count {
      var bits: UInt64 = 0
      let address = data.startIndex + i * size
      for k in 0..<size {
        let byte = UInt64(data[header.isBigEndian ? address + size - 1 - k : address + k])
        bits |= byte << UInt64(8 * k)
      }
      elements[i] = size == 8 ? Double(bitPattern: bits) : Double(Float(bitPattern: UInt32(bits)))
    }
    if let bad = elements.firstIndex(where: { !$0.isFinite }) {
      throw file.failure("element \(bad) is not finite (\(elements[bad]))")
    }
    if header.isFortranOrder { elements = rowMajor(elements, shape: header.shape) }
    return NumericArray(shape: header.shape, elements: elements)
  }

  /// The array as version 1.0, float64, C order, with the data aligned to 64 bytes.
  static func encode(_ array: NumericArray) -> [UInt8] {
    let extents = array.shape.map(String.init).joined(separator: ", ")
    let shape = array.shape.count == 1 ? "(\(extents),)" : "(\(extents))"
    var header = "{'descr': '<f8', 'fortran_order': False, 'shape': \(shape), }"
    let unpadded = magic.count + 4 + header.utf8.count + 1
    header += String(repeating: " ", count: (64 - unpadded % 64) % 64) + "\n"
    var bytes = magic + [1, 0]
    bytes.append(UInt8(header.utf8.count & 0xff))
    bytes.append(UInt8(header.utf8.count >> 8))
    bytes += header.utf8
    bytes.reserveCapacity(bytes.count + 8 * array.elements.count)
    for element in array.elements {
      withUnsafeBytes(of: element.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }
    return bytes
  }

  private static func littleEndian(_ bytes: ArraySlice<UInt8>) -> Int {
    bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  private static func rowMajor(_ elements: [Double], shape: [Int]) -> [Double] {
    var result = elements
    var index = [Int](repeating: 0, count: shape.count)
    for i in result.indices {
      var address = 0
      for axis in shape.indices.reversed() { address = address * shape[axis] + index[axis] }
      result[i] = elements[address]
      for axis in shape.indices.reversed() {
        index[axis] += 1
        if index[axis] < shape[axis] { break }
        index[axis] = 0
      }
    }
    return result
  }
}

/// The dictionary at the head of an `.npy` file, read strictly: exactly the three keys the format defines.
private struct NPYHeader {
  var elementSize = 8
  var isBigEndian = false
  var isFortranOrder = false
  var shape: [Int] = []

  private let file: InputFile
  private var text: Substring

  init(_ header: String, of file: InputFile) throws(CommandFailure) {
    self.file = file
    text = header[...]
    var seen: Set<String> = []
    try expect("{")
    while !accept("}") {
      let key = try string()
      guard seen.insert(key).inserted else { throw invalid("'\(key)' twice") }
      try expect(":")
      switch key {
      case "descr": try readElementType()
      case "fortran_order":
        if accept("True") { isFortranOrder = true } else { try expect("False") }
      case "shape": try readShape()
      default: throw invalid("the key '\(key)'")
      }
      if !accept(",") {
        try expect("}")
        break
      }
    }
    skipSpace()
    guard text.isEmpty else { throw invalid("text after the dictionary") }
    guard seen.count == 3 else {
      throw invalid("no \(Set(["descr", "fortran_order", "shape"]).subtracting(seen).sorted())")
    }
  }

  private func invalid(_ what: String) -> CommandFailure {
    file.failure(
      "invalid .npy header (\(what)); it must be {'descr': …, 'fortran_order': …, 'shape': …} as numpy.save writes it"
    )
  }

  private mutating func skipSpace() { text = text.drop { $0 == " " || $0 == "\n" } }

  private mutating func accept(_ token: String) -> Bool {
    skipSpace()
    guard text.hasPrefix(token) else { return false }
    text = text.dropFirst(token.count)
    return true
  }

  private mutating func expect(_ token: String) throws(CommandFailure) {
    guard accept(token) else { throw invalid("no '\(token)' before '\(text.prefix(20))'") }
  }

  private mutating func string() throws(CommandFailure) -> String {
    let quote = accept("'") ? "'" : "\""
    if quote == "\"" { try expect("\"") }
    let content = text.prefix { String($0) != quote }
    text = text.dropFirst(content.count)
    try expect(quote)
    return String(content)
  }

  private mutating func readElementType() throws(CommandFailure) {
    guard text.drop(while: { $0 == " " }).first != "[" else {
      throw file.failure("structured arrays are not supported; save float64 or float32 numbers")
    }
    let name = try string()
    switch name {
    case "<f8", "=f8": break
    case "<f4", "=f4": elementSize = 4
    case ">f8": isBigEndian = true
    case ">f4":
      elementSize = 4
      isBigEndian = true
    default:
      throw file.failure(
        "element type '\(name)' is not supported; save float64 ('<f8') or float32 ('<f4'), "
          + "for example with array.astype(numpy.float64)")
    }
  }

  private mutating func readShape() throws(CommandFailure) {
    try expect("(")
    while !accept(")") {
      skipSpace()
      let digits = text.prefix { $0.isASCII && $0.isNumber }
      guard let extent = Int(digits) else { throw invalid("the shape") }
      text = text.dropFirst(digits.count)
      shape.append(extent)
      if !accept(",") {
        try expect(")")
        break
      }
    }
    guard shape.count <= 32 else { throw invalid("a shape of more than 32 dimensions") }
  }
}
