import Kinematics
import Lanes

/// The derivative of a corner where faces meet.
///
/// The corner is a point q that is fixed in the clipped geom (a corner of its own), or the point where a line of one geom meets
/// a plane of the other: an edge of what is clipped and a clipping plane, or the line of two clipping planes and the clipped
/// face. With d the line's direction, m the plane's normal, a motion of q's cotangent c is
///   line: c − m μ,   plane: m μ,   μ = d·c / d·m,   both forces at q.
/// With the clipping face's normal n and a corner b of it, distance = n·(q − b) and position = q − k distance / 2, where k is
/// the contact's normal, that of the second geom's face, and for edges k = n, the contact's normal being n or −n.
func clippedCornerAdjoint(
  _ shape1: ConvexShape, _ shape2: ConvexShape, _ contact: Contact, _ cotangent: ContactPointCotangent<Double>
) -> ContactGeometryCotangent<Double> {
  let corner = contact.origin.corner
  let face = Int(corner.face)
  var clipper = ClippedShape(corner.isFirstClipper ? shape1 : shape2)
  var other = ClippedShape(corner.isFirstClipper ? shape2 : shape1)
  let contactNormal = contact.frame.column0
  let sign: Double = corner.isFirstClipper ? 1 : -1
  let normal = corner.isEdge ? contactNormal * sign : clipper.faceNormal(face)
  let across = corner.isEdge ? normal : contactNormal
  let point = contact.position + across * (0.5 * contact.distance)
  var result = ContactGeometryCotangent<Double>()
  result.add(.frame, where: cotangent.isFrameDefective)

  let acrossBar = cotangent.position * (-0.5 * contact.distance)
  let distanceBar = cotangent.distance - 0.5 * across.dot(cotangent.position)
  let base = clipper.faceCorner(face, 0)
  var normalBar = (point - clipper.world(base)) * distanceBar
  if corner.isEdge {
    normalBar += acrossBar + cotangent.normal * sign
  } else {
    other.bars.add(acrossBar + cotangent.normal, toDirection: contactNormal)
  }
  clipper.bars.add(normalBar, toDirection: normal)
  clipper.add(normal * -distanceBar, at: clipper.world(base), signs: clipper.shared(base, base))
  let pointBar = cotangent.position + normal * distanceBar

  /// The plane through side number e of the clipping face: its normal, and the coordinates that all its points share.
  func plane(_ number: Int32) -> (normal: Vector3<Double>, signs: Vector3<Double>) {
    let count = clipper.faceCount(face)
    let start = clipper.faceCorner(face, Int(number))
    let end = clipper.faceCorner(face, Int(number) + 1 == count ? 0 : Int(number) + 1)
    var signs = clipper.shared(start, end)
    if clipper.shape.core == .box { signs[face / 2] = 0 }
    return ((clipper.world(end) - clipper.world(start)).cross(normal).normalized(orXBelow: 1e-15), signs)
  }
  func incidentCorner(_ k: Int) -> PolytopeCorner {
    if corner.isEdge { return other.shape.corner(k == 0 ? corner.incident : corner.end) }
    let incident = Int(corner.incident)
    return other.faceCorner(incident, k % other.faceCount(incident))
  }
  let isDefined: Bool
  switch (corner.before >= 0, corner.after >= 0) {
  case (true, true):
    let own = incidentCorner(Int(corner.after))
    other.add(pointBar, at: point, signs: other.shared(own, own))
    isDefined = true
  case (true, false), (false, true):
    let side = Int(max(corner.before, corner.after))
    let (start, end) = (incidentCorner(side), incidentCorner(corner.isEdge ? 1 - side : side + 1))
    let cut = plane(-1 - min(corner.before, corner.after))
    isDefined = addCut(
      pointBar, at: point, line: &other, other.world(end) - other.world(start), other.shared(start, end),
      plane: &clipper, cut.normal, cut.signs)
  case (false, false):
    let (one, two) = (plane(-1 - corner.before), plane(-1 - corner.after))
    let incident = corner.isEdge ? 0 : Int(corner.incident)
    isDefined =
      !corner.isEdge
      && addCut(
        pointBar, at: point, line: &clipper, one.normal.cross(two.normal), one.signs + two.signs,
        plane: &other, other.faceNormal(incident), other.faceSigns(incident))
  }
  if !isDefined {
    other.add(pointBar, at: point, signs: .zero)
    result.add(.parallel, where: true)
  }
  result.geom1.add(corner.isFirstClipper ? clipper.bars : other.bars)
  result.geom2.add(corner.isFirstClipper ? other.bars : clipper.bars)
  return result
}

/// - Returns: false where the line lies in the plane.
private func addCut(
  _ bar: Vector3<Double>, at point: Vector3<Double>, line: inout ClippedShape, _ direction: Vector3<Double>,
  _ lineSigns: Vector3<Double>, plane: inout ClippedShape, _ normal: Vector3<Double>,
  _ planeSigns: Vector3<Double>
) -> Bool {
  let slope = direction.dot(normal)
  guard abs(slope) > 1e-9 * direction.norm else { return false }
  let force = normal * (direction.dot(bar) / slope)
  line.add(bar - force, at: point, signs: lineSigns)
  plane.add(force, at: point, signs: planeSigns)
  return true
}

/// A box or mesh with its cotangents.
private struct ClippedShape {
  let shape: ConvexShape
  var bars = GeomCotangent<Double>()

  init(_ shape: ConvexShape) { self.shape = shape }

  func world(_ corner: PolytopeCorner) -> Vector3<Double> {
    shape.pose.rotation.multiplyAdd(corner.position, shape.pose.position)
  }

  func faceCount(_ face: Int) -> Int {
    guard shape.core == .mesh else { return 4 }
    return shape.mesh!._withUnsafeGuaranteedRef { Int($0.faceStarts[face + 1] - $0.faceStarts[face]) }
  }

  func faceNormal(_ face: Int) -> Vector3<Double> {
    guard shape.core == .mesh else { return shape.pose.rotation * faceSigns(face) }
    return shape.mesh!._withUnsafeGuaranteedRef { shape.pose.rotation * $0.faceNormals[face] }
  }

  /// The coordinate that all points of a box' face share.
  func faceSigns(_ face: Int) -> Vector3<Double> {
    var signs = Vector3<Double>.zero
    if shape.core == .box { signs[face / 2] = face & 1 == 1 ? 1 : -1 }
    return signs
  }

  /// A corner of a face, numbered clockwise from outside as ``FaceContacts`` does.
  func faceCorner(_ face: Int, _ k: Int) -> PolytopeCorner {
    guard shape.core == .mesh else {
      let axis = face / 2
      let side: Double = face & 1 == 1 ? 1 : -1
      var signs = Vector3<Double>.zero
      signs[axis] = side
      let corner = (k + boxFaceStart(face)) & 3
      signs[(axis + 1) % 3] = corner < 2 ? side : -side
      signs[(axis + 2) % 3] = corner == 0 || corner == 3 ? 1 : -1
      return PolytopeCorner(position: shape.size.scaled(by: signs), signs: signs)
    }
    let vertex = shape.mesh!._withUnsafeGuaranteedRef {
      $0.faceVertices[Int($0.faceStarts[face + 1]) - 1 - k]
    }
    return shape.corner(vertex)
  }

  /// Coordinates over the half sizes that two corners share, zero elsewhere.
  func shared(_ a: PolytopeCorner, _ b: PolytopeCorner) -> Vector3<Double> {
    Vector3(
      a.signs.x == b.signs.x ? a.signs.x : 0, a.signs.y == b.signs.y ? a.signs.y : 0,
      a.signs.z == b.signs.z ? a.signs.z : 0)
  }

  /// A point whose coordinates with signs grow with the half sizes.
  mutating func add(_ bar: Vector3<Double>, at point: Vector3<Double>, signs: Vector3<Double>) {
    bars.add(bar, toPointAt: point - shape.pose.position)
    bars.size += shape.pose.rotation.transposedTimes(bar).scaled(by: signs)
  }
}
