import Foundation

/// The bytes of a file named on the command line.
struct InputFile {
  var path: String
  var bytes: [UInt8]

  /// Reads the whole file; `-` is standard input.
  ///
  /// - Throws: `CommandFailure` (unreadable input) that names the file and the reason.
  init(path: String) throws(CommandFailure) {
    self.path = path
    do {
      if path == "-" {
        bytes = [UInt8](try FileHandle.standardInput.readToEnd() ?? Data())
      } else {
        var isDirectory: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
        guard exists else { throw CommandFailure(.unreadableInput, "\(path): no such file") }
        guard !isDirectory.boolValue else {
          throw CommandFailure(.unreadableInput, "\(path): is a directory, not a file")
        }
        bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
      }
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      throw CommandFailure(.unreadableInput, "\(path): cannot be read: \(error.localizedDescription)")
    }
  }

  init(path: String, bytes: [UInt8]) {
    self.path = path
    self.bytes = bytes
  }

  /// An error at a byte of the file, as `file:line:column: message` (columns count bytes).
  func failure(at offset: Int, _ message: String) -> CommandFailure {
    var line = 1
    var column = 1
    for byte in bytes.prefix(offset) {
      if byte == UInt8(ascii: "\n") {
        line += 1
        column = 1
      } else {
        column += 1
      }
    }
    return CommandFailure(.invalidInput, "\(path):\(line):\(column): \(message)")
  }

  /// An error about the file as a whole.
  func failure(_ message: String) -> CommandFailure {
    CommandFailure(.invalidInput, "\(path): \(message)")
  }
}
