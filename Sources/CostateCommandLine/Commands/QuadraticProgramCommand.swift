import ArgumentParser
import Costate
import TextFigures

struct QuadraticProgramCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "qp", abstract: "Solve a quadratic program, and print the gradient of its solution.",
    discussion: """
      The program is minimise 1/2 x'Qx + q'x subject to A x = b, l <= G x <= u, lo <= x <= hi with convex Q: a QPS file \
      (as the Maros-Meszaros collection's .SIF), or JSON with the keys Q q A b G l u lo hi (null: no side). Multipliers y \
      (of A), z (of G) and w (of the bounds) are positive where upper sides hold: Q x + q + A'y + G'z + w = 0.
      """)

  @OptionGroup var common: CommonOptions

  @Argument(help: ArgumentHelp("The program: QPS or JSON.", valueName: "file"))
  var path: String

  @Flag(help: "Print the gradient of the sum of x with respect to q and all sides.")
  var gradient = false

  func validate() throws {
    if common.precision != .float64 { throw ValidationError("qp computes in float64.") }
  }

  /// The gradient, and what is known of its existence.
  private struct Derivative {
    var regularity: QuadraticProgramRegularity
    /// Nil where there is none at all.
    var gradient: QuadraticProgramVariation?
  }

  func run() throws {
    let input = try QuadraticProgramInput(path: path)
    let solver: QuadraticProgramSolver
    let solution: QuadraticProgramSolution
    do throws(QuadraticProgramError) {
      solver = try QuadraticProgramSolver(for: input.program)
      solution = try solver.solve(input.program)
    } catch { throw CommandFailure(.computationFailed, "\(path): \(error)") }
    var derivative: Derivative?
    if gradient, solution.status == .converged {
      do throws(QuadraticProgramError) {
        let regularity = try solver.regularity()
        let ones = [Double](repeating: 1, count: solution.x.count)
        let found = try? solver.gradient(of: input.program, at: solution, x: ones, policy: .leastNorm)
        derivative = Derivative(regularity: regularity, gradient: found)
      } catch { throw CommandFailure(.computationFailed, "\(path): \(error)") }
    }
    try Report(json: json(input, solution, derivative), text: text(input, solution, derivative))
      .print(asJSON: common.json)
    if solution.status != .converged {
      throw CommandFailure(
        .computationFailed,
        "\(path): \(solution.status.description) (after \(solution.iterations) iterations)")
    }
  }

  private func json(
    _ input: QuadraticProgramInput, _ solution: QuadraticProgramSolution, _ derivative: Derivative?
  ) -> JSONValue {
    let r = solution.residuals
    var members: [JSONValue.Member] = [
      .init(name: "status", value: .string("\(solution.status.name)")),
      .init(name: "objective", value: .number(solution.objective + input.constant)),
      .init(name: "x", value: .numbers(solution.x)),
      .init(name: "y", value: .numbers(solution.equalityMultipliers)),
      .init(name: "z", value: .numbers(solution.inequalityMultipliers)),
      .init(name: "w", value: .numbers(solution.boundMultipliers)),
      .init(name: "iterations", value: .integer(solution.iterations)),
      .init(
        name: "residuals",
        value: ["primal": .number(r.primal), "dual": .number(r.dual), "gap": .number(r.gap)]),
      .init(name: "polished", value: .bool(solution.isPolished)),
    ]
    switch solution.certificate {
    case .infeasible(let y, let z, let w):
      members.append(
        .init(name: "certificate", value: ["y": .numbers(y), "z": .numbers(z), "w": .numbers(w)]))
    case .unbounded(let direction):
      members.append(.init(name: "certificate", value: ["direction": .numbers(direction)]))
    case nil: break
    }
    if let derivative {
      let regularity = derivative.regularity
      let found: JSONValue =
        if let g = derivative.gradient {
          [
            "q": .numbers(g.linear), "b": .numbers(g.equalityValues), "l": .numbers(g.lower),
            "u": .numbers(g.upper), "lo": .numbers(g.lowerBounds), "hi": .numbers(g.upperBounds),
          ]
        } else {
          .null
        }
      func margin(_ value: Double) -> JSONValue { value.isFinite ? .number(value) : .null }
      members += [
        .init(name: "gradient", value: found),
        .init(name: "degenerate", value: .bool(regularity.isDegenerate)),
        .init(
          name: "margins",
          value: [
            "complementarity": margin(regularity.complementarity),
            "independence": margin(regularity.independence), "curvature": margin(regularity.curvature),
          ]),
      ]
    }
    if let names = input.names {
      members.append(
        .init(
          name: "names",
          value: [
            "x": .strings(names.variables), "y": .strings(names.equalities),
            "z": .strings(names.inequalities),
          ]))
    }
    return .object(members)
  }

  private func text(
    _ input: QuadraticProgramInput, _ solution: QuadraticProgramSolution, _ derivative: Derivative?
  ) -> String {
    let program = input.program
    let r = solution.residuals
    var lines = [
      "\(solution.status.name) after \(solution.iterations) iterations: objective "
        + formatted(solution.objective + input.constant, digits: 10),
      "\(program.variableCount) variables, \(program.equalityCount) equations, \(program.inequalityCount) other rows",
      "residuals: constraints \(formatted(r.primal, digits: 2)), stationarity \(formatted(r.dual, digits: 2)), gap "
        + formatted(r.gap, digits: 2), "",
    ]
    func name(_ names: [String]?, _ k: Int) -> String { names.map { $0[k] } ?? "\(k)" }
    var columns: [TextTable.Column] = [
      .init("variable", .left), .init("lower"), .init("x"), .init("upper"), .init("multiplier"),
    ]
    if derivative?.gradient != nil {
      columns += [.init("d sum(x) / d q"), .init("d lower"), .init("d upper")]
    }
    var table = TextTable(columns)
    func side(_ value: Double) -> String { value.magnitude < 1e20 ? formatted(value) : "" }
    for i in 0..<program.variableCount {
      var row = [
        name(input.names?.variables, i), side(program.lowerBounds[i]), formatted(solution.x[i]),
        side(program.upperBounds[i]), formatted(solution.boundMultipliers[i]),
      ]
      if let g = derivative?.gradient {
        row += [formatted(g.linear[i]), formatted(g.lowerBounds[i]), formatted(g.upperBounds[i])]
      }
      table.append(row)
    }
    lines.append(table.text)
    if program.equalityCount + program.inequalityCount > 0 {
      var rows = TextTable([.init("row", .left), .init("kind", .left), .init("multiplier")])
      for k in 0..<program.equalityCount {
        rows.append([
          name(input.names?.equalities, k), "equation", formatted(solution.equalityMultipliers[k]),
        ])
      }
      for k in 0..<program.inequalityCount {
        rows.append([
          name(input.names?.inequalities, k), "two sides", formatted(solution.inequalityMultipliers[k]),
        ])
      }
      lines += ["", rows.text]
    }
    if let derivative, derivative.regularity.isDegenerate {
      lines += ["", "degenerate: \(derivative.regularity)"]
    }
    return lines.joined(separator: "\n")
  }
}

extension SolverStatus {
  /// One word for programs that read the output.
  fileprivate var name: String {
    switch self {
    case .converged: "converged"
    case .stalled: "stalled"
    case .iterationLimit: "iterationLimit"
    case .infeasible: "infeasible"
    case .unbounded: "unbounded"
    case .nonFinite: "nonFinite"
    case .degenerate: "degenerate"
    case .cancelled: "cancelled"
    }
  }
}
