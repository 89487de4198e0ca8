import Foundation
import Lanes
import Testing

@testable import RobotModels

@Suite struct URDFJointTests {
  private func joints(_ type: String, _ inside: String = "") throws -> [ModelSpecification.Joint] {
    try urdf(urdfRobot(urdfJoint(type, inside))).bodies[2].joints
  }

  @Test(arguments: [
    ("revolute", [("j", JointType.hinge)]), ("continuous", [("j", .hinge)]), ("prismatic", [("j", .slide)]),
    ("fixed", []), ("planar", [("j_TX", .slide), ("j_TY", .slide), ("j_RZ", .hinge)]),
    ("floating", [("j_TX", .slide), ("j_TY", .slide), ("j_TZ", .slide), ("j_R", .ball)]),
    ("spherical", [("j", .ball)]),
  ])
  func kindsOfJoints(type: String, expected: [(String, JointType)]) throws {
    let found = try joints(type)
    #expect(found.map(\.name) == expected.map(\.0))
    #expect(found.map(\.type) == expected.map(\.1))
  }

  @Test func defaultAxisIsX() throws {
    for inside in ["", "<axis/>"] {
      #expect(try joints("continuous", inside)[0].axis == Vector3(1, 0, 0))
      #expect(try joints("prismatic", inside)[0].axis == Vector3(1, 0, 0))
      #expect(try joints("planar", inside)[2].axis == Vector3(1, 0, 0))
    }
  }

  @Test(arguments: ["0 3 4", "0 3e-200 4e-200", "0 3e200 4e200"])
  func axisIsNormalised(axis: String) throws {
    let found = try joints("continuous", "<axis xyz=\"\(axis)\"/>")[0].axis
    #expect((found - Vector3(0, 0.6, 0.8)).norm < 1e-15)
  }

  @Test(arguments: ["0 0 1", "0 0 -1", "1 0 0", "-2 1 0.5", "1e-9 0 -1"])
  func planarJointMovesInThePlaneOfItsNormal(axis: String) throws {
    let found = try joints("planar", "<axis xyz=\"\(axis)\"/>").map(\.axis)
    // A right-handed frame whose third axis is the normal.
    #expect((found[0].cross(found[1]) - found[2]).norm < 1e-14)
    #expect(abs(found[0].norm - 1) < 1e-15)
    let words = axis.split(separator: " ").map { Double($0)! }
    let normal = Vector3(words[0], words[1], words[2])
    #expect((found[2] - normal / normal.norm).norm < 1e-15)
  }

  @Test func floatingJointAtTopLevelIsFree() throws {
    let text = urdfRobot(urdfJoint("floating", "<origin xyz=\"1 2 3\"/>")).replacing(
      "\"a\"", with: "\"world\"")
    let specification = try urdf(text)
    #expect(specification.bodies.map(\.name) == ["world", "b"])
    #expect(specification.bodies[1].joints.map(\.type) == [.free])
    #expect(specification.bodies[1].pose.position == Vector3(1, 2, 3))
  }

  @Test func rootIsFixedOrFloats() throws {
    let text = urdfRobot(urdfJoint("continuous"))
    let fixed = try urdf(text)
    #expect(fixed.bodies.map(\.name) == ["world", "a", "b"])
    #expect(fixed.bodies.map(\.parent) == [0, 0, 1])
    #expect(fixed.bodies[1].joints.isEmpty)
    var options = ModelReadingOptions()
    options.floatingBase = true
    let floating = try urdf(text, options: options)
    #expect(floating.bodies[1].joints.map(\.type) == [.free])
    #expect(floating.bodies[1].joints.map(\.name) == ["a_free_joint"])
    let error = #expect(throws: ModelError.self) {
      try urdf(text.replacing("\"a\"", with: "\"world\""), options: options)
    }
    #expect(error?.message.contains("cannot float") == true)
  }

  @Test func limitsBecomeRangesAndForceRanges() throws {
    let limit = "<limit lower=\"-0.5\" upper=\"1.5\" effort=\"20\" velocity=\"3\"/>"
    for type in ["revolute", "prismatic"] {
      let joint = try joints(type, limit)[0]
      #expect(joint.limited == .yes)
      #expect(joint.range == [-0.5, 1.5])
      #expect(joint.actuatorForceLimited == .yes)
      #expect(joint.actuatorForceRange == [-20, 20])
    }
    let free = try joints("continuous", limit)[0]
    #expect(free.limited == .no)
    #expect(free.actuatorForceRange == [-20, 20])
    // Missing bounds are 0 in URDF.
    #expect(try joints("revolute", "<limit upper=\"2\"/>")[0].range == [0, 2])
    #expect(try joints("revolute", "<limit upper=\"2\"/>")[0].actuatorForceLimited == .no)
    #expect(try urdf(urdfRobot(urdfJoint("revolute", limit))).notEvaluated == ["<limit velocity>"])
  }

  @Test(arguments: [
    ("revolute", "", "has no <limit>"), ("revolute", "<limit effort=\"1\"/>", "is empty"),
    ("prismatic", "<limit lower=\"1\" upper=\"1\"/>", "is empty"),
    ("revolute", "<limit lower=\"0\" upper=\"1\" effort=\"-2\"/>", "negative"),
    ("planar", "<limit lower=\"0\" upper=\"1\"/>", "is not used"),
  ])
  func doubtfulLimitsAreWarnings(type: String, limit: String, message: String) throws {
    let text = urdfRobot(urdfJoint(type, limit))
    let specification = try urdf(text)
    #expect(specification.warnings.count == 1)
    #expect(specification.warnings[0].contains(message))
    #expect(specification.warnings[0].contains("'j'"))
    var options = ModelReadingOptions()
    options.strict = true
    let error = #expect(throws: ModelError.self) { try urdf(text, options: options) }
    #expect(error?.message.contains(message) == true)
  }

  @Test func dynamicsBecomeDampingAndFriction() throws {
    for joint in try joints("planar", "<dynamics damping=\"0.7\" friction=\"0.2\"/>") {
      #expect(joint.damping == 0.7)
      #expect(joint.frictionLoss == 0.2)
    }
  }

  @Test func aLinkAndAJointMayShareAName() throws {
    let text = urdfRobot(urdfJoint("continuous").replacing("name=\"j\"", with: "name=\"b\""))
    let body = try urdf(text).bodies[2]
    #expect(body.name == "b")
    #expect(body.joints[0].name == "b")
  }

  @Test func bodiesStandInTheOrderOfTheJointsDepthFirst() throws {
    let links = ["e", "d", "c", "b", "a"].map { "<link name=\"\($0)\"/>" }.joined()
    let joints = hinge("4", "b", "d") + hinge("1", "a", "c") + hinge("2", "a", "b") + hinge("3", "c", "e")
    let specification = try urdf("<robot>\(links)\(joints)</robot>")
    #expect(specification.bodies.map(\.name) == ["world", "a", "c", "e", "b", "d"])
    #expect(specification.bodies.map(\.parent) == [0, 0, 1, 2, 1, 4])
  }

  @Test func aLongChainIsRead() throws {
    let count = 30_000
    var text = "<robot><link name=\"0\"/>"
    for index in 1...count {
      text += "<link name=\"\(index)\"/>" + hinge("\(index)", "\(index - 1)", "\(index)")
    }
    let specification = try urdf(text + "</robot>")
    #expect(specification.bodies.count == count + 2)
    #expect(specification.bodies[count + 1].parent == count)
  }
}

@Suite struct URDFMimicTests {
  private func chain(_ relations: [(String, String)]) -> String {
    let links = "<link name=\"root\"/>" + relations.map { "<link name=\"l\($0.0)\"/>" }.joined()
    return "<robot>" + links + relations.map { hinge($0.0, "root", "l\($0.0)", $0.1) }.joined() + "</robot>"
  }

  private func mimic(_ source: String, _ multiplier: Double, _ offset: Double) -> String {
    "<mimic joint=\"\(source)\" multiplier=\"\(multiplier)\" offset=\"\(offset)\"/>"
  }

  /// c = 2 b + 1, b = -3 a + 0.5 whatever the order in the file.
  @Test(arguments: [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]])
  func chainsEndAtTheIndependentJoint(order: [Int]) throws {
    let relations = [("a", ""), ("b", mimic("a", -3, 0.5)), ("c", mimic("b", 2, 1))]
    let specification = try urdf(chain(order.map { relations[$0] }))
    let joints = specification.bodies.flatMap(\.joints)
    let b = try #require(joints.first { $0.name == "b" }?.mimic)
    #expect(joints.first { $0.name == "a" }?.mimic == nil)
    #expect((b.source, b.multiplier, b.offset) == ("a", -3, 0.5))
    let c = try #require(joints.first { $0.name == "c" }?.mimic)
    #expect((c.source, c.multiplier, c.offset) == ("a", -6, 2))
  }

  @Test func defaultsAreOneAndZero() throws {
    let specification = try urdf(chain([("a", ""), ("b", "<mimic joint=\"a\"/>")]))
    let mimic = try #require(specification.bodies[3].joints[0].mimic)
    #expect((mimic.source, mimic.multiplier, mimic.offset) == ("a", 1, 0))
  }

  @Test func aLongChainOfMimicsIsResolvedOnce() throws {
    var relations: [(String, String)] = [("0", "")]
    for index in 1...5000 { relations.append(("\(index)", mimic("\(index - 1)", 1, 1))) }
    let specification = try urdf(chain(relations.reversed()))
    let last = specification.bodies.first { $0.name == "l5000" }?.joints[0].mimic
    #expect(last?.source == "0")
    #expect(last?.offset == 5000)
  }

  @Test(arguments: [
    ("a", "mimics itself through a cycle of 1"), ("c", "mimics itself through a cycle of 2"),
    ("x", "mimics joint 'x', which does not exist"),
  ])
  func refusesCyclesAndUnknownSources(source: String, message: String) {
    let text = chain([("a", mimic(source, 1, 0)), ("b", ""), ("c", mimic("a", 1, 0))])
    let error = #expect(throws: ModelError.self) { try urdf(text) }
    #expect(error?.message.contains(message) == true, "\(error?.description ?? "")")
    #expect(error?.location.line == 1)
  }

  @Test(arguments: ["fixed", "planar", "floating"])
  func refusesJointsWithOtherThanOneDegreeOfFreedom(type: String) {
    let text = chain([("a", ""), ("b", "<mimic joint=\"a\"/>")])
      .replacing("name=\"a\" type=\"revolute\"", with: "name=\"a\" type=\"\(type)\"")
    let error = #expect(throws: ModelError.self) { try urdf(text) }
    #expect(error?.message.contains("joint 'a' is of type '\(type)'") == true)
  }
}

@Suite struct URDFGeometryTests {
  private func geoms(_ link: String, options: ModelReadingOptions = ModelReadingOptions()) throws
    -> [ModelSpecification.Geom]
  {
    try urdf("<robot><link name=\"a\">\(link)</link></robot>", options: options).bodies[1].geoms
  }

  @Test func shapesHaveMuJoCosSizes() throws {
    let shapes = [
      "<box size=\"1 2 3\"/>", "<cylinder radius=\"0.5\" length=\"3\"/>", "<sphere radius=\"0.25\"/>",
      "<capsule radius=\"0.5\" length=\"3\"/>",
    ]
    let found = try geoms(
      shapes.map { "<collision name=\"n\"><geometry>\($0)</geometry></collision>" }.joined())
    #expect(found.map(\.type) == [.box, .cylinder, .sphere, .capsule])
    #expect(found[0].size == Vector3(0.5, 1, 1.5))
    #expect(found[1].size == Vector3(0.5, 1.5, 0))
    #expect(found[2].size == Vector3(0.25, 0, 0))
    #expect(found[3].size == Vector3(0.5, 1.5, 0))
    #expect(found.map(\.name) == ["n", "", "", ""])
    #expect(found.allSatisfy { $0.contactType == 1 && $0.contactAffinity == 1 && $0.group == 0 })
  }

  @Test func originTurnsAboutFixedAxes() throws {
    let found = try geoms(
      "<collision><origin xyz=\"1 2 3\" rpy=\"0.3 -0.4 2\"/><geometry><sphere radius=\"1\"/></geometry></collision>"
    )[0].pose
    #expect(found.position == Vector3(1, 2, 3))
    let (r, p, y) = (0.3, -0.4, 2.0)
    let x = Vector3(cos(y) * cos(p), sin(y) * cos(p), -sin(p))
    let z = Vector3(
      cos(y) * sin(p) * cos(r) + sin(y) * sin(r), sin(y) * sin(p) * cos(r) - cos(y) * sin(r), cos(p) * cos(r))
    #expect((found.orientation.matrix.column0 - x).norm < 1e-15)
    #expect((found.orientation.matrix.column2 - z).norm < 1e-15)
  }

  @Test func visualsAreListedUnlessTheExtensionKeepsThem() throws {
    let link =
      "<visual><geometry><mesh filename=\"missing.stl\"/></geometry></visual>"
      + "<visual><geometry><sphere radius=\"1\"/></geometry></visual>"
    let robot = "<robot><link name=\"a\">\(link)</link></robot>"
    let plain = try urdf(robot)
    #expect(plain.bodies[1].geoms.isEmpty)
    #expect(plain.notEvaluated == ["2 <visual>"])
    #expect(plain.unsupported.isEmpty)
    let kept = try urdf(
      robot.replacing("<link", with: "<mujoco><compiler discardvisual=\"false\"/></mujoco><link"))
    #expect(kept.bodies[1].geoms.map(\.contactType) == [0, 0])
    #expect(kept.bodies[1].geoms.map(\.group) == [1, 1])
    #expect(kept.unsupported.isEmpty)
  }

  @Test func whatDoesNotChangeTheMotionIsListed() throws {
    let text = urdfRobot(
      urdfJoint("fixed", "<safety_controller k_velocity=\"1\"/><calibration rising=\"0\"/>"),
      more: "<transmission name=\"t\"/><gazebo/><gazebo/><material name=\"m\"/><sensor name=\"s\"/>")
    let list = try urdf(text).notEvaluated
    #expect(
      list == [
        "<calibration>", "2 <gazebo>", "<material>", "<safety_controller>", "<sensor>", "<transmission>",
      ])
  }
}

@Suite struct URDFMeshTests {
  private let mesh = binarySTL(MeshFixture.shared.meshes["lShape"]!.data)

  private func robot(_ files: String..., scale: String = "1 1 1", more: String = "") -> String {
    let collisions = files.map {
      "<collision><geometry><mesh filename=\"\($0)\" scale=\"\(scale)\"/></geometry></collision>"
    }
    return "<robot>\(more)<link name=\"a\">\(collisions.joined())</link></robot>"
  }

  @Test(arguments: [
    "package://pack/meshes/m.stl", "package://inner/m.stl", "meshes/pack/meshes/m.stl",
    "../models/meshes/pack/meshes/m.stl", "file://FOLDER/models/meshes/pack/meshes/m.stl",
    "FOLDER/models/meshes/pack/meshes/m.stl", "package://models/meshes/pack/meshes/m.stl",
    "package://beside/m.stl", "package://given/m.stl", "file://FOLDER/with%20space/m.stl",
  ])
  func findsMeshes(file: String) throws {
    let folder = try TemporaryFolder()
    for place in [
      "models/meshes/pack/meshes/m.stl", "inner/m.stl", "models/beside/m.stl", "elsewhere/pack/meshes/m.stl",
      "elsewhere/given/m.stl", "with space/m.stl",
    ] {
      try folder.write(mesh, to: place)
    }
    var options = ModelReadingOptions()
    options.packagePaths = [folder.path + "/elsewhere", folder.path + "/with space"]
    let text = robot(file.replacing("FOLDER", with: folder.path))
    let specification = try urdf(text, directory: folder.path + "/models", options: options)
    #expect(specification.unsupported.isEmpty)
    #expect(specification.meshes.map(\.name) == ["m"])
    #expect(specification.meshes[0].triangles.count == 20)
    #expect(specification.bodies[1].geoms[0].mesh == "m")
  }

  @Test(arguments: [
    ("file://FOLDER/elsewhere/m.stl", "leads out of the model's directory"),
    ("FOLDER/elsewhere/m.stl", "allow its directory as a package path"),
    ("../../../../../../../../etc/passwd", "only model and mesh files"),
    ("file:///etc/passwd", "leads out of the model's directory"),
    ("package://../elsewhere/m.stl", "without '..'"),
    ("https://FOLDER/m.stl", "is a kind of address that is not opened"),
  ])
  func pathsThatEscapeAreRefused(file: String, says: String) throws {
    let folder = try TemporaryFolder()
    try folder.write(mesh, to: "elsewhere/m.stl")
    try folder.write(mesh, to: "models/m.stl")
    let text = robot(file.replacing("FOLDER", with: folder.path))
    let error = #expect(throws: ModelError.self) { try urdf(text, directory: folder.path + "/models") }
    #expect(error?.kind == .invalid)
    #expect(error?.location.line == 1)
    #expect(error?.message.contains(says) == true, "\(String(describing: error))")
  }

  @Test func aModelInTheCurrentDirectoryFindsItsMeshes() {
    let meshes = URDFMeshes(directory: "", packagePaths: [])
    #expect(meshes.resolver.directory == ".")
  }

  @Test func aPackagePathMayBeThePackageItself() throws {
    let folder = try TemporaryFolder()
    try folder.write(mesh, to: "somewhere/pack/meshes/m.stl")
    var options = ModelReadingOptions()
    options.packagePaths = [folder.path + "/somewhere/pack"]
    let specification = try urdf(robot("package://pack/meshes/m.stl"), options: options)
    #expect(specification.unsupported.isEmpty)
  }

  @Test func eachFileAndScaleIsLoadedOnce() throws {
    let folder = try TemporaryFolder()
    // A box: the legacy volume of a mesh that is not star-shaped does not scale.
    let box = binarySTL(MeshFixture.shared.meshes["box"]!.data)
    try folder.write(box, to: "a/m.stl")
    try folder.write(box, to: "b/m.stl")
    let text = robot("a/m.stl", "b/m.stl", "a/m.stl", scale: "2 -1 1")
    let specification = try urdf(text, directory: folder.path)
    #expect(specification.meshes.map(\.name) == ["m", "m1"])
    #expect(specification.bodies[1].geoms.map(\.mesh) == ["m", "m1", "m"])
    let volume = try #require(specification.meshes[0].properties?.mass)
    let unscaled = try urdf(robot("a/m.stl"), directory: folder.path).meshes[0].properties?.mass
    #expect(abs(volume - 2 * unscaled!) < 1e-12 * volume)
  }

  @Test func aCollisionMeshThatCannotBeHadIsUnsupported() throws {
    let folder = try TemporaryFolder()
    var flat = MeshFixture.shared.meshes["sheet"]!.data
    flat.vertices = flat.vertices.map { [$0.x, $0.y, 0] }
    try folder.write(binarySTL(flat), to: "flat.stl")
    let text = robot("none.stl", "none.stl", "package://p/x.obj", "shape.dae", "flat.stl")
    let specification = try urdf(text, directory: folder.path)
    #expect(
      specification.unsupported.map(\.description) == [
        "mesh 'none': the file 'none.stl' is missing", "mesh 'x': the file 'package://p/x.obj' is missing",
        "mesh 'shape': 'shape.dae' is neither STL nor OBJ",
        "mesh 'flat' (\(folder.path)/flat.stl): the volume is below 1e-15; use inertia=\"shell\" for a sheet",
      ])
    #expect(specification.unsupported.allSatisfy { $0.category == .contact })
    #expect(specification.bodies[1].geoms.count == 5)
    #expect(specification.meshes.allSatisfy { $0.properties == nil })
  }

  @Test func aDamagedMeshIsAnError() throws {
    let folder = try TemporaryFolder()
    try folder.write(mesh.dropLast(), to: "m.stl")
    let error = #expect(throws: ModelError.self) { try urdf(robot("m.stl"), directory: folder.path) }
    #expect(error?.location.file == folder.path + "/m.stl")
    #expect(error?.message.contains("promises 20 triangles") == true)
  }

  @Test(arguments: [
    ("package://pack/../../secret.stl", "does not name a file inside a package"),
    ("package://m.stl", "does not name a file inside a package"),
    ("http://example.org/m.stl", "not opened"),
  ])
  func refusesAddresses(file: String, message: String) {
    let error = #expect(throws: ModelError.self) { try urdf(robot(file), directory: "/tmp") }
    #expect(error?.message.contains(message) == true)
    #expect(error?.location.column == 50)
  }

  @Test func theExtensionGivesTheMeshDirectory() throws {
    let folder = try TemporaryFolder()
    try folder.write(mesh, to: "assets/m.stl")
    let plain = robot("m.stl", more: "<mujoco><compiler meshdir=\"assets\"/></mujoco>")
    #expect(try urdf(plain, directory: folder.path).unsupported.isEmpty)
    let stripped = robot(
      "package://deep/down/m.stl", more: "<mujoco><compiler meshdir=\"assets\" strippath=\"true\"/></mujoco>")
    #expect(try urdf(stripped, directory: folder.path).unsupported.isEmpty)
  }
}

@Suite struct URDFExtensionTests {
  @Test func compilerAndOptionsAreApplied() throws {
    let text = urdfRobot(
      urdfJoint("continuous"),
      more: """
        <mujoco><compiler balanceinertia="true" boundmass="0.1" fusestatic="true" inertiafromgeom="auto"/>
        <option timestep="0.004" gravity="0 0 -1"/><size njmax="100"/></mujoco>
        """)
    let specification = try urdf(text)
    #expect(specification.compiler.balanceInertia)
    #expect(specification.compiler.boundMass == 0.1)
    #expect(specification.compiler.fuseStatic)
    #expect(specification.compiler.inertiaFromGeom == .automatic)
    #expect(specification.compiler.impossibleInertia == .warning)
    #expect(specification.options.timestep == 0.004)
    #expect(specification.options.gravity == Vector3(0, 0, -1))
    var options = ModelReadingOptions()
    options.fuseStatic = false
    #expect(try urdf(text, options: options).compiler.fuseStatic == false)
  }

  @Test func defaultsAreURDFs() throws {
    for more in ["", "<mujoco><compiler boundmass=\"0\"/></mujoco>"] {
      let compiler = try urdf(urdfRobot(urdfJoint("fixed"), more: more)).compiler
      #expect(compiler.inertiaFromGeom == .no)
      #expect(compiler.discardVisual)
      #expect(!compiler.fuseStatic)
    }
    var options = ModelReadingOptions()
    options.fuseStatic = true
    #expect(try urdf(urdfRobot(urdfJoint("fixed")), options: options).compiler.fuseStatic)
  }

  @Test(arguments: [
    ("<mujoco><worldbody/></mujoco>", "<worldbody> inside a URDF file's <mujoco> is not supported"),
    ("<mujoco><compiler bundmass=\"1\"/></mujoco>", "did you mean 'boundmass'"),
  ])
  func refusesOtherContent(more: String, message: String) {
    let error = #expect(throws: ModelError.self) { try urdf(urdfRobot(urdfJoint("fixed"), more: more)) }
    #expect(error?.message.contains(message) == true, "\(error?.description ?? "")")
    #expect(error?.location.line == 5)
  }
}
