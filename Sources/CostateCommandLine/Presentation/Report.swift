import Foundation

/// What a command found, for both readers: a JSON object and text.
struct Report {
  var json: JSONValue
  var text: String

  init(json: JSONValue, text: String) {
    self.json = json
    self.text = text
  }

  /// Prints one of the two on stdout.
  ///
  /// - Throws: `CommandFailure` (computation failed) where a number is not finite, whichever is printed.
  func print(asJSON: Bool) throws(CommandFailure) {
    let encoded = try json.encoded()
    let bytes = (asJSON ? encoded : Array(text.utf8)) + [UInt8(ascii: "\n")]
    FileHandle.standardOutput.write(Data(bytes))
  }
}
