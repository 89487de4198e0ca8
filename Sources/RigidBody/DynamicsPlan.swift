import Kinematics
import Lanes
import RobotModels

/// A spring of one joint.
struct KernelSpring<Scalar: Sendable>: Sendable {
  enum Kind: Int32, Sendable { case scalar, ball, free }
  var kind: Kind
  var joint: Int32
  var positionAddress: Int32
  var velocityAddress: Int32
  var stiffness: Scalar
  /// For a mimic joint, displacement and force are scaled: see ``KernelJoint``.
  var multiplier: Scalar
  /// Rest displacement of a scalar joint (for a mimic joint, relative to its offset).
  var rest: Scalar
  /// Rest position (free joints) and orientation (free and ball joints).
  var restPosition: Constant3<Scalar>
  var restOrientation: (Scalar, Scalar, Scalar, Scalar)
}

/// A body whose gravity is partly compensated, or on which Cartesian forces act.
struct KernelPoint<Scalar: Sendable>: Sendable {
  var body: Int32
  var link: Int32
  /// The body's centre of mass in the link frame.
  var center: Constant3<Scalar>
  /// Compensated mass: mass times `gravcomp`.
  var compensatedMass: Scalar
}

/// A body in a fluid: MuJoCo's inertia-box model.
struct KernelFluidBody<Scalar: Sendable>: Sendable {
  var body: Int32
  var link: Int32
  var center: Constant3<Scalar>
  /// Axes of the inertial frame in the link frame.
  var axes: Constant9<Scalar>
  /// Torque = `-(angularLinear + angularQuadratic |w|) w` axis by axis, force likewise.
  var angularLinear: Scalar
  var linearLinear: Scalar
  var angularQuadratic: Constant3<Scalar>
  var linearQuadratic: Constant3<Scalar>
}

/// A free joint whose body carries nothing that moves or has mass: `implicitfast` treats its gyroscopic force
/// implicitly.
struct KernelFreeBody: Sendable {
  var link: Int32
  var velocityAddress: Int32
}

/// A body that is placed from outside, and where the model places it.
struct KernelMocapBody<Scalar: Sendable>: Sendable {
  var link: Int32
  var orientation: (Scalar, Scalar, Scalar, Scalar)
}

/// All constants of a model's smooth dynamics, flattened for kernels of one precision.
final class DynamicsPlan<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  let tree: KinematicTree<Scalar>
  let pattern: MassMatrixPattern
  let integrator: Integrator
  let timestep: Scalar
  /// Gravity, or zero where the model switches it off.
  let gravity: Constant3<Scalar>
  let wind: Constant3<Scalar>
  let armature: ConstantBuffer<Scalar>
  /// Joint damping as a force, and as the integrator takes it implicitly.
  let damping: ConstantBuffer<Scalar>
  let implicitDamping: ConstantBuffer<Scalar>
  /// Whether dampers act at all, and whether the integrator takes them implicitly.
  let dampersActive: Bool
  let dampsImplicitly: Bool
  /// Whether the integrator adds terms to the mass matrix.
  let isImplicit: Bool
  /// Springs of all joints, those with stiffness first: the others take part in parameter gradients only.
  let springs: ConstantBuffer<KernelSpring<Scalar>>
  let activeSpringCount: Int
  /// Bodies with gravity compensation (passive), and all bodies with links (for Cartesian forces).
  let compensatedBodies: ConstantBuffer<KernelPoint<Scalar>>
  /// Degrees of freedom that take gravity compensation as an actuator force.
  let actuatorCompensated: ConstantBuffer<Bool>
  let hasActuatorCompensation: Bool
  let bodyPoints: ConstantBuffer<KernelPoint<Scalar>>
  let fluidBodies: ConstantBuffer<KernelFluidBody<Scalar>>
  let actuators: ConstantBuffer<KernelActuator<Scalar>>
  /// Limits of the total actuator force on a degree of freedom.
  let actuatorForceLimits: ConstantBuffer<KernelForceLimit<Scalar>>
  /// Tendons and sites on which forces act.
  let transmissions: TransmissionPlan<Scalar>
  /// Whether there are tendons or actuators on sites: most models have none.
  let hasTransmissions: Bool
  let freeBodies: ConstantBuffer<KernelFreeBody>
  let mocapBodies: ConstantBuffer<KernelMocapBody<Scalar>>
  let activationCount: Int
  let bodyCount: Int
  let actuationDisabled: Bool
  /// Contacts, limits, equalities and friction loss; nil where there are none.
  let constraints: (any ConstraintSetup)?

  var positionCount: Int { tree.positionCount }
  var velocityCount: Int { tree.velocityCount }
  /// Numbers of the mocap bodies' poses.
  var mocapWidth: Int { 7 * mocapBodies.count }

  init(_ model: Model, features: IgnoredFeatures, constraints: (any ConstraintSetup)? = nil) {
    self.constraints = constraints
    let options = model.options
    tree = KinematicTree(model)
    pattern = MassMatrixPattern(tree)
    integrator = options.integrator
    timestep = Scalar(options.timestep)
    gravity = Constant3(options.disabled.contains(.gravity) ? .zero : options.gravity)
    wind = Constant3(options.wind)
    activationCount = model.activationCount
    bodyCount = model.bodies.count
    mocapBodies = ConstantBuffer(
      model.mocapBodies.map { [tree] index in
        let q = model.bodies[index].orientation
        return KernelMocapBody(
          link: Int32(tree.bodyLink[index]), orientation: (Scalar(q.w), Scalar(q.x), Scalar(q.y), Scalar(q.z))
        )
      })

    let passive = !features.contains(.passive)
    let springsOn = passive && !options.disabled.contains(.spring)
    let dampersOn = passive && !options.disabled.contains(.damper)
    // MuJoCo skips every passive force when both springs and dampers are switched off.
    let bodyForcesOn = springsOn || dampersOn
    armature = ConstantBuffer(model.degreesOfFreedom.map { Scalar($0.armature) })
    let damping = model.degreesOfFreedom.map { dampersOn ? Scalar($0.damping) : 0 }
    self.damping = ConstantBuffer(damping)
    dampersActive = dampersOn
    let implicit: Bool
    switch options.integrator {
    case .euler: implicit = dampersOn && !options.disabled.contains(.eulerDamping)
    case .implicitFast: implicit = dampersOn
    case .rungeKutta4, .implicit: implicit = false
    }
    dampsImplicitly = implicit
    isImplicit = options.integrator == .implicitFast || implicit && damping.contains { $0 != 0 }
    implicitDamping = ConstantBuffer(implicit ? damping : [Scalar](repeating: 0, count: damping.count))

    let springs = springsOn ? Self.springs(model) : []
    self.springs = ConstantBuffer(springs)
    activeSpringCount = springs.count { $0.stiffness != 0 }
    var points: [KernelPoint<Scalar>] = []
    for (index, body) in model.bodies.enumerated() where tree.bodyLink[index] != 0 {
      let center = tree.bodyPosition[index] + tree.bodyOrientation[index].rotate(body.inertialPosition)
      points.append(
        KernelPoint(
          body: Int32(index), link: Int32(tree.bodyLink[index]), center: Constant3(center),
          compensatedMass: Scalar(body.mass * body.gravityCompensation)))
    }
    bodyPoints = ConstantBuffer(points)
    let compensates = bodyForcesOn && !options.disabled.contains(.gravity)
    compensatedBodies = ConstantBuffer(
      compensates ? points.filter { model.bodies[Int($0.body)].gravityCompensation != 0 } : [])
    let viaActuator = model.degreesOfFreedom.map { dof in
      model.joints[dof.joint].actuatorGravityCompensation && compensates
    }
    actuatorCompensated = ConstantBuffer(viaActuator)
    hasActuatorCompensation = viaActuator.contains(true) && compensatedBodies.count > 0
    fluidBodies = ConstantBuffer(bodyForcesOn ? Self.fluidBodies(model, tree) : [])

    actuationDisabled = options.disabled.contains(.actuation) || features.contains(.actuation)
    transmissions = TransmissionPlan(
      model, tree, pattern, features: features, springsOn: springsOn, dampersOn: dampersOn)
    hasTransmissions = transmissions.count > 0
    actuators = ConstantBuffer(Self.actuators(model, features, transmissions))
    actuatorForceLimits = ConstantBuffer(
      actuationDisabled
        ? []
        : model.joints.filter { $0.actuatorForceLimited && $0.type.velocityCount == 1 && $0.mimic == nil }
          .map {
            KernelForceLimit(
              velocityAddress: Int32($0.velocityAddress), lower: Scalar($0.actuatorForceRange[0]),
              upper: Scalar($0.actuatorForceRange[1]))
          })
    freeBodies = ConstantBuffer(Self.standaloneFreeBodies(model, tree))
  }

  private static func springs(_ model: Model) -> [KernelSpring<Scalar>] {
    let order =
      model.joints.indices.filter { model.joints[$0].stiffness != 0 }
      + model.joints.indices.filter { model.joints[$0].stiffness == 0 }
    return order.map { index in
      let joint = model.joints[index]
      let address = joint.positionAddress
      let rest = model.springPosition
      let kind: KernelSpring<Scalar>.Kind =
        joint.type == .free ? .free : joint.type == .ball ? .ball : .scalar
      let orientation = joint.type == .free ? address + 3 : address
      func scalar(_ i: Int) -> Scalar { Scalar(rest[i]) }
      return KernelSpring(
        kind: kind, joint: Int32(index), positionAddress: Int32(address),
        velocityAddress: Int32(joint.velocityAddress), stiffness: Scalar(joint.stiffness),
        multiplier: Scalar(joint.mimic?.multiplier ?? 1),
        // A mimic joint's spring rests at its own zero.
        rest: kind != .scalar ? 0 : joint.mimic.map { Scalar(-$0.offset) } ?? scalar(address),
        restPosition: kind == .free
          ? Constant3(scalar(address), scalar(address + 1), scalar(address + 2)) : Constant3(0, 0, 0),
        restOrientation: kind == .scalar
          ? (1, 0, 0, 0)
          : (scalar(orientation), scalar(orientation + 1), scalar(orientation + 2), scalar(orientation + 3)))
    }
  }

  /// The fluid coefficients of each massive body: the box with the body's inertia, its drag and its viscosity
  /// (MuJoCo documentation, Computation, Fluid forces, inertia model).
  private static func fluidBodies(
    _ model: Model, _ tree: KinematicTree<Scalar>
  ) -> [KernelFluidBody<Scalar>] {
    let density = model.options.density
    let viscosity = model.options.viscosity
    guard density > 0 || viscosity > 0 else { return [] }
    return model.bodies.indices.compactMap { index in
      let body = model.bodies[index]
      guard tree.bodyLink[index] != 0, body.mass >= 1e-15 else { return nil }
      let c = FluidCoefficients<Double>(
        mass: body.mass, inertia: body.inertia, density: density, viscosity: viscosity)
      return KernelFluidBody(
        body: Int32(index), link: Int32(tree.bodyLink[index]),
        center: Constant3(
          tree.bodyPosition[index] + tree.bodyOrientation[index].rotate(body.inertialPosition)),
        axes: Constant9((tree.bodyOrientation[index] * body.inertialOrientation).normalized.matrix),
        angularLinear: Scalar(c.angularLinear), linearLinear: Scalar(c.linearLinear),
        angularQuadratic: Constant3(c.angularQuadratic), linearQuadratic: Constant3(c.linearQuadratic))
    }
  }

  private static func actuators(
    _ model: Model, _ features: IgnoredFeatures, _ transmissions: TransmissionPlan<Scalar>
  ) -> [KernelActuator<Scalar>] {
    model.actuators.enumerated().map { index, actuator in
      let isSupported = model.unsupportedParts(of: actuator).isEmpty
      let disabled =
        features.contains(.actuation) || !isSupported || model.options.switchesOff(actuator)
      var joint = Joint()
      var transmission = -1
      if isSupported {
        switch actuator.transmission {
        case .joint, .jointInParent: joint = model.joints[actuator.target]
        case .tendon: transmission = transmissions.ofTendon[actuator.target]
        case .site: transmission = transmissions.ofActuator[index]
        case .body, .sliderCrank: break
        }
      }
      return KernelActuator(
        actuator, joint: joint, jointOffset: joint.mimic?.offset ?? 0, transmissionIndex: transmission,
        isDisabled: disabled, clampsControl: !model.options.disabled.contains(.clampControl))
    }
  }

  private static func standaloneFreeBodies(
    _ model: Model, _ tree: KinematicTree<Scalar>
  ) -> [KernelFreeBody] {
    model.bodies.indices.compactMap { index in
      let body = model.bodies[index]
      let link = tree.bodyLink[index]
      // What is attached must not move, and must have no mass. (MuJoCo compares the subtree's mass, which does not
      // follow when the mass of a compiled model is changed.)
      guard body.joints.count == 1, model.joints[body.joints.lowerBound].type == .free,
        !model.bodies.indices.contains(where: {
          let other = tree.bodyLink[$0]
          return $0 != index && other != 0 && tree.links[other].root == Int32(link)
            && (other != link || model.bodies[$0].mass != 0)
        })
      else { return nil }
      return KernelFreeBody(
        link: Int32(link),
        velocityAddress: Int32(model.joints[body.joints.lowerBound].velocityAddress))
    }
  }
}
