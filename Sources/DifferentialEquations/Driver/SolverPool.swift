import Synchronization

/// Solvers of single trajectories that wait for the next solution: making one takes as long as a few dozen steps of a small system.
///
/// It belongs to what solves one equation. Solvers must not refer to their pool: they would keep it alive.
final class SolverPool: Sendable {
  private let waiting = Mutex<[Waiting]>([])

  /// A solver that nobody uses.
  private struct Waiting: @unchecked Sendable {
    let solver: SingleSolver
  }
  /// So many wait at most: one for each thread, and some for options that change from solution to solution.
  private static let limit = threadCount + 8
  /// Solvers of larger systems take too much memory to wait, and are made in little of their time.
  static let largestState = 1024

  /// Whether making solvers takes a good part of the time.
  static func suits(_ equation: some Equation, _ options: SolverOptions) -> Bool {
    equation.stateCount <= largestState && !equation.hasEvents && options.method.explicitTableau != nil
  }

  /// Lends a solver with exactly these options: one that waits, or a new one.
  func withSolver<Result, Failure>(
    _ options: SolverOptions, made: () throws(Failure) -> SingleSolver, _ body: (SingleSolver) -> Result
  ) throws(Failure) -> Result {
    let found = waiting.withLock { waiting in
      waiting.lastIndex { $0.solver.options == options }.map { waiting.remove(at: $0) }
    }
    let solver = if let found { found.solver } else { try made() }
    defer { keep(Waiting(solver: solver)) }
    return body(solver)
  }
  private func keep(_ done: Waiting) {
    // The one that waited longest goes, outside of the lock.
    _ = waiting.withLock { waiting in
      let oldest = waiting.count < Self.limit ? nil : waiting.removeFirst()
      waiting.append(done)
      return oldest
    }
  }
}
