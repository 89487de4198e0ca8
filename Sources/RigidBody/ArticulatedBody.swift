import Kinematics
import Lanes

/// What the articulated-body algorithm keeps from the inward to the outward pass.
final class ArticulatedBuffers<L: Lane>: @unchecked Sendable {
  private var arena: Arena
  /// By link: inertia with everything outboard free to move.
  let inertias: UnsafeMutablePointer<ArticulatedInertia<L>>
  /// By direction: `U = I S`; one over `S · U` with armature; the force that is left to accelerate the direction.
  let responses: UnsafeMutablePointer<Force<L>>
  let inversePivots: UnsafeMutablePointer<L>
  let remainders: UnsafeMutablePointer<L>

  init(_ tree: KinematicTree<L.Scalar>) {
    var measure = ArenaMeasure()
    measure.take(ArticulatedInertia<L>.self, tree.linkCount)
    measure.take(Force<L>.self, tree.directionCount)
    measure.take(L.self, tree.directionCount)
    measure.take(L.self, tree.directionCount)
    arena = Arena(byteCount: measure.byteCount)
    inertias = arena.take(ArticulatedInertia<L>.self, tree.linkCount)
    responses = arena.take(Force<L>.self, tree.directionCount)
    inversePivots = arena.take(L.self, tree.directionCount)
    remainders = arena.take(L.self, tree.directionCount)
  }
}

/// Lanes in which a pivot of the mass matrix is as good as zero beside the inertia that its degree of freedom moves:
/// what is left of it is rounding. True as well where it is negative or not a number.
@inline(__always)
func isSingular<L: Lane>(inversePivot: L, smallestPivot: L.Scalar) -> L.Mask {
  let ratio = L.multiply(inversePivot, scalar: smallestPivot)
  return .!((L(0.0) .< ratio) .& (ratio .< L(1.0)))
}

/// Accelerations for the positions, velocities and forces in the workspace, by the articulated-body algorithm
/// (Featherstone 2008, section 7.3), for trees without mimic joints. They are left in the workspace.
///
/// Two things differ from the textbook. Links' accelerations are taken relative to those at zero joint acceleration,
/// so that the bias forces are those of inverse dynamics and no inertia multiplies the velocity products. And the
/// directions of a link are released one by one, last first, as if massless links lay between them: for joints with
/// several directions this is the elimination of their block, one row at a time.
///
/// - Complexity: O(links + directions).
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func articulatedBodyGroup<L: Lane>(
  _ plan: AlgorithmPlan<L.Scalar>, _ w: AlgorithmWorkspace<L>, subtractsBodyForces: Bool
) where L.Scalar: LaneScalar {
  let tree = plan.tree
  let directions = w.directions
  let forces = w.linkForces
  let buffers = w.articulated
  let inertias = buffers.inertias
  positionPass(tree, positions: w.positions, poses: w.poses, directions: directions)
  w.linkVelocities[0] = .zero
  w.linkAccelerations[0] = Motion(angular: .zero, linear: -Vector3(broadcasting: plan.dynamics.gravity))
  var l = 1
  while l < tree.linkCount {
    let link = tree.links.pointer(l)
    let parent = Int(link.pointee.parent)
    var velocity = w.linkVelocities[parent]
    var acceleration = w.linkAccelerations[parent]
    advanceThroughLink(tree, link, w, accelerations: nil, &velocity, &acceleration)
    w.linkVelocities[l] = velocity
    w.linkAccelerations[l] = acceleration
    let inertia = worldInertia(link, w.poses[l], reference: w.poses[Int(link.pointee.root)].position)
    forces[l] = inertia * acceleration + velocity.cross(inertia * velocity)
    inertias[l] = ArticulatedInertia(inertia)
    l += 1
  }
  if subtractsBodyForces { subtractBodyForces(plan, w) }

  l = tree.linkCount - 1
  while l > 0 {
    let link = tree.links.pointer(l)
    let parent = Int(link.pointee.parent)
    let start = Int(link.pointee.directionStart)
    var inertia = inertias[l]
    var force = forces[l]
    var d = Int(link.pointee.directionEnd) - 1
    while d >= start {
      let s = directions[d]
      let response = inertia * s
      let pivot = s.dot(response) + L(broadcasting: plan.dynamics.armature[d])
      let inverse = 1.0 / pivot
      let singular = isSingular(inversePivot: inverse, smallestPivot: plan.smallestPivots[d])
      if singular.anyTrue { w.reportSingular(singular, degreeOfFreedom: d) }
      let remainder = w.forces[d] - s.dot(force)
      buffers.responses[d] = response
      buffers.inversePivots[d] = inverse
      buffers.remainders[d] = remainder
      if d > start || parent > 0 {
        inertia = inertia.adding(outerProductOf: response, scale: -inverse)
        force = response.multiplyAdd(remainder * inverse, force)
      }
      d -= 1
    }
    if parent > 0 {
      inertias[parent] += inertia
      forces[parent] += force
    }
    l -= 1
  }

  // Accelerations beyond those at zero joint acceleration.
  let changes = w.linkAccelerations
  changes[0] = .zero
  l = 1
  while l < tree.linkCount {
    let link = tree.links.pointer(l)
    var change = changes[Int(link.pointee.parent)]
    var d = Int(link.pointee.directionStart)
    while d < Int(link.pointee.directionEnd) {
      let acceleration =
        (buffers.remainders[d] - change.dot(buffers.responses[d])) * buffers.inversePivots[d]
      w.accelerations[d] = acceleration
      change = directions[d].multiplyAdd(acceleration, change)
      d += 1
    }
    changes[l] = change
    l += 1
  }
}

/// Accelerations by factoring the mass matrix, for trees with mimic joints, which couple joints beyond the tree.
/// They are left in the workspace, as is the factor.
///
/// - Complexity: O(links + sum over degrees of freedom of the squared number that each is coupled with).
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func factoredDynamicsGroup<L: Lane>(
  _ plan: AlgorithmPlan<L.Scalar>, _ w: AlgorithmWorkspace<L>, subtractsBodyForces: Bool
) where L.Scalar: LaneScalar {
  let n = plan.velocityCount
  var i = 0
  while i < n {
    w.accelerations[i] = L(0.0)
    i += 1
  }
  inverseDynamicsGroup(plan, w, subtractsBodyForces: subtractsBodyForces)
  massMatrixGroup(plan, w)
  factorDenseMassMatrix(plan, w)
  i = 0
  while i < n {
    w.accelerations[i] = w.forces[i] - w.output[i]
    i += 1
  }
  solveMassMatrix(plan.pattern, factor: w.factor, w.accelerations)
}

/// Factors the workspace's dense mass matrix, which is left as it is.
@inline(__always)
func factorDenseMassMatrix<L: Lane>(_ plan: AlgorithmPlan<L.Scalar>, _ w: AlgorithmWorkspace<L>) {
  let pattern = plan.pattern
  let n = plan.velocityCount
  let entries = w.massMatrix.entries
  var row = 0
  while row < n {
    let target = w.factor + Int(pattern.rowAddress[row])
    var column = row
    var t = 0
    while column >= 0 {
      target[t] = entries[row * n + column]
      t += 1
      column = Int(pattern.parent[column])
    }
    row += 1
  }
  factorMassMatrix(pattern, w.factor)
  row = n - 1
  while row >= 0 {
    let singular = isSingular(
      inversePivot: w.factor[Int(pattern.rowAddress[row])], smallestPivot: plan.smallestPivots[row])
    if singular.anyTrue { w.reportSingular(singular, degreeOfFreedom: row) }
    row -= 1
  }
}
