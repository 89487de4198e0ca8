import Kinematics
import Lanes

/// Plane and mesh: the lowest corner, and up to two of its neighbours that are near enough and not close to the first
/// point. The branch is the corner.
func planeMesh(
  _ plane: GeomPose<Double>, _ pose: GeomPose<Double>, _ mesh: ConvexMesh, cutoff: Double,
  into list: inout ContactPointList<Double>
) {
  let normal = plane.axis
  let down = pose.rotation.transposedTimes(-normal)
  func point(_ vertex: Int) -> ContactPoint<Double> {
    let corner = pose.rotation.multiplyAdd(mesh.vertices[vertex], pose.position)
    let distance = normal.dot(corner - plane.position)
    return ContactPoint(
      distance: distance, position: normal.multiplyAdd(-0.5 * distance, corner), normal: normal,
      branch: Double(vertex))
  }
  let lowest = mesh.supportIndex(down, near: 0)
  let first = point(lowest)
  guard first.distance <= cutoff else { return }
  list.append(first, where: true, limit: 3)

  func consider(_ vertex: Int) {
    let next = point(vertex)
    let corner = normal.multiplyAdd(0.5 * next.distance, next.position)
    let isApart = (corner - first.position).norm >= 0.3 * mesh.boundingRadius
    list.append(next, where: next.distance < cutoff && isApart, limit: 3)
  }
  if mesh.neighbors.count > 0 {
    let center = Int(mesh.planeNeighborhoods[lowest])
    for k in Int(mesh.neighborStarts[center])..<Int(mesh.neighborStarts[center + 1]) {
      consider(Int(mesh.neighbors[k]))
    }
  } else {
    for vertex in 0..<mesh.vertices.count where vertex != lowest { consider(vertex) }
  }
}
