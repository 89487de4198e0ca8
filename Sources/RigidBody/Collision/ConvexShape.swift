import Kinematics
import Lanes
import RobotModels

/// A convex geom for the general algorithms: a core, for which support points are known, inflated by a radius. A sphere's
/// core is its centre, a capsule's its segment; other cores are the geoms themselves.
struct ConvexShape {
  enum Core { case point, segment, ellipsoid, cylinder, box, mesh }
  var core: Core
  var radius: Double
  var pose: GeomPose<Double>
  var size: Vector3<Double>
  /// For a mesh. Not retained: the plan keeps it.
  var mesh: Unmanaged<ConvexMesh>?
  /// The last support point of a mesh, from which the next is sought.
  var lastVertex = 0

  init(_ geom: CollisionGeom, _ pose: GeomPose<Double>) {
    self.pose = pose
    size = geom.size
    mesh = geom.mesh.map { Unmanaged.passUnretained($0) }
    switch geom.type {
    case .sphere: (core, radius) = (.point, size.x)
    case .capsule: (core, radius) = (.segment, size.x)
    case .ellipsoid: (core, radius) = (.ellipsoid, 0)
    case .cylinder: (core, radius) = (.cylinder, 0)
    case .box: (core, radius) = (.box, 0)
    default: (core, radius) = (.mesh, 0)
    }
  }

  /// Whether the core has finitely many support points.
  var isPolytope: Bool { core != .ellipsoid && core != .cylinder }

  /// Whether it is a box or a mesh, whose faces can meet.
  var hasFaces: Bool { core == .box || core == .mesh }

  /// Size of the core, for tolerances.
  var scale: Double {
    switch core {
    case .point: 0
    case .segment: size.y
    case .ellipsoid: max(size.x, size.y, size.z)
    case .cylinder: max(size.x, size.y)
    case .box: size.x + size.y + size.z
    case .mesh: mesh!._withUnsafeGuaranteedRef { $0.boundingRadius }
    }
  }

  /// The core's point farthest along a direction (of any length) in world coordinates, and its number where the core is
  /// a polytope: bit k of a box' corner is set where coordinate k is positive.
  @inline(__always)
  mutating func support(_ direction: Vector3<Double>) -> (point: Vector3<Double>, vertex: Int32) {
    if core == .point { return (pose.position, 0) }
    if core == .segment {
      let isUpper = pose.axis.dot(direction) >= 0
      return (pose.axis.multiplyAdd(isUpper ? size.y : -size.y, pose.position), isUpper ? 1 : 0)
    }
    let d = pose.rotation.transposedTimes(direction)
    var local: Vector3<Double>
    var vertex: Int32 = 0
    switch core {
    case .ellipsoid:
      let scaled = Vector3(d.x * size.x, d.y * size.y, d.z * size.z).normalized(orXBelow: 1e-300)
      local = Vector3(scaled.x * size.x, scaled.y * size.y, scaled.z * size.z)
    case .cylinder:
      let square = d.x * d.x + d.y * d.y
      let scale = square > 1e-300 ? size.x / square.squareRoot : 0
      local = Vector3(d.x * scale, d.y * scale, d.z >= 0 ? size.y : -size.y)
    case .box:
      local = Vector3(
        d.x >= 0 ? size.x : -size.x, d.y >= 0 ? size.y : -size.y, d.z >= 0 ? size.z : -size.z)
      vertex = (d.x >= 0 ? 1 : 0) | (d.y >= 0 ? 2 : 0) | (d.z >= 0 ? 4 : 0)
    default:
      lastVertex = mesh!._withUnsafeGuaranteedRef { $0.supportIndex(d, near: lastVertex) }
      vertex = Int32(lastVertex)
      local = mesh!._withUnsafeGuaranteedRef { $0.vertices[lastVertex] }
    }
    return (pose.rotation.multiplyAdd(local, pose.position), vertex)
  }
}
