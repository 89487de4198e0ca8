import Kinematics
import Lanes
import RobotModels

// The adjoint of a step's accelerations under constraints.
//
// The accelerations a are where  F(a, θ) = M a + b − τ − Jᵀ f(y, θ) = 0  with  y = J a − aref; and the integrator takes
// M̂ â = M a  with  M̂ = M − h D. Given the cotangent of â:
//   M̂ᵀ λ̂ = â̄,  ā = M λ̂,  H λ = ā  with  H = M + Jᵀ W J,  W = −∂f/∂y,
//   θ̄ = −∂/∂θ [λᵀ F] − ∂/∂θ [λ̂ᵀ (M̂ â − M a)]
//     = −∂/∂θ [λᵀ (RNEA(q, v, a) − τ)] + ∂/∂θ [u·f(y, θ)] − ∂/∂θ [λ̂ᵀ M (â − a)] + h ∂/∂θ [λ̂ᵀ D â],   u = J λ.
// The first term and the last are those of smooth dynamics; the third is a sweep through inverse dynamics at rest without
// gravity; the second is in ConstraintRows+Adjoint.swift.

/// Memory of the adjoint.
struct ConstraintAdjointMemory<L: Lane> {
  let dual: UnsafeMutablePointer<L>
  let difference: UnsafeMutablePointer<L>
  /// Always zero.
  let rest: UnsafeMutablePointer<L>
  let rates: UnsafeMutablePointer<LinkRates<L>>
  /// Of links that are touched, see ``touch(_:)``.
  let links: UnsafeMutablePointer<LinkConstraintCotangents<L>>
  let isTouched: UnsafeMutablePointer<Bool>
  /// Links of the contacts in one slot, and the lanes (1, else 0) in which each is the first and the second.
  let slotLinks: UnsafeMutablePointer<Int32>
  let isFirst: UnsafeMutablePointer<L>
  let isSecond: UnsafeMutablePointer<L>
  /// Of sparse rows; those of connects and welds alone are set.
  let multipliers: UnsafeMutablePointer<RowMultipliers<L>>

  init(_ plan: DynamicsPlan<L.Scalar>, sparseRowCount: Int, _ arena: inout Arena) {
    dual = arena.take(L.self, plan.velocityCount)
    difference = arena.take(L.self, plan.velocityCount)
    rest = arena.take(L.self, plan.velocityCount)
    rates = arena.take(LinkRates<L>.self, plan.tree.linkCount)
    links = arena.take(LinkConstraintCotangents<L>.self, plan.tree.linkCount)
    isTouched = arena.take(Bool.self, plan.tree.linkCount)
    slotLinks = arena.take(Int32.self, 2 * L.laneCount)
    isFirst = arena.take(L.self, 2 * L.laneCount)
    isSecond = arena.take(L.self, 2 * L.laneCount)
    multipliers = arena.take(RowMultipliers<L>.self, sparseRowCount)
  }

  static func byteCount(_ plan: DynamicsPlan<L.Scalar>, sparseRowCount: Int) -> Int {
    var measure = ArenaMeasure()
    for _ in 0..<3 { measure.take(L.self, plan.velocityCount) }
    measure.take(LinkRates<L>.self, plan.tree.linkCount)
    measure.take(LinkConstraintCotangents<L>.self, plan.tree.linkCount)
    measure.take(Bool.self, plan.tree.linkCount)
    measure.take(Int32.self, 2 * L.laneCount)
    for _ in 0..<2 { measure.take(L.self, 2 * L.laneCount) }
    measure.take(RowMultipliers<L>.self, sparseRowCount)
    return measure.byteCount
  }

  /// A link's cotangents, which are zero before.
  @inline(__always)
  func touch(_ link: Int) -> UnsafeMutablePointer<LinkConstraintCotangents<L>> {
    if !isTouched[link] {
      isTouched[link] = true
      links[link] = .zero
    }
    return links + link
  }
}

/// Reverse of forward dynamics with constraints: as ``forwardDynamicsAdjoint(_:_:_:_:timestep:_:timestepCotangent:)``, whose
/// conventions are the same.
///
/// - Returns: The cotangent of the timestep.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func constrainedDynamicsAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ plan: DynamicsPlan<L.Scalar>, _ record: StepRecord<L>,
  _ scratch: AdjointScratch<L>, _ forward: Scratch<L>, _ inputs: StepInputs<L>, timestep h: L,
  _ cotangents: Cotangents<L>
) -> L where L.Scalar: LaneScalar {
  let n = plan.velocityCount
  let memory = engine.adjointMemory
  var timestepCotangent = L(0.0)

  if !engine.repeatsRecord { restoreStep(engine, plan, record, forward, inputs, timestep: h) }
  let a = record.constrainedAccelerations
  if plan.isImplicit {
    copyValues(memory.dual, scratch.accelerationCotangent, n)
    solveMassMatrix(plan.pattern, factor: record.factor, memory.dual)
    if plan.implicitFreeBodyCount > 0 {
      solveFreeBodies(
        plan, record, transposed: true, rightHandSide: scratch.accelerationCotangent, memory.dual)
    }
    if plan.integrator == .euler && !plan.transmissions.hasImplicitDamping {
      // M = M̂ − h C with C the joints' damping.
      var i = 0
      while i < n {
        scratch.lambda[i] = L.multiplyAdd(
          -(h * memory.dual[i]), scalar: plan.implicitDamping[i], scratch.accelerationCotangent[i])
        i += 1
      }
    } else {
      multiplyMassMatrix(plan.pattern, engine.massMatrix, memory.dual, scratch.lambda)
    }
  } else {
    copyValues(scratch.lambda, scratch.accelerationCotangent, n)
    // Damping that is zero has a derivative all the same.
    copyValues(memory.dual, scratch.accelerationCotangent, n)
    if plan.dampsImplicitly && cotangents.parameters != nil {
      copyValues(record.factor, engine.massMatrix, plan.pattern.entryCount)
      factorMassMatrix(plan.pattern, record.factor)
      solveMassMatrix(plan.pattern, factor: record.factor, memory.dual)
    }
  }

  let pass = SolverPass(engine.constraints.solver, engine.workspace, engine.assembler.system, engine.solution)
  engine.workspace.hessian.solve(scratch.lambda)

  memory.isTouched.update(repeating: false, count: plan.tree.linkCount)
  if engine.hasBodyTransmissions && !engine.repeatsRecord {
    setBodyTransmissionForces(engine, record, controls: inputs.controls, timestep: h)
  }
  rowsAdjoint(engine, pass, plan, record, scratch, inputs, lambda: scratch.lambda, cotangents)
  if engine.hasBodyTransmissions {
    bodyTransmissionsAdjoint(
      engine, record, controls: inputs.controls, timestep: h, slotChange: pass.memory.slotChange, cotangents,
      timestepCotangent: &timestepCotangent)
  }
  if plan.isImplicit { differenceAtRest(plan, record, scratch, memory, cotangents) }
  if plan.isImplicit || pass.rows.slotCount > 0 || engine.assembler.plan.linkEqualities.count > 0 {
    let sweep = ConstraintSweep(
      directions: record.directions, dual: scratch.lambda, accelerations: a, velocities: record.velocities,
      links: memory.links, isTouched: memory.isTouched, isImplicit: plan.isImplicit,
      implicitDual: memory.dual, difference: memory.difference)
    constraintSweep(
      plan.tree, sweep, record, scratch, positions: cotangents.positions, velocities: cotangents.velocities)
    var m = 0
    while m < plan.mocapBodies.count {
      // What moves the body moves it with all that hangs on it.
      let link = Int(plan.mocapBodies.pointer(m).pointee.link)
      addMocapCotangent(plan, record, inputs, link: link, scratch.byVelocity[link], cotangents)
      m += 1
    }
  }

  let implicit = ImplicitTerms(
    dual: memory.dual, accelerations: record.accelerations, includesFluid: false)
  smoothAdjoint(
    plan, record.with(accelerations: a), scratch, inputs, timestep: h, implicit, cotangents,
    timestepCotangent: &timestepCotangent)
  if engine.assembler.plan.linkEqualities.count > 0 {
    velocityProductsAdjoint(engine, plan, record, scratch, cotangents)
    mocapSweepAdjoint(plan, record, scratch, inputs, addsForces: true, gravity: .zero, cotangents)
  }

  if plan.isImplicit && plan.hasImplicitFluid {
    copyValues(scratch.lambda, memory.dual, n)
    implicitFluidAdjoint(
      plan, record, scratch, timestep: h, cotangents, timestepCotangent: &timestepCotangent)
    mocapSweepAdjoint(plan, record, scratch, inputs, addsForces: true, gravity: .zero, cotangents)
  }
  return timestepCotangent
}

/// The fluid's part of `h ∂/∂θ [λ̂ᵀ D â]`, with λ̂ in `scratch` and â in the record.
@inline(__always)
private func implicitFluidAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  timestep h: L, _ cotangents: borrowing Cotangents<L>, timestepCotangent: inout L
) {
  outwardAdjointPass(plan, record, scratch, addsForces: true, gravity: .zero)
  clearLinkCotangents(plan.tree, scratch)
  ratePass(plan, record, scratch)
  fluidForcesAdjoint(
    plan, record, scratch, .implicitTerms, timestep: h, cotangents, timestepCotangent: &timestepCotangent)
  inwardAdjointPass(
    plan, record, scratch, addsForces: true, positions: cotangents.positions,
    velocities: cotangents.velocities)
  inwardRatePass(plan, record, scratch, positions: cotangents.positions)
}

/// δ = â − a of the term `λ̂ᵀ M δ`, the links' motions in it, and what it leaves on armature and inertias.
@inline(__always)
private func differenceAtRest<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  _ memory: ConstraintAdjointMemory<L>, _ cotangents: borrowing Cotangents<L>
) {
  var i = 0
  while i < plan.velocityCount {
    let difference = record.accelerations[i] - record.constrainedAccelerations[i]
    memory.difference[i] = difference
    if let parameters = cotangents.parameters { parameters.armature[i] -= memory.dual[i] * difference }
    i += 1
  }
  if let parameters = cotangents.parameters {
    tendonArmatureCotangents(
      plan, record, dual: memory.dual, accelerations: memory.difference, parameters)
  }
  motionsAtRest(
    plan.tree, directions: record.directions, dual: memory.dual, accelerations: memory.difference,
    scratch.motions)
  if cotangents.parameters != nil { inertiaCotangents(plan, record, scratch, cotangents) }
}

/// Geometry, matrices and rows as the step had them, and the factor of H at its accelerations.
@inline(__always)
private func restoreStep<L: Lane>(
  _ engine: ConstraintEngine<L>, _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>,
  _ forward: Scratch<L>, _ inputs: StepInputs<L>, timestep h: L
) where L.Scalar: LaneScalar {
  positionPass(
    plan.tree, positions: record.positions, angles: record.retainedAngles,
    mocapPoses: inputs.mocapPoses, poses: record.poses, directions: record.directions)
  inertiaPass(plan.tree, record)
  transmissionPass(plan, record)
  armaturedMassMatrix(plan, record, forward)
  copyValues(engine.massMatrix, record.factor, plan.pattern.entryCount)
  if plan.isImplicit {
    if plan.hasImplicitFluid { velocityPass(plan, record, forward) }
    // The record still has it.
    matrixPass(plan, record, forward, inputs, timestep: h, massMatrix: record.factor)
  }
  let system = engine.assemble(record)
  linearizeConstraints(
    engine.constraints.solver, engine.workspace, system, massMatrix: engine.massMatrix,
    at: record.constrainedAccelerations, engine.solution)
  engine.kinkMargin = L.minimum(
    engine.kinkMargin,
    L.minimum(engine.workspace.kinkMargin.pointee, engine.assembler.memory.nearestSwitch))
}
