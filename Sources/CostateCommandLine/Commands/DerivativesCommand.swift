import ArgumentParser
import Costate
import TextFigures

struct DerivativesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "derivatives", abstract: "Print the Jacobians of one step.",
    discussion: """
      A is the derivative of the next state by this state, B by the controls. A state is positions in tangent \
      coordinates (nv numbers), velocities (nv) and activations (na).
      """)

  @OptionGroup var arguments: SimulationArguments

  @Flag(help: "Compare with finite differences (computed in float64).")
  var check = false

  func run() throws {
    let setup = try arguments.prepare()
    let step = StepDerivatives(setup: setup, threads: arguments.common.threadCount)
    let result =
      switch arguments.common.precision {
      case .float64: try step.jacobians(Double.self)
      case .float32: try step.jacobians(Float.self)
      }
    let error = check ? try step.finiteDifferenceError(of: result) : nil
    try Report(json: json(setup, result, error), text: text(setup, result, error))
      .print(asJSON: arguments.common.json)
  }

  private func quality(_ result: StepJacobians) -> DerivativeQuality {
    DerivativeQuality(kinkMargin: result.kinkMargin, isConverged: result.isConverged)
  }

  private func json(_ setup: SimulationSetup, _ result: StepJacobians, _ error: Double?) -> JSONValue {
    let size = setup.model.stateTangentCount
    var members: [JSONValue.Member] = [
      .init(name: "A", value: .matrix(result.A, rows: size, columns: size)),
      .init(name: "B", value: .matrix(result.B, rows: size, columns: setup.model.controlCount)),
    ]
    if let error { members.append(.init(name: "finite_difference_error", value: .number(error))) }
    members += quality(result).members
    members += [
      .init(name: "ignored", value: .strings(setup.ignored.names)),
      .init(name: "precision", value: .string(arguments.common.precision.rawValue)),
    ]
    return .object(members)
  }

  private func text(_ setup: SimulationSetup, _ result: StepJacobians, _ error: Double?) -> String {
    let model = setup.model
    let labels = model.stateLabels
    var lines = [
      "Next state (rows) by state and controls (columns), one step of \(formatted(model.options.timestep)) s, "
        + "\(model.options.integrator.rawValue)", "",
      matrixText("A", result.A, rows: labels, columns: labels), "",
      matrixText(
        "B", result.B, rows: labels, columns: (0..<model.controlCount).map { "ctrl[\($0)]" }),
    ]
    lines += quality(result).warnings
    if !setup.ignored.items.isEmpty {
      lines += ["", "left out: " + setup.ignored.names.joined(separator: ", ")]
    }
    if let error {
      lines += ["", "relative difference from finite differences: \(formatted(error, digits: 3))"]
    }
    return lines.joined(separator: "\n")
  }

  /// The matrix, or its upper left corner where it is large.
  private func matrixText(_ name: String, _ elements: [Double], rows: [String], columns: [String]) -> String {
    let limit = 10
    let shown = columns.prefix(limit)
    var table = TextTable([.init(name, .left)] + shown.map { .init($0) })
    for (i, row) in rows.prefix(3 * limit).enumerated() {
      let start = i * columns.count
      table.append([row] + elements[start..<start + shown.count].map { formatted($0, digits: 4) })
    }
    let isCut = columns.count > limit || rows.count > 3 * limit
    return table.text + (isCut ? "\n(\(rows.count) x \(columns.count); all of it with --json)" : "")
  }
}
