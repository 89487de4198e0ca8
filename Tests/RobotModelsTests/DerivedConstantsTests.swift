import Lanes
import Testing

@testable import RobotModels

/// Constants that follow from a model at its default configuration, against MuJoCo 3.12.0.
@Suite struct DerivedConstantsTests {
  @Test func springsAndDampingRatios() throws {
    let model = try Model(
      mjcf: """
        <mujoco><compiler angle="radian"/><worldbody>
        <body><joint name="h" springdamper="0.2 0.7" axis="0 1 0"/>
        <joint name="s" type="slide" axis="1 0 1" ref="0.1" springref="0.3"/><geom type="box" size=".1 .2 .3"/>
        <body pos="0 0 .5"><joint name="e" axis="0 1 0" pos="0 0 -.1"/><geom type="capsule" size=".05 .2"/></body>
        </body></worldbody>
        <tendon><fixed name="t"><joint joint="s" coef="2"/><joint joint="e" coef="-1"/></fixed></tendon>
        <actuator><position joint="e" kp="40" dampratio="0.8" gear="3"/>
        <position tendon="t" kp="5" dampratio="1"/></actuator></mujoco>
        """)
    expectClose(model.joints.map(\.stiffness), [100.73768853529162, 0, 0])
    expectClose(model.degreesOfFreedom.map(\.damping), [19.74458695291716, 0, 0])
    expectClose(model.actuators.map { $0.biasParameters[2] }, [-1.0976712765441716, -16.138274820848586])
    expectClose(model.tendons[0].springLength, [0.6, 0.6])
    expectClose(
      model.degreesOfFreedom.map(\.inertia0), [2.5855437953698988, 51.665191429188084, 0.10589785236475585])
    expectClose([model.meanInertia], [18.11887769230758])
  }

  /// Bodies that only slide along their own axes have the inverse of their mass, armature left out.
  @Test(arguments: [
    ("1 0 0", [0.5, 0.5], [0.5, 0.0]),
    ("1 1 0", [0.6666666666666667, 0.8333333333333333], [0.27777777777777773, 0]),
  ])
  func slidingBodies(axis: String, freedoms: [Double], body: [Double]) throws {
    let model = try Model(
      mjcf: """
        <mujoco><worldbody><body><joint type="slide" axis="\(axis)" armature=".5"/>
        <joint type="slide" axis="0 1 0"/><geom size=".1" mass="2"/></body></worldbody></mujoco>
        """)
    expectClose(model.degreesOfFreedom.map(\.inverseWeight0), freedoms)
    expectClose(model.bodies[1].inverseWeight0, body)
  }

  @Test func tendonArmature() throws {
    let model = try Model(
      mjcf: """
        <mujoco><worldbody><body><joint name="h" axis="0 1 0"/><geom type="box" size=".1 .2 .3" pos=".2 0 0"/>
        <body pos="0 0 .5"><joint name="e" axis="0 1 0" pos="0 0 -.1" armature=".2"/>
        <geom type="capsule" size=".05 .2" pos=".1 0 0"/></body></body></worldbody>
        <tendon><fixed armature="0.6"><joint joint="h" coef="2"/><joint joint="e" coef="-1"/></fixed></tendon>
        </mujoco>
        """)
    expectClose(model.degreesOfFreedom.map(\.inverseWeight0), [0.16496223015829106, 1.215002249189792])
    expectClose(
      model.bodies.flatMap(\.inverseWeight0),
      [0, 0, 0.0021994964021105476, 0.05498741005276369, 0.028773258923559416, 0.5662634483700651])
    expectClose(model.degreesOfFreedom.map(\.inertia0), [4.54219570966178, 0.3425497666566367])
    expectClose([model.meanInertia], [3.942372738159208])
  }

  /// Expected values from MuJoCo's mass matrix and Jacobians of the robot without mimic relations, at the
  /// configuration that they imply, projected onto the two independent joints.
  @Test func mimicJoints() throws {
    let model = try ModelCompiler.compile(gripper())
    #expect(model.velocityCount == 2)
    #expect(model.joints.map(\.velocityAddress) == [0, 1, 1, 1])
    #expect(model.joints[2].mimic == Mimic(source: 1, multiplier: 0.5, offset: 0.1))
    // The chain right -> tip -> left is resolved: -2 (0.5 q + 0.1) + 0.6.
    #expect(model.joints[3].mimic?.source == 1)
    expectClose([model.joints[3].mimic?.multiplier ?? 0, model.joints[3].mimic?.offset ?? 0], [-1, 0.4])
    expectClose(model.degreesOfFreedom.map(\.inertia0), [0.15151118111143802, 0.10158177215055175])
    expectClose([model.meanInertia], [0.1265464766309949])
    expectClose(model.degreesOfFreedom.map(\.inverseWeight0), [6.629077772707262, 9.887397923457106])
    expectClose(
      model.bodies.dropFirst().flatMap(\.inverseWeight0),
      [
        0.08838770363609684, 2.2096925909024208, 0.15430368979247763, 5.5054918987214565, 0.5596633014232822,
        6.329441725676215, 0.11775381015256453, 5.5054918987214565,
      ])
  }

  @Test func mimicLoopsAndWrongJointsAreRefused() {
    var loop = gripper()
    loop.bodies[2].joints[0].mimic = ModelSpecification.Mimic(location: loop.location, source: "right")
    #expect(throws: ModelError.self) { try ModelCompiler.compile(loop) }
    var dangling = gripper()
    dangling.bodies[3].joints[0].mimic?.source = "nothing"
    #expect(throws: ModelError.self) { try ModelCompiler.compile(dangling) }
    var ball = gripper()
    ball.bodies[3].joints[0].type = .ball
    #expect(throws: ModelError.self) { try ModelCompiler.compile(ball) }
  }

  @Test func tooManyMimicJointsAreRefused() {
    var many = gripper()
    for _ in 0..<ModelCompiler.largestTieCount {
      var finger = many.bodies[3]
      finger.name = ""
      finger.joints[0].name = ""
      many.bodies.append(finger)
    }
    let error = #expect(throws: ModelError.self) { try ModelCompiler.compile(many) }
    #expect(error?.message.contains("at most 256") == true)
  }

  @Test func recomputingFollowsAChangedMass() throws {
    let text = { (mass: String) in
      """
      <mujoco><worldbody><body pos="0 0 1"><freejoint/><geom type="box" size=".1 .2 .3" mass="3"/>
      <body pos=".3 0 0"><joint axis="0 1 1" pos="-.1 0 0" armature=".01"/>
      <inertial pos="0.1 0 0" mass="\(mass)" diaginertia=".01 .02 .02"/></body></body></worldbody></mujoco>
      """
    }
    var model = try Model(mjcf: text("1"))
    let changed = try Model(mjcf: text("1.75"))
    let before = model
    model.bodies[2].mass = 1.75
    #expect(model.meanInertia == before.meanInertia)
    model.recomputeDerivedConstants()
    #expect(model == changed)
    #expect(model.meanInertia != before.meanInertia)
  }

  /// A base that turns and two fingers; `tip` follows `left`, and `right` follows `tip`.
  private func gripper() -> ModelSpecification {
    let location = ModelError.Location(file: "gripper", line: 1, column: 1)
    var specification = ModelSpecification(location: location)
    func add(
      _ name: String, parent: Int, at position: Vector3<Double>, axis: Vector3<Double>, geom type: GeomType,
      size: Vector3<Double>, geomAt geomPosition: Vector3<Double>, mass: Double
    ) {
      var body = ModelSpecification.Body(location: location)
      body.name = name
      body.parent = parent
      body.pose.position = position
      var joint = ModelSpecification.Joint(location: location)
      joint.name = name
      joint.axis = axis
      body.joints = [joint]
      var geom = ModelSpecification.Geom(location: location)
      geom.type = type
      geom.size = size
      geom.pose.position = geomPosition
      geom.mass = mass
      body.geoms = [geom]
      specification.bodies.append(body)
    }
    add(
      "base", parent: 0, at: Vector3(0, 0, 1), axis: Vector3(0, 0, 1), geom: .box,
      size: Vector3(0.1, 0.2, 0.3), geomAt: Vector3(0.2, 0, 0), mass: 2)
    add(
      "left", parent: 1, at: Vector3(0.1, 0, 0.5), axis: Vector3(0, 1, 0), geom: .capsule,
      size: Vector3(0.05, 0.2, 0), geomAt: Vector3(0.1, 0, 0.1), mass: 0.5)
    add(
      "tip", parent: 2, at: Vector3(0, 0.1, 0.3), axis: Vector3(1, 0, 0), geom: .box,
      size: Vector3(0.05, 0.04, 0.03), geomAt: Vector3(0, 0, 0.1), mass: 0.2)
    add(
      "right", parent: 1, at: Vector3(-0.1, 0, 0.5), axis: Vector3(0, 1, 0), geom: .capsule,
      size: Vector3(0.05, 0.2, 0), geomAt: Vector3(-0.1, 0, 0.1), mass: 0.5)
    specification.bodies[2].joints[0].armature = 0.01
    specification.bodies[3].joints[0].mimic = ModelSpecification.Mimic(
      location: location, source: "left", multiplier: 0.5, offset: 0.1)
    specification.bodies[4].joints[0].armature = 0.02
    specification.bodies[4].joints[0].mimic = ModelSpecification.Mimic(
      location: location, source: "tip", multiplier: -2, offset: 0.6)
    return specification
  }
}
