import Costate
import Foundation
import Testing

@testable import CostateCommandLine

@Suite struct DerivativeCommandTests {
  private static func json(_ arguments: [String]) throws -> [String: JSONValue] {
    let run = try CommandLineTool(arguments + ["--json"])
    try #require(run.exitCode == 0, "\(run.errors)")
    return try run.json()
  }

  @Test(arguments: ["pendulum", "cartpole", "acrobot", "arm", "quadruped", "humanoid"])
  func jacobiansAgreeWithDifferences(name: String) throws {
    let json = try Self.json([
      "derivatives", CommandLineTool.model(name), "--ignore", "constraints", "--check",
    ])
    let model = try Model.load(path: CommandLineTool.model(name))
    let size = 2 * model.velocityCount + model.activationCount
    #expect(json["A"]?.array?.shape == [size, size])
    #expect(json["B"]?.array?.shape == [size, model.controlCount])
    #expect(try #require(json["finite_difference_error"]?.double) < 1e-9)
    #expect(json["ignored"] == .array([.string("constraints")]))
  }

  @Test(arguments: [
    ("humanoid", "xpos[head].z + xpos[left_foot].x*qvel[3] + 2*qpos[4]"),
    ("cartpole", "-qpos[hinge]^2 + xpos[pole].x"),
    ("arm", "xpos[flange].z^2 + xpos[flange].x"), ("quadruped", "exp(xpos[front_left_shank].x) + qvel[10]"),
  ]) func gradientsAgreeWithDifferences(name: String, cost: String) throws {
    try withTemporaryDirectory { directory in
      let model = try Model.load(path: CommandLineTool.model(name))
      var generator = SeededGenerator(seed: 3)
      let velocity = (0..<model.velocityCount).map { _ in 0.3 * generator.nextNormal() }
      // Inside the controls' ranges, where clamping does not flatten the cost.
      let control = (0..<model.controlCount).map { _ in 0.1 * generator.nextNormal() }
      let state = directory + "/state.json"
      let content: JSONValue = ["qvel": .numbers(velocity), "ctrl": .numbers(control)]
      try Data(content.encoded()).write(to: URL(fileURLWithPath: state))
      let json = try Self.json([
        "gradient", CommandLineTool.model(name), "--ignore", "constraints", "--steps", "12", "--cost", cost,
        "--state",
        state, "--check",
      ])
      #expect(json["d_qpos"]?.array?.shape == [model.velocityCount])
      #expect(json["d_qvel"]?.array?.shape == [model.velocityCount])
      #expect(json["d_ctrl"]?.array?.shape == [12, model.controlCount])
      #expect(try #require(json["finite_difference_error"]?.double) < 1e-8)
    }
  }

  @Test func float32GradientsAgreeToTheirPrecision() throws {
    let json = try Self.json([
      "gradient", CommandLineTool.model("arm"), "--ignore", "limit", "--steps", "20", "--cost",
      "xpos[flange].z",
      "--check", "--precision", "float32",
    ])
    let error = try #require(json["finite_difference_error"]?.double)
    #expect(error < 1e-4)
    #expect(error > 1e-12)
  }

  /// The state file places mocap bodies, also for costs of positions; and `info` says how PGS is solved.
  @Test func mocapBodiesAreWhereTheStateHasThem() throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/hand.xml"
      let text = """
        <mujoco><option solver="PGS"/><worldbody><body name="hand" mocap="true" pos="0 0 1"><geom size=".1"/>
        <body name="link" pos=".2 0 0"><joint axis="0 1 0"/><geom size=".1" pos=".2 0 0"/></body></body></worldbody></mujoco>
        """
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      let state = directory + "/state.json"
      try Data(#"{"mocap_pos": [[0.1, 0.2, 1.5]], "mocap_quat": [[2, 0, 0, 2]]}"#.utf8)
        .write(to: URL(fileURLWithPath: state))
      let json = try Self.json(["evaluate", path, "--state", state])
      let expected = [0, 0, 0, 0.1, 0.2, 1.5, 0.1, 0.4, 1.5]
      for (a, b) in zip(try #require(json["xpos"]?.array).elements, expected) { #expect(abs(a - b) < 1e-14) }
      let gradient = try Self.json([
        "gradient", path, "--state", state, "--steps", "9", "--cost", "xpos[link].y + qvel[0]*qpos[0]",
        "--check",
      ])
      #expect(try #require(gradient["cost"]?.double) > 0.4)
      #expect(try #require(gradient["finite_difference_error"]?.double) < 1e-7)
      let info = try CommandLineTool(["info", path, "--json"])
      #expect(info.output.contains("by which constraints are solved"))
      try Data(#"{"mocap_pos": [0.1, 0.2, 1.5]}"#.utf8).write(to: URL(fileURLWithPath: state))
      let failed = try CommandLineTool(["evaluate", path, "--state", state])
      #expect(failed.exitCode == 65)
      #expect(failed.errors.contains("mocap_pos has shape [3]; the model needs [1, 3] (nmocap x 3)"))
    }
  }

  @Test func costsThatHaveNoDerivativeFail() throws {
    let run = try CommandLineTool([
      "gradient", CommandLineTool.model("cartpole"), "--steps", "1", "--cost", "sqrt(qpos[0])", "--json",
    ])
    #expect(run.exitCode == 1)
    #expect(run.errors.contains("--cost: column 1: the derivative does not exist here"))
    let usage = try CommandLineTool([
      "gradient", CommandLineTool.model("cartpole"), "--steps", "1", "--cost", "qpos[slide]",
    ])
    #expect(usage.exitCode == 64)
    #expect(usage.errors.contains("there is no joint 'slide'; known joints are slider, hinge"))
  }

  @Test func evaluationHasEveryField() throws {
    let json = try Self.json(["evaluate", CommandLineTool.model("humanoid"), "--ignore", "constraints"])
    let shapes: [String: [Int]] = [
      "xpos": [15, 3], "xquat": [15, 4], "xipos": [15, 3], "geom_xpos": [24, 3], "M": [27, 27],
      "qfrc_bias": [27],
      "qfrc_passive": [27], "qfrc_actuator": [27], "qfrc_smooth": [27], "qacc_smooth": [27], "qacc": [27],
      "qfrc_constraint": [27], "efc_pos": [0], "efc_aref": [0], "efc_D": [0], "efc_force": [0],
    ]
    let model = try Model.load(path: CommandLineTool.model("humanoid"))
    for (name, shape) in shapes {
      let expected = name == "geom_xpos" ? [model.geoms.count, 3] : shape
      #expect(json[name]?.array?.shape == expected, "\(name)")
    }
    #expect(json["ncon"]?.double == 0)
    #expect(json["nefc"]?.double == 0)
    #expect(json["solver_iterations"]?.double == 0)
    // A body at rest in the air falls: M g = bias on the vertical.
    let bias = try #require(json["qfrc_bias"]?.array).elements
    let mass = model.bodies.reduce(0) { $0 + $1.mass }
    #expect(abs(bias[2] - mass * 9.81) < 1e-10 * mass)
  }
}

@Suite struct TangentCoordinatesTests {
  private static func model() throws -> Model {
    try Model(
      mjcf: """
        <mujoco><worldbody>
          <body><freejoint/><geom size="1"/>
            <body pos="1 0 0"><joint type="ball"/><geom size="1"/>
              <body pos="1 0 0"><joint type="slide"/><joint axis="1 0 0"/><geom size="1"/></body>
            </body>
          </body>
        </worldbody></mujoco>
        """)
  }

  @Test(arguments: 0..<8) func displacementUndoesDisplaced(seed: UInt64) throws {
    let model = try Self.model()
    var generator = SeededGenerator(seed: seed)
    let start = model.displaced(
      model.defaultPosition, by: (0..<model.velocityCount).map { _ in generator.nextNormal() })
    let tangent = (0..<model.velocityCount).map { _ in 0.8 * generator.nextNormal() / 1.7 }
    let back = model.displacement(from: start, to: model.displaced(start, by: tangent))
    #expect(zip(back, tangent).allSatisfy { abs($0 - $1) < 1e-12 })
  }

  @Test(arguments: 0..<8) func tangentGradientIsTheSlope(seed: UInt64) throws {
    let model = try Self.model()
    var generator = SeededGenerator(seed: seed)
    let position = model.displaced(
      model.defaultPosition, by: (0..<model.velocityCount).map { _ in generator.nextNormal() })
    let gradient = (0..<model.positionCount).map { _ in generator.nextNormal() }
    let tangent = model.tangentGradient(gradient, at: position)
    for i in 0..<model.velocityCount {
      var slope = 0.0
      for (displacement, weight) in FiniteDifferences.stencil(step: 1e-3) {
        var unit = [Double](repeating: 0, count: model.velocityCount)
        unit[i] = displacement
        let moved = model.displaced(position, by: unit)
        slope += weight * zip(gradient, moved).reduce(0) { $0 + $1.0 * $1.1 }
      }
      #expect(abs(tangent[i] - slope) < 1e-10)
    }
  }
}

/// What is computed in pieces while a progress bar is shown is what is computed in one piece.
@Suite struct PieceTests {
  @Test(arguments: [1, 3, 7, 20])
  func gradientsInPieces(size: Int) throws {
    let path = CommandLineTool.model("cartpole")
    let model = try Model.load(path: path)
    let setup = SimulationSetup(
      path: path, model: model, ignored: try IgnoreList("constraints"), state: StateInput(defaultOf: model))
    let expression = try CostExpression.parse("qpos[hinge]^2 + xpos[pole].x * qvel[0]", for: model)
    var rollout = RolloutCost(
      setup: setup, cost: FinalCost(model: model, expression: expression),
      controls: Controls(constant: [0.3], steps: 20), threads: 1)
    rollout.stepsPerPiece = .max
    let whole = try rollout.gradient(Double.self)
    rollout.stepsPerPiece = size
    let pieces = try rollout.gradient(Double.self)
    #expect(whole == pieces)
    #expect(whole.byControl.count == 20 && whole.byControl.allSatisfy { $0 != 0 })
  }

  @Test(arguments: [0, 1, 16, 17, 33, 100], [1, 2, 7, 1000])
  func rowsInPieces(rows: Int, pieces: Int) throws {
    var sizes: [Int] = []
    let numbers = try inPieces("test", rows: rows, unit: "rows", pieces: pieces) { range in
      sizes.append(range.count)
      return Array(range)
    }
    #expect(numbers == Array(0..<rows))
    #expect(rows < 2 || !sizes.contains(1))
  }
}
