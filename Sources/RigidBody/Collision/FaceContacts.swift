import Kinematics
import Lanes

/// Further contacts of two penetrating polytopes (boxes and meshes), where a face of one meets a face or an edge of the
/// other: the second is clipped by the planes through the first's edges, and every corner that is left below the face is a
/// contact. Faces meet where their normals are opposite within 5.1 degrees, an edge meets a face where they are parallel
/// within as much. The features that touch deepest say which faces and edges are tried.
struct FaceContacts {
  private static let faceTolerance = 0.996
  private static let edgeTolerance = 0.0888
  /// More corners are thinned out to a quadrilateral.
  private static let largestCount = 4
  /// Marks these contacts among those of two convex geoms.
  static let branch = 5.0

  private struct CandidateFace {
    var index: Int
    var normal: Vector3<Double>
  }

  private struct CandidateEdge {
    var vertex: Int32
    var end: Vector3<Double>
    var direction: Vector3<Double>
  }

  /// A corner of the polygon that is clipped, with what its sides are part of: the polygon's own side with a number, or the
  /// clipping plane with the number −1 − number.
  private struct Corner {
    var point: Vector3<Double>
    var before: Int32 = 0
    var after: Int32
  }

  private var faces1: [CandidateFace] = []
  private var faces2: [CandidateFace] = []
  private var edges: [CandidateEdge] = []
  private var clipper: [Vector3<Double>] = []
  private var incident: [Vector3<Double>] = []
  private var polygon: [Corner] = []
  private var clipped: [Corner] = []
  /// Where the corners come from that were found last.
  private(set) var corners: [ClippedCorner] = []

  /// Room for the largest faces, so that nothing is allocated later.
  init(largestFace: Int, largestDegree: Int) {
    let (corners, degree) = (max(largestFace, 4), max(largestDegree, 3))
    faces1.reserveCapacity(degree)
    faces2.reserveCapacity(degree)
    edges.reserveCapacity(degree)
    clipper.reserveCapacity(corners)
    incident.reserveCapacity(corners)
    polygon.reserveCapacity(3 * corners + 4)
    clipped.reserveCapacity(3 * corners + 4)
    self.corners.reserveCapacity(Self.largestCount)
  }

  /// - Returns: false where no faces meet; the deepest point is then the only contact.
  mutating func find(
    _ shape1: ConvexShape, _ shape2: ConvexShape, _ deepest: SignedDistance,
    into list: inout ContactPointList<Double>
  ) -> Bool {
    guard let corners = deepest.corners else { return false }
    let feature1 = Feature(
      (corners.0.vertex1, corners.1.vertex1, corners.2.vertex1), (corners.0.on1, corners.1.on1, corners.2.on1)
    )
    let feature2 = Feature(
      (corners.0.vertex2, corners.1.vertex2, corners.2.vertex2), (corners.0.on2, corners.1.on2, corners.2.on2)
    )
    Self.findFaces(shape1, feature1, deepest.normal, &faces1)
    Self.findFaces(shape2, feature2, -deepest.normal, &faces2)

    if let (i, j) = opposite() {
      Self.trace(shape1, faces1[i].index, &clipper)
      Self.trace(shape2, faces2[j].index, &incident)
      // Corners are the second's; the first's surface is across, along the second's normal.
      return clip(
        faces1[i].normal, contactNormal: -faces2[j].normal,
        ClippedCorner(isFirstClipper: true, face: Int32(faces1[i].index), incident: Int32(faces2[j].index)),
        into: &list)
    }
    if feature1.count < 3, feature1.count <= feature2.count {
      Self.findEdges(shape1, feature1, &edges)
      guard let (edge, face) = parallel(faces2) else { return false }
      Self.trace(shape2, faces2[face].index, &clipper)
      setIncident(feature1.points.0, edges[edge].end)
      return clip(
        faces2[face].normal, contactNormal: -faces2[face].normal,
        ClippedCorner(
          isFirstClipper: false, face: Int32(faces2[face].index), incident: feature1.vertices.0,
          end: edges[edge].vertex), into: &list)
    }
    guard feature2.count < 3 else { return false }
    Self.findEdges(shape2, feature2, &edges)
    guard let (edge, face) = parallel(faces1) else { return false }
    Self.trace(shape1, faces1[face].index, &clipper)
    setIncident(feature2.points.0, edges[edge].end)
    return clip(
      faces1[face].normal, contactNormal: faces1[face].normal,
      ClippedCorner(
        isFirstClipper: true, face: Int32(faces1[face].index), incident: feature2.vertices.0,
        end: edges[edge].vertex), into: &list)
  }

  /// One, two or three different corners.
  private struct Feature {
    var vertices: (Int32, Int32, Int32)
    var points: (Vector3<Double>, Vector3<Double>, Vector3<Double>)
    var count: Int

    init(_ v: (Int32, Int32, Int32), _ p: (Vector3<Double>, Vector3<Double>, Vector3<Double>)) {
      (vertices, points) = (v, p)
      if v.0 == v.1 {
        count = v.0 == v.2 ? 1 : 2
        if count == 2 { (vertices.1, points.1) = (v.2, p.2) }
      } else {
        count = v.2 == v.0 || v.2 == v.1 ? 2 : 3
      }
    }
  }

  private mutating func setIncident(_ a: Vector3<Double>, _ b: Vector3<Double>) {
    incident.removeAll(keepingCapacity: true)
    incident.append(a)
    incident.append(b)
  }

  private func opposite() -> (Int, Int)? {
    for i in faces1.indices {
      for j in faces2.indices where faces1[i].normal.dot(faces2[j].normal) < -Self.faceTolerance {
        return (i, j)
      }
    }
    return nil
  }

  private func parallel(_ faces: [CandidateFace]) -> (edge: Int, face: Int)? {
    for face in faces.indices {
      for edge in edges.indices
      where abs(edges[edge].direction.dot(faces[face].normal)) < Self.edgeTolerance {
        return (edge, face)
      }
    }
    return nil
  }

  // MARK: - Faces and edges of a shape

  /// Faces that hold all corners of a feature. A box' faces are numbered -x, +x, -y, +y, -z, +z.
  private static func findFaces(
    _ shape: ConvexShape, _ feature: Feature, _ normal: Vector3<Double>, _ faces: inout [CandidateFace]
  ) {
    faces.removeAll(keepingCapacity: true)
    let v = feature.vertices
    if shape.core == .mesh {
      shape.mesh!._withUnsafeGuaranteedRef { mesh in
        for k in Int(mesh.vertexFaceStarts[Int(v.0)])..<Int(mesh.vertexFaceStarts[Int(v.0) + 1]) {
          let face = mesh.vertexFaces[k]
          if feature.count > 1, !has(mesh, Int(v.1), face) { continue }
          if feature.count > 2, !has(mesh, Int(v.2), face) { continue }
          faces.append(
            CandidateFace(index: Int(face), normal: shape.pose.rotation * mesh.faceNormals[Int(face)]))
        }
      }
      return
    }
    let set = feature.count == 1 ? v.0 : feature.count == 2 ? v.0 & v.1 : v.0 & v.1 & v.2
    let clear = feature.count == 1 ? ~v.0 : feature.count == 2 ? ~(v.0 | v.1) : ~(v.0 | v.1 | v.2)
    for axis in 0..<3 {
      let bit = Int32(1) << Int32(axis)
      if set & bit != 0 { faces.append(boxFace(shape, 2 * axis + 1)) }
      if clear & bit != 0 { faces.append(boxFace(shape, 2 * axis)) }
    }
    // A diagonal or three corners that share no face: the face that looks along the normal, if there is one.
    if faces.count != 4 - feature.count {
      faces.removeAll(keepingCapacity: true)
      for face in 0..<6 {
        let candidate = boxFace(shape, face)
        if candidate.normal.dot(normal) > faceTolerance { faces.append(candidate) }
      }
    }
  }

  private static func has(_ mesh: ConvexMesh, _ vertex: Int, _ face: Int32) -> Bool {
    for k in Int(mesh.vertexFaceStarts[vertex])..<Int(mesh.vertexFaceStarts[vertex + 1])
    where mesh.vertexFaces[k] == face {
      return true
    }
    return false
  }

  private static func column(_ shape: ConvexShape, _ axis: Int) -> Vector3<Double> {
    axis == 0
      ? shape.pose.rotation.column0 : axis == 1 ? shape.pose.rotation.column1 : shape.pose.rotation.column2
  }

  private static func boxFace(_ shape: ConvexShape, _ face: Int) -> CandidateFace {
    CandidateFace(index: face, normal: column(shape, face / 2) * (face & 1 == 1 ? 1.0 : -1.0))
  }

  /// Corners of a face in world coordinates, clockwise from outside.
  private static func trace(_ shape: ConvexShape, _ face: Int, _ corners: inout [Vector3<Double>]) {
    corners.removeAll(keepingCapacity: true)
    if shape.core == .mesh {
      shape.mesh!._withUnsafeGuaranteedRef { mesh in
        for k in (Int(mesh.faceStarts[face])..<Int(mesh.faceStarts[face + 1])).reversed() {
          let vertex = mesh.vertices[Int(mesh.faceVertices[k])]
          corners.append(shape.pose.rotation.multiplyAdd(vertex, shape.pose.position))
        }
      }
      return
    }
    let axis = face / 2
    let side: Double = face & 1 == 1 ? 1 : -1
    let middle = column(shape, axis).multiplyAdd(side * shape.size[axis], shape.pose.position)
    let (next, last) = ((axis + 1) % 3, (axis + 2) % 3)
    let u = column(shape, next) * (side * shape.size[next])
    let v = column(shape, last) * shape.size[last]
    let start = boxFaceStart(face)
    for k in 0..<4 {
      let corner = (k + start) & 3
      corners.append(middle + (corner < 2 ? u : -u) + (corner == 0 || corner == 3 ? v : -v))
    }
  }

  /// The edge of two corners, or all edges of one.
  private static func findEdges(_ shape: ConvexShape, _ feature: Feature, _ edges: inout [CandidateEdge]) {
    edges.removeAll(keepingCapacity: true)
    let start = feature.points.0
    func add(_ vertex: Int32, _ end: Vector3<Double>) {
      edges.append(
        CandidateEdge(vertex: vertex, end: end, direction: (end - start).normalized(orXBelow: 1e-15)))
    }
    if feature.count == 2 { return add(feature.vertices.1, feature.points.1) }
    let vertex = Int(feature.vertices.0)
    if shape.core == .box {
      for axis in 0..<3 {
        let isUpper = vertex & (1 << axis) != 0
        add(
          Int32(vertex ^ (1 << axis)),
          column(shape, axis).multiplyAdd((isUpper ? -2 : 2) * shape.size[axis], start))
      }
      return
    }
    shape.mesh!._withUnsafeGuaranteedRef { mesh in
      for k in Int(mesh.vertexFaceStarts[vertex])..<Int(mesh.vertexFaceStarts[vertex + 1]) {
        let face = Int(mesh.vertexFaces[k])
        let (first, end) = (Int(mesh.faceStarts[face]), Int(mesh.faceStarts[face + 1]))
        for at in first..<end where Int(mesh.faceVertices[at]) == vertex {
          let before = mesh.faceVertices[at == first ? end - 1 : at - 1]
          add(before, shape.pose.rotation.multiplyAdd(mesh.vertices[Int(before)], shape.pose.position))
        }
      }
    }
  }

  // MARK: - Clipping

  /// Clips `incident` (a face or an edge) by the planes through the edges of `clipper`, whose normal is given.
  private mutating func clip(
    _ normal: Vector3<Double>, contactNormal: Vector3<Double>, _ source: ClippedCorner,
    into list: inout ContactPointList<Double>
  ) -> Bool {
    guard clipper.count >= 3 else { return false }
    let isEdge = source.isEdge
    polygon.removeAll(keepingCapacity: true)
    for k in incident.indices { polygon.append(Corner(point: incident[k], after: Int32(k))) }
    for e in clipper.indices {
      let start = clipper[e]
      // Clockwise, so that it points inwards.
      let inward = (clipper[e + 1 == clipper.count ? 0 : e + 1] - start).cross(normal)
        .normalized(orXBelow: 1e-15)
      clipped.removeAll(keepingCapacity: true)
      for k in polygon.indices {
        let (p, q) = (polygon[k], polygon[k + 1 == polygon.count ? 0 : k + 1])
        let (hp, hq) = (inward.dot(p.point - start), inward.dot(q.point - start))
        let (isPInside, isQInside) = (hp > -1e-15, hq > -1e-15)
        if isPInside != isQInside {
          let t = hp / (hp - hq)
          if t >= 0, t <= 1 {
            // Where the outline leaves the inside it follows the plane.
            clipped.append(
              Corner(
                point: (q.point - p.point).multiplyAdd(t, p.point), after: isPInside ? Int32(-1 - e) : p.after
              ))
          }
        }
        if isQInside { clipped.append(q) }
      }
      swap(&clipped, &polygon)
    }
    for k in polygon.indices { polygon[k].before = polygon[k == 0 ? polygon.count - 1 : k - 1].after }
    let base = clipper[0]
    polygon.removeAll { $0.point.isFinite == false || normal.dot($0.point - base) > 0 }
    guard !polygon.isEmpty else { return false }
    if isEdge, polygon.count > 2 {
      keepFarthest()
    } else if polygon.count > Self.largestCount {
      keepQuadrilateral()
    }
    corners.removeAll(keepingCapacity: true)
    for corner in polygon {
      let distance = normal.dot(corner.point - base)
      var own = source
      (own.before, own.after) = (corner.before, corner.after)
      corners.append(own)
      // From the corner halfway to the other surface; the normal is within tolerance of the face's own.
      let toFirst = isEdge ? normal * (-0.5 * distance) : contactNormal * (-0.5 * distance)
      list.append(
        ContactPoint(
          distance: distance, position: corner.point + toFirst, normal: contactNormal, branch: Self.branch),
        where: true, limit: Self.largestCount)
    }
    return true
  }

  /// The two corners that are farthest apart.
  private mutating func keepFarthest() {
    var best = (0, 1)
    var square = 0.0
    for i in polygon.indices {
      for j in (i + 1)..<max(polygon.count, i + 1) {
        let other = (polygon[j].point - polygon[i].point).normSquared
        if other > square { (square, best) = (other, (i, j)) }
      }
    }
    let (a, b) = (polygon[best.0], polygon[best.1])
    polygon.removeAll(keepingCapacity: true)
    polygon.append(a)
    polygon.append(b)
  }

  /// Four corners, by moving them along the outline in turn as long as a measure grows (rotating calipers). The measure is
  /// MuJoCo's, which was meant for the area and takes one of two triangles with the other sign.
  private mutating func keepQuadrilateral() {
    let count = polygon.count
    func next(_ k: Int) -> Int { k + 1 == count ? 0 : k + 1 }
    func area(_ a: Int, _ b: Int, _ c: Int, _ d: Int) -> Double {
      let (a, b, c, d) = (polygon[a].point, polygon[b].point, polygon[c].point, polygon[d].point)
      return ((d - a).cross(b - d) + (c - b).cross(a - c)).norm
    }
    var best = (0, 1, 2, 3)
    var largest = area(0, 1, 2, 3)
    var (b, c, d) = (1, 2, 3)
    for a in 0..<count {
      while area(a, b, c, next(d)) > largest {
        d = next(d)
        largest = area(a, b, c, d)
        best = (a, b, c, d)
        while area(a, b, next(c), d) > largest {
          c = next(c)
          largest = area(a, b, c, d)
          best = (a, b, c, d)
        }
        while area(a, next(b), c, d) > largest {
          b = next(b)
          largest = area(a, b, c, d)
          best = (a, b, c, d)
        }
      }
      if b == a {
        b = next(b)
        if c == b {
          c = next(c)
          if d == c { d = next(d) }
        }
      }
    }
    let corners = (polygon[best.0], polygon[best.1], polygon[best.2], polygon[best.3])
    polygon.removeAll(keepingCapacity: true)
    polygon.append(corners.0)
    polygon.append(corners.1)
    polygon.append(corners.2)
    polygon.append(corners.3)
  }
}

/// Where the outline of a box' face begins, MuJoCo's first corner: where a clipped outline has too many corners it matters which
/// ones are looked at first. Corners are counted clockwise from that in which the two axes after the face's own, in turn, are
/// upper (on the face's side for the first of them).
func boxFaceStart(_ face: Int) -> Int { face == 1 ? 0 : face >= 4 ? 3 : 2 }
