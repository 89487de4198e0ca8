import Kinematics
import Lanes
import RobotModels

/// Directions in which states change, in the coordinates of ``StateCotangents``: positions as `nv` numbers a state.
public typealias StateTangents<Scalar: SimulationScalar> = StateCotangents<Scalar>

/// A direction in the space of initial states and inputs.
public struct RolloutDirection: Sendable, Equatable {
  public var initialState: StateTangents<Double>
  /// Changes of the inputs, in the shapes of the inputs they change; nil for none.
  public var inputs: SimulationInputs<Double>
  public init(
    initialState: StateTangents<Double>, inputs: SimulationInputs<Double> = SimulationInputs()
  ) {
    self.initialState = initialState
    self.inputs = inputs
  }
}

/// Second derivatives of a rollout's cost along a direction.
public struct RolloutSecondDerivative: Sendable {
  /// The gradient itself, and its derivative along the direction.
  public var gradient: RolloutGradient<Double>
  public var hessianVectorProduct: RolloutGradient<Double>
}

extension Simulator where Scalar == Double {
  /// Forward mode: the final states, and how they change when initial states and inputs change along a direction.
  ///
  /// Runs the same kernels on dual numbers, at about three times the cost of a rollout. With constraints it multiplies by the
  /// Jacobian of each step, at the cost of ``stepJacobians(at:inputs:threads:)`` for each.
  /// - Throws: ``SimulationError`` for arrays of the wrong length, numbers that are not finite (those of the result
  ///   too), worlds that diverge, and with constraints worlds whose solver does not converge.
  public func pushforward(
    from initial: BatchState<Double>, inputs: SimulationInputs<Double> = SimulationInputs(), steps: Int,
    along direction: RolloutDirection, threads: Int = defaultThreadCount
  ) throws(SimulationError) -> (finalState: BatchState<Double>, tangent: StateTangents<Double>) {
    try validate(initial, inputs, direction, steps: steps)
    let final: BatchState<Double>
    let tangent: StateTangents<Double>
    if plan.constraints != nil {
      (final, tangent) = try constrainedPushforward(
        from: initial, inputs: inputs, steps: steps, along: direction, threads: threads)
    } else {
      let run = DualRollout(self, initial, inputs, direction, steps)
      try run.forward(threads: threads, keepsRecords: false)
      (final, tangent) = (run.final, model.tangents(of: run.finalChange, at: run.final))
    }
    for (name, values) in [
      ("positions", tangent.positions), ("velocities", tangent.velocities),
      ("activations", tangent.activations),
    ] {
      if let index = firstNotFinite(values) {
        throw .overflow(result: "tangent of the final state: \(name)", index: index)
      }
    }
    return (final, tangent)
  }

  /// Forward over reverse: the gradient of a cost of the final states and its derivative along a direction, at about
  /// three times the cost of a gradient.
  ///
  /// For rotations the gradient's components refer to the joint's own frame, which turns with the direction: the result
  /// is the derivative of those components.
  ///
  /// - Parameters:
  ///   - cost: from the final states and their tangents along the direction, the cotangents of the cost and the
  ///     derivatives of those cotangents along the direction.
  ///   - initial: the states before the first step.
  ///   - direction: the way in which the inputs move.
  ///   - inputs: what acts from outside.
  ///   - steps: the number of steps.
  ///   - threads: how many threads work; the result is the same for every number.
  ///   - targets: which inputs get gradients.
  /// - Throws: ``SimulationError`` as ``pushforward(from:inputs:steps:along:threads:)``, and for cotangents of the wrong
  ///   length, and ``SimulationError/invalidRequest(_:)`` for models with constraints.
  public func hessianVectorProduct(
    from initial: BatchState<Double>, inputs: SimulationInputs<Double> = SimulationInputs(), steps: Int,
    along direction: RolloutDirection, targets: GradientTargets = [.initialState, .controls],
    threads: Int = defaultThreadCount,
    cost: (BatchState<Double>, StateTangents<Double>) -> (
      cotangents: StateCotangents<Double>, derivatives: StateCotangents<Double>
    )
  ) throws(SimulationError) -> RolloutSecondDerivative {
    try requireSecondDerivatives()
    try validate(initial, inputs, direction, steps: steps)
    let recordBytes = StepRecord<DualRollout.L>.byteCount(plan) * plan.stageCount / DualRollout.L.laneCount
    try checkTrajectoryFits(worlds: initial.worldCount, steps: steps, retainedBytes: recordBytes)
    let run = DualRollout(self, initial, inputs, direction, steps)
    try run.forward(threads: threads, keepsRecords: true)
    let (cotangents, derivatives) = cost(run.final, model.tangents(of: run.finalChange, at: run.final))
    try check(cotangents, rows: initial.worldCount, "cotangents of the final state")
    try check(derivatives, rows: initial.worldCount, "derivatives of the cotangents")
    let (gradient, product) = run.reverse(cotangents, derivatives, targets: targets, threads: threads)
    try gradient.requireFinite("gradient")
    try product.requireFinite("Hessian-vector product")
    return RolloutSecondDerivative(gradient: gradient, hessianVectorProduct: product)
  }

  private func validate(
    _ initial: BatchState<Double>, _ inputs: SimulationInputs<Double>, _ direction: RolloutDirection,
    steps: Int
  ) throws(SimulationError) {
    try validate(initial, inputs, steps: steps)
    try self.check(direction.initialState, rows: initial.worldCount, "direction of the initial state")
    func checkChange(
      _ change: InputSequence<Double>?, _ input: InputSequence<Double>?, _ name: String
    ) throws(SimulationError) {
      guard let change else { return }
      guard let input, input.worldCount == change.worldCount, input.stepCount == change.stepCount else {
        throw .invalidRequest("the direction of \(name) needs an input \(name) of the same shape")
      }
      try self.check(change.values, "direction of \(name)", expected: input.values.count)
    }
    try checkChange(direction.inputs.controls, inputs.controls, "controls")
    try checkChange(direction.inputs.appliedForces, inputs.appliedForces, "appliedForces")
    try checkChange(direction.inputs.cartesianForces, inputs.cartesianForces, "cartesianForces")
    try checkChange(direction.inputs.mocapPoses, inputs.mocapPoses, "mocapPoses")
  }
}

/// A rollout on dual numbers. The tangents of states are rates of change of `qpos`, `qvel` and `act`.
private final class DualRollout: @unchecked Sendable {
  typealias L = Dual<SIMD8<Double>>
  let simulator: Simulator<Double>
  let plan: DynamicsPlan<Double>
  let inputs: SimulationInputs<Double>
  let direction: SimulationInputs<Double>
  let steps: Int
  let worlds: Int
  let groups: Int
  var final: BatchState<Double>
  var finalChange: BatchState<Double>
  var storage: [GroupStorage<L>?]

  init(
    _ simulator: Simulator<Double>, _ initial: BatchState<Double>, _ inputs: SimulationInputs<Double>,
    _ direction: RolloutDirection, _ steps: Int
  ) {
    self.simulator = simulator
    plan = simulator.plan
    self.inputs = inputs
    self.direction = direction.inputs
    self.steps = steps
    worlds = initial.worldCount
    groups = (worlds + L.laneCount - 1) / L.laneCount
    final = initial
    final.time += Double(steps) * simulator.model.options.timestep
    finalChange = BatchState(
      worldCount: worlds,
      positions: simulator.model.changes(of: direction.initialState.positions, at: initial),
      velocities: direction.initialState.velocities, activations: direction.initialState.activations)
    storage = Array(repeating: nil, count: groups)
  }

  private func withInputs<R>(_ body: (InputPointers<Double>, InputPointers<Double>) -> R) -> R {
    inputs.withPointers(
      controlCount: plan.actuators.count, velocityCount: plan.velocityCount, bodyCount: plan.bodyCount,
      mocapWidth: plan.mocapWidth
    ) { values in
      direction.withPointers(
        controlCount: plan.actuators.count, velocityCount: plan.velocityCount, bodyCount: plan.bodyCount,
        mocapWidth: plan.mocapWidth
      ) { body(values, $0) }
    }
  }

  /// Loads inputs and their directions.
  private static func load(
    _ runner: GroupRunner<L>, _ inputs: InputPointers<Double>, _ changes: InputPointers<Double>, step: Int,
    group: Int, worlds: Int
  ) -> StepInputs<L> {
    _ = runner.loadInputs(changes, step: step, group: group, worldCount: worlds, tangent: true)
    return runner.loadInputs(inputs, step: step, group: group, worldCount: worlds)
  }

  func forward(threads: Int, keepsRecords: Bool) throws(SimulationError) {
    let (plan, worlds, steps) = (self.plan, self.worlds, self.steps)
    var diverged = [Int](repeating: -1, count: groups * L.laneCount)
    final.withPointers { state in
      finalChange.withPointers { change in
        storage.withUnsafeMutableBufferPointer { storage in
          diverged.withUnsafeMutableBufferPointer { diverged in
            withInputs { inputs, changes in
              let shared = Shared(
                value: (
                  state: state, change: change, inputs: inputs, changes: changes,
                  storage: storage.baseAddress!, diverged: diverged.baseAddress!
                ))
              parallelFor(
                count: groups, threads: threads, makeContext: { GroupRunner<L>(plan) },
                body: { runner, group in
                  let (state, change, inputs, changes, storage, diverged) = shared.value
                  let own = GroupStorage<L>(
                    plan, steps: keepsRecords ? steps : min(steps, 1), memory: .storeAll)
                  if keepsRecords { storage[group] = own }
                  runner.load(state, group: group, worldCount: worlds)
                  runner.load(change, group: group, worldCount: worlds, tangent: true)
                  for step in 0..<steps {
                    let records = own.records(forStep: keepsRecords ? step : 0)
                    let stepInputs = Self.load(
                      runner, inputs, changes, step: step, group: group, worlds: worlds)
                    stepForward(
                      plan, records, runner.scratch, stepInputs, timestep: L(broadcasting: plan.timestep),
                      state: runner.state)
                    runner.freezeDiverged(before: records[0], step: step)
                  }
                  runner.store(state, group: group, worldCount: worlds)
                  runner.store(change, group: group, worldCount: worlds, tangent: true)
                  for lane in 0..<L.laneCount {
                    diverged[group * L.laneCount + lane] = runner.divergedStep[lane]
                  }
                })
            }
          }
        }
      }
    }
    let failed = simulator.divergedWorlds(diverged, worlds)
    if let first = failed.min(by: { $0.step < $1.step }) {
      throw .diverged(worlds: failed.map(\.world), step: first.step)
    }
  }

  func reverse(
    _ cotangents: StateCotangents<Double>, _ derivatives: StateCotangents<Double>, targets: GradientTargets,
    threads: Int
  ) -> (RolloutGradient<Double>, RolloutGradient<Double>) {
    let (plan, worlds, steps) = (self.plan, self.worlds, self.steps)
    func accumulator() -> GradientAccumulator<Double> {
      GradientAccumulator(
        simulator, inputs, worldCount: worlds, groups: groups, laneCount: L.laneCount, targets: targets)
    }
    func emptyState() -> BatchState<Double> {
      BatchState(
        worldCount: worlds, positions: zeros(worlds * plan.velocityCount),
        velocities: zeros(worlds * plan.velocityCount), activations: zeros(worlds * plan.activationCount))
    }
    let parts = (accumulator(), accumulator())
    var gradient = emptyState()
    var product = emptyState()
    let storage = self.storage
    withInputs { inputs, changes in
      gradient.withPointers { gradient in
        product.withPointers { product in
          withCotangents(cotangents) { cotangents in
            withCotangents(derivatives) { derivatives in
              let shared = Shared(
                value: (
                  inputs: inputs, changes: changes, gradient: gradient, product: product,
                  cotangents: cotangents!, derivatives: derivatives!, storage: storage
                ))
              parallelFor(
                count: groups, threads: threads,
                makeContext: { (GroupRunner<L>(plan), ReverseRunner<L>(plan, parts.0)) },
                body: { context, group in
                  let (runner, reverse) = context
                  let s = shared.value
                  reverse.reverseDual(
                    s.storage[group]!, steps: steps, group: group, worldCount: worlds,
                    cotangents: (s.cotangents, s.derivatives), gradients: (s.gradient, s.product),
                    accumulators: parts
                  ) { Self.load(runner, s.inputs, s.changes, step: $0, group: group, worlds: worlds) }
                })
            }
          }
        }
      }
    }
    func states(_ b: BatchState<Double>) -> StateCotangents<Double> {
      StateCotangents(positions: b.positions, velocities: b.velocities, activations: b.activations)
    }
    return (
      parts.0.gradient(initialState: states(gradient), diverged: []),
      parts.1.gradient(initialState: states(product), diverged: [])
    )
  }
}

extension ReverseRunner {
  /// The reverse sweep on dual numbers: primal parts are gradients, tangents their derivatives.
  func reverseDual(
    _ storage: GroupStorage<L>, steps: Int, group: Int, worldCount: Int,
    cotangents seeds: (CotangentPointers<Scalar>, CotangentPointers<Scalar>),
    gradients: (BatchPointers<Scalar>, BatchPointers<Scalar>),
    accumulators: (GradientAccumulator<Scalar>, GradientAccumulator<Scalar>),
    inputs: (Int) -> StepInputs<L>
  ) {
    let h = L(broadcasting: plan.timestep)
    let lanes = min(L.laneCount, worldCount - group * L.laneCount)
    let none = L.Mask(repeating: false)
    start()
    addState(seeds.0, group, worldCount, rowsPerWorld: 1, row: 0)
    addState(seeds.1, group, worldCount, rowsPerWorld: 1, row: 0, tangent: true)
    for step in stride(from: steps - 1, through: 0, by: -1) {
      let stepInputs = inputs(step)
      stepReverse(
        plan, storage.records(forStep: step), scratch, forward.scratch, stepInputs, timestep: h,
        cotangents(step: step, steps: steps))
      for (accumulator, tangent) in [(accumulators.0, false), (accumulators.1, true)] {
        collectInputs(
          accumulator, step: step, steps: steps, group: group, lanes: lanes, skipping: none,
          tangent: tangent)
      }
    }
    for (accumulator, gradient, tangent) in [
      (accumulators.0, gradients.0, false), (accumulators.1, gradients.1, true),
    ] {
      collectParameters(accumulator, group: group, lanes: lanes, skipping: none, tangent: tangent)
      storeState(gradient, group, worldCount, skipping: none, tangent: tangent)
    }
  }
}
