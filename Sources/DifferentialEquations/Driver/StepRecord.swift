import Lanes

/// The steps that a solution of one trajectory took: times of all, states of every `stride`-th, and where events interrupted it.
final class StepRecord: @unchecked Sendable {
  let stateCount: Int
  /// At most about this many states are kept; nil: all.
  private let limit: Int
  /// The start of each step, and the end of the last one.
  @exclusivity(unchecked) private(set) var times: UnsafeMutablePointer<Double>
  @exclusivity(unchecked) private(set) var timeCount = 0
  @exclusivity(unchecked) private var timeCapacity: Int
  /// Of every `stride`-th row the state.
  @exclusivity(unchecked) private(set) var states: UnsafeMutablePointer<Double>
  @exclusivity(unchecked) private var keptCount = 0
  @exclusivity(unchecked) private var stateCapacity: Int
  @exclusivity(unchecked) private(set) var stride = 1
  /// The rates of all stages of the first steps, if they are asked for.
  private var stages: UnsafeMutablePointer<Double>?
  private let keepsStages: Bool
  private var stageSteps = 0
  private var stageCapacity = 0
  /// Numbers of a step's rates.
  private var stageSize = 0
  /// Bytes of rates that are kept of a trajectory; those of further steps are computed again.
  private static let stageLimit = 1 << 28
  /// Rows whose states are those after an event: the row, and which event.
  private(set) var jumps: [(row: Int, event: Int)] = []
  /// Of methods whose order varies that of each step.
  private var orders: [UInt8] = []

  /// - Parameters:
  ///   - capacity: states that are kept at most; nil: all.
  ///   - keepsStages: also the rates of stages.
  init(stateCount: Int, capacity: Int?, keepsStages: Bool = false) {
    self.stateCount = stateCount
    self.keepsStages = keepsStages
    limit = capacity.map { max($0, 2) } ?? .max
    timeCapacity = 256
    stateCapacity = min(256, max(limit, 2)) + 1
    times = .allocate(capacity: timeCapacity)
    states = .allocate(capacity: max(stateCapacity * stateCount, 1))
  }
  deinit {
    times.deallocate()
    states.deallocate()
    stages?.deallocate()
  }
  /// Steps taken.
  var stepCount: Int { max(timeCount - 1, 0) }
  /// Bytes that the record takes.
  var byteCount: Int {
    8 * (timeCapacity + stateCapacity * stateCount + stageCapacity * stageSize) + orders.count
  }

  /// - Parameter spacing: between the components of the state.
  @inline(__always)
  func append(_ time: Double, _ state: UnsafePointer<Double>, spacing: Int = 1) {
    if timeCount == timeCapacity { growTimes() }
    times[timeCount] = time
    timeCount &+= 1
    if stride > 1 && (timeCount &- 1) % stride != 0 { return }
    if keptCount == stateCapacity { growStates() }
    let target = states + keptCount &* stateCount
    var c = 0
    while c < stateCount {
      target[c] = state[c &* spacing]
      c = c &+ 1
    }
    keptCount &+= 1
    if keptCount > limit { thin() }
  }
  func append(_ time: Double, _ state: UnsafePointer<Double>, order: Int) {
    append(time, state)
    if order > 0 { orders.append(UInt8(order)) }
  }
  /// The rates of the stages of the step that begins at the row that was appended last, if they are kept.
  func appendStages(_ rates: UnsafePointer<Double>, count: Int) {
    guard keepsStages, count > 0, stageSteps + 1 == timeCount else { return }
    if stageSteps == stageCapacity {
      stageSize = count * stateCount
      let capacity = max(64, 2 * stageCapacity)
      if capacity * stageSize * 8 > Self.stageLimit { return }
      let new = UnsafeMutablePointer<Double>.allocate(capacity: max(capacity * stageSize, 1))
      if let stages {
        new.update(from: stages, count: stageSteps * stageSize)
        stages.deallocate()
      }
      (stages, stageCapacity) = (new, capacity)
    }
    (stages! + stageSteps * stageSize).update(from: rates, count: stageSize)
    stageSteps += 1
  }
  /// The rates of the stages of a step, if they were kept.
  func stages(ofStep row: Int) -> UnsafePointer<Double>? {
    row < stageSteps ? stages.map { UnsafePointer($0 + row * stageSize) } : nil
  }
  func order(_ step: Int) -> Int { Int(orders[step]) }
  func noteJump(event: Int) { jumps.append((timeCount, event)) }

  @inline(never)
  private func growTimes() {
    (times, timeCapacity) = (Self.grown(times, timeCapacity), 2 * timeCapacity)
  }
  @inline(never)
  private func growStates() {
    (states, stateCapacity) = (Self.grown(states, stateCapacity * stateCount), 2 * stateCapacity)
  }
  private static func grown(_ old: UnsafeMutablePointer<Double>, _ count: Int) -> UnsafeMutablePointer<Double>
  {
    let new = UnsafeMutablePointer<Double>.allocate(capacity: 2 * max(count, 1))
    new.update(from: old, count: count)
    old.deallocate()
    return new
  }

  /// Forgets every other state.
  @inline(never)
  private func thin() {
    let kept = (keptCount + 1) / 2
    for row in 1..<kept {
      (states + row * stateCount).update(from: states + 2 * row * stateCount, count: stateCount)
    }
    keptCount = kept
    stride *= 2
  }
}
