import ArgumentParser
import Costate
import TextFigures

struct GradientCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gradient", abstract: "Print the gradient of a cost of the state after a rollout.",
    discussion: """
      A cost is an expression of numbers, + - * / ^, parentheses, sin cos tan sqrt exp log abs tanh, and qpos[i], \
      qvel[i], act[i], qpos[joint], qvel[joint], xpos[body].x, .y or .z, time and pi: for example "xpos[torso].z" or \
      "qvel[2]^2". Gradients with respect to positions are in tangent coordinates: one number per degree of freedom.
      """)

  @OptionGroup var arguments: SimulationArguments

  @Option(help: "The number of steps.")
  var steps: Int

  @Option(
    parsing: .unconditional, help: ArgumentHelp("The cost of the last state.", valueName: "expression"))
  var cost: String

  @Option(
    help: ArgumentHelp(
      "Controls, .npy or JSON of shape [steps, nu] (default: the state's in every step).", valueName: "file"))
  var controls: String?

  @Flag(help: "Compare with finite differences (computed in float64).")
  var check = false

  func validate() throws {
    guard steps >= 0 else { throw ValidationError("--steps must not be negative.") }
  }

  func run() throws {
    let setup = try arguments.prepare()
    try setup.checkMemory(worlds: 1, steps: steps)
    let expression = try CostExpression.parse(cost, for: setup.model)
    var rollout = RolloutCost(
      setup: setup, cost: FinalCost(model: setup.model, expression: expression),
      controls: Controls(constant: setup.state.control, steps: steps), threads: arguments.common.threadCount)
    if let path = controls {
      rollout.controls = try Controls(path: path, steps: steps, worlds: 1, for: setup.model)
    }
    let result =
      switch arguments.common.precision {
      case .float64: try rollout.gradient(Double.self)
      case .float32: try rollout.gradient(Float.self)
      }
    let error = check ? try rollout.finiteDifferenceError(of: result, seed: arguments.common.seed) : nil
    try Report(json: json(setup, result, error), text: text(setup, result, error))
      .print(asJSON: arguments.common.json)
  }

  private func json(_ setup: SimulationSetup, _ result: RolloutCost.Result, _ error: Double?) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init(name: "cost", value: .number(result.cost)),
      .init(name: "d_qpos", value: .numbers(result.byPosition)),
      .init(name: "d_qvel", value: .numbers(result.byVelocity)),
      .init(name: "d_act", value: .numbers(result.byActivation)),
      .init(
        name: "d_ctrl", value: .matrix(result.byControl, rows: steps, columns: setup.model.controlCount)),
    ]
    if let error { members.append(.init(name: "finite_difference_error", value: .number(error))) }
    members += result.quality.members
    members += [
      .init(name: "ignored", value: .strings(setup.ignored.names)),
      .init(name: "precision", value: .string(arguments.common.precision.rawValue)),
    ]
    return .object(members)
  }

  private func text(_ setup: SimulationSetup, _ result: RolloutCost.Result, _ error: Double?) -> String {
    let model = setup.model
    var lines = [
      "cost \(formatted(result.cost, digits: 10)) after \(steps) steps "
        + "(\(formatted(Double(steps) * model.options.timestep)) s)", "",
    ]
    var states = TextTable([
      .init("dof"), .init("joint", .left), .init("d cost / d qpos"), .init("d cost / d qvel"),
    ])
    for i in 0..<model.velocityCount {
      states.append([
        "\(i)", model.joints[model.degreesOfFreedom[i].joint].name, formatted(result.byPosition[i]),
        formatted(result.byVelocity[i]),
      ])
    }
    lines += [states.text]
    if model.activationCount > 0 { lines.append("d cost / d act: \(formatted(result.byActivation))") }
    if model.controlCount > 0, steps > 0 {
      let width = model.controlCount
      var controls = TextTable([
        .init("actuator"), .init("name", .left), .init("d cost / d ctrl: first step"), .init("middle"),
        .init("last"),
      ])
      for (i, actuator) in model.actuators.enumerated() {
        controls.append(
          ["\(i)", actuator.name]
            + [0, steps / 2, steps - 1].map { formatted(result.byControl[$0 * width + i]) })
      }
      lines += ["", controls.text]
    }
    lines += result.quality.warnings
    if !setup.ignored.items.isEmpty {
      lines += ["", "left out: " + setup.ignored.names.joined(separator: ", ")]
    }
    if let error {
      lines += ["", "relative difference from finite differences: \(formatted(error, digits: 3))"]
    }
    return lines.joined(separator: "\n")
  }
}
