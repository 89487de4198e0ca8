import Autodiff

extension EquationKernel {
  /// Tangents of the solution.
  func pushforward(_ tape: Tape, _ tangents: [DenseArray?]) throws(TensorError) -> DenseArray {
    let data = tape.data
    let (states, parameters) = directions(data, tangents)
    if gradient == .forwardSensitivity { return sensitivityTangents(tape, states, parameters) }
    let replay = try replayTangents(tape, states, parameters, keepsRecord: false)
    let type = resultType(rows: data.rows)
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
      if let failure { throw namingComponent(failure) }
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
      return sensitivityCotangents(tape, values)
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
        let (initial, parameters) = try adjoint.solve(
          tape.data, tape.steps?.records ?? [], states: states.values(Double.self), cotangents: values)
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
