import Lanes
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Gradients through contact against the formulas of mechanics: sliding, rolling, bouncing.
///
/// Sliding and rolling agree with what the formulas give for steps of finite length. A bounce is hard only in a limit: see
/// "How accurate a bounce is" in the documentation, whose statements the tests of bounces check.
@Suite struct ContactGradientFormulaTests {
  static let gravity = 9.81

  /// One world: its final state, and the gradients of two numbers of it.
  private struct Run {
    var tape: RolloutTape<Double>
    var start: BatchState<Double>

    init(_ model: Model, from start: BatchState<Double>, steps: Int) throws {
      self.start = start
      tape = try Simulator<Double>(model).record(from: start, steps: steps, memory: .checkpoint(every: 200))
      #expect(tape.result.divergedWorlds.isEmpty && tape.result.unconvergedWorlds.isEmpty)
    }

    var final: BatchState<Double> { tape.result.finalState }

    /// The gradient of a final position along a direction of the first body.
    func gradient(of direction: Vector3<Double>) throws -> RolloutGradient<Double> {
      let n = start.velocities.count
      let seed = direction.array + [Double](repeating: 0, count: n - 3)
      return try tape.gradient(
        final: StateCotangents(positions: seed, velocities: [Double](repeating: 0, count: n)),
        targets: [.initialState, .parameters])
    }
  }

  // MARK: Friction

  private static func block(_ cone: String, friction: Double, timestep: Double) throws -> Model {
    try Model(
      mjcf: """
        <mujoco><option timestep="\(timestep)" gravity="0 0 -9.81" cone="\(cone)" tolerance="1e-14" iterations="200"/>
        <worldbody><geom type="plane" size="9 9 1" friction="0 0 0"/>
        <body pos="0 0 0.05"><freejoint/><geom type="box" size="0.1 0.1 0.05" mass="2" friction="\(friction) 0 0"/></body>
        </worldbody></mujoco>
        """, name: "block.xml")
  }

  /// The block at rest on the floor, then with another velocity.
  private static func settled(_ model: Model, velocity: Double) throws -> BatchState<Double> {
    var state = try Simulator<Double>(model).rollout(from: BatchState(model), steps: 2000).finalState
    state.velocities = [velocity, 0, 0, 0, 0, 0]
    return state
  }

  /// A block that slides is slowed down by μ times what presses it on the floor. With the velocity after each step in the step,
  ///   x = v₀ t − μ (g t (t + h) / 2 + z − z₀),
  /// z − z₀ the change of depth, which in a soft contact depends on all of these numbers (sliding lifts it); without it and with
  /// h = 0 it is x = v₀ t − μ g t² / 2.
  @Test(arguments: ["elliptic", "pyramidal"])
  func slidingBlock(cone: String) throws {
    let (friction, v0, steps, h) = (0.4, 3.0, 500, 0.001)
    let model = try Self.block(cone, friction: friction, timestep: h)
    let run = try Run(model, from: try Self.settled(model, velocity: v0), steps: steps)
    let t = Double(steps) * h
    let fall = Self.gravity * t * (t + h) / 2
    let (x, z) = (run.final.positions[0] - run.start.positions[0], run.final.positions[2])
    let sunk = z - run.start.positions[2]
    #expect(abs(x - (v0 * t - friction * (fall + sunk))) < 1e-9)
    let byX = try run.gradient(of: Vector3(1, 0, 0))
    let byZ = try run.gradient(of: Vector3(0, 0, 1))
    func check(
      _ name: String, _ value: (RolloutGradient<Double>) -> Double, _ expected: Double, formula: Double
    ) {
      let (dx, dz) = (value(byX), value(byZ))
      #expect(
        abs(dx - (expected - friction * dz)) < 1e-8 * abs(expected), "\(name): \(dx), \(expected), \(dz)")
      #expect(abs(dx - formula) < 4e-2 * abs(formula), "\(name): \(dx), \(formula)")
    }
    check("v0", { $0.initialState.velocities[0] }, t, formula: t)
    check(
      "μ", { $0.parameters!.constraints.geomFriction[1].x }, -(fall + sunk),
      formula: -Self.gravity * t * t / 2)
    check("g", { -$0.parameters!.gravity.z }, -friction * t * (t + h) / 2, formula: -friction * t * t / 2)
  }

  /// On a slope of the angle θ, gravity turned instead: x = (g t² / 2) (sin θ − μ cos θ).
  @Test(arguments: ["elliptic", "pyramidal"])
  func blockOnSlope(cone: String) throws {
    let (friction, angle, steps, h) = (0.3, 0.6, 500, 0.001)
    var model = try Self.block(cone, friction: friction, timestep: h)
    let start = try Self.settled(model, velocity: 0)
    let (sine, cosine) = (angle.sine, angle.cosine)
    model.options.gravity = Vector3(Self.gravity * sine, 0, -Self.gravity * cosine)
    let run = try Run(model, from: start, steps: steps)
    let t = Double(steps) * h
    let fall = Self.gravity * t * (t + h) / 2
    let x = run.final.positions[0] - start.positions[0]
    let sunk = run.final.positions[2] - start.positions[2]
    #expect(abs(x - (fall * (sine - friction * cosine) - friction * sunk)) < 1e-9)
    func byAngle(_ g: RolloutGradient<Double>) -> Double {
      g.parameters!.gravity.dot(Vector3(cosine, 0, sine)) * Self.gravity
    }
    let dx = byAngle(try run.gradient(of: Vector3(1, 0, 0)))
    let dz = byAngle(try run.gradient(of: Vector3(0, 0, 1)))
    let expected = fall * (cosine + friction * sine)
    #expect(abs(dx - (expected - friction * dz)) < 1e-8 * expected, "\(dx), \(expected), \(dz)")
    let formula = Self.gravity * t * t / 2 * (cosine + friction * sine)
    #expect(abs(dx - formula) < 4e-2 * formula, "\(dx), \(formula)")
  }

  /// A ball that rolls down a plane of the angle θ: x = (5/14) g t² sin θ, and t (t + h) for t² where steps have a length. The
  /// plane is turned, and the ball with it: contact geometry has its part.
  @Test(arguments: ["elliptic", "pyramidal"])
  func rollingBall(cone: String) throws {
    let (angle, radius, steps, h) = (0.3, 0.1, 500, 0.001)
    var model = try Model(
      mjcf: """
        <mujoco><option timestep="\(h)" gravity="0 0 -9.81" cone="\(cone)" tolerance="1e-14" iterations="200"/>
        <default><geom solimp="0.9999 0.9999 0.001 0.5 2" friction="0.8 0 0"/></default>
        <worldbody><geom type="plane" size="9 9 1"/>
        <body pos="0 0 \(radius)"><freejoint/><geom size="\(radius)" mass="2"/></body></worldbody></mujoco>
        """, name: "ball.xml")
    let flat = try Simulator<Double>(model).rollout(from: BatchState(model), steps: 1000).finalState
    let height = flat.positions[2]
    model.geoms[0].orientation = Quaternion(rotationVector: Vector3(0, angle, 0))
    let normal = Vector3(angle.sine, 0, angle.cosine)
    let down = Vector3(angle.cosine, 0, -angle.sine)
    var start = flat
    for (k, x) in (normal * height).array.enumerated() { start.positions[k] = x }
    let run = try Run(model, from: start, steps: steps)
    let t = Double(steps) * h
    let p = Vector3(run.final.positions[0], run.final.positions[1], run.final.positions[2])
    let scale = 5.0 / 14 * Self.gravity * t * (t + h)
    let x = (p - normal * height).dot(down)
    #expect(abs(x - scale * angle.sine) < 1e-4 * x, "\(x), \(scale * angle.sine)")
    // The direction turns with the plane; so does the start, by which the distance counts from.
    let gradient = try run.gradient(of: down)
    let byStart = Vector3(
      gradient.initialState.positions[0], gradient.initialState.positions[1],
      gradient.initialState.positions[2])
    let byAngle =
      gradient.parameters!.constraints.geomRotation[0].y + (byStart - down).dot(down * height)
      - normal.dot(p - normal * height)
    #expect(abs(byAngle - scale * angle.cosine) < 1e-3 * byAngle, "\(byAngle), \(scale * angle.cosine)")
    let formula = 5.0 / 14 * Self.gravity * t * t * angle.cosine
    #expect(abs(byAngle - formula) < 4e-3 * formula)
  }

  // MARK: Bounces

  /// A ball of radius 0.1 that meets the floor at speed 2 after falling 0.9 without gravity; eight worlds whose starts differ by
  /// parts of the way of a step, so that the floor is met at different phases of a step.
  private struct Bounce {
    static let speed = 2.0
    static let contactTime = 0.45
    /// Heights after one second, velocities, and the gradients of both by the initial height and velocity.
    var heights: [Double] = []
    var velocities: [Double] = []
    var starts: [Double] = []
    var heightByHeight: [Double] = []
    var heightByVelocity: [Double] = []
    var velocityByHeight: [Double] = []

    static func model(stiffness: Double, damping: Double, timestep: Double, impedance: String) throws -> Model
    {
      try Model(
        mjcf: """
          <mujoco><option timestep="\(timestep)" gravity="0 0 0"/>
          <default><geom solref="\(-stiffness) \(-damping)" solimp="\(impedance)" condim="1"/></default>
          <worldbody><geom type="plane" size="5 5 1"/>
          <body pos="0 0 1"><freejoint/><geom size="0.1" mass="1"/></body></worldbody></mujoco>
          """, name: "bounce.xml")
    }

    init(
      stiffness: Double, damping: Double = 0, timestep h: Double,
      impedance: String = "0.9999 0.9999 0.001 0.5 2"
    ) throws {
      let model = try Self.model(
        stiffness: stiffness, damping: damping, timestep: h, impedance: impedance)
      var state = BatchState<Double>(model, worldCount: 8)
      for w in 0..<8 {
        state.positions[7 * w + 2] += (Double(w) + 0.5) / 8 * Self.speed * h
        state.velocities[6 * w + 2] = -Self.speed
      }
      let tape = try Simulator<Double>(model).record(
        from: state, steps: Int((1 / h).rounded()), memory: .checkpoint(every: 1000))
      let zero = [Double](repeating: 0, count: 48)
      var one = zero
      for w in 0..<8 { one[6 * w + 2] = 1 }
      let byHeight = try tape.gradient(final: StateCotangents(positions: one, velocities: zero)).initialState
      let byVelocity = try tape.gradient(final: StateCotangents(positions: zero, velocities: one))
        .initialState
      for w in 0..<8 {
        starts.append(state.positions[7 * w + 2])
        heights.append(tape.result.finalState.positions[7 * w + 2])
        velocities.append(tape.result.finalState.velocities[6 * w + 2])
        heightByHeight.append(byHeight.positions[6 * w + 2])
        heightByVelocity.append(byHeight.velocities[6 * w + 2])
        velocityByHeight.append(byVelocity.positions[6 * w + 2])
      }
    }

    /// The largest difference to a number.
    static func error(_ values: [Double], _ expected: Double) -> Double {
      values.map { abs($0 - expected) }.max()!
    }
  }

  /// Without damping the ball comes back at its speed, after half a period of the spring, π/√k: with y the height after a second,
  /// ∂y/∂y₀ = −1, and ∂y/∂v₀ = −1 but for that half period. Where in a step the floor is met changes the speed by up to
  /// h² k / 8 of it, and the derivative by up to h k.
  @Test(arguments: [(1e3, [1e-3, 2.5e-4, 6.25e-5, 1.5625e-5]), (1e4, [1e-4, 2.5e-5, 6.25e-6])])
  func elasticBounce(stiffness k: Double, timesteps: [Double]) throws {
    let delay = Double.pi / k.squareRoot()
    let left = 1 - Bounce.contactTime
    var last = Double.infinity
    for h in timesteps {
      let bounce = try Bounce(stiffness: k, timestep: h)
      let byHeight = Bounce.error(bounce.heightByHeight, -1)
      let byVelocity = Bounce.error(bounce.heightByVelocity, -1 + delay)
      #expect(byHeight < h * k * left && byHeight > 0.2 * h * k * left, "\(h): \(byHeight)")
      #expect(byVelocity < h * k * left * Bounce.contactTime, "\(h): \(byVelocity)")
      #expect(byHeight < 0.5 * last, "\(h): \(byHeight), before \(last)")
      last = byHeight
      for w in 0..<8 {
        let expected = 0.1 + Bounce.speed * (1 - delay) - (bounce.starts[w] - 0.1)
        #expect(abs(bounce.heights[w] - expected) < Bounce.speed * h * h * k, "\(h): \(bounce.heights[w])")
      }
    }
  }

  /// Both limits together: the numbers of a hard floor.
  @Test func hardFloor() throws {
    let soft = try Bounce(stiffness: 1e3, timestep: 1e-4)
    let hard = try Bounce(stiffness: 1e4, timestep: 2.5e-6)
    let errors = [soft, hard].map {
      [
        Bounce.error($0.heights, 1.1), Bounce.error($0.heightByHeight, -1),
        Bounce.error($0.heightByVelocity, -1),
      ]
    }
    #expect(errors[0][0] < 0.2 && errors[0][1] < 0.03 && errors[0][2] < 0.12, "\(errors)")
    #expect(errors[1][0] < 0.065 && errors[1][1] < 0.015 && errors[1][2] < 0.04, "\(errors)")
  }

  /// A ball that meets a wall at an angle: what is along the wall goes on, what is across comes back.
  @Test func wall() throws {
    let (k, h) = (1e4, 1e-5)
    let model = try Model(
      mjcf: """
        <mujoco><option timestep="\(h)" gravity="0 0 0"/>
        <default><geom solref="\(-k) 0" solimp="0.9999 0.9999 0.001 0.5 2" condim="1"/></default>
        <worldbody><geom type="plane" size="5 5 1" euler="0 -90 0"/>
        <body pos="-0.5 0.2 0.3"><freejoint/><geom size="0.1" mass="1"/></body></worldbody></mujoco>
        """, name: "wall.xml")
    var state = BatchState<Double>(model)
    state.velocities = [2, 0.7, -0.4, 0, 0, 0]
    let t = 0.5
    let run = try Run(model, from: state, steps: Int((t / h).rounded()))
    let delay = Double.pi / k.squareRoot()
    #expect(abs(run.final.velocities[0] + 2) < 2 * h * h * k && run.final.velocities[1] == 0.7)
    let x = try run.gradient(of: Vector3(1, 0, 0)).initialState
    #expect(abs(x.positions[0] + 1) < h * k * (t - 0.2), "\(x)")
    #expect(abs(x.velocities[0] + t - delay) < h * k * (t - 0.2) * 0.2, "\(x)")
    #expect(abs(x.positions[1]) + abs(x.positions[2]) + abs(x.velocities[1]) + abs(x.velocities[2]) < 1e-12)
    let z = try run.gradient(of: Vector3(0, 0, 1)).initialState
    #expect(abs(z.positions[2] - 1) < 1e-12 && abs(z.velocities[2] - t) < 1e-9, "\(z)")
    #expect(abs(z.positions[0]) + abs(z.velocities[0]) < 1e-12)
  }

  /// Damping of a contact acts at once when it is touched. The force then jumps, and how much of a step it acts depends on the
  /// phase at which the floor is met: heights are those of the limit, on average also their slope, but not their derivative,
  /// which misses the jump at any timestep.
  @Test(arguments: [1e-3, 1e-4, 1e-5])
  func dampingThatJumps(timestep h: Double) throws {
    let (k, b) = (1e4, 60.0)
    // Of a damped spring that cannot pull: Schwager and Pöschel, "Coefficient of restitution and linear-dashpot model
    // revisited", Granular Matter 9 (2007).
    let decay = b / 2
    let frequency = (k - decay * decay).squareRoot()
    let restitution =
      (-decay / frequency
      * (.pi
        - Double.arcTangent(
          y: 2 * decay * frequency, x: frequency * frequency - decay * decay)))
      .exponential
    let bounce = try Bounce(stiffness: k, damping: b, timestep: h)
    #expect(Bounce.error(bounce.velocities, Bounce.speed * restitution) < 40 * h, "\(bounce.velocities)")
    #expect(bounce.heightByHeight.contains { abs($0 + restitution) > 5 }, "\(bounce.heightByHeight)")
    // Over a whole number of steps' way the phases are the same.
    let model = try Bounce.model(
      stiffness: k, damping: b, timestep: h, impedance: "0.9999 0.9999 0.001 0.5 2")
    let way = 1e-2
    var state = BatchState<Double>(model, worldCount: 2)
    state.positions[9] += way
    for w in 0..<2 { state.velocities[6 * w + 2] = -Bounce.speed }
    let final = try Simulator<Double>(model).rollout(from: state, steps: Int((1 / h).rounded())).finalState
    let slope = (final.positions[9] - final.positions[2]) / way
    #expect(abs(slope + restitution) < 0.02, "\(slope), \(restitution)")
  }

  /// With an impedance that starts near zero, damping does not jump, and the derivative has the limit −e, e the quotient of the
  /// velocities after and before.
  @Test func dampingThatGrows() throws {
    var last = Double.infinity
    for h in [2.5e-4, 6.25e-5, 1.5625e-5] {
      let bounce = try Bounce(stiffness: 1e4, damping: 60, timestep: h, impedance: "0 0.9999 0.02 0.5 2")
      let errors = (0..<8).map { abs(bounce.heightByHeight[$0] + bounce.velocities[$0] / Bounce.speed) }
      let error = errors.max()!
      #expect(bounce.velocities.allSatisfy { abs($0 / Bounce.speed - 0.58) < 0.002 }, "\(bounce.velocities)")
      #expect(error < 2000 * h && error < 0.5 * last, "\(h): \(error), before \(last)")
      last = error
    }
  }

  /// Two equal balls that meet head-on exchange their velocities: that of the struck one has the derivatives 1 by the other's
  /// and 0 by its own.
  @Test(arguments: [(1e3, [1e-3, 1e-4, 1e-5]), (1e4, [1e-4, 1e-5])])
  func elasticPair(stiffness k: Double, timesteps: [Double]) throws {
    for h in timesteps {
      let model = try Model(
        mjcf: """
          <mujoco><option timestep="\(h)" gravity="0 0 0"/>
          <default><geom size="0.1" mass="1" solref="\(-k) 0" solimp="0.9999 0.9999 0.001 0.5 2" condim="1"/></default>
          <worldbody><body pos="-0.15 0 0"><freejoint/><geom/></body><body pos="0.15 0 0"><freejoint/><geom/></body>
          </worldbody></mujoco>
          """, name: "pair.xml")
      var state = BatchState<Double>(model, worldCount: 8)
      for w in 0..<8 {
        state.positions[14 * w] += (Double(w) + 0.5) / 8 * 3 * h
        state.velocities[12 * w] = 2
        state.velocities[12 * w + 6] = -1
      }
      let tape = try Simulator<Double>(model).record(
        from: state, steps: Int((0.5 / h).rounded()), memory: .checkpoint(every: 1000))
      var seed = [Double](repeating: 0, count: 96)
      for w in 0..<8 { seed[12 * w + 6] = 1 }
      let zero = [Double](repeating: 0, count: 96)
      let g = try tape.gradient(final: StateCotangents(positions: zero, velocities: seed)).initialState
      for w in 0..<8 {
        let (other, own) = (g.velocities[12 * w], g.velocities[12 * w + 6])
        #expect(abs(tape.result.finalState.velocities[12 * w + 6] - 2) < 3 * h * h * k)
        // They meet after 0.1 / 3.
        #expect(abs(other - 1) < h * k * 0.1 / 3 && abs(own) < h * k * 0.1 / 3, "\(h): \(other), \(own)")
        #expect(abs(other + own - 1) < 1e-9)
      }
    }
  }
}
