import Kinematics
import Lanes
import RobotModels

/// The retained memory of a rollout, group by group, and its reverse sweep.
final class LaneTape<L: Lane>: TapeImplementation, @unchecked Sendable where L.Scalar: SimulationScalar {
  typealias Scalar = L.Scalar
  private let simulator: Simulator<Scalar>
  private let plan: DynamicsPlan<Scalar>
  private let initial: BatchState<Scalar>
  private let inputs: SimulationInputs<Scalar>
  private let steps: Int
  private let memory: RolloutMemory
  private let groups: Int
  /// For each group: the records of all its steps, or its checkpoints.
  private var storage: [GroupStorage<L>?]
  private var divergedSteps: [Int]
  private var unconverged: [Bool]

  init(
    _ simulator: Simulator<Scalar>, _ initial: BatchState<Scalar>, _ inputs: SimulationInputs<Scalar>,
    _ steps: Int, _ memory: RolloutMemory
  ) {
    self.simulator = simulator
    plan = simulator.plan
    self.initial = initial
    self.inputs = inputs
    self.steps = steps
    self.memory = memory
    groups = (initial.worldCount + L.laneCount - 1) / L.laneCount
    storage = Array(repeating: nil, count: groups)
    divergedSteps = Array(repeating: -1, count: groups * L.laneCount)
    unconverged = Array(repeating: false, count: groups * L.laneCount)
  }

  @specialized(where L == Double)
  @specialized(where L == SIMD8<Double>)
  @specialized(where L == SIMD16<Float>)
  func forward(threads: Int) -> RolloutResult<Scalar> {
    let (plan, worlds, steps, memory) = (self.plan, initial.worldCount, self.steps, self.memory)
    let recordBytes = steps * plan.stageCount * StepRecord<L>.byteCount(plan)
    let retention: Retention =
      memory == .storeStates ? .anglesAndStates : .forTape(plan, byteCount: groups * recordBytes)
    let storageBytes = GroupStorage<L>.byteCount(plan, steps: steps, memory: memory, retention)
    let block = TapeMemory(byteCount: groups * storageBytes, pool: simulator.tapeMemory)
    var final = initial
    final.time += Double(steps) * simulator.model.options.timestep
    let rows = worlds * (steps + 1)
    var recorded = BatchState<Scalar>(
      worldCount: rows, positions: zeros(rows * plan.positionCount),
      velocities: zeros(rows * plan.velocityCount),
      activations: zeros(rows * plan.activationCount))
    final.withPointers { state in
      recorded.withPointers { trajectory in
        storage.withUnsafeMutableBufferPointer { storage in
          divergedSteps.withUnsafeMutableBufferPointer { diverged in
            unconverged.withUnsafeMutableBufferPointer { unconverged in
              withInputs { inputs in
                let shared = Shared(
                  value: (
                    state: state, trajectory: trajectory, inputs: inputs, storage: storage.baseAddress!,
                    diverged: diverged.baseAddress!, unconverged: unconverged.baseAddress!
                  ))
                parallelFor(
                  count: groups, threads: threads, makeContext: { GroupRunner<L>(plan) },
                  body: { runner, group in
                    let (state, trajectory, inputs, storage, diverged, unconverged) = shared.value
                    let own = GroupStorage<L>(
                      plan, steps: steps, memory: memory, retention, in: block, offset: group * storageBytes)
                    storage[group] = own
                    Self.forward(
                      runner, own, state: state, trajectory: trajectory, inputs: inputs, steps: steps,
                      group: group, worldCount: worlds)
                    for lane in 0..<L.laneCount {
                      diverged[group * L.laneCount + lane] = runner.divergedStep[lane]
                      unconverged[group * L.laneCount + lane] = runner.isUnconverged(lane: lane)
                    }
                  })
              }
            }
          }
        }
      }
    }
    return RolloutResult(
      finalState: final,
      trajectory: Trajectory(
        worldCount: worlds, stepCount: steps, positions: recorded.positions, velocities: recorded.velocities,
        activations: recorded.activations),
      divergedWorlds: simulator.divergedWorlds(divergedSteps, worlds),
      unconvergedWorlds: (0..<worlds).filter { unconverged[$0] })
  }

  private func withInputs<R>(_ body: (InputPointers<Scalar>) -> R) -> R {
    inputs.withPointers(
      controlCount: plan.actuators.count, velocityCount: plan.velocityCount, bodyCount: plan.bodyCount,
      mocapWidth: plan.mocapWidth, body)
  }

  private static func forward(
    _ runner: GroupRunner<L>, _ storage: GroupStorage<L>, state: BatchPointers<Scalar>,
    trajectory: BatchPointers<Scalar>, inputs: InputPointers<Scalar>, steps: Int, group: Int, worldCount: Int
  ) {
    runner.load(state, group: group, worldCount: worldCount)
    func store(row: Int) {
      runner.store(trajectory, group: group, worldCount: worldCount, rowsPerWorld: steps + 1, row: row)
    }
    store(row: 0)
    storage.rollOut(runner, inputs, steps: steps, group: group, worldCount: worldCount, afterStep: store)
    runner.store(state, group: group, worldCount: worldCount)
  }

  @specialized(where L == Double)
  @specialized(where L == SIMD8<Double>)
  @specialized(where L == SIMD16<Float>)
  func reverse(
    final: StateCotangents<Scalar>?, trajectory: StateCotangents<Scalar>?, targets: GradientTargets,
    threads: Int
  ) -> RolloutGradient<Scalar> {
    let (plan, worlds, steps) = (self.plan, initial.worldCount, self.steps)
    let accumulator = GradientAccumulator<Scalar>(
      simulator, inputs, worldCount: worlds, groups: groups, laneCount: L.laneCount, targets: targets)
    var stateGradient = BatchState<Scalar>(
      worldCount: worlds, positions: zeros(worlds * plan.velocityCount),
      velocities: zeros(worlds * plan.velocityCount),
      activations: zeros(worlds * plan.activationCount))
    let storage = self.storage
    let diverged = divergedSteps
    withInputs { inputs in
      stateGradient.withPointers { gradient in
        withCotangents(final) { final in
          withCotangents(trajectory) { trajectory in
            let shared = Shared(
              value: (
                inputs: inputs, gradient: gradient, final: final, trajectory: trajectory, storage: storage
              ))
            parallelFor(
              count: groups, threads: threads, makeContext: { ReverseRunner<L>(plan, accumulator) },
              body: { runner, group in
                let (inputs, gradient, final, trajectory, storage) = shared.value
                // Workers take groups in turn: likely the next one of this worker.
                let next = group + max(1, threads)
                runner.reverse(
                  storage[group]!, following: next < storage.count ? storage[next] : nil, inputs: inputs,
                  gradient: gradient, final: final, trajectory: trajectory,
                  steps: steps, group: group, worldCount: worlds,
                  diverged: Array(diverged[group * L.laneCount..<(group + 1) * L.laneCount]),
                  accumulator: accumulator)
              })
          }
        }
      }
    }
    return accumulator.gradient(
      initialState: StateCotangents(
        positions: stateGradient.positions, velocities: stateGradient.velocities,
        activations: stateGradient.activations),
      diverged: simulator.divergedWorlds(divergedSteps, worlds))
  }
}

/// Runs `body` with the addresses of cotangents, or nil where there are none.
func withCotangents<Scalar: SimulationScalar, R>(
  _ c: StateCotangents<Scalar>?, _ body: (CotangentPointers<Scalar>?) -> R
) -> R {
  guard let c else { return body(nil) }
  return c.positions.withUnsafeBufferPointer { q in
    c.velocities.withUnsafeBufferPointer { v in
      c.activations.withUnsafeBufferPointer { a in
        body(
          CotangentPointers(
            positions: q.baseAddress ?? UnsafePointer(dangling()),
            velocities: v.baseAddress ?? UnsafePointer(dangling()),
            activations: a.baseAddress ?? UnsafePointer(dangling())))
      }
    }
  }
}

struct CotangentPointers<Scalar> {
  var positions: UnsafePointer<Scalar>
  var velocities: UnsafePointer<Scalar>
  var activations: UnsafePointer<Scalar>
}

/// The memory of a whole tape, in one piece.
final class TapeMemory: Sendable {
  nonisolated(unsafe) let base: UnsafeMutableRawPointer
  private let byteCount: Int
  private let pool: ArenaPool

  init(byteCount: Int, pool: ArenaPool) {
    self.byteCount = byteCount
    self.pool = pool
    base = pool.take(byteCount) ?? Arena.allocate(max(byteCount, 64))
  }
  deinit { pool.give(base, byteCount) }
}

/// What one lane group's rollout retains.
final class GroupStorage<L: Lane> {
  private let plan: DynamicsPlan<L.Scalar>
  private var arena: Arena
  private let recordBase: UnsafeMutablePointer<StepRecord<L>>
  private let recordCount: Int
  private var checkpoints: [StateBuffers<L>] = []
  /// Distance of checkpoints; all steps where everything is stored.
  let interval: Int
  let storesAll: Bool
  /// What the records retain; the rest of them share memory.
  let retention: Retention
  private let stepBytes: Int
  private let block: TapeMemory?

  /// - Parameter block: memory of the whole tape, of which this group's begins at `offset`; nil for memory of its own.
  init(
    _ plan: DynamicsPlan<L.Scalar>, steps: Int, memory: RolloutMemory,
    _ retention: Retention = .everything, in block: TapeMemory? = nil, offset: Int = 0
  ) {
    self.plan = plan
    self.retention = retention
    stepBytes = plan.stageCount * StepRecord<L>.byteCount(plan, retention)
    self.block = block
    let counts = Self.counts(plan, steps: steps, memory: memory)
    storesAll = memory == .storeAll || memory == .storeStates
    interval = counts.interval
    recordCount = counts.records
    let byteCount = Self.byteCount(plan, steps: steps, memory: memory, retention)
    arena = block.map { Arena(in: $0.base + offset, byteCount: byteCount) } ?? Arena(byteCount: byteCount)
    recordBase = .allocate(capacity: max(recordCount, 1))
    let geometry = retention.hasGeometry ? nil : Geometry<L>(plan, &arena)
    let matrices = retention.hasMatrices ? nil : Matrices<L>(plan, &arena)
    // The sweep goes backward through the steps: in memory it goes forward, as the hardware expects.
    for i in (0..<recordCount).reversed() {
      (recordBase + i).initialize(
        to: StepRecord(plan, &arena, retention, geometry: geometry, matrices: matrices))
    }
    for _ in 0..<counts.checkpoints { checkpoints.append(StateBuffers(plan, &arena)) }
  }
  deinit { recordBase.deallocate() }

  private static func counts(
    _ plan: DynamicsPlan<L.Scalar>, steps: Int, memory: RolloutMemory
  ) -> (interval: Int, records: Int, checkpoints: Int) {
    switch memory {
    case .storeAll, .storeStates: return (max(steps, 1), steps * plan.stageCount, 0)
    case .checkpoint(let every):
      // The forward pass retains one step at a time; the reverse pass has its own records.
      let interval = min(every, max(steps, 1))
      return (interval, min(steps, 1) * plan.stageCount, (steps + interval - 1) / interval)
    }
  }

  static func byteCount(
    _ plan: DynamicsPlan<L.Scalar>, steps: Int, memory: RolloutMemory, _ retention: Retention
  ) -> Int {
    let counts = counts(plan, steps: steps, memory: memory)
    return counts.records * StepRecord<L>.byteCount(plan, retention)
      + (retention.hasGeometry ? 0 : Geometry<L>.byteCount(plan))
      + (retention.hasMatrices ? 0 : Matrices<L>.byteCount(plan))
      + counts.checkpoints * StateBuffers<L>.byteCount(plan)
  }

  func records(forStep step: Int) -> UnsafePointer<StepRecord<L>> {
    UnsafePointer(recordBase + (storesAll ? step * plan.stageCount : 0))
  }

  /// One record of a stored step, found from those of the first step: what is looked at only once comes slowly.
  func record(forStep step: Int, stage: Int) -> StepRecord<L> {
    recordBase[stage].moved(by: -step * stepBytes)
  }

  /// A stored step's records, to be brought closer while the reverse sweep is at the step after it.
  func prefetch(step: Int) -> PacedPrefetch {
    // Each stage's sweep passes every link twice.
    PacedPrefetch(
      UnsafeRawPointer(recordBase[plan.stageCount - 1].positions) - step * stepBytes, byteCount: stepBytes,
      pieces: 2 * plan.stageCount * max(1, plan.tree.linkCount - 1))
  }

  /// Rolls out a group that is loaded, and retains what its reverse sweep needs.
  ///
  /// - Parameter afterStep: gets the number of steps that are done, after each.
  @inline(__always)
  func rollOut(
    _ runner: GroupRunner<L>, _ inputs: InputPointers<L.Scalar>, steps: Int, group: Int, worldCount: Int,
    afterStep: (Int) -> Void
  ) where L.Scalar: SimulationScalar {
    let h = L(broadcasting: plan.timestep)
    for step in 0..<steps {
      saveCheckpoint(runner.state, before: step)
      let records = records(forStep: step)
      let stepInputs = runner.loadInputs(inputs, step: step, group: group, worldCount: worldCount)
      stepForward(plan, records, runner.scratch, stepInputs, timestep: h, state: runner.state)
      runner.freezeDiverged(before: records[0], step: step)
      afterStep(step + 1)
    }
  }

  func saveCheckpoint(_ state: StateBuffers<L>, before step: Int) {
    guard !storesAll, step % interval == 0 else { return }
    copyState(plan, state, to: checkpoints[step / interval])
  }

  func restoreCheckpoint(before step: Int, into state: StateBuffers<L>) {
    copyState(plan, checkpoints[step / interval], to: state)
  }
}

func copyState<L: Lane>(_ plan: DynamicsPlan<L.Scalar>, _ source: StateBuffers<L>, to target: StateBuffers<L>)
{
  copyValues(target.positions, source.positions, plan.positionCount)
  copyValues(target.velocities, source.velocities, plan.velocityCount)
  copyValues(target.activations, source.activations, plan.activationCount)
  copyValues(target.warmStart, source.warmStart, plan.warmStartCount)
}
