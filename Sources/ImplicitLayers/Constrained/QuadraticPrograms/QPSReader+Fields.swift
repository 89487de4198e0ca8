extension QPSReader {
  /// The next line that is neither empty nor a comment.
  mutating func nextLine() -> Bool {
    while offset < bytes.count {
      line += 1
      lineStart = offset
      while offset < bytes.count, bytes[offset] != 0x0a { offset += 1 }
      lineEnd = offset
      offset += 1
      while lineEnd > lineStart, isBlank(bytes[lineEnd - 1]) { lineEnd -= 1 }
      if lineEnd > lineStart, bytes[lineStart] != UInt8(ascii: "*") { return true }
    }
    return false
  }
  func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d }
  func field(_ range: Range<Int>) -> Field {
    Field(text: String(decoding: bytes[range], as: UTF8.self), column: range.lowerBound - lineStart + 1)
  }
  /// What blanks separate.
  func freeFields() -> [Field] {
    var fields: [Field] = []
    var k = lineStart
    while k < lineEnd {
      while k < lineEnd, isBlank(bytes[k]) { k += 1 }
      let start = k
      while k < lineEnd, !isBlank(bytes[k]) { k += 1 }
      if k > start { fields.append(field(start..<k)) }
    }
    return fields
  }
  /// What stands in columns 2–3, 5–12, 15–22, 25–36, 40–47, 50–61.
  func fixedFields() -> [Field?] {
    [(1, 3), (4, 12), (14, 22), (24, 36), (39, 47), (49, 61)].map { first, end in
      var (start, last) = (min(lineStart + first, lineEnd), min(lineStart + end, lineEnd))
      while start < last, isBlank(bytes[start]) { start += 1 }
      while last > start, isBlank(bytes[last - 1]) { last -= 1 }
      return start < last ? field(start..<last) : nil
    }
  }
  func number(_ field: Field) -> Double? {
    let isPlain = field.text.utf8.allSatisfy { byte in
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "+-.eEdD".utf8.contains(byte)
    }
    guard isPlain else {
      switch field.text.lowercased() {
      case "inf", "+inf", "infinity", "+infinity": return .infinity
      case "-inf", "-infinity": return -.infinity
      default: return nil
      }
    }
    let text = String(field.text.map { $0 == "d" || $0 == "D" ? "e" : $0 })
    return Double(text)
  }
  func coefficient(_ field: Field) throws(QuadraticProgramFileError) -> Double {
    guard let value = number(field) else {
      throw error("'\(field.text)' is no number", column: field.column)
    }
    guard value.isFinite else {
      throw error("\(field.text) is not finite; only bounds may be infinite", column: field.column)
    }
    return value
  }

  /// A name, then one or two pairs of name and number: as blanks separate them if that makes sense, else as the columns do.
  func namedValues(
    _ names: [String: Int], nameIsOptional: Bool, what: String
  ) throws(QuadraticProgramFileError) -> (name: Field?, pairs: [(Int, Field)]) {
    func parse(_ fields: [Field]) throws(QuadraticProgramFileError) -> (name: Field?, pairs: [(Int, Field)]) {
      let hasName = fields.count == 3 || fields.count == 5
      guard hasName || (nameIsOptional && (fields.count == 2 || fields.count == 4)) else {
        throw error(
          "\(fields.count) fields; a name and one or two pairs of a \(what)'s name and a number should stand here",
          column: fields.first?.column ?? 1)
      }
      var pairs: [(Int, Field)] = []
      var k = hasName ? 1 : 0
      while k < fields.count {
        guard let place = names[fields[k].text] else {
          throw error("there is no \(what) '\(fields[k].text)'", column: fields[k].column)
        }
        guard number(fields[k + 1]) != nil else {
          throw error("'\(fields[k + 1].text)' is no number", column: fields[k + 1].column)
        }
        pairs.append((place, fields[k + 1]))
        k += 2
      }
      return (hasName ? fields[0] : nil, pairs)
    }
    do throws(QuadraticProgramFileError) { return try parse(freeFields()) } catch let first {
      let fixed = fixedFields()
      let blank = Field(text: "", column: 5)
      guard let name = fixed[1] ?? (nameIsOptional ? blank : nil), let one = fixed[2], let value = fixed[3]
      else {
        throw first
      }
      var fields = [name, one, value]
      if let two = fixed[4], let other = fixed[5] { fields += [two, other] }
      do throws(QuadraticProgramFileError) { return try parse(fields) } catch { throw first }
    }
  }
}
