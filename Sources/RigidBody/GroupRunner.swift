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

  /// Rows of the worlds in a group, of an array with `width` numbers a row and `rowsPerWorld` rows a world.
  static func rows(
    group: Int, worldCount: Int, width: Int, rowsPerWorld: Int = 1, row: Int = 0
  ) -> LaneRows {
    LaneRows(
      first: group * L.laneCount, last: worldCount - 1, stride: rowsPerWorld * width, start: row * width)
  }

  func load(_ source: BatchPointers<Scalar>, group: Int, worldCount: Int, tangent: Bool = false) {
    load(source, first: group * L.laneCount, last: worldCount - 1, tangent: tangent)
  }

  /// Loads one world into all lanes.
  func load(_ source: BatchPointers<Scalar>, world: Int) {
    load(source, first: world, last: world, tangent: false)
  }

  private func load(_ source: BatchPointers<Scalar>, first: Int, last: Int, tangent: Bool) {
    func rows(_ width: Int) -> LaneRows { LaneRows(first: first, last: last, stride: width, start: 0) }
    loadLanes(
      source.positions, rows(plan.positionCount), count: plan.positionCount, into: state.positions,
      tangent: tangent)
    loadLanes(
      source.velocities, rows(plan.velocityCount), count: plan.velocityCount, into: state.velocities,
      tangent: tangent)
    loadLanes(
      source.activations, rows(plan.activationCount), count: plan.activationCount, into: state.activations,
      tangent: tangent)
    if !tangent { resetDivergence() }
  }

  /// Forgets which lanes are frozen.
  func resetDivergence() {
    for lane in divergedStep.indices { divergedStep[lane] = -1 }
    frozen = L.Mask(repeating: false)
  }

  /// Writes the group's state to row `row` of each of its worlds.
  func store(
    _ target: BatchPointers<Scalar>, group: Int, worldCount: Int, rowsPerWorld: Int = 1, row: Int = 0,
    tangent: Bool = false
  ) {
    func rows(_ width: Int) -> LaneRows {
      Self.rows(group: group, worldCount: worldCount, width: width, rowsPerWorld: rowsPerWorld, row: row)
    }
    storeLanes(
      state.positions, count: plan.positionCount, into: target.positions, rows(plan.positionCount),
      tangent: tangent)
    storeLanes(
      state.velocities, count: plan.velocityCount, into: target.velocities, rows(plan.velocityCount),
      tangent: tangent)
    storeLanes(
      state.activations, count: plan.activationCount, into: target.activations, rows(plan.activationCount),
      tangent: tangent)
  }

  /// Loads the inputs of one step.
  func loadInputs(
    _ inputs: InputPointers<Scalar>, step: Int, group: Int, worldCount: Int, tangent: Bool = false
  ) -> StepInputs<L> {
    loadInputs(
      inputs, step: step, first: group * L.laneCount, last: worldCount - 1, tangent: tangent)
  }

  /// Loads one world's inputs of one step into all lanes.
  func loadInputs(_ inputs: InputPointers<Scalar>, step: Int, world: Int) -> StepInputs<L> {
    loadInputs(inputs, step: step, first: world, last: world, tangent: false)
  }

  private func loadInputs(
    _ inputs: InputPointers<Scalar>, step: Int, first: Int, last: Int, tangent: Bool
  ) -> StepInputs<L> {
    func load(_ input: InputPointer<Scalar>, _ target: UnsafeMutablePointer<L>) {
      guard let values = input.values, step == 0 || input.stepCount > 1 || input.alwaysLoads else { return }
      let isShared = input.worldCount == 1
      let rows = LaneRows(
        first: isShared ? 0 : first, last: isShared ? 0 : last, stride: input.stepCount * input.width,
        start: (input.stepCount == 1 ? 0 : step) * input.width)
      loadLanes(values, rows, count: input.width, into: target, tangent: tangent)
    }
    load(inputs.controls, controls)
    load(inputs.appliedForces, appliedForces)
    load(inputs.cartesianForces, cartesianForces)
    return StepInputs(
      controls: UnsafePointer(controls),
      appliedForces: inputs.appliedForces.values == nil ? nil : UnsafePointer(appliedForces),
      cartesianForces: inputs.cartesianForces.values == nil ? nil : UnsafePointer(cartesianForces))
  }

  /// Freezes lanes whose new state is not finite (or beyond 1e10) in the state before the step.
  func freezeDiverged(before record: StepRecord<L>, step: Int) {
    let bad =
      unboundedLanes(state.positions, count: plan.positionCount)
      .| unboundedLanes(state.velocities, count: plan.velocityCount)
      .| unboundedLanes(state.activations, count: plan.activationCount) .| frozen
    guard bad.anyTrue else { return }
    for lane in 0..<L.laneCount where bad[lane: lane] && divergedStep[lane] < 0 { divergedStep[lane] = step }
    frozen = bad
    func restore(_ values: UnsafeMutablePointer<L>, _ old: UnsafeMutablePointer<L>, _ count: Int) {
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
