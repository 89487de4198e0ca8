import Lanes

/// Triangles as they stand in a mesh file, before scaling and centring.
struct MeshData: Sendable, Equatable {
  /// Vertices in single precision, as MuJoCo keeps them; a file's further digits are rounded away.
  var vertices: [SIMD3<Float>]
  /// Vertex indices, counterclockwise seen from outside.
  var triangles: [SIMD3<Int32>]
  /// Doubtful content that was read all the same.
  var warnings: [String]

  /// Triangles from arrays, unchecked; ``CompiledMesh`` checks them.
  init(vertices: [SIMD3<Float>], triangles: [SIMD3<Int32>], warnings: [String] = []) {
    self.vertices = vertices
    self.triangles = triangles
    self.warnings = warnings
  }

  /// The largest magnitude of a vertex coordinate that is read.
  static let largestCoordinate: Float = 0x1p30
  /// Larger files are refused before they are read into memory.
  static let largestFile = 1 << 30

  var positions: [Vector3<Double>] {
    vertices.map { Vector3(Double($0.x), Double($0.y), Double($0.z)) }
  }
}
