import Kinematics
import Lanes

/// Memory and bookkeeping for running one lane group at a time; each thread has its own.
final class GroupRunner<L: Lane> where L.Scalar: SimulationScalar {
  typealias Scalar = L.Scalar
  let plan: DynamicsPlan<Scalar>
  private var arena: Arena
  let state: StateBuffers<L>
  let scratch: Scratch<L>
  // Each thread has a runner of its own.
  @exclusivity(unchecked) private var controls: InputChunks<L>
  @exclusivity(unchecked) private var appliedForces: InputChunks<L>
  @exclusivity(unchecked) private var cartesianForces: InputChunks<L>
  @exclusivity(unchecked) private var mocapPoses: InputChunks<L>
  /// Step in which each lane diverged, or -1.
  var divergedStep: [Int]
  private var frozen: L.Mask

  init(_ plan: DynamicsPlan<Scalar>) {
    self.plan = plan
    var measure = ArenaMeasure()
    for width in [plan.actuators.count, plan.velocityCount, 6 * plan.bodyCount, plan.mocapWidth] {
      InputChunks<L>.measure(&measure, width: width)
    }
    arena = Arena(
      byteCount: StateBuffers<L>.byteCount(plan) + Scratch<L>.byteCount(plan) + measure.byteCount)
    state = StateBuffers(plan, &arena)
    scratch = Scratch(plan, &arena)
    controls = InputChunks(&arena, width: plan.actuators.count)
    appliedForces = InputChunks(&arena, width: plan.velocityCount)
    cartesianForces = InputChunks(&arena, width: 6 * plan.bodyCount)
    mocapPoses = InputChunks(&arena, width: plan.mocapWidth)
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
    state.warmStart.update(repeating: L(0.0), count: plan.warmStartCount)
    resetInputs()
    if !tangent { resetDivergence() }
  }

  /// Forgets the inputs that are loaded: others may follow.
  func resetInputs() {
    controls.reset()
    appliedForces.reset()
    cartesianForces.reset()
    mocapPoses.reset()
  }

  /// Forgets which lanes are frozen.
  func resetDivergence() {
    for lane in divergedStep.indices { divergedStep[lane] = -1 }
    frozen = L.Mask(repeating: false)
    scratch.constraints?.unconvergedLanes = 0
  }

  /// Whether the constraint solver failed in a lane since the group was loaded.
  func isUnconverged(lane: Int) -> Bool {
    scratch.constraints.map { $0.unconvergedLanes >> UInt32(lane) & 1 != 0 } ?? false
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
    func load(_ chunks: inout InputChunks<L>, _ input: InputPointer<Scalar>) -> UnsafePointer<L>? {
      chunks.load(input, step: step, first: first, last: last, tangent: tangent)
    }
    return StepInputs(
      controls: load(&controls, inputs.controls) ?? controls.zeros(),
      appliedForces: load(&appliedForces, inputs.appliedForces),
      cartesianForces: load(&cartesianForces, inputs.cartesianForces),
      mocapPoses: load(&mocapPoses, inputs.mocapPoses))
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
}

struct InputPointers<Scalar> {
  var controls: InputPointer<Scalar>
  var appliedForces: InputPointer<Scalar>
  var cartesianForces: InputPointer<Scalar>
  var mocapPoses: InputPointer<Scalar>
}
