public import Autodiff
public import RigidBody
public import RobotModels

/// A simulator as a function of tensors: what `grad`, `vmap` and `jit` can go through.
///
/// ```swift
/// let simulation = try Simulation(Model.load(path: "cartpole.xml"))
/// let start = simulation.initialState()
/// let cost = { (controls: Tensor) in
///   let end = try simulation.rollout(from: start, controls: controls, steps: 100)
///   return square(end.positions).sum() + square(controls).sum() * 1e-3
/// }
/// let gradient = try grad(cost)(Tensor.zeros([100, 1]))
/// ```
///
/// The derivative is that of `Simulator`: the reverse sweep is the hand-written one, over the tape that the forward
/// pass left, and forward mode runs on dual numbers (in float64). Axes of the states before the last count worlds,
/// which are simulated together; `vmap` adds worlds, too. Gradients by quaternions are those of a function that
/// normalises them; see ``displaced(_:by:in:)`` for gradients in tangent coordinates.
///
/// Of second derivatives there are those of scalar costs (`hvp`, `hessian`, `grad` of `grad`), in float64, of steps
/// and rollouts by states and inputs: not of trajectories, not by the model's parameters, and not `jvp` of `jvp`.
/// What there is not is an error.
///
/// The element type of the states, `float64` or `float32`, is the precision of the simulation.
public struct Simulation: Sendable {
  let core: SimulationCore

  /// - Parameters:
  ///   - model: what is simulated.
  ///   - ignored: what is left out.
  /// - Throws: `SimulationError` for a model that needs what is not simulated.
  public init(_ model: Model, ignoring ignored: IgnoredFeatures = []) throws(SimulationError) {
    core = try SimulationCore(model, ignoring: ignored)
  }

  /// The model as it was given.
  public var model: Model { core.model }
  /// The model's parameters as tensors.
  public var parameters: ModelParameters { ModelParameters(core.model) }

  /// Worlds in the model's default configuration, at rest.
  ///
  /// - Parameters:
  ///   - worlds: axes before the last; none for a single world.
  ///   - type: the precision.
  public func initialState(worlds: [Int] = [], type: ElementType = .float64) -> SimulationState {
    let model = core.model
    return SimulationState(
      positions: Tensor(model.defaultPosition).converted(to: type).broadcast(
        to: worlds + [model.positionCount]),
      velocities: Tensor.zeros(worlds + [model.velocityCount], type: type),
      activations: Tensor.zeros(worlds + [model.activationCount], type: type))
  }

  /// The states one step later.
  ///
  /// - Parameters:
  ///   - state: the states now.
  ///   - controls: `[…, actuators]`, as in all inputs with the axes of the state before the last or fewer of them
  ///     (one input for several worlds); nil for none (all zero).
  ///   - appliedForces: `[…, nv]`: generalised forces.
  ///   - cartesianForces: `[…, 6 bodies]`: force, then torque, for each body including the world, in world axes at its
  ///     centre of mass.
  ///   - parameters: other numbers than the model's; a simulator is made for each new set of them. All worlds of a
  ///     call have the same, whose gradient is summed over worlds; under `vmap`, each element of the batch is a call.
  /// - Throws: `TensorError` for wrong shapes, numbers that are not finite, worlds that diverge and parameters that
  ///   make no sense.
  /// - Complexity: that of `Simulator.step(_:inputs:threads:)`. A reverse pass keeps
  ///   `Simulator.retainedBytesPerWorldStep` bytes per world.
  public func step(
    _ state: SimulationState, controls: Tensor? = nil, appliedForces: Tensor? = nil,
    cartesianForces: Tensor? = nil, parameters: ModelParameters? = nil
  ) throws -> SimulationState {
    try withTensorErrors {
      try run(
        "step", state,
        [controls, appliedForces, cartesianForces].map {
          $0.map { $0.rank == 0 ? $0 : $0.expandingAxis(-2) }
        }, parameters,
        steps: 1, memory: .storeAll, returnsTrajectory: false)
    }
  }

  /// The states `steps` steps later, with inputs that are known beforehand.
  ///
  /// For inputs that depend on the states, call ``step(_:controls:appliedForces:cartesianForces:parameters:)`` in a
  /// `scan`.
  ///
  /// - Parameters:
  ///   - initial: the states before the first step.
  ///   - controls: `[…, steps, actuators]`, as in all inputs with the axes of the state before the last or fewer of
  ///     them (one sequence for several worlds), and with one row for steps that are alike.
  ///   - appliedForces: `[…, steps, nv]`: generalised forces.
  ///   - cartesianForces: `[…, steps, 6 bodies]`: force, then torque, for each body including the world, in world
  ///     axes at its centre of mass.
  ///   - parameters: as in ``step(_:controls:appliedForces:cartesianForces:parameters:)``.
  ///   - steps: how many, one or more.
  ///   - memory: what a reverse pass keeps.
  /// - Throws: `TensorError` for wrong shapes, numbers that are not finite, worlds that diverge and parameters that
  ///   make no sense.
  /// - Complexity: that of `Simulator.rollout(from:inputs:steps:recordsTrajectory:threads:)`; the reverse pass that of
  ///   `RolloutTape.gradient(final:trajectory:targets:threads:)`.
  public func rollout(
    from initial: SimulationState, controls: Tensor? = nil, appliedForces: Tensor? = nil,
    cartesianForces: Tensor? = nil, parameters: ModelParameters? = nil, steps: Int,
    memory: RolloutMemory = .storeStates
  ) throws -> SimulationState {
    try withTensorErrors {
      try run(
        "rollout", initial, [controls, appliedForces, cartesianForces], parameters, steps: steps,
        memory: memory,
        returnsTrajectory: false)
    }
  }

  /// The states after each of `steps` steps: as
  /// ``rollout(from:controls:appliedForces:cartesianForces:parameters:steps:memory:)``, but with an axis of steps
  /// before the last, `[…, steps, n]`. The initial state is not among them.
  ///
  /// - Throws: `TensorError` as the rollout.
  public func trajectory(
    from initial: SimulationState, controls: Tensor? = nil, appliedForces: Tensor? = nil,
    cartesianForces: Tensor? = nil, parameters: ModelParameters? = nil, steps: Int,
    memory: RolloutMemory = .storeStates
  ) throws -> SimulationState {
    try withTensorErrors {
      try run(
        "trajectory", initial, [controls, appliedForces, cartesianForces], parameters, steps: steps,
        memory: memory, returnsTrajectory: true)
    }
  }

  private func run(
    _ operation: String, _ state: SimulationState, _ inputs: [Tensor?], _ parameters: ModelParameters?,
    steps: Int, memory: RolloutMemory, returnsTrajectory: Bool
  ) throws -> SimulationState {
    let model = core.model
    guard steps >= 1 else {
      throw TensorError(.argument, operation, "\(steps) steps were asked for; one or more are possible")
    }
    if case .checkpoint(let every) = memory, every < 1 {
      throw TensorError(.argument, operation, "checkpoints every \(every) steps; one or more are possible")
    }
    let inputNames = ["controls", "appliedForces", "cartesianForces"]
    let stateParts = [
      ("positions", state.positions), ("velocities", state.velocities), ("activations", state.activations),
    ]
    let given = zip(inputNames, inputs).compactMap { name, tensor in tensor.map { (name, $0) } }
    let type = try floatingType(stateParts + given, operation)
    let worlds = try worldShape(state.positions, width: model.positionCount, "positions", operation)
    for (part, width) in zip(stateParts.dropFirst(), [model.velocityCount, model.activationCount]) {
      guard try worldShape(part.1, width: width, part.0, operation) == worlds else {
        throw TensorError(
          .shape, operation,
          "positions of shape \(state.positions.shape) and \(part.0) of shape \(part.1.shape) are not of the same "
            + "worlds"
        )
      }
    }
    let rows = worlds.reduce(1, *)
    guard rows > 0 else { throw TensorError(.shape, operation, "a batch needs at least one world") }
    var kernelInputs: SimulationKernel.InputSet = []
    var operands = stateParts.map { $0.1.reshaped([rows, $0.1.shape.last!]) }
    let widths = [model.controlCount, model.velocityCount, 6 * model.bodies.count]
    for (k, input) in inputs.enumerated() {
      guard let input else { continue }
      let whole = worlds + [steps, widths[k]]
      // Broadcasting alone would also repeat a last axis of one.
      guard input.shape.last == widths[k], input.fits(whole) else {
        throw TensorError(
          .shape, operation,
          "\(inputNames[k]) of shape \(input.shape) do not broadcast to \(whole) (worlds, steps, numbers per step)"
        )
      }
      kernelInputs.insert(SimulationKernel.InputSet(rawValue: 1 << k))
      operands.append(input.broadcast(to: whole).reshaped([rows, steps, widths[k]]))
    }
    if let parameters {
      let leaves = parameters.leaves
      guard leaves.map(\.shape) == core.parameterTypes.map(\.shape) else {
        throw TensorError(
          .shape, operation,
          "parameters of shapes \(leaves.map(\.shape)) do not belong to the model, whose are "
            + "\(core.parameterTypes.map(\.shape))"
        )
      }
      operands += leaves.map { $0.converted(to: .float64).expandingAxis(0) }
    }
    let kernel = SimulationKernel(
      core: core, elementType: type, steps: steps, memory: memory, returnsTrajectory: returnsTrajectory,
      inputs: kernelInputs, hasParameters: parameters != nil, name: operation)
    let results = try bindOrThrow(KernelCall(kernel: kernel, rows: rows, blocks: 1), operands)
    let shaped = results.map { $0.reshaped(worlds + $0.shape.dropFirst()) }
    return SimulationState(positions: shaped[0], velocities: shaped[1], activations: shaped[2])
  }
}

extension Tensor {
  /// Whether the tensor broadcasts to a shape.
  fileprivate func fits(_ whole: [Int]) -> Bool {
    rank <= whole.count && zip(shape.reversed(), whole.reversed()).allSatisfy { $0 == $1 || $0 == 1 }
  }
}
