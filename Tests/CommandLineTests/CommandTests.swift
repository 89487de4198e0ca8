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

  /// Results that are not finite are failures of the computation, whichever command meets them.
  @Test func overflowIs1() throws {
    try withTemporaryDirectory { directory in
      let state = directory + "/state.json"
      try Data(#"{"qvel": [1e200, 1e200, 1e200, 1e200, 1e200, 1e200]}"#.utf8)
        .write(to: URL(fileURLWithPath: state))
      let model = CommandLineTool.model("arm")
      for (arguments, part) in [
        (["evaluate"], "qacc_smooth[0] is not finite"), (["derivatives", "--check"], "diverged"),
        (["gradient", "--steps", "2", "--cost", "qpos[0]"], "diverged"),
        (["simulate", "--steps", "2"], "diverged"),
      ] {
        let run = try CommandLineTool(
          arguments + [model, "--state", state, "--ignore", "constraints", "--json"])
        #expect(run.exitCode == 1)
        #expect(run.output.isEmpty)
        #expect(run.errors.contains(part))
      }
    }
  }

  @Test func gradientsOfEndlessRolloutsAre64() throws {
    let run = try CommandLineTool([
      "gradient", CommandLineTool.model("cartpole"), "--steps", "\(Int.max)", "--cost", "qpos[0]",
    ])
    #expect(run.exitCode == 64)
    #expect(run.errors.contains("GB"))
  }
}
