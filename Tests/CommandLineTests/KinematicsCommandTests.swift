import Autodiff
import Costate
import Foundation
import Testing

@testable import CostateCommandLine

@Suite struct KinematicsCommandTests {
  /// Runs a command on configurations of a model.
  private func run(
    _ command: String, _ model: String, _ configurations: NumericArray, _ extra: [String]
  ) throws -> CommandLineTool {
    try withTemporaryDirectory { directory in
      let path = directory + "/configurations.npy"
      try Data(NPYFormat.encode(configurations.tensor)).write(to: URL(fileURLWithPath: path))
      return try CommandLineTool(
        [command, CommandLineTool.model(model), "--configurations", path, "--json"] + extra)
    }
  }

  private func configurations(_ model: Model, count: Int) -> NumericArray {
    var generator = SeededGenerator(seed: 5)
    let rows = (0..<count).flatMap { _ in
      model.displaced(
        model.defaultPosition, by: (0..<model.velocityCount).map { _ in 0.5 * generator.nextNormal() })
    }
    return NumericArray(shape: [count, model.positionCount], elements: rows)
  }

  @Test func posesAreThoseOfAnEvaluation() throws {
    let path = CommandLineTool.model("quadruped")
    let model = try Model.load(path: path)
    let configurations = configurations(model, count: 3)
    let run = try run("fk", "quadruped", configurations, [])
    #expect(run.exitCode == 0)
    guard case .object(let frames)? = try run.json()["frames"] else {
      Issue.record("no frames")
      return
    }
    #expect(frames.map(\.name).contains("site:front_left_foot") == false)
    #expect(frames.map(\.name).contains("front_left_foot"))
    let simulator = try Simulator<Double>(model, ignoring: .constraints)
    for n in 0..<3 {
      let position = Array(configurations.elements[n * model.positionCount..<(n + 1) * model.positionCount])
      let evaluation = try simulator.evaluate(
        BatchState(
          worldCount: 1, positions: position, velocities: Array(repeating: 0, count: model.velocityCount)))
      for frame in frames {
        guard let body = model.bodyIndex(named: frame.name) else { continue }
        let pose = try #require(frame.value.array).elements[7 * n..<7 * n + 7]
        let p = evaluation.bodyPositions[body]
        let expected = [p.x, p.y, p.z] + evaluation.bodyOrientations[body].array
        #expect(zip(pose, expected).allSatisfy { abs($0 - $1) < 1e-12 }, "\(frame.name)")
      }
    }
  }

  @Test func jacobiansHaveLinearRowsFirst() throws {
    let model = try Model.load(path: CommandLineTool.model("cartpole"))
    let run = try run("jacobian", "cartpole", configurations(model, count: 2), ["--frame", "pole"])
    let jacobian = try #require(run.json()["jacobian"]?.array)
    #expect(jacobian.shape == [2, 6, 2])
    // The cart moves the pole along x; the hinge turns it about y.
    #expect(Array(jacobian.elements.prefix(12)) == [1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0])
  }

  @Test func float32IsNear() throws {
    let model = try Model.load(path: CommandLineTool.model("arm"))
    let configurations = configurations(model, count: 20)
    func poses(_ extra: [String]) throws -> [Double] {
      guard
        case .object(let frames)? = try run("fk", "arm", configurations, ["--frames", "tool"] + extra).json()[
          "frames"]
      else { return [] }
      return try #require(frames[0].value.array).elements
    }
    let double = try poses([])
    let single = try poses(["--precision", "float32"])
    #expect(double.count == 140)
    #expect(double != single)
    #expect(zip(double, single).allSatisfy { abs($0 - $1) < 1e-5 })
  }

  @Test func faults() throws {
    let model = try Model.load(path: CommandLineTool.model("arm"))
    let good = configurations(model, count: 1)
    let unknown = try run("jacobian", "arm", good, ["--frame", "tol"])
    #expect(unknown.exitCode == 64)
    #expect(unknown.errors.contains("'tool'"))
    let wrong = try run(
      "fk", "arm", NumericArray(shape: [2, 5], elements: Array(repeating: 0, count: 10)), [])
    #expect(wrong.exitCode == 65)
    #expect(wrong.errors.contains("[2, 5]; expected [n, 6] (n, nq)"))
    var zero = configurations(try Model.load(path: CommandLineTool.model("humanoid")), count: 1)
    for i in 3..<7 { zero.elements[i] = 0 }
    let quaternion = try run("fk", "humanoid", zero, [])
    #expect(quaternion.exitCode == 65)
    #expect(quaternion.errors.contains("the quaternion of joint 'root' is zero in configuration 0"))
    let empty = try run("fk", "arm", NumericArray(shape: [0, 6], elements: []), ["--frames", "tool"])
    #expect(empty.exitCode == 0)
    #expect(empty.output.hasPrefix("{\"frames\": {\"tool\": []}}"))
  }
}
