import Lanes
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Derivatives of rollouts against each other and against differences of the rollouts themselves.
@Suite struct GradientLawTests {
  static let integrators: [Integrator] = [.euler, .implicitFast, .rungeKutta4]

  /// Reverse mode and forward mode are transposes of each other: ⟨ȳ, J x⟩ = ⟨Jᵀ ȳ, x⟩.
  @Test(arguments: TestModels.names, integrators)
  func reverseIsTransposeOfForward(name: String, integrator: Integrator) throws {
    let problem = RolloutProblem(try TestModels.model(name, integrator), seed: 1, worlds: 3)
    let simulator = try problem.simulator()
    let direction = problem.direction(seed: 2)
    let (_, tangent) = try simulator.pushforward(
      from: problem.state, inputs: problem.inputs, steps: problem.steps, along: direction)
    let forward =
      dot(problem.cotangents.positions, tangent.positions)
      + dot(problem.cotangents.velocities, tangent.velocities)
      + dot(problem.cotangents.activations, tangent.activations)
    let tape = try simulator.record(from: problem.state, inputs: problem.inputs, steps: problem.steps)
    let reverse = try tape.gradient(final: problem.cotangents, targets: .all).along(direction)
    let scale = max(abs(forward), abs(dot(problem.cotangents.velocities, tangent.velocities)))
    #expect(abs(forward - reverse) <= 1e-12 * scale)
  }

  /// Along a random direction of state, controls and forces; the differences converge as second order.
  @Test(arguments: TestModels.names, integrators)
  func gradientAgreesWithCentralDifferences(name: String, integrator: Integrator) throws {
    let problem = RolloutProblem(try TestModels.model(name, integrator), seed: 3)
    let nominal = try problem.final()
    let direction = problem.direction(seed: 4)
    let tape = try problem.simulator().record(
      from: problem.state, inputs: problem.inputs, steps: problem.steps)
    let gradient = try tape.gradient(final: problem.cotangents, targets: .all).along(direction)
    let differences = try CentralDifferences(step: 4e-3) {
      try problem.moved(direction, by: $0).cost(relativeTo: nominal)
    }
    #expect(abs(gradient - differences.extrapolated) <= 1e-7 * abs(gradient))
  }

  /// On a smooth model the error of differences falls by four when the step is halved.
  @Test(arguments: ["acrobot", "balls", "humanoid"], integrators)
  func differencesConverge(name: String, integrator: Integrator) throws {
    let problem = RolloutProblem(try TestModels.model(name, integrator), seed: 5)
    let nominal = try problem.final()
    let direction = problem.direction(seed: 6)
    let differences = try CentralDifferences(step: 0.05) {
      try problem.moved(direction, by: $0).cost(relativeTo: nominal)
    }
    #expect((3.5...4.5).contains(differences.convergence))
  }

  /// Every parameter by itself, against differences of rollouts of the edited model.
  @Test(
    arguments: [
      "arm", "balls", "fluid", "actuators", "compensation", "freeBodies", "transmissions", "spatialTendons",
    ],
    integrators)
  func parameterGradients(name: String, integrator: Integrator) throws {
    let problem = RolloutProblem(try TestModels.model(name, integrator), seed: 7)
    let nominal = try problem.final()
    let tape = try problem.simulator().record(
      from: problem.state, inputs: problem.inputs, steps: problem.steps)
    let gradient = try #require(try tape.gradient(final: problem.cotangents, targets: .parameters).parameters)

    func compare(
      _ field: String, _ values: [Double], step: Double, _ edit: (inout Model, Int, Double) -> Void
    ) throws {
      var expected: [Double] = []
      for i in values.indices {
        let differences = try CentralDifferences(step: step) { e in
          var moved = problem
          edit(&moved.model, i, e)
          return try moved.cost(relativeTo: nominal)
        }
        expected.append(differences.extrapolated)
      }
      let scale = expected.map(abs).max() ?? 0
      let worst = zip(values, expected).map { abs($0 - $1) }.max() ?? 0
      #expect(worst <= 2e-6 * scale + 1e-11, "\(field): error \(worst) at scale \(scale)")
    }
    let model = problem.model
    func three(_ i: Int) -> (Int, Int) { (i / 3, i % 3) }
    try compare("mass", gradient.mass, step: 1e-3) { $0.bodies[$1].mass += $2 }
    try compare("inertialPosition", gradient.inertialPosition.flatMap(\.array), step: 1e-3) {
      $0.bodies[three($1).0].inertialPosition[three($1).1] += $2
    }
    let smallest =
      model.bodies.map { min($0.inertia.x, $0.inertia.y, $0.inertia.z) }.filter { $0 > 0 }.min() ?? 1
    try compare("inertia", gradient.inertia.flatMap(\.array), step: 0.02 * smallest) {
      $0.bodies[three($1).0].inertia[three($1).1] += $2
    }
    try compare("armature", gradient.armature, step: 2e-5) { $0.degreesOfFreedom[$1].armature += $2 }
    try compare("damping", gradient.damping, step: 1e-2) { $0.degreesOfFreedom[$1].damping += $2 }
    try compare("stiffness", gradient.stiffness, step: 1e-2) { $0.joints[$1].stiffness += $2 }
    let scalar = model.joints.indices.filter { model.joints[$0].type.positionCount == 1 }
    try compare("springReference", scalar.map { gradient.springReference[$0] }, step: 1e-2) {
      $0.springPosition[model.joints[scalar[$1]].positionAddress] += $2
    }
    try compare("tendonStiffness", gradient.tendonStiffness, step: 1e-2) { $0.tendons[$1].stiffness += $2 }
    try compare("tendonDamping", gradient.tendonDamping, step: 1e-2) { $0.tendons[$1].damping += $2 }
    let heavy = model.tendons.indices.filter { model.tendons[$0].armature > 0 }
    try compare("tendonArmature", heavy.map { gradient.tendonArmature[$0] }, step: 2e-5) {
      $0.tendons[heavy[$1]].armature += $2
    }
    try compare("tendonSpringLength", gradient.tendonSpringLength.map { $0[0] + $0[1] }, step: 1e-4) {
      for k in 0..<2 { $0.tendons[$1].springLength[k] += $2 }
    }
    try compare("gear", gradient.gear.flatMap { $0 }, step: 1e-3) { $0.actuators[$1 / 6].gear[$1 % 6] += $2 }
    try compare("gain", gradient.gainParameters.flatMap { $0 }, step: 1e-3) {
      $0.actuators[three($1).0].gainParameters[three($1).1] += $2
    }
    try compare("bias", gradient.biasParameters.flatMap { $0 }, step: 1e-3) {
      $0.actuators[three($1).0].biasParameters[three($1).1] += $2
    }
    try compare("gravity", gradient.gravity.array, step: 1e-2) { $0.options.gravity[$1] += $2 }
    try compare("timestep", [gradient.timestep], step: 1e-2 * model.options.timestep) {
      $0.options.timestep += $2
    }
  }

  /// Forward over reverse against differences of the gradient. The cost is half the sum of squares of velocities and
  /// scalar positions.
  @Test(
    arguments: ["acrobot", "arm", "balls", "fluid", "actuators", "transmissions", "spatialTendons"],
    integrators)
  func hessianVectorProducts(name: String, integrator: Integrator) throws {
    let problem = RolloutProblem(try TestModels.model(name, integrator), seed: 8)
    let simulator = try problem.simulator()
    let direction = problem.direction(seed: 9)
    let weights = problem.cotangents.positions
    let none = [Double](repeating: 0, count: problem.state.activations.count)
    let second = try simulator.hessianVectorProduct(
      from: problem.state, inputs: problem.inputs, steps: problem.steps, along: direction, targets: .all
    ) { final, tangent in
      (
        StateCotangents(positions: weights, velocities: final.velocities, activations: none),
        StateCotangents(positions: weights.map { _ in 0 }, velocities: tangent.velocities, activations: none)
      )
    }
    func gradient(_ e: Double) throws -> RolloutGradient<Double> {
      let moved = problem.moved(direction, by: e)
      let tape = try simulator.record(from: moved.state, inputs: moved.inputs, steps: problem.steps)
      return try tape.gradient(
        final: StateCotangents(
          positions: weights, velocities: tape.result.finalState.velocities, activations: none), targets: .all
      )
    }
    let first = try gradient(0).initialState
    for (a, b) in zip(second.gradient.initialState.velocities, first.velocities) {
      #expect(abs(a - b) <= 1e-12 * max(1, abs(b)))
    }
    func compare(_ field: String, _ product: [Double], _ values: (RolloutGradient<Double>) -> [Double]) throws
    {
      let runs = try [2e-3, -2e-3, 1e-3, -1e-3].map { values(try gradient($0)) }
      let scale = product.map(abs).max() ?? 0
      for i in product.indices {
        let coarse = (runs[0][i] - runs[1][i]) / 4e-3
        let fine = (runs[2][i] - runs[3][i]) / 2e-3
        #expect(abs((4 * fine - coarse) / 3 - product[i]) <= 1e-6 * scale, "\(field)[\(i)]")
      }
    }
    try compare("positions", second.hessianVectorProduct.initialState.positions) { $0.initialState.positions }
    try compare("velocities", second.hessianVectorProduct.initialState.velocities) {
      $0.initialState.velocities
    }
    try compare("controls", second.hessianVectorProduct.controls!.values) { $0.controls!.values }
    let parameters = try #require(second.hessianVectorProduct.parameters)
    try compare("mass", parameters.mass) { $0.parameters!.mass }
    try compare("timestep", [parameters.timestep]) { [$0.parameters!.timestep] }
  }

  /// Rows sent back one by one are the gradient of the step.
  @Test(arguments: TestModels.names, integrators)
  func stepJacobiansAreRowsOfTheGradient(name: String, integrator: Integrator) throws {
    let problem = RolloutProblem(try TestModels.model(name, integrator), seed: 10, steps: 1)
    let simulator = try problem.simulator()
    let jacobians = try simulator.stepJacobians(at: problem.state, inputs: problem.inputs)[0]
    let tape = try simulator.differentiableStep(from: problem.state, inputs: problem.inputs)
    let gradient = try tape.gradient(final: problem.cotangents)
    let rows = problem.cotangents.positions + problem.cotangents.velocities + problem.cotangents.activations
    let n = jacobians.stateCount
    let expected =
      gradient.initialState.positions + gradient.initialState.velocities + gradient.initialState.activations
    for column in 0..<n {
      let value = (0..<n).reduce(0) { $0 + rows[$1] * jacobians.A[$1 * n + column] }
      #expect(abs(value - expected[column]) <= 1e-12 * max(1, abs(value)))
    }
    let nu = jacobians.controlCount
    for column in 0..<nu {
      let value = (0..<n).reduce(0) { $0 + rows[$1] * jacobians.B[$1 * nu + column] }
      #expect(abs(value - gradient.controls!.values[column]) <= 1e-12 * max(1, abs(value)))
    }
  }

  /// Rotations at rest have no direction; the derivative is exact there all the same.
  @Test(arguments: integrators, [0, 1e-12, 1e-6, 1e-3, 0.02])
  func gradientAtSmallRotations(integrator: Integrator, speed: Double) throws {
    var problem = RolloutProblem(try TestModels.model("balls", integrator), seed: 11)
    problem.state.positions = problem.model.defaultPosition
    problem.model.springPosition = problem.model.defaultPosition
    problem.state.velocities = problem.state.velocities.map { $0 * speed }
    problem.inputs = SimulationInputs()
    let nominal = try problem.final()
    let direction = problem.direction(seed: 12)
    var stateOnly = direction
    stateOnly.inputs = SimulationInputs()
    let tape = try problem.simulator().record(
      from: problem.state, inputs: problem.inputs, steps: problem.steps)
    let gradient = try tape.gradient(final: problem.cotangents, targets: .initialState).along(stateOnly)
    let differences = try CentralDifferences(step: 4e-3) {
      try problem.moved(stateOnly, by: $0).cost(relativeTo: nominal)
    }
    #expect(abs(gradient - differences.extrapolated) <= 1e-8 * abs(gradient))
  }
}
