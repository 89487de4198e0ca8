extension MeshData {
  /// Reads a Wavefront OBJ file: vertices (`v`) and faces (`f`, with `v`, `v/vt`, `v//vn` or `v/vt/vn` and
  /// negative indices). Normals, texture coordinates, materials, lines and points are skipped.
  ///
  /// Polygons are cut into triangles, convex ones into a fan about their first corner, others by ear clipping.
  /// Vertices stay as they are, unused and repeated ones too. Of several objects or groups with faces only the
  /// first gives triangles, as in MuJoCo; a warning says so.
  ///
  /// - Throws: ``ModelError`` with line and column for an unknown keyword, free-form geometry, a number that is
  ///   not finite or exceeds 2^30, a face with fewer than three corners or a vertex that does not exist.
  /// - Complexity: O(bytes), and O(n^3) in the number of corners of a polygon with more than four.
  init(obj bytes: [UInt8], file: String) throws(ModelError) {
    var reader = OBJReader(bytes: bytes, file: file)
    self = try reader.read()
  }
}

struct OBJReader {
  private struct Face {
    var corners: [Int32]
    var line: Int
    var column: Int
  }
  /// More corners are not a polygon anybody drew, and cutting them would take long.
  private static let largestPolygon = 256
  private static let skipped: Set<String> = ["vt", "vn", "vp", "s", "usemtl", "mtllib", "l", "p", "lod"]

  private var scanner: MeshTextScanner
  private var vertices: [SIMD3<Float>] = []
  private var faces: [Face] = []
  private var hasNewGroup = false
  private var ignoredFaces = 0

  init(bytes: [UInt8], file: String) {
    scanner = MeshTextScanner(bytes: bytes, file: file)
  }

  mutating func read() throws(ModelError) -> MeshData {
    while !scanner.isAtEnd {
      if let keyword = scanner.wordInLine(commentsAllowed: true) { try readStatement(keyword) }
      scanner.skipLine()
    }
    var data = MeshData(vertices: vertices, triangles: [])
    for face in faces {
      // Faces may name vertices that come later, so the check waits until here.
      for corner in face.corners where corner >= vertices.count {
        throw ModelError(
          .invalid, at: ModelError.Location(file: scanner.file, line: face.line, column: face.column),
          "vertex \(corner + 1) does not exist; the file has \(vertices.count)")
      }
      data.triangles += PolygonTriangulation.triangles(of: face.corners, vertices: vertices)
    }
    if ignoredFaces > 0 {
      data.warnings.append(
        "mesh file '\(scanner.file)': only the first object's \(faces.count) faces are used, "
          + "\(ignoredFaces) faces of further objects are not; make one file of each object")
    }
    return data
  }

  private mutating func readStatement(_ keyword: MeshTextScanner.Word) throws(ModelError) {
    switch keyword.text {
    case "v":
      let what = "vertex \(vertices.count + 1)"
      let x = try scanner.coordinate(scanner.wordInLine(commentsAllowed: true), of: what)
      let y = try scanner.coordinate(scanner.wordInLine(commentsAllowed: true), of: what)
      let z = try scanner.coordinate(scanner.wordInLine(commentsAllowed: true), of: what)
      vertices.append(SIMD3(x, y, z))
    case "f": try readFace(keyword)
    case "o", "g": hasNewGroup = !faces.isEmpty
    case let text where OBJReader.skipped.contains(text): break
    default:
      throw scanner.error(
        "'\(keyword.text)' is not supported in an OBJ file; vertices (v) and polygons (f) are", at: keyword)
    }
  }

  private mutating func readFace(_ keyword: MeshTextScanner.Word) throws(ModelError) {
    var corners: [Int32] = []
    while let word = scanner.wordInLine(commentsAllowed: true) {
      corners.append(try vertexIndex(word))
      guard corners.count <= OBJReader.largestPolygon else {
        throw scanner.error(
          "a polygon with more than \(OBJReader.largestPolygon) corners; cut it into triangles", at: keyword)
      }
    }
    guard corners.count >= 3 else {
      throw scanner.error("a face needs at least 3 corners, here are \(corners.count)", at: keyword)
    }
    if hasNewGroup {
      ignoredFaces += 1
    } else {
      faces.append(Face(corners: corners, line: keyword.line, column: keyword.column))
    }
  }

  /// The vertex of `v`, `v/vt`, `v//vn` or `v/vt/vn`, counted from 0.
  private func vertexIndex(_ word: MeshTextScanner.Word) throws(ModelError) -> Int32 {
    let parts = word.text.split(separator: "/", omittingEmptySubsequences: false)
    // The other indices are not used, but have to be integers where they stand.
    let othersAreValid = parts.dropFirst().enumerated().allSatisfy { index, part in
      Int32(part) != nil || (part.isEmpty && index == 0 && parts.count == 3)
    }
    guard parts.count <= 3, othersAreValid, let index = Int32(parts[0]) else {
      throw scanner.error(
        "'\(word.text)' is not a corner of a face; valid are v, v/vt, v//vn and v/vt/vn", at: word)
    }
    if index > 0 { return index - 1 }
    guard index < 0, Int(index) + vertices.count >= 0 else {
      throw scanner.error(
        "vertex \(index) does not exist; indices count from 1, or back from -1 (here at most "
          + "-\(vertices.count))", at: word)
    }
    return Int32(Int(index) + vertices.count)
  }
}
