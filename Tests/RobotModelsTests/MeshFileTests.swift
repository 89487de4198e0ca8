import Foundation
import Testing

@testable import RobotModels

@Suite struct MeshFileTests {
  static let box = MeshFixture.shared.meshes["box"]!.data

  @Test(arguments: ["", "solid starts like text", "a header of more than eighty characters, as some write"])
  func readsBinarySTL(header: String) throws {
    let data = try MeshData(stl: binarySTL(Self.box, header: header), file: "box.stl")
    #expect(data.vertices.count == 8)
    #expect(data.triangles.count == 12)
    #expect(corners(data) == corners(Self.box))
  }

  @Test func readsTextSTL() throws {
    let text = textSTL(Self.box)
    let data = try MeshData(stl: Array(text.utf8), file: "box.stl")
    #expect(data == (try MeshData(stl: binarySTL(Self.box), file: "box.stl")))
    let shouting = text.uppercased().replacing("\n", with: "\r\n")
    #expect(try MeshData(stl: Array((shouting + text).utf8), file: "box.stl").triangles.count == 24)
  }

  @Test func weldsVerticesByTheirBits() throws {
    var data = Self.box
    data.vertices = [[0, 0, 0], [-0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
    data.triangles = [[0, 2, 3], [1, 4, 3]]
    let read = try MeshData(stl: binarySTL(data), file: "x.stl")
    #expect(read.vertices == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [-0.0, 0, 0]])
    #expect(read.triangles == [[0, 1, 2], [3, 1, 2]])
  }

  private func corners(_ data: MeshData) -> [SIMD3<Float>] {
    data.triangles.flatMap { t in (0..<3).map { data.vertices[Int(t[$0])] } }
  }

  static let badSTL: [(String, [UInt8], String)] = {
    let good = binarySTL(box)
    var lying = good
    lying[80] = 200
    var huge = good
    for index in 80..<84 { huge[index] = 0xFF }
    var empty = Array(good.prefix(84))
    empty[80] = 0
    var notANumber = good
    notANumber[84 + 50 + 12 + 3] = 0x7F
    notANumber[84 + 50 + 12 + 2] = 0xC0
    var large = good
    large[84 + 24 + 3] = 0x7E
    return [
      ("nothing", [], "byte 0: the file ends inside the 84-byte header"),
      ("part of a header", Array(good.prefix(50)), "byte 50"),
      ("truncated", Array(good.dropLast(1)), "promises 12 triangles, 684 bytes, but the file has 683 bytes"),
      ("lying count", lying, "byte 80: the header promises 200 triangles"),
      ("absurd count", huge, "promises 4294967295 triangles"),
      ("no triangle", empty, "no triangles"),
      ("not finite", notANumber, "byte 146: a coordinate of triangle 1 is nan"),
      ("large", large, "byte 108: a coordinate of triangle 0"),
    ]
  }()

  @Test(arguments: badSTL.indices)
  func refusesBadBinarySTL(index: Int) {
    let (name, bytes, message) = Self.badSTL[index]
    let error = #expect(throws: ModelError.self) { try MeshData(stl: bytes, file: "\(name).stl") }
    #expect(error?.kind == .invalid)
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    #expect(error?.description.hasPrefix("\(name).stl: ") == true)
  }

  @Test(arguments: [
    ("solid a\n", "2:1: the file ends inside a solid"),
    ("solid a\nendsolid\n", "3:1: the file has no triangles"),
    ("solid a\n facet normal 0 0\n", "3:1: a facet's normal needs three numbers"),
    ("solid a\n facet normal 0 0 x\n", "2:19: a facet's normal needs three numbers"),
    ("solid a\n facet abnormal 0 0 1\n", "2:8: expected 'normal' in facet 0, found 'abnormal'"),
    ("solid a\n facet normal 0 0 1\n  outer loop\n   vertex 0 0 nan\n", "4:15: the coordinate nan"),
    ("solid a\n facet normal 0 0 1\n  outer loop\n   vertex 0 1e400 0\n", "4:13: the coordinate 1e400"),
    ("solid a\n facet normal 0 0 1\n  outer loop\n   vertex 0 0,5 0\n", "4:13: '0,5'"),
    (
      "solid a\n facet normal 0 0 1\n  outer loop\n   vertex 0 0 0\n   endloop\n",
      "5:4: expected 'vertex' in facet 0, found 'endloop'"
    ),
    ("solid a\nfacets\n", "2:1: expected 'facet' or 'endsolid', found 'facets'"),
    ("solid a\nendsolid a\nrest\n", "3:1: expected 'solid', found 'rest'"),
  ])
  func refusesBadTextSTL(text: String, message: String) {
    let error = #expect(throws: ModelError.self) { try MeshData(stl: Array(text.utf8), file: "f.stl") }
    #expect(error?.description.hasPrefix("f.stl:" + message) == true, "\(error?.description ?? "")")
  }

  @Test func readsOBJ() throws {
    let text = """
      # comment
      mtllib x.mtl
      o thing
      v 0 0 0 1.0
      v 1 0 0   # right
      v 1 1 0
      v 0 1 0
      v 0 0 1 0.5 0.5 0.5
      vt 0 0
      vn 0 0 1
      s off
      usemtl red
      f 1 2 3
      f 1/1 3/1 4/1
      f 1//1 2//1 5//1
      f -4/1/1 -3/1/1 -1/1/1
      """
    let data = try MeshData(obj: Array(text.utf8), file: "f.obj")
    #expect(data.vertices == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]])
    #expect(data.triangles == [[0, 1, 2], [0, 2, 3], [0, 1, 4], [1, 2, 4]])
    #expect(data.warnings == [])
  }

  @Test func cutsAPolygonThatIsNotConvexIntoEars() throws {
    // An L: the fan about its first corner would leave the shape.
    let text = "v 2 0 0\nv 2 1 0\nv 1 1 0\nv 1 2 0\nv 0 2 0\nv 0 0 0\nf 1 2 3 4 5 6\n"
    let data = try MeshData(obj: Array(text.utf8), file: "f.obj")
    #expect(data.triangles.count == 4)
    let areas = data.triangles.map { t -> Float in
      let (a, b, c) = (data.vertices[Int(t.x)], data.vertices[Int(t.y)], data.vertices[Int(t.z)])
      return ((b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)) / 2
    }
    #expect(areas.allSatisfy { $0 > 0 })
    #expect(areas.reduce(0, +) == 3)
  }

  @Test func usesTheFirstObjectAndSaysSo() throws {
    let text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\no a\nf 1 2 3\no b\nf 1 2 4\nf 1 3 4\n"
    let data = try MeshData(obj: Array(text.utf8), file: "f.obj")
    #expect(data.triangles == [[0, 1, 2]])
    #expect(data.warnings.count == 1)
    #expect(data.warnings.first?.contains("2 faces") == true)
  }

  @Test(arguments: [
    ("v 0 0\n", "1:6: vertex 1 ends early"),
    ("v 0 0 zero\n", "1:7: 'zero' in vertex 1 is not a number"),
    ("v 0 0 inf\n", "1:7: the coordinate inf of vertex 1"),
    ("v 0 0 2e9\n", "1:7: the coordinate 2e9 of vertex 1"),
    ("v 0 0 0\nf 1 1\n", "2:1: a face needs at least 3 corners, here are 2"),
    ("v 0 0 0\nf 1 1 2\n", "2:1: vertex 2 does not exist; the file has 1"),
    ("v 0 0 0\nf 1 1 0\n", "2:7: vertex 0 does not exist"),
    ("v 0 0 0\nf 1 1 -2\n", "2:7: vertex -2 does not exist"),
    ("v 0 0 0\nf 1 1 1/x\n", "2:7: '1/x' is not a corner"),
    ("v 0 0 0\nf 1 1 1/\n", "2:7: '1/' is not a corner"),
    ("v 0 0 0\nf 1 1 1/1/1/1\n", "2:7: '1/1/1/1' is not a corner"),
    ("v 0 0 0\nf 1 1 9999999999\n", "2:7: '9999999999' is not a corner"),
    ("curv 0 1\n", "1:1: 'curv' is not supported"),
    ("solid x\n", "1:1: 'solid' is not supported"),
  ])
  func refusesBadOBJ(text: String, message: String) {
    let error = #expect(throws: ModelError.self) { try MeshData(obj: Array(text.utf8), file: "f.obj") }
    #expect(error?.description.hasPrefix("f.obj:" + message) == true, "\(error?.description ?? "")")
  }

  @Test func refusesAPolygonWithTooManyCorners() {
    let text = "v 0 0 0\nf" + String(repeating: " 1", count: 257) + "\n"
    let error = #expect(throws: ModelError.self) { try MeshData(obj: Array(text.utf8), file: "f.obj") }
    #expect(error?.description.hasPrefix("f.obj:2:1: a polygon with more than 256 corners") == true)
  }

  @Test func readsFilesByExtension() throws {
    let folder = try TemporaryFolder()
    let stl = try folder.write(binarySTL(Self.box), to: "a/Box.STL")
    #expect(try MeshData(contentsOf: stl).triangles.count == 12)
    let obj = try folder.write("v 0 0 0\nf 1 1 1\n".utf8, to: "b.Obj")
    #expect(try MeshData(contentsOf: obj).triangles.count == 1)
  }

  @Test(arguments: [
    ("missing.stl", ModelError.Kind.unreadable, "does not exist"),
    ("folder.stl", .unreadable, "not a regular file"),
    ("zero.stl", .unreadable, "not a regular file"),
    ("mesh.dae", .invalid, "'.dae' is not supported"),
  ])
  func refusesFiles(name: String, kind: ModelError.Kind, message: String) throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.path + "/folder.stl", withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/zero.stl", withDestinationPath: "/dev/zero")
    let error = #expect(throws: ModelError.self) {
      try MeshData(contentsOf: folder.path + "/" + name)
    }
    #expect(error?.kind == kind)
    #expect(error?.message.contains(message) == true, "\(error?.description ?? "")")
  }

  @Test func aMutatedMeshNeverCrashes() {
    var generator = SeededGenerator(seed: 5)
    let binary = binarySTL(Self.box)
    let text = Array(textSTL(Self.box).utf8)
    let obj = Array(MeshFixture.shared.obj.text!.utf8)
    var read = 0
    for round in 0..<3000 {
      var bytes = [binary, text, obj][round % 3]
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.removeSubrange(place...)
        case 2: bytes.insert(contentsOf: bytes.prefix(place).suffix(20), at: place)
        default: bytes[place] = Array("0123456789-/.e \n".utf8).randomElement(using: &generator)!
        }
        if bytes.isEmpty { bytes = [0] }
      }
      let data = round % 3 == 2 ? try? MeshData(obj: bytes, file: "f") : try? MeshData(stl: bytes, file: "f")
      guard let data else { continue }
      read += 1
      for mode in MeshInertia.allCases {
        var settings = MeshSettings()
        settings.inertia = mode
        settings.needsHull = true
        let location = ModelError.Location(file: "f", line: 1, column: 1)
        guard let mesh = try? ModelSpecification.Mesh(data, settings: settings, location: location) else {
          continue
        }
        _ = try? CompiledMesh(mesh)
      }
    }
    #expect(read > 300)
  }
}

/// SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
