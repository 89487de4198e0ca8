/// Cuts the polygons of a mesh into triangles.
enum PolygonTriangulation {
  /// Triangles with the polygon's orientation; two fewer than corners.
  ///
  /// Ears are cut off in the plane of the polygon's Newell normal, trying one corner after the other as MuJoCo
  /// does, so that a convex polygon becomes a fan about its first corner. Where no ear is left (the polygon
  /// crosses itself) the rest is a fan.
  static func triangles(of corners: [Int32], vertices: [SIMD3<Float>]) -> [SIMD3<Int32>] {
    let points = corners.map { SIMD3<Double>(vertices[Int($0)]) }
    let normal = newellNormal(points)
    var rest = Array(points.indices)
    var triangles: [SIMD3<Int32>] = []
    var tip = 1
    while rest.count > 3 {
      let candidates = (0..<rest.count).lazy.map { (tip + $0) % rest.count }
      guard let ear = candidates.first(where: { isEar($0, rest: rest, points: points, normal: normal) })
      else { break }
      let before = (ear + rest.count - 1) % rest.count
      triangles.append(
        SIMD3(corners[rest[before]], corners[rest[ear]], corners[rest[(ear + 1) % rest.count]]))
      rest.remove(at: ear)
      tip = ear
    }
    for index in 1..<(rest.count - 1) {
      triangles.append(SIMD3(corners[rest[0]], corners[rest[index]], corners[rest[index + 1]]))
    }
    return triangles
  }

  private static func isEar(
    _ index: Int, rest: [Int], points: [SIMD3<Double>], normal: SIMD3<Double>
  ) -> Bool {
    let before = rest[(index + rest.count - 1) % rest.count]
    let tip = rest[index]
    let after = rest[(index + 1) % rest.count]
    let (a, b, c) = (points[before], points[tip], points[after])
    guard side(a, b, c, normal) > 0 else { return false }
    return rest.allSatisfy { other in
      guard other != before, other != tip, other != after else { return true }
      let p = points[other]
      return side(a, b, p, normal) < 0 || side(b, c, p, normal) < 0 || side(c, a, p, normal) < 0
    }
  }

  /// Twice the signed area of a triangle seen along the normal.
  private static func side(
    _ a: SIMD3<Double>, _ b: SIMD3<Double>, _ c: SIMD3<Double>, _ normal: SIMD3<Double>
  ) -> Double {
    (cross(b - a, c - a) * normal).sum()
  }

  private static func newellNormal(_ points: [SIMD3<Double>]) -> SIMD3<Double> {
    var normal = SIMD3<Double>.zero
    for index in points.indices {
      normal += cross(points[index] - points[0], points[(index + 1) % points.count] - points[0])
    }
    return normal
  }

  private static func cross(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> SIMD3<Double> {
    SIMD3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
  }
}
