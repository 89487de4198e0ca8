import Foundation
import Lanes
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Actuators on bodies (adhesion), which act through contacts, against MuJoCo 3.12.0 (see
/// Tools/write_body_transmission_fixtures.py), and their derivatives.
@Suite struct BodyTransmissionTests {
  static let files = ReferenceFile.all(in: Bundle.module, folder: "body_transmissions")

  private struct Reference: Decodable {
    var states: [State]

    struct State: Decodable {
      var qpos: [Double]
      var qvel: [Double]
      var act: [Double]
      var ctrl: [Double]
      var qacc: [Double]
      var qfrc_actuator: [Double]
      var contacts: Int
      var gaps: Int
      var rows: Int
      var next: End
      var steps: Int
      var last: End
      var B: [Double]

      var batch: BatchState<Double> {
        BatchState(worldCount: 1, positions: qpos, velocities: qvel, activations: act)
      }
      var inputs: SimulationInputs<Double> { SimulationInputs(controls: InputSequence(values: ctrl)) }
    }

    struct End: Decodable {
      var qpos: [Double]
      var qvel: [Double]
      var act: [Double]
    }
  }

  private static func load(_ file: ReferenceFile) throws -> (Model, [Reference.State]) {
    var model = try file.decode(ReferenceModel.self).load()
    model.options.tolerance = 1e-14
    model.options.iterations = 200
    return (model, try file.decode(Reference.self).states)
  }

  /// A problem at a reference's state with its controls.
  private static func problem(
    _ model: Model, _ reference: Reference.State, seed: UInt64, steps: Int = 1
  ) -> RolloutProblem {
    var problem = RolloutProblem(model, seed: seed, steps: steps)
    problem.ignored = []
    problem.state = reference.batch
    problem.inputs = SimulationInputs(
      controls: InputSequence(
        values: (0..<steps).flatMap { _ in reference.ctrl }, worldCount: 1, stepCount: steps))
    return problem
  }

  @Test(arguments: files)
  func steps(file: ReferenceFile) throws {
    let (model, states) = try Self.load(file)
    let simulator = try Simulator<Double>(model)
    #expect(states.contains { $0.gaps > 0 } && states.contains { $0.contacts > $0.gaps })
    for (index, reference) in states.enumerated() {
      let e = try simulator.evaluate(reference.batch, inputs: reference.inputs)
      #expect(relativeError(e.actuatorForce, reference.qfrc_actuator) < 1e-9, "state \(index)")
      #expect(relativeError(e.acceleration, reference.qacc) < 1e-7, "state \(index)")
      #expect(e.constraintRows.count == reference.rows, "state \(index)")
      #expect(e.contacts.count == reference.contacts - reference.gaps, "state \(index)")
      let one = try simulator.rollout(from: reference.batch, inputs: reference.inputs, steps: 1).finalState
      #expect(relativeError(one.positions, reference.next.qpos) < 1e-9, "state \(index)")
      #expect(relativeError(one.velocities, reference.next.qvel) < 1e-7, "state \(index)")
      #expect(relativeError(one.activations, reference.next.act) < 1e-12, "state \(index)")
      let many = try simulator.rollout(
        from: reference.batch, inputs: reference.inputs, steps: reference.steps
      ).finalState
      #expect(relativeError(many.positions, reference.last.qpos) < 1e-7, "state \(index)")
      #expect(relativeError(many.velocities, reference.last.qvel) < 1e-5, "state \(index)")
    }
  }

  @Test(arguments: files)
  func jacobiansByControls(file: ReferenceFile) throws {
    let (model, states) = try Self.load(file)
    let simulator = try Simulator<Double>(model)
    for (index, reference) in states.enumerated() {
      let jacobians = try simulator.stepJacobians(at: reference.batch, inputs: reference.inputs)[0]
      let error = relativeError(jacobians.B, reference.B)
      #expect(error < 1e-5, "state \(index): \(error)")
    }
  }

  /// Along random directions of state and controls, of one step and of five.
  @Test(arguments: files)
  func gradients(file: ReferenceFile) throws {
    let (model, states) = try Self.load(file)
    var (checked, checkedInGap) = (0, 0)
    for (index, reference) in states.enumerated() {
      for steps in [1, 5] {
        let problem = Self.problem(model, reference, seed: UInt64(index) + 30, steps: steps)
        let nominal = try problem.final()
        let direction = problem.direction(seed: UInt64(index) + 40)
        let gradient = try problem.simulator().record(
          from: problem.state, inputs: problem.inputs, steps: steps
        ).gradient(final: problem.cotangents)
        #expect(gradient.unconvergedWorlds.isEmpty)
        let differences = try CentralDifferences(step: 4e-6) {
          try problem.moved(direction, by: $0).cost(relativeTo: nominal)
        }
        // A contact may begin or end, or a row switch, on the way.
        let values = differences.values
        let spread = abs(values[0] - values[2]) / abs(values[2])
        guard spread < 1e-6 || spread < 1e-4 && (3...5).contains(differences.convergence) else { continue }
        checked += 1
        if reference.gaps > 0 { checkedInGap += 1 }
        let slope = gradient.along(direction)
        #expect(
          abs(slope - differences.extrapolated) < 1e-6 * abs(slope), "state \(index): \(slope), \(values)")
      }
    }
    #expect(checked >= 4 && checkedInGap >= 1)
  }

  /// Forward and reverse mode are transposes of each other, as both use the same rows: this is about worlds of a group that have
  /// different contacts.
  @Test(arguments: files)
  func transposes(file: ReferenceFile) throws {
    let (model, states) = try Self.load(file)
    let worlds = (0..<11).map { states[$0 % states.count] }
    var problem = RolloutProblem(model, seed: 50, worlds: worlds.count, steps: 2)
    problem.ignored = []
    problem.state.positions = worlds.flatMap(\.qpos)
    problem.state.velocities = worlds.flatMap(\.qvel)
    problem.state.activations = worlds.flatMap(\.act)
    let controls = worlds.flatMap { $0.ctrl + $0.ctrl }
    problem.inputs = SimulationInputs(
      controls: InputSequence(values: controls, worldCount: worlds.count, stepCount: 2))
    let simulator = try problem.simulator()
    let direction = problem.direction(seed: 51)
    let (final, tangent) = try simulator.pushforward(
      from: problem.state, inputs: problem.inputs, steps: 2, along: direction)
    let parts = [
      dot(problem.cotangents.positions, tangent.positions),
      dot(problem.cotangents.velocities, tangent.velocities),
      dot(problem.cotangents.activations, tangent.activations),
    ]
    let gradient = try simulator.record(from: problem.state, inputs: problem.inputs, steps: 2)
      .gradient(final: problem.cotangents)
    let error = abs(gradient.along(direction) - parts.reduce(0, +))
    #expect(error <= 1e-11 * parts.map(abs).max()!, "\(error), \(parts)")
    // Each world alone.
    let (nq, nv) = (model.positionCount, model.velocityCount)
    for (world, reference) in worlds.enumerated() {
      let alone = try simulator.rollout(from: reference.batch, inputs: reference.inputs, steps: 2).finalState
      let positions = Array(final.positions[world * nq..<(world + 1) * nq])
      let velocities = Array(final.velocities[world * nv..<(world + 1) * nv])
      #expect(relativeError(positions, alone.positions) < 1e-11)
      #expect(relativeError(velocities, alone.velocities) < 1e-9)
    }
  }

  @Test(arguments: files)
  func singlePrecision(file: ReferenceFile) throws {
    let (model, states) = try Self.load(file)
    let worlds = (0..<17).map { states[$0 % states.count] }
    func floats(_ part: (Reference.State) -> [Double]) -> [Float] { worlds.flatMap(part).map { Float($0) } }
    let end = try Simulator<Float>(model).rollout(
      from: BatchState<Float>(
        worldCount: worlds.count, positions: floats(\.qpos), velocities: floats(\.qvel),
        activations: floats(\.act)),
      inputs: SimulationInputs(controls: InputSequence(values: floats(\.ctrl), worldCount: worlds.count)),
      steps: 1)
    #expect(end.divergedWorlds.isEmpty)
    let velocities = end.finalState.velocities.map { Double($0) }
    #expect(relativeError(velocities, worlds.flatMap(\.next.qvel)) < 2e-2)
  }

  /// Gains, biases and sizes of geoms.
  @Test func parameters() throws {
    let file = try #require(Self.files.first { $0.testDescription == "variant_pair_euler" })
    let (model, states) = try Self.load(file)
    let reference = states[0]
    let problem = Self.problem(model, reference, seed: 60)
    let nominal = try problem.final()
    let gradient = try #require(
      try problem.simulator().record(from: problem.state, inputs: problem.inputs, steps: 1)
        .gradient(final: problem.cotangents, targets: .all).parameters)
    func check(_ name: String, _ expected: Double, step: Double, _ change: (inout Model, Double) -> Void)
      throws
    {
      let differences = try CentralDifferences(step: step) {
        var moved = problem
        change(&moved.model, $0)
        return try moved.cost(relativeTo: nominal)
      }
      #expect(
        abs(expected - differences.extrapolated) < 1e-5 * abs(expected) && expected != 0,
        "\(name): \(expected), \(differences.values)")
    }
    for k in model.actuators.indices {
      try check("gain \(k)", gradient.gainParameters[k][0], step: 1e-2) {
        $0.actuators[k].gainParameters[0] += $1
      }
    }
    try check("bias", gradient.biasParameters[0][0], step: 1e-2) { $0.actuators[0].biasParameters[0] += $1 }
    try check("timestep", gradient.timestep, step: 1e-7) { $0.options.timestep += $1 }
    for (geom, axis) in [(2, 0), (2, 1), (4, 2)] {
      try check("size \(geom)", gradient.constraints.geomSize[geom][axis], step: 1e-6) {
        $0.geoms[geom].size[axis] += $1
      }
    }
  }

  /// What is left out takes the force away, and nothing else is touched.
  @Test func leftOut() throws {
    let file = try #require(Self.files.first { $0.testDescription == "variant_climber_euler" })
    let (model, states) = try Self.load(file)
    let reference = states[0]
    for ignored in [IgnoredFeatures.contact, .actuation, .constraints] {
      let e = try Simulator<Double>(model, ignoring: ignored).evaluate(
        reference.batch, inputs: reference.inputs)
      #expect(e.actuatorForce.allSatisfy { $0 == 0 })
    }
    var switchedOff = model
    switchedOff.options.disabled.insert(.actuation)
    let e = try Simulator<Double>(switchedOff).evaluate(reference.batch, inputs: reference.inputs)
    #expect(e.actuatorForce.allSatisfy { $0 == 0 } && !e.contacts.isEmpty)
    // The ball alone in the air.
    var away = reference.batch
    away.positions[0] += 1
    away.positions[2] += 1
    let far = try Simulator<Double>(model).evaluate(away, inputs: reference.inputs)
    #expect(far.actuatorForce.prefix(6).allSatisfy { $0 == 0 })
    #expect(far.actuatorForce.dropFirst(6).contains { $0 != 0 })
  }

  /// A ball in the gap is pulled to the floor: m a = −F. At the end of the gap the force ends, which is a kink.
  @Test func endOfTheGap() throws {
    let model = try Model(
      mjcf: """
        <mujoco><option gravity="0 0 0"/><worldbody><geom type="plane" size="1 1 1" gap="0.01"/>
        <body name="ball" pos="0 0 0.105"><freejoint/><geom size="0.1" mass="2"/></body></worldbody>
        <actuator><adhesion body="ball" gain="3" ctrlrange="0 1"/></actuator></mujoco>
        """, name: "gap.xml")
    let simulator = try Simulator<Double>(model)
    func jacobians(_ height: Double) throws -> StepJacobians {
      var state = BatchState<Double>(model)
      state.positions[2] = height
      return try simulator.stepJacobians(
        at: state, inputs: SimulationInputs(controls: InputSequence(values: [0.5])))[0]
    }
    func byControl(_ j: StepJacobians) -> Double { j.B[8] }
    let inside = try jacobians(0.105)
    #expect(abs(byControl(inside) + 3.0 / 2 * model.options.timestep) < 1e-15)
    #expect(inside.kinkMargin > 1e-2)
    #expect(try jacobians(0.11 - 1e-9).kinkMargin < 1e-7)
    #expect(try byControl(jacobians(0.111)) == 0)
  }

  /// The same ball as a mesh (a regular octahedron), whose pairs are found one lane after the other.
  @Test func endOfTheGapOfMeshes() throws {
    let model = try Model(
      mjcf: """
        <mujoco><option gravity="0 0 0"/><asset><mesh name="o"
          vertex="0.1 0 0 -0.1 0 0 0 0.1 0 0 -0.1 0 0 0 0.1 0 0 -0.1"/></asset>
        <worldbody><geom type="box" size="1 1 0.5" pos="0 0 -0.5" gap="0.01"/>
        <body name="stone" pos="0 0 0.105"><freejoint/><geom type="mesh" mesh="o" mass="2"/></body></worldbody>
        <actuator><adhesion body="stone" gain="3" ctrlrange="0 1"/></actuator></mujoco>
        """, name: "stone.xml")
    let simulator = try Simulator<Double>(model)
    func jacobians(_ height: Double, _ control: Double = 0.5) throws -> StepJacobians {
      var state = BatchState<Double>(model)
      state.positions[2] = height
      return try simulator.stepJacobians(
        at: state, inputs: SimulationInputs(controls: InputSequence(values: [control])))[0]
    }
    let inside = try jacobians(0.105)
    #expect(abs(inside.B[8] + 3.0 / 2 * model.options.timestep) < 1e-12)
    #expect(inside.kinkMargin > 1e-3)
    #expect(try jacobians(0.11 - 1e-9).kinkMargin < 1e-6)
    // Beyond the range of controls the force stays.
    #expect(try jacobians(0.105, 1.5).B.allSatisfy { $0 == 0 })
  }

  /// An actuator of a disabled group keeps its activation; where contacts are left out, it goes on.
  @Test func activationWithoutForce() throws {
    let model = try Model(
      mjcf: """
        <mujoco><worldbody><geom type="plane" size="1 1 1"/>
        <body name="b" pos="0 0 0.1"><freejoint/><geom size="0.1"/></body></worldbody>
        <actuator><general body="b" group="3" dyntype="integrator" gainprm="3"/></actuator></mujoco>
        """, name: "activation.xml")
    let inputs = SimulationInputs<Double>(controls: InputSequence(values: [0.5]))
    func activation(_ model: Model, ignoring: IgnoredFeatures = []) throws -> Double {
      let state = BatchState<Double>(model)
      return try Simulator<Double>(model, ignoring: ignoring).rollout(from: state, inputs: inputs, steps: 1)
        .finalState.activations[0]
    }
    #expect(abs(try activation(model) - 0.001) < 1e-15)
    #expect(abs(try activation(model, ignoring: .contact) - 0.001) < 1e-15)
    var switchedOff = model
    switchedOff.options.disabledActuatorGroups = 1 << 3
    #expect(try activation(switchedOff) == 0)
  }

  @Test func negativeRange() {
    let error = #expect(throws: ModelError.self) {
      try Model(
        mjcf: """
          <mujoco><worldbody><body name="b"><freejoint/><geom size="0.1"/></body></worldbody>
          <actuator><adhesion body="b" ctrlrange="-1 1"/></actuator></mujoco>
          """, name: "negative.xml")
    }
    #expect(error?.description.contains("adhesion only pulls") == true)
  }

  @Test(
    arguments: [
      ("<actuator><general body=\"b\" biastype=\"affine\" biasprm=\"0 0 -1\"/></actuator>", "velocity"),
      ("<actuator><general body=\"b\" gaintype=\"affine\" gainprm=\"1 1 0\"/></actuator>", "length"),
      (
        "<contact><pair geom1=\"g\" geom2=\"h\"/></contact><actuator><adhesion body=\"b\" ctrlrange=\"0 1\"/></actuator>",
        "move as one"
      ),
    ])
  func refused(actuator: String, word: String) throws {
    let model = try Model(
      mjcf: """
        <mujoco><worldbody><geom type="plane" size="1 1 1"/>
        <body name="b"><freejoint/><geom name="g" size="0.1"/><geom name="h" size="0.2"/></body></worldbody>
        \(actuator)</mujoco>
        """, name: "refused.xml")
    let error = #expect(throws: SimulationError.self) { try Simulator<Double>(model) }
    #expect(error?.description.contains(word) == true)
    _ = try Simulator<Double>(model, ignoring: .actuation)
  }

  @Test func refusedBesideLimitedJoints() throws {
    let model = try Model(
      mjcf: """
        <mujoco><worldbody><geom type="plane" size="1 1 1"/>
        <body name="b"><joint type="slide" actuatorfrcrange="-1 1"/><geom size="0.1"/></body></worldbody>
        <actuator><adhesion body="b" ctrlrange="0 1"/></actuator></mujoco>
        """, name: "limited.xml")
    #expect(throws: SimulationError.self) { try Simulator<Double>(model) }
  }
}
