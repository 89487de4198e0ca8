import Costate

/// A rollout in pieces, so that its progress can be shown: by worlds where there are many, by steps where there is
/// one. The result is that of a rollout in one piece.
struct ChunkedRollout<Scalar: SimulationScalar> {
  var simulator: Simulator<Scalar>
  var inputs: SimulationInputs<Scalar>
  var steps: Int
  var recordsTrajectory: Bool
  var threads: Int
  /// About how many pieces; one where nobody looks.
  var pieces = ProgressBar.isShown ? 50 : 1
  /// What the progress bar says.
  var label = "simulate"

  func run(from initial: BatchState<Scalar>) throws(CommandFailure) -> RolloutResult<Scalar> {
    let isSingle = initial.worldCount == 1
    let bar = ProgressBar(label, total: initial.worldCount * steps, unit: "world steps")
    defer { bar.finish() }
    return isSingle ? try runBySteps(from: initial, bar) : try runByWorlds(from: initial, bar)
  }

  private func piece(
    from state: BatchState<Scalar>, _ inputs: SimulationInputs<Scalar>, steps: Int
  ) throws(CommandFailure) -> RolloutResult<Scalar> {
    try reportingFailures {
      try simulator.rollout(
        from: state, inputs: inputs, steps: steps, recordsTrajectory: recordsTrajectory, threads: threads)
    }
  }

  private func runByWorlds(
    from initial: BatchState<Scalar>, _ bar: ProgressBar
  ) throws(CommandFailure) -> RolloutResult<Scalar> {
    let model = simulator.model
    // Whole lane groups for every thread, and never a single world, which would be computed in other lanes.
    let unit = 16 * threads
    let size = max(unit, (initial.worldCount / pieces + unit - 1) / unit * unit)
    var bounds = Array(stride(from: 0, to: initial.worldCount, by: size))
    if let last = bounds.last, last > 0, initial.worldCount - last == 1 { bounds.removeLast() }
    guard bounds.count > 1, pieces > 1 else {
      let result = try piece(from: initial, inputs, steps: steps)
      bar.advance(by: initial.worldCount * steps)
      return result
    }
    var whole: RolloutResult<Scalar>?
    for (index, lower) in bounds.enumerated() {
      let worlds = lower..<(index + 1 < bounds.count ? bounds[index + 1] : initial.worldCount)
      let part = try piece(from: initial.worlds(worlds, of: model), inputs.worlds(worlds), steps: steps)
      whole = whole.map { $0.appending(part, firstWorld: lower) } ?? part
      bar.advance(by: worlds.count * steps)
    }
    return whole!
  }

  /// Stops in the piece in which the world diverges.
  private func runBySteps(
    from initial: BatchState<Scalar>, _ bar: ProgressBar
  ) throws(CommandFailure) -> RolloutResult<Scalar> {
    let size = max(1000, steps / pieces)
    guard size < steps, pieces > 1 else { return try piece(from: initial, inputs, steps: steps) }
    var whole: RolloutResult<Scalar>?
    for first in stride(from: 0, to: steps, by: size) {
      let range = first..<min(first + size, steps)
      var part = try piece(from: whole?.finalState ?? initial, inputs.steps(range), steps: range.count)
      for i in part.divergedWorlds.indices { part.divergedWorlds[i].step += first }
      whole = whole.map { $0.continued(by: part, model: simulator.model) } ?? part
      bar.advance(by: range.count)
      if !part.divergedWorlds.isEmpty { break }
    }
    return whole!
  }
}

extension BatchState {
  fileprivate func worlds(_ worlds: Range<Int>, of model: Model) -> BatchState {
    func part(_ values: [Scalar], _ size: Int) -> [Scalar] {
      Array(values[worlds.lowerBound * size..<worlds.upperBound * size])
    }
    return BatchState(
      worldCount: worlds.count, positions: part(positions, model.positionCount),
      velocities: part(velocities, model.velocityCount),
      activations: part(activations, model.activationCount),
      time: time)
  }
}

extension SimulationInputs {
  fileprivate func worlds(_ worlds: Range<Int>) -> SimulationInputs {
    func part(_ input: InputSequence<Scalar>?) -> InputSequence<Scalar>? {
      guard var input, input.worldCount > 1 else { return input }
      let size = input.values.count / input.worldCount
      input.values = Array(input.values[worlds.lowerBound * size..<worlds.upperBound * size])
      input.worldCount = worlds.count
      return input
    }
    return SimulationInputs(
      controls: part(controls), appliedForces: part(appliedForces), cartesianForces: part(cartesianForces),
      mocapPoses: part(mocapPoses))
  }

  /// The inputs of one world in a range of steps.
  func steps(_ steps: Range<Int>) -> SimulationInputs {
    func part(_ input: InputSequence<Scalar>?) -> InputSequence<Scalar>? {
      guard var input, input.stepCount > 1 else { return input }
      let size = input.values.count / input.stepCount
      input.values = Array(input.values[steps.lowerBound * size..<steps.upperBound * size])
      input.stepCount = steps.count
      return input
    }
    return SimulationInputs(
      controls: part(controls), appliedForces: part(appliedForces), cartesianForces: part(cartesianForces),
      mocapPoses: part(mocapPoses))
  }
}

extension RolloutResult {
  /// These worlds and, after them, those of another rollout of as many steps.
  fileprivate func appending(_ other: RolloutResult, firstWorld: Int) -> RolloutResult {
    var result = self
    result.finalState.worldCount += other.finalState.worldCount
    result.finalState.positions += other.finalState.positions
    result.finalState.velocities += other.finalState.velocities
    result.finalState.activations += other.finalState.activations
    if let more = other.trajectory {
      result.trajectory?.worldCount += more.worldCount
      result.trajectory?.positions += more.positions
      result.trajectory?.velocities += more.velocities
      result.trajectory?.activations += more.activations
    }
    let first = result.divergedWorlds.count
    result.divergedWorlds += other.divergedWorlds
    for i in first..<result.divergedWorlds.count { result.divergedWorlds[i].world += firstWorld }
    result.unconvergedWorlds += other.unconvergedWorlds.map { $0 + firstWorld }
    return result
  }

  /// This rollout of one world, continued by another that starts where it ends.
  fileprivate func continued(by other: RolloutResult, model: Model) -> RolloutResult {
    var result = self
    result.finalState = other.finalState
    if let more = other.trajectory {
      result.trajectory?.stepCount += more.stepCount
      result.trajectory?.positions += more.positions.dropFirst(model.positionCount)
      result.trajectory?.velocities += more.velocities.dropFirst(model.velocityCount)
      result.trajectory?.activations += more.activations.dropFirst(model.activationCount)
    }
    result.divergedWorlds += other.divergedWorlds
    if result.unconvergedWorlds.isEmpty { result.unconvergedWorlds = other.unconvergedWorlds }
    return result
  }
}
