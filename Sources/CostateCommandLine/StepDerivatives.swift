import Costate

/// The Jacobians of one step, and how well they agree with differences.
struct StepDerivatives {
  var setup: SimulationSetup
  var threads: Int

  /// - Throws: `CommandFailure` (computation failed) if the step diverges.
  func jacobians<Scalar: SimulationScalar>(_ scalar: Scalar.Type) throws(CommandFailure) -> StepJacobians {
    try reportingFailures {
      try setup.simulator(scalar)
        .stepJacobians(at: setup.initialState(scalar), inputs: setup.inputs(scalar), threads: threads)[0]
    }
  }

  /// The relative difference between the Jacobians and finite differences of steps in float64.
  func finiteDifferenceError(of result: StepJacobians) throws(CommandFailure) -> Double {
    let model = setup.model
    let (nv, nu) = (model.velocityCount, model.controlCount)
    let size = model.stateTangentCount
    let columns = size + nu
    let stencil = FiniteDifferences.stencil(step: setup.hasConstraints ? 2e-6 : 1e-3)
    var initial = setup.initialState(Double.self, worlds: 0)
    initial.worldCount = columns * stencil.count
    var controls: [Double] = []
    for column in 0..<columns {
      for (displacement, _) in stencil {
        var tangent = [Double](repeating: 0, count: columns)
        tangent[column] = displacement
        let state = setup.state
        initial.positions += model.displaced(state.position, by: Array(tangent[..<nv]))
        initial.velocities += zip(state.velocity, tangent[nv...]).map { $0 + $1 }
        initial.activations += zip(state.activation, tangent[(2 * nv)...]).map { $0 + $1 }
        controls += zip(state.control, tangent[size...]).map { $0 + $1 }
      }
    }
    guard columns > 0 else { return 0 }
    var inputs = setup.inputs(Double.self)
    inputs.controls = InputSequence(values: controls, worldCount: initial.worldCount)
    let (center, next) = try reportingFailures {
      let simulator = try setup.simulator(Double.self)
      let center = try simulator.rollout(
        from: setup.initialState(Double.self), inputs: setup.inputs(Double.self), steps: 1, threads: 1
      ).finalState
      let next = try simulator.rollout(from: initial, inputs: inputs, steps: 1, threads: threads)
      return (center, try next.withoutDivergence())
    }
    var byColumn = [[Double]](repeating: [Double](repeating: 0, count: size), count: columns)
    for column in 0..<columns {
      for (k, point) in stencil.enumerated() {
        let state = next.world(column * stencil.count + k, of: model)
        var change = model.displacement(from: center.positions, to: state.positions)
        change += zip(state.velocities, center.velocities).map { $0 - $1 }
        change += zip(state.activations, center.activations).map { $0 - $1 }
        for row in 0..<size { byColumn[column][row] += point.weight * change[row] }
      }
    }
    var reference: [Double] = []
    var value: [Double] = []
    for row in 0..<size {
      reference += byColumn.map { $0[row] }
      value += result.A[row * size..<(row + 1) * size]
      value += result.B[row * nu..<(row + 1) * nu]
    }
    return FiniteDifferences.relativeError(value, reference: reference)
  }
}

extension Model {
  /// Coordinates of a state in tangent space: 2 nv + na.
  var stateTangentCount: Int { 2 * velocityCount + activationCount }

  /// A short name for each of them.
  var stateLabels: [String] {
    [("dq", velocityCount), ("qvel", velocityCount), ("act", activationCount)].flatMap { name, count in
      (0..<count).map { "\(name)[\($0)]" }
    }
  }
}
