import Lanes
import Testing

@testable import RobotModels

/// URDF through the compiler.
@Suite struct URDFModelTests {
  private static func link(_ name: String, mass: Double = 1, _ moments: String) -> String {
    let m = moments.split(separator: " ")
    return
      "<link name=\"\(name)\"><inertial><mass value=\"\(mass)\"/><inertia ixx=\"\(m[0])\" iyy=\"\(m[1])\" "
      + "izz=\"\(m[2])\" ixy=\"\(m[3])\" ixz=\"\(m[4])\" iyz=\"\(m[5])\"/></inertial></link>"
  }

  private static func robot(_ moments: String) -> String {
    "<robot>" + link("base", "1 1 1 0 0 0") + link("arm", moments) + hinge("j", "base", "arm") + "</robot>"
  }

  /// The second breaks the triangle inequality, the others are indefinite.
  @Test(arguments: [
    "0.1 0.2 0.25 0.3 -0.2 0.1", "1 2 5 0 0 0", "1 -0.2 0.3 0 0.1 0", "1e-3 -2e-3 -1e-3 5e-4 0 0",
  ])
  func anImpossibleInertiaIsKeptWithAWarning(moments: String) throws {
    let model = try Model(urdf: Self.robot(moments))
    #expect(model.warnings.contains { $0.contains("'arm'") && $0.contains("no body has such an inertia") })
    let body = model.bodies[try #require(model.bodyIndex(named: "arm"))]
    let axes = body.inertialOrientation.matrix
    let scaled = Matrix3(
      columns: axes.column0 * body.inertia.x, axes.column1 * body.inertia.y, axes.column2 * body.inertia.z)
    let m = moments.split(separator: " ").map { Double($0)! }
    let expected = [m[0], m[3], m[4], m[3], m[1], m[5], m[4], m[5], m[2]]
    let error = zip((scaled * axes.transposed).rowMajor, expected).map { abs($0 - $1) }.max()!
    #expect(error <= 1e-14 * expected.map(abs).max()!)

    var options = ModelReadingOptions()
    options.strict = true
    let refusal = #expect(throws: ModelError.self) { try Model(urdf: Self.robot(moments), options: options) }
    #expect(refusal?.message.contains("'arm'") == true)
    #expect(refusal?.location.line == 1)
  }

  @Test func aPossibleInertiaIsNoWarning() throws {
    var options = ModelReadingOptions()
    options.strict = true
    #expect(try Model(urdf: Self.robot("2 3 4 0.1 0.2 0.3"), options: options).warnings.isEmpty)
  }

  @Test func mimicJointsOwnNoCoordinates() throws {
    let links = ["r", "a", "b", "c"].map { Self.link($0, "1 1 1 0 0 0") }.joined()
    let text =
      "<robot>" + links + hinge("jb", "a", "b", "<mimic joint=\"jc\" multiplier=\"2\" offset=\"0.5\"/>")
      + hinge("jc", "b", "c", "<mimic joint=\"ja\" multiplier=\"-1\" offset=\"1\"/>") + hinge("ja", "r", "a")
      + "</robot>"
    let model = try Model(urdf: text)
    #expect(model.positionCount == 1)
    #expect(model.velocityCount == 1)
    #expect(model.defaultPosition == [0])
    let source = try #require(model.jointIndex(named: "ja"))
    for (name, multiplier, offset) in [("jb", -2.0, 2.5), ("jc", -1.0, 1.0)] {
      let joint = model.joints[try #require(model.jointIndex(named: name))]
      #expect(joint.mimic == Mimic(source: source, multiplier: multiplier, offset: offset))
      #expect(joint.positionAddress == 0)
      #expect(joint.velocityAddress == 0)
    }
  }

  @Test func everyLinkStaysABodyUnlessFused() throws {
    let links = ["r", "a", "b"].map { Self.link($0, "1 1 1 0 0 0") }.joined()
    let text = "<robot>\(links)" + hinge("k", "r", "a") + urdfJoint("fixed") + "</robot>"
    let model = try Model(urdf: text)
    #expect(model.bodies.map(\.name) == ["world", "r", "a", "b"])
    #expect(model.bodies[3].weldedTo == 2)
    var options = ModelReadingOptions()
    options.fuseStatic = true
    let fused = try Model(urdf: text, options: options)
    #expect(fused.bodies.map(\.name) == ["world", "a"])
    #expect(fused.bodies[1].mass == 2)
  }

  @Test func aFloatingBaseHasSixVelocities() throws {
    var options = ModelReadingOptions()
    options.floatingBase = true
    let model = try Model(urdf: Self.robot("1 1 1 0 0 0"), options: options)
    #expect(model.positionCount == 8)
    #expect(model.velocityCount == 7)
    #expect(model.defaultPosition == [0, 0, 0, 1, 0, 0, 0, 0])
  }

  @Test func aLoopThroughTheFileSystemIsNoHang() throws {
    // Collisions with a mesh that is a directory, or the model itself.
    let folder = try TemporaryFolder()
    try folder.write("x".utf8, to: "d.stl/inside")
    let text =
      "<robot><link name=\"a\"><collision><geometry><mesh filename=\"d.stl\"/></geometry></collision></link></robot>"
    let error = #expect(throws: ModelError.self) { try Model(urdf: text, directory: folder.path) }
    #expect(error?.message.contains("not a regular file") == true)
  }

  @Test func missingMassOnAMovingChainIsRefused() {
    let text = "<robot><link name=\"base\"/><link name=\"arm\"/>" + hinge("j", "base", "arm") + "</robot>"
    let error = #expect(throws: ModelError.self) { try Model(urdf: text) }
    #expect(error?.message.contains("'arm' moves but has no mass") == true)
  }

  @Test(.enabled(if: sharedModels != nil)) func pandaGeomsHaveMeshesInTheirInertialFrames() throws {
    let model = try Model.load(path: sharedModels! + "/urdf/panda.urdf")
    let geoms = model.geoms.filter { $0.type == .mesh }
    #expect(geoms.count == 9)
    for geom in geoms {
      let mesh = model.meshes[try #require(geom.mesh)]
      #expect(geom.position == mesh.inertialPosition)
      #expect(mesh.hullTriangles.count > 4)
    }
    // The collision bodies do not add to the stated masses.
    #expect(abs(model.bodies.reduce(0) { $0 + $1.mass } - 17.451901) < 1e-9)
    #expect(model.positionCount == 8)
  }
}
