import Kinematics
import Lanes

/// What an actuator's force is made of.
struct ActuatorState<L: Lane> {
  var length: L
  var velocity: L
  /// The control after clamping, and the number that the gain multiplies (control or activation).
  var control: L
  var input: L
  var gain: L
  /// The force before it is limited.
  var force: L
  /// Direction of the force on the degrees of freedom: one for scalar joints, else linear and angular.
  var linear: Vector3<L>
  var angular: Vector3<L>
}

/// Rate of an actuator's activation.
@inline(__always)
func activationRate<L: Lane>(
  _ a: UnsafePointer<KernelActuator<L.Scalar>>, control: L, activation: L
) -> L {
  switch a.pointee.dynamics {
  case .none: return L(0.0)
  case .integrator: return control
  case .filter, .filterExact: return (control - activation) / L(broadcasting: a.pointee.timeConstant)
  }
}

/// Factor by which an activation rate acts over a step: the timestep, or for an exact filter
/// `tau (1 - exp(-h / tau))`.
@inline(__always)
func activationStep<L: Lane>(_ a: UnsafePointer<KernelActuator<L.Scalar>>, timestep: L) -> L {
  guard a.pointee.dynamics == .filterExact else { return timestep }
  let tau = L(broadcasting: a.pointee.timeConstant)
  return tau * (1.0 - (-timestep / tau).exponential)
}

/// The activation after a step (MuJoCo's `mj_nextActivation`).
@inline(__always)
func nextActivation<L: Lane>(
  _ a: UnsafePointer<KernelActuator<L.Scalar>>, activation: L, rate: L, timestep: L
) -> L {
  let next = L.multiplyAdd(rate, activationStep(a, timestep: timestep), activation)
  return a.pointee.clampsActivation
    ? next.clamped(L(broadcasting: a.pointee.activationLower), L(broadcasting: a.pointee.activationUpper))
    : next
}

/// A control within its limits.
@inline(__always)
func limitedControl<L: Lane>(_ a: UnsafePointer<KernelActuator<L.Scalar>>, _ control: L) -> L {
  a.pointee.clampsControl
    ? control.clamped(L(broadcasting: a.pointee.controlLower), L(broadcasting: a.pointee.controlUpper))
    : control
}

/// An actuator's length, velocity and force at a record's state.
@inline(__always)
func actuatorState<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ a: UnsafePointer<KernelActuator<L.Scalar>>,
  _ record: borrowing StepRecord<L>, control: L, timestep: L
) -> ActuatorState<L> {
  var state = transmission(plan, a, record)
  state.control = limitedControl(a, control)
  state.input = state.control
  if a.pointee.dynamics != .none {
    let activation = record.activations[Int(a.pointee.activationAddress)]
    state.input =
      a.pointee.actsEarly
      ? nextActivation(
        a, activation: activation, rate: activationRate(a, control: state.control, activation: activation),
        timestep: timestep)
      : activation
  }
  state.gain = L(broadcasting: a.pointee.gain.x)
  if a.pointee.hasAffineGain {
    state.gain = L.multiplyAdd(
      state.length, scalar: a.pointee.gain.y,
      L.multiplyAdd(state.velocity, scalar: a.pointee.gain.z, state.gain))
  }
  state.force = state.gain * state.input
  if a.pointee.hasAffineBias {
    state.force += L.multiplyAdd(
      state.length, scalar: a.pointee.bias.y,
      L.multiplyAdd(state.velocity, scalar: a.pointee.bias.z, L(broadcasting: a.pointee.bias.x)))
  }
  return state
}

/// Length, velocity and direction of an actuator; MuJoCo's conventions, in which a ball joint's velocity is the
/// gear times the angular velocity although its length is the gear times the rotation vector, and a free joint
/// has no length. Tendons and sites have moment arms instead of a direction.
@inline(__always)
func transmission<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ a: UnsafePointer<KernelActuator<L.Scalar>>,
  _ record: borrowing StepRecord<L>
) -> ActuatorState<L> {
  let (q, v) = (record.positions, record.velocities)
  let zero = L(0.0)
  let at = Int(a.pointee.positionAddress)
  let dof = Int(a.pointee.velocityAddress)
  var length = zero
  var velocity = zero
  var linear = Vector3<L>.zero
  var angular = Vector3<L>.zero
  switch a.pointee.transmission {
  case .moments:
    let index = Int(a.pointee.transmissionIndex)
    let gear = L(broadcasting: a.pointee.gear)
    length = gear * record.lengths[index]
    velocity = gear * alongTransmission(plan, record, index, v)
  case .scalar:
    let gear = L(broadcasting: a.pointee.gear)
    let m = L(broadcasting: a.pointee.multiplier)
    length = gear * L.multiplyAdd(q[at], m, L(broadcasting: a.pointee.offset))
    linear = Vector3(gear * m, zero, zero)
    velocity = linear.x * v[dof]
  case .ball, .ballInParent:
    let orientation = Quaternion(q[at], q[at + 1], q[at + 2], q[at + 3]).normalized
    angular = Vector3(broadcasting: a.pointee.gearAngular)
    if a.pointee.transmission == .ballInParent { angular = orientation.conjugate.rotate(angular) }
    length = orientation.rotationVector.dot(angular)
    velocity = angular.dot(Vector3(v[dof], v[dof + 1], v[dof + 2]))
  case .free, .freeInParent:
    linear = Vector3(broadcasting: a.pointee.gearLinear)
    angular = Vector3(broadcasting: a.pointee.gearAngular)
    if a.pointee.transmission == .freeInParent {
      let orientation = Quaternion(q[at + 3], q[at + 4], q[at + 5], q[at + 6]).normalized
      angular = orientation.conjugate.rotate(angular)
    }
    velocity =
      linear.dot(Vector3(v[dof], v[dof + 1], v[dof + 2]))
      + angular.dot(Vector3(v[dof + 3], v[dof + 4], v[dof + 5]))
  }
  return ActuatorState(
    length: length, velocity: velocity, control: zero, input: zero, gain: zero, force: zero, linear: linear,
    angular: angular)
}

/// An actuator's force within its limits.
@inline(__always)
func limitedForce<L: Lane>(_ a: UnsafePointer<KernelActuator<L.Scalar>>, _ force: L) -> L {
  a.pointee.clampsForce
    ? force.clamped(L(broadcasting: a.pointee.forceLower), L(broadcasting: a.pointee.forceUpper)) : force
}

/// Adds `force` along an actuator's direction to generalised forces.
@inline(__always)
func addForce<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ a: UnsafePointer<KernelActuator<L.Scalar>>,
  _ record: borrowing StepRecord<L>, _ state: ActuatorState<L>, _ force: L, to tau: UnsafeMutablePointer<L>
) {
  var dof = Int(a.pointee.velocityAddress)
  switch a.pointee.transmission {
  case .moments:
    addAlongTransmission(
      plan, record, Int(a.pointee.transmissionIndex), force * L(broadcasting: a.pointee.gear), to: tau)
  case .scalar:
    tau[dof] = L.multiplyAdd(state.linear.x, force, tau[dof])
  case .free, .freeInParent:
    addVector(state.linear, force, to: tau + dof)
    dof += 3
    addVector(state.angular, force, to: tau + dof)
  case .ball, .ballInParent:
    addVector(state.angular, force, to: tau + dof)
  }
}

@inline(__always)
func addVector<L: Lane>(_ x: Vector3<L>, _ scale: L, to y: UnsafeMutablePointer<L>) {
  y[0] = L.multiplyAdd(x.x, scale, y[0])
  y[1] = L.multiplyAdd(x.y, scale, y[1])
  y[2] = L.multiplyAdd(x.z, scale, y[2])
}

/// The activation rate and the force of one actuator that is not a motor. Apart, it takes no registers from motors.
@inline(never)
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
private func addActuator<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ a: UnsafePointer<KernelActuator<L.Scalar>>,
  _ record: borrowing StepRecord<L>, control: L, timestep: L, forces tau: UnsafeMutablePointer<L>
) {
  let address = Int(a.pointee.activationAddress)
  let state = actuatorState(plan, a, record, control: control, timestep: timestep)
  if address >= 0 {
    record.activationRates[address] = activationRate(
      a, control: state.control, activation: record.activations[address])
  }
  if !a.pointee.isDisabled { addForce(plan, a, record, state, limitedForce(a, state.force), to: tau) }
}

/// Activation rates, and the actuators' forces on the degrees of freedom before the joints' limits.
@inline(__always)
func actuationPass<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, controls: UnsafePointer<L>, timestep: L,
  forces tau: UnsafeMutablePointer<L>
) {
  var i = 0
  while i < plan.velocityCount {
    tau[i] = L(0.0)
    i += 1
  }
  i = 0
  while i < plan.actuators.count {
    let a = plan.actuators.pointer(i)
    if a.pointee.isMotor {
      let dof = Int(a.pointee.velocityAddress)
      let force = limitedForce(a, L.multiply(limitedControl(a, controls[i]), scalar: a.pointee.gain.x))
      tau[dof] = L.multiplyAdd(
        L.multiply(L(broadcasting: a.pointee.gear), scalar: a.pointee.multiplier), force, tau[dof])
    } else {
      addActuator(plan, a, record, control: controls[i], timestep: timestep, forces: tau)
    }
    i += 1
  }
}

/// Limits the total actuator force on each joint (`actuatorfrcrange`).
@inline(__always)
func limitActuatorForces<L: Lane>(_ plan: DynamicsPlan<L.Scalar>, _ tau: UnsafeMutablePointer<L>) {
  var i = 0
  while i < plan.actuatorForceLimits.count {
    let limit = plan.actuatorForceLimits[i]
    let dof = Int(limit.velocityAddress)
    tau[dof] = tau[dof].clamped(L(broadcasting: limit.lower), L(broadcasting: limit.upper))
    i += 1
  }
}
