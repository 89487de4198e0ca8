import Kinematics
import Lanes
import Synchronization

extension Simulator {
  /// Costs of worlds and the gradient of their sum, computed a few worlds at a time.
  ///
  /// Eight or sixteen worlds roll out and go back before the next ones start: what the way back needs stays in the core's
  /// cache, and memory does not grow with the number of worlds. The gradient is that of
  /// ``RolloutTape/gradient(final:trajectory:targets:threads:)``, to the last bit.
  ///
  /// - Parameters:
  ///   - initial: the states before the first step.
  ///   - inputs: what acts from outside.
  ///   - steps: the number of steps.
  ///   - states: which states `worldCost` gets.
  ///   - targets: which inputs get gradients.
  ///   - threads: how many threads work; the result is the same for every number.
  ///   - worldCost: sets a world's `value` and `cotangents`. It is called from several threads, once for each world.
  /// - Returns: the cost of each world, and the gradient of the sum.
  /// - Throws: ``SimulationError`` for arrays of the wrong length and what is not finite; also if a world diverges.
  /// - Complexity: about two forward rollouts.
  public func valuesAndGradient(
    from initial: BatchState<Scalar>, inputs: SimulationInputs<Scalar> = SimulationInputs(), steps: Int,
    costOf states: CostStates = .final, targets: GradientTargets = [.initialState, .controls],
    threads: Int = defaultThreadCount, worldCost: @Sendable (inout WorldCost<Scalar>) -> Void
  ) throws(SimulationError) -> (values: [Double], gradient: RolloutGradient<Scalar>) {
    try validate(initial, inputs, steps: steps)
    try checkTrajectoryFits(
      worlds: min(initial.worldCount, max(1, threads) * Scalar.Group.laneCount), steps: steps,
      retainedBytes: retainedBytesPerWorldStep)
    let job = GroupwiseGradient(
      simulator: self, initial: initial, inputs: inputs, steps: steps, states: states, targets: targets)
    let (values, found) =
      initial.worldCount == 1
      ? try job.run(Scalar.Single.self, threads: threads, worldCost)
      : try job.run(Scalar.Group.self, threads: threads, worldCost)
    try found.requireFinite("gradient")
    return (values, found)
  }
}

/// A gradient that is computed one lane group at a time.
struct GroupwiseGradient<Scalar: SimulationScalar> {
  let simulator: Simulator<Scalar>
  let initial: BatchState<Scalar>
  let inputs: SimulationInputs<Scalar>
  let steps: Int
  let states: CostStates
  let targets: GradientTargets

  @specialized(where Scalar == Double, L == Double)
  @specialized(where Scalar == Double, L == SIMD8<Double>)
  @specialized(where Scalar == Float, L == SIMD16<Float>)
  func run<L: Lane>(
    _ lane: L.Type, threads: Int, _ cost: @Sendable (inout WorldCost<Scalar>) -> Void
  ) throws(SimulationError) -> ([Double], RolloutGradient<Scalar>) where L.Scalar == Scalar {
    let (plan, worlds, steps, states) = (simulator.plan, initial.worldCount, self.steps, self.states)
    let groups = (worlds + L.laneCount - 1) / L.laneCount
    let accumulator = GradientAccumulator<Scalar>(
      simulator, inputs, worldCount: worlds, groups: groups, laneCount: L.laneCount, targets: targets)
    var initial = self.initial
    var stateGradient = BatchState<Scalar>(
      worldCount: worlds, positions: zeros(worlds * plan.velocityCount),
      velocities: zeros(worlds * plan.velocityCount), activations: zeros(worlds * plan.activationCount))
    var values = [Double](repeating: 0, count: worlds)
    var diverged = [Int](repeating: -1, count: groups * L.laneCount)
    var unconverged = [Bool](repeating: false, count: groups * L.laneCount)
    let failure = Mutex<(world: Int, error: SimulationError)?>(nil)

    initial.withPointers { state in
      stateGradient.withPointers { gradient in
        values.withUnsafeMutableBufferPointer { values in
          diverged.withUnsafeMutableBufferPointer { diverged in
            unconverged.withUnsafeMutableBufferPointer { unconverged in
              inputs.withPointers(
                controlCount: plan.actuators.count, velocityCount: plan.velocityCount,
                bodyCount: plan.bodyCount, mocapWidth: plan.mocapWidth
              ) { inputs in
                let shared = Shared(
                  value: (
                    state: state, gradient: gradient, inputs: inputs, values: values.baseAddress!,
                    diverged: diverged.baseAddress!, unconverged: unconverged.baseAddress!
                  ))
                parallelFor(
                  count: groups, threads: threads,
                  makeContext: {
                    GroupwiseRunner<L>(plan, accumulator, steps: steps, states: states)
                  },
                  body: { runner, group in
                    let (state, gradient, inputs, values, diverged, unconverged) = shared.value
                    let first = group * L.laneCount
                    let error = runner.run(
                      state: state, inputs: inputs, gradient: gradient, group: group, worldCount: worlds,
                      values: values, accumulator: accumulator, cost: cost)
                    for lane in 0..<L.laneCount {
                      diverged[first + lane] = runner.forward.divergedStep[lane]
                      unconverged[first + lane] = runner.forward.isUnconverged(lane: lane)
                    }
                    guard let error else { return }
                    failure.withLock { if $0.map({ $0.world > first }) ?? true { $0 = (first, error) } }
                  })
              }
            }
          }
        }
      }
    }
    let lost = simulator.divergedWorlds(diverged, worlds)
    if let first = lost.min(by: { $0.step < $1.step }) {
      throw .diverged(worlds: lost.map(\.world), step: first.step)
    }
    if let (_, error) = failure.withLock({ $0 }) { throw error }
    var gradient = accumulator.gradient(
      initialState: StateCotangents(
        positions: stateGradient.positions, velocities: stateGradient.velocities,
        activations: stateGradient.activations), diverged: [])
    gradient.unconvergedWorlds = (0..<worlds).filter { unconverged[$0] }
    return (values, gradient)
  }
}

/// One thread's memory: the records of one lane group's steps, and its worlds' costs.
private final class GroupwiseRunner<L: Lane> where L.Scalar: SimulationScalar {
  typealias Scalar = L.Scalar
  private let plan: DynamicsPlan<Scalar>
  private let reverse: ReverseRunner<L>
  private let storage: GroupStorage<L>
  private let steps: Int
  private let rows: Int
  private var cost: WorldCost<Scalar>
  private var trajectory: BatchState<Scalar>
  private var cotangents: StateCotangents<Scalar>
  var forward: GroupRunner<L> { reverse.forward }

  init(
    _ plan: DynamicsPlan<Scalar>, _ accumulator: GradientAccumulator<Scalar>, steps: Int, states: CostStates
  ) {
    self.plan = plan
    self.steps = steps
    rows = states == .final ? 1 : steps + 1
    reverse = ReverseRunner(plan, accumulator)
    // Writing geometry beyond the first cache takes longer than computing it.
    let recordBytes = steps * plan.stageCount * StepRecord<L>.byteCount(plan)
    storage = GroupStorage(
      plan, steps: steps, memory: .storeAll, .forTape(plan, byteCount: recordBytes, limit: 64 << 10))
    cost = WorldCost(plan, rows: rows)
    let all = L.laneCount * rows
    trajectory = BatchState(
      worldCount: L.laneCount, positions: zeros(all * plan.positionCount),
      velocities: zeros(all * plan.velocityCount), activations: zeros(all * plan.activationCount))
    cotangents = StateCotangents(
      positions: zeros(all * plan.velocityCount), velocities: zeros(all * plan.velocityCount),
      activations: zeros(all * plan.activationCount))
  }

  /// There and back. Returns what is wrong with the cost of a world, if anything.
  func run(
    state: BatchPointers<Scalar>, inputs: InputPointers<Scalar>, gradient: BatchPointers<Scalar>, group: Int,
    worldCount: Int, values: UnsafeMutablePointer<Double>, accumulator: GradientAccumulator<Scalar>,
    cost function: (inout WorldCost<Scalar>) -> Void
  ) -> SimulationError? {
    let lanes = min(L.laneCount, worldCount - group * L.laneCount)
    forward.load(state, group: group, worldCount: worldCount)
    trajectory.withPointers { trajectory in
      let first = steps + 1 - rows
      func store(_ row: Int) {
        guard row >= first else { return }
        forward.store(trajectory, group: 0, worldCount: lanes, rowsPerWorld: rows, row: row - first)
      }
      store(0)
      storage.rollOut(forward, inputs, steps: steps, group: group, worldCount: worldCount, afterStep: store)
    }
    for lane in 0..<lanes where forward.divergedStep[lane] < 0 {
      let world = group * L.laneCount + lane
      cost.load(trajectory, lane: lane, world: world)
      function(&cost)
      do throws(SimulationError) { try cost.check(plan) } catch { return error }
      values[world] = cost.value
      cost.store(into: &cotangents, lane: lane)
    }
    withCotangents(cotangents) { cotangents in
      reverse.reverse(
        storage, following: nil, inputs: inputs, gradient: gradient, final: rows == 1 ? cotangents : nil,
        trajectory: rows == 1 ? nil : cotangents, cotangentsAreOfGroup: true, steps: steps, group: group,
        worldCount: worldCount, diverged: forward.divergedStep, accumulator: accumulator)
    }
    return nil
  }
}
