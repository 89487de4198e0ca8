import Lanes
import RobotModels

/// What collision needs to know of a geom.
struct CollisionGeom: Sendable {
  var type: GeomType
  /// Half sizes, as `Geom.size`.
  var size: Vector3<Double>
  var mesh: ConvexMesh?
  /// Radius of a sphere about the geom's origin that holds it; infinite for planes.
  var boundingRadius: Double

  /// Whether the surface is curved everywhere, so that it touches convex geoms in one point.
  var isRound: Bool { type == .sphere || type == .ellipsoid }

  /// - Parameter meshes: the model's meshes, where some geom that takes part in contacts has them.
  init(_ geom: Geom, meshes: [ConvexMesh?]) {
    type = geom.type
    size = geom.size
    mesh = geom.mesh.flatMap { meshes[$0] }
    switch geom.type {
    case .plane, .hfield, .sdf: boundingRadius = .infinity
    case .sphere: boundingRadius = size.x
    case .capsule: boundingRadius = size.x + size.y
    case .ellipsoid: boundingRadius = max(size.x, size.y, size.z)
    case .cylinder: boundingRadius = (size.x * size.x + size.y * size.y).squareRoot
    case .box: boundingRadius = size.norm
    case .mesh: boundingRadius = mesh?.boundingRadius ?? .infinity
    }
  }
}
