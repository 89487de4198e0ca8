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
