/// A JSON value. Objects keep the order of their members; numeric vectors and matrices stay flat.
enum JSONValue: Equatable, Sendable {
  struct Member: Equatable, Sendable {
    var name: String
    var value: JSONValue
  }
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])
  /// An array of numbers.
  case numbers([Double])
  /// Row-major numbers in nested arrays of the given shape (at least one dimension).
  case tensor([Double], shape: [Int])

  static func matrix(_ elements: [Double], rows: Int, columns: Int) -> JSONValue {
    .tensor(elements, shape: [rows, columns])
  }

  static func strings(_ strings: [String]) -> JSONValue { .array(strings.map { .string($0) }) }
}

extension JSONValue: ExpressibleByDictionaryLiteral {
  init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(elements.map { Member(name: $0, value: $1) })
  }
}

extension JSONValue {
  /// The value as JSON text on one line, with every double in the shortest form that reads back to the same bits.
  ///
  /// - Throws: `CommandFailure` (computation failed) that names the first number that is not finite.
  func encoded() throws(CommandFailure) -> [UInt8] {
    var encoder = JSONEncoding()
    try encoder.write(self)
    return encoder.bytes
  }
}

/// Writes a value and keeps the path to the member it is at, to name it in an error.
private struct JSONEncoding {
  enum Step {
    case member(String)
    case index(Int)
  }
  var bytes: [UInt8] = []
  private var path: [Step] = []

  mutating func write(_ value: JSONValue) throws(CommandFailure) {
    switch value {
    case .null: append("null")
    case .bool(let bool): append(bool ? "true" : "false")
    case .integer(let integer): append(String(integer))
    case .number(let number): try write(number)
    case .string(let string): write(string)
    case .array(let elements):
      try writeArray(count: elements.count) { (self, i) throws(CommandFailure) in try self.write(elements[i])
      }
    case .numbers(let numbers):
      try writeArray(count: numbers.count) { (self, i) throws(CommandFailure) in try self.write(numbers[i]) }
    case .tensor(let elements, let shape):
      precondition(elements.count == shape.reduce(1, *), "a tensor's shape must match its elements")
      try write(elements[...], shape: shape[...])
    case .object(let members):
      bytes.append(UInt8(ascii: "{"))
      for (i, member) in members.enumerated() {
        if i > 0 { append(", ") }
        write(member.name)
        append(": ")
        path.append(.member(member.name))
        try write(member.value)
        path.removeLast()
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  private mutating func write(_ elements: ArraySlice<Double>, shape: ArraySlice<Int>) throws(CommandFailure) {
    let rest = shape.dropFirst()
    let stride = rest.reduce(1, *)
    try writeArray(count: shape.first!) { (self, i) throws(CommandFailure) in
      let start = elements.startIndex + i * stride
      if rest.isEmpty {
        try self.write(elements[start])
      } else {
        try self.write(elements[start..<start + stride], shape: rest)
      }
    }
  }

  private mutating func writeArray(
    count: Int, element: (inout JSONEncoding, Int) throws(CommandFailure) -> Void
  ) throws(CommandFailure) {
    bytes.append(UInt8(ascii: "["))
    for i in 0..<count {
      if i > 0 { append(", ") }
      path.append(.index(i))
      try element(&self, i)
      path.removeLast()
    }
    bytes.append(UInt8(ascii: "]"))
  }

  private mutating func write(_ number: Double) throws(CommandFailure) {
    guard number.isFinite else {
      throw CommandFailure(.computationFailed, "\(pathDescription) is not finite (\(number))")
    }
    append(number.description)
  }

  private mutating func write(_ string: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in string.utf8 {
      switch byte {
      case UInt8(ascii: "\""): append("\\\"")
      case UInt8(ascii: "\\"): append("\\\\")
      case UInt8(ascii: "\n"): append("\\n")
      case UInt8(ascii: "\t"): append("\\t")
      case UInt8(ascii: "\r"): append("\\r")
      case 0..<0x20:
        let digits = String(byte, radix: 16)
        append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func append(_ string: String) { bytes.append(contentsOf: string.utf8) }

  private var pathDescription: String {
    var text = ""
    for step in path {
      switch step {
      case .member(let name): text += text.isEmpty ? name : ".\(name)"
      case .index(let index): text += "[\(index)]"
      }
    }
    return text.isEmpty ? "the result" : text
  }
}
