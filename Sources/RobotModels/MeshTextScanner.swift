/// Splits the text of a mesh file into words and keeps count of lines and columns.
struct MeshTextScanner {
  struct Word {
    var text: String
    var line: Int
    var column: Int
  }

  let bytes: [UInt8]
  let file: String
  private var offset = 0
  private(set) var line = 1
  private var lineStart = 0

  init(bytes: [UInt8], file: String) {
    self.bytes = bytes
    self.file = file
  }

  var isAtEnd: Bool { offset >= bytes.count }
  var column: Int { offset - lineStart + 1 }

  /// The next word of this line, or nil at the end of the line. Nothing after `#` counts where comments are
  /// allowed.
  mutating func wordInLine(commentsAllowed: Bool = false) -> Word? {
    while offset < bytes.count, MeshTextScanner.isBlank(bytes[offset]) { offset += 1 }
    guard offset < bytes.count, bytes[offset] != 0x0A else { return nil }
    if commentsAllowed, bytes[offset] == UInt8(ascii: "#") {
      while offset < bytes.count, bytes[offset] != 0x0A { offset += 1 }
      return nil
    }
    let start = offset
    while offset < bytes.count, bytes[offset] != 0x0A, !MeshTextScanner.isBlank(bytes[offset]) { offset += 1 }
    // A damaged file can hold a word of any length; a message needs only its start.
    let text = String(decoding: bytes[start..<min(offset, start + 200)], as: UTF8.self)
    return Word(text: text, line: line, column: start - lineStart + 1)
  }

  /// Leaves the rest of this line.
  mutating func skipLine() {
    while offset < bytes.count, bytes[offset] != 0x0A { offset += 1 }
    guard offset < bytes.count else { return }
    offset += 1
    line += 1
    lineStart = offset
  }

  /// The next word in this or a later line, or nil at the end of the file.
  mutating func word() -> Word? {
    while !isAtEnd {
      if let word = wordInLine() { return word }
      skipLine()
    }
    return nil
  }

  func error(_ message: String, at word: Word?) -> ModelError {
    ModelError(
      .invalid,
      at: ModelError.Location(file: file, line: word?.line ?? line, column: word?.column ?? column), message)
  }

  /// A finite coordinate of at most 2^30.
  func coordinate(_ word: Word?, of what: String) throws(ModelError) -> Float {
    guard let word else { throw error("\(what) ends early; three numbers are needed", at: nil) }
    guard let value = Float(word.text) else {
      throw error("'\(word.text)' in \(what) is not a number", at: word)
    }
    guard abs(value) <= MeshData.largestCoordinate else {
      throw error(
        "the coordinate \(word.text) of \(what) has to be finite and at most 2^30 in size", at: word)
    }
    return value
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
}
