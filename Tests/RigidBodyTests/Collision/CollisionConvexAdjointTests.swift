import Kinematics
import Lanes
import RobotModels
import TestSupport
import Testing

@testable import RigidBody

/// Derivatives of contacts between a plane and a mesh and between convex geoms without a formula of their own.
@Suite struct CollisionConvexAdjointTests {
  static let pairs: [(GeomType, GeomType)] = [
    (.plane, .mesh), (.sphere, .ellipsoid), (.sphere, .mesh), (.capsule, .ellipsoid), (.capsule, .cylinder),
    (.capsule, .mesh), (.ellipsoid, .ellipsoid), (.ellipsoid, .cylinder), (.ellipsoid, .box),
    (.ellipsoid, .mesh), (.cylinder, .cylinder), (.cylinder, .box), (.cylinder, .mesh), (.box, .mesh),
    (.mesh, .mesh),
  ]

  private static func mesh(_ random: inout SeededRandom) throws -> ConvexMesh {
    let points = (0..<16).map { _ in
      random.uniform(-0.3, 0.3, count: 3).map { "\($0)" }.joined(separator: " ")
    }
    let text = """
      <mujoco><asset><mesh name="m" vertex="\(points.joined(separator: " "))"/></asset>
      <worldbody><body><freejoint/><geom type="mesh" mesh="m"/></body></worldbody></mujoco>
      """
    return ConvexMesh(try Model(mjcf: text, name: "mesh.xml").meshes[0])
  }

  private static func geom(_ type: GeomType, _ size: Vector3<Double>, _ mesh: ConvexMesh) -> CollisionGeom {
    var geom = Geom()
    geom.type = type
    geom.size = size
    if type == .mesh { geom.mesh = 0 }
    return CollisionGeom(geom, meshes: [mesh])
  }

  /// The first contact, which is the deepest one.
  private static func contact(
    _ pair: ContactGeometry, _ geom1: CollisionGeom, _ geom2: CollisionGeom, _ collider: ConvexCollider,
    _ memory: UnsafeMutablePointer<ContactPoint<Double>>
  ) -> (contact: Contact, point: ContactPoint<Double>)? {
    var list = ContactPointList(in: memory)
    var features = ConvexFeatures()
    if pair.kind == .planeMesh {
      planeMesh(pair.pose1, pair.pose2, geom2.mesh!, cutoff: 0.1, into: &list)
    } else {
      collider.collide(geom1, pair.pose1, geom2, pair.pose2, cutoff: 0.1, into: &list)
      features = collider.features
    }
    guard list.count > 0 else { return nil }
    var point = memory[0]
    let contact = Contact(
      candidate: 0, number: 0, distance: point.distance, position: point.position, frame: point.frame,
      branch: Int32(point.branch), features: features)
    // The search for curved surfaces stops when the depth is known, too early for differences of the position.
    let (shape1, shape2) = (ConvexShape(geom1, pair.pose1), ConvexShape(geom2, pair.pose2))
    if pair.kind == .convex, !(shape1.isPolytope && shape2.isPolytope),
      let exact = CurvedContact(shape1, shape2, contact)
    {
      #expect(abs(exact.point.distance - point.distance) < 1e-6)
      #expect((exact.point.position - point.position).norm < 1e-3)
      point = exact.point
    }
    return (contact, point)
  }

  /// As for pairs with a closed formula, and the balance of the two wrenches.
  @Test(arguments: pairs.indices) func centralDifferences(_ index: Int) throws {
    let (type1, type2) = Self.pairs[index]
    var random = SeededRandom(seed: 200 + UInt64(index))
    let mesh = try Self.mesh(&random)
    let collider = ConvexCollider(
      isMultiple: false, largestFace: mesh.largestFace, largestDegree: mesh.largestDegree)
    let memory = UnsafeMutablePointer<ContactPoint<Double>>.allocate(capacity: PairKind.largestPointCount)
    defer { memory.deallocate() }
    let isCurved = [type1, type2].contains { $0 == .ellipsoid || $0 == .cylinder }
    var (checked, rejected, flagged, contacts) = (0, 0, 0, 0)
    var (worst, imbalance) = (0.0, 0.0)
    for _ in 0..<400 {
      let pair = ContactGeometry(PairKind(type1, type2)!, &random)
      func found(_ pair: ContactGeometry) -> (contact: Contact, point: ContactPoint<Double>)? {
        Self.contact(
          pair, Self.geom(type1, pair.size1, mesh), Self.geom(type2, pair.size2, mesh), collider, memory)
      }
      guard let (contact, point) = found(pair) else { continue }
      contacts += 1
      let cotangent = ContactCotangent(&random)
      let adjoint = convexGeometryAdjoint(
        pair.kind, Self.geom(type1, pair.size1, mesh), pair.pose1, Self.geom(type2, pair.size2, mesh),
        pair.pose2, contact, cotangent)
      guard adjoint.rawDefects == 0 else {
        flagged += 1
        continue
      }
      let scale = adjoint.array.map(abs).max()!
      let bars = ContactPointCotangent(cotangent, frame: point.frame, tangent: nil)
      let force = adjoint.geom1.force + adjoint.geom2.force - cotangent.position
      var torque = adjoint.geom1.torque + pair.pose1.position.cross(adjoint.geom1.force)
      torque += adjoint.geom2.torque + pair.pose2.position.cross(adjoint.geom2.force)
      torque -= point.position.cross(cotangent.position) + point.normal.cross(bars.normal)
      imbalance = max(imbalance, max(force.norm, torque.norm) / scale)
      for direction in 0..<18 {
        var isSame = true
        let differences = CentralDifferences(step: 2e-4) { step in
          guard let other = found(pair.moved(direction, by: step)),
            isCurved || other.contact.features == contact.features,
            other.contact.branch == contact.branch,
            (other.contact.frame.column0 - contact.frame.column0).norm < 0.1,
            (other.contact.frame.column1 - contact.frame.column1).norm < 0.1
          else {
            isSame = false
            return 0
          }
          return cotangent.value(other.point)
        }
        let values = differences.values
        guard isSame, abs(5 * values[1] - values[0] - 4 * values[2]) < 1e-6 * scale else {
          rejected += 1
          continue
        }
        checked += 1
        let error = abs(differences.extrapolated - adjoint.array[direction]) / scale
        worst = max(worst, error)
      }
    }
    #expect(contacts > 250 && flagged == 0 && checked > 4000, "\(contacts) contacts, \(flagged) flagged")
    #expect(rejected < checked / 2, "\(checked) checked, \(rejected) rejected")
    #expect(worst < 1e-6 && imbalance < 1e-12, "\(worst), \(imbalance)")
  }
}
