import Foundation
import Lanes
import Testing

@testable import RobotModels

/// Largest difference over the largest size of the expected values.
private func relativeError(_ values: [Double], _ expected: [Double]) -> Double {
  guard values.count == expected.count else { return .infinity }
  let scale = expected.map(abs).max() ?? 0
  let difference = zip(values, expected).map { abs($0 - $1) }.max() ?? 0
  return scale > 0 ? difference / scale : difference
}

private func isClose(_ values: [Double], _ expected: [Double], tolerance: Double = 1e-10) -> Bool {
  relativeError(values, expected) <= tolerance
}

/// Compares with MuJoCo's compiled mesh, and the body whose only geom has that mesh.
private func check(_ compiled: CompiledMesh, against expected: MeshFixtureCase) {
  let mesh = compiled.mesh
  #expect(isClose(mesh.inertialPosition.array, expected.mesh_pos))
  #expect(isClose(mesh.inertialOrientation.array, expected.mesh_quat))
  #expect(mesh.triangles.count == expected.face_count)
  // MuJoCo keeps compiled vertices in single precision.
  let vertices = mesh.vertices.flatMap(\.array)
  if let expectedVertices = expected.mesh_vert {
    #expect(isClose(vertices, expectedVertices, tolerance: 1e-7))
  }
  if let start = expected.mesh_vert_start {
    #expect(mesh.vertices.count == expected.vertex_count)
    #expect(isClose(Array(vertices.prefix(start.count)), start, tolerance: 2e-7))
  }
  let hull = Set(mesh.hullTriangles.joined())
  if let hullVertices = expected.hull_vertices { #expect(hull.sorted() == hullVertices) }
  if let count = expected.hull_count { #expect(hull.count == count) }
  let size = (0..<3).map { max(abs(compiled.lowerBound[$0]), abs(compiled.upperBound[$0])) }
  #expect(isClose(size, expected.geom_size))

  let mass = compiled.measure * 1200
  #expect(isClose([mass], [expected.body_mass]))
  #expect(isClose(compiled.inertia(mass: mass).array, expected.body_inertia))
  let geom = Quaternion(0.5, 0.1, -0.7, 0.2).normalized
  let position = Vector3(0.1, -0.2, 0.3) + geom.rotate(mesh.inertialPosition)
  #expect(isClose(position.array, expected.geom_pos))
  #expect(isClose(position.array, expected.body_ipos))
  #expect(isClose((geom * mesh.inertialOrientation).normalized.array, expected.body_iquat))
}

private func compile(_ data: MeshData, _ settings: MeshSettings) throws -> CompiledMesh {
  let location = ModelError.Location(file: "model.xml", line: 3, column: 4)
  return try CompiledMesh(ModelSpecification.Mesh(data, settings: settings, location: location))
}

@Suite struct MeshCompilerTests {
  @Test(arguments: MeshFixture.shared.cases.indices)
  func equalsMuJoCo(index: Int) throws {
    let expected = MeshFixture.shared.cases[index]
    let data = try #require(MeshFixture.shared.meshes[expected.mesh!]).data
    check(try compile(data, expected.settings), against: expected)
  }

  @Test(.enabled(if: sharedModels != nil), arguments: MeshFixture.shared.files.indices)
  func robotMeshEqualsMuJoCo(index: Int) throws {
    let expected = MeshFixture.shared.files[index]
    let data = try MeshData(contentsOf: sharedModels! + "/" + expected.file!)
    check(try compile(data, expected.settings), against: expected)
  }

  @Test func polygonsOfAnOBJFileEqualMuJoCo() throws {
    let expected = MeshFixture.shared.obj
    let data = try MeshData(obj: Array(expected.text!.utf8), file: "polygons.obj")
    check(try compile(data, expected.settings), against: expected)
  }

  @Test func vertexOrderOfTheHullIsOutward() throws {
    let data = MeshFixture.shared.meshes["bumpySphere"]!.data
    var settings = MeshSettings()
    settings.inertia = .convex
    for scale in [1.0, -1.0] {
      settings.scale = Vector3(scale, 1, 1)
      let compiled = try compile(data, settings)
      let volume = compiled.mesh.hullTriangles.reduce(0.0) { sum, triangle in
        let (a, b, c) = (
          compiled.mesh.vertices[Int(triangle[0])], compiled.mesh.vertices[Int(triangle[1])],
          compiled.mesh.vertices[Int(triangle[2])]
        )
        return sum + a.dot(b.cross(c)) / 6
      }
      #expect(abs(volume - compiled.measure) < 1e-12 * compiled.measure)
    }
  }

  @Test func verticesWithoutTrianglesTakeTheHull() throws {
    var data = MeshFixture.shared.meshes["box"]!.data
    let whole = try compile(data, MeshSettings())
    data.triangles = []
    let points = try compile(data, MeshSettings())
    #expect(points.mesh.triangles.count == 12)
    #expect(abs(points.measure - whole.measure) < 1e-14)
  }

  @Test(arguments: MeshInertia.allCases)
  func boxHasItsTextbookInertia(mode: MeshInertia) throws {
    var settings = MeshSettings()
    settings.inertia = mode
    let compiled = try compile(MeshFixture.shared.meshes["box"]!.data, settings)
    let (a, b, c) = (0.1, 0.2, 0.3)
    var expected = [b * b + c * c, a * a + c * c, a * a + b * b].map { $0 / 12 }
    if mode == .shell {
      // Second moments of the six faces, per area.
      let area = 2 * (a * b + b * c + c * a)
      func second(_ x: Double, _ y: Double, _ z: Double) -> Double {
        (2 * y * z * x * x / 4 + 2 * (x * y + x * z) * x * x / 12) / area
      }
      let (xx, yy, zz) = (second(a, b, c), second(b, c, a), second(c, a, b))
      expected = [yy + zz, xx + zz, xx + yy]
    }
    // Single precision vertices.
    #expect(isClose(compiled.inertia(mass: 1).array, expected, tolerance: 1e-6))
  }

  static let refused: [(String, MeshInertia, MeshData, String)] = {
    let box = MeshFixture.shared.meshes["box"]!.data
    let sheet = MeshFixture.shared.meshes["sheet"]!.data
    var turned = box
    turned.triangles[3] = SIMD3(turned.triangles[3].x, turned.triangles[3].z, turned.triangles[3].y)
    var inverted = box
    inverted.triangles = box.triangles.map { SIMD3($0.x, $0.z, $0.y) }
    var few = box
    few.vertices = Array(box.vertices.prefix(3))
    var flat = sheet
    flat.vertices = sheet.vertices.map { SIMD3($0.x, $0.y, 0) }
    var point = box
    point.vertices = box.vertices.map { _ in SIMD3(1, 2, 3) }
    var line = box
    line.vertices = box.vertices.indices.map { SIMD3(Float($0), 0, 0) }
    var outOfRange = box
    outOfRange.triangles[2].y = 8
    var notFinite = box
    notFinite.vertices[5].z = .nan
    return [
      ("turned triangle", .exact, turned, "inconsistent orientation"),
      ("inside out", .exact, inverted, "negative"),
      ("three vertices", .legacy, few, "at least 4 vertices"),
      ("flat", .legacy, flat, "shell"),
      ("flat hull", .convex, flat, "plane"),
      ("one point", .legacy, point, "area is below"),
      ("one point, shell", .shell, point, "area is below"),
      ("one point, hull", .convex, point, "coincide"),
      ("line, hull", .convex, line, "line"),
      ("index out of range", .legacy, outOfRange, "triangle 2 names vertex 8, valid are 0 to 7"),
      ("not finite", .legacy, notFinite, "vertex 5 is not finite"),
    ]
  }()

  @Test(arguments: refused.indices)
  func refuses(index: Int) {
    let (name, mode, data, message) = Self.refused[index]
    var settings = MeshSettings()
    settings.name = name
    settings.inertia = mode
    let error = #expect(throws: ModelError.self) { try compile(data, settings) }
    #expect(error?.description.contains(message) == true)
    #expect(error?.description.hasPrefix("model.xml:3:4: mesh '\(name)'") == true)
  }

  @Test func refusesAScaleOfZero() {
    var settings = MeshSettings()
    settings.scale = Vector3(1, 0, 1)
    let error = #expect(throws: ModelError.self) {
      try compile(MeshFixture.shared.meshes["box"]!.data, settings)
    }
    #expect(error?.description.contains("scale 1.0 0.0 1.0") == true)
  }

  @Test func aFlatMeshIsRefusedWhereItCanTouch() throws {
    func model(_ geom: String) throws -> Model {
      try Model(
        mjcf: """
          <mujoco><asset><mesh name="m" inertia="shell" vertex="0 0 0 1 0 0 1 1 0 0 1 0" face="0 1 2 0 2 3"/></asset>
          <worldbody><body><freejoint/>
          <geom name="g" type="mesh" mesh="m" \(geom)/></body></worldbody></mujoco>
          """)
    }
    let visual = try model("contype=\"0\" conaffinity=\"0\"")
    #expect(visual.meshes[0].hullTriangles.isEmpty)
    #expect(abs(visual.bodies[1].mass - 1000) < 1e-9)
    let error = #expect(throws: ModelError.self) { try model("") }
    #expect(
      error?.description.contains("3:1: geom 'g' can touch others, but of its mesh 'm' all points lie")
        == true)
  }

  @Test(arguments: [1e-60, 1e70, 1e120])
  func refusesAScaleThatLeavesTheRange(scale: Double) {
    var settings = MeshSettings()
    settings.scale = Vector3(scale, scale, scale)
    let error = #expect(throws: ModelError.self) {
      try compile(MeshFixture.shared.meshes["box"]!.data, settings)
    }
    #expect(error?.description.contains("; scale the mesh") == true, "\(error?.description ?? "")")
  }

  @Test func hullOfPointsThatQhullRefusesIsAnError() {
    // Within rounding of a plane: passes the first checks, and Qhull finds the first simplex flat.
    let points = (0..<20).map { (index: Int) -> Vector3<Double> in
      let column = Double(index % 5)
      let row = Double(index / 5)
      let noise = Double(index % 3) * 3e-15
      return Vector3(column + 0.1, row, (column + row) * 0.1 + noise)
    }
    let error = #expect(throws: ConvexHullError.self) { try ConvexHull(of: points) }
    #expect(error?.description.contains("Qhull") == true)
  }

  /// Clouds that are flat, thin, on a grid, repeated, far from the origin or of mixed sizes.
  @Test(arguments: 0..<7)
  func aDegenerateCloudHasAHullOrAnError(kind: Int) {
    var generator = SeededGenerator(seed: UInt64(kind))
    func random() -> Double { Double.random(in: -1...1, using: &generator) }
    for _ in 0..<60 {
      let size = pow(10, 10 * random())
      let tiny = pow(10, -14 + 4 * random())
      var points: [Vector3<Double>] = []
      for index in 0..<Int.random(in: 0...40, using: &generator) {
        let p = Vector3(random(), random(), random())
        switch kind {
        case 0: points.append(Vector3((p.x * 3).rounded(), (p.y * 3).rounded(), (p.z * 3).rounded()))
        case 1: points.append(Vector3(p.x, p.y, p.z * tiny))
        case 2: points.append(Vector3(p.x, p.y * tiny, p.z * tiny))
        case 3: points.append(Vector3(p.x, p.y, 0.3 * p.x + 0.7 * p.y + (index % 7 == 0 ? tiny : 0)))
        case 4: points.append(p * tiny + Vector3(1, 1, 1))
        case 5: points.append(index % 5 == 0 ? p * 1e20 : p)
        default: points.append(index > 4 ? points[index % 4] + p * tiny : p)
        }
      }
      points = points.map { $0 * size }
      do {
        let hull = try ConvexHull(of: points)
        let isValid = hull.triangles.allSatisfy { t in
          (0..<3).allSatisfy { points.indices.contains(Int(t[$0])) }
        }
        #expect(isValid && hull.triangles.count >= 4)
      } catch {
        #expect(!error.description.isEmpty)
      }
    }
  }

  @Test func hullWithAVertexLimitIsRefusedBelowFour() {
    let points = MeshFixture.shared.meshes["box"]!.data.positions
    let error = #expect(throws: ConvexHullError.self) { try ConvexHull(of: points, maximumVertexCount: 3) }
    #expect(error?.description.contains("at least 4") == true)
  }
}
