/// Reads ASCII STL: any number of `solid … endsolid`, whose facets have one loop of three vertices each.
struct STLTextReader {
  private var scanner: MeshTextScanner
  private var welder = VertexWelder()
  private var triangles: [SIMD3<Int32>] = []

  init(bytes: [UInt8], file: String) {
    scanner = MeshTextScanner(bytes: bytes, file: file)
  }

  mutating func read() throws(ModelError) -> MeshData {
    while let word = scanner.word() {
      guard word.text.lowercased() == "solid" else {
        throw scanner.error("expected 'solid', found '\(word.text)'", at: word)
      }
      scanner.skipLine()
      try readSolid()
    }
    guard !triangles.isEmpty else { throw scanner.error("the file has no triangles", at: nil) }
    return MeshData(vertices: welder.vertices, triangles: triangles)
  }

  private mutating func readSolid() throws(ModelError) {
    while true {
      guard let word = scanner.word() else {
        throw scanner.error("the file ends inside a solid; expected 'facet' or 'endsolid'", at: nil)
      }
      switch word.text.lowercased() {
      case "facet": try readFacet()
      case "endsolid":
        // The name that may follow runs to the end of the line.
        scanner.skipLine()
        return
      default: throw scanner.error("expected 'facet' or 'endsolid', found '\(word.text)'", at: word)
      }
    }
  }

  private mutating func readFacet() throws(ModelError) {
    try expect("normal")
    // Normals are not used (the order of the vertices gives them) and often are garbage, but have to be there.
    for _ in 0..<3 {
      let word = scanner.word()
      guard let word, Float(word.text) != nil else {
        throw scanner.error("a facet's normal needs three numbers", at: word)
      }
    }
    try expect("outer")
    try expect("loop")
    var corners = SIMD3<Int32>.zero
    for corner in 0..<3 {
      try expect("vertex")
      let what = "a vertex of facet \(triangles.count)"
      let x = try scanner.coordinate(scanner.word(), of: what)
      let y = try scanner.coordinate(scanner.word(), of: what)
      let z = try scanner.coordinate(scanner.word(), of: what)
      corners[corner] = welder.index(of: SIMD3(x, y, z))
    }
    try expect("endloop")
    try expect("endfacet")
    triangles.append(corners)
  }

  private mutating func expect(_ keyword: String) throws(ModelError) {
    let word = scanner.word()
    guard let word, word.text.lowercased() == keyword else {
      let found = word.map { "'\($0.text)'" } ?? "the end of the file"
      throw scanner.error("expected '\(keyword)' in facet \(triangles.count), found \(found)", at: word)
    }
  }
}
