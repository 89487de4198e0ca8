import Kinematics
import Lanes
import RobotModels

// Backward, −Σ (u₀ F / n) joins the term u·f of the rows, u = J λ: so the actuators' force at a contact joins what multiplies the
// derivative of its first row (``linkRowsAdjoint``), and the derivative by F is −Σ u₀ / n. The number of contacts is a discrete
// choice, held as it is.

/// Adds the cotangents of what the forces of the actuators on bodies depend on.
///
/// - Parameter slotChange: u of the contact slots.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func bodyTransmissionsAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ record: borrowing StepRecord<L>, controls: UnsafePointer<L>,
  timestep h: L, slotChange: UnsafePointer<L>, _ cotangents: borrowing Cotangents<L>,
  timestepCotangent: inout L
) where L.Scalar: LaneScalar {
  let plan = engine.dynamics
  let transmissions = engine.assembler.plan.bodyTransmissions
  let memory = engine.bodyTransmissions
  let zero = L(0.0)
  var k = 0
  while k < transmissions.count {
    memory.byShare[k] = zero
    k = k &+ 1
  }
  var s = 0
  while s < engine.assembler.system.slotCount {
    let u = slotChange[SolverMemory<L>.stride &* s]
    forEachBodyTransmission(engine.assembler, slot: s) { k, lanes in
      memory.byShare[k] -= zero.replacing(with: u, where: lanes)
    }
    s = s &+ 1
  }
  k = 0
  while k < transmissions.count {
    let index = Int(transmissions.actuators[k])
    let a = plan.actuators.pointer(index)
    let state = actuatorState(plan, a, record, control: controls[index], timestep: h)
    var byForce = memory.byShare[k] / L.maximum(memory.contactCount[k], L(1.0))
    if a.pointee.clampsForce {
      byForce *= passes(state.force, a.pointee.forceLower, a.pointee.forceUpper)
    }
    if let parameters = cotangents.parameters {
      parameters.gain[3 &* index] += byForce * state.input
      if a.pointee.hasAffineBias { parameters.bias[3 &* index] += byForce }
    }
    let byInput = byForce * state.gain
    var byControl = zero
    if a.pointee.dynamics == .none {
      byControl = byInput
    } else {
      let address = Int(a.pointee.activationAddress)
      if a.pointee.actsEarly {
        let activation = record.activations[address]
        let rate = activationRate(a, control: state.control, activation: activation)
        var byRate = zero
        nextActivationAdjoint(
          a, activation: activation, rate: rate, timestep: h, next: byInput,
          activationCotangent: &cotangents.activations[address], rateCotangent: &byRate,
          timestepCotangent: &timestepCotangent)
        activationRateAdjoint(
          a, rate: byRate, activationCotangent: &cotangents.activations[address],
          controlCotangent: &byControl)
      } else {
        cotangents.activations[address] += byInput
      }
    }
    if let target = cotangents.controls {
      if a.pointee.clampsControl {
        byControl *= passes(controls[index], a.pointee.controlLower, a.pointee.controlUpper)
      }
      target[index] += byControl
    }
    k = k &+ 1
  }
}
