import Kinematics
import Lanes
import RobotModels

/// Jacobians of one step, in tangent coordinates (MuJoCo's `mjd_transitionFD` layout).
public struct StepJacobians: Sendable, Equatable {
  /// Length `2 nv + na` of a state in tangent coordinates: positions, velocities, activations.
  public var stateCount: Int
  public var controlCount: Int
  /// Next state by state, row-major `stateCount x stateCount`.
  public var A: [Double]
  /// Next state by control, row-major `stateCount x controlCount`.
  public var B: [Double]
}

extension Simulator {
  /// Derivatives of the next state by the state and by the controls, for every world.
  ///
  /// The step is taken once; each lane then carries one row back, so a row costs a fraction of a step.
  ///
  /// - Parameters:
  ///   - inputs: those of one step.
  ///   - threads: how many threads work; the result is the same for every number.
  ///   - state: the states, one row per world.
  /// - Throws: ``SimulationError`` for arrays of the wrong length, inputs that are not finite, and worlds that diverge.
  /// - Complexity: O((2 nv + na) x size of the model) per world.
  public func stepJacobians(
    at state: BatchState<Scalar>, inputs: SimulationInputs<Scalar> = SimulationInputs(),
    threads: Int = defaultThreadCount
  ) throws(SimulationError) -> [StepJacobians] {
    try validate(state, inputs, steps: 1)
    let plan = self.plan
    let worlds = state.worldCount
    var state = state
    var results = [StepJacobians?](repeating: nil, count: worlds)
    state.withPointers { state in
      results.withUnsafeMutableBufferPointer { results in
        inputs.withPointers(
          controlCount: plan.actuators.count, velocityCount: plan.velocityCount, bodyCount: plan.bodyCount,
          alwaysLoads: true
        ) { inputs in
          let shared = Shared(value: (state: state, inputs: inputs, results: results.baseAddress!))
          parallelFor(
            count: worlds, threads: threads, makeContext: { JacobianRunner<Scalar.Group>(plan) },
            body: { runner, world in
              let (state, inputs, results) = shared.value
              results[world] = runner.jacobians(state, inputs, world: world)
            })
        }
      }
    }
    let diverged = results.indices.filter { results[$0] == nil }
    guard diverged.isEmpty else { throw .diverged(worlds: diverged, step: 0) }
    return results.map { $0! }
  }
}

/// Repeats one world over all lanes and sends a different unit cotangent back through each.
private final class JacobianRunner<L: Lane> where L.Scalar: SimulationScalar {
  typealias Scalar = L.Scalar
  private let plan: DynamicsPlan<Scalar>
  private let runner: GroupRunner<L>
  private var arena: Arena
  private let scratch: AdjointScratch<L>
  private let cotangents: Cotangents<L>
  private let records: GroupStorage<L>
  /// Rows of the Jacobians of one world.
  private let a: UnsafeMutablePointer<Scalar>
  private let b: UnsafeMutablePointer<Scalar>

  init(_ plan: DynamicsPlan<Scalar>) {
    self.plan = plan
    runner = GroupRunner(plan)
    records = GroupStorage(plan, steps: 1, memory: .storeAll)
    var measure = ArenaMeasure()
    measure.take(L.self, plan.velocityCount)
    measure.take(L.self, plan.velocityCount)
    measure.take(L.self, plan.activationCount)
    measure.take(L.self, plan.actuators.count)
    let count = 2 * plan.velocityCount + plan.activationCount
    measure.take(Scalar.self, count * count)
    measure.take(Scalar.self, count * plan.actuators.count)
    arena = Arena(byteCount: AdjointScratch<L>.byteCount(plan) + measure.byteCount)
    a = arena.take(Scalar.self, count * count)
    b = arena.take(Scalar.self, count * plan.actuators.count)
    scratch = AdjointScratch(plan, &arena)
    cotangents = Cotangents(
      positions: arena.take(L.self, plan.velocityCount), velocities: arena.take(L.self, plan.velocityCount),
      activations: arena.take(L.self, plan.activationCount),
      controls: arena.take(L.self, plan.actuators.count))
  }

  func jacobians(
    _ state: BatchPointers<Scalar>, _ inputs: InputPointers<Scalar>, world: Int
  ) -> StepJacobians? {
    let (n, na, nu) = (plan.velocityCount, plan.activationCount, plan.actuators.count)
    let count = 2 * n + na
    let h = L(broadcasting: plan.timestep)
    runner.load(state, world: world)
    let stepInputs = runner.loadInputs(inputs, step: 0, world: world)
    let steps = records.records(forStep: 0)
    stepForward(plan, steps, runner.scratch, stepInputs, timestep: h, state: runner.state)
    runner.freezeDiverged(before: steps[0], step: 0)
    if runner.divergedStep[0] >= 0 { return nil }

    for first in stride(from: 0, to: count, by: L.laneCount) {
      cotangents.positions.update(repeating: L(0.0), count: n)
      cotangents.velocities.update(repeating: L(0.0), count: n)
      cotangents.activations.update(repeating: L(0.0), count: na)
      cotangents.controls!.update(repeating: L(0.0), count: nu)
      let rows = min(L.laneCount, count - first)
      for lane in 0..<rows {
        let row = first + lane
        if row < n {
          cotangents.positions[row][lane: lane] = 1
        } else if row < 2 * n {
          cotangents.velocities[row - n][lane: lane] = 1
        } else {
          cotangents.activations[row - 2 * n][lane: lane] = 1
        }
      }
      stepReverse(plan, steps, scratch, stepInputs, timestep: h, cotangents)
      func store(
        _ values: UnsafeMutablePointer<L>, _ width: Int, _ target: UnsafeMutablePointer<Scalar>, stride: Int,
        start: Int
      ) {
        let rows = LaneRows(first: first, last: count - 1, stride: stride, start: start)
        storeLanes(values, count: width, into: target, rows)
      }
      store(cotangents.positions, n, a, stride: count, start: 0)
      store(cotangents.velocities, n, a, stride: count, start: n)
      store(cotangents.activations, na, a, stride: count, start: 2 * n)
      store(cotangents.controls!, nu, b, stride: nu, start: 0)
    }
    return StepJacobians(
      stateCount: count, controlCount: nu, A: doubles(a, count: count * count),
      B: doubles(b, count: count * nu))
  }
}
