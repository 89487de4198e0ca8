import Lanes

/// What a model file says of a mesh besides its triangles.
struct MeshSettings: Sendable, Equatable {
  /// The mesh's name, which messages give.
  var name = ""
  /// Where the triangles come from.
  var file = ""
  /// Factors along the axes of the reference frame; negative ones mirror.
  var scale = Vector3<Double>(1, 1, 1)
  /// Origin of the frame that becomes the mesh's own before scaling (MJCF `refpos`).
  var referencePosition = Vector3<Double>.zero
  /// Axes of that frame (MJCF `refquat`), of any length.
  var referenceOrientation = Quaternion<Double>.identity
  /// How the volume is understood.
  var inertia = MeshInertia.legacy
  /// Compute the hull; a convex inertia and a mesh without triangles always do.
  var needsHull = false
  /// Limit for the vertices of the hull (MJCF `maxhullvert`), at least 4.
  var maximumHullVertexCount: Int? = nil
  /// MuJoCo's defaults.
  init() {}
}

extension ModelSpecification.Mesh {
  /// Scales a mesh and finds its mass properties and hull, as MuJoCo 3.12 does.
  ///
  /// Vertices are widened to double precision first. A mirrored scale turns the triangles round. Vertices without
  /// triangles take the hull's.
  ///
  /// - Throws: ``ModelError`` at `location` for fewer than four vertices, indices out of range, a surface or
  ///   volume below 1e-15, a negative volume, triangles of an exact mesh that are not oriented consistently, or
  ///   no hull where triangles or inertia are to come from it.
  /// - Complexity: O(vertices + triangles), and the hull's.
  init(_ data: MeshData, settings: MeshSettings, location: ModelError.Location) throws(ModelError) {
    self.init(location: location)
    name = settings.name
    file = settings.file
    isShell = settings.inertia == .shell
    try check(data, scale: settings.scale)
    let filePositions = data.positions
    if settings.inertia == .exact { try checkOrientation(data, filePositions) }

    var hull: [SIMD3<Int32>] = []
    if settings.needsHull || settings.inertia == .convex || data.triangles.isEmpty {
      do {
        let found = try ConvexHull(of: filePositions, maximumVertexCount: settings.maximumHullVertexCount)
        hull = found.triangles
        hullNeighbors = found.neighbors
      } catch {
        if settings.inertia == .convex || data.triangles.isEmpty { throw self.error(error.description) }
        hullProblem = error.description
      }
    }
    var surface = data.triangles.isEmpty ? hull : data.triangles
    if settings.scale.x * settings.scale.y * settings.scale.z < 0 {
      surface = surface.map { SIMD3($0.x, $0.z, $0.y) }
      hull = hull.map { SIMD3($0.x, $0.z, $0.y) }
    }
    let turn = settings.referenceOrientation.normalized.conjugate
    vertices = filePositions.map { position in
      let turned = turn.rotate(position - settings.referencePosition)
      return Vector3(
        turned.x * settings.scale.x, turned.y * settings.scale.y, turned.z * settings.scale.z)
    }
    triangles = surface.map { [$0.x, $0.y, $0.z] }
    hullTriangles = hull.map { [$0.x, $0.y, $0.z] }

    let properties = MassProperties(
      vertices: vertices, surface: surface, solid: settings.inertia == .convex ? hull : surface,
      mode: settings.inertia)
    guard let properties else { throw error("the surface's area is below 1e-15; scale the mesh up") }
    try checkVolume(properties.mass)
    self.properties = properties
  }

  private func check(_ data: MeshData, scale: Vector3<Double>) throws(ModelError) {
    guard data.vertices.count >= 4 else {
      throw error("at least 4 vertices are needed, here are \(data.vertices.count)")
    }
    for (index, vertex) in data.vertices.enumerated() {
      guard vertex.x.isFinite, vertex.y.isFinite, vertex.z.isFinite else {
        throw error("vertex \(index) is not finite")
      }
    }
    let indices = 0..<Int32(clamping: data.vertices.count)
    for (index, triangle) in data.triangles.enumerated() {
      for corner in 0..<3 where !indices.contains(triangle[corner]) {
        throw error(
          "triangle \(index) names vertex \(triangle[corner]), valid are 0 to "
            + "\(data.vertices.count - 1)")
      }
    }
    guard scale.isFinite, scale.x != 0, scale.y != 0, scale.z != 0 else {
      throw error(
        "the scale \(scale.x) \(scale.y) \(scale.z) has to be finite and not zero")
    }
  }

  /// No edge may be run through twice in the same direction.
  private func checkOrientation(_ data: MeshData, _ positions: [Vector3<Double>]) throws(ModelError) {
    var edges = Set<SIMD2<Int32>>()
    for triangle in data.triangles {
      let normal = MassProperties.areaVector(
        positions[Int(triangle.x)], positions[Int(triangle.y)], positions[Int(triangle.z)])
      guard normal.norm > MassProperties.smallestMeasure.squareRoot() else { continue }
      for corner in 0..<3 {
        let edge = SIMD2(triangle[corner], triangle[(corner + 1) % 3])
        guard edges.insert(edge).inserted else {
          throw error(
            "faces have inconsistent orientation at the edge of vertices "
              + "\(edge.x + 1) and \(edge.y + 1); turn them, or use inertia=\"legacy\"")
        }
      }
    }
  }

  private func checkVolume(_ measure: Double) throws(ModelError) {
    guard measure.isFinite else { throw error("the volume is not finite; scale the mesh down") }
    guard measure < MassProperties.smallestMeasure else { return }
    if isShell {
      throw error("the surface's area is below 1e-15; scale the mesh up")
    }
    throw error(
      measure < 0
        ? "the volume is negative, the triangles are turned inside out"
        : "the volume is below 1e-15; use inertia=\"shell\" for a sheet")
  }

  /// An error that names the mesh and its file.
  func error(_ message: String) -> ModelError {
    ModelError(.invalid, at: location, "mesh '\(name)'\(file.isEmpty ? "" : " (\(file))"): \(message)")
  }
}
