import Foundation
import Testing

@testable import CostateCommandLine

@Suite struct ReadmeTests {
  private static func text(_ path: String) throws -> String {
    try String(contentsOf: CommandLineTool.package.appendingPathComponent(path), encoding: .utf8)
  }

  /// What stands between a line that opens a block of code and the one that closes it.
  private static func block(_ language: String, in text: String) throws -> String {
    let start = try #require(text.range(of: "```\(language)\n")).upperBound
    let end = try #require(text.range(of: "```", range: start..<text.endIndex)).lowerBound
    return String(text[start..<end])
  }

  @Test func theExampleIsTheOneThatIsBuilt() throws {
    #expect(
      try Self.block("swift", in: Self.text("README.md")) == Self.text("Examples/Quickstart/main.swift"))
  }

  @Test func theOutputIsTheExamples() throws {
    let process = Process()
    process.executableURL = Bundle.module.bundleURL.deletingLastPathComponent().appendingPathComponent(
      "Quickstart")
    process.currentDirectoryURL = CommandLineTool.package
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)

    func words(_ text: String) -> [Substring] { text.split { " ;\n".contains($0) } }
    let printed = words(output)
    let documented = words(try Self.block("text", in: Self.text("README.md")))
    try #require(printed.count == documented.count)
    for (a, b) in zip(printed, documented) {
      // The last digits depend on the machine's vector instructions.
      if let x = Double(a), let y = Double(b) {
        #expect(abs(x - y) <= 1e-9 * abs(y))
      } else {
        #expect(a == b)
      }
    }
  }
}
