import Kinematics
import Lanes

/// Finds each lane's contacts that exert force (or that an actuator acts through) and puts them into slots: the k-th of a class into
/// the k-th slot of that class (``KernelCandidate/slotClass``). Contacts of a lane are found in MuJoCo's order.
@inline(__always)
func collectContacts<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ broadPhase: BroadPhase?, _ detector: ContactDetector?,
  _ memory: inout ConstraintMemory<L>, _ state: ConstraintState<L>
) where L.Scalar: LaneScalar {
  memory.slotCount = 0
  var k = 0
  while k < memory.usedClassCount {
    let used = Int(memory.usedClasses[k])
    memory.firstSlot[used] = -1
    memory.lastSlot[used] = -1
    memory.laneSlot[used] = L(-1.0)
    k = k &+ 1
  }
  memory.usedClassCount = 0
  placeGeoms(plan.contacts, memory, state)
  let nearCount: Int
  if let broadPhase {
    nearCount = sweepLanes(plan, broadPhase, memory)
  } else {
    nearCount = testCandidates(plan.contacts, memory)
  }
  k = 0
  while k < nearCount {
    let index = memory.near[k]
    let candidate = plan.contacts.candidates.pointer(Int(index))
    // Geoms that move as one exert no force on each other.
    if candidate.pointee.link1 != candidate.pointee.link2 {
      let place1 = Int(plan.contacts.geomPlace[Int(candidate.pointee.geom1)])
      let place2 = Int(plan.contacts.geomPlace[Int(candidate.pointee.geom2)])
      turnGeom(plan.contacts, memory, place1, state)
      turnGeom(plan.contacts, memory, place2, state)
      if candidate.pointee.kind.isAnalytic {
        collideLanes(candidate, index, memory.geomPoses + place1, memory.geomPoses + place2, &memory)
      } else if let detector {
        collideEachLane(candidate, index, detector, place1, place2, &memory)
      }
    }
    k = k &+ 1
  }
}

/// Positions of the geoms that move; axes only of planes, whose normals the broad phase needs.
@inline(__always)
private func placeGeoms<L: Lane>(
  _ plan: ContactPlan<L.Scalar>, _ memory: ConstraintMemory<L>, _ state: ConstraintState<L>
) where L.Scalar: LaneScalar {
  var g = 0
  while g < plan.fixedGeomCount {
    memory.isTurned[g] = true
    g = g &+ 1
  }
  while g < plan.geoms.count {
    let geom = plan.geoms.pointer(g)
    let pose = state.poses + Int(geom.pointee.link)
    memory.geomPoses[g].position = pose.pointee.rotation.multiplyAdd(
      Vector3(broadcasting: geom.pointee.position), pose.pointee.position)
    memory.isTurned[g] = false
    if geom.pointee.isPlane { turnGeom(plan, memory, g, state) }
    g = g &+ 1
  }
}

/// Axes of a geom, unless they are known.
@inline(__always)
private func turnGeom<L: Lane>(
  _ plan: ContactPlan<L.Scalar>, _ memory: ConstraintMemory<L>, _ place: Int, _ state: ConstraintState<L>
) where L.Scalar: LaneScalar {
  if memory.isTurned[place] { return }
  let geom = plan.geoms.pointer(place)
  memory.geomPoses[place].rotation =
    state.poses[Int(geom.pointee.link)].rotation * Matrix3(broadcasting: geom.pointee.rotation)
  memory.isTurned[place] = true
}

/// Lists candidates whose bounding spheres meet in some lane.
@inline(__always)
private func testCandidates<L: Lane>(_ plan: ContactPlan<L.Scalar>, _ memory: ConstraintMemory<L>) -> Int
where L.Scalar: LaneScalar {
  var count = 0
  var index = 0
  while index < plan.candidates.count {
    let candidate = plan.candidates.pointer(index)
    let pose1 = memory.geomPoses + Int(plan.geomPlace[Int(candidate.pointee.geom1)])
    let pose2 = memory.geomPoses + Int(plan.geomPlace[Int(candidate.pointee.geom2)])
    let offset = pose2.pointee.position - pose1.pointee.position
    let reach = L(broadcasting: candidate.pointee.reach)
    let isNear =
      candidate.pointee.hasPlane
      ? offset.dot(pose1.pointee.axis) .<= reach : offset.normSquared .<= reach * reach
    if isNear.anyTrue {
      memory.near[count] = Int32(truncatingIfNeeded: index)
      count = count &+ 1
    }
    index = index &+ 1
  }
  return count
}

/// The same for models with many pairs, lane by lane, by sorting along an axis.
@inline(__always)
private func sweepLanes<L: Lane>(
  _ plan: ConstraintPlan<L.Scalar>, _ broadPhase: BroadPhase, _ memory: ConstraintMemory<L>
) -> Int where L.Scalar: LaneScalar {
  var index = 0
  while index < plan.contacts.candidates.count {
    memory.isNear[index] = false
    index = index &+ 1
  }
  var lane = 0
  while lane < L.laneCount {
    var g = 0
    while g < plan.contacts.geoms.count {
      let geom = plan.contacts.geoms.pointer(g)
      let target = memory.singlePoses + Int(geom.pointee.geom)
      target.pointee.position = memory.geomPoses[g].position.lane(lane)
      if geom.pointee.isPlane { target.pointee.rotation.column2 = memory.geomPoses[g].axis.lane(lane) }
      g = g &+ 1
    }
    broadPhase.update(memory.singlePoses)
    for found in broadPhase.near { memory.isNear[Int(found)] = true }
    lane = lane &+ 1
  }
  var count = 0
  index = 0
  while index < plan.contacts.candidates.count {
    if memory.isNear[index] {
      memory.near[count] = Int32(truncatingIfNeeded: index)
      count = count &+ 1
    }
    index = index &+ 1
  }
  return count
}

/// A pair with a formula, in all lanes at once.
@inline(__always)
private func collideLanes<L: Lane>(
  _ candidate: UnsafePointer<KernelCandidate<L.Scalar>>, _ index: Int32, _ pose1: UnsafePointer<GeomPose<L>>,
  _ pose2: UnsafePointer<GeomPose<L>>, _ memory: inout ConstraintMemory<L>
) where L.Scalar: LaneScalar {
  let counts = collide(
    candidate.pointee.kind, pose1.pointee, Vector3(broadcasting: candidate.pointee.size1), pose2.pointee,
    Vector3(broadcasting: candidate.pointee.size2), cutoff: L(broadcasting: candidate.pointee.cutoff),
    into: memory.found)
  let margin = L(broadcasting: candidate.pointee.margin)
  let range = L(broadcasting: candidate.pointee.range)
  var number = 0
  while number < PairKind.largestPointCount {
    let exists = L(Double(number)) .< counts
    if !exists.anyTrue { break }
    let counted = exists .& (memory.found[number].distance .< range)
    var offset = (memory.found[number].distance - margin).magnitude
    if candidate.pointee.range > candidate.pointee.margin {
      offset = L.minimum(offset, (memory.found[number].distance - range).magnitude)
    }
    offset = L.multiply(offset, scalar: 1 / candidate.pointee.reach)
    memory.nearestSwitch = memory.nearestSwitch.replacing(
      with: L.minimum(memory.nearestSwitch, offset), where: exists)
    if counted.anyTrue {
      addContact(candidate, index, Int32(truncatingIfNeeded: number), counted, &memory)
    }
    number = number &+ 1
  }
}

/// Puts the point `memory.found[number]` into the slots of some lanes.
@inline(__always)
private func addContact<L: Lane>(
  _ candidate: UnsafePointer<KernelCandidate<L.Scalar>>, _ index: Int32, _ number: Int32, _ lanes: L.Mask,
  _ memory: inout ConstraintMemory<L>
) where L.Scalar: LaneScalar {
  let slotClass = Int(candidate.pointee.slotClass)
  let point = memory.found + Int(number)
  let last = memory.laneSlot[slotClass]
  guard let first = firstLane(of: L.self, in: lanes) else { return }
  // Mostly all lanes have had the same number of contacts so far.
  let shared = L(broadcasting: last[lane: first])
  var lane = 0
  if ((last .== shared) .| .!lanes).allTrue {
    let slot = nextSlot(after: Int32(Double(last[lane: first])), candidate, &memory)
    memory.points.base[slot] = memory.points.base[slot].replacing(with: point.pointee, where: lanes)
    setNumbers(candidate, index, lanes, slot, memory)
    while lane < L.laneCount {
      if lanes[lane: lane] { setSource(candidate, index, number, lane, slot, memory) }
      lane = lane &+ 1
    }
    return
  }
  lane = 0
  while lane < L.laneCount {
    if lanes[lane: lane] {
      let slot = nextSlot(after: Int32(Double(last[lane: lane])), candidate, &memory)
      let target = memory.points.base + slot
      target.pointee.distance[lane: lane] = point.pointee.distance[lane: lane]
      copyLane(point.pointee.position, to: &target.pointee.position, lane)
      copyLane(point.pointee.normal, to: &target.pointee.normal, lane)
      copyLane(point.pointee.tangent, to: &target.pointee.tangent, lane)
      target.pointee.branch[lane: lane] = point.pointee.branch[lane: lane]
      var own = L.Mask(repeating: false)
      own[lane: lane] = true
      setNumbers(candidate, index, own, slot, memory)
      setSource(candidate, index, number, lane, slot, memory)
    }
    lane = lane &+ 1
  }
}

/// Says which candidate some lanes have in a slot.
@inline(__always)
private func setNumbers<L: Lane>(
  _ candidate: UnsafePointer<KernelCandidate<L.Scalar>>, _ index: Int32, _ lanes: L.Mask, _ slot: Int,
  _ memory: ConstraintMemory<L>
) where L.Scalar: LaneScalar {
  @inline(__always) func set(_ target: UnsafeMutablePointer<L>, _ value: L) {
    target.pointee = target.pointee.replacing(with: value, where: lanes)
  }
  set(memory.candidateNumber.base + slot, L(Double(index)))
  set(memory.parameterNumber.base + slot, L(Double(candidate.pointee.parameters)))
  set(memory.diagonal.base + slot, L(broadcasting: candidate.pointee.diagonal))
  set(memory.laneSlot + Int(candidate.pointee.slotClass), L(Double(slot)))
}

@inline(__always)
private func copyLane<L: Lane>(_ source: Vector3<L>, to target: inout Vector3<L>, _ lane: Int) {
  target.x[lane: lane] = source.x[lane: lane]
  target.y[lane: lane] = source.y[lane: lane]
  target.z[lane: lane] = source.z[lane: lane]
}

/// Says which contact a lane has in a slot.
@inline(__always)
private func setSource<L: Lane>(
  _ candidate: UnsafePointer<KernelCandidate<L.Scalar>>, _ index: Int32, _ number: Int32, _ lane: Int,
  _ slot: Int, _ memory: ConstraintMemory<L>
) where L.Scalar: LaneScalar {
  memory.sources.base[slot &* L.laneCount &+ lane] = ContactSource(
    candidate: index, number: number, branch: Int32(Double(memory.points.base[slot].branch[lane: lane])),
    link1: candidate.pointee.link1, link2: candidate.pointee.link2)
}

/// The slot of a candidate's class that follows another one, -1 standing before the first.
@inline(__always)
private func nextSlot<L: Lane>(
  after slot: Int32, _ candidate: UnsafePointer<KernelCandidate<L.Scalar>>,
  _ memory: inout ConstraintMemory<L>
) -> Int where L.Scalar: LaneScalar {
  let slotClass = Int(candidate.pointee.slotClass)
  let following = slot < 0 ? memory.firstSlot[slotClass] : memory.next.base[Int(slot)]
  if following >= 0 { return Int(following) }
  memory.reserveSlot()
  let new = memory.slotCount
  let number = Int32(truncatingIfNeeded: new)
  if memory.lastSlot[slotClass] < 0 {
    memory.firstSlot[slotClass] = number
    memory.usedClasses[memory.usedClassCount] = Int32(truncatingIfNeeded: slotClass)
    memory.usedClassCount = memory.usedClassCount &+ 1
  } else {
    memory.next.base[Int(memory.lastSlot[slotClass])] = number
  }
  memory.lastSlot[slotClass] = number
  memory.next.base[new] = -1
  memory.slotCount = new &+ 1
  // Lanes without this contact must be finite, whatever was here.
  let zero = L(0.0)
  memory.points.base[new] = ContactPoint(
    distance: zero, position: .zero, normal: Vector3(L(1.0), zero, zero))
  let dimension = candidate.pointee.dimensionClass
  let size: Int32 = dimension == 0 ? 1 : dimension == 1 ? 3 : dimension == 2 ? 4 : 6
  memory.slots.base[new] = ContactSlot(dimension: size, supportStart: 0, supportCount: 0, jacobianStart: 0)
  memory.candidateNumber.base[new] = L(-1.0)
  memory.parameterNumber.base[new] = L(-1.0)
  memory.diagonal.base[new] = L(1.0)
  var lane = 0
  while lane < L.laneCount {
    memory.sources.base[new &* L.laneCount &+ lane] = ContactSource(
      candidate: -1, number: 0, branch: 0, link1: 0, link2: 0)
    lane = lane &+ 1
  }
  return new
}

/// A pair without a formula, in double precision, one lane after the other.
@inline(__always)
private func collideEachLane<L: Lane>(
  _ candidate: UnsafePointer<KernelCandidate<L.Scalar>>, _ index: Int32, _ detector: ContactDetector,
  _ place1: Int, _ place2: Int, _ memory: inout ConstraintMemory<L>
) where L.Scalar: LaneScalar {
  let pose1 = memory.geomPoses + place1
  let pose2 = memory.geomPoses + place2
  let offset = pose2.pointee.position - pose1.pointee.position
  let reach = L(broadcasting: candidate.pointee.reach)
  let isNear =
    candidate.pointee.hasPlane
    ? offset.dot(pose1.pointee.axis) .<= reach : offset.normSquared .<= reach * reach
  let range = L(broadcasting: candidate.pointee.range)
  var lane = 0
  while lane < L.laneCount {
    if isNear[lane: lane] {
      let count = detector.collide(Int(index), pose1.pointee.lane(lane), pose2.pointee.lane(lane))
      var number = 0
      while number < count {
        let point = detector.points[number]
        let found = memory.found + number
        found.pointee.distance[lane: lane] = L.Scalar(point.distance)
        let distance = found.pointee.distance[lane: lane]
        var offset = (distance - candidate.pointee.margin).magnitude
        if candidate.pointee.range > candidate.pointee.margin {
          offset = min(offset, (distance - candidate.pointee.range).magnitude)
        }
        memory.nearestSwitch[lane: lane] = min(
          memory.nearestSwitch[lane: lane], offset / candidate.pointee.reach)
        if found.pointee.distance[lane: lane] < range[lane: lane] {
          found.pointee.position.set(point.position, lane: lane)
          found.pointee.normal.set(point.normal, lane: lane)
          found.pointee.tangent.set(point.tangent, lane: lane)
          found.pointee.branch[lane: lane] = L.Scalar(point.branch)
          var mask = L.Mask(repeating: false)
          mask[lane: lane] = true
          addContact(candidate, index, Int32(truncatingIfNeeded: number), mask, &memory)
          let slot = Int(Double(memory.laneSlot[Int(candidate.pointee.slotClass)][lane: lane]))
          if candidate.pointee.kind == .convex {
            memory.origins.base[slot &* L.laneCount &+ lane] = detector.origins[number]
          }
        }
        number = number &+ 1
      }
    }
    lane = lane &+ 1
  }
}
