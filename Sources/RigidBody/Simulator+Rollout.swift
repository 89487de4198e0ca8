import Kinematics
import Lanes
import RobotModels

extension Simulator {
  /// A rollout in lanes of one type.
  @specialized(where Scalar == Double, L == Double)
  @specialized(where Scalar == Double, L == SIMD8<Double>)
  @specialized(where Scalar == Float, L == SIMD16<Float>)
  func run<L: Lane>(
    _ lane: L.Type, _ initial: BatchState<Scalar>, _ inputs: SimulationInputs<Scalar>, _ steps: Int,
    _ recordsTrajectory: Bool, _ threads: Int
  ) -> RolloutResult<Scalar> where L.Scalar == Scalar {
    let worlds = initial.worldCount
    let groups = (worlds + L.laneCount - 1) / L.laneCount
    let plan = self.plan
    var final = initial
    final.time += Double(steps) * model.options.timestep
    let rows = recordsTrajectory ? steps + 1 : 0
    var recorded = BatchState<Scalar>(
      worldCount: worlds, positions: zeros(worlds * rows * plan.positionCount),
      velocities: zeros(worlds * rows * plan.velocityCount),
      activations: zeros(worlds * rows * plan.activationCount))
    var diverged = [Int](repeating: -1, count: groups * L.laneCount)
    var unconverged = [Bool](repeating: false, count: groups * L.laneCount)

    final.withPointers { state in
      recorded.withPointers { trajectory in
        diverged.withUnsafeMutableBufferPointer { diverged in
          unconverged.withUnsafeMutableBufferPointer { unconverged in
            inputs.withPointers(
              controlCount: plan.actuators.count, velocityCount: plan.velocityCount,
              bodyCount: plan.bodyCount,
              mocapWidth: plan.mocapWidth
            ) { inputs in
              let shared = Shared(
                value: (
                  state: state, trajectory: trajectory, inputs: inputs, diverged: diverged.baseAddress!,
                  unconverged: unconverged.baseAddress!
                ))
              parallelFor(
                count: groups, threads: threads,
                makeContext: { ForwardRunner<L>(plan) },
                body: { runner, group in
                  let (state, trajectory, inputs, diverged, unconverged) = shared.value
                  runner.rollOut(
                    state: state, trajectory: recordsTrajectory ? trajectory : nil, inputs: inputs,
                    steps: steps,
                    group: group, worldCount: worlds)
                  for lane in 0..<L.laneCount {
                    diverged[group * L.laneCount + lane] = runner.base.divergedStep[lane]
                    unconverged[group * L.laneCount + lane] = runner.base.isUnconverged(lane: lane)
                  }
                })
            }
          }
        }
      }
    }
    return RolloutResult(
      finalState: final,
      trajectory: recordsTrajectory
        ? Trajectory(
          worldCount: worlds, stepCount: steps, positions: recorded.positions,
          velocities: recorded.velocities,
          activations: recorded.activations) : nil,
      divergedWorlds: divergedWorlds(diverged, worlds),
      unconvergedWorlds: (0..<worlds).filter { unconverged[$0] })
  }

  func divergedWorlds(_ steps: [Int], _ worlds: Int) -> [DivergedWorld] {
    (0..<worlds).compactMap { steps[$0] < 0 ? nil : DivergedWorld(world: $0, step: steps[$0]) }
  }
}

/// Runs lane groups forward without retaining anything.
final class ForwardRunner<L: Lane> where L.Scalar: SimulationScalar {
  let base: GroupRunner<L>
  private var arena: Arena
  private let records: UnsafeMutablePointer<StepRecord<L>>

  init(_ plan: DynamicsPlan<L.Scalar>) {
    base = GroupRunner(plan)
    arena = Arena(byteCount: plan.stageCount * StepRecord<L>.byteCount(plan))
    records = .allocate(capacity: plan.stageCount)
    for i in 0..<plan.stageCount { (records + i).initialize(to: StepRecord(plan, &arena)) }
  }
  deinit { records.deallocate() }

  func rollOut(
    state: BatchPointers<L.Scalar>, trajectory: BatchPointers<L.Scalar>?, inputs: InputPointers<L.Scalar>,
    steps: Int, group: Int, worldCount: Int
  ) {
    let plan = base.plan
    let h = L(broadcasting: plan.timestep)
    base.load(state, group: group, worldCount: worldCount)
    if let trajectory {
      base.store(trajectory, group: group, worldCount: worldCount, rowsPerWorld: steps + 1, row: 0)
    }
    for step in 0..<steps {
      let stepInputs = base.loadInputs(inputs, step: step, group: group, worldCount: worldCount)
      stepForward(plan, records, base.scratch, stepInputs, timestep: h, state: base.state)
      base.freezeDiverged(before: records[0], step: step)
      if let trajectory {
        base.store(trajectory, group: group, worldCount: worldCount, rowsPerWorld: steps + 1, row: step + 1)
      }
    }
    base.store(state, group: group, worldCount: worldCount)
  }
}
