import Costate

/// What constraints make of a derivative.
struct DerivativeQuality: Equatable {
  /// The smallest relative distance to a kink: 1 is far, 0 is at one.
  var kinkMargin = 1.0
  /// Whether the constraint solver converged in every step.
  var isConverged = true

  var members: [JSONValue.Member] {
    [
      .init(name: "kink_margin", value: .number(kinkMargin)),
      .init(name: "solver_converged", value: .bool(isConverged)),
    ]
  }

  /// What a person should know.
  var warnings: [String] {
    var lines: [String] = []
    if !isConverged {
      lines += ["", "the constraint solver did not converge: this is no derivative of a solution"]
    }
    if kinkMargin < 1e-8 {
      lines += [
        "", "at a kink, where a contact or limit changes its state: the derivative is that of one side",
      ]
    }
    return lines
  }
}

/// A cost of the last state of one world's rollout, and its gradient.
struct RolloutCost {
  struct Result: Equatable {
    var cost: Double
    /// With respect to the initial state, positions in tangent coordinates.
    var byPosition: [Double]
    var byVelocity: [Double]
    var byActivation: [Double]
    /// Row-major [steps][nu].
    var byControl: [Double]
    var quality = DerivativeQuality()
  }
  var setup: SimulationSetup
  var cost: FinalCost
  var controls: Controls
  var threads: Int
  /// Bytes that intermediate results may take before steps are computed again instead.
  var memoryLimit = 1 << 30
  /// Long rollouts are differentiated in pieces where somebody watches the progress; the result is the same.
  var stepsPerPiece = ProgressBar.isShown ? 1000 : Int.max

  /// - Throws: `CommandFailure` (computation failed) if the world diverges, or where the cost has no derivative.
  func gradient<Scalar: SimulationScalar>(_ scalar: Scalar.Type) throws(CommandFailure) -> Result {
    let simulator = try setup.simulator(scalar)
    let inputs = setup.inputs(scalar, controls: controls)
    let steps = controls.steps
    let size = max(1, min(stepsPerPiece, steps))
    let pieces =
      steps == 0 ? [0..<0] : stride(from: 0, to: steps, by: size).map { $0..<min($0 + size, steps) }
    // Every step is taken forward twice and back once, but for those of the last piece.
    let bar = ProgressBar("gradient", total: 2 * steps - pieces.last!.count, unit: "steps")
    defer { bar.finish() }
    return try reportingFailures {
      var states = [setup.initialState(scalar)]
      for piece in pieces.dropLast() {
        let result = try simulator.rollout(
          from: states.last!, inputs: inputs.steps(piece), steps: piece.count, threads: threads)
        try Self.requireFinite(result, in: piece)
        states.append(result.finalState)
        bar.advance(by: piece.count)
      }
      var value = 0.0
      var cotangents = StateCotangents<Scalar>(positions: [], velocities: [])
      var byControl: [[Scalar]] = []
      var quality = DerivativeQuality()
      for (piece, state) in zip(pieces, states).reversed() {
        let stored = simulator.retainedBytesPerWorldStep * piece.count
        let tape = try simulator.record(
          from: state, inputs: inputs.steps(piece), steps: piece.count,
          memory: stored <= memoryLimit ? .storeAll : .storeStates, threads: threads)
        if piece.upperBound == steps {
          try Self.requireFinite(tape.result, in: piece)
          let last = try cost.valueAndCotangents(of: BatchState(tape.result.finalState))
          value = last.value
          cotangents = StateCotangents(
            positions: last.cotangents.positions.map { Scalar($0) },
            velocities: last.cotangents.velocities.map { Scalar($0) },
            activations: last.cotangents.activations.map { Scalar($0) })
        }
        let gradient = try tape.gradient(final: cotangents, threads: threads)
        cotangents = gradient.initialState
        quality.kinkMargin = min(quality.kinkMargin, gradient.kinkMargins.min() ?? 1)
        quality.isConverged = quality.isConverged && gradient.unconvergedWorlds.isEmpty
        byControl.append(gradient.controls?.values ?? [])
        bar.advance(by: piece.count)
      }
      return Result(
        cost: value, byPosition: cotangents.positions.map { Double($0) },
        byVelocity: cotangents.velocities.map { Double($0) },
        byActivation: cotangents.activations.map { Double($0) },
        byControl: byControl.reversed().flatMap { $0.map { Double($0) } }, quality: quality)
    }
  }

  private static func requireFinite<Scalar: SimulationScalar>(
    _ result: RolloutResult<Scalar>, in piece: Range<Int>
  ) throws(SimulationError) {
    guard let first = result.divergedWorlds.first else { return }
    throw .diverged(worlds: [first.world], step: piece.lowerBound + first.step)
  }

  /// The relative difference between a gradient and finite differences of rollouts in float64: along every
  /// coordinate of the initial state, and along every control or, where there are more, along random directions.
  func finiteDifferenceError(
    of result: Result, seed: UInt64, maximumControlDirections: Int = 128
  ) throws(CommandFailure) -> Double {
    let model = setup.model
    let directions = Direction.all(
      model, controlCount: controls.elements.count, maximumControlDirections: maximumControlDirections,
      seed: seed)
    let stencil = FiniteDifferences.stencil(step: setup.hasConstraints ? 1e-6 : 1e-4)
    let worlds = directions.count * stencil.count
    guard worlds > 0 else { return 0 }
    var initial = setup.initialState(Double.self, worlds: 0)
    initial.worldCount = worlds
    var controlled: [Double] = []
    for direction in directions {
      for (displacement, _) in stencil {
        let moved = direction.moved(setup, controls.elements, by: displacement)
        initial.positions += moved.position
        initial.velocities += moved.velocity
        initial.activations += moved.activation
        controlled += moved.controls
      }
    }
    var inputs = setup.inputs(Double.self)
    inputs.controls = InputSequence(values: controlled, worldCount: worlds, stepCount: controls.steps)
    let final = try reportingFailures {
      try ChunkedRollout(
        simulator: setup.simulator(Double.self), inputs: inputs, steps: controls.steps,
        recordsTrajectory: false, threads: threads, label: "check"
      ).run(from: initial).withoutDivergence()
    }
    var differences: [Double] = []
    for d in directions.indices {
      var difference = 0.0
      for (k, point) in stencil.enumerated() {
        let state = final.world(d * stencil.count + k, of: model)
        difference += point.weight * (try cost.value(of: state))
      }
      differences.append(difference)
    }
    return FiniteDifferences.relativeError(directions.map { $0.slope(result) }, reference: differences)
  }
}

/// A way to move a rollout's inputs.
private enum Direction {
  case position(Int)
  case velocity(Int)
  case activation(Int)
  case control([Double])

  static func all(
    _ model: Model, controlCount: Int, maximumControlDirections: Int, seed: UInt64
  ) -> [Direction] {
    var directions: [Direction] = (0..<model.velocityCount).map { .position($0) }
    directions += (0..<model.velocityCount).map { .velocity($0) }
    directions += (0..<model.activationCount).map { .activation($0) }
    if controlCount <= maximumControlDirections {
      directions += (0..<controlCount).map { index in
        var unit = [Double](repeating: 0, count: controlCount)
        unit[index] = 1
        return .control(unit)
      }
    } else {
      var generator = SeededGenerator(seed: seed)
      directions += (0..<maximumControlDirections).map { _ in
        .control((0..<controlCount).map { _ in generator.nextNormal() / Double(controlCount).squareRoot() })
      }
    }
    return directions
  }

  func moved(
    _ setup: SimulationSetup, _ controls: [Double], by displacement: Double
  ) -> (position: [Double], velocity: [Double], activation: [Double], controls: [Double]) {
    let state = setup.state
    var moved = (state.position, state.velocity, state.activation, controls)
    switch self {
    case .position(let i):
      var tangent = [Double](repeating: 0, count: setup.model.velocityCount)
      tangent[i] = displacement
      moved.0 = setup.model.displaced(state.position, by: tangent)
    case .velocity(let i): moved.1[i] += displacement
    case .activation(let i): moved.2[i] += displacement
    case .control(let direction): moved.3 = zip(controls, direction).map { $0 + displacement * $1 }
    }
    return moved
  }

  /// The gradient along this direction.
  func slope(_ result: RolloutCost.Result) -> Double {
    switch self {
    case .position(let i): result.byPosition[i]
    case .velocity(let i): result.byVelocity[i]
    case .activation(let i): result.byActivation[i]
    case .control(let direction): zip(result.byControl, direction).reduce(0) { $0 + $1.0 * $1.1 }
    }
  }
}

extension RolloutResult {
  /// The final states, where no world was frozen on the way: differences of frozen ones mean nothing.
  func withoutDivergence() throws -> BatchState<Scalar> {
    if let first = divergedWorlds.min(by: { $0.step < $1.step }) {
      throw CommandFailure(
        .computationFailed,
        "a rollout of the finite differences diverged in step \(first.step), so there is nothing to compare with"
      )
    }
    return finalState
  }
}

extension BatchState {
  /// The state of one world.
  func world(_ world: Int, of model: Model) -> BatchState {
    func part(_ values: [Scalar], _ size: Int) -> [Scalar] {
      Array(values[world * size..<(world + 1) * size])
    }
    return BatchState(
      worldCount: 1, positions: part(positions, model.positionCount),
      velocities: part(velocities, model.velocityCount),
      activations: part(activations, model.activationCount),
      time: time)
  }
}

extension BatchState<Double> {
  /// The same state in float64.
  init<Source: SimulationScalar>(_ other: BatchState<Source>) {
    self.init(
      worldCount: other.worldCount, positions: other.positions.map { Double($0) },
      velocities: other.velocities.map { Double($0) }, activations: other.activations.map { Double($0) },
      time: other.time)
  }
}
