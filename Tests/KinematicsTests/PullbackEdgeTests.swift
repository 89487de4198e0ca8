import Costate
import TestSupport
import Testing

@Suite("Pullback at the edges")
struct PullbackEdgeTests {
  let ball = """
    <mujoco><worldbody><body><joint name="shoulder" type="ball"/><geom size="0.1"/>
      <body pos="0 0 1"><joint type="slide"/><geom size="0.1"/></body></body></worldbody></mujoco>
    """

  @Test("Wrong input is refused with its name and place")
  func errors() throws {
    let model = try Model(mjcf: ball, name: "ball.xml")
    let kinematics = try ForwardKinematics<Double>(model, frames: Frame.bodies(of: model))
    let q = [1, 0, 0, 0, 0.1, 0.6, 0, 0.8, 0, 0.2]
    let ones = [Double](repeating: 1, count: 2 * 3 * 16)
    #expect(throws: KinematicsError.wrongCount(name: "cotangents", expected: "2 x 48", actual: 95)) {
      try kinematics.pullback(at: q, cotangents: Array(ones.dropLast()), format: .matrix4x4)
    }
    #expect(throws: KinematicsError.self) {
      try kinematics.pullback(at: Array(q.dropLast()), cotangents: ones, format: .matrix4x4)
    }
    for bad in [Double.nan, .infinity] {
      for index in [0, 11, 16, 47, 48 + 32 + 5] where index % 16 < 12 {
        var cotangents = ones
        cotangents[index] = bad
        #expect(throws: KinematicsError.notFinite(name: "cotangents", index: index)) {
          try kinematics.pullback(at: q, cotangents: cotangents, format: .matrix4x4)
        }
      }
      var positions = q
      positions[9] = bad
      #expect(throws: KinematicsError.notFinite(name: "positions", index: 9)) {
        try kinematics.pullback(at: positions, cotangents: ones, format: .matrix4x4)
      }
    }
    // The last row of a homogeneous transformation is not read.
    var unread = ones
    unread[15] = .nan
    #expect(
      try kinematics.pullback(at: q, cotangents: unread, format: .matrix4x4)
        == kinematics.pullback(at: q, cotangents: ones, format: .matrix4x4))
    var zero = q
    for k in 5..<9 { zero[k] = 0 }
    #expect(throws: KinematicsError.zeroQuaternion(joint: "shoulder", configuration: 1)) {
      try kinematics.pullback(at: zero, cotangents: ones, format: .matrix4x4)
    }
    var huge = q
    huge[7] = 1e200
    #expect(
      throws: KinematicsError.overflow(name: "the quaternion of joint 'shoulder' in configuration 1")
    ) { try kinematics.poses(at: huge) }
    var positions = q
    positions[4] = .nan
    #expect(throws: KinematicsError.notFinite(name: "positions", index: 4)) {
      try kinematics.valueAndGradient(at: positions) { _, poses, _ in
        #expect(poses[0].isFinite)
        return 0
      }
    }
    #expect(throws: KinematicsError.overflow(name: "gradient")) {
      try kinematics.pullback(at: q, cotangents: ones.map { $0 * 1e308 }, format: .matrix4x4)
    }
    #expect(throws: KinematicsError.notFinite(name: "cost", index: 1)) {
      try kinematics.valueAndGradient(at: q) { index, _, _ in index == 1 ? .nan : 0 }
    }
    #expect(throws: KinematicsError.notFinite(name: "cotangents left by the cost", index: 21 + 4)) {
      try kinematics.valueAndGradient(at: q) { index, _, cotangents in
        if index == 1 { cotangents[4] = .infinity }
        return 0
      }
    }
  }

  @Test("No frames, and the world's frame", arguments: PoseFormat.allCases)
  func nothingToMove(format: PoseFormat) throws {
    let model = try Model(mjcf: ball, name: "ball.xml")
    let q = [1, 0, 0, 0, 0.1, 0.6, 0, 0.8, 0, 0.2]
    let none = try ForwardKinematics<Double>(model, frames: [])
    #expect(
      try none.pullback(at: q, cotangents: [], format: format) == [Double](repeating: 0, count: 8))
    let world = try ForwardKinematics<Double>(model, frames: [.world])
    let cotangents = [Double](repeating: 1, count: 2 * format.width)
    #expect(
      try world.pullback(at: q, cotangents: cotangents, format: format, coordinates: .positions)
        == [Double](repeating: 0, count: 10))
    #expect(throws: KinematicsError.notFinite(name: "cotangents", index: 1)) {
      try world.pullback(
        at: q, cotangents: cotangents.enumerated().map { $0 == 1 ? .nan : $1 }, format: format)
    }
  }

  @Test("A model in which nothing moves")
  func noJoints() throws {
    let model = try Model(
      mjcf: "<mujoco><worldbody><body pos=\"1 2 3\"><geom size=\"1\"/></body></worldbody></mujoco>",
      name: "still.xml")
    let kinematics = try ForwardKinematics<Double>(model, frames: Frame.bodies(of: model))
    let ones = [Double](repeating: 1, count: 14)
    let both = try kinematics.posesAndPullback(at: [], cotangents: ones)
    #expect(both.gradient.isEmpty)
    #expect(both.poses == [0, 0, 0, 1, 0, 0, 0, 1, 2, 3, 1, 0, 0, 0])
    #expect(throws: KinematicsError.notFinite(name: "cotangents", index: 13)) {
      try kinematics.pullback(at: [], cotangents: ones.dropLast() + [.nan])
    }
    let (values, gradient) = try kinematics.valueAndGradient(at: []) { _, poses, _ in poses[9] }
    #expect(values == [3] && gradient.isEmpty)
  }
}
