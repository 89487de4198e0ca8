import Kinematics
import Lanes
import RobotModels

// Actuators on bodies (MuJoCo's body transmission: adhesion). Such an actuator pulls its body and what it touches together: its
// moment arm is minus the mean of the normals' Jacobians over all contacts of the body's own geoms, those in the gap between
// `margin` and `margin + gap` included, which have no constraint. It has no length. So its force F over the number n of contacts
// acts along each normal, and joins the smooth forces once contacts are known:
//   τ = −Σ J₀ᵀ F / n,   J₀ the contact's first row.
// (To the passes over joints they are disabled, ``KernelActuator/isDisabled``: these see their activations alone.)

/// Which contacts the actuators on bodies act through.
struct BodyTransmissionPlan: Sendable {
  /// Indices of the actuators that act.
  let actuators: ConstantBuffer<Int32>
  /// For each candidate the places in `actuators` of those that act through it: `members` from `starts[candidate]` to
  /// `starts[candidate + 1]`.
  let members: ConstantBuffer<Int32>
  let starts: ConstantBuffer<Int32>

  init(_ model: Model, _ collision: CollisionPlan) {
    let acting = model.actuators.indices.filter { index in
      let actuator = model.actuators[index]
      return actuator.transmission == .body && !model.options.switchesOff(actuator)
        && model.unsupportedParts(of: actuator).isEmpty
    }
    actuators = ConstantBuffer(acting.map(Int32.init))
    var starts: [Int32] = [0]
    var members: [Int32] = []
    if !acting.isEmpty {
      for candidate in collision.candidates.array {
        let bodies = [candidate.geom1, candidate.geom2].map { model.geoms[Int($0)].body }
        for (place, index) in acting.enumerated() where bodies.contains(model.actuators[index].target) {
          members.append(Int32(place))
        }
        starts.append(Int32(members.count))
      }
    }
    self.members = ConstantBuffer(members)
    self.starts = ConstantBuffer(starts)
  }

  var count: Int { actuators.count }

  /// Whether some actuator acts through a candidate's contacts.
  func acts(through candidate: Int) -> Bool { count > 0 && starts[candidate] < starts[candidate + 1] }
}

/// One thread's numbers of the actuators on bodies.
struct BodyTransmissionMemory<L: Lane> {
  /// Of actuators: how many contacts each acts through, the force at each of them, and the derivative by that force.
  let contactCount: UnsafeMutablePointer<L>
  let share: UnsafeMutablePointer<L>
  let byShare: UnsafeMutablePointer<L>
  /// Of contact slots: the force of all actuators along the normal.
  var slotForce: GrowingBuffer<L>

  init(_ count: Int, _ arena: inout Arena) {
    contactCount = arena.take(L.self, count)
    share = arena.take(L.self, count)
    byShare = arena.take(L.self, count)
    slotForce = GrowingBuffer(capacity: 1)
  }

  static func byteCount(_ count: Int) -> Int {
    var measure = ArenaMeasure()
    for _ in 0..<3 { measure.take(L.self, count) }
    return measure.byteCount
  }
}

/// Calls `body` for each actuator that acts through contacts of a slot, with the lanes in which it does.
@inline(__always)
func forEachBodyTransmission<L: Lane>(
  _ assembler: ConstraintAssembler<L>, slot: Int, _ body: (Int, L.Mask) -> Void
) where L.Scalar: LaneScalar {
  let plan = assembler.plan.bodyTransmissions
  var pending = assembler.memory.lanes(in: slot)
  while let (candidate, lanes) = assembler.memory.nextCandidate(in: slot, &pending) {
    var m = Int(plan.starts[candidate])
    while m < Int(plan.starts[candidate &+ 1]) {
      body(Int(plan.members[m]), lanes)
      m = m &+ 1
    }
  }
}

/// Finds the forces of the actuators on bodies, at the contacts that the engine's assembler has.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func setBodyTransmissionForces<L: Lane>(
  _ engine: ConstraintEngine<L>, _ record: borrowing StepRecord<L>, controls: UnsafePointer<L>, timestep: L
) where L.Scalar: LaneScalar {
  let plan = engine.dynamics
  let transmissions = engine.assembler.plan.bodyTransmissions
  let slotCount = engine.assembler.system.slotCount
  engine.bodyTransmissions.slotForce.reserve(slotCount)
  let memory = engine.bodyTransmissions
  let zero = L(0.0)
  var k = 0
  while k < transmissions.count {
    memory.contactCount[k] = zero
    k = k &+ 1
  }
  var s = 0
  while s < slotCount {
    forEachBodyTransmission(engine.assembler, slot: s) { k, lanes in
      memory.contactCount[k] += zero.replacing(with: L(1.0), where: lanes)
    }
    s = s &+ 1
  }
  k = 0
  while k < transmissions.count {
    let index = Int(transmissions.actuators[k])
    let a = plan.actuators.pointer(index)
    let state = actuatorState(plan, a, record, control: controls[index], timestep: timestep)
    memory.share[k] = limitedForce(a, state.force) / L.maximum(memory.contactCount[k], L(1.0))
    k = k &+ 1
  }
  s = 0
  while s < slotCount {
    memory.slotForce.base[s] = zero
    forEachBodyTransmission(engine.assembler, slot: s) { k, lanes in
      memory.slotForce.base[s] -= zero.replacing(with: memory.share[k], where: lanes)
    }
    s = s &+ 1
  }
}

/// Adds the generalised forces of the actuators on bodies.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func addBodyTransmissionForces<L: Lane>(_ engine: ConstraintEngine<L>, to tau: UnsafeMutablePointer<L>)
where L.Scalar: LaneScalar {
  let system = engine.assembler.system
  let force = engine.bodyTransmissions.slotForce.base
  var s = 0
  while s < system.slotCount {
    let slot = system.slots[s]
    let normal = system.contactJacobian + Int(slot.jacobianStart)
    let support = system.contactSupport + Int(slot.supportStart)
    var k = 0
    while k < Int(slot.supportCount) {
      let dof = Int(support[k])
      tau[dof] = L.multiplyAdd(normal[k], force[s], tau[dof])
      k = k &+ 1
    }
    s = s &+ 1
  }
}
