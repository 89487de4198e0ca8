import Lanes

/// Takes the recorded steps of one trajectory once more, with another equation: that of tangents, say.
struct TrajectoryReplay {
  let stepper: Stepper

  /// - Parameters:
  ///   - jump: the state after an event.
  ///   - copy: where the steps are recorded, with the states of this equation.
  /// - Returns: why a step was not solved for; nil if all were.
  func solve(
    _ record: StepRecord, from initialState: UnsafePointer<Double>,
    outputTimes: UnsafeBufferPointer<Double>, outputs: UnsafeMutablePointer<Double>, copy: StepRecord?,
    events: EventFunctions?
  ) -> DifferentialEquationError? {
    let n = stepper.stateCount
    let state = stepper.state
    state.update(from: initialState, count: n)
    copy?.append(record.times[0], state)
    var next = 0
    var jump = 0
    while next < outputTimes.count && outputTimes[next] == record.times[0] {
      (outputs + next * n).update(from: state, count: n)
      next += 1
    }
    guard record.stepCount > 0 else { return nil }
    let direction = record.times[1] < record.times[0] ? -1.0 : 1.0
    stepper.time.pointee = record.times[0]
    stepper.begin()
    for row in 0..<record.stepCount {
      let (time, end) = (record.times[row], record.times[row + 1])
      stepper.time.pointee = time
      stepper.step.pointee = end - time
      if stepper.stepOrder > 0 { stepper.prescribe(order: record.order(row)) }
      let error = stepper.attempt()
      guard error != .infinity, areFinite(UnsafePointer(stepper.result), count: n) else {
        return DifferentialEquationError(
          .nonFiniteRate, time: time, step: row + 1, component: stepper.worstComponent(),
          message: stepper.functions.failure().map { "\($0)" } ?? "the tangents of a step were not solved for"
        )
      }
      let order = stepper.stepOrder
      var isPrepared = false
      while next < outputTimes.count, (outputTimes[next] - end) * direction <= 0 {
        if outputTimes[next] == end {
          (outputs + next * n).update(from: stepper.result, count: n)
        } else {
          if !isPrepared { stepper.prepareOutputs() }
          isPrepared = true
          stepper.output(at: (outputTimes[next] - time) / (end - time), into: outputs + next * n)
        }
        next += 1
      }
      stepper.accept()
      stepper.time.pointee = end
      if jump < record.jumps.count, record.jumps[jump].row == row + 1 {
        var after = [Double](repeating: 0, count: n)
        events!.jump(record.jumps[jump].event, end, state, &after)
        state.update(from: after, count: n)
        copy?.noteJump(event: record.jumps[jump].event)
        jump += 1
        stepper.begin()
      }
      copy?.append(end, state, order: order)
    }
    return nil
  }
}
