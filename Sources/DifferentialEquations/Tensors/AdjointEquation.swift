import Lanes
import LinearAlgebra

/// The continuous adjoint: with λ the cotangent of the state, λ' = −(∂f/∂y)ᵀ λ, and the parameters' cotangent grows backwards in time by
/// (∂f/∂p)ᵀ λ. Each output adds its cotangent to λ; an event's map of states takes λ back to before it.
///
/// Steps are chosen by the errors of λ, in units of the largest cotangent that comes in (and of those of the state where that is
/// solved for along); the integrals over parameters follow, as in A. C. Hindmarsh et al., SUNDIALS, ACM Trans. Math. Softw. 31 (2005).
struct AdjointEquation: Sendable {
  private let equation: TracedEquation
  private let options: SolverOptions
  /// Of the state: recorded steps are made again as they were made.
  private let stateTolerances: [Double]
  private let keepsState: Bool

  /// - Parameter keepsState: the state is interpolated from the recorded solution; otherwise it is solved for backwards.
  init(_ equation: TracedEquation, _ options: SolverOptions, keepsState: Bool)
    throws(DifferentialEquationError)
  {
    guard !options.method.isSymplectic else {
      throw DifferentialEquationError(
        .argument,
        message:
          "the adjoint equation is not one of positions and velocities; with \(options.method) use .discreteAdjoint"
      )
    }
    self.equation = equation
    self.options = options
    self.keepsState = keepsState
    stateTolerances = try options.tolerances(equation.stateCount)
  }

  /// - Parameters:
  ///   - states: the solution at the times of output.
  ///   - cotangents: of these.
  /// - Returns: cotangents of the initial states, and of the parameters of blocks.
  func solve(_ data: EquationData, _ records: [StepRecord], states: [Double], cotangents: [Double]) throws
    -> (
      initialStates: [Double], parameters: [Double]
    )
  {
    let (n, p) = (equation.stateCount, equation.parameterCount)
    let joint = keepsState || options.method.isImplicit ? nil : try equation.adjoint.jointEquation(equation)
    try joint?.prepare(pullback: false, for: options.method)
    if keepsState && !options.method.isImplicit {
      for integrals in [false, true] { _ = try equation.adjoint.rateSource(equation, integrals: integrals) }
    }
    var initial = [Double](repeating: 0, count: data.rows * n)
    var parameters = [Double](repeating: 0, count: data.rows * p)
    var failures = [DifferentialEquationError?](repeating: nil, count: data.rows)
    data.withProblem(equation) { problem in
      initial.withUnsafeMutableBufferPointer { initial in
        parameters.withUnsafeMutableBufferPointer { parameters in
          failures.withUnsafeMutableBufferPointer { failures in
            let shared = Shared(
              value: (initial.baseAddress!, parameters.baseAddress!, failures.baseAddress!, records))
            parallelFor(
              count: data.rows, threads: threadCount, makeContext: { 0 }
            ) { _, row in
              let (initial, parameters, failures, records) = shared.value
              let sweep = Sweep(
                self, joint, problem, row, records.isEmpty ? nil : records[row],
                scale: Self.scale(
                  cotangents[row * problem.outputCount * n..<(row + 1) * problem.outputCount * n]))
              var failure = sweep.run(states: states, cotangents: cotangents)
              if data.rows > 1 { failure?.trajectory = row }
              failures[row] = failure
              sweep.finish(initial + row * n, parameters + row * p)
            }
          }
        }
      }
    }
    if let failure = failures.compactMap({ $0 }).first { throw failure }
    return (initial, summed(parameters, rows: data.rows, blocks: data.blocks, width: p))
  }

  /// With explicit methods errors of λ may be so many times the tolerances: on a recorded solution the gradient is not less accurate than that
  /// of the steps of the solution, since steps are no longer than these, which have resolved what there is in time. Where integrals have
  /// a say in the choice of steps, their errors may be so many times the tolerances.
  private static let toleranceFactor = 10.0

  /// The largest cotangent, which errors are measured with; one if there is none.
  private static func scale(_ cotangents: ArraySlice<Double>) -> Double {
    let largest = cotangents.reduce(0) { max($0, $1.magnitude) }
    return largest > 0 && largest.isFinite ? largest : 1
  }
}

extension AdjointEquation {
  /// One trajectory backwards in time.
  private final class Sweep {
    private let adjoint: AdjointEquation
    private let problem: BatchProblem
    private let row: Int
    private let record: StepRecord?
    private let trajectory: InterpolatedTrajectory?
    private let events: EventFunctions?
    private let solver: TrajectorySolver
    private let memory: StepMemory
    private let n: Int
    private let p: Int
    /// The state if it is solved for, λ, and the parameters' cotangents.
    private let z: UnsafeMutablePointer<Double>
    private let result: UnsafeMutablePointer<Double>
    private let lambda: UnsafeMutablePointer<Double>
    private let integrals: UnsafeMutablePointer<Double>
    /// Where the sweep stands, the next event, the steps that are left, and the size of the next step.
    private var time: Double
    private var jump: Int
    private var rowsEnd: Int
    private var size: Double?
    /// Steps are no longer than those of the solution there.
    private let limitsSteps: Bool

    /// - Parameters:
    ///   - joint: the equation of state, λ and integrals together, where that is solved as a whole.
    ///   - scale: what errors of λ are measured with.
    init(
      _ adjoint: AdjointEquation, _ joint: TracedEquation?, _ problem: BatchProblem, _ row: Int,
      _ record: StepRecord?, scale: Double
    ) {
      self.adjoint = adjoint
      self.problem = problem
      self.row = row
      self.record = record
      let (equation, options) = (adjoint.equation, adjoint.options)
      let (n, p) = (equation.stateCount, equation.parameterCount)
      (self.n, self.p) = (n, p)
      let parameters = problem.parameters(of: row)
      events = equation.eventFunctions(parameters: parameters)
      let functions = equation.singleFunctions()
      functions.bind(parameters)
      let trajectory = record.map {
        InterpolatedTrajectory(
          $0, stepCount: 4, options.method.stepper(functions, options, tolerances: adjoint.stateTolerances))
      }
      self.trajectory = trajectory
      let offset = adjoint.keepsState ? 0 : n
      let memory = StepMemory(2 * (offset + n + p))
      self.memory = memory
      z = memory.take(offset + n + p)
      result = memory.take(offset + n + p)
      lambda = z + offset
      integrals = lambda + n
      (time, jump, rowsEnd) = (0, (record?.jumps.count ?? 0) - 1, record?.stepCount ?? 0)
      var measured = options
      let absolute = adjoint.stateTolerances.max() ?? 0
      // Without an absolute tolerance, cotangents that are zero at first would have none at all.
      let least = absolute > 0 ? absolute : 1e-6 * options.relativeTolerance
      var tolerances = [Double](repeating: least * scale, count: n)
      let stepper: Stepper
      if let trajectory, let tableau = options.method.explicitTableau {
        measured.relativeTolerance *= AdjointEquation.toleranceFactor
        tolerances = tolerances.map { $0 * AdjointEquation.toleranceFactor }
        stepper = ExplicitAdjointStepper(
          tableau, equation, trajectory, parameters: parameters,
          relativeTolerance: measured.relativeTolerance, absoluteTolerances: tolerances, integrals: integrals)
      } else if let trajectory, let tableau = options.method.implicitTableau,
        n <= ImplicitAdjointStepper.largestSize
      {
        stepper = ImplicitAdjointStepper(
          tableau, forward: functions, trajectory, relativeTolerance: measured.relativeTolerance,
          absoluteTolerances: tolerances, integrals: integrals)
      } else {
        // The integrals have a say: λ may be constant where they are not.
        tolerances = (adjoint.keepsState ? [] : adjoint.stateTolerances) + tolerances
        if joint != nil {
          measured.relativeTolerance *= AdjointEquation.toleranceFactor
          tolerances = tolerances.map { $0 * AdjointEquation.toleranceFactor }
          // Smaller steps than one would take forwards are refused less often, which takes as many evaluations as they.
          measured.control.safety = min(options.control.safety, 0.8)
        }
        tolerances += [Double](repeating: AdjointEquation.toleranceFactor * least * scale, count: p)
        let rates = joint?.singleFunctions() ?? Self.functions(functions, trajectory)
        rates.bind(parameters)
        stepper = options.method.stepper(rates, measured, tolerances: tolerances)
      }
      solver = TrajectorySolver(stepper, measured, tolerances: tolerances)
      limitsSteps = trajectory != nil && options.method != .backwardDifferentiation
      // Time has the same scale backwards; a multistep method begins anew with its lowest order.
      if options.fixedStep == nil, options.method != .backwardDifferentiation, let record,
        record.stepCount > 0
      {
        let last = record.stepCount
        size = (record.times[last] - record.times[max(last - 2, 0)]).magnitude / Double(min(last, 2))
      }
    }

    /// The right-hand side of the adjoint equation.
    private static func functions(_ functions: RateFunctions<Double>, _ trajectory: InterpolatedTrajectory?)
      -> RateFunctions<Double>
    {
      let (n, p) = (functions.stateCount, functions.parameterCount)
      let offset = trajectory == nil ? n : 0
      let count = offset + n + p
      let pattern = functions.jacobianPattern
      let memory = StepMemory(3 * n + p + max(pattern?.entryCount ?? n * n, 1))
      let (state, unit, column) = (memory.take(n), memory.take(n), memory.take(n + p))
      let entries = memory.take(max(pattern?.entryCount ?? n * n, 1))
      // What grows by (∂f/∂p)ᵀ λ needs no matrix.
      let size = offset + n
      let transposition = trajectory == nil ? nil : pattern?.transposition
      func setState(_ time: Double, _ z: UnsafePointer<Double>) {
        if let trajectory {
          trajectory.state(at: time, into: state)
        } else {
          state.update(from: z, count: n)
        }
      }
      return RateFunctions<Double>(
        stateCount: count, parameterCount: 0, width: 1, bind: { _ in },
        rate: { [memory] time, z, result in
          _ = memory
          setState(time.pointee, z)
          if trajectory == nil { functions.rate(time, state, result) }
          (result + offset + n).update(repeating: 0, count: p)
          functions.pullback(time, state, z + offset, result + offset, result + offset + n)
          for k in offset..<count { result[k] = -result[k] }
        },
        pullback: { _, _, _, _, _ in preconditionFailure("the adjoint equation has a Jacobian of its own") },
        jacobian: { [memory] time, z, matrix in
          // ∂λ'/∂λ = −(∂f/∂y)ᵀ. How λ' changes with a state that is solved for along is left out: Newton's method only converges a
          // little slower for it.
          _ = memory
          setState(time.pointee, z)
          if trajectory != nil, let compute = functions.jacobian {
            compute(time, state, entries)
            if let transposition {
              for (k, place) in transposition.places.enumerated() { matrix[k] = -entries[place] }
            } else {
              for i in 0..<n { for k in 0..<n { matrix[k * n + i] = -entries[i * n + k] } }
            }
            return
          }
          // Column by column from pullbacks.
          matrix.update(repeating: 0, count: size * size)
          for i in 0..<n {
            for k in 0..<n { unit[k] = k == i ? 1 : 0 }
            functions.pullback(time, state, unit, column, column + n)
            for k in 0..<n { matrix[(offset + k) * size + offset + i] = -column[k] }
            if offset > 0 { for k in 0..<n { matrix[i * size + k] = column[k] } }
          }
        }, jacobianPattern: transposition?.pattern, jacobianBlocks: JacobianBlocks(size: size),
        failure: functions.failure)
    }

    func run(states: [Double], cotangents: [Double]) -> DifferentialEquationError? {
      let times = problem.outputTimes(of: row)
      let m = problem.outputCount
      time = times[m - 1]
      for k in (0..<m).reversed() {
        if let failure = move(to: times[k]) { return failure }
        let place = (row * m + k) * n
        if !adjoint.keepsState { for c in 0..<n { z[c] = states[place + c] } }
        for c in 0..<n { lambda[c] += cotangents[place + c] }
      }
      return move(to: problem.startTimes[row])
    }
    func finish(_ initial: UnsafeMutablePointer<Double>, _ parameters: UnsafeMutablePointer<Double>) {
      initial.update(from: lambda, count: n)
      parameters.update(from: integrals, count: p)
    }

    /// Solves back to a time, through the events on the way and at it. At the time of an event outputs are those before it.
    private func move(to end: Double) -> DifferentialEquationError? {
      let direction =
        problem.startTimes[row] < problem.outputTimes(of: row)[problem.outputCount - 1] ? 1.0 : -1.0
      while jump >= 0, let record, let trajectory, let events {
        let (place, event) = record.jumps[jump]
        let moment = record.times[place]
        if (moment - end) * direction < 0 { break }
        if let failure = solve(to: moment, steps: place..<rowsEnd) { return failure }
        trajectory.end(ofStep: place - 1, into: result)
        events.pullback(event, moment, result, lambda, integrals)
        rowsEnd = place
        jump -= 1
      }
      return solve(to: end, steps: (jump >= 0 ? record!.jumps[jump].row : 0)..<rowsEnd)
    }

    private func solve(to end: Double, steps: Range<Int>) -> DifferentialEquationError? {
      if end == time { return nil }
      trajectory?.restrict(to: steps)
      let outcome = withUnsafePointer(to: end) {
        solver.solve(
          from: time, z, outputTimes: UnsafeBufferPointer(start: $0, count: 1), outputs: result,
          firstStep: size,
          stepLimit: limitsSteps ? { [trajectory] in trajectory!.stepSize(before: $0) } : nil)
      }
      if let failure = outcome.failure { return failure }
      z.update(from: result, count: solver.stepper.stateCount)
      time = end
      if adjoint.options.method != .backwardDifferentiation { size = outcome.nextStep }
      return nil
    }
  }
}
