public import Autodiff
import Lanes
public import RobotModels

/// The numbers of a model that gradients are taken with respect to, as tensors (`float64`).
///
/// They are the fields of the compiled model. Constants that are derived from them are held fixed, exactly as when
/// those fields are edited without compiling the model again. Orientations of inertial frames and of geoms are not among them.
public struct ModelParameters: TensorTree, Sendable {
  /// By body: kilograms, `[bodies]`.
  public var mass: Tensor
  /// By body: centre of mass in the body's frame, metres, `[bodies, 3]`.
  public var inertialPosition: Tensor
  /// By body: principal moments of inertia, kg m², `[bodies, 3]`.
  public var inertia: Tensor
  /// By degree of freedom, `[nv]`.
  public var armature: Tensor
  /// By degree of freedom, `[nv]`.
  public var damping: Tensor
  /// By joint, `[joints]`.
  public var stiffness: Tensor
  /// By joint, `[joints]`: where the springs of slide and hinge joints rest; zero, and without effect, for others.
  public var springReference: Tensor
  /// By actuator, `[actuators, 6]`.
  public var gear: Tensor
  /// By actuator, `[actuators, 3]`.
  public var gainParameters: Tensor
  /// By actuator, `[actuators, 3]`.
  public var biasParameters: Tensor
  /// Metres per second squared, `[3]`.
  public var gravity: Tensor
  /// Seconds, a scalar.
  public var timestep: Tensor
  /// Of contacts, limits, friction loss and equalities.
  public var constraints: ConstraintParameters

  /// The parameters of a model.
  public init(_ model: Model) {
    func vectors(_ values: [Vector3<Double>]) -> Tensor {
      Tensor(values.flatMap { [$0.x, $0.y, $0.z] }, shape: [values.count, 3])
    }
    func rows(_ values: [[Double]], _ width: Int) -> Tensor {
      Tensor(values.flatMap { $0.prefix(width) }, shape: [values.count, width])
    }
    mass = Tensor(model.bodies.map(\.mass))
    inertialPosition = vectors(model.bodies.map(\.inertialPosition))
    inertia = vectors(model.bodies.map(\.inertia))
    armature = Tensor(model.degreesOfFreedom.map(\.armature))
    damping = Tensor(model.degreesOfFreedom.map(\.damping))
    stiffness = Tensor(model.joints.map(\.stiffness))
    springReference = Tensor(
      model.joints.map { $0.hasScalarSpring ? model.springPosition[$0.positionAddress] : 0 })
    gear = rows(model.actuators.map(\.gear), 6)
    gainParameters = rows(model.actuators.map(\.gainParameters), 3)
    biasParameters = rows(model.actuators.map(\.biasParameters), 3)
    gravity = Tensor([model.options.gravity.x, model.options.gravity.y, model.options.gravity.z])
    timestep = Tensor(model.options.timestep)
    constraints = ConstraintParameters(model)
  }
}

/// The numbers of a model's constraints, as tensors (`float64`). Approximate inverse inertias are held fixed, and masses do not
/// follow the sizes of geoms.
public struct ConstraintParameters: TensorTree, Sendable {
  /// By geom, `[geoms, 3]`: sliding, torsional, rolling.
  public var geomFriction: Tensor
  /// By geom: `solref` `[geoms, 2]` and `solimp` `[geoms, 5]`.
  public var geomSolverReference: Tensor
  public var geomSolverImpedance: Tensor
  /// By geom: metres, `[geoms]`.
  public var geomMargin: Tensor
  /// By geom: half sizes and position in the body's frame, metres, `[geoms, 3]`.
  public var geomSize: Tensor
  public var geomPosition: Tensor
  /// By contact pair of the file: `[pairs, 5]`, `[pairs, 2]`, `[pairs, 2]`, `[pairs, 5]`, `[pairs]`.
  public var pairFriction: Tensor
  public var pairSolverReference: Tensor
  public var pairSolverReferenceFriction: Tensor
  public var pairSolverImpedance: Tensor
  public var pairMargin: Tensor
  /// By degree of freedom: `[nv]`, `[nv, 2]`, `[nv, 5]`.
  public var frictionLoss: Tensor
  public var frictionSolverReference: Tensor
  public var frictionSolverImpedance: Tensor
  /// By joint: `[joints, 2]`, `[joints]`, `[joints, 2]`, `[joints, 5]`.
  public var jointRange: Tensor
  public var jointMargin: Tensor
  public var jointLimitSolverReference: Tensor
  public var jointLimitSolverImpedance: Tensor
  /// By equality: `[equalities, 2]`, `[equalities, 5]`.
  public var equalitySolverReference: Tensor
  public var equalitySolverImpedance: Tensor

  /// The parameters of a model.
  public init(_ model: Model) {
    func rows(_ values: [[Double]], _ width: Int) -> Tensor {
      Tensor(values.flatMap { $0.prefix(width) }, shape: [values.count, width])
    }
    func vectors(_ values: [Vector3<Double>]) -> Tensor { rows(values.map { [$0.x, $0.y, $0.z] }, 3) }
    let (geoms, pairs) = (model.geoms, model.contactPairs)
    geomFriction = vectors(geoms.map(\.friction))
    geomSolverReference = rows(geoms.map(\.solverReference), 2)
    geomSolverImpedance = rows(geoms.map(\.solverImpedance), 5)
    geomMargin = Tensor(geoms.map(\.margin))
    geomSize = vectors(geoms.map(\.size))
    geomPosition = vectors(geoms.map(\.position))
    pairFriction = rows(pairs.map(\.friction), 5)
    pairSolverReference = rows(pairs.map(\.solverReference), 2)
    pairSolverReferenceFriction = rows(pairs.map(\.solverReferenceFriction), 2)
    pairSolverImpedance = rows(pairs.map(\.solverImpedance), 5)
    pairMargin = Tensor(pairs.map(\.margin))
    frictionLoss = Tensor(model.degreesOfFreedom.map(\.frictionLoss))
    frictionSolverReference = rows(model.degreesOfFreedom.map(\.frictionSolverReference), 2)
    frictionSolverImpedance = rows(model.degreesOfFreedom.map(\.frictionSolverImpedance), 5)
    jointRange = rows(model.joints.map(\.range), 2)
    jointMargin = Tensor(model.joints.map(\.margin))
    jointLimitSolverReference = rows(model.joints.map(\.limitSolverReference), 2)
    jointLimitSolverImpedance = rows(model.joints.map(\.limitSolverImpedance), 5)
    equalitySolverReference = rows(model.equalities.map(\.solverReference), 2)
    equalitySolverImpedance = rows(model.equalities.map(\.solverImpedance), 5)
  }
}

extension Joint {
  fileprivate var hasScalarSpring: Bool { mimic == nil && (type == .slide || type == .hinge) }
}

extension Model {
  /// The model with other parameters: the numbers of the tensors of ``ModelParameters``, one after the other.
  func replacingParameters(_ numbers: [Double]) -> Model {
    var model = self
    var rest = numbers.makeIterator()
    func next() -> Double { rest.next()! }
    func vector() -> Vector3<Double> {
      let (x, y, z) = (next(), next(), next())
      return Vector3(x, y, z)
    }
    for k in bodies.indices { model.bodies[k].mass = next() }
    for k in bodies.indices { model.bodies[k].inertialPosition = vector() }
    for k in bodies.indices { model.bodies[k].inertia = vector() }
    for k in degreesOfFreedom.indices { model.degreesOfFreedom[k].armature = next() }
    for k in degreesOfFreedom.indices { model.degreesOfFreedom[k].damping = next() }
    for k in joints.indices { model.joints[k].stiffness = next() }
    for k in joints.indices {
      let reference = next()
      if joints[k].hasScalarSpring { model.springPosition[joints[k].positionAddress] = reference }
    }
    for k in actuators.indices { for i in 0..<6 { model.actuators[k].gear[i] = next() } }
    for k in actuators.indices { for i in 0..<3 { model.actuators[k].gainParameters[i] = next() } }
    for k in actuators.indices { for i in 0..<3 { model.actuators[k].biasParameters[i] = next() } }
    model.options.gravity = vector()
    model.options.timestep = next()
    func row(_ count: Int) -> [Double] { (0..<count).map { _ in next() } }
    for k in geoms.indices { model.geoms[k].friction = vector() }
    for k in geoms.indices { model.geoms[k].solverReference = row(2) }
    for k in geoms.indices { model.geoms[k].solverImpedance = row(5) }
    for k in geoms.indices { model.geoms[k].margin = next() }
    for k in geoms.indices { model.geoms[k].size = vector() }
    for k in geoms.indices { model.geoms[k].position = vector() }
    for k in contactPairs.indices { model.contactPairs[k].friction = row(5) }
    for k in contactPairs.indices { model.contactPairs[k].solverReference = row(2) }
    for k in contactPairs.indices { model.contactPairs[k].solverReferenceFriction = row(2) }
    for k in contactPairs.indices { model.contactPairs[k].solverImpedance = row(5) }
    for k in contactPairs.indices { model.contactPairs[k].margin = next() }
    for k in degreesOfFreedom.indices { model.degreesOfFreedom[k].frictionLoss = next() }
    for k in degreesOfFreedom.indices { model.degreesOfFreedom[k].frictionSolverReference = row(2) }
    for k in degreesOfFreedom.indices { model.degreesOfFreedom[k].frictionSolverImpedance = row(5) }
    for k in joints.indices { model.joints[k].range = row(2) }
    for k in joints.indices { model.joints[k].margin = next() }
    for k in joints.indices { model.joints[k].limitSolverReference = row(2) }
    for k in joints.indices { model.joints[k].limitSolverImpedance = row(5) }
    for k in equalities.indices { model.equalities[k].solverReference = row(2) }
    for k in equalities.indices { model.equalities[k].solverImpedance = row(5) }
    return model
  }
}
