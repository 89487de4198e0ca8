import Lanes
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Derivatives of inverse and forward dynamics against differences, against each other and against the reverse sweep of
/// the simulator.
@Suite struct DynamicsDerivativesTests {
  /// A single hinge has no velocity products, so that there would be nothing to compare.
  static let names = AlgorithmProblem.names.filter { $0 != "pendulum" }

  /// Along random directions, for every entry at once: the differences converge as second order to the derivative.
  @Test(arguments: names, 0..<3)
  func inverseDynamicsAgreesWithCentralDifferences(name: String, seed: UInt64) throws {
    let problem = try AlgorithmProblem(name, seed: 20 + seed)
    let algorithms = try RigidBodyAlgorithms<Double>(problem.model)
    let derivatives = try algorithms.inverseDynamicsDerivatives(
      at: problem.positions, velocities: problem.velocities, accelerations: problem.accelerations)
    try compare(
      problem, seed: 40 + seed,
      [derivatives.byPosition, derivatives.byVelocity, derivatives.byAcceleration]
    ) { q, v, a in
      try algorithms.inverseDynamics(at: q, velocities: v, accelerations: a)
    } inputs: {
      $0.accelerations
    }
  }

  @Test(arguments: names, 0..<3)
  func forwardDynamicsAgreesWithCentralDifferences(name: String, seed: UInt64) throws {
    let problem = try AlgorithmProblem(name, seed: 20 + seed)
    let algorithms = try RigidBodyAlgorithms<Double>(problem.model)
    let derivatives = try algorithms.forwardDynamicsDerivatives(
      at: problem.positions, velocities: problem.velocities, forces: problem.forces)
    try compare(
      problem, seed: 50 + seed, [derivatives.byPosition, derivatives.byVelocity, derivatives.byForce]
    ) { q, v, f in
      try algorithms.forwardDynamics(at: q, velocities: v, forces: f)
    } inputs: {
      $0.forces
    }
  }

  /// `weights · f` along a direction of each argument.
  private func compare(
    _ problem: AlgorithmProblem, seed: UInt64, _ matrices: [[Double]],
    _ f: ([Double], [Double], [Double]) throws -> [Double], inputs: (AlgorithmProblem) -> [Double]
  ) throws {
    var random = SeededRandom(seed: seed)
    let n = problem.model.velocityCount
    let (q, v, u) = (problem.positions, problem.velocities, inputs(problem))
    for (part, matrix) in matrices.enumerated() {
      let direction = random.uniform(-1, 1, count: n)
      let weights = random.uniform(-1, 1, count: n)
      func moved(_ x: [Double], _ e: Double) -> [Double] { zip(x, direction).map { $0 + e * $1 } }
      let differences = try CentralDifferences(step: 8e-3) { e in
        let values =
          switch part {
          case 0: try f(problem.model.moved(q, by: direction.map { e * $0 }), v, u)
          case 1: try f(q, moved(v, e), u)
          default: try f(q, v, moved(u, e))
          }
        return dot(weights, values)
      }
      let products = times(matrix, direction)
      let value = dot(weights, products)
      let size = dot(products, products).squareRoot() * dot(weights, weights).squareRoot()
      #expect(size > 1e-4, "nothing to compare")
      #expect(abs(value - differences.extrapolated) <= 1e-9 * size + 1e-11, "argument \(part)")
      // The dynamics are at most quadratic in velocities and linear in the last argument: no error to fall.
      let error = abs(differences.values[0] - value)
      if part == 0 && error > 1e-6 * size {
        #expect((3.5...4.5).contains(differences.convergence), "argument \(part)")
      }
    }
  }

  /// The factorised derivative is what the derivatives of inverse dynamics say at the acceleration found.
  @Test(arguments: AlgorithmProblem.names)
  func forwardDerivativesSolveInverseDerivatives(name: String) throws {
    let problem = try AlgorithmProblem(name, seed: 25, count: 10)
    let n = problem.model.velocityCount
    let algorithms = try RigidBodyAlgorithms<Double>(problem.model)
    let forward = try algorithms.forwardDynamicsDerivatives(
      at: problem.positions, velocities: problem.velocities, forces: problem.forces)
    let accelerations = try algorithms.forwardDynamics(
      at: problem.positions, velocities: problem.velocities, forces: problem.forces)
    let inverse = try algorithms.inverseDynamicsDerivatives(
      at: problem.positions, velocities: problem.velocities, accelerations: accelerations)
    for row in 0..<problem.count {
      func matrix(_ values: [Double]) -> [Double] { Array(values[row * n * n..<(row + 1) * n * n]) }
      let mass = matrix(inverse.byAcceleration)
      func product(_ x: [Double]) -> [Double] {
        var result = [Double](repeating: 0, count: n * n)
        for i in 0..<n {
          for k in 0..<n { for j in 0..<n { result[i * n + j] += mass[i * n + k] * x[k * n + j] } }
        }
        return result
      }
      #expect(
        relativeError(product(matrix(forward.byPosition)), matrix(inverse.byPosition).map { -$0 }) < 1e-10)
      #expect(
        relativeError(product(matrix(forward.byVelocity)), matrix(inverse.byVelocity).map { -$0 }) < 1e-10)
      let unit = (0..<n * n).map { $0 % (n + 1) == 0 ? 1.0 : 0 }
      #expect(relativeError(product(matrix(forward.byForce)), unit) < 1e-10)
    }
  }

  /// The reverse sweep that simulations use, through one explicit step: `v⁺ = v + h a`.
  ///
  /// Without damping an Euler step is explicit in the velocities, so the gradient of `w · v⁺` is `h ∂aᵀ w` by positions
  /// and `w + h ∂aᵀ w` by velocities.
  @Test(arguments: AlgorithmProblem.names.filter { $0 != "freeBodies" })
  func agreesWithTheReverseSweep(name: String) throws {
    var problem = try AlgorithmProblem(name, seed: 26)
    problem.model.options.integrator = .euler
    problem.model.actuators = []
    problem.model.activationCount = 0
    let n = problem.model.velocityCount
    let h = problem.model.options.timestep
    let simulator = try Simulator<Double>(problem.model, ignoring: [.constraints, .passive])
    let tape = try simulator.differentiableStep(
      from: BatchState(worldCount: 1, positions: problem.positions, velocities: problem.velocities),
      inputs: SimulationInputs(appliedForces: InputSequence(values: problem.forces)))
    var random = SeededRandom(seed: 27)
    let weights = random.uniform(-1, 1, count: n)
    let gradient = try tape.gradient(
      final: StateCotangents(
        positions: Array(repeating: 0, count: n), velocities: weights, activations: []), targets: .all)
    let derivatives = try RigidBodyAlgorithms<Double>(problem.model).forwardDynamicsDerivatives(
      at: problem.positions, velocities: problem.velocities, forces: problem.forces)
    func transposed(_ m: [Double]) -> [Double] {
      (0..<n).map { j in h * (0..<n).reduce(0) { $0 + m[$1 * n + j] * weights[$1] } }
    }
    let velocities = zip(gradient.initialState.velocities, weights).map { $0 - $1 }
    #expect(relativeError(transposed(derivatives.byPosition), gradient.initialState.positions) < 1e-10)
    #expect(relativeError(transposed(derivatives.byVelocity), velocities) < 1e-10)
    #expect(relativeError(transposed(derivatives.byForce), gradient.appliedForces!.values) < 1e-10)
  }

  /// Parts that are not asked for are empty, and the others the same to the bit, in any order of calls.
  @Test(arguments: ["humanoid", "tied floating"])
  func parts(name: String) throws {
    let problem = try AlgorithmProblem(name, seed: 28, count: 9)
    let algorithms = try RigidBodyAlgorithms<Double>(problem.model)
    let (q, v, u) = (problem.positions, problem.velocities, problem.accelerations)
    let inverse = try algorithms.inverseDynamicsDerivatives(at: q, velocities: v, accelerations: u)
    let forward = try algorithms.forwardDynamicsDerivatives(at: q, velocities: v, forces: u)
    #expect(try algorithms.massMatrix(at: q) == inverse.byAcceleration)
    var keptInverse = inverse
    var keptForward = forward
    for raw in UInt8(0)..<8 {
      let parts = DynamicsDerivativeParts(rawValue: raw)
      func expected(_ part: DynamicsDerivativeParts, _ values: [Double]) -> [Double] {
        parts.contains(part) ? values : []
      }
      try algorithms.forwardDynamicsDerivatives(
        at: q, velocities: v, forces: u, into: &keptForward, parts: parts, threads: 1)
      #expect(keptForward.byPosition == expected(.position, forward.byPosition))
      #expect(keptForward.byVelocity == expected(.velocity, forward.byVelocity))
      #expect(keptForward.byForce == expected(.input, forward.byForce))
      try algorithms.inverseDynamicsDerivatives(
        at: q, velocities: v, accelerations: u, into: &keptInverse, parts: parts, threads: 1)
      #expect(keptInverse.byPosition == expected(.position, inverse.byPosition))
      #expect(keptInverse.byVelocity == expected(.velocity, inverse.byVelocity))
      #expect(keptInverse.byAcceleration == expected(.input, inverse.byAcceleration))
    }
  }
}
