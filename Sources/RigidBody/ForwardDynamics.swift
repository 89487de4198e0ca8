import Kinematics
import Lanes
import RobotModels

/// Coefficient of the actuator's force in its velocity, as `implicitfast` takes it: zero where the force is at
/// its limit; with the control as given, before clamping (MuJoCo's `mjd_actuator_vel`).
@inline(__always)
func velocityCoefficient<L: Lane>(
  _ a: UnsafePointer<KernelActuator<L.Scalar>>, _ state: ActuatorState<L>, control: L
) -> L {
  var coefficient = L(0.0)
  if a.pointee.hasAffineBias { coefficient += L(broadcasting: a.pointee.bias.z) }
  if a.pointee.hasAffineGain {
    let input = a.pointee.dynamics == .none ? control : state.input
    coefficient = L.multiplyAdd(input, scalar: a.pointee.gain.z, coefficient)
  }
  if a.pointee.clampsForce {
    let atLimit =
      (state.force .<= L(broadcasting: a.pointee.forceLower))
      .| (L(broadcasting: a.pointee.forceUpper) .<= state.force)
    coefficient = coefficient.replacing(with: L(0.0), where: atLimit)
  }
  return coefficient
}

/// Adds `scale * direction directionᵀ` of an actuator to the mass matrix.
@inline(__always)
private func addOuterProduct<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ a: UnsafePointer<KernelActuator<L.Scalar>>,
  _ record: borrowing StepRecord<L>, _ state: ActuatorState<L>, _ scale: L, to m: UnsafeMutablePointer<L>
) {
  let dof = Int(a.pointee.velocityAddress)
  switch a.pointee.transmission {
  case .moments:
    let gear = L(broadcasting: a.pointee.gear)
    addMomentProduct(plan, record, Int(a.pointee.transmissionIndex), scale * gear * gear, to: m)
  case .scalar:
    let entry = Int(plan.pattern.rowAddress[dof])
    m[entry] = L.multiplyAdd(scale * state.linear.x, state.linear.x, m[entry])
  case .ball, .ballInParent:
    addOuterProductRows(plan, dof, scale, count: 3, m) { vectorEntry(state.angular, $0) }
  case .free, .freeInParent:
    addOuterProductRows(plan, dof, scale, count: 6, m) {
      $0 < 3 ? vectorEntry(state.linear, $0) : vectorEntry(state.angular, $0 - 3)
    }
  }
}

@inline(__always)
private func vectorEntry<L: Lane>(_ v: Vector3<L>, _ i: Int) -> L { i == 0 ? v.x : i == 1 ? v.y : v.z }

@inline(__always)
private func addOuterProductRows<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ dof: Int, _ scale: L, count: Int, _ m: UnsafeMutablePointer<L>,
  _ entry: (Int) -> L
) {
  var row = 0
  while row < count {
    let entries = m + Int(plan.pattern.rowAddress[dof + row])
    let scaled = scale * entry(row)
    var column = 0
    while column <= row {
      entries[row - column] = L.multiplyAdd(scaled, entry(column), entries[row - column])
      column += 1
    }
    row += 1
  }
}

/// Accelerations of one state: `M̂ a = tau - bias`, with the implicit terms of the model's integrator in `M̂`.
///
/// `record` holds the inputs on entry, and on return everything that the reverse sweep needs. For Runge–Kutta
/// (and for plain forward dynamics) `M̂` is the mass matrix with armature.
@inline(__always)
func forwardDynamics<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing Scratch<L>,
  _ inputs: StepInputs<L>, timestep h: L
) {
  let n = plan.velocityCount
  positionPass(
    plan.tree, positions: record.positions, angles: record.newAngles,
    mocapPoses: inputs.mocapPoses, poses: record.poses, directions: record.directions)
  inertiaPass(plan.tree, record)
  transmissionPass(plan, record)
  velocityPass(plan, record, scratch)
  inertialForcePass(plan, record, scratch)

  // Everything that acts on links joins the bias: S·f is then the bias minus those forces.
  if let applied = inputs.cartesianForces {
    subtractCartesianForces(plan, record, applied, scratch.forces)
  }
  if plan.compensatedBodies.count > 0 && !plan.hasActuatorCompensation {
    subtractGravityCompensation(plan, record, scratch.forces)
  }
  let hasFluid = plan.fluidBodies.count > 0
  if hasFluid { subtractFluidForces(plan, record, velocities: scratch.velocities, scratch.forces) }
  projectForces(plan.tree, directions: record.directions, forces: scratch.forces, output: scratch.bias)

  // Forces on the joints.
  let tau = record.accelerations
  actuationPass(plan, record, controls: inputs.controls, timestep: h, forces: tau)
  if plan.hasActuatorCompensation { compensationPass(plan, record, scratch, actuator: tau) }
  limitActuatorForces(plan, tau)
  var i = 0
  while i < n {
    var sum = tau[i] - scratch.bias[i]
    sum = L.multiplyAdd(-record.velocities[i], scalar: plan.damping[i], sum)
    if let applied = inputs.appliedForces { sum += applied[i] }
    tau[i] = sum
    i += 1
  }
  addSpringForces(plan, positions: record.positions, to: tau)
  addTendonForces(plan, record, to: tau)

  if let constraints = scratch.constraints {
    if constraints.hasBodyTransmissions {
      constraints.addBodyTransmissions(record, controls: inputs.controls, timestep: h, to: tau)
    }
    constrain(plan, record, scratch, inputs, constraints, smoothForce: tau)
    guard plan.isImplicit else {
      copyValues(tau, record.constrainedAccelerations, n)
      return
    }
  }
  matrixPass(
    plan, record, scratch, inputs, timestep: h,
    massMatrix: (scratch.constraints?.massMatrix).map { .init($0) })
  if plan.implicitFreeBodyCount > 0 { copyValues(scratch.bias, tau, n) }
  solveMassMatrix(plan.pattern, factor: record.factor, tau)
  if plan.implicitFreeBodyCount > 0 {
    solveFreeBodies(plan, record, transposed: false, rightHandSide: scratch.bias, tau)
  }
}

/// Accelerations under constraints, and their forces added to the smooth ones.
@inline(__always)
private func constrain<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing Scratch<L>,
  _ inputs: StepInputs<L>, _ constraints: ConstraintStage<L>, smoothForce tau: UnsafeMutablePointer<L>
) {
  let n = plan.velocityCount
  armaturedMassMatrix(plan, record, scratch)
  copyValues(constraints.massMatrix, record.factor, plan.pattern.entryCount)
  factorMassMatrix(plan.pattern, record.factor)
  copyValues(constraints.smoothAccelerations, tau, n)
  solveMassMatrix(plan.pattern, factor: record.factor, constraints.smoothAccelerations)
  constraints.solve(record, smoothForce: tau)
  copyValues(record.constrainedAccelerations, constraints.accelerations, n)
  var i = 0
  while i < n {
    tau[i] += constraints.constraintForce[i]
    i += 1
  }
}

/// The mass matrix with armature in `record.factor`, not factored.
@inline(__always)
func armaturedMassMatrix<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing Scratch<L>
) {
  massMatrixPass(plan, record, scratch, addsFluid: false, fluidScale: L(0.0))
  addArmature(plan, record)
}

/// Adds the armature of joints and tendons to `record.factor`.
@inline(__always)
private func addArmature<L: Lane>(_ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>) {
  var i = 0
  while i < plan.velocityCount {
    record.factor[Int(plan.pattern.rowAddress[i])] += L(broadcasting: plan.armature[i])
    i += 1
  }
  addTendonArmature(plan, record, to: record.factor)
}

/// The factor of `M̂`; reads poses, directions and inertias, and with an implicit fluid the links' velocities.
///
/// - Parameter massMatrix: M with armature, where it is known.
@inline(__always)
func matrixPass<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing Scratch<L>,
  _ inputs: StepInputs<L>, timestep h: L, massMatrix: UnsafePointer<L>? = nil
) {
  if let massMatrix, !plan.hasImplicitFluid {
    if massMatrix != record.factor { copyValues(record.factor, massMatrix, plan.pattern.entryCount) }
  } else {
    if plan.hasImplicitFluid { fluidDampingPass(plan, record, scratch) }
    massMatrixPass(plan, record, scratch, addsFluid: plan.hasImplicitFluid, fluidScale: h)
    addArmature(plan, record)
  }
  var i = 0
  while i < plan.velocityCount {
    let entry = Int(plan.pattern.rowAddress[i])
    record.factor[entry] = L.multiplyAdd(h, scalar: plan.implicitDamping[i], record.factor[entry])
    i += 1
  }
  addTendonDamping(plan, record, timestep: h, to: record.factor)
  if plan.integrator == .implicitFast { addActuatorDamping(plan, record, inputs, timestep: h) }
  if plan.implicitFreeBodyCount > 0 { factorFreeBodies(plan, record, timestep: h) }
  factorMassMatrix(plan.pattern, record.factor)
}

/// Computes again what a record of states does not retain.
@inline(__always)
func restore<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing Scratch<L>,
  _ inputs: StepInputs<L>, timestep h: L
) {
  positionPass(
    plan.tree, positions: record.positions, angles: record.retainedAngles,
    mocapPoses: inputs.mocapPoses, poses: record.poses, directions: record.directions)
  inertiaPass(plan.tree, record)
  transmissionPass(plan, record)
  if plan.hasImplicitFluid { velocityPass(plan, record, scratch) }
  matrixPass(plan, record, scratch, inputs, timestep: h)
}

/// Subtracts the actuators' velocity derivative times the timestep from the matrix.
@inline(__always)
private func addActuatorDamping<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ inputs: StepInputs<L>, timestep h: L
) {
  var i = 0
  while i < plan.actuators.count {
    let a = plan.actuators.pointer(i)
    if !a.pointee.isDisabled && (a.pointee.hasAffineBias || a.pointee.hasAffineGain) {
      let state = actuatorState(plan, a, record, control: inputs.controls[i], timestep: h)
      let scale = -h * velocityCoefficient(a, state, control: inputs.controls[i])
      addOuterProduct(plan, a, record, state, scale, to: record.factor)
    }
    i += 1
  }
}

/// Gravity compensation of models in which some joints take it as an actuator force: those degrees of freedom add
/// to `actuator`, the others' share is taken off the bias.
@inline(__always)
private func compensationPass<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing Scratch<L>,
  actuator: UnsafeMutablePointer<L>
) {
  projectedCompensation(plan, record, forces: scratch.forces, output: scratch.compensation)
  var i = 0
  while i < plan.velocityCount {
    if plan.actuatorCompensated[i] {
      // With actuation switched off nobody takes it.
      if !plan.actuationDisabled { actuator[i] -= scratch.compensation[i] }
    } else {
      scratch.bias[i] += scratch.compensation[i]
    }
    i += 1
  }
}

/// The negative of the generalised forces of gravity compensation; `forces` is overwritten.
@inline(__always)
func projectedCompensation<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>,
  forces: UnsafeMutablePointer<Force<L>>, output: UnsafeMutablePointer<L>
) {
  var l = 0
  while l < plan.tree.linkCount {
    forces[l] = .zero
    l += 1
  }
  subtractGravityCompensation(plan, record, forces)
  projectForces(plan.tree, directions: record.directions, forces: forces, output: output)
}
