import Synchronization

/// Solvers of one trajectory that wait for the next solution: making one takes as long as a few dozen steps of a small system.
///
/// It belongs to a call of programs that solve the equation; the equation knows nothing of it.
final class SolverPool: Sendable {
  private let equation: TracedEquation
  private let options: SolverOptions
  private let waiting = Mutex<[Waiting]>([])

  /// A solver that nobody uses.
  private struct Waiting: @unchecked Sendable {
    let solver: TrajectorySolver
  }

  init(_ equation: TracedEquation, _ options: SolverOptions) {
    self.equation = equation
    self.options = options
  }

  /// Lends a solver: one that waits, or a new one.
  /// - Throws: what is wrong with options or equation.
  func withSolver<Result>(_ body: (TrajectorySolver) -> Result) throws -> Result {
    let solver = try waiting.withLock({ $0.popLast() })?.solver ?? made()
    defer {
      let done = Waiting(solver: solver)
      waiting.withLock { if $0.count < threadCount { $0.append(done) } }
    }
    return body(solver)
  }

  private func made() throws -> TrajectorySolver {
    try equation.prepare(pullback: false, for: options.method)
    let batch = try BatchSolver(equation, options)
    return TrajectorySolver(batch.stepper(), options, tolerances: batch.tolerances)
  }
}
