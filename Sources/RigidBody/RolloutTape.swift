import Kinematics
import Lanes
public import RobotModels
import Synchronization

/// How a rollout remembers what its reverse sweep needs.
public enum RolloutMemory: Sendable, Equatable {
  /// Keeps every step's intermediate results (``Simulator/retainedBytesPerWorldStep`` bytes).
  case storeAll
  /// Keeps every step's state, acceleration, activation rates, and sines and cosines of joint angles
  /// (``Simulator/stateBytesPerWorldStep`` bytes), and computes poses and the factored mass matrix again, half of a step.
  /// The gradient is the same to the last bit.
  case storeStates
  /// Keeps every k-th state (``Simulator/checkpointBytesPerWorld`` bytes) and computes the steps between again, k at a
  /// time. The gradient is the same to the last bit.
  case checkpoint(every: Int)
}

/// Which inputs get gradients; what is not asked for is not computed.
public struct GradientTargets: OptionSet, Sendable, Hashable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  /// The initial state. (Its cotangent is what the reverse sweep carries along: it costs nothing extra.)
  public static let initialState = Self(rawValue: 1 << 0)
  public static let controls = Self(rawValue: 1 << 1)
  public static let appliedForces = Self(rawValue: 1 << 2)
  public static let cartesianForces = Self(rawValue: 1 << 3)
  public static let parameters = Self(rawValue: 1 << 4)
  /// Poses of mocap bodies.
  public static let mocapPoses = Self(rawValue: 1 << 5)
  public static let all: Self = [
    .initialState, .controls, .appliedForces, .cartesianForces, .parameters, .mocapPoses,
  ]
}

/// Cotangents (gradients) of states, row-major like the states themselves.
///
/// Positions are in tangent coordinates: `nv` numbers a state, those of free and ball joints for small turns in the
/// joint's own frame. `Model.positionGradient(tangent:at:)` lifts them to `qpos`.
public struct StateCotangents<Scalar: SimulationScalar>: Sendable, Equatable {
  public var positions: [Scalar]
  public var velocities: [Scalar]
  public var activations: [Scalar]
  public init(positions: [Scalar], velocities: [Scalar], activations: [Scalar] = []) {
    self.positions = positions
    self.velocities = velocities
    self.activations = activations
  }
}

/// Gradient of a rollout's cost.
public struct RolloutGradient<Scalar: SimulationScalar>: Sendable {
  public var initialState: StateCotangents<Scalar>
  /// In the shapes of the inputs; for an input that was not given, as if it were a zero that all steps share, one row a
  /// world.
  public var controls: InputSequence<Scalar>?
  public var appliedForces: InputSequence<Scalar>?
  public var cartesianForces: InputSequence<Scalar>?
  /// By position and quaternion, of a function that normalises the quaternions; where no poses were given, at those of the
  /// model. Nil for models without mocap bodies.
  public var mocapPoses: InputSequence<Scalar>? = nil
  public var parameters: ParameterGradient?
  /// Worlds that diverged; their gradients are zero and they are left out of what is shared.
  public var divergedWorlds: [DivergedWorld]
  /// How near the rollout of each world came to a kink, where a constraint's row changes its state or the geometry of a contact
  /// is not smooth: the smallest distance over steps, relative to the numbers whose difference it is (1: far, 0: at a kink,
  /// where the gradient is that of one side). Empty without constraints.
  public var kinkMargins: [Double] = []
  /// ``RolloutResult/unconvergedWorlds`` of the rollout: these worlds' gradients are not at a solution.
  public var unconvergedWorlds: [Int] = []
}

extension RolloutGradient {
  /// - Throws: ``SimulationError/overflow(result:index:)`` for the first number that is not finite.
  func requireFinite(_ what: String) throws(SimulationError) {
    func check<T: SimulationScalar>(_ name: String, _ values: [T]) throws(SimulationError) {
      if let index = firstNotFinite(values) { throw .overflow(result: "\(what): \(name)", index: index) }
    }
    try check("positions", initialState.positions)
    try check("velocities", initialState.velocities)
    try check("activations", initialState.activations)
    try check("controls", controls?.values ?? [])
    try check("appliedForces", appliedForces?.values ?? [])
    try check("cartesianForces", cartesianForces?.values ?? [])
    try check("mocapPoses", mocapPoses?.values ?? [])
    for (name, values) in parameters?.fields ?? [] { try check("parameters: \(name)", values) }
  }
}

/// A rollout that can be differentiated: made by ``Simulator/record(from:inputs:steps:memory:threads:)``.
public final class RolloutTape<Scalar: SimulationScalar>: @unchecked Sendable {
  public let simulator: Simulator<Scalar>
  public let inputs: SimulationInputs<Scalar>
  public let initialState: BatchState<Scalar>
  public let stepCount: Int
  public let memory: RolloutMemory
  /// All states of the rollout, and the worlds that diverged.
  public let result: RolloutResult<Scalar>
  let implementation: any TapeImplementation<Scalar>

  init(
    _ simulator: Simulator<Scalar>, _ initial: BatchState<Scalar>, _ inputs: SimulationInputs<Scalar>,
    _ steps: Int, _ memory: RolloutMemory, _ threads: Int
  ) {
    self.simulator = simulator
    self.inputs = inputs
    initialState = initial
    stepCount = steps
    self.memory = memory
    func make<L: Lane>(_ lane: L.Type) -> (RolloutResult<Scalar>, any TapeImplementation<Scalar>)
    where L.Scalar == Scalar {
      let tape = LaneTape<L>(simulator, initial, inputs, steps, memory)
      return (tape.forward(threads: threads), tape)
    }
    (result, implementation) =
      initial.worldCount == 1 ? make(Scalar.Single.self) : make(Scalar.Group.self)
  }

  /// The gradient of a cost whose cotangents of the states are given.
  ///
  /// - Parameters:
  ///   - final: cotangents of the last states, `worldCount` rows; or nil.
  ///   - trajectory: cotangents of all states, `worldCount * (stepCount + 1)` rows; or nil. Both add up.
  ///   - targets: which inputs get gradients.
  ///   - threads: how many threads work; the result is the same for every number.
  /// - Throws: ``SimulationError`` for arrays of the wrong length or that are not finite, and for a gradient that has
  ///   left the range of the scalar type.
  /// - Complexity: about one forward rollout where everything is stored, two where steps are computed again.
  public func gradient(
    final: StateCotangents<Scalar>? = nil, trajectory: StateCotangents<Scalar>? = nil,
    targets: GradientTargets = [.initialState, .controls], threads: Int = Simulator<Scalar>.defaultThreadCount
  ) throws(SimulationError) -> RolloutGradient<Scalar> {
    let worlds = initialState.worldCount
    if let final { try simulator.check(final, rows: worlds, "cotangents of the final state") }
    if let trajectory {
      try simulator.check(trajectory, rows: worlds * (stepCount + 1), "cotangents of the trajectory")
    }
    var gradient = implementation.reverse(
      final: final, trajectory: trajectory, targets: targets, threads: threads)
    try gradient.requireFinite("gradient")
    gradient.unconvergedWorlds = result.unconvergedWorlds
    return gradient
  }
}

extension Simulator {
  /// - Throws: ``SimulationError/invalidRequest(_:)`` for models with constraints.
  func requireSecondDerivatives() throws(SimulationError) {
    guard plan.constraints == nil else {
      throw .invalidRequest(
        "Hessian-vector products are of smooth dynamics; leave constraints out with `ignoring: .constraints`, or use "
          + "gradients, tangents and step Jacobians")
    }
  }

  /// Rolls out and remembers what a gradient needs.
  ///
  /// - Throws: ``SimulationError`` for arrays of the wrong length, inputs that are not finite, a checkpoint distance
  ///   below one, and a tape that is larger than the machine's memory.
  public func record(
    from initial: BatchState<Scalar>, inputs: SimulationInputs<Scalar> = SimulationInputs(), steps: Int,
    memory: RolloutMemory = .storeStates, threads: Int = defaultThreadCount
  ) throws(SimulationError) -> RolloutTape<Scalar> {
    try validate(initial, inputs, steps: steps)
    var bytes = 0
    switch memory {
    case .storeAll: bytes = retainedBytesPerWorldStep
    case .storeStates: bytes = stateBytesPerWorldStep
    case .checkpoint(let every):
      guard every >= 1 else {
        throw .invalidRequest("checkpoints every \(every) steps were asked for; one or more are possible")
      }
    }
    try checkTrajectoryFits(worlds: initial.worldCount, steps: steps, retainedBytes: bytes)
    return RolloutTape(self, initial, inputs, steps, memory, threads)
  }

  /// A step that can be differentiated: a tape of one step.
  public func differentiableStep(
    from state: BatchState<Scalar>, inputs: SimulationInputs<Scalar> = SimulationInputs(),
    threads: Int = defaultThreadCount
  ) throws(SimulationError) -> RolloutTape<Scalar> {
    try record(from: state, inputs: inputs, steps: 1, memory: .storeAll, threads: threads)
  }

  /// A cost of a rollout and its gradient: rolls out, asks `cost` for the value and the cotangents of all states, and
  /// goes back.
  ///
  /// - Parameters:
  ///   - cost: from the trajectory, the cost and its derivative by every state
  ///     (`worldCount * (steps + 1)` rows, positions in tangent coordinates).
  ///   - targets: which inputs get gradients.
  ///   - threads: how many threads work; the result is the same for every number.
  ///   - memory: what is kept for the way back.
  ///   - initial: the states before the first step.
  ///   - inputs: what acts from outside.
  ///   - steps: the number of steps.
  /// - Throws: ``SimulationError``; also if a world diverges.
  public func valueAndGradient(
    from initial: BatchState<Scalar>, inputs: SimulationInputs<Scalar> = SimulationInputs(), steps: Int,
    memory: RolloutMemory = .storeStates, targets: GradientTargets = [.initialState, .controls],
    threads: Int = defaultThreadCount,
    cost: (Trajectory<Scalar>) -> (value: Double, cotangents: StateCotangents<Scalar>)
  ) throws(SimulationError) -> (value: Double, gradient: RolloutGradient<Scalar>) {
    let tape = try record(from: initial, inputs: inputs, steps: steps, memory: memory, threads: threads)
    if let first = tape.result.divergedWorlds.min(by: { $0.step < $1.step }) {
      throw .diverged(worlds: tape.result.divergedWorlds.map(\.world), step: first.step)
    }
    let (value, cotangents) = cost(tape.result.trajectory!)
    return (value, try tape.gradient(trajectory: cotangents, targets: targets, threads: threads))
  }

  func check(_ c: StateCotangents<Scalar>, rows: Int, _ name: String) throws(SimulationError) {
    try check(c.positions, "\(name): positions", expected: rows * plan.velocityCount)
    try check(c.velocities, "\(name): velocities", expected: rows * plan.velocityCount)
    try check(c.activations, "\(name): activations", expected: rows * plan.activationCount)
  }
}

/// A tape in lanes of some type.
protocol TapeImplementation<Scalar>: Sendable {
  associatedtype Scalar: SimulationScalar
  func reverse(
    final: StateCotangents<Scalar>?, trajectory: StateCotangents<Scalar>?, targets: GradientTargets,
    threads: Int
  ) -> RolloutGradient<Scalar>
}

extension Model {
  /// Lifts a gradient from tangent coordinates to `qpos`: for a rotation `q̄ = 2 q ⊗ (0, g) / |q|²`, the gradient of a
  /// function that normalises its quaternions, as simulations do; everywhere else the same numbers.
  ///
  /// - Parameters:
  ///   - tangent: `nv` numbers.
  ///   - position: the `nq` numbers of the configuration. A quaternion without length stands for the identity, and
  ///     gets no gradient.
  public func positionGradient(tangent: [Double], at position: [Double]) -> [Double] {
    precondition(tangent.count == velocityCount, "a tangent gradient has \(velocityCount) entries")
    precondition(position.count == positionCount, "a configuration has \(positionCount) entries")
    var result = [Double](repeating: 0, count: positionCount)
    func lift(_ at: Int, _ dof: Int) {
      let q = Quaternion(position[at], position[at + 1], position[at + 2], position[at + 3])
      guard q.normSquared >= 1e-30 else { return }
      let scale = 2 / q.normSquared
      let lifted = q * Quaternion(0, tangent[dof], tangent[dof + 1], tangent[dof + 2])
      for (k, value) in lifted.array.enumerated() { result[at + k] = scale * value }
    }
    for joint in joints where joint.mimic == nil {
      let (at, dof) = (joint.positionAddress, joint.velocityAddress)
      switch joint.type {
      case .free:
        for k in 0..<3 { result[at + k] = tangent[dof + k] }
        lift(at + 3, dof + 3)
      case .ball: lift(at, dof)
      case .slide, .hinge: result[at] = tangent[dof]
      }
    }
    return result
  }
}
