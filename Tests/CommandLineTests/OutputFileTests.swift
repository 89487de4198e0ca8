import Foundation
import Testing

@testable import CostateCommandLine

@Suite struct OutputFileTests {
  @Test func replacesAndLeavesNothingElse() throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/out.json"
      try OutputFile(path: path).write(Array("first, longer".utf8))
      try OutputFile(path: path).write(Array("second".utf8))
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "second")
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["out.json"])
    }
  }

  @Test func linksKeepPointing() throws {
    try withTemporaryDirectory { directory in
      try OutputFile(path: directory + "/real.csv").write([65])
      try FileManager.default.createSymbolicLink(
        atPath: directory + "/link.csv", withDestinationPath: directory + "/real.csv")
      try OutputFile(path: directory + "/link.csv").write([66])
      #expect(try String(contentsOfFile: directory + "/real.csv", encoding: .utf8) == "B")
    }
  }

  @Test func impossibleTargetsAreReportedFirst() throws {
    try withTemporaryDirectory { directory in
      for path in [directory + "/none/out.csv", directory] {
        let failure = #expect(throws: CommandFailure.self) { try OutputFile(path: path) }
        #expect(failure?.code == .unwritableOutput)
        #expect(failure?.message.hasPrefix(path) == true)
      }
    }
  }
}
