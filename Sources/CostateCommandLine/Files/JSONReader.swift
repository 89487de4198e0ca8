/// A strict reader of JSON (RFC 8259): no comments, no trailing commas, no NaN or Infinity, no number outside the
/// range of doubles, no name twice in one object. Time and memory are linear in the length of the text.
struct JSONReader {
  /// Arrays and objects inside one another, at most.
  static let maximumDepth = 64

  private let file: InputFile
  private var offset = 0
  private var depth = 0

  /// Reads the file's one value. All numbers come as `.number`; an array of numbers only as `.numbers`.
  ///
  /// - Throws: `CommandFailure` (invalid input) with line and column.
  static func read(_ file: InputFile) throws(CommandFailure) -> JSONValue {
    var reader = JSONReader(file: file)
    reader.skipSpace()
    let value = try reader.value()
    reader.skipSpace()
    guard reader.offset == file.bytes.count else {
      throw reader.failure("text after the end of the JSON value")
    }
    return value
  }

  private init(file: InputFile) { self.file = file }

  private var next: UInt8? { offset < file.bytes.count ? file.bytes[offset] : nil }

  private func failure(_ message: String) -> CommandFailure { file.failure(at: offset, message) }

  private func unexpected(_ expected: String) -> CommandFailure {
    guard let next else { return failure("the file ends where \(expected) should stand") }
    let found = (0x21...0x7e).contains(next) ? "'\(Character(UnicodeScalar(next)))'" : "byte \(next)"
    return failure("found \(found) where \(expected) should stand")
  }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || (0x09...0x0d).contains(byte), byte != 0x0b, byte != 0x0c {
      offset += 1
    }
  }

  private mutating func accept(_ character: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: character) else { return false }
    offset += 1
    return true
  }

  private mutating func value() throws(CommandFailure) -> JSONValue {
    switch next {
    case UInt8(ascii: "{"): return try nested { (self) throws(CommandFailure) in try self.object() }
    case UInt8(ascii: "["): return try nested { (self) throws(CommandFailure) in try self.array() }
    case UInt8(ascii: "\""): return .string(try string())
    case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return .number(try number())
    case UInt8(ascii: "t") where acceptWord("true"): return .bool(true)
    case UInt8(ascii: "f") where acceptWord("false"): return .bool(false)
    case UInt8(ascii: "n") where acceptWord("null"): return .null
    default: throw unexpected("a JSON value")
    }
  }

  private mutating func nested(
    _ body: (inout JSONReader) throws(CommandFailure) -> JSONValue
  ) throws(CommandFailure) -> JSONValue {
    guard depth < Self.maximumDepth else { throw failure("nested more than \(Self.maximumDepth) deep") }
    depth += 1
    offset += 1
    let value = try body(&self)
    depth -= 1
    return value
  }

  private mutating func acceptWord(_ word: StaticString) -> Bool {
    let matches = word.withUTF8Buffer { file.bytes[offset...].starts(with: $0) }
    if matches { offset += word.utf8CodeUnitCount }
    return matches
  }

  private mutating func object() throws(CommandFailure) -> JSONValue {
    var members: [JSONValue.Member] = []
    var names: Set<String> = []
    skipSpace()
    if accept("}") { return .object([]) }
    while true {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw unexpected("a name in double quotes") }
      let start = offset
      let name = try string()
      guard names.insert(name).inserted else { throw file.failure(at: start, "'\(name)' stands here twice") }
      skipSpace()
      guard accept(":") else { throw unexpected("':'") }
      skipSpace()
      members.append(.init(name: name, value: try value()))
      skipSpace()
      if accept("}") { return .object(members) }
      guard accept(",") else { throw unexpected("',' or '}'") }
    }
  }

  private mutating func array() throws(CommandFailure) -> JSONValue {
    var numbers: [Double] = []
    var elements: [JSONValue] = []
    skipSpace()
    if accept("]") { return .array([]) }
    while true {
      skipSpace()
      let element = try value()
      if case .number(let number) = element, elements.isEmpty {
        numbers.append(number)
      } else {
        // The first element that is not a number: from here on the array is a general one.
        if elements.isEmpty { elements = numbers.map { .number($0) } }
        elements.append(element)
      }
      skipSpace()
      if accept("]") { return elements.isEmpty ? .numbers(numbers) : .array(elements) }
      guard accept(",") else { throw unexpected("',' or ']'") }
    }
  }

  private mutating func number() throws(CommandFailure) -> Double {
    let start = offset
    _ = accept("-")
    if !accept("0") { try digits("a digit") }
    if accept(".") { try digits("a digit after the point") }
    if accept("e") || accept("E") {
      if !accept("+") { _ = accept("-") }
      try digits("a digit of the exponent")
    }
    let text = String(decoding: file.bytes[start..<offset], as: UTF8.self)
    guard let number = Double(text), number.isFinite else {
      throw file.failure(at: start, "\(text) is outside the range of doubles")
    }
    return number
  }

  private mutating func digits(_ expected: String) throws(CommandFailure) {
    let start = offset
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { offset += 1 }
    guard offset > start else { throw unexpected(expected) }
  }

  private mutating func string() throws(CommandFailure) -> String {
    let start = offset
    offset += 1
    var bytes: [UInt8] = []
    while true {
      guard let byte = next else { throw file.failure(at: start, "this string has no closing quote") }
      switch byte {
      case UInt8(ascii: "\""):
        offset += 1
        guard let text = String(validating: bytes, as: UTF8.self) else {
          throw file.failure(at: start, "this string is not valid UTF-8")
        }
        return text
      case UInt8(ascii: "\\"):
        offset += 1
        try bytes.append(contentsOf: escape().utf8)
      case 0..<0x20: throw unexpected("a character of a string (control characters need an escape)")
      default:
        bytes.append(byte)
        offset += 1
      }
    }
  }

  private mutating func escape() throws(CommandFailure) -> String {
    guard let byte = next else { throw unexpected("an escaped character") }
    let simple: [UInt8: String] = [
      UInt8(ascii: "\""): "\"", UInt8(ascii: "\\"): "\\", UInt8(ascii: "/"): "/", UInt8(ascii: "b"): "\u{8}",
      UInt8(ascii: "f"): "\u{c}", UInt8(ascii: "n"): "\n", UInt8(ascii: "r"): "\r", UInt8(ascii: "t"): "\t",
    ]
    if let text = simple[byte] {
      offset += 1
      return text
    }
    guard accept("u") else { throw unexpected("one of the escapes \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u") }
    let start = offset - 2
    var units = [try codeUnit()]
    if UTF16.isLeadSurrogate(units[0]), accept("\\"), accept("u") { units.append(try codeUnit()) }
    guard let text = String(validating: units, as: UTF16.self) else {
      throw file.failure(at: start, "half of a surrogate pair")
    }
    return text
  }

  private mutating func codeUnit() throws(CommandFailure) -> UInt16 {
    let digits = file.bytes[offset..<min(offset + 4, file.bytes.count)]
    let isHexadecimal = digits.allSatisfy { Character(UnicodeScalar($0)).isHexDigit }
    guard digits.count == 4, isHexadecimal,
      let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw failure("four hexadecimal digits should stand after \\u") }
    offset += 4
    return unit
  }
}
