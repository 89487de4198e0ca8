import Lanes
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Inverse dynamics and the mass matrix by their laws, and against the simulator's forward pass.
@Suite struct InverseDynamicsTests {
  /// `τ = M a + b`, armature included, with the simulator's `M` and `b`.
  @Test(arguments: AlgorithmProblem.names, 0..<3)
  func agreesWithTheForwardPass(name: String, seed: UInt64) throws {
    let problem = try AlgorithmProblem(name, seed: seed)
    let algorithms = try RigidBodyAlgorithms<Double>(problem.model)
    let simulator = try Simulator<Double>(problem.model, ignoring: .constraints)
    let e = try simulator.evaluate(
      BatchState(
        worldCount: 1, positions: problem.positions, velocities: problem.velocities,
        activations: Array(repeating: 0, count: problem.model.activationCount)))
    let mass = try algorithms.massMatrix(at: problem.positions)
    let bias = try algorithms.biasForce(at: problem.positions, velocities: problem.velocities)
    let inverse = try algorithms.inverseDynamics(
      at: problem.positions, velocities: problem.velocities, accelerations: problem.accelerations)
    let expected = zip(times(e.massMatrix, problem.accelerations), e.biasForce).map { $0 + $1 }
    #expect(relativeError(mass, e.massMatrix) < 1e-13)
    #expect(relativeError(bias, e.biasForce) < 1e-13)
    #expect(relativeError(inverse, expected) < 1e-13)
  }

  /// The gravity force is the bias at rest.
  @Test(arguments: AlgorithmProblem.names)
  func gravityIsTheBiasAtRest(name: String) throws {
    let problem = try AlgorithmProblem(name, seed: 5, count: 9)
    let algorithms = try RigidBodyAlgorithms<Double>(problem.model)
    let rest = try algorithms.biasForce(
      at: problem.positions, velocities: problem.velocities.map { _ in 0 })
    #expect(try algorithms.gravityForce(at: problem.positions) == rest)
    #expect(rest.contains { abs($0) > 1e-3 })
  }

  /// Forces on bodies take off what they do at the joints: the simulator's `xfrc_applied`.
  @Test(arguments: AlgorithmProblem.names)
  func bodyForces(name: String) throws {
    var problem = try AlgorithmProblem(name, seed: 6)
    problem.model.actuators = []
    problem.model.activationCount = 0
    let algorithms = try RigidBodyAlgorithms<Double>(problem.model)
    let simulator = try Simulator<Double>(problem.model, ignoring: [.constraints, .passive])
    let e = try simulator.evaluate(
      BatchState(worldCount: 1, positions: problem.positions, velocities: problem.velocities),
      inputs: SimulationInputs(
        appliedForces: InputSequence(values: problem.forces),
        cartesianForces: InputSequence(values: problem.bodyForces)))
    let back = try algorithms.inverseDynamics(
      at: problem.positions, velocities: problem.velocities, accelerations: e.smoothAcceleration,
      bodyForces: problem.bodyForces)
    let without = try algorithms.inverseDynamics(
      at: problem.positions, velocities: problem.velocities, accelerations: e.smoothAcceleration)
    #expect(relativeError(back, problem.forces) < 1e-11)
    #expect(relativeError(without, problem.forces) > 0.1)
  }

  /// Armature is part of `M` and of the inverse dynamics, on the diagonal and nowhere else.
  @Test(arguments: ["arm", "humanoid", "tied"])
  func armature(name: String) throws {
    var problem = try AlgorithmProblem(name, seed: 7)
    let n = problem.model.velocityCount
    for i in 0..<n { problem.model.degreesOfFreedom[i].armature = 0 }
    let bare = try RigidBodyAlgorithms<Double>(problem.model)
    for i in 0..<n { problem.model.degreesOfFreedom[i].armature = 0.1 * Double(i + 1) }
    let loaded = try RigidBodyAlgorithms<Double>(problem.model)
    let q = problem.positions
    let (before, after) = (try bare.massMatrix(at: q), try loaded.massMatrix(at: q))
    for i in 0..<n {
      for j in 0..<n {
        let expected = i == j ? 0.1 * Double(i + 1) : 0
        #expect(abs(after[i * n + j] - before[i * n + j] - expected) < 1e-13 * max(1, after[i * n + i]))
      }
    }
    let (v, a) = (problem.velocities, problem.accelerations)
    let difference = zip(
      try loaded.inverseDynamics(at: q, velocities: v, accelerations: a),
      try bare.inverseDynamics(at: q, velocities: v, accelerations: a)
    ).map { $0 - $1 }
    let expected = (0..<n).map { 0.1 * Double($0 + 1) * a[$0] }
    #expect(relativeError(difference, expected) < 1e-12)
  }

  /// Mass matrices are symmetric to the bit, and positive definite: `2 T = vᵀ M v > 0`.
  @Test(arguments: AlgorithmProblem.names)
  func massMatrixIsSymmetricPositive(name: String) throws {
    let problem = try AlgorithmProblem(name, seed: 8, count: 11)
    let n = problem.model.velocityCount
    let matrices = try RigidBodyAlgorithms<Double>(problem.model).massMatrix(at: problem.positions)
    for row in 0..<problem.count {
      let m = Array(matrices[row * n * n..<(row + 1) * n * n])
      for i in 0..<n { for j in 0..<i { #expect(m[i * n + j] == m[j * n + i]) } }
      let v = problem.row(row).velocities
      #expect(dot(v, times(m, v)) > 0)
    }
  }
}
