/// Solutions of a differential equation for one or several trajectories.
public struct EquationSolution: Sendable {
  /// Components of a state.
  public let stateCount: Int
  /// Times of output of each trajectory.
  public let timeCount: Int
  /// States at the times of output, one trajectory after the other, row-major: `[trajectories][times][components]`.
  public let states: [Double]
  /// What each trajectory took.
  public let statistics: [SolverStatistics]
  /// Why trajectories were not solved to the end, if the caller asked for what there is of them; states at times that were not reached
  /// are NaN.
  public let failures: [DifferentialEquationError]
  /// Where each trajectory ended.
  public let endTimes: [Double]
  /// The events of each trajectory, in order.
  public let events: [[Event]]

  /// An event that happened.
  public struct Event: Sendable, Hashable {
    /// When.
    public let time: Double
    /// Which of the equation's events.
    public let index: Int
  }

  let steps: RecordedSteps?
  let problem: EquationData
  let solver: BatchSolver

  /// The states of one trajectory at one time of output.
  public func state(trajectory: Int = 0, time: Int) -> [Double] {
    let first = (trajectory * timeCount + time) * stateCount
    return Array(states[first..<first + stateCount])
  }
}

extension EquationSolution {
  /// The state at any time that the solution reached, by the continuous extension of the method's steps.
  ///
  /// At the time of an event it is the state after it, and at the end of the solution that before one.
  /// - Throws: ``DifferentialEquationError`` if the solution has no record, if that does not hold all states
  ///   (``SolverOptions/checkpoints``), or if the time lies outside.
  /// - Complexity: one step for each call; the first one for a trajectory of a batch reads all of its steps.
  public func state(trajectory: Int = 0, at time: Double) throws(DifferentialEquationError) -> [Double] {
    func refuse(_ message: String) -> DifferentialEquationError { .init(.argument, message: message) }
    guard let record = steps?.record(of: trajectory) else {
      throw refuse("the solution has no record of trajectory \(trajectory) (keepsRecord)")
    }
    guard record.stride == 1 else {
      throw refuse("the record does not hold all states (checkpoints)")
    }
    let ends = [problem.startTimes[trajectory], endTimes[trajectory]].sorted()
    guard time >= ends[0] && time <= ends[1] else {
      throw refuse("time \(time) lies outside of [\(ends[0]), \(ends[1])]")
    }
    var result = [Double](repeating: 0, count: stateCount)
    problem.withProblem(solver.equation) { problem in
      let stepper = solver.stepper()
      stepper.functions.bind(problem.parameters(of: trajectory))
      InterpolatedTrajectory(record, stepCount: 1, stepper).state(at: time, into: &result)
    }
    return result
  }
}

/// The arrays of a batch, owned.
struct EquationData: Sendable {
  var initialStates: [Double]
  var parameters: [Double]
  var startTimes: [Double]
  var outputTimes: [Double]
  var rows: Int
  var blocks: Int
  /// Parameters at the front of each block that the caller knows nothing of.
  var hiddenParameters = 0

  func withProblem<Result, Failure>(
    _ equation: any Equation, _ body: (BatchProblem) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try initialStates.withUnsafeBufferPointer { states throws(Failure) in
      try parameters.withUnsafeBufferPointer { parameters throws(Failure) in
        try startTimes.withUnsafeBufferPointer { starts throws(Failure) in
          try outputTimes.withUnsafeBufferPointer { times throws(Failure) in
            let none = UnsafePointer<Double>(bitPattern: 64)!
            return try body(
              BatchProblem(
                stateCount: equation.stateCount, parameterCount: equation.parameterCount,
                initialStates: states.baseAddress ?? none, parameters: parameters.baseAddress ?? none,
                rowsPerBlock: max(rows / max(blocks, 1), 1), startTimes: starts.baseAddress ?? none,
                outputTimes: times.baseAddress ?? none, outputCount: outputTimes.count / max(rows, 1)))
          }
        }
      }
    }
  }
}

/// Checks that times of output are finite and go one way.
func requireMonotone(_ times: some BidirectionalCollection<Double>, from start: Double)
  throws(DifferentialEquationError)
{
  func refuse(_ message: String) -> DifferentialEquationError { .init(.argument, message: message) }
  guard let end = times.last else { throw refuse("there are no times of output") }
  guard start.isFinite, times.allSatisfy(\.isFinite) else { throw refuse("times must be finite") }
  let direction = end >= start ? 1.0 : -1.0
  var last = start
  for time in times {
    guard (time - last) * direction >= 0 else {
      throw refuse("times of output must go one way from the initial time \(start); \(time) follows \(last)")
    }
    last = time
  }
}

extension Equation {
  /// Solves a batch of trajectories.
  func solution(
    _ data: EquationData, _ options: SolverOptions, keepsRecord: Bool, keepsStages: Bool = false,
    allowsFailures: Bool, pool: SolverPool? = nil
  ) throws(DifferentialEquationError) -> EquationSolution {
    func refuse(_ message: String) -> DifferentialEquationError { .init(.argument, message: message) }
    let rows = data.rows
    guard data.initialStates.count == rows * stateCount, rows > 0, stateCount > 0 else {
      throw refuse("\(data.initialStates.count) numbers are not \(rows) states of \(stateCount) components")
    }
    guard data.parameters.count == data.blocks * parameterCount, data.blocks > 0, rows % data.blocks == 0
    else {
      throw refuse(
        "\(data.parameters.count) parameters for an equation of \(parameterCount), solved for \(rows) trajectories"
      )
    }
    let m = data.outputTimes.count / rows
    for row in 0..<rows {
      try requireMonotone(Array(data.outputTimes[row * m..<(row + 1) * m]), from: data.startTimes[row])
    }
    let solver = try BatchSolver(self, options, pool: pool)
    if options.method.isImplicit && !isTraced { try requireDenseMatrices(size: stateCount) }
    var states = [Double](repeating: .nan, count: rows * m * stateCount)
    let (outcomes, steps) = states.withUnsafeMutableBufferPointer { states in
      data.withProblem(self) {
        solver.solve(
          $0, rows: rows, outputs: states.baseAddress!, keepsRecord: keepsRecord, keepsStages: keepsStages)
      }
    }
    let failures = outcomes.compactMap(\.failure)
    if !allowsFailures, let failure = failures.first { throw failure }
    return EquationSolution(
      stateCount: stateCount, timeCount: m, states: states, statistics: outcomes.map(\.statistics),
      failures: failures, endTimes: outcomes.map(\.endTime),
      events: outcomes.map { $0.events.map { EquationSolution.Event(time: $0.time, index: $0.event) } },
      steps: steps, problem: data, solver: solver)
  }
}

extension NativeEquation {
  /// Solves the equation for one or several trajectories.
  ///
  /// Explicit methods keep some solvers of single trajectories, with their memory, for the next call with the same options.
  /// - Parameters:
  ///   - initialStates: `stateCount` numbers for each trajectory.
  ///   - parameters: `parameterCount` numbers that all share, or so many for each trajectory.
  ///   - startTime: of all trajectories.
  ///   - times: times of output, later (or earlier) and later; the last is the end.
  ///   - options: method, tolerances and limits.
  ///   - keepsRecord: the steps are kept, so that ``EquationSolution/pullback(_:)`` can be called.
  ///   - allowsFailures: what there is of trajectories that fail is returned instead of an error.
  /// - Throws: ``DifferentialEquationError``.
  public func solve(
    from initialStates: [Double], parameters: [Double], startTime: Double = 0, times: [Double],
    options: SolverOptions = SolverOptions(), keepsRecord: Bool = false, allowsFailures: Bool = false
  ) throws(DifferentialEquationError) -> EquationSolution {
    let rows = initialStates.count / max(stateCount, 1)
    let blocks = parameters.count == parameterCount ? 1 : rows
    return try solution(
      EquationData(
        initialStates: initialStates, parameters: parameters,
        startTimes: [Double](repeating: startTime, count: rows),
        outputTimes: Array(repeatElement(times, count: rows).joined()), rows: rows, blocks: blocks),
      options, keepsRecord: keepsRecord, allowsFailures: allowsFailures, pool: solvers)
  }
}

extension EquationSolution {
  /// Cotangents of initial states and parameters, by the reverse sweep over the steps taken: the exact derivative of what was computed,
  /// with the times of steps held fixed.
  ///
  /// - Parameter cotangents: of ``states``, in their order.
  /// - Returns: cotangents of the initial states, and of the parameters of each trajectory (of parameters that are shared, their sum).
  /// - Throws: ``DifferentialEquationError`` if the solution has no record, failed, or the count is wrong.
  public func pullback(_ cotangents: [Double]) throws(DifferentialEquationError) -> (
    initialStates: [Double], parameters: [Double]
  ) {
    guard let steps else {
      throw DifferentialEquationError(.argument, message: "the solution has no record (keepsRecord)")
    }
    if let failure = failures.first { throw failure }
    guard cotangents.count == states.count else {
      throw DifferentialEquationError(
        .argument, message: "\(cotangents.count) cotangents for \(states.count) numbers of the solution")
    }
    let equation = solver.equation
    let (rows, p) = (problem.rows, equation.parameterCount)
    var initial = [Double](repeating: 0, count: rows * stateCount)
    var parameters = [Double](repeating: 0, count: rows * p + 1)
    initial.withUnsafeMutableBufferPointer { initial in
      parameters.withUnsafeMutableBufferPointer { parameters in
        cotangents.withUnsafeBufferPointer { cotangents in
          problem.withProblem(equation) {
            solver.reverse(
              $0, rows: rows, steps: steps, cotangents: cotangents.baseAddress!,
              states: initial.baseAddress!, parameters: parameters.baseAddress!)
          }
        }
      }
    }
    parameters.removeLast()
    let sums = summed(parameters, rows: rows, blocks: problem.blocks, width: p)
    let hidden = problem.hiddenParameters
    return (initial, sums.indices.filter { $0 % p >= hidden }.map { sums[$0] })
  }
}

/// Sums of rows over blocks of neighbouring rows.
func summed(_ values: [Double], rows: Int, blocks: Int, width: Int) -> [Double] {
  if rows == blocks { return values }
  var sums = [Double](repeating: 0, count: blocks * width)
  let rowsPerBlock = rows / max(blocks, 1)
  for row in 0..<rows {
    for k in 0..<width { sums[row / rowsPerBlock * width + k] += values[row * width + k] }
  }
  return sums
}
