import Synchronization

/// Working memory that is set up once and lent to whoever needs some.
final class RunnerPool<Runner: Sendable>: Sendable {
  private let free = Mutex<[Runner]>([])

  /// A runner that goes back to the pool when its loan ends.
  func borrow(orMake make: () -> Runner) -> Loan {
    let runner = free.withLock { $0.popLast() }
    return Loan(value: runner ?? make(), pool: self)
  }

  final class Loan {
    let value: Runner
    private let pool: RunnerPool

    fileprivate init(value: Runner, pool: RunnerPool) {
      self.value = value
      self.pool = pool
    }
    deinit { pool.free.withLock { $0.append(value) } }
  }
}
