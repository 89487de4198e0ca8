/// SplitMix64: small, seeded, the same on every machine.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func below(_ bound: Int) -> Int { bound < 1 ? 0 : Int.random(in: 0..<bound, using: &self) }
}

/// Damages a text or binary file: bytes, words, quoted values, tags and lines.
struct FuzzMutator {
  private var random: SplitMix64
  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  /// Values that readers tend to trip over.
  private static let values = [
    "", "0", "-1", "1e400", "-1e400", "1e308", "1e-320", "nan", "inf", "0x10", "2147483647", "2147483648",
    "-2147483648", "9223372036854775807", "99999999999999999999", "1 2 3", "1 2 3 4", "0 0 0", "0 0 0 0",
    "1e154",
    "-0", "true", "false", "auto", "world", "a", "knee", "🤖", "&lt;", "&#0;", "&#xFFFF;",
    "../../../etc/passwd",
    "/dev/zero", "file:///etc/passwd", "0.5 0.5", "100000", "mesh", "free", "ball", "hfield", "1e-20", "1e20",
    "0.1", "1", "2", "0.5 0.25 0.125", "0.1 0.2", "3", "6", "none", "5 4 3 2 1 0", "exact", "convex", "shell",
  ]

  mutating func mutate(_ seed: [UInt8], with other: [UInt8]) -> [UInt8] {
    var bytes = seed
    // Half of the inputs keep their syntax, so that what lies behind the parser is reached.
    if random.below(2) == 0 {
      for _ in 0..<(1 + random.below(3)) {
        if random.below(3) == 0 { swapQuoted(&bytes) } else { replaceValue(&bytes) }
      }
      return bytes
    }
    for _ in 0..<(1 + random.below(4)) {
      switch random.below(11) {
      case 0: flip(&bytes)
      case 1: cut(&bytes)
      case 2: duplicate(&bytes)
      case 3: splice(&bytes, other)
      case 4: bytes.removeLast(random.below(bytes.count))
      case 5, 6, 7: replaceValue(&bytes)
      case 8: replaceWord(&bytes, by: Self.values[random.below(Self.values.count)])
      case 9: swapQuoted(&bytes)
      default: exchangeTags(&bytes)
      }
    }
    return bytes
  }

  private mutating func flip(_ bytes: inout [UInt8]) {
    guard !bytes.isEmpty else { return }
    for _ in 0..<(1 + random.below(3)) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
  }

  private mutating func range(_ bytes: [UInt8], upTo limit: Int) -> Range<Int> {
    let start = random.below(bytes.count)
    return start..<min(bytes.count, start + 1 + random.below(limit))
  }

  private mutating func cut(_ bytes: inout [UInt8]) {
    guard !bytes.isEmpty else { return }
    bytes.removeSubrange(range(bytes, upTo: 200))
  }

  private mutating func duplicate(_ bytes: inout [UInt8]) {
    guard !bytes.isEmpty else { return }
    let copied = Array(bytes[range(bytes, upTo: 300)])
    bytes.insert(contentsOf: copied, at: random.below(bytes.count + 1))
  }

  private mutating func splice(_ bytes: inout [UInt8], _ other: [UInt8]) {
    guard !bytes.isEmpty, !other.isEmpty else { return }
    bytes.replaceSubrange(range(bytes, upTo: 200), with: Array(other[range(other, upTo: 300)]))
  }

  /// Ranges between pairs of quotes.
  private func quoted(_ bytes: [UInt8]) -> [Range<Int>] {
    let quotes = bytes.indices.filter { bytes[$0] == UInt8(ascii: "\"") }
    return stride(from: 0, to: quotes.count - 1, by: 2).map { quotes[$0] + 1..<quotes[$0 + 1] }
  }

  private mutating func replaceValue(_ bytes: inout [UInt8]) {
    let ranges = quoted(bytes)
    guard !ranges.isEmpty else {
      return replaceWord(&bytes, by: Self.values[random.below(Self.values.count)])
    }
    bytes.replaceSubrange(
      ranges[random.below(ranges.count)], with: Array(Self.values[random.below(Self.values.count)].utf8))
  }

  private mutating func swapQuoted(_ bytes: inout [UInt8]) {
    let ranges = quoted(bytes)
    guard ranges.count > 1 else { return }
    let value = Array(bytes[ranges[random.below(ranges.count)]])
    bytes.replaceSubrange(ranges[random.below(ranges.count)], with: value)
  }

  private mutating func replaceWord(_ bytes: inout [UInt8], by word: String) {
    func isBreak(_ byte: UInt8) -> Bool {
      byte <= 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "<")
    }
    guard !bytes.isEmpty else { return }
    var start = random.below(bytes.count)
    while start > 0, !isBreak(bytes[start - 1]) { start -= 1 }
    var end = start
    while end < bytes.count, !isBreak(bytes[end]) { end += 1 }
    bytes.replaceSubrange(start..<end, with: Array(word.utf8))
  }

  /// Puts one tag (or line, where there are no tags) in another's place.
  private mutating func exchangeTags(_ bytes: inout [UInt8]) {
    var starts = bytes.indices.filter { bytes[$0] == UInt8(ascii: "<") }
    if starts.count < 2 { starts = bytes.indices.filter { bytes[$0] == UInt8(ascii: "\n") } }
    guard starts.count > 2 else { return }
    let (from, to) = (random.below(starts.count - 1), random.below(starts.count - 1))
    let tag = Array(bytes[starts[from]..<starts[from + 1]])
    bytes.replaceSubrange(starts[to]..<starts[to + 1], with: tag)
  }
}
