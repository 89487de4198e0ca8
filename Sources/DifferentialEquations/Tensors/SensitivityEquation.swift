import Autodiff
import Lanes

/// States and derivatives of single trajectories by Runge–Kutta methods, with a lane for each direction.
struct SensitivityEquation: Sendable {
  private let equation: TracedEquation
  /// Of state and tangent, for explicit methods.
  private let tangents: TracedEquation?
  /// ∂f/∂y and ∂f/∂p, for implicit ones.
  private let derivatives: ResidentSource?
  private let options: SolverOptions
  private let tolerances: [Double]
  private let layout: SensitivityLayout

  /// Batches of at least so many trajectories have a lane for each of these instead.
  static let leastBatch = 3

  /// - Returns: nil if there are events, or the method or the size do not suit.
  init?(_ equation: TracedEquation, _ options: SolverOptions) throws {
    let isExplicit = options.method.explicitTableau != nil
    let isSmall =
      options.method.implicitTableau != nil && equation.stateCount <= ImplicitSensitivityStepper.largestSize
    guard isExplicit || isSmall, !equation.hasEvents else { return nil }
    self.equation = equation
    self.options = options
    tolerances = try options.tolerances(equation.stateCount)
    layout = SensitivityLayout(
      stateCount: equation.stateCount, parameterCount: equation.parameterCount, isStateInLanes: isExplicit)
    tangents = isExplicit ? try equation.tangentEquation() : nil
    derivatives = isExplicit ? nil : try equation.adjoint.derivativeSource(equation)
    try (tangents ?? equation).prepare(pullback: false, for: options.method)
  }

  private func stepper() -> Stepper {
    if let tangents, let tableau = options.method.explicitTableau {
      return ExplicitSensitivityStepper(
        tableau, tangents, layout, relativeTolerance: options.relativeTolerance, tolerances: tolerances)
    }
    return ImplicitSensitivityStepper(
      options.method.implicitTableau!, equation.singleFunctions(), derivatives!, layout,
      relativeTolerance: options.relativeTolerance, tolerances: tolerances)
  }

  /// - Returns: `[rows][times][n]`, and `[rows][times][n + p][n]`.
  func solve(_ data: EquationData) throws(DifferentialEquationError) -> (
    states: [Double], derivatives: [Double]
  ) {
    let (n, p, m) = (equation.stateCount, equation.parameterCount, data.outputTimes.count / data.rows)
    let all = layout.tolerances(tolerances)
    for row in 0..<data.rows {
      try requireMonotone(Array(data.outputTimes[row * m..<(row + 1) * m]), from: data.startTimes[row])
    }
    var states = [Double](repeating: 0, count: data.rows * m * n)
    var derivatives = [Double](repeating: 0, count: data.rows * m * n * layout.columnCount)
    var failures = [DifferentialEquationError?](repeating: nil, count: data.rows)
    let rowsPerBlock = max(data.rows / max(data.blocks, 1), 1)
    data.initialStates.withUnsafeBufferPointer { initial in
      data.parameters.withUnsafeBufferPointer { parameters in
        data.outputTimes.withUnsafeBufferPointer { times in
          let none = UnsafePointer<Double>(bitPattern: 64)!
          var numbers = [Double](repeating: 0, count: m * layout.count)
          for row in 0..<data.rows {
            let stepper = stepper()
            stepper.functions.bind((parameters.baseAddress ?? none) + row / rowsPerBlock * p)
            var failure = TrajectorySolver(stepper, options, tolerances: all).solve(
              from: data.startTimes[row], layout.initial(initial.baseAddress! + row * n),
              outputTimes: UnsafeBufferPointer(rebasing: times[row * m..<(row + 1) * m]), outputs: &numbers
            ).failure
            if data.rows > 1 { failure?.trajectory = row }
            failures[row] = failure
            if failure != nil { continue }
            numbers.withUnsafeBufferPointer { numbers in
              states.withUnsafeMutableBufferPointer { states in
                derivatives.withUnsafeMutableBufferPointer { derivatives in
                  for k in 0..<m {
                    let place = (row * m + k) * n
                    layout.unpack(
                      numbers.baseAddress! + k * layout.count, state: states.baseAddress! + place,
                      derivatives: derivatives.baseAddress! + place * layout.columnCount)
                  }
                }
              }
            }
          }
        }
      }
    }
    if let failure = failures.compactMap({ $0 }).first { throw failure }
    return (states, derivatives)
  }
}
