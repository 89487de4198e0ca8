import Foundation
import Lanes
import RigidBody
import RobotModels
import TestSupport
import Testing

/// States that simulations reach (settled, tangled, at joint limits) against MuJoCo 3.12.0 (see
/// Tools/write_reachable_state_fixtures.py), and float32 against float64 there. `Benchmarks/Sources/conformance` does the
/// same for other models and more states.
@Suite struct ReachableStatesTests {
  static let files = ReferenceFile.all(in: Bundle.module, folder: "reachable_states")

  private struct Reference: Decodable {
    var states: [State]

    struct State: Decodable {
      var qpos: [Double]
      var qvel: [Double]
      var act: [Double]
      var ctrl: [Double]
      var rows: Int
      var qacc: [Double]
      var qfrc_constraint: [Double]
      var contacts: [Double]
    }
  }

  private static func inputs<Scalar: SimulationScalar>(
    _ values: [Scalar], worlds: Int
  ) -> SimulationInputs<Scalar> {
    values.isEmpty
      ? SimulationInputs() : SimulationInputs(controls: InputSequence(values: values, worldCount: worlds))
  }

  @Test(arguments: files)
  func evaluations(file: ReferenceFile) throws {
    let simulator = try Simulator<Double>(try file.decode(ReferenceModel.self).load())
    for (index, reference) in try file.decode(Reference.self).states.enumerated() {
      let e = try simulator.evaluate(
        BatchState(
          worldCount: 1, positions: reference.qpos, velocities: reference.qvel, activations: reference.act),
        inputs: Self.inputs(reference.ctrl, worlds: 1))
      #expect(e.solverConverged)
      #expect(e.constraintRows.count == reference.rows, "state \(index)")
      #expect(relativeError(e.acceleration, reference.qacc) < 1e-7, "state \(index)")
      #expect(relativeError(e.constraintForce, reference.qfrc_constraint) < 1e-7, "state \(index)")
      var contacts: [Double] = []
      for contact in e.contacts {
        contacts += [Double(contact.geom1), Double(contact.geom2), contact.distance]
        contacts += contact.position.array
        contacts += (contact.force + [0, 0, 0]).prefix(4)
      }
      #expect(relativeError(contacts, reference.contacts) < 1e-7, "state \(index), contacts")
    }
  }

  /// Worlds that random controls drive about for a second, every tenth of it: in float32 every result is finite and the
  /// solver converges, and the next velocities are near those of float64.
  @Test(arguments: files)
  func singlePrecision(file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load()
    let references = try file.decode(Reference.self).states
    let (double, single) = (try Simulator<Double>(model), try Simulator<Float>(model))
    let worlds = 256
    let nv = model.velocityCount
    var random = SeededRandom(seed: 3)
    func all(_ part: (Reference.State) -> [Double]) -> [Double] {
      (0..<worlds).flatMap { part(references[$0 % references.count]) }
    }
    var state = BatchState<Double>(
      worldCount: worlds, positions: all(\.qpos), velocities: all(\.qvel), activations: all(\.act))
    let steps = Int((0.1 / model.options.timestep).rounded())
    var errors: [Double] = []
    for _ in 0..<10 {
      let controls = (0..<worlds).flatMap { _ in
        model.actuators.map { random.uniform($0.controlRange[0], $0.controlRange[1]) }
      }
      state = try double.rollout(
        from: state, inputs: Self.inputs(controls, worlds: worlds), steps: steps
      ).finalState
      let exact = try double.rollout(from: state, inputs: Self.inputs(controls, worlds: worlds), steps: 1)
      let rounded = try single.rollout(
        from: BatchState(
          worldCount: worlds, positions: state.positions.map { Float($0) },
          velocities: state.velocities.map { Float($0) }, activations: state.activations.map { Float($0) }),
        inputs: Self.inputs(controls.map { Float($0) }, worlds: worlds), steps: 1)
      #expect(rounded.divergedWorlds.isEmpty && rounded.unconvergedWorlds.isEmpty)
      #expect(rounded.finalState.velocities.allSatisfy { $0.isFinite })
      #expect(rounded.finalState.positions.allSatisfy { $0.isFinite })
      for world in 0..<worlds {
        let range = world * nv..<(world + 1) * nv
        errors.append(
          relativeError(
            rounded.finalState.velocities[range].map { Double($0) },
            Array(exact.finalState.velocities[range])))
      }
    }
    errors.sort()
    #expect(errors[errors.count / 2] < 1e-4, "median \(errors[errors.count / 2])")
    #expect(errors[errors.count * 99 / 100] < 1e-2, "99 % \(errors[errors.count * 99 / 100])")
  }
}
