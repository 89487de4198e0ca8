import Foundation
import Testing

@testable import CostateCommandLine

@Suite struct OutputFileTests {
  private func withDirectory(_ body: (String) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
      "costate-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try body(directory.path)
  }

  @Test func replacesAndLeavesNothingElse() throws {
    try withDirectory { directory in
      let path = directory + "/out.json"
      try OutputFile(path: path).write(Array("first, longer".utf8))
      try OutputFile(path: path).write(Array("second".utf8))
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "second")
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["out.json"])
    }
  }

  @Test func linksKeepPointing() throws {
    try withDirectory { directory in
      try OutputFile(path: directory + "/real.csv").write([65])
      try FileManager.default.createSymbolicLink(
        atPath: directory + "/link.csv", withDestinationPath: directory + "/real.csv")
      try OutputFile(path: directory + "/link.csv").write([66])
      #expect(try String(contentsOfFile: directory + "/real.csv", encoding: .utf8) == "B")
    }
  }

  @Test func impossibleTargetsAreReportedFirst() throws {
    try withDirectory { directory in
      for path in [directory + "/none/out.csv", directory] {
        let failure = #expect(throws: CommandFailure.self) { try OutputFile(path: path) }
        #expect(failure?.code == .unwritableOutput)
        #expect(failure?.message.hasPrefix(path) == true)
      }
    }
  }
}
