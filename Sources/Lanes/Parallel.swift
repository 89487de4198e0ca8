import Dispatch
import Synchronization

/// Runs `body` for every index, several at a time. Each worker makes its own `context` first; indices are handed out
/// one by one, so that results must not depend on which worker takes which.
package func parallelFor<Context>(
  count: Int, threads: Int, makeContext: @Sendable () -> Context, body: @Sendable (Context, Int) -> Void
) {
  let workers = max(1, min(threads, count))
  if workers == 1 {
    let context = makeContext()
    for index in 0..<count { body(context, index) }
    return
  }
  let next = Atomic<Int>(0)
  DispatchQueue.concurrentPerform(iterations: workers) { _ in
    let context = makeContext()
    while true {
      let index = next.add(1, ordering: .relaxed).oldValue
      if index >= count { return }
      body(context, index)
    }
  }
}

/// A value that workers only read.
package struct Shared<Value>: @unchecked Sendable {
  package let value: Value
  package init(value: Value) { self.value = value }
}

/// A flag that is raised at first, and that any thread may lower.
package final class SharedFlag: Sendable {
  private let state = Atomic<Bool>(true)
  package init() {}
  package var isRaised: Bool { state.load(ordering: .relaxed) }
  package func lower() { state.store(false, ordering: .relaxed) }
}
