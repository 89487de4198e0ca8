/// What stands at the head of an `.npy` file (NEP 1): a Python dictionary, read strictly: exactly the three keys that the format
/// defines.
package struct NPYHeader: Sendable {
  /// Byte order, kind and size, as `<f8`.
  package private(set) var descriptor = ""
  package private(set) var isFortranOrder = false
  package private(set) var shape: [Int] = []
  /// Where the elements begin.
  package private(set) var dataStart = 0

  private let source: String
  private var text: Substring = ""

  /// - Throws: ``TensorError`` with reason ``TensorError/Reason/format``.
  package init(_ bytes: [UInt8], _ source: String) throws(TensorError) {
    self.source = source
    guard bytes.starts(with: NPYFormat.magic), bytes.count >= 10 else {
      throw failure("is not an .npy file: it must begin with \\x93NUMPY and a header")
    }
    let lengthBytes = bytes[6] == 1 ? 2 : 4
    guard (1...3).contains(bytes[6]), bytes[7] == 0 else {
      throw failure(
        "has the .npy version \(bytes[6]).\(bytes[7]), which is not supported; versions 1.0, 2.0 and 3.0 are")
    }
    guard bytes.count >= 8 + lengthBytes else { throw failure("is cut short in its header") }
    let length = bytes[8..<8 + lengthBytes].reversed().reduce(0) { $0 << 8 | Int($1) }
    let start = 8 + lengthBytes
    guard bytes.count - start >= length else { throw failure("is cut short in its header") }
    dataStart = start + length
    text = String(decoding: bytes[start..<dataStart], as: UTF8.self)[...]
    try readDictionary()
  }

  private mutating func readDictionary() throws(TensorError) {
    var seen: Set<String> = []
    try expect("{")
    while !accept("}") {
      let key = try string()
      guard seen.insert(key).inserted else { throw invalid("'\(key)' twice") }
      try expect(":")
      switch key {
      case "descr":
        guard !accept("[") else { throw failure("holds a structured array, which is not supported") }
        descriptor = try string()
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

  private func failure(_ message: String) -> TensorError { TensorError(.format, source, message) }
  private func invalid(_ what: String) -> TensorError {
    failure(
      "has an invalid .npy header (\(what)); it must be {'descr': …, 'fortran_order': …, 'shape': …} as numpy.save writes it"
    )
  }
  private mutating func skipSpace() { text = text.drop { $0 == " " || $0 == "\n" } }
  private mutating func accept(_ token: String) -> Bool {
    skipSpace()
    guard text.hasPrefix(token) else { return false }
    text = text.dropFirst(token.count)
    return true
  }
  private mutating func expect(_ token: String) throws(TensorError) {
    guard accept(token) else { throw invalid("no '\(token)' before '\(text.prefix(20))'") }
  }
  private mutating func string() throws(TensorError) -> String {
    let quote = accept("'") ? "'" : "\""
    if quote == "\"" { try expect("\"") }
    let content = text.prefix { String($0) != quote }
    text = text.dropFirst(content.count)
    try expect(quote)
    return String(content)
  }
  private mutating func readShape() throws(TensorError) {
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
