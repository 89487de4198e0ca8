public import RobotModels

/// The states of a number of worlds, one after the other.
public struct BatchState<Scalar: SimulationScalar>: Sendable, Equatable {
  public var worldCount: Int
  /// `worldCount x nq`, `worldCount x nv` and `worldCount x na` numbers.
  public var positions: [Scalar]
  public var velocities: [Scalar]
  public var activations: [Scalar]
  /// Simulated time in seconds, common to all worlds.
  public var time: Double

  public init(
    worldCount: Int, positions: [Scalar], velocities: [Scalar], activations: [Scalar] = [], time: Double = 0
  ) {
    self.worldCount = worldCount
    self.positions = positions
    self.velocities = velocities
    self.activations = activations
    self.time = time
  }

  /// A number of worlds in the model's default configuration, at rest.
  public init(_ model: Model, worldCount: Int = 1) {
    self.worldCount = worldCount
    positions = Array(repeating: model.defaultPosition.map { Scalar($0) }, count: worldCount).flatMap { $0 }
    velocities = Array(repeating: 0, count: worldCount * model.velocityCount)
    activations = Array(repeating: 0, count: worldCount * model.activationCount)
    time = 0
  }
}

/// An input over a rollout: controls or applied forces.
///
/// `values` has shape `[worldCount, stepCount, width]` in row-major order. A world count of one means the same for
/// all worlds, a step count of one the same for all steps; gradients come back in the same shape, summed over what
/// is shared.
public struct InputSequence<Scalar: SimulationScalar>: Sendable, Equatable {
  public var values: [Scalar]
  public var worldCount: Int
  public var stepCount: Int

  public init(values: [Scalar], worldCount: Int = 1, stepCount: Int = 1) {
    self.values = values
    self.worldCount = worldCount
    self.stepCount = stepCount
  }
}

/// What acts on the worlds from outside.
public struct SimulationInputs<Scalar: SimulationScalar>: Sendable, Equatable {
  /// One number per actuator; nil for none (all zero).
  public var controls: InputSequence<Scalar>?
  /// One generalised force per degree of freedom (`qfrc_applied`).
  public var appliedForces: InputSequence<Scalar>?
  /// Force, then torque, for each body including the world: six numbers a body, in world axes at its centre of mass
  /// (`xfrc_applied`).
  public var cartesianForces: InputSequence<Scalar>?
  /// Where mocap bodies are: position, then quaternion (`w x y z`, which need not have length one), seven numbers a body in the
  /// order of `Model.mocapBodies` (`mocap_pos`, `mocap_quat`); nil for where the model places them. They are at rest there,
  /// also where the next step has other numbers.
  public var mocapPoses: InputSequence<Scalar>?

  public init(
    controls: InputSequence<Scalar>? = nil, appliedForces: InputSequence<Scalar>? = nil,
    cartesianForces: InputSequence<Scalar>? = nil, mocapPoses: InputSequence<Scalar>? = nil
  ) {
    self.controls = controls
    self.appliedForces = appliedForces
    self.cartesianForces = cartesianForces
    self.mocapPoses = mocapPoses
  }
}

/// States of all worlds over a rollout, `[worldCount, stepCount + 1, n]` in row-major order.
public struct Trajectory<Scalar: SimulationScalar>: Sendable {
  public var worldCount: Int
  public var stepCount: Int
  public var positions: [Scalar]
  public var velocities: [Scalar]
  public var activations: [Scalar]
}

/// What a rollout returns.
public struct RolloutResult<Scalar: SimulationScalar>: Sendable {
  /// States after the last step.
  public var finalState: BatchState<Scalar>
  /// All states, if they were asked for.
  public var trajectory: Trajectory<Scalar>?
  /// Worlds in whose state a number left the range up to 1e10 (MuJoCo's limit), with the step in which each did. They
  /// were frozen in the last state before it; the others went on.
  public var divergedWorlds: [DivergedWorld]
  /// Worlds in which the constraint solver reached its limit of iterations, or a number was not finite, in some step: their
  /// states and gradients are not those of a solution.
  public var unconvergedWorlds: [Int] = []
}

/// A world that was frozen.
public struct DivergedWorld: Sendable, Equatable {
  public var world: Int
  /// The step that failed, from zero.
  public var step: Int
}
