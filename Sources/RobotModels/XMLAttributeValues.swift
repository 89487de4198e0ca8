import Lanes

/// Typed reading of attributes. Every reader returns nil where the attribute is absent, and throws an error
/// at the attribute, saying what would be valid, where it cannot be read.
extension XMLTreeElement {
  func string(_ name: String) -> String? { attribute(name)?.value }

  /// The value, which must be there and not empty.
  func requiredString(_ name: String) throws -> String {
    guard let attribute = attribute(name) else {
      throw error("<\(self.name)> needs the attribute '\(name)'")
    }
    guard !attribute.value.isEmpty else {
      throw error(at: name, "\(describe(name)) must not be empty")
    }
    return attribute.value
  }

  /// Numbers, exactly as many as `count` allows.
  func doubles(_ name: String, count: ClosedRange<Int>) throws -> [Double]? {
    guard let attribute = attribute(name) else { return nil }
    let words = attribute.value.utf8.split(whereSeparator: { $0 == 32 || ($0 >= 9 && $0 <= 13) })
    guard count.contains(words.count) else {
      let expected =
        count.upperBound == Int.max
        ? "at least \(count.lowerBound)"
        : count.lowerBound == count.upperBound
          ? "\(count.lowerBound)" : "\(count.lowerBound) to \(count.upperBound)"
      throw error(
        at: name,
        "\(describe(name)) has \(words.count) value\(words.count == 1 ? "" : "s"); expected \(expected) "
          + "number\(expected == "1" ? "" : "s") separated by spaces")
    }
    return try words.map { try number($0, in: name) }
  }

  func doubles(_ name: String, count: Int) throws -> [Double]? { try doubles(name, count: count...count) }

  func double(_ name: String) throws -> Double? { try doubles(name, count: 1...1)?[0] }

  func vector3(_ name: String) throws -> Vector3<Double>? {
    guard let values = try doubles(name, count: 3) else { return nil }
    return Vector3(values[0], values[1], values[2])
  }

  /// Whole numbers.
  func integers(_ name: String, count: ClosedRange<Int>) throws -> [Int]? {
    guard let values = try doubles(name, count: count) else { return nil }
    return try values.map { value in
      guard let whole = Int32(exactly: value) else {
        throw error(
          at: name,
          "\(describe(name)) is \(value); expected a whole number from \(Int32.min) to \(Int32.max)")
      }
      return Int(whole)
    }
  }

  func integer(_ name: String) throws -> Int? { try integers(name, count: 1...1)?[0] }

  /// One of a closed list of words.
  func keyword<Value>(_ name: String, _ choices: KeyValuePairs<String, Value>) throws -> Value? {
    guard let attribute = attribute(name) else { return nil }
    for (word, value) in choices where word == attribute.value { return value }
    throw error(
      at: name,
      "\(describe(name)) is '\(attribute.value.clippedForMessage)'; "
        + "expected \(choices.map { "'\($0.key)'" }.joined(separator: ", "))")
  }

  func boolean(_ name: String) throws -> Bool? { try keyword(name, ["true": true, "false": false]) }

  private func describe(_ attribute: String) -> String { "attribute '\(attribute)' of \(label)" }

  /// Strict and independent of the locale: a sign, digits, a point, an exponent, and nothing else.
  private func number(_ word: Substring.UTF8View, in name: String) throws -> Double {
    let text = String(Substring(word))
    let isPlain = word.allSatisfy { byte in
      (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")) || byte == UInt8(ascii: ".")
        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "e")
        || byte == UInt8(ascii: "E")
    }
    guard isPlain, let value = Double(text) else {
      throw error(
        at: name,
        "\(describe(name)) holds '\(text.clippedForMessage)', which is not a number; expected finite decimal "
          + "numbers such as 0.5 or 1e-3, separated by spaces")
    }
    guard value.isFinite else {
      throw error(
        at: name,
        "\(describe(name)) holds '\(text.clippedForMessage)', which is too large; expected numbers below "
          + "1.8e308 in size")
    }
    return value
  }
}

extension String {
  /// Short enough to stand in an error message, on one line.
  package var clippedForMessage: String {
    let line = self.replacing(/[\p{Cc}\s]+/, with: " ")
    return line.count > 60 ? line.prefix(57) + "…" : line
  }

  /// The candidate with the smallest edit distance, if it is near enough to be a likely misspelling.
  func nearest(in candidates: some Sequence<String>) -> String? {
    guard utf8.count <= 64 else { return nil }
    let scored = candidates.map { (editDistance(to: $0), $0) }
    guard let best = scored.min(by: { $0 < $1 }), best.0 <= max(2, count / 3) else { return nil }
    return best.1
  }

  /// Levenshtein's distance, ignoring case.
  package func editDistance(to other: String) -> Int {
    let (a, b) = (Array(lowercased().utf8), Array(other.lowercased().utf8))
    var row = Array(0...b.count)
    for i in a.indices {
      var diagonal = row[0]
      row[0] = i + 1
      for j in b.indices {
        let substituted = diagonal + (a[i] == b[j] ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = Swift.min(substituted, diagonal + 1, row[j] + 1)
      }
    }
    return row[b.count]
  }
}
