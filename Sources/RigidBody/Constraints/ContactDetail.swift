import Kinematics
import Lanes

/// One contact of each lane: what a slot's Jacobian, reference and weight came from.
struct ContactDetail<L: Lane> {
  var distance: L
  var position: Vector3<L>
  /// Columns: the normal from the first geom to the second, and two tangents.
  var frame: Matrix3<L>
  var row: RowDetail<L>
  /// B of the friction directions.
  var frictionDamping: L

  /// Of a lane that has no contact in the slot.
  static var none: Self {
    Self(
      distance: L(0.0), position: .zero, frame: .identity, row: .zero, frictionDamping: L(0.0))
  }
}

/// Which contact a lane has in a slot.
struct LaneContact: Sendable {
  /// Index in ``ConstraintPlan/contacts``, or -1.
  var contact: Int32
  /// Which of the pair's points it is, and the discrete case that gave it.
  var number: Int32
  var branch: Int32
  /// Links of the two geoms; 0 where there is no contact.
  var link1: Int32
  var link2: Int32
  /// Index in ``ContactSlots/features`` of the support points of a convex pair, or -1.
  var features: Int32

  static var none: Self {
    Self(contact: -1, number: 0, branch: 0, link1: 0, link2: 0, features: -1)
  }
}

/// Each lane's contacts, its k-th one of a dimension in that dimension's k-th slot. Memory grows where there are more than
/// ever before.
final class ContactSlots<L: Lane> {
  /// Of one dimension.
  struct List {
    let dimension: Int
    var capacity = 0
    /// Slots that some lane uses.
    var count = 0
    var details: UnsafeMutablePointer<ContactDetail<L>>
    var lanes: UnsafeMutablePointer<LaneContact>
    /// Contacts of each lane.
    var laneCounts: [Int]
  }

  private(set) var lists: [List]
  private(set) var features: [ConvexFeatures] = []

  init(dimensions: [Int]) {
    lists = dimensions.map {
      List(
        dimension: $0, details: .allocate(capacity: 1), lanes: .allocate(capacity: 1),
        laneCounts: Array(repeating: 0, count: L.laneCount))
    }
  }

  deinit {
    for list in lists {
      list.details.deallocate()
      list.lanes.deallocate()
    }
  }

  var slotCount: Int { lists.reduce(0) { $0 + $1.count } }

  func clear() {
    for index in lists.indices {
      lists[index].count = 0
      for lane in 0..<L.laneCount { lists[index].laneCounts[lane] = 0 }
    }
    features.removeAll(keepingCapacity: true)
  }

  /// Adds one lane's contact.
  @inline(__always)
  func append(
    _ contact: LaneContact, _ point: ContactPoint<L>, frame: Matrix3<L>, lane: Int, list index: Int
  ) {
    let slot = lists[index].laneCounts[lane]
    if slot == lists[index].count {
      if slot == lists[index].capacity { grow(index) }
      lists[index].details[slot] = .none
      for other in 0..<L.laneCount { lists[index].lanes[slot * L.laneCount + other] = .none }
      lists[index].count = slot + 1
    }
    lists[index].laneCounts[lane] = slot + 1
    lists[index].lanes[slot * L.laneCount + lane] = contact
    let detail = lists[index].details + slot
    detail.pointee.distance[lane: lane] = point.distance[lane: lane]
    detail.pointee.position.copy(point.position, lane: lane)
    detail.pointee.frame.column0.copy(frame.column0, lane: lane)
    detail.pointee.frame.column1.copy(frame.column1, lane: lane)
    detail.pointee.frame.column2.copy(frame.column2, lane: lane)
  }

  func append(_ features: ConvexFeatures) -> Int32 {
    self.features.append(features)
    return Int32(self.features.count - 1)
  }

  private func grow(_ index: Int) {
    let capacity = max(8, 2 * lists[index].capacity)
    let count = lists[index].count
    let details = UnsafeMutablePointer<ContactDetail<L>>.allocate(capacity: capacity)
    details.update(from: lists[index].details, count: count)
    lists[index].details.deallocate()
    lists[index].details = details
    let lanes = UnsafeMutablePointer<LaneContact>.allocate(capacity: capacity * L.laneCount)
    lanes.update(from: lists[index].lanes, count: count * L.laneCount)
    lists[index].lanes.deallocate()
    lists[index].lanes = lanes
    lists[index].capacity = capacity
  }
}

extension Vector3 {
  /// Takes one lane of another vector.
  @inline(__always) mutating func copy(_ other: Self, lane: Int) {
    x[lane: lane] = other.x[lane: lane]
    y[lane: lane] = other.y[lane: lane]
    z[lane: lane] = other.z[lane: lane]
  }
}
