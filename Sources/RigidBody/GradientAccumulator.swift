import Kinematics
import Lanes
import RobotModels
import Synchronization

/// Collects the gradients of inputs and parameters from all lane groups, in an order that does not depend on threads.
final class GradientAccumulator<Scalar: SimulationScalar>: @unchecked Sendable {
  let controls: InputAccumulator<Scalar>?
  let appliedForces: InputAccumulator<Scalar>?
  let cartesianForces: InputAccumulator<Scalar>?
  /// Nil also for models without mocap bodies.
  let mocapPoses: InputAccumulator<Scalar>?
  let targets: GradientTargets
  private let simulator: Simulator<Scalar>
  private let parameterSums: UnsafeMutableBufferPointer<ParameterSums?>
  /// Of each world; empty without constraints.
  private let kinkMargins: UnsafeMutableBufferPointer<Double>

  init(
    _ simulator: Simulator<Scalar>, _ inputs: SimulationInputs<Scalar>, worldCount: Int, groups: Int,
    laneCount: Int, targets: GradientTargets
  ) {
    self.simulator = simulator
    self.targets = targets
    let plan = simulator.plan
    func accumulator(
      _ target: GradientTargets, _ input: InputSequence<Scalar>?, _ width: Int
    ) -> InputAccumulator<Scalar>? {
      guard targets.contains(target) else { return nil }
      return InputAccumulator(
        inputWorlds: input?.worldCount ?? worldCount, inputSteps: input?.stepCount ?? 1, width: width,
        worldCount: worldCount, groups: groups, laneCount: laneCount, pool: simulator.tapeMemory)
    }
    controls = accumulator(.controls, inputs.controls, plan.actuators.count)
    appliedForces = accumulator(.appliedForces, inputs.appliedForces, plan.velocityCount)
    cartesianForces = accumulator(.cartesianForces, inputs.cartesianForces, 6 * plan.bodyCount)
    mocapPoses =
      plan.mocapWidth == 0 ? nil : accumulator(.mocapPoses, inputs.mocapPoses, plan.mocapWidth)
    parameterSums = .allocate(capacity: groups)
    parameterSums.initialize(repeating: nil)
    kinkMargins = .allocate(capacity: simulator.hasConstraints ? worldCount : 0)
    kinkMargins.initialize(repeating: 1)
  }
  deinit {
    kinkMargins.deallocate()
    parameterSums.deinitialize()
    parameterSums.deallocate()
  }

  func setParameters<L: Lane>(
    _ c: ParameterCotangents<L>, group: Int, lanes: Int, skipping skipped: L.Mask, tangent: Bool = false
  ) where L.Scalar == Scalar {
    parameterSums[group] = ParameterSums(
      c, simulator.plan, lanes: lanes, skipping: skipped, tangent: tangent)
  }

  func setKinkMargins<L: Lane>(_ margin: L, group: Int, lanes: Int) {
    for lane in 0..<lanes { kinkMargins[group * L.laneCount + lane] = Double(margin[lane: lane]) }
  }

  func gradient(
    initialState: StateCotangents<Scalar>, diverged: [DivergedWorld]
  ) -> RolloutGradient<Scalar> {
    var parameters: ParameterGradient?
    if targets.contains(.parameters) {
      var total = ParameterGradient(simulator.model)
      for sums in parameterSums {
        if let sums { total.add(sums, simulator.model, simulator.plan) }
      }
      parameters = total
    }
    var result = RolloutGradient(
      initialState: initialState, controls: controls?.sequence(), appliedForces: appliedForces?.sequence(),
      cartesianForces: cartesianForces?.sequence(), mocapPoses: mocapPoses?.sequence(),
      parameters: parameters,
      divergedWorlds: diverged)
    result.kinkMargins = Array(kinkMargins)
    return result
  }
}

/// The gradient of one input sequence.
final class InputAccumulator<Scalar: SimulationScalar>: @unchecked Sendable {
  private let inputWorlds: Int
  private let inputSteps: Int
  let width: Int
  private let laneCount: Int
  private let groups: Int
  /// One row a world where worlds have their own inputs.
  private let perWorld: UnsafeMutablePointer<Scalar>
  private let perWorldCount: Int
  /// One partial sum a group where worlds share them.
  private let perGroup: UnsafeMutablePointer<Double>
  private let isShared: Bool
  /// Whether all steps have the same input.
  var isConstant: Bool { inputSteps == 1 }
  private var arena: Arena

  init(
    inputWorlds: Int, inputSteps: Int, width: Int, worldCount: Int, groups: Int, laneCount: Int,
    pool: ArenaPool
  ) {
    self.inputWorlds = inputWorlds
    self.inputSteps = inputSteps
    self.width = width
    self.laneCount = laneCount
    self.groups = groups
    isShared = inputWorlds == 1 && worldCount > 1
    perWorldCount = isShared ? 0 : inputWorlds * inputSteps * width
    let perGroupCount = isShared ? groups * inputSteps * width : 0
    arena = Arena(
      byteCount: Arena.byteCount(Scalar.self, perWorldCount) + Arena.byteCount(Double.self, perGroupCount),
      pool: pool)
    perWorld = arena.take(Scalar.self, perWorldCount)
    perGroup = arena.take(Double.self, perGroupCount)
  }

  /// Adds the cotangents of `count` steps from `step` on, of the lanes that count. Every step comes once; a constant
  /// input counts as one step.
  func add<L: Lane>(
    _ values: UnsafePointer<L>, step: Int, count: Int, group: Int, lanes: Int, skipping skipped: L.Mask,
    tangent: Bool = false
  ) where L.Scalar == Scalar {
    if isShared {
      sumLanes(
        values, count: count * width, lanes: lanes, skipping: skipped,
        into: perGroup + (group * inputSteps + step) * width, tangent: tangent)
    } else {
      let rows = LaneRows(
        first: group * laneCount, last: inputWorlds - 1, stride: inputSteps * width, start: step * width)
      storeLanes(
        values, count: count * width, into: perWorld, rows, skipping: skipped, tangent: tangent)
    }
  }

  func sequence() -> InputSequence<Scalar> {
    guard isShared else {
      return InputSequence(
        values: Array(UnsafeBufferPointer(start: perWorld, count: perWorldCount)), worldCount: inputWorlds,
        stepCount: inputSteps)
    }
    var total = [Double](repeating: 0, count: inputSteps * width)
    for group in 0..<groups {
      for i in total.indices { total[i] += perGroup[group * total.count + i] }
    }
    return InputSequence(values: total.map { Scalar($0) }, worldCount: 1, stepCount: inputSteps)
  }
}
