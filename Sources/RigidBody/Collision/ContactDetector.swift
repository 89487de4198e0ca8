import Kinematics
import Lanes

/// Finds the contacts of one world at a time. One instance serves one thread; after the first calls it allocates nothing.
final class ContactDetector {
  let plan: CollisionPlan
  private let broadPhase: BroadPhase
  private let convex: ConvexCollider
  private let points = UnsafeMutablePointer<ContactPoint<Double>>.allocate(
    capacity: PairKind.largestPointCount)

  init(_ plan: CollisionPlan) {
    self.plan = plan
    broadPhase = BroadPhase(plan)
    convex = ConvexCollider(
      isMultiple: plan.hasMultipleContacts, largestFace: plan.largestFace, largestDegree: plan.largestDegree)
  }

  deinit { points.deallocate() }

  /// All contacts at distances up to margin plus gap, in MuJoCo's order.
  ///
  /// - Parameters:
  ///   - poses: of all geoms of the model.
  ///   - contacts: is replaced by the contacts; its memory is kept.
  /// - Complexity: see ``BroadPhase/update(_:)``; then proportional to the pairs that are near.
  func detectContacts(_ poses: UnsafePointer<GeomPose<Double>>, into contacts: inout [Contact]) {
    contacts.removeAll(keepingCapacity: true)
    broadPhase.update(poses)
    for index in broadPhase.near { collide(Int(index), poses, into: &contacts) }
  }

  private func collide(
    _ index: Int, _ poses: UnsafePointer<GeomPose<Double>>, into contacts: inout [Contact]
  ) {
    let candidate = plan.candidates[index]
    let (g1, g2) = (Int(candidate.geom1), Int(candidate.geom2))
    let (geom1, geom2) = (plan.geoms.pointer(g1), plan.geoms.pointer(g2))
    var features = ConvexFeatures()
    var count: Int
    if candidate.kind.isAnalytic {
      count = Int(
        RigidBody.collide(
          candidate.kind, poses[g1], geom1.pointee.size, poses[g2], geom2.pointee.size,
          cutoff: candidate.cutoff, into: points))
    } else {
      var list = ContactPointList(in: points)
      if candidate.kind == .planeMesh {
        planeMesh(poses[g1], poses[g2], geom2.pointee.mesh!, cutoff: candidate.cutoff, into: &list)
      } else {
        convex.collide(
          geom1.pointee, poses[g1], geom2.pointee, poses[g2], cutoff: candidate.cutoff, into: &list)
        features = convex.features
      }
      count = Int(list.count)
    }
    for number in 0..<count {
      let point = points[number]
      contacts.append(
        Contact(
          candidate: Int32(index), number: Int32(number), distance: point.distance, position: point.position,
          frame: point.frame, branch: Int32(point.branch), features: features))
    }
  }
}
