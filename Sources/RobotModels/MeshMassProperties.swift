import Lanes

/// How a mesh's volume is understood when its mass and inertia are computed (MJCF `mesh/inertia`).
enum MeshInertia: String, Sendable, Equatable, Codable, CaseIterable {
  /// The sum of the pyramids from the surface's centroid to its triangles, all counted positive: exact for
  /// star-shaped meshes, too much for others. MuJoCo's default.
  case legacy
  /// The enclosed volume; the triangles have to be oriented consistently.
  case exact
  /// The convex hull's volume.
  case convex
  /// The surface, of no thickness; for sheets.
  case shell
}

extension MassProperties {
  /// Lengths, areas and volumes below this are zero, as in MuJoCo.
  static let smallestMeasure = 1e-15

  /// Volume (area, for a shell), centroid and inertia at unit density of a triangle mesh: sums over the
  /// triangles about the surface's centroid, which give the centroid, then about that.
  ///
  /// - Parameters:
  ///   - surface: the mesh's triangles.
  ///   - solid: those that are summed; the hull's for a convex inertia.
  /// - Returns: nil where the surface's area is too small; the mass may be tiny or negative, for the caller to
  ///   judge.
  init?(vertices: [Vector3<Double>], surface: [SIMD3<Int32>], solid: [SIMD3<Int32>], mode: MeshInertia) {
    guard let reference = MassProperties.surfaceCentroid(vertices: vertices, triangles: surface) else {
      return nil
    }
    self = MassProperties.sums(vertices: vertices, triangles: solid, about: reference, mode: mode)
    guard mass >= MassProperties.smallestMeasure else { return }
    let first = center
    self = MassProperties.sums(vertices: vertices, triangles: solid, about: first, mode: mode)
    center = first
  }

  private static func surfaceCentroid(
    vertices: [Vector3<Double>], triangles: [SIMD3<Int32>]
  ) -> Vector3<Double>? {
    var area = 0.0
    var moment = Vector3<Double>.zero
    for triangle in triangles {
      let (a, b, c) = corners(triangle, vertices)
      let part = areaVector(a, b, c).norm
      area += part
      moment += (a + b + c) * (part / 3)
    }
    return area >= smallestMeasure ? moment / area : nil
  }

  private static func sums(
    vertices: [Vector3<Double>], triangles: [SIMD3<Int32>], about reference: Vector3<Double>,
    mode: MeshInertia
  ) -> Self {
    var measure = 0.0
    var moment = Vector3<Double>.zero
    var second = Matrix3<Double>.zero
    for triangle in triangles {
      let (a, b, c) = corners(triangle, vertices)
      let (d, e, f) = (a - reference, b - reference, c - reference)
      let sum = d + e + f
      let normal = areaVector(d, e, f)
      var part: Double
      switch mode {
      case .shell: part = normal.norm
      case .legacy: part = abs(normal.dot(sum) / 9)
      case .exact, .convex: part = normal.dot(sum) / 9
      }
      measure += part
      // A pyramid's centroid lies at three quarters of the way from its tip, a triangle's at its middle.
      moment += sum * (part * (mode == .shell ? 1.0 / 3 : 0.25))
      // The integral of x x^T over a tetrahedron with one corner at the origin, or over a triangle.
      part /= mode == .shell ? 12 : 20
      second = second + (outer(d) + outer(e) + outer(f) + outer(sum)) * part
    }
    let trace = second[0, 0] + second[1, 1] + second[2, 2]
    let center = measure >= smallestMeasure ? reference + moment / measure : reference
    return Self(mass: measure, center: center, inertia: Matrix3.identity * trace - second)
  }

  private static func corners(
    _ triangle: SIMD3<Int32>, _ vertices: [Vector3<Double>]
  ) -> (Vector3<Double>, Vector3<Double>, Vector3<Double>) {
    (vertices[Int(triangle.x)], vertices[Int(triangle.y)], vertices[Int(triangle.z)])
  }

  /// Normal of the triangle with its area as length; zero for a sliver.
  static func areaVector(
    _ a: Vector3<Double>, _ b: Vector3<Double>, _ c: Vector3<Double>
  ) -> Vector3<Double> {
    let normal = (b - a).cross(c - a)
    return normal.norm < smallestMeasure ? .zero : normal * 0.5
  }

  private static func outer(_ v: Vector3<Double>) -> Matrix3<Double> {
    Matrix3(columns: v * v.x, v * v.y, v * v.z)
  }
}
