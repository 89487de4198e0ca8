import Kinematics
import Lanes

// Derivatives of inverse dynamics by positions and velocities.
//
// Let S be the directions of a joint, v and a the velocity and acceleration (gravity included) on its inner side, v' on
// its outer side, and for each direction
//   P = v x S,   Q = a x S + v x P,   R = P + v' x S.
// A turn of the joint by δ turns all that hangs on it. Seen from there nothing has changed but that the incoming
// motions are turned back: the velocity by δ P, the acceleration by δ a x S. A velocity u that is added to all links of
// a subtree changes the force f = I a + v x* I v of each of them by I (v x u) + T u, with v that of the joint's
// inner side and
//   T u = v x* I u − I (v x u) + u x* I v
// with the link's own v. So the subtree's force changes by T P + I Q; seen from the world it turns with the
// joint besides, by S x* f. A joint velocity adds u = S, and the velocity products of the joints outboard: T S + I R. Hence
// for directions i and k, i on the way from k to the root or k itself, all sums over the subtree of k,
//   ∂τ_i/∂q_k = S_i · (T P_k + I Q_k + S_k x* f)      ∂τ_i/∂v_k = S_i · (T S_k + I R_k)
//   ∂τ_k/∂q_i = S_k · (T P_i + I Q_i)                 ∂τ_k/∂v_i = S_k · (T S_i + I R_i)
// where S_k x* f is left out among the rotations of one free or ball joint, whose axes turn along. These are the formulas
// of Carpentier & Mansard, Analytical Derivatives of Rigid Body Dynamics Algorithms (2018), as arranged by Singh,
// Russell & Wensing, Efficient Analytical Derivatives of Rigid-Body Dynamics using Spatial Vector Algebra (2022).
//
// T has little structure to it. With rotational inertia K, first moment h and linear momentum p about the reference point
//   T u = (E u_ω, 2 u_ω x p),   E = [ω] (2 K − tr K) + 2 (h·v) 1 − 2 v hᵀ,
// from Jacobi's identity and K [ω] + [ω] K + [K ω] = tr(K) [ω]; so E and 2 p, twelve numbers, are summed over
// subtrees, and T asks for no more than angular velocities.

/// What the derivatives keep for each link and direction.
final class DerivativeBuffers<L: Lane>: @unchecked Sendable {
  private var arena: Arena
  /// By link, then summed over its subtree: `E` and twice the linear momentum.
  let turns: UnsafeMutablePointer<Matrix3<L>>
  let momenta: UnsafeMutablePointer<Vector3<L>>
  /// By direction: the angular part of `P`, all of `Q` and `R`.
  let turnedVelocities: UnsafeMutablePointer<Vector3<L>>
  let turnedAccelerations: UnsafeMutablePointer<Motion<L>>
  let velocityProducts: UnsafeMutablePointer<Motion<L>>
  let byPosition: LaneMatrix<L>
  let byVelocity: LaneMatrix<L>

  init(_ tree: KinematicTree<L.Scalar>) {
    var measure = ArenaMeasure()
    measure.take(Matrix3<L>.self, tree.linkCount)
    measure.take(Vector3<L>.self, tree.linkCount)
    measure.take(Vector3<L>.self, tree.directionCount)
    measure.take(Motion<L>.self, tree.directionCount)
    measure.take(Motion<L>.self, tree.directionCount)
    arena = Arena(byteCount: measure.byteCount)
    turns = arena.take(Matrix3<L>.self, tree.linkCount)
    momenta = arena.take(Vector3<L>.self, tree.linkCount)
    turnedVelocities = arena.take(Vector3<L>.self, tree.directionCount)
    turnedAccelerations = arena.take(Motion<L>.self, tree.directionCount)
    velocityProducts = arena.take(Motion<L>.self, tree.directionCount)
    byPosition = LaneMatrix(tree)
    byVelocity = LaneMatrix(tree)
  }
}

/// The matrix `E` of a link.
@inline(__always)
private func turnMatrix<L: Lane>(_ inertia: RigidInertia<L>, _ velocity: Motion<L>) -> Matrix3<L> {
  let k = inertia.rotational
  let w = velocity.angular
  let h = inertia.firstMoment
  let v = velocity.linear * L(-2.0)
  // 2 K − tr K: on the diagonal the other two entries are subtracted.
  let xy = k.xy + k.xy
  let xz = k.xz + k.xz
  let yz = k.yz + k.yz
  let x = w.cross(Vector3(k.xx - k.yy - k.zz, xy, xz), adding: v * h.x)
  let y = w.cross(Vector3(xy, k.yy - k.xx - k.zz, yz), adding: v * h.y)
  let z = w.cross(Vector3(xz, yz, k.zz - k.xx - k.yy), adding: v * h.z)
  let diagonal = h.dot(v)
  return Matrix3(
    columns: Vector3(x.x - diagonal, x.y, x.z), Vector3(y.x, y.y - diagonal, y.z),
    Vector3(z.x, z.y, z.z - diagonal))
}

/// Motion through a joint, and `P`, `Q`, `R` of its directions.
@inline(__always)
private func advanceWithDerivatives<L: Lane>(
  _ joint: UnsafePointer<KernelJoint<L.Scalar>>, _ w: AlgorithmWorkspace<L>, _ buffers: DerivativeBuffers<L>,
  _ velocity: inout Motion<L>, _ acceleration: inout Motion<L>
) {
  var dof = Int(joint.pointee.velocityAddress)
  var first = Int(joint.pointee.direction)
  var count = 1
  switch joint.pointee.kind {
  case .free:
    // Translations along world axes, from rest: moving the whole tree changes nothing.
    velocity = Motion(angular: .zero, linear: vector(w.velocities + dof))
    acceleration.linear += vector(w.accelerations + dof)
    var d = first
    while d < first + 3 {
      buffers.turnedVelocities[d] = .zero
      buffers.turnedAccelerations[d] = .zero
      buffers.velocityProducts[d] = .zero
      d += 1
    }
    first += 3
    dof += 3
    count = 3
  case .ball: count = 3
  case .slide, .hingeX, .hingeY, .hingeZ, .hinge: break
  }
  let innerVelocity = velocity
  let innerAcceleration = acceleration
  var own = Motion<L>.zero
  var k = 0
  while k < count {
    let s = w.directions[first + k]
    own = s.multiplyAdd(w.velocities[dof + k], own)
    acceleration = s.multiplyAdd(w.accelerations[dof + k], acceleration)
    k += 1
  }
  acceleration += innerVelocity.cross(own)
  velocity += own
  k = 0
  while k < count {
    let s = w.directions[first + k]
    let turned = innerVelocity.cross(s)
    buffers.turnedVelocities[first + k] = turned.angular
    buffers.turnedAccelerations[first + k] = innerAcceleration.cross(s) + innerVelocity.cross(turned)
    // One direction is carried along by the inner side alone: S x S is zero.
    buffers.velocityProducts[first + k] = turned + (count == 1 ? turned : velocity.cross(s))
    k += 1
  }
}

/// `T u + I m` from the angular part of `u`.
@inline(__always)
private func forceChange<L: Lane>(
  _ turn: Matrix3<L>, _ momentum: Vector3<L>, _ u: Vector3<L>, _ inertia: RigidInertia<L>, _ m: Motion<L>
) -> Force<L> {
  let force = inertia * m
  return Force(angular: turn.multiplyAdd(u, force.angular), linear: u.cross(momentum, adding: force.linear))
}

/// Derivatives of the generalised forces by positions (tangent coordinates) and velocities, for the positions,
/// velocities and accelerations in the workspace; with `computesMassMatrix` that by accelerations too.
///
/// - Complexity: O(links + directions x depth).
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func inverseDynamicsDerivativesGroup<L: Lane>(
  _ plan: AlgorithmPlan<L.Scalar>, _ w: AlgorithmWorkspace<L>, computesMassMatrix: Bool
) where L.Scalar: LaneScalar {
  let tree = plan.tree
  let buffers = w.derivatives
  let directions = w.directions
  let composites = w.composites
  let forces = w.linkForces
  let turns = buffers.turns
  let momenta = buffers.momenta
  positionPass(tree, positions: w.positions, poses: w.poses, directions: directions)
  w.linkVelocities[0] = .zero
  w.linkAccelerations[0] = Motion(angular: .zero, linear: -Vector3(broadcasting: plan.dynamics.gravity))
  var l = 1
  while l < tree.linkCount {
    let link = tree.links.pointer(l)
    let parent = Int(link.pointee.parent)
    var velocity = w.linkVelocities[parent]
    var acceleration = w.linkAccelerations[parent]
    var j = Int(link.pointee.jointStart)
    while j < Int(link.pointee.jointEnd) {
      advanceWithDerivatives(tree.joints.pointer(j), w, buffers, &velocity, &acceleration)
      j += 1
    }
    w.linkVelocities[l] = velocity
    w.linkAccelerations[l] = acceleration
    let inertia = worldInertia(link, w.poses[l], reference: w.poses[Int(link.pointee.root)].position)
    let momentum = inertia * velocity
    composites[l] = inertia
    forces[l] = inertia * acceleration + velocity.cross(momentum)
    turns[l] = turnMatrix(inertia, velocity)
    momenta[l] = momentum.linear + momentum.linear
    l += 1
  }

  let width = tree.directionCount
  let byPosition = buffers.byPosition.byDirection
  let byVelocity = buffers.byVelocity.byDirection
  let mass = computesMassMatrix ? w.massMatrix.byDirection : nil
  l = tree.linkCount - 1
  while l > 0 {
    let link = tree.links.pointer(l)
    var d = Int(link.pointee.directionEnd) - 1
    while d >= Int(link.pointee.directionStart) {
      let s = directions[d]
      // The row of d: products with T and I from the left.
      let turned = turns[l].transposedTimes(s.angular, adding: momenta[l].cross(s.linear))
      let momentum = composites[l] * s
      // Its column.
      var positionForce = forceChange(
        turns[l], momenta[l], buffers.turnedVelocities[d], composites[l], buffers.turnedAccelerations[d])
      let velocityForce = forceChange(
        turns[l], momenta[l], s.angular, composites[l], buffers.velocityProducts[d])
      var j = d
      var end = Int(plan.turningStart[d])
      while true {
        while j >= end {
          setPair(
            d, j, width, directions, buffers, turned, momentum, positionForce, velocityForce, byPosition,
            byVelocity, mass)
          j = Int(tree.directionParent[j])
        }
        if j < 0 { break }
        // What lies further in does not turn with the joint.
        positionForce += s.cross(forces[l])
        end = 0
      }
      d -= 1
    }
    let parent = Int(link.pointee.parent)
    if parent > 0 {
      composites[parent] += composites[l]
      forces[parent] += forces[l]
      turns[parent] = turns[parent] + turns[l]
      momenta[parent] += momenta[l]
    }
    l -= 1
  }
  buffers.byPosition.collect(tree)
  buffers.byVelocity.collect(tree)
  if computesMassMatrix { finishMassMatrix(plan, w.massMatrix) }
}

/// The entries of direction `d` with one on its way to the root.
@inline(__always)
private func setPair<L: Lane>(
  _ d: Int, _ j: Int, _ width: Int, _ directions: UnsafePointer<Motion<L>>, _ buffers: DerivativeBuffers<L>,
  _ turned: Vector3<L>, _ momentum: Force<L>, _ positionForce: Force<L>, _ velocityForce: Force<L>,
  _ byPosition: UnsafeMutablePointer<L>, _ byVelocity: UnsafeMutablePointer<L>,
  _ mass: UnsafeMutablePointer<L>?
) {
  let row = d &* width &+ j
  let column = j &* width &+ d
  let s = directions[j]
  byPosition[column] = s.dot(positionForce)
  byVelocity[column] = s.dot(velocityForce)
  byPosition[row] = turned.dot(
    buffers.turnedVelocities[j], adding: buffers.turnedAccelerations[j].dot(momentum))
  byVelocity[row] = turned.dot(s.angular, adding: buffers.velocityProducts[j].dot(momentum))
  if let mass {
    let entry = s.dot(momentum)
    mass[row] = entry
    mass[column] = entry
  }
}
