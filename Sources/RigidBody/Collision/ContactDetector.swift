import Kinematics
import Lanes

/// Finds the contacts of one world at a time. One instance serves one thread; after the first calls it allocates nothing.
final class ContactDetector {
  let plan: CollisionPlan
  private let broadPhase: BroadPhase
  private let convex: ConvexCollider
  /// The points of the pair that was collided last.
  let points = UnsafeMutablePointer<ContactPoint<Double>>.allocate(
    capacity: PairKind.largestPointCount)
  /// Where the points of the convex pair that was collided last come from.
  var origins: [ConvexOrigin] { convex.origins }

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
    let count = collide(index, poses[Int(candidate.geom1)], poses[Int(candidate.geom2)])
    for number in 0..<count {
      let point = points[number]
      contacts.append(
        Contact(
          candidate: Int32(index), number: Int32(number), distance: point.distance, position: point.position,
          frame: point.frame, branch: Int32(point.branch),
          origin: candidate.kind == .convex ? origins[number] : ConvexOrigin()))
    }
  }

  /// Collides one candidate, whether near or not: sets ``points`` and ``origins``.
  ///
  /// - Returns: how many points there are.
  func collide(_ index: Int, _ pose1: GeomPose<Double>, _ pose2: GeomPose<Double>) -> Int {
    let candidate = plan.candidates[index]
    let geom1 = plan.geoms.pointer(Int(candidate.geom1))
    let geom2 = plan.geoms.pointer(Int(candidate.geom2))
    if candidate.kind.isAnalytic {
      return Int(
        RigidBody.collide(
          candidate.kind, pose1, geom1.pointee.size, pose2, geom2.pointee.size, cutoff: candidate.cutoff,
          into: points))
    }
    var list = ContactPointList(in: points)
    if candidate.kind == .planeMesh {
      planeMesh(pose1, pose2, geom2.pointee.mesh!, cutoff: candidate.cutoff, into: &list)
    } else {
      convex.collide(geom1.pointee, pose1, geom2.pointee, pose2, cutoff: candidate.cutoff, into: &list)
    }
    return Int(list.count)
  }
}
