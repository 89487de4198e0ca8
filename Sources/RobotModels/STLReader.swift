extension MeshData {
  /// Reads STL, binary or ASCII.
  ///
  /// A file is binary where its length is the one that its triangle count gives (many binary files start with
  /// `solid`), and ASCII where it is text that starts with `solid`. Vertices with the same bits are one vertex.
  ///
  /// - Throws: ``ModelError`` for anything else: a triangle count that does not fit the length, no triangle,
  ///   a coordinate that is not finite or exceeds 2^30, ASCII that breaks off or breaks the grammar.
  /// - Complexity: O(bytes).
  init(stl bytes: [UInt8], file: String) throws(ModelError) {
    if let count = STLReader.binaryTriangleCount(bytes), bytes.count == 84 + 50 * count {
      self = try STLReader.readBinary(bytes, count: count, file: file)
    } else if STLReader.looksLikeText(bytes) {
      var reader = STLTextReader(bytes: bytes, file: file)
      self = try reader.read()
    } else {
      throw STLReader.lengthError(bytes, file: file)
    }
  }
}

/// Gives each distinct vertex, compared by its bits, one index.
struct VertexWelder {
  private var indices: [SIMD3<UInt32>: Int32] = [:]
  private(set) var vertices: [SIMD3<Float>] = []

  mutating func index(of vertex: SIMD3<Float>) -> Int32 {
    let key = SIMD3(vertex.x.bitPattern, vertex.y.bitPattern, vertex.z.bitPattern)
    if let known = indices[key] { return known }
    let index = Int32(vertices.count)
    indices[key] = index
    vertices.append(vertex)
    return index
  }
}

enum STLReader {
  static func binaryTriangleCount(_ bytes: [UInt8]) -> Int? {
    bytes.count >= 84 ? Int(word(bytes, at: 80)) : nil
  }

  /// Starts with `solid` and has no zero byte near its start, as a binary header or count would.
  static func looksLikeText(_ bytes: [UInt8]) -> Bool {
    let start = bytes.prefix(512).drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
    return start.prefix(5).map { $0 | 0x20 } == Array("solid".utf8) && !bytes.prefix(512).contains(0)
  }

  static func lengthError(_ bytes: [UInt8], file: String) -> ModelError {
    let location = ModelError.Location(file: file, line: 0, column: 0)
    guard let count = binaryTriangleCount(bytes) else {
      return ModelError(
        .invalid, at: location,
        "byte \(bytes.count): the file ends inside the 84-byte header of a binary STL, and it is not ASCII STL"
      )
    }
    return ModelError(
      .invalid, at: location,
      "byte 80: the header promises \(count) triangles, \(84 + 50 * count) bytes, but the file has "
        + "\(bytes.count) bytes")
  }

  static func readBinary(_ bytes: [UInt8], count: Int, file: String) throws(ModelError) -> MeshData {
    guard count > 0 else {
      throw ModelError(
        .invalid, at: ModelError.Location(file: file, line: 0, column: 0),
        "byte 80: the file has no triangles")
    }
    var welder = VertexWelder()
    var triangles: [SIMD3<Int32>] = []
    triangles.reserveCapacity(count)
    for triangle in 0..<count {
      var corners = SIMD3<Int32>.zero
      for corner in 0..<3 {
        let offset = 84 + 50 * triangle + 12 * (corner + 1)
        let vertex = SIMD3(
          Float(bitPattern: word(bytes, at: offset)), Float(bitPattern: word(bytes, at: offset + 4)),
          Float(bitPattern: word(bytes, at: offset + 8)))
        for axis in 0..<3 where !(abs(vertex[axis]) <= MeshData.largestCoordinate) {
          throw ModelError(
            .invalid, at: ModelError.Location(file: file, line: 0, column: 0),
            "byte \(offset + 4 * axis): a coordinate of triangle \(triangle) is \(vertex[axis]); it has to be "
              + "finite and at most 2^30 in size")
        }
        corners[corner] = welder.index(of: vertex)
      }
      triangles.append(corners)
    }
    return MeshData(vertices: welder.vertices, triangles: triangles)
  }

  private static func word(_ bytes: [UInt8], at offset: Int) -> UInt32 {
    UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
      | UInt32(bytes[offset + 3]) << 24
  }
}
