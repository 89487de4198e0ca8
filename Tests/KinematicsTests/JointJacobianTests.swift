import Costate
import TestSupport
import Testing

@Suite("Joint Jacobians")
struct JointJacobianTests {
  /// The Jacobian of a frame, in world axes at the world's origin, is made of the columns of the joints that carry it.
  @Test("Columns of the joints that carry a frame", arguments: [1, 2, 3, 4, 5, 6] as [UInt64], [1, 17])
  func columns(seed: UInt64, count: Int) throws {
    var problem = try RandomModel(seed: seed)
    let model = problem.model
    let kinematics = try ForwardKinematics<Double>(model, frames: problem.frames)
    let q = problem.positions(count)
    let (poses, jacobians) = try kinematics.posesAndJointJacobians(at: q)
    #expect(poses == (try kinematics.poses(at: q)))
    let ranges = kinematics.jointColumns
    let (columns, nv) = (ranges.last!.upperBound, model.velocityCount)
    var expected: [Double] = []
    for c in 0..<count {
      for frame in problem.frames {
        var rows = [Double](repeating: 0, count: 6 * nv)
        var body = frame.body
        while body != 0 {
          for joint in model.bodies[body].joints {
            for (k, column) in ranges[joint].enumerated() {
              for r in 0..<6 {
                rows[r * nv + model.joints[joint].velocityAddress + k] +=
                  jacobians[(6 * c + r) * columns + column]
              }
            }
          }
          body = model.bodies[body].parent
        }
        expected += rows
      }
    }
    #expect(relativeError(try kinematics.jacobians(at: q, reference: .world), expected) < 1e-14)

    let narrow = try ForwardKinematics<Float>(model, frames: problem.frames)
    let single = try narrow.posesAndJointJacobians(at: q.map(Float.init), threads: 2)
    #expect(relativeError(single.jacobians.map(Double.init), jacobians) < 2e-6)
    #expect(relativeError(single.poses.map(Double.init), poses) < 2e-6)
  }

  /// So many configurations that reading past any other array would leave the memory of the process.
  @Test("Frame Jacobians of many configurations")
  func manyConfigurations() throws {
    var problem = try RandomModel(seed: 7)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: [problem.frames.last!])
    let nv = problem.model.velocityCount
    let count = 24_000_000 / (8 * nv)
    let block = problem.positions(1000)
    let q = Array(repeating: block, count: (count + 999) / 1000).flatMap { $0 }
    let all = try kinematics.jacobians(at: q)
    let expected = try kinematics.jacobians(at: block)
    #expect(Array(all.prefix(expected.count)) == expected)
    #expect(Array(all.suffix(expected.count)) == expected)
  }

  @Test("Joints that carry no frame have columns of zeros; wrong input is refused")
  func edges() throws {
    let model = try Model(
      mjcf: """
        <mujoco><worldbody><body name="a"><joint/><geom size="1"/></body>
        <body name="b"><joint type="ball"/><geom size="1"/></body></worldbody></mujoco>
        """, name: "two.xml")
    let kinematics = try ForwardKinematics<Double>(model, frameNames: ["a"])
    #expect(kinematics.jointColumns == [0..<1, 1..<4])
    let (_, jacobians) = try kinematics.posesAndJointJacobians(at: [0.3, 1, 0, 0, 0])
    for r in 0..<6 { #expect(Array(jacobians[(4 * r)..<(4 * r + 4)]) == [r == 5 ? 1 : 0, 0, 0, 0]) }
    #expect(throws: KinematicsError.notFinite(name: "positions", index: 0)) {
      try kinematics.posesAndJointJacobians(at: [.nan, 1, 0, 0, 0])
    }
    #expect(throws: KinematicsError.self) { try kinematics.posesAndJointJacobians(at: [0, 1, 0]) }
    let none = try ForwardKinematics<Double>(model, frames: [])
    let empty = try none.posesAndJointJacobians(at: [0.3, 1, 0, 0, 0])
    #expect(empty.poses.isEmpty && empty.jacobians == [Double](repeating: 0, count: 24))
  }
}
