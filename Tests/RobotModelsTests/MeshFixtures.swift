import Foundation
import Lanes
@testable import RobotModels

/// What MuJoCo compiles of a mesh and of a body whose only geom it is.
struct MeshFixtureCase: Decodable {
  var mesh: String?
  var file: String?
  var text: String?
  var inertia: MeshInertia
  var scale: [Double]?
  var refpos: [Double]?
  var refquat: [Double]?
  var maxhullvert: Int?
  var mesh_pos: [Double]
  var mesh_quat: [Double]
  var mesh_vert: [Double]?
  var mesh_vert_start: [Double]?
  var vertex_count: Int?
  var face_count: Int
  var hull_vertices: [Int32]?
  var hull_count: Int?
  var geom_pos: [Double]
  var geom_quat: [Double]
  var geom_size: [Double]
  var body_mass: Double
  var body_inertia: [Double]
  var body_ipos: [Double]
  var body_iquat: [Double]

  var settings: MeshSettings {
    var settings = MeshSettings()
    settings.name = mesh ?? "m"
    settings.inertia = inertia
    settings.needsHull = inertia != .shell || hull_vertices != nil
    if let scale { settings.scale = Vector3(scale[0], scale[1], scale[2]) }
    if let refpos { settings.referencePosition = Vector3(refpos[0], refpos[1], refpos[2]) }
    if let q = refquat { settings.referenceOrientation = Quaternion(q[0], q[1], q[2], q[3]) }
    settings.maximumHullVertexCount = maxhullvert
    return settings
  }
}

struct MeshFixture: Decodable {
  struct Triangles: Decodable {
    var vertices: [Float]
    var triangles: [Int32]

    var data: MeshData {
      MeshData(
        vertices: stride(from: 0, to: vertices.count, by: 3).map {
          SIMD3(vertices[$0], vertices[$0 + 1], vertices[$0 + 2])
        },
        triangles: stride(from: 0, to: triangles.count, by: 3).map {
          SIMD3(triangles[$0], triangles[$0 + 1], triangles[$0 + 2])
        })
    }
  }
  var meshes: [String: Triangles]
  var cases: [MeshFixtureCase]
  var files: [MeshFixtureCase]
  var obj: MeshFixtureCase

  static let shared: MeshFixture = {
    let url = Bundle.module.url(forResource: "meshes", withExtension: "json", subdirectory: "Fixtures")!
    return try! JSONDecoder().decode(MeshFixture.self, from: Data(contentsOf: url))
  }()
}

/// A file of its own folder under the temporary folder, removed with it.
final class TemporaryFolder {
  let path: String
  init() throws {
    path = NSTemporaryDirectory() + "costate-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  @discardableResult
  func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
    let file = path + "/" + name
    try FileManager.default.createDirectory(
      atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(fileURLWithPath: file))
    return file
  }
}

/// Binary STL of some triangles.
func binarySTL(_ data: MeshData, header: String = "") -> [UInt8] {
  var bytes = Array(header.utf8.prefix(80)) + [UInt8](repeating: 0x20, count: 80 - min(80, header.utf8.count))
  func append(_ word: UInt32) {
    for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
  }
  append(UInt32(data.triangles.count))
  for triangle in data.triangles {
    for _ in 0..<3 { append(0) }
    for corner in 0..<3 {
      let vertex = data.vertices[Int(triangle[corner])]
      for axis in 0..<3 { append(vertex[axis].bitPattern) }
    }
    bytes += [0, 0]
  }
  return bytes
}

/// ASCII STL of some triangles.
func textSTL(_ data: MeshData) -> String {
  var text = "solid test\n"
  for triangle in data.triangles {
    text += "  facet normal 0 0 0\n    outer loop\n"
    for corner in 0..<3 {
      let v = data.vertices[Int(triangle[corner])]
      text += "      vertex \(v.x) \(v.y) \(v.z)\n"
    }
    text += "    endloop\n  endfacet\n"
  }
  return text + "endsolid test\n"
}

/// The folder of robot files that are not part of the project, where there is one.
let sharedModels: String? = {
  let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  let path =
    ProcessInfo.processInfo.environment["COSTATE_TEST_MODELS"]
    ?? package.deletingLastPathComponent().appendingPathComponent("shared/models").path
  return FileManager.default.fileExists(atPath: path) ? path : nil
}()
