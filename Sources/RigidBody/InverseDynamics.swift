import Kinematics
import Lanes

/// The force that gives a link its motion: Newton's and Euler's equations at the link's centre of mass, carried to
/// the reference point.
///
/// The same as `I a + v x* I v` with the inertia about the reference point, which this saves turning into world axes.
@inline(__always)
private func inertialForce<L: Lane>(
  _ link: UnsafePointer<KernelLink<L.Scalar>>, _ pose: Pose<L>, reference: Vector3<L>, _ velocity: Motion<L>,
  _ acceleration: Motion<L>
) -> Force<L> {
  let r = pose.rotation
  let center = r * Vector3(broadcasting: link.pointee.center) + (pose.position - reference)
  let centerVelocity = velocity.angular.cross(center, adding: velocity.linear)
  let centerAcceleration = velocity.angular.cross(
    centerVelocity, adding: acceleration.angular.cross(center, adding: acceleration.linear))
  let force = centerAcceleration * L(broadcasting: link.pointee.mass)
  let spin = r.transposedTimes(velocity.angular)
  let momentum = times(link.pointee.inertia, spin)
  let rate = times(link.pointee.inertia, r.transposedTimes(acceleration.angular))
  let torque = r * spin.cross(momentum, adding: rate)
  return Force(angular: center.cross(force, adding: torque), linear: force)
}

/// A symmetric matrix that all worlds share, times a vector.
@inline(__always)
private func times<L: Lane>(_ j: Constant6<L.Scalar>, _ v: Vector3<L>) -> Vector3<L> {
  @inline(__always) func sum(_ a: L.Scalar, _ b: L.Scalar, _ c: L.Scalar) -> L {
    L.multiplyAdd(v.z, scalar: c, L.multiplyAdd(v.y, scalar: b, L.multiply(v.x, scalar: a)))
  }
  return Vector3(sum(j.xx, j.xy, j.xz), sum(j.xy, j.yy, j.yz), sum(j.xz, j.yz, j.zz))
}

/// Takes forces on bodies (force, then torque, in world axes at each body's centre of mass) off the links' forces.
@inline(__always)
func subtractBodyForces<L: Lane>(_ plan: AlgorithmPlan<L.Scalar>, _ w: AlgorithmWorkspace<L>) {
  let points = plan.dynamics.bodyPoints
  var i = 0
  while i < points.count {
    let point = points.pointer(i)
    let x = w.bodyForces + 6 * Int(point.pointee.body)
    let link = Int(point.pointee.link)
    let pose = w.poses[link]
    let reference = w.poses[Int(plan.tree.links.pointer(link).pointee.root)].position
    let r = pose.rotation * Vector3(broadcasting: point.pointee.center) + (pose.position - reference)
    w.linkForces[link] =
      w.linkForces[link] - wrench(force: vector(x), torque: vector(x + 3), at: r)
    i += 1
  }
}

/// Motion of a link at the joint accelerations `qacc`, from its parent's.
@inline(__always)
func advanceThroughLink<L: Lane>(
  _ tree: KinematicTree<L.Scalar>, _ link: UnsafePointer<KernelLink<L.Scalar>>, _ w: AlgorithmWorkspace<L>,
  accelerations: UnsafePointer<L>?, _ velocity: inout Motion<L>, _ acceleration: inout Motion<L>
) {
  var j = Int(link.pointee.jointStart)
  while j < Int(link.pointee.jointEnd) {
    advanceThroughJoint(tree.joints.pointer(j), w.directions, w.velocities, &velocity, &acceleration)
    j += 1
  }
  guard let accelerations else { return }
  var d = Int(link.pointee.directionStart)
  while d < Int(link.pointee.directionEnd) {
    acceleration = w.directions[d].multiplyAdd(
      accelerations[Int(tree.directionDegreeOfFreedom[d])], acceleration)
    d += 1
  }
}

/// Generalised forces for the positions, velocities and accelerations in the workspace, by the recursive
/// Newton–Euler algorithm (Featherstone 2008, section 5.3) in world axes about the tree's reference point, so that
/// nothing is carried from one frame to another.
///
/// - Complexity: O(links + directions).
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func inverseDynamicsGroup<L: Lane>(
  _ plan: AlgorithmPlan<L.Scalar>, _ w: AlgorithmWorkspace<L>, subtractsBodyForces: Bool
) where L.Scalar: LaneScalar {
  let tree = plan.tree
  positionPass(tree, positions: w.positions, poses: w.poses, directions: w.directions)
  w.linkVelocities[0] = .zero
  w.linkAccelerations[0] = Motion(angular: .zero, linear: -Vector3(broadcasting: plan.dynamics.gravity))
  var l = 1
  while l < tree.linkCount {
    let link = tree.links.pointer(l)
    let parent = Int(link.pointee.parent)
    var velocity = w.linkVelocities[parent]
    var acceleration = w.linkAccelerations[parent]
    advanceThroughLink(tree, link, w, accelerations: w.accelerations, &velocity, &acceleration)
    w.linkVelocities[l] = velocity
    w.linkAccelerations[l] = acceleration
    w.linkForces[l] = inertialForce(
      link, w.poses[l], reference: w.poses[Int(link.pointee.root)].position, velocity, acceleration)
    l += 1
  }
  if subtractsBodyForces { subtractBodyForces(plan, w) }
  projectForces(tree, directions: w.directions, forces: w.linkForces, output: w.output)
  var i = 0
  while i < tree.velocityCount {
    w.output[i] = L.multiplyAdd(w.accelerations[i], scalar: plan.dynamics.armature[i], w.output[i])
    i += 1
  }
}
