import Kinematics
import Lanes
import RobotModels

/// Reverse of ``forwardDynamics(_:_:_:_:timestep:)``.
///
/// `scratch.accelerationCotangent` and `scratch.rateCotangent` hold the cotangents of the accelerations `â` and of the
/// activation rates; cotangents of everything they depend on are added to `cotangents`. With the residual
/// `F(â, x) = M̂ â + bias − tau = 0`: solve `M̂ᵀ λ = ā`, then `x̄ = −(∂F/∂x)ᵀ λ`, one sweep through inverse dynamics
/// at `â` and the direct terms of what the integrator adds to `M`.
@inline(__always)
func forwardDynamicsAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  _ inputs: StepInputs<L>, timestep h: L, _ cotangents: borrowing Cotangents<L>,
  timestepCotangent: inout L
) {
  let n = plan.velocityCount
  if record.retention == .anglesForGeometry {
    positionPass(
      plan.tree, positions: record.positions, angles: record.retainedAngles,
      mocapPoses: inputs.mocapPoses, poses: record.poses, directions: record.directions)
    transmissionPass(plan, record)
  }
  copyValues(scratch.lambda, scratch.accelerationCotangent, n)
  solveMassMatrix(
    plan.pattern, factor: record.factor, scratch.lambda)
  if plan.implicitFreeBodyCount > 0 {
    solveFreeBodies(
      plan, record, transposed: true, rightHandSide: scratch.accelerationCotangent, scratch.lambda)
  }
  smoothAdjoint(
    plan, record, scratch, inputs, timestep: h,
    ImplicitTerms(dual: scratch.lambda, accelerations: record.accelerations), cotangents,
    timestepCotangent: &timestepCotangent)
}

/// What the terms are evaluated at that an integrator adds to the mass matrix: `h λ̂ᵀ D â`.
struct ImplicitTerms<L: Lane> {
  let dual: UnsafeMutablePointer<L>
  let accelerations: UnsafeMutablePointer<L>
  /// Whether those of the fluid are among them: its motions at λ̂ and â are then those of the sweep.
  var includesFluid = true
}

/// Adds the cotangents of `−λᵀ (RNEA(q, v, a) − tau) + h λ̂ᵀ D â`, with λ in `scratch` and a in the record.
@inline(__always)
func smoothAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  _ inputs: StepInputs<L>, timestep h: L, _ implicit: ImplicitTerms<L>, _ cotangents: borrowing Cotangents<L>,
  timestepCotangent: inout L
) {
  let n = plan.velocityCount
  let addsForces =
    inputs.cartesianForces != nil || plan.fluidBodies.count > 0
    || plan.compensatedBodies.count > 0 && !plan.hasActuatorCompensation
  let addsRates = plan.hasImplicitFluid && implicit.includesFluid
  outwardAdjointPass(
    plan, record, scratch, addsForces: addsForces, gravity: Vector3(broadcasting: plan.gravity))
  if cotangents.parameters != nil { inertiaCotangents(plan, record, scratch, cotangents) }
  if let applied = inputs.cartesianForces {
    cartesianForcesAdjoint(plan, record, scratch, applied: applied, cotangents)
  } else if let target = cotangents.cartesianForces {
    cartesianForceCotangents(plan, record, scratch, target)
  }
  if plan.compensatedBodies.count > 0 && !plan.hasActuatorCompensation {
    gravityCompensationAdjoint(plan, record, scratch, cotangents)
  }
  if plan.fluidBodies.count > 0 {
    if addsRates { ratePass(plan, record, scratch) }
    fluidForcesAdjoint(
      plan, record, scratch, implicit.includesFluid ? .all : .forces, timestep: h, cotangents,
      timestepCotangent: &timestepCotangent)
  }
  inwardAdjointPass(
    plan, record, scratch, addsForces: addsForces, positions: cotangents.positions,
    velocities: cotangents.velocities)
  if cotangents.mocapPoses != nil {
    mocapSweepAdjoint(
      plan, record, scratch, inputs, addsForces: addsForces, gravity: Vector3(broadcasting: plan.gravity),
      cotangents)
  }
  if addsRates { inwardRatePass(plan, record, scratch, positions: cotangents.positions) }
  if let parameters = cotangents.parameters { gravityCotangent(plan, scratch, parameters) }

  // Joint damping, armature, applied forces.
  var i = 0
  while i < n {
    let lambda = scratch.lambda[i]
    cotangents.velocities[i] = L.multiplyAdd(-lambda, scalar: plan.damping[i], cotangents.velocities[i])
    let product = implicit.dual[i] * implicit.accelerations[i]
    timestepCotangent = L.multiplyAdd(-product, scalar: plan.implicitDamping[i], timestepCotangent)
    if let target = cotangents.appliedForces { target[i] += lambda }
    if let parameters = cotangents.parameters {
      parameters.armature[i] -= lambda * record.accelerations[i]
      if plan.dampersActive { parameters.damping[i] -= lambda * record.velocities[i] }
      if plan.dampsImplicitly { parameters.damping[i] -= product * h }
    }
    i += 1
  }
  springForcesAdjoint(
    plan, positions: record.positions, lambda: scratch.lambda, positionCotangents: cotangents.positions,
    parameters: cotangents.parameters)

  if plan.hasTransmissions {
    clearTransmissionCotangents(plan, scratch)
    tendonForcesAdjoint(
      plan, record, scratch, timestep: h, implicit, cotangents, timestepCotangent: &timestepCotangent)
  }

  // Actuators: their force passes the joints' limits only where it is within them.
  let isOwn = plan.actuatorForceLimits.count > 0 || plan.hasActuatorCompensation
  if isOwn { copyValues(scratch.actuatorLambda, scratch.lambda, n) }
  if plan.actuatorForceLimits.count > 0 { maskLimitedForces(plan, record, scratch, inputs, timestep: h) }
  actuationAdjoint(
    plan, record, scratch, controls: inputs.controls, timestep: h,
    lambda: isOwn ? scratch.actuatorLambda : scratch.lambda,
    implicit, rateCotangents: scratch.rateCotangent, cotangents,
    timestepCotangent: &timestepCotangent)
  if plan.hasTransmissions { transmissionAdjointPass(plan, record, scratch, inputs, cotangents) }
  if plan.implicitFreeBodyCount > 0 {
    freeBodyAdjoint(plan, record, implicit, timestep: h, cotangents, timestepCotangent: &timestepCotangent)
  }
  if plan.hasActuatorCompensation { actuatorCompensationAdjoint(plan, record, scratch, inputs, cotangents) }
}

/// Zeroes `actuatorLambda` where a joint's total actuator force is held at its limit.
@inline(__always)
private func maskLimitedForces<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  _ inputs: StepInputs<L>, timestep h: L
) {
  actuationPass(
    plan, record, controls: inputs.controls, timestep: h, forces: scratch.actuatorForces)
  if plan.hasActuatorCompensation {
    projectedCompensation(plan, record, forces: scratch.byDual, output: scratch.meanVelocity)
    var i = 0
    while i < plan.velocityCount {
      if plan.actuatorCompensated[i] { scratch.actuatorForces[i] -= scratch.meanVelocity[i] }
      i += 1
    }
  }
  var i = 0
  while i < plan.actuatorForceLimits.count {
    let limit = plan.actuatorForceLimits[i]
    let dof = Int(limit.velocityAddress)
    scratch.actuatorLambda[dof] *= passes(scratch.actuatorForces[dof], limit.lower, limit.upper)
    i += 1
  }
}

/// Cotangent of Cartesian forces that are absent (zero) in the forward pass.
@inline(__always)
private func cartesianForceCotangents<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  _ target: UnsafeMutablePointer<L>
) {
  var i = 0
  while i < plan.bodyPoints.count {
    let point = plan.bodyPoints.pointer(i)
    let w = scratch.motions[Int(point.pointee.link)].dual
    let r = offset(plan.tree, record, link: Int(point.pointee.link), point: point.pointee.center)
    let at = target + 6 * Int(point.pointee.body)
    addVector(w.linear + w.angular.cross(r), L(1.0), to: at)
    addVector(w.angular, L(1.0), to: at + 3)
    i += 1
  }
}

/// Gravity compensation that some joints take as an actuator force: `L = −Σ w'·X` with the dual motion `w'` at the
/// joint rates that see it (`lambda`, or `actuatorLambda` where it is an actuator force).
@inline(__always)
private func actuatorCompensationAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  _ inputs: StepInputs<L>, _ cotangents: borrowing Cotangents<L>
) {
  var i = 0
  while i < plan.velocityCount {
    if plan.actuatorCompensated[i] {
      scratch.lambda[i] = plan.actuationDisabled ? L(0.0) : scratch.actuatorLambda[i]
    }
    i += 1
  }
  // The same passes as for the whole, with the compensating forces alone.
  outwardAdjointPass(
    plan, record, scratch, addsForces: true, gravity: Vector3(broadcasting: plan.gravity))
  clearLinkCotangents(plan.tree, scratch)
  gravityCompensationAdjoint(plan, record, scratch, cotangents)
  inwardAdjointPass(
    plan, record, scratch, addsForces: true, positions: cotangents.positions,
    velocities: cotangents.velocities)
  mocapSweepAdjoint(plan, record, scratch, inputs, addsForces: true, gravity: .zero, cotangents)
}

/// Takes the inertial forces off the cotangents that ``outwardAdjointPass(_:_:_:addsForces:gravity:)`` left on links.
@inline(__always)
func clearLinkCotangents<L: Lane>(_ tree: KinematicTree<L.Scalar>, _ scratch: borrowing AdjointScratch<L>) {
  var l = 0
  while l < tree.linkCount {
    scratch.byDual[l] = .zero
    scratch.byAcceleration[l] = .zero
    scratch.byCouple[l] = .zero
    l += 1
  }
}

/// Cotangents of the links' inertial parameters: `L = w·I a + (w x v)·I v` is linear in them.
@inline(__always)
func inertiaCotangents<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  _ cotangents: borrowing Cotangents<L>
) {
  guard let parameters = cotangents.parameters else { return }
  var l = 1
  while l < plan.tree.linkCount {
    let pose = record.poses[l]
    let origin = pose.position - record.poses[Int(plan.tree.links.pointer(l).pointee.root)].position
    let v = scratch.motions[l].velocity
    let w = scratch.motions[l].dual
    let pull =
      inertiaForm(inLink(w, pose, origin), inLink(scratch.motions[l].acceleration, pose, origin))
      + inertiaForm(inLink(w.cross(v), pose, origin), inLink(v, pose, origin))
    parameters.inertias[l] = RigidInertia(
      mass: parameters.inertias[l].mass - pull.mass,
      firstMoment: parameters.inertias[l].firstMoment - pull.firstMoment,
      rotational: parameters.inertias[l].rotational + scaled(pull.rotational, L(-1.0)))
    l += 1
  }
}

/// A motion in the axes of a link, about the link's origin.
@inline(__always)
private func inLink<L: Lane>(_ m: Motion<L>, _ pose: Pose<L>, _ origin: Vector3<L>) -> Motion<L> {
  Motion(
    angular: pose.rotation.transposedTimes(m.angular),
    linear: pose.rotation.transposedTimes(m.linear + m.angular.cross(origin)))
}

/// The derivative of `y·I x` by mass, first moment and rotational inertia.
@inline(__always)
private func inertiaForm<L: Lane>(_ y: Motion<L>, _ x: Motion<L>) -> RigidInertia<L> {
  RigidInertia(
    mass: y.linear.dot(x.linear),
    firstMoment: x.linear.cross(y.angular) + y.linear.cross(x.angular),
    rotational: symmetricProduct(y.angular, x.angular))
}

/// Gravity enters as the world's upward acceleration.
@inline(__always)
private func gravityCotangent<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ scratch: borrowing AdjointScratch<L>, _ parameters: ParameterCotangents<L>
) {
  var l = 1
  while l < plan.tree.linkCount {
    if plan.tree.links.pointer(l).pointee.parent == 0 {
      parameters.gravity[0] += scratch.byAcceleration[l].linear
    }
    l += 1
  }
}
