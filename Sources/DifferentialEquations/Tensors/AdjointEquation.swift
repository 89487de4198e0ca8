import Autodiff
import Lanes

/// The continuous adjoint: with λ the cotangent of the state, λ' = −(∂f/∂y)ᵀ λ, and the parameters' cotangent grows backwards in time by
/// (∂f/∂p)ᵀ λ. Each output adds its cotangent to λ; an event's map of states takes λ back to before it.
///
/// Steps are chosen by the errors of λ, in units of the largest cotangent that comes in (and of those of the state where that is
/// solved for along); the integrals over parameters follow, as in A. C. Hindmarsh et al., SUNDIALS, ACM Trans. Math. Softw. 31 (2005).
///
/// It belongs to a call of programs that solve the equation, and keeps what takes cotangents back for the next one.
final class AdjointEquation: Sendable {
  private let equation: TracedEquation
  private let options: SolverOptions
  private let keepsState: Bool
  private let waiting = WaitingObjects<AdjointSweep>()

  /// - Parameter keepsState: the state is interpolated from the recorded solution; otherwise it is solved for backwards.
  init(_ equation: TracedEquation, _ options: SolverOptions, keepsState: Bool) {
    self.equation = equation
    self.options = options
    self.keepsState = keepsState
  }

  /// Whether it is worth it to record the rates of stages: those of maps are made again, many at once.
  var usesStages: Bool {
    keepsState
      && (options.method.explicitTableau == nil || equation.stepSource == nil)
  }

  /// - Parameters:
  ///   - states: the solution at the times of output.
  ///   - cotangents: of these.
  /// - Returns: cotangents of the initial states, and of the parameters of blocks.
  func solve(_ data: EquationData, _ records: [StepRecord], states: [Double], cotangents: [Double]) throws
    -> (
      initialStates: [Double], parameters: [Double]
    )
  {
    let (n, p) = (equation.stateCount, equation.parameterCount)
    let stateTolerances = try prepare()
    var initial = [Double](repeating: 0, count: data.rows * n)
    var parameters = [Double](repeating: 0, count: data.rows * p)
    var failures = [DifferentialEquationError?](repeating: nil, count: data.rows)
    data.withProblem(equation) { problem in
      initial.withUnsafeMutableBufferPointer { initial in
        parameters.withUnsafeMutableBufferPointer { parameters in
          failures.withUnsafeMutableBufferPointer { failures in
            states.withUnsafeBufferPointer { states in
              cotangents.withUnsafeBufferPointer { cotangents in
                let shared = Shared(
                  value: (
                    initial.baseAddress!, parameters.baseAddress!, failures.baseAddress!, records,
                    states.baseAddress!, cotangents.baseAddress!
                  ))
                parallelFor(
                  count: data.rows, threads: threadCount, makeContext: { Loan(self, stateTolerances) }
                ) { loan, row in
                  let (initial, parameters, failures, records, states, cotangents) = shared.value
                  let place = row * problem.outputCount * n
                  failures[row] = loan.sweep.solve(
                    problem, row: row, records.isEmpty ? nil : records[row], states: states + place,
                    cotangents: cotangents + place, initial: initial + row * n,
                    parameters: parameters + row * p)
                  if data.rows > 1 { failures[row]?.trajectory = row }
                }
              }
            }
          }
        }
      }
    }
    if let failure = failures.compactMap({ $0 }).first { throw failure }
    return (initial, summed(parameters, rows: data.rows, blocks: data.blocks, width: p))
  }

  /// Makes the programs that sweeps need, and says how accurate the state is.
  private func prepare() throws -> [Double] {
    guard !options.method.isSymplectic else {
      throw DifferentialEquationError(
        .argument,
        message:
          "the adjoint equation is not one of positions and velocities; with \(options.method) use .discreteAdjoint"
      )
    }
    try equation.prepare(pullback: true, for: options.method)
    if !options.method.isImplicit {
      if keepsState {
        for integrals in [false, true] { _ = try equation.adjoint.rateSource(equation, integrals: integrals) }
      } else {
        try equation.adjoint.jointEquation(equation).prepare(pullback: false, for: options.method)
      }
    }
    return try options.tolerances(equation.stateCount)
  }

  /// A sweep for one thread, which goes back in the end.
  private final class Loan {
    let sweep: AdjointSweep
    private let owner: AdjointEquation

    init(_ owner: AdjointEquation, _ stateTolerances: [Double]) {
      self.owner = owner
      sweep =
        owner.waiting.take()
        ?? AdjointSweep(
          owner.equation, owner.options, keepsState: owner.keepsState, stateTolerances: stateTolerances,
          owner.maps())
    }
    deinit {
      if owner.equation.stateCount <= SolverPool.largestState {
        owner.waiting.keep(sweep, limit: threadCount)
      }
    }
  }
  private func maps() -> AdjointMaps? {
    guard keepsState, let tableau = options.method.explicitTableau, let source = equation.stepSource,
      let functions = equation.stepFunctions(width: StepDerivatives.width)
    else { return nil }
    return AdjointMaps(tableau, functions, source)
  }
}
