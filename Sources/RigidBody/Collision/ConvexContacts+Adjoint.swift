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
/// | a corner where faces meet | the faces and what cut the corner (``ClippedCorner``) |
/// | a point found by turning the geoms | the same of the turned geoms; the turn moves with the deepest point |
/// | the contact's frame | its hint |
///
/// Where faces, edges or sides are parallel the deepest point is not unique, and where a search ended early its choices are not
/// known: then the point stays where it is on one of the geoms, or on both, with a defect.
///
/// - Parameters:
///   - contact: of the forward pass; its branch says what it is, and the point lies on both geoms' features.
///   - cotangent: of distance, position and frame.
/// - Complexity: constant, but for the corners of meshes that meet curved geoms.
func convexGeometryAdjoint(
  _ kind: PairKind, _ geom1: CollisionGeom, _ pose1: GeomPose<Double>, _ geom2: CollisionGeom,
  _ pose2: GeomPose<Double>, _ contact: Contact, _ cotangent: ContactCotangent<Double>
) -> ContactGeometryCotangent<Double> {
  let bars = ContactPointCotangent(cotangent, frame: contact.frame, tangent: nil)
  if kind == .planeMesh {
    var result = ContactGeometryCotangent<Double>()
    result.add(.frame, where: bars.isFrameDefective)
    let arm = pose2.rotation * geom2.mesh!.vertices[Int(contact.branch)]
    result.geom2.add(result.addPlane(pose1, point: pose2.position + arm, bars), toPointAt: arm)
    return result
  }
  precondition(kind == .convex, "\(kind) has a closed formula")
  let shape1 = ConvexShape(geom1, pose1)
  let shape2 = ConvexShape(geom2, pose2)
  if contact.branch == 0 { return deepestPointAdjoint(shape1, shape2, contact, cotangent) }
  if contact.branch == Int32(FaceContacts.branch) {
    return clippedCornerAdjoint(shape1, shape2, contact, bars)
  }

  // Found by turning: position and normal are those of the turned geoms, the distance is the deepest point's.
  let origin = contact.origin
  let deepestFrame = ContactPoint(
    distance: origin.deepestDistance, position: origin.deepestPosition, normal: origin.deepestNormal
  ).frame
  let turn = ConvexTurn(Int(contact.branch) - 1, position: origin.deepestPosition, frame: deepestFrame)
  var found = contact
  found.distance = origin.distance
  var withoutDistance = cotangent
  withoutDistance.distance = 0
  let turned = deepestPointAdjoint(
    ConvexShape(geom1, turn.first(pose1)), ConvexShape(geom2, turn.second(pose2)), found, withoutDistance)
  var result = ContactGeometryCotangent<Double>()
  let bar = turn.addAdjoint(turned, pose1, pose2, to: &result)
  var deepest = contact
  (deepest.distance, deepest.position, deepest.frame) = (
    origin.deepestDistance, origin.deepestPosition, deepestFrame
  )
  deepest.origin.features = origin.deepestFeatures
  let own = deepestPointAdjoint(
    shape1, shape2, deepest,
    ContactCotangent(
      distance: cotangent.distance, position: bar.center,
      frame: Matrix3(
        columns: .zero, turn.isAboutFirstTangent ? bar.axis : .zero,
        turn.isAboutFirstTangent ? .zero : bar.axis)))
  result.add(own)
  result.rawDefects = Double(Int32(turned.rawDefects) | Int32(own.rawDefects))
  return result
}

/// The derivative of the deepest point.
private func deepestPointAdjoint(
  _ shape1: ConvexShape, _ shape2: ConvexShape, _ contact: Contact, _ cotangent: ContactCotangent<Double>
) -> ContactGeometryCotangent<Double> {
  let bars = ContactPointCotangent(cotangent, frame: contact.frame, tangent: nil)
  var result = ContactGeometryCotangent<Double>()
  if shape1.isPolytope, shape2.isPolytope {
    if let defect = result.addPolytopes(shape1, shape2, contact, bars) {
      result = ContactGeometryCotangent(holding: contact, shape1, shape2, bars, defect)
    }
  } else if let curved = CurvedContact(shape1, shape2, contact) {
    let exact = ContactPointCotangent(cotangent, frame: curved.point.frame, tangent: nil)
    result =
      curved.adjoint(exact) ?? curved.adjointHoldingPoint(exact)
      ?? ContactGeometryCotangent(holding: contact, shape1, shape2, bars, .parallel)
  } else {
    result = ContactGeometryCotangent(holding: contact, shape1, shape2, bars, .notReplayable)
  }
  result.add(.frame, where: bars.isFrameDefective)
  return result
}

extension ContactGeometryCotangent where L == Double {
  /// Adds the cotangents of both geoms, not the defects.
  mutating func add(_ other: Self) {
    geom1.add(other.geom1)
    geom2.add(other.geom2)
  }

  /// The point of the surfaces held on each geom, and the normal on one that has faces. The distance's derivative by poses and
  /// sizes is that of nearest points all the same.
  fileprivate init(
    holding contact: Contact, _ shape1: ConvexShape, _ shape2: ConvexShape,
    _ bars: ContactPointCotangent<Double>, _ defect: GeometryDefects
  ) {
    let normal = contact.frame.column0
    let across = normal * (0.5 * contact.distance)
    let half = bars.position * 0.5
    geom1.add(half - normal * bars.distance, toSurfaceOf: shape1, at: contact.position - across)
    geom2.add(half + normal * bars.distance, toSurfaceOf: shape2, at: contact.position + across)
    if shape2.hasFaces || !shape1.hasFaces {
      geom2.add(bars.normal, toDirection: normal)
    } else {
      geom1.add(bars.normal, toDirection: normal)
    }
    rawDefects = Double(defect.rawValue)
  }
}

extension GeomCotangent where L == Double {
  mutating func add(_ other: Self) {
    force += other.force
    torque += other.torque
    size += other.size
  }

  /// A point that grows with the geom.
  fileprivate mutating func add(
    _ bar: Vector3<Double>, toSurfaceOf shape: ConvexShape, at point: Vector3<Double>
  ) {
    let arm = point - shape.pose.position
    add(bar, toPointAt: arm)
    let (f, x) = (shape.pose.rotation.transposedTimes(bar), shape.pose.rotation.transposedTimes(arm))
    switch shape.core {
    case .point: size.x += f.dot(x) / shape.size.x
    case .segment:
      let z = min(max(x.z, -shape.size.y), shape.size.y)
      size.x += (f.x * x.x + f.y * x.y + f.z * (x.z - z)) / shape.size.x
      size.y += f.z * z / shape.size.y
    case .cylinder:
      size.x += (f.x * x.x + f.y * x.y) / shape.size.x
      size.y += f.z * x.z / shape.size.y
    case .ellipsoid, .box:
      size += Vector3(f.x * x.x / shape.size.x, f.y * x.y / shape.size.y, f.z * x.z / shape.size.z)
    case .mesh: break
    }
  }
}

extension ContactGeometryCotangent where L == Double {
  /// The affine hull of the difference's support points `wᵢ = aᵢ - bᵢ` holds the point v nearest to the origin,
  /// `v = Σ λᵢ wᵢ = -(core distance) n`; the cores' points are `Σ λᵢ aᵢ` and `Σ λᵢ bᵢ`.
  ///
  /// The edges E, `eᵢ = wᵢ - w₀`, obey `eᵢ·v = 0`. So the cotangent c of v and those of the shares λ reach the points by
  /// `w̄ᵢ = λᵢ (c - E μ) - μᵢ v` with `EᵀE μ = λ̄ + Eᵀ c`, and `w₀` gets what is left of the `μᵢ v`. Where the hull is a plane
  /// its edges' product is the normal.
  ///
  /// - Returns: why there is no such hull.
  fileprivate mutating func addPolytopes(
    _ shape1: ConvexShape, _ shape2: ConvexShape, _ contact: Contact,
    _ cotangent: ContactPointCotangent<Double>
  ) -> GeometryDefects? {
    var points: [(vertex1: Int32, vertex2: Int32)] = []
    let features = contact.origin.features
    for k in 0..<3 where features.first[k] >= 0 {
      let point = (features.first[k], features.second[k])
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
    guard let gram = EdgeGram(edges) else { return .parallel }
    let shares = gram.solve(edges.map { -$0.dot(w[0]) })
    var weights = [1 - shares.reduce(0, +)] + shares
    if points.count == 1 { weights = [1] }
    let v = zip(w, weights).reduce(Vector3<Double>.zero) { $0 + $1.0 * $1.1 }

    let coreDistance = -normal.dot(v)
    let scale = max(shape1.radius + shape2.radius, shape1.scale, shape2.scale)
    let forward = contact.distance + shape1.radius + shape2.radius
    // Otherwise the polytope ended early, away from the hull.
    guard (v + normal * forward).norm < 1e-7 * scale else { return .notReplayable }
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
    return nil
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
