import Kinematics
import Lanes

/// Jacobians, references and weights of the contacts that were found.
@inline(__always)
func assembleContacts<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ assembler: ConstraintAssembler<L>, poses: UnsafePointer<Pose<L>>,
  directions: UnsafePointer<Motion<L>>, velocities: UnsafePointer<L>
) where L.Scalar: LaneScalar {
  let count = assembler.contacts.slotCount
  assembler.reserve(slots: count)
  assembler.setSlotCount(count)
  var slot = 0
  var supportStart = 0
  var jacobianStart = 0
  for list in assembler.contacts.lists {
    var k = 0
    while k < list.count {
      assembleSlot(
        plan, assembler.system, list.details + k, list.lanes + k &* L.laneCount, dimension: list.dimension,
        slot: slot, &supportStart, &jacobianStart, poses: poses, directions: directions,
        velocities: velocities)
      slot &+= 1
      k &+= 1
    }
  }
}

@inline(never)
private func assembleSlot<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ system: ConstraintSystem<L>,
  _ detail: UnsafeMutablePointer<ContactDetail<L>>, _ lanes: UnsafePointer<LaneContact>, dimension: Int,
  slot: Int, _ supportStart: inout Int, _ jacobianStart: inout Int, poses: UnsafePointer<Pose<L>>,
  directions: UnsafePointer<Motion<L>>, velocities: UnsafePointer<L>
) where L.Scalar: LaneScalar {
  let base = ConstraintSystem<L>.contactStride &* slot
  let support = system.contactSupport + supportStart
  let jacobian = system.contactJacobian + jacobianStart
  let supportCount = slotJacobian(
    plan, detail, lanes, dimension: dimension, poses: poses, directions: directions, support, jacobian)
  system.slots[slot] = ContactSlot(
    dimension: Int32(dimension), supportStart: Int32(supportStart), supportCount: Int32(supportCount),
    jacobianStart: Int32(jacobianStart))
  supportStart &+= supportCount
  jacobianStart &+= supportCount &* dimension

  // Constants of each lane's pair.
  var parameters = RowParameterLanes<L>.none
  var frictionDamping = L(0.0)
  let friction = system.contactFriction + base
  let weight = system.contactWeight + base
  var d = 0
  while d < ConstraintSystem<L>.contactStride {
    friction[d] = L(1.0)
    weight[d] = L(0.0)
    d &+= 1
  }
  var lane = 0
  while lane < L.laneCount {
    let index = Int(lanes[lane].contact)
    if index >= 0 {
      let contact = plan.contacts.pointer(index)
      withUnsafePointer(to: contact.pointee.parameters) { parameters.set($0, lane: lane) }
      frictionDamping[lane: lane] = contact.pointee.frictionDamping
      withUnsafeBytes(of: contact.pointee.friction) { bytes in
        let values = bytes.baseAddress!.assumingMemoryBound(to: L.Scalar.self)
        for d in 0..<dimension { friction[d][lane: lane] = values[d] }
      }
      if plan.pattern.isElliptic {
        withUnsafeBytes(of: contact.pointee.weightRatio) { bytes in
          let values = bytes.baseAddress!.assumingMemoryBound(to: L.Scalar.self)
          for d in 1..<max(1, dimension) { weight[d][lane: lane] = values[d - 1] }
        }
      }
    }
    lane &+= 1
  }
  let row = RowDetail(parameters, distance: detail.pointee.distance)
  detail.pointee.row = row
  detail.pointee.frictionDamping = frictionDamping
  weight[0] = row.weight(scale: parameters.weightScale)
  d = 1
  while d < dimension {
    weight[d] = weight[d] * weight[0]
    d &+= 1
  }
  d = 0
  while d < dimension {
    var velocity = L(0.0)
    var k = 0
    while k < supportCount {
      velocity = L.multiplyAdd(jacobian[d &* supportCount &+ k], velocities[Int(support[k])], velocity)
      k &+= 1
    }
    system.contactReference[base &+ d] =
      d == 0 ? row.reference(velocity: velocity) : -(frictionDamping * velocity)
    d &+= 1
  }
}

/// Motions of the second geom relative to the first, at the contact and in its frame, for unit velocities.
///
/// - Returns: How many degrees of freedom move one geom and not the other, in some lane.
@inline(__always)
private func slotJacobian<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ detail: UnsafePointer<ContactDetail<L>>,
  _ lanes: UnsafePointer<LaneContact>, dimension: Int, poses: UnsafePointer<Pose<L>>,
  directions: UnsafePointer<Motion<L>>, _ support: UnsafeMutablePointer<Int32>,
  _ jacobian: UnsafeMutablePointer<L>
) -> Int where L.Scalar: LaneScalar {
  let tree = plan.tree
  let words = plan.wordCount
  // First the degrees of freedom, in ascending order; a mimic joint's direction shares that of its source.
  var supportCount = 0
  var word = 0
  while word < words {
    var bits: UInt64 = 0
    var lane = 0
    while lane < L.laneCount {
      let (a, b) = (Int(lanes[lane].link1), Int(lanes[lane].link2))
      bits |= plan.linkDirections[words &* a &+ word] ^ plan.linkDirections[words &* b &+ word]
      lane &+= 1
    }
    while bits != 0 {
      let direction = 64 &* word &+ bits.trailingZeroBitCount
      bits &= bits &- 1
      insert(tree.directionDegreeOfFreedom[direction], support, &supportCount)
    }
    word &+= 1
  }
  var i = 0
  while i < dimension &* supportCount {
    jacobian[i] = L(0.0)
    i &+= 1
  }
  let frame = detail.pointee.frame
  let point = detail.pointee.position
  word = 0
  while word < words {
    var first: UInt64 = 0
    var lane = 0
    while lane < L.laneCount {
      let (a, b) = (Int(lanes[lane].link1), Int(lanes[lane].link2))
      first |= plan.linkDirections[words &* a &+ word] ^ plan.linkDirections[words &* b &+ word]
      lane &+= 1
    }
    while first != 0 {
      let bit = UInt64(first.trailingZeroBitCount)
      let direction = 64 &* word &+ Int(bit)
      first &= first &- 1
      var sign = L(0.0)
      lane = 0
      while lane < L.laneCount {
        let a = plan.linkDirections[words &* Int(lanes[lane].link1) &+ word] >> bit & 1
        let b = plan.linkDirections[words &* Int(lanes[lane].link2) &+ word] >> bit & 1
        if a != b { sign[lane: lane] = b == 1 ? 1 : -1 }
        lane &+= 1
      }
      let s = directions[direction]
      let root = Int(tree.links.pointer(Int(tree.directionLink[direction])).pointee.root)
      let linear = s.angular.cross(point - poses[root].position, adding: s.linear)
      let dof = tree.directionDegreeOfFreedom[direction]
      var column = 0
      while support[column] != dof { column &+= 1 }
      let entry = jacobian + column
      entry[0] += sign * frame.column0.dot(linear)
      if dimension > 1 {
        entry[supportCount] += sign * frame.column1.dot(linear)
        entry[2 &* supportCount] += sign * frame.column2.dot(linear)
      }
      if dimension > 3 { entry[3 &* supportCount] += sign * frame.column0.dot(s.angular) }
      if dimension > 4 {
        entry[4 &* supportCount] += sign * frame.column1.dot(s.angular)
        entry[5 &* supportCount] += sign * frame.column2.dot(s.angular)
      }
    }
    word &+= 1
  }
  return supportCount
}

/// Inserts a number into an ascending list, unless it is there. The numbers mostly come in ascending order.
@inline(__always)
private func insert(_ value: Int32, _ list: UnsafeMutablePointer<Int32>, _ count: inout Int) {
  var place = count
  while place > 0 && list[place &- 1] > value { place &-= 1 }
  if place > 0 && list[place &- 1] == value { return }
  var k = count
  while k > place {
    list[k] = list[k &- 1]
    k &-= 1
  }
  list[place] = value
  count &+= 1
}
