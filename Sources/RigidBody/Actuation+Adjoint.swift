import Kinematics
import Lanes
import RobotModels

/// One where a number lies within limits (its derivative passes), zero where it is held at one.
@inline(__always)
func passes<L: Lane>(_ x: L, _ lower: L.Scalar, _ upper: L.Scalar) -> L {
  let outside = (x .< L(broadcasting: lower)) .| (L(broadcasting: upper) .< x)
  return L(1.0).replacing(with: L(0.0), where: outside)
}

/// Projection of generalised quantities on the direction of an actuator that has one.
@inline(__always)
private func project<L: Lane>(
  _ a: UnsafePointer<KernelActuator<L.Scalar>>, _ state: ActuatorState<L>, _ x: UnsafePointer<L>
) -> L {
  let dof = Int(a.pointee.velocityAddress)
  switch a.pointee.transmission {
  case .moments: return L(0.0)
  case .scalar: return state.linear.x * x[dof]
  case .ball, .ballInParent: return state.angular.dot(vector(x + dof))
  case .free, .freeInParent:
    return state.linear.dot(vector(x + dof)) + state.angular.dot(vector(x + (dof + 3)))
  }
}

/// Adjoint of actuation.
///
/// `lambda` is the cotangent of the joints' total actuator forces. `implicitTerms` enter where the integrator takes the actuators' damping implicitly: its term of the residual is
/// `-h c (d·λ̂)(d·â)` with direction `d` and coefficient `c` of ``velocityCoefficient(_:_:control:)``.
/// `rateCotangents` are those of the activation rates.
@inline(__always)
func actuationAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  controls: UnsafePointer<L>, timestep h: L, lambda: UnsafePointer<L>, _ implicitTerms: ImplicitTerms<L>,
  rateCotangents: UnsafePointer<L>,
  _ cotangents: borrowing Cotangents<L>, timestepCotangent: inout L
) {
  var i = 0
  while i < plan.actuators.count {
    if plan.actuators.pointer(i).pointee.isMotor {
      motorAdjoint(plan.actuators.pointer(i), i, control: controls[i], lambda: lambda, cotangents)
    } else {
      actuatorAdjoint(
        plan, record, scratch, i, controls: controls, timestep: h, lambda: lambda, implicitTerms,
        rateCotangents: rateCotangents, cotangents, timestepCotangent: &timestepCotangent)
    }
    i += 1
  }
}

/// The same of an actuator whose force is the gain times the control, on one scalar joint.
@inline(__always)
private func motorAdjoint<L: Lane>(
  _ a: UnsafePointer<KernelActuator<L.Scalar>>, _ i: Int, control: L, lambda: UnsafePointer<L>,
  _ cotangents: borrowing Cotangents<L>
) {
  let gain = L(broadcasting: a.pointee.gain.x)
  let input = limitedControl(a, control)
  let force = gain * input
  let along = L.multiply(lambda[Int(a.pointee.velocityAddress)], scalar: a.pointee.multiplier)
  var byForce = L.multiply(along, scalar: a.pointee.gear)
  if a.pointee.clampsForce { byForce *= passes(force, a.pointee.forceLower, a.pointee.forceUpper) }
  if let target = cotangents.controls {
    var byControl = byForce * gain
    if a.pointee.clampsControl {
      byControl *= passes(control, a.pointee.controlLower, a.pointee.controlUpper)
    }
    target[i] += byControl
  }
  if let parameters = cotangents.parameters {
    parameters.gain[3 * i] += byForce * input
    parameters.gear[6 * i] += along * limitedForce(a, force)
  }
}

/// The same of any other actuator. Apart, it takes no registers from motors.
@inline(never)
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
private func actuatorAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  _ i: Int, controls: UnsafePointer<L>, timestep h: L, lambda: UnsafePointer<L>,
  _ implicitTerms: ImplicitTerms<L>, rateCotangents: UnsafePointer<L>,
  _ cotangents: borrowing Cotangents<L>, timestepCotangent: inout L
) {
  let implicit = plan.integrator == .implicitFast
  let zero = L(0.0)
  let a = plan.actuators.pointer(i)
  let address = Int(a.pointee.activationAddress)
  let hasMoments = a.pointee.transmission == .moments
  let state = actuatorState(plan, a, record, control: controls[i], timestep: h)
  let index = Int(a.pointee.transmissionIndex)
  let gear = L(broadcasting: a.pointee.gear)
  // Of the gear that moment arms are multiplied by.
  var byGear = zero
  var byControl = zero
  var byInput = zero
  var byLength = zero
  var byVelocity = zero
  var byRawControl = zero
  var byLinear = Vector3<L>.zero
  var byAngular = Vector3<L>.zero
  if !a.pointee.isDisabled {
    let force = limitedForce(a, state.force)
    var byForce: L
    if hasMoments {
      let along = alongTransmission(plan, record, index, lambda)
      byForce = along * gear
      addMomentCotangents(plan, index, lambda, force * gear, scratch.momentCotangents)
      byGear = force * along
    } else {
      byForce = project(a, state, lambda)
      addDirectionCotangent(a, lambda, force, &byLinear, &byAngular)
    }
    if a.pointee.clampsForce {
      byForce *= passes(state.force, a.pointee.forceLower, a.pointee.forceUpper)
    }
    byInput = byForce * state.gain
    let byGain = byForce * state.input
    if a.pointee.hasAffineGain {
      byLength = L.multiplyAdd(byGain, scalar: a.pointee.gain.y, byLength)
      byVelocity = L.multiplyAdd(byGain, scalar: a.pointee.gain.z, byVelocity)
    }
    if a.pointee.hasAffineBias {
      byLength = L.multiplyAdd(byForce, scalar: a.pointee.bias.y, byLength)
      byVelocity = L.multiplyAdd(byForce, scalar: a.pointee.bias.z, byVelocity)
    }
    if let parameters = cotangents.parameters {
      let gain = parameters.gain + 3 * i
      gain[0] += byGain
      if a.pointee.hasAffineGain {
        gain[1] += byGain * state.length
        gain[2] += byGain * state.velocity
      }
      if a.pointee.hasAffineBias {
        let bias = parameters.bias + 3 * i
        bias[0] += byForce
        bias[1] += byForce * state.length
        bias[2] += byForce * state.velocity
      }
    }
    if implicit && (a.pointee.hasAffineGain || a.pointee.hasAffineBias) {
      let coefficient = velocityCoefficient(a, state, control: controls[i])
      // The residual holds −h c (d·λ)(d·â); the cotangents are those of its negative. Moment arms of different
      // branches are not multiplied: the mass matrix has no place for them.
      let both: L
      if hasMoments {
        let form = momentForm(plan, record, index, implicitTerms.dual, implicitTerms.accelerations)
        both = form * gear * gear
        momentFormAdjoint(
          plan, record, index, implicitTerms.dual, implicitTerms.accelerations,
          h * coefficient * gear * gear, scratch.momentCotangents)
        byGear += h * coefficient * gear * (form + form)
      } else {
        let alongDual = project(a, state, implicitTerms.dual)
        let alongRate = project(a, state, implicitTerms.accelerations)
        both = alongDual * alongRate
        addDirectionCotangent(a, implicitTerms.dual, h * coefficient * alongRate, &byLinear, &byAngular)
        addDirectionCotangent(
          a, implicitTerms.accelerations, h * coefficient * alongDual, &byLinear, &byAngular)
      }
      timestepCotangent = L.multiplyAdd(coefficient, both, timestepCotangent)
      var byCoefficient = h * both
      if a.pointee.clampsForce {
        let atLimit =
          (state.force .<= L(broadcasting: a.pointee.forceLower))
          .| (L(broadcasting: a.pointee.forceUpper) .<= state.force)
        byCoefficient = byCoefficient.replacing(with: zero, where: atLimit)
      }
      if a.pointee.hasAffineGain {
        let byFactor = L.multiply(byCoefficient, scalar: a.pointee.gain.z)
        if a.pointee.dynamics == .none { byRawControl += byFactor } else { byInput += byFactor }
      }
      if let parameters = cotangents.parameters {
        if a.pointee.hasAffineBias { parameters.bias[3 * i + 2] += byCoefficient }
        if a.pointee.hasAffineGain {
          parameters.gain[3 * i + 2] +=
            byCoefficient * (a.pointee.dynamics == .none ? controls[i] : state.input)
        }
      }
    }
  }

  // The gain's input: the control, or an activation of before or after the step.
  if a.pointee.dynamics == .none {
    byControl += byInput
  } else {
    var byRate = rateCotangents[address]
    if a.pointee.actsEarly {
      let activation = record.activations[address]
      let rate = activationRate(a, control: state.control, activation: activation)
      nextActivationAdjoint(
        a, activation: activation, rate: rate, timestep: h, next: byInput,
        activationCotangent: &cotangents.activations[address], rateCotangent: &byRate,
        timestepCotangent: &timestepCotangent)
    } else {
      cotangents.activations[address] += byInput
    }
    activationRateAdjoint(
      a, rate: byRate, activationCotangent: &cotangents.activations[address], controlCotangent: &byControl)
  }
  if let target = cotangents.controls {
    var total = byControl
    if a.pointee.clampsControl {
      total *= passes(controls[i], a.pointee.controlLower, a.pointee.controlUpper)
    }
    target[i] += total + byRawControl
  }
  if hasMoments {
    scratch.lengthCotangents[index] += byLength * gear
    addMomentCotangents(plan, index, record.velocities, byVelocity * gear, scratch.momentCotangents)
    addAlongTransmission(plan, record, index, byVelocity * gear, to: cotangents.velocities)
    if let parameters = cotangents.parameters, plan.transmissions.isTendon(index) {
      byGear += byVelocity * alongTransmission(plan, record, index, record.velocities)
      parameters.gear[6 * i] += byGear + byLength * record.lengths[index]
    }
  } else {
    transmissionAdjoint(
      a, i, record, state, length: byLength, velocity: byVelocity, linear: byLinear, angular: byAngular,
      cotangents)
  }
}

@inline(__always)
private func addDirectionCotangent<L: Lane>(
  _ a: UnsafePointer<KernelActuator<L.Scalar>>, _ x: UnsafePointer<L>, _ scale: L,
  _ linear: inout Vector3<L>, _ angular: inout Vector3<L>
) {
  let dof = Int(a.pointee.velocityAddress)
  switch a.pointee.transmission {
  case .moments: break
  case .scalar: linear.x = L.multiplyAdd(x[dof], scale, linear.x)
  case .ball, .ballInParent: angular = vector(x + dof).multiplyAdd(scale, angular)
  case .free, .freeInParent:
    linear = vector(x + dof).multiplyAdd(scale, linear)
    angular = vector(x + (dof + 3)).multiplyAdd(scale, angular)
  }
}

/// Adjoint of ``nextActivation(_:activation:rate:timestep:)``.
@inline(__always)
func nextActivationAdjoint<L: Lane>(
  _ a: UnsafePointer<KernelActuator<L.Scalar>>, activation: L, rate: L, timestep h: L, next: L,
  activationCotangent: inout L, rateCotangent: inout L, timestepCotangent: inout L
) {
  let step = activationStep(a, timestep: h)
  var g = next
  if a.pointee.clampsActivation {
    g *= passes(
      L.multiplyAdd(rate, step, activation), a.pointee.activationLower, a.pointee.activationUpper)
  }
  activationCotangent += g
  rateCotangent = L.multiplyAdd(g, step, rateCotangent)
  let slope =
    a.pointee.dynamics == .filterExact
    ? (-h / L(broadcasting: a.pointee.timeConstant)).exponential : L(1.0)
  timestepCotangent = L.multiplyAdd(g * rate, slope, timestepCotangent)
}

/// Adjoint of ``activationRate(_:control:activation:)``.
@inline(__always)
func activationRateAdjoint<L: Lane>(
  _ a: UnsafePointer<KernelActuator<L.Scalar>>, rate: L, activationCotangent: inout L,
  controlCotangent: inout L
) {
  switch a.pointee.dynamics {
  case .none: break
  case .integrator: controlCotangent += rate
  case .filter, .filterExact:
    let g = rate / L(broadcasting: a.pointee.timeConstant)
    controlCotangent += g
    activationCotangent -= g
  }
}

/// Adjoint of ``transmission(_:_:_:)`` for joints, for cotangents of length, velocity and direction.
@inline(__always)
private func transmissionAdjoint<L: Lane>(
  _ a: UnsafePointer<KernelActuator<L.Scalar>>, _ index: Int, _ record: borrowing StepRecord<L>,
  _ state: ActuatorState<L>, length: L, velocity: L, linear: Vector3<L>, angular: Vector3<L>,
  _ cotangents: borrowing Cotangents<L>
) {
  let at = Int(a.pointee.positionAddress)
  let dof = Int(a.pointee.velocityAddress)
  switch a.pointee.transmission {
  case .moments: break
  case .scalar:
    let gear = L(broadcasting: a.pointee.gear)
    let m = L(broadcasting: a.pointee.multiplier)
    let byDirection = L.multiplyAdd(velocity, record.velocities[dof], linear.x)
    cotangents.velocities[dof] = L.multiplyAdd(velocity, state.linear.x, cotangents.velocities[dof])
    cotangents.positions[dof] = L.multiplyAdd(length * gear, m, cotangents.positions[dof])
    if let parameters = cotangents.parameters {
      parameters.gear[6 * index] +=
        byDirection * m
        + length * L.multiplyAdd(record.positions[at], m, L(broadcasting: a.pointee.offset))
    }
  case .ball, .ballInParent, .free, .freeInParent:
    let isFree = a.pointee.transmission == .free || a.pointee.transmission == .freeInParent
    let angularDof = isFree ? dof + 3 : dof
    let q = record.positions + (isFree ? at + 3 : at)
    let orientation = Quaternion(q[0], q[1], q[2], q[3]).normalized
    var byAngular = vector(record.velocities + angularDof).multiplyAdd(velocity, angular)
    addVector(state.angular, velocity, to: cotangents.velocities + angularDof)
    if isFree {
      addVector(state.linear, velocity, to: cotangents.velocities + dof)
    } else {
      let rotation = orientation.rotationVector
      byAngular = rotation.multiplyAdd(length, byAngular)
      addVector(
        inverseRightJacobianTransposed(rotation, times: state.angular * length), L(1.0),
        to: cotangents.positions + angularDof)
    }
    let inParent = a.pointee.transmission == .ballInParent || a.pointee.transmission == .freeInParent
    var byGear = byAngular
    if inParent {
      // The direction is Rᵀ g; a small turn δ of the joint changes it by −δ x Rᵀ g.
      addVector(byAngular.cross(state.angular), L(1.0), to: cotangents.positions + angularDof)
      byGear = orientation.rotate(byAngular)
    }
    if let parameters = cotangents.parameters {
      let gear = parameters.gear + 6 * index
      if isFree {
        addVector(vector(record.velocities + dof).multiplyAdd(velocity, linear), L(1.0), to: gear)
        addVector(byGear, L(1.0), to: gear + 3)
      } else {
        addVector(byGear, L(1.0), to: gear)
      }
    }
  }
}
