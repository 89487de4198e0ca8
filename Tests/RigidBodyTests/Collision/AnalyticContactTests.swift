import Foundation
import Lanes
import RobotModels
import TestSupport
import Testing

@testable import RigidBody

@Suite struct AnalyticContactTests {
  static let names = [
    "plane_sphere", "plane_capsule", "plane_ellipsoid", "plane_cylinder", "plane_box", "sphere_sphere",
    "sphere_capsule", "sphere_cylinder", "sphere_box", "capsule_capsule", "capsule_box", "box_box",
  ]

  static func reference(_ name: String) throws -> PairReference {
    let url = Bundle.module.resourceURL!.appending(path: "Fixtures/contacts/pairs/\(name).json")
    return try JSONDecoder().decode(PairReference.self, from: Data(contentsOf: url))
  }

  /// Every contact of MuJoCo's, and no other, to 1e-10.
  @Test(arguments: names) func agreesWithMuJoCo(_ name: String) throws {
    let points = UnsafeMutablePointer<ContactPoint<Double>>.allocate(capacity: PairKind.largestPointCount)
    defer { points.deallocate() }
    var worst = 0.0
    var contactCount = 0
    var tieCount = 0
    for (groupIndex, group) in try Self.reference(name).groups.enumerated() {
      let model = try group.model()
      let candidates = try ContactCandidates(model)
      let pair = try #require(candidates.candidates.first)
      #expect(candidates.candidates.count == 1)
      for (index, reference) in group.cases.enumerated() {
        let poses = reference.geomPoses(model)
        let count = collide(
          pair.kind, poses[0], model.geoms[0].size, poses[1], model.geoms[1].size, cutoff: pair.cutoff,
          into: points)
        let found = (0..<Int(count)).map { ReferenceContact(points[$0]) }
        let error = ReferenceContact.error(found, reference.expected)
        if error < 1e-10 {
          worst = max(worst, error)
        } else {
          // Where axes are parallel or centres shared, several answers are right and rounding chooses.
          let isTie = reference.aligned && isSameDepth(found, reference.expected)
          #expect(isTie, "group \(groupIndex) case \(index): error \(error)")
          tieCount += 1
        }
        contactCount += found.count
      }
    }
    #expect(contactCount > 200 && tieCount <= 6 && worst < 1e-11, "\(tieCount) ties, largest error \(worst)")
  }

  private func isSameDepth(_ found: [ReferenceContact], _ expected: [ReferenceContact]) -> Bool {
    guard let depth = found.map(\.distance).min(), let other = expected.map(\.distance).min()
    else { return false }
    return abs(depth - other) < 1e-10
  }

  /// Lanes give what one world gives alone, slot by slot.
  @Test(arguments: names) func lanesAreIndependent(_ name: String) throws {
    try compareLanes(name, SIMD8<Double>.self, tolerance: 1e-14)
    try compareLanes(name, SIMD16<Float>.self, tolerance: 2e-5)
  }

  private func compareLanes<L: Lane>(_ name: String, _ type: L.Type, tolerance: Double) throws {
    let points = UnsafeMutablePointer<ContactPoint<Double>>.allocate(capacity: PairKind.largestPointCount)
    let groups = UnsafeMutablePointer<ContactPoint<L>>.allocate(capacity: PairKind.largestPointCount)
    defer {
      points.deallocate()
      groups.deallocate()
    }
    let nothing = ContactPoint<L>(distance: .zero, position: .zero, normal: .zero)
    groups.initialize(repeating: nothing, count: PairKind.largestPointCount)
    for group in try Self.reference(name).groups {
      let model = try group.model()
      let pair = try ContactCandidates(model).candidates[0]
      // Cases whose answer changes with rounding are left to double precision.
      let cases = group.cases.filter { L.Scalar.self == Double.self || !$0.aligned }
      for start in stride(from: 0, to: cases.count, by: L.laneCount) {
        var pose1 = GeomPose<L>(position: .zero, rotation: .identity)
        var pose2 = pose1
        for lane in 0..<L.laneCount {
          let poses = cases[min(start + lane, cases.count - 1)].geomPoses(model)
          pose1.set(poses[0], lane: lane)
          pose2.set(poses[1], lane: lane)
        }
        let sizes = model.geoms.map { Vector3<L>(L($0.size.x), L($0.size.y), L($0.size.z)) }
        let counts = collide(
          pair.kind, pose1, sizes[0], pose2, sizes[1], cutoff: L(pair.cutoff), into: groups)
        for lane in 0..<min(L.laneCount, cases.count - start) {
          let count = Int(
            collide(
              pair.kind, pose1.lane(lane), sizes[0].lane(lane), pose2.lane(lane), sizes[1].lane(lane),
              cutoff: Double(L(pair.cutoff)[lane: lane]), into: points))
          let laneCount = Int(counts[lane: lane])
          if L.Scalar.self == Double.self { #expect(laneCount == count) }
          // In single precision a point within rounding of the cutoff may come or go.
          guard laneCount == count else { continue }
          let alone = (0..<count).map { ReferenceContact(points[$0]) }
          let together = (0..<count).map { slot in
            ReferenceContact(
              ContactPoint<Double>(
                distance: Double(groups[slot].distance[lane: lane]),
                position: groups[slot].position.lane(lane),
                normal: groups[slot].normal.lane(lane), tangent: groups[slot].tangent.lane(lane)))
          }
          #expect(ReferenceContact.error(together, alone) < tolerance)
          guard L.Scalar.self == Double.self else { continue }
          for slot in 0..<count { #expect(Double(groups[slot].branch[lane: lane]) == points[slot].branch) }
        }
      }
    }
  }
}

extension GeomPose {
  mutating func set(_ pose: GeomPose<Double>, lane: Int) {
    position.set(pose.position, lane: lane)
    rotation.column0.set(pose.rotation.column0, lane: lane)
    rotation.column1.set(pose.rotation.column1, lane: lane)
    rotation.column2.set(pose.rotation.column2, lane: lane)
  }
}
