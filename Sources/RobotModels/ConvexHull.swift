import CQhull
import Lanes

/// Why points have no convex hull with a volume.
struct ConvexHullError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What is wrong with the points.
  var description: String
}

/// The convex hull of points in space, made of triangles.
struct ConvexHull: Sendable, Equatable {
  /// Indices of the given points, counterclockwise seen from outside.
  var triangles: [SIMD3<Int32>]
  /// Corner by corner, in the order in which Qhull keeps them: the corner, then those that it shares an edge with.
  var neighbors: [[Int32]]

  /// Computes the hull by Qhull's quickhull.
  ///
  /// - Parameters:
  ///   - points: at least four finite points that do not lie in one plane, any unit.
  ///   - maximumVertexCount: at most so many vertices, at least 4; nil for no limit. The hull then lies inside
  ///     the true one.
  /// - Throws: ``ConvexHullError`` where the points coincide, are collinear or coplanar, are not finite, or Qhull
  ///   gives up.
  /// - Complexity: O(n log n) expected.
  init(of points: [Vector3<Double>], maximumVertexCount: Int? = nil) throws(ConvexHullError) {
    try ConvexHull.checkExtent(of: points)
    if let maximumVertexCount, maximumVertexCount < 4 {
      throw ConvexHullError(
        description: "a hull of at most \(maximumVertexCount) vertices was asked for; it needs at least 4")
    }
    guard points.count <= Int(Int32.max) / 3 else {
      throw ConvexHullError(description: "\(points.count) points are too many for a hull")
    }
    var coordinates: [Double] = []
    coordinates.reserveCapacity(3 * points.count)
    for point in points { coordinates += [point.x, point.y, point.z] }
    var found: UnsafeMutablePointer<CInt>? = nil
    var count: CInt = 0
    var foundNeighbors: UnsafeMutablePointer<CInt>? = nil
    var length: CInt = 0
    var message = [CChar](repeating: 0, count: 256)
    let code = cqhull_convex_hull(
      coordinates, CInt(points.count), CInt(maximumVertexCount ?? -1), &found, &count, &foundNeighbors,
      &length, &message, CInt(message.count))
    guard code == CInt(CQHULL_OK), let found, let foundNeighbors else {
      let reason = String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      throw ConvexHullError(description: "the convex hull cannot be computed: \(reason)")
    }
    defer {
      cqhull_free(found)
      cqhull_free(foundNeighbors)
    }
    triangles = (0..<Int(count)).map { SIMD3(found[3 * $0], found[3 * $0 + 1], found[3 * $0 + 2]) }
    neighbors = []
    var at = 0
    while at < Int(length) {
      let degree = Int(foundNeighbors[at + 1])
      neighbors.append([foundNeighbors[at]] + (0..<degree).map { foundNeighbors[at + 2 + $0] })
      at += 2 + degree
    }
  }

  /// Refuses points without a volume, with MuJoCo's tolerance of 1e-15, before Qhull sees them.
  private static func checkExtent(of points: [Vector3<Double>]) throws(ConvexHullError) {
    guard points.allSatisfy(\.isFinite) else {
      throw ConvexHullError(description: "a point is not finite")
    }
    let tolerance = 1e-15
    guard let first = points.first, let second = points.first(where: { ($0 - first).norm > tolerance }) else {
      throw ConvexHullError(description: "all points coincide; use a small sphere instead")
    }
    let edge = second - first
    var normal = Vector3<Double>.zero
    let third = points.first { point in
      let other = point - first
      normal = edge.cross(other)
      return other.norm >= tolerance && normal.norm > tolerance * edge.norm * other.norm
    }
    guard third != nil else {
      throw ConvexHullError(description: "all points lie on a line; use a thin capsule instead")
    }
    normal = normal / normal.norm
    let offset = normal.dot(first)
    guard points.contains(where: { abs(normal.dot($0) - offset) > tolerance * edge.norm }) else {
      throw ConvexHullError(description: "all points lie in a plane; use a plane or a thin box instead")
    }
  }
}
