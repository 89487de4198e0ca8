import Lanes
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Free bodies that turn by radians in a step, whose implicit matrix is far from symmetric.
@Suite struct FastSpinTests {
  static let inertia = Vector3(4.5, 2, 2.5)
  static let timestep = 0.01

  static func model() throws -> Model {
    try Model(
      mjcf: """
        <mujoco><option timestep="\(timestep)" gravity="0 0 0" integrator="implicitfast"/><worldbody>
        <body><freejoint/><inertial pos="0 0 0" mass="1" diaginertia="4.5 2 2.5"/></body></worldbody></mujoco>
        """)
  }

  /// `S = J + h ∂(w x J w)/∂w` by columns, and Cramer's rule for `S x = −h w x J w`.
  static func next(_ w: Vector3<Double>) -> Vector3<Double> {
    func times(_ v: Vector3<Double>) -> Vector3<Double> {
      Vector3(inertia.x * v.x, inertia.y * v.y, inertia.z * v.z)
    }
    let columns = [Vector3<Double>(1, 0, 0), Vector3(0, 1, 0), Vector3(0, 0, 1)].map { axis in
      times(axis) + (axis.cross(times(w)) + w.cross(times(axis))) * timestep
    }
    let b = w.cross(times(w)) * -timestep
    let determinant = columns[0].dot(columns[1].cross(columns[2]))
    return w
      + Vector3(
        b.dot(columns[1].cross(columns[2])), columns[0].dot(b.cross(columns[2])),
        columns[0].dot(columns[1].cross(b))) * (1 / determinant)
  }

  /// With three radians a step about the third axis the second pivot, left where it is, would be zero.
  static let spins: [Vector3<Double>] = [
    Vector3(40, -70, 300), Vector3(40, -70, 299.9999999), Vector3(1, 2, 3), Vector3(-300, 200, 500),
    Vector3(1e4, 2e4, -3e4), Vector3(0, 0.1, 300), Vector3(300, 300, 300), Vector3(40, -70, -300),
    Vector3(-2, 100, 10), Vector3(0, 0, 0), Vector3(5, -600, 80),
  ]

  @Test func stepsOfAllSpeeds() throws {
    let model = try Self.model()
    let simulator = try Simulator<Double>(model)
    var batch = BatchState<Double>(model, worldCount: Self.spins.count)
    for (world, w) in Self.spins.enumerated() {
      for k in 0..<3 { batch.velocities[6 * world + 3 + k] = w[k] }
    }
    try simulator.step(&batch)
    for (world, w) in Self.spins.enumerated() {
      let expected = Self.next(w)
      var alone = BatchState<Double>(model)
      for k in 0..<3 { alone.velocities[3 + k] = w[k] }
      try simulator.step(&alone)
      let scale = max(w.normSquared, expected.normSquared).squareRoot()
      for k in 0..<3 {
        #expect(abs(batch.velocities[6 * world + 3 + k] - expected[k]) <= 1e-12 * scale, "\(w)")
        #expect(abs(alone.velocities[3 + k] - expected[k]) <= 1e-12 * scale, "\(w)")
      }
    }
  }

  /// But for the spin at which the matrix itself is all but singular.
  @Test(arguments: spins.indices.filter { $0 != 5 })
  func gradients(spin: Int) throws {
    let w = Self.spins[spin]
    var problem = RolloutProblem(try Self.model(), seed: 70, steps: 1)
    for k in 0..<3 { problem.state.velocities[3 + k] = w[k] }
    let simulator = try problem.simulator()
    let direction = problem.direction(seed: 71)
    let reverse = try simulator.record(from: problem.state, inputs: problem.inputs, steps: 1)
      .gradient(final: problem.cotangents, targets: .all).along(direction)
    let tangent = try simulator.pushforward(
      from: problem.state, inputs: problem.inputs, steps: 1, along: direction
    ).tangent
    let terms =
      zip(problem.cotangents.positions, tangent.positions).map { $0 * $1 }
      + zip(problem.cotangents.velocities, tangent.velocities).map { $0 * $1 }
    // The matrix may be far worse conditioned than a mass matrix.
    #expect(abs(terms.reduce(0, +) - reverse) <= 1e-10 * terms.reduce(0) { $0 + abs($1) })
    // The velocities' part of the cost; positions wind up at these speeds.
    let nominal = try problem.final()
    problem.cotangents.positions = problem.cotangents.positions.map { _ in 0 }
    let gradient = try simulator.record(from: problem.state, inputs: problem.inputs, steps: 1)
      .gradient(final: problem.cotangents, targets: .all).along(direction)
    let differences = try CentralDifferences(step: 1e-2) {
      try problem.moved(direction, by: $0).cost(relativeTo: nominal)
    }
    #expect(abs(gradient - differences.extrapolated) <= 1e-7 * max(1, abs(gradient)))
  }
}
