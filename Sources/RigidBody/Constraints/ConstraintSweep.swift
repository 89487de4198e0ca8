import Kinematics
import Lanes

// The derivative of constraint rows through the robot's configuration, in one sweep.
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
//   ∂ψ/∂q = S·(Σ (V x* P + G) − V₀ x* ΣP),   ∂ψ/∂x = S·ΣP
// with sums over the links of the joint's subtree. All is taken about the tree's reference point where it is now.

/// Cotangents that constraint rows leave on one link.
struct LinkConstraintCotangents<L: Lane> {
  /// Of the link's motions at the rates λ, at the accelerations and at the velocities.
  var byDual: Force<L>
  var byAcceleration: Force<L>
  var byVelocity: Force<L>
  /// Of a small motion of the link with all that it carries.
  var byPose: Force<L>

  static var zero: Self { Self(byDual: .zero, byAcceleration: .zero, byVelocity: .zero, byPose: .zero) }

  @inline(__always) static func += (a: inout Self, b: Self) {
    a.byDual += b.byDual
    a.byAcceleration += b.byAcceleration
    a.byVelocity += b.byVelocity
    a.byPose += b.byPose
  }
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

/// Adds `∂ψ/∂q` to the cotangents of positions (in tangent coordinates) and the part of `∂ψ/∂v` that goes through the links'
/// velocities to those of velocities. `links` is overwritten by sums over subtrees.
///
/// - Complexity: O(links + directions).
@inline(__always)
func constraintSweep<L: Lane>(
  _ tree: KinematicTree<L.Scalar>, directions: UnsafePointer<Motion<L>>, dual: UnsafePointer<L>,
  accelerations: UnsafePointer<L>, velocities: UnsafePointer<L>, rates: UnsafePointer<LinkRates<L>>,
  links: UnsafeMutablePointer<LinkConstraintCotangents<L>>, positionCotangents: UnsafeMutablePointer<L>,
  velocityCotangents: UnsafeMutablePointer<L>
) {
  // What each link's own forces see of its motions.
  var l = 1
  while l < tree.linkCount {
    let own = links + l
    let rate = rates + l
    own.pointee.byPose +=
      rate.pointee.dual.cross(own.pointee.byDual)
      + rate.pointee.acceleration.cross(own.pointee.byAcceleration)
      + rate.pointee.velocity.cross(own.pointee.byVelocity)
    l &+= 1
  }
  l = tree.linkCount - 1
  while l > 0 {
    let link = tree.links.pointer(l)
    let sum = links[l]
    var before = rates[l]
    let jointStart = Int(link.pointee.jointStart)
    var j = Int(link.pointee.jointEnd) &- 1
    while j >= jointStart {
      let joint = tree.joints.pointer(j)
      let first = Int(joint.pointee.direction)
      switch joint.pointee.kind {
      case .free:
        for part in 0..<2 {
          directionGroup(
            tree, first &+ (part == 0 ? 3 : 0), count: 3, directions, dual, accelerations, velocities, sum,
            &before, positionCotangents, velocityCotangents)
        }
      case .ball:
        directionGroup(
          tree, first, count: 3, directions, dual, accelerations, velocities, sum, &before,
          positionCotangents, velocityCotangents)
      case .slide, .hingeX, .hingeY, .hingeZ, .hinge:
        directionGroup(
          tree, first, count: 1, directions, dual, accelerations, velocities, sum, &before,
          positionCotangents, velocityCotangents)
      }
      j &-= 1
    }
    let parent = Int(link.pointee.parent)
    if parent > 0 { links[parent] += sum }
    l &-= 1
  }
}

/// Directions that turn with one another: a ball's, a free joint's rotations, or its translations, or a single one.
@inline(__always)
private func directionGroup<L: Lane>(
  _ tree: KinematicTree<L.Scalar>, _ first: Int, count: Int, _ directions: UnsafePointer<Motion<L>>,
  _ dual: UnsafePointer<L>, _ accelerations: UnsafePointer<L>, _ velocities: UnsafePointer<L>,
  _ sum: LinkConstraintCotangents<L>, _ before: inout LinkRates<L>,
  _ positionCotangents: UnsafeMutablePointer<L>,
  _ velocityCotangents: UnsafeMutablePointer<L>
) {
  var k = 0
  while k < count {
    let dof = Int(tree.directionDegreeOfFreedom[first &+ k])
    let s = directions[first &+ k]
    before.dual = s.multiplyAdd(-dual[dof], before.dual)
    before.acceleration = s.multiplyAdd(-accelerations[dof], before.acceleration)
    before.velocity = s.multiplyAdd(-velocities[dof], before.velocity)
    k &+= 1
  }
  let turned =
    sum.byPose - before.dual.cross(sum.byDual) - before.acceleration.cross(sum.byAcceleration)
    - before.velocity.cross(sum.byVelocity)
  k = 0
  while k < count {
    let dof = Int(tree.directionDegreeOfFreedom[first &+ k])
    let s = directions[first &+ k]
    positionCotangents[dof] += s.dot(turned)
    velocityCotangents[dof] += s.dot(sum.byVelocity)
    k &+= 1
  }
}
