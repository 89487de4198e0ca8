import Autodiff
import Lanes
import Synchronization

/// How derivatives of a solution are computed.
public enum GradientMethod: String, Sendable, Hashable, CaseIterable {
  /// The exact derivative of the steps taken, backwards through them; with ``SolverOptions/checkpoints`` in bounded memory.
  case discreteAdjoint
  /// Derivatives with respect to the initial state and all parameters are solved together with the state, with the error of all under
  /// control: for few parameters. Implicit Runge–Kutta methods take eight derivatives at a time (of up to 16 components), with one and a half to
  /// two solutions for the first eight and about one for each further one. Explicit ones multiply all derivatives with the matrices ∂f/∂y and
  /// ∂f/∂p, computed once: five of the Lorenz system take about five of its very short solutions, 35 of a larger system nine to twelve; where
  /// the matrices take more work than the derivatives, eight of these at a time again.
  case forwardSensitivity
  /// The adjoint equation, solved backwards in time with steps of its own, along the interpolated forward solution. Besides the states the
  /// record holds the rates of the stages of Runge–Kutta methods, as far as 256 MiB go for each trajectory. Steps are no longer than those of the
  /// solution: an effect of parameters that these have not seen, as of a forcing whose amplitude is zero, needs a
  /// ``SolverOptions/maximumStep``.
  case continuousAdjoint
  /// As ``continuousAdjoint``, with the state solved backwards along with it instead of being kept: memory does not grow with
  /// time, but what the equation damps forwards grows backwards, so that it is not for dissipative equations, nor for events.
  case backsolve
}

/// Solutions of a traced equation for rows of a batch: numbers in, numbers out.
struct EquationKernel: Hashable {
  let equation: TracedEquation
  let options: SolverOptions
  let gradient: GradientMethod
  let timeCount: Int
  /// The solution ends at an event, before the time of output; where it ends is a second result.
  var endsAtEvent = false
  /// For solutions of one trajectory.
  private let solvers = SolverPool()
  var name: String { "solveEquation" }

  init(equation: TracedEquation, options: SolverOptions, gradient: GradientMethod, timeCount: Int) {
    self.equation = equation
    self.options = options
    self.gradient = gradient
    self.timeCount = timeCount
  }

  var n: Int { equation.stateCount }
  var p: Int { equation.parameterCount }

  static func == (a: Self, b: Self) -> Bool {
    a.equation === b.equation && a.options == b.options && a.gradient == b.gradient
      && a.timeCount == b.timeCount && a.endsAtEvent == b.endsAtEvent
  }
  func hash(into hasher: inout Hasher) {
    hasher.combine(ObjectIdentifier(equation))
    hasher.combine(options)
    hasher.combine(gradient)
    hasher.combine(timeCount)
  }

  func operandTypes(rows: Int, blocks: Int) -> [TensorType] {
    [[rows, n], [blocks, p], [rows], [rows, timeCount]].map { TensorType(.float64, $0) }
  }
  func resultType(rows: Int) -> TensorType { TensorType(.float64, [rows, timeCount, n]) }
  /// Results that are no numbers to differentiate: the times of ends.
  func constantTypes(rows: Int) -> [TensorType] { endsAtEvent ? [TensorType(.float64, [rows])] : [] }

  /// A derivative that is solved for along with the state, or steps of it.
  final class Tape: Sendable {
    let data: EquationData
    let steps: RecordedSteps?
    /// The derivatives of forward sensitivity, `[rows][times][n + p][n]`.
    let sensitivities: [Double]
    init(_ data: EquationData, _ steps: RecordedSteps?, _ sensitivities: [Double]) {
      self.data = data
      self.steps = steps
      self.sensitivities = sensitivities
    }
  }

  private func data(_ operands: [DenseArray], _ rows: Int, _ blocks: Int) -> EquationData {
    let values = operands.map { $0.values(Double.self) }
    return EquationData(
      initialStates: values[0], parameters: values[1], startTimes: values[2], outputTimes: values[3],
      rows: rows, blocks: blocks)
  }

  /// Solves; the tape holds what derivatives need.
  func solve(_ operands: [DenseArray], rows: Int, blocks: Int, keepsTape: Bool) throws(TensorError) -> (
    states: DenseArray, endTimes: DenseArray, tape: Tape?
  ) {
    var data = data(operands, rows, blocks)
    if rows == 0 {
      return (
        DenseArray([Double](), shape: resultType(rows: 0).shape), DenseArray([Double](), shape: [0]), nil
      )
    }
    guard gradient != .backsolve || equation.events == nil else {
      throw TensorError(
        .argument, name,
        "the state before an event cannot be solved for backwards; with events use another gradient method than .backsolve"
      )
    }
    // Also for the value alone: with and without derivatives it shall be the same.
    if gradient == .forwardSensitivity { return try solveSensitivities(data) }
    // Interpolation needs the states of all steps.
    var recording = options
    if gradient == .continuousAdjoint { recording.checkpoints = nil }
    let keepsRecord = keepsTape && gradient != .backsolve
    let keepsStages = gradient == .continuousAdjoint
    if rows == 1 && keepsSolvers {
      let record =
        keepsRecord
        ? StepRecord(stateCount: n, capacity: recording.checkpoints, keepsStages: keepsStages) : nil
      let states = DenseArray(uninitialized: resultType(rows: 1))
      try data.withProblem(equation) { problem throws(TensorError) in
        try solve(problem, into: states.pointer(Double.self), record: record)
      }
      let tape = keepsTape ? Tape(data, record.map { RecordedSteps([$0]) }, []) : nil
      return (states, DenseArray([data.outputTimes[timeCount - 1]], shape: [1]), tape)
    }
    let solution = try solution(
      equation, data, keepsRecord: keepsRecord, keepsStages: keepsStages, options: recording)
    let states = DenseArray(solution.states, shape: resultType(rows: rows).shape)
    let endTimes = DenseArray(solution.endTimes, shape: [rows])
    if endsAtEvent { data.outputTimes = solution.endTimes }
    return (states, endTimes, keepsTape ? Tape(data, solution.steps, []) : nil)
  }

  /// Whether solvers of one trajectory are kept: where making them takes a good part of the time.
  var keepsSolvers: Bool {
    n > 0 && gradient != .forwardSensitivity && SolverPool.suits(equation, options)
  }
  /// Solves one trajectory with such a solver.
  func solve(
    _ problem: BatchProblem, into outputs: UnsafeMutablePointer<Double>, record: StepRecord? = nil
  ) throws(TensorError) {
    let (start, times) = (problem.startTimes[0], problem.outputTimes(of: 0))
    do {
      try requireMonotone(times, from: start)
      let made = {
        try equation.prepare(pullback: false, for: options.method)
        return try BatchSolver(equation, options).singleSolver()
      }
      let outcome = try solvers.withSolver(options, made: made) { solver in
        solver.stepper.functions.bind(problem.parameters)
        return solver.forward.solve(
          from: start, problem.initialStates, outputTimes: times, outputs: outputs, record: record)
      }
      if let failure = outcome.failure { throw failure }
    } catch { throw tensorError(error) }
  }

  private func solution(
    _ equation: TracedEquation, _ data: EquationData, keepsRecord: Bool, keepsStages: Bool = false,
    options: SolverOptions? = nil
  ) throws(TensorError) -> EquationSolution {
    do {
      try equation.prepare(pullback: false, for: self.options.method)
      return try equation.solution(
        data, options ?? self.options, keepsRecord: keepsRecord, keepsStages: keepsStages,
        allowsFailures: false)
    } catch { throw tensorError(error) }
  }
  func tensorError(_ error: any Error) -> TensorError {
    switch error {
    case let error as TensorError: error
    case let error as DifferentialEquationError:
      TensorError(
        error.reason == .argument ? .argument : error.reason == .nonFiniteRate ? .nonFinite : .notConverged,
        name, error.description)
    default: TensorError(.argument, name, "\(error)")
    }
  }

  /// State and all its derivatives at once.
  private func solveSensitivities(_ data: EquationData) throws(TensorError) -> (
    states: DenseArray, endTimes: DenseArray, tape: Tape?
  ) {
    do {
      let columns = n + p
      try requireApproximateJacobians()
      try requireMemory(
        numbers: n * (1 + columns) * (options.method.workArrayCount + 2 * data.rows * timeCount),
        "the sensitivities of \(n) components to \(n) initial states and \(p) parameters",
        instead: "use the gradient method .discreteAdjoint or .continuousAdjoint")
      if let lanes = try SensitivityEquation(equation, options) {
        let (states, derivatives) = try lanes.solve(data)
        let ends = (0..<data.rows).map { data.outputTimes[($0 + 1) * timeCount - 1] }
        return (
          DenseArray(states, shape: resultType(rows: data.rows).shape),
          DenseArray(ends, shape: [data.rows]), Tape(data, nil, derivatives)
        )
      }
      let joint = try equation.sensitivityEquation()
      let solved = equation.sensitivityCount
      var extended = data
      extended.initialStates = (0..<data.rows).flatMap { row -> [Double] in
        var values = [Double](repeating: 0, count: n * solved)
        for k in 0..<n { values[k * n + k] = 1 }
        return data.initialStates[row * n..<(row + 1) * n] + values
      }
      var options = options
      let tolerances = try options.tolerances(n)
      options.absoluteTolerances = (0..<1 + solved).flatMap { _ in tolerances }
      let solution = try solution(joint, extended, keepsRecord: false, options: options)
      var states: [Double] = []
      var derivatives: [Double] = []
      let width = n * (1 + solved)
      for k in 0..<data.rows * timeCount {
        states += solution.states[k * width..<k * width + n]
        // Nothing depends on the first parameter.
        let column = k * width + n * (1 + n)
        derivatives += solution.states[k * width + n..<column]
        derivatives += repeatElement(0, count: n)
        derivatives += solution.states[column..<(k + 1) * width]
      }
      return (
        DenseArray(states, shape: resultType(rows: data.rows).shape),
        DenseArray(solution.endTimes, shape: [data.rows]), Tape(data, nil, derivatives)
      )
    } catch { throw tensorError(error) }
  }

  /// Throws if the method needs the whole Jacobian: those of sensitivities and adjoint equations are made of that of the state alone.
  private func requireApproximateJacobians() throws(DifferentialEquationError) {
    guard options.method.rosenbrockTableau == nil else {
      throw DifferentialEquationError(
        .argument,
        message:
          "\(options.method) has the gradient method .discreteAdjoint only; for \(gradient) use an implicit method"
      )
    }
  }

  // MARK: Derivatives

  /// Tangents of the solution.
  func pushforward(_ tape: Tape, _ tangents: [DenseArray?]) throws(TensorError) -> DenseArray {
    let data = tape.data
    let type = resultType(rows: data.rows)
    let (states, parameters) = directions(data, tangents)
    if gradient == .forwardSensitivity {
      var result = [Double](repeating: 0, count: type.count)
      let columns = n + p
      for row in 0..<data.rows {
        let block = row / max(data.rows / data.blocks, 1)
        let direction = states[row * n..<(row + 1) * n] + parameters[block * p..<(block + 1) * p]
        for k in 0..<timeCount {
          let place = (row * timeCount + k) * n
          for (column, weight) in direction.enumerated() {
            let first = place * columns + column * n
            for c in 0..<n { result[place + c] += weight * tape.sensitivities[first + c] }
          }
        }
      }
      return DenseArray(result, shape: type.shape)
    }
    let replay = try replayTangents(tape, states, parameters, keepsRecord: false)
    var result: [Double] = []
    result.reserveCapacity(type.count)
    for k in 0..<data.rows * timeCount { result += replay.outputs[(2 * k + 1) * n..<(2 * k + 2) * n] }
    return DenseArray(result, shape: type.shape)
  }
  private func directions(_ data: EquationData, _ tangents: [DenseArray?]) -> (
    states: [Double], parameters: [Double]
  ) {
    (
      tangents[0]?.values(Double.self) ?? [Double](repeating: 0, count: data.rows * n),
      tangents[1]?.values(Double.self) ?? [Double](repeating: 0, count: data.blocks * p)
    )
  }

  /// The steps of the tape with the equation of state and tangent.
  private func replayTangents(_ tape: Tape, _ states: [Double], _ parameters: [Double], keepsRecord: Bool)
    throws(TensorError) -> (
      outputs: [Double], steps: RecordedSteps?, data: EquationData, solver: BatchSolver
    )
  {
    do {
      let records = try recorded(tape)
      let equation = try equation.tangentEquation()
      try equation.prepare(pullback: keepsRecord, for: options.method)
      var data = tape.data
      data.initialStates = interleaved(data.initialStates, states, width: n)
      data.parameters = interleaved(data.parameters, parameters, width: p)
      var options = options
      if options.absoluteTolerances.count > 1 { options.absoluteTolerances += options.absoluteTolerances }
      let solver = try BatchSolver(equation, options)
      var outputs = [Double](repeating: 0, count: data.rows * timeCount * 2 * n)
      var steps: RecordedSteps?
      var failure: DifferentialEquationError?
      outputs.withUnsafeMutableBufferPointer { outputs in
        data.withProblem(equation) { problem in
          do throws(DifferentialEquationError) {
            steps = try solver.replay(
              problem, rows: data.rows, records: records, outputs: outputs.baseAddress!,
              keepsRecord: keepsRecord)
          } catch { failure = error }
        }
      }
      if let failure { throw failure }
      try requireFinite(outputs, ifSo: states + parameters, "the tangents of the solution")
      return (outputs, steps, data, solver)
    } catch { throw tensorError(error) }
  }
  /// The steps; of methods that keep none they are taken again.
  private func recorded(_ tape: Tape) throws(TensorError) -> [StepRecord] {
    if let steps = tape.steps { return steps.records }
    return try solution(equation, tape.data, keepsRecord: true).steps?.records ?? []
  }

  /// Cotangents of initial states and parameters.
  func pullback(_ tape: Tape, _ cotangents: DenseArray, states: DenseArray) throws(TensorError)
    -> [DenseArray]
  {
    let values = cotangents.values(Double.self)
    switch gradient {
    case .forwardSensitivity:
      let columns = n + p
      let data = tape.data
      var initial = [Double](repeating: 0, count: data.rows * n)
      var parameters = [Double](repeating: 0, count: data.blocks * p)
      for row in 0..<data.rows {
        let block = row / max(data.rows / data.blocks, 1)
        for k in 0..<timeCount {
          let place = (row * timeCount + k) * n
          for column in 0..<columns {
            let first = place * columns + column * n
            var sum = 0.0
            for c in 0..<n { sum += values[place + c] * tape.sensitivities[first + c] }
            if column < n {
              initial[row * n + column] += sum
            } else {
              parameters[block * p + column - n] += sum
            }
          }
        }
      }
      return [
        DenseArray(initial, shape: [data.rows, n]), DenseArray(parameters, shape: [data.blocks, p]),
      ]
    case .discreteAdjoint:
      do { try equation.prepare(pullback: true, for: options.method) } catch {
        throw tensorError(error)
      }
      let solver: BatchSolver
      do { solver = try BatchSolver(equation, options, pool: solvers) } catch { throw tensorError(error) }
      return try reverse(solver, tape.data, tape.steps, values)
    case .continuousAdjoint, .backsolve:
      do {
        try requireApproximateJacobians()
        try equation.prepare(pullback: true, for: options.method)
        let (initial, parameters) = try AdjointEquation(
          equation, options, keepsState: gradient == .continuousAdjoint
        )
        .solve(tape.data, tape.steps?.records ?? [], states: states.values(Double.self), cotangents: values)
        try requireFinite(initial + parameters, ifSo: values, "the gradient of the solution")
        return [
          DenseArray(initial, shape: [tape.data.rows, n]),
          DenseArray(parameters, shape: [tape.data.blocks, p]),
        ]
      } catch { throw tensorError(error) }
    }
  }

  private func reverse(
    _ solver: BatchSolver, _ data: EquationData, _ steps: RecordedSteps?, _ cotangents: [Double]
  ) throws(TensorError) -> [DenseArray] {
    guard let steps else { throw TensorError(.argument, name, "the steps of the solution were not kept") }
    let (n, p) = (solver.equation.stateCount, solver.equation.parameterCount)
    let initial = DenseArray(uninitialized: .float64, [data.rows, n])
    var parameters = [Double](repeating: 0, count: data.rows * p)
    parameters.withUnsafeMutableBufferPointer { parameters in
      cotangents.withUnsafeBufferPointer { cotangents in
        data.withProblem(solver.equation) {
          solver.reverse(
            $0, rows: data.rows, steps: steps, cotangents: cotangents.baseAddress!,
            states: initial.pointer(Double.self), parameters: parameters.baseAddress!)
        }
      }
    }
    try requireFinite(
      initial.values(Double.self) + parameters, ifSo: cotangents, "the gradient of the solution")
    return [
      initial,
      DenseArray(
        summed(parameters, rows: data.rows, blocks: data.blocks, width: p), shape: [data.blocks, p]),
    ]
  }

  /// Throws if a derivative is not finite though the direction that it belongs to is.
  private func requireFinite(_ values: [Double], ifSo given: [Double], _ role: String) throws(TensorError) {
    guard values.allSatisfy(\.isFinite) || !given.allSatisfy(\.isFinite) else {
      throw TensorError(
        .nonFinite, name,
        "\(role) is not finite. Likely causes: a step whose matrix is singular, derivatives that grow without end, a right-hand side "
          + "without a derivative")
    }
  }

  /// How the pullback's results change along tangents of operands and cotangents.
  ///
  /// With the solution S and its tangent S' ẋ as one solution of the equation of state and tangent, the pullback of it with the
  /// cotangents (ċ, c) is S'ᵀ ċ + (S'' ẋ)ᵀ c: the derivative of S'ᵀ c.
  func pullbackRates(
    _ tape: Tape, _ tangents: [DenseArray?], _ cotangents: DenseArray, _ rates: DenseArray
  ) throws(TensorError) -> [DenseArray] {
    guard gradient == .discreteAdjoint else {
      throw TensorError(
        .unsupportedDerivative, name,
        "second derivatives are those of the steps taken: use the gradient method .discreteAdjoint")
    }
    let (states, parameters) = directions(tape.data, tangents)
    let replay = try replayTangents(tape, states, parameters, keepsRecord: true)
    let (c, r) = (cotangents.values(Double.self), rates.values(Double.self))
    let seeds = interleaved(r, c, width: n)
    let both = try reverse(replay.solver, replay.data, replay.steps, seeds).map { $0.values(Double.self) }
    func firstHalves(_ values: [Double], _ count: Int, _ width: Int) -> DenseArray {
      var result: [Double] = []
      for k in 0..<count { result += values[2 * k * width..<(2 * k + 1) * width] }
      return DenseArray(result, shape: [count, width])
    }
    return [firstHalves(both[0], tape.data.rows, n), firstHalves(both[1], tape.data.blocks, p)]
  }
}

/// Rows of two arrays in turn.
private func interleaved(_ a: [Double], _ b: [Double], width: Int) -> [Double] {
  var result: [Double] = []
  result.reserveCapacity(a.count + b.count)
  for start in stride(from: 0, to: a.count, by: max(width, 1)) {
    result += a[start..<start + width]
    result += b[start..<start + width]
  }
  return result
}

/// Numbers that stand for tapes; zero stands for none.
enum TapeNumbers {
  private static let last = Atomic<UInt32>(0)
  static func next() -> Int32 {
    let number = last.wrappingAdd(1, ordering: .relaxed).newValue
    return number == 0 ? next() : Int32(bitPattern: number)
  }
}
