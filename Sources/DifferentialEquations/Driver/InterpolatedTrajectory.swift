/// A recorded solution between its steps, by the method's continuous extension: of Runge–Kutta methods as a polynomial that is found
/// once for each step, from the rates of its stages, which the record has or which are computed again.
final class InterpolatedTrajectory {
  private var record: StepRecord
  /// Of no steps.
  private let none: StepRecord
  private let n: Int
  private var isForward = true
  private let stepper: Stepper
  /// The step that the stepper has restored.
  private var stepperRow = -1
  /// Of the continuous extension, in the place in the step; 0: it is no polynomial, and the stepper is asked.
  private let degree: Int
  private let memory: StepMemory
  /// Some steps, as the stages of a step of the adjoint equation lie in several.
  private let slots: [Slot]
  private var current: Slot
  private var uses = 0
  private var row = 0
  /// The steps that are asked for: those between two events.
  private var rows: Range<Int>

  private final class Slot {
    var row = -1
    var lastUse = 0
    let coefficients: UnsafeMutablePointer<Double>
    init(_ coefficients: UnsafeMutablePointer<Double>) { self.coefficients = coefficients }
  }

  /// - Parameters:
  ///   - record: with all states.
  ///   - stepCount: steps whose polynomials are kept.
  ///   - stepper: of the method that made the record, with the parameters bound; for this use alone.
  init(_ record: StepRecord, stepCount: Int, _ stepper: Stepper) {
    self.record = record
    none = StepRecord(stateCount: record.stateCount, capacity: 2)
    self.stepper = stepper
    n = record.stateCount
    degree = stepper.outputDegree
    let size = stepper.outputDegree * record.stateCount
    let memory = StepMemory(stepCount * size)
    self.memory = memory
    slots = (0..<stepCount).map { _ in Slot(memory.take(size)) }
    current = slots[0]
    rows = 0..<record.stepCount
    follow(record)
  }

  /// Begins with another solution, of the parameters that are bound now.
  func follow(_ record: StepRecord) {
    precondition(record.stride == 1)
    self.record = record
    isForward = record.timeCount < 2 || record.times[1] > record.times[0]
    stepperRow = -1
    for slot in slots { slot.row = -1 }
    rows = 0..<record.stepCount
    row = 0
  }

  /// Forgets the solution.
  func end() { follow(none) }

  /// Says which steps are asked for from now on.
  func restrict(to rows: Range<Int>) {
    if rows == self.rows { return }
    self.rows = rows
    row = max(rows.upperBound - 1, rows.lowerBound)
  }

  /// The state at a time; outside of the steps by the nearest one's extension.
  func state(at time: Double, into target: UnsafeMutablePointer<Double>) {
    guard !rows.isEmpty else {
      target.update(from: record.states + rows.lowerBound * n, count: n)
      return
    }
    let direction = isForward ? 1.0 : -1.0
    while row > rows.lowerBound && (time - record.times[row]) * direction < 0 { row -= 1 }
    while row + 1 < rows.upperBound && (time - record.times[row + 1]) * direction >= 0 { row += 1 }
    let (start, end) = (record.times[row], record.times[row + 1])
    output(at: time == end ? 1 : (time - start) / (end - start), into: target)
  }
  /// The state that a step ended at, before an event.
  func end(ofStep row: Int, into target: UnsafeMutablePointer<Double>) {
    self.row = row
    output(at: 1, into: target)
  }

  /// The shorter one of the steps before a time.
  func stepSize(before time: Double) -> Double {
    if rows.isEmpty { return .infinity }
    let direction = isForward ? 1.0 : -1.0
    while row > rows.lowerBound && (time - record.times[row]) * direction <= 0 { row -= 1 }
    while row + 1 < rows.upperBound && (time - record.times[row + 1]) * direction > 0 { row += 1 }
    let last = (record.times[row + 1] - record.times[row]).magnitude
    // The record's first step is a careful one.
    if row <= rows.lowerBound + 1 { return last }
    let previous = (record.times[row] - record.times[row - 1]).magnitude
    // A tiny step ended at an output or an event, and says nothing of the solution.
    if last < 1e-3 * previous { return previous }
    return previous < 1e-3 * last ? last : min(last, previous)
  }
  private func output(at place: Double, into target: UnsafeMutablePointer<Double>) {
    guard degree > 0 else {
      restore()
      if place == 1 {
        target.update(from: stepper.result, count: n)
      } else {
        stepper.output(at: place, into: target)
      }
      return
    }
    if current.row != row { find() }
    let start = record.states + row &* n
    let entries = current.coefficients
    let last = entries + (degree &- 1) &* n
    var c = 0
    while c < n {
      target[c] = last[c]
      c = c &+ 1
    }
    var q = degree &- 2
    while q >= 0 {
      let entry = entries + q &* n
      c = 0
      while c < n {
        target[c] = entry[c] + place * target[c]
        c = c &+ 1
      }
      q = q &- 1
    }
    c = 0
    while c < n {
      target[c] = start[c] + place * target[c]
      c = c &+ 1
    }
  }

  private func restore() {
    if stepperRow == row { return }
    stepper.restore(record, row: row)
    stepperRow = row
  }
  private func find() {
    uses += 1
    var oldest = slots[0]
    for slot in slots {
      if slot.row == row {
        slot.lastUse = uses
        current = slot
        return
      }
      if slot.lastUse < oldest.lastUse { oldest = slot }
    }
    oldest.row = row
    oldest.lastUse = uses
    current = oldest
    restore()
    stepper.setOutputCoefficients(oldest.coefficients)
  }
}
