import Lanes
import LinearAlgebra

/// The continuous adjoint: with λ the cotangent of the state, λ' = −(∂f/∂y)ᵀ λ, and the parameters' cotangent grows backwards in time by
/// (∂f/∂p)ᵀ λ. Each output adds its cotangent to λ.
struct AdjointEquation: Sendable {
  private let equation: any Equation
  private let options: SolverOptions
  private let tolerances: [Double]
  /// Of the state: recorded steps are made again as they were made.
  private let stateTolerances: [Double]
  private let keepsState: Bool

  /// - Parameter keepsState: the state is interpolated from the recorded solution; otherwise it is solved for backwards.
  init(_ equation: any Equation, _ options: SolverOptions, keepsState: Bool) throws(DifferentialEquationError)
  {
    guard !options.method.isSymplectic else {
      throw DifferentialEquationError(
        .argument,
        message:
          "the adjoint equation is not one of positions and velocities; with \(options.method) use .discreteAdjoint"
      )
    }
    self.equation = equation
    var options = options
    options.initialStep = nil
    self.options = options
    self.keepsState = keepsState
    let states = try options.tolerances(equation.stateCount)
    stateTolerances = states
    let shared = states.max() ?? 0
    let rest = [Double](repeating: shared, count: equation.stateCount + equation.parameterCount)
    tolerances = keepsState ? rest : states + rest
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
              var failure = solve(
                problem, row, records.isEmpty ? nil : records[row], states: states, cotangents: cotangents,
                initial + row * n, parameters + row * p)
              if data.rows > 1 { failure?.trajectory = row }
              failures[row] = failure
            }
          }
        }
      }
    }
    if let failure = failures.compactMap({ $0 }).first { throw failure }
    return (initial, summed(parameters, rows: data.rows, blocks: data.blocks, width: p))
  }

  private func solve(
    _ problem: BatchProblem, _ row: Int, _ record: StepRecord?, states: [Double], cotangents: [Double],
    _ initial: UnsafeMutablePointer<Double>, _ parameters: UnsafeMutablePointer<Double>
  ) -> DifferentialEquationError? {
    let (n, p, m) = (equation.stateCount, equation.parameterCount, problem.outputCount)
    let offset = keepsState ? 0 : n
    let count = offset + n + p
    let functions = equation.singleFunctions()
    functions.bind(problem.parameters(of: row))
    var trajectory: InterpolatedTrajectory?
    if keepsState, let record {
      let forward = equation.singleFunctions()
      forward.bind(problem.parameters(of: row))
      // Where a step is soon made again, or only copied, keeping several does not pay.
      let isCopied = options.method == .backwardDifferentiation
      let stepCount = isCopied ? 1 : options.method.isImplicit ? 4 : n < 16 ? 1 : 2
      trajectory = InterpolatedTrajectory(record, stepCount: stepCount) {
        options.method.stepper(forward, options, tolerances: stateTolerances)
      }
    }
    let state = UnsafeMutablePointer<Double>.allocate(capacity: 3 * n + p)
    defer { state.deallocate() }
    let (unit, column) = (state + n, state + 2 * n)
    (column + n).update(repeating: 0, count: p)
    // What grows by (∂f/∂p)ᵀ λ needs no matrix.
    let size = offset + n
    let transposition = keepsState ? functions.jacobianPattern?.transposition : nil
    let entries = UnsafeMutablePointer<Double>.allocate(
      capacity: max(functions.jacobianPattern?.entryCount ?? n * n, 1))
    defer { entries.deallocate() }
    let adjoint = RateFunctions<Double>(
      stateCount: count, parameterCount: 0, width: 1, bind: { _ in },
      rate: { time, z, result in
        if let trajectory {
          trajectory.state(at: time.pointee, into: state)
        } else {
          state.update(from: z, count: n)
          functions.rate(time, state, result)
        }
        (result + offset + n).update(repeating: 0, count: p)
        functions.pullback(time, state, z + offset, result + offset, result + offset + n)
        for k in offset..<count { result[k] = -result[k] }
      },
      pullback: { _, _, _, _, _ in preconditionFailure("the adjoint equation has a Jacobian of its own") },
      jacobian: { time, z, matrix in
        // ∂λ'/∂λ = −(∂f/∂y)ᵀ. How λ' changes with a state that is solved for along is left out: Newton's method only converges a little
        // slower for it.
        if let trajectory {
          trajectory.state(at: time.pointee, into: state)
        } else {
          state.update(from: z, count: n)
        }
        if keepsState, let compute = functions.jacobian {
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
          if !keepsState { for k in 0..<n { matrix[i * size + k] = column[k] } }
        }
      }, jacobianPattern: transposition?.pattern, jacobianBlocks: JacobianBlocks(size: size),
      failure: functions.failure)
    let solver = TrajectorySolver(
      options.method.stepper(adjoint, options, tolerances: tolerances), options, tolerances: tolerances)
    var z = [Double](repeating: 0, count: count)
    let times = problem.outputTimes(of: row)
    for k in (0..<m).reversed() {
      let place = (row * m + k) * n
      for c in 0..<n {
        if !keepsState { z[c] = states[place + c] }
        z[offset + c] += cotangents[place + c]
      }
      let end = k > 0 ? times[k - 1] : problem.startTimes[row]
      if end == times[k] { continue }
      var result = z
      let outcome = withUnsafePointer(to: end) {
        solver.solve(
          from: times[k], z, outputTimes: UnsafeBufferPointer(start: $0, count: 1), outputs: &result)
      }
      if let failure = outcome.failure { return failure }
      z = result
    }
    for c in 0..<n { initial[c] = z[offset + c] }
    for c in 0..<p { parameters[c] = z[offset + n + c] }
    return nil
  }
}
