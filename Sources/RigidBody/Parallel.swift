import Dispatch
import Synchronization

/// Runs `body` for every index, several at a time. Each worker makes its own `context` first; indices are handed out
/// one by one, so that results must not depend on which worker takes which.
func parallelFor<Context>(
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

/// An address that workers share; each writes to its own part.
struct SharedPointer<Element>: @unchecked Sendable {
  let base: UnsafeMutablePointer<Element>
}

/// A value that workers only read.
struct Shared<Value>: @unchecked Sendable {
  let value: Value
}
