import RigidBody
import RobotModels
import Testing

/// Results that leave the range of their type are errors that name them.
@Suite struct OverflowTests {
  /// A mass on a slide at rest, which a spring of `gain` pulls, or a control times its position.
  static func slider(gain: String, timestep: Double = 10) throws -> Model {
    try Model(
      mjcf: """
        <mujoco><option timestep="\(timestep)" gravity="0 0 0"/><worldbody><body><joint name="a" type="slide"/>
        <geom size="0.1"/></body></worldbody><actuator><general joint="a" \(gain)/></actuator></mujoco>
        """)
  }

  static func isOverflow(_ error: (any Error)?, _ result: String) -> Bool {
    guard case .overflow(let name, _) = error as? SimulationError else { return false }
    return name.contains(result)
  }

  @Test func jacobiansOfAStep() throws {
    let error = #expect(throws: SimulationError.self) {
      let model = try Self.slider(gain: "biastype='affine' biasprm='0 1e308 0'")
      _ = try Simulator<Double>(model).stepJacobians(at: BatchState(model, worldCount: 2))
    }
    #expect(Self.isOverflow(error, "Jacobian A of world 0"))
    let single = #expect(throws: SimulationError.self) {
      let model = try Self.slider(gain: "gainprm='1e38'")
      _ = try Simulator<Float>(model).stepJacobians(at: BatchState(model))
    }
    #expect(Self.isOverflow(single, "Jacobian B"))
  }

  @Test func tangents() throws {
    let model = try Self.slider(gain: "biastype='affine' biasprm='0 1e308 0'")
    let error = #expect(throws: SimulationError.self) {
      _ = try Simulator<Double>(model).pushforward(
        from: BatchState(model), steps: 1,
        along: RolloutDirection(initialState: StateTangents(positions: [1], velocities: [0])))
    }
    #expect(Self.isOverflow(error, "tangent of the final state"))
  }

  @Test func hessianVectorProducts() throws {
    let model = try Self.slider(gain: "gaintype='affine' gainprm='1 1e308 0'")
    let simulator = try Simulator<Double>(model)
    let inputs = SimulationInputs<Double>(controls: InputSequence(values: [0]))
    let direction = RolloutDirection(initialState: StateTangents(positions: [1], velocities: [0]))
    let one = StateCotangents<Double>(positions: [1], velocities: [0])
    let zero = StateCotangents<Double>(positions: [0], velocities: [0])
    let gradient = try simulator.record(from: BatchState(model), inputs: inputs, steps: 1).gradient(
      final: one)
    #expect(gradient.controls!.values[0] > 0)
    let error = #expect(throws: SimulationError.self) {
      _ = try simulator.hessianVectorProduct(
        from: BatchState(model), inputs: inputs, steps: 1, along: direction
      ) { _, _ in (one, zero) }
    }
    #expect(Self.isOverflow(error, "Hessian-vector product: controls"))
  }

  @Test func parameters() throws {
    let model = try Self.slider(gain: "gainprm='1'", timestep: 1e-3)
    let inputs = SimulationInputs<Double>(controls: InputSequence(values: [1e10]))
    let tape = try Simulator<Double>(model).record(from: BatchState(model), inputs: inputs, steps: 1)
    let large = StateCotangents<Double>(positions: [0], velocities: [1e300])
    _ = try tape.gradient(final: large)
    let error = #expect(throws: SimulationError.self) {
      _ = try tape.gradient(final: large, targets: .parameters)
    }
    #expect(Self.isOverflow(error, "gradient: parameters: "))
  }

  /// More states than a machine holds are refused before any of them is computed.
  @Test func trajectoriesBeyondMemory() throws {
    let model = try TestModels.model("arm")
    let simulator = try Simulator<Float>(model, ignoring: .constraints)
    let state = BatchState<Float>(model)
    for steps in [Int.max, 1 << 50] {
      #expect(throws: SimulationError.self) { _ = try simulator.record(from: state, steps: steps) }
      #expect(throws: SimulationError.self) {
        _ = try simulator.rollout(from: state, steps: steps, recordsTrajectory: true)
      }
      let direction = RolloutDirection(
        initialState: StateTangents(
          positions: Array(repeating: 0, count: 6), velocities: Array(repeating: 0, count: 6)))
      #expect(throws: SimulationError.self) {
        _ = try Simulator<Double>(model, ignoring: .constraints).hessianVectorProduct(
          from: BatchState(model), steps: steps, along: direction
        ) { _, _ in fatalError("never asked") }
      }
    }
  }

  /// Counts whose products overflow are wrong lengths, not traps.
  @Test func countsBeyondIntegers() throws {
    let model = try TestModels.model("arm")
    let simulator = try Simulator<Double>(model, ignoring: .constraints)
    var state = BatchState<Double>(model)
    let controls = InputSequence<Double>(values: [0], stepCount: .max)
    #expect(throws: SimulationError.wrongCount(name: "controls", expected: .max, actual: 1)) {
      _ = try simulator.rollout(from: state, inputs: SimulationInputs(controls: controls), steps: .max)
    }
    state.worldCount = .max
    #expect(throws: SimulationError.wrongCount(name: "positions", expected: .max, actual: 6)) {
      _ = try simulator.rollout(from: state, steps: 1)
    }
  }
}
