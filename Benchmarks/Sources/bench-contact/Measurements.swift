import BenchmarkSupport
import Costate
import Foundation

/// States that were reached by half a second of noisy controls, and controls to go on with: each world and step has its own.
struct ContactWorkload<Scalar: SimulationScalar> {
  let simulator: Simulator<Scalar>
  let state: BatchState<Scalar>
  let inputs: SimulationInputs<Scalar>
  let steps: Int

  /// - Parameter start: states in float64, `worldCount` rows, and controls `[worlds, steps, nu]`.
  init(_ model: Model, _ start: BatchState<Double>, _ controls: [Double], steps: Int, worlds: Int) throws {
    simulator = try Simulator<Scalar>(model)
    self.steps = steps
    func first(_ values: [Double]) -> [Scalar] {
      values[..<(values.count / start.worldCount * worlds)].map { Scalar($0) }
    }
    state = BatchState(
      worldCount: worlds, positions: first(start.positions), velocities: first(start.velocities),
      activations: first(start.activations))
    inputs = controlInputs(first(controls), worlds: worlds, steps: steps)
  }

  var worldSteps: Int { state.worldCount * steps }

  func rolloutTime() throws -> Double {
    try nanoseconds(per: worldSteps) {
      consume(try simulator.rollout(from: state, inputs: inputs, steps: steps, threads: 1))
    }
  }

  var finalCotangents: StateCotangents<Scalar> {
    let model = simulator.model
    return StateCotangents(
      positions: Array(repeating: 1, count: state.worldCount * model.velocityCount),
      velocities: Array(repeating: 1, count: state.worldCount * model.velocityCount),
      activations: Array(repeating: 1, count: state.worldCount * model.activationCount))
  }
}

/// Controls of each world and step, if the model has any.
func controlInputs<Scalar>(_ controls: [Scalar], worlds: Int, steps: Int) -> SimulationInputs<Scalar> {
  controls.isEmpty
    ? SimulationInputs()
    : SimulationInputs(controls: InputSequence(values: controls, worldCount: worlds, stepCount: steps))
}

/// Random controls in the middle 60 % of their ranges.
func randomControls(_ model: Model, count: Int, _ generator: inout SplitMix) -> [Double] {
  (0..<count).flatMap { _ in
    model.actuators.map { actuator in
      let range = actuator.controlLimited ? actuator.controlRange : [-1, 1]
      return range[0] + (range[1] - range[0]) * (0.2 + 0.6 * Double.random(in: 0..<1, using: &generator))
    }
  }
}

/// Worlds after half a second of noisy controls, and controls for the steps to come.
struct WarmStart {
  let model: Model
  private(set) var state: BatchState<Double>
  private(set) var controls: [Double]
  let steps: Int
  /// The first worlds and all their controls, for the peer.
  let file: String

  init(_ model: Model, worlds: Int, steps: Int, seconds: Double = 0.5) throws {
    self.model = model
    self.steps = steps
    var generator = SplitMix(state: 7)
    var start = BatchState<Double>(model, worldCount: worlds)
    for i in start.velocities.indices {
      start.velocities[i] = Double.random(in: -0.1...0.1, using: &generator)
    }
    let warm = Int(seconds / model.options.timestep)
    let before = controlInputs(
      randomControls(model, count: worlds * warm, &generator), worlds: worlds, steps: warm)
    state =
      warm == 0
      ? start : try Simulator<Double>(model).rollout(from: start, inputs: before, steps: warm).finalState
    controls = randomControls(model, count: worlds * steps, &generator)
    file = "\(NSTemporaryDirectory())costate-contact-workload-\(ProcessInfo.processInfo.processIdentifier)"
  }

  /// As many worlds as wanted, the same over and over where there are not so many.
  func repeated(worlds: Int) -> Self {
    func tiled(_ values: [Double]) -> [Double] {
      let width = values.count / state.worldCount
      return (0..<worlds).flatMap { world in
        let row = world % state.worldCount
        return values[row * width..<(row + 1) * width]
      }
    }
    var result = self
    result.state = BatchState(
      worldCount: worlds, positions: tiled(state.positions), velocities: tiled(state.velocities),
      activations: tiled(state.activations))
    result.controls = tiled(controls)
    return result
  }

  func workload<Scalar: SimulationScalar>(
    _ scalar: Scalar.Type, worlds: Int? = nil
  ) throws -> ContactWorkload<Scalar> {
    try ContactWorkload(model, state, controls, steps: steps, worlds: worlds ?? state.worldCount)
  }

  /// Times of the peer on the first worlds.
  func peerSamples(_ peer: Peer?, _ path: String, worlds: Int, repetitions: Int, mode: [String] = []) throws
    -> [Peer.Line]
  {
    guard let peer else { return [] }
    try write(model, state, controls, steps: steps, worlds: worlds, to: file)
    defer { try? FileManager.default.removeItem(atPath: file) }
    return try peer.run([path, file, "\(repetitions)"] + mode)
  }
}

func measureContact(_ name: String, _ models: ModelFolders, peer: Peer?, rounds: Int, _ report: Report) throws
{
  let path = try models.path(name)
  let model = try Model.load(path: path)
  report.heading("\(name) (nv \(model.velocityCount), \(model.options.integrator.rawValue))")
  let isPile = name.hasPrefix("pile")
  let start = try WarmStart(model, worlds: isPile ? 64 : 1024, steps: isPile ? 4 : 32)
  let worlds = start.state.worldCount
  let float32 = try start.workload(Float.self)
  let float64 = try start.workload(Double.self)
  let single = try start.workload(Double.self, worlds: 1)
  var peerStep = Timing()
  let times = try interleave(
    rounds: rounds,
    [
      { [try float32.rolloutTime(), try float32.rolloutTime()] },
      {
        for line in try start.peerSamples(peer, path, worlds: min(worlds, 256), repetitions: isPile ? 2 : 4) {
          peerStep.samples += [line.min, line.median]
        }
        return []
      },
      { [try float64.rolloutTime(), try float64.rolloutTime()] },
      { try (0..<(isPile ? 4 : 64)).map { _ in try single.rolloutTime() } },
    ])
  report.add("step, float32, \(worlds) worlds", times[0])
  report.add("step, float64, \(worlds) worlds", times[2])
  report.add("step, float64, one world (the first)", times[3])
  if peer != nil {
    report.add("mj_step, float64, mean of \(min(worlds, 256)) worlds", peerStep)
    report.compare("mj_step over step, float32 batch", peerStep, over: times[0], isPile ? nil : .atLeast(5))
    report.compare("mj_step over step, float64 batch", peerStep, over: times[2], isPile ? nil : .atLeast(2.5))
    report.compare("step of one world over mj_step", times[3], over: peerStep, isPile ? nil : .atMost(1.3))
  }
  if isPile { return }
  try measureReverse(float32, "float32", rounds, report)
  try measureReverse(float64, "float64", rounds, report)
}

/// The reverse pass of a rollout beside its forward pass.
private func measureReverse<Scalar: SimulationScalar>(
  _ workload: ContactWorkload<Scalar>, _ label: String, _ rounds: Int, _ report: Report
) throws {
  let tape = try workload.simulator.record(
    from: workload.state, inputs: workload.inputs, steps: workload.steps, threads: 1)
  let seed = workload.finalCotangents
  let bar = workload.simulator.model.options.integrator == .rungeKutta4 ? 1.5 : 1
  let times = try interleave(
    rounds: rounds,
    [
      { [try workload.rolloutTime()] },
      { [try nanoseconds(per: workload.worldSteps) { consume(try tape.gradient(final: seed, threads: 1)) }] },
    ])
  report.add("reverse, \(label)", times[1])
  report.compare("reverse over forward, \(label)", times[1], over: times[0], .atMost(bar))
}

/// The workload of Peers/mujoco_contact.c.
private func write(
  _ model: Model, _ start: BatchState<Double>, _ controls: [Double], steps: Int, worlds: Int, to path: String
) throws {
  var data = Data()
  func append<T>(_ values: [T]) { values.withUnsafeBytes { data.append(contentsOf: $0) } }
  append(
    [worlds, steps, model.positionCount, model.velocityCount, model.activationCount, model.controlCount]
      .map { Int64($0) })
  for world in 0..<worlds {
    func row(_ values: [Double], _ width: Int) -> [Double] {
      Array(values[world * width..<(world + 1) * width])
    }
    append(row(start.positions, model.positionCount))
    append(row(start.velocities, model.velocityCount))
    append(row(start.activations, model.activationCount))
  }
  append(Array(controls[..<(worlds * steps * model.controlCount)]))
  try data.write(to: URL(fileURLWithPath: path))
}
