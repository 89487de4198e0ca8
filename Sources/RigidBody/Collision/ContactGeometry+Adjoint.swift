import Kinematics
import Lanes

// The derivative of contact geometry: the narrow phase evaluated again with its discrete choices as they are, on numbers that
// carry derivatives. Six lanes move the second geom in the six directions of a rigid motion: turns about the axes of the world
// through its origin, and translations. Moving both geoms moves the contact with them, so that the first geom's cotangent
// follows from the second's.

/// The cotangent of a small motion of the second geom, as a torque about the world's origin and a force.
///
/// - Parameters:
///   - kind: an analytic kind (``PairKind/isAnalytic``).
///   - number: which of the pair's contacts it is.
///   - distance: the cotangent of the distance; `position` and `frame` likewise.
/// - Complexity: that of the pair, on eight lanes with derivatives.
func secondGeomCotangent(
  _ kind: PairKind, number: Int, _ pose1: GeomPose<Double>, _ size1: Vector3<Double>,
  _ pose2: GeomPose<Double>, _ size2: Vector3<Double>, cutoff: Double, distance: Double,
  position: Vector3<Double>, frame: Matrix3<Double>
) -> Force<Double> {
  typealias L = Dual<SIMD8<Double>>
  func constant(_ v: Vector3<Double>) -> Vector3<L> { Vector3(L(v.x), L(v.y), L(v.z)) }
  func constant(_ m: Matrix3<Double>) -> Matrix3<L> {
    Matrix3(columns: constant(m.column0), constant(m.column1), constant(m.column2))
  }
  /// A vector whose derivative in lane k is the k-th column.
  func moving(_ v: Vector3<Double>, _ columns: [Vector3<Double>]) -> Vector3<L> {
    var result = constant(v)
    for (lane, column) in columns.enumerated() {
      result.x.tangent[lane] = column.x
      result.y.tangent[lane] = column.y
      result.z.tangent[lane] = column.z
    }
    return result
  }
  let axes = [Vector3<Double>(1, 0, 0), Vector3<Double>(0, 1, 0), Vector3<Double>(0, 0, 1)]
  let still = [Vector3<Double>](repeating: .zero, count: 3)
  func turning(_ v: Vector3<Double>) -> Vector3<L> { moving(v, axes.map { $0.cross(v) } + still) }
  let moved = GeomPose<L>(
    position: moving(pose2.position, still + axes),
    rotation: Matrix3(
      columns: turning(pose2.rotation.column0), turning(pose2.rotation.column1),
      turning(pose2.rotation.column2)))
  let fixed = GeomPose<L>(position: constant(pose1.position), rotation: constant(pose1.rotation))
  return withUnsafeTemporaryAllocation(of: ContactPoint<L>.self, capacity: PairKind.largestPointCount) {
    points in
    points.initialize(repeating: ContactPoint(distance: L(0.0), position: .zero, normal: .zero))
    _ = collide(
      kind, fixed, constant(size1), moved, constant(size2), cutoff: L(cutoff), into: points.baseAddress!)
    let (d, p, c) = contactDerivatives(points.baseAddress! + number)
    func sum(_ v: Vector3<L>, _ w: Vector3<Double>, _ lane: Int) -> Double {
      v.x.tangent[lane] * w.x + v.y.tangent[lane] * w.y + v.z.tangent[lane] * w.z
    }
    var parts = [Double](repeating: 0, count: 6)
    for lane in 0..<6 {
      parts[lane] =
        d.tangent[lane] * distance + sum(p, position, lane) + sum(c.column0, frame.column0, lane)
        + sum(c.column1, frame.column1, lane) + sum(c.column2, frame.column2, lane)
    }
    let force = Vector3(parts[3], parts[4], parts[5])
    let torque = Vector3(parts[0], parts[1], parts[2])
    return Force(angular: torque + pose2.position.cross(force), linear: force)
  }
}

@specialized(where L == Dual<SIMD8<Double>>)
private func contactDerivatives<L: Lane>(
  _ point: UnsafePointer<ContactPoint<L>>
) -> (distance: L, position: Vector3<L>, frame: Matrix3<L>) {
  (point.pointee.distance, point.pointee.position, point.pointee.frame)
}
