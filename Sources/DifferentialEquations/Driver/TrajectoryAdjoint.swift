/// The reverse sweep over the recorded steps of one trajectory: the exact derivative of the steps taken, with their times and sizes
/// held fixed.
final class TrajectoryAdjoint {
  let stepper: Stepper
  private let n: Int
  private let memory: StepMemory
  private let outputCotangent: UnsafeMutablePointer<Double>

  init(_ stepper: Stepper) {
    self.stepper = stepper
    n = stepper.stateCount
    memory = StepMemory(n)
    outputCotangent = memory.take(n)
  }

  /// - Parameters:
  ///   - cotangents: a row for each output time that was reached.
  ///   - cotangent: set to the initial state's.
  ///   - parameters: added to.
  func reverse(
    _ record: StepRecord, outputTimes: UnsafeBufferPointer<Double>, cotangents: UnsafePointer<Double>,
    events: EventFunctions? = nil, into cotangent: UnsafeMutablePointer<Double>,
    parameters: UnsafeMutablePointer<Double>
  ) {
    if let stepper = stepper as? BackwardDifferenceStepper {
      return stepper.reverse(
        record, outputTimes: outputTimes, cotangents: cotangents, events: events, into: cotangent,
        parameters: parameters)
    }
    cotangent.update(repeating: 0, count: n)
    var output = outputTimes.count - 1
    var jump = record.jumps.count - 1
    var segmentEnd = record.stepCount
    let direction = record.timeCount > 1 && record.times[1] < record.times[0] ? -1.0 : 1.0
    // States between those that were kept are made again, a stretch at a time.
    var states = [Double](repeating: 0, count: record.stride * n)
    while segmentEnd > 0 {
      let start = (segmentEnd - 1) / record.stride * record.stride
      restore(record, start..<segmentEnd, events, jump, &states)
      for row in (start..<segmentEnd).reversed() {
        let (time, end) = (record.times[row], record.times[row + 1])
        for c in 0..<n { stepper.state[c] = states[(row - start) * n + c] }
        stepper.time.pointee = time
        stepper.step.pointee = end - time
        // Outputs inside of the step need its continuous extension.
        var first = output
        while first >= 0 && (outputTimes[first] - time) * direction > 0 { first -= 1 }
        let inside = (first + 1..<output + 1).contains { outputTimes[$0] != end }
        let isJump = jump >= 0 && record.jumps[jump].row == row + 1
        if isJump {
          stepper.replay(all: true)
        } else {
          stepper.replay(all: inside, rates: record.stages(ofStep: row))
        }
        if isJump {
          events!.pullback(record.jumps[jump].event, end, stepper.result, cotangent, parameters)
          jump -= 1
        }
        if inside {
          stepper.clearOutputs()
          outputCotangent.update(repeating: 0, count: n)
        }
        for k in first + 1..<output + 1 {
          let row = cotangents + k * n
          if outputTimes[k] == end {
            for c in 0..<n { cotangent[c] += row[c] }
          } else {
            stepper.addOutput(row, at: (outputTimes[k] - time) / (end - time), to: outputCotangent)
          }
        }
        output = first
        stepper.reverse(cotangent, parameters: parameters, outputs: inside ? outputCotangent : nil)
      }
      segmentEnd = start
    }
    // Outputs at the initial time.
    while output >= 0 {
      for c in 0..<n { cotangent[c] += cotangents[output * n + c] }
      output -= 1
    }
  }

  /// The states of rows, of which the first was kept.
  private func restore(
    _ record: StepRecord, _ rows: Range<Int>, _ events: EventFunctions?, _ lastJump: Int,
    _ states: inout [Double]
  ) {
    let first = rows.lowerBound / record.stride * n
    for c in 0..<n { states[c] = record.states[first + c] }
    if rows.count == 1 { return }
    var jump = lastJump
    while jump >= 0 && record.jumps[jump].row > rows.lowerBound { jump -= 1 }
    jump += 1
    for row in rows.dropLast() {
      let place = (row - rows.lowerBound) * n
      for c in 0..<n { stepper.state[c] = states[place + c] }
      stepper.time.pointee = record.times[row]
      stepper.step.pointee = record.times[row + 1] - record.times[row]
      stepper.replay(all: true)
      if jump <= lastJump, record.jumps[jump].row == row + 1 {
        states.withUnsafeMutableBufferPointer {
          events!.jump(
            record.jumps[jump].event, record.times[row + 1], stepper.result, $0.baseAddress! + place + n)
        }
        jump += 1
      } else {
        for c in 0..<n { states[place + n + c] = stepper.result[c] }
      }
    }
  }
}
