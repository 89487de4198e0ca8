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
  /// Where the points of the last pair come from; as many as there can be.
  private(set) var origins = [ConvexOrigin](repeating: ConvexOrigin(), count: ConvexCollider.largestCount)
  private static let largestCount = 5

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
    origins[0] = ConvexOrigin(deepest)
    if isMultiple, cutoff <= 0, shape1.hasFaces, shape2.hasFaces {
      if faceContacts.find(shape1, shape2, deepest, into: &list) {
        for (k, corner) in faceContacts.corners.enumerated() { origins[k].corner = corner }
        return
      }
      list.append(Self.point(deepest), where: true, limit: Self.largestCount)
      return
    }
    list.append(Self.point(deepest), where: true, limit: Self.largestCount)
    guard isMultiple, !geom1.isRound, !geom2.isRound else { return }
    turn(geom1, pose1, geom2, pose2, deepest, cutoff, into: &list)
  }

  private static func point(_ found: SignedDistance) -> ContactPoint<Double> {
    ContactPoint(distance: found.distance, position: found.position, normal: found.normal)
  }

  private func turn(
    _ geom1: CollisionGeom, _ pose1: GeomPose<Double>, _ geom2: CollisionGeom, _ pose2: GeomPose<Double>,
    _ deepest: SignedDistance, _ cutoff: Double, into list: inout ContactPointList<Double>
  ) {
    let first = list.points[0]
    let apart = 1e-3 * min(geom1.boundingRadius, geom2.boundingRadius)
    for number in 0..<4 {
      let turn = ConvexTurn(number, position: first.position, frame: first.frame)
      var shape1 = ConvexShape(geom1, turn.first(pose1))
      var shape2 = ConvexShape(geom2, turn.second(pose2))
      guard let found = SignedDistance(&shape1, &shape2, cutoff: cutoff, polytope) else { continue }
      var point = Self.point(found)
      point.distance = first.distance
      point.branch = Double(number + 1)
      var isNew = true
      for k in 0..<Int(list.count) where (list.points[k].position - point.position).norm <= apart {
        isNew = false
      }
      guard isNew else { continue }
      origins[Int(list.count)] = ConvexOrigin(found, deepest: deepest)
      list.append(point, where: true, limit: Self.largestCount)
    }
  }
}

/// One of the four turns of two geoms against each other about the deepest point.
struct ConvexTurn {
  static let angle = 1e-3
  let center: Vector3<Double>
  let isAboutFirstTangent: Bool
  /// Turned by -1 or 1 times the angle.
  let sign: Double
  let axis: Vector3<Double>
  private let rotation: Matrix3<Double>

  /// - Parameters:
  ///   - number: 0 to 3: both ways about the first tangent, then about the second.
  ///   - position: the deepest point.
  ///   - frame: of the deepest point's contact.
  init(_ number: Int, position: Vector3<Double>, frame: Matrix3<Double>) {
    center = position
    isAboutFirstTangent = number < 2
    sign = number & 1 == 0 ? -1 : 1
    axis = isAboutFirstTangent ? frame.column1 : frame.column2
    let half = 0.5 * sign * Self.angle
    rotation = Quaternion(half.cosine, axis * half.sine).matrix
  }

  /// The first geom's pose, turned.
  func first(_ pose: GeomPose<Double>) -> GeomPose<Double> { turned(pose, rotation) }
  /// The second geom's pose, turned the other way.
  func second(_ pose: GeomPose<Double>) -> GeomPose<Double> { turned(pose, rotation.transposed) }

  private func turned(_ pose: GeomPose<Double>, _ rotation: Matrix3<Double>) -> GeomPose<Double> {
    GeomPose(
      position: rotation.multiplyAdd(pose.position - center, center), rotation: rotation * pose.rotation)
  }

  /// Adds to a contact's cotangents those of the turned geoms' poses, and gives the deepest point's.
  ///
  /// With the turn R about the unit axis t by θ, the first geom's origin goes to R (p − c) + c. So its force and torque turn
  /// back, and c receives (1 − Rᵀ) of the force. A change of t, which is across t, turns R by sin θ δt + (1 − cos θ) t × δt;
  /// the moments about c are what it is multiplied by.
  func addAdjoint(
    _ turned: ContactGeometryCotangent<Double>, _ pose1: GeomPose<Double>, _ pose2: GeomPose<Double>,
    to result: inout ContactGeometryCotangent<Double>
  ) -> (center: Vector3<Double>, axis: Vector3<Double>) {
    var center = Vector3<Double>.zero
    func turnBack(
      _ own: GeomCotangent<Double>, _ pose: GeomPose<Double>, _ rotation: Matrix3<Double>,
      _ target: inout GeomCotangent<Double>
    ) -> Vector3<Double> {
      let force = rotation.transposedTimes(own.force)
      target.force += force
      target.torque += rotation.transposedTimes(own.torque)
      target.size += own.size
      center += own.force - force
      return (self.turned(pose, rotation).position - self.center).cross(own.force, adding: own.torque)
    }
    let moment1 = turnBack(turned.geom1, pose1, rotation, &result.geom1)
    let moment2 = turnBack(turned.geom2, pose2, rotation.transposed, &result.geom2)
    let angle = sign * Self.angle
    let axis = (moment1 - moment2) * angle.sine + (moment1 + moment2).cross(self.axis) * (1 - angle.cosine)
    return (center, axis)
  }
}
