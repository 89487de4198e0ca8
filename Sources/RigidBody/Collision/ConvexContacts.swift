import Kinematics
import Lanes

/// Contacts of two convex geoms without a formula of their own, as MuJoCo's general collider finds them.
///
/// The deepest point is that of ``SignedDistance``. Boxes and meshes that penetrate, with no margin, get the corners of
/// the faces that meet (``FaceContacts``). All other pairs but those with a sphere or an ellipsoid are searched again with
/// both geoms turned against each other by 1e-3 rad about the contact, each way about both tangents; points that are new
/// are added with the first's distance.
///
/// Branch: 0 for the deepest point, 1 to 4 for one that was found by turning, 5 for a corner where faces meet.
final class ConvexCollider {
  private let polytope = ExpandingPolytope()
  private var faceContacts: FaceContacts
  private let isMultiple: Bool
  /// The features of the deepest point found last.
  private(set) var features = ConvexFeatures()

  /// - Parameters:
  ///   - isMultiple: whether pairs get more than one contact (MuJoCo's `multiccd`).
  init(isMultiple: Bool, largestFace: Int, largestDegree: Int) {
    self.isMultiple = isMultiple
    faceContacts = FaceContacts(largestFace: largestFace, largestDegree: largestDegree)
  }

  /// - Parameter list: memory for at least five points.
  func collide(
    _ geom1: CollisionGeom, _ pose1: GeomPose<Double>, _ geom2: CollisionGeom, _ pose2: GeomPose<Double>,
    cutoff: Double, into list: inout ContactPointList<Double>
  ) {
    var shape1 = ConvexShape(geom1, pose1)
    var shape2 = ConvexShape(geom2, pose2)
    guard let deepest = SignedDistance(&shape1, &shape2, cutoff: cutoff, polytope) else { return }
    features = deepest.features
    if isMultiple, cutoff <= 0, shape1.hasFaces, shape2.hasFaces {
      if faceContacts.find(shape1, shape2, deepest, into: &list) { return }
      list.append(Self.point(deepest), where: true, limit: 5)
      return
    }
    list.append(Self.point(deepest), where: true, limit: 5)
    guard isMultiple, !geom1.isRound, !geom2.isRound else { return }
    turn(geom1, pose1, geom2, pose2, cutoff, into: &list)
  }

  private static func point(_ found: SignedDistance) -> ContactPoint<Double> {
    ContactPoint(distance: found.distance, position: found.position, normal: found.normal)
  }

  private func turn(
    _ geom1: CollisionGeom, _ pose1: GeomPose<Double>, _ geom2: CollisionGeom, _ pose2: GeomPose<Double>,
    _ cutoff: Double, into list: inout ContactPointList<Double>
  ) {
    let first = list.points[0]
    let frame = first.frame
    let apart = 1e-3 * min(geom1.boundingRadius, geom2.boundingRadius)
    let angle = 1e-3
    for turn in 0..<4 {
      let axis = turn < 2 ? frame.column1 : frame.column2
      let rotation = Self.rotation(axis, turn & 1 == 0 ? -angle : angle)
      var shape1 = ConvexShape(geom1, Self.turned(pose1, rotation, about: first.position))
      var shape2 = ConvexShape(geom2, Self.turned(pose2, rotation.transposed, about: first.position))
      guard let found = SignedDistance(&shape1, &shape2, cutoff: cutoff, polytope) else { continue }
      var point = Self.point(found)
      point.distance = first.distance
      point.branch = Double(turn + 1)
      var isNew = true
      for k in 0..<Int(list.count) where (list.points[k].position - point.position).norm <= apart {
        isNew = false
      }
      list.append(point, where: isNew, limit: 5)
    }
  }

  private static func rotation(_ axis: Vector3<Double>, _ angle: Double) -> Matrix3<Double> {
    Quaternion((0.5 * angle).cosine, axis * (0.5 * angle).sine).matrix
  }

  private static func turned(
    _ pose: GeomPose<Double>, _ rotation: Matrix3<Double>, about point: Vector3<Double>
  ) -> GeomPose<Double> {
    GeomPose(
      position: rotation.multiplyAdd(pose.position - point, point), rotation: rotation * pose.rotation)
  }
}
