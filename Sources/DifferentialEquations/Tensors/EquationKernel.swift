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
  /// ∂f/∂p, computed once: five of the Lorenz system take five to seven of its very short solutions, 35 of a larger system nine to fourteen; where
  /// the matrices take more work than the derivatives, eight of these at a time again.
  case forwardSensitivity
  /// The adjoint equation, solved backwards in time with steps of its own, along the interpolated forward solution. Besides the states the
  /// record of a larger system holds the rates of the stages of Runge–Kutta methods, as far as 256 MiB go for each trajectory. Steps are no longer
  /// than those of the solution: an effect of parameters that these have not seen, as of a forcing whose amplitude is zero, needs a
  /// ``SolverOptions/maximumStep``. Small traced systems under explicit methods take many steps at once.
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
  let solvers = SolverPool()
  /// For gradients by adjoint equations.
  let adjoint: AdjointEquation
  var name: String { "solveEquation" }

  init(equation: TracedEquation, options: SolverOptions, gradient: GradientMethod, timeCount: Int) {
    self.equation = equation
    self.options = options
    self.gradient = gradient
    self.timeCount = timeCount
    adjoint = AdjointEquation(equation, options, keepsState: gradient == .continuousAdjoint)
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
    let keepsStages = keepsRecord && adjoint.usesStages
    if rows == 1 && keepsSolvers {
      let record =
        keepsRecord
        ? StepRecord(
          stateCount: n, capacity: recording.checkpoints, keepsStages: keepsStages || sweepUsesStages) : nil
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
  /// Whether the reverse sweep over one trajectory is to find the rates of stages in the record: where these take longer to compute than
  /// to keep, and not much memory. Many steps at once make them again in less time.
  private var sweepUsesStages: Bool {
    gradient == .discreteAdjoint && options.checkpoints == nil && n <= 64 && equation.hasLongRates
      && equation.stepSource == nil
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

  func solution(
    _ equation: TracedEquation, _ data: EquationData, keepsRecord: Bool, keepsStages: Bool = false,
    options: SolverOptions? = nil
  ) throws(TensorError) -> EquationSolution {
    do {
      try equation.prepare(pullback: false, for: self.options.method)
      return try equation.solution(
        data, options ?? self.options, keepsRecord: keepsRecord, keepsStages: keepsStages,
        allowsFailures: false)
    } catch { throw tensorError(namingComponent(error)) }
  }
  /// What went wrong with a state that derivatives of it follow: the component that is to blame, or that has these derivatives.
  func namingComponent(_ error: any Error) -> any Error {
    guard var error = error as? DifferentialEquationError else { return error }
    error.component = error.component.map { $0 % n }
    return error
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

  /// Throws if the method needs the whole Jacobian: those of sensitivities and adjoint equations are made of that of the state alone.
  func requireApproximateJacobians() throws(DifferentialEquationError) {
    guard options.method.rosenbrockTableau == nil else {
      throw DifferentialEquationError(
        .argument,
        message:
          "\(options.method) has the gradient method .discreteAdjoint only; for \(gradient) use an implicit method"
      )
    }
  }
}

/// Numbers that stand for tapes; zero stands for none.
enum TapeNumbers {
  private static let last = Atomic<UInt32>(0)
  static func next() -> Int32 {
    let number = last.wrappingAdd(1, ordering: .relaxed).newValue
    return number == 0 ? next() : Int32(bitPattern: number)
  }
}
