import Kinematics
import Lanes

// The derivative of constraint rows through the robot's configuration, and of λ̂ᵀ M δ, in one sweep.
//
// Going backward, rows enter through sums ψ = Σ P·V over links, in which V is a link's motion at some joint rates x (the
// adjoint's, the acceleration's, the velocity's), V = Σ S x over the joint directions S on the way to the root, and P a force
// on the link that the rows give and that is held fixed in the world, as are the points and frames at which it acts: those
// have cotangents of their own, which arrive as a force G on the link that carries them (the derivative by a small motion
// of the link is that motion times G).
//
// A small turn about the direction S turns the directions after it, S' → S' + δ S x S'. (The directions of one ball joint
// are axes of the turned body and turn with one another; a free joint's translations come before its rotations and do not
// turn.) With V₀ the motion before the joint, (S x V)·P = S·(V x* P) gives
//   ∂ψ/∂q = S·T,  T = Σ (V x* P + G) − V₀ x* ΣP,   ∂ψ/∂x = S·ΣP
// with sums over the links of the joint's subtree. Seen from a link itself, V for V₀, the link's own part of T is G alone; and
// going through a joint towards the root, V₀ = V − S x adds S x* (x ΣP), one product for all rates, which S· does not see: a
// single direction's cotangent is the same on both sides of it. All is taken about the tree's reference point where it is now.
//
// The integrator's term λ̂ᵀ M δ = Σ w·I d, with w and d the motions at λ̂ and δ, is a sweep through inverse dynamics at rest
// (InverseDynamics+Adjoint.swift): with F = Σ I d and A = Σ I w, its derivative is S·T, T = −(w₀ x* F + d₀ x* A). The same
// rule holds, with −(w x* I d + d x* I w) the link's own part, and S x* (λ̂ F + δ A) added at a joint.

/// Cotangents that constraint rows leave on one link.
struct LinkConstraintCotangents<L: Lane> {
  /// Of the link's motions at the rates λ, at the accelerations and at the velocities.
  var byDual: Force<L>
  var byAcceleration: Force<L>
  var byVelocity: Force<L>
  /// Of a small motion of the link with all that it carries.
  var byPose: Force<L>

  static var zero: Self { Self(byDual: .zero, byAcceleration: .zero, byVelocity: .zero, byPose: .zero) }

}

/// Motions of a link at three sets of joint rates.
struct LinkRates<L: Lane> {
  var dual: Motion<L>
  var acceleration: Motion<L>
  var velocity: Motion<L>

  static var zero: Self { Self(dual: .zero, acceleration: .zero, velocity: .zero) }
}

/// Motions of all links at the joint rates `dual`, `accelerations` and `velocities`: plain sums over directions, without
/// gravity and velocity products.
@inline(__always)
func linkRatesPass<L: Lane>(
  _ tree: KinematicTree<L.Scalar>, directions: UnsafePointer<Motion<L>>, dual: UnsafePointer<L>,
  accelerations: UnsafePointer<L>, velocities: UnsafePointer<L>, _ rates: UnsafeMutablePointer<LinkRates<L>>
) {
  rates[0] = .zero
  var l = 1
  while l < tree.linkCount {
    let link = tree.links.pointer(l)
    var sum = rates[Int(link.pointee.parent)]
    var d = Int(link.pointee.directionStart)
    let end = Int(link.pointee.directionEnd)
    while d < end {
      let dof = Int(tree.directionDegreeOfFreedom[d])
      let s = directions[d]
      sum.dual = s.multiplyAdd(dual[dof], sum.dual)
      sum.acceleration = s.multiplyAdd(accelerations[dof], sum.acceleration)
      sum.velocity = s.multiplyAdd(velocities[dof], sum.velocity)
      d &+= 1
    }
    rates[l] = sum
    l &+= 1
  }
}

/// Motions of all links at the joint rates `dual` and `accelerations`, at rest and without gravity.
@inline(__always)
func motionsAtRest<L: Lane>(
  _ tree: KinematicTree<L.Scalar>, directions: UnsafePointer<Motion<L>>, dual: UnsafePointer<L>,
  accelerations: UnsafePointer<L>, _ motions: UnsafeMutablePointer<LinkMotion<L>>
) {
  motions[0] = LinkMotion(velocity: .zero, acceleration: .zero, dual: .zero)
  var l = 1
  while l < tree.linkCount {
    let link = tree.links.pointer(l)
    var sum = motions[Int(link.pointee.parent)]
    var d = Int(link.pointee.directionStart)
    while d < Int(link.pointee.directionEnd) {
      let dof = Int(tree.directionDegreeOfFreedom[d])
      let s = directions[d]
      sum.acceleration = s.multiplyAdd(accelerations[dof], sum.acceleration)
      sum.dual = s.multiplyAdd(dual[dof], sum.dual)
      d &+= 1
    }
    motions[l] = sum
    l &+= 1
  }
}

/// What the sweep takes: see the file's comment.
struct ConstraintSweep<L: Lane> {
  let directions: UnsafePointer<Motion<L>>
  let dual: UnsafePointer<L>
  let accelerations: UnsafePointer<L>
  let velocities: UnsafePointer<L>
  /// What rows leave on links, of those that are touched. Overwritten by sums of the forces over subtrees.
  let links: UnsafeMutablePointer<LinkConstraintCotangents<L>>
  let isTouched: UnsafeMutablePointer<Bool>
  /// Whether the integrator has a term λ̂ᵀ M δ, and then λ̂ and δ.
  let isImplicit: Bool
  let implicitDual: UnsafePointer<L>
  let difference: UnsafePointer<L>
}

/// F, A and T of a subtree.
private struct SubtreeForces<L: Lane> {
  var byDual = Force<L>.zero
  var byDifference = Force<L>.zero
  var turned = Force<L>.zero
}

/// Adds `∂ψ/∂q − ∂/∂q (λ̂ᵀ M δ)` to the cotangents of positions (in tangent coordinates) and the part of `∂ψ/∂v` that goes
/// through the links' velocities to those of velocities, and leaves in `scratch.byVelocity` of the trees' first links the
/// force T on the whole tree.
///
/// - Parameter scratch: with an implicit term its motions are those of ``motionsAtRest(_:directions:dual:accelerations:_:)``.
/// - Complexity: O(links + directions).
@inline(__always)
func constraintSweep<L: Lane>(
  _ tree: KinematicTree<L.Scalar>, _ sweep: ConstraintSweep<L>, _ record: borrowing StepRecord<L>,
  _ scratch: borrowing AdjointScratch<L>, positions: UnsafeMutablePointer<L>,
  velocities: UnsafeMutablePointer<L>
) {
  var l = tree.linkCount - 1
  while l > 0 {
    let link = tree.links.pointer(l)
    let rows = sweep.isTouched[l] ? sweep.links + l : nil
    var own = SubtreeForces<L>()
    if let rows { own.turned = rows.pointee.byPose }
    if sweep.isImplicit {
      let inertia = linkInertia(tree, record, l)
      let w = scratch.motions[l].dual
      let d = scratch.motions[l].acceleration
      own.byDual = inertia * d
      own.byDifference = inertia * w
      own.turned += w.cross(own.byDual) + d.cross(own.byDifference)
    }
    if link.pointee.hasChildren {
      own.turned += scratch.byVelocity[l]
      if sweep.isImplicit {
        own.byDual += scratch.byDual[l]
        own.byDifference += scratch.byAcceleration[l]
      }
    }
    if rows != nil || sweep.isImplicit {
      let jointStart = Int(link.pointee.jointStart)
      var j = Int(link.pointee.jointEnd) &- 1
      while j >= jointStart {
        let joint = tree.joints.pointer(j)
        let first = Int(joint.pointee.direction)
        switch joint.pointee.kind {
        case .free:
          for part in 0..<2 {
            directionGroup(
              tree, sweep, rows, first &+ (part == 0 ? 3 : 0), count: 3, &own, positions, velocities)
          }
        case .ball: directionGroup(tree, sweep, rows, first, count: 3, &own, positions, velocities)
        case .slide, .hingeX, .hingeY, .hingeZ, .hinge:
          directionGroup(tree, sweep, rows, first, count: 1, &own, positions, velocities)
        }
        j &-= 1
      }
    }
    let parent = Int(link.pointee.parent)
    if parent > 0 {
      if let rows {
        let target = sweep.links + parent
        if sweep.isTouched[parent] {
          target.pointee.byDual += rows.pointee.byDual
          target.pointee.byAcceleration += rows.pointee.byAcceleration
          target.pointee.byVelocity += rows.pointee.byVelocity
        } else {
          target.pointee.byDual = rows.pointee.byDual
          target.pointee.byAcceleration = rows.pointee.byAcceleration
          target.pointee.byVelocity = rows.pointee.byVelocity
          target.pointee.byPose = .zero
          sweep.isTouched[parent] = true
        }
      }
      if link.pointee.isLastChild {
        // Nothing is there yet.
        scratch.byVelocity[parent] = own.turned
        if sweep.isImplicit {
          scratch.byDual[parent] = own.byDual
          scratch.byAcceleration[parent] = own.byDifference
        }
      } else {
        scratch.byVelocity[parent] += own.turned
        if sweep.isImplicit {
          scratch.byDual[parent] += own.byDual
          scratch.byAcceleration[parent] += own.byDifference
        }
      }
    } else {
      scratch.byVelocity[l] = own.turned
    }
    l &-= 1
  }
}

/// Directions that turn with one another: a ball's, a free joint's rotations, or its translations, or a single one.
@inline(__always)
private func directionGroup<L: Lane>(
  _ tree: KinematicTree<L.Scalar>, _ sweep: ConstraintSweep<L>,
  _ rows: UnsafePointer<LinkConstraintCotangents<L>>?, _ first: Int, count: Int,
  _ own: inout SubtreeForces<L>, _ positions: UnsafeMutablePointer<L>,
  _ velocities: UnsafeMutablePointer<L>
) {
  var k = first
  while k < first &+ count {
    let dof = Int(tree.directionDegreeOfFreedom[k])
    var force = Force<L>.zero
    if let rows {
      force = rows.pointee.byDual.multiplyAdd(
        sweep.dual[dof],
        rows.pointee.byAcceleration.multiplyAdd(
          sweep.accelerations[dof], rows.pointee.byVelocity * sweep.velocities[dof]))
    }
    if sweep.isImplicit {
      force = own.byDual.multiplyAdd(
        -sweep.implicitDual[dof], own.byDifference.multiplyAdd(-sweep.difference[dof], force))
    }
    own.turned += sweep.directions[k].cross(force)
    k &+= 1
  }
  k = first
  while k < first &+ count {
    let dof = Int(tree.directionDegreeOfFreedom[k])
    positions[dof] += sweep.directions[k].dot(own.turned)
    if let rows { velocities[dof] += sweep.directions[k].dot(rows.pointee.byVelocity) }
    k &+= 1
  }
}
