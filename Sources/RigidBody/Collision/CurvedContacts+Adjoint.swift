import Kinematics
import Lanes
import RobotModels

/// The closest points of two surface patches `x₁(p)` and `x₂(q)` with tangents t, as the solution of
///
///     x₂ - x₁ - d n = 0,   |n|² / 2 = 1 / 2,   n·tᵢ = 0 for both patches
///
/// in the unknowns n, d, p, q. These conditions stay regular where the surfaces touch, as dividing by d would not.
struct CurvedContact {
  private var normal: Vector3<Double>
  /// The distance of the cores.
  private var distance: Double
  private var patch1: SurfacePatch
  private var patch2: SurfacePatch
  private let radii: (Double, Double)

  /// The narrow phase's contact, made exact: its search ends when the distance is known to rounding, and the normal to the
  /// root of that.
  ///
  /// - Returns: nil where the patches do not hold the contact.
  init?(_ shape1: ConvexShape, _ shape2: ConvexShape, _ contact: Contact) {
    normal = contact.frame.column0
    distance = contact.distance + shape1.radius + shape2.radius
    radii = (shape1.radius, shape2.radius)
    patch1 = SurfacePatch(
      shape1, at: contact.position - normal * (0.5 * contact.distance + radii.0), outward: normal)
    patch2 = SurfacePatch(
      shape2, at: contact.position + normal * (0.5 * contact.distance + radii.1), outward: -normal)
    let scale = max(shape1.scale, shape2.scale)
    for _ in 0..<4 {
      guard let change = LinearSystem(matrix, isTransposed: false)?.solve(residual) else { return }
      normal = normal - Vector3(change[0], change[1], change[2])
      distance -= change[3]
      let start = 4 + patch1.tangents.count
      patch1.move(change[4..<start].map { -$0 })
      patch2.move(change[start...].map { -$0 })
    }
    let found = point
    let remaining = residual.map(abs).max()!
    guard remaining < 1e-10 * max(scale, 1), (found.normal - contact.frame.column0).norm < 1e-3,
      (found.position - contact.position).norm < 1e-3 * scale
    else { return nil }
  }

  var point: ContactPoint<Double> {
    let middle = (patch1.point + patch2.point) * 0.5
    return ContactPoint(
      distance: distance - radii.0 - radii.1, position: middle + normal * (0.5 * (radii.0 - radii.1)),
      normal: normal)
  }

  private var residual: [Double] {
    (patch2.point - patch1.point - normal * distance).array + [0.5 * (normal.normSquared - 1)]
      + patch1.tangents.map { normal.dot($0) } + patch2.tangents.map { normal.dot($0) }
  }

  /// The conditions' derivatives: rows are conditions, columns unknowns.
  private var matrix: [[Double]] {
    let (count1, count2) = (patch1.tangents.count, patch2.tangents.count)
    var rows = [[Double]](
      repeating: [Double](repeating: 0, count: 4 + count1 + count2), count: 4 + count1 + count2)
    for k in 0..<3 {
      rows[k][k] = -distance
      rows[k][3] = -normal[k]
      rows[3][k] = normal[k]
      for i in 0..<count1 { rows[k][4 + i] = -patch1.tangents[i][k] }
      for i in 0..<count2 { rows[k][4 + count1 + i] = patch2.tangents[i][k] }
    }
    for (patch, start) in [(patch1, 4), (patch2, 4 + count1)] {
      for i in patch.tangents.indices {
        for k in 0..<3 { rows[start + i][k] = patch.tangents[i][k] }
        for j in patch.tangents.indices { rows[start + i][start + j] = normal.dot(patch.curvature(i, j)) }
      }
    }
    return rows
  }

  /// The implicit function theorem: with λ the solution of the transposed system for the unknowns' cotangents, the patches
  /// receive `-λᵀ` times the conditions' derivatives.
  ///
  /// - Returns: nil where the closest points are not unique.
  func adjoint(_ cotangent: ContactPointCotangent<Double>) -> ContactGeometryCotangent<Double>? {
    // position = (x₁ + x₂) / 2 + n (r₁ - r₂) / 2
    let half = cotangent.position * 0.5
    let normalBar = cotangent.normal + half * (radii.0 - radii.1)
    let right =
      normalBar.array + [cotangent.distance] + patch1.tangents.map { half.dot($0) }
      + patch2.tangents.map { half.dot($0) }
    guard let solution = LinearSystem(matrix, isTransposed: true)?.solve(right) else { return nil }
    var result = ContactGeometryCotangent<Double>()
    let gap = Vector3(solution[0], solution[1], solution[2])
    let start = 4 + patch1.tangents.count
    patch1.add(half + gap, normal, Array(solution[4..<start]), to: &result.geom1)
    patch2.add(half - gap, normal, Array(solution[start...]), to: &result.geom2)
    if radii.0 > 0 { result.geom1.size.x += normal.dot(half) - cotangent.distance }
    if radii.1 > 0 { result.geom2.size.x -= normal.dot(half) + cotangent.distance }
    return result
  }

  /// Where the patches have straight directions in common, the points may be anywhere along them: they are then held on one of
  /// the patches.
  ///
  /// - Returns: nil where that does not make the points unique.
  func adjointHoldingPoint(_ cotangent: ContactPointCotangent<Double>) -> ContactGeometryCotangent<Double>? {
    let isFirstSmaller = patch1.tangents.count <= patch2.tangents.count
    for (isSmaller, held) in [(true, 1), (false, 1), (true, 2), (false, 2)] {
      var reduced = self
      if isSmaller == isFirstSmaller { reduced.patch1.hold(held) } else { reduced.patch2.hold(held) }
      if var result = reduced.adjoint(cotangent) {
        result.add(.parallel, where: true)
        return result
      }
    }
    return nil
  }
}

/// A small dense matrix, reduced by elimination with pivots.
private struct LinearSystem {
  private var rows: [[Double]]
  private var scales: [Double] = []
  private var order: [Int]

  /// - Returns: nil where the matrix is singular to rounding.
  init?(_ matrix: [[Double]], isTransposed: Bool) {
    let n = matrix.count
    rows = isTransposed ? (0..<n).map { i in matrix.map { $0[i] } } : matrix
    order = Array(0..<n)
    // Rows are scaled, so that units do not matter.
    for i in 0..<n {
      let largest = rows[i].map(abs).max()!
      guard largest > 0 else { return nil }
      scales.append(1 / largest)
      for j in 0..<n { rows[i][j] /= largest }
    }
    for k in 0..<n {
      let pivot = (k..<n).max { abs(rows[$0][k]) < abs(rows[$1][k]) }!
      guard abs(rows[pivot][k]) > 1e-9 else { return nil }
      rows.swapAt(k, pivot)
      order.swapAt(k, pivot)
      for i in (k + 1)..<max(n, k + 1) {
        let factor = rows[i][k] / rows[k][k]
        rows[i][k] = factor
        for j in (k + 1)..<n { rows[i][j] -= factor * rows[k][j] }
      }
    }
  }

  func solve(_ right: [Double]) -> [Double] {
    let n = right.count
    var x = order.map { right[$0] * scales[$0] }
    for i in 0..<n {
      for j in 0..<i { x[i] -= rows[i][j] * x[j] }
    }
    for i in (0..<n).reversed() {
      for j in (i + 1)..<max(n, i + 1) { x[i] -= rows[i][j] * x[j] }
      x[i] /= rows[i][i]
    }
    return x
  }
}

/// The part of a core's surface that holds a contact's point: a corner, an edge, a flat or a curved side, with the tangents
/// along its parameters, in world axes.
///
/// Ellipsoid: tangents are differences along two directions u of the unit sphere, `y = S s`. Cylinder: the angle and the
/// height on its side, the angle on a rim, both coordinates on an end. Box and mesh: the edges that are level along the
/// normal.
private struct SurfacePatch {
  private enum Kind { case flat, ellipsoid, side, rim }

  private let kind: Kind
  private let pose: GeomPose<Double>
  private let size: Vector3<Double>
  private let core: ConvexShape.Core
  /// From the geom's origin to the point.
  private var arm: Vector3<Double>
  private(set) var tangents: [Vector3<Double>] = []
  /// Coordinates of the point over the half sizes, where these are fixed.
  private var signs = Vector3<Double>.zero
  /// The point of the unit sphere, or the direction across the axis.
  private var direction = Vector3<Double>.zero
  private var sphereTangents: [Vector3<Double>] = []

  init(_ shape: ConvexShape, at point: Vector3<Double>, outward: Vector3<Double>) {
    (pose, size, core) = (shape.pose, shape.size, shape.core)
    arm = point - pose.position
    let local = pose.rotation.transposedTimes(arm)
    let normal = pose.rotation.transposedTimes(outward)
    // The normal is known to about 3e-6.
    let level = 1e-4
    switch shape.core {
    case .point: kind = .flat
    case .ellipsoid:
      kind = .ellipsoid
      direction = Vector3(local.x / size.x, local.y / size.y, local.z / size.z)
    case .cylinder:
      let radial = Vector3(local.x, local.y, 0)
      let isLevel = abs(normal.z) < level
      let isEnd = abs(normal.z) > 1 - 0.5 * level * level
      signs.z = local.z > 0 ? 1 : -1
      if isEnd {
        kind = .flat
        tangents = [pose.rotation.column0, pose.rotation.column1]
      } else {
        direction = radial
        kind = isLevel ? .side : .rim
        if isLevel { signs.z = 0 }
      }
    case .segment:
      kind = .flat
      if abs(normal.z) < level {
        tangents = [pose.axis]
      } else {
        signs.z = local.z > 0 ? 1 : -1
      }
    case .box:
      kind = .flat
      let axes = [pose.rotation.column0, pose.rotation.column1, pose.rotation.column2]
      for k in 0..<3 {
        if abs(normal[k]) < level { tangents.append(axes[k]) } else { signs[k] = normal[k] > 0 ? 1 : -1 }
      }
    case .mesh:
      kind = .flat
      tangents = Self.levelEdges(shape, normal, level).map { shape.pose.rotation * $0 }
    }
    if kind != .flat { update(height: local.z) }
  }

  var point: Vector3<Double> { pose.position + arm }

  /// Point and tangents of a curved side.
  private mutating func update(height: Double) {
    direction = direction.normalized(orXBelow: 1e-15)
    if kind == .ellipsoid {
      let frame = ContactPoint<Double>(distance: 0, position: .zero, normal: direction).frame
      sphereTangents = [frame.column1, frame.column2]
      tangents = sphereTangents.map { pose.rotation * size.scaled(by: $0) }
      arm = pose.rotation * size.scaled(by: direction)
    } else {
      tangents = [pose.rotation * Vector3(-direction.y, direction.x, 0) * size.x]
      if kind == .side { tangents.append(pose.axis) }
      let z = kind == .side ? height : signs.z * size.y
      arm = pose.rotation * Vector3(direction.x * size.x, direction.y * size.x, z)
    }
  }

  /// Changes the parameters.
  mutating func move(_ steps: [Double]) {
    switch kind {
    case .flat: for (tangent, step) in zip(tangents, steps) { arm += tangent * step }
    case .ellipsoid:
      direction += sphereTangents[0] * steps[0] + sphereTangents[1] * steps[1]
      update(height: 0)
    case .side, .rim:
      let height = pose.axis.dot(arm) + (kind == .side ? steps[1] : 0)
      direction += Vector3(-direction.y, direction.x, 0) * steps[0]
      update(height: height)
    }
  }

  /// Forgets the last straight directions.
  mutating func hold(_ count: Int) {
    switch kind {
    case .flat: tangents.removeLast(min(count, tangents.count))
    case .side: tangents.removeLast(tangents.count - 1)
    case .ellipsoid, .rim: break
    }
  }

  /// One or two directions of the mesh's edge or face that is extreme along a normal.
  private static func levelEdges(
    _ shape: ConvexShape, _ normal: Vector3<Double>, _ level: Double
  ) -> [Vector3<Double>] {
    shape.mesh!._withUnsafeGuaranteedRef { mesh in
      let top = mesh.vertices[mesh.supportIndex(normal, near: 0)]
      let highest = normal.dot(top)
      var edges: [Vector3<Double>] = []
      for k in 0..<mesh.vertices.count {
        let edge = mesh.vertices[k] - top
        let length = edge.norm
        guard length > 0, highest - normal.dot(mesh.vertices[k]) < level * length else { continue }
        let unit = edge / length
        if edges.isEmpty {
          edges.append(unit)
        } else if edges.count == 1, unit.cross(edges[0]).norm > 1e-3 {
          edges.append(unit)
        }
      }
      return edges
    }
  }

  /// The derivative of tangent i along parameter j.
  func curvature(_ i: Int, _ j: Int) -> Vector3<Double> {
    switch kind {
    case .flat: .zero
    case .ellipsoid: i == j ? -(pose.rotation * size.scaled(by: direction)) : .zero
    case .side, .rim: i == 0 && j == 0 ? -(pose.rotation * direction * size.x) : .zero
    }
  }

  /// Adds the point's cotangent, and those of the conditions `n·tᵢ` with multipliers λ: `t̄ᵢ = -λᵢ n`.
  func add(
    _ bar: Vector3<Double>, _ normal: Vector3<Double>, _ multipliers: [Double],
    to geom: inout GeomCotangent<Double>
  ) {
    geom.add(bar, toPointAt: arm)
    let local = pose.rotation.transposedTimes(bar)
    let localNormal = pose.rotation.transposedTimes(normal)
    for (tangent, multiplier) in zip(tangents, multipliers) {
      geom.add(normal * -multiplier, toDirection: tangent)
    }
    switch kind {
    case .ellipsoid:
      geom.size += local.scaled(by: direction)
      for (tangent, multiplier) in zip(sphereTangents, multipliers) {
        geom.size -= localNormal.scaled(by: tangent) * multiplier
      }
    case .side, .rim:
      let tangent = Vector3(-direction.y, direction.x, 0)
      geom.size.x += direction.dot(local) - multipliers[0] * tangent.dot(localNormal)
      geom.size.y += signs.z * local.z
    case .flat:
      switch core {
      case .cylinder, .segment: geom.size.y += signs.z * local.z
      case .box: geom.size += local.scaled(by: signs)
      case .point, .ellipsoid, .mesh: break
      }
    }
  }
}
