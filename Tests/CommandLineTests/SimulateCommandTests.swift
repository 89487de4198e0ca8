import Costate
import Foundation
import Testing

@testable import CostateCommandLine

@Suite struct SimulateCommandTests {
  @Test func oneWorldPrintsItsStates() throws {
    let run = try CommandLineTool(["simulate", CommandLineTool.model("cartpole"), "--steps", "20", "--json"])
    #expect(run.exitCode == 0)
    #expect(run.errors.isEmpty)
    let json = try run.json()
    #expect(json["qpos"]?.array?.shape == [21, 2])
    #expect(json["qvel"]?.array?.shape == [21, 2])
    #expect(json["time"]?.array?.elements.last.map { abs($0 - 0.1) < 1e-12 } == true)
    #expect(json["worlds"]?.double == 1)
    #expect(json["steps"]?.double == 20)
    #expect(json["diverged_worlds"]?.double == 0)
    #expect(try #require(json["world_steps_per_second"]?.double) > 0)
  }

  @Test(arguments: ["npz", "csv", "json"]) func manyWorldsGoToAFile(format: String) throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/out.\(format)"
      let run = try CommandLineTool([
        "simulate", CommandLineTool.model("pendulum"), "--steps", "5", "--worlds", "20", "--noise", "1",
        "--output",
        path, "--json",
      ])
      #expect(run.exitCode == 0)
      #expect(try run.json()["qpos"] == nil)
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["out.\(format)"])
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)).count > 20 * 6 * 2 * 3)
    }
  }

  @Test func resultsDependOnTheSeedAndNotOnThreads() throws {
    func states(_ extra: [String]) throws -> String {
      try withTemporaryDirectory { directory in
        let path = "\(directory)/out.csv"
        let base = [
          "simulate", CommandLineTool.model("acrobot"), "--steps", "10", "--worlds", "40", "--noise", "0.5",
        ]
        let run = try CommandLineTool(base + ["--output", path] + extra)
        #expect(run.exitCode == 0, "\(run.errors)")
        return try String(contentsOfFile: path, encoding: .utf8)
      }
    }
    let reference = try states([])
    #expect(try states(["--threads", "1"]) == reference)
    #expect(try states(["--seed", "1"]) != reference)
  }

  @Test func whatIsNotSimulatedIsRefusedOrRepeated() throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/muscle.xml"
      let text = """
        <mujoco><worldbody><body><joint name="j"/><geom size=".1"/></body></worldbody>
        <actuator><muscle name="biceps" joint="j" lengthrange="0 1"/></actuator></mujoco>
        """
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      let refused = try CommandLineTool(["simulate", path, "--steps", "1", "--json"])
      #expect(refused.exitCode == 65)
      #expect(refused.output.isEmpty)
      #expect(refused.errors.contains("'biceps'"))
    }
    let model = CommandLineTool.model("humanoid")
    let ignoring = try CommandLineTool([
      "simulate", model, "--steps", "1", "--ignore", "contact,limit", "--json",
    ])
    #expect(ignoring.exitCode == 0)
    #expect(try ignoring.json()["ignored"] == .array([.string("contact"), .string("limit")]))
  }

  @Test func divergenceFailsOnlyWhenNoWorldIsLeft() throws {
    try withTemporaryDirectory { directory in
      let state = directory + "/state.json"
      try Data(#"{"qvel": [1e12]}"#.utf8).write(to: URL(fileURLWithPath: state))
      let run = try CommandLineTool([
        "simulate", CommandLineTool.model("pendulum"), "--steps", "3", "--state", state,
      ])
      #expect(run.exitCode == 1)
      #expect(run.errors.contains("the world diverged, first in step 0"))
    }
  }

  @Test func exitCodes() throws {
    let model = CommandLineTool.model("cartpole")
    func code(_ arguments: [String]) throws -> Int32 {
      try CommandLineTool(["simulate"] + arguments).exitCode
    }
    #expect(try code([model]) == 64)
    #expect(try code([model, "--steps", "-1"]) == 64)
    #expect(try code([model, "--steps", "1", "--output", "states.txt"]) == 64)
    #expect(try code([model, "--steps", "\(Int.max)"]) == 64)
    #expect(try code([model, "--steps", "\(1 << 50)"]) == 64)
    #expect(try code([model, "--steps", "1", "--worlds", "\(Int.max)"]) == 64)
    #expect(try code([model, "--steps", "1", "--worlds", "\(1 << 50)"]) == 64)
    #expect(try code([model, "--steps", "2", "--worlds", "\(Int.max)"]) == 64)
    #expect(try code([model, "--steps", "1", "--threads", "\(Int.max)"]) == 64)
    #expect(try code([model, "--steps", "1", "--output", "/nonexistent/states.csv"]) == 73)
    #expect(try code([model, "--steps", "1", "--state", "/nonexistent.json"]) == 66)
    #expect(try code(["/nonexistent.xml", "--steps", "1"]) == 66)
    #expect(try code([model, "--steps", "1", "--state", model]) == 65)
  }

  @Test(arguments: [1, 5, 40, 81]) func piecesGiveTheSameAsTheWhole(worlds: Int) throws {
    let model = try Model.load(path: CommandLineTool.model("acrobot"))
    let simulator = try Simulator<Double>(model)
    let steps = worlds == 1 ? 2500 : 5
    var initial = BatchState<Double>(model, worldCount: worlds)
    var generator = SeededGenerator(seed: 7)
    for i in initial.velocities.indices { initial.velocities[i] = generator.nextNormal() }
    let controls = (0..<worlds * steps).map { _ in Double.random(in: -1...1, using: &generator) }
    let inputs = SimulationInputs(
      controls: InputSequence(values: controls, worldCount: worlds, stepCount: steps))
    var rollout = ChunkedRollout(
      simulator: simulator, inputs: inputs, steps: steps, recordsTrajectory: true, threads: 1, pieces: 1)
    let whole = try rollout.run(from: initial)
    rollout.pieces = 10
    let pieces = try rollout.run(from: initial)
    #expect(pieces.finalState.positions == whole.finalState.positions)
    #expect(pieces.trajectory?.positions == whole.trajectory?.positions)
    #expect(pieces.trajectory?.velocities == whole.trajectory?.velocities)
    #expect(pieces.trajectory?.stepCount == steps)
    #expect(pieces.trajectory?.worldCount == worlds)
  }
}
