import Lanes

/// The penetration depth of two overlapping cores by van den Bergen's expanding polytope: a polytope inside their
/// difference grows at the face nearest to the origin until that face lies on the difference's boundary.
///
/// The first tetrahedron need not hold the origin. Faces have signed distances, and the face with the smallest one grows:
/// while the origin is outside, that is the face it is farthest beyond. So cores that merely touch need no case of their
/// own.
final class ExpandingPolytope {
  private struct Face {
    var corners: (Int32, Int32, Int32)
    /// Faces beyond the edges from corner 0, 1 and 2 to the next.
    var neighbors: (Int32, Int32, Int32)
    var normal: Vector3<Double>
    /// Signed distance from the origin, positive where it is inside; infinite for a face without area.
    var distance: Double
    /// Dead faces wait for use.
    var isAlive: Bool
    var isVisible: Bool

    @inline(__always) func corner(_ side: Int) -> Int32 {
      side == 0 ? corners.0 : side == 1 ? corners.1 : corners.2
    }
    @inline(__always) func neighbor(_ side: Int) -> Int32 {
      side == 0 ? neighbors.0 : side == 1 ? neighbors.1 : neighbors.2
    }
  }

  private struct HorizonEdge {
    var from: Int32
    var to: Int32
    /// The face that stays.
    var neighbor: Int32
  }

  private static let vertexCapacity = 600
  private static let faceCapacity = 4 * vertexCapacity
  private let vertices = UnsafeMutablePointer<MinkowskiVertex>.allocate(capacity: vertexCapacity)
  private let faces = UnsafeMutablePointer<Face>.allocate(capacity: faceCapacity)
  private let freeFaces = UnsafeMutablePointer<Int32>.allocate(capacity: faceCapacity)
  private let stack = UnsafeMutablePointer<Int32>.allocate(capacity: faceCapacity)
  private let horizon = UnsafeMutablePointer<HorizonEdge>.allocate(capacity: faceCapacity)
  private let faceFrom = UnsafeMutablePointer<Int32>.allocate(capacity: vertexCapacity)
  private var vertexCount = 0
  private var faceCount = 0
  private var freeCount = 0

  deinit {
    vertices.deallocate()
    faces.deallocate()
    freeFaces.deallocate()
    stack.deallocate()
    horizon.deallocate()
    faceFrom.deallocate()
  }

  /// What is known of the deepest face.
  struct Result {
    /// From the first core to the second: the direction in which moving the second one frees it soonest.
    var normal: Vector3<Double>
    /// The depth, at least zero but for rounding.
    var depth: Double
    var on1: Vector3<Double>
    var on2: Vector3<Double>
    /// The face's corners.
    var corners: (MinkowskiVertex, MinkowskiVertex, MinkowskiVertex)
  }

  /// - Returns: nil where the difference has no volume, which two geoms of positive size cannot have.
  /// - Complexity: O(vertices squared), at most 300; allocates nothing.
  func penetration(_ shape1: inout ConvexShape, _ shape2: inout ConvexShape) -> Result? {
    guard makeTetrahedron(&shape1, &shape2) else { return nil }
    let scale = max(shape1.scale, shape2.scale)
    let tolerance = (shape1.isPolytope && shape2.isPolytope ? 1e-13 : 1e-11) * scale
    var best = nearestFace()
    // A support point in any direction bounds the depth from above, a face from below.
    var least = (height: Double.infinity, normal: Vector3<Double>.zero)
    while vertexCount < Self.vertexCapacity {
      let normal = faces[best].normal
      let vertex = MinkowskiVertex(&shape1, &shape2, along: normal)
      let height = vertex.point.dot(normal)
      if height < least.height { least = (height, normal) }
      if height - faces[best].distance <= tolerance { return result(best) }
      guard expand(at: best, by: vertex) else { break }
      best = nearestFace()
    }
    // A whole circle of directions may be as good, or rounding ends the growth: the smallest bound stands.
    let found = result(best)
    return least.height - found.depth > 1e-9 * scale ? descend(&shape1, &shape2, from: least.normal) : found
  }

  /// Lowers the bound of a direction by trying its neighbours, at a distance that shrinks.
  private func descend(
    _ shape1: inout ConvexShape, _ shape2: inout ConvexShape, from start: Vector3<Double>
  ) -> Result {
    var normal = start
    var best = MinkowskiVertex(&shape1, &shape2, along: normal)
    var step = 0.05
    var turn = 0.0
    while step > 1e-9 {
      // Other directions each time, because the bound has ridges.
      turn += 2.4
      let frame = (Self.across(normal), normal.cross(Self.across(normal)))
      let side1 = frame.0 * turn.cosine + frame.1 * turn.sine
      let side2 = normal.cross(side1)
      var isBetter = false
      for side in 0..<4 {
        let way = (side < 2 ? side1 : side2) * (side & 1 == 0 ? step : -step)
        let candidate = (normal + way).normalized(orXBelow: 1e-300)
        let vertex = MinkowskiVertex(&shape1, &shape2, along: candidate)
        guard vertex.point.dot(candidate) < best.point.dot(normal) else { continue }
        (normal, best, isBetter) = (candidate, vertex, true)
        break
      }
      if !isBetter { step *= 0.8 }
    }
    return Result(
      normal: normal, depth: best.point.dot(normal), on1: best.on1, on2: best.on2, corners: (best, best, best)
    )
  }

  /// The deepest point: where the normal of the nearest face, from the origin, leaves the polytope. Flat and curved sides
  /// are made of many faces that are nearly as near, so that it may be through another face.
  private func result(_ nearest: Int) -> Result {
    let normal = faces[nearest].normal
    var best = nearest
    var weights = weights(nearest, normal)
    var inside = min(weights.0, weights.1, weights.2)
    if inside < 0 {
      for index in 0..<faceCount where faces[index].isAlive && faces[index].normal.dot(normal) > 0.5 {
        let others = self.weights(index, normal)
        let other = min(others.0, others.1, others.2)
        if other > inside { (best, weights, inside) = (index, others, other) }
      }
    }
    let face = faces[best]
    let (a, b, c) = (
      vertices[Int(face.corners.0)], vertices[Int(face.corners.1)], vertices[Int(face.corners.2)]
    )
    var (u, v, w) = (max(weights.0, 0), max(weights.1, 0), max(weights.2, 0))
    let sum = u + v + w
    (u, v, w) = (u / sum, v / sum, w / sum)
    return Result(
      normal: normal, depth: faces[nearest].distance, on1: a.on1 * u + b.on1 * v + c.on1 * w,
      on2: a.on2 * u + b.on2 * v + c.on2 * w, corners: (a, b, c))
  }

  /// Weights of a face's corners at the point in which a line through the origin meets its plane; their sum is one.
  private func weights(_ index: Int, _ direction: Vector3<Double>) -> (Double, Double, Double) {
    let corners = faces[index].corners
    let (a, b, c) = (
      vertices[Int(corners.0)].point, vertices[Int(corners.1)].point, vertices[Int(corners.2)].point
    )
    let (u, v, w) = (direction.dot(b.cross(c)), direction.dot(c.cross(a)), direction.dot(a.cross(b)))
    let sum = u + v + w
    return sum > 0 ? (u / sum, v / sum, w / sum) : (1, -1, 1)
  }

  private func nearestFace() -> Int {
    var best = 0
    var distance = Double.infinity
    for index in 0..<faceCount where faces[index].isAlive && faces[index].distance < distance {
      (best, distance) = (index, faces[index].distance)
    }
    return best
  }

  // MARK: - The first tetrahedron

  private func makeTetrahedron(_ shape1: inout ConvexShape, _ shape2: inout ConvexShape) -> Bool {
    vertexCount = 0
    faceCount = 0
    freeCount = 0
    let scale = max(shape1.scale, shape2.scale)
    var direction = shape2.pose.position - shape1.pose.position
    if direction.normSquared < 1e-20 * scale * scale { direction = Vector3(1, 0, 0) }
    let a = MinkowskiVertex(&shape1, &shape2, along: direction)
    var b = MinkowskiVertex(&shape1, &shape2, along: -direction)
    if (b.point - a.point).normSquared < 1e-16 * scale * scale {
      // The difference is flat in this direction.
      b = MinkowskiVertex(&shape1, &shape2, along: Self.across(direction))
      if (b.point - a.point).normSquared < 1e-16 * scale * scale {
        b = MinkowskiVertex(&shape1, &shape2, along: -Self.across(direction))
      }
    }
    let edge = b.point - a.point
    guard edge.normSquared > 0 else { return false }
    // Of the points across the edge, the one that spans the largest triangle.
    let side1 = Self.across(edge)
    let side2 = edge.cross(side1)
    var c = a
    var area = 0.0
    for side in 0..<4 {
      let across = side < 2 ? side1 : side2.normalized(orXBelow: 1e-300)
      let vertex = MinkowskiVertex(&shape1, &shape2, along: side & 1 == 0 ? across : -across)
      let square = edge.cross(vertex.point - a.point).normSquared
      if square > area { (c, area) = (vertex, square) }
    }
    let normal = edge.cross(c.point - a.point).normalized(orXBelow: 1e-300)
    let above = MinkowskiVertex(&shape1, &shape2, along: normal)
    let below = MinkowskiVertex(&shape1, &shape2, along: -normal)
    let (height, depth) = (normal.dot(above.point - a.point), normal.dot(a.point - below.point))
    guard area > 0, max(height, depth) > 1e-14 * scale else { return false }
    let isAbove = height > depth
    append(a)
    append(b)
    append(c)
    append(isAbove ? above : below)
    // Corners 0 1 2 are counterclockwise seen from above.
    if isAbove {
      addFace((0, 2, 1), (3, 2, 1))
      addFace((0, 1, 3), (0, 2, 3))
      addFace((1, 2, 3), (0, 3, 1))
      addFace((0, 3, 2), (1, 2, 0))
    } else {
      addFace((0, 1, 2), (1, 2, 3))
      addFace((0, 3, 1), (3, 2, 0))
      addFace((1, 3, 2), (1, 3, 0))
      addFace((0, 2, 3), (0, 2, 1))
    }
    return true
  }

  /// A unit vector orthogonal to another.
  private static func across(_ v: Vector3<Double>) -> Vector3<Double> {
    let (x, y, z) = (abs(v.x), abs(v.y), abs(v.z))
    let axis: Vector3<Double> =
      x <= y && x <= z ? Vector3(1, 0, 0) : y <= z ? Vector3(0, 1, 0) : Vector3(0, 0, 1)
    return v.cross(axis).normalized(orXBelow: 1e-300)
  }

  private func append(_ vertex: MinkowskiVertex) {
    vertices.advanced(by: vertexCount).initialize(to: vertex)
    vertexCount += 1
  }

  @discardableResult
  private func addFace(_ corners: (Int32, Int32, Int32), _ neighbors: (Int32, Int32, Int32)) -> Int {
    var index = faceCount
    if freeCount > 0 {
      freeCount -= 1
      index = Int(freeFaces[freeCount])
    } else {
      faceCount += 1
    }
    let a = vertices[Int(corners.0)].point
    let product = (vertices[Int(corners.1)].point - a).cross(vertices[Int(corners.2)].point - a)
    let length = product.norm
    let isFlat = length < 1e-300
    let normal = isFlat ? product : product / length
    faces.advanced(by: index).initialize(
      to: Face(
        corners: corners, neighbors: neighbors, normal: normal,
        distance: isFlat ? .infinity : normal.dot(a), isAlive: true, isVisible: false))
    return index
  }

  // MARK: - Growth

  /// Replaces the faces that the new vertex sees by a fan from their outline.
  ///
  /// - Returns: false where rounding spoils the outline or memory ends; the polytope stays as it was.
  private func expand(at start: Int, by vertex: MinkowskiVertex) -> Bool {
    let visibleCount = markVisible(from: start, vertex.point)
    var edgeCount = 0
    for k in 0..<visibleCount {
      let face = faces[Int(stack[k])]
      for side in 0..<3 where !faces[Int(face.neighbor(side))].isVisible {
        horizon[edgeCount] = HorizonEdge(
          from: face.corner(side), to: face.corner((side + 1) % 3), neighbor: face.neighbor(side))
        edgeCount += 1
      }
    }
    guard edgeCount >= 3, faceCount + edgeCount <= Self.faceCapacity, isLoop(edgeCount) else {
      for k in 0..<visibleCount { faces[Int(stack[k])].isVisible = false }
      return false
    }
    for k in 0..<visibleCount {
      faces[Int(stack[k])].isAlive = false
      freeFaces[freeCount] = stack[k]
      freeCount += 1
    }
    let top = Int32(vertexCount)
    append(vertex)
    for k in 0..<edgeCount {
      let edge = horizon[k]
      let index = addFace((edge.from, edge.to, top), (edge.neighbor, -1, -1))
      faceFrom[Int(edge.from)] = Int32(index)
      relink(Int(edge.neighbor), edge.to, edge.from, Int32(index))
    }
    for k in 0..<edgeCount {
      let (here, next) = (faceFrom[Int(horizon[k].from)], faceFrom[Int(horizon[k].to)])
      faces[Int(here)].neighbors.1 = next
      faces[Int(next)].neighbors.2 = here
    }
    return true
  }

  /// Lists in `stack` the faces around `start` that see a point.
  private func markVisible(from start: Int, _ point: Vector3<Double>) -> Int {
    stack[0] = Int32(start)
    faces[start].isVisible = true
    var count = 1
    var next = 0
    while next < count {
      let face = faces[Int(stack[next])]
      next += 1
      for side in 0..<3 {
        let neighbor = face.neighbor(side)
        let index = Int(neighbor)
        guard !faces[index].isVisible else { continue }
        let isFlat = faces[index].distance == .infinity
        guard isFlat || faces[index].normal.dot(point) > faces[index].distance else { continue }
        faces[index].isVisible = true
        stack[count] = neighbor
        count += 1
      }
    }
    return count
  }

  /// Whether the horizon is one closed line that meets no vertex twice.
  private func isLoop(_ edgeCount: Int) -> Bool {
    for k in 0..<vertexCount { faceFrom[k] = -1 }
    for k in 0..<edgeCount {
      guard faceFrom[Int(horizon[k].from)] < 0 else { return false }
      faceFrom[Int(horizon[k].from)] = Int32(k)
    }
    var length = 0
    var at = 0
    repeat {
      let next = faceFrom[Int(horizon[at].to)]
      guard next >= 0 else { return false }
      at = Int(next)
      length += 1
    } while at != 0 && length <= edgeCount
    return length == edgeCount
  }

  /// Tells a face what is now beyond its edge.
  private func relink(_ index: Int, _ from: Int32, _ to: Int32, _ neighbor: Int32) {
    let corners = faces[index].corners
    if corners.0 == from, corners.1 == to {
      faces[index].neighbors.0 = neighbor
    } else if corners.1 == from, corners.2 == to {
      faces[index].neighbors.1 = neighbor
    } else {
      faces[index].neighbors.2 = neighbor
    }
  }
}
