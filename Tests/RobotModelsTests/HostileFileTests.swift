import Foundation
import Lanes
import Testing

@testable import RobotModels

/// Files that are broken, inconsistent or hostile: each must give an error at the right line that says what would
/// be valid.
@Suite struct HostileFileTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var text: String
    var line: Int
    var column: Int? = nil
    /// Parts of the message.
    var message: [String]
    var testDescription: String { name }
  }

  private static func body(_ content: String) -> String {
    "<mujoco>\n<worldbody>\n<body name=\"b\">\n\(content)\n<geom size=\"1\"/></body></worldbody></mujoco>"
  }

  private func failure(_ text: String) -> ModelError? {
    do {
      _ =
        try text.contains("<robot")
        ? Model(urdf: text, name: "hostile.xml") : Model(mjcf: text, name: "hostile.xml")
      return nil
    } catch { return error as? ModelError }
  }

  static let cases: [Case] = [
    Case(
      name: "truncated between tags", text: "<mujoco>\n<worldbody>\n<body>", line: 3,
      message: ["truncated", "</body>"]),
    Case(
      name: "truncated in a tag", text: "<mujoco>\n<worldbody>\n<body na", line: 3, message: ["truncated"]),
    Case(
      name: "truncated in a value", text: "<mujoco>\n<worldbody>\n<body name=\"b", line: 3,
      message: ["truncated", "quote"]),
    Case(
      name: "mismatched tags", text: "<mujoco>\n<worldbody>\n</mujoco>", line: 3,
      message: ["expected </worldbody>", "line 2"]),
    Case(name: "not XML", text: "solid cube\n facet normal", line: 1, message: ["XML"]),
    Case(
      name: "entity bomb",
      text: """
        <?xml version="1.0"?>
        <!DOCTYPE mujoco [
        <!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">
        ]>
        <mujoco model="&c;"/>
        """, line: 2, column: 1, message: ["entities", "remove the <!DOCTYPE"]),
    Case(
      name: "external entity",
      text: "<!DOCTYPE mujoco [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n<mujoco model=\"&x;\"/>", line: 1,
      message: ["not accepted"]),
    Case(
      name: "external document type",
      text: "\n<!DOCTYPE mujoco SYSTEM \"http://example.com/evil.dtd\">\n<mujoco/>", line: 2,
      message: ["external references are not accepted"]),
    Case(
      name: "undeclared entity", text: "<mujoco>\n<worldbody>&evil;</worldbody></mujoco>", line: 2,
      message: ["&lt;"]),
    Case(
      name: "10^5 nested bodies",
      text: "<mujoco><worldbody>\n" + String(repeating: "<body>\n", count: 100_000), line: 500,
      message: ["at most 500 levels"]),
    Case(
      name: "not a number", text: body("<joint\n damping=\"nan\"/>"), line: 5, column: 2,
      message: ["'damping'", "not a number", "finite decimal numbers"]),
    Case(
      name: "infinity", text: body("<joint range=\"-inf inf\"/>"), line: 4, column: 8,
      message: ["'range'", "not a number"]),
    Case(
      name: "a mass whose inertia overflows", text: body("<joint/><geom size=\"1\" mass=\"1e308\"/>"),
      line: 3,
      message: ["body 'b'", "overflows", "kilograms"]),
    Case(
      name: "a size whose mass overflows", text: body("<joint/><geom size=\"1e150\"/>"), line: 3,
      message: ["body 'b'", "overflows", "metres"]),
    Case(
      name: "a lever whose inertia overflows", text: body("<joint name=\"j\" pos=\"1e160 0 0\"/>"), line: 4,
      message: ["joint 'j'", "overflows"]),
    Case(
      name: "1e400", text: body("<joint armature=\"1e400\"/>"), line: 4, column: 8,
      message: ["'armature'", "1e400", "too large"]),
    Case(
      name: "trailing junk", text: body("<joint pos=\"1 2 3m\"/>"), line: 4,
      message: ["'3m'", "not a number"]),
    Case(
      name: "too few numbers", text: body("<joint axis=\"0 1\"/>"), line: 4,
      message: ["2 values", "expected 3 numbers"]),
    Case(
      name: "a fraction where a whole number belongs", text: body("<geom size=\"1\" condim=\"3.5\"/>"),
      line: 4,
      message: ["'condim'", "whole number"]),
    Case(
      name: "a wrong keyword", text: body("<joint type=\"hing\"/>"), line: 4,
      message: ["'hing'", "'hinge'", "'slide'"]),
    Case(
      name: "duplicate body", text: body("<body\n name=\"b\"/>"), line: 5, column: 2,
      message: ["'b'", "line 3", "must differ"]),
    Case(
      name: "duplicate joint", text: body("<joint name=\"j\"/>\n<joint name=\"j\" axis=\"1 0 0\"/>"), line: 5,
      message: ["'j'", "line 4", "must differ"]),
    Case(
      name: "dangling class", text: body("<joint class=\"missing\"/>"), line: 4, column: 8,
      message: ["default class 'missing' does not exist", "'main'"]),
    Case(
      name: "dangling mesh", text: body("<geom type=\"mesh\" mesh=\"bunny\"/>"), line: 4,
      message: ["mesh 'bunny' does not exist"]),
    Case(
      name: "dangling joint of an actuator",
      text: body("<joint name=\"knee\"/>").replacing(
        "</mujoco>", with: "\n<actuator><motor joint=\"kneee\"/></actuator></mujoco>"),
      line: 6, message: ["'kneee'", "'knee'"]),
    Case(
      name: "dangling body of an exclusion",
      text: "<mujoco>\n<worldbody/>\n<contact>\n<exclude body1=\"world\" body2=\"b\"/></contact></mujoco>",
      line: 4,
      message: ["'b'", "does not exist"]),
    Case(
      name: "dangling site of a sensor",
      text: "<mujoco>\n<sensor>\n<gyro site=\"imu\"/></sensor></mujoco>", line: 3,
      message: ["site 'imu' does not exist"]),
    Case(
      name: "unknown attribute", text: body("<geom sise=\"1\"/>"), line: 4, column: 7,
      message: ["no attribute 'sise'", "'size'"]),
    Case(
      name: "unknown element", text: body("<goem size=\"1\"/>"), line: 4, column: 1,
      message: ["<goem>", "'geom'"]),
    Case(
      name: "an element in the wrong place", text: "<mujoco>\n<joint/></mujoco>", line: 2,
      message: ["cannot stand inside <mujoco>", "worldbody"]),
    Case(
      name: "an unknown root", text: "\n<mojoco/>", line: 2, message: ["<mojoco>", "expected <mujoco>"]),
    Case(
      name: "zero mass on a moving body",
      text: "<mujoco>\n<worldbody>\n<body name=\"ghost\">\n<joint/></body></worldbody></mujoco>", line: 3,
      message: ["'ghost'", "mass"]),
    Case(
      name: "negative mass",
      text: body("<inertial pos=\"0 0 0\" mass=\"-1\" diaginertia=\"1 1 1\"/>"), line: 4,
      message: ["'mass'", "at least 0"]),
    Case(
      name: "an inertia that no body can have",
      text: body("<joint/><inertial pos=\"0 0 0\" mass=\"1\" diaginertia=\"1 1 5\"/>"), line: 4,
      message: ["inertia"]),
    Case(
      name: "a quaternion without length", text: body("<joint/><geom size=\"1\" quat=\"0 0 0 0\"/>"), line: 4,
      message: ["'quat'", "1 0 0 0"]),
    Case(
      name: "two orientations", text: body("<geom size=\"1\" euler=\"0 0 0\" quat=\"1 0 0 0\"/>"), line: 4,
      message: ["only one form"]),
    Case(
      name: "an axis without length", text: body("<joint axis=\"0 0 0\"/>"), line: 4,
      message: ["axis", "direction"]),
    Case(
      name: "a range upside down", text: body("<joint name=\"j\" range=\"2 1\"/>"), line: 4,
      message: ["range", "smaller"]),
    Case(
      name: "a geom without size", text: body("<geom name=\"g\" type=\"box\" size=\"1 0 1\"/>"), line: 4,
      message: ["'g'", "size"]),
    Case(
      name: "a group range upside down", text: "<mujoco>\n<compiler inertiagrouprange=\"5 0\"/></mujoco>",
      line: 2,
      message: ["smaller group first"]),
    Case(
      name: "a timestep of zero", text: "<mujoco>\n<option timestep=\"0\"/></mujoco>", line: 2,
      message: ["positive"]),
    Case(
      name: "a replicate bomb",
      text: "<mujoco>\n<worldbody>\n" + String(repeating: "<replicate count=\"1000000\">\n", count: 5)
        + "<geom size=\"1\"/>" + String(repeating: "</replicate>", count: 5) + "</worldbody></mujoco>",
      line: 8,
      message: ["more than 100000 elements", "count"]),
    Case(
      name: "a keyframe of the wrong length",
      text: body("<joint/>").replacing(
        "</mujoco>", with: "\n<keyframe><key qpos=\"1 2\"/></keyframe></mujoco>"), line: 6,
      message: ["qpos", "1"]),
    Case(
      name: "a joint loop",
      text: """
        <robot name="r">
        <link name="a"/><link name="b"/>
        <joint name="j" type="fixed"><parent link="a"/><child link="b"/></joint>
        <joint name="k" type="fixed"><parent link="b"/><child link="a"/></joint>
        </robot>
        """, line: 4, message: ["loop"]),
    Case(
      name: "a second parent",
      text: """
        <robot name="r">
        <link name="a"/><link name="b"/><link name="c"/>
        <joint name="j" type="fixed"><parent link="a"/><child link="c"/></joint>
        <joint name="k" type="fixed"><parent link="b"/><child link="c"/></joint>
        </robot>
        """, line: 4, message: ["two parents"]),
    Case(
      name: "an include without a directory", text: "<mujoco>\n<include file=\"a.xml\"/></mujoco>", line: 2,
      message: ["no directory"]),
    Case(
      name: "a URI", text: "<mujoco>\n<include file=\"http://example.com/a.xml\"/></mujoco>", line: 2,
      message: ["URI", "never opened"]),
  ]

  @Test(arguments: cases)
  func errorIsLocatedAndSaysWhatIsValid(_ hostile: Case) throws {
    let start = ContinuousClock.now
    let error = try #require(failure(hostile.text), "no error")
    #if !DEBUG
      #expect(ContinuousClock.now - start < .seconds(2))
    #endif
    #expect(error.kind == .invalid)
    #expect(error.location.file == "hostile.xml")
    #expect(error.location.line == hostile.line, "\(error)")
    if let column = hostile.column { #expect(error.location.column == column, "\(error)") }
    for part in hostile.message { #expect(error.message.contains(part), "\(error)") }
  }

  @Test func quaternionsOfAnyOtherLengthAreNormalised() throws {
    for quaternion in ["2 0 0 0", "1e200 0 0 0", "1e-9 0 0 0"] {
      let model = try Model(mjcf: Self.body("<joint/><geom size=\"1\" quat=\"\(quaternion)\"/>"))
      #expect(model.geoms[0].orientation == .identity)
    }
  }
}
