import Foundation
import Lanes
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Mocap bodies: trees that hang on them, contacts, connects and welds with them, against MuJoCo 3.12.0 (see
/// Tools/write_mocap_fixtures.py).
@Suite struct MocapTests {
  static let files = ReferenceFile.all(in: Bundle.module, folder: "mocap")

  private struct Reference: Decodable {
    var states: [State]

    struct State: Decodable {
      var qpos: [Double]
      var qvel: [Double]
      var ctrl: [Double]
      var mocap: [Double]
      var next: End
      var steps: Int
      var last: End
      var rows: Int
      var qacc: [Double]
      var xpos: [Double]
      var cotangent: [Double]
      var gradient: [Double]
      var gradient_error: Double

      var batch: BatchState<Double> { BatchState(worldCount: 1, positions: qpos, velocities: qvel) }
      var inputs: SimulationInputs<Double> {
        SimulationInputs(controls: InputSequence(values: ctrl), mocapPoses: InputSequence(values: mocap))
      }
      var seed: StateCotangents<Double> {
        StateCotangents(
          positions: Array(cotangent[..<qvel.count]), velocities: Array(cotangent[qvel.count...]))
      }
    }

    struct End: Decodable {
      var qpos: [Double]
      var qvel: [Double]
    }
  }

  private static func load(_ file: ReferenceFile) throws -> (Model, [Reference.State]) {
    (try file.decode(ReferenceModel.self).load(), try file.decode(Reference.self).states)
  }

  @Test(arguments: files)
  func steps(file: ReferenceFile) throws {
    let (model, states) = try Self.load(file)
    #expect(model.mocapBodies.count == 2)
    let simulator = try Simulator<Double>(model)
    for (index, reference) in states.enumerated() {
      let e = try simulator.evaluate(reference.batch, inputs: reference.inputs)
      #expect(relativeError(e.bodyPositions.flatMap(\.array), reference.xpos) < 1e-12)
      #expect(e.constraintRows.count == reference.rows)
      let tolerance = reference.rows == 0 ? 1e-10 : 1e-7
      #expect(relativeError(e.acceleration, reference.qacc) < tolerance, "state \(index)")
      let one = try simulator.rollout(from: reference.batch, inputs: reference.inputs, steps: 1).finalState
      #expect(relativeError(one.velocities, reference.next.qvel) < tolerance, "state \(index)")
      #expect(relativeError(one.positions, reference.next.qpos) < 1e-9, "state \(index)")
      let many = try simulator.rollout(
        from: reference.batch, inputs: reference.inputs, steps: reference.steps)
      #expect(
        relativeError(many.finalState.velocities, reference.last.qvel) < 100 * tolerance, "state \(index)")
    }
  }

  /// By the seven numbers of each pose.
  @Test(arguments: files)
  func gradients(file: ReferenceFile) throws {
    let (model, states) = try Self.load(file)
    let simulator = try Simulator<Double>(model)
    for (index, reference) in states.enumerated() {
      let tape = try simulator.differentiableStep(from: reference.batch, inputs: reference.inputs)
      let gradient = try tape.gradient(final: reference.seed, targets: [.mocapPoses])
      let error = relativeError(try #require(gradient.mocapPoses).values, reference.gradient)
      let tolerance = (reference.rows == 0 ? 1e-8 : 1e-6) + 10 * reference.gradient_error
      #expect(
        error < tolerance, "state \(index): \(error)\n\(gradient.mocapPoses!.values)\n\(reference.gradient)")
    }
  }

  /// Worlds with poses of their own, in lanes and in single precision; a gradient over shared poses is the sum.
  @Test(arguments: files)
  func batches(file: ReferenceFile) throws {
    let (model, states) = try Self.load(file)
    let worlds = (0..<11).map { states[$0 % states.count] }
    func check<Scalar: SimulationScalar>(_ tolerance: Double, _ scalar: Scalar.Type) throws {
      func all(_ part: (Reference.State) -> [Double]) -> [Scalar] {
        worlds.flatMap { part($0).map { Scalar($0) } }
      }
      let state = BatchState<Scalar>(
        worldCount: worlds.count, positions: all(\.qpos), velocities: all(\.qvel))
      let inputs = SimulationInputs<Scalar>(
        controls: InputSequence(values: all(\.ctrl), worldCount: worlds.count),
        mocapPoses: InputSequence(values: all(\.mocap), worldCount: worlds.count))
      let tape = try Simulator<Scalar>(model).record(from: state, inputs: inputs, steps: 1)
      let final = tape.result.finalState.velocities.map { Double($0) }
      #expect(relativeError(final, worlds.flatMap(\.next.qvel)) < tolerance)
      let seeds = StateCotangents<Scalar>(
        positions: all(\.seed.positions), velocities: all(\.seed.velocities))
      let gradient = try tape.gradient(final: seeds, targets: .mocapPoses)
      let values = try #require(gradient.mocapPoses).values.map { Double($0) }
      #expect(relativeError(values, worlds.flatMap(\.gradient)) < 10 * tolerance)
    }
    try check(1e-7, Double.self)
    try check(2e-2, Float.self)
  }

  /// One pose for all steps has the sum of the gradients of the steps' own; every way of remembering gives the same.
  @Test(arguments: files)
  func constantPosesAreShared(file: ReferenceFile) throws {
    let (model, states) = try Self.load(file)
    let simulator = try Simulator<Double>(model)
    let reference = states[1]
    let steps = 5
    var repeated = reference.inputs
    repeated.mocapPoses = InputSequence(
      values: (0..<steps).flatMap { _ in reference.mocap }, stepCount: steps)
    let constant = try simulator.record(from: reference.batch, inputs: reference.inputs, steps: steps)
      .gradient(final: reference.seed, targets: .all).mocapPoses!.values
    for memory in [RolloutMemory.storeAll, .storeStates, .checkpoint(every: 2)] {
      let own = try simulator.record(from: reference.batch, inputs: repeated, steps: steps, memory: memory)
        .gradient(final: reference.seed, targets: .all).mocapPoses!.values
      let width = constant.count
      let sums = (0..<width).map { k in (0..<steps).reduce(0) { $0 + own[$1 * width + k] } }
      #expect(relativeError(sums, constant) < 1e-11)
    }
  }

  /// Without poses the bodies are where the model has them, and so are those of the model's own poses; a fixed body at the same
  /// place is the same.
  @Test func absentPosesAreTheModels() throws {
    let model = try TestModels.model("mocap")
    let simulator = try Simulator<Double>(model)
    let state = BatchState<Double>(model)
    let steps = 20
    let absent = try simulator.rollout(from: state, steps: steps).finalState
    let given = SimulationInputs<Double>(mocapPoses: InputSequence(values: model.defaultMocapPoses))
    let present = try simulator.rollout(from: state, inputs: given, steps: steps).finalState
    #expect(relativeError(present.positions, absent.positions) < 1e-12)
    var fixed = model
    for body in fixed.bodies.indices { fixed.bodies[body].mocapIndex = nil }
    let still = try Simulator<Double>(fixed).rollout(from: state, steps: steps).finalState
    #expect(relativeError(still.positions, absent.positions) < 1e-12)
    let algorithms = try RigidBodyAlgorithms<Double>(model)
    let others = try RigidBodyAlgorithms<Double>(fixed)
    let forces = absent.velocities
    #expect(
      relativeError(
        try algorithms.massMatrix(at: absent.positions), try others.massMatrix(at: absent.positions)) < 1e-13)
    #expect(
      relativeError(
        try algorithms.forwardDynamics(at: absent.positions, velocities: absent.velocities, forces: forces),
        try others.forwardDynamics(at: absent.positions, velocities: absent.velocities, forces: forces))
        < 1e-12)
    #expect(throws: SimulationError.self) {
      _ = try simulator.rollout(
        from: state, inputs: SimulationInputs(mocapPoses: InputSequence(values: [1, 2, 3])), steps: 1)
    }
    #expect(throws: SimulationError.self) {
      _ = try Simulator<Double>(fixed).rollout(from: state, inputs: given, steps: 1)
    }
    var infinite = model.defaultMocapPoses
    infinite[3] = .infinity
    #expect(throws: SimulationError.self) {
      _ = try simulator.rollout(
        from: state, inputs: SimulationInputs(mocapPoses: InputSequence(values: infinite)), steps: 1)
    }
    let gradient = try simulator.record(from: state, inputs: given, steps: 2)
      .gradient(
        final: StateCotangents(
          positions: state.velocities.map { _ in 1 }, velocities: state.velocities.map { _ in 1 }),
        targets: .all)
    let own = try simulator.record(from: state, steps: 2)
      .gradient(
        final: StateCotangents(
          positions: state.velocities.map { _ in 1 }, velocities: state.velocities.map { _ in 1 }),
        targets: .all)
    #expect(relativeError(own.mocapPoses!.values, gradient.mocapPoses!.values) < 1e-9)
  }
}
