import Kinematics
import Lanes

/// Memory and bookkeeping for running one lane group at a time; each thread has its own.
final class GroupRunner<L: Lane> where L.Scalar: SimulationScalar {
  typealias Scalar = L.Scalar
  let plan: DynamicsPlan<Scalar>
  private var arena: Arena
  let state: StateBuffers<L>
  let scratch: Scratch<L>
  let controls: UnsafeMutablePointer<L>
  let appliedForces: UnsafeMutablePointer<L>
  let cartesianForces: UnsafeMutablePointer<L>
  /// Step in which each lane diverged, or -1.
  var divergedStep: [Int]
  private var frozen: L.Mask

  init(_ plan: DynamicsPlan<Scalar>) {
    self.plan = plan
    var measure = ArenaMeasure()
    measure.take(L.self, plan.actuators.count)
    measure.take(L.self, plan.velocityCount)
    measure.take(L.self, 6 * plan.bodyCount)
    arena = Arena(
      byteCount: StateBuffers<L>.byteCount(plan) + Scratch<L>.byteCount(plan) + measure.byteCount)
    state = StateBuffers(plan, &arena)
    scratch = Scratch(plan, &arena)
    controls = arena.take(L.self, plan.actuators.count)
    appliedForces = arena.take(L.self, plan.velocityCount)
    cartesianForces = arena.take(L.self, 6 * plan.bodyCount)
    divergedStep = Array(repeating: -1, count: L.laneCount)
    frozen = L.Mask(repeating: false)
  }

  /// Scalars between the same lane of consecutive values; for `Dual`, the tangent follows the primal part.
  static var stride: Int { MemoryLayout<L>.stride / MemoryLayout<Scalar>.stride }

  /// Copies row `world` of a row-major array into one lane.
  static func scatter(
    _ source: UnsafePointer<Scalar>, count: Int, lane: Int, into target: UnsafeMutablePointer<L>,
    tangent: Bool = false
  ) {
    let base = UnsafeMutableRawPointer(target).assumingMemoryBound(to: Scalar.self)
    var at = lane + (tangent ? L.laneCount : 0)
    for i in 0..<count {
      base[at] = source[i]
      at += stride
    }
  }

  static func gather(
    _ source: UnsafePointer<L>, count: Int, lane: Int, into target: UnsafeMutablePointer<Scalar>,
    tangent: Bool = false
  ) {
    let base = UnsafeRawPointer(source).assumingMemoryBound(to: Scalar.self)
    var at = lane + (tangent ? L.laneCount : 0)
    for i in 0..<count {
      target[i] = base[at]
      at += stride
    }
  }

  /// World of each lane; lanes past the end repeat the last world, and their results are dropped.
  func world(group: Int, lane: Int, worldCount: Int) -> Int {
    min(group * L.laneCount + lane, worldCount - 1)
  }

  func load(_ source: borrowing BatchPointers<Scalar>, group: Int, worldCount: Int, tangent: Bool = false) {
    for lane in 0..<L.laneCount {
      let w = world(group: group, lane: lane, worldCount: worldCount)
      Self.scatter(
        source.positions + w * plan.positionCount, count: plan.positionCount, lane: lane,
        into: state.positions,
        tangent: tangent)
      Self.scatter(
        source.velocities + w * plan.velocityCount, count: plan.velocityCount, lane: lane,
        into: state.velocities, tangent: tangent)
      Self.scatter(
        source.activations + w * plan.activationCount, count: plan.activationCount, lane: lane,
        into: state.activations, tangent: tangent)
    }
    if !tangent { resetDivergence() }
  }

  /// Loads one world into all lanes.
  func load(_ source: borrowing BatchPointers<Scalar>, world: Int) {
    for lane in 0..<L.laneCount {
      Self.scatter(
        source.positions + world * plan.positionCount, count: plan.positionCount, lane: lane,
        into: state.positions)
      Self.scatter(
        source.velocities + world * plan.velocityCount, count: plan.velocityCount, lane: lane,
        into: state.velocities)
      Self.scatter(
        source.activations + world * plan.activationCount, count: plan.activationCount, lane: lane,
        into: state.activations)
    }
    resetDivergence()
  }

  /// Loads one world's inputs of one step into all lanes.
  func loadInputs(_ inputs: borrowing InputPointers<Scalar>, step: Int, world: Int) -> StepInputs<L> {
    loadInputs(inputs, step: step) { _ in world }
  }

  /// Forgets which lanes are frozen.
  func resetDivergence() {
    for lane in divergedStep.indices { divergedStep[lane] = -1 }
    frozen = L.Mask(repeating: false)
  }

  /// Writes the group's state to row `row(world)` of each array.
  func store(
    _ target: borrowing BatchPointers<Scalar>, group: Int, worldCount: Int, rowsPerWorld: Int = 1,
    row: Int = 0,
    tangent: Bool = false
  ) {
    let lanes = min(L.laneCount, worldCount - group * L.laneCount)
    for lane in 0..<lanes {
      let w = (group * L.laneCount + lane) * rowsPerWorld + row
      Self.gather(
        state.positions, count: plan.positionCount, lane: lane,
        into: target.positions + w * plan.positionCount,
        tangent: tangent)
      Self.gather(
        state.velocities, count: plan.velocityCount, lane: lane,
        into: target.velocities + w * plan.velocityCount, tangent: tangent)
      Self.gather(
        state.activations, count: plan.activationCount, lane: lane,
        into: target.activations + w * plan.activationCount, tangent: tangent)
    }
  }

  /// Loads the inputs of one step.
  func loadInputs(
    _ inputs: borrowing InputPointers<Scalar>, step: Int, group: Int, worldCount: Int, tangent: Bool = false
  ) -> StepInputs<L> {
    loadInputs(inputs, step: step, tangent: tangent) { lane in
      self.world(group: group, lane: lane, worldCount: worldCount)
    }
  }

  private func loadInputs(
    _ inputs: borrowing InputPointers<Scalar>, step: Int, tangent: Bool = false, worldOfLane: (Int) -> Int
  ) -> StepInputs<L> {
    loadInput(inputs.controls, controls, step, tangent, worldOfLane)
    loadInput(inputs.appliedForces, appliedForces, step, tangent, worldOfLane)
    loadInput(inputs.cartesianForces, cartesianForces, step, tangent, worldOfLane)
    return StepInputs(
      controls: UnsafePointer(controls),
      appliedForces: inputs.appliedForces.values == nil ? nil : UnsafePointer(appliedForces),
      cartesianForces: inputs.cartesianForces.values == nil ? nil : UnsafePointer(cartesianForces))
  }

  private func loadInput(
    _ input: InputPointer<Scalar>, _ target: UnsafeMutablePointer<L>, _ step: Int,
    _ tangent: Bool, _ worldOfLane: (Int) -> Int
  ) {
    guard let values = input.values, step == 0 || input.stepCount > 1 || input.alwaysLoads else { return }
    for lane in 0..<L.laneCount {
      let w = input.worldCount == 1 ? 0 : worldOfLane(lane)
      let s = input.stepCount == 1 ? 0 : step
      Self.scatter(
        values + (w * input.stepCount + s) * input.width, count: input.width, lane: lane, into: target,
        tangent: tangent)
    }
  }

  /// Freezes lanes whose new state is not finite (or beyond 1e10, MuJoCo's limit) in the state before the step.
  func freezeDiverged(before record: borrowing StepRecord<L>, step: Int) {
    let limit = L(1e10)
    var bad = frozen
    @inline(__always) func check(_ values: UnsafeMutablePointer<L>, _ count: Int) {
      var worst = L.Mask(repeating: true)
      for i in 0..<count { worst = worst .& (values[i].magnitude .< limit) }
      bad = bad .| (.!worst)
    }
    check(state.positions, plan.positionCount)
    check(state.velocities, plan.velocityCount)
    check(state.activations, plan.activationCount)
    guard bad.anyTrue else { return }
    for lane in 0..<L.laneCount where bad[lane: lane] && divergedStep[lane] < 0 { divergedStep[lane] = step }
    frozen = bad
    @inline(__always) func restore(
      _ values: UnsafeMutablePointer<L>, _ old: UnsafeMutablePointer<L>, _ count: Int
    ) {
      for i in 0..<count { values[i] = values[i].replacing(with: old[i], where: bad) }
    }
    restore(state.positions, record.positions, plan.positionCount)
    restore(state.velocities, record.velocities, plan.velocityCount)
    restore(state.activations, record.activations, plan.activationCount)
  }
}

/// Row-major arrays of a batch of states, by address.
struct BatchPointers<Scalar> {
  var positions: UnsafeMutablePointer<Scalar>
  var velocities: UnsafeMutablePointer<Scalar>
  var activations: UnsafeMutablePointer<Scalar>
}

/// One input sequence by address; `values` is nil where there is none.
struct InputPointer<Scalar> {
  var values: UnsafePointer<Scalar>?
  var worldCount: Int
  var stepCount: Int
  var width: Int
  /// Constant inputs are loaded in a rollout's first step only, unless steps are not visited in order.
  var alwaysLoads = false
}

struct InputPointers<Scalar> {
  var controls: InputPointer<Scalar>
  var appliedForces: InputPointer<Scalar>
  var cartesianForces: InputPointer<Scalar>
}
