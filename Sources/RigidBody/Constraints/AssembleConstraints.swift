import Kinematics
import Lanes

/// Fills an assembler's system; see ``ConstraintAssembler/assemble(poses:directions:positions:velocities:)``.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func assembleConstraints<L: Lane>(_ assembler: ConstraintAssembler<L>, _ state: ConstraintState<L>)
where L.Scalar: LaneScalar {
  let plan = assembler.plan
  var memory = assembler.memory
  memory.nearestSwitch = L(1.0)
  assembleUnitRows(plan, &memory, state)
  assembleFormRows(plan, memory, state)
  assembleBallLimits(plan, memory, state)
  assembleLinkEqualities(plan, memory, state)
  if plan.contacts.candidates.count > 0 {
    collectContacts(plan, assembler.broadPhase, assembler.detector, &memory, state)
    assembleContactRows(plan, &memory, state)
    memory.finishSystem()
  }
  assembler.memory = memory
}

/// Friction loss and limits of single degrees of freedom.
@inline(__always)
private func assembleUnitRows<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ memory: inout ConstraintMemory<L>, _ state: ConstraintState<L>
) where L.Scalar: LaneScalar {
  let system = memory.system
  let detail = memory.unitDetail.base
  var nearest = L(1.0)
  var r = 0
  while r < plan.unitRows.count {
    let row = plan.unitRows.pointer(r)
    let velocity = state.velocities[Int(row.pointee.degreeOfFreedom)]
    if !row.pointee.isLimit {
      system.unitReference[r] = -L.multiply(velocity, scalar: row.pointee.parameters.damping)
    } else {
      let value = state.positions[Int(row.pointee.positionAddress)] - L(broadcasting: row.pointee.bound)
      let position = L.multiply(value, scalar: row.pointee.sign)
      let margin = L(broadcasting: row.pointee.parameters.margin)
      let isActive = position .< margin
      nearest = L.minimum(
        nearest, L.multiply((position - margin).magnitude, scalar: 1 / (1 + row.pointee.bound.magnitude)))
      if isActive.anyTrue {
        setRow(
          UnsafeRowParameters(row.pointer(to: \.parameters)!), position,
          velocity: L.multiply(velocity, scalar: row.pointee.sign), isActive, system.unitReference + r,
          system.unitWeight + r, detail + r)
      } else {
        system.unitReference[r] = L(0.0)
        system.unitWeight[r] = L(0.0)
      }
    }
    r = r &+ 1
  }
  memory.nearestSwitch = L.minimum(memory.nearestSwitch, nearest)
}

/// A pointer to a row's constants.
typealias UnsafeRowParameters<Scalar: BinaryFloatingPoint & Sendable> = UnsafePointer<
  KernelRowParameters<Scalar>
>

/// Reference, weight and detail of a row with one position.
///
/// - Parameter velocity: J v.
@inline(__always)
func setRow<L: Lane>(
  _ parameters: UnsafeRowParameters<L.Scalar>, _ position: L, velocity: L, _ isActive: L.Mask,
  _ reference: UnsafeMutablePointer<L>, _ weight: UnsafeMutablePointer<L>,
  _ detail: UnsafeMutablePointer<RowDetail<L>>
) {
  let distance = position - L(broadcasting: parameters.pointee.margin)
  let found = impedance(parameters.pointer(to: \.impedance)!, at: distance)
  let zero = L(0.0)
  let spring = L.multiply(found.value * distance, scalar: parameters.pointee.stiffness)
  let value = -L.multiplyAdd(velocity, scalar: parameters.pointee.damping, spring)
  reference.pointee = zero.replacing(with: value, where: isActive)
  let own = rowWeight(found, diagonal: L(broadcasting: parameters.pointee.diagonal))
  weight.pointee = zero.replacing(with: own, where: isActive)
  detail.pointee = RowDetail(position: position, impedance: found.value, impedanceSlope: found.slope)
}

/// Equalities of joints and fixed tendons, friction loss and limits of tendons, and limits of mimic joints.
@inline(__always)
private func assembleFormRows<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ memory: ConstraintMemory<L>, _ state: ConstraintState<L>
) where L.Scalar: LaneScalar {
  let system = memory.system
  var index = 0
  while index < plan.formRows.count {
    let row = plan.formRows.pointer(index)
    let r = Int(row.pointee.row)
    let sparse = plan.pattern.sparseRows.pointer(r)
    let jacobian = system.sparseJacobian + Int(sparse.pointee.start)
    let support = plan.pattern.support.pointer(Int(sparse.pointee.start))
    let count = Int(sparse.pointee.count)
    var position = formValue(
      plan, Int(row.pointee.firstStart), Int(row.pointee.firstEnd), row.pointee.firstConstant, state)
    if row.pointee.tendon >= 0 {
      guard let tendons = state.tendons else { preconditionFailure("spatial tendons have no lengths") }
      let transmission = tendons.transmissions.ofTendon[Int(row.pointee.tendon)]
      let first = Int(tendons.transmissions.transmissions.pointer(transmission).pointee.termStart)
      position = L.multiplyAdd(tendons.lengths[transmission], scalar: row.pointee.sign, position)
      var k = 0
      while k < count {
        jacobian[k] = L.multiply(tendons.moments[first &+ k], scalar: row.pointee.sign)
        k = k &+ 1
      }
    }
    var isActive = L.Mask(repeating: true)
    if row.pointee.kind == .limit {
      isActive = position .< L(broadcasting: row.pointee.parameters.margin)
    } else if row.pointee.secondStart < row.pointee.secondEnd {
      let x = formValue(
        plan, Int(row.pointee.secondStart), Int(row.pointee.secondEnd), row.pointee.secondConstant, state)
      let slope = subtractPolynomial(row, x, from: &position)
      setFormJacobian(plan, row, slope, jacobian, count: count)
    }
    if isActive.anyTrue {
      var velocity = L(0.0)
      var k = 0
      while k < count {
        velocity = L.multiplyAdd(jacobian[k], state.velocities[Int(support[k])], velocity)
        k = k &+ 1
      }
      if row.pointee.kind == .friction {
        system.sparseReference[r] = -L.multiply(velocity, scalar: row.pointee.parameters.damping)
      } else {
        setRow(
          row.pointer(to: \.parameters)!, position, velocity: velocity, isActive, system.sparseReference + r,
          system.sparseWeight + r, memory.sparseDetail.base + r)
      }
    } else {
      system.sparseReference[r] = L(0.0)
      system.sparseWeight[r] = L(0.0)
    }
    index = index &+ 1
  }
}

@inline(__always)
private func formValue<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ start: Int, _ end: Int, _ constant: L.Scalar,
  _ state: ConstraintState<L>
) -> L where L.Scalar: LaneScalar {
  var sum = L(broadcasting: constant)
  var k = start
  while k < end {
    let term = plan.terms.pointer(k)
    sum = L.multiplyAdd(
      state.positions[Int(term.pointee.positionAddress)], scalar: term.pointee.coefficient, sum)
    k = k &+ 1
  }
  return sum
}

/// - Returns: The polynomial's derivative.
@inline(__always)
private func subtractPolynomial<L: Lane>(
  _ row: UnsafePointer<KernelFormRow<L.Scalar>>, _ x: L, from position: inout L
) -> L {
  let c1 = L(broadcasting: row.pointee.polynomial.0)
  let c2 = L(broadcasting: row.pointee.polynomial.1)
  let c3 = L(broadcasting: row.pointee.polynomial.2)
  let c4 = L(broadcasting: row.pointee.polynomial.3)
  let upper = L.multiplyAdd(L.multiplyAdd(c4, x, c3), x, c2)
  let lower = L.multiplyAdd(upper, x, c1)
  position -= lower * x
  let curvature = L.multiplyAdd(c4 * 4.0, x, c3 * 3.0)
  return L.multiplyAdd(L.multiplyAdd(curvature, x, c2 * 2.0), x, c1)
}

/// Derivatives of `first − polynomial(second)`.
@inline(__always)
private func setFormJacobian<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ row: UnsafePointer<KernelFormRow<L.Scalar>>, _ slope: L,
  _ jacobian: UnsafeMutablePointer<L>, count: Int
) where L.Scalar: LaneScalar {
  var k = 0
  while k < count {
    jacobian[k] = L(0.0)
    k = k &+ 1
  }
  k = Int(row.pointee.firstStart)
  while k < Int(row.pointee.firstEnd) {
    let term = plan.terms.pointer(k)
    jacobian[Int(term.pointee.column)] += L(broadcasting: term.pointee.coefficient)
    k = k &+ 1
  }
  k = Int(row.pointee.secondStart)
  while k < Int(row.pointee.secondEnd) {
    let term = plan.terms.pointer(k)
    jacobian[Int(term.pointee.column)] -= L.multiply(slope, scalar: term.pointee.coefficient)
    k = k &+ 1
  }
}

/// Limits of the angle by which a ball joint is turned: the Jacobian is minus the axis.
@inline(__always)
private func assembleBallLimits<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ memory: ConstraintMemory<L>, _ state: ConstraintState<L>
) where L.Scalar: LaneScalar {
  let system = memory.system
  var index = 0
  while index < plan.ballLimits.count {
    let limit = plan.ballLimits.pointer(index)
    let r = Int(limit.pointee.row)
    let q = state.positions + Int(limit.pointee.positionAddress)
    let turn = Quaternion(q[0], q[1], q[2], q[3]).normalized
    let sine = turn.vector.norm
    // Of half the angle; the way that is not longer than half a turn.
    let angle = L.arcTangent(y: sine, x: turn.w.magnitude) * 2.0
    let position = L(broadcasting: limit.pointee.bound) - angle
    let isActive = position .< L(broadcasting: limit.pointee.parameters.margin)
    if isActive.anyTrue {
      let axis = turn.vector.normalized(orXBelow: smallestDivisor)
      let minusAxis = (-axis).replacing(with: axis, where: turn.w .< L(0.0))
      let sparse = plan.pattern.sparseRows.pointer(r)
      let jacobian = system.sparseJacobian + Int(sparse.pointee.start)
      jacobian[0] = minusAxis.x
      jacobian[1] = minusAxis.y
      jacobian[2] = minusAxis.z
      let v = state.velocities + Int(plan.pattern.support[Int(sparse.pointee.start)])
      setRow(
        limit.pointer(to: \.parameters)!, position, velocity: minusAxis.dot(Vector3(v[0], v[1], v[2])),
        isActive, system.sparseReference + r, system.sparseWeight + r, memory.sparseDetail.base + r)
    } else {
      system.sparseReference[r] = L(0.0)
      system.sparseWeight[r] = L(0.0)
    }
    index = index &+ 1
  }
}
