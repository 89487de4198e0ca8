import Synchronization

/// Solvers of single trajectories that wait for the next solution: making one takes as long as a few dozen steps of a small system.
///
/// It belongs to what solves one equation. Solvers must not refer to their pool: they would keep it alive.
final class SolverPool: Sendable {
  private let waiting = WaitingObjects<SingleSolver>()

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
    let solver =
      if let found = waiting.take(where: { $0.options == options }) { found } else { try made() }
    defer { waiting.keep(solver, limit: Self.limit) }
    return body(solver)
  }
}

/// Objects that nobody uses, for one thread at a time each.
final class WaitingObjects<Object>: Sendable {
  private let waiting = Mutex<[Waiting]>([])
  private struct Waiting: @unchecked Sendable {
    let object: Object
  }

  /// The one that was kept last of those that suit.
  func take(where suits: (Object) -> Bool = { _ in true }) -> Object? {
    waiting.withLock { waiting in
      waiting.lastIndex { suits($0.object) }.map { waiting.remove(at: $0) }
    }?.object
  }
  /// Keeps one for later. If there are as many as may wait, the one that waited longest goes, outside of the lock.
  func keep(_ object: Object, limit: Int) {
    let done = Waiting(object: object)
    _ = waiting.withLock { waiting in
      let oldest = waiting.count < limit ? nil : waiting.removeFirst()
      waiting.append(done)
      return oldest
    }
  }
}
