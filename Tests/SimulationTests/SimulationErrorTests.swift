import Autodiff
import RigidBody
import RobotModels
import Simulation
import TestSupport
import Testing

/// What is refused, and how.
@Suite struct SimulationErrorTests {
  private let simulation: Simulation
  private let start: SimulationState
  init() throws {
    simulation = try ExampleModels.simulation("cartpole")
    start = simulation.initialState()
  }

  private func failure(_ body: () throws -> some TensorTree) -> TensorError? {
    do { _ = try body() } catch { return error as? TensorError }
    return nil
  }

  @Test func shapes() {
    let wrong: [SimulationState] = [
      SimulationState(positions: [1.0], velocities: start.velocities, activations: start.activations),
      SimulationState(
        positions: start.positions, velocities: Tensor.zeros([3, 2]), activations: start.activations),
      SimulationState(positions: start.positions, velocities: start.velocities, activations: [1.0]),
      SimulationState(positions: 1.0, velocities: start.velocities, activations: start.activations),
    ]
    for state in wrong { #expect(failure { try simulation.step(state) }?.reason == .shape) }
    for controls: Tensor in [Tensor.zeros([2]), Tensor.zeros([3, 1]), Tensor(0.0), Tensor.zeros([0])] {
      #expect(failure { try simulation.step(start, controls: controls) }?.reason == .shape)
    }
    let error = failure { try simulation.rollout(from: start, controls: Tensor.zeros([4, 1]), steps: 5) }
    #expect(error?.reason == .shape)
    #expect(error?.operation == "rollout")
    #expect(error?.message.contains("controls of shape [4, 1]") == true)
    #expect(failure { try simulation.step(simulation.initialState(worlds: [0])) }?.reason == .shape)
    #expect(failure { try simulation.rollout(from: start, steps: 0) }?.reason == .argument)
    #expect(
      failure { try simulation.rollout(from: start, steps: 1, memory: .checkpoint(every: 0)) }?.reason
        == .argument)
  }

  @Test func elementTypes() {
    #expect(failure { try simulation.step(start, controls: Tensor([Float(0)])) }?.reason == .elementType)
    #expect(failure { try simulation.step(start, controls: Tensor([Int32(0)])) }?.reason == .elementType)
    #expect(failure { try simulation.step(simulation.initialState(type: .int32)) }?.reason == .elementType)
  }

  @Test func numbers() {
    #expect(failure { try simulation.step(start, controls: Tensor([Double.nan])) }?.reason == .nonFinite)
    var parameters = simulation.parameters
    parameters.timestep = -0.01
    #expect(failure { try simulation.step(start, parameters: parameters) }?.reason == .argument)
    parameters.timestep = [0.01, 0.02]
    #expect(failure { try simulation.step(start, parameters: parameters) }?.reason == .shape)
  }

  /// A world that leaves the range of numbers is an error with and without a gradient, alone, in a batch and in a loop.
  @Test func divergence() {
    func reason(_ body: () throws -> some TensorTree) -> String? {
      guard let error = failure(body), error.reason == .nonFinite else { return nil }
      return error.message
    }
    let pushes = Tensor([0.0, 0.0, 1e300]).reshaped([3, 1, 1])
    func cost(_ forces: Tensor) throws -> Tensor {
      square(
        try simulation.rollout(
          from: simulation.initialState(worlds: [3]),
          appliedForces: forces * Tensor([1.0, 0.0]), steps: 5
        ).positions
      ).sum()
    }
    #expect(reason { try cost(pushes) }?.contains("1 of the worlds diverged (2)") == true)
    #expect(reason { try grad(cost)(pushes) } != nil)
    #expect(reason { try jit(grad(cost))(pushes) } != nil)
    #expect(
      reason {
        try vmap { (f: Tensor) in
          try simulation.rollout(from: start, appliedForces: f * Tensor([1.0, 0.0]), steps: 5).positions
        }(pushes)
      } != nil)
    #expect(
      reason {
        try grad { (f: Tensor) in
          try scan(initial: start, over: f.reshaped([3, 1])) { state, push in
            (try simulation.step(state, appliedForces: push * Tensor([1.0, 0.0])), Tensor(0.0))
          }.state.positions.sum()
        }(pushes)
      } != nil)
  }

  /// Derivatives that there are not. (Those that there are: ``StepLawTests``.)
  @Test func higherOrders() throws {
    let cost = { (u: Tensor) in
      square(try simulation.rollout(from: start, controls: u, steps: 3).positions).sum()
    }
    let u = Tensor.zeros([3, 1])
    let twiceForward = failure {
      try jvp({ (u: Tensor) in try jvp(cost, at: u, along: u).tangent }, at: u, along: u).tangent
    }
    #expect(twiceForward?.reason == .unsupportedDerivative)
    #expect(twiceForward?.message.contains("hvp") == true)
    let third = failure { try grad { (u: Tensor) in try hvp(cost, at: u, along: u + 1.0).sum() }(u) }
    #expect(third?.reason == .unsupportedDerivative)
    let ofTrajectory = failure {
      try hvp(
        { (u: Tensor) in square(try simulation.trajectory(from: start, controls: u, steps: 3).positions).sum()
        },
        at: u, along: u)
    }
    #expect(ofTrajectory?.reason == .unsupportedDerivative)
    let own = simulation.parameters
    let byParameters = failure {
      try hvp(
        { (p: ModelParameters) in square(try simulation.step(start, parameters: p).velocities).sum() },
        at: own,
        along: own)
    }
    #expect(byParameters?.reason == .unsupportedDerivative)
  }

  @Test func forwardModeOfParameters() throws {
    let own = simulation.parameters
    let cost = { (p: ModelParameters) in square(try simulation.step(start, parameters: p).velocities).sum() }
    let error = failure { try jvp(cost, at: own, along: own).tangent }
    #expect(error?.reason == .unsupportedDerivative)
    #expect(error?.message.contains("reverse mode") == true)
  }

  @Test func tracedValuesOutside() {
    var kept: SimulationState?
    _ = failure {
      try grad { (u: Tensor) in
        kept = try simulation.step(start, controls: u)
        return kept!.positions.sum()
      }([0.1])
    }
    #expect(failure { try simulation.step(kept!) }?.reason == .escapedTrace)
  }
}
