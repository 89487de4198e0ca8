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
    var origin = ConvexOrigin()
    if pair.kind == .planeMesh {
      planeMesh(pair.pose1, pair.pose2, geom2.mesh!, cutoff: 0.1, into: &list)
    } else {
      collider.collide(geom1, pair.pose1, geom2, pair.pose2, cutoff: 0.1, into: &list)
      origin = collider.origins[0]
    }
    guard list.count > 0 else { return nil }
    var point = memory[0]
    let contact = Contact(
      candidate: 0, number: 0, distance: point.distance, position: point.position, frame: point.frame,
      branch: Int32(point.branch), origin: origin)
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
            isCurved || other.contact.origin.features == contact.origin.features,
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

  /// A prism with six sides, and points inside that are no corners.
  private static func prism() throws -> ConvexMesh {
    let corners = (0..<6).flatMap { k -> [Double] in
      let angle = Double(k) * .pi / 3 + 0.2 * Double(k % 2)
      return [0.2 * angle.cosine, 0.2 * angle.sine]
    }
    let points = [-0.1, 0.1].flatMap { z in (0..<6).map { "\(corners[2 * $0]) \(corners[2 * $0 + 1]) \(z)" } }
    let text = """
      <mujoco><asset><mesh name="m" vertex="\(points.joined(separator: " "))"/></asset>
      <worldbody><body><freejoint/><geom type="mesh" mesh="m"/></body></worldbody></mujoco>
      """
    return ConvexMesh(try Model(mjcf: text, name: "prism.xml").meshes[0])
  }

  /// All contacts of a pair.
  private static func contacts(
    _ pair: ContactGeometry, _ geom1: CollisionGeom, _ geom2: CollisionGeom, _ collider: ConvexCollider,
    cutoff: Double = 0
  ) -> [(contact: Contact, point: ContactPoint<Double>)] {
    withUnsafeTemporaryAllocation(of: ContactPoint<Double>.self, capacity: PairKind.largestPointCount) {
      memory in
      var list = ContactPointList(in: memory.baseAddress!)
      collider.collide(geom1, pair.pose1, geom2, pair.pose2, cutoff: cutoff, into: &list)
      return (0..<Int(list.count)).map { k in
        let point = memory[k]
        return (
          Contact(
            candidate: 0, number: Int32(k), distance: point.distance, position: point.position,
            frame: point.frame, branch: Int32(point.branch), origin: collider.origins[k]), point
        )
      }
    }
  }

  /// Two geoms on top of each other along their axes, the second's turned by up to `tilt`.
  private static func stacked(
    _ kind: PairKind, tilt: Double, heights: (Vector3<Double>, Vector3<Double>) -> Double,
    _ random: inout SeededRandom
  ) -> ContactGeometry {
    var pair = ContactGeometry(kind, &random)
    let offset = Vector3(
      random.uniform(-0.1, 0.1), random.uniform(-0.1, 0.1), heights(pair.size1, pair.size2))
    pair.pose2.position = pair.pose1.rotation.multiplyAdd(offset, pair.pose1.position)
    let turn = Quaternion(rotationVector: random.vector(Double.self, in: -tilt...tilt))
    let spin = Quaternion(rotationVector: Vector3(0, 0, random.uniform(-3, 3)))
    pair.pose2.rotation = pair.pose1.rotation * turn.matrix * spin.matrix
    return pair
  }

  /// Corners of clipped faces and edges against differences, and the balance of wrenches.
  @Test(arguments: [(GeomType.box, GeomType.mesh), (.mesh, .mesh)])
  func clippedCorners(types: (GeomType, GeomType)) throws {
    var random = SeededRandom(seed: 70)
    let mesh = try Self.prism()
    let collider = ConvexCollider(
      isMultiple: true, largestFace: mesh.largestFace, largestDegree: mesh.largestDegree)
    var sources: Set<Int> = []
    var (checked, edgeCount) = (0, 0)
    var (worst, imbalance) = (0.0, 0.0)
    for _ in 0..<90 {
      let isBox = types.0 == .box
      let pair = Self.stacked(
        .convex, tilt: 0.02, heights: { one, _ in (isBox ? one.z : 0.1) + 0.1 - 0.015 }, &random)
      let (geom1, geom2) = (Self.geom(types.0, pair.size1, mesh), Self.geom(types.1, pair.size2, mesh))
      let found = Self.contacts(pair, geom1, geom2, collider)
      for (k, (contact, point)) in found.enumerated() where contact.branch == Int32(FaceContacts.branch) {
        let corner = contact.origin.corner
        sources.insert((corner.before >= 0 ? 1 : 0) + (corner.after >= 0 ? 1 : 0))
        if corner.isEdge { edgeCount += 1 }
        let cotangent = ContactCotangent(&random)
        let adjoint = convexGeometryAdjoint(
          pair.kind, geom1, pair.pose1, geom2, pair.pose2, contact, cotangent)
        #expect(adjoint.rawDefects == 0)
        let scale = adjoint.array.map(abs).max()!
        let bars = ContactPointCotangent(cotangent, frame: point.frame, tangent: nil)
        let force = adjoint.geom1.force + adjoint.geom2.force - cotangent.position
        var torque = adjoint.geom1.torque + pair.pose1.position.cross(adjoint.geom1.force)
        torque += adjoint.geom2.torque + pair.pose2.position.cross(adjoint.geom2.force)
        torque -= point.position.cross(cotangent.position) + point.normal.cross(bars.normal)
        imbalance = max(imbalance, max(force.norm, torque.norm) / scale)
        for direction in 0..<18 {
          var isSame = true
          let differences = CentralDifferences(step: 1e-4) { step in
            let moved = pair.moved(direction, by: step)
            let others = Self.contacts(
              moved, Self.geom(types.0, moved.size1, mesh), Self.geom(types.1, moved.size2, mesh), collider)
            guard others.count == found.count, others[k].contact.origin.corner == corner,
              (others[k].point.frame.column1 - point.frame.column1).norm < 0.1
            else {
              isSame = false
              return 0
            }
            return cotangent.value(others[k].point)
          }
          guard isSame else { continue }
          checked += 1
          worst = max(worst, abs(differences.extrapolated - adjoint.array[direction]) / scale)
        }
      }
    }
    #expect(sources.isSuperset(of: [1, 2]) && edgeCount > 10, "\(sources), \(edgeCount) on edges")
    #expect(checked > 500, "\(checked)")
    #expect(worst < 1e-7 && imbalance < 1e-12, "\(worst), \(imbalance)")
  }

  /// The narrow phase's turned points with the searches made exact, as a function of poses and sizes.
  private static func turnedPoint(
    _ pair: ContactGeometry, _ geom1: CollisionGeom, _ geom2: CollisionGeom, _ number: Int,
    _ collider: ConvexCollider
  ) -> ContactPoint<Double>? {
    func exact(_ pose1: GeomPose<Double>, _ pose2: GeomPose<Double>) -> ContactPoint<Double>? {
      var own = pair
      (own.pose1, own.pose2) = (pose1, pose2)
      guard let found = contacts(own, geom1, geom2, collider, cutoff: 0.01).first else { return nil }
      return CurvedContact(ConvexShape(geom1, pose1), ConvexShape(geom2, pose2), found.contact)?.point
    }
    guard let first = exact(pair.pose1, pair.pose2) else { return nil }
    let turn = ConvexTurn(number, position: first.position, frame: first.frame)
    guard var point = exact(turn.first(pair.pose1), turn.second(pair.pose2)) else { return nil }
    point.distance = first.distance
    return point
  }

  @Test(arguments: [(GeomType.cylinder, GeomType.box), (.cylinder, .cylinder), (.cylinder, .mesh)])
  func pointsFoundByTurning(types: (GeomType, GeomType)) throws {
    var random = SeededRandom(seed: 72)
    let mesh = try Self.prism()
    let collider = ConvexCollider(
      isMultiple: true, largestFace: mesh.largestFace, largestDegree: mesh.largestDegree)
    let single = ConvexCollider(
      isMultiple: false, largestFace: mesh.largestFace, largestDegree: mesh.largestDegree)
    var checked = 0
    var (worst, imbalance) = (0.0, 0.0)
    var turns: Set<Int32> = []
    for _ in 0..<4 {
      let pair = Self.stacked(
        .convex, tilt: 4e-4,
        heights: { one, two in
          one.y + (types.1 == .box ? two.z : types.1 == .mesh ? 0.1 : two.y) - 0.004
        }, &random)
      let (geom1, geom2) = (Self.geom(types.0, pair.size1, mesh), Self.geom(types.1, pair.size2, mesh))
      for (contact, point) in Self.contacts(pair, geom1, geom2, collider)
      where (1...4).contains(contact.branch) {
        let cotangent = ContactCotangent(&random)
        let adjoint = convexGeometryAdjoint(
          pair.kind, geom1, pair.pose1, geom2, pair.pose2, contact, cotangent)
        let number = Int(contact.branch) - 1
        guard adjoint.rawDefects == 0,
          let own = Self.turnedPoint(pair, geom1, geom2, number, single)
        else { continue }
        #expect((own.position - point.position).norm < 1e-4)
        turns.insert(contact.branch)
        let scale = adjoint.array.map(abs).max()!
        let force = adjoint.geom1.force + adjoint.geom2.force - cotangent.position
        imbalance = max(imbalance, force.norm / scale)
        for direction in 0..<18 {
          let differences = CentralDifferences(step: 1e-5) { step in
            let moved = pair.moved(direction, by: step)
            let one = Self.geom(types.0, moved.size1, mesh)
            let two = Self.geom(types.1, moved.size2, mesh)
            guard let other = Self.turnedPoint(moved, one, two, number, single) else { return .nan }
            return cotangent.value(other)
          }
          let values = differences.values
          guard abs(5 * values[1] - values[0] - 4 * values[2]) < 1e-6 * scale else { continue }
          checked += 1
          let error = abs(differences.extrapolated - adjoint.array[direction]) / scale
          worst = max(worst, error)
        }
      }
    }
    #expect(checked > 100 && turns.count > 1, "\(checked), \(turns)")
    #expect(worst < 1e-5 && imbalance < 1e-9, "\(worst), \(imbalance)")
  }

  /// Where the deepest point is not unique, the distance has the derivative of nearest points all the same.
  @Test(arguments: [(GeomType.cylinder, GeomType.box), (.cylinder, .cylinder), (.box, .mesh), (.mesh, .mesh)])
  func parallelFaces(types: (GeomType, GeomType)) throws {
    var random = SeededRandom(seed: 73)
    let mesh = try Self.prism()
    let collider = ConvexCollider(
      isMultiple: false, largestFace: mesh.largestFace, largestDegree: mesh.largestDegree)
    func height(_ type: GeomType, _ size: Vector3<Double>) -> Double {
      type == .box ? size.z : type == .mesh ? 0.1 : size.y
    }
    for _ in 0..<20 {
      let pair = Self.stacked(
        .convex, tilt: 0, heights: { height(types.0, $0) + height(types.1, $1) - 0.004 }, &random)
      let (geom1, geom2) = (Self.geom(types.0, pair.size1, mesh), Self.geom(types.1, pair.size2, mesh))
      let contact = try #require(Self.contacts(pair, geom1, geom2, collider).first?.contact)
      let adjoint = convexGeometryAdjoint(
        pair.kind, geom1, pair.pose1, geom2, pair.pose2, contact,
        ContactCotangent(distance: 1, position: .zero, frame: .zero))
      let normal = contact.frame.column0
      #expect((adjoint.geom2.force - normal).norm < 1e-9 && (adjoint.geom1.force + normal).norm < 1e-9)
      for (type, own) in [(types.0, adjoint.geom1), (types.1, adjoint.geom2)] {
        let byHeight = type == .box ? own.size.z : own.size.y
        if type != .mesh { #expect(abs(byHeight + 1) < 1e-9) }
      }
      let whole = convexGeometryAdjoint(
        pair.kind, geom1, pair.pose1, geom2, pair.pose2, contact, ContactCotangent(&random))
      let isFinite = whole.array.allSatisfy { $0.isFinite }
      #expect(isFinite)
      // A corner on a face is one of the nearest points, and of polytopes that is what the search finds.
      if types.0 == .cylinder { #expect(whole.rawDefects != 0) }
    }
  }
}
