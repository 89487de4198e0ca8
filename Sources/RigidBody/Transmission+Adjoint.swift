import Kinematics
import Lanes

/// `xᵀ P y` with the matrix P of ``addMomentProduct(_:_:_:_:to:)`` at unit scale.
@inline(never)
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
func momentForm<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ index: Int, _ x: UnsafePointer<L>,
  _ y: UnsafePointer<L>
) -> L {
  let moments = record.moments
  var sum = L(0.0)
  plan.forEachMomentPair(index) { row, column, _ in
    sum = L.multiplyAdd(moments[row] * moments[column], symmetricPair(plan, row, column, x, y), sum)
  }
  return sum
}

/// `xᵢ yⱼ + xⱼ yᵢ`, or `xᵢ yᵢ`.
@inline(__always)
private func symmetricPair<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ row: Int, _ column: Int, _ x: UnsafePointer<L>, _ y: UnsafePointer<L>
) -> L {
  let i = Int(plan.transmissions.terms.pointer(row).pointee.degreeOfFreedom)
  let j = Int(plan.transmissions.terms.pointer(column).pointee.degreeOfFreedom)
  return row == column ? x[i] * y[i] : L.multiplyAdd(x[i], y[j], x[j] * y[i])
}

/// Adds `scale` times the derivative of ``momentForm(_:_:_:_:_:)`` by the moment arms to their cotangents.
@inline(never)
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
func momentFormAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ index: Int, _ x: UnsafePointer<L>,
  _ y: UnsafePointer<L>, _ scale: L, _ momentCotangents: UnsafeMutablePointer<L>
) {
  let moments = record.moments
  plan.forEachMomentPair(index) { row, column, _ in
    let factor = scale * symmetricPair(plan, row, column, x, y)
    momentCotangents[row] = L.multiplyAdd(factor, moments[column], momentCotangents[row])
    momentCotangents[column] = L.multiplyAdd(factor, moments[row], momentCotangents[column])
  }
}

/// Adds `scale * x` at the transmission's degrees of freedom to the cotangents of its moment arms: the adjoint of
/// ``alongTransmission(_:_:_:_:)`` by the arms.
@inline(never)
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
func addMomentCotangents<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ index: Int, _ x: UnsafePointer<L>, _ scale: L,
  _ momentCotangents: UnsafeMutablePointer<L>
) {
  plan.forEachMoment(index) { arm, dof in
    momentCotangents[arm] = L.multiplyAdd(x[dof], scale, momentCotangents[arm])
  }
}

/// Forgets the cotangents of lengths and moment arms.
@inline(__always)
func clearTransmissionCotangents<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ scratch: borrowing AdjointScratch<L>
) {
  var i = 0
  while i < plan.transmissions.count {
    scratch.lengthCotangents[i] = L(0.0)
    i += 1
  }
  i = 0
  while i < plan.transmissions.terms.count {
    scratch.momentCotangents[i] = L(0.0)
    i += 1
  }
}

/// Adjoint of ``transmissionPass(_:_:)``, for the cotangents of lengths and moment arms in `scratch`.
@inline(never)
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
func transmissionAdjointPass<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  _ inputs: StepInputs<L>, _ cotangents: borrowing Cotangents<L>
) {
  var i = 0
  while i < plan.transmissions.activeCount {
    let t = plan.transmissions.transmissions.pointer(i)
    if t.pointee.kind == .fixedTendon {
      var k = Int(t.pointee.termStart)
      while k < Int(t.pointee.termEnd) {
        let term = plan.transmissions.terms.pointer(k)
        let dof = Int(term.pointee.degreeOfFreedom)
        cotangents.positions[dof] = L.multiplyAdd(
          scratch.lengthCotangents[i], scalar: term.pointee.coefficient, cotangents.positions[dof])
        k += 1
      }
    } else if t.pointee.kind == .spatialTendon {
      segmentsAdjoint(plan, record, scratch, inputs, t, byLength: scratch.lengthCotangents[i], cotangents)
    } else {
      siteAdjoint(plan, record, scratch, inputs, t, byLength: scratch.lengthCotangents[i], cotangents)
    }
    i += 1
  }
}

// A site's moment arms at cotangents x. With the motions V = Σ S x over the directions that move the site alone and
// V' = Σ S x over those that move the reference site alone, both at the joint rates x,
//   ψ = W·V − W'·V',
// W and W' being the force f and torque n at the site and at the reference site. A small turn about S turns the directions
// after it, S' → S' + S x S', so that with V₊ the part of V from there on
//   site's side:       ∂ψ/∂q = W·(S x V₊) + (f moves with the site) = S·(V₊ x* W + wrench(f x ω at the site)),
//   reference's side:  f, n turn, the site stays:  S·(−V₊' x* W' + V' x* W' + (0, n x ω + f x u)),
// where ω and u are angular velocity and velocity of the site in V. (W' turns and moves with its link.) Without a reference
// site the wrench is carried by the site's own link: ∂ψ/∂q = S·(V₊ x* W − V x* W).
//
// The angle that length counts is between the axes S B and S' B' (see `siteRotation`): a small turn δ of the site's body turns
// S B by S δ, so the cotangent u of that becomes the torque Sᵀ u; and S'ᵀ u with the opposite sign on the reference's side. They
// differ, so that directions that move both count, too.
@inline(__always)
private func siteAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  _ inputs: StepInputs<L>, _ t: UnsafePointer<KernelTransmission<L.Scalar>>, byLength: L,
  _ cotangents: borrowing Cotangents<L>
) {
  let x = UnsafePointer(scratch.momentCotangents)
  let w = siteWrench(plan, record, t)
  let own = wrench(force: w.force, torque: w.torque, at: w.arm)
  let opposite = wrench(force: w.force, torque: w.torque, at: w.referenceArm)
  let (start, middle, end) = (
    Int(t.pointee.pathStart), Int(t.pointee.pathMiddle), Int(t.pointee.pathEnd)
  )
  let motion = pathMotion(plan, record, start, middle, x)
  let velocity = motion.angular.cross(w.arm, adding: motion.linear)
  guard t.pointee.kind == .siteInReference else {
    // What turns the whole tree changes no moment arm.
    _ = sitePathAdjoint(
      plan, record, start, middle, x, own, sign: L(1.0), constant: .zero - motion.cross(own), cotangents)
    if let parameters = cotangents.parameters {
      let gear = parameters.gear + 6 * Int(t.pointee.owner)
      addVector(w.axes.transposedTimes(velocity), L(1.0), to: gear)
      addVector(w.axes.transposedTimes(motion.angular), L(1.0), to: gear + 3)
    }
    return
  }
  let other = pathMotion(plan, record, middle, end, x)
  // The length: moving the site by a small motion, and the opposite for the reference site.
  let displacement = siteDisplacement(plan, record, t, w)
  var byTurn = Vector3<L>.zero
  var byReferenceTurn = Vector3<L>.zero
  var rotation = Vector3<L>.zero
  let hasParameters = cotangents.parameters != nil
  if hasParameters || t.pointee.hasTorque {
    let found = siteRotation(record, t)
    rotation = found.vector
    let byAxes =
      found.axes
      * inverseRightJacobianTransposed(
        rotation, times: Vector3(broadcasting: t.pointee.torque) * byLength)
    byTurn = Matrix3(broadcasting: t.pointee.turn).transposedTimes(byAxes)
    byReferenceTurn = Matrix3(broadcasting: t.pointee.referenceTurn).transposedTimes(byAxes)
    var k = end
    while k < Int(t.pointee.commonEnd) {
      let step = plan.transmissions.path.pointer(k)
      let dof = Int(step.pointee.degreeOfFreedom)
      let turning = record.directions[Int(step.pointee.direction)].angular
      cotangents.positions[dof] += turning.dot(byTurn - byReferenceTurn)
      k += 1
    }
  }
  let pull = w.force * byLength
  let byTree = sitePathAdjoint(
    plan, record, start, middle, x, own, sign: L(1.0),
    constant: wrench(
      force: w.force.cross(motion.angular) + pull, torque: byTurn, at: w.arm), cotangents)
  // The site as seen from the reference point of the other tree.
  let across = w.referenceArm + displacement
  let turning = Force(
    angular: w.torque.cross(motion.angular, adding: w.force.cross(velocity)), linear: .zero)
  let byReferenceTree = sitePathAdjoint(
    plan, record, middle, end, x, opposite, sign: L(-1.0),
    constant: other.cross(opposite) + turning - wrench(force: pull, torque: byReferenceTurn, at: across),
    cotangents)
  addMocapCotangent(plan, record, inputs, link: Int(t.pointee.link), byTree, cotangents)
  addMocapCotangent(plan, record, inputs, link: Int(t.pointee.referenceLink), byReferenceTree, cotangents)
  if let parameters = cotangents.parameters {
    let gear = parameters.gear + 6 * Int(t.pointee.owner)
    let otherVelocity = other.angular.cross(w.referenceArm, adding: other.linear)
    addVector(
      w.axes.transposedTimes(velocity - otherVelocity + displacement * byLength), L(1.0), to: gear)
    addVector(
      rotation.multiplyAdd(byLength, w.axes.transposedTimes(motion.angular - other.angular)), L(1.0),
      to: gear + 3)
  }
}

// A piece of a spatial tendon from point a to point b, of weight w: length w |n| and moment arms w u·(∂b − ∂a) with n = b − a
// and u = n / |n|, so that ψ = w u·ν with the relative velocity ν = b' − a' at the joint rates x. This depends on the
// directions and points as a site's does, with the force w u; and u on n: n̄ = w (ν − u (u·ν)) / |n|, a force on b and its
// opposite on a, to which the cotangent of length adds w ℓ̄ u. (What moves both points does not count in ν: it changes n by a
// turn, and the arms of what moves both are zero.)
@inline(__always)
private func segmentsAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  _ inputs: StepInputs<L>, _ t: UnsafePointer<KernelTransmission<L.Scalar>>, byLength: L,
  _ cotangents: borrowing Cotangents<L>
) {
  let x = UnsafePointer(scratch.momentCotangents)
  var s = Int(t.pointee.segmentStart)
  while s < Int(t.pointee.segmentEnd) {
    let segment = plan.transmissions.segments.pointer(s)
    let g = segmentGeometry(plan, record, segment)
    let (start, middle, end) = (
      Int(segment.pointee.pathStart), Int(segment.pointee.pathMiddle), Int(segment.pointee.pathEnd)
    )
    let weight = L(broadcasting: segment.pointee.weight)
    let second = pathMotion(plan, record, start, middle, x)
    let first = pathMotion(plan, record, middle, end, x)
    let relative =
      second.angular.cross(g.secondArm, adding: second.linear)
      - first.angular.cross(g.firstArm, adding: first.linear)
    let across = relative - g.direction * g.direction.dot(relative)
    let force = g.direction * weight
    let pull = (g.direction * byLength + across * g.curvature) * weight
    let bySecond = sitePathAdjoint(
      plan, record, start, middle, x, wrench(force: force, torque: .zero, at: g.secondArm), sign: L(1.0),
      constant: wrench(
        force: force.cross(second.angular) + pull, torque: .zero, at: g.secondArm), cotangents)
    let byFirst = sitePathAdjoint(
      plan, record, middle, end, x, wrench(force: -force, torque: .zero, at: g.firstArm), sign: L(1.0),
      constant: wrench(
        force: first.angular.cross(force) - pull, torque: .zero, at: g.firstArm), cotangents)
    addMocapCotangent(plan, record, inputs, link: Int(segment.pointee.second), bySecond, cotangents)
    addMocapCotangent(plan, record, inputs, link: Int(segment.pointee.first), byFirst, cotangents)
    s += 1
  }
}

/// `Σ S x` over a part of a path.
@inline(__always)
private func pathMotion<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ start: Int, _ end: Int,
  _ x: UnsafePointer<L>
) -> Motion<L> {
  var sum = Motion<L>.zero
  var k = start
  while k < end {
    let step = plan.transmissions.path.pointer(k)
    sum = record.directions[Int(step.pointee.direction)].multiplyAdd(x[Int(step.pointee.term)], sum)
    k += 1
  }
  return sum
}

/// Adds `S·(± V₊ x* W + constant)` to the cotangents of positions.
///
/// - Returns: What a motion of the whole tree is multiplied by.
@inline(__always)
private func sitePathAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ start: Int, _ end: Int,
  _ x: UnsafePointer<L>, _ w: Force<L>, sign: L, constant: Force<L>, _ cotangents: borrowing Cotangents<L>
) -> Force<L> {
  var after = Motion<L>.zero
  var groupEnd = end
  while groupEnd > start {
    // Directions that turn with one another.
    let groupStart = Int(plan.transmissions.path.pointer(groupEnd - 1).pointee.groupStart)
    var k = groupStart
    while k < groupEnd {
      let step = plan.transmissions.path.pointer(k)
      after = record.directions[Int(step.pointee.direction)].multiplyAdd(x[Int(step.pointee.term)], after)
      k += 1
    }
    let turned = after.cross(w) * sign + constant
    k = groupStart
    while k < groupEnd {
      let step = plan.transmissions.path.pointer(k)
      let dof = Int(step.pointee.degreeOfFreedom)
      cotangents.positions[dof] += record.directions[Int(step.pointee.direction)].dot(turned)
      k += 1
    }
    groupEnd = groupStart
  }
  return after.cross(w) * sign + constant
}
