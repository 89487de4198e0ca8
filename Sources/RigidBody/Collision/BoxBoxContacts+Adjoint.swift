import Lanes

extension ContactGeometryCotangent where L == Double {
  /// A face's point is that of a plane of the reference box; a pair of edges gives the nearest points of two lines, clamped
  /// to the edges, along the product of their directions.
  ///
  /// - Parameter branch: that of `boxBox`.
  mutating func addBoxBox(
    _ pose1: GeomPose<Double>, _ size1: Vector3<Double>, _ pose2: GeomPose<Double>, _ size2: Vector3<Double>,
    branch: Int, _ cotangent: ContactPointCotangent<Double>
  ) {
    let (axis, choices) = (branch & 15, branch >> 4)
    if axis >= 6 {
      addEdges(pose1, size1, pose2, size2, axis - 6, choices, cotangent)
      return
    }
    let incident = choices % 6
    let isUpper = choices / 6 % 2 == 1
    let origin = choices / 12
    let isFirst = axis < 3
    var reference = BoxFeature(isFirst ? pose1 : pose2, isFirst ? size1 : size2)
    var other = BoxFeature(isFirst ? pose2 : pose1, isFirst ? size2 : size1)
    let a = isFirst ? axis : axis - 3
    let side: Double = isUpper ? 1 : -1
    let outward = reference.column(a) * side
    let point = BoxFacePoint(reference, other, a, side, incident, origin)

    var atFace = cotangent
    if !isFirst { atFace.normal = -cotangent.normal }
    let originArm = outward * reference.size[a]
    let bars = planePointAdjoint(
      normal: outward, between: point.position - reference.pose.position - originArm, atFace)
    reference.bars.add(bars.origin, toPointAt: originArm)
    reference.bars.add(bars.normal, toDirection: outward)
    reference.bars.size[a] += outward.dot(bars.origin)
    point.addAdjoint(bars.point, &reference, &other)
    add(isFirst ? reference.bars : other.bars, isFirst ? other.bars : reference.bars)
  }

  private mutating func add(_ bars1: GeomCotangent<Double>, _ bars2: GeomCotangent<Double>) {
    geom1.add(bars1)
    geom2.add(bars2)
  }

  /// With the edges' unit vectors g and f, the normal is ± g × f / |g × f|, the distance (c₂ - c₁)·n, the position halfway.
  private mutating func addEdges(
    _ pose1: GeomPose<Double>, _ size1: Vector3<Double>, _ pose2: GeomPose<Double>, _ size2: Vector3<Double>,
    _ pair: Int, _ choices: Int, _ cotangent: ContactPointCotangent<Double>
  ) {
    var (box1, box2) = (BoxFeature(pose1, size1), BoxFeature(pose2, size2))
    let (i, j) = (pair / 3, pair % 3)
    func signs(_ axis: Int, _ first: Int, _ second: Int) -> Vector3<Double> {
      var signs = Vector3<Double>.zero
      signs[(axis + 1) % 3] = choices & first != 0 ? 1 : -1
      signs[(axis + 2) % 3] = choices & second != 0 ? 1 : -1
      return signs
    }
    var (signs1, signs2) = (signs(i, 2, 4), signs(j, 8, 16))
    let (g, f) = (box1.column(i), box2.column(j))
    let product = g.cross(f)
    let length = product.norm
    let normal = product * ((choices & 1 != 0 ? -1 : 1) / length)

    // As in the forward pass: free, clamped, and once more.
    let foot1 = pose1.position + pose1.rotation * size1.scaled(by: signs1)
    let foot2 = pose2.position + pose2.rotation * size2.scaled(by: signs2)
    let between = foot2 - foot1
    let (along1, along2, cosine) = (g.dot(between), f.dot(between), g.dot(f))
    let sineSquare = 1 - cosine * cosine
    var x = sineSquare < 1e-15 ? 0 : (along1 - cosine * along2) / sineSquare
    x = min(max(x, -size1[i]), size1[i])
    let y = min(max(cosine * x - along2, -size2[j]), size2[j])
    x = min(max(along1 + cosine * y, -size1[i]), size1[i])
    let (isXFree, isYFree) = (abs(x) < size1[i], abs(y) < size2[j])
    if !isXFree { signs1[i] = x > 0 ? 1 : -1 }
    if !isYFree { signs2[j] = y > 0 ? 1 : -1 }
    let (on1, on2) = (foot1 + g * x, foot2 + f * y)

    let bar1 = cotangent.position * 0.5 - normal * cotangent.distance
    let bar2 = cotangent.position * 0.5 + normal * cotangent.distance
    let normalBar = cotangent.normal + (on2 - on1) * cotangent.distance
    let productBar =
      (normalBar - normal * normal.dot(normalBar)) * ((choices & 1 != 0 ? -1 : 1) / length)
    let line = LineParametersAdjoint(
      a: g, b: f, between: on1 - on2, x: x, y: y, xBar: g.dot(bar1), yBar: f.dot(bar2), isXFree: isXFree,
      isYFree: isYFree)
    box1.bars.add(bar1 + line.point1, toPointAt: foot1 - pose1.position)
    box2.bars.add(bar2 - line.point1, toPointAt: foot2 - pose2.position)
    let (gBar, fBar) = (bar1 * x + line.a, bar2 * y + line.b)
    box1.bars.add(gBar + f.cross(productBar), toDirection: g)
    box2.bars.add(fBar + productBar.cross(g), toDirection: f)
    // Free coordinates have no sign; those of the feet belong to the feet.
    box1.bars.size += pose1.rotation.transposedTimes(bar1 + line.point1).scaled(by: signs1)
    box2.bars.size += pose2.rotation.transposedTimes(bar2 - line.point1).scaled(by: signs2)
    add(box1.bars, box2.bars)
    add(.parallel, where: line.isParallel)
  }
}

/// A box and its cotangents.
private struct BoxFeature {
  let pose: GeomPose<Double>
  let size: Vector3<Double>
  var bars = GeomCotangent<Double>()

  init(_ pose: GeomPose<Double>, _ size: Vector3<Double>) { (self.pose, self.size) = (pose, size) }

  func column(_ axis: Int) -> Vector3<Double> {
    axis == 0 ? pose.rotation.column0 : axis == 1 ? pose.rotation.column1 : pose.rotation.column2
  }

  /// A point of the box with coordinates `signs` times the half sizes.
  mutating func add(_ bar: Vector3<Double>, toPointWithSigns signs: Vector3<Double>) {
    bars.add(bar, toPointAt: pose.rotation * size.scaled(by: signs))
    bars.size += pose.rotation.transposedTimes(bar).scaled(by: signs)
  }
}

/// A corner of the clipped face: the incident face's corner, or the point where the line `base + direction τ` meets a plane.
private struct BoxFacePoint {
  private enum Origin {
    case corner
    /// An edge of the incident face, cut by a side of the reference.
    case cutEdge
    /// A corner of the reference's outline, raised to the incident face.
    case raisedCorner
  }

  private let origin: Origin
  /// Coordinates of the line's base, over the half sizes of its box.
  private let baseSigns: Vector3<Double>
  /// The line's direction, and the normal of the plane that cuts it with the plane's coordinate: `normal·(q - p) = sign size`.
  private let direction: Vector3<Double>
  private let normal: Vector3<Double>
  private let planeAxis: Int
  private let planeSign: Double
  private let parameter: Double
  private(set) var position: Vector3<Double>

  init(
    _ reference: BoxFeature, _ other: BoxFeature, _ a: Int, _ side: Double, _ incident: Int, _ number: Int
  ) {
    let b = incident / 2
    let (u, v) = ((b + 1) % 3, (b + 2) % 3)
    var signs = Vector3<Double>.zero
    signs[b] = incident & 1 == 1 ? 1 : -1
    func sidePlane(_ s: Int) -> (axis: Int, sign: Double) {
      (s < 2 ? (a + 1) % 3 : (a + 2) % 3, s & 1 == 0 ? 1 : -1)
    }
    let (line, cut): (BoxFeature, BoxFeature)
    if number < 4 {
      origin = .corner
      signs[u] = number == 0 || number == 3 ? 1 : -1
      signs[v] = number < 2 ? 1 : -1
      (line, cut) = (other, reference)
      (direction, normal, planeAxis, planeSign) = (.zero, .zero, 0, 0)
    } else if number < 20 {
      origin = .cutEdge
      let edge = (number - 4) / 4
      if edge & 1 == 0 { signs[v] = edge == 0 ? 1 : -1 } else { signs[u] = edge == 3 ? 1 : -1 }
      (line, cut) = (other, reference)
      direction = other.column(edge & 1 == 0 ? u : v)
      (planeAxis, planeSign) = sidePlane((number - 4) % 4)
      normal = reference.column(planeAxis)
    } else {
      origin = .raisedCorner
      (planeAxis, planeSign) = (b, signs[b])
      signs = .zero
      for s in [(number - 20) / 4, (number - 20) % 4] {
        let plane = sidePlane(s)
        signs[plane.axis] = plane.sign
      }
      (line, cut) = (reference, other)
      direction = reference.column(a)
      normal = other.column(b)
    }
    baseSigns = signs
    let base = line.pose.position + line.pose.rotation * line.size.scaled(by: signs)
    if origin == .corner {
      parameter = 0
    } else {
      let height = planeSign * cut.size[planeAxis] - normal.dot(base - cut.pose.position)
      parameter = height / normal.dot(direction)
    }
    position = base + direction * parameter
  }

  /// `normal·(base + direction τ - p) - sign size = 0` with λ = τ̄ / normal·direction, τ̄ = direction·q̄.
  func addAdjoint(_ bar: Vector3<Double>, _ reference: inout BoxFeature, _ other: inout BoxFeature) {
    if origin == .corner { return other.add(bar, toPointWithSigns: baseSigns) }
    let lambda = direction.dot(bar) / normal.dot(direction)
    let pointBar = bar - normal * lambda
    func add(_ line: inout BoxFeature, _ cut: inout BoxFeature) {
      line.add(pointBar, toPointWithSigns: baseSigns)
      line.bars.add(pointBar * parameter, toDirection: direction)
      let arm = position - cut.pose.position
      cut.bars.force += normal * lambda
      cut.bars.add(arm * -lambda, toDirection: normal)
      cut.bars.size[planeAxis] += planeSign * lambda
    }
    if origin == .cutEdge { add(&other, &reference) } else { add(&reference, &other) }
  }
}
