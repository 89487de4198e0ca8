import Kinematics
import Lanes
import RobotModels

/// Limits of the total actuator force on one degree of freedom.
struct KernelForceLimit<Scalar: Sendable>: Sendable {
  var velocityAddress: Int32
  var lower: Scalar
  var upper: Scalar
}

/// An actuator as kernels see it.
struct KernelActuator<Scalar: Sendable>: Sendable {
  /// Slide and hinge joints have a scalar gear; ball and free joints a vector, in the joint's own frame or in
  /// its parent's. Tendons and sites have moment arms.
  enum Transmission: Int32, Sendable { case scalar, ball, ballInParent, free, freeInParent, moments }
  enum Dynamics: Int32, Sendable { case none, integrator, filter, filterExact }

  var transmission: Transmission
  var positionAddress: Int32
  var velocityAddress: Int32
  /// Index among the plan's transmissions, of tendons and sites.
  var transmissionIndex: Int32
  /// Index in the activation vector, or -1.
  var activationAddress: Int32
  var dynamics: Dynamics
  /// Whether it exerts no force on joints: it is switched off, or acts on a body through contacts (BodyTransmissions.swift).
  var isDisabled: Bool
  /// Whether it is switched off; its activation then stays as it is.
  var isOff: Bool
  /// Whether the force is the gain times the control, on one scalar joint, whatever the state: the most frequent actuator.
  var isMotor: Bool
  var actsEarly: Bool
  var hasAffineGain: Bool
  var hasAffineBias: Bool
  var clampsControl: Bool
  var clampsForce: Bool
  var clampsActivation: Bool
  /// Scalar joints: length = `gear * (multiplier * q + offset)`, where a mimic joint has a multiplier. Tendons: length =
  /// `gear * (length of the tendon)`; the gear of sites is part of their moment arms, and one here.
  var gear: Scalar
  var multiplier: Scalar
  var offset: Scalar
  /// Ball joints: `gearAngular`; free joints: force and torque.
  var gearLinear: Constant3<Scalar>
  var gearAngular: Constant3<Scalar>
  var timeConstant: Scalar
  var gain: Constant3<Scalar>
  var bias: Constant3<Scalar>
  var controlLower: Scalar
  var controlUpper: Scalar
  var forceLower: Scalar
  var forceUpper: Scalar
  var activationLower: Scalar
  var activationUpper: Scalar
}

extension KernelActuator where Scalar: BinaryFloatingPoint {
  init(
    _ a: Actuator, joint: Joint, jointOffset: Double, transmissionIndex: Int, isDisabled: Bool,
    clampsControl: Bool
  ) {
    let inParent = a.transmission == .jointInParent
    switch joint.type {
    case .ball: transmission = inParent ? .ballInParent : .ball
    case .free: transmission = inParent ? .freeInParent : .free
    case .slide, .hinge: transmission = transmissionIndex >= 0 ? .moments : .scalar
    }
    self.transmissionIndex = Int32(transmissionIndex)
    positionAddress = Int32(joint.positionAddress)
    velocityAddress = Int32(joint.velocityAddress)
    activationAddress = Int32(a.activationAddress ?? -1)
    switch a.dynamics {
    case .none: dynamics = .none
    case .integrator: dynamics = .integrator
    case .filter: dynamics = .filter
    case .filterExact: dynamics = .filterExact
    case .muscle, .user: dynamics = .none
    }
    isOff = isDisabled
    self.isDisabled = isDisabled || a.transmission == .body
    actsEarly = a.actsEarly
    hasAffineGain = a.gain == .affine
    hasAffineBias = a.bias == .affine
    isMotor =
      transmission == .scalar && dynamics == .none && !self.isDisabled && !hasAffineGain && !hasAffineBias
    self.clampsControl = clampsControl && a.controlLimited
    clampsForce = a.forceLimited
    clampsActivation = a.activationLimited
    gear = a.transmission == .site ? 1 : Scalar(a.gear[0])
    multiplier = Scalar(joint.mimic?.multiplier ?? 1)
    offset = Scalar(jointOffset)
    let first = Vector3(a.gear[0], a.gear[1], a.gear[2])
    gearLinear = Constant3(joint.type == .free ? first : .zero)
    gearAngular = Constant3(joint.type == .free ? Vector3(a.gear[3], a.gear[4], a.gear[5]) : first)
    timeConstant = Scalar(max(a.dynamicsParameters.first ?? 1, 1e-15))
    func three(_ values: [Double]) -> Constant3<Scalar> {
      let v = values + [0, 0, 0]
      return Constant3(Scalar(v[0]), Scalar(v[1]), Scalar(v[2]))
    }
    gain = three(a.gainParameters)
    bias = three(a.biasParameters)
    controlLower = Scalar(a.controlRange[0])
    controlUpper = Scalar(a.controlRange[1])
    forceLower = Scalar(a.forceRange[0])
    forceUpper = Scalar(a.forceRange[1])
    activationLower = Scalar(a.activationRange[0])
    activationUpper = Scalar(a.activationRange[1])
  }
}
