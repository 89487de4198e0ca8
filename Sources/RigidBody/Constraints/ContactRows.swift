import Kinematics
import Lanes

/// Jacobians, references and weights of the contacts in all slots.
@inline(__always)
func assembleContactRows<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ memory: inout ConstraintMemory<L>, _ state: ConstraintState<L>
) where L.Scalar: LaneScalar {
  var supportEnd = 0
  var jacobianEnd = 0
  var slot = 0
  while slot < memory.slotCount {
    let directionCount = listDirections(plan, memory, slot)
    let dimension = Int(memory.slots.base[slot].dimension)
    memory.support.reserve(supportEnd &+ directionCount)
    memory.jacobian.reserve(jacobianEnd &+ dimension &* directionCount)
    let lanes = setParameters(plan, memory, slot)
    let count = setSupport(plan, memory, directionCount, memory.support.base + supportEnd)
    memory.slots.base[slot].supportStart = Int32(truncatingIfNeeded: supportEnd)
    memory.slots.base[slot].supportCount = Int32(truncatingIfNeeded: count)
    memory.slots.base[slot].jacobianStart = Int32(truncatingIfNeeded: jacobianEnd)
    setJacobian(
      plan, memory, state, slot, dimension: dimension, directionCount, memory.jacobian.base + jacobianEnd,
      count: count)
    setReferences(
      memory, state, slot, dimension: dimension, lanes, memory.jacobian.base + jacobianEnd,
      memory.support.base + supportEnd, count: count)
    supportEnd = supportEnd &+ count
    jacobianEnd = jacobianEnd &+ dimension &* count
    slot = slot &+ 1
  }
}

/// Lists the directions that move one of a contact's links and not the other, of all lanes, sorted by degree of freedom; with
/// the signs of their part in the relative velocity.
///
/// - Returns: how many there are.
@inline(__always)
private func listDirections<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ memory: ConstraintMemory<L>, _ slot: Int
) -> Int where L.Scalar: LaneScalar {
  let sources = memory.sources.base + slot &* L.laneCount
  let directions = memory.directions
  let coefficients = memory.coefficients
  let parents = plan.tree.directionParent
  guard let firstLane = firstLane(of: L.self, in: memory.lanes(in: slot)) else { return 0 }
  let first = sources[firstLane]
  var isShared = true
  var pending = memory.lanes(in: slot)
  while let (candidate, _) = memory.nextCandidate(in: slot, &pending) {
    let links = plan.contacts.candidates.pointer(candidate)
    isShared =
      isShared && links.pointee.link1 == first.link1 && links.pointee.link2 == first.link2
  }

  // Towards the root from both links: a parent's number is smaller than its child's.
  var count = 0
  if isShared {
    var a = plan.lastDirection[Int(first.link1)]
    var b = plan.lastDirection[Int(first.link2)]
    while a != b {
      if a > b {
        directions[count] = a
        coefficients[count] = L(-1.0)
        a = parents[Int(a)]
      } else {
        directions[count] = b
        coefficients[count] = L(1.0)
        b = parents[Int(b)]
      }
      count = count &+ 1
    }
  } else {
    let places = memory.directionPlace
    @inline(__always) func add(_ direction: Int32, _ sign: L.Scalar, _ lane: Int) {
      var place = Int(places[Int(direction)])
      if place < 0 {
        place = count
        places[Int(direction)] = Int32(truncatingIfNeeded: place)
        directions[place] = direction
        coefficients[place] = L(0.0)
        count = count &+ 1
      }
      coefficients[place][lane: lane] = sign
    }
    var lane = 0
    while lane < L.laneCount {
      if sources[lane].candidate >= 0 {
        var a = plan.lastDirection[Int(sources[lane].link1)]
        var b = plan.lastDirection[Int(sources[lane].link2)]
        while a != b {
          if a > b {
            add(a, -1, lane)
            a = parents[Int(a)]
          } else {
            add(b, 1, lane)
            b = parents[Int(b)]
          }
        }
      }
      lane = lane &+ 1
    }
    var k = 0
    while k < count {
      places[Int(directions[k])] = -1
      k = k &+ 1
    }
  }
  sortDirections(plan.tree.directionDegreeOfFreedom.base, directions, coefficients, count)
  return count
}

/// Turns the list around, and inserts what is then still out of order.
@inline(__always)
private func sortDirections<L: Lane>(
  _ degreesOfFreedom: UnsafePointer<Int32>, _ directions: UnsafeMutablePointer<Int32>,
  _ coefficients: UnsafeMutablePointer<L>, _ count: Int
) {
  var low = 0
  var high = count &- 1
  while low < high {
    (directions[low], directions[high]) = (directions[high], directions[low])
    (coefficients[low], coefficients[high]) = (coefficients[high], coefficients[low])
    low = low &+ 1
    high = high &- 1
  }
  var k = 1
  while k < count {
    let direction = directions[k]
    let key = degreesOfFreedom[Int(direction)]
    var at = k
    if degreesOfFreedom[Int(directions[at &- 1])] > key {
      let coefficient = coefficients[k]
      while at > 0, degreesOfFreedom[Int(directions[at &- 1])] > key {
        directions[at] = directions[at &- 1]
        coefficients[at] = coefficients[at &- 1]
        at = at &- 1
      }
      directions[at] = direction
      coefficients[at] = coefficient
    }
    k = k &+ 1
  }
}

/// The degrees of freedom of the listed directions; several directions share one where joints mimic others.
@inline(__always)
private func setSupport<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ memory: ConstraintMemory<L>, _ directionCount: Int,
  _ support: UnsafeMutablePointer<Int32>
) -> Int where L.Scalar: LaneScalar {
  var count = 0
  var k = 0
  while k < directionCount {
    let dof = plan.tree.directionDegreeOfFreedom[Int(memory.directions[k])]
    if count == 0 || support[count &- 1] != dof {
      support[count] = dof
      count = count &+ 1
    }
    k = k &+ 1
  }
  return count
}

/// Frame, parameters, friction and weights of a slot.
///
/// - Returns: the lanes that have a contact which exerts force.
@inline(__always)
private func setParameters<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ memory: ConstraintMemory<L>, _ slot: Int
) -> L.Mask where L.Scalar: LaneScalar {
  let sources = memory.sources.base + slot &* L.laneCount
  let tables = plan.contacts
  let point = memory.points.base + slot
  let detail = memory.detail.base + slot
  detail.pointee.distance = point.pointee.distance
  detail.pointee.position = point.pointee.position
  detail.pointee.frame = point.pointee.frame
  let friction = memory.friction.base + 6 &* slot
  let weights = memory.weight.base + 6 &* slot

  let lanes = memory.lanes(in: slot)
  let numbers = memory.parameterNumber.base[slot]
  var pending = lanes
  var found = RowImpedance(value: L(1.0), complement: L(1.0), slope: L(0.0))
  var isFirst = true
  while let lane = firstLane(of: L.self, in: pending) {
    // All lanes with the same parameters at once; the first ones' stand in lanes without a contact too.
    let index = tables.candidates.pointer(Int(sources[lane].candidate)).pointee.parameters
    let same = numbers .== L(broadcasting: numbers[lane: lane])
    pending = pending .& .!same
    let set = tables.parameters.pointer(Int(index))
    let margin = L(broadcasting: set.pointee.margin)
    let own = impedance(set.pointer(to: \.impedance)!, at: point.pointee.distance - margin)
    let frictions = tables.friction.pointer(6 &* Int(index))
    let ratios = tables.weightRatios.pointer(6 &* Int(index))
    if isFirst {
      found = own
      detail.pointee.margin = margin
      detail.pointee.stiffness = L(broadcasting: set.pointee.stiffness)
      detail.pointee.damping = L(broadcasting: set.pointee.damping)
      detail.pointee.frictionDamping = L(broadcasting: set.pointee.frictionDamping)
      var d = 0
      while d < 6 {
        friction[d] = L(broadcasting: frictions[d])
        weights[d] = L(broadcasting: ratios[d])
        d = d &+ 1
      }
    } else {
      found.value = found.value.replacing(with: own.value, where: same)
      found.complement = found.complement.replacing(with: own.complement, where: same)
      found.slope = found.slope.replacing(with: own.slope, where: same)
      detail.pointee.margin = detail.pointee.margin.replacing(with: margin, where: same)
      replace(&detail.pointee.stiffness, set.pointee.stiffness, same)
      replace(&detail.pointee.damping, set.pointee.damping, same)
      replace(&detail.pointee.frictionDamping, set.pointee.frictionDamping, same)
      var d = 0
      while d < 6 {
        replace(&friction[d], frictions[d], same)
        replace(&weights[d], ratios[d], same)
        d = d &+ 1
      }
    }
    isFirst = false
  }
  detail.pointee.impedance = found.value
  detail.pointee.impedanceSlope = found.slope
  let pressing = tables.keepsGaps ? lanes .& (detail.pointee.distance .< detail.pointee.margin) : lanes
  let weight = L(0.0).replacing(with: rowWeight(found, diagonal: memory.diagonal.base[slot]), where: pressing)
  var d = 0
  while d < 6 {
    weights[d] = weights[d] * weight
    d = d &+ 1
  }
  return pressing
}

@inline(__always)
private func replace<L: Lane>(_ target: inout L, _ value: L.Scalar, _ lanes: L.Mask) {
  target = target.replacing(with: L(broadcasting: value), where: lanes)
}

/// Velocity of the second link relative to the first at the contact in the contact's axes; then, for contacts of four and six
/// directions, the relative angular velocity.
@inline(__always)
private func setJacobian<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ memory: ConstraintMemory<L>, _ state: ConstraintState<L>, _ slot: Int,
  dimension: Int, _ directionCount: Int, _ jacobian: UnsafeMutablePointer<L>, count: Int
) where L.Scalar: LaneScalar {
  let detail = memory.detail.base + slot
  let frame = detail.pointee.frame
  let point = detail.pointee.position
  var column = -1
  var lastDof: Int32 = -1
  var k = 0
  while k < directionCount {
    let index = Int(memory.directions[k])
    let direction = state.directions[index]
    let reference = state.poses[Int(plan.directionRoot[index])].position
    let coefficient = memory.coefficients[k]
    let angular = direction.angular * coefficient
    let linear = angular.cross(point - reference, adding: direction.linear * coefficient)
    let dof = plan.tree.directionDegreeOfFreedom[index]
    let isNew = dof != lastDof
    if isNew { column = column &+ 1 }
    lastDof = dof
    let entry = jacobian + column
    @inline(__always) func put(_ row: Int, _ value: L) {
      entry[row &* count] = isNew ? value : entry[row &* count] + value
    }
    put(0, frame.column0.dot(linear))
    if dimension > 1 {
      put(1, frame.column1.dot(linear))
      put(2, frame.column2.dot(linear))
    }
    if dimension > 3 { put(3, frame.column0.dot(angular)) }
    if dimension > 4 {
      put(4, frame.column1.dot(angular))
      put(5, frame.column2.dot(angular))
    }
    k = k &+ 1
  }
}

/// Reference accelerations, zero in lanes without a contact.
@inline(__always)
private func setReferences<L: Lane>(
  _ memory: ConstraintMemory<L>, _ state: ConstraintState<L>, _ slot: Int, dimension: Int, _ lanes: L.Mask,
  _ jacobian: UnsafePointer<L>, _ support: UnsafePointer<Int32>, count: Int
) where L.Scalar: LaneScalar {
  let detail = memory.detail.base + slot
  let references = memory.reference.base + 6 &* slot
  let zero = L(0.0)
  var d = 0
  while d < 6 {
    references[d] = zero
    d = d &+ 1
  }
  d = 0
  while d < dimension {
    let row = jacobian + d &* count
    var velocity = zero
    var k = 0
    while k < count {
      velocity = L.multiplyAdd(row[k], state.velocities[Int(support[k])], velocity)
      k = k &+ 1
    }
    var value = -(velocity * (d == 0 ? detail.pointee.damping : detail.pointee.frictionDamping))
    if d == 0 {
      let spring = detail.pointee.stiffness * detail.pointee.impedance
      value -= spring * (detail.pointee.distance - detail.pointee.margin)
    }
    references[d] = zero.replacing(with: value, where: lanes)
    d = d &+ 1
  }
}
