import Kinematics
import Lanes
import RobotModels

/// The convex hull of a mesh, ready for support points and for contacts of faces. Immutable and shared.
final class ConvexMesh: Sendable {
  /// Corners of the hull in MuJoCo's order, in the geom's frame; rounded to single precision, in which MuJoCo keeps them.
  let vertices: ConstantBuffer<Vector3<Double>>
  /// The corner whose neighbours MuJoCo tries against a plane when a corner is lowest: that corner, but for meshes of fewer
  /// than ten vertices, where MuJoCo takes the number of a vertex for the number of a corner.
  let planeNeighborhoods: ConstantBuffer<Int32>
  /// Where the neighbours of each corner begin; one more entry than corners.
  let neighborStarts: ConstantBuffer<Int32>
  let neighbors: ConstantBuffer<Int32>
  /// Plane faces: triangles of the hull whose normals agree are joined.
  let faceStarts: ConstantBuffer<Int32>
  /// Corners of the faces, counterclockwise from outside.
  let faceVertices: ConstantBuffer<Int32>
  let faceNormals: ConstantBuffer<Vector3<Double>>
  /// Faces of each corner.
  let vertexFaceStarts: ConstantBuffer<Int32>
  let vertexFaces: ConstantBuffer<Int32>
  /// The most corners of a face, and the most faces of a corner.
  let largestFace: Int
  let largestDegree: Int
  /// Radius of a sphere about the origin that holds the mesh, as MuJoCo bounds it: through the corners of a box.
  let boundingRadius: Double

  /// - Complexity: O(triangles).
  init(_ mesh: Mesh) {
    var bound = Vector3<Double>.zero
    for vertex in mesh.vertices {
      bound = Vector3(max(bound.x, abs(vertex.x)), max(bound.y, abs(vertex.y)), max(bound.z, abs(vertex.z)))
    }
    boundingRadius = bound.norm
    // A mesh without a hull (of fewer than four points) is searched point by point.
    let hull = mesh.hullNeighbors
    let corners = hull.isEmpty ? mesh.vertices.indices.map(Int32.init) : hull.map { $0[0] }
    let numbers = Dictionary(
      uniqueKeysWithValues: corners.enumerated().map { ($0.element, Int32($0.offset)) })
    let points = corners.map { corner in
      let v = mesh.vertices[Int(corner)]
      return Vector3(Double(Float(v.x)), Double(Float(v.y)), Double(Float(v.z)))
    }
    let triangles = mesh.hullTriangles.map { triangle in triangle.map { numbers[$0]! } }

    let adjacent = hull.map { corner in corner.dropFirst().map { numbers[$0]! } }
    let faces = Self.joinedFaces(triangles, points)
    var facesOfVertex = [[Int32]](repeating: [], count: points.count)
    for (index, face) in faces.enumerated() {
      for corner in face.corners { facesOfVertex[Int(corner)].append(Int32(index)) }
    }
    vertices = ConstantBuffer(points)
    planeNeighborhoods = ConstantBuffer(
      corners.indices.map { corner in
        let number = Int(corners[corner])
        return Int32(mesh.vertices.count < 10 && number < corners.count ? number : corner)
      })
    neighborStarts = ConstantBuffer(Self.starts(adjacent))
    neighbors = ConstantBuffer(adjacent.flatMap { $0 })
    faceStarts = ConstantBuffer(Self.starts(faces.map(\.corners)))
    faceVertices = ConstantBuffer(faces.flatMap(\.corners))
    faceNormals = ConstantBuffer(faces.map(\.normal))
    vertexFaceStarts = ConstantBuffer(Self.starts(facesOfVertex))
    vertexFaces = ConstantBuffer(facesOfVertex.flatMap { $0 })
    largestFace = faces.map(\.corners.count).max() ?? 0
    largestDegree = facesOfVertex.map(\.count).max() ?? 0
  }

  private static func starts(_ lists: [[Int32]]) -> [Int32] {
    var starts: [Int32] = [0]
    for list in lists { starts.append(starts.last! + Int32(list.count)) }
    return starts
  }

  private struct Face {
    var corners: [Int32]
    var normal: Vector3<Double>
  }

  /// Joins neighbouring triangles whose normals round to the same angles, in steps of 0.01 rad as MuJoCo does, and traces
  /// the outlines.
  private static func joinedFaces(_ triangles: [[Int32]], _ points: [Vector3<Double>]) -> [Face] {
    struct Key: Hashable {
      var azimuth: Int
      var inclination: Int
    }
    struct Edge: Hashable {
      var from: Int32
      var to: Int32
    }
    var groups: [Key: [Int]] = [:]
    var order: [Key] = []
    for (index, t) in triangles.enumerated() {
      let (a, b, c) = (points[Int(t[0])], points[Int(t[1])], points[Int(t[2])])
      let product = (b - a).cross(c - a)
      let length = product.norm
      guard length >= 1e-15 else { continue }
      let normal = product / length
      let step = 0.01
      var key = Key(azimuth: 0, inclination: 0)
      if abs(normal.z) > 1 - 1e-7 {
        if normal.z < 0 { key.inclination = Int((Double.pi / step).rounded()) }
      } else {
        key.azimuth = Int((Double.arcTangent(y: normal.y, x: normal.x) / step).rounded())
        key.inclination = Int((normal.z.arcCosine / step).rounded())
      }
      if groups[key] == nil { order.append(key) }
      groups[key, default: []].append(index)
    }
    var faces: [Face] = []
    for key in order {
      var edges: [Edge] = []
      for index in groups[key]! {
        let t = triangles[index]
        for k in 0..<3 {
          let (from, to) = (t[k], t[(k + 1) % 3])
          if let inner = edges.firstIndex(of: Edge(from: to, to: from)) {
            edges.remove(at: inner)
          } else {
            edges.append(Edge(from: from, to: to))
          }
        }
      }
      while let first = edges.first {
        edges.removeFirst()
        var corners = [first.from, first.to]
        while let next = edges.firstIndex(where: { $0.from == corners.last! }) {
          let edge = edges.remove(at: next)
          if edge.to == corners[0] { break }
          corners.append(edge.to)
        }
        guard corners.count >= 3 else { continue }
        let (a, b, c) = (points[Int(corners[0])], points[Int(corners[1])], points[Int(corners[2])])
        faces.append(Face(corners: corners, normal: (b - a).cross(c - a).normalized(orXBelow: 1e-15)))
      }
    }
    return faces
  }

  /// The corner farthest along a direction, sought from a corner that is thought to be near.
  ///
  /// - Complexity: O(corners) up to ten of them, otherwise the length of an ascent along edges.
  @inline(__always)
  func supportIndex(_ direction: Vector3<Double>, near start: Int) -> Int {
    if vertices.count < 10 || neighbors.count == 0 {
      var best = 0
      var height = direction.dot(vertices[0])
      for index in 1..<vertices.count {
        let other = direction.dot(vertices[index])
        if other > height { (best, height) = (index, other) }
      }
      return best
    }
    var best = start
    var height = direction.dot(vertices[best])
    while true {
      let here = best
      for k in Int(neighborStarts[here])..<Int(neighborStarts[here + 1]) {
        let index = Int(neighbors[k])
        let other = direction.dot(vertices[index])
        if other > height { (best, height) = (index, other) }
      }
      if best == here { return best }
    }
  }
}
