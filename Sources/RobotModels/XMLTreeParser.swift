import Foundation

#if canImport(FoundationXML)
  import FoundationXML
#endif

extension XMLTree {
  /// Reads and parses a file.
  ///
  /// - Throws: ``ModelError`` of kind `unreadable` where the file cannot be read, `invalid` where it is not
  ///   well formed or exceeds a limit.
  init(contentsOf path: String, limits: XMLTreeLimits = XMLTreeLimits()) throws {
    let bytes = try Self.read(path, limits: limits)
    try self.init(
      bytes: bytes, file: path, directory: (path as NSString).deletingLastPathComponent, limits: limits)
  }

  /// Parses a text that is not a file; `name` stands for it in error messages.
  init(
    text: String, name: String, directory: String?, limits: XMLTreeLimits = XMLTreeLimits()
  ) throws {
    try self.init(bytes: Array(text.utf8), file: name, directory: directory, limits: limits)
  }

  init(bytes: [UInt8], file: String, directory: String?, limits: XMLTreeLimits = XMLTreeLimits()) throws {
    let start = ModelError.Location(file: file, line: 1, column: 1)
    guard bytes.count <= limits.fileBytes else {
      throw ModelError(
        .invalid, at: start, "\(bytes.count) bytes; at most \(limits.fileBytes) bytes of XML are read")
    }
    guard bytes.contains(where: { $0 > 0x20 }) else {
      throw ModelError(.invalid, at: start, "the file is empty; expected <mujoco> or <robot>")
    }
    let bytes = try Self.plainUTF8(bytes, file: file)
    let map = try XMLSourceMap(scanning: bytes, file: file, limits: limits)
    let builder = XMLTreeBuilder(map: map, file: file, limits: limits)
    let parser = XMLParser(data: Data(bytes))
    parser.shouldResolveExternalEntities = false
    parser.externalEntityResolvingPolicy = .never
    parser.delegate = builder
    let succeeded = parser.parse()
    if let error = builder.error { throw error }
    guard succeeded, let root = builder.root else {
      throw builder.syntaxError(
        line: parser.lineNumber, column: parser.columnNumber, code: (parser.parserError as NSError?)?.code)
    }
    self.init(file: file, directory: directory, root: root)
  }

  private static func read(_ path: String, limits: XMLTreeLimits) throws -> [UInt8] {
    let location = ModelError.Location(file: path, line: 0, column: 0)
    var isDirectory: ObjCBool = false
    guard !path.utf8.contains(0), FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
    else {
      throw ModelError(.unreadable, at: location, "no such file")
    }
    if isDirectory.boolValue {
      throw ModelError(.unreadable, at: location, "is a directory; expected an XML file")
    }
    guard let handle = FileHandle(forReadingAtPath: path) else {
      throw ModelError(.unreadable, at: location, "cannot be opened for reading (permissions?)")
    }
    defer { try? handle.close() }
    // Reading at most one byte more than allowed keeps endless files (pipes, devices) bounded.
    guard let data = try? handle.read(upToCount: limits.fileBytes + 1) ?? Data() else {
      throw ModelError(.unreadable, at: location, "reading failed")
    }
    return Array(data)
  }
}

extension XMLTree {
  /// The text with its byte-order mark and XML declaration blanked, so that the parser never converts encodings
  /// by itself: what it is given is UTF-8, and checked to be.
  private static func plainUTF8(_ bytes: [UInt8], file: String) throws -> [UInt8] {
    func error(at offset: Int, _ message: String) -> ModelError {
      let before = bytes[..<offset]
      let line = before.count { $0 == UInt8(ascii: "\n") } + 1
      let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
      return ModelError(
        .invalid, at: .init(file: file, line: line, column: offset - lineStart + 1), message)
    }
    if let zero = bytes.firstIndex(of: 0) {
      throw error(at: zero, "contains zero bytes: not an XML text in UTF-8 (convert it to UTF-8)")
    }
    var result = bytes
    var start = 0
    if result.starts(with: [0xEF, 0xBB, 0xBF]) {
      result.replaceSubrange(0..<3, with: [0x20, 0x20, 0x20])
      start = 3
    }
    if result[start...].starts(with: Array("<?xml".utf8)),
      let end = result[start...].firstIndex(of: UInt8(ascii: ">"))
    {
      let declaration = String(decoding: result[start...end], as: UTF8.self)
      if let match = declaration.firstMatch(of: /encoding\s*=\s*["']([^"']*)["']/) {
        let encoding = match.1.lowercased()
        if ["iso-8859-1", "latin1", "latin-1", "windows-1252"].contains(encoding) {
          let blanked = result.indices.map {
            ($0 <= end && result[$0] != UInt8(ascii: "\n")) ? 0x20 : result[$0]
          }
          return Array(String(String.UnicodeScalarView(blanked.map { Unicode.Scalar($0) })).utf8)
        }
        guard ["utf-8", "utf8", "us-ascii", "ascii"].contains(encoding) else {
          throw error(
            at: start,
            "the encoding '\(encoding.clippedForMessage)' is not supported; convert the file to UTF-8")
        }
      }
      for index in start...end where result[index] != UInt8(ascii: "\n") { result[index] = 0x20 }
    }
    if let invalid = firstInvalidUTF8(result) {
      throw error(at: invalid, "a byte that is not UTF-8; convert the file to UTF-8")
    }
    return result
  }

  /// Offset of the first byte that does not belong to well-formed UTF-8.
  private static func firstInvalidUTF8(_ bytes: [UInt8]) -> Int? {
    guard bytes.contains(where: { $0 >= 0x80 }) else { return nil }
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var offset = 0
    while true {
      switch decoder.decode(&iterator) {
      case .scalarValue(let scalar): offset += UTF8.width(scalar)
      case .emptyInput: return nil
      case .error: return offset
      }
    }
  }
}

/// Receives the parser's events and builds the tree.
private final class XMLTreeBuilder: NSObject, XMLParserDelegate {
  private struct OpenElement {
    var name: String
    var attributes: [XMLTreeAttribute]
    var children: [XMLTreeElement] = []
    var text = ""
    var location: ModelError.Location
  }

  private let map: XMLSourceMap
  private let file: String
  private let limits: XMLTreeLimits
  private var open: [OpenElement] = []
  private var nextTag = 0
  private(set) var root: XMLTreeElement?
  private(set) var error: ModelError?

  init(map: XMLSourceMap, file: String, limits: XMLTreeLimits) {
    self.map = map
    self.file = file
    self.limits = limits
  }

  private func location(_ line: Int, _ column: Int) -> ModelError.Location {
    ModelError.Location(file: file, line: max(line, 1), column: max(column, 1))
  }

  /// An error for text that is not well formed, with a sentence for the usual causes.
  func syntaxError(line: Int, column: Int, code: Int?) -> ModelError {
    let place = location(line, column)
    if map.endsInsideTag {
      return ModelError(
        .invalid, at: place, "the file ends inside a tag; it is truncated, or a '>' or a quote is missing")
    }
    if let element = open.last, code == 5 || code == 77 || code == 74 {
      return ModelError(
        .invalid, at: place,
        "the file ends inside <\(element.name)> (opened at line \(element.location.line)); "
          + "it is truncated, or </\(element.name)> is missing")
    }
    let reason =
      switch code {
      case 76:
        open.last.map {
          "mismatched tag: expected </\($0.name)> for the element opened at line \($0.location.line)"
        } ?? "mismatched tag"
      case 26, 27: "undeclared entity; only &lt; &gt; &amp; &quot; &apos; and &#N; are defined"
      case 38: "'<' inside an attribute value; write &lt;"
      case 39: "an attribute value must be in quotes: name=\"value\""
      case 40: "an attribute value's closing quote is missing"
      case 41: "an attribute needs a value: name=\"value\""
      case 42: "the same attribute is given twice in one element"
      case 65: "a space is missing between attributes"
      case 68: "a tag or attribute needs a name that starts with a letter"
      case 73: "a tag's closing '>' is missing"
      case 9: "a character that XML does not allow; the file must be UTF-8 text"
      case 80, 45: "a comment or processing instruction that is not well formed; write <!-- … -->"
      case let code?: "not well-formed XML (parser code \(code))"
      case nil: "not well-formed XML"
      }
    return ModelError(.invalid, at: place, reason)
  }

  private func fail(_ parser: XMLParser, _ error: ModelError) {
    if self.error == nil { self.error = error }
    parser.abortParsing()
  }

  func parser(
    _ parser: XMLParser, didStartElement elementName: String, namespaceURI: String?,
    qualifiedName: String?, attributes values: [String: String] = [:]
  ) {
    guard error == nil else { return }
    guard nextTag < map.tags.count else {
      return fail(parser, syntaxError(line: parser.lineNumber, column: parser.columnNumber, code: nil))
    }
    let tag = map.tags[nextTag]
    nextTag += 1
    let place = location(Int(tag.line), Int(tag.column))
    guard open.count < limits.depth else {
      return fail(
        parser,
        ModelError(
          .invalid, at: place,
          "<\(elementName)> is nested more than \(limits.depth) elements deep; at most \(limits.depth) levels "
            + "are read"))
    }
    var attributes = values.map { name, value in
      let (line, column) = map.location(ofAttribute: name, in: tag)
      return XMLTreeAttribute(name: name, value: value, location: location(line, column))
    }
    attributes.sort {
      ($0.location.line, $0.location.column, $0.name) < ($1.location.line, $1.location.column, $1.name)
    }
    open.append(OpenElement(name: elementName, attributes: attributes, location: place))
  }

  func parser(
    _ parser: XMLParser, didEndElement elementName: String, namespaceURI: String?, qualifiedName: String?
  ) {
    guard error == nil, let element = open.popLast() else { return }
    let finished = XMLTreeElement(
      name: element.name, attributes: element.attributes, children: element.children,
      text: element.text.trimmingCharacters(in: .whitespacesAndNewlines), location: element.location)
    if open.isEmpty { root = finished } else { open[open.count - 1].children.append(finished) }
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) {
    guard error == nil, !open.isEmpty else { return }
    // Indentation is most of the character data in a robot file; it is dropped at once.
    if open[open.count - 1].text.isEmpty, string.utf8.allSatisfy({ $0 <= 0x20 }) { return }
    open[open.count - 1].text += string
  }

  func parser(_ parser: XMLParser, parseErrorOccurred parseError: any Error) {
    guard error == nil else { return }
    error = syntaxError(
      line: parser.lineNumber, column: parser.columnNumber, code: (parseError as NSError).code)
  }
}
