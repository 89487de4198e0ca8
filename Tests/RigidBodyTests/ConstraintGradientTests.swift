import Lanes
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Derivatives of rollouts under constraints against differences of the rollouts themselves.
@Suite struct ConstraintGradientTests {
  static let integrators: [Integrator] = [.euler, .implicitFast, .rungeKutta4]

  /// Along random directions of state, controls and forces.
  @Test(arguments: ConstraintModels.equalityNames, integrators)
  func equalities(name: String, integrator: Integrator) throws {
    for seed in UInt64(1)...4 {
      var problem = RolloutProblem(
        try ConstraintModels.model(name, integrator), seed: seed, steps: seed == 4 ? 20 : 1)
      problem.ignored = []
      try expectGradient(of: problem, seed: seed + 20, step: 2e-4, tolerance: 1e-7)
    }
  }

  /// Forward and reverse mode are transposes of each other, with several worlds and inputs that change.
  @Test(arguments: ["welds", "weldsInFluid", "contactsPyramidal", "contactsElliptic", "limits"], integrators)
  func forwardMode(name: String, integrator: Integrator) throws {
    var problem = RolloutProblem(
      try ConstraintModels.model(name, integrator), seed: 11, worlds: 3, steps: 3)
    problem.ignored = []
    if name.hasPrefix("contacts") {
      problem.state.positions = (0..<3).flatMap { _ in problem.model.defaultPosition }
    }
    let simulator = try problem.simulator()
    let direction = problem.direction(seed: 12)
    let (final, tangent) = try simulator.pushforward(
      from: problem.state, inputs: problem.inputs, steps: problem.steps, along: direction)
    let plain = try simulator.rollout(from: problem.state, inputs: problem.inputs, steps: problem.steps)
    #expect(relativeError(final.velocities, plain.finalState.velocities) < 1e-9)
    let parts = [
      dot(problem.cotangents.positions, tangent.positions),
      dot(problem.cotangents.velocities, tangent.velocities),
      dot(problem.cotangents.activations, tangent.activations),
    ]
    let forward = parts.reduce(0, +)
    let tape = try simulator.record(from: problem.state, inputs: problem.inputs, steps: problem.steps)
    let reverse = try tape.gradient(final: problem.cotangents, targets: .all).along(direction)
    let scale = parts.map(abs).max()!
    #expect(abs(forward - reverse) <= 1e-10 * scale, "\(forward), \(reverse)")
    #expect(throws: SimulationError.self) {
      _ = try simulator.hessianVectorProduct(
        from: problem.state, inputs: problem.inputs, steps: 1, along: direction
      ) { _, _ in (problem.cotangents, problem.cotangents) }
    }
  }

  private func expectGradient(
    of problem: RolloutProblem, seed: UInt64, step: Double, tolerance: Double
  ) throws {
    let nominal = try problem.final()
    let direction = problem.direction(seed: seed)
    let tape = try problem.simulator().record(
      from: problem.state, inputs: problem.inputs, steps: problem.steps)
    let gradient = try tape.gradient(final: problem.cotangents, targets: .all)
    #expect(gradient.unconvergedWorlds.isEmpty)
    let slope = gradient.along(direction)
    let differences = try CentralDifferences(step: step) {
      try problem.moved(direction, by: $0).cost(relativeTo: nominal)
    }
    let error = abs(slope - differences.extrapolated)
    #expect(
      error <= tolerance * abs(slope),
      "\(problem.steps) steps: \(slope), differences \(differences.values), error \(error)")
  }
}
