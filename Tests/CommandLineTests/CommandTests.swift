import ArgumentParser
import Costate
import Foundation
import Testing

@testable import CostateCommandLine

@Suite struct CommandTests {
  @Test(arguments: [
    ["info"], ["bogus"], ["info", "m.xml", "--precision", "float16"], ["info", "m.xml", "--threads", "0"],
    ["info", "m.xml", "--seed", "-1"],
  ])
  func wrongUsageIs64(arguments: [String]) {
    let error = #expect(throws: (any Error).self) { _ = try CostateCommand.parseAsRoot(arguments) }
    #expect(error.map { CostateCommand.exitCode(for: $0).rawValue } == 64)
  }

  @Test func missingFilesAre66() throws {
    var command = try CostateCommand.parseAsRoot(["info", "/nonexistent/model.xml"])
    let failure = #expect(throws: CommandFailure.self) { try command.run() }
    #expect(failure?.code == .unreadableInput)
    #expect(failure?.message.contains("/nonexistent/model.xml") == true)
  }

  @Test func unknownIgnoresAre64() throws {
    var command = try CostateCommand.parseAsRoot(["info", "m.xml", "--ignore", "friction"])
    let failure = #expect(throws: CommandFailure.self) { try command.run() }
    #expect(failure?.code == .wrongUsage)
  }
}
