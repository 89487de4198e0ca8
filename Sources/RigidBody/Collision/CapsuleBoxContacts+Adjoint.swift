import Lanes

extension ContactGeometryCotangent where L == Double {
  /// The sphere of the capsule at the parameter t, against the box.
  ///
  /// The branch says how the first point's parameter was found, and what ended the second's stretch. Which of the two
  /// a point is, and on which side of the box, follows from the parameter itself, which its position gives.
  mutating func addCapsuleBox(
    _ capsule: GeomPose<Double>, _ size1: Vector3<Double>, _ box: GeomPose<Double>, _ size2: Vector3<Double>,
    branch: Int, distance: Double, position: Vector3<Double>, normal: Vector3<Double>,
    _ cotangent: ContactPointCotangent<Double>
  ) {
    let a = capsule.axis * size1.y
    let center = position - normal * (0.5 * distance + size1.x)
    let offset = capsule.position - box.position
    let replay = CapsuleBoxParameter(a: a, offset: offset, box: box, size: size2)
    let place = replay.place(
      near: a.dot(center - capsule.position) / a.dot(a), first: branch >> 6 & 15, second: branch >> 10)
    let t = place.parameter
    let sphere = GeomPose(position: capsule.position + a * t, rotation: capsule.rotation)
    var atSphere = ContactGeometryCotangent()
    atSphere.addSphereBox(
      sphere, radius: size1.x, box, size2, branch: Double(branch & 63), normal: normal, cotangent)

    let centerBar = atSphere.geom1.force
    let found = replay.adjoint(place, parameterBar: a.dot(centerBar))
    let aBar = centerBar * t + found.a
    geom1.force += centerBar + found.point1
    geom1.add(aBar, toDirection: a)
    geom1.size += Vector3(atSphere.geom1.size.x, capsule.axis.dot(aBar), 0)
    geom2.force += atSphere.geom2.force - found.point1
    geom2.torque += atSphere.geom2.torque + found.torque2
    geom2.size += atSphere.geom2.size + found.size2
    rawDefects += atSphere.rawDefects
    add(.parallel, where: found.isParallel)
  }
}

/// The parameter of a capsule's sphere as a function of the pair, c = p₁ + a t.
private struct CapsuleBoxParameter {
  /// Half the segment.
  let a: Vector3<Double>
  /// From the box's origin to the capsule's.
  let offset: Vector3<Double>
  let box: GeomPose<Double>
  let size: Vector3<Double>

  struct Cotangent {
    /// Of the capsule's origin; that of the box's is opposite.
    var point1 = Vector3<Double>.zero
    var a = Vector3<Double>.zero
    /// On the box, beyond that of its origin.
    var torque2 = Vector3<Double>.zero
    var size2 = Vector3<Double>.zero
    var isParallel = false
  }

  private func column(_ axis: Int) -> Vector3<Double> {
    axis == 0 ? box.rotation.column0 : axis == 1 ? box.rotation.column1 : box.rotation.column2
  }

  /// The first point's parameter, with the octant of the segment's point at `guess`.
  private func first(_ code: Int, near guess: Double) -> Double {
    if code < 5 {
      // Nearest to the line of an edge: of the components across it.
      let axis = column(code - 2)
      let foot = edgeFoot(code - 2, near: guess)
      let across = a - axis * axis.dot(a)
      return -across.dot(offset - foot) / across.dot(across)
    }
    return -a.dot(offset - corner(near: guess)) / a.dot(a)
  }

  /// Signs of the box's octant in which the segment's point is.
  private func signs(near t: Double) -> Vector3<Double> {
    let local = box.rotation.transposedTimes(a.multiplyAdd(t, offset))
    return Vector3(local.x >= 0 ? 1 : -1, local.y >= 0 ? 1 : -1, local.z >= 0 ? 1 : -1)
  }

  private func corner(near t: Double) -> Vector3<Double> { box.rotation * size.scaled(by: signs(near: t)) }

  /// The middle of the nearest edge along an axis.
  private func edgeFoot(_ axis: Int, near t: Double) -> Vector3<Double> {
    var local = size.scaled(by: signs(near: t))
    local[axis] = 0
    return box.rotation * local
  }

  /// How a sphere's place along the segment is found.
  enum Rule {
    /// At an end.
    case end
    /// Nearest to the line of an edge along an axis, or to a corner.
    case edge(Int), corner
    /// Where the segment's coordinate along an axis is ± the half size.
    case coordinate(Int)
    /// Twice the half size along an axis from the first point's place.
    case stretch(Int)
  }

  struct Place {
    var parameter: Double
    var rule: Rule
    /// The first point's, where it matters.
    var first: Double
    var firstRule: Rule
  }

  /// Which rule gave a parameter that is known to rounding.
  func place(near guess: Double, first code: Int, second: Int) -> Place {
    let firstRule: Rule = code < 2 ? .end : code < 5 ? .edge(code - 2) : .corner
    var best = Place(parameter: guess > 0 ? 1 : -1, rule: .end, first: 0, firstRule: firstRule)
    func consider(_ parameter: Double, _ rule: Rule, _ first: Double) {
      guard parameter.isFinite, abs(parameter - guess) < abs(best.parameter - guess) else { return }
      best = Place(parameter: parameter, rule: rule, first: first, firstRule: firstRule)
    }
    guard second > 0 else {
      if code >= 2 {
        let parameter = first(code, near: guess)
        consider(parameter, firstRule, parameter)
      }
      return best
    }
    let k = second - 1
    let (along, coordinate) = (column(k).dot(a), column(k).dot(offset))
    best.parameter = .infinity
    for bound in [size[k], -size[k]] { consider((bound - coordinate) / along, .coordinate(k), 0) }
    let length = 2 * size[k] / abs(along)
    for stretch in [length, -length] {
      let start = code < 2 ? Double(2 * code - 1) : first(code, near: guess - stretch)
      consider(start + stretch, .stretch(k), start)
    }
    return best
  }

  func adjoint(_ place: Place, parameterBar bar: Double) -> Cotangent {
    var result = Cotangent()
    switch place.rule {
    case .end: break
    case .edge, .corner: addFirst(place.rule, place.parameter, bar, &result)
    case .coordinate(let k):
      // e·(offset + a t) = ± size
      let axis = column(k)
      let lambda = bar / axis.dot(a)
      let arm = a.multiplyAdd(place.parameter, offset)
      result.point1 -= axis * lambda
      result.a -= axis * (lambda * place.parameter)
      // Of the axis itself; the origin's part is the caller's.
      result.torque2 -= axis.cross(arm * lambda)
      result.size2[k] += axis.dot(arm) > 0 ? lambda : -lambda
    case .stretch(let k):
      // t - first = ± 2 size / |e·a|
      let axis = column(k)
      let stretch = place.parameter - place.first
      let alongBar = -bar * stretch / axis.dot(a)
      result.size2[k] += bar * stretch / size[k]
      result.a += axis * alongBar
      result.torque2 += axis.cross(a * alongBar)
      addFirst(place.firstRule, place.first, bar, &result)
    }
    return result
  }

  private func addFirst(_ rule: Rule, _ t: Double, _ bar: Double, _ result: inout Cotangent) {
    var edge = -1
    switch rule {
    case .edge(let axis): edge = axis
    case .corner: break
    default: return
    }
    let isEdge = edge >= 0
    let foot = isEdge ? edgeFoot(edge, near: t) : corner(near: t)
    let axis = isEdge ? column(edge) : .zero
    let point = a.multiplyAdd(t, offset)
    let y = axis.dot(point - foot)
    let line = LineParametersAdjoint(
      a: a, b: axis, between: point - foot - axis * y, x: t, y: y, xBar: bar, yBar: 0, isXFree: true,
      isYFree: isEdge)
    result.point1 += line.point1
    result.a += line.a
    result.torque2 -= foot.cross(line.point1)
    result.torque2 += axis.cross(line.b)
    var signs = signs(near: t)
    if isEdge { signs[edge] = 0 }
    result.size2 -= box.rotation.transposedTimes(line.point1).scaled(by: signs)
    result.isParallel = result.isParallel || line.isParallel
  }
}
