/// Where the start tags of an XML text and their attributes stand.
///
/// XML parsers report a tag's end at best, and attributes without any place at all. This scan knows just
/// enough of the syntax to find the places; whether the text is well formed is the parser's business. It also
/// refuses document type declarations that carry more than a name, before a parser sees them: they are the
/// only way to declare entities (expansion bombs, external files), and no robot file needs one.
struct XMLSourceMap {
  struct Attribute {
    var name: Substring
    var line: Int32
    var column: Int32
  }
  struct StartTag {
    var line: Int32
    var column: Int32
    var attributes: Range<Int>
  }
  private(set) var tags: [StartTag] = []
  private(set) var attributes: [Attribute] = []
  /// The text's last tag has no end.
  private(set) var endsInsideTag = false

  /// The place of a tag's attribute of that name.
  func location(ofAttribute name: String, in tag: StartTag) -> (line: Int, column: Int) {
    for attribute in attributes[tag.attributes] where attribute.name == name {
      return (Int(attribute.line), Int(attribute.column))
    }
    return (Int(tag.line), Int(tag.column))
  }
}

extension XMLSourceMap {
  /// Scans a whole text.
  /// - Complexity: O(n).
  init(scanning bytes: [UInt8], file: String, limits: XMLTreeLimits) throws {
    var scanner = Scanner(bytes: bytes, file: file)
    while let opening = scanner.nextOpening() {
      switch opening {
      case .startTag(let line, let column):
        guard tags.count < limits.elements else {
          throw scanner.error(
            line, column, "more than \(limits.elements) elements; split the model or simplify it")
        }
        let first = attributes.count
        while let name = scanner.nextAttributeName() {
          guard attributes.count - first < limits.attributesPerElement else {
            throw scanner.error(
              name.line, name.column,
              "more than \(limits.attributesPerElement) attributes in one element")
          }
          attributes.append(name)
          let length = scanner.skipAttributeValue()
          guard length <= limits.attributeBytes else {
            throw scanner.error(
              name.line, name.column,
              "attribute '\(name.name)' has \(length) bytes; at most \(limits.attributeBytes) are read. "
                + "Put large arrays in a file of their own")
          }
        }
        tags.append(StartTag(line: line, column: column, attributes: first..<attributes.count))
        endsInsideTag = scanner.bytes[scanner.index - 1] != UInt8(ascii: ">")
      case .documentType(let line, let column):
        throw scanner.error(
          line, column,
          "document type declarations with entities or external references are not accepted; "
            + "remove the <!DOCTYPE …> and write the values out")
      }
    }
  }

  private enum Opening {
    case startTag(line: Int32, column: Int32)
    case documentType(line: Int32, column: Int32)
  }

  private struct Scanner {
    let bytes: [UInt8]
    let file: String
    var index = 0
    var line: Int32 = 1
    /// Index of the first byte of the current line.
    var lineStart = 0

    init(bytes: [UInt8], file: String) {
      self.bytes = bytes
      self.file = file
    }

    func error(_ line: Int32, _ column: Int32, _ message: String) -> ModelError {
      ModelError(.invalid, at: .init(file: file, line: Int(line), column: Int(column)), message)
    }

    var column: Int32 { Int32(clamping: index - lineStart + 1) }

    mutating func advance() {
      if bytes[index] == UInt8(ascii: "\n") {
        line &+= 1
        lineStart = index + 1
      }
      index += 1
    }

    func starts(with text: StaticString) -> Bool {
      let count = text.utf8CodeUnitCount
      guard bytes.count - index >= count else { return false }
      for k in 0..<count where bytes[index + k] != text.utf8Start[k] { return false }
      return true
    }

    mutating func skip(past text: StaticString) {
      while index < bytes.count {
        if starts(with: text) {
          index += text.utf8CodeUnitCount
          return
        }
        advance()
      }
    }

    /// Moves to the next start tag, just past its name.
    mutating func nextOpening() -> Opening? {
      while index < bytes.count {
        guard bytes[index] == UInt8(ascii: "<") else {
          advance()
          continue
        }
        if starts(with: "<!--") {
          index += 4
          skip(past: "-->")
        } else if starts(with: "<![CDATA[") {
          skip(past: "]]>")
        } else if starts(with: "<?") {
          skip(past: "?>")
        } else if starts(with: "<!") {
          let (startLine, startColumn) = (line, column)
          var isPlain = true
          var words = 0
          var inWord = false
          while index < bytes.count, bytes[index] != UInt8(ascii: ">") {
            if bytes[index] == UInt8(ascii: "[") { isPlain = false }
            let isSpace = Self.isSpace(bytes[index])
            if !isSpace, !inWord { words += 1 }
            inWord = !isSpace
            advance()
          }
          if !isPlain || words > 2 { return .documentType(line: startLine, column: startColumn) }
        } else if starts(with: "</") {
          skip(past: ">")
        } else {
          let opening = Opening.startTag(line: line, column: column)
          index += 1
          while index < bytes.count, !Self.endsName(bytes[index]) { index += 1 }
          return opening
        }
      }
      return nil
    }

    /// The next attribute's name inside a start tag, or nil at the tag's end (which is passed).
    mutating func nextAttributeName() -> Attribute? {
      while index < bytes.count {
        let byte = bytes[index]
        if byte == UInt8(ascii: ">") {
          index += 1
          return nil
        }
        if byte == UInt8(ascii: "<") { return nil }
        if Self.endsName(byte) {
          advance()
          continue
        }
        let (startLine, startColumn, start) = (line, column, index)
        while index < bytes.count, !Self.endsName(bytes[index]) { index += 1 }
        let name = String(decoding: bytes[start..<index], as: UTF8.self)
        return Attribute(name: name[...], line: startLine, column: startColumn)
      }
      return nil
    }

    /// Skips `= "value"`; returns the value's length in bytes.
    mutating func skipAttributeValue() -> Int {
      while index < bytes.count, Self.isSpace(bytes[index]) || bytes[index] == UInt8(ascii: "=") { advance() }
      guard index < bytes.count,
        bytes[index] == UInt8(ascii: "\"") || bytes[index] == UInt8(ascii: "'")
      else { return 0 }
      let quote = bytes[index]
      index += 1
      let start = index
      while index < bytes.count, bytes[index] != quote { advance() }
      let length = index - start
      if index < bytes.count { index += 1 }
      return length
    }

    static func isSpace(_ byte: UInt8) -> Bool {
      byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }
    static func endsName(_ byte: UInt8) -> Bool {
      isSpace(byte) || byte == UInt8(ascii: "=") || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "/")
        || byte == UInt8(ascii: "<") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
    }
  }
}
