import Lanes

/// Solves one trajectory at a time: steps, outputs, events, and what the reverse sweep needs.
final class TrajectorySolver {
  let stepper: Stepper
  let options: SolverOptions
  private let tolerances: [Double]
  private let memory: StepMemory
  /// A state and its rate.
  private let scratch: UnsafeMutablePointer<Double>
  private let scratchRate: UnsafeMutablePointer<Double>

  /// What a solution came to.
  struct Outcome {
    var statistics = SolverStatistics()
    /// Where the solution ended: the last output's time, that of a terminal event, or that of a failure.
    var endTime = 0.0
    /// Outputs that were reached.
    var outputCount = 0
    /// The events in order.
    var events: [(time: Double, event: Int)] = []
    var endedByEvent = false
    /// The size that a further step would have been tried with.
    var nextStep: Double?
    var failure: DifferentialEquationError?
  }

  init(_ stepper: Stepper, _ options: SolverOptions, tolerances: [Double]) {
    self.stepper = stepper
    self.options = options
    self.tolerances = tolerances
    let n = stepper.stateCount
    memory = StepMemory(2 * n)
    (scratch, scratchRate) = (memory.take(n), memory.take(n))
  }

  /// Steps smaller than this part of time are lost in its rounding.
  static let leastStep = 1e-15

  /// - Parameters:
  ///   - outputTimes: monotone, from the initial time on; the last is the end.
  ///   - outputs: a row for each output time.
  ///   - firstStep: the size of the first step; nil: as the options say.
  ///   - stepLimit: no step from a time is longer.
  ///   - onStep: called after each step, before it becomes the past: with its start and size.
  func solve(
    from startTime: Double, _ initialState: UnsafePointer<Double>,
    outputTimes: UnsafeBufferPointer<Double>, outputs: UnsafeMutablePointer<Double>,
    record: StepRecord? = nil, events: EventFunctions? = nil,
    firstStep: Double? = nil, stepLimit: ((Double) -> Double)? = nil,
    onStep: ((Double, Double) -> Void)? = nil
  ) -> Outcome {
    // Between steps of a small system, calls of methods that are known at run time only would take a good part of the time.
    if let stepper = stepper as? EightStepper {
      return solve(
        with: stepper, from: startTime, initialState, outputTimes, outputs, record, events, firstStep,
        stepLimit, onStep)
    }
    if let stepper = stepper as? SixteenStepper {
      return solve(
        with: stepper, from: startTime, initialState, outputTimes, outputs, record, events, firstStep,
        stepLimit, onStep)
    }
    return solve(
      with: stepper, from: startTime, initialState, outputTimes, outputs, record, events, firstStep,
      stepLimit, onStep)
  }

  @inline(__always)
  private func solve<Method: Stepper>(
    with stepper: Method, from startTime: Double, _ initialState: UnsafePointer<Double>,
    _ outputTimes: UnsafeBufferPointer<Double>, _ outputs: UnsafeMutablePointer<Double>,
    _ record: StepRecord?, _ events: EventFunctions?, _ firstStep: Double?,
    _ stepLimit: ((Double) -> Double)?, _ onStep: ((Double, Double) -> Void)?
  ) -> Outcome {
    var outcome = Outcome()
    let n = stepper.stateCount
    let state = stepper.state
    state.update(from: initialState, count: n)
    var time = startTime
    record?.append(time, state)
    var next = 0
    while next < outputTimes.count && outputTimes[next] == startTime {
      (outputs + next * n).update(from: state, count: n)
      next += 1
    }
    outcome.outputCount = next
    outcome.endTime = time
    guard next < outputTimes.count else { return outcome }
    let end = outputTimes[outputTimes.count - 1]
    let direction = end > time ? 1.0 : -1.0
    let control = options.control
    let isAdaptive = options.fixedStep == nil
    let (landsOnOutputs, prefersEqualSteps) = (stepper.landsOnOutputs, stepper.prefersEqualSteps)
    let choosesFactors = stepper.choosesFactors
    let exponent = 1 / Double(max(stepper.errorExponent, 1))
    let (beta1, beta2, beta3) = control.exponents
    let usesHistory = beta2 != 0 || beta3 != 0
    let exponents = (-beta1 * exponent, -beta2 * exponent, -beta3 * exponent)
    var history = (1.0, 1.0)
    var attempts = 0
    var isRestarted = true
    var sawNonFinite = false

    stepper.time.pointee = time
    stepper.begin()
    func fail(_ reason: DifferentialEquationError.Reason, _ component: Int?, _ message: String = "")
      -> Outcome
    {
      outcome.endTime = time
      outcome.failure = DifferentialEquationError(
        reason, time: time, step: attempts, component: component,
        message: stepper.functions.failure().map { "\($0)" } ?? message)
      return outcome
    }
    if let place = (0..<n).first(where: { !state[$0].isFinite || !stepper.startRate[$0].isFinite }) {
      return fail(
        .nonFiniteRate, stepper.component(at: place),
        state[place].isFinite ? "" : "the initial state is not finite")
    }
    var size =
      options.fixedStep ?? firstStep ?? options.initialStep
      ?? initialStep(direction, limit: (end - time).magnitude)
    var tracker = events.map { EventTracker($0) }
    tracker?.start(time, state)

    while true {
      size = min(size, options.maximumStep)
      if let stepLimit, isAdaptive {
        size = min(size, max(stepLimit(time), 64 * Self.leastStep * time.magnitude))
      }
      let target = landsOnOutputs ? outputTimes[next] : end
      let remaining = (target - time) * direction
      // A last step that is a little longer saves a tiny one.
      var newTime =
        size >= remaining * (isAdaptive ? 1 : 1 - 1e-10) ? target : Double.multiplyAdd(size, direction, time)
      // A step of a few units in the last place of time may be refused for ever.
      if newTime != target && size < Self.leastStep * time.magnitude || newTime == time {
        return fail(sawNonFinite ? .nonFiniteRate : .stepUnderflow, stepper.worstComponent())
      }
      if attempts >= options.maximumSteps { return fail(.tooManySteps, stepper.worstComponent()) }
      attempts += 1
      let h = newTime - time
      let error = stepper.attempt(from: time, by: h)
      if isAdaptive || !error.isFinite {
        guard error <= 1 else {
          outcome.statistics.rejectedSteps += 1
          if !error.isFinite {
            if !isAdaptive { return fail(.nonFiniteRate, stepper.worstComponent()) }
            // Infinite: the equations of the stages were not solved.
            sawNonFinite = error.isNaN
            size = h.magnitude * (error.isNaN ? control.smallestFactor : 0.5)
          } else {
            size =
              h.magnitude
              * (choosesFactors
                ? stepper.stepFactor(error: error, isAccepted: false)
                : max(
                  control.smallestFactor, min(0.95, control.safety * Double.roughPower(error, -exponent))))
          }
          isRestarted = true
          continue
        }
        sawNonFinite = false
        var factor: Double
        if choosesFactors {
          factor = stepper.stepFactor(error: error, isAccepted: true)
        } else {
          factor = control.safety * Double.roughPower(max(error, 1e-20), exponents.0)
          if usesHistory {
            factor *= Double.roughPower(history.0, exponents.1) * Double.roughPower(history.1, exponents.2)
            history = (max(error, 1e-20), history.0)
          }
          // After a refusal the step does not grow at once.
          factor = min(
            max(factor, control.smallestFactor),
            isRestarted && attempts > 1 ? 1 : control.largestFactor)
          if prefersEqualSteps && factor >= 1 && factor < 1.2 { factor = 1 }
        }
        isRestarted = false
        // A step that was cut short by an output says little about the next one.
        size =
          newTime == target && h.magnitude < size ? max(size, h.magnitude * factor) : h.magnitude * factor
      }
      // An event within the step ends it there.
      var happened: Int?
      if tracker != nil {
        stepper.prepareOutputs()
        if let found = tracker!.find(stepper, time, h) {
          happened = found.event
          newTime = found.time
          stepper.step.pointee = newTime - time
          guard stepper.attempt().isFinite else { return fail(.nonFiniteRate, stepper.worstComponent()) }
        }
      }
      outcome.statistics.acceptedSteps += 1
      var isPrepared = false
      while next < outputTimes.count, (outputTimes[next] - newTime) * direction <= 0 {
        if outputTimes[next] == newTime {
          (outputs + next * n).update(from: stepper.result, count: n)
        } else {
          if !isPrepared { stepper.prepareOutputs() }
          isPrepared = true
          stepper.output(at: (outputTimes[next] - time) / (newTime - time), into: outputs + next * n)
        }
        next += 1
      }
      outcome.outputCount = next
      onStep?(time, newTime - time)
      let order = stepper.stepOrder
      record?.appendStages(stepper.startRate, count: stepper.stageRateCount)
      stepper.accept()
      time = newTime
      stepper.time.pointee = time
      if let event = happened {
        outcome.events.append((time, event))
        if events!.isTerminal[event] {
          record?.append(time, state, order: order)
          // What would be later is the state at the end.
          for k in next..<outputTimes.count { (outputs + k * n).update(from: state, count: n) }
          outcome.outputCount = outputTimes.count
          outcome.endTime = time
          outcome.endedByEvent = true
          return outcome
        }
        events!.jump(event, time, state, scratch)
        state.update(from: scratch, count: n)
        record?.noteJump(event: event)
      }
      record?.append(time, state, order: order)
      outcome.endTime = time
      if next == outputTimes.count {
        if let events, events.isTerminal.contains(true) { return fail(.eventNotFound, nil) }
        outcome.nextStep = size
        return outcome
      }
      if happened != nil {
        stepper.begin()
        if let place = (0..<n).first(where: { !stepper.startRate[$0].isFinite }) {
          return fail(.nonFiniteRate, stepper.component(at: place))
        }
        if isAdaptive { size = initialStep(direction, limit: (end - time).magnitude) }
        tracker!.restart(happened!, time, state)
        history = (1, 1)
      } else {
        tracker?.advance()
      }
    }
  }

  /// The first step by Hairer, Nørsett and Wanner I, II.4.
  private func initialStep(_ direction: Double, limit: Double) -> Double {
    let n = stepper.stateCount
    let state = stepper.state
    let rate = stepper.startRate
    func norm(_ value: (Int) -> Double) -> Double {
      var sum = 0.0
      for c in 0..<n {
        let scale = tolerances[c] + options.relativeTolerance * state[c].magnitude
        // A component that is zero says nothing where there is no absolute tolerance.
        if scale == 0 { continue }
        sum += (value(c) / scale) * (value(c) / scale)
      }
      return (sum / Double(max(n, 1))).squareRoot()
    }
    let (d0, d1) = (norm { state[$0] }, norm { rate[$0] })
    let first = min(d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1, limit)
    for c in 0..<n { scratch[c] = state[c] + first * direction * rate[c] }
    var time = stepper.time.pointee + first * direction
    stepper.functions.rate(&time, scratch, scratchRate)
    let d2 = norm { scratchRate[$0] - rate[$0] } / first
    let largest = max(d1, d2)
    let second =
      largest <= 1e-15
      ? max(1e-6, first * 1e-3)
      : Double.power(0.01 / largest, 1 / Double(max(stepper.errorExponent, 2)))
    let step = min(100 * first, second)
    return min(step.isFinite && step > 0 ? step : first, limit)
  }
}
