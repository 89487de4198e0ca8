import Kinematics
import Lanes

// Connects and welds. A connect asks two points to coincide: e = p₁ − p₂. A weld adds three rows for the rotation between
// two frames: with the quaternion Q = (w, u) of R₂ᵀ R₁, e = s u, where s is the torque scale. With ω the relative angular
// velocity in the second frame, Q̇ = ½ (0, ω) Q, so
//   ė = ½ s (w ω + ω × u),   ë = ½ s (w ω̇ + ω̇ × u + ẇ ω + ω × u̇),   ẇ = −½ ω·u,   u̇ = ½ (w ω + ω × u).
// These rows alone count J̇ v, the acceleration that the points and frames have without joint accelerations.

/// Fills the rows of all connects and welds.
@inline(__always)
func assembleLinkEqualities<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ memory: ConstraintMemory<L>, _ state: ConstraintState<L>
) where L.Scalar: LaneScalar {
  guard plan.linkEqualities.count > 0 else { return }
  propagateVelocities(plan, memory, state)
  var index = 0
  while index < plan.linkEqualities.count {
    assembleLinkEquality(plan, plan.linkEqualities.pointer(index), memory, state)
    index = index &+ 1
  }
}

/// Spatial velocities of links about their trees' reference points, and what their derivatives are without joint
/// accelerations.
@inline(__always)
private func propagateVelocities<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ memory: ConstraintMemory<L>, _ state: ConstraintState<L>
) where L.Scalar: LaneScalar {
  let tree = plan.tree
  memory.velocities[0] = .zero
  memory.biases[0] = .zero
  var k = 0
  while k < plan.velocityLinks.count {
    let l = Int(plan.velocityLinks[k])
    let link = tree.links.pointer(l)
    var velocity = memory.velocities[Int(link.pointee.parent)]
    var bias = memory.biases[Int(link.pointee.parent)]
    var j = Int(link.pointee.jointStart)
    while j < Int(link.pointee.jointEnd) {
      let joint = tree.joints.pointer(j)
      let d = state.directions + Int(joint.pointee.direction)
      let v = state.velocities + Int(joint.pointee.velocityAddress)
      var own: Motion<L>
      switch joint.pointee.kind {
      case .free:
        // Translations first: rotations are about the moved point.
        velocity = Motion(angular: .zero, linear: Vector3(v[0], v[1], v[2]))
        own = d[5].multiplyAdd(v[5], d[4].multiplyAdd(v[4], d[3] * v[3]))
      case .ball: own = d[2].multiplyAdd(v[2], d[1].multiplyAdd(v[1], d[0] * v[0]))
      case .slide, .hingeX, .hingeY, .hingeZ, .hinge: own = d[0] * v[0]
      }
      bias += velocity.cross(own)
      velocity += own
      j = j &+ 1
    }
    memory.velocities[l] = velocity
    memory.biases[l] = bias
    k = k &+ 1
  }
}

/// Position, velocity and bias acceleration of a point of a link.
private struct PointMotion<L: Lane> {
  var position: Vector3<L>
  /// From the reference point of the link's tree.
  var arm: Vector3<L>
  var angularVelocity: Vector3<L>
  var angularBias: Vector3<L>
  var bias: Vector3<L>

  @inline(__always)
  init(
    _ plan: ConstraintPlan<L.Scalar>, _ memory: ConstraintMemory<L>, _ state: ConstraintState<L>, _ link: Int,
    _ point: Vector3<L>
  ) where L.Scalar: LaneScalar {
    let pose = state.poses + link
    position = pose.pointee.rotation.multiplyAdd(point, pose.pointee.position)
    arm = position - state.poses[Int(plan.tree.links.pointer(link).pointee.root)].position
    let velocity = memory.velocities[link]
    let acceleration = memory.biases[link]
    angularVelocity = velocity.angular
    angularBias = acceleration.angular
    let pointVelocity = velocity.angular.cross(arm, adding: velocity.linear)
    bias = velocity.angular.cross(
      pointVelocity, adding: acceleration.angular.cross(arm, adding: acceleration.linear))
  }
}

@inline(__always)
private func assembleLinkEquality<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ equality: UnsafePointer<KernelLinkEquality<L.Scalar>>,
  _ memory: ConstraintMemory<L>, _ state: ConstraintState<L>
) where L.Scalar: LaneScalar {
  let (link1, link2) = (Int(equality.pointee.link1), Int(equality.pointee.link2))
  let one = PointMotion(plan, memory, state, link1, Vector3(broadcasting: equality.pointee.anchor1))
  let two = PointMotion(plan, memory, state, link2, Vector3(broadcasting: equality.pointee.anchor2))
  let isWeld = equality.pointee.isWeld
  let rows = Int(equality.pointee.row)
  let rowCount = isWeld ? 6 : 3
  let scale = L(broadcasting: equality.pointee.torqueScale) * 0.5
  let frame1 = state.poses[link1].rotation * Matrix3(broadcasting: equality.pointee.frame1)
  let frame2 = state.poses[link2].rotation * Matrix3(broadcasting: equality.pointee.frame2)
  let error =
    isWeld ? relativeQuaternion(frame2.transposed * frame1) : Quaternion<L>.identity

  // Jacobians.
  var r = 0
  while r < rowCount {
    let row = plan.pattern.sparseRows.pointer(rows &+ r)
    var k = 0
    while k < Int(row.pointee.count) {
      memory.system.sparseJacobian[Int(row.pointee.start) &+ k] = L(0.0)
      k = k &+ 1
    }
    r = r &+ 1
  }
  let first = plan.pattern.sparseRows.pointer(rows)
  let count = Int(first.pointee.count)
  let jacobian = memory.system.sparseJacobian + Int(first.pointee.start)
  var k = Int(equality.pointee.directionStart)
  while k < Int(equality.pointee.directionEnd) {
    let entry = plan.linkDirections.pointer(k)
    let direction = state.directions[Int(entry.pointee.direction)]
    var linear = Vector3<L>.zero
    var angular = Vector3<L>.zero
    if entry.pointee.movesFirst {
      linear = direction.angular.cross(one.arm, adding: direction.linear)
      angular = direction.angular
    }
    if entry.pointee.movesSecond {
      linear -= direction.angular.cross(two.arm, adding: direction.linear)
      angular -= direction.angular
    }
    let column = jacobian + Int(entry.pointee.column)
    column[0] += linear.x
    column[count] += linear.y
    column[2 &* count] += linear.z
    if isWeld && entry.pointee.movesFirst != entry.pointee.movesSecond {
      let rate = errorRate(error, frame2.transposedTimes(angular)) * scale
      column[3 &* count] += rate.x
      column[4 &* count] += rate.y
      column[5 &* count] += rate.z
    }
    k = k &+ 1
  }

  // Violations and bias accelerations.
  let translation = one.position - two.position
  let rotation = error.vector * (scale * 2.0)
  let bias = one.bias - two.bias
  var rotationBias = Vector3<L>.zero
  if isWeld {
    let relative = one.angularVelocity - two.angularVelocity
    let omega = frame2.transposedTimes(relative)
    let alpha = frame2.transposedTimes(
      one.angularBias - two.angularBias - two.angularVelocity.cross(relative))
    let w = omega.dot(error.vector) * L(-0.5)
    let u = errorRate(error, omega) * L(0.5)
    rotationBias = (errorRate(error, alpha) + omega.cross(u, adding: omega * w)) * scale
  }
  var square = translation.normSquared
  if isWeld { square += rotation.normSquared }
  setLinkRows(
    plan, equality, memory, state, violation: (translation, rotation), norm: square.squareRoot,
    bias: (bias, rotationBias))
}

/// `w ω + ω × u`: twice the rate of the vector part of a quaternion (w, u).
@inline(__always)
private func errorRate<L: Lane>(_ error: Quaternion<L>, _ omega: Vector3<L>) -> Vector3<L> {
  omega.cross(error.vector, adding: omega * error.w)
}

/// References and weights; the impedance is that of the norm of all violations.
@inline(__always)
private func setLinkRows<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ equality: UnsafePointer<KernelLinkEquality<L.Scalar>>,
  _ memory: ConstraintMemory<L>, _ state: ConstraintState<L>, violation: (Vector3<L>, Vector3<L>), norm: L,
  bias: (Vector3<L>, Vector3<L>)
) where L.Scalar: LaneScalar {
  let parameters = equality.pointer(to: \.translation)!
  let found = impedance(parameters.pointer(to: \.impedance)!, at: norm)
  let translationWeight = rowWeight(found, diagonal: L(broadcasting: parameters.pointee.diagonal))
  let rotationWeight = rowWeight(found, diagonal: L(broadcasting: equality.pointee.rotationDiagonal))
  let rows = Int(equality.pointee.row)
  let rowCount = equality.pointee.isWeld ? 6 : 3
  let support = plan.pattern.support.pointer(Int(plan.pattern.sparseRows[rows].start))
  var r = 0
  while r < rowCount {
    let row = plan.pattern.sparseRows.pointer(rows &+ r)
    let jacobian = memory.system.sparseJacobian + Int(row.pointee.start)
    var velocity = L(0.0)
    var k = 0
    while k < Int(row.pointee.count) {
      velocity = L.multiplyAdd(jacobian[k], state.velocities[Int(support[k])], velocity)
      k = k &+ 1
    }
    let position = r < 3 ? component(violation.0, r) : component(violation.1, r &- 3)
    let ownBias = r < 3 ? component(bias.0, r) : component(bias.1, r &- 3)
    let spring = L.multiply(found.value * position, scalar: parameters.pointee.stiffness)
    memory.system.sparseReference[rows &+ r] =
      -(L.multiplyAdd(velocity, scalar: parameters.pointee.damping, spring) + ownBias)
    memory.system.sparseWeight[rows &+ r] = r < 3 ? translationWeight : rotationWeight
    memory.sparseDetail.base[rows &+ r] = RowDetail(
      position: position, impedance: found.value, impedanceSlope: found.slope)
    r = r &+ 1
  }
}

@inline(__always)
private func component<L: Lane>(_ v: Vector3<L>, _ i: Int) -> L { i == 0 ? v.x : i == 1 ? v.y : v.z }

/// The quaternion of a rotation matrix, from the largest of its components; its scalar part is not negative where that is
/// the largest.
@inline(__always)
func relativeQuaternion<L: Lane>(_ m: Matrix3<L>) -> Quaternion<L> {
  let (xx, yy, zz) = (m.column0.x, m.column1.y, m.column2.z)
  let (wx, wy, wz) = (m.column1.z - m.column2.y, m.column2.x - m.column0.z, m.column0.y - m.column1.x)
  let (xy, xz, yz) = (m.column1.x + m.column0.y, m.column2.x + m.column0.z, m.column2.y + m.column1.z)
  // Four times the squares.
  let w4 = 1.0 + (xx + yy + zz)
  let x4 = 1.0 + (xx - yy - zz)
  let y4 = 1.0 + (yy - xx - zz)
  let z4 = 1.0 + (zz - xx - yy)
  // Four times the largest component times each.
  var result = Quaternion(w4, wx, wy, wz)
  var largest = w4
  func take(_ square: L, _ candidate: Quaternion<L>) {
    let isLarger = largest .< square
    largest = largest.replacing(with: square, where: isLarger)
    result = Quaternion(
      result.w.replacing(with: candidate.w, where: isLarger),
      result.x.replacing(with: candidate.x, where: isLarger),
      result.y.replacing(with: candidate.y, where: isLarger),
      result.z.replacing(with: candidate.z, where: isLarger))
  }
  take(x4, Quaternion(wx, x4, xy, xz))
  take(y4, Quaternion(wy, xy, y4, yz))
  take(z4, Quaternion(wz, xz, yz, z4))
  let scale = 0.5 / largest.squareRoot
  return Quaternion(result.w * scale, result.x * scale, result.y * scale, result.z * scale)
}
