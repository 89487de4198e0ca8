import Lanes

extension AdjointMaps {
  /// A step of the adjoint equation, within one of the solution.
  struct Step {
    /// The step of the solution.
    var row: Int
    /// Places in it (0 its start, 1 its end): the step goes from the later to the earlier one.
    var from: Double
    var to: Double
    /// The time at which it ends, and whether λ changes there.
    var end: Double
    var isLast: Bool
    /// Whether it is a whole one, or the last part.
    var endsStep = true
    /// Into how many parts it has to be divided, as far as is known.
    var division = 1

    /// Appends its parts, of equal length.
    func divide(into count: Int, of record: StepRecord, _ parts: inout [Step]) {
      let (start, size) = (record.times[row], record.times[row + 1] - record.times[row])
      var part = self
      (part.isLast, part.endsStep) = (false, false)
      for k in 1..<count {
        part.to = from + (to - from) * (Double(k) / Double(count))
        part.end = Double.multiplyAdd(size, part.to, start)
        parts.append(part)
        part.from = part.to
      }
      (part.to, part.end, part.isLast, part.endsStep) = (to, end, isLast, true)
      parts.append(part)
    }
  }

  /// The steps of a solution backwards, divided where outputs are.
  static func plan(
    _ record: StepRecord, outputTimes times: UnsafeBufferPointer<Double>, into steps: inout [Step]
  ) {
    let direction = record.times[record.stepCount] > record.times[0] ? 1.0 : -1.0
    steps.reserveCapacity(record.stepCount + times.count)
    var output = times.count - 1
    var jump = record.jumps.count - 1
    for row in (0..<record.stepCount).reversed() {
      let (start, end) = (record.times[row], record.times[row + 1])
      var from = 1.0
      while output >= 0 && (times[output] - end) * direction >= 0 { output -= 1 }
      while output >= 0 && (times[output] - start) * direction > 0 {
        let time = times[output]
        let place = (time - start) / (end - start)
        steps.append(Step(row: row, from: from, to: place, end: time, isLast: true))
        from = place
        while output >= 0 && times[output] == time { output -= 1 }
      }
      while jump >= 0 && record.jumps[jump].row > row { jump -= 1 }
      let isLast =
        row == 0 || output >= 0 && times[output] == start || jump >= 0 && record.jumps[jump].row == row
      steps.append(Step(row: row, from: from, to: 0, end: start, isLast: isLast))
    }
  }
}
