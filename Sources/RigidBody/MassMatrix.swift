import Kinematics
import Lanes

/// A link's inertia in world axes about its tree's reference point.
@inline(__always)
func worldInertia<L: Lane>(
  _ link: UnsafePointer<KernelLink<L.Scalar>>, _ pose: Pose<L>, reference: Vector3<L>
) -> RigidInertia<L> {
  RigidInertia(
    mass: L(broadcasting: link.pointee.mass),
    offset: pose.rotation * Vector3(broadcasting: link.pointee.center) + (pose.position - reference),
    central: rotated(pose.rotation, link.pointee.inertia))
}

/// The dense mass matrix, armature included, for the positions in the workspace, by composite rigid bodies
/// (Featherstone 2008, table 6.2).
///
/// - Complexity: O(links + directions x depth); `nd²` zeros are there already.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func massMatrixGroup<L: Lane>(_ plan: AlgorithmPlan<L.Scalar>, _ w: AlgorithmWorkspace<L>)
where L.Scalar: LaneScalar {
  let tree = plan.tree
  let directions = w.directions
  let composites = w.composites
  positionPass(tree, positions: w.positions, poses: w.poses, directions: directions)
  var l = 1
  while l < tree.linkCount {
    let link = tree.links.pointer(l)
    composites[l] = worldInertia(
      link, w.poses[l], reference: w.poses[Int(link.pointee.root)].position)
    l += 1
  }
  let matrix = w.massMatrix
  let entries = matrix.byDirection
  let width = tree.directionCount
  l = tree.linkCount - 1
  while l > 0 {
    let link = tree.links.pointer(l)
    let composite = composites[l]
    var d = Int(link.pointee.directionEnd) - 1
    while d >= Int(link.pointee.directionStart) {
      let force = composite * directions[d]
      var j = d
      while j >= 0 {
        let entry = directions[j].dot(force)
        entries[d &* width &+ j] = entry
        entries[j &* width &+ d] = entry
        j = Int(tree.directionParent[j])
      }
      d -= 1
    }
    let parent = Int(link.pointee.parent)
    if parent > 0 { composites[parent] += composite }
    l -= 1
  }
  finishMassMatrix(plan, matrix)
}

/// From directions to degrees of freedom, and armature.
@inline(__always)
func finishMassMatrix<L: Lane>(_ plan: AlgorithmPlan<L.Scalar>, _ matrix: LaneMatrix<L>) {
  matrix.collect(plan.tree)
  let n = plan.velocityCount
  var i = 0
  while i < n {
    matrix.entries[i * n + i] += L(broadcasting: plan.dynamics.armature[i])
    i += 1
  }
}
