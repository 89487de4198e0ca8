import ArgumentParser
import Costate
import Foundation
import TextFigures

struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "Roll a model out, in one world or in many at once.")

  @OptionGroup var arguments: SimulationArguments

  @Option(help: "The number of steps.")
  var steps: Int

  @Option(
    help: ArgumentHelp(
      "Controls, .npy or JSON of shape [steps, nu] or [worlds, steps, nu] (default: the state's in every step).",
      valueName: "file"))
  var controls: String?

  @Option(help: "The number of worlds.")
  var worlds = 1

  @Option(
    help: ArgumentHelp(
      "Standard deviation of what is added to every initial velocity, drawn per world.", valueName: "sigma"))
  var noise = 0.0

  @Option(
    help: ArgumentHelp("Where to write all states; .npz, .csv or .json names the format.", valueName: "file"))
  var output: String?

  func validate() throws {
    guard steps >= 0 else { throw ValidationError("--steps must not be negative.") }
    guard worlds >= 1 else { throw ValidationError("--worlds must be at least 1.") }
    guard !worlds.multipliedReportingOverflow(by: steps).overflow else {
      throw ValidationError("--worlds times --steps must be below 2^63.")
    }
    guard noise >= 0, noise.isFinite else { throw ValidationError("--noise must be a number from 0 up.") }
  }

  func run() throws {
    switch arguments.common.precision {
    case .float64: try run(Double.self)
    case .float32: try run(Float.self)
    }
  }

  private func run<Scalar: SimulationScalar>(_ scalar: Scalar.Type) throws {
    let target = try output.map { path throws(CommandFailure) in
      (format: try Trajectories.Format(path: path), file: try OutputFile(path: path))
    }
    let setup = try arguments.prepare()
    let recordsTrajectory = target != nil || worlds == 1
    try setup.checkMemory(worlds: worlds, steps: recordsTrajectory ? steps : 0)
    let controls = try self.controls.map { path throws(CommandFailure) in
      try Controls(path: path, steps: steps, worlds: worlds, for: setup.model)
    }
    let simulator = try setup.simulator(scalar)
    var initial = setup.initialState(scalar, worlds: worlds)
    perturb(&initial, velocityCount: setup.model.velocityCount)

    let rollout = ChunkedRollout(
      simulator: simulator, inputs: setup.inputs(scalar, controls: controls), steps: steps,
      recordsTrajectory: recordsTrajectory, threads: arguments.common.threadCount)
    let start = ContinuousClock.now
    let result = try rollout.run(from: initial)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    try checkDivergence(result.divergedWorlds, timestep: setup.model.options.timestep)

    let trajectories = result.trajectory.map { Trajectories($0, setup: setup) }
    if let target, let trajectories { try target.file.write(trajectories.encoded(as: target.format)) }
    let summary = SimulationSummary(
      model: setup.model, ignored: setup.ignored, precision: arguments.common.precision, worlds: worlds,
      steps: steps, seconds: seconds, diverged: result.divergedWorlds,
      unconverged: result.unconvergedWorlds, output: output)
    let states = worlds == 1 ? trajectories : nil
    try Report(json: summary.json(states), text: summary.text(states)).print(asJSON: arguments.common.json)
  }

  private func perturb<Scalar: SimulationScalar>(_ state: inout BatchState<Scalar>, velocityCount: Int) {
    guard noise > 0 else { return }
    for world in 0..<worlds {
      var generator = SeededGenerator(seed: arguments.common.seed, stream: UInt64(world))
      for i in world * velocityCount..<(world + 1) * velocityCount {
        state.velocities[i] += Scalar(noise * generator.nextNormal())
      }
    }
  }

  /// Some worlds may diverge: they are reported. If none is left, the simulation has failed.
  private func checkDivergence(_ diverged: [DivergedWorld], timestep: Double) throws(CommandFailure) {
    guard diverged.count == worlds, let first = diverged.min(by: { $0.step < $1.step }) else { return }
    let which = worlds == 1 ? "the world" : "all \(worlds) worlds"
    throw CommandFailure(
      .computationFailed,
      "\(which) diverged, first in step \(first.step) (\(formatted(Double(first.step) * timestep)) s); "
        + "a smaller timestep, smaller controls or the implicitfast integrator may help")
  }
}

/// What a simulation reports besides its states.
struct SimulationSummary {
  var model: Model
  var ignored: IgnoreList
  var precision: Precision
  var worlds: Int
  var steps: Int
  var seconds: Double
  var diverged: [DivergedWorld]
  /// Worlds in which the constraint solver did not converge.
  var unconverged: [Int]
  var output: String?

  var rate: Double { Double(worlds * steps) / max(seconds, 1e-9) }

  func json(_ states: Trajectories?) -> JSONValue {
    let summary: [JSONValue.Member] = [
      .init(name: "worlds", value: .integer(worlds)), .init(name: "steps", value: .integer(steps)),
      .init(name: "seconds", value: .number(seconds)),
      .init(name: "world_steps_per_second", value: .number(rate)),
      .init(name: "diverged_worlds", value: .integer(diverged.count)),
      .init(
        name: "diverged",
        value: .array(diverged.map { ["world": .integer($0.world), "step": .integer($0.step)] })),
      .init(name: "unconverged_worlds", value: .integer(unconverged.count)),
      .init(name: "ignored", value: .strings(ignored.names)),
      .init(name: "precision", value: .string(precision.rawValue)),
    ]
    return .object((states?.members ?? []) + summary)
  }

  func text(_ states: Trajectories?) -> String {
    var lines: [String] = []
    if let states { lines += [stateTable(states).text, ""] }
    lines.append(
      "\(worlds) \(worlds == 1 ? "world" : "worlds"), \(steps) steps of \(formatted(model.options.timestep)) s "
        + "(\(model.options.integrator.rawValue), \(precision.rawValue)) in \(formatted(seconds: seconds)): "
        + "\(formatted(rate, digits: 3)) world steps per second")
    if !ignored.items.isEmpty { lines.append("left out: " + ignored.names.joined(separator: ", ")) }
    if !diverged.isEmpty {
      let shown = diverged.prefix(8).map { "\($0.world) (step \($0.step))" }.joined(separator: ", ")
      lines.append(
        "\(diverged.count) worlds diverged and were frozen: \(shown)\(diverged.count > 8 ? ", …" : "")")
    }
    if !unconverged.isEmpty {
      let shown = unconverged.prefix(8).map(String.init).joined(separator: ", ")
      lines.append(
        "in \(unconverged.count) worlds the constraint solver did not converge in some step: "
          + "\(shown)\(unconverged.count > 8 ? ", …" : "")")
    }
    if let output { lines.append("states written to \(output)") }
    return lines.joined(separator: "\n")
  }

  /// Up to a dozen states of one world, and as many of its positions as fit.
  private func stateTable(_ states: Trajectories) -> TextTable {
    let shown = min(states.positionCount, 7)
    var table = TextTable([.init("time", unit: "s")] + (0..<shown).map { .init("qpos[\($0)]") })
    let last = states.time.count - 1
    let rows = min(last, 11)
    for k in 0...rows {
      let index = rows == 0 ? 0 : k * last / rows
      let start = index * states.positionCount
      let cells = states.positions[start..<start + shown].map { formatted($0, digits: 5) }
      table.append([formatted(states.time[index], digits: 5)] + cells)
    }
    return table
  }
}

extension Trajectories {
  init<Scalar: SimulationScalar>(_ trajectory: Trajectory<Scalar>, setup: SimulationSetup) {
    let timestep = setup.model.options.timestep
    self.init(
      worlds: trajectory.worldCount,
      time: (0...trajectory.stepCount).map { setup.state.time + Double($0) * timestep },
      positions: trajectory.positions.map { Double($0) },
      velocities: trajectory.velocities.map { Double($0) },
      positionCount: setup.model.positionCount, velocityCount: setup.model.velocityCount)
  }
}
