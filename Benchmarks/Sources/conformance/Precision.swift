import BenchmarkSupport
import Costate
import Foundation

/// One step in float32 beside the same step in float64 from many states that random controls reached.
func comparePrecisions(_ path: String, count: Int) throws {
  let model = try Model.load(path: path)
  let (double, single) = (try Simulator<Double>(model), try Simulator<Float>(model))
  let nv = model.velocityCount
  let worlds = 4096
  var generator = SplitMix(state: 11)
  var state = randomStart(model, worlds: worlds, &generator)
  var errors: [Double] = []
  var (unfinished, diverged, notFinite) = (0, 0, 0)
  // The states of a batch are apart from one another by at least 0.1 s.
  let apart = Int((0.1 / model.options.timestep).rounded())
  while errors.count < count {
    let inputs = randomInputs(model, worlds: worlds, steps: apart, &generator)
    state = try double.rollout(from: state, inputs: inputs, steps: apart).finalState
    let last = randomInputs(model, worlds: worlds, steps: 1, &generator)
    let exact = try double.rollout(from: state, inputs: last, steps: 1)
    let rounded = try single.rollout(
      from: BatchState(
        worldCount: worlds, positions: state.positions.map { Float($0) },
        velocities: state.velocities.map { Float($0) }, activations: state.activations.map { Float($0) }),
      inputs: SimulationInputs(
        controls: InputSequence(
          values: last.controls!.values.map { Float($0) }, worldCount: worlds, stepCount: 1)), steps: 1)
    unfinished += rounded.unconvergedWorlds.count
    diverged += rounded.divergedWorlds.count
    notFinite += rounded.finalState.velocities.count { !$0.isFinite }
    notFinite += rounded.finalState.positions.count { !$0.isFinite }
    for world in 0..<min(worlds, count - errors.count) {
      var (difference, size) = (0.0, 0.0)
      for i in world * nv..<(world + 1) * nv {
        let (a, b) = (Double(rounded.finalState.velocities[i]), exact.finalState.velocities[i])
        difference += (a - b) * (a - b)
        size += b * b
      }
      errors.append((difference / size).squareRoot())
    }
  }
  errors.sort()
  func quantile(_ share: Double) -> Double {
    errors[min(errors.count - 1, Int(share * Double(errors.count)))]
  }
  print("float32 beside float64, one step of \(path.split(separator: "/").suffix(2).joined(separator: "/"))")
  print(
    "  states \(count), not finite \(notFinite), diverged \(diverged), solver not converged \(unfinished)")
  print(
    String(
      format: "  relative error of the next velocities: median %.1e, 99 %% %.1e, 99.9 %% %.1e, largest %.1e",
      quantile(0.5), quantile(0.99), quantile(0.999), errors.last ?? 0))
  // Where a contact is there in one precision and not in the other.
  print("  above 1e-4: \(errors.count { $0 > 1e-4 }) states")
}

/// Every world falls from an orientation and height of its own.
private func randomStart(_ model: Model, worlds: Int, _ generator: inout SplitMix) -> BatchState<Double> {
  var state = BatchState<Double>(model, worldCount: worlds)
  for i in state.velocities.indices { state.velocities[i] = Double.random(in: -0.5...0.5, using: &generator) }
  for world in 0..<worlds {
    for joint in model.joints {
      let at = world * model.positionCount + joint.positionAddress
      switch joint.type {
      case .free:
        let turn = Quaternion(
          Double.random(in: -1...1, using: &generator), Double.random(in: -1...1, using: &generator),
          Double.random(in: -1...1, using: &generator), Double.random(in: -1...1, using: &generator)
        ).normalized
        for (k, value) in turn.array.enumerated() { state.positions[at + 3 + k] = value }
      case .hinge, .slide:
        guard joint.limited else { continue }
        state.positions[at] = Double.random(in: joint.range[0]...joint.range[1], using: &generator)
      case .ball: break
      }
    }
  }
  return state
}

private func randomInputs(
  _ model: Model, worlds: Int, steps: Int, _ generator: inout SplitMix
) -> SimulationInputs<Double> {
  let values = (0..<worlds * steps).flatMap { _ in
    model.actuators.map { actuator in
      let range = actuator.controlLimited ? actuator.controlRange : [-1, 1]
      return Double.random(in: range[0]...range[1], using: &generator)
    }
  }
  return SimulationInputs(controls: InputSequence(values: values, worldCount: worlds, stepCount: steps))
}
