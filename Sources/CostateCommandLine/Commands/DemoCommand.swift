import ArgumentParser
import Costate
import Foundation
import TextFigures

struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo", abstract: "The two-minute tour: load, simulate, differentiate, optimise.")

  @OptionGroup var common: CommonOptions

  @Option(help: ArgumentHelp("The directory of the package's models.", valueName: "directory"))
  var models: String?

  func run() throws {
    let start = ContinuousClock.now
    let models = try ProjectModels(directory: self.models)
    var members: [JSONValue.Member] = []
    for (name, cost) in [
      ("humanoid", "xpos[head].z + xpos[left_forearm].x"), ("arm", "xpos[flange].z^2 + xpos[flange].x"),
    ] {
      members.append(.init(name: name, value: try tour(name, cost: cost, of: models)))
    }
    members.append(.init(name: "swing_up", value: try swingUp(models)))
    members.append(.init(name: "landing", value: try landing(models)))
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    members.append(.init(name: "seconds", value: .number(seconds)))
    say("\nDone in \(formatted(seconds: seconds)). Try: costate info \(models.path("arm"))")
    if common.json { try Report(json: .object(members), text: "").print(asJSON: true) }
  }

  /// Text for a person, as soon as it is known.
  private func say(_ text: String) {
    if !common.json { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }
  }

  /// Loads a model, rolls many worlds out in both precisions, and compares a gradient with differences.
  private func tour(_ name: String, cost: String, of models: ProjectModels) throws -> JSONValue {
    let path = models.path(name)
    let start = ContinuousClock.now
    let model = try models.load(name)
    let loading = (ContinuousClock.now - start) / .seconds(1)
    say(
      """
      == \(path)
      \(model.bodies.count) bodies, \(model.velocityCount) degrees of freedom, \(model.controlCount) actuators, \
      read in \(formatted(seconds: loading)). Contacts and limits are left out here.

      """)

    let setup = SimulationSetup(
      path: path, model: model, ignored: try IgnoreList("constraints"), state: StateInput(defaultOf: model))
    let double = try rates(setup, Double.self)
    let single = try rates(setup, Float.self)
    say("")

    let expression = try CostExpression.parse(cost, for: model)
    let steps = 50
    let rollout = RolloutCost(
      setup: setup, cost: FinalCost(model: model, expression: expression),
      controls: Controls(constant: setup.state.control, steps: steps), threads: common.threadCount)
    let result = try rollout.gradient(Double.self)
    let error = try rollout.finiteDifferenceError(of: result, seed: common.seed)
    let count = 2 * model.velocityCount + model.activationCount + steps * model.controlCount
    say(
      """
      gradient of "\(cost)" after \(steps) steps, by the initial state and all controls (\(count) numbers):
      the relative difference from finite differences is \(formatted(error, digits: 2))

      """)
    return [
      "load_seconds": .number(loading), "float64_world_steps_per_second": .number(double),
      "float32_world_steps_per_second": .number(single), "cost": .number(result.cost),
      "finite_difference_error": .number(error),
    ]
  }

  /// World steps per second of 1024 worlds that start with different velocities.
  private func rates<Scalar: SimulationScalar>(_ setup: SimulationSetup, _ scalar: Scalar.Type) throws
    -> Double
  {
    let (worlds, steps) = (1024, 1000)
    let simulator = try setup.simulator(scalar)
    var initial = setup.initialState(scalar, worlds: worlds)
    var generator = SeededGenerator(seed: common.seed)
    for i in initial.velocities.indices { initial.velocities[i] = Scalar(0.1 * generator.nextNormal()) }
    let rollout = ChunkedRollout(
      simulator: simulator, inputs: setup.inputs(scalar), steps: steps, recordsTrajectory: false,
      threads: common.threadCount)
    let start = ContinuousClock.now
    let result = try rollout.run(from: initial)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let rate = Double(worlds * steps) / seconds
    let precision = Scalar.self == Float.self ? "float32" : "float64"
    say(
      "\(worlds) worlds x \(steps) steps, \(precision), \(common.threadCount) threads: \(formatted(seconds: seconds)), "
        + "\(formatted(rate / 1e6, digits: 3)) million world steps per second"
        + (result.divergedWorlds.isEmpty ? "" : ", \(result.divergedWorlds.count) worlds diverged"))
    return rate
  }

  private func swingUp(_ models: ProjectModels) throws -> JSONValue {
    say(
      "== \(models.path("cartpole"))\nSwing the pole up: L-BFGS on the motor's force in every step, through the simulation."
    )
    let simulator = try Simulator<Double>(try models.load("cartpole"))
    let problem = SwingUp(simulator: simulator)
    let iterations = 200
    let bar = ProgressBar("swing up", total: iterations, unit: "iterations")
    let start = ContinuousClock.now
    let outcome = try problem.run(iterations: iterations) { iteration, _ in if iteration > 0 { bar.advance() }
    }
    bar.finish()
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let (angle, place) = (outcome.finalPosition[1], outcome.finalPosition[0])
    let offUpright = abs(angle.remainder(dividingBy: 2 * .pi))
    say(TextPlot(title: "cost by iteration (logarithmic)", isLogarithmic: true).text(outcome.costs))
    say(
      """
      \(outcome.costs.count - 1) iterations over \(problem.steps) steps in \(formatted(seconds: seconds)): \
      the pole ends \(formatted(offUpright * 180 / .pi, digits: 2))° from upright, \
      turning at \(formatted(outcome.finalVelocity[1], digits: 2)) rad/s, \
      the cart \(formatted(place, digits: 2)) m from the middle
      """)
    guard offUpright < 0.2 else {
      throw CommandFailure(.computationFailed, "the swing-up ended \(formatted(offUpright)) rad from upright")
    }
    return [
      "steps": .integer(problem.steps), "iterations": .integer(outcome.costs.count - 1),
      "costs": .numbers(outcome.costs), "final_qpos": .numbers(outcome.finalPosition),
      "final_qvel": .numbers(outcome.finalVelocity), "seconds": .number(seconds),
    ]
  }

  /// Drops the quadruped, checks the gradient through the contacts, and improves the landing with it.
  private func landing(_ models: ProjectModels) throws -> JSONValue {
    say(
      """

      == \(models.path("quadruped"))
      A drop, with contacts, friction and joint limits: gradients of the landing's cost by the legs' motion.

      """)
    let problem = try Landing(try models.load("quadruped"))
    var generator = SeededGenerator(seed: common.seed)
    let checks = try problem.check(directions: 4, generator: &generator)
    var table = TextTable([
      .init("along direction"), .init("gradient"), .init("finite differences"), .init("relative difference"),
    ])
    let errors = checks.map {
      abs($0.gradient - $0.difference) / max(abs($0.gradient), abs($0.difference), 1e-12)
    }
    for (index, check) in checks.enumerated() {
      table.append([
        "\(index + 1)", formatted(check.gradient, digits: 9), formatted(check.difference, digits: 9),
        formatted(errors[index], digits: 2),
      ])
    }
    say(table.text + "\n")

    let iterations = 60
    let bar = ProgressBar("landing", total: iterations, unit: "iterations")
    let start = ContinuousClock.now
    let outcome = try problem.run(iterations: iterations) { iteration, _ in if iteration > 0 { bar.advance() }
    }
    bar.finish()
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    say(TextPlot(title: "cost by iteration (logarithmic)", isLogarithmic: true).text(outcome.costs))
    func line(_ name: String, _ attempt: Landing.Attempt) -> [String] {
      [
        name, formatted(attempt.cost, digits: 4), formatted(attempt.finalTilt * 180 / .pi, digits: 3),
        formatted(attempt.finalSpeed, digits: 3), formatted(attempt.finalHeight, digits: 3),
        formatted(attempt.peakAcceleration, digits: 3),
      ]
    }
    var landings = TextTable([
      .init("landing", .left), .init("cost"), .init("final tilt", unit: "°"), .init("speed", unit: "m/s"),
      .init("height", unit: "m"), .init("peak acceleration", unit: "m/s²"),
    ])
    landings.append(line("standing pose held", outcome.first))
    landings.append(line("improved by gradient", outcome.last))
    say(landings.text)
    say("\(outcome.costs.count - 1) iterations over \(problem.steps) steps in \(formatted(seconds: seconds))")
    guard outcome.last.cost < 0.7 * outcome.first.cost else {
      throw CommandFailure(.computationFailed, "the landing did not get better")
    }
    return [
      "steps": .integer(problem.steps), "iterations": .integer(outcome.costs.count - 1),
      "costs": .numbers(outcome.costs), "finite_difference_error": .number(errors.max() ?? 0),
      "seconds": .number(seconds),
    ]
  }
}
