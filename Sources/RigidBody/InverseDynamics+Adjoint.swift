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
//
// V is kept as U = V + v x* A, v being the motion at which V is meant. Then a joint leaves U as it is: on its parent
// side V + (S q̇) x* A = U − (v + S q̇) x* A + (S q̇) x* A. And of a rigid body, U is a couple alone: with
// I = (m, h, J), w = (ψ, u) and v = (ω, ν), Jacobi's identity and J ψ x ω + ψ x J ω = (tr J − J)(ψ x ω) leave
//   U = (C, 0),   C = (2 J − tr J)(ψ x ω) + 2 ν x A_linear − 2 u x (ω x h).
// So a subtree's velocity cotangents are three numbers that add up, and for a joint with one direction and
// Ṡ = v x S (which is also (v + S q̇) x S)
//   ∂L/∂q̇ = S·U + 2 Ṡ·A,     ∂L/∂q = Ṡ·U + (v x Ṡ + a x S)·A + (w x S)·F + S_ω·N.
// No factorisation is differentiated and the cost is that of about one and a half inverse dynamics.

/// Motions of the links at the joint accelerations `qacc`, and dual motions at `lambda`.
///
/// `addsForces` says that forces other than the inertial will be added to the cotangents of the links' own motions, which
/// are then computed too.
@inline(__always)
func outwardAdjointPass<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  addsForces: Bool, gravity: Vector3<L>
) {
  let tree = plan.tree
  scratch.motions[0] = LinkMotion(
    velocity: .zero, acceleration: Motion(angular: .zero, linear: -gravity), dual: .zero)
  var l = 1
  while l < tree.linkCount {
    let link = tree.links.pointer(l)
    let jointEnd = Int(link.pointee.jointEnd)
    var before = UnsafePointer(scratch.motions + Int(link.pointee.parent))
    var j = Int(link.pointee.jointStart)
    while j < jointEnd {
      let after = j + 1 == jointEnd ? scratch.motions + l : scratch.beforeJoint + (j + 1)
      let joint = tree.joints.pointer(j)
      let d = Int(joint.pointee.direction)
      let dof = Int(joint.pointee.velocityAddress)
      switch joint.pointee.kind {
      case .free: advanceFree(dof, record.directions + (d + 3), record, scratch, before, after)
      case .ball: advanceBall(dof, record.directions + d, record, scratch, before, after)
      case .slide where joint.pointee.startsFromRest:
        let s = record.directions[d].linear
        after.pointee.acceleration = Motion(
          angular: .zero,
          linear: s.multiplyAdd(record.accelerations[dof], before.pointee.acceleration.linear))
        after.pointee.velocity = Motion(
          angular: .zero, linear: s.multiplyAdd(record.velocities[dof], before.pointee.velocity.linear))
        after.pointee.dual = Motion(
          angular: .zero, linear: s.multiplyAdd(scratch.lambda[dof], before.pointee.dual.linear))
      case .slide:
        // Nothing turns: angular parts stay, and all products have linear parts alone.
        let s = record.directions[d].linear
        let rate = before.pointee.velocity.angular.cross(s)
        scratch.directionRates[d].linear = rate
        after.pointee.acceleration = Motion(
          angular: before.pointee.acceleration.angular,
          linear: s.multiplyAdd(
            record.accelerations[dof],
            rate.multiplyAdd(record.velocities[dof], before.pointee.acceleration.linear)))
        after.pointee.velocity = Motion(
          angular: before.pointee.velocity.angular,
          linear: s.multiplyAdd(record.velocities[dof], before.pointee.velocity.linear))
        after.pointee.dual = Motion(
          angular: before.pointee.dual.angular,
          linear: s.multiplyAdd(scratch.lambda[dof], before.pointee.dual.linear))
      case .hingeX, .hingeY, .hingeZ, .hinge:
        let s = record.directions[d]
        if joint.pointee.startsFromRest {
          let rate = before.pointee.velocity.linear.cross(s.angular)
          scratch.directionRates[d].linear = rate
          after.pointee.acceleration = Motion(
            angular: s.angular * record.accelerations[dof],
            linear: s.linear.multiplyAdd(
              record.accelerations[dof],
              rate.multiplyAdd(record.velocities[dof], before.pointee.acceleration.linear)))
          after.pointee.velocity = Motion(
            angular: s.angular * record.velocities[dof],
            linear: s.linear.multiplyAdd(record.velocities[dof], before.pointee.velocity.linear))
          after.pointee.dual = Motion(
            angular: s.angular * scratch.lambda[dof],
            linear: s.linear.multiplyAdd(scratch.lambda[dof], before.pointee.dual.linear))
          break
        }
        let rate = before.pointee.velocity.cross(s)
        scratch.directionRates[d] = rate
        after.pointee.acceleration = s.multiplyAdd(
          record.accelerations[dof], rate.multiplyAdd(record.velocities[dof], before.pointee.acceleration))
        after.pointee.velocity = s.multiplyAdd(record.velocities[dof], before.pointee.velocity)
        after.pointee.dual = s.multiplyAdd(scratch.lambda[dof], before.pointee.dual)
      }
      before = UnsafePointer(after)
      j += 1
    }
    if Int(link.pointee.jointStart) == jointEnd { scratch.motions[l] = before.pointee }
    scratch.upcoming.pointee.advance()
    if addsForces {
      let own = linkAdjoint(linkInertia(tree, record, l), scratch.motions + l)
      scratch.byDual[l] = own.byDual
      scratch.byAcceleration[l] = own.byAcceleration
      scratch.byCouple[l] = own.couple
      scratch.byVelocity[l] = .zero
      scratch.byTurning[l] = .zero
    }
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

/// The angular part of ``combination(_:_:)``.
@inline(__always)
private func angularCombination<L: Lane>(_ s: UnsafePointer<Motion<L>>, _ x: UnsafePointer<L>) -> Vector3<L> {
  s[2].angular.multiplyAdd(x[2], s[1].angular.multiplyAdd(x[1], s[0].angular * x[0]))
}

@inline(__always)
private func advanceBall<L: Lane>(
  _ dof: Int, _ s: UnsafePointer<Motion<L>>, _ record: borrowing StepRecord<L>,
  _ scratch: borrowing AdjointScratch<L>, _ before: UnsafePointer<LinkMotion<L>>,
  _ after: UnsafeMutablePointer<LinkMotion<L>>
) {
  let own = combination(s, record.velocities + dof)
  after.pointee.acceleration =
    before.pointee.acceleration + before.pointee.velocity.cross(own)
    + combination(s, record.accelerations + dof)
  after.pointee.velocity = before.pointee.velocity + own
  after.pointee.dual = before.pointee.dual + combination(s, scratch.lambda + dof)
}

/// A free joint starts from rest: translations along world axes, then rotations about the link's origin, which is also
/// the reference point. `s` are the directions of the rotations; their linear parts are zero.
@inline(__always)
private func advanceFree<L: Lane>(
  _ dof: Int, _ s: UnsafePointer<Motion<L>>, _ record: borrowing StepRecord<L>,
  _ scratch: borrowing AdjointScratch<L>, _ before: UnsafePointer<LinkMotion<L>>,
  _ after: UnsafeMutablePointer<LinkMotion<L>>
) {
  let linear = vector(record.velocities + dof)
  let angular = angularCombination(s, record.velocities + (dof + 3))
  after.pointee.velocity = Motion(angular: angular, linear: linear)
  after.pointee.acceleration = Motion(
    angular: angularCombination(s, record.accelerations + (dof + 3)),
    linear: linear.cross(
      angular, adding: before.pointee.acceleration.linear + vector(record.accelerations + dof)))
  after.pointee.dual = Motion(
    angular: angularCombination(s, scratch.lambda + (dof + 3)), linear: vector(scratch.lambda + dof))
}

/// Cotangents F, A and C of one link's own motions.
@inline(__always)
private func linkAdjoint<L: Lane>(
  _ inertia: RigidInertia<L>, _ motion: UnsafePointer<LinkMotion<L>>
) -> SubtreeCotangents<L> {
  let h = inertia.firstMoment
  let j = inertia.rotational
  let v = motion.pointee.velocity
  let w = motion.pointee.dual
  let turning = v.angular.cross(h)
  let byDual = inertialForce(
    inertia, velocity: v, turning: turning, acceleration: motion.pointee.acceleration)
  let byAcceleration = inertia * w
  let axis = w.angular.cross(v.angular)
  let half =
    (j * axis) - axis * ((j.xx + j.yy + j.zz) * 0.5) + v.linear.cross(byAcceleration.linear)
    - w.linear.cross(turning)
  return SubtreeCotangents(byDual: byDual, byAcceleration: byAcceleration, couple: half + half)
}

/// Sums the links' cotangents over subtrees (those of the links themselves are computed here, unless other forces were to
/// be added to them), and subtracts `∂L/∂q` and `∂L/∂q̇` from the cotangents of positions and
/// velocities.
@inline(__always)
func inwardAdjointPass<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  addsForces: Bool, positions: UnsafeMutablePointer<L>, velocities: UnsafeMutablePointer<L>
) {
  let tree = plan.tree
  var l = tree.linkCount - 1
  while l > 0 {
    let link = tree.links.pointer(l)
    let parent = Int(link.pointee.parent)
    scratch.upcoming.pointee.advance()
    var own: SubtreeCotangents<L>
    if addsForces {
      own = SubtreeCotangents(
        byDual: scratch.byDual[l], byAcceleration: scratch.byAcceleration[l], couple: scratch.byCouple[l])
    } else {
      own = linkAdjoint(linkInertia(tree, record, l), scratch.motions + l)
      if link.pointee.hasChildren {
        own.byDual += scratch.byDual[l]
        own.byAcceleration += scratch.byAcceleration[l]
        own.couple += scratch.byCouple[l]
      }
    }
    let jointStart = Int(link.pointee.jointStart)
    var j = Int(link.pointee.jointEnd) - 1
    while j >= jointStart {
      let joint = tree.joints.pointer(j)
      let before = UnsafePointer(
        j == jointStart ? scratch.motions + parent : scratch.beforeJoint + j)
      let d = Int(joint.pointee.direction)
      let dof = Int(joint.pointee.velocityAddress)
      // What forces other than the inertial add to U, and N.
      let byVelocity = addsForces ? scratch.byVelocity[l] : .zero
      let byTurning = addsForces ? scratch.byTurning[l] : .zero
      switch joint.pointee.kind {
      case .free:
        freeAdjoint(
          dof, record.directions + (d + 3), record, scratch, before, own, byVelocity, byTurning, positions,
          velocities)
      case .ball:
        ballAdjoint(
          dof, record.directions + d, record, before, own, byVelocity, byTurning, positions, velocities)
      case .slide where joint.pointee.startsFromRest:
        // Everything moves along, and neither the inertial forces nor gravity change.
        if addsForces { velocities[dof] -= record.directions[d].linear.dot(byVelocity.linear) }
      case .slide:
        let s = record.directions[d].linear
        let rate = scratch.directionRates[d].linear
        let second = before.pointee.velocity.angular.cross(
          rate, adding: before.pointee.acceleration.angular.cross(s))
        var turned = second.dot(
          own.byAcceleration.linear, adding: before.pointee.dual.angular.cross(s).dot(own.byDual.linear))
        let half = rate.dot(own.byAcceleration.linear)
        var moved = half + half
        if addsForces {
          turned += rate.dot(byVelocity.linear)
          moved += s.dot(byVelocity.linear)
        }
        positions[dof] -= turned
        velocities[dof] -= moved
      case .hingeX, .hingeY, .hingeZ, .hinge:
        let s = record.directions[d]
        if joint.pointee.startsFromRest {
          // The motions before it have no angular parts.
          let rate = scratch.directionRates[d].linear
          var turned = before.pointee.acceleration.linear.cross(s.angular).dot(
            own.byAcceleration.linear,
            adding: before.pointee.dual.linear.cross(s.angular).dot(own.byDual.linear))
          let half = rate.dot(own.byAcceleration.linear)
          var moved = s.angular.dot(own.couple, adding: half + half)
          if addsForces {
            turned += rate.dot(byVelocity.linear) + s.angular.dot(byTurning)
            moved += s.dot(byVelocity)
          }
          positions[dof] -= turned
          velocities[dof] -= moved
          break
        }
        let rate = scratch.directionRates[d]
        let second = before.pointee.velocity.cross(rate) + before.pointee.acceleration.cross(s)
        var turned =
          rate.angular.dot(own.couple, adding: second.dot(own.byAcceleration))
          + before.pointee.dual.cross(s).dot(own.byDual)
        let half = rate.dot(own.byAcceleration)
        var moved = s.angular.dot(own.couple, adding: half + half)
        if addsForces {
          turned += rate.dot(byVelocity) + s.angular.dot(byTurning)
          moved += s.dot(byVelocity)
        }
        positions[dof] -= turned
        velocities[dof] -= moved
      }
      j -= 1
    }
    if parent == 0 {
      scratch.byAcceleration[l] = own.byAcceleration
    } else if !addsForces && link.pointee.isLastChild {
      // Nothing is there yet.
      scratch.byDual[parent] = own.byDual
      scratch.byAcceleration[parent] = own.byAcceleration
      scratch.byCouple[parent] = own.couple
    } else {
      scratch.byDual[parent] += own.byDual
      scratch.byAcceleration[parent] += own.byAcceleration
      scratch.byCouple[parent] += own.couple
      if addsForces {
        scratch.byVelocity[parent] += scratch.byVelocity[l]
        scratch.byTurning[parent] += scratch.byTurning[l]
      }
    }
    l -= 1
  }
}

/// Cotangents F, A and C of a subtree.
private struct SubtreeCotangents<L: Lane> {
  var byDual: Force<L>
  var byAcceleration: Force<L>
  var couple: Vector3<L>
}

/// The directions of a ball joint turn with each other, and with `o = S q̇` and the motion `v` before the joint
/// `∂L/∂q̇ = S·(V − v x* A)`, where `V = U − (v + o) x* A` is that of its far side.
@inline(__always)
private func ballAdjoint<L: Lane>(
  _ dof: Int, _ s: UnsafePointer<Motion<L>>, _ record: borrowing StepRecord<L>,
  _ before: UnsafePointer<LinkMotion<L>>, _ subtree: SubtreeCotangents<L>, _ byVelocity: Force<L>,
  _ byTurning: Vector3<L>, _ positions: UnsafeMutablePointer<L>, _ velocities: UnsafeMutablePointer<L>
) {
  let own = combination(s, record.velocities + dof)
  let carried = before.pointee.velocity.cross(subtree.byAcceleration)
  let outer =
    Force(angular: subtree.couple + byVelocity.angular, linear: byVelocity.linear) - carried
  let moved = outer - carried - own.cross(subtree.byAcceleration)
  var turned =
    before.pointee.velocity.cross(outer) + before.pointee.acceleration.cross(subtree.byAcceleration)
    + before.pointee.dual.cross(subtree.byDual)
  turned.angular -= byTurning
  var k = 0
  while k < 3 {
    positions[dof + k] += s[k].dot(turned)
    velocities[dof + k] -= s[k].dot(moved)
    k += 1
  }
}

/// As ``ballAdjoint(_:_:_:_:_:_:_:_:_:)`` where the motions before the rotations are translations and the rotations have
/// no linear parts.
@inline(__always)
private func freeAdjoint<L: Lane>(
  _ dof: Int, _ s: UnsafePointer<Motion<L>>, _ record: borrowing StepRecord<L>,
  _ scratch: borrowing AdjointScratch<L>, _ before: UnsafePointer<LinkMotion<L>>,
  _ subtree: SubtreeCotangents<L>, _ byVelocity: Force<L>, _ byTurning: Vector3<L>,
  _ positions: UnsafeMutablePointer<L>, _ velocities: UnsafeMutablePointer<L>
) {
  let linear = vector(record.velocities + dof)
  let acceleration = before.pointee.acceleration.linear + vector(record.accelerations + dof)
  let carried = linear.cross(subtree.byAcceleration.linear)
  let couple = subtree.couple + byVelocity.angular
  let moved =
    couple - carried - carried
    - angularCombination(s, record.velocities + (dof + 3)).cross(subtree.byAcceleration.angular)
  let turned =
    linear.cross(
      byVelocity.linear,
      adding: acceleration.cross(
        subtree.byAcceleration.linear, adding: vector(scratch.lambda + dof).cross(subtree.byDual.linear)))
    - byTurning
  var k = 0
  while k < 3 {
    positions[dof + 3 + k] += s[k].angular.dot(turned)
    velocities[dof + 3 + k] -= s[k].angular.dot(moved)
    k += 1
  }
  addVector(byVelocity.linear, L(-1.0), to: velocities + dof)
}
