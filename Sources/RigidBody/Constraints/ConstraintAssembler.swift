import Kinematics
import Lanes

/// Makes the rows of one lane group. One instance serves one thread; it allocates only where there are more contacts than
/// ever before.
final class ConstraintAssembler<L: Lane> where L.Scalar: LaneScalar {
  let plan: ConstraintPlan<L.Scalar>
  private var arena: Arena
  private var slotArena = Arena(byteCount: 64)
  private var slotCapacity = 0
  private(set) var system: ConstraintSystem<L>
  let contacts: ContactSlots<L>
  /// What references and weights came from, of unit and of sparse rows.
  let unitDetails: UnsafeMutablePointer<RowDetail<L>>
  let sparseDetails: UnsafeMutablePointer<RowDetail<L>>
  let collider: ContactCollider<L>

  init(_ plan: ConstraintPlan<L.Scalar>) {
    self.plan = plan
    let units = plan.pattern.unitRows.count
    let sparse = plan.pattern.sparseRows.count
    let support = plan.pattern.support.count
    var measure = ArenaMeasure()
    for _ in 0..<3 { measure.take(L.self, units) }
    for _ in 0..<3 { measure.take(L.self, sparse) }
    measure.take(L.self, support)
    measure.take(RowDetail<L>.self, units)
    measure.take(RowDetail<L>.self, sparse)
    arena = Arena(byteCount: measure.byteCount)
    let unitReference = arena.take(L.self, units)
    let unitWeight = arena.take(L.self, units)
    let unitFriction = arena.take(L.self, units)
    let sparseReference = arena.take(L.self, sparse)
    let sparseWeight = arena.take(L.self, sparse)
    let sparseFriction = arena.take(L.self, sparse)
    let sparseJacobian = arena.take(L.self, support)
    unitDetails = arena.take(RowDetail<L>.self, units)
    sparseDetails = arena.take(RowDetail<L>.self, sparse)
    system = ConstraintSystem(
      unitReference: unitReference, unitWeight: unitWeight, unitFriction: unitFriction,
      sparseReference: sparseReference, sparseWeight: sparseWeight, sparseFriction: sparseFriction,
      sparseJacobian: sparseJacobian, slotCount: 0, slots: dangling(), contactSupport: dangling(),
      contactJacobian: dangling(), contactReference: dangling(), contactWeight: dangling(),
      contactFriction: dangling())
    contacts = ContactSlots(dimensions: plan.dimensions)
    collider = ContactCollider(plan)
    reserve(slots: 1)
  }

  /// Makes room for contact slots.
  func reserve(slots: Int) {
    guard slots > slotCapacity else { return }
    let capacity = max(slots, 2 * slotCapacity, 8)
    let n = plan.pattern.velocityCount
    let stride = ConstraintSystem<L>.contactStride
    let rows = plan.dimensions.last ?? 1
    var measure = ArenaMeasure()
    measure.take(ContactSlot.self, capacity)
    measure.take(Int32.self, capacity * n)
    measure.take(L.self, capacity * n * rows)
    for _ in 0..<3 { measure.take(L.self, capacity * stride) }
    slotArena = Arena(byteCount: measure.byteCount)
    system.slots = slotArena.take(ContactSlot.self, capacity)
    system.contactSupport = slotArena.take(Int32.self, capacity * n)
    system.contactJacobian = slotArena.take(L.self, capacity * n * rows)
    system.contactReference = slotArena.take(L.self, capacity * stride)
    system.contactWeight = slotArena.take(L.self, capacity * stride)
    system.contactFriction = slotArena.take(L.self, capacity * stride)
    slotCapacity = capacity
  }

  func setSlotCount(_ count: Int) { system.slotCount = count }
}

/// Fills the assembler's system for a state whose poses and directions are known.
///
/// - Complexity: O(rows + candidates + contacts · degrees of freedom).
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func assembleConstraints<L: Lane>(
  _ assembler: ConstraintAssembler<L>, poses: UnsafePointer<Pose<L>>, directions: UnsafePointer<Motion<L>>,
  positions: UnsafePointer<L>, velocities: UnsafePointer<L>
) where L.Scalar: LaneScalar {
  let plan = assembler.plan
  assembleFriction(plan, assembler, velocities)
  assembleLimits(plan, assembler, positions, velocities)
  assembleLengths(plan, assembler, positions, velocities)
  if plan.contacts.count > 0 {
    findContacts(plan, assembler, poses)
    assembleContacts(plan, assembler, poses: poses, directions: directions, velocities: velocities)
  }
}

@inline(__always)
private func assembleFriction<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ assembler: ConstraintAssembler<L>, _ velocities: UnsafePointer<L>
) where L.Scalar: LaneScalar {
  let system = assembler.system
  var i = 0
  while i < plan.frictionLoss.count {
    let parameters = RowParameterLanes<L>(plan.unitParameters[i])
    let dof = Int(plan.pattern.unitRows.pointer(i).pointee.degreeOfFreedom)
    let detail = RowDetail(parameters, distance: L(0.0))
    assembler.unitDetails[i] = detail
    system.unitReference[i] = detail.reference(velocity: velocities[dof])
    system.unitWeight[i] = detail.weight(scale: parameters.weightScale)
    system.unitFriction[i] = L(broadcasting: plan.frictionLoss[i])
    i &+= 1
  }
}

@inline(__always)
private func assembleLimits<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ assembler: ConstraintAssembler<L>, _ positions: UnsafePointer<L>,
  _ velocities: UnsafePointer<L>
) where L.Scalar: LaneScalar {
  let system = assembler.system
  let zero = L(0.0)
  var i = 0
  while i < plan.limits.count {
    let limit = plan.limits.pointer(i)
    let row = Int(limit.pointee.row)
    let distance = L.multiplyAdd(
      positions[Int(limit.pointee.positionAddress)], scalar: limit.pointee.scale,
      L(broadcasting: limit.pointee.offset))
    let isActive = distance .< L(broadcasting: plan.unitParameters.pointer(row).pointee.margin)
    if isActive.anyTrue {
      let parameters = RowParameterLanes<L>(plan.unitParameters[row])
      let detail = RowDetail(parameters, distance: distance)
      assembler.unitDetails[row] = detail
      let velocity = L.multiply(
        velocities[Int(limit.pointee.degreeOfFreedom)], scalar: limit.pointee.scale)
      system.unitReference[row] = zero.replacing(
        with: detail.reference(velocity: velocity), where: isActive)
      system.unitWeight[row] = zero.replacing(
        with: detail.weight(scale: parameters.weightScale), where: isActive)
    } else {
      system.unitReference[row] = zero
      system.unitWeight[row] = zero
    }
    i &+= 1
  }
  i = 0
  while i < plan.ballLimits.count {
    let limit = plan.ballLimits.pointer(i)
    let at = positions + Int(limit.pointee.positionAddress)
    let turn = Quaternion(at[0], at[1], at[2], at[3]).normalized.rotationVector
    let angle = turn.norm
    let axis = turn.normalized(orXBelow: 1e-15)
    let v = vector(velocities + Int(limit.pointee.degreeOfFreedom))
    let jacobian =
      system.sparseJacobian + Int(plan.pattern.sparseRows[Int(limit.pointee.row)].start)
    jacobian[0] = -axis.x
    jacobian[1] = -axis.y
    jacobian[2] = -axis.z
    setSparseLimit(
      plan, assembler, Int(limit.pointee.row), distance: L(broadcasting: limit.pointee.angle) - angle,
      velocity: -axis.dot(v))
    i &+= 1
  }
}

@inline(__always)
private func setSparseLimit<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ assembler: ConstraintAssembler<L>, _ row: Int, distance: L, velocity: L
) where L.Scalar: LaneScalar {
  let parameters = RowParameterLanes<L>(plan.sparseParameters[row])
  let isActive = distance .< parameters.margin
  let detail = RowDetail(parameters, distance: distance)
  assembler.sparseDetails[row] = detail
  let zero = L(0.0)
  assembler.system.sparseReference[row] = zero.replacing(
    with: detail.reference(velocity: velocity), where: isActive)
  assembler.system.sparseWeight[row] = zero.replacing(
    with: detail.weight(scale: parameters.weightScale), where: isActive)
}

/// Rows of lengths: equalities, friction and limits of tendons, and of joints that are not unit rows.
@inline(__always)
private func assembleLengths<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ assembler: ConstraintAssembler<L>, _ positions: UnsafePointer<L>,
  _ velocities: UnsafePointer<L>
) where L.Scalar: LaneScalar {
  let system = assembler.system
  var i = 0
  while i < plan.lengthEqualities.count {
    let equality = plan.lengthEqualities.pointer(i)
    let row = Int(equality.pointee.row)
    let (distance, slope) = lengthEqualityDistance(plan, equality, positions)
    clearSparseRow(plan, system, row)
    var velocity = addSparseLength(plan, system, row, equality.pointee.first, L(1.0), velocities)
    if let second = equality.pointee.second {
      velocity += addSparseLength(plan, system, row, second, -slope, velocities)
    }
    let parameters = RowParameterLanes<L>(plan.sparseParameters[row])
    let detail = RowDetail(parameters, distance: distance)
    assembler.sparseDetails[row] = detail
    system.sparseReference[row] = detail.reference(velocity: velocity)
    system.sparseWeight[row] = detail.weight(scale: parameters.weightScale)
    i &+= 1
  }
  i = 0
  while i < plan.lengthFrictions.count {
    let friction = plan.lengthFrictions.pointer(i)
    let row = Int(friction.pointee.row)
    clearSparseRow(plan, system, row)
    let velocity = addSparseLength(plan, system, row, friction.pointee.length, L(1.0), velocities)
    let parameters = RowParameterLanes<L>(plan.sparseParameters[row])
    let detail = RowDetail(parameters, distance: L(0.0))
    assembler.sparseDetails[row] = detail
    system.sparseReference[row] = detail.reference(velocity: velocity)
    system.sparseWeight[row] = detail.weight(scale: parameters.weightScale)
    system.sparseFriction[row] = L(broadcasting: friction.pointee.limit)
    i &+= 1
  }
  i = 0
  while i < plan.lengthLimits.count {
    let limit = plan.lengthLimits.pointer(i)
    let row = Int(limit.pointee.row)
    let distance = L.multiplyAdd(
      length(plan, limit.pointee.length, positions), scalar: limit.pointee.scale,
      L(broadcasting: limit.pointee.offset))
    clearSparseRow(plan, system, row)
    let velocity = addSparseLength(
      plan, system, row, limit.pointee.length, L(broadcasting: limit.pointee.scale), velocities)
    setSparseLimit(plan, assembler, row, distance: distance, velocity: velocity)
    i &+= 1
  }
}

@inline(__always)
private func clearSparseRow<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ system: ConstraintSystem<L>, _ row: Int
) where L.Scalar: LaneScalar {
  let start = Int(plan.pattern.sparseRows[row].start)
  var k = 0
  while k < Int(plan.pattern.sparseRows[row].count) {
    system.sparseJacobian[start &+ k] = L(0.0)
    k &+= 1
  }
}

/// Adds a multiple of a length's derivative to a row.
///
/// - Returns: What it adds to the row's velocity.
@inline(__always)
private func addSparseLength<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ system: ConstraintSystem<L>, _ row: Int,
  _ length: KernelLength<L.Scalar>,
  _ scale: L, _ velocities: UnsafePointer<L>
) -> L where L.Scalar: LaneScalar {
  let start = Int(plan.pattern.sparseRows[row].start)
  var velocity = L(0.0)
  var t = Int(length.start)
  while t < Int(length.end) {
    let term = plan.lengthTerms.pointer(t)
    let dof = term.pointee.degreeOfFreedom
    var k = start
    while plan.pattern.support[k] != dof { k &+= 1 }
    let entry = scale * L(broadcasting: term.pointee.coefficient)
    system.sparseJacobian[k] += entry
    velocity = L.multiplyAdd(entry, velocities[Int(dof)], velocity)
    t &+= 1
  }
  return velocity
}

@inline(__always)
func length<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ length: KernelLength<L.Scalar>, _ positions: UnsafePointer<L>
) -> L where L.Scalar: LaneScalar {
  var sum = L(broadcasting: length.constant)
  var t = Int(length.start)
  while t < Int(length.end) {
    let term = plan.lengthTerms.pointer(t)
    sum = L.multiplyAdd(
      positions[Int(term.pointee.positionAddress)], scalar: term.pointee.coefficient, sum)
    t &+= 1
  }
  return sum
}

/// What an equality keeps at zero, and the derivative of its polynomial.
@inline(__always)
func lengthEqualityDistance<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ equality: UnsafePointer<KernelLengthEquality<L.Scalar>>,
  _ positions: UnsafePointer<L>
) -> (distance: L, slope: L) where L.Scalar: LaneScalar {
  let c = equality.pointee.coefficients
  let first = length(plan, equality.pointee.first, positions)
  guard let second = equality.pointee.second else { return (first - L(broadcasting: c.0), L(0.0)) }
  let x = length(plan, second, positions)
  @inline(__always) func nested(_ a: L, _ b: L.Scalar) -> L { L.multiplyAdd(a, x, L(broadcasting: b)) }
  let value = nested(nested(nested(nested(L(broadcasting: c.4), c.3), c.2), c.1), c.0)
  let slope = nested(nested(nested(L(broadcasting: 4 * c.4), 3 * c.3), 2 * c.2), c.1)
  return (first - value, slope)
}
