import Foundation
import Kinematics
import Lanes
import RobotModels
import TestSupport
import Testing

@testable import RigidBody

/// Random pairs of every kind: finite results, and distances that depend neither on the order of the geoms nor on where the
/// pair is.
@Suite struct CollisionFuzzTests {
  static let types: [GeomType] = [.plane, .sphere, .capsule, .ellipsoid, .cylinder, .box, .mesh]

  private static func mesh(_ random: inout SeededRandom) throws -> Mesh {
    let points = (0..<16).map { _ in
      random.uniform(-0.3, 0.3, count: 3).map { "\($0)" }.joined(separator: " ")
    }
    let text = """
      <mujoco><asset><mesh name="m" vertex="\(points.joined(separator: " "))"/></asset>
      <worldbody><body><freejoint/><geom type="mesh" mesh="m"/></body></worldbody></mujoco>
      """
    return try Model(mjcf: text, name: "mesh.xml").meshes[0]
  }

  private static func geom(_ type: GeomType, _ random: inout SeededRandom) -> Geom {
    var geom = Geom()
    geom.type = type
    let size = random.uniform(0.05, 0.3, count: 3)
    geom.size = Vector3(size[0], size[1], size[2])
    if type == .mesh { geom.mesh = 0 }
    return geom
  }

  private static func rotation(_ random: inout SeededRandom) -> Matrix3<Double> {
    // Some are along the axes, so that features are parallel.
    if random.uniform(0, 1) < 0.3 {
      return Quaternion(1, random.uniform(0, 1) < 0.5 ? 1 : 0, random.uniform(0, 1) < 0.5 ? 1 : 0, 0)
        .normalized.matrix
    }
    let q = random.uniform(-1, 1, count: 4)
    return Quaternion(q[0], q[1], q[2], q[3]).normalized.matrix
  }

  private static func pose(_ random: inout SeededRandom) -> GeomPose<Double> {
    let p = random.uniform(-0.35, 0.35, count: 3).map { random.uniform(0, 1) < 0.1 ? 0 : $0 }
    return GeomPose(position: Vector3(p[0], p[1], p[2]), rotation: rotation(&random))
  }

  /// The points of two geoms, whichever comes first.
  private static func points(
    _ one: CollisionGeom, _ pose1: GeomPose<Double>, _ two: CollisionGeom, _ pose2: GeomPose<Double>,
    _ cutoff: Double, _ convex: ConvexCollider, _ memory: UnsafeMutablePointer<ContactPoint<Double>>
  ) -> Int {
    if one.type.collisionOrder > two.type.collisionOrder {
      return points(two, pose2, one, pose1, cutoff, convex, memory)
    }
    let kind = PairKind(one.type, two.type)!
    if kind.isAnalytic {
      return Int(collide(kind, pose1, one.size, pose2, two.size, cutoff: cutoff, into: memory))
    }
    var list = ContactPointList(in: memory)
    if kind == .planeMesh {
      planeMesh(pose1, pose2, two.mesh!, cutoff: cutoff, into: &list)
    } else {
      convex.collide(one, pose1, two, pose2, cutoff: cutoff, into: &list)
    }
    return Int(list.count)
  }

  @Test(arguments: 0..<20) func randomPairs(_ seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let mesh = ConvexMesh(try Self.mesh(&random))
    let convex = ConvexCollider(
      isMultiple: true, largestFace: mesh.largestFace, largestDegree: mesh.largestDegree)
    let memory = UnsafeMutablePointer<ContactPoint<Double>>.allocate(capacity: PairKind.largestPointCount)
    let again = UnsafeMutablePointer<ContactPoint<Double>>.allocate(capacity: PairKind.largestPointCount)
    defer {
      memory.deallocate()
      again.deallocate()
    }
    var touching = 0
    var (swapped, moved) = (0.0, 0.0)
    for _ in 0..<10_000 {
      let type1 = Self.types.randomElement(using: &random)!
      let type2 = Self.types.dropFirst().randomElement(using: &random)!
      let one = CollisionGeom(Self.geom(type1, &random), meshes: [mesh])
      let two = CollisionGeom(Self.geom(type2, &random), meshes: [mesh])
      let (pose1, pose2) = (Self.pose(&random), Self.pose(&random))
      let cutoff = random.uniform(0, 1) < 0.5 ? 0 : random.uniform(0, 0.1)
      let count = Self.points(one, pose1, two, pose2, cutoff, convex, memory)
      if count > 0 { touching += 1 }
      for k in 0..<count {
        let point = memory[k]
        #expect(point.distance.isFinite && point.position.isFinite && abs(point.normal.norm - 1) < 1e-9)
        let frame = point.frame
        #expect(frame.column1.isFinite && frame.column2.isFinite && abs(frame.determinant - 1) < 1e-9)
      }
      guard count > 0 else { continue }
      let depth = (0..<count).map { memory[$0].distance }.min()!
      // The same pair elsewhere.
      let turn = Self.rotation(&random)
      let shift = Vector3(0.3, -0.7, 0.2)
      func move(_ pose: GeomPose<Double>) -> GeomPose<Double> {
        GeomPose(position: turn.multiplyAdd(pose.position, shift), rotation: turn * pose.rotation)
      }
      let movedCount = Self.points(one, move(pose1), two, move(pose2), cutoff, convex, again)
      let movedDepth = (0..<movedCount).map { again[$0].distance }.min() ?? cutoff
      let error = abs(movedDepth - depth)
      // Four points of faces with a mesh may be a choice from more, by a measure that can be a tie.
      let isChoice = count == 4 && type1 != .plane && (type1 == .mesh || type2 == .mesh)
      if !isChoice { moved = max(moved, error) }
      // Two of a kind, the other way round. Which of two faces is clipped depends on the order, and of parallel capsules
      // the ends of the first are tried first.
      guard type1 == type2, type1 != .box, type1 != .mesh, type1 != .capsule || count < 2 else { continue }
      let swappedCount = Self.points(two, pose2, one, pose1, cutoff, convex, again)
      let swappedDepth = (0..<swappedCount).map { again[$0].distance }.min() ?? cutoff
      swapped = max(swapped, abs(swappedDepth - depth))
    }
    #expect(touching > 4000)
    #expect(moved < 1e-8 && swapped < 1e-8, "moved \(moved), swapped \(swapped)")
  }

  /// The support function h of the difference certifies a signed distance: it is -h(n) at the normal, and no direction gives
  /// more.
  @Test(arguments: 0..<4) func signedDistanceIsExact(_ seed: Int) throws {
    var random = SeededRandom(seed: 100 + UInt64(seed))
    let mesh = ConvexMesh(try Self.mesh(&random))
    let polytope = ExpandingPolytope()
    var (overlapping, apart) = (0, 0)
    for _ in 0..<3000 {
      let types = (0..<2).map { _ in Self.types.dropFirst().randomElement(using: &random)! }
      let geoms = types.map { CollisionGeom(Self.geom($0, &random), meshes: [mesh]) }
      var shape1 = ConvexShape(geoms[0], Self.pose(&random))
      var shape2 = ConvexShape(geoms[1], Self.pose(&random))
      guard let found = SignedDistance(&shape1, &shape2, cutoff: 1, polytope) else { continue }
      if found.distance < 0 { overlapping += 1 } else { apart += 1 }
      func bound(_ n: Vector3<Double>) -> Double {
        -n.dot(MinkowskiVertex(&shape1, &shape2, along: n).point) - shape1.radius - shape2.radius
      }
      #expect(abs(bound(found.normal) - found.distance) < 1e-8, "\(types) \(found.distance)")
      #expect(abs((found.on2 - found.on1).dot(found.normal) - found.distance) < 1e-8, "\(types)")
      for _ in 0..<100 {
        let d = random.uniform(-1, 1, count: 3)
        let spread = random.uniform(0, 1) < 0.5 ? 1.0 : 0.05
        let direction = (found.normal + Vector3(d[0], d[1], d[2]) * spread).normalized(orXBelow: 1e-15)
        #expect(bound(direction) <= found.distance + 1e-8, "\(types) \(found.distance)")
      }
    }
    #expect(overlapping > 500 && apart > 300)
  }
}
