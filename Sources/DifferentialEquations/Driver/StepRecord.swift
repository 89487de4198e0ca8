/// The steps that a solution of one trajectory took: times of all, states of every `stride`-th, and where events interrupted it.
final class StepRecord: @unchecked Sendable {
  let stateCount: Int
  /// At most about this many states are kept; nil: all.
  let capacity: Int?
  /// The start of each step, and the end of the last one.
  private(set) var times: [Double] = []
  /// Of every `stride`-th row the state.
  private(set) var states: [Double] = []
  private(set) var stride = 1
  /// Rows whose states are those after an event: the row, and which event.
  private(set) var jumps: [(row: Int, event: Int)] = []

  init(stateCount: Int, capacity: Int?) {
    self.stateCount = stateCount
    self.capacity = capacity.map { max($0, 2) }
  }
  /// Steps taken.
  var stepCount: Int { max(times.count - 1, 0) }

  func reserve(_ count: Int) {
    times.reserveCapacity(count)
    states.reserveCapacity(count * stateCount)
  }

  /// The state in one lane of lane groups, `spacing` numbers apart.
  @inline(__always)
  func append(_ time: Double, _ state: UnsafePointer<Double>, spacing: Int = 1) {
    let row = times.count
    times.append(time)
    if stride > 1 && row % stride != 0 { return }
    var c = 0
    while c < stateCount {
      states.append(state[c &* spacing])
      c = c &+ 1
    }
    if let capacity, states.count > capacity * stateCount { thin() }
  }
  func noteJump(event: Int) { jumps.append((times.count, event)) }

  /// Forgets every other state.
  private func thin() {
    let kept = (states.count / max(stateCount, 1) + 1) / 2
    for row in 1..<kept {
      for c in 0..<stateCount { states[row * stateCount + c] = states[2 * row * stateCount + c] }
    }
    states.removeLast(states.count - kept * stateCount)
    stride *= 2
  }
}
