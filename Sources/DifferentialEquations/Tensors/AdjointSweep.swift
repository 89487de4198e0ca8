import Autodiff

/// Takes cotangents of one trajectory after another backwards in time.
///
/// λ is measured in units of the largest cotangent that comes in: tolerances, and with them all that is made here, serve every trajectory.
final class AdjointSweep {
  private let equation: TracedEquation
  private let options: SolverOptions
  private let keepsState: Bool
  /// Of the state: recorded steps are made again as they were made.
  private let stateTolerances: [Double]
  private let n: Int
  private let p: Int
  private lazy var functions: RateFunctions<Double> = equation.singleFunctions()
  /// What steps of its own need; made when one is taken.
  private var solver: TrajectorySolver?
  private var trajectory: InterpolatedTrajectory?
  /// Steps that are taken many at once, where that is worth it.
  private let steps: AdjointSteps?
  private let memory: StepMemory
  /// The state if it is solved for, λ, and the parameters' cotangents.
  private let z: UnsafeMutablePointer<Double>
  private let result: UnsafeMutablePointer<Double>
  private let lambda: UnsafeMutablePointer<Double>
  private let integrals: UnsafeMutablePointer<Double>

  // The trajectory.
  @exclusivity(unchecked) private var record: StepRecord?
  @exclusivity(unchecked) private var events: EventFunctions?
  @exclusivity(unchecked) private var parameters: UnsafePointer<Double>
  @exclusivity(unchecked) private var startTime = 0.0
  /// Whether steps along the record are taken many at once.
  @exclusivity(unchecked) private var followsSteps = false
  /// Whether solver and recorded solution are those of this trajectory.
  @exclusivity(unchecked) private var isBound = false
  /// Where the sweep stands, the next event, the steps that are left, and the size of the next step.
  @exclusivity(unchecked) private var time = 0.0
  @exclusivity(unchecked) private var jump = -1
  @exclusivity(unchecked) private var rowsEnd = 0
  @exclusivity(unchecked) private var size: Double?

  /// - Parameters:
  ///   - equation: with its adjoint's programs prepared.
  ///   - keepsState: the state is interpolated from the recorded solution; otherwise it is solved for backwards.
  init(
    _ equation: TracedEquation, _ options: SolverOptions, keepsState: Bool, stateTolerances: [Double],
    _ maps: AdjointMaps?
  ) {
    self.equation = equation
    self.options = options
    self.keepsState = keepsState
    self.stateTolerances = stateTolerances
    steps = maps.map { AdjointSteps($0) }
    (n, p) = (equation.stateCount, equation.parameterCount)
    let offset = keepsState ? 0 : n
    let memory = StepMemory(2 * (offset + n + p) + p)
    self.memory = memory
    z = memory.take(offset + n + p)
    result = memory.take(offset + n + p)
    lambda = z + offset
    integrals = lambda + n
    parameters = UnsafePointer(memory.take(p))
  }

  /// Solves the adjoint equation of one trajectory.
  /// - Parameters:
  ///   - record: its steps, of a solution that is kept.
  ///   - states: the solution at the times of output, `[outputCount][stateCount]`.
  ///   - cotangents: of these.
  ///   - initial: the cotangent of the initial state.
  ///   - parameterCotangent: that of the parameters.
  func solve(
    _ problem: BatchProblem, row: Int, _ record: StepRecord?, states: UnsafePointer<Double>,
    cotangents: UnsafePointer<Double>, initial: UnsafeMutablePointer<Double>,
    parameters parameterCotangent: UnsafeMutablePointer<Double>
  ) -> DifferentialEquationError? {
    let (times, m) = (problem.outputTimes(of: row), problem.outputCount)
    let scale = Self.scale(UnsafeBufferPointer(start: cotangents, count: m * n))
    begin(problem, row, record)
    defer {
      for c in 0..<n { initial[c] = lambda[c] * scale }
      for q in 0..<p { parameterCotangent[q] = integrals[q] * scale }
      // The record may be large, and is not this one's to keep.
      (self.record, events) = (nil, nil)
      steps?.end()
      trajectory?.end()
    }
    for k in (0..<m).reversed() {
      if let failure = move(to: times[k]) { return failure }
      if !keepsState { z.update(from: states + k * n, count: n) }
      for c in 0..<n { lambda[c] += cotangents[k * n + c] / scale }
    }
    if let failure = move(to: startTime) { return failure }
    if followsSteps { steps!.addIntegrals(to: integrals) }
    return nil
  }
  /// The largest cotangent; one if there is none.
  private static func scale(_ cotangents: UnsafeBufferPointer<Double>) -> Double {
    let largest = cotangents.reduce(0) { max($0, $1.magnitude) }
    return largest > 0 && largest.isFinite ? largest : 1
  }
  private func begin(_ problem: BatchProblem, _ row: Int, _ record: StepRecord?) {
    self.record = record
    parameters = problem.parameters(of: row)
    startTime = problem.startTimes[row]
    events = equation.eventFunctions(parameters: parameters)
    isBound = false
    z.update(repeating: 0, count: (keepsState ? 0 : n) + n + p)
    let times = problem.outputTimes(of: row)
    time = times[times.count - 1]
    (jump, rowsEnd) = ((record?.jumps.count ?? 0) - 1, record?.stepCount ?? 0)
    size = nil
    // Time has the same scale backwards; a multistep method begins anew with its lowest order.
    if options.fixedStep == nil, !isMultistep, let record, record.stepCount > 0 {
      let last = record.stepCount
      size = (record.times[last] - record.times[max(last - 2, 0)]).magnitude / Double(min(last, 2))
    }
    followsSteps = false
    guard let steps, let record, AdjointMaps.suits(record), record.times[record.stepCount] == time,
      record.times[0] == startTime
    else { return }
    followsSteps = true
    steps.begin(parameters, tolerances)
    steps.follow(record) { AdjointMaps.plan(record, outputTimes: times, into: &$0) }
  }
  private var isMultistep: Bool { options.method == .backwardDifferentiation }
  /// The relative tolerance of λ, and the absolute one.
  private var tolerances: (relative: Double, absolute: Double) {
    let absolute = stateTolerances.max() ?? 0
    // Without an absolute tolerance, cotangents that are zero at first would have none at all.
    let least = absolute > 0 ? absolute : 1e-6 * options.relativeTolerance
    let factor = options.method.isImplicit ? 1 : Self.toleranceFactor
    return (factor * options.relativeTolerance, factor * least)
  }
  /// With explicit methods errors of λ may be so many times the tolerances: on a recorded solution the gradient is not less accurate than that
  /// of the steps of the solution, since steps are no longer than these, which have resolved what there is in time. Where integrals have
  /// a say in the choice of steps, their errors may be so many times the tolerances.
  private static let toleranceFactor = 10.0

  /// Solves back to a time, through the events on the way and at it. At the time of an event outputs are those before it.
  private func move(to end: Double) -> DifferentialEquationError? {
    while jump >= 0, let record, let events {
      let (place, event) = record.jumps[jump]
      let moment = record.times[place]
      let direction = record.times[record.stepCount] > record.times[0] ? 1.0 : -1.0
      if (moment - end) * direction < 0 { break }
      if let failure = solve(to: moment, rows: place..<rowsEnd) { return failure }
      boundTrajectory(record).end(ofStep: place - 1, into: result)
      events.pullback(event, moment, result, lambda, integrals)
      rowsEnd = place
      jump -= 1
    }
    return solve(to: end, rows: (jump >= 0 ? record!.jumps[jump].row : 0)..<rowsEnd)
  }

  private func solve(to end: Double, rows: Range<Int>) -> DifferentialEquationError? {
    while time != end {
      var target = end
      if followsSteps, let steps, !steps.isFinished {
        let isTaken = steps.advance(lambda)
        time = steps.time ?? time
        if isTaken { continue }
        (target, size) = steps.skip(from: time)
      }
      if let failure = step(to: target, rows) { return failure }
    }
    return nil
  }

  /// Solves in steps of the sweep's own.
  private func step(to end: Double, _ rows: Range<Int>) -> DifferentialEquationError? {
    let (solver, trajectory) = boundSolver()
    trajectory?.restrict(to: rows)
    let outcome = withUnsafePointer(to: end) {
      solver.solve(
        from: time, z, outputTimes: UnsafeBufferPointer(start: $0, count: 1), outputs: result,
        firstStep: size,
        // Steps are no longer than those of the solution there.
        stepLimit: isMultistep ? nil : trajectory.map { trajectory in { trajectory.stepSize(before: $0) } })
    }
    if let failure = outcome.failure { return failure }
    z.update(from: result, count: solver.stepper.stateCount)
    time = end
    if !isMultistep { size = outcome.nextStep }
    return nil
  }

  /// The recorded solution between its steps.
  private func boundTrajectory(_ record: StepRecord) -> InterpolatedTrajectory {
    bind()
    return trajectory!
  }
  private func boundSolver() -> (TrajectorySolver, InterpolatedTrajectory?) {
    bind()
    return (solver!, trajectory)
  }
  /// Makes what steps of the sweep's own need, and says which trajectory is meant.
  private func bind() {
    if isBound { return }
    isBound = true
    functions.bind(parameters)
    if let record {
      if let trajectory {
        trajectory.follow(record)
      } else {
        trajectory = InterpolatedTrajectory(
          record, stepCount: 4, options.method.stepper(functions, options, tolerances: stateTolerances))
      }
    }
    if solver == nil { solver = makeSolver() }
    solver!.stepper.functions.bind(parameters)
  }
  private func makeSolver() -> TrajectorySolver {
    let (relative, absolute) = tolerances
    var measured = options
    measured.relativeTolerance = relative
    var tolerances = [Double](repeating: absolute, count: n)
    if let trajectory, let tableau = options.method.explicitTableau {
      let stepper = ExplicitAdjointStepper(
        tableau, equation, trajectory, relativeTolerance: relative, absoluteTolerances: tolerances,
        integrals: integrals)
      return TrajectorySolver(stepper, measured, tolerances: tolerances)
    }
    if let trajectory, let tableau = options.method.implicitTableau, n <= ImplicitAdjointStepper.largestSize {
      let stepper = ImplicitAdjointStepper(
        tableau, forward: functions, trajectory, relativeTolerance: relative, absoluteTolerances: tolerances,
        integrals: integrals)
      return TrajectorySolver(stepper, measured, tolerances: tolerances)
    }
    let isJoint = !options.method.isImplicit
    if isJoint {
      // Smaller steps than one would take forwards are refused less often, which takes as many evaluations as they.
      measured.control.safety = min(options.control.safety, 0.8)
    }
    let factor = isJoint ? Self.toleranceFactor : 1
    tolerances = (keepsState ? [] : stateTolerances.map { $0 * factor }) + tolerances
    // The integrals have a say: λ may be constant where they are not.
    tolerances += [Double](repeating: absolute / factor * Self.toleranceFactor, count: p)
    let rates: RateFunctions<Double>
    if isJoint {
      guard let joint = try? equation.adjoint.jointEquation(equation) else {
        preconditionFailure("the adjoint equation was not prepared")
      }
      rates = joint.singleFunctions()
    } else {
      rates = .adjoint(of: functions, along: trajectory)
    }
    return TrajectorySolver(
      options.method.stepper(rates, measured, tolerances: tolerances), measured, tolerances: tolerances)
  }
}
