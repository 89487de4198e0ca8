import RobotModels

/// Between changes of `qpos` and tangent coordinates, row by row.
///
/// For a rotation `q` and a small turn `δ` in the joint's own frame: `q̇ = ½ q ⊗ (0, δ)`, and back `δ = 2 vec(q* ⊗
/// q̇) / |q|²`, which drops the part of `q̇` along `q` (simulations normalise). Cotangents go through the transposes
/// of these.
struct PositionCoordinates: Sendable {
  let positionCount: Int
  let velocityCount: Int
  /// Numbers that are translations or scalar angles, and quaternions: addresses in `qpos` and in the tangent.
  private let scalars: [(position: Int, tangent: Int)]
  private let rotations: [(position: Int, tangent: Int)]

  init(_ model: Model) {
    positionCount = model.positionCount
    velocityCount = model.velocityCount
    var scalars: [(Int, Int)] = []
    var rotations: [(Int, Int)] = []
    for joint in model.joints where joint.mimic == nil {
      let (at, dof) = (joint.positionAddress, joint.velocityAddress)
      switch joint.type {
      case .free:
        for k in 0..<3 { scalars.append((at + k, dof + k)) }
        rotations.append((at + 3, dof + 3))
      case .ball: rotations.append((at, dof))
      case .slide, .hinge: scalars.append((at, dof))
      }
    }
    self.scalars = scalars
    self.rotations = rotations
  }

  /// The tangent that belongs to a change of positions.
  func tangents<T: BinaryFloatingPoint>(_ changes: [T], at positions: [T]) -> [T] {
    toTangents(changes, positions) { 2 / $0 }
  }
  /// The change of positions that belongs to a tangent.
  func changes<T: BinaryFloatingPoint>(_ tangents: [T], at positions: [T]) -> [T] {
    toPositions(tangents, positions) { _ in 0.5 }
  }
  /// The cotangent of tangents that belongs to one of changes: the transpose of ``changes(_:at:)``.
  func tangentCotangents<T: BinaryFloatingPoint>(_ cotangents: [T], at positions: [T]) -> [T] {
    toTangents(cotangents, positions) { _ in 0.5 }
  }
  /// The cotangent of positions that belongs to one of tangents: the transpose of ``tangents(_:at:)``.
  func positionCotangents<T: BinaryFloatingPoint>(_ cotangents: [T], at positions: [T]) -> [T] {
    toPositions(cotangents, positions) { 2 / $0 }
  }

  /// How ``tangentCotangents(_:at:)`` changes when cotangents and positions do: `½ vec(q* ⊗ ċ + q̇* ⊗ c)`.
  func tangentCotangentRates(
    _ cotangents: [Double], _ rates: [Double], at positions: [Double], along changes: [Double]
  ) -> [Double] {
    var result = tangentCotangents(rates, at: positions)
    forEachRotation(rows: positions.count / max(positionCount, 1)) { at, dof in
      let turn = Rotation(changes, at).conjugate * Rotation(cotangents, at)
      result[dof] += 0.5 * turn.x
      result[dof + 1] += 0.5 * turn.y
      result[dof + 2] += 0.5 * turn.z
    }
    return result
  }
  /// How ``positionCotangents(_:at:)`` changes when cotangents and positions do:
  /// `2 (q ⊗ (0, ġ) + q̇ ⊗ (0, g)) / |q|² − 4 q ⊗ (0, g) (q · q̇) / |q|⁴`.
  func positionCotangentRates(
    _ cotangents: [Double], _ rates: [Double], at positions: [Double], along changes: [Double]
  ) -> [Double] {
    var result = positionCotangents(rates, at: positions)
    forEachRotation(rows: positions.count / max(positionCount, 1)) { at, dof in
      let (q, change) = (Rotation(positions, at), Rotation(changes, at))
      guard q.normSquared > 1e-30 else { return }
      let g = Rotation(w: 0, x: cotangents[dof], y: cotangents[dof + 1], z: cotangents[dof + 2])
      let (moved, still) = (change * g, q * g)
      let scale = 2 / q.normSquared
      let stretch = q.w * change.w + q.x * change.x + q.y * change.y + q.z * change.z
      let shrink = scale * scale * stretch
      result[at] += scale * moved.w - shrink * still.w
      result[at + 1] += scale * moved.x - shrink * still.x
      result[at + 2] += scale * moved.y - shrink * still.y
      result[at + 3] += scale * moved.z - shrink * still.z
    }
    return result
  }
  private func forEachRotation(rows: Int, _ body: (_ position: Int, _ tangent: Int) -> Void) {
    for row in 0..<rows {
      for rotation in rotations {
        body(row * positionCount + rotation.position, row * velocityCount + rotation.tangent)
      }
    }
  }

  /// `scale(|q|²) vec(q* ⊗ x)`
  private func toTangents<T: BinaryFloatingPoint>(
    _ values: [T], _ positions: [T], _ scale: (T) -> T
  ) -> [T] {
    let rows = positions.count / max(positionCount, 1)
    var result = [T](repeating: 0, count: rows * velocityCount)
    for row in 0..<rows {
      let (p, v) = (row * positionCount, row * velocityCount)
      for scalar in scalars { result[v + scalar.tangent] = values[p + scalar.position] }
      for rotation in rotations {
        let at = p + rotation.position
        let q = Rotation(positions, at)
        guard q.normSquared > 1e-30 else { continue }
        let s = scale(q.normSquared)
        let turn = q.conjugate * Rotation(values, at)
        let dof = v + rotation.tangent
        result[dof] = s * turn.x
        result[dof + 1] = s * turn.y
        result[dof + 2] = s * turn.z
      }
    }
    return result
  }
  /// `scale(|q|²) q ⊗ (0, v)`
  private func toPositions<T: BinaryFloatingPoint>(
    _ tangents: [T], _ positions: [T], _ scale: (T) -> T
  ) -> [T] {
    let rows = positions.count / max(positionCount, 1)
    var result = [T](repeating: 0, count: positions.count)
    for row in 0..<rows {
      let (p, v) = (row * positionCount, row * velocityCount)
      for scalar in scalars { result[p + scalar.position] = tangents[v + scalar.tangent] }
      for rotation in rotations {
        let at = p + rotation.position
        let q = Rotation(positions, at)
        guard q.normSquared > 1e-30 else { continue }
        let s = scale(q.normSquared)
        let dof = v + rotation.tangent
        let change = q * Rotation(w: 0, x: tangents[dof], y: tangents[dof + 1], z: tangents[dof + 2])
        result[at] = s * change.w
        result[at + 1] = s * change.x
        result[at + 2] = s * change.y
        result[at + 3] = s * change.z
      }
    }
    return result
  }
}

/// A quaternion.
private struct Rotation<T: BinaryFloatingPoint> {
  var w, x, y, z: T

  init(w: T, x: T, y: T, z: T) { (self.w, self.x, self.y, self.z) = (w, x, y, z) }
  /// The quaternion at a place of an array.
  init(_ values: [T], _ at: Int) {
    self.init(w: values[at], x: values[at + 1], y: values[at + 2], z: values[at + 3])
  }
  var normSquared: T { w * w + x * x + y * y + z * z }
  var conjugate: Self { Self(w: w, x: -x, y: -y, z: -z) }

  static func * (a: Self, b: Self) -> Self {
    let w = a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z
    let x = a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y
    let y = a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x
    let z = a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w
    return Self(w: w, x: x, y: y, z: z)
  }
}
