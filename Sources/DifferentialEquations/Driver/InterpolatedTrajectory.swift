/// A recorded solution between its steps: the continuous extension of each step, made again when it is asked for.
final class InterpolatedTrajectory {
  /// Some steps that were made again, as the stages of a step of the adjoint equation lie in several.
  private var steps: [(stepper: Stepper, row: Int, lastUse: Int)]
  private let record: StepRecord
  private let isForward: Bool
  private var row = 0
  private var uses = 0
  /// The step that was asked for last.
  private var current: Stepper?
  private var currentRow = -1

  /// - Parameters:
  ///   - record: with all states.
  ///   - stepCount: steps that are kept.
  ///   - makeStepper: of the method that made the record, with the parameters bound; for this use alone.
  init(_ record: StepRecord, stepCount: Int, _ makeStepper: () -> Stepper) {
    precondition(record.stride == 1)
    steps = (0..<stepCount).map { _ in (makeStepper(), -1, 0) }
    self.record = record
    isForward = record.timeCount < 2 || record.times[1] > record.times[0]
  }

  /// The stepper that holds the step of a row.
  private func stepper(_ row: Int) -> Stepper {
    if row == currentRow, let current { return current }
    let found = find(row)
    (current, currentRow) = (found, row)
    return found
  }
  private func find(_ row: Int) -> Stepper {
    uses += 1
    var oldest = 0
    for k in steps.indices {
      if steps[k].row == row {
        steps[k].lastUse = uses
        return steps[k].stepper
      }
      if steps[k].lastUse < steps[oldest].lastUse { oldest = k }
    }
    let stepper = steps[oldest].stepper
    steps[oldest].row = row
    steps[oldest].lastUse = uses
    stepper.restore(record, row: row)
    return stepper
  }

  /// The state at a time; outside of the record at its nearest end's step.
  func state(at time: Double, into target: UnsafeMutablePointer<Double>) {
    guard record.stepCount > 0 else {
      target.update(from: record.states, count: record.stateCount)
      return
    }
    func isBefore(_ a: Double, _ b: Double) -> Bool { isForward ? a < b : a > b }
    while row > 0 && isBefore(time, record.times[row]) { row -= 1 }
    while row + 1 < record.stepCount && !isBefore(time, record.times[row + 1]) { row += 1 }
    let (start, end) = (record.times[row], record.times[row + 1])
    let stepper = stepper(row)
    if time == end {
      target.update(from: stepper.result, count: record.stateCount)
    } else {
      stepper.output(at: (time - start) / (end - start), into: target)
    }
  }
}
