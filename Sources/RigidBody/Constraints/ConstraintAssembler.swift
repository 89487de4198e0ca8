import Kinematics
import Lanes

/// Memory of plain numbers that grows, and starts as zero bits.
struct GrowingBuffer<Element> {
  private(set) var base: UnsafeMutablePointer<Element>
  private(set) var capacity: Int

  init(capacity: Int) {
    self.capacity = max(capacity, 1)
    base = Self.allocate(self.capacity)
  }

  private static func allocate(_ count: Int) -> UnsafeMutablePointer<Element> {
    let raw = UnsafeMutableRawPointer.allocate(
      byteCount: count * MemoryLayout<Element>.stride, alignment: 64)
    raw.initializeMemory(as: UInt8.self, repeating: 0, count: count * MemoryLayout<Element>.stride)
    return raw.bindMemory(to: Element.self, capacity: count)
  }

  /// Makes room for `count` elements; those that are there stay.
  @inline(__always) mutating func reserve(_ count: Int) {
    if count > capacity { grow(count) }
  }

  @inline(never) private mutating func grow(_ count: Int) {
    let larger = max(count, 2 * capacity)
    let memory = Self.allocate(larger)
    UnsafeMutableRawPointer(memory).copyMemory(
      from: base, byteCount: capacity * MemoryLayout<Element>.stride)
    UnsafeMutableRawPointer(base).deallocate()
    base = memory
    capacity = larger
  }

  func deallocate() { UnsafeMutableRawPointer(base).deallocate() }
}

/// Which contact a lane has in a slot.
struct ContactSource: Sendable {
  /// Index in ``CollisionPlan/candidates``, or -1 where the lane has no contact in the slot.
  var candidate: Int32
  /// Which of the pair's contacts it is, and the discrete case that gave it (see ``ContactPoint/branch``).
  var number: Int32
  var branch: Int32
  /// Links of the tree to which the two geoms belong.
  var link1: Int32
  var link2: Int32
}

/// Geometry and parameters of the contacts in a slot. With y = J a − aref: aref = −B J v − K d(r) r in the direction of the
/// normal and −B J v in those of friction, r = distance − margin; weights are proportional to d/(1 − d).
struct ContactSlotDetail<L: Lane> {
  var distance: L
  var margin: L
  var position: Vector3<L>
  /// Normal from the first geom to the second, and two tangents, as columns.
  var frame: Matrix3<L>
  /// K and B of the normal, and B of the other directions.
  var stiffness: L
  var damping: L
  var frictionDamping: L
  var impedance: L
  /// Derivative of the impedance by the distance.
  var impedanceSlope: L
}

/// One thread's memory for the constraints of a lane group: turns a state into a ``ConstraintSystem``.
final class ConstraintAssembler<L: Lane> where L.Scalar: LaneScalar {
  let plan: ConstraintPlan<L.Scalar>
  // Each thread has an assembler of its own.
  @exclusivity(unchecked) var memory: ConstraintMemory<L>
  /// Pairs without a formula, lane by lane; and the sweep of models with many pairs.
  let detector: ContactDetector?
  let broadPhase: BroadPhase?

  init(_ plan: ConstraintPlan<L.Scalar>) {
    self.plan = plan
    memory = ConstraintMemory(plan)
    detector = plan.contacts.hasConvexPairs ? ContactDetector(plan.collision) : nil
    broadPhase = plan.collision.broadPhase.swept.count > 0 ? BroadPhase(plan.collision) : nil
    setConstantRows()
  }

  deinit { memory.deallocate() }

  /// The constraints found last.
  var system: ConstraintSystem<L> { memory.system }
  /// Of unit and sparse rows. Those of friction rows are zero but for the impedance.
  var unitDetail: UnsafeMutablePointer<RowDetail<L>> { memory.unitDetail.base }
  var sparseDetail: UnsafeMutablePointer<RowDetail<L>> { memory.sparseDetail.base }
  /// Of contact slots.
  var contactDetail: UnsafeMutablePointer<ContactSlotDetail<L>> { memory.detail.base }
  /// The lanes' contacts in the slots: `laneCount` for each slot.
  var contactSources: UnsafeMutablePointer<ContactSource> { memory.sources.base }
  /// The pose of a geom that took part in the narrow phase.
  func geomPose(_ geom: Int) -> GeomPose<L> { memory.geomPoses[Int(plan.contacts.geomPlace[geom])] }
  /// Of pairs of kind ``PairKind/convex``, at the same places.
  var contactOrigins: UnsafeMutablePointer<ConvexOrigin> { memory.origins.base }

  /// Finds the constraints of a state.
  ///
  /// - Parameters:
  ///   - poses: of all links.
  ///   - directions: of all joints, about the reference points of their trees.
  ///   - tendons: needed for spatial tendons.
  /// - Returns: The system, whose memory stays this object's and is overwritten by the next call.
  /// - Complexity: O(rows + candidates + Σ d s) for contacts of dimension d on s degrees of freedom, and the cost of the
  ///   pairs that are near. Allocates only where there are more contacts than ever before.
  @discardableResult
  @specialized(where L == Double)
  @specialized(where L == SIMD8<Double>)
  @specialized(where L == SIMD16<Float>)
  func assemble(
    poses: UnsafePointer<Pose<L>>, directions: UnsafePointer<Motion<L>>, positions: UnsafePointer<L>,
    velocities: UnsafePointer<L>, tendons: TendonState<L>? = nil
  ) -> ConstraintSystem<L> {
    assembleConstraints(
      self,
      ConstraintState(
        poses: poses, directions: directions, positions: positions, velocities: velocities, tendons: tendons))
    return memory.system
  }

  /// What friction rows and the forms of limits never change.
  private func setConstantRows() {
    for (index, row) in plan.unitRows.array.enumerated() where !row.isLimit {
      var parameters = row.parameters
      setFriction(
        &parameters, row.frictionLoss, memory.system.unitWeight + index, memory.system.unitFriction + index,
        memory.unitDetail.base + index)
    }
    for row in plan.formRows.array {
      let index = Int(row.row)
      let start = Int(plan.pattern.sparseRows[index].start)
      for term in plan.terms.array[Int(row.firstStart)..<Int(row.firstEnd)] {
        memory.system.sparseJacobian[start + Int(term.column)] += L(broadcasting: term.coefficient)
      }
      guard row.kind == .friction else { continue }
      var parameters = row.parameters
      setFriction(
        &parameters, row.frictionLoss, memory.system.sparseWeight + index,
        memory.system.sparseFriction + index, memory.sparseDetail.base + index)
    }
  }

  private func setFriction(
    _ parameters: inout KernelRowParameters<L.Scalar>, _ loss: L.Scalar, _ weight: UnsafeMutablePointer<L>,
    _ friction: UnsafeMutablePointer<L>, _ detail: UnsafeMutablePointer<RowDetail<L>>
  ) {
    let found = withUnsafePointer(to: &parameters.impedance) { impedance($0, at: L(0.0)) }
    weight.pointee = rowWeight(found, diagonal: L(broadcasting: parameters.diagonal))
    friction.pointee = L(broadcasting: loss)
    detail.pointee = RowDetail(position: L(0.0), impedance: found.value, impedanceSlope: L(0.0))
  }
}

/// A state as forward dynamics has it.
struct ConstraintState<L: Lane> {
  let poses: UnsafePointer<Pose<L>>
  let directions: UnsafePointer<Motion<L>>
  let positions: UnsafePointer<L>
  let velocities: UnsafePointer<L>
  let tendons: TendonState<L>?
}

/// Lengths and moment arms of tendons.
struct TendonState<L: Lane> {
  let transmissions: TransmissionPlan<L.Scalar>
  let lengths: UnsafePointer<L>
  let moments: UnsafePointer<L>
}

/// The arrays of ``ConstraintAssembler``.
struct ConstraintMemory<L: Lane> where L.Scalar: LaneScalar {
  var system: ConstraintSystem<L>
  var unitDetail: GrowingBuffer<RowDetail<L>>
  var sparseDetail: GrowingBuffer<RowDetail<L>>
  private var fixed: GrowingBuffer<L>

  // Of slots.
  var slots: GrowingBuffer<ContactSlot>
  var points: GrowingBuffer<ContactPoint<L>>
  var sources: GrowingBuffer<ContactSource>
  var origins: GrowingBuffer<ConvexOrigin>
  /// What of ``sources`` all lanes are asked for at once: the candidate, or -1; the place of its parameters; its diagonal.
  var candidateNumber: GrowingBuffer<L>
  var parameterNumber: GrowingBuffer<L>
  var diagonal: GrowingBuffer<L>
  var detail: GrowingBuffer<ContactSlotDetail<L>>
  var reference: GrowingBuffer<L>
  var weight: GrowingBuffer<L>
  var friction: GrowingBuffer<L>
  /// The next slot of the same class, or -1.
  var next: GrowingBuffer<Int32>
  var support: GrowingBuffer<Int32>
  var jacobian: GrowingBuffer<L>
  var slotCount = 0
  /// How near a limit or contact is to appearing or ending: the smallest distance from its margin, of limits over one plus the
  /// bound, of contacts over the geoms' reach.
  var nearestSwitch = L(1.0)

  // Of classes of slots: the first and the last slot, and in each lane the last slot used; -1 where there is none. Classes that
  // have slots are listed.
  let usedClasses: UnsafeMutablePointer<Int32>
  var usedClassCount = 0
  let firstSlot: UnsafeMutablePointer<Int32>
  let lastSlot: UnsafeMutablePointer<Int32>
  let laneSlot: UnsafeMutablePointer<L>

  // Of geoms that take part, and candidates that are near.
  let geomPoses: UnsafeMutablePointer<GeomPose<L>>
  let isTurned: UnsafeMutablePointer<Bool>
  let near: UnsafeMutablePointer<Int32>
  let isNear: UnsafeMutablePointer<Bool>
  let found: UnsafeMutablePointer<ContactPoint<L>>
  /// Poses of all geoms of one lane, for the sweep.
  let singlePoses: UnsafeMutablePointer<GeomPose<Double>>

  // Of the directions of one slot: which, with which sign in each lane, and where each is in the list.
  let directions: UnsafeMutablePointer<Int32>
  let coefficients: UnsafeMutablePointer<L>
  let directionPlace: UnsafeMutablePointer<Int32>

  // Of links: velocities, and accelerations without joint accelerations.
  let velocities: UnsafeMutablePointer<Motion<L>>
  let biases: UnsafeMutablePointer<Motion<L>>

  init(_ plan: ConstraintPlan<L.Scalar>) {
    let unitCount = plan.unitRows.count
    let sparseCount = plan.pattern.sparseRows.count
    let counts = [
      unitCount, unitCount, unitCount, sparseCount, sparseCount, sparseCount, plan.pattern.support.count,
    ]
    fixed = GrowingBuffer(capacity: counts.reduce(0, +))
    var start = fixed.base
    let arrays = counts.map { count in
      defer { start += count }
      return start
    }
    unitDetail = GrowingBuffer(capacity: unitCount)
    sparseDetail = GrowingBuffer(capacity: sparseCount)
    let slotCapacity = min(8, plan.collision.candidates.count)
    slots = GrowingBuffer(capacity: slotCapacity)
    points = GrowingBuffer(capacity: slotCapacity)
    sources = GrowingBuffer(capacity: slotCapacity * L.laneCount)
    origins = GrowingBuffer(capacity: slotCapacity * L.laneCount)
    candidateNumber = GrowingBuffer(capacity: slotCapacity)
    parameterNumber = GrowingBuffer(capacity: slotCapacity)
    diagonal = GrowingBuffer(capacity: slotCapacity)
    detail = GrowingBuffer(capacity: slotCapacity)
    reference = GrowingBuffer(capacity: 6 * slotCapacity)
    weight = GrowingBuffer(capacity: 6 * slotCapacity)
    friction = GrowingBuffer(capacity: 6 * slotCapacity)
    next = GrowingBuffer(capacity: slotCapacity)
    support = GrowingBuffer(capacity: slotCapacity)
    jacobian = GrowingBuffer(capacity: slotCapacity)
    func take<T>(_ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
      GrowingBuffer<T>(capacity: count).base
    }
    let classCount = plan.contacts.slotClassCount
    usedClasses = take(Int32.self, classCount)
    firstSlot = take(Int32.self, classCount)
    lastSlot = take(Int32.self, classCount)
    laneSlot = take(L.self, classCount)
    for k in 0..<classCount {
      firstSlot[k] = -1
      lastSlot[k] = -1
      laneSlot[k] = L(-1.0)
    }
    let geomCount = plan.contacts.geoms.count
    geomPoses = take(GeomPose<L>.self, geomCount)
    isTurned = take(Bool.self, geomCount)
    near = take(Int32.self, plan.collision.candidates.count)
    isNear = take(Bool.self, plan.collision.candidates.count)
    found = take(ContactPoint<L>.self, PairKind.largestPointCount)
    singlePoses = take(GeomPose<Double>.self, plan.collision.geoms.count)
    let directionCount = plan.tree.directionCount
    directions = take(Int32.self, directionCount)
    coefficients = take(L.self, directionCount)
    directionPlace = take(Int32.self, directionCount)
    for k in 0..<directionCount { directionPlace[k] = -1 }
    let linkCount = plan.linkEqualities.count == 0 ? 0 : plan.tree.linkCount
    velocities = take(Motion<L>.self, linkCount)
    biases = take(Motion<L>.self, linkCount)
    system = ConstraintSystem(
      unitReference: arrays[0], unitWeight: arrays[1], unitFriction: arrays[2],
      sparseReference: arrays[3], sparseWeight: arrays[4], sparseFriction: arrays[5],
      sparseJacobian: arrays[6], slotCount: 0, slots: slots.base, contactSupport: support.base,
      contactJacobian: jacobian.base, contactReference: reference.base, contactWeight: weight.base,
      contactFriction: friction.base)
    for (index, geom) in plan.contacts.geoms.array.enumerated() {
      geomPoses[index] = GeomPose(
        position: Vector3(broadcasting: geom.position), rotation: Matrix3(broadcasting: geom.rotation))
    }
  }

  /// Makes room for one more slot.
  @inline(__always) mutating func reserveSlot() {
    if slotCount < slots.capacity { return }
    growSlots()
  }

  @inline(never) private mutating func growSlots() {
    let count = max(8, 2 * slotCount)
    slots.reserve(count)
    points.reserve(count)
    sources.reserve(count * L.laneCount)
    origins.reserve(count * L.laneCount)
    candidateNumber.reserve(count)
    parameterNumber.reserve(count)
    diagonal.reserve(count)
    detail.reserve(count)
    reference.reserve(6 * count)
    weight.reserve(6 * count)
    friction.reserve(6 * count)
    next.reserve(count)
  }

  /// Points the system to the present arrays of contacts.
  @inline(__always) mutating func finishSystem() {
    system.slotCount = slotCount
    system.slots = slots.base
    system.contactSupport = support.base
    system.contactJacobian = jacobian.base
    system.contactReference = reference.base
    system.contactWeight = weight.base
    system.contactFriction = friction.base
  }

  func deallocate() {
    fixed.deallocate()
    unitDetail.deallocate()
    sparseDetail.deallocate()
    slots.deallocate()
    points.deallocate()
    sources.deallocate()
    origins.deallocate()
    detail.deallocate()
    for buffer in [reference, weight, friction, jacobian, candidateNumber, parameterNumber, diagonal] {
      buffer.deallocate()
    }
    for buffer in [next, support] { buffer.deallocate() }
    let single: [UnsafeMutableRawPointer] = [
      .init(usedClasses), .init(firstSlot), .init(lastSlot), .init(laneSlot), .init(geomPoses),
      .init(isTurned), .init(near),
      .init(isNear), .init(found), .init(singlePoses), .init(directions), .init(coefficients),
      .init(directionPlace), .init(velocities), .init(biases),
    ]
    for pointer in single { pointer.deallocate() }
  }
}

extension ConstraintMemory {
  /// Lanes that have a contact in a slot.
  @inline(__always) func lanes(in slot: Int) -> L.Mask { L(0.0) .<= candidateNumber.base[slot] }

  /// A candidate that some of the lanes have in a slot, and these lanes, which are then no longer pending.
  @inline(__always)
  func nextCandidate(in slot: Int, _ pending: inout L.Mask) -> (index: Int, lanes: L.Mask)? {
    guard let lane = firstLane(of: L.self, in: pending) else { return nil }
    let numbers = candidateNumber.base[slot]
    let own = pending .& (numbers .== L(broadcasting: numbers[lane: lane]))
    pending = pending .& .!own
    return (Int(sources.base[slot &* L.laneCount &+ lane].candidate), own)
  }
}

/// The first lane in which a mask is true.
@inline(__always)
func firstLane<L: Lane>(of type: L.Type, in mask: L.Mask) -> Int? {
  guard mask.anyTrue else { return nil }
  var lane = 0
  while !mask[lane: lane] { lane = lane &+ 1 }
  return lane
}
