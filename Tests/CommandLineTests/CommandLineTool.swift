import Foundation
import Testing

@testable import CostateCommandLine

/// Runs the built executable, as a user would.
struct CommandLineTool {
  var exitCode: Int32
  var output: String
  var errors: String

  static let package = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  static func model(_ name: String) -> String { package.appendingPathComponent("Models/\(name).xml").path }

  @discardableResult
  init(_ arguments: [String]) throws {
    let process = Process()
    // The executable stands beside the bundle that runs the tests.
    process.executableURL = Bundle.module.bundleURL.deletingLastPathComponent().appendingPathComponent(
      "costate")
    process.arguments = arguments
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
      "costate-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    // Files, not pipes: a pipe would block a process that prints much before it ends.
    func file(_ name: String) throws -> (url: URL, handle: FileHandle) {
      let url = directory.appendingPathComponent(name)
      try Data().write(to: url)
      return (url, try FileHandle(forWritingTo: url))
    }
    let (output, errors) = (try file("output"), try file("errors"))
    process.standardOutput = output.handle
    process.standardError = errors.handle
    try process.run()
    process.waitUntilExit()
    exitCode = process.terminationStatus
    self.output = try String(contentsOf: output.url, encoding: .utf8)
    self.errors = try String(contentsOf: errors.url, encoding: .utf8)
  }

  /// The members of the one JSON object that was printed.
  func json() throws -> [String: JSONValue] {
    let value = try JSONReader.read(InputFile(path: "stdout", bytes: Array(output.utf8)))
    guard case .object(let members) = value else {
      throw CommandFailure(.invalidInput, "not an object: \(output)")
    }
    return Dictionary(uniqueKeysWithValues: members.map { ($0.name, $0.value) })
  }
}

extension JSONValue {
  var array: NumericArray? { try? NumericArray(self, what: "", of: InputFile(path: "", bytes: [])) }
  var double: Double? { if case .number(let number) = self { number } else { nil } }
}

/// A directory that is removed at the end.
func withTemporaryDirectory<R>(_ body: (String) throws -> R) throws -> R {
  let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
    "costate-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: directory) }
  return try body(directory.path)
}
