import Kinematics
import Lanes

// The term ∂/∂θ [u·f(y, θ)] of the adjoint, with u = J λ (ConstrainedDynamics+Adjoint.swift).
//
// With g = W u,  ∂(u·f) = f·∂(J λ) − g·∂y + u·∂f/∂D ∂D,  and  y = J a − aref,  aref = −B J v − K imp(r) r  with r the distance
// to the margin. So a row's Jacobian has the multipliers f along λ, −g along a and −B g along v, and r has
//   r̄ = −g K (imp + imp' r) + (u·f) imp' / (imp (1 − imp)),
// because all forces of a row or contact that are not at a bound are proportional to D ∝ imp / (1 − imp). (A friction row at
// its bound does not depend on D; its distance is constant.)

/// Adds the cotangents of the rows' positions, velocities and Jacobians.
@inline(__always)
func rowsAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ pass: SolverPass<L>, _ plan: DynamicsPlan<L.Scalar>,
  _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>, _ inputs: StepInputs<L>,
  lambda: UnsafePointer<L>, _ cotangents: borrowing Cotangents<L>
) where L.Scalar: LaneScalar {
  let memory = pass.memory
  let hasSpatialTendons = engine.assembler.plan.hasSpatialTendons
  if hasSpatialTendons { clearTransmissionCotangents(plan, scratch) }
  pass.multiply(
    lambda, subtractingReferences: false, rowOutput: memory.rowChange, slotOutput: memory.slotChange)
  var r = 0
  while r < pass.rows.count {
    let source = Int(memory.rowSource[r])
    let u = memory.rowChange[r]
    let curvature = memory.rowCurvature[r]
    let multipliers = RowMultipliers(u: u, force: memory.rowForce[r], g: curvature * u)
    if source < pass.unitCount {
      unitAdjoint(engine, record, source, multipliers, curvature: curvature, cotangents)
    } else {
      sparseAdjoint(
        engine, record, scratch, source &- pass.unitCount, multipliers, curvature: curvature, lambda: lambda,
        cotangents)
    }
    r = r &+ 1
  }
  if hasSpatialTendons { transmissionAdjointPass(plan, record, scratch, inputs, cotangents) }
  if pass.rows.slotCount > 0 || engine.assembler.plan.linkEqualities.count > 0 {
    linkRowsAdjoint(engine, pass, plan, record, inputs, lambda: lambda, cotangents)
  }
}

/// What a row's derivatives are multiplied by.
struct RowMultipliers<L: Lane> {
  var u: L
  var force: L
  var g: L

  /// The cotangent of the distance; not of friction rows, whose distance is constant.
  @inline(__always)
  func byDistance(stiffness: L, offset: L, impedance: L, slope: L) -> L {
    let spring = stiffness * L.multiplyAdd(slope, offset, impedance)
    let rise = slope / (impedance * (1.0 - impedance))
    return L.multiplyAdd(u * force, rise, -(g * spring))
  }
}

@inline(__always)
private func unitAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ record: borrowing StepRecord<L>, _ index: Int, _ m: RowMultipliers<L>,
  curvature: L, _ cotangents: borrowing Cotangents<L>
) where L.Scalar: LaneScalar {
  let row = engine.assembler.plan.unitRows.pointer(index)
  let dof = Int(row.pointee.degreeOfFreedom)
  let detail = engine.assembler.unitDetail + index
  // The Jacobian is the sign.
  let sign = L(broadcasting: row.pointee.sign)
  let moved = L.multiply(m.g, scalar: row.pointee.parameters.damping)
  cotangents.velocities[dof] = L.multiplyAdd(-moved, sign, cotangents.velocities[dof])
  let own = cotangents.parameters.map { $0.constraints + engine.parameterLayout.unitRow(index) }
  guard row.pointee.isLimit else {
    if let own {
      frictionRowAdjoint(
        own, row.pointer(to: \.parameters.impedance)!, m, curvature: curvature,
        velocity: record.velocities[dof], impedance: detail.pointee.impedance)
    }
    return
  }
  let stiffness = L(broadcasting: row.pointee.parameters.stiffness)
  let offset = detail.pointee.position - L(broadcasting: row.pointee.parameters.margin)
  let byDistance = m.byDistance(
    stiffness: stiffness, offset: offset, impedance: detail.pointee.impedance,
    slope: detail.pointee.impedanceSlope)
  if let own {
    rowParametersAdjoint(
      own, row.pointer(to: \.parameters.impedance)!, along: m.u * m.force, g: m.g,
      velocity: record.velocities[dof] * sign, stiffness: stiffness, offset: (offset, byDistance),
      impedance: detail.pointee.impedance, slope: detail.pointee.impedanceSlope)
  }
  cotangents.positions[dof] = L.multiplyAdd(byDistance, sign, cotangents.positions[dof])
}

/// Rows on linear forms of positions and of ball joints.
@inline(__always)
private func sparseAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  _ index: Int, _ m: RowMultipliers<L>, curvature: L, lambda: UnsafePointer<L>,
  _ cotangents: borrowing Cotangents<L>
) where L.Scalar: LaneScalar {
  let plan = engine.assembler.plan
  let pattern = plan.pattern.sparseRows.pointer(index)
  let start = Int(pattern.pointee.start)
  let count = Int(pattern.pointee.count)
  let support = plan.pattern.support.pointer(start)
  let jacobian = engine.assembler.system.sparseJacobian + start
  let detail = engine.assembler.sparseDetail + index
  let place = engine.sparsePlaces[index]
  if place.kind != .link, let parameters = cotangents.parameters {
    sparseParametersAdjoint(
      engine, record, index, place, m, curvature: curvature,
      parameters.constraints + engine.parameterLayout.sparseRow(index))
  }
  switch place.kind {
  case .form:
    let row = plan.formRows.pointer(place.index)
    let parameters = row.pointee.parameters
    let damping = L(broadcasting: parameters.damping)
    let byDistance =
      row.pointee.kind == .friction
      ? L(0.0)
      : m.byDistance(
        stiffness: L(broadcasting: parameters.stiffness),
        offset: detail.pointee.position - L(broadcasting: parameters.margin),
        impedance: detail.pointee.impedance, slope: detail.pointee.impedanceSlope)
    var byJacobian = L(0.0)
    let hasSecond = row.pointee.secondEnd > row.pointee.secondStart
    if hasSecond {
      // J of the second form is minus the polynomial's slope times its coefficients.
      var t = Int(row.pointee.secondStart)
      while t < Int(row.pointee.secondEnd) {
        let term = plan.terms.pointer(t)
        let dof = Int(support[Int(term.pointee.column)])
        let moved: L = record.constrainedAccelerations[dof] + damping * record.velocities[dof]
        let entry: L = m.force * lambda[dof] - m.g * moved
        byJacobian -= entry * L(broadcasting: term.pointee.coefficient)
        t = t &+ 1
      }
      byJacobian *= formCurvature(plan, row, record.positions)
    }
    let isSpatial = row.pointee.tendon >= 0
    if isSpatial {
      let transmissions = engine.dynamics.transmissions
      let transmission = transmissions.ofTendon[Int(row.pointee.tendon)]
      let first = Int(transmissions.transmissions.pointer(transmission).pointee.termStart)
      scratch.lengthCotangents[transmission] += L.multiply(byDistance, scalar: row.pointee.sign)
      var k = 0
      while k < count {
        let dof = Int(support[k])
        let moved: L = record.constrainedAccelerations[dof] + damping * record.velocities[dof]
        let entry: L = m.force * lambda[dof] - m.g * moved
        scratch.momentCotangents[first &+ k] += L.multiply(entry, scalar: row.pointee.sign)
        k = k &+ 1
      }
    }
    var k = 0
    while k < count {
      let dof = Int(support[k])
      if !isSpatial {
        cotangents.positions[dof] = L.multiplyAdd(byDistance, jacobian[k], cotangents.positions[dof])
      }
      cotangents.velocities[dof] = L.multiplyAdd(
        -(damping * m.g), jacobian[k], cotangents.velocities[dof])
      k = k &+ 1
    }
    if hasSecond {
      var t = Int(row.pointee.secondStart)
      while t < Int(row.pointee.secondEnd) {
        let term = plan.terms.pointer(t)
        let dof = Int(support[Int(term.pointee.column)])
        cotangents.positions[dof] += L.multiply(byJacobian, scalar: term.pointee.coefficient)
        t = t &+ 1
      }
    }
  case .ballLimit:
    let limit = plan.ballLimits.pointer(place.index)
    let parameters = limit.pointee.parameters
    let dof = Int(support[0])
    let damping = L(broadcasting: parameters.damping)
    let axis = -vector(jacobian)
    let byDistance = m.byDistance(
      stiffness: L(broadcasting: parameters.stiffness),
      offset: detail.pointee.position - L(broadcasting: parameters.margin),
      impedance: detail.pointee.impedance, slope: detail.pointee.impedanceSlope)
    let alongDual: Vector3<L> = vector(lambda + dof) * m.force
    let alongAcceleration: Vector3<L> = vector(record.constrainedAccelerations + dof) * m.g
    let alongVelocity: Vector3<L> = vector(record.velocities + dof) * (damping * m.g)
    // J = −n. A small turn δ in the turned frame changes the angle by n·δ and the axis by
    // ½ cot(φ/2) (δ − n (n·δ)) + ½ n × δ.
    let half: L = (L(broadcasting: limit.pointee.bound) - detail.pointee.position) * 0.5
    let byAxis: Vector3<L> = alongAcceleration + alongVelocity - alongDual
    let across: Vector3<L> = byAxis - axis * axis.dot(byAxis)
    let sine: L = half.sine
    let isTurned = L(1e-12) .< sine
    let cotangent: L = half.cosine / L(1.0).replacing(with: sine, where: isTurned)
    let twist: Vector3<L> = across.multiplyAdd(cotangent, byAxis.cross(axis))
    let turned: Vector3<L> = twist * L(0.5) - axis * byDistance
    addVector(turned, L(1.0), to: cotangents.positions + dof)
    addVector(axis, damping * m.g, to: cotangents.velocities + dof)
  case .link: engine.adjointMemory.multipliers[index] = m
  }
}

/// The parameters of a row on a linear form or a ball joint.
@inline(__always)
private func sparseParametersAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ record: borrowing StepRecord<L>, _ index: Int, _ place: SparsePlace,
  _ m: RowMultipliers<L>, curvature: L, _ target: UnsafeMutablePointer<L>
) where L.Scalar: LaneScalar {
  let plan = engine.assembler.plan
  let pattern = plan.pattern.sparseRows.pointer(index)
  let start = Int(pattern.pointee.start)
  let detail = engine.assembler.sparseDetail[index]
  var velocity = L(0.0)
  var k = start
  while k < start &+ Int(pattern.pointee.count) {
    velocity = L.multiplyAdd(
      engine.assembler.system.sparseJacobian[k], record.velocities[Int(plan.pattern.support[k])], velocity)
    k = k &+ 1
  }
  let parameters = plan.sparseParameters.pointer(index)
  let curve = parameters.pointer(to: \.impedance)!
  if place.kind == .form, plan.formRows.pointer(place.index).pointee.kind == .friction {
    frictionRowAdjoint(
      target, curve, m, curvature: curvature, velocity: velocity, impedance: detail.impedance)
    return
  }
  let stiffness = L(broadcasting: parameters.pointee.stiffness)
  let offset = detail.position - L(broadcasting: parameters.pointee.margin)
  let byDistance = m.byDistance(
    stiffness: stiffness, offset: offset, impedance: detail.impedance, slope: detail.impedanceSlope)
  rowParametersAdjoint(
    target, curve, along: m.u * m.force, g: m.g, velocity: velocity, stiffness: stiffness,
    offset: (offset, byDistance), impedance: detail.impedance, slope: detail.impedanceSlope)
}

/// The second derivative of an equality's polynomial.
@inline(__always)
private func formCurvature<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ row: UnsafePointer<KernelFormRow<L.Scalar>>,
  _ positions: UnsafePointer<L>
) -> L where L.Scalar: LaneScalar {
  var x = L(broadcasting: row.pointee.secondConstant)
  var t = Int(row.pointee.secondStart)
  while t < Int(row.pointee.secondEnd) {
    let term = plan.terms.pointer(t)
    x = L.multiplyAdd(positions[Int(term.pointee.positionAddress)], scalar: term.pointee.coefficient, x)
    t = t &+ 1
  }
  let (_, c2, c3, c4) = row.pointee.polynomial
  return L.multiplyAdd(
    L.multiplyAdd(L(broadcasting: 12 * c4), x, L(broadcasting: 6 * c3)), x, L(broadcasting: 2 * c2))
}
