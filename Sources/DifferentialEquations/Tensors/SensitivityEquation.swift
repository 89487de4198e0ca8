import Autodiff
import Lanes

/// States and derivatives of trajectories, one by one, by Runge–Kutta methods, with a lane for each direction.
struct SensitivityEquation: Sendable {
  private let equation: TracedEquation
  /// ∂f/∂y and ∂f/∂p, for explicit methods with the rates.
  private let derivatives: ResidentSource?
  /// Of state and tangent, for explicit methods where the matrices take more work.
  private let tangents: TracedEquation?
  private let options: SolverOptions
  private let tolerances: [Double]
  private let layout: SensitivityLayout

  /// - Returns: nil if there are events, no components, or the method or the size do not suit.
  init?(_ equation: TracedEquation, _ options: SolverOptions) throws {
    let isExplicit = options.method.explicitTableau != nil
    let isSmall =
      options.method.implicitTableau != nil && equation.stateCount <= ImplicitSensitivityStepper.largestSize
    guard isExplicit || isSmall, !equation.hasEvents, equation.stateCount > 0 else { return nil }
    self.equation = equation
    self.options = options
    tolerances = try options.tolerances(equation.stateCount)
    layout = SensitivityLayout(
      stateCount: equation.stateCount, parameterCount: equation.parameterCount, isStateInLanes: isExplicit)
    if isExplicit {
      derivatives = try equation.adjoint.sensitivitySource(equation, groupCount: layout.groupCount)
      tangents = derivatives == nil ? try equation.tangentEquation() : nil
    } else {
      (derivatives, tangents) = (try equation.adjoint.derivativeSource(equation), nil)
    }
    try (tangents ?? equation).prepare(pullback: false, for: options.method)
  }

  private func stepper() -> Stepper {
    if let tableau = options.method.explicitTableau {
      let rates =
        derivatives.map { SensitivityRates($0, layout).functions }
        ?? SensitivityRates.functions(tangents!, layout)
      return ExplicitSensitivityStepper(
        tableau, rates, layout, relativeTolerance: options.relativeTolerance, tolerances: tolerances)
    }
    return ImplicitSensitivityStepper(
      options.method.implicitTableau!, equation.singleFunctions(), derivatives!, layout,
      relativeTolerance: options.relativeTolerance, tolerances: tolerances)
  }

  /// For one thread.
  @Sendable private func solver() -> TrajectorySolver {
    TrajectorySolver(stepper(), options, tolerances: layout.tolerances(tolerances))
  }

  /// - Returns: `[rows][times][n]`, and `[rows][times][n + p][n]`.
  func solve(_ data: EquationData) throws(DifferentialEquationError) -> (
    states: [Double], derivatives: [Double]
  ) {
    let (n, m) = (equation.stateCount, data.outputTimes.count / data.rows)
    for row in 0..<data.rows {
      try requireMonotone(Array(data.outputTimes[row * m..<(row + 1) * m]), from: data.startTimes[row])
    }
    var states = [Double](repeating: 0, count: data.rows * m * n)
    var derivatives = [Double](repeating: 0, count: data.rows * m * n * layout.columnCount)
    var failures = [DifferentialEquationError?](repeating: nil, count: data.rows)
    data.withProblem(equation) { problem in
      states.withUnsafeMutableBufferPointer { states in
        derivatives.withUnsafeMutableBufferPointer { derivatives in
          failures.withUnsafeMutableBufferPointer { failures in
            let shared = Shared(
              value: (states.baseAddress!, derivatives.baseAddress!, failures.baseAddress!))
            parallelFor(count: data.rows, threads: threadCount, makeContext: solver) { solver, row in
              let (states, derivatives, failures) = shared.value
              let place = row * m * n
              failures[row] = solve(
                problem, row, with: solver, states: states + place,
                derivatives: derivatives + place * layout.columnCount)
              if data.rows > 1 { failures[row]?.trajectory = row }
            }
          }
        }
      }
    }
    if let failure = failures.compactMap({ $0 }).first { throw failure }
    return (states, derivatives)
  }

  private func solve(
    _ problem: BatchProblem, _ row: Int, with solver: TrajectorySolver,
    states: UnsafeMutablePointer<Double>, derivatives: UnsafeMutablePointer<Double>
  ) -> DifferentialEquationError? {
    let n = equation.stateCount
    solver.stepper.functions.bind(problem.parameters(of: row))
    var numbers = [Double](repeating: 0, count: problem.outputCount * layout.count)
    let outcome = solver.solve(
      from: problem.startTimes[row], layout.initial(problem.initialStates + row * n),
      outputTimes: problem.outputTimes(of: row), outputs: &numbers)
    if let failure = outcome.failure { return failure }
    numbers.withUnsafeBufferPointer { numbers in
      for k in 0..<problem.outputCount {
        layout.unpack(
          numbers.baseAddress! + k * layout.count, state: states + k * n,
          derivatives: derivatives + k * n * layout.columnCount)
      }
    }
    return nil
  }
}
