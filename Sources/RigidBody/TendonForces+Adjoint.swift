import Kinematics
import Lanes
import RobotModels

/// Adjoint of the tendons' springs, dampers and inertia: of
/// `λᵀ τ − λᵀ (armature m mᵀ) a − h λ̂ᵀ (damping m mᵀ) â` with moment arms m.
@inline(never)
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
func tendonForcesAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  timestep h: L, _ implicit: ImplicitTerms<L>, _ cotangents: borrowing Cotangents<L>,
  timestepCotangent: inout L
) {
  let transmissions = plan.transmissions
  let count = cotangents.parameters == nil ? transmissions.activeCount : transmissions.count
  var i = 0
  while i < count {
    let t = transmissions.transmissions.pointer(i)
    let owner = Int(t.pointee.owner)
    let isUsed = cotangents.parameters != nil || t.pointee.stiffness != 0 || t.pointee.damping != 0
    if transmissions.isTendon(i) && isUsed {
      if i >= transmissions.activeCount { computeTransmission(plan, record, i) }
      let length = record.lengths[i]
      let byForce = alongTransmission(plan, record, i, scratch.lambda)
      let velocity = alongTransmission(plan, record, i, record.velocities)
      let byVelocity = L.multiply(byForce, scalar: -t.pointee.damping)
      addAlongTransmission(plan, record, i, byVelocity, to: cotangents.velocities)
      let isSpatial = t.pointee.kind == .spatialTendon
      if isSpatial {
        let force = L.multiplyAdd(
          springExtension(t, length: length), scalar: -t.pointee.stiffness,
          L.multiply(velocity, scalar: -t.pointee.damping))
        addMomentCotangents(plan, i, scratch.lambda, force, scratch.momentCotangents)
        addMomentCotangents(plan, i, record.velocities, byVelocity, scratch.momentCotangents)
      }
      // A spring without a range of rest has a slope everywhere.
      let (lower, upper) = (L(broadcasting: t.pointee.springLower), L(broadcasting: t.pointee.springUpper))
      let isPoint = t.pointee.springLower == t.pointee.springUpper
      let isAbove = isPoint ? upper .<= length : upper .< length
      let isBelow = length .< lower
      let byExtension = L.multiply(byForce, scalar: -t.pointee.stiffness)
      let zero = L(0.0)
      let above = zero.replacing(with: byExtension, where: isAbove)
      let below = zero.replacing(with: byExtension, where: isBelow)
      scratch.lengthCotangents[i] += above + below
      if let parameters = cotangents.parameters {
        if transmissions.springsAct {
          parameters.tendonStiffness[owner] -= byForce * springExtension(t, length: length)
          parameters.tendonSpringLength[2 * owner] -= below
          parameters.tendonSpringLength[2 * owner + 1] -= above
        }
        if transmissions.dampersAct { parameters.tendonDamping[owner] -= byForce * velocity }
      }
      if transmissions.dampersAct && plan.integrator == .implicitFast {
        let form = momentForm(plan, record, i, implicit.dual, implicit.accelerations)
        timestepCotangent = L.multiplyAdd(-form, scalar: t.pointee.implicitDamping, timestepCotangent)
        if isSpatial {
          momentFormAdjoint(
            plan, record, i, implicit.dual, implicit.accelerations,
            L.multiply(h, scalar: -t.pointee.implicitDamping), scratch.momentCotangents)
        }
        if let parameters = cotangents.parameters { parameters.tendonDamping[owner] -= form * h }
      }
    }
    i += 1
  }
  if let parameters = cotangents.parameters {
    tendonArmatureCotangents(
      plan, record, dual: scratch.lambda, accelerations: record.accelerations, parameters)
  }
}

/// Cotangents of the tendons' inertia in `−λᵀ M a`.
@inline(__always)
func tendonArmatureCotangents<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, dual: UnsafePointer<L>,
  accelerations: UnsafePointer<L>, _ parameters: ParameterCotangents<L>
) {
  guard plan.hasTransmissions && plan.transmissions.armatureActs else { return }
  var i = 0
  while i < plan.transmissions.count {
    let t = plan.transmissions.transmissions.pointer(i)
    if plan.transmissions.isTendon(i) && t.pointee.couplesAll {
      parameters.tendonArmature[Int(t.pointee.owner)] -=
        alongTransmission(plan, record, i, dual) * alongTransmission(plan, record, i, accelerations)
    }
    i += 1
  }
}
