import Lanes

/// A point of the difference of two cores, and the points of each that it comes from.
struct MinkowskiVertex {
  var point: Vector3<Double>
  var on1: Vector3<Double>
  var on2: Vector3<Double>
  var vertex1: Int32
  var vertex2: Int32

  /// The point of `shape1 - shape2` farthest along a direction.
  @inline(__always)
  init(_ shape1: inout ConvexShape, _ shape2: inout ConvexShape, along direction: Vector3<Double>) {
    (on1, vertex1) = shape1.support(direction)
    (on2, vertex2) = shape2.support(-direction)
    point = on1 - on2
  }
}

/// The distance of two disjoint cores by the algorithm of Gilbert, Johnson and Keerthi: the point of the difference's
/// simplex that is nearest to the origin gives the direction of the next support point.
///
/// The nearest point of a simplex is found face by face, which holds for degenerate ones too.
struct ClosestPoints {
  /// Up to four points of the difference with their weights; the weighted sum is the nearest point.
  var simplex = InlineArray<4, MinkowskiVertex?>(repeating: nil)
  var weights = InlineArray<4, Double>(repeating: 0)
  private(set) var count = 0
  /// The nearest point of the difference to the origin.
  private(set) var nearest = Vector3<Double>.zero
  /// The cores overlap, to rounding: the distance is zero.
  private(set) var isOverlapping = false
  /// The distance is larger than was asked for; nothing else is known.
  private(set) var isBeyond = false

  /// - Parameter limit: larger distances need not be known.
  init(_ shape1: inout ConvexShape, _ shape2: inout ConvexShape, limit: Double) {
    let scale = max(shape1.scale, shape2.scale, 1e-6)
    let touching = 1e-13 * scale
    nearest = shape1.pose.position - shape2.pose.position
    if nearest.normSquared < touching * touching { nearest = Vector3(1, 0, 0) }
    var square = Double.infinity
    for _ in 0..<Self.largestIterationCount {
      let vertex = MinkowskiVertex(&shape1, &shape2, along: -nearest)
      let length = nearest.norm
      let lower = nearest.dot(vertex.point) / length
      if lower > limit {
        isBeyond = true
        return
      }
      // The distance is between `lower` and `length`.
      if count > 0, length - lower <= 1e-14 * scale || contains(vertex) { return }
      let previous = self
      simplex[count] = vertex
      count += 1
      reduce()
      if count == 4 {
        isOverlapping = true
        return
      }
      if nearest.normSquared >= square {
        // Rounding allows no progress.
        self = previous
        return
      }
      square = nearest.normSquared
      if square <= touching * touching {
        isOverlapping = true
        return
      }
    }
  }

  private static var largestIterationCount: Int { 200 }

  private func contains(_ vertex: MinkowskiVertex) -> Bool {
    for k in 0..<count where simplex[k]!.point == vertex.point { return true }
    return false
  }

  /// The nearest points of the two cores.
  var witnesses: (Vector3<Double>, Vector3<Double>) {
    var (on1, on2) = (Vector3<Double>.zero, Vector3<Double>.zero)
    for k in 0..<count {
      on1 += simplex[k]!.on1 * weights[k]
      on2 += simplex[k]!.on2 * weights[k]
    }
    return (on1, on2)
  }

  /// Finds the nearest point of the simplex and drops the vertices that it does not need.
  private mutating func reduce() {
    var best = Subset()
    switch count {
    case 1: best = Subset(0, simplex[0]!.point)
    case 2: considerEdge(0, 1, &best)
    case 3: considerTriangle(0, 1, 2, &best)
    default:
      if considerInterior() {
        nearest = .zero
        return
      }
      considerTriangle(0, 1, 2, &best)
      considerTriangle(0, 1, 3, &best)
      considerTriangle(0, 2, 3, &best)
      considerTriangle(1, 2, 3, &best)
    }
    nearest = best.point
    var kept = 0
    for k in 0..<4 where best.weights[k] > 0 {
      simplex[kept] = simplex[k]
      weights[kept] = best.weights[k]
      kept += 1
    }
    count = kept
  }

  private struct Subset {
    var square = Double.infinity
    var point = Vector3<Double>.zero
    var weights = InlineArray<4, Double>(repeating: 0)

    init() {}
    init(_ index: Int, _ point: Vector3<Double>) {
      self.point = point
      square = point.normSquared
      weights[index] = 1
    }
  }

  private func considerEdge(_ i: Int, _ j: Int, _ best: inout Subset) {
    let (a, b) = (simplex[i]!.point, simplex[j]!.point)
    let edge = b - a
    let square = edge.normSquared
    let t = square > 0 ? min(max(-a.dot(edge) / square, 0), 1) : 0
    var candidate = Subset(i, edge.multiplyAdd(t, a))
    candidate.weights[i] = 1 - t
    candidate.weights[j] = t
    if candidate.square < best.square { best = candidate }
  }

  private func considerTriangle(_ i: Int, _ j: Int, _ k: Int, _ best: inout Subset) {
    let (a, b, c) = (simplex[i]!.point, simplex[j]!.point, simplex[k]!.point)
    let normal = (b - a).cross(c - a)
    let square = normal.normSquared
    // Twice the areas over the three edges, with the sign of being inside.
    let (u, v) = (normal.dot(b.cross(c)), normal.dot(c.cross(a)))
    let w = normal.dot(a.cross(b))
    if square > 0, u > 0, v > 0, w > 0 {
      let sum = u + v + w
      var candidate = Subset()
      candidate.point = normal * (normal.dot(a) / square)
      candidate.square = candidate.point.normSquared
      candidate.weights[i] = u / sum
      candidate.weights[j] = v / sum
      candidate.weights[k] = w / sum
      if candidate.square < best.square { best = candidate }
      return
    }
    considerEdge(i, j, &best)
    considerEdge(i, k, &best)
    considerEdge(j, k, &best)
  }

  /// True where the tetrahedron holds the origin.
  private mutating func considerInterior() -> Bool {
    let (a, b, c, d) = (simplex[0]!.point, simplex[1]!.point, simplex[2]!.point, simplex[3]!.point)
    let volume = (b - a).dot((c - a).cross(d - a))
    let parts = (b.dot(c.cross(d)), -a.dot(c.cross(d)), a.dot(b.cross(d)), -a.dot(b.cross(c)))
    guard volume != 0 else { return false }
    let shares = (parts.0 / volume, parts.1 / volume, parts.2 / volume, parts.3 / volume)
    guard shares.0 > 0, shares.1 > 0, shares.2 > 0, shares.3 > 0, shares.0.isFinite else { return false }
    weights[0] = shares.0
    weights[1] = shares.1
    weights[2] = shares.2
    weights[3] = shares.3
    return true
  }
}
