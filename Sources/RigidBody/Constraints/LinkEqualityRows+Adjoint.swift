import Kinematics
import Lanes

// The part of connects and welds in ∂/∂θ [u·f(y, θ)] (ConstraintRows+Adjoint.swift), with the violations e of the rows,
// Q = (w, s) the quaternion of a weld's error and ω the relative angular velocity in its second frame
// (LinkEqualityRows.swift).
//
// A row along x has the multiplier m: f along λ, −g along a, −B g along v. The three rows of the points are J x = ν₁ − ν₂, so
// that m is a force at p₁ on the first link and its opposite at p₂ on the second; moving a point changes its velocity, which
// gives p̄₁ = m x ω₁, p̄₂ = −m x ω₂. Those of the rotation are ½ k (w ω + ω × s), k the torque scale, so that
//   ω̄ = ½ k (w m + s × m),   w̄ = ½ k m·ω,   s̄ = ½ k m × ω.
// A small relative turn φ (second frame) changes ẇ = −½ φ·s, ṡ = ½ (w φ + φ × s), hence φ̄ = ½ (w s̄ + s × s̄ − w̄ s); and
// the second frame, in which ω is seen, turns with the second link, which adds the torque ω̄ × ω. The violations enter y by
// K imp(|e|) e, and the weight by imp(|e|):
//   ēᵢ = −gᵢ K imp + eᵢ/|e| imp' (Σ uⱼ fⱼ / (imp (1 − imp)) − K Σ gⱼ eⱼ).
//
// Velocity products. y contains also J̇ v, the acceleration at q̈ = 0, with the multiplier −g. That is a sweep through inverse
// dynamics (InverseDynamics+Adjoint.swift) at q̈ = λ = 0 without gravity, of the function L = g·J̇ v, which sees of each link
// the acceleration a by A = ∂L/∂a, and the velocity by U = ∂L/∂v + v x* A:
// - a point's acceleration ω × (ν + ω × r) + α × r + a_linear with the force g: A is the force at the point, U the couple
//   2 ν_p × g. The force does not turn with the link: N = (acceleration) × g.
// - the rotation's ½ k (w α + α × s − ½ s |ω|²) (this is Q̈'s vector part; α = α₁ − α₂ − ω₂ × ω₁ in the second frame) has
//   A₁ = C, U₁ = (ω₁ + ω₂) × C + D and the opposite at the second link, with C = ½ k (w g + s × g) and D = −½ k (s·g) ω in
//   world axes; what turns the first link alone turns all but the error and the second frame, N₁ = ω₁ × (ω₂ × C + D) +
//   α₁ × C + φ̄, with w̄ = ½ k g·α and s̄ = ½ k (g × α − ½ |ω|² g); and N₂ = −N₁, as nothing depends on the whole's turn.

/// An equality's frames, and the points that it joins.
private struct LinkEqualityFrames<L: Lane> {
  let link1: Int
  let link2: Int
  /// From the reference points of the links' trees.
  let arm1: Vector3<L>
  let arm2: Vector3<L>
  let frame2: Matrix3<L>
  let error: Quaternion<L>
  let halfScale: L

  @inline(__always)
  init(
    _ equality: UnsafePointer<KernelLinkEquality<L.Scalar>>, _ tree: KinematicTree<L.Scalar>,
    _ poses: UnsafePointer<Pose<L>>
  ) {
    (link1, link2) = (Int(equality.pointee.link1), Int(equality.pointee.link2))
    let (pose1, pose2) = (poses + link1, poses + link2)
    let root1 = poses[Int(tree.links.pointer(link1).pointee.root)].position
    let root2 = poses[Int(tree.links.pointer(link2).pointee.root)].position
    arm1 =
      pose1.pointee.rotation.multiplyAdd(
        Vector3(broadcasting: equality.pointee.anchor1), pose1.pointee.position) - root1
    arm2 =
      pose2.pointee.rotation.multiplyAdd(
        Vector3(broadcasting: equality.pointee.anchor2), pose2.pointee.position) - root2
    let frame1 = pose1.pointee.rotation * Matrix3(broadcasting: equality.pointee.frame1)
    frame2 = pose2.pointee.rotation * Matrix3(broadcasting: equality.pointee.frame2)
    error = equality.pointee.isWeld ? relativeQuaternion(frame2.transposed * frame1) : .identity
    halfScale = L(broadcasting: equality.pointee.torqueScale) * 0.5
  }

  /// ω̄ of a multiplier m.
  @inline(__always) func byRotation(_ m: Vector3<L>) -> Vector3<L> {
    error.vector.cross(m, adding: m * error.w) * halfScale
  }

  /// φ̄, in world axes.
  @inline(__always) func byTurn(w: L, vector: Vector3<L>) -> Vector3<L> {
    let own = error.vector.cross(vector, adding: vector * error.w) - error.vector * w
    return frame2 * (own * L(0.5))
  }
}

/// Adds what connects and welds give to the links; `memory.rates` and `memory.multipliers` are set.
@inline(__always)
func linkEqualitiesAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ record: borrowing StepRecord<L>, _ parameters: UnsafeMutablePointer<L>?
) where L.Scalar: LaneScalar {
  let plan = engine.assembler.plan
  var index = 0
  while index < plan.linkEqualities.count {
    linkEqualityAdjoint(
      engine, plan.linkEqualities.pointer(index),
      LinkEqualityFrames(plan.linkEqualities.pointer(index), plan.tree, record.poses),
      parameters.map { $0 + engine.parameterLayout.sparseRow(Int(plan.linkEqualities[index].row)) })
    index &+= 1
  }
}

@inline(__always)
private func linkEqualityAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ equality: UnsafePointer<KernelLinkEquality<L.Scalar>>,
  _ frames: LinkEqualityFrames<L>, _ parameters: UnsafeMutablePointer<L>?
) where L.Scalar: LaneScalar {
  let memory = engine.adjointMemory
  let isWeld = equality.pointee.isWeld
  let first = Int(equality.pointee.row)
  let rows = memory.multipliers + first
  let detail = engine.assembler.sparseDetail + first
  let damping = L(broadcasting: equality.pointee.translation.damping)
  let stiffness = L(broadcasting: equality.pointee.translation.stiffness)
  let (rates1, rates2) = (memory.rates[frames.link1], memory.rates[frames.link2])
  let target1 = memory.touch(frames.link1)
  let target2 = memory.touch(frames.link2)

  // Violations.
  let violation = vector(detail, 0)
  let turned = isWeld ? vector(detail, 3) : .zero
  let (u, f, g) = multipliers(rows)
  let (uTurn, fTurn, gTurn) = isWeld ? multipliers(rows + 3) : (.zero, .zero, .zero)
  let along = u.dot(f, adding: uTurn.dot(fTurn))
  let norm = violation.dot(violation, adding: turned.normSquared).squareRoot
  let inverse = 1.0 / L(1.0).replacing(with: norm, where: L(0.0) .< norm)
  let value = detail.pointee.impedance
  let pull = stiffness * g.dot(violation, adding: gTurn.dot(turned))
  let byNorm =
    (along / (value * (1.0 - value)) - pull) * (detail.pointee.impedanceSlope * inverse)
  let spring = stiffness * value
  let byViolation = violation * byNorm - g * spring

  // Points.
  var (byPoint1, byPoint2) = (byViolation, -byViolation)
  @inline(__always) func addPoints(
    _ m: Vector3<L>, _ rate1: Motion<L>, _ rate2: Motion<L>, _ sum1: inout Force<L>, _ sum2: inout Force<L>
  ) {
    sum1 += wrench(force: m, torque: .zero, at: frames.arm1)
    sum2 += wrench(force: -m, torque: .zero, at: frames.arm2)
    byPoint1 += m.cross(rate1.angular)
    byPoint2 -= m.cross(rate2.angular)
  }
  addPoints(f, rates1.dual, rates2.dual, &target1.pointee.byDual, &target2.pointee.byDual)
  addPoints(
    -g, rates1.acceleration, rates2.acceleration, &target1.pointee.byAcceleration,
    &target2.pointee.byAcceleration)
  addPoints(
    g * -damping, rates1.velocity, rates2.velocity, &target1.pointee.byVelocity, &target2.pointee.byVelocity)
  target1.pointee.byPose += wrench(force: byPoint1, torque: .zero, at: frames.arm1)
  target2.pointee.byPose += wrench(force: byPoint2, torque: .zero, at: frames.arm2)
  if let parameters {
    // K and imp multiply all violations alike, so that these and the multipliers enter as one product.
    let velocity1 = rates1.velocity.angular.cross(frames.arm1, adding: rates1.velocity.linear)
    let velocity2 = rates2.velocity.angular.cross(frames.arm2, adding: rates2.velocity.linear)
    var gVelocity = g.dot(velocity1 - velocity2)
    var gViolation = g.dot(violation)
    if isWeld {
      let relative = rates1.velocity.angular - rates2.velocity.angular
      gVelocity += (frames.frame2 * frames.byRotation(gTurn)).dot(relative)
      gViolation += gTurn.dot(turned)
    }
    let curve = equality.pointer(to: \.translation.impedance)!
    parameters[0] -= gViolation * value
    parameters[1] -= gVelocity
    let byImpedance = along / (value * (1.0 - value)) - stiffness * gViolation
    let slopes = impedanceSlopes(curve, at: norm, slope: detail.pointee.impedanceSlope)
    parameters[2] += byImpedance * slopes.0
    parameters[3] += byImpedance * slopes.1
    parameters[4] += byImpedance * slopes.2
    parameters[5] += byImpedance * slopes.3
    parameters[6] += byImpedance * slopes.4
  }
  guard isWeld else { return }

  // Frames.
  let scale = frames.halfScale
  var byW = L(0.0)
  var byVector = (turned * byNorm - gTurn * spring) * (scale * 2.0)
  var bySecondFrame = Vector3<L>.zero
  @inline(__always) func addFrames(
    _ m: Vector3<L>, _ rate1: Motion<L>, _ rate2: Motion<L>, _ sum1: inout Force<L>, _ sum2: inout Force<L>
  ) {
    let relative = rate1.angular - rate2.angular
    let torque = frames.frame2 * frames.byRotation(m)
    sum1.angular += torque
    sum2.angular -= torque
    let omega = frames.frame2.transposedTimes(relative)
    byW = L.multiplyAdd(scale, m.dot(omega), byW)
    byVector += m.cross(omega) * scale
    bySecondFrame += torque.cross(relative)
  }
  addFrames(fTurn, rates1.dual, rates2.dual, &target1.pointee.byDual, &target2.pointee.byDual)
  addFrames(
    -gTurn, rates1.acceleration, rates2.acceleration, &target1.pointee.byAcceleration,
    &target2.pointee.byAcceleration)
  addFrames(
    gTurn * -damping, rates1.velocity, rates2.velocity, &target1.pointee.byVelocity,
    &target2.pointee.byVelocity)
  let turn = frames.byTurn(w: byW, vector: byVector)
  target1.pointee.byPose.angular += turn
  target2.pointee.byPose.angular += bySecondFrame - turn
}

/// Adds the cotangents of the velocity products of connects and welds, as above; `scratch.lambda` is lost.
@inline(__always)
func velocityProductsAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>,
  _ scratch: borrowing AdjointScratch<L>, _ cotangents: borrowing Cotangents<L>
) where L.Scalar: LaneScalar {
  let memory = engine.adjointMemory
  let tree = plan.tree
  copyValues(scratch.lambda, memory.rest, plan.velocityCount)
  let atRest = record.with(accelerations: memory.rest)
  outwardAdjointPass(plan, atRest, scratch, addsForces: true, gravity: .zero)
  clearLinkCotangents(tree, scratch)
  let equalities = engine.assembler.plan.linkEqualities
  var index = 0
  while index < equalities.count {
    let equality = equalities.pointer(index)
    velocityProductAdjoint(
      memory, scratch, equality, LinkEqualityFrames(equality, tree, record.poses))
    index &+= 1
  }
  inwardAdjointPass(
    plan, atRest, scratch, addsForces: true, positions: cotangents.positions,
    velocities: cotangents.velocities)
}

@inline(__always)
private func velocityProductAdjoint<L: Lane>(
  _ memory: ConstraintAdjointMemory<L>, _ scratch: borrowing AdjointScratch<L>,
  _ equality: UnsafePointer<KernelLinkEquality<L.Scalar>>, _ frames: LinkEqualityFrames<L>
) {
  let rows = memory.multipliers + Int(equality.pointee.row)
  let (one, two) = (scratch.motions[frames.link1], scratch.motions[frames.link2])
  let g = multipliers(rows).g
  @inline(__always) func addPoint(
    _ link: Int, _ motion: LinkMotion<L>, _ arm: Vector3<L>, _ force: Vector3<L>
  ) {
    let velocity = motion.velocity.angular.cross(arm, adding: motion.velocity.linear)
    let acceleration = motion.velocity.angular.cross(
      velocity, adding: motion.acceleration.angular.cross(arm, adding: motion.acceleration.linear))
    scratch.byAcceleration[link] += wrench(force: force, torque: .zero, at: arm)
    scratch.byCouple[link] += velocity.cross(force) * L(2.0)
    scratch.byTurning[link] += acceleration.cross(force)
  }
  addPoint(frames.link1, one, frames.arm1, g)
  addPoint(frames.link2, two, frames.arm2, -g)
  guard equality.pointee.isWeld else { return }

  let m = multipliers(rows + 3).g
  let (omega1, omega2) = (one.velocity.angular, two.velocity.angular)
  let (alpha1, alpha2) = (one.acceleration.angular, two.acceleration.angular)
  let relative = omega1 - omega2
  let alpha = frames.frame2.transposedTimes(alpha1 - alpha2 - omega2.cross(omega1))
  let scale = frames.halfScale
  let byAlpha = frames.frame2 * frames.byRotation(m)
  let byOmega = relative * -(scale * m.dot(frames.error.vector))
  let turn = frames.byTurn(
    w: scale * m.dot(alpha), vector: (m.cross(alpha) - m * (relative.normSquared * 0.5)) * scale)
  let couple = (omega1 + omega2).cross(byAlpha, adding: byOmega)
  let turned = omega1.cross(
    omega2.cross(byAlpha, adding: byOmega), adding: alpha1.cross(byAlpha, adding: turn))
  scratch.byAcceleration[frames.link1].angular += byAlpha
  scratch.byAcceleration[frames.link2].angular -= byAlpha
  scratch.byCouple[frames.link1] += couple
  scratch.byCouple[frames.link2] -= couple
  scratch.byTurning[frames.link1] += turned
  scratch.byTurning[frames.link2] -= turned
}

/// Three rows' violations.
@inline(__always)
private func vector<L: Lane>(_ detail: UnsafePointer<RowDetail<L>>, _ first: Int) -> Vector3<L> {
  Vector3(detail[first].position, detail[first &+ 1].position, detail[first &+ 2].position)
}

/// Three rows' multipliers.
@inline(__always)
private func multipliers<L: Lane>(
  _ rows: UnsafePointer<RowMultipliers<L>>
) -> (u: Vector3<L>, f: Vector3<L>, g: Vector3<L>) {
  (
    Vector3(rows[0].u, rows[1].u, rows[2].u), Vector3(rows[0].force, rows[1].force, rows[2].force),
    Vector3(rows[0].g, rows[1].g, rows[2].g)
  )
}
