import Kinematics
import Lanes

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
  let links: UnsafeMutablePointer<LinkConstraintCotangents<L>>
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
    measure.take(Int32.self, 2 * L.laneCount)
    for _ in 0..<2 { measure.take(L.self, 2 * L.laneCount) }
    measure.take(RowMultipliers<L>.self, sparseRowCount)
    return measure.byteCount
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

  // Geometry and matrices.
  positionPass(
    plan.tree, positions: record.positions, angles: record.retainedAngles,
    mocapPoses: inputs.mocapPoses, poses: record.poses, directions: record.directions)
  inertiaPass(plan.tree, record)
  transmissionPass(plan, record)
  armaturedMassMatrix(plan, record, forward)
  copyValues(engine.massMatrix, record.factor, plan.pattern.entryCount)
  let a = record.constrainedAccelerations
  if plan.isImplicit {
    if plan.hasImplicitFluid { velocityPass(plan, record, forward) }
    matrixPass(plan, record, forward, inputs, timestep: h)
    copyValues(memory.dual, scratch.accelerationCotangent, n)
    solveMassMatrix(plan.pattern, factor: record.factor, memory.dual)
    if plan.implicitFreeBodyCount > 0 {
      solveFreeBodies(
        plan, record, transposed: true, rightHandSide: scratch.accelerationCotangent, memory.dual)
    }
    multiplyMassMatrix(plan.pattern, engine.massMatrix, memory.dual, scratch.lambda)
  } else {
    copyValues(scratch.lambda, scratch.accelerationCotangent, n)
    // Damping that is zero has a derivative all the same.
    if plan.dampsImplicitly && cotangents.parameters != nil {
      copyValues(memory.dual, scratch.accelerationCotangent, n)
      factorMassMatrix(plan.pattern, record.factor)
      solveMassMatrix(plan.pattern, factor: record.factor, memory.dual)
    }
  }

  // Rows as the step had them.
  let system = engine.assemble(record)
  let pass = linearizeConstraints(
    engine.constraints.solver, engine.workspace, system, massMatrix: engine.massMatrix, at: a,
    engine.solution)
  engine.kinkMargin = L.minimum(
    engine.kinkMargin,
    L.minimum(engine.workspace.kinkMargin.pointee, engine.assembler.memory.nearestSwitch))
  engine.workspace.hessian.solve(scratch.lambda)

  let implicit = ImplicitTerms(
    dual: memory.dual, accelerations: record.accelerations, includesFluid: false)
  smoothAdjoint(
    plan, record.with(accelerations: a), scratch, inputs, timestep: h, implicit, cotangents,
    timestepCotangent: &timestepCotangent)
  rowsAdjoint(engine, pass, plan, record, scratch, inputs, lambda: scratch.lambda, cotangents)
  if engine.assembler.plan.linkEqualities.count > 0 {
    velocityProductsAdjoint(engine, plan, record, scratch, cotangents)
    mocapSweepAdjoint(plan, record, scratch, inputs, addsForces: true, gravity: .zero, cotangents)
  }

  if plan.isImplicit {
    // λ̂ᵀ M (â − a): inverse dynamics at rest.
    var i = 0
    while i < n {
      let difference = record.accelerations[i] - a[i]
      memory.difference[i] = difference
      if let parameters = cotangents.parameters {
        parameters.armature[i] -= memory.dual[i] * difference
      }
      i += 1
    }
    if let parameters = cotangents.parameters {
      tendonArmatureCotangents(
        plan, record, dual: memory.dual, accelerations: memory.difference, parameters)
    }
    copyValues(scratch.lambda, memory.dual, n)
    let atRest = record.with(accelerations: memory.difference, velocities: memory.rest)
    outwardAdjointPass(plan, atRest, scratch, addsForces: false, gravity: .zero)
    if cotangents.parameters != nil { inertiaCotangents(plan, atRest, scratch, cotangents) }
    inwardAdjointPass(
      plan, atRest, scratch, addsForces: false, positions: cotangents.positions,
      velocities: cotangents.velocities)
    if plan.hasImplicitFluid {
      implicitFluidAdjoint(
        plan, record, scratch, timestep: h, cotangents, timestepCotangent: &timestepCotangent)
      mocapSweepAdjoint(plan, record, scratch, inputs, addsForces: true, gravity: .zero, cotangents)
    }
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
