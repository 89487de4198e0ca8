/// Steps of the adjoint equation along a record, taken many at once. Those whose errors are too large are divided, and, where many are, so
/// are those that follow.
final class AdjointSteps {
  typealias Step = AdjointMaps.Step
  private let maps: AdjointMaps
  @exclusivity(unchecked) private var record: StepRecord?
  @exclusivity(unchecked) private var relativeTolerance = 0.0
  @exclusivity(unchecked) private var absoluteTolerance = 0.0
  /// Where the last part that was taken ends; nil if none was since steps began or one was skipped.
  @exclusivity(unchecked) private(set) var time: Double?
  @exclusivity(unchecked) private var steps: [Step] = []
  @exclusivity(unchecked) private var next = 0
  /// The parts of steps that are prepared, and the next of these.
  @exclusivity(unchecked) private var parts: [Step] = []
  @exclusivity(unchecked) private var nextPart = 0
  /// Into how many parts steps are divided before anything is known of them. Of the steps since that was decided: how many there were, how many had
  /// to be divided further, and the largest error of the others.
  @exclusivity(unchecked) private var division = 1
  @exclusivity(unchecked) private var takenCount = 0
  @exclusivity(unchecked) private var refusedCount = 0
  @exclusivity(unchecked) private var largestError = 0.0
  /// Steps that have to be divided into more parts than this are left to others.
  private static let largestDivision = 8

  init(_ maps: AdjointMaps) { self.maps = maps }

  /// Begins with a trajectory.
  /// - Parameter tolerances: of λ.
  func begin(_ parameters: UnsafePointer<Double>, _ tolerances: (relative: Double, absolute: Double)) {
    maps.bind(parameters)
    (relativeTolerance, absoluteTolerance) = tolerances
    (division, takenCount, refusedCount, largestError, time) = (1, 0, 0, 0, nil)
  }
  /// Says which steps come next. All those before must have been taken or skipped.
  func follow(_ record: StepRecord, _ plan: (inout [Step]) -> Void) {
    self.record = record
    steps.removeAll(keepingCapacity: true)
    parts.removeAll(keepingCapacity: true)
    (next, nextPart) = (0, 0)
    plan(&steps)
  }
  var isFinished: Bool { next == steps.count }
  /// Leaves out what is left of the step that was not taken. What is prepared of those that follow still holds.
  /// - Returns: where it ends, and a size for other steps.
  func skip(from time: Double) -> (end: Double, size: Double) {
    let end = steps[next].end
    next += 1
    while nextPart < parts.count && !parts[nextPart].endsStep { nextPart += 1 }
    nextPart += 1
    self.time = nil
    return (end, (time - end).magnitude / Double(2 * Self.largestDivision))
  }
  /// Adds what came to the parameters' cotangents since the trajectory began.
  func addIntegrals(to integrals: UnsafeMutablePointer<Double>) {
    maps.addIntegrals()
    maps.addSums(to: integrals)
  }
  /// Forgets the record.
  func end() { record = nil }

  /// Takes λ through steps until after one after which it changes, or to their end.
  /// - Returns: false before a step that would have to be divided into too many.
  func advance(_ lambda: UnsafeMutablePointer<Double>) -> Bool {
    while true {
      if nextPart == parts.count {
        if isFinished { return true }
        prepareParts()
      }
      let (end, error, isRefused) = parts.withUnsafeBufferPointer {
        maps.advance(
          lambda, $0, from: nextPart, relativeTolerance: relativeTolerance,
          absoluteTolerance: absoluteTolerance)
      }
      if end > nextPart { time = parts[end - 1].end }
      while nextPart < end {
        if parts[nextPart].endsStep {
          next += 1
          takenCount += 1
        }
        nextPart += 1
      }
      largestError = max(largestError, error)
      if isRefused {
        if divide() { continue }
        return false
      }
      if parts[end - 1].isLast { return true }
    }
  }
  /// Says into how many parts the prepared steps from the next one on are to be divided by what is known of their errors, and prepares them
  /// again.
  /// - Returns: false if the next one had to be divided into too many.
  private func divide() -> Bool {
    steps[next].from = parts[nextPart].from
    var step = next
    var (count, error) = (0, 0.0)
    for k in nextPart..<parts.count {
      count += 1
      error = max(error, maps.error(of: k))
      if !parts[k].endsStep { continue }
      if !(error <= 1) {
        let needed = maps.division(count, error: error)
        if step == next && needed > Self.largestDivision { return false }
        steps[step].division = max(min(needed, Self.largestDivision), min(count + 1, Self.largestDivision))
        refusedCount += 1
      }
      step += 1
      (count, error) = (0, 0)
    }
    prepareParts()
    return true
  }
  private func prepareParts() {
    maps.addIntegrals()
    if takenCount > 0 {
      if refusedCount * 3 > takenCount {
        division = min(division + 1, Self.largestDivision)
      } else if division > 1 && largestError < maps.reduction(division, division - 1) {
        division -= 1
      }
      (takenCount, refusedCount, largestError) = (0, 0, 0)
    }
    parts.removeAll(keepingCapacity: true)
    nextPart = 0
    for k in next..<steps.count {
      let count = max(steps[k].division, division)
      if parts.count + count > AdjointMaps.stepCount { break }
      steps[k].divide(into: count, of: record!, &parts)
    }
    parts.withUnsafeBufferPointer { maps.prepare(record!, $0) }
  }
}
