import Kinematics
import Lanes
import RobotModels
import Synchronization

/// Memory for running the reverse sweep of one lane group at a time; each thread has its own.
final class ReverseRunner<L: Lane> where L.Scalar: SimulationScalar {
  typealias Scalar = L.Scalar
  let plan: DynamicsPlan<Scalar>
  let forward: GroupRunner<L>
  private var arena: Arena
  let scratch: AdjointScratch<L>
  /// Cotangents of the state and of parameters; those of inputs come from chunks.
  private let cotangents: Cotangents<L>
  private let controls: InputCotangentChunks<L>?
  private let appliedForces: InputCotangentChunks<L>?
  private let cartesianForces: InputCotangentChunks<L>?
  private let mocapPoses: InputCotangentChunks<L>?
  private var segment: GroupStorage<L>?
  /// One step's records of a tape, with memory of this runner's own for what they do not retain, as a tape may be
  /// differentiated by several threads at the same time.
  private let geometry: Geometry<L>
  private let matrices: Matrices<L>
  private let ownRecords: UnsafeMutablePointer<StepRecord<L>>

  /// - Parameter accumulator: where the cotangents of inputs and parameters will go.
  init(_ plan: DynamicsPlan<Scalar>, _ accumulator: GradientAccumulator<Scalar>) {
    self.plan = plan
    forward = GroupRunner(plan)
    var measure = ArenaMeasure()
    measure.take(L.self, plan.velocityCount)
    measure.take(L.self, plan.velocityCount)
    measure.take(L.self, plan.activationCount)
    for width in [plan.actuators.count, plan.velocityCount, 6 * plan.bodyCount, plan.mocapWidth] {
      InputCotangentChunks<L>.measure(&measure, width: width)
    }
    arena = Arena(
      byteCount: AdjointScratch<L>.byteCount(plan) + ParameterCotangents<L>.byteCount(plan)
        + Geometry<L>.byteCount(plan) + Matrices<L>.byteCount(plan) + measure.byteCount)
    geometry = Geometry(plan, &arena)
    matrices = Matrices(plan, &arena)
    ownRecords = .allocate(capacity: plan.stageCount)
    scratch = AdjointScratch(plan, &arena)
    var cotangents = Cotangents(
      positions: arena.take(L.self, plan.velocityCount), velocities: arena.take(L.self, plan.velocityCount),
      activations: arena.take(L.self, plan.activationCount))
    if accumulator.targets.contains(.parameters) {
      cotangents.parameters = ParameterCotangents(plan, &arena)
    }
    self.cotangents = cotangents
    controls = InputCotangentChunks(&arena, accumulator.controls)
    appliedForces = InputCotangentChunks(&arena, accumulator.appliedForces)
    cartesianForces = InputCotangentChunks(&arena, accumulator.cartesianForces)
    mocapPoses = InputCotangentChunks(&arena, accumulator.mocapPoses)
  }
  deinit { ownRecords.deallocate() }

  /// The reverse sweep of one group.
  ///
  /// - Parameters:
  ///   - following: the storage that is wanted next, to be brought closer in good time.
  ///   - cotangentsAreOfGroup: whether the cotangents' rows begin with the group's first world.
  func reverse(
    _ storage: GroupStorage<L>, following: GroupStorage<L>?, inputs: InputPointers<Scalar>,
    gradient: BatchPointers<Scalar>,
    final: CotangentPointers<Scalar>?, trajectory: CotangentPointers<Scalar>?,
    cotangentsAreOfGroup: Bool = false, steps: Int, group: Int,
    worldCount: Int, diverged: [Int], accumulator: GradientAccumulator<Scalar>
  ) {
    let h = L(broadcasting: plan.timestep)
    var skipped = L.Mask(repeating: false)
    for lane in 0..<L.laneCount where diverged[lane] >= 0 { skipped[lane: lane] = true }
    let lanes = min(L.laneCount, worldCount - group * L.laneCount)
    start()
    forward.scratch.constraints?.kinkMargin = L(1.0)
    let (source, sourceCount) = cotangentsAreOfGroup ? (0, lanes) : (group, worldCount)
    if let final { addState(final, source, sourceCount, rowsPerWorld: 1, row: 0) }
    for step in stride(from: steps - 1, through: 0, by: -1) {
      if let trajectory { addState(trajectory, source, sourceCount, rowsPerWorld: steps + 1, row: step + 1) }
      let records = stepRecords(storage, step, steps, inputs, group, worldCount)
      if storage.storesAll {
        scratch.upcoming.pointee =
          step > 0
          ? storage.prefetch(step: step - 1) : following?.prefetch(step: steps - 1) ?? PacedPrefetch()
      }
      let stepInputs = forward.loadInputs(inputs, step: step, group: group, worldCount: worldCount)
      stepReverse(
        plan, records, scratch, forward.scratch, stepInputs, timestep: h, cotangents(step: step, steps: steps)
      )
      collectInputs(accumulator, step: step, steps: steps, group: group, lanes: lanes, skipping: skipped)
    }
    if let trajectory { addState(trajectory, source, sourceCount, rowsPerWorld: steps + 1, row: 0) }
    collectParameters(accumulator, group: group, lanes: lanes, skipping: skipped)
    storeState(gradient, group, worldCount, skipping: skipped)
    if let constraints = forward.scratch.constraints {
      accumulator.setKinkMargins(constraints.kinkMargin, group: group, lanes: lanes)
    }
  }

  /// Forgets everything before a group's sweep.
  func start() {
    clearState()
    forward.resetInputs()
    cotangents.parameters?.clear(plan)
  }

  /// Where a step's sweep reads and adds cotangents.
  func cotangents(step: Int, steps: Int) -> Cotangents<L> {
    var result = cotangents
    result.controls = controls?.target(step: step, steps: steps)
    result.appliedForces = appliedForces?.target(step: step, steps: steps)
    result.cartesianForces = cartesianForces?.target(step: step, steps: steps)
    result.mocapPoses = mocapPoses?.target(step: step, steps: steps)
    return result
  }

  func collectParameters(
    _ accumulator: GradientAccumulator<Scalar>, group: Int, lanes: Int, skipping skipped: L.Mask,
    tangent: Bool = false
  ) {
    guard let parameters = cotangents.parameters else { return }
    accumulator.setParameters(parameters, group: group, lanes: lanes, skipping: skipped, tangent: tangent)
  }

  /// Hands cotangents of inputs on, after each step.
  func collectInputs(
    _ accumulator: GradientAccumulator<Scalar>, step: Int, steps: Int, group: Int, lanes: Int,
    skipping skipped: L.Mask, tangent: Bool = false
  ) {
    func collect(_ chunks: InputCotangentChunks<L>?, _ target: InputAccumulator<Scalar>?) {
      guard let chunks, let target else { return }
      chunks.collect(
        into: target, step: step, steps: steps, group: group, lanes: lanes, skipping: skipped,
        tangent: tangent)
    }
    collect(controls, accumulator.controls)
    collect(appliedForces, accumulator.appliedForces)
    collect(cartesianForces, accumulator.cartesianForces)
    collect(mocapPoses, accumulator.mocapPoses)
  }

  /// Writes the cotangents of the initial states.
  func storeState(
    _ gradient: BatchPointers<Scalar>, _ group: Int, _ worldCount: Int, skipping skipped: L.Mask,
    tangent: Bool = false
  ) {
    func store(_ values: UnsafeMutablePointer<L>, _ width: Int, _ target: UnsafeMutablePointer<Scalar>) {
      let rows = GroupRunner<L>.rows(group: group, worldCount: worldCount, width: width)
      storeLanes(values, count: width, into: target, rows, skipping: skipped, tangent: tangent)
    }
    store(cotangents.positions, plan.velocityCount, gradient.positions)
    store(cotangents.velocities, plan.velocityCount, gradient.velocities)
    store(cotangents.activations, plan.activationCount, gradient.activations)
  }

  /// Records of a step, computed again from a checkpoint where they were not stored.
  private func stepRecords(
    _ storage: GroupStorage<L>, _ step: Int, _ steps: Int, _ inputs: InputPointers<Scalar>, _ group: Int,
    _ worldCount: Int
  ) -> UnsafePointer<StepRecord<L>> {
    if storage.storesAll {
      for stage in 0..<plan.stageCount {
        (ownRecords + stage).initialize(
          to: storage.record(forStep: step, stage: stage).with(geometry, matrices))
      }
      return UnsafePointer(ownRecords)
    }
    let interval = storage.interval
    let segment = self.segment ?? GroupStorage(plan, steps: interval, memory: .storeAll)
    self.segment = segment
    let start = step / interval * interval
    if step == steps - 1 || step % interval == interval - 1 {
      storage.restoreCheckpoint(before: start, into: forward.state)
      forward.resetDivergence()
      let h = L(broadcasting: plan.timestep)
      for s in start...step {
        let records = segment.records(forStep: s - start)
        let stepInputs = forward.loadInputs(inputs, step: s, group: group, worldCount: worldCount)
        stepForward(plan, records, forward.scratch, stepInputs, timestep: h, state: forward.state)
        forward.freezeDiverged(before: records[0], step: s)
      }
    }
    return segment.records(forStep: step - start)
  }

  func addState(
    _ source: CotangentPointers<Scalar>, _ group: Int, _ worldCount: Int, rowsPerWorld: Int, row: Int,
    tangent: Bool = false
  ) {
    func add(_ values: UnsafePointer<Scalar>, _ width: Int, _ target: UnsafeMutablePointer<L>) {
      let rows = GroupRunner<L>.rows(
        group: group, worldCount: worldCount, width: width, rowsPerWorld: rowsPerWorld, row: row)
      addLanes(values, rows, count: width, to: target, tangent: tangent)
    }
    add(source.positions, plan.velocityCount, cotangents.positions)
    add(source.velocities, plan.velocityCount, cotangents.velocities)
    add(source.activations, plan.activationCount, cotangents.activations)
  }

  private func clearState() {
    cotangents.positions.update(repeating: L(0.0), count: plan.velocityCount)
    cotangents.velocities.update(repeating: L(0.0), count: plan.velocityCount)
    cotangents.activations.update(repeating: L(0.0), count: plan.activationCount)
  }
}

extension ParameterCotangents {
  /// Sets everything to zero.
  func clear(_ plan: DynamicsPlan<L.Scalar>) {
    let zero = L(0.0)
    inertias.update(repeating: .zero, count: plan.tree.linkCount)
    bodyPoints.update(repeating: .zero, count: plan.bodyPoints.count)
    compensatedPoints.update(repeating: .zero, count: plan.compensatedBodies.count)
    compensatedMasses.update(repeating: zero, count: plan.compensatedBodies.count)
    fluidPoints.update(repeating: .zero, count: plan.fluidBodies.count)
    fluidCoefficients.update(repeating: zero, count: 8 * plan.fluidBodies.count)
    armature.update(repeating: zero, count: plan.velocityCount)
    damping.update(repeating: zero, count: plan.velocityCount)
    stiffness.update(repeating: zero, count: plan.springs.count)
    springReference.update(repeating: zero, count: plan.springs.count)
    let tendons = plan.transmissions.ofTendon.count
    tendonStiffness.update(repeating: zero, count: tendons)
    tendonDamping.update(repeating: zero, count: tendons)
    tendonArmature.update(repeating: zero, count: tendons)
    tendonSpringLength.update(repeating: zero, count: 2 * tendons)
    gear.update(repeating: zero, count: 6 * plan.actuators.count)
    gain.update(repeating: zero, count: 3 * plan.actuators.count)
    bias.update(repeating: zero, count: 3 * plan.actuators.count)
    gravity.update(repeating: .zero, count: 1)
    timestep.update(repeating: zero, count: 1)
    constraints.update(repeating: zero, count: plan.constraintParameterCount)
  }
}
