import Foundation
import Lanes
import Testing

@testable import RobotModels

private let halfRoot = (0.5).squareRoot()

/// Reads a text as a specification.
func mjcf(_ text: String, directory: String? = nil) throws -> ModelSpecification {
  let tree = try XMLTree(text: text, name: "test.xml", directory: directory)
  return try MJCFReader.read(document: tree, isFile: false, options: ModelReadingOptions())
}

@Suite struct MJCFReaderTests {
  @Test func defaultClassesNestAndElementsOverrideThem() throws {
    let model = try mjcf(
      """
      <mujoco model="nested">
        <compiler angle="radian"/>
        <default>
          <geom density="500" friction="0.7"/>
          <joint damping="1" armature="0.1"/>
          <default class="leg">
            <geom size="0.1 0.2" type="capsule"/>
            <joint damping="2"/>
            <default class="foot"><geom friction="0.9 0.1"/></default>
          </default>
        </default>
        <worldbody>
          <geom size="1"/>
          <body name="a" childclass="leg">
            <joint name="j" axis="0 1 0" range="-1 1"/>
            <geom name="g"/>
            <geom name="f" class="foot" density="3"/>
            <body name="b"><joint class="main" name="k"/><geom name="h" class="main" size="1"/></body>
          </body>
        </worldbody>
      </mujoco>
      """)
    #expect(model.name == "nested")
    #expect(model.bodies.map(\.name) == ["world", "a", "b"])
    let geoms = model.bodies.flatMap(\.geoms)
    #expect(geoms.map(\.density) == [500, 500, 3, 500])
    #expect(geoms.map(\.type) == [.sphere, .capsule, .capsule, .sphere])
    #expect(geoms[2].friction == Vector3(0.9, 0.1, 0.0001))
    #expect(geoms[1].friction == Vector3(0.7, 0.005, 0.0001))
    #expect(geoms[1].size == Vector3(0.1, 0.2, 0))
    let joints = model.bodies.flatMap(\.joints)
    #expect(joints.map(\.damping) == [2, 1])
    #expect(joints.map(\.armature) == [0.1, 0.1])
    #expect(joints[0].range == [-1, 1])
  }

  @Test func anglesAreDegreesUnlessSaidOtherwise() throws {
    let model = try mjcf(
      """
      <mujoco><worldbody><body euler="0 0 90">
        <joint range="-90 180" ref="90" springref="45"/>
        <joint type="slide" range="-90 180" ref="90"/>
        <joint type="ball" range="0 90"/>
        <geom size="1" axisangle="0 0 2 180"/>
      </body></worldbody></mujoco>
      """)
    let joints = model.bodies[1].joints
    #expect(joints[0].range == [-Double.pi / 2, Double.pi])
    #expect(joints[0].reference == Double.pi / 2 && joints[0].springReference == Double.pi / 4)
    #expect(joints[1].range == [-90, 180] && joints[1].reference == 90)
    #expect(joints[2].range == [0, Double.pi / 2])
    let half = halfRoot
    #expect(distance(model.bodies[1].pose.orientation, Quaternion(half, 0, 0, half)) < 1e-15)
    #expect(distance(model.bodies[1].geoms[0].pose.orientation, Quaternion(0, 0, 0, 1)) < 1e-15)
  }

  @Test(arguments: [
    ("quat=\"2 0 0 0\"", [2.0, 0, 0, 0]), ("zaxis=\"0 0 -3\"", [0, 1, 0, 0]),
    ("zaxis=\"1 0 0\"", [halfRoot, 0, halfRoot, 0]),
    ("xyaxes=\"0 1 0 -5 3 0\"", [halfRoot, 0, 0, halfRoot]),
    ("xyaxes=\"-1 0 0 0 -1 0\"", [0, 0, 0, 1]), ("xyaxes=\"1 0 0 0 -1 0\"", [0, 1, 0, 0]),
    ("xyaxes=\"-1 0 0 0 1 0\"", [0, 0, 1, 0]), ("euler=\"90 0 90\"", [0.5, 0.5, -0.5, 0.5]),
  ])
  func orientationForms(attribute: String, expected: [Double]) throws {
    let model = try mjcf("<mujoco><worldbody><body \(attribute)/></worldbody></mujoco>")
    let found = model.bodies[1].pose.orientation
    let wanted = Quaternion(expected[0], expected[1], expected[2], expected[3])
    #expect(distance(found, wanted) < 1e-15, "\(found)")
  }

  @Test func eulerSequences() throws {
    func orientation(_ sequence: String) throws -> Quaternion<Double> {
      try mjcf(
        """
        <mujoco><compiler eulerseq="\(sequence)"/><worldbody><body euler="90 90 0"/></worldbody></mujoco>
        """
      ).bodies[1].pose.orientation
    }
    #expect(distance(try orientation("xyz"), Quaternion(0.5, 0.5, 0.5, 0.5)) < 1e-15)
    #expect(distance(try orientation("XYZ"), Quaternion(0.5, 0.5, 0.5, -0.5)) < 1e-15)
    #expect(distance(try orientation("zxy"), Quaternion(0.5, 0.5, 0.5, 0.5)) < 1e-15)
  }

  /// As deep as elements may nest; test threads have small stacks.
  @Test func longChainsAreRead() throws {
    let links = 480
    let open = String(
      repeating: "<body pos='0.1 0 0'><joint axis='0 1 0'/><geom size='0.05'/>\n", count: links)
    let model = try Model(
      mjcf: "<mujoco><worldbody>\(open)\(String(repeating: "</body>", count: links))</worldbody></mujoco>")
    #expect(model.bodies.count == links + 1)
    #expect(model.velocityCount == links)
  }

  @Test func framesNestAndReplicateCopies() throws {
    let model = try mjcf(
      """
      <mujoco><worldbody>
        <frame pos="1 0 0" euler="0 0 90">
          <frame pos="1 0 0"><geom name="g" size="1"/><body name="b" pos="0 1 0"/></frame>
        </frame>
        <replicate count="2" offset="0 1 0" euler="90 0 0">
          <replicate count="2" sep="-" offset="1 0 0" euler="0 90 0"><geom name="Alice" size=".1"/></replicate>
        </replicate>
        <replicate count="10" offset="1 0 0"><body name="r"/></replicate>
      </worldbody></mujoco>
      """)
    let geoms = model.bodies[0].geoms
    #expect(geoms.map(\.name) == ["g", "Alice-00", "Alice-10", "Alice-01", "Alice-11"])
    #expect((geoms[0].frame.position - Vector3(1, 1, 0)).norm < 1e-15)
    #expect((geoms[3].frame.position - Vector3(0, 1, 0)).norm < 1e-15)
    #expect((geoms[4].frame.position - Vector3(1, 1, 0)).norm < 1e-15)
    #expect(distance(geoms[4].frame.orientation, Quaternion(0.5, 0.5, 0.5, 0.5)) < 1e-15)
    #expect(model.bodies[1].frame == geoms[0].frame)
    #expect(model.bodies[2].name == "r00" && model.bodies[11].name == "r09")
    #expect(model.bodies[11].frame.position == Vector3(9, 0, 0))
  }

  @Test func actuatorShortcuts() throws {
    let model = try mjcf(
      """
      <mujoco>
        <default>
          <position kp="10" dampratio="1"/>
        </default>
        <worldbody><body><joint name="j"/><geom size="1"/></body></worldbody>
        <actuator>
          <motor name="motor" joint="j" gear="100"/>
          <position name="position" joint="j"/>
          <position name="filtered" joint="j" kp="5" kv="2" timeconst="0.1"/>
          <velocity name="velocity" joint="j" kv="3"/>
          <intvelocity name="intvelocity" joint="j" kp="7" actrange="-1 1"/>
          <damper name="damper" joint="j" kv="4" ctrlrange="0 1"/>
          <cylinder name="cylinder" joint="j" timeconst="2" diameter="2" bias="1 2 3"/>
          <general name="general" joint="j" gaintype="affine" gainprm="1 2 3" biastype="affine" biasprm="4 5 6"
            dyntype="filter" dynprm="0.5"/>
        </actuator>
      </mujoco>
      """)
    let actuators = Dictionary(uniqueKeysWithValues: model.actuators.map { ($0.name, $0) })
    func check(
      _ name: String, _ dynamics: ActuatorDynamics, _ gain: ActuatorGain, _ bias: ActuatorBias,
      _ gains: [Double], _ biases: [Double], _ time: Double = 1
    ) throws {
      let actuator = try #require(actuators[name])
      #expect(actuator.dynamics == dynamics && actuator.gain == gain && actuator.bias == bias, "\(name)")
      #expect(Array(actuator.gainParameters[0..<3]) == gains, "\(name)")
      #expect(Array(actuator.biasParameters[0..<3]) == biases, "\(name)")
      #expect(actuator.dynamicsParameters[0] == time, "\(name)")
    }
    try check("motor", .none, .fixed, .none, [1, 0, 0], [0, -10, 1])
    try check("position", .none, .fixed, .affine, [10, 0, 0], [0, -10, 1])
    try check("filtered", .filterExact, .fixed, .affine, [5, 0, 0], [0, -5, -2], 0.1)
    try check("velocity", .none, .fixed, .affine, [3, 0, 0], [0, 0, -3])
    try check("intvelocity", .integrator, .fixed, .affine, [7, 0, 0], [0, -7, 1])
    try check("damper", .none, .affine, .none, [0, 0, -4], [0, -10, 1])
    try check("cylinder", .filter, .fixed, .affine, [Double.pi, 0, 0], [1, 2, 3], 2)
    try check("general", .filter, .affine, .affine, [1, 2, 3], [4, 5, 6], 0.5)
    #expect(actuators["motor"]?.gear == [100, 0, 0, 0, 0, 0])
    #expect(actuators["damper"]?.controlLimited == .yes)
  }

  @Test func optionsAndFlags() throws {
    let model = try mjcf(
      """
      <mujoco>
        <option timestep="0.01" integrator="RK4" gravity="0 0 -1" iterations="7" actuatorgroupdisable="0 3"
          cone="elliptic" solver="CG">
          <flag contact="disable" energy="enable" warmstart="disable"/>
        </option>
        <option><flag warmstart="enable"/></option>
        <statistic meaninertia="2"/>
      </mujoco>
      """)
    #expect(model.options.timestep == 0.01 && model.options.integrator == .rungeKutta4)
    #expect(model.options.gravity == Vector3(0, 0, -1) && model.options.iterations == 7)
    #expect(model.options.disabledActuatorGroups == 0b1001)
    #expect(model.options.cone == .elliptic && model.options.solver == .conjugateGradient)
    #expect(model.options.disabled == .contact && model.options.enabled == .energy)
    #expect(model.meanInertia == 2)
  }

  @Test func constraintsTendonsAndKeyframes() throws {
    let model = try mjcf(
      """
      <mujoco>
        <default><equality solref="0.1"/><tendon stiffness="3"/></default>
        <worldbody>
          <body name="a"><joint name="j"/><geom name="g" size="1"/><site name="s"/></body>
          <body name="b"><joint name="k"/><geom name="h" size="1"/></body>
        </worldbody>
        <contact><pair geom1="g" geom2="h" friction="2"/><exclude body1="a" body2="world"/></contact>
        <equality>
          <connect body1="a" anchor="1 2 3"/>
          <weld body1="a" body2="b" torquescale="4"/>
          <joint joint1="j" joint2="k" polycoef="0 2"/>
        </equality>
        <tendon>
          <fixed name="t" springlength="0.5"><joint joint="j" coef="2"/><joint joint="k" coef="-1"/></fixed>
        </tendon>
        <keyframe><key name="home" time="1" qpos="1 2"/></keyframe>
      </mujoco>
      """)
    #expect(model.contactPairs[0].friction == [2, 1, 0.005, 0.0001, 0.0001])
    #expect(model.contactPairs[0].solverReference == nil)
    #expect(model.contactExclusions[0].body2 == "world")
    #expect(model.equalities.map(\.type) == [.connect, .weld, .joint])
    #expect(model.equalities[0].data[0..<3] == [1, 2, 3] && model.equalities[0].solverReference == [0.1, 1])
    #expect(model.equalities[1].data == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4])
    #expect(model.equalities[2].data[0..<3] == [0, 2, 0])
    #expect(model.tendons[0].springLength == [0.5, 0.5] && model.tendons[0].stiffness == 3)
    #expect(model.tendons[0].joints.map(\.coefficient) == [2, -1])
    #expect(model.keyframes[0].position == [1, 2] && model.keyframes[0].velocity == nil)
  }

  @Test func heightFieldsHaveTheMassOfABox() throws {
    let model = try mjcf(
      """
      <mujoco><asset><hfield name="h" nrow="2" ncol="2" size="1 2 4 0.5"/></asset>
      <worldbody><geom type="hfield" hfield="h"/></worldbody></mujoco>
      """)
    #expect(model.bodies[0].geoms[0].size == Vector3(1, 2, 1.25))
    for geom in ["<geom type=\"hfield\"/>", "<geom size=\"1\" hfield=\"h\"/>"] {
      #expect(throws: ModelError.self) {
        try mjcf(
          """
          <mujoco><asset><hfield name="h" nrow="2" ncol="2" size="1 2 4 0.5"/></asset>
          <worldbody>\(geom)</worldbody></mujoco>
          """)
      }
    }
  }

  @Test func whatIsNotSimulatedIsListed() throws {
    let model = try mjcf(
      """
      <mujoco>
        <option><flag sleep="enable"/></option>
        <default><default class="soft"><joint stiffness="1 2"/></default></default>
        <asset><texture name="t" builtin="flat" type="2d" width="8" height="8"/></asset>
        <worldbody><light name="sun"/><camera name="eye"/>
          <body><joint name="a" class="soft"/><joint name="b" class="soft" stiffness="3" axis="1 0 0"/>
            <geom name="belt" size="1" surfacevel="0 0 1"/></body></worldbody>
        <actuator><motor name="late" joint="a" delay="0.1" nsample="3"/></actuator>
        <sensor><jointpos name="p" joint="a"/></sensor>
      </mujoco>
      """)
    #expect(
      model.unsupported.map { "\($0.category.rawValue): \($0.description)" } == [
        "other: option flag 'sleep': enabled",
        "passive: joint 'a': polynomial stiffness",
        "contact: geom 'belt': surface velocity (surfacevel)",
        "actuation: motor 'late': delayed control (delay)",
        "actuation: motor 'late': control history (nsample)",
      ])
    #expect(
      model.notEvaluated == ["texture 't'", "light 'sun'", "camera 'eye'"])
  }

  private func distance(_ a: Quaternion<Double>, _ b: Quaternion<Double>) -> Double {
    let (p, q) = (a.normalized.array, b.normalized.array)
    let minus = zip(p, q).map { abs($0 - $1) }.max() ?? 0
    let plus = zip(p, q).map { abs($0 + $1) }.max() ?? 0
    return min(minus, plus)
  }
}
