import Foundation
import Testing

@testable import RobotModels

/// Hostile files that need other files: includes, meshes and paths.
@Suite struct HostileDirectoryTests {
  /// A directory of files that is removed afterwards.
  private final class Folder {
    let path: String

    init(_ files: [String: Data]) throws {
      path =
        FileManager.default.temporaryDirectory.appendingPathComponent("costate-\(UUID().uuidString)").path
      for (name, content) in files {
        let url = URL(fileURLWithPath: path).appendingPathComponent(name)
        try FileManager.default.createDirectory(
          at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try content.write(to: url)
      }
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func load(_ name: String = "model/main.xml") -> (model: Model?, error: ModelError?) {
      do {
        return (try Model.load(path: path + "/" + name), nil)
      } catch { return (nil, error as? ModelError) }
    }
  }

  private func folder(_ files: [String: String]) throws -> Folder {
    try Folder(files.mapValues { Data($0.utf8) })
  }

  private func expectError(
    _ files: [String: String], at place: String, _ parts: [String],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let error = try #require(try folder(files).load().error, sourceLocation: sourceLocation)
    #expect(error.description.contains(place), "\(error)", sourceLocation: sourceLocation)
    for part in parts { #expect(error.message.contains(part), "\(error)", sourceLocation: sourceLocation) }
  }

  @Test func includesAreExpandedFromTheMainDirectoryAndTheIncludingFiles() throws {
    let files = try folder([
      "model/main.xml":
        "<mujoco><include file=\"parts/a.xml\"/><worldbody><include file=\"../shared/b.xml\"/></worldbody></mujoco>",
      "model/parts/a.xml": "<mujoco><option timestep=\"0.5\"/><include file=\"c.xml\"/></mujoco>",
      "model/parts/c.xml": "<mujocoinclude><statistic extent=\"2\"/></mujocoinclude>",
      "shared/b.xml": "<mujocoinclude><body name=\"included\"/></mujocoinclude>",
    ])
    let model = try #require(files.load().model)
    #expect(model.options.timestep == 0.5)
    #expect(model.bodies.map(\.name) == ["world", "included"])
  }

  @Test func includeCyclesAreRefused() throws {
    try expectError(
      ["model/main.xml": "<mujoco>\n<include file=\"main.xml\"/></mujoco>"], at: "main.xml:2:10",
      ["already included", "never by itself"])
    try expectError(
      [
        "model/main.xml": "<mujoco><include file=\"a.xml\"/></mujoco>",
        "model/a.xml": "<mujoco>\n\n<include file=\"b.xml\"/></mujoco>",
        "model/b.xml": "<mujoco>\n<include file=\"./a.xml\"/></mujoco>",
      ], at: "b.xml:2:10", ["already included"])
  }

  @Test func errorsInIncludedFilesNameThoseFiles() throws {
    try expectError(
      [
        "model/main.xml": "<mujoco><include file=\"a.xml\"/></mujoco>",
        "model/a.xml": "<mujoco>\n<option timestep=\"x\"/></mujoco>",
      ], at: "a.xml:2:9", ["'timestep'"])
    try expectError(
      [
        "model/main.xml": "<mujoco><include file=\"a.xml\"/></mujoco>",
        "model/a.xml": "<mujoco>\n<option",
      ], at: "a.xml:2:", ["truncated"])
    try expectError(
      ["model/main.xml": "<mujoco>\n<include file=\"gone.xml\"/></mujoco>"], at: "main.xml:2:10",
      ["does not exist", "looked in"])
    try expectError(
      [
        "model/main.xml": "<mujoco>\n<include file=\"a.xml\"/></mujoco>", "model/a.xml": "<mujoco/>",
      ], at: "main.xml:2:10", ["no elements"])
  }

  @Test func pathsThatEscapeAreRefused() throws {
    let absolute = try folder(["secret.xml": "<mujoco><option timestep=\"1\"/></mujoco>"])
    try expectError(
      ["model/main.xml": "<mujoco>\n<include file=\"\(absolute.path)/secret.xml\"/></mujoco>"],
      at: "main.xml:2:10", ["leads out of the model's directory", "package path"])
    try expectError(
      ["model/main.xml": "<mujoco>\n<include file=\"../../../../../../../../etc/passwd\"/></mujoco>"],
      at: "main.xml:2:10", ["leads out of the model's directory", "only model and mesh files"])
    try expectError(
      ["model/main.xml": "<mujoco>\n<asset><mesh file=\"file:///etc/passwd\"/></asset></mujoco>"],
      at: "main.xml:2:14", ["URI"])
    try expectError(
      ["model/main.xml": "<mujoco>\n<include file=\"/dev/zero\"/></mujoco>"], at: "main.xml:2:10",
      ["does not exist"])
  }

  @Test func absolutePathsIntoPackagePathsAreAllowed() throws {
    let other = try folder(["a.xml": "<mujoco><option timestep=\"1\"/></mujoco>"])
    let main = try folder([
      "model/main.xml": "<mujoco>\n<include file=\"\(other.path)/a.xml\"/></mujoco>"
    ])
    var options = ModelReadingOptions()
    options.packagePaths = [other.path]
    #expect(try Model.load(path: main.path + "/model/main.xml", options: options).options.timestep == 1)
  }

  @Test func filesThatCannotBeRead() throws {
    let files = try folder(["model/empty.xml": "", "model/blank.xml": " \n\n "])
    let missing = try #require(files.load("model/missing.xml").error)
    #expect(missing.kind == .unreadable && missing.description.hasSuffix("missing.xml: no such file"))
    let directory = try #require(files.load("model").error)
    #expect(directory.kind == .unreadable && directory.message.contains("directory"))
    for name in ["model/empty.xml", "model/blank.xml"] {
      let empty = try #require(files.load(name).error)
      #expect(empty.kind == .invalid && empty.message.contains("expected <mujoco> or <robot>"))
    }
    #expect(files.load("/dev/zero").error?.kind != nil)
  }

  @Test func meshWithALyingTriangleCount() throws {
    var bytes = [UInt8](repeating: 0, count: 80)
    bytes += [0xFF, 0xFF, 0xFF, 0x7F]
    bytes += [UInt8](repeating: 1, count: 50)
    let files = try Folder([
      "model/main.xml": Data(
        """
        <mujoco>
        <asset><mesh name="m" file="lying.stl"/></asset>
        <worldbody><geom type="mesh" mesh="m"/></worldbody></mujoco>
        """.utf8),
      "model/lying.stl": Data(bytes),
    ])
    let error = try #require(files.load().error)
    #expect(error.kind == .invalid && error.location.file.hasSuffix("lying.stl"), "\(error)")
    #expect(error.message.contains("2147483647"), "\(error)")
  }

  @Test func missingMeshesAreListed() throws {
    let files = try folder([
      "model/main.xml": """
      <mujoco><compiler meshdir="meshes"/>
      <asset><mesh name="m" file="gone.stl"/></asset>
      <worldbody><body><joint/><inertial pos="0 0 0" mass="1" diaginertia="1 1 1"/>
      <geom type="mesh" mesh="m"/></body></worldbody></mujoco>
      """
    ])
    let model = try #require(files.load().model)
    #expect(model.bodies[1].mass == 1)
    #expect(
      model.unsupported.contains {
        $0.category == .contact && $0.description.contains("gone.stl") && $0.description.contains("meshes")
      })
  }

  @Test func unsupportedMeshKindsAreRefusedAtTheElement() throws {
    try expectError(
      [
        "model/main.xml": "<mujoco>\n<asset><mesh name=\"m\" file=\"m.msh\"/></asset></mujoco>",
        "model/m.msh": "x",
      ], at: "main.xml:2:23", ["'.msh'", "STL or OBJ"])
  }
}
