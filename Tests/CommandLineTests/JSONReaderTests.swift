import Testing

@testable import CostateCommandLine

@Suite struct JSONReaderTests {
  private func read(_ text: String) throws -> JSONValue {
    try JSONReader.read(InputFile(path: "state.json", bytes: Array(text.utf8)))
  }

  @Test func values() throws {
    let value = try read(
      #" {"qpos": [1, -2.5e1, 0], "mixed": [1, [2]], "s": "a\u00e9\ud83d\ude00\n", "n": null} "#)
    #expect(
      value == [
        "qpos": .numbers([1, -25, 0]), "mixed": .array([.number(1), .numbers([2])]), "s": .string("aé😀\n"),
        "n": .null,
      ])
  }

  @Test(arguments: [
    ("", "1:1: the file ends where a JSON value should stand"),
    ("[1, 2", "1:6: the file ends where ',' or ']' should stand"),
    ("[1, 2,]", "1:7: found ']' where a JSON value should stand"),
    ("{\n  \"a\": 1,\n  \"a\": 2}", "3:3: 'a' stands here twice"),
    ("{a: 1}", "1:2: found 'a' where a name in double quotes should stand"),
    ("{\"a\" 1}", "1:6: found '1' where ':' should stand"),
    ("[1e400]", "1:2: 1e400 is outside the range of doubles"),
    ("[NaN]", "1:2: found 'N' where a JSON value should stand"),
    ("[-Infinity]", "1:3: found 'I' where a digit should stand"),
    ("[01]", "1:3: found '1' where ',' or ']' should stand"),
    ("[1.]", "1:4: found ']' where a digit after the point should stand"),
    ("[1] x", "1:5: text after the end of the JSON value"),
    ("\"abc", "1:1: this string has no closing quote"),
    ("\"\\x\"", "1:3: found 'x' where one of the escapes \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u should stand"),
    ("\"\\ud800\"", "1:2: half of a surrogate pair"),
    ("\"\\u12g4\"", "1:4: four hexadecimal digits should stand after \\u"),
    ("tru", "1:1: found 't' where a JSON value should stand"),
  ])
  func faultsAreLocated(text: String, message: String) {
    let failure = #expect(throws: CommandFailure.self) { try read(text) }
    #expect(failure?.code == .invalidInput)
    #expect(failure?.message == "state.json:" + message)
  }

  @Test func depthIsLimited() {
    let deep = String(repeating: "[", count: 100_000)
    #expect(throws: CommandFailure.self) { try read(deep) }
  }

  @Test(arguments: 0..<20) func mutatedTextNeverTraps(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let original = Array(#"{"qpos": [1, -2.5e1, 0], "x": [[1, 2], [3, 4]], "s": "a\u00e9", "t": true}"#.utf8)
    for _ in 0..<500 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &generator)))
      _ = try? JSONReader.read(InputFile(path: "x", bytes: bytes))
    }
  }
}
