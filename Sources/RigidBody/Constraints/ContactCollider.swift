import Kinematics
import Lanes

/// Memory with which one thread finds the contacts of lane groups.
final class ContactCollider<L: Lane> where L.Scalar: LaneScalar {
  let poses: UnsafeMutablePointer<GeomPose<L>>
  let points: UnsafeMutablePointer<ContactPoint<L>>
  let scalarPoints: UnsafeMutablePointer<ContactPoint<Double>>
  /// For pairs without a formula on lanes.
  let convex: ConvexCollider?
  /// The list of ``ContactSlots`` for each dimension.
  let listOfDimension: [Int]
  /// For one world with many geoms.
  let broadPhase: BroadPhase?

  init(_ plan: ConstraintPlan<L.Scalar>) {
    poses = .allocate(capacity: max(plan.geoms.count, 1))
    points = .allocate(capacity: PairKind.largestPointCount)
    scalarPoints = .allocate(capacity: PairKind.largestPointCount)
    let none = ContactPoint<L>(distance: L(0.0), position: .zero, normal: .zero)
    points.initialize(repeating: none, count: PairKind.largestPointCount)
    scalarPoints.initialize(
      repeating: ContactPoint(distance: 0, position: .zero, normal: .zero), count: PairKind.largestPointCount)
    convex = plan.collision.map {
      ConvexCollider(
        isMultiple: $0.hasMultipleContacts, largestFace: $0.largestFace, largestDegree: $0.largestDegree)
    }
    var lists = [Int](repeating: 0, count: 7)
    for (index, dimension) in plan.dimensions.enumerated() { lists[dimension] = index }
    listOfDimension = lists
    let isSwept = L.self == Double.self && plan.collision.map { $0.broadPhase.swept.count > 0 } ?? false
    broadPhase = isSwept ? plan.collision.map { BroadPhase($0) } : nil
  }

  deinit {
    poses.deallocate()
    points.deallocate()
    scalarPoints.deallocate()
  }
}

/// Poses of the geoms that take part in contacts.
@inline(__always)
func geomPass<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, poses: UnsafePointer<Pose<L>>, _ geoms: UnsafeMutablePointer<GeomPose<L>>
) where L.Scalar: LaneScalar {
  var k = 0
  while k < plan.activeGeoms.count {
    let index = Int(plan.activeGeoms[k])
    let geom = plan.geoms.pointer(index)
    let link = poses + Int(geom.pointee.link)
    let r = link.pointee.rotation
    geoms[index] = GeomPose(
      position: r * Vector3(broadcasting: geom.pointee.position) + link.pointee.position,
      rotation: r * Matrix3(broadcasting: geom.pointee.rotation))
    k &+= 1
  }
}

/// Finds the contacts that exert forces, and sorts them into slots.
@inline(__always)
func findContacts<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ assembler: ConstraintAssembler<L>, _ poses: UnsafePointer<Pose<L>>
) where L.Scalar: LaneScalar {
  let collider = assembler.collider
  geomPass(plan, poses: poses, collider.poses)
  assembler.contacts.clear()
  if let broadPhase = collider.broadPhase {
    broadPhase.update(
      UnsafeRawPointer(collider.poses).assumingMemoryBound(to: GeomPose<Double>.self))
    for index in broadPhase.near { collidePair(plan, assembler, Int(index)) }
    return
  }
  var index = 0
  while index < plan.contacts.count {
    let contact = plan.contacts.pointer(index)
    let (g1, g2) = (Int(contact.pointee.geom1), Int(contact.pointee.geom2))
    let (geom1, geom2) = (plan.geoms.pointer(g1), plan.geoms.pointer(g2))
    let offset = collider.poses[g2].position - collider.poses[g1].position
    let isNear: L.Mask
    if geom1.pointee.isPlane {
      isNear =
        offset.dot(collider.poses[g1].axis)
        .<= L(broadcasting: geom2.pointee.boundingRadius + contact.pointee.cutoff)
    } else {
      let bound = geom1.pointee.boundingRadius + geom2.pointee.boundingRadius + contact.pointee.cutoff
      isNear = offset.normSquared .<= L(broadcasting: bound * bound)
    }
    if isNear.anyTrue { collidePair(plan, assembler, index) }
    index &+= 1
  }
}

/// The narrow phase of one pair in all lanes.
@inline(never)
private func collidePair<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ assembler: ConstraintAssembler<L>, _ index: Int
) where L.Scalar: LaneScalar {
  let collider = assembler.collider
  let contact = plan.contacts.pointer(index)
  let (g1, g2) = (Int(contact.pointee.geom1), Int(contact.pointee.geom2))
  let cutoff = L(broadcasting: contact.pointee.cutoff)
  let list = collider.listOfDimension[Int(contact.pointee.dimension)]
  if contact.pointee.kind.isAnalytic {
    let count = RigidBody.collide(
      contact.pointee.kind, collider.poses[g1],
      Vector3(broadcasting: plan.geoms.pointer(g1).pointee.size), collider.poses[g2],
      Vector3(broadcasting: plan.geoms.pointer(g2).pointee.size), cutoff: cutoff, into: collider.points)
    var number = 0
    while number < PairKind.largestPointCount {
      let point = collider.points + number
      let exists = (L(Double(number)) .< count) .& (point.pointee.distance .< cutoff)
      guard (L(Double(number)) .< count).anyTrue else { break }
      if exists.anyTrue {
        let frame = point.pointee.frame
        var lane = 0
        while lane < L.laneCount {
          if exists[lane: lane] {
            assembler.contacts.append(
              LaneContact(
                contact: Int32(index), number: Int32(number),
                branch: Int32(Double(point.pointee.branch[lane: lane])), link1: contact.pointee.link1,
                link2: contact.pointee.link2, features: -1), point.pointee, frame: frame, lane: lane,
              list: list)
          }
          lane &+= 1
        }
      }
      number &+= 1
    }
    return
  }
  let (geom1, geom2) = (plan.collision!.geoms.pointer(g1), plan.collision!.geoms.pointer(g2))
  for lane in 0..<L.laneCount {
    let pose1 = collider.poses[g1].scalar(lane: lane)
    let pose2 = collider.poses[g2].scalar(lane: lane)
    var found = ContactPointList(in: collider.scalarPoints)
    var features: Int32 = -1
    if contact.pointee.kind == .planeMesh {
      planeMesh(
        pose1, pose2, geom2.pointee.mesh!, cutoff: Double(contact.pointee.cutoff), into: &found)
    } else {
      collider.convex!.collide(
        geom1.pointee, pose1, geom2.pointee, pose2, cutoff: Double(contact.pointee.cutoff), into: &found)
      if found.count > 0 { features = assembler.contacts.append(collider.convex!.features) }
    }
    for number in 0..<Int(found.count) {
      let point = collider.scalarPoints[number]
      guard point.distance < Double(contact.pointee.cutoff) else { continue }
      let frame = point.frame
      var lanePoint = ContactPoint<L>(distance: L(0.0), position: .zero, normal: .zero)
      lanePoint.distance[lane: lane] = L.Scalar(point.distance)
      lanePoint.position.set(point.position, lane: lane)
      var laneFrame = Matrix3<L>.zero
      laneFrame.column0.set(frame.column0, lane: lane)
      laneFrame.column1.set(frame.column1, lane: lane)
      laneFrame.column2.set(frame.column2, lane: lane)
      assembler.contacts.append(
        LaneContact(
          contact: Int32(index), number: Int32(number), branch: Int32(point.branch),
          link1: contact.pointee.link1, link2: contact.pointee.link2, features: features), lanePoint,
        frame: laneFrame, lane: lane, list: list)
    }
  }
}

extension GeomPose {
  /// One lane's pose in double precision.
  func scalar(lane: Int) -> GeomPose<Double> {
    func vector(_ v: Vector3<L>) -> Vector3<Double> {
      Vector3(Double(v.x[lane: lane]), Double(v.y[lane: lane]), Double(v.z[lane: lane]))
    }
    return GeomPose<Double>(
      position: vector(position),
      rotation: Matrix3(
        columns: vector(rotation.column0), vector(rotation.column1), vector(rotation.column2)))
  }
}
