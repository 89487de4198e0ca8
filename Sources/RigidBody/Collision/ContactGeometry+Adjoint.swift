import Kinematics
import Lanes

/// The derivative of one contact between two geoms of an analytic kind, in every lane: the narrow phase as a smooth function
/// of both poses and sizes, its discrete choices held.
///
/// | kind | held |
/// |---|---|
/// | plane–sphere, plane–ellipsoid, sphere–sphere | nothing |
/// | plane–capsule, plane–box | the end, the corner |
/// | plane–cylinder | the point's number, which end is lower |
/// | sphere–capsule | whether an end or the axis is nearest |
/// | sphere–cylinder, sphere–box | the side, end or rim; the face, edge or corner |
/// | capsule–capsule | for each segment whether an end or its interior is nearest |
/// | capsule–box | how the sphere's place along the segment was found, and the box's feature next to it |
/// | box–box | the faces and where the corner of the clipped face comes from, or the two edges |
/// | all | the hint of the contact's frame |
///
/// - Parameters:
///   - kind: an analytic kind (``PairKind/isAnalytic``).
///   - branch: of the forward pass.
///   - size1: half sizes of the first geom, as `Geom.size`.
///   - distance: of the forward pass, as `position` and `frame` (orthonormal in every lane, also without contact).
///   - cotangent: of distance, position and frame.
///   - mask: lanes that have the contact; all others get zeros.
/// - Returns: for each geom the cotangents of its origin's translation, of a rotation about its origin in world axes, and of
///   its sizes; in `rawDefects` where the geometry is not smooth (``GeometryDefects``).
/// - Complexity: constant; allocates nothing for kinds with a sphere or a plane and for two capsules.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func contactGeometryAdjoint<L: Lane>(
  _ kind: PairKind, branch: L, _ pose1: GeomPose<L>, _ size1: Vector3<L>, _ pose2: GeomPose<L>,
  _ size2: Vector3<L>, distance: L, position: Vector3<L>, frame: Matrix3<L>,
  _ cotangent: ContactCotangent<L>, where mask: L.Mask
) -> ContactGeometryCotangent<L> {
  var result = ContactGeometryCotangent<L>()
  guard mask.anyTrue else { return result }
  let normal = frame.column0
  let tangent: Vector3<L>? = kind == .planeCapsule ? pose2.axis : nil
  let bars = ContactPointCotangent(cotangent, frame: frame, tangent: tangent)
  switch kind {
  case .planeSphere:
    result.geom2.force = result.addPlaneSphere(pose1, center: pose2.position, radius: size2.x, bars)
  case .planeCapsule: result.addPlaneCapsule(pose1, pose2, size2, branch: branch, bars)
  case .planeEllipsoid: result.addPlaneEllipsoid(pose1, pose2, size2, bars)
  case .planeCylinder: result.addPlaneCylinder(pose1, pose2, size2, branch: branch, bars)
  case .planeBox: result.addPlaneBox(pose1, pose2, size2, branch: branch, bars)
  case .sphereSphere: result.addSphereSphere(pose1, size1, pose2, size2, normal: normal, bars)
  case .sphereCapsule:
    result.addSphereCapsule(pose1, size1, pose2, size2, branch: branch, normal: normal, bars)
  case .sphereCylinder:
    result.addSphereCylinder(pose1, size1, pose2, size2, branch: branch, normal: normal, bars)
  case .sphereBox:
    result.addSphereBox(pose1, radius: size1.x, pose2, size2, branch: branch, normal: normal, bars)
  case .capsuleCapsule:
    result.addCapsuleCapsule(pose1, size1, pose2, size2, branch: branch, normal: normal, bars)
  case .capsuleBox, .boxBox:
    for lane in 0..<L.laneCount where mask[lane: lane] {
      var one = ContactGeometryCotangent<Double>()
      let (lane1, lane2) = (pose1.lane(lane), pose2.lane(lane))
      let code = Int(branch[lane: lane])
      if kind == .boxBox {
        one.addBoxBox(lane1, size1.lane(lane), lane2, size2.lane(lane), branch: code, bars.lane(lane))
      } else {
        one.addCapsuleBox(
          lane1, size1.lane(lane), lane2, size2.lane(lane), branch: code,
          distance: Double(distance[lane: lane]), position: position.lane(lane), normal: normal.lane(lane),
          bars.lane(lane))
      }
      result.set(one, lane: lane)
    }
  case .planeMesh, .convex: preconditionFailure("\(kind) has no closed formula")
  }
  result.add(.frame, where: bars.isFrameDefective)
  return result.replacing(with: ContactGeometryCotangent(), where: .!mask)
}

extension ContactPointCotangent {
  /// The cotangents in one lane.
  @inline(__always) func lane(_ lane: Int) -> ContactPointCotangent<Double> {
    ContactPointCotangent<Double>(
      distance: Double(distance[lane: lane]), position: position.lane(lane), normal: normal.lane(lane),
      tangent: tangent.lane(lane), isFrameDefective: isFrameDefective[lane: lane])
  }

  @inline(__always)
  init(
    distance: L, position: Vector3<L>, normal: Vector3<L>, tangent: Vector3<L>, isFrameDefective: L.Mask
  ) {
    self.distance = distance
    self.position = position
    self.normal = normal
    self.tangent = tangent
    self.isFrameDefective = isFrameDefective
  }
}

extension GeomCotangent {
  @inline(__always) mutating func set(_ other: GeomCotangent<Double>, lane: Int) {
    force.set(other.force, lane: lane)
    torque.set(other.torque, lane: lane)
    size.set(other.size, lane: lane)
  }
}

extension ContactGeometryCotangent {
  @inline(__always) mutating func set(_ other: ContactGeometryCotangent<Double>, lane: Int) {
    geom1.set(other.geom1, lane: lane)
    geom2.set(other.geom2, lane: lane)
    rawDefects[lane: lane] = L.Scalar(other.rawDefects)
  }
}
