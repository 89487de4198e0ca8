import Kinematics
import Lanes

// The derivative of inverse dynamics, in one sweep.
//
// For fixed â and λ let  L(q, v) = λᵀ RNEA(q, v, â) = Σ w·(I a + v x* I v − X)  over links, where v and a are the
// links' velocities and accelerations (gravity included), w the links' motion at joint rates λ, X the forces on
// the links. With
//   ∂L/∂w = F = I a + v x* I v − X,   ∂L/∂a = A = I w,   ∂L/∂v = V = I (w x v) − w x* I v   (− ∂X/∂vᵀ w)
// summed over a joint's subtree, and v, a, w of the parent side,
//   v' = v + S q̇,  a' = a + S q̈ + v x S q̇,  w' = w + S λ
// give
//   ∂L/∂q̇ = S·V + (v x S)·A,        and, for the parent, V ← V + (S q̇) x* A.
// A turn of the joint by δ turns the whole subtree with it. Seen from the subtree nothing has changed but that
// the incoming motions are turned back, v → v + δ v x S and so on; hence
//   ∂L/∂q = (v x S)·V + (a x S)·A + (w x S)·F + S_ω·N
// with V that of the parent side, where N corrects for what stays fixed in the world: a force f at point p with
// torque τ has N = τ x w_ω + f x w(p), the wind N = wind x ∂L/∂u with u the velocity relative to it.
// No factorisation is differentiated and the cost is that of about two inverse dynamics.

/// Motions of the links at the joint accelerations `qacc`, and dual motions at `lambda`.
@inline(__always)
func outwardAdjointPass<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>
) {
  let tree = plan.tree
  scratch.velocities[0] = .zero
  scratch.accelerations[0] = Motion(angular: .zero, linear: -Vector3(broadcasting: plan.gravity))
  scratch.duals[0] = .zero
  var l = 1
  while l < tree.linkCount {
    let link = tree.links.pointer(l)
    let parent = Int(link.pointee.parent)
    var state = JointState(
      velocity: scratch.velocities[parent], acceleration: scratch.accelerations[parent],
      dual: scratch.duals[parent])
    var j = Int(link.pointee.jointStart)
    while j < Int(link.pointee.jointEnd) {
      let joint = tree.joints.pointer(j)
      if joint.pointee.kind == .free {
        // The three translations come first: along world axes, from rest.
        let dof = Int(joint.pointee.velocityAddress)
        state.velocity = Motion(angular: .zero, linear: vector(record.velocities + dof))
        state.dual = Motion(angular: .zero, linear: vector(scratch.lambda + dof))
        state.acceleration.linear += vector(record.accelerations + dof)
      }
      scratch.beforeJoint[j] = state
      let s = record.directions + Int(joint.pointee.direction)
      let dof = Int(joint.pointee.velocityAddress)
      switch joint.pointee.kind {
      case .free: advanceRotation(s + 3, dof + 3, record, scratch, &state)
      case .ball: advanceRotation(s, dof, record, scratch, &state)
      case .slide, .hingeX, .hingeY, .hingeZ, .hinge:
        let own = s[0] * record.velocities[dof]
        state.acceleration += s[0].multiplyAdd(record.accelerations[dof], state.velocity.cross(own))
        state.velocity += own
        state.dual = s[0].multiplyAdd(scratch.lambda[dof], state.dual)
      }
      j += 1
    }
    scratch.velocities[l] = state.velocity
    scratch.accelerations[l] = state.acceleration
    scratch.duals[l] = state.dual
    l += 1
  }
}

@inline(__always)
func vector<L: Lane>(_ x: UnsafePointer<L>) -> Vector3<L> { Vector3(x[0], x[1], x[2]) }

/// `S x` of three directions.
@inline(__always)
func combination<L: Lane>(_ s: UnsafePointer<Motion<L>>, _ x: UnsafePointer<L>) -> Motion<L> {
  s[2].multiplyAdd(x[2], s[1].multiplyAdd(x[1], s[0] * x[0]))
}

@inline(__always)
private func advanceRotation<L: Lane>(
  _ s: UnsafePointer<Motion<L>>, _ dof: Int, _ record: borrowing StepRecord<L>,
  _ scratch: borrowing AdjointScratch<L>, _ state: inout JointState<L>
) {
  let own = combination(s, record.velocities + dof)
  state.acceleration += state.velocity.cross(own) + combination(s, record.accelerations + dof)
  state.velocity += own
  state.dual += combination(s, scratch.lambda + dof)
}

/// Cotangents of each link's own motions.
@inline(__always)
func linkAdjointPass<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>
) {
  var l = 1
  while l < plan.tree.linkCount {
    let inertia = record.inertias[l]
    let v = scratch.velocities[l]
    let w = scratch.duals[l]
    let momentum = inertia * v
    scratch.byDual[l] = inertia * scratch.accelerations[l] + v.cross(momentum)
    scratch.byAcceleration[l] = inertia * w
    scratch.byVelocity[l] = inertia * w.cross(v) - w.cross(momentum)
    scratch.byTurning[l] = .zero
    l += 1
  }
}

/// Sums the links' cotangents over subtrees, and subtracts `∂L/∂q` and `∂L/∂q̇` from the cotangents of positions and
/// velocities.
@inline(__always)
func inwardAdjointPass<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  positions: UnsafeMutablePointer<L>, velocities: UnsafeMutablePointer<L>
) {
  let tree = plan.tree
  var l = tree.linkCount - 1
  while l > 0 {
    let link = tree.links.pointer(l)
    let parent = Int(link.pointee.parent)
    let byDual = scratch.byDual[l]
    let byAcceleration = scratch.byAcceleration[l]
    let byTurning = scratch.byTurning[l]
    var byVelocity = scratch.byVelocity[l]
    var j = Int(link.pointee.jointEnd) - 1
    while j >= Int(link.pointee.jointStart) {
      let joint = tree.joints.pointer(j)
      let before = scratch.beforeJoint + j
      let dof = Int(joint.pointee.velocityAddress)
      var s = UnsafePointer(record.directions + Int(joint.pointee.direction))
      let count: Int
      let first: Int
      let own: Motion<L>
      switch joint.pointee.kind {
      case .free:
        s += 3
        count = 3
        first = dof + 3
        own = combination(s, record.velocities + first)
      case .ball:
        count = 3
        first = dof
        own = combination(s, record.velocities + first)
      case .slide, .hingeX, .hingeY, .hingeZ, .hinge:
        count = 1
        first = dof
        own = s[0] * record.velocities[dof]
      }
      // The parent's motions seen through a turn of the joint: each product (x x S)·Y is −S·(x x* Y).
      let v = before.pointee.velocity
      let outer = byVelocity + own.cross(byAcceleration)
      let vA = v.cross(byAcceleration)
      var turned =
        v.cross(outer) + before.pointee.acceleration.cross(byAcceleration)
        + before.pointee.dual.cross(byDual)
      turned.angular -= byTurning
      let velocityPart = byVelocity - vA
      var k = 0
      while k < count {
        positions[first + k] += s[k].dot(turned)
        velocities[first + k] -= s[k].dot(velocityPart)
        k += 1
      }
      byVelocity = outer
      if joint.pointee.kind == .free {
        velocities[dof] -= outer.linear.x
        velocities[dof + 1] -= outer.linear.y
        velocities[dof + 2] -= outer.linear.z
      }
      j -= 1
    }
    if parent > 0 {
      scratch.byDual[parent] += byDual
      scratch.byAcceleration[parent] += byAcceleration
      scratch.byVelocity[parent] += byVelocity
      scratch.byTurning[parent] += byTurning
    }
    l -= 1
  }
}
