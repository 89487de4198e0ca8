public import Autodiff
import Lanes
public import RobotModels

/// The numbers of a model that gradients are taken with respect to, as tensors (`float64`).
///
/// They are the fields of the compiled model. Constants that are derived from them are held fixed, exactly as when
/// those fields are edited without compiling the model again. Orientations of inertial frames are not among them.
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
    return model
  }
}
