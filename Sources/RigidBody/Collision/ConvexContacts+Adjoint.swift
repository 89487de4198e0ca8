import Kinematics
import Lanes
import RobotModels

/// The derivative of one contact of a plane and a mesh or of two convex geoms without a formula of their own.
///
/// | contact | held |
/// |---|---|
/// | plane–mesh | the corner |
/// | boxes, meshes, spheres, capsules: the deepest point | the support points that span the meeting features (``ConvexFeatures``) |
/// | an ellipsoid or a cylinder with another geom: the deepest point | for each the feature that holds the point: an ellipsoid's surface; a cylinder's side, end or rim; of a box or mesh the corners that are extreme along the normal: a corner, an edge or a face |
/// | the contact's frame | its hint |
///
/// Points that were clipped from meeting faces, or found by turning the geoms, do not keep their choices: their cotangents
/// are zero, with the defect ``GeometryDefects/notReplayable``.
///
/// - Parameters:
///   - contact: of the forward pass; its branch says what it is, and the point lies on both geoms' features.
///   - cotangent: of distance, position and frame.
/// - Complexity: constant, but for the corners of meshes that meet curved geoms.
func convexGeometryAdjoint(
  _ kind: PairKind, _ geom1: CollisionGeom, _ pose1: GeomPose<Double>, _ geom2: CollisionGeom,
  _ pose2: GeomPose<Double>, _ contact: Contact, _ cotangent: ContactCotangent<Double>
) -> ContactGeometryCotangent<Double> {
  var result = ContactGeometryCotangent<Double>()
  let bars = ContactPointCotangent(cotangent, frame: contact.frame, tangent: nil)
  result.add(.frame, where: bars.isFrameDefective)
  if kind == .planeMesh {
    let arm = pose2.rotation * geom2.mesh!.vertices[Int(contact.branch)]
    result.geom2.add(result.addPlane(pose1, point: pose2.position + arm, bars), toPointAt: arm)
    return result
  }
  precondition(kind == .convex, "\(kind) has a closed formula")
  guard contact.branch == 0 else {
    return ContactGeometryCotangent(rawDefects: Double(GeometryDefects.notReplayable.rawValue))
  }
  let shape1 = ConvexShape(geom1, pose1)
  let shape2 = ConvexShape(geom2, pose2)
  if shape1.isPolytope, shape2.isPolytope {
    result.addPolytopes(shape1, shape2, contact, bars)
  } else {
    guard let curved = CurvedContact(shape1, shape2, contact) else {
      return ContactGeometryCotangent(rawDefects: Double(GeometryDefects.notReplayable.rawValue))
    }
    let exact = ContactPointCotangent(cotangent, frame: curved.point.frame, tangent: nil)
    guard let adjoint = curved.adjoint(exact) else {
      return ContactGeometryCotangent(rawDefects: Double(GeometryDefects.parallel.rawValue))
    }
    (result.geom1, result.geom2) = (adjoint.geom1, adjoint.geom2)
  }
  return result
}

extension ContactGeometryCotangent where L == Double {
  /// The affine hull of the difference's support points `wᵢ = aᵢ - bᵢ` holds the point v nearest to the origin,
  /// `v = Σ λᵢ wᵢ = -(core distance) n`; the cores' points are `Σ λᵢ aᵢ` and `Σ λᵢ bᵢ`.
  ///
  /// The edges E, `eᵢ = wᵢ - w₀`, obey `eᵢ·v = 0`. So the cotangent c of v and those of the shares λ reach the points by
  /// `w̄ᵢ = λᵢ (c - E μ) - μᵢ v` with `EᵀE μ = λ̄ + Eᵀ c`, and `w₀` gets what is left of the `μᵢ v`. Where the hull is a plane
  /// its edges' product is the normal.
  fileprivate mutating func addPolytopes(
    _ shape1: ConvexShape, _ shape2: ConvexShape, _ contact: Contact,
    _ cotangent: ContactPointCotangent<Double>
  ) {
    var points: [(vertex1: Int32, vertex2: Int32)] = []
    for k in 0..<3 where contact.features.first[k] >= 0 {
      let point = (contact.features.first[k], contact.features.second[k])
      if !points.contains(where: { $0 == point }) { points.append(point) }
    }
    let local1 = points.map { shape1.corner($0.vertex1) }
    let local2 = points.map { shape2.corner($0.vertex2) }
    let arms1 = local1.map { shape1.pose.rotation * $0.position }
    let arms2 = local2.map { shape2.pose.rotation * $0.position }
    let offset = shape1.pose.position - shape2.pose.position
    let w = points.indices.map { arms1[$0] - arms2[$0] + offset }
    let edges = w.dropFirst().map { $0 - w[0] }
    let normal = contact.frame.column0
    guard let gram = EdgeGram(edges) else {
      rawDefects = Double(GeometryDefects.parallel.rawValue)
      return
    }
    let shares = gram.solve(edges.map { -$0.dot(w[0]) })
    var weights = [1 - shares.reduce(0, +)] + shares
    if points.count == 1 { weights = [1] }
    let v = zip(w, weights).reduce(Vector3<Double>.zero) { $0 + $1.0 * $1.1 }

    let coreDistance = -normal.dot(v)
    let scale = max(shape1.radius + shape2.radius, shape1.scale, shape2.scale)
    let forward = contact.distance + shape1.radius + shape2.radius
    guard (v + normal * forward).norm < 1e-7 * scale else {
      // The polytope ended early, away from the hull.
      rawDefects = Double(GeometryDefects.notReplayable.rawValue)
      return
    }
    let half = cotangent.position * 0.5
    var normalBar = cotangent.normal + half * (shape1.radius - shape2.radius)
    normalBar = normalBar - normal * normal.dot(normalBar)
    let total = cotangent.distance
    let radiusBars = (normal.dot(half) - total, -normal.dot(half) - total)
    // Cotangents of the two cores' points at held shares, and of the shares.
    var shareBars = edges.indices.map { k in
      half.dot(arms1[k + 1] - arms1[0]) + half.dot(arms2[k + 1] - arms2[0])
    }
    var vBar = normal * -total
    var isUndefined = false
    if edges.count < 2 {
      if abs(coreDistance) < 1e-10 * scale {
        isUndefined = true
      } else {
        vBar = vBar - normalBar * (1 / coreDistance)
      }
    }
    for k in edges.indices { shareBars[k] += edges[k].dot(vBar) }
    let mu = gram.solve(shareBars)
    let along = zip(edges, mu).reduce(Vector3<Double>.zero) { $0 + $1.0 * $1.1 }
    let rest = vBar - along
    var pointBars = weights.map { rest * $0 }
    for k in edges.indices {
      pointBars[k + 1] -= v * mu[k]
      pointBars[0] += v * mu[k]
    }
    if edges.count == 2 {
      // n = ± e₀ × e₁ / |e₀ × e₁|
      let product = edges[0].cross(edges[1])
      let productBar = normalBar * ((product.dot(normal) < 0 ? -1 : 1) / product.norm)
      let (bar0, bar1) = (edges[1].cross(productBar), productBar.cross(edges[0]))
      pointBars[1] += bar0
      pointBars[2] += bar1
      pointBars[0] -= bar0 + bar1
    }
    for k in points.indices {
      let (bar1, bar2) = (pointBars[k] + half * weights[k], half * weights[k] - pointBars[k])
      geom1.add(bar1, toPointAt: arms1[k])
      geom2.add(bar2, toPointAt: arms2[k])
      geom1.size += local1[k].sizeCotangent(shape1.pose.rotation.transposedTimes(bar1), shape1)
      geom2.size += local2[k].sizeCotangent(shape2.pose.rotation.transposedTimes(bar2), shape2)
    }
    if shape1.radius > 0 { geom1.size.x += radiusBars.0 }
    if shape2.radius > 0 { geom2.size.x += radiusBars.1 }
    add(.normal, where: isUndefined)
  }
}

/// The matrix EᵀE of at most two edges.
private struct EdgeGram {
  private var (a, b, c) = (1.0, 0.0, 1.0)
  private var count: Int

  /// - Returns: nil where the edges do not span their dimension.
  init?(_ edges: [Vector3<Double>]) {
    count = edges.count
    if count > 0 {
      a = edges[0].normSquared
      guard a > 0 else { return nil }
    }
    if count > 1 {
      (b, c) = (edges[0].dot(edges[1]), edges[1].normSquared)
      guard a * c - b * b > 1e-12 * a * c else { return nil }
    }
  }

  func solve(_ right: [Double]) -> [Double] {
    if count == 0 { return [] }
    if count == 1 { return [right[0] / a] }
    let determinant = a * c - b * b
    return [(c * right[0] - b * right[1]) / determinant, (a * right[1] - b * right[0]) / determinant]
  }
}

/// A support point of a polytope in the geom's frame, and its coordinates over the half sizes.
struct PolytopeCorner {
  var position: Vector3<Double>
  var signs: Vector3<Double>

  /// What a cotangent in the geom's frame gives to the sizes.
  func sizeCotangent(_ local: Vector3<Double>, _ shape: ConvexShape) -> Vector3<Double> {
    let bars = local.scaled(by: signs)
    return shape.core == .segment ? Vector3(0, bars.z, 0) : bars
  }
}

extension ConvexShape {
  /// The support point with a number that ``support(_:)`` gives.
  func corner(_ number: Int32) -> PolytopeCorner {
    switch core {
    case .segment:
      let sign: Double = number == 1 ? 1 : -1
      return PolytopeCorner(position: Vector3(0, 0, sign * size.y), signs: Vector3(0, 0, sign))
    case .box:
      let signs = Vector3(
        number & 1 != 0 ? 1.0 : -1.0, number & 2 != 0 ? 1.0 : -1.0, number & 4 != 0 ? 1.0 : -1.0)
      return PolytopeCorner(position: size.scaled(by: signs), signs: signs)
    case .mesh:
      let position = mesh!._withUnsafeGuaranteedRef { $0.vertices[Int(number)] }
      return PolytopeCorner(position: position, signs: .zero)
    default: return PolytopeCorner(position: .zero, signs: .zero)
    }
  }
}
