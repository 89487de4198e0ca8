import Lanes
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Forward dynamics by its laws and against the factorisation of the mass matrix.
@Suite struct ForwardDynamicsTests {
  /// Inverse dynamics of what forces cause are the forces.
  @Test(arguments: AlgorithmProblem.names, 0..<3)
  func isTheInverseOfInverseDynamics(name: String, seed: UInt64) throws {
    let problem = try AlgorithmProblem(name, seed: seed, count: 9)
    let algorithms = try RigidBodyAlgorithms<Double>(problem.model)
    let accelerations = try algorithms.forwardDynamics(
      at: problem.positions, velocities: problem.velocities, forces: problem.forces,
      bodyForces: problem.bodyForces)
    let back = try algorithms.inverseDynamics(
      at: problem.positions, velocities: problem.velocities, accelerations: accelerations,
      bodyForces: problem.bodyForces)
    #expect(relativeError(back, problem.forces) < 1e-11)
    let forth = try algorithms.forwardDynamics(
      at: problem.positions, velocities: problem.velocities,
      forces: algorithms.inverseDynamics(
        at: problem.positions, velocities: problem.velocities, accelerations: problem.accelerations))
    #expect(relativeError(forth, problem.accelerations) < 1e-11)
  }

  /// The articulated-body algorithm against the simulator, which factors the mass matrix.
  @Test(arguments: AlgorithmProblem.names, 0..<3)
  func agreesWithFactorAndSolve(name: String, seed: UInt64) throws {
    var problem = try AlgorithmProblem(name, seed: seed)
    problem.model.actuators = []
    problem.model.activationCount = 0
    let simulator = try Simulator<Double>(problem.model, ignoring: [.constraints, .passive])
    let e = try simulator.evaluate(
      BatchState(worldCount: 1, positions: problem.positions, velocities: problem.velocities),
      inputs: SimulationInputs(
        appliedForces: InputSequence(values: problem.forces),
        cartesianForces: InputSequence(values: problem.bodyForces)))
    let accelerations = try RigidBodyAlgorithms<Double>(problem.model).forwardDynamics(
      at: problem.positions, velocities: problem.velocities, forces: problem.forces,
      bodyForces: problem.bodyForces)
    #expect(relativeError(accelerations, e.smoothAcceleration) < 1e-11)
  }

  /// A robot with mimic joints against the free robot under the constraint `q = G r + c`, projected by hand.
  @Test(arguments: [false, true])
  func mimicIsTheProjectedRobot(floating: Bool) throws {
    let tied = try EdgeCaseTests.tiedRobot(tied: true, floating: floating)
    let problem = AlgorithmProblem(tied, seed: 31)
    let algorithms = try RigidBodyAlgorithms<Double>(tied)
    let m = try algorithms.massMatrix(at: problem.positions)
    let b = try algorithms.biasForce(at: problem.positions, velocities: problem.velocities)
    let a = try algorithms.forwardDynamics(
      at: problem.positions, velocities: problem.velocities, forces: problem.forces)
    let back = zip(times(m, a), b).map { $0 + $1 }
    #expect(relativeError(back, problem.forces) < 1e-12)

    let free = try EdgeCaseTests.tiedRobot(tied: false, floating: floating)
    var positions = free.defaultPosition
    // One column per degree of freedom of the tied robot.
    let (nt, nf) = (tied.velocityCount, free.velocityCount)
    var projection = [Double](repeating: 0, count: nf * nt)
    for joint in tied.joints {
      let target = free.joints[free.jointIndex(named: joint.name)!]
      for k in 0..<joint.type.velocityCount {
        projection[(target.velocityAddress + k) * nt + joint.velocityAddress + k] =
          joint.mimic?.multiplier ?? 1
      }
      for k in 0..<joint.type.positionCount {
        let q = problem.positions[joint.positionAddress + k]
        positions[target.positionAddress + k] = joint.mimic.map { $0.multiplier * q + $0.offset } ?? q
      }
    }
    func spread(_ x: [Double]) -> [Double] {
      (0..<nf).map { i in (0..<nt).reduce(0) { $0 + projection[i * nt + $1] * x[$1] } }
    }
    func collect(_ x: [Double]) -> [Double] {
      (0..<nt).map { j in (0..<nf).reduce(0) { $0 + projection[$1 * nt + j] * x[$1] } }
    }
    let whole = try RigidBodyAlgorithms<Double>(free)
    let inverse = try whole.inverseDynamics(
      at: positions, velocities: spread(problem.velocities), accelerations: spread(problem.accelerations))
    let actual = try algorithms.inverseDynamics(
      at: problem.positions, velocities: problem.velocities, accelerations: problem.accelerations)
    #expect(relativeError(actual, collect(inverse)) < 1e-12)

    let expected = try whole.inverseDynamicsDerivatives(
      at: positions, velocities: spread(problem.velocities), accelerations: spread(problem.accelerations))
    let derivatives = try algorithms.inverseDynamicsDerivatives(
      at: problem.positions, velocities: problem.velocities, accelerations: problem.accelerations)
    for (actual, whole) in [
      (derivatives.byPosition, expected.byPosition), (derivatives.byVelocity, expected.byVelocity),
      (derivatives.byAcceleration, expected.byAcceleration),
    ] {
      for column in 0..<nt {
        let unit = (0..<nt).map { $0 == column ? 1.0 : 0 }
        let projected = collect(times(whole, spread(unit)))
        let entries = (0..<nt).map { actual[$0 * nt + column] }
        let size = dot(actual, actual).squareRoot()
        #expect(zip(entries, projected).allSatisfy { abs($0 - $1) < 1e-12 * size })
      }
    }
  }

  /// Bodies that move without mass or inertia: the error names the joint; what needs no inverse still works.
  @Test(arguments: ["massless leaf", "coaxial", "massless free"])
  func singularMassMatrix(name: String) throws {
    // The reader demands mass of what moves, so it is taken away afterwards.
    let spare = "<inertial pos=\"0 0 0\" mass=\"1\" diaginertia=\"1 1 1\"/>"
    let text: [String: String] = [
      "massless leaf": """
      <body><joint name="a" axis="0 1 0"/><geom size="0.1" pos="0.1 0 0"/>
        <body name="leaf" pos="0.2 0 0">\(spare)<joint name="guilty" axis="1 0 0.3"/></body></body>
      """,
      "coaxial": """
      <body><joint name="a" axis="0 1 0"/><geom size="0.1" pos="0.1 0 0"/>
        <body name="leaf" pos="0.2 0.03 0.1">\(spare)<joint name="guilty" axis="1 0.2 0.3"/>
          <body><joint axis="1 0.2 0.3"/><geom type="box" size="0.1 0.2 0.3" pos="0.1 0.2 0.3"/></body></body></body>
      """,
      "massless free": "<body name=\"leaf\">\(spare)<freejoint name=\"guilty\"/></body>",
    ]
    var model = try Model(
      mjcf: "<mujoco><worldbody>\(text[name]!)</worldbody></mujoco>", name: name)
    let leaf = try #require(model.bodies.firstIndex { $0.name == "leaf" })
    model.bodies[leaf].mass = 0
    model.bodies[leaf].inertia = .zero
    let problem = AlgorithmProblem(model, seed: 9, count: 10)
    func check<Scalar: SimulationScalar>(_ type: Scalar.Type) throws {
      let algorithms = try RigidBodyAlgorithms<Scalar>(model)
      func numbers(_ x: [Double]) -> [Scalar] { x.map(Scalar.init) }
      let expected = RigidBodyError.singularMassMatrix(joint: "guilty", body: "leaf", configuration: 0)
      for threads in [1, 2] {
        #expect(throws: expected) {
          try algorithms.forwardDynamics(
            at: numbers(problem.positions), velocities: numbers(problem.velocities),
            forces: numbers(problem.forces), threads: threads)
        }
        #expect(throws: expected) {
          try algorithms.forwardDynamicsDerivatives(
            at: numbers(problem.positions), velocities: numbers(problem.velocities),
            forces: numbers(problem.forces), threads: threads)
        }
      }
      #expect(
        try algorithms.massMatrix(at: numbers(problem.positions)).allSatisfy(\.isFinite))
      #expect(
        try algorithms.inverseDynamics(
          at: numbers(problem.positions), velocities: numbers(problem.velocities),
          accelerations: numbers(problem.accelerations)
        ).allSatisfy(\.isFinite))
    }
    try check(Double.self)
    try check(Float.self)
    // Armature is inertia too, and after an error the instance is as good as new.
    for i in model.degreesOfFreedom.indices { model.degreesOfFreedom[i].armature = 0.1 }
    let algorithms = try RigidBodyAlgorithms<Double>(model)
    let a = try algorithms.forwardDynamics(
      at: problem.positions, velocities: problem.velocities, forces: problem.forces)
    let back = try algorithms.inverseDynamics(
      at: problem.positions, velocities: problem.velocities, accelerations: a)
    #expect(relativeError(back, problem.forces) < 1e-11)
  }

  /// Light parts on heavy ones are no reason to refuse.
  @Test func smallInertiasAreNotSingular() throws {
    let model = try Model(
      mjcf: """
        <mujoco><worldbody><body><joint axis="0 1 0"/><inertial pos="1 0 0" mass="500" diaginertia="50 50 50"/>
        <body pos="1 0 0"><joint axis="1 0 0"/>
        <inertial pos="0.001 0.001 0" mass="1e-5" diaginertia="1e-11 1e-11 1e-11"/></body></body></worldbody></mujoco>
        """, name: "fly on a crane")
    let problem = AlgorithmProblem(model, seed: 10, count: 3)
    let algorithms = try RigidBodyAlgorithms<Double>(model)
    let a = try algorithms.forwardDynamics(
      at: problem.positions, velocities: problem.velocities, forces: [0, 0, 0, 0, 0, 0])
    #expect(a.allSatisfy { $0.isFinite && abs($0) < 1e5 })
    _ = try RigidBodyAlgorithms<Float>(model).forwardDynamics(
      at: problem.positions.map(Float.init), velocities: problem.velocities.map(Float.init),
      forces: [0, 0, 0, 0, 0, 0])
  }
}
