/// A recorded solution between its steps: the continuous extension of each step, made again when it is asked for.
final class InterpolatedTrajectory {
  private let stepper: Stepper
  private let record: StepRecord
  private let isForward: Bool
  private var current = -1

  /// - Parameters:
  ///   - stepper: of the method that made the record, with the parameters bound; for this use alone.
  ///   - record: with all states.
  init(_ stepper: Stepper, _ record: StepRecord) {
    precondition(record.stride == 1)
    self.stepper = stepper
    self.record = record
    isForward = record.timeCount < 2 || record.times[1] > record.times[0]
  }

  /// The state at a time; outside of the record at its nearest end's step.
  func state(at time: Double, into target: UnsafeMutablePointer<Double>) {
    guard record.stepCount > 0 else {
      target.update(from: record.states, count: record.stateCount)
      return
    }
    var row = max(current, 0)
    func isBefore(_ a: Double, _ b: Double) -> Bool { isForward ? a < b : a > b }
    while row > 0 && isBefore(time, record.times[row]) { row -= 1 }
    while row + 1 < record.stepCount && !isBefore(time, record.times[row + 1]) { row += 1 }
    let (start, end) = (record.times[row], record.times[row + 1])
    if row != current {
      current = row
      stepper.restore(record, row: row)
    }
    if time == end {
      target.update(from: stepper.result, count: record.stateCount)
    } else {
      stepper.output(at: (time - start) / (end - start), into: target)
    }
  }
}
