import Lanes
import RobotModels

/// A model's fields under MuJoCo's names, as flat arrays.
struct CompiledFields {
  let names: [String: [String]]
  let values: [String: [Double]]
  /// Of MuJoCo's parameter rows, how many numbers there are in a row and how many of them the model keeps.
  private let rows: [String: (stored: Int, kept: Int)]
  private let limited: [Bool]

  init(_ model: Model) {
    names = [
      "body": model.bodies.map(\.name), "jnt": model.joints.map(\.name), "geom": model.geoms.map(\.name),
      "site": model.sites.map(\.name), "actuator": model.actuators.map(\.name),
      "tendon": model.tendons.map(\.name), "key": model.keyframes.map(\.name),
    ]
    limited = model.joints.map(\.limited)
    rows = [
      "actuator_dynprm": (10, 3), "actuator_gainprm": (10, 3), "actuator_biasprm": (10, 3),
    ]
    var values = Self.options(model.options)
    values["meaninertia"] = [model.meanInertia]
    values["qpos0"] = model.defaultPosition
    values["qpos_spring"] = model.springPosition
    for part in [Self.bodies, Self.joints, Self.degreesOfFreedom, Self.geoms, Self.others] {
      values.merge(part(model)) { first, _ in first }
    }
    self.values = values
  }

  /// MuJoCo's rows without the entries that the model does not keep.
  func truncated(_ name: String, _ numbers: [Double]) -> [Double] {
    if name == "jnt_range" {
      // MuJoCo leaves a range that does not act in the file's units.
      return numbers.indices.map { limited[$0 / 2] ? numbers[$0] : values[name]![$0] }
    }
    guard let row = rows[name] else { return numbers }
    return numbers.indices.filter { $0 % row.stored < row.kept }.map { numbers[$0] }
  }

  private static func options(_ options: SimulationOptions) -> [String: [Double]] {
    let integrators: [Integrator] = [.euler, .rungeKutta4, .implicit, .implicitFast]
    return [
      "timestep": [options.timestep],
      "integrator": [Double(integrators.firstIndex(of: options.integrator)!)],
      "cone": [options.cone == .elliptic ? 1 : 0],
      "solver": [
        Double([.projectedGaussSeidel, .conjugateGradient, .newton].firstIndex(of: options.solver)!)
      ],
      "gravity": numbers(options.gravity), "wind": numbers(options.wind),
      "magnetic": numbers(options.magnetic), "density": [options.density],
      "viscosity": [options.viscosity], "impratio": [options.impedanceRatio],
      "tolerance": [options.tolerance], "ls_tolerance": [options.lineSearchTolerance],
      "iterations": [Double(options.iterations)], "ls_iterations": [Double(options.lineSearchIterations)],
      "noslip_iterations": [Double(options.noSlipIterations)],
      "disableflags": [Double(options.disabled.rawValue)], "enableflags": [Double(options.enabled.rawValue)],
      "disableactuator": [Double(options.disabledActuatorGroups)],
    ]
  }

  private static func bodies(_ model: Model) -> [String: [Double]] {
    let bodies = model.bodies
    return [
      "body_parentid": bodies.map { Double($0.parent) }, "body_rootid": bodies.map { Double($0.root) },
      "body_weldid": bodies.map { Double($0.weldedTo) },
      "body_mocapid": bodies.map { Double($0.mocapIndex ?? -1) },
      "body_mass": bodies.map(\.mass), "body_subtreemass": bodies.map(\.subtreeMass),
      "body_inertia": bodies.flatMap { numbers($0.inertia) },
      "body_ipos": bodies.flatMap { numbers($0.inertialPosition) },
      "body_iquat": bodies.flatMap { numbers($0.inertialOrientation) },
      "body_pos": bodies.flatMap { numbers($0.position) },
      "body_quat": bodies.flatMap { numbers($0.orientation) },
      "body_invweight0": bodies.flatMap(\.inverseWeight0),
      "body_gravcomp": bodies.map(\.gravityCompensation),
      "body_jntnum": bodies.map { Double($0.joints.count) },
      "body_dofnum": bodies.map { Double($0.degreesOfFreedom.count) },
      "body_geomnum": bodies.map { Double($0.geoms.count) },
    ]
  }

  private static func joints(_ model: Model) -> [String: [Double]] {
    let joints = model.joints
    let types: [JointType] = [.free, .ball, .slide, .hinge]
    return [
      "jnt_type": joints.map { Double(types.firstIndex(of: $0.type)!) },
      "jnt_bodyid": joints.map { Double($0.body) },
      "jnt_qposadr": joints.map { Double($0.positionAddress) },
      "jnt_dofadr": joints.map { Double($0.velocityAddress) },
      "jnt_pos": joints.flatMap { numbers($0.position) }, "jnt_axis": joints.flatMap { numbers($0.axis) },
      "jnt_stiffness": joints.map(\.stiffness), "jnt_limited": joints.map { $0.limited ? 1 : 0 },
      "jnt_range": joints.flatMap(\.range), "jnt_margin": joints.map(\.margin),
      "jnt_solref": joints.flatMap(\.limitSolverReference),
      "jnt_solimp": joints.flatMap(\.limitSolverImpedance),
      "jnt_actfrclimited": joints.map { $0.actuatorForceLimited ? 1 : 0 },
      "jnt_actfrcrange": joints.flatMap(\.actuatorForceRange),
      "jnt_actgravcomp": joints.map { $0.actuatorGravityCompensation ? 1 : 0 },
    ]
  }

  private static func degreesOfFreedom(_ model: Model) -> [String: [Double]] {
    let dofs = model.degreesOfFreedom
    return [
      "dof_bodyid": dofs.map { Double($0.body) }, "dof_jntid": dofs.map { Double($0.joint) },
      "dof_parentid": dofs.map { Double($0.parent) }, "dof_armature": dofs.map(\.armature),
      "dof_damping": dofs.map(\.damping), "dof_frictionloss": dofs.map(\.frictionLoss),
      "dof_solref": dofs.flatMap(\.frictionSolverReference),
      "dof_solimp": dofs.flatMap(\.frictionSolverImpedance),
      "dof_invweight0": dofs.map(\.inverseWeight0), "dof_M0": dofs.map(\.inertia0),
    ]
  }

  private static func geoms(_ model: Model) -> [String: [Double]] {
    let types: [GeomType] = [.plane, .hfield, .sphere, .capsule, .ellipsoid, .cylinder, .box, .mesh, .sdf]
    let geoms = model.geoms
    return [
      "geom_type": geoms.map { Double(types.firstIndex(of: $0.type)!) },
      "geom_bodyid": geoms.map { Double($0.body) }, "geom_pos": geoms.flatMap { numbers($0.position) },
      "geom_quat": geoms.flatMap { numbers($0.orientation) },
      "geom_size": geoms.flatMap { numbers($0.size) },
      "geom_contype": geoms.map { Double($0.contactType) },
      "geom_conaffinity": geoms.map { Double($0.contactAffinity) },
      "geom_condim": geoms.map { Double($0.contactDimension) },
      "geom_priority": geoms.map { Double($0.priority) }, "geom_group": geoms.map { Double($0.group) },
      "geom_friction": geoms.flatMap { numbers($0.friction) }, "geom_solmix": geoms.map(\.solverMix),
      "geom_solref": geoms.flatMap(\.solverReference), "geom_solimp": geoms.flatMap(\.solverImpedance),
      "geom_margin": geoms.map(\.margin), "geom_gap": geoms.map(\.gap),
      "site_bodyid": model.sites.map { Double($0.body) },
      "site_pos": model.sites.flatMap { numbers($0.position) },
      "site_quat": model.sites.flatMap { numbers($0.orientation) },
    ]
  }

  private static func others(_ model: Model) -> [String: [Double]] {
    let actuators = model.actuators
    let transmissions: [ActuatorTransmission] = [.joint, .jointInParent, .sliderCrank, .tendon, .site, .body]
    let dynamics: [ActuatorDynamics] = [.none, .integrator, .filter, .filterExact, .muscle]
    let gains: [ActuatorGain] = [.fixed, .affine, .muscle]
    let biases: [ActuatorBias] = [.none, .affine, .muscle]
    return [
      "actuator_trntype": actuators.map { Double(transmissions.firstIndex(of: $0.transmission)!) },
      "actuator_gear": actuators.flatMap(\.gear),
      "actuator_dyntype": actuators.map { Double(dynamics.firstIndex(of: $0.dynamics)!) },
      "actuator_gaintype": actuators.map { Double(gains.firstIndex(of: $0.gain)!) },
      "actuator_biastype": actuators.map { Double(biases.firstIndex(of: $0.bias)!) },
      "actuator_dynprm": actuators.flatMap { $0.dynamicsParameters.prefix(3) },
      "actuator_gainprm": actuators.flatMap { $0.gainParameters.prefix(3) },
      "actuator_biasprm": actuators.flatMap { $0.biasParameters.prefix(3) },
      "actuator_ctrllimited": actuators.map { $0.controlLimited ? 1 : 0 },
      "actuator_ctrlrange": actuators.flatMap(\.controlRange),
      "actuator_forcelimited": actuators.map { $0.forceLimited ? 1 : 0 },
      "actuator_forcerange": actuators.flatMap(\.forceRange),
      "actuator_actlimited": actuators.map { $0.activationLimited ? 1 : 0 },
      "actuator_actrange": actuators.flatMap(\.activationRange),
      "actuator_actadr": actuators.map { Double($0.activationAddress ?? -1) },
      "actuator_actearly": actuators.map { $0.actsEarly ? 1 : 0 },
      "actuator_group": actuators.map { Double($0.group) },
      "tendon_stiffness": model.tendons.map(\.stiffness), "tendon_damping": model.tendons.map(\.damping),
      "tendon_armature": model.tendons.map(\.armature),
      "tendon_frictionloss": model.tendons.map(\.frictionLoss),
      "tendon_limited": model.tendons.map { $0.limited ? 1 : 0 },
      "tendon_range": model.tendons.flatMap(\.range), "tendon_margin": model.tendons.map(\.margin),
      "eq_obj1id": model.equalities.map { Double($0.object1) },
      "eq_obj2id": model.equalities.map { Double($0.object2 ?? -1) },
      "eq_active0": model.equalities.map { $0.active ? 1 : 0 },
      "eq_data": model.equalities.flatMap(\.data),
      "eq_solref": model.equalities.flatMap(\.solverReference),
      "eq_solimp": model.equalities.flatMap(\.solverImpedance),
      "pair_dim": model.contactPairs.map { Double($0.contactDimension) },
      "pair_geom1": model.contactPairs.map { Double($0.geom1) },
      "pair_geom2": model.contactPairs.map { Double($0.geom2) },
      "pair_friction": model.contactPairs.flatMap(\.friction),
      "pair_margin": model.contactPairs.map(\.margin), "pair_gap": model.contactPairs.map(\.gap),
      "key_time": model.keyframes.map(\.time), "key_qpos": model.keyframes.flatMap(\.position),
      "key_qvel": model.keyframes.flatMap(\.velocity), "key_act": model.keyframes.flatMap(\.activation),
      "key_ctrl": model.keyframes.flatMap(\.control),
    ]
  }

  private static func numbers(_ v: Vector3<Double>) -> [Double] { [v.x, v.y, v.z] }
  private static func numbers(_ q: Quaternion<Double>) -> [Double] { [q.w, q.x, q.y, q.z] }
}
