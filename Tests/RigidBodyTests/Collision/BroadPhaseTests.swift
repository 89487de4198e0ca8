import Kinematics
import Lanes
import RobotModels
import TestSupport
import Testing

@testable import RigidBody

@Suite struct BroadPhaseTests {
  private static func scene(_ count: Int) throws -> Model {
    let kinds = ["sphere", "capsule", "box", "cylinder"]
    let bodies = (0..<count).map { index in
      "<body><freejoint/><geom type=\"\(kinds[index % 4])\" size=\"0.05 0.06 0.07\" margin=\"0.0\(index % 3)\"/></body>"
    }
    return try Model(
      mjcf: "<mujoco><worldbody><geom type=\"plane\" size=\"1 1 1\"/>\(bodies.joined())</worldbody></mujoco>",
      name: "scene.xml")
  }

  private static func poses(_ count: Int, _ random: inout SeededRandom) -> [GeomPose<Double>] {
    (0...count).map { index in
      let p = random.uniform(-0.6, 0.6, count: 3)
      let q = random.uniform(-1, 1, count: 4)
      let rotation = Quaternion(q[0], q[1], q[2], q[3]).normalized.matrix
      return GeomPose(
        position: index == 0 ? .zero : Vector3(2 * p[0], p[1], p[2]),
        rotation: index == 0 ? .identity : rotation)
    }
  }

  /// The sweep lists the candidates whose bounding spheres overlap, in order, while geoms move and the widest axis changes.
  @Test(arguments: [20, 60, 200]) func findsAllThatAreNear(_ count: Int) throws {
    let plan = try CollisionPlan(try Self.scene(count))
    let isSwept = plan.broadPhase.swept.count > 0
    #expect(isSwept == (count >= 60))
    let broadPhase = BroadPhase(plan)
    var random = SeededRandom(seed: UInt64(count))
    var poses = Self.poses(count, &random)
    for step in 0..<40 {
      broadPhase.update(poses)
      let expected = (0..<plan.candidates.count).filter { index in
        let candidate = plan.candidates[index]
        let (a, b) = (Int(candidate.geom1), Int(candidate.geom2))
        let offset = poses[b].position - poses[a].position
        let radius = plan.geoms[b].boundingRadius
        if plan.geoms[a].type == .plane { return offset.z <= radius + candidate.cutoff }
        return offset.norm <= plan.geoms[a].boundingRadius + radius + candidate.cutoff
      }
      #expect(broadPhase.near.map(Int.init) == expected)
      for index in 1...count {
        poses[index].position += Vector3(random.uniform(-0.02, 0.02), random.uniform(-0.05, 0.05), 0.01)
      }
      if step == 20 { poses = Self.poses(count, &random).map { turnedAxes($0) } }
    }
  }

  private func turnedAxes(_ pose: GeomPose<Double>) -> GeomPose<Double> {
    let p = pose.position
    return GeomPose(position: Vector3(p.y, p.z, p.x), rotation: pose.rotation)
  }
}
