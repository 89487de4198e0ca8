import Kinematics
import Lanes
import RobotModels

/// Reverse of ``stepForward(_:_:_:_:timestep:state:)``.
///
/// On entry `cotangents` holds the cotangent of the state after the step, on return that of the state before it;
/// cotangents of inputs and parameters are added to. `records` are those the forward step left; `forward` is memory
/// for computing again what they do not retain.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
func stepReverse<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ records: UnsafePointer<StepRecord<L>>, _ scratch: AdjointScratch<L>,
  _ forward: Scratch<L>, _ inputs: StepInputs<L>, timestep h: L, _ cotangents: Cotangents<L>
) {
  let n = plan.velocityCount
  let first = records[0]
  var timestepCotangent = L(0.0)
  let stages = plan.stageCount
  // The activations' own step reads the first stage's activations and the (mean) rates.
  if stages == 1 {
    // q⁺ = q ⊕ h v⁺, v⁺ = v + h â.
    addScaled(first.velocities, first.accelerations, h, n, scratch.meanVelocity)
    integratePositionsAdjoint(
      plan.tree, velocities: scratch.meanVelocity, timestep: h, next: cotangents.positions, positions: nil,
      velocityCotangents: cotangents.velocities, timestepCotangent: &timestepCotangent)
    var i = 0
    while i < n {
      let g = cotangents.velocities[i]
      scratch.accelerationCotangent[i] = g * h
      timestepCotangent = L.multiplyAdd(g, first.accelerations[i], timestepCotangent)
      i += 1
    }
    advanceActivationsAdjoint(
      plan, first.activations, rates: first.activationRates, h, cotangents.activations,
      rateCotangents: scratch.rateCotangent, timestepCotangent: &timestepCotangent)
  } else {
    meanOfStages(n, scratch.meanVelocity) { records[$0].velocities }
    // Cotangent of the mean velocity; that of the mean acceleration is h v̄⁺, of the mean rate in rateCotangent.
    zero(scratch.stageVelocities, n)
    integratePositionsAdjoint(
      plan.tree, velocities: scratch.meanVelocity, timestep: h, next: cotangents.positions, positions: nil,
      velocityCotangents: scratch.stageVelocities, timestepCotangent: &timestepCotangent)
    copyValues(scratch.firstPositions, scratch.stageVelocities, n)
    meanOfStages(n, scratch.meanVelocity) { records[$0].accelerations }
    var i = 0
    while i < n {
      timestepCotangent = L.multiplyAdd(cotangents.velocities[i], scratch.meanVelocity[i], timestepCotangent)
      scratch.firstVelocities[i] = cotangents.velocities[i] * h
      i += 1
    }
    meanOfStages(plan.activationCount, scratch.firstActivations) { records[$0].activationRates }
    advanceActivationsAdjoint(
      plan, first.activations, rates: scratch.firstActivations, h, cotangents.activations,
      rateCotangents: scratch.rateMean, timestepCotangent: &timestepCotangent)
    // Now, per unit weight of a stage: firstPositions is the cotangent of its velocity, firstVelocities of its
    // acceleration, rateMean of its activation rate.
    zero(scratch.accelerationCotangent, n)
    zero(scratch.rateCotangent, plan.activationCount)
    zero(scratch.nextVelocity, n)
  }

  var stage = stages - 1
  while stage >= 0 {
    let record = records[stage]
    if forward.constraints == nil && !record.retention.hasMatrices {
      restore(plan, record, forward, inputs, timestep: h)
    }
    if stages == 1 {
      if let constraints = forward.constraints {
        timestepCotangent += constraints.adjoint(
          record, scratch, forward, inputs, timestep: h, cotangents)
      } else {
        forwardDynamicsAdjoint(
          plan, record, scratch, inputs, timestep: h, cotangents, timestepCotangent: &timestepCotangent)
      }
    } else {
      let weight = RungeKutta4.weight(stage)
      // Cotangents of this stage's outputs: its weight in the mean, and what the following stage asked for.
      addScaled(
        scratch.accelerationCotangent, scratch.firstVelocities, L(weight), n,
        scratch.accelerationCotangent)
      addScaled(
        scratch.rateCotangent, scratch.rateMean, L(weight), plan.activationCount, scratch.rateCotangent)
      zero(scratch.stagePositions, n)
      addScaled(scratch.nextVelocity, scratch.firstPositions, L(weight), n, scratch.stageVelocities)
      zero(scratch.stageActivations, plan.activationCount)
      let own = Cotangents(
        positions: scratch.stagePositions, velocities: scratch.stageVelocities,
        activations: scratch.stageActivations, controls: cotangents.controls,
        appliedForces: cotangents.appliedForces, cartesianForces: cotangents.cartesianForces,
        mocapPoses: cotangents.mocapPoses, parameters: cotangents.parameters)
      if let constraints = forward.constraints {
        timestepCotangent += constraints.adjoint(record, scratch, forward, inputs, timestep: h, own)
      } else {
        forwardDynamicsAdjoint(
          plan, record, scratch, inputs, timestep: h, own, timestepCotangent: &timestepCotangent)
      }
      if stage > 0 {
        // q = q₀ ⊕ c v', v = v₀ + c a', act = act₀ + c rate' with c = ahead · h and ' the stage before.
        let before = records[stage - 1]
        let ahead = RungeKutta4.ahead(stage)
        let c = h * ahead
        var aheadCotangent = L(0.0)
        zero(scratch.nextVelocity, n)
        integratePositionsAdjoint(
          plan.tree, velocities: before.velocities, timestep: c, next: scratch.stagePositions,
          positions: cotangents.positions, velocityCotangents: scratch.nextVelocity,
          timestepCotangent: &aheadCotangent)
        var i = 0
        while i < n {
          let g = scratch.stageVelocities[i]
          cotangents.velocities[i] += g
          scratch.accelerationCotangent[i] = g * c
          aheadCotangent = L.multiplyAdd(g, before.accelerations[i], aheadCotangent)
          i += 1
        }
        i = 0
        while i < plan.activationCount {
          let g = scratch.stageActivations[i]
          cotangents.activations[i] += g
          scratch.rateCotangent[i] = g * c
          aheadCotangent = L.multiplyAdd(g, before.activationRates[i], aheadCotangent)
          i += 1
        }
        timestepCotangent += aheadCotangent * ahead
      } else {
        addScaled(cotangents.positions, scratch.stagePositions, L(1.0), n, cotangents.positions)
        addScaled(cotangents.velocities, scratch.stageVelocities, L(1.0), n, cotangents.velocities)
        addScaled(
          cotangents.activations, scratch.stageActivations, L(1.0), plan.activationCount,
          cotangents.activations)
      }
    }
    stage -= 1
  }
  if let parameters = cotangents.parameters { parameters.timestep[0] += timestepCotangent }
}

@inline(__always)
private func zero<L: Lane>(_ x: UnsafeMutablePointer<L>, _ count: Int) {
  var i = 0
  while i < count {
    x[i] = L(0.0)
    i += 1
  }
}

/// Reverse of ``advanceActivations(_:_:rates:_:_:)``; `activations` turns from the cotangent of the next activations
/// into the direct part of that of the present ones, and `rateCotangents` is overwritten.
@inline(__always)
private func advanceActivationsAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ values: UnsafePointer<L>, rates: UnsafePointer<L>, _ h: L,
  _ activations: UnsafeMutablePointer<L>, rateCotangents: UnsafeMutablePointer<L>, timestepCotangent: inout L
) {
  zero(rateCotangents, plan.activationCount)
  guard !plan.actuationDisabled else { return }
  var i = 0
  while i < plan.actuators.count {
    let a = plan.actuators.pointer(i)
    let address = Int(a.pointee.activationAddress)
    if address >= 0 {
      let next = activations[address]
      activations[address] = L(0.0)
      let isOff = a.pointee.isOff
      nextActivationAdjoint(
        a, activation: values[address], rate: isOff ? L(0.0) : rates[address], timestep: h, next: next,
        activationCotangent: &activations[address], rateCotangent: &rateCotangents[address],
        timestepCotangent: &timestepCotangent)
      if isOff { rateCotangents[address] = L(0.0) }
    }
    i += 1
  }
}
