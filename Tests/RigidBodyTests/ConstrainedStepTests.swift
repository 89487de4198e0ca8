import Foundation
import Lanes
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Steps under constraints and their derivatives against MuJoCo 3.12.0 (see Tools/write_constrained_step_fixtures.py).
@Suite struct ConstrainedStepTests {
  static let files = ReferenceFile.all(in: Bundle.module, folder: "constrained_steps")

  private struct Reference: Decodable {
    var states: [State]

    struct State: Decodable {
      var qpos: [Double]
      var qvel: [Double]
      var act: [Double]
      var ctrl: [Double]
      var rows: Int
      var next: End
      var steps: Int
      var last: End
      var qacc: [Double]
      var qfrc_constraint: [Double]
      var contacts: [Double]
      var A: [Double]?
    }

    struct End: Decodable {
      var qpos: [Double]
      var qvel: [Double]
    }
  }

  private static func batch<Scalar: SimulationScalar>(
    _ states: [Reference.State]
  ) -> (BatchState<Scalar>, SimulationInputs<Scalar>) {
    func all(_ part: (Reference.State) -> [Double]) -> [Scalar] {
      states.flatMap { part($0).map { Scalar($0) } }
    }
    let state = BatchState<Scalar>(
      worldCount: states.count, positions: all(\.qpos), velocities: all(\.qvel), activations: all(\.act))
    let controls = all(\.ctrl)
    return (
      state,
      controls.isEmpty
        ? SimulationInputs()
        : SimulationInputs(controls: InputSequence(values: controls, worldCount: states.count))
    )
  }

  @Test(arguments: files)
  func stepsAndTrajectories(file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load()
    let simulator = try Simulator<Double>(model)
    for (index, reference) in try file.decode(Reference.self).states.enumerated() {
      let (state, inputs) = Self.batch([reference]) as (BatchState<Double>, SimulationInputs<Double>)
      let one = try simulator.rollout(from: state, inputs: inputs, steps: 1).finalState
      #expect(relativeError(one.velocities, reference.next.qvel) < 1e-7, "state \(index)")
      #expect(relativeError(one.positions, reference.next.qpos) < 1e-9, "state \(index)")
      let many = try simulator.rollout(from: state, inputs: inputs, steps: reference.steps).finalState
      #expect(relativeError(many.velocities, reference.last.qvel) < 1e-5, "state \(index), last")
      #expect(relativeError(many.positions, reference.last.qpos) < 1e-5, "state \(index), last")
    }
  }

  @Test(arguments: files)
  func evaluations(file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load()
    let simulator = try Simulator<Double>(model)
    for (index, reference) in try file.decode(Reference.self).states.enumerated() {
      let (state, inputs) = Self.batch([reference]) as (BatchState<Double>, SimulationInputs<Double>)
      let e = try simulator.evaluate(state, inputs: inputs)
      #expect(e.solverConverged)
      #expect(relativeError(e.acceleration, reference.qacc) < 1e-7, "state \(index)")
      #expect(relativeError(e.constraintForce, reference.qfrc_constraint) < 1e-7, "state \(index)")
      #expect(e.constraintRows.count == reference.rows, "state \(index)")
      var contacts: [Double] = []
      for contact in e.contacts {
        contacts += [Double(contact.geom1), Double(contact.geom2), contact.distance]
        contacts += contact.position.array
        contacts += (contact.force + [0, 0, 0]).prefix(4)
      }
      #expect(relativeError(contacts, reference.contacts) < 1e-7, "state \(index), contacts")
    }
  }

  /// Worlds with different contacts in one lane group do not disturb each other, and single precision is near.
  @Test(arguments: files)
  func batches(file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load()
    let states = try file.decode(Reference.self).states
    let worlds = (0..<19).map { states[$0 % states.count] }
    func check<Scalar: SimulationScalar>(_ tolerance: Double, _ scalar: Scalar.Type) throws {
      let (state, inputs) = Self.batch(worlds) as (BatchState<Scalar>, SimulationInputs<Scalar>)
      let next = try Simulator<Scalar>(model).rollout(from: state, inputs: inputs, steps: 1)
      #expect(next.divergedWorlds.isEmpty)
      let nv = model.velocityCount
      for (world, reference) in worlds.enumerated() {
        let velocities = next.finalState.velocities[world * nv..<(world + 1) * nv].map { Double($0) }
        #expect(relativeError(velocities, reference.next.qvel) < tolerance, "world \(world)")
      }
    }
    try check(1e-7, Double.self)
    try check(2e-2, Float.self)
  }

  @Test(arguments: files)
  func derivatives(file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load()
    let simulator = try Simulator<Double>(model)
    let nv = model.velocityCount
    for (index, reference) in try file.decode(Reference.self).states.enumerated() {
      guard let expected = reference.A else { continue }
      let (state, inputs) = Self.batch([reference]) as (BatchState<Double>, SimulationInputs<Double>)
      let jacobians = try simulator.stepJacobians(at: state, inputs: inputs)[0]
      let size = jacobians.stateCount
      let actual = (nv..<2 * nv).flatMap { row in Array(jacobians.A[row * size..<row * size + 2 * nv]) }
      let error = relativeError(actual, expected)
      #expect(error < 1e-5, "state \(index), \(reference.rows) rows: \(error)")
    }
  }

  /// Gradients of rollouts with contact, by the stored tapes and by checkpoints, against central differences along random
  /// directions.
  @Test(
    arguments: files.filter {
      ["Models_quadruped", "variant_contacts_elliptic"].contains($0.testDescription)
    })
  func rolloutGradients(file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load()
    let simulator = try Simulator<Double>(model)
    let nv = model.velocityCount
    let reference = try file.decode(Reference.self).states[1]
    let (state, inputs) = Self.batch([reference]) as (BatchState<Double>, SimulationInputs<Double>)
    let steps = 8
    var random = SeededRandom(seed: 5)
    let weights = random.uniform(-1, 1, count: 2 * nv)
    let seed = StateCotangents<Double>(
      positions: Array(weights[..<nv]), velocities: Array(weights[nv...]),
      activations: [Double](repeating: 0, count: model.activationCount))
    let tape = try simulator.record(from: state, inputs: inputs, steps: steps)
    let gradient = try tape.gradient(final: seed).initialState
    for memory in [RolloutMemory.storeAll, .checkpoint(every: 3)] {
      let other = try simulator.record(from: state, inputs: inputs, steps: steps, memory: memory)
        .gradient(final: seed).initialState
      #expect(relativeError(other.velocities, gradient.velocities) < 1e-12)
      #expect(relativeError(other.positions, gradient.positions) < 1e-12)
    }
    let center = tape.result.finalState
    for trial in 0..<4 {
      let direction = random.uniform(-1, 1, count: 2 * nv)
      func moved(_ h: Double) throws -> Double {
        var start = state
        start.positions = model.moved(state.positions, by: direction[..<nv].map { $0 * h })
        start.velocities = zip(state.velocities, direction[nv...]).map { $0 + h * $1 }
        let end = try simulator.rollout(from: start, inputs: inputs, steps: steps).finalState
        let change = model.difference(end.positions, center.positions)
        return dot(change, Array(weights[..<nv])) + dot(end.velocities, Array(weights[nv...]))
      }
      let h = 1e-7
      let difference = (try moved(h) - moved(-h)) / (2 * h)
      let slope =
        dot(gradient.positions, Array(direction[..<nv])) + dot(gradient.velocities, Array(direction[nv...]))
      #expect(
        abs(slope - difference) < 1e-4 * max(abs(difference), 1), "trial \(trial): \(slope), \(difference)")
    }
  }

  /// A sphere on a floor and a slide before its end: far from a kink, at one, and about to touch.
  @Test(arguments: [
    (height: 0.0999, slide: 0.2, isKink: false), (height: 0.1, slide: 0.2, isKink: true),
    (height: 0.1 + 1e-10, slide: 0.2, isKink: true), (height: 0.15, slide: 0.2, isKink: false),
    (height: 0.15, slide: 0.5, isKink: true), (height: 0.15, slide: 0.5 - 1e-10, isKink: true),
  ])
  func kinksAreNear(height: Double, slide: Double, isKink: Bool) throws {
    let model = try Model(
      mjcf: """
        <mujoco><worldbody><geom type="plane" size="1 1 1"/>
        <body name="ball"><joint type="slide" axis="0 0 1"/><geom size="0.1"/></body>
        <body name="cart" pos="2 0 1"><joint type="slide" axis="1 0 0" range="-0.5 0.5"/>
        <geom size="0.1" contype="0" conaffinity="0"/></body></worldbody></mujoco>
        """)
    let simulator = try Simulator<Double>(model)
    let state = BatchState<Double>(worldCount: 1, positions: [height, slide], velocities: [-0.1, 0.1])
    let jacobians = try simulator.stepJacobians(at: state)[0]
    #expect(jacobians.isConverged)
    #expect((jacobians.kinkMargin < 1e-8) == isKink, "\(jacobians.kinkMargin)")
    let tape = try simulator.record(from: state, steps: 1)
    let gradient = try tape.gradient(final: StateCotangents(positions: [1, 1], velocities: [0, 0]))
    #expect((gradient.kinkMargins[0] < 1e-8) == isKink)
    #expect(gradient.unconvergedWorlds.isEmpty)
  }
}
