import Lanes
import RigidBody
import RobotModels
import TestSupport

/// A rollout from a random state with random inputs, and a cost that is linear in the final state's tangent
/// coordinates about the nominal final state: everything a gradient test needs.
struct RolloutProblem {
  var model: Model
  var state: BatchState<Double>
  var inputs: SimulationInputs<Double>
  var steps: Int
  var cotangents: StateCotangents<Double>
  var ignored: IgnoredFeatures = [.constraints]

  init(_ model: Model, seed: UInt64, worlds: Int = 1, steps: Int = 3) {
    var random = SeededRandom(seed: seed)
    self.model = model
    self.steps = steps
    var state = BatchState<Double>(model, worldCount: worlds)
    for i in state.positions.indices { state.positions[i] += random.uniform(-0.3, 0.3) }
    for world in 0..<worlds {
      for at in model.orientationAddresses {
        let i = world * model.positionCount + at
        let n = state.positions[i..<i + 4].reduce(0) { $0 + $1 * $1 }.squareRoot()
        for k in 0..<4 { state.positions[i + k] /= n }
      }
    }
    state.velocities = random.uniform(-1, 1, count: state.velocities.count)
    state.activations = random.uniform(-0.5, 0.5, count: state.activations.count)
    self.state = state
    let rows = worlds * steps
    let controls = random.uniform(-0.4, 0.4, count: rows * model.controlCount)
    let applied = random.uniform(-0.2, 0.2, count: rows * model.velocityCount)
    let cartesian = random.uniform(-0.3, 0.3, count: rows * 6 * model.bodies.count)
    inputs = SimulationInputs(
      controls: InputSequence(values: controls, worldCount: worlds, stepCount: steps),
      appliedForces: InputSequence(values: applied, worldCount: worlds, stepCount: steps),
      cartesianForces: InputSequence(values: cartesian, worldCount: worlds, stepCount: steps))
    if !model.mocapBodies.isEmpty {
      let poses = (0..<rows).flatMap { _ in model.defaultMocapPoses.map { $0 + random.uniform(-0.1, 0.1) } }
      inputs.mocapPoses = InputSequence(values: poses, worldCount: worlds, stepCount: steps)
    }
    cotangents = StateCotangents(
      positions: random.uniform(-1, 1, count: worlds * model.velocityCount),
      velocities: random.uniform(-1, 1, count: worlds * model.velocityCount),
      activations: random.uniform(-1, 1, count: worlds * model.activationCount))
  }

  func simulator() throws -> Simulator<Double> { try Simulator(model, ignoring: ignored) }

  /// A random direction of initial state and inputs.
  func direction(seed: UInt64) -> RolloutDirection {
    var random = SeededRandom(seed: seed)
    func values(_ count: Int) -> [Double] { (0..<count).map { _ in random.uniform(-1, 1) } }
    func sequence(_ s: InputSequence<Double>?) -> InputSequence<Double>? {
      s.map {
        InputSequence(values: values($0.values.count), worldCount: $0.worldCount, stepCount: $0.stepCount)
      }
    }
    return RolloutDirection(
      initialState: StateTangents(
        positions: values(state.velocities.count), velocities: values(state.velocities.count),
        activations: values(state.activations.count)),
      inputs: SimulationInputs(
        controls: sequence(inputs.controls), appliedForces: sequence(inputs.appliedForces),
        cartesianForces: sequence(inputs.cartesianForces), mocapPoses: sequence(inputs.mocapPoses)))
  }

  /// The problem moved by `step` along a direction.
  func moved(_ direction: RolloutDirection, by step: Double) -> RolloutProblem {
    var result = self
    result.state.positions = model.moved(
      state.positions, by: direction.initialState.positions.map { $0 * step })
    func add(_ a: inout [Double], _ b: [Double]) { for i in a.indices { a[i] += step * b[i] } }
    add(&result.state.velocities, direction.initialState.velocities)
    add(&result.state.activations, direction.initialState.activations)
    if let d = direction.inputs.controls { add(&result.inputs.controls!.values, d.values) }
    if let d = direction.inputs.appliedForces { add(&result.inputs.appliedForces!.values, d.values) }
    if let d = direction.inputs.cartesianForces { add(&result.inputs.cartesianForces!.values, d.values) }
    if let d = direction.inputs.mocapPoses { add(&result.inputs.mocapPoses!.values, d.values) }
    return result
  }

  /// The cost: the cotangents times the difference of final states.
  func cost(relativeTo nominal: BatchState<Double>) throws -> Double {
    let final = try simulator().rollout(from: state, inputs: inputs, steps: steps).finalState
    let change = model.difference(final.positions, nominal.positions)
    return dot(cotangents.positions, change)
      + zip(cotangents.velocities, zip(final.velocities, nominal.velocities)).reduce(0) {
        $0 + $1.0 * ($1.1.0 - $1.1.1)
      }
      + zip(cotangents.activations, zip(final.activations, nominal.activations)).reduce(0) {
        $0 + $1.0 * ($1.1.0 - $1.1.1)
      }
  }

  func final() throws -> BatchState<Double> {
    try simulator().rollout(from: state, inputs: inputs, steps: steps).finalState
  }
}

func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

extension RolloutGradient<Double> {
  /// The derivative along a direction.
  func along(_ d: RolloutDirection) -> Double {
    dot(initialState.positions, d.initialState.positions)
      + dot(initialState.velocities, d.initialState.velocities)
      + dot(initialState.activations, d.initialState.activations)
      + dot(controls?.values ?? [], d.inputs.controls?.values ?? [])
      + dot(appliedForces?.values ?? [], d.inputs.appliedForces?.values ?? [])
      + dot(cartesianForces?.values ?? [], d.inputs.cartesianForces?.values ?? [])
      + dot(mocapPoses?.values ?? [], d.inputs.mocapPoses?.values ?? [])
  }
}

extension Model {
  var orientationAddresses: [Int] {
    joints.compactMap {
      $0.type == .free ? $0.positionAddress + 3 : $0.type == .ball ? $0.positionAddress : nil
    }
  }

  /// Configurations of several worlds moved by tangent vectors.
  func moved(_ positions: [Double], by tangents: [Double]) -> [Double] {
    var result = positions
    forEachJoint(positions.count / positionCount) { joint, at, dof in
      switch joint.type {
      case .slide, .hinge: result[at] += tangents[dof]
      case .ball, .free:
        let shift = joint.type == .free ? 3 : 0
        for k in 0..<shift { result[at + k] += tangents[dof + k] }
        let q = Quaternion(
          positions[at + shift], positions[at + shift + 1], positions[at + shift + 2],
          positions[at + shift + 3])
        let v = Vector3(tangents[dof + shift], tangents[dof + shift + 1], tangents[dof + shift + 2])
        for (k, x) in (q * Quaternion(rotationVector: v)).array.enumerated() { result[at + shift + k] = x }
      }
    }
    return result
  }

  /// Tangent vectors from `b` to `a`.
  func difference(_ a: [Double], _ b: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: a.count / positionCount * velocityCount)
    forEachJoint(a.count / positionCount) { joint, at, dof in
      switch joint.type {
      case .slide, .hinge: result[dof] = a[at] - b[at]
      case .ball, .free:
        let shift = joint.type == .free ? 3 : 0
        for k in 0..<shift { result[dof + k] = a[at + k] - b[at + k] }
        func q(_ x: [Double]) -> Quaternion<Double> {
          Quaternion(x[at + shift], x[at + shift + 1], x[at + shift + 2], x[at + shift + 3]).normalized
        }
        for (k, x) in (q(b).conjugate * q(a)).rotationVector.array.enumerated() {
          result[dof + shift + k] = x
        }
      }
    }
    return result
  }

  private func forEachJoint(_ worlds: Int, _ body: (Joint, Int, Int) -> Void) {
    for world in 0..<worlds {
      for joint in joints where joint.mimic == nil {
        body(
          joint, world * positionCount + joint.positionAddress, world * velocityCount + joint.velocityAddress)
      }
    }
  }
}
