import Lanes
import RobotModels

/// How a pair of geoms is collided. The first geom's type comes first in MuJoCo's order of types.
enum PairKind: Int32, Sendable, CaseIterable {
  case planeSphere, planeCapsule, planeEllipsoid, planeCylinder, planeBox
  case sphereSphere, sphereCapsule, sphereCylinder, sphereBox
  case capsuleCapsule, capsuleBox
  case boxBox
  /// A plane and a mesh.
  case planeMesh
  /// Any other two convex geoms.
  case convex

  /// The most points that any pair has.
  static let largestPointCount = 8

  /// The most points that a pair of this kind has.
  var pointCount: Int {
    switch self {
    case .planeSphere, .planeEllipsoid, .sphereSphere, .sphereCapsule, .sphereCylinder, .sphereBox: 1
    case .planeCapsule, .capsuleCapsule, .capsuleBox: 2
    case .planeMesh: 3
    case .planeCylinder, .planeBox: 4
    case .convex: 5
    case .boxBox: 8
    }
  }

  /// Whether a larger cutoff adds points and never takes the place of nearer ones.
  var keepsAllPoints: Bool {
    switch self {
    case .planeSphere, .planeCapsule, .planeEllipsoid, .sphereSphere, .sphereCapsule, .sphereCylinder,
      .sphereBox, .capsuleCapsule:
      true
    case .planeCylinder, .planeBox, .capsuleBox, .boxBox, .planeMesh, .convex: false
    }
  }

  /// Whether the pair has a closed formula, which ``collide(_:_:_:_:_:cutoff:into:)`` evaluates.
  var isAnalytic: Bool { self != .planeMesh && self != .convex }

  /// The kind for two types in MuJoCo's order, or nil where MuJoCo has none or the pair is not supported.
  init?(_ first: GeomType, _ second: GeomType) {
    switch (first, second) {
    case (.plane, .sphere): self = .planeSphere
    case (.plane, .capsule): self = .planeCapsule
    case (.plane, .ellipsoid): self = .planeEllipsoid
    case (.plane, .cylinder): self = .planeCylinder
    case (.plane, .box): self = .planeBox
    case (.plane, .mesh): self = .planeMesh
    case (.sphere, .sphere): self = .sphereSphere
    case (.sphere, .capsule): self = .sphereCapsule
    case (.sphere, .cylinder): self = .sphereCylinder
    case (.sphere, .box): self = .sphereBox
    case (.capsule, .capsule): self = .capsuleCapsule
    case (.capsule, .box): self = .capsuleBox
    case (.box, .box): self = .boxBox
    case (.plane, _), (.hfield, _), (.sdf, _), (_, .hfield), (_, .sdf): return nil
    default: self = .convex
    }
  }
}

extension GeomType {
  /// The place in MuJoCo's order of types.
  var collisionOrder: Int {
    switch self {
    case .plane: 0
    case .hfield: 1
    case .sphere: 2
    case .capsule: 3
    case .ellipsoid: 4
    case .cylinder: 5
    case .box: 6
    case .mesh: 7
    case .sdf: 8
    }
  }
}

/// Collides two geoms by a closed formula, in every lane. Conventions are MuJoCo's: the normal points from the first geom
/// to the second, points lie halfway between the surfaces, distances are negative where these penetrate.
///
/// - Parameters:
///   - kind: an analytic kind (``PairKind/isAnalytic``).
///   - size1: half sizes of the first geom, as `Geom.size`.
///   - cutoff: points at larger distances are left out.
///   - points: memory for ``PairKind/largestPointCount`` points; only the first ones of each lane are written.
/// - Returns: how many points each lane has.
/// - Complexity: constant; allocates nothing.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func collide<L: Lane>(
  _ kind: PairKind, _ pose1: GeomPose<L>, _ size1: Vector3<L>, _ pose2: GeomPose<L>, _ size2: Vector3<L>,
  cutoff: L, into points: UnsafeMutablePointer<ContactPoint<L>>
) -> L {
  var list = ContactPointList(in: points)
  switch kind {
  case .planeSphere:
    planeSphere(pose1, center: pose2.position, radius: size2.x, cutoff: cutoff, into: &list, limit: 1)
  case .planeCapsule: planeCapsule(pose1, pose2, size2, cutoff: cutoff, into: &list)
  case .planeEllipsoid: planeEllipsoid(pose1, pose2, size2, cutoff: cutoff, into: &list)
  case .planeCylinder: planeCylinder(pose1, pose2, size2, cutoff: cutoff, into: &list)
  case .planeBox: planeBox(pose1, pose2, size2, cutoff: cutoff, into: &list)
  case .sphereSphere:
    sphereSphere(
      center1: pose1.position, axis1: pose1.axis, radius1: size1.x, center2: pose2.position,
      axis2: pose2.axis, radius2: size2.x, cutoff: cutoff, into: &list, limit: 1)
  case .sphereCapsule: sphereCapsule(pose1, size1, pose2, size2, cutoff: cutoff, into: &list)
  case .sphereCylinder: sphereCylinder(pose1, size1, pose2, size2, cutoff: cutoff, into: &list)
  case .sphereBox: sphereBox(pose1, size1, pose2, size2, cutoff: cutoff, into: &list)
  case .capsuleCapsule: capsuleCapsule(pose1, size1, pose2, size2, cutoff: cutoff, into: &list)
  case .capsuleBox: capsuleBox(pose1, size1, pose2, size2, cutoff: cutoff, into: &list)
  case .boxBox: boxBox(pose1, size1, pose2, size2, cutoff: cutoff, into: &list)
  case .planeMesh, .convex: preconditionFailure("\(kind) has no closed formula")
  }
  return list.count
}
