import BenchmarkSupport
import Costate

/// A model with random velocities and controls.
///
/// As in the peer's program: every control in the middle 60 % of its range (or within 0.6), velocities within 0.1;
/// here every world and every step has controls of its own.
struct Workload<Scalar: SimulationScalar> {
  let simulator: Simulator<Scalar>
  let state: BatchState<Scalar>
  let inputs: SimulationInputs<Scalar>
  let steps: Int

  init(_ model: Model, worlds: Int, steps: Int, seed: UInt64 = 1) throws {
    simulator = try Simulator<Scalar>(model, ignoring: [.constraints, .unsupported])
    self.steps = steps
    var generator = SplitMix(state: seed)
    var state = BatchState<Scalar>(model, worldCount: worlds)
    for i in state.velocities.indices {
      state.velocities[i] = Scalar(Double.random(in: -0.1...0.1, using: &generator))
    }
    self.state = state
    var controls: [Scalar] = []
    controls.reserveCapacity(worlds * steps * model.controlCount)
    for _ in 0..<(worlds * steps) {
      for actuator in model.actuators {
        let range = actuator.controlLimited ? actuator.controlRange : [-1, 1]
        let x = 0.2 + 0.6 * Double.random(in: 0..<1, using: &generator)
        controls.append(Scalar(range[0] + (range[1] - range[0]) * x))
      }
    }
    inputs = SimulationInputs(
      controls: InputSequence(values: controls, worldCount: worlds, stepCount: steps))
  }

  var worldSteps: Int { state.worldCount * steps }

  /// Nanoseconds per world-step of a rollout that keeps nothing.
  func rolloutTime(threads: Int = 1, clock: Clock = .thread) throws -> Double {
    try nanoseconds(per: worldSteps, clock: clock) {
      let result = try simulator.rollout(from: state, inputs: inputs, steps: steps, threads: threads)
      precondition(result.divergedWorlds.isEmpty, "a world diverged: the benchmark would time frozen worlds")
    }
  }

  /// Cotangents of the last states, all ones.
  var finalCotangents: StateCotangents<Scalar> {
    let model = simulator.model
    return StateCotangents(
      positions: Array(repeating: 1, count: state.worldCount * model.velocityCount),
      velocities: Array(repeating: 1, count: state.worldCount * model.velocityCount),
      activations: Array(repeating: 1, count: state.worldCount * model.activationCount))
  }
}
