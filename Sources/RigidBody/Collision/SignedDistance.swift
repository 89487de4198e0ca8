import Lanes

/// The signed distance of two convex shapes, where it is attained, and by which features.
///
/// Cores that are apart are measured by ``ClosestPoints``, others by ``ExpandingPolytope``; both stop at rounding for
/// polytopes. For curved surfaces the normal is then refined: with the support function h of the difference of the cores
/// the signed distance is -h(n), at a unit vector n where h's gradient w (the support point) is parallel to n. Newton's
/// method solves that on the sphere, with the derivative of w by differences: in two tangent directions `(W - h) d = -g`,
/// g being w's tangential part.
struct SignedDistance {
  var distance: Double
  /// Unit vector from the first shape to the second.
  var normal: Vector3<Double>
  /// Points of the inflated shapes' surfaces.
  var on1: Vector3<Double>
  var on2: Vector3<Double>
  /// Numbers of the support points that span the features which meet: those of the first core, then of the second. -1 beyond the
  /// simplex' end.
  var features = ConvexFeatures()
  /// World coordinates of the features' points, where the cores overlap.
  var corners: (MinkowskiVertex, MinkowskiVertex, MinkowskiVertex)? = nil

  /// Halfway between the surfaces.
  var position: Vector3<Double> { (on1 + on2) * 0.5 }

  /// - Returns: nil where the shapes are farther apart than `cutoff`.
  init?(
    _ shape1: inout ConvexShape, _ shape2: inout ConvexShape, cutoff: Double, _ polytope: ExpandingPolytope
  ) {
    let radii = shape1.radius + shape2.radius
    let closest = ClosestPoints(&shape1, &shape2, limit: cutoff + radii)
    if closest.isBeyond { return nil }
    if closest.isOverlapping {
      guard let result = polytope.penetration(&shape1, &shape2) else { return nil }
      distance = -result.depth
      (normal, on1, on2) = (result.normal, result.on1, result.on2)
      corners = result.corners
      features = ConvexFeatures(result.corners)
    } else {
      (on1, on2) = closest.witnesses
      distance = closest.nearest.norm
      normal = closest.nearest / -distance
      features = ConvexFeatures(closest)
    }
    if !(shape1.isPolytope && shape2.isPolytope) { refine(&shape1, &shape2) }
    distance -= radii
    on1 += normal * shape1.radius
    on2 -= normal * shape2.radius
    guard distance < cutoff else { return nil }
  }

  private mutating func refine(_ shape1: inout ConvexShape, _ shape2: inout ConvexShape) {
    let step = 1e-6
    var vertex = MinkowskiVertex(&shape1, &shape2, along: normal)
    var tangential = (vertex.point - normal * normal.dot(vertex.point)).norm
    let scale = max(shape1.scale, shape2.scale)
    for _ in 0..<6 where tangential > 1e-15 * scale {
      let frame = ContactPoint<Double>(distance: 0, position: .zero, normal: normal).frame
      let (t1, t2) = (frame.column1, frame.column2)
      let height = normal.dot(vertex.point)
      let w1 = MinkowskiVertex(&shape1, &shape2, along: t1.multiplyAdd(step, normal)).point - vertex.point
      let w2 = MinkowskiVertex(&shape1, &shape2, along: t2.multiplyAdd(step, normal)).point - vertex.point
      // Where a support point jumps, at an edge or a flat side, there is no derivative.
      guard max(w1.norm, w2.norm) < 1e3 * scale * step else { return }
      let a = t1.dot(w1) / step - height
      let b = 0.5 * (t1.dot(w2) + t2.dot(w1)) / step
      let c = t2.dot(w2) / step - height
      let determinant = a * c - b * b
      // At a least depth, or a distance, the matrix is positive definite.
      guard determinant > 0, a > 0 else { return }
      let (g1, g2) = (t1.dot(vertex.point), t2.dot(vertex.point))
      let change = t1 * ((b * g2 - c * g1) / determinant) + t2 * ((b * g1 - a * g2) / determinant)
      guard change.norm < 0.1 else { return }
      let candidate = (normal + change).normalized(orXBelow: 1e-15)
      let next = MinkowskiVertex(&shape1, &shape2, along: candidate)
      let remaining = (next.point - candidate * candidate.dot(next.point)).norm
      let nextDistance = -candidate.dot(next.point)
      guard remaining < 0.5 * tangential, abs(nextDistance - distance) < 1e-5 * scale else { return }
      (normal, vertex, tangential) = (candidate, next, remaining)
      // Witnesses on a flat side may be anywhere on it; those of one support point are right where it is the only one.
      (distance, on1, on2) = (nextDistance, next.on1, next.on2)
    }
  }
}

/// What a contact of two convex geoms comes from, besides its branch.
struct ConvexOrigin: Sendable {
  /// What spans the point that the search found, which may be of turned geoms, and its distance.
  var features = ConvexFeatures()
  var distance = 0.0
  /// Of a point that was found by turning the geoms: the deepest one.
  var deepestFeatures = ConvexFeatures()
  var deepestPosition = Vector3<Double>.zero
  var deepestNormal = Vector3<Double>.zero
  var deepestDistance = 0.0
  /// Of a corner where faces meet.
  var corner = ClippedCorner()

  init() {}

  init(_ found: SignedDistance) { (features, distance) = (found.features, found.distance) }

  init(_ found: SignedDistance, deepest: SignedDistance) {
    self.init(found)
    (deepestFeatures, deepestDistance) = (deepest.features, deepest.distance)
    (deepestPosition, deepestNormal) = (deepest.position, deepest.normal)
  }
}

/// A corner that is left of a face or an edge clipped by the planes through another face's edges.
struct ClippedCorner: Sendable, Equatable {
  /// Whether the face whose edges clip is the first geom's.
  var isFirstClipper = false
  var face: Int32 = 0
  /// The face that is clipped, or the first corner of the edge.
  var incident: Int32 = 0
  /// The edge's other corner, or -1.
  var end: Int32 = -1
  /// What the corner is between: sides of what is clipped by their numbers, or clipping planes as −1 − number.
  var before: Int32 = 0
  var after: Int32 = 0

  var isEdge: Bool { end >= 0 }
}

/// Numbers of the support points that span the meeting features of two cores: up to three of each, -1 beyond.
struct ConvexFeatures: Sendable, Equatable {
  var first = SIMD3<Int32>(repeating: -1)
  var second = SIMD3<Int32>(repeating: -1)

  init() {}

  init(_ corners: (MinkowskiVertex, MinkowskiVertex, MinkowskiVertex)) {
    first = SIMD3(corners.0.vertex1, corners.1.vertex1, corners.2.vertex1)
    second = SIMD3(corners.0.vertex2, corners.1.vertex2, corners.2.vertex2)
  }

  init(_ closest: ClosestPoints) {
    for k in 0..<min(closest.count, 3) {
      first[k] = closest.simplex[k]!.vertex1
      second[k] = closest.simplex[k]!.vertex2
    }
  }
}
