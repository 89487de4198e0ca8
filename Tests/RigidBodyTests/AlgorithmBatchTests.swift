import Lanes
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Batches of any size, threads, precisions and wrong input in the batched algorithms.
@Suite struct AlgorithmBatchTests {
  /// Everything that there is to compute of a problem, by name.
  static func results<Scalar: SimulationScalar>(
    _ problem: AlgorithmProblem, _ algorithms: RigidBodyAlgorithms<Scalar>, threads: Int
  ) throws -> [(name: String, values: [Scalar])] {
    let q = problem.positions.map(Scalar.init)
    let v = problem.velocities.map(Scalar.init)
    let a = problem.accelerations.map(Scalar.init)
    let f = problem.forces.map(Scalar.init)
    let x = problem.bodyForces.map(Scalar.init)
    let inverse = try algorithms.inverseDynamicsDerivatives(
      at: q, velocities: v, accelerations: a, threads: threads)
    let forward = try algorithms.forwardDynamicsDerivatives(
      at: q, velocities: v, forces: f, threads: threads)
    return [
      (
        "inverse dynamics",
        try algorithms.inverseDynamics(
          at: q, velocities: v, accelerations: a, bodyForces: x, threads: threads)
      ), ("bias", try algorithms.biasForce(at: q, velocities: v, threads: threads)),
      ("gravity", try algorithms.gravityForce(at: q, threads: threads)),
      ("mass matrix", try algorithms.massMatrix(at: q, threads: threads)),
      (
        "forward dynamics",
        try algorithms.forwardDynamics(at: q, velocities: v, forces: f, bodyForces: x, threads: threads)
      ), ("dτ/dq", inverse.byPosition), ("dτ/dv", inverse.byVelocity), ("dτ/da", inverse.byAcceleration),
      ("da/dq", forward.byPosition), ("da/dv", forward.byVelocity), ("da/dτ", forward.byForce),
    ]
  }

  /// Rows of a batch are what each configuration gives by itself; to the bit between batches, and for any number of
  /// threads.
  @Test(arguments: ["balls", "humanoid", "tied floating"], [1, 7, 8, 9, 17, 1000])
  func anyNumberOfConfigurations(name: String, count: Int) throws {
    let problem = try AlgorithmProblem(name, seed: 60, count: count)
    let algorithms = try RigidBodyAlgorithms<Double>(problem.model)
    let batch = try Self.results(problem, algorithms, threads: 1)
    for threads in [2, 5] {
      for (one, many) in zip(batch, try Self.results(problem, algorithms, threads: threads)) {
        #expect(one.values == many.values, "\(one.name) with \(threads) threads")
      }
    }
    for row in Set([0, count / 2, count - 1]) {
      for (all, single) in zip(batch, try Self.results(problem.row(row), algorithms, threads: 1)) {
        let width = single.values.count
        let error = relativeError(Array(all.values[row * width..<(row + 1) * width]), single.values)
        #expect(error < 1e-11, "\(all.name) of configuration \(row): \(error)")
      }
    }
  }

  /// float32 against float64, to a few thousand units in the last place beyond what the mass matrix amplifies.
  @Test(arguments: AlgorithmProblem.names)
  func singlePrecision(name: String) throws {
    var problem = try AlgorithmProblem(name, seed: 61, count: 19)
    // The same numbers in both precisions.
    func round(_ values: inout [Double]) { values = values.map { Double(Float($0)) } }
    round(&problem.positions)
    round(&problem.velocities)
    round(&problem.accelerations)
    round(&problem.forces)
    round(&problem.bodyForces)
    let double = try Self.results(problem, try RigidBodyAlgorithms<Double>(problem.model), threads: 2)
    let algorithms = try RigidBodyAlgorithms<Float>(problem.model)
    let float = try Self.results(problem, algorithms, threads: 2)
    for (a, b) in zip(float, double) {
      let isForward = a.name.hasPrefix("da/") || a.name == "forward dynamics"
      let error = relativeError(a.values.map(Double.init), b.values)
      #expect(error < (isForward ? 2e-3 : 1e-5), "\(a.name): \(error)")
    }
    for (a, b) in zip(float, try Self.results(problem, algorithms, threads: 1)) {
      #expect(a.values == b.values)
    }
    // A single configuration in float32 is a group by itself.
    for (a, b) in zip(float, try Self.results(problem.row(0), algorithms, threads: 1)) {
      #expect(Array(a.values[..<b.values.count]) == b.values, "\(a.name)")
    }
  }

  /// Arrays kept between calls, longer, shorter and empty.
  @Test func keptArrays() throws {
    let algorithms = try RigidBodyAlgorithms<Double>(try TestModels.model("arm"))
    var forces: [Double] = []
    var matrices = [1.0]
    var accelerations = Array(repeating: 1.0, count: 10_000)
    for count in [3, 20, 1, 9] {
      let problem = try AlgorithmProblem("arm", seed: 62, count: count)
      let (q, v) = (problem.positions, problem.velocities)
      try algorithms.inverseDynamics(
        at: q, velocities: v, accelerations: problem.accelerations, into: &forces)
      #expect(
        forces == (try algorithms.inverseDynamics(at: q, velocities: v, accelerations: problem.accelerations))
      )
      try algorithms.massMatrix(at: q, into: &matrices)
      #expect(matrices == (try algorithms.massMatrix(at: q)))
      try algorithms.forwardDynamics(at: q, velocities: v, forces: problem.forces, into: &accelerations)
      #expect(accelerations == (try algorithms.forwardDynamics(at: q, velocities: v, forces: problem.forces)))
    }
  }

  @Test func wrongInput() throws {
    let problem = try AlgorithmProblem("balls", seed: 63, count: 9)
    let model = problem.model
    let algorithms = try RigidBodyAlgorithms<Double>(model)
    let (q, v, a) = (problem.positions, problem.velocities, problem.accelerations)
    let n = model.velocityCount
    #expect(
      throws: RigidBodyError.wrongCount(
        name: "positions",
        expected: "a positive multiple of \(model.positionCount) (one row per configuration)",
        actual: q.count - 1)
    ) { try algorithms.massMatrix(at: q.dropLast()) }
    #expect(throws: RigidBodyError.self) { try algorithms.massMatrix(at: []) }
    #expect(throws: RigidBodyError.wrongCount(name: "velocities", expected: "9 x \(n)", actual: 9 * n - 1)) {
      try algorithms.inverseDynamics(at: q, velocities: v.dropLast(), accelerations: a)
    }
    #expect(throws: RigidBodyError.wrongCount(name: "accelerations", expected: "9 x \(n)", actual: 0)) {
      try algorithms.inverseDynamicsDerivatives(at: q, velocities: v, accelerations: [])
    }
    #expect(throws: RigidBodyError.wrongCount(name: "forces", expected: "9 x \(n)", actual: 9 * n + 1)) {
      try algorithms.forwardDynamics(at: q, velocities: v, forces: a + [0])
    }
    #expect(
      throws: RigidBodyError.wrongCount(
        name: "bodyForces", expected: "9 x \(6 * model.bodies.count)", actual: n)
    ) {
      try algorithms.forwardDynamics(
        at: q, velocities: v, forces: a, bodyForces: Array(repeating: 0, count: n))
    }
    for bad in [Double.nan, .infinity, -.infinity] {
      for threads in [1, 2] {
        var broken = v
        broken[8 * n + 2] = bad
        #expect(throws: RigidBodyError.notFinite(name: "velocities", index: 8 * n + 2)) {
          try algorithms.biasForce(at: q, velocities: broken, threads: threads)
        }
        #expect(throws: RigidBodyError.notFinite(name: "forces", index: 8 * n + 2)) {
          try algorithms.forwardDynamicsDerivatives(at: q, velocities: v, forces: broken, threads: threads)
        }
        broken = q
        broken[1] = bad
        #expect(throws: RigidBodyError.notFinite(name: "positions", index: 1)) {
          try algorithms.gravityForce(at: broken, threads: threads)
        }
      }
    }
    let ball = try #require(model.joints.first { $0.type == .ball })
    var broken = q
    for k in 0..<4 { broken[4 * model.positionCount + ball.positionAddress + k] = 0 }
    #expect(throws: RigidBodyError.zeroQuaternion(joint: ball.name, configuration: 4)) {
      try algorithms.massMatrix(at: broken)
    }
    for row in [3, 8] {
      #expect(throws: RigidBodyError.overflow(result: "the forces", configuration: row)) {
        var fast = v
        fast[row * n] = 1e200
        fast[row * n + 1] = 1e200
        _ = try algorithms.biasForce(at: q, velocities: fast)
      }
    }
  }

  /// One instance may be used from several threads at once.
  @Test func concurrentCalls() async throws {
    let algorithms = try RigidBodyAlgorithms<Double>(try TestModels.model("humanoid"))
    let problem = try AlgorithmProblem("humanoid", seed: 64, count: 40)
    let expected = try Self.results(problem, algorithms, threads: 1)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask {
          let actual = try Self.results(problem, algorithms, threads: 2)
          return zip(actual, expected).allSatisfy { $0.values == $1.values }
        }
      }
      for try await isSame in group { #expect(isSame) }
    }
  }

  /// Nothing in the model moves.
  @Test func nothingMoves() throws {
    let model = try Model(
      mjcf: "<mujoco><worldbody><body><geom size=\"1\"/></body></worldbody></mujoco>", name: "rock")
    let algorithms = try RigidBodyAlgorithms<Double>(model)
    #expect(try algorithms.inverseDynamics(at: [], velocities: [], accelerations: []) == [])
    #expect(try algorithms.massMatrix(at: []) == [])
    #expect(try algorithms.forwardDynamics(at: [], velocities: [], forces: []) == [])
    #expect(
      try algorithms.forwardDynamicsDerivatives(at: [], velocities: [], forces: []).byPosition == [])
    #expect(throws: RigidBodyError.self) { try algorithms.massMatrix(at: [1]) }
  }
}
