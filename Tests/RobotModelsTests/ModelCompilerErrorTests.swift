import Lanes
import Testing

@testable import RobotModels

/// Models that are well formed but cannot be compiled: the error stands at the element and says what is valid.
@Suite struct ModelCompilerErrorTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    /// What stands from line 3 on: inside a body that has a geom.
    var body = "<geom size=\".1\"/>"
    /// What follows the world.
    var rest = ""
    /// The element's line counts from 1 at the start of `body`, or of `rest` where that is given.
    var line = 1
    var message: [String]
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(
      name: "springdamper", body: "<geom size=\".1\"/>\n<joint name=\"j\" springdamper=\"1 -1\"/>", line: 2,
      message: ["springdamper", "'j'", "positive"]),
    Case(
      name: "plane on a moving body",
      body: "<joint/><geom size=\".1\"/>\n<geom type=\"plane\" size=\"1 1 1\"/>",
      line: 2,
      message: ["plane", "without joints"]),
    Case(
      name: "mocap with a joint", body: "<geom size=\".1\"/>\n<body name=\"m\" mocap=\"true\"/>", line: 2,
      message: ["mocap", "'m'", "child of the world"]),
    Case(
      name: "nested free joint",
      body: "<geom size=\".1\"/>\n<body name=\"m\">\n<freejoint/><geom size=\".1\"/></body>",
      line: 3,
      message: ["free joint", "'m'", "top level"]),
    Case(
      name: "free joint with another", body: "<geom size=\".1\"/><joint axis=\"1 0 0\"/>\n<freejoint/>",
      line: 2,
      message: ["'b'", "only joint"]),
    Case(
      name: "too many joints",
      body: "\n<geom size=\".1\"/>" + String(repeating: "<joint type=\"slide\"/>", count: 7), line: 0,
      message: ["7 degrees of freedom", "at most 6"]),
    Case(
      name: "rotation after a ball", body: "<geom size=\".1\"/><joint type=\"ball\"/>\n<joint/>", line: 2,
      message: ["rotation after a ball joint"]),
    Case(
      name: "ball limit from below", body: "<geom size=\".1\"/>\n<joint type=\"ball\" range=\"10 20\"/>",
      line: 2,
      message: ["start at 0"]),
    Case(
      name: "fromto of a sphere", body: "\n<geom type=\"sphere\" size=\".1\" fromto=\"0 0 0 0 0 1\"/>",
      line: 2,
      message: ["sphere", "capsule"]),
    Case(
      name: "fromto without length", body: "\n<geom type=\"capsule\" size=\".1\" fromto=\"1 0 0 1 0 0\"/>",
      line: 2, message: ["coincide"]),
    Case(
      name: "fromto and pos",
      body: "\n<geom name=\"g\" type=\"capsule\" size=\".1\" pos=\"1 0 0\" fromto=\"1 0 0 0 0 0\"/>", line: 2,
      message: ["'g'", "both"]),
    Case(
      name: "negative radius", body: "\n<geom name=\"g\" size=\"-1\"/>", line: 2, message: ["'g'", "radius"]),
    Case(
      name: "two joints that do the same",
      body: "<geom size=\".1\" pos=\"1 0 0\"/><joint name=\"i\"/>\n<joint name=\"j\"/>", line: 1,
      message: ["'i'", "no", "armature"]),
    Case(
      name: "actrange without activation", body: "<geom size=\".1\"/><joint name=\"j\"/>",
      rest: "<actuator>\n<general name=\"a\" joint=\"j\" actrange=\"0 1\"/></actuator>", line: 2,
      message: ["'a'", "dyntype"]),
    Case(
      name: "inherited range that is not there", body: "<geom size=\".1\"/><joint name=\"j\"/>",
      rest: "<actuator>\n<position name=\"a\" joint=\"j\" inheritrange=\"1\"/></actuator>", line: 2,
      message: ["'a'", "'j'", "no range"]),
    Case(
      name: "control range upside down", body: "<geom size=\".1\"/><joint name=\"j\"/>",
      rest: "<actuator>\n<motor name=\"a\" joint=\"j\" ctrlrange=\"1 -1\"/></actuator>", line: 2,
      message: ["ctrlrange", "'a'", "smaller"]),
    Case(
      name: "tendon through a ball joint", body: "<geom size=\".1\"/><joint name=\"j\" type=\"ball\"/>",
      rest: "<tendon><fixed name=\"t\">\n<joint joint=\"j\" coef=\"1\"/></fixed></tendon>", line: 2,
      message: ["'t'", "'j'", "hinge or slide"]),
    Case(
      name: "spring length upside down", body: "<geom size=\".1\"/><joint name=\"j\"/>",
      rest:
        "<tendon>\n<fixed name=\"t\" springlength=\"2 1\"><joint joint=\"j\" coef=\"1\"/></fixed></tendon>",
      line: 2, message: ["springlength", "'t'"]),
    Case(
      name: "equality of a body with itself", rest: "<equality>\n<weld body1=\"b\" body2=\"b\"/></equality>",
      line: 2, message: ["'b'", "itself"]),
    Case(
      name: "keyframe too long", body: "<geom size=\".1\"/><joint name=\"j\"/>",
      rest: "<keyframe>\n<key name=\"k\" qvel=\"1 2 3\"/></keyframe>", line: 2,
      message: ["qvel", "'k'", "3 numbers", "has 1"]),
  ]

  @Test(arguments: cases)
  func errorIsLocated(_ wrong: Case) throws {
    let text =
      "<mujoco>\n<worldbody><body name=\"b\">\n\(wrong.body)\n</body></worldbody>\n\(wrong.rest)\n</mujoco>"
    let start = wrong.rest.isEmpty ? 2 : 4 + wrong.body.count { $0 == "\n" }
    let error = #expect(throws: ModelError.self) { try Model(mjcf: text) }
    #expect(error?.location.line == start + wrong.line, "\(error?.description ?? "")")
    for part in wrong.message {
      #expect(error?.message.contains(part) == true, "\(error?.description ?? "")")
    }
  }

  @Test func limitsNeedALimitedAttributeWithoutAutolimits() throws {
    let text = { (limited: String) in
      """
      <mujoco><compiler autolimits="false"/><worldbody><body>
      <joint name="j" range="0 1" \(limited)/><geom size=".1"/></body></worldbody></mujoco>
      """
    }
    let error = #expect(throws: ModelError.self) { try Model(mjcf: text("")) }
    #expect(error?.location.line == 2)
    #expect(error?.message.contains("autolimits") == true)
    #expect(try Model(mjcf: text("limited=\"true\"")).joints[0].limited)
    #expect(try !Model(mjcf: text("limited=\"false\"")).joints[0].limited)
  }

  /// The specification may come from a reader that does not check names.
  @Test func duplicateNamesOfAnyKind() {
    let location = ModelError.Location(file: "s", line: 7, column: 3)
    var bodies = ModelSpecification(location: location)
    bodies.bodies += [
      ModelSpecification.Body(location: location), ModelSpecification.Body(location: location),
    ]
    for index in 1...2 { bodies.bodies[index].name = "same" }
    var meshes = ModelSpecification(location: location)
    meshes.meshes = [
      ModelSpecification.Mesh(location: location), ModelSpecification.Mesh(location: location),
    ]
    for index in 0...1 { meshes.meshes[index].name = "same" }
    for specification in [bodies, meshes] {
      let error = #expect(throws: ModelError.self) { try ModelCompiler.compile(specification) }
      #expect(error?.message.contains("repeated name 'same'") == true)
      #expect(error?.location == location)
    }
  }

  @Test func tooManyBodiesAndNumbersThatAreNotFinite() {
    let location = ModelError.Location(file: "s", line: 1, column: 1)
    var many = ModelSpecification(location: location)
    many.bodies += [ModelSpecification.Body](
      repeating: ModelSpecification.Body(location: location), count: ModelCompiler.largestBodyCount)
    #expect(throws: ModelError.self) { try ModelCompiler.compile(many) }
    var infinite = ModelSpecification(location: location)
    infinite.bodies.append(ModelSpecification.Body(location: location))
    infinite.bodies[1].pose.position = Vector3(.infinity, 0, 0)
    let error = #expect(throws: ModelError.self) { try ModelCompiler.compile(infinite) }
    #expect(error?.message.contains("finite") == true)
  }
}
