import Lanes
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Models and requests at the border of what is allowed: nothing may trap, and nothing may be silently wrong.
@Suite struct EdgeCaseTests {
  static let integrators: [Integrator] = [.euler, .implicitFast, .rungeKutta4]

  /// A robot whose joints `c`, `d` and `e` follow others: `c` one that stands later in the file and on another branch,
  /// `d` and `e` one on the way to the root, `e` through `d`.
  static func tiedRobot(tied: Bool, floating: Bool = false) throws -> Model {
    func link(_ name: String, _ mass: Double) -> String {
      """
      <link name="\(name)"><inertial><origin xyz="0.05 0.02 -0.1" rpy="0.1 0.2 0.3"/><mass value="\(mass)"/>
      <inertia ixx="0.02" iyy="0.03" izz="0.015" ixy="0.001" ixz="-0.002" iyz="0.003"/></inertial></link>
      """
    }
    func joint(
      _ name: String, _ type: String, _ parent: String, _ child: String, _ axis: String, mimic: String = ""
    ) -> String {
      """
      <joint name="\(name)" type="\(type)"><parent link="\(parent)"/><child link="\(child)"/>
      <origin xyz="0.1 -0.05 0.2" rpy="0.3 -0.2 0.5"/><axis xyz="\(axis)"/><dynamics damping="0.2"/>
      <limit lower="-9" upper="9" effort="0" velocity="1"/>\(tied ? mimic : "")</joint>
      """
    }
    func mimic(_ source: String, _ multiplier: Double, _ offset: Double) -> String {
      "<mimic joint=\"\(source)\" multiplier=\"\(multiplier)\" offset=\"\(offset)\"/>"
    }
    let links = ["base", "lc", "la", "ld", "le", "lb", "lf"].enumerated()
      .map { link($1, 1 + 0.3 * Double($0)) }
    let joints = [
      joint("c", "revolute", "base", "lc", "0 1 0", mimic: mimic("b", -1.5, 0.2)),
      joint("a", "revolute", "lc", "la", "1 0 0"),
      joint("d", "prismatic", "la", "ld", "0 0.6 0.8", mimic: mimic("a", 0.4, -0.1)),
      joint("e", "revolute", "ld", "le", "0.6 0 0.8", mimic: mimic("d", 2, 0.3)),
      joint("b", "revolute", "base", "lb", "0 0 1"), joint("f", "prismatic", "lb", "lf", "1 0 0"),
    ]
    var options = ModelReadingOptions()
    options.floatingBase = floating
    var model = try Model(
      urdf: "<robot name=\"tied\">" + (links + joints).joined() + "</robot>", options: options)
    model.options.density = 30
    model.options.viscosity = 0.1
    model.options.wind = Vector3(0.3, -0.2, 0.1)
    for name in ["a", "c", "e", "f"] {
      let index = try #require(model.jointIndex(named: name))
      model.joints[index].stiffness = 3
      if model.joints[index].mimic == nil { model.springPosition[model.joints[index].positionAddress] = 0.1 }
    }
    // A rest position of a joint that follows another is its own zero.
    for name in ["c", "e"] where !tied {
      model.springPosition[model.joints[model.jointIndex(named: name)!].positionAddress] = 0
    }
    for (name, gear) in [("c", 0.7), ("e", 1.3), ("a", -0.5)] {
      var actuator = Actuator()
      actuator.name = name
      actuator.target = try #require(model.jointIndex(named: name))
      actuator.gear[0] = gear
      actuator.gain = .affine
      actuator.gainParameters = [1, 0.3, -0.4]
      actuator.bias = .affine
      actuator.biasParameters = [0.1, -0.5, -0.2]
      model.actuators.append(actuator)
    }
    for index in model.bodies.indices where index > 1 { model.bodies[index].gravityCompensation = 0.3 }
    return model
  }

  /// Mimic joints against the free robot with the constraint `q = G r + c` projected by hand.
  @Test(arguments: [false, true])
  func mimicIsTheProjectedRobot(floating: Bool) throws {
    let tied = try Self.tiedRobot(tied: true, floating: floating)
    let free = try Self.tiedRobot(tied: false, floating: floating)
    #expect(tied.velocityCount == (floating ? 9 : 3))
    #expect(free.velocityCount == tied.velocityCount + 3)
    let problem = RolloutProblem(tied, seed: 30)
    var positions = free.defaultPosition
    var map = [[Double]](
      repeating: [Double](repeating: 0, count: tied.velocityCount), count: free.velocityCount)
    for joint in tied.joints {
      let other = free.joints[try #require(free.jointIndex(named: joint.name))]
      for k in 0..<joint.type.positionCount {
        let q = problem.state.positions[joint.positionAddress + k]
        positions[other.positionAddress + k] = joint.mimic.map { $0.multiplier * q + $0.offset } ?? q
      }
      for k in 0..<joint.type.velocityCount {
        map[other.velocityAddress + k][joint.velocityAddress + k] = joint.mimic?.multiplier ?? 1
      }
    }
    let velocities = map.map { dot($0, problem.state.velocities) }
    let projected = { (x: [Double]) in
      (0..<tied.velocityCount).map { i in free.degreesOfFreedom.indices.reduce(0) { $0 + map[$1][i] * x[$1] }
      }
    }
    var inputs = problem.inputs
    inputs.appliedForces = nil
    let a = try Simulator<Double>(tied, ignoring: .constraints).evaluate(problem.state, inputs: inputs)
    let b = try Simulator<Double>(free, ignoring: .constraints).evaluate(
      BatchState(worldCount: 1, positions: positions, velocities: velocities), inputs: inputs)
    func expect(_ x: [Double], _ y: [Double], _ name: String) {
      let scale = y.map(abs).max() ?? 0
      #expect(x.count == y.count && scale > 1e-3, "\(name)")
      for (u, v) in zip(x, y) { #expect(abs(u - v) <= 1e-12 * scale, "\(name)") }
    }
    let n = free.velocityCount
    let columns = (0..<n).map { i in projected((0..<n).map { b.massMatrix[i * n + $0] }) }
    let rows = (0..<tied.velocityCount).map { c in projected(columns.map { $0[c] }) }
    expect(a.massMatrix, rows.flatMap { $0 }, "mass matrix")
    expect(a.biasForce, projected(b.biasForce), "bias")
    expect(a.passiveForce, projected(b.passiveForce), "passive")
    expect(a.actuatorForce, projected(b.actuatorForce), "actuator")
    expect(a.smoothForce, projected(b.smoothForce), "smooth")
    expect([a.kineticEnergy, a.potentialEnergy], [b.kineticEnergy, b.potentialEnergy], "energies")
    // M a = smooth force.
    let m = tied.velocityCount
    expect(
      (0..<m).map { dot(Array(a.massMatrix[$0 * m..<($0 + 1) * m]), a.smoothAcceleration) }, a.smoothForce,
      "acceleration")
  }

  static let welded = """
    <option timestep="0.004"/>
    <worldbody>
      <body pos="0 0 1"><freejoint/><geom type="box" size="0.1 0.2 0.1" euler="5 10 20"/>
        <body pos="0.2 0 0.1" euler="20 10 0" gravcomp="0.4"><geom type="capsule" size="0.04" fromto="0 0 0 0.3 0 0.1"/>
          <body pos="0.1 0.1 0" euler="0 50 10"><geom type="ellipsoid" size="0.05 0.1 0.15" pos="0.1 0 0" euler="10 0 30"/>
            <body pos="0 0 -0.1"><joint axis="0 1 0" damping="0.1"/><geom type="box" size="0.05 0.02 0.1" pos="0 0 -0.1"/>
              <body pos="0 0 -0.2" euler="10 0 0" gravcomp="0.5"/></body></body></body></body>
      <body pos="0 0 2"><freejoint/><geom type="box" size="0.1 0.2 0.3" pos="0.03 0.1 0"/></body>
    </worldbody>
    """

  static func model(_ name: String, _ integrator: Integrator) throws -> Model {
    var model: Model
    switch name {
    case "tied": model = try tiedRobot(tied: true)
    case "tied and floating": model = try tiedRobot(tied: true, floating: true)
    case "welded": model = try Model(mjcf: "<mujoco>\(welded)</mujoco>")
    default: model = try TestModels.model(name)
    }
    model.options.integrator = integrator
    return model
  }

  /// A rollout's gradient, its transpose, its rows, and every parameter against differences.
  func checkGradients(_ problem: RolloutProblem, ignoring: IgnoredFeatures = .constraints) throws {
    let simulator = try Simulator<Double>(problem.model, ignoring: ignoring)
    let nominal = try simulator.rollout(from: problem.state, inputs: problem.inputs, steps: problem.steps)
      .finalState
    func cost(_ moved: RolloutProblem) throws -> Double {
      let final = try Simulator<Double>(moved.model, ignoring: ignoring)
        .rollout(from: moved.state, inputs: moved.inputs, steps: moved.steps).finalState
      func part(_ c: [Double], _ a: [Double], _ b: [Double]) -> Double { dot(c, zip(a, b).map { $0 - $1 }) }
      return dot(problem.cotangents.positions, problem.model.difference(final.positions, nominal.positions))
        + part(problem.cotangents.velocities, final.velocities, nominal.velocities)
        + part(problem.cotangents.activations, final.activations, nominal.activations)
    }
    let direction = problem.direction(seed: 41)
    let tape = try simulator.record(from: problem.state, inputs: problem.inputs, steps: problem.steps)
    let gradient = try tape.gradient(final: problem.cotangents, targets: .all)
    let reverse = gradient.along(direction)
    let (_, tangent) = try simulator.pushforward(
      from: problem.state, inputs: problem.inputs, steps: problem.steps, along: direction)
    let forward =
      dot(problem.cotangents.positions, tangent.positions)
      + dot(problem.cotangents.velocities, tangent.velocities)
      + dot(problem.cotangents.activations, tangent.activations)
    #expect(abs(forward - reverse) <= 1e-11 * max(abs(forward), abs(reverse)), "forward and reverse")
    // A short step: with drag taken implicitly the step has a kink where a velocity in the fluid changes sign.
    let differences = try CentralDifferences(step: 2e-4) { try cost(problem.moved(direction, by: $0)) }
    #expect(abs(reverse - differences.extrapolated) <= 1e-7 * abs(reverse), "differences")
    let parameters = try #require(gradient.parameters)

    func compare(
      _ field: String, _ values: [Double], step: Double, _ edit: (inout Model, Int, Double) -> Void
    ) throws {
      let expected = try values.indices.map { i in
        try CentralDifferences(step: step) { e in
          var moved = problem
          edit(&moved.model, i, e)
          return try cost(moved)
        }.extrapolated
      }
      let scale = expected.map(abs).max() ?? 0
      let worst = zip(values, expected).map { abs($0 - $1) }.max() ?? 0
      #expect(worst <= 2e-6 * scale + 1e-11, "\(field): error \(worst) at scale \(scale)")
    }
    let model = problem.model
    try compare("mass", parameters.mass, step: 1e-3) { $0.bodies[$1].mass += $2 }
    try compare("inertialPosition", parameters.inertialPosition.flatMap(\.array), step: 1e-3) {
      $0.bodies[$1 / 3].inertialPosition[$1 % 3] += $2
    }
    let smallest =
      model.bodies.map { min($0.inertia.x, $0.inertia.y, $0.inertia.z) }.filter { $0 > 0 }.min() ?? 1
    try compare("inertia", parameters.inertia.flatMap(\.array), step: 0.02 * smallest) {
      $0.bodies[$1 / 3].inertia[$1 % 3] += $2
    }
    try compare("armature", parameters.armature, step: 2e-5) { $0.degreesOfFreedom[$1].armature += $2 }
    try compare("damping", parameters.damping, step: 1e-2) { $0.degreesOfFreedom[$1].damping += $2 }
    try compare("stiffness", parameters.stiffness, step: 1e-2) { $0.joints[$1].stiffness += $2 }
    let scalar = model.joints.indices.filter {
      model.joints[$0].type.positionCount == 1 && model.joints[$0].mimic == nil
    }
    try compare("springReference", scalar.map { parameters.springReference[$0] }, step: 1e-2) {
      $0.springPosition[model.joints[scalar[$1]].positionAddress] += $2
    }
    try compare("gear", parameters.gear.flatMap { $0 }, step: 1e-3) {
      $0.actuators[$1 / 6].gear[$1 % 6] += $2
    }
    try compare("gain", parameters.gainParameters.flatMap { $0 }, step: 1e-3) {
      $0.actuators[$1 / 3].gainParameters[$1 % 3] += $2
    }
    try compare("bias", parameters.biasParameters.flatMap { $0 }, step: 1e-3) {
      $0.actuators[$1 / 3].biasParameters[$1 % 3] += $2
    }
    try compare("gravity", parameters.gravity.array, step: 1e-2) { $0.options.gravity[$1] += $2 }
    // A short step: limits of forces and activations are not to be crossed.
    try compare("timestep", [parameters.timestep], step: 1e-3 * model.options.timestep) {
      $0.options.timestep += $2
    }
  }

  @Test(arguments: ["tied", "tied and floating", "welded"], integrators)
  func gradientsOfTiedAndWeldedBodies(name: String, integrator: Integrator) throws {
    try checkGradients(RolloutProblem(try Self.model(name, integrator), seed: 31))
  }

  static let flags: [DisabledFeatures] = [
    .gravity, .spring, .damper, [.spring, .damper], .actuation, .clampControl, .eulerDamping,
  ]

  @Test(arguments: flags, integrators)
  func gradientsWithDisabledFeatures(flag: DisabledFeatures, integrator: Integrator) throws {
    for name in ["balls", "actuators", "compensation", "freeBodies"] {
      var model = try Self.model(name, integrator)
      model.options.disabled.formUnion(flag)
      try checkGradients(RolloutProblem(model, seed: 50))
    }
  }

  @Test(arguments: [IgnoredFeatures.actuation, .passive, [.actuation, .passive]], integrators)
  func gradientsWithIgnoredFeatures(ignored: IgnoredFeatures, integrator: Integrator) throws {
    for name in ["actuators", "compensation", "tied"] {
      let problem = RolloutProblem(try Self.model(name, integrator), seed: 33)
      try checkGradients(problem, ignoring: ignored.union(.constraints))
      let simulator = try Simulator<Double>(problem.model, ignoring: ignored.union(.constraints))
      let evaluation = try simulator.evaluate(problem.state, inputs: problem.inputs)
      if ignored.contains(.actuation) { #expect(evaluation.actuatorForce.allSatisfy { $0 == 0 }) }
      if ignored.contains(.passive) { #expect(evaluation.passiveForce.allSatisfy { $0 == 0 }) }
    }
  }

  @Test(arguments: integrators)
  func gradientsWithDisabledActuatorGroups(integrator: Integrator) throws {
    var model = try Self.model("actuators", integrator)
    for i in model.actuators.indices where i % 2 == 0 { model.actuators[i].group = 2 }
    model.options.disabledActuatorGroups = 1 << 2
    let problem = RolloutProblem(model, seed: 34)
    try checkGradients(problem)
    let gradient = try problem.simulator().record(from: problem.state, inputs: problem.inputs, steps: 3)
      .gradient(final: problem.cotangents).controls!.values
    let nu = model.controlCount
    #expect((0..<nu).filter { $0 % 2 == 0 }.allSatisfy { gradient[$0] == 0 })
    #expect((0..<nu).filter { $0 % 2 == 1 }.contains { gradient[$0] != 0 })
  }

  /// Quaternions of any length in the state: all derivatives are those of the normalised ones, and the gradient by
  /// `qpos` is that by its numbers.
  @Test(arguments: ["balls", "freeBodies"], integrators)
  func quaternionsNeedNotBeNormalised(name: String, integrator: Integrator) throws {
    var problem = RolloutProblem(try TestModels.model(name, integrator), seed: 35)
    for (k, at) in problem.model.orientationAddresses.enumerated() {
      for i in at..<at + 4 { problem.state.positions[i] *= 0.4 + Double(k) }
    }
    let simulator = try problem.simulator()
    let direction = problem.direction(seed: 36)
    let gradient = try simulator.record(from: problem.state, inputs: problem.inputs, steps: 3)
      .gradient(final: problem.cotangents, targets: .all)
    let (_, tangent) = try simulator.pushforward(
      from: problem.state, inputs: problem.inputs, steps: 3, along: direction)
    let forward =
      dot(problem.cotangents.positions, tangent.positions)
      + dot(problem.cotangents.velocities, tangent.velocities)
    #expect(abs(forward - gradient.along(direction)) <= 1e-12 * max(abs(forward), 1))
    let lifted = problem.model.positionGradient(
      tangent: gradient.initialState.positions, at: problem.state.positions)
    let nominal = try problem.final()
    let scale = lifted.map(abs).max() ?? 0
    for i in lifted.indices {
      let differences = try CentralDifferences(step: 4e-3) { e in
        var moved = problem
        moved.state.positions[i] += e
        return try moved.cost(relativeTo: nominal)
      }
      #expect(abs(lifted[i] - differences.extrapolated) <= 1e-7 * scale)
    }
    // Without steps the direction comes back as it is.
    let (_, same) = try simulator.pushforward(
      from: problem.state, steps: 0,
      along: RolloutDirection(
        initialState: direction.initialState))
    for (a, b) in zip(same.positions, direction.initialState.positions) { #expect(abs(a - b) <= 1e-14) }
  }

  @Test func quaternionWithoutLengthIsTheIdentity() throws {
    let model = try TestModels.model("freeBodies")
    let problem = RolloutProblem(model, seed: 37)
    var zero = problem.state
    var identity = problem.state
    for i in model.orientationAddresses {
      for k in 0..<4 {
        zero.positions[i + k] = 0
        identity.positions[i + k] = k == 0 ? 1 : 0
      }
    }
    let simulator = try problem.simulator()
    let a = try simulator.rollout(from: zero, steps: 2)
    #expect(a.finalState == (try simulator.rollout(from: identity, steps: 2).finalState))
    let lifted = model.positionGradient(tangent: problem.cotangents.positions, at: zero.positions)
    #expect(lifted.allSatisfy { $0.isFinite })
  }

  /// Models in which nothing moves.
  @Test(arguments: ["", "<worldbody><geom size=\"1\"/><body><geom size=\"1\"/></body></worldbody>"])
  func nothingMoves(text: String) throws {
    let model = try Model(mjcf: "<mujoco>\(text)</mujoco>")
    let simulator = try Simulator<Double>(model)
    let state = BatchState<Double>(model, worldCount: 3)
    let inputs = SimulationInputs<Double>(
      controls: InputSequence(values: []), appliedForces: InputSequence(values: [], worldCount: 3),
      cartesianForces: InputSequence(values: [Double](repeating: 1, count: 6 * model.bodies.count)))
    let none = StateCotangents<Double>(positions: [], velocities: [])
    for memory in [RolloutMemory.storeAll, .checkpoint(every: 2)] {
      let tape = try simulator.record(from: state, inputs: inputs, steps: 5, memory: memory)
      let gradient = try tape.gradient(final: none, trajectory: none, targets: .all)
      #expect(gradient.cartesianForces!.values.allSatisfy { $0 == 0 })
      #expect(tape.result.finalState.time == 5 * model.options.timestep)
    }
    #expect(try simulator.stepJacobians(at: state, inputs: inputs).allSatisfy { $0.A.isEmpty })
    let one = BatchState<Double>(model)
    #expect(try simulator.evaluate(one).kineticEnergy == 0)
    let direction = RolloutDirection(initialState: none)
    _ = try simulator.pushforward(from: state, inputs: inputs, steps: 2, along: direction)
    _ = try simulator.hessianVectorProduct(
      from: state, inputs: inputs, steps: 2, along: direction, targets: .all
    ) { _, _ in (none, none) }
    _ = try Simulator<Float>(model).rollout(from: BatchState(model, worldCount: 17), steps: 2)
  }

  @Test(arguments: [1, 3, 9], [RolloutMemory.storeAll, .checkpoint(every: 3)])
  func withoutSteps(worlds: Int, memory: RolloutMemory) throws {
    var problem = RolloutProblem(try TestModels.model("actuators"), seed: 38, worlds: worlds, steps: 0)
    problem.inputs.cartesianForces = nil
    let simulator = try problem.simulator()
    let tape = try simulator.record(from: problem.state, inputs: problem.inputs, steps: 0, memory: memory)
    #expect(tape.result.finalState == problem.state)
    #expect(tape.result.trajectory!.positions == problem.state.positions)
    let c = problem.cotangents
    let gradient = try tape.gradient(final: c, trajectory: c, targets: .all)
    #expect(gradient.initialState.positions == c.positions.map { 2 * $0 })
    #expect(gradient.initialState.activations == c.activations.map { 2 * $0 })
    #expect(gradient.controls!.values.isEmpty && gradient.controls!.stepCount == 0)
    #expect(gradient.cartesianForces!.values.allSatisfy { $0 == 0 })
    #expect(gradient.parameters!.mass.allSatisfy { $0 == 0 })
    let second = try simulator.hessianVectorProduct(
      from: problem.state, inputs: problem.inputs, steps: 0, along: problem.direction(seed: 1), targets: .all
    ) { _, _ in (c, c) }
    #expect(second.gradient.initialState == c)
  }

  /// Every way of sharing inputs: the gradient has the shape of the input, and is the sum of what it stands for.
  @Test(arguments: [1, 5, 9, 17], [false, true])
  func sharedInputs(worlds: Int, storesAll: Bool) throws {
    let steps = 3
    let problem = RolloutProblem(
      try TestModels.model("actuators"), seed: 39, worlds: worlds, steps: steps)
    let simulator = try problem.simulator()
    let memory = storesAll ? RolloutMemory.storeAll : .checkpoint(every: 2)
    let shapes = [(1, 1), (worlds, 1), (1, steps), (worlds, steps)]
    for code in 0..<64 {
      let chosen = [shapes[code % 4], shapes[code / 4 % 4], shapes[code / 16]]
      // Sampling all combinations for one input at a time keeps this short; mixed ones come from the code.
      guard code % 5 == 0 || code % 7 == 0 else { continue }
      func short(_ s: InputSequence<Double>?, _ shape: (Int, Int)) -> InputSequence<Double> {
        let width = s!.values.count / (worlds * steps)
        return InputSequence(
          values: Array(s!.values.prefix(shape.0 * shape.1 * width)), worldCount: shape.0, stepCount: shape.1)
      }
      func full(_ s: InputSequence<Double>?) -> InputSequence<Double> {
        let s = s!
        let width = s.values.count / (s.worldCount * s.stepCount)
        var values: [Double] = []
        for world in 0..<worlds {
          for step in 0..<steps {
            let row = (s.worldCount == 1 ? 0 : world) * s.stepCount + (s.stepCount == 1 ? 0 : step)
            values += s.values[row * width..<(row + 1) * width]
          }
        }
        return InputSequence(values: values, worldCount: worlds, stepCount: steps)
      }
      func sums(_ s: InputSequence<Double>, like shape: InputSequence<Double>) -> [Double] {
        let width = s.values.count / (worlds * steps)
        var values = [Double](repeating: 0, count: shape.values.count)
        for world in 0..<worlds {
          for step in 0..<steps {
            let row =
              (shape.worldCount == 1 ? 0 : world) * shape.stepCount + (shape.stepCount == 1 ? 0 : step)
            for i in 0..<width { values[row * width + i] += s.values[(world * steps + step) * width + i] }
          }
        }
        return values
      }
      let inputs = SimulationInputs(
        controls: short(problem.inputs.controls, chosen[0]),
        appliedForces: short(problem.inputs.appliedForces, chosen[1]),
        cartesianForces: short(problem.inputs.cartesianForces, chosen[2]))
      let expanded = SimulationInputs(
        controls: full(inputs.controls), appliedForces: full(inputs.appliedForces),
        cartesianForces: full(inputs.cartesianForces))
      let a = try simulator.record(from: problem.state, inputs: inputs, steps: steps, memory: memory)
      let b = try simulator.record(from: problem.state, inputs: expanded, steps: steps, memory: memory)
      #expect(a.result.finalState == b.result.finalState)
      #expect(
        try simulator.rollout(from: problem.state, inputs: inputs, steps: steps).finalState.positions
          == a.result.finalState.positions)
      let x = try a.gradient(final: problem.cotangents, targets: .all)
      let y = try b.gradient(final: problem.cotangents, targets: .all)
      for (u, v) in [
        (x.controls!, sums(y.controls!, like: inputs.controls!)),
        (x.appliedForces!, sums(y.appliedForces!, like: inputs.appliedForces!)),
        (x.cartesianForces!, sums(y.cartesianForces!, like: inputs.cartesianForces!)),
      ] {
        #expect(u.values.count == v.count)
        let scale = v.map(abs).max() ?? 0
        #expect(zip(u.values, v).allSatisfy { abs($0 - $1) <= 1e-12 * scale })
      }
      #expect(x.initialState == y.initialState)
      #expect(x.controls!.worldCount == chosen[0].0 && x.controls!.stepCount == chosen[0].1)
    }
  }

  /// Each world of a batch by itself, in all modes.
  @Test(arguments: [3, 9, 17])
  func worldsOfABatch(worlds: Int) throws {
    let problem = RolloutProblem(try Self.model("tied", .implicitFast), seed: 40, worlds: worlds, steps: 1)
    let simulator = try problem.simulator()
    let jacobians = try simulator.stepJacobians(at: problem.state, inputs: problem.inputs)
    #expect(jacobians.count == worlds)
    let direction = problem.direction(seed: 2)
    let tangent = try simulator.pushforward(
      from: problem.state, inputs: problem.inputs, steps: 1, along: direction
    ).tangent
    let n = problem.model.velocityCount
    let nu = problem.model.controlCount
    var inputsFree = direction
    inputsFree.inputs = SimulationInputs(controls: direction.inputs.controls)
    let controlled = try simulator.pushforward(
      from: problem.state, inputs: problem.inputs, steps: 1, along: inputsFree
    ).tangent
    #expect(tangent != controlled)
    for world in 0..<worlds {
      let alone = problem.world(world)
      let single = try simulator.stepJacobians(at: alone.state, inputs: alone.inputs)[0]
      let scale = single.A.map(abs).max() ?? 0
      #expect(zip(single.A, jacobians[world].A).allSatisfy { abs($0 - $1) <= 1e-13 * scale })
      let d =
        Array(direction.initialState.positions[world * n..<(world + 1) * n])
        + direction.initialState.velocities[world * n..<(world + 1) * n]
      let u = Array(direction.inputs.controls!.values[world * nu..<(world + 1) * nu])
      for row in 0..<2 * n {
        let value =
          dot(Array(single.A[row * 2 * n..<(row + 1) * 2 * n]), d)
          + dot(Array(single.B[row * nu..<(row + 1) * nu]), u)
        let expected =
          row < n ? controlled.positions[world * n + row] : controlled.velocities[world * n + row - n]
        #expect(abs(value - expected) <= 1e-12 * scale)
      }
    }
  }

  /// Second derivatives by all parameters, against differences of the gradient.
  @Test(arguments: ["balls", "actuators", "compensation", "freeBodies", "tied", "welded"], integrators)
  func secondDerivativesOfParameters(name: String, integrator: Integrator) throws {
    let problem = RolloutProblem(try Self.model(name, integrator), seed: 42)
    let simulator = try problem.simulator()
    let direction = problem.direction(seed: 43)
    let zero = problem.cotangents.positions.map { _ in 0.0 }
    let none = [Double](repeating: 0, count: problem.state.activations.count)
    let second = try simulator.hessianVectorProduct(
      from: problem.state, inputs: problem.inputs, steps: problem.steps, along: direction, targets: .all
    ) { final, tangent in
      (
        StateCotangents(positions: zero, velocities: final.velocities, activations: none),
        StateCotangents(positions: zero, velocities: tangent.velocities, activations: none)
      )
    }.hessianVectorProduct
    func flat(_ g: RolloutGradient<Double>) -> [(String, [Double])] {
      let p = g.parameters!
      return [
        ("positions", g.initialState.positions), ("velocities", g.initialState.velocities),
        ("activations", g.initialState.activations), ("controls", g.controls!.values),
        ("applied", g.appliedForces!.values), ("cartesian", g.cartesianForces!.values), ("mass", p.mass),
        ("center", p.inertialPosition.flatMap(\.array)), ("inertia", p.inertia.flatMap(\.array)),
        ("armature", p.armature), ("damping", p.damping), ("stiffness", p.stiffness),
        ("rest", p.springReference), ("gear", p.gear.flatMap { $0 }),
        ("gain", p.gainParameters.flatMap { $0 }), ("bias", p.biasParameters.flatMap { $0 }),
        ("gravity", p.gravity.array), ("timestep", [p.timestep]),
      ]
    }
    let runs = try [2e-3, -2e-3, 1e-3, -1e-3].map { e in
      let moved = problem.moved(direction, by: e)
      let tape = try simulator.record(from: moved.state, inputs: moved.inputs, steps: problem.steps)
      return flat(
        try tape.gradient(
          final: StateCotangents(
            positions: zero, velocities: tape.result.finalState.velocities, activations: none), targets: .all)
      )
    }
    for (k, (field, product)) in flat(second).enumerated() {
      let scale = product.map(abs).max() ?? 0
      let gradientScale = runs[0][k].1.map(abs).max() ?? 0
      for i in product.indices {
        let coarse = (runs[0][k].1[i] - runs[1][k].1[i]) / 4e-3
        let fine = (runs[2][k].1[i] - runs[3][k].1[i]) / 2e-3
        #expect(
          abs((4 * fine - coarse) / 3 - product[i]) <= 2e-6 * scale + 1e-10 * gradientScale, "\(field)[\(i)]")
      }
    }
  }

  /// A control beyond its range under an affine gain: MuJoCo 3.12 takes the implicit part from the control as given.
  @Test(arguments: [(0.5, 1.4085575561322186), (2, 1.3817792104571751)])
  func clampedControlOfAnAffineGain(control: Double, expected: Double) throws {
    let model = try Model(
      mjcf: """
        <mujoco><option timestep="0.01" integrator="implicitfast"/><worldbody><body>
        <joint name="a" axis="0 1 0" damping="0.1"/><geom type="capsule" size="0.05" fromto="0 0 0 0.3 0 0"/></body>
        </worldbody><actuator><general joint="a" gear="2" gaintype="affine" gainprm="1 0.5 -0.3" biastype="affine"
        biasprm="0.1 -0.2 -0.4" ctrllimited="true" ctrlrange="-0.5 0.5"/></actuator></mujoco>
        """)
    let simulator = try Simulator<Double>(model, ignoring: .constraints)
    let state = BatchState<Double>(worldCount: 1, positions: [0.3], velocities: [1.2])
    func velocity(_ u: Double) throws -> Double {
      try simulator.rollout(
        from: state, inputs: SimulationInputs(controls: InputSequence(values: [u])), steps: 1
      ).finalState.velocities[0]
    }
    #expect(abs(try velocity(control) - expected) <= 1e-13)
    let gradient = try simulator.differentiableStep(
      from: state, inputs: SimulationInputs(controls: InputSequence(values: [control]))
    ).gradient(final: StateCotangents(positions: [0], velocities: [1])).controls!.values[0]
    // At the limit itself the derivative is that from within.
    let side = control == 0.5 ? -1.0 : 1
    let e = 1e-5
    let (a, b, c) = (
      try velocity(control), try velocity(control + side * e), try velocity(control + side * 2 * e)
    )
    let difference = side * (4 * b - c - 3 * a) / (2 * e)
    #expect(abs(gradient - difference) <= 1e-7 * abs(difference))
  }

  /// A tape that stores everything can be differentiated by many tasks at the same time.
  @Test(arguments: [1, 8])
  func tapeIsSharedBetweenTasks(worlds: Int) async throws {
    let problem = RolloutProblem(try TestModels.model("humanoid"), seed: 47, worlds: worlds, steps: 120)
    let tape = try problem.simulator().record(
      from: problem.state, inputs: problem.inputs, steps: 120, memory: .storeAll)
    let cotangents = problem.cotangents
    let expected = try tape.gradient(final: cotangents).initialState
    try await withThrowingTaskGroup(of: StateCotangents<Double>.self) { group in
      for _ in 0..<8 {
        group.addTask { try tape.gradient(final: cotangents, threads: 1).initialState }
      }
      for try await gradient in group { #expect(gradient == expected) }
    }
  }

  /// `evaluate` and a step of the explicit integrator say the same, and its forces are those of its energy.
  @Test(arguments: TestModels.names + ["tied", "tied and floating", "welded"])
  func evaluationAgreesWithRollouts(name: String) throws {
    var model = try Self.model(name, .euler)
    model.options.disabled.insert(.eulerDamping)
    let problem = RolloutProblem(model, seed: 44, steps: 4)
    let simulator = try problem.simulator()
    let evaluation = try simulator.evaluate(problem.state, inputs: problem.inputs)
    let next = try simulator.rollout(
      from: problem.state, inputs: problem.inputs, steps: 4, recordsTrajectory: true
    )
    .trajectory!.velocities
    let scale = evaluation.smoothAcceleration.map(abs).max() ?? 0
    for i in 0..<model.velocityCount {
      let a = (next[model.velocityCount + i] - problem.state.velocities[i]) / model.options.timestep
      #expect(abs(a - evaluation.smoothAcceleration[i]) <= 1e-10 * scale)
    }
    // A sequence of forces alone counts with its first step.
    let forces = SimulationInputs(cartesianForces: problem.inputs.cartesianForces)
    #expect(try simulator.evaluate(problem.state, inputs: forces).smoothForce.count == model.velocityCount)

    var conservative = model
    for i in model.degreesOfFreedom.indices { conservative.degreesOfFreedom[i].damping = 0 }
    for i in model.bodies.indices { conservative.bodies[i].gravityCompensation = 0 }
    conservative.options.density = 0
    conservative.options.viscosity = 0
    conservative.options.disabled.insert(.actuation)
    let quiet = try Simulator<Double>(conservative, ignoring: .constraints)
    var rest = problem.state
    rest.velocities = rest.velocities.map { _ in 0 }
    let direction = problem.direction(seed: 45).initialState.positions
    let power = dot(try quiet.evaluate(rest).smoothForce, direction)
    let differences = try CentralDifferences(step: 4e-3) { e in
      var moved = rest
      moved.positions = model.moved(rest.positions, by: direction.map { $0 * e })
      return try quiet.evaluate(moved).potentialEnergy
    }
    #expect(abs(power + differences.extrapolated) <= 1e-8 * abs(power))
  }

  /// Worlds that leave float32's range are named; a gradient that leaves it is an error, not a NaN.
  @Test func singlePrecisionOverflows() throws {
    let model = try Model(
      mjcf: """
        <mujoco><option timestep="0.01" gravity="0 0 0"/><worldbody><body><joint name="a" type="slide"/>
        <geom size="0.1"/></body></worldbody><actuator><general joint="a" biastype="affine" biasprm="0 1e5 0"/>
        </actuator></mujoco>
        """)
    let simulator = try Simulator<Float>(model, ignoring: .constraints)
    var state = BatchState<Float>(model, worldCount: 20)
    state.positions[18] = 1
    let tape = try simulator.record(from: state, steps: 100)
    #expect(tape.result.divergedWorlds.map(\.world) == [18])
    #expect(tape.result.finalState.positions.allSatisfy { $0.isFinite })
    let one = StateCotangents<Float>(
      positions: Array(repeating: 1, count: 20), velocities: Array(repeating: 0, count: 20))
    #expect(throws: SimulationError.self) { _ = try tape.gradient(final: one) }
    let short = try simulator.record(from: state, steps: 8).gradient(final: one, targets: .all)
    #expect(short.initialState.positions.allSatisfy { $0.isFinite })
    #expect(short.initialState.positions[17] > 1)
  }

  @Test func unsupportedRequestsAreRefused() throws {
    var model = try TestModels.model("arm")
    model.options.integrator = .implicit
    #expect(throws: SimulationError.self) { _ = try Simulator<Double>(model, ignoring: .constraints) }
    model.options.integrator = .euler
    _ = try Simulator<Double>(model, ignoring: .constraints)
    // What a change of the compiled model asks for is refused too.
    model.actuators[0].gain = .muscle
    #expect(throws: SimulationError.self) { _ = try Simulator<Double>(model, ignoring: .constraints) }
    _ = try Simulator<Double>(model, ignoring: [.constraints, .actuation])
    model.options.disabled.insert(.actuation)
    _ = try Simulator<Double>(model, ignoring: .constraints)
    var tied = try Self.tiedRobot(tied: true)
    tied.joints[try #require(tied.jointIndex(named: "b"))].actuatorForceLimited = true
    #expect(throws: SimulationError.self) { _ = try Simulator<Double>(tied, ignoring: .constraints) }
    let text = """
      <mujoco><worldbody><body><joint name="a" limited="true" range="-1 1" frictionloss="1"/><geom name="g" size="1"/>
      <site name="s"/></body><site name="u"/></worldbody>
      <tendon><spatial name="t" stiffness="1"><site site="s"/><geom geom="g"/><site site="u"/></spatial></tendon>
      <actuator><muscle joint="a" lengthrange="0 1"/></actuator></mujoco>
      """
    let all: [IgnoredFeatures] = [.tendon, .actuation]
    let many = try Model(mjcf: text)
    _ = try Simulator<Double>(many, ignoring: all.reduce(into: []) { $0.formUnion($1) })
    for missing in all {
      let ignored = all.filter { $0 != missing }.reduce(into: IgnoredFeatures()) { $0.formUnion($1) }
      #expect(throws: SimulationError.self) { _ = try Simulator<Double>(many, ignoring: ignored) }
    }
  }

  /// The mass of a free body may change without changing how the integrator treats it.
  @Test func massOfAStandaloneBody() throws {
    var model = try TestModels.model("freeBodies", .implicitFast)
    let problem = RolloutProblem(model, seed: 46)
    let before = try problem.final()
    model.bodies[1].mass *= 1 + 1e-12
    let after = try Simulator<Double>(model, ignoring: .constraints)
      .rollout(from: problem.state, inputs: problem.inputs, steps: problem.steps).finalState
    for (a, b) in zip(before.velocities, after.velocities) { #expect(abs(a - b) <= 1e-9 * max(1, abs(a))) }
  }
}
