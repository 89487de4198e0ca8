import Testing

@testable import RobotModels

@Suite struct URDFErrorTests {
  static let cases: [(String, String)] = [
    ("<robot/>", "1:1: <robot> has no <link>"),
    ("<robot><link/></robot>", "1:8: <link> needs the attribute 'name'"),
    ("<robot><link name=\"\"/></robot>", "1:14: attribute 'name' of <link> must not be empty"),
    (
      "<robot>\n<link name=\"a\"/>\n<link name=\"a\"/></robot>",
      "3:7: a second link 'a', the first is in line 2"
    ),
    (
      "<robot><link name=\"a\"/>\n<link name=\"b\"/></robot>",
      "2:1: 2 links are not the child of any joint ('a', 'b')"
    ),
    (
      "<robot><link name=\"a\"/>\n" + hinge("j", "a", "c") + "</robot>",
      "2:58: the child of <joint> 'j', link 'c'"
    ),
    (
      "<robot><link name=\"left_arm\"/>\n" + hinge("j", "left_amr", "left_arm") + "</robot>",
      "2:41: the parent of <joint> 'j', link 'left_amr', does not exist; did you mean 'left_arm'?"
    ),
    (
      "<robot><link name=\"a\"/>\n" + hinge("j", "a", "a") + "</robot>",
      "2:1: <joint> 'j' joins link 'a' to itself"
    ),
    (
      "<robot><link name=\"a\"/><link name=\"b\"/>\n" + hinge("j", "a", "b") + "\n" + hinge("k", "a", "b")
        + "</robot>",
      "3:1: link 'b' has two parents: joint 'j' in line 2 and joint 'k'"
    ),
    (
      "<robot><link name=\"a\"/><link name=\"b\"/><link name=\"c\"/>\n" + hinge("j", "a", "b") + "\n"
        + hinge("j", "a", "c") + "</robot>", "3:8: a second joint 'j', the first is in line 2"
    ),
    (
      "<robot><link name=\"a\"/><link name=\"b\"/>\n" + hinge("j", "a", "b") + "\n" + hinge("k", "b", "a")
        + "</robot>",
      "3:1: joint 'k' closes a loop through link 'a'"
    ),
    (
      "<robot><link name=\"r\"/><link name=\"a\"/><link name=\"b\"/><link name=\"c\"/>\n"
        + hinge("j", "a", "b") + "\n"
        + hinge("k", "b", "a") + hinge("l", "b", "c") + "</robot>",
      "3:1: joint 'k' closes a loop through link 'a'"
    ),
    (
      urdfRobot(urdfJoint("fixed").replacing("<child link=\"b\"/>", with: "")),
      "4:1: <joint> 'j' needs a <child> inside"
    ),
    (urdfRobot(urdfJoint("screw")), "4:17: attribute 'type' of <joint> 'j' is 'screw'; expected 'revolute'"),
    (
      urdfRobot(urdfJoint("fixed").replacing(" type=\"fixed\"", with: "")),
      "4:1: <joint> needs the attribute 'type'"
    ),
    (urdfRobot(urdfJoint("continuous", "<axis xyz=\"0 0 0\"/>")), "4:76: the axis of <joint> 'j' is 0 0 0"),
    (
      urdfRobot(urdfJoint("continuous", "<axis xyz=\"0 0\"/>")),
      "4:76: attribute 'xyz' of <axis> has 2 values"
    ),
    (
      urdfRobot(urdfJoint("continuous", "<axis xyz=\"0 nan 1\"/>")),
      "4:76: attribute 'xyz' of <axis> holds 'nan'"
    ),
    (
      urdfRobot(urdfJoint("continuous", "<origin rpy=\"0 1e400 1\"/>")),
      "4:78: attribute 'rpy' of <origin> holds '1e400', which is too large"
    ),
    (urdfRobot(urdfJoint("fixed", "<origin/><origin/>")), "4:74: a second <origin> inside <joint> 'j'"),
    (
      urdfRobot(urdfJoint("revolute", "<limit lower=\"1\" upper=\"-1\"/>")),
      "4:75: the range of <joint> 'j' is upside down: lower is 1.0, upper -1.0"
    ),
    (
      urdfRobot(urdfJoint("revolute", "<dynamics damping=\"-1\"/>")),
      "4:78: attribute 'damping' of <dynamics> is -1.0"
    ),
    (
      urdfRobot(urdfJoint("revolute", "<limits lower=\"0\"/>")),
      "4:68: <limits> inside <joint> 'j' is not known"
    ),
    (
      urdfRobot(urdfJoint("fixed"), more: "<xacro:macro xmlns:xacro=\"x:y\"/>"), "5:1: <xacro:macro> is xacro"
    ),
    (
      urdfRobot(urdfJoint("fixed"), more: "<joints/>"),
      "5:1: <joints> inside <robot> 'r' is not known; did you mean"
    ),
    (
      urdfRobot(urdfJoint("fixed")).replacing("<mass value=\"1\"/>", with: ""),
      "3:16: <inertial> needs a <mass> inside"
    ),
    (
      urdfRobot(urdfJoint("fixed")).replacing("value=\"1\"", with: ""),
      "3:26: <mass> needs the attribute 'value'"
    ),
    (
      urdfRobot(urdfJoint("fixed")).replacing("value=\"1\"", with: "value=\"-1\""),
      "3:16: the mass of <link> 'b' is -1.0"
    ),
    (
      urdfRobot(urdfJoint("fixed")).replacing("ixy=\"0\"", with: ""),
      "3:43: <inertia> needs the attribute 'ixy'"
    ),
    (
      urdfRobot(urdfJoint("fixed")).replacing("\"0\"", with: "\"1.7e308\""),
      "3:43: the inertia of <link> 'b' is too large"
    ),
    (
      urdfRobot(urdfJoint("fixed")).replacing("\"b\"", with: "\"world\""),
      "3:7: only the root link can be called 'world'"
    ),
  ]

  @Test(arguments: cases.indices)
  func refuses(index: Int) {
    let (text, message) = Self.cases[index]
    let error = #expect(throws: ModelError.self) { try urdf(text) }
    #expect(error?.kind == .invalid)
    #expect(error?.description.hasPrefix("r.urdf:" + message) == true, "\(error?.description ?? "no error")")
  }

  @Test(arguments: [
    ("<collision/>", "1:23: <collision> needs a <geometry> inside"),
    ("<collision><geometry/></collision>", "1:34: <geometry> holds 0 shapes; expected one of box"),
    ("<collision><geometry><cone/></geometry></collision>", "1:44: <cone> is not a shape"),
    ("<collision><geometry><box/></geometry></collision>", "1:44: <box> needs the attribute 'size'"),
    (
      "<collision><geometry><box size=\"1 2\"/></geometry></collision>",
      "1:49: attribute 'size' of <box> has 2"
    ),
    ("<collision><geometry><sphere/></geometry></collision>", "1:44: <sphere> needs the attribute 'radius'"),
    (
      "<collision><geometry><cylinder radius=\"1\"/></geometry></collision>",
      "1:44: <cylinder> needs the attribute 'length'"
    ),
    ("<collision><geometry><mesh/></geometry></collision>", "1:44: <mesh> needs the attribute 'filename'"),
    (
      "<collision><geometry><mesh filename=\"a.stl\" scale=\"1 0 1\"/></geometry></collision>",
      "1:67: the scale of a mesh cannot be 0"
    ),
    ("<inertial/><inertial/>", "1:34: a second <inertial> inside <link> 'a'"),
    ("<colision/>", "1:23: <colision> inside <link> 'a' is not known; did you mean <collision>?"),
  ])
  func refusesLinks(link: String, message: String) {
    let error = #expect(throws: ModelError.self) {
      try urdf("<robot><link name=\"a\">\(link)</link></robot>")
    }
    #expect(error?.description.hasPrefix("r.urdf:" + message) == true, "\(error?.description ?? "no error")")
  }

  @Test func aMutatedRobotNeverCrashes() {
    var generator = SeededGenerator(seed: 11)
    let texts = URDFFixture.shared.robots.map { Array($0.text!.utf8) }
    let pieces = ["\"", "<", ">", "/", "0", "-", "e9", "nan", "link", "joint", "<mimic joint=\"ja\"/>"].map {
      Array($0.utf8)
    }
    var read = 0
    for round in 0..<2000 {
      var bytes = texts[round % texts.count]
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        let end = min(bytes.count, place + Int.random(in: 0...6, using: &generator))
        bytes.replaceSubrange(place..<end, with: pieces.randomElement(using: &generator)!)
      }
      if (try? urdf(String(decoding: bytes, as: UTF8.self))) != nil { read += 1 }
    }
    #expect(read > 20)
  }
}
