import Foundation
import RigidBody
import RobotModels
import TestSupport
import Testing

/// A and B of one step against MuJoCo 3.12.0's `mjd_transitionFD` (see Tools/write_transition_fixtures.py), and gradients of
/// rollouts from the same states.
@Suite struct TransitionTests {
  static let files = ReferenceFile.all(in: Bundle.module, folder: "transitions")

  private struct Reference: Decodable {
    var states: [State]

    struct State: Decodable {
      var qpos: [Double]
      var qvel: [Double]
      var act: [Double]
      var ctrl: [Double]
      var A: [Double]
      var B: [Double]

      var batch: BatchState<Double> {
        BatchState(worldCount: 1, positions: qpos, velocities: qvel, activations: act)
      }
      var inputs: SimulationInputs<Double> {
        ctrl.isEmpty
          ? SimulationInputs() : SimulationInputs(controls: InputSequence(values: ctrl, worldCount: 1))
      }
    }
  }

  private static func load(_ file: ReferenceFile) throws -> (Model, [Reference.State]) {
    var model = try file.decode(ReferenceModel.self).load()
    model.options.tolerance = 1e-14
    model.options.iterations = 200
    return (model, try file.decode(Reference.self).states)
  }

  @Test(arguments: files)
  func jacobians(file: ReferenceFile) throws {
    let (model, states) = try Self.load(file)
    let simulator = try Simulator<Double>(model)
    for (index, reference) in states.enumerated() {
      let jacobians = try simulator.stepJacobians(at: reference.batch, inputs: reference.inputs)[0]
      let error = relativeError(jacobians.A, reference.A)
      #expect(error < 1e-5, "state \(index): A \(error)")
      if !reference.B.isEmpty {
        let error = relativeError(jacobians.B, reference.B)
        #expect(error < 1e-5, "state \(index): B \(error)")
      }
    }
  }

  /// Welds and stacks over several steps, against differences of the rollout.
  @Test(arguments: files.filter { !$0.testDescription.hasPrefix("connects") })
  func rollouts(file: ReferenceFile) throws {
    let (model, states) = try Self.load(file)
    let nv = model.velocityCount
    let steps = 10
    let simulator = try Simulator<Double>(model)
    var random = SeededRandom(seed: 3)
    var checked = 0
    for (index, reference) in states.enumerated() {
      let seed = StateCotangents<Double>(
        positions: random.uniform(-1, 1, count: nv), velocities: random.uniform(-1, 1, count: nv),
        activations: random.uniform(-1, 1, count: model.activationCount))
      let direction = random.uniform(-1, 1, count: 2 * nv)
      let tape = try simulator.record(from: reference.batch, inputs: reference.inputs, steps: steps)
      let gradient = try tape.gradient(final: seed)
      let center = tape.result.finalState
      let differences = try CentralDifferences(step: 4e-7) { h in
        var start = reference.batch
        start.positions = model.moved(start.positions, by: direction[..<nv].map { $0 * h })
        start.velocities = zip(start.velocities, direction[nv...]).map { $0 + h * $1 }
        let end = try simulator.rollout(from: start, inputs: reference.inputs, steps: steps).finalState
        return dot(model.difference(end.positions, center.positions), seed.positions)
          + dot(end.velocities, seed.velocities) + dot(end.activations, seed.activations)
      }
      let slope =
        dot(gradient.initialState.positions, Array(direction[..<nv]))
        + dot(gradient.initialState.velocities, Array(direction[nv...]))
      // A step may cross a kink: a corner that appears, a contact that begins to slide.
      let values = differences.values
      guard abs(values[0] - values[2]) < 1e-5 * abs(values[2]) else { continue }
      checked += 1
      #expect(abs(slope - values[2]) < 1e-5 * abs(slope), "state \(index): \(slope), \(values)")
    }
    #expect(checked > 0)
  }
}
