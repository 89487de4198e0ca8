import Lanes
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Mistakes that derivatives of physics engines have had, each with a case in which it would show.
@Suite("Known defects of others") struct KnownDefectTests {
  /// The derivative of the velocity after a step by position and velocity, of a model with one degree of freedom.
  private static func velocityRow(_ model: Model, position: Double, velocity: Double) throws -> [Double] {
    let state = BatchState<Double>(worldCount: 1, positions: [position], velocities: [velocity])
    return Array(try Simulator<Double>(model).stepJacobians(at: state)[0].A[2..<4])
  }

  private static func close(_ a: Double, _ b: Double, _ tolerance: Double = 1e-11) -> Bool {
    abs(a - b) <= tolerance * max(abs(a), abs(b))
  }

  @Test(
    "xfrc_applied: the gradient by Cartesian forces is silently zero",
    arguments: ["contactsElliptic", "contactsPyramidal", "welds"], [Integrator.euler, .rungeKutta4])
  func cartesianForces(name: String, integrator: Integrator) throws {
    let model = try ConstraintModels.model(name, integrator)
    var problem = RolloutProblem(model, seed: 4, steps: 1)
    problem.ignored = []
    if name.hasPrefix("contacts") { problem.state.positions = model.defaultPosition }
    let nominal = try problem.final()
    let tape = try problem.simulator().record(from: problem.state, inputs: problem.inputs, steps: 1)
    let gradient = try #require(
      try tape.gradient(final: problem.cotangents, targets: .cartesianForces).cartesianForces
    ).values
    let largest = gradient.map(abs).max()!
    #expect(largest > 1e-3)
    var checked = 0
    for k in gradient.indices where abs(gradient[k]) > 0.05 * largest {
      let differences = try CentralDifferences(step: 1e-3) {
        var moved = problem
        moved.inputs.cartesianForces!.values[k] += $0
        return try moved.cost(relativeTo: nominal)
      }
      #expect(Self.close(gradient[k], differences.extrapolated, 1e-6), "\(k): \(gradient[k]), \(differences)")
      checked += 1
    }
    #expect(checked >= 6)
  }

  @Test("Connect and weld: the gradient has the wrong sign", arguments: ["connects", "welds"])
  func equalities(name: String) throws {
    let model = try ConstraintModels.model(name)
    var problem = RolloutProblem(model, seed: 5, steps: 1)
    problem.ignored = []
    let nominal = try problem.final()
    let tape = try problem.simulator().record(from: problem.state, inputs: problem.inputs, steps: 1)
    let gradient = try tape.gradient(final: problem.cotangents).initialState.positions
    let largest = gradient.map(abs).max()!
    var checked = 0
    for k in gradient.indices where abs(gradient[k]) > 0.05 * largest {
      let differences = try CentralDifferences(step: 1e-4) { step in
        var moved = problem
        var direction = [Double](repeating: 0, count: gradient.count)
        direction[k] = step
        moved.state.positions = model.moved(problem.state.positions, by: direction)
        return try moved.cost(relativeTo: nominal)
      }
      #expect(Self.close(gradient[k], differences.extrapolated, 1e-6), "\(k): \(gradient[k]), \(differences)")
      checked += 1
    }
    #expect(checked >= 5)
  }

  /// A mass m held by friction: its acceleration is (1 − d) a_smooth − b v with the row's impedance d and damping b.
  private static func heldMass(_ integrator: Integrator, damping: Double, servo: Double = 0) throws -> Model {
    var model = try Model(
      mjcf: """
        <mujoco><option timestep="0.004" gravity="0 0 0"/><worldbody><body>
        <joint name="j" type="slide" frictionloss="1000" solreffriction="-100 -30" solimpfriction="0.8 0.8 0.1 0.5 2"
          damping="\(damping)"/><geom size="0.1" mass="2"/></body></worldbody>
        <actuator><velocity joint="j" kv="\(servo)"/></actuator></mujoco>
        """, name: "held.xml")
    model.options.integrator = integrator
    return model
  }

  @Test("Friction rows: the derivative by velocity is missing")
  func frictionRows() throws {
    let row = try Self.velocityRow(try Self.heldMass(.euler, damping: 0), position: 0.3, velocity: 0.7)
    // The plain mass would have 1.
    #expect(Self.close(row[1], 1 - 0.004 * 30))
    #expect(row[0] == 0)
  }

  @Test("Implicit damping: the derivative of the explicit step is taken", arguments: [0.0, 5])
  func implicitDamping(servo: Double) throws {
    let (m, h, b, d) = (2.0, 0.004, 30.0, 0.8)
    let c = 40.0
    let euler = try Self.velocityRow(
      try Self.heldMass(.euler, damping: c, servo: servo), position: 0, velocity: 0.7)
    // m a = (1 − d) (−(c + s) v) − m b v, and the step takes m a / (m + h c).
    let force = (1 - d) * (c + servo) + m * b
    #expect(Self.close(euler[1], 1 - h * force / (m + h * c)))
    let implicit = try Self.velocityRow(
      try Self.heldMass(.implicitFast, damping: c, servo: servo), position: 0, velocity: 0.7)
    #expect(Self.close(implicit[1], 1 - h * force / (m + h * (c + servo))))
  }

  /// A ball pressed into the floor is a linear spring: x″ = −k x − b x′, whose step of fourth order is the exponential
  /// series of the matrix, cut off after the fourth power.
  @Test("RK4: the adjoint goes through one stage")
  func fourthOrder() throws {
    let (k, b, h) = (900.0, 12.0, 0.01)
    let model = try Model(
      mjcf: """
        <mujoco><option timestep="\(h)" gravity="0 0 0" integrator="RK4" tolerance="1e-15"/>
        <worldbody><geom type="plane" size="5 5 1"/><body pos="0 0 0.06"><freejoint/>
        <geom size="0.1" mass="2" condim="1" priority="1" solref="\(-k) \(-b)" solimp="0.9 0.9 0.1 0.5 2"/>
        </body></worldbody></mujoco>
        """, name: "pressed.xml")
    let state = BatchState<Double>(
      worldCount: 1, positions: model.defaultPosition, velocities: [0, 0, -0.2, 0, 0, 0])
    let a = try Simulator<Double>(model).stepJacobians(at: state)[0].A
    func product(_ x: [Double], _ y: [Double]) -> [Double] {
      [
        x[0] * y[0] + x[1] * y[2], x[0] * y[1] + x[1] * y[3], x[2] * y[0] + x[3] * y[2],
        x[2] * y[1] + x[3] * y[3],
      ]
    }
    var term = [1.0, 0, 0, 1]
    var expected = term
    for n in 1...4 {
      term = product(term, [0, h, -k * h, -b * h]).map { $0 / Double(n) }
      for i in 0..<4 { expected[i] += term[i] }
    }
    let actual = [a[2 * 12 + 2], a[2 * 12 + 8], a[8 * 12 + 2], a[8 * 12 + 8]]
    for i in 0..<4 { #expect(Self.close(actual[i], expected[i], 1e-9), "\(i): \(actual[i]), \(expected[i])") }
  }

  @Test("Parameters that a batch shares: the gradient is averaged, not summed")
  func sharedParameters() throws {
    let model = try ConstraintModels.model("contactsElliptic")
    var problem = RolloutProblem(model, seed: 6, worlds: 3, steps: 2)
    problem.ignored = []
    problem.state.positions = (0..<3).flatMap { _ in model.defaultPosition }
    let simulator = try problem.simulator()
    let nv = model.velocityCount
    func gradient(_ state: BatchState<Double>, _ c: StateCotangents<Double>) throws -> ParameterGradient {
      let tape = try simulator.record(from: state, steps: 2)
      return try #require(try tape.gradient(final: c, targets: .parameters).parameters)
    }
    let together = try gradient(problem.state, problem.cotangents)
    var mass = [Double](repeating: 0, count: model.bodies.count)
    var friction = [Double](repeating: 0, count: model.geoms.count)
    for world in 0..<3 {
      func part(_ x: [Double], _ width: Int) -> [Double] { Array(x[world * width..<(world + 1) * width]) }
      let own = try gradient(
        BatchState(
          worldCount: 1, positions: part(problem.state.positions, model.positionCount),
          velocities: part(problem.state.velocities, nv)),
        StateCotangents(
          positions: part(problem.cotangents.positions, nv),
          velocities: part(problem.cotangents.velocities, nv)))
      for k in mass.indices { mass[k] += own.mass[k] }
      for k in friction.indices { friction[k] += own.constraints.geomFriction[k].x }
    }
    #expect(relativeError(together.mass, mass) < 1e-10)
    #expect(relativeError(together.constraints.geomFriction.map(\.x), friction) < 1e-10)
    #expect(mass.contains { abs($0) > 1e-6 } && friction.contains { abs($0) > 1e-6 })
  }
}
