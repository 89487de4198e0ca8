import Lanes

/// Two boxes, in two stages: the axis of largest separation among the six face normals and nine products of edges, then
/// the contact points that belong to it. A face gives the polygon of the other box's most opposed face, clipped to the
/// first (Sutherland and Hodgman): up to eight points. A pair of edges gives one point.
///
/// Clipping has no use for lanes; the lanes that may touch are computed one after the other.
///
/// Branch: the axis (0 to 2 faces of the first box, 3 to 5 of the second, `6 + 3 i + j` edges i and j), plus 16 times the
/// choices within it, see `facePoints` and `edgePoint`.
@inline(__always)
func boxBox<L: Lane>(
  _ pose1: GeomPose<L>, _ size1: Vector3<L>, _ pose2: GeomPose<L>, _ size2: Vector3<L>, cutoff: L,
  into list: inout ContactPointList<L>
) {
  // A little more than the bounding spheres, for rounding.
  let reach = (size1.norm + size2.norm + cutoff) * 1.001
  let isNear = (pose2.position - pose1.position).normSquared .<= reach * reach
  for lane in 0..<L.laneCount where isNear[lane: lane] {
    var boxes = BoxPair(
      pose1.lane(lane), size1.lane(lane), pose2.lane(lane), size2.lane(lane),
      cutoff: Double(cutoff[lane: lane]))
    boxes.collide { point in list.append(point, lane: lane, limit: 8) }
  }
}

extension Vector3 {
  /// The vector of one lane.
  @inline(__always) func lane(_ lane: Int) -> Vector3<Double> {
    Vector3<Double>(Double(x[lane: lane]), Double(y[lane: lane]), Double(z[lane: lane]))
  }
  @inline(__always) mutating func set(_ vector: Vector3<Double>, lane: Int) {
    x[lane: lane] = L.Scalar(vector.x)
    y[lane: lane] = L.Scalar(vector.y)
    z[lane: lane] = L.Scalar(vector.z)
  }
}

extension GeomPose {
  /// The pose in one lane.
  @inline(__always) func lane(_ lane: Int) -> GeomPose<Double> {
    GeomPose<Double>(
      position: position.lane(lane),
      rotation: Matrix3(
        columns: rotation.column0.lane(lane), rotation.column1.lane(lane), rotation.column2.lane(lane)))
  }
}

/// What is known of two boxes while they are collided.
private struct BoxPair {
  let pose1: GeomPose<Double>
  let size1: Vector3<Double>
  let pose2: GeomPose<Double>
  let size2: Vector3<Double>
  let cutoff: Double
  /// The second box's axes in the first's frame.
  let relative: Matrix3<Double>
  /// The second centre in the first's frame, and the first in the second's.
  let center2: Vector3<Double>
  let center1: Vector3<Double>
  /// What rounding may take from a separation.
  let slack: Double
  /// The axis of largest separation so far, and the face of largest separation.
  private var separation = -Double.infinity
  private var axis = -1
  private var faceSeparation = -Double.infinity
  private var faceAxis = -1

  init(
    _ pose1: GeomPose<Double>, _ size1: Vector3<Double>, _ pose2: GeomPose<Double>, _ size2: Vector3<Double>,
    cutoff: Double
  ) {
    (self.pose1, self.size1, self.pose2, self.size2, self.cutoff) = (pose1, size1, pose2, size2, cutoff)
    let transposed = pose1.rotation.transposed
    relative = transposed * pose2.rotation
    center2 = transposed * (pose2.position - pose1.position)
    center1 = pose2.rotation.transposedTimes(pose1.position - pose2.position)
    slack = cutoff + 1e-13 * (size1.x + size1.y + size1.z + size2.x + size2.y + size2.z)
  }

  @inline(__always)
  mutating func collide(_ append: (ContactPoint<Double>) -> Void) {
    guard testFaces(), testEdges() else { return }
    preferFace()
    if axis < 6 { facePoints(append) } else { edgePoint(append) }
  }

  /// False where the boxes are apart along a face normal.
  private mutating func testFaces() -> Bool {
    for i in 0..<3 {
      let radius =
        abs(relative[i, 0]) * size2.x + abs(relative[i, 1]) * size2.y + abs(relative[i, 2]) * size2.z
      guard consider(abs(center2[i]) - size1[i] - radius, i) else { return false }
    }
    for j in 0..<3 {
      let radius =
        abs(relative[0, j]) * size1.x + abs(relative[1, j]) * size1.y + abs(relative[2, j]) * size1.z
      guard consider(abs(center1[j]) - size2[j] - radius, 3 + j) else { return false }
    }
    (faceSeparation, faceAxis) = (separation, axis)
    return true
  }

  private mutating func consider(_ candidate: Double, _ code: Int) -> Bool {
    // Written so that what is not a number is apart.
    guard candidate <= slack else { return false }
    if candidate > separation { (separation, axis) = (candidate, code) }
    return true
  }

  /// False where the boxes are apart along the product of two edges.
  private mutating func testEdges() -> Bool {
    for i in 0..<3 {
      for j in 0..<3 {
        let (i1, i2, j1, j2) = ((i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3)
        var (n1, n2) = (-relative[i2, j], relative[i1, j])
        let square = n1 * n1 + n2 * n2
        // The product of nearly parallel edges is rounding; the faces stand in for it.
        if square < 1e-16 { continue }
        let scale = 1 / square.squareRoot()
        n1 *= scale
        n2 *= scale
        let radius1 = size1[i1] * abs(n1) + size1[i2] * abs(n2)
        let radius2 =
          size2[j1] * abs(n1 * relative[i1, j1] + n2 * relative[i2, j1])
          + size2[j2] * abs(n1 * relative[i1, j2] + n2 * relative[i2, j2])
        let candidate = abs(n1 * center2[i1] + n2 * center2[i2]) - radius1 - radius2
        if candidate > slack { return false }
        // Where a face is as good it gives more points.
        if candidate - 1e-6 * abs(candidate) > separation, candidate > faceSeparation {
          (separation, axis) = (candidate, 6 + 3 * i + j)
        }
      }
    }
    return true
  }

  /// The unit vector along the product of the axis' edges, in the first box's frame.
  private func edgeDirection() -> Vector3<Double> {
    let (i, j) = ((axis - 6) / 3, (axis - 6) % 3)
    var direction = Vector3<Double>.zero
    direction[(i + 1) % 3] = -relative[(i + 2) % 3, j]
    direction[(i + 2) % 3] = relative[(i + 1) % 3, j]
    return direction.normalized(orXBelow: 1e-15)
  }

  /// Takes the best face for a pair of edges that is within 8 degrees of it and hardly better.
  private mutating func preferFace() {
    guard axis >= 6 else { return }
    let direction = edgeDirection()
    let cosine = faceAxis < 3 ? direction[faceAxis] : relative.transposedTimes(direction)[faceAxis - 3]
    if abs(cosine) > 0.99, separation < faceSeparation + 0.05 * abs(faceSeparation) + 1e-15 {
      (separation, axis) = (faceSeparation, faceAxis)
    }
  }

  /// The point between two edges.
  ///
  /// Choices: the bits say whether the axis is reversed (1), and on which side the first box's edge (2, 4) and the second's
  /// (8, 16) lie along the two other axes.
  @inline(__always)
  private func edgePoint(_ append: (ContactPoint<Double>) -> Void) {
    let (i, j) = ((axis - 6) / 3, (axis - 6) % 3)
    let (i1, i2, j1, j2) = ((i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3)
    var normal = edgeDirection()
    var choices = 0
    if normal.dot(center2) < 0 {
      normal = -normal
      choices = 1
    }
    let normal2 = relative.transposedTimes(normal)
    // Where a component vanishes both edges are extreme; the nearer pair is right.
    let ambiguous1 = abs(normal[i1]) < 1e-9 ? i1 : abs(normal[i2]) < 1e-9 ? i2 : -1
    let ambiguous2 = abs(normal2[j1]) < 1e-9 ? j1 : abs(normal2[j2]) < 1e-9 ? j2 : -1
    let direction2 = j == 0 ? relative.column0 : j == 1 ? relative.column1 : relative.column2
    let cosine = direction2[i]
    let sineSquare = 1 - cosine * cosine

    var best = Double.infinity
    var (point1, point2) = (Vector3<Double>.zero, Vector3<Double>.zero)
    var bestSigns = 0
    for flip1 in 0..<(ambiguous1 >= 0 ? 2 : 1) {
      for flip2 in 0..<(ambiguous2 >= 0 ? 2 : 1) {
        var corner1 = Vector3<Double>.zero
        corner1[i1] = normal[i1] >= 0 ? size1[i1] : -size1[i1]
        corner1[i2] = normal[i2] >= 0 ? size1[i2] : -size1[i2]
        if flip1 == 1 { corner1[ambiguous1] = -corner1[ambiguous1] }
        var corner2 = Vector3<Double>.zero
        corner2[j1] = normal2[j1] >= 0 ? -size2[j1] : size2[j1]
        corner2[j2] = normal2[j2] >= 0 ? -size2[j2] : size2[j2]
        if flip2 == 1 { corner2[ambiguous2] = -corner2[ambiguous2] }
        let foot2 = relative * corner2 + center2

        let between = foot2 - corner1
        let along1 = between[i]
        let along2 = direction2.dot(between)
        var s = sineSquare < 1e-15 ? 0 : (along1 - cosine * along2) / sineSquare
        s = min(max(s, -size1[i]), size1[i])
        let t = min(max(cosine * s - along2, -size2[j]), size2[j])
        s = min(max(along1 + cosine * t, -size1[i]), size1[i])
        var on1 = corner1
        on1[i] += s
        let on2 = foot2 + direction2 * t
        let square = (on2 - on1).normSquared
        if square < best {
          (best, point1, point2) = (square, on1, on2)
          bestSigns =
            (corner1[i1] > 0 ? 2 : 0) + (corner1[i2] > 0 ? 4 : 0) + (corner2[j1] > 0 ? 8 : 0)
            + (corner2[j2] > 0 ? 16 : 0)
        }
      }
    }
    let distance = (point2 - point1).dot(normal)
    guard distance <= slack else { return }
    append(
      ContactPoint(
        distance: distance, position: pose1.rotation * ((point1 + point2) * 0.5) + pose1.position,
        normal: pose1.rotation * normal, branch: Double(axis + 16 * (choices + bestSigns))))
  }

  /// The points of the clipped face that are near enough.
  ///
  /// Choices: `(point * 2 + side) * 6 + incident`, with the point as in ``ClippedPolygon``, the side 1 where the face looks
  /// along its axis, and the incident face twice its axis, plus one where it looks along it.
  @inline(__always)
  private func facePoints(_ append: (ContactPoint<Double>) -> Void) {
    let isFirst = axis < 3
    let a = isFirst ? axis : axis - 3
    let (referenceSize, incidentSize) = isFirst ? (size1, size2) : (size2, size1)
    let reference = isFirst ? pose1 : pose2
    let center = isFirst ? center2 : center1
    let rotation = isFirst ? relative : relative.transposed
    let side: Double = center[a] >= 0 ? 1 : -1

    // The face of the other box that is most opposed.
    var b = 0
    for k in 1..<3 where abs(rotation[a, k]) > abs(rotation[a, b]) { b = k }
    let incidentSide: Double = side * rotation[a, b] > 0 ? -1 : 1
    let (ax, ay, u, v) = ((a + 1) % 3, (a + 2) % 3, (b + 1) % 3, (b + 2) % 3)

    // Coordinates along the face, and the height above it.
    @inline(__always) func project(_ x: Double, _ y: Double, _ z: Double) -> Vector3<Double> {
      Vector3(x, y, side * z)
    }
    @inline(__always) func column(_ k: Int, _ scale: Double) -> Vector3<Double> {
      project(rotation[ax, k] * scale, rotation[ay, k] * scale, rotation[a, k] * scale)
    }
    let middle =
      project(center[ax], center[ay], center[a]) + column(b, incidentSide * incidentSize[b])
      - Vector3(0, 0, referenceSize[a])
    let (du, dv) = (column(u, incidentSize[u]), column(v, incidentSize[v]))
    var polygon = ClippedPolygon(middle + du + dv, middle - du + dv, middle - du - dv, middle + du - dv)
    polygon.clip(0, 1, referenceSize[ax], side: 0)
    polygon.clip(0, -1, referenceSize[ax], side: 1)
    polygon.clip(1, 1, referenceSize[ay], side: 2)
    polygon.clip(1, -1, referenceSize[ay], side: 3)

    let axisDirection =
      a == 0 ? reference.rotation.column0 : a == 1 ? reference.rotation.column1 : reference.rotation.column2
    let normal = axisDirection * (isFirst ? side : -side)
    let sameSquare =
      1e-14 * (referenceSize[ax] * referenceSize[ax] + referenceSize[ay] * referenceSize[ay])
    var accepted = InlineArray<12, Int>(repeating: 0)
    var acceptedCount = 0
    for k in 0..<polygon.count {
      let point = polygon.points[k]
      guard point.z <= cutoff else { continue }
      var isNew = true
      for other in 0..<acceptedCount {
        let earlier = polygon.points[accepted[other]]
        let (dx, dy) = (earlier.x - point.x, earlier.y - point.y)
        if dx * dx + dy * dy < sameSquare { isNew = false }
      }
      guard isNew else { continue }
      accepted[acceptedCount] = k
      acceptedCount += 1

      var local = Vector3<Double>.zero
      local[ax] = point.x
      local[ay] = point.y
      local[a] = side * (referenceSize[a] + 0.5 * point.z)
      let incident = 2 * b + (incidentSide > 0 ? 1 : 0)
      let choices = (polygon.origins[k] * 2 + (side > 0 ? 1 : 0)) * 6 + incident
      append(
        ContactPoint(
          distance: point.z, position: reference.rotation * local + reference.position, normal: normal,
          branch: Double(axis + 16 * choices)))
    }
  }
}

/// A quadrilateral that is clipped by half planes in x and y; z is carried along.
///
/// Each point knows where it comes from: corner 0 to 3 of the quadrilateral; `4 + 4 e + s`, its edge e (from corner e to the
/// next) cut by side s; or `20 + 4 s + t`, a corner between two sides.
struct ClippedPolygon {
  var points = InlineArray<12, Vector3<Double>>(repeating: .zero)
  var origins = InlineArray<12, Int>(repeating: 0)
  /// What the edge to the next point lies on: 0 to 3 an edge of the quadrilateral, 4 to 7 a side.
  private var edges = InlineArray<12, Int>(repeating: 0)
  private(set) var count = 4

  init(_ a: Vector3<Double>, _ b: Vector3<Double>, _ c: Vector3<Double>, _ d: Vector3<Double>) {
    points[0] = a
    points[1] = b
    points[2] = c
    points[3] = d
    for k in 0..<4 {
      origins[k] = k
      edges[k] = k
    }
  }

  /// Keeps what satisfies `sign * point[axis] <= limit`.
  mutating func clip(_ axis: Int, _ sign: Double, _ limit: Double, side: Int) {
    var heights = InlineArray<12, Double>(repeating: 0)
    var isInside = true
    for k in 0..<count {
      heights[k] = sign * (axis == 0 ? points[k].x : points[k].y) - limit
      isInside = isInside && heights[k] <= 0
    }
    if isInside { return }
    let before = self
    count = 0
    for k in 0..<before.count {
      let next = k + 1 == before.count ? 0 : k + 1
      let (here, there) = (heights[k], heights[next])
      if here <= 0 { add(before.points[k], before.origins[k], before.edges[k]) }
      guard (here < 0 && there > 0) || (here > 0 && there < 0) else { continue }
      let cut = before.points[k] + (before.points[next] - before.points[k]) * (here / (here - there))
      let edge = before.edges[k]
      let origin = edge < 4 ? 4 + 4 * edge + side : 20 + 4 * (edge - 4) + side
      add(cut, origin, there > 0 ? 4 + side : edge)
    }
    // A point on the side itself begins an edge along it where the next is outside.
    for k in 0..<before.count where heights[k] == 0 {
      let next = k + 1 == before.count ? 0 : k + 1
      if heights[next] > 0 { relabel(before.origins[k], 4 + side) }
    }
  }

  private mutating func add(_ point: Vector3<Double>, _ origin: Int, _ edge: Int) {
    guard count < 12 else { return }
    points[count] = point
    origins[count] = origin
    edges[count] = edge
    count += 1
  }

  private mutating func relabel(_ origin: Int, _ edge: Int) {
    for k in 0..<count where origins[k] == origin { edges[k] = edge }
  }
}
