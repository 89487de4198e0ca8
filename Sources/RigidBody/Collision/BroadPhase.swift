import Kinematics
import Lanes

/// How candidates that are near are found: all are tested where they are few, otherwise geoms are sorted along an axis
/// and swept. Planes are tested against all their candidates.
struct BroadPhasePlan: Sendable {
  /// Candidates that are always tested by bounding spheres.
  let tested: ConstantBuffer<Int32>
  /// Geoms that are swept, and for each where its candidates with later geoms begin in `partners`; empty where nothing is
  /// swept.
  let swept: ConstantBuffer<Int32>
  let partnerStarts: ConstantBuffer<Int32>
  /// Candidates of swept geoms, for each geom sorted by the other one.
  let partners: ConstantBuffer<Partner>
  /// Half of each swept geom's largest cutoff, added to its bounding radius.
  let reach: ConstantBuffer<Double>

  struct Partner: Sendable {
    /// Place of the other geom in `swept`.
    var other: Int32
    var candidate: Int32
  }

  /// Below so many candidates per geom, testing them one by one is faster than sweeping.
  private static let sweepingDegree = 12

  init(_ candidates: [ContactCandidate], _ geoms: [CollisionGeom]) {
    let isBounded = candidates.map {
      geoms[Int($0.geom1)].boundingRadius < .infinity && geoms[Int($0.geom2)].boundingRadius < .infinity
    }
    let bounded = candidates.indices.filter { isBounded[$0] }
    let moving = Set(bounded.flatMap { [candidates[$0].geom1, candidates[$0].geom2] }).sorted()
    guard bounded.count > Self.sweepingDegree * moving.count else {
      tested = ConstantBuffer(candidates.indices.map(Int32.init))
      swept = ConstantBuffer([])
      partnerStarts = ConstantBuffer([0])
      partners = ConstantBuffer([])
      reach = ConstantBuffer([])
      return
    }
    tested = ConstantBuffer(candidates.indices.filter { !isBounded[$0] }.map(Int32.init))
    let places = Dictionary(uniqueKeysWithValues: moving.enumerated().map { ($0.element, $0.offset) })
    var lists = [[Partner]](repeating: [], count: moving.count)
    var cutoffs = [Double](repeating: 0, count: moving.count)
    for index in bounded {
      let (a, b) = (places[candidates[index].geom1]!, places[candidates[index].geom2]!)
      lists[min(a, b)].append(Partner(other: Int32(max(a, b)), candidate: Int32(index)))
      for place in [a, b] { cutoffs[place] = max(cutoffs[place], candidates[index].cutoff) }
    }
    var starts: [Int32] = [0]
    for index in lists.indices {
      lists[index].sort { ($0.other, $0.candidate) < ($1.other, $1.candidate) }
      starts.append(starts.last! + Int32(lists[index].count))
    }
    swept = ConstantBuffer(moving)
    partnerStarts = ConstantBuffer(starts)
    partners = ConstantBuffer(lists.flatMap { $0 })
    // A pair's cutoff is at most the largest of either geom, and so at most the sum of the two halves.
    reach = ConstantBuffer(zip(moving, cutoffs).map { geoms[Int($0)].boundingRadius + 0.5 * $1 })
  }
}

/// The sweep's memory. Candidates that may touch are listed in increasing order.
final class BroadPhase {
  private let plan: CollisionPlan
  /// Candidates that the last call found.
  private(set) var near: [Int32] = []
  /// Places of swept geoms in the order along the axis, kept from call to call: it hardly changes.
  private let order: UnsafeMutablePointer<Int32>
  private let lower: UnsafeMutablePointer<Double>
  private let upper: UnsafeMutablePointer<Double>

  init(_ plan: CollisionPlan) {
    self.plan = plan
    let count = plan.broadPhase.swept.count
    order = .allocate(capacity: max(count, 1))
    lower = .allocate(capacity: max(count, 1))
    upper = .allocate(capacity: max(count, 1))
    for k in 0..<count { order[k] = Int32(k) }
    near.reserveCapacity(min(plan.candidates.count, 4096))
  }

  deinit {
    order.deallocate()
    lower.deallocate()
    upper.deallocate()
  }

  /// Lists the candidates whose bounding spheres overlap.
  ///
  /// - Parameter poses: of all geoms of the model.
  /// - Complexity: O(tested candidates + n log n + pairs that overlap along an axis), typically; the list keeps its memory.
  func update(_ poses: UnsafePointer<GeomPose<Double>>) {
    near.removeAll(keepingCapacity: true)
    let tested = plan.broadPhase.tested
    for k in 0..<tested.count where isNear(Int(tested[k]), poses) { near.append(tested[k]) }
    guard plan.broadPhase.swept.count > 0 else { return }
    sweep(poses)
    near.sortInPlace()
  }

  /// Whether two geoms' bounding spheres are within the cutoff, or the sphere of one within that of a plane.
  @inline(__always)
  private func isNear(_ index: Int, _ poses: UnsafePointer<GeomPose<Double>>) -> Bool {
    let candidate = plan.candidates.pointer(index)
    let (g1, g2) = (Int(candidate.pointee.geom1), Int(candidate.pointee.geom2))
    let (r1, r2) = (
      plan.geoms.pointer(g1).pointee.boundingRadius, plan.geoms.pointer(g2).pointee.boundingRadius
    )
    let offset = poses[g2].position - poses[g1].position
    if r1 == .infinity { return offset.dot(poses[g1].axis) <= r2 + candidate.pointee.cutoff }
    let bound = r1 + r2 + candidate.pointee.cutoff
    return offset.normSquared <= bound * bound
  }

  private func sweep(_ poses: UnsafePointer<GeomPose<Double>>) {
    let swept = plan.broadPhase.swept
    let reach = plan.broadPhase.reach
    let count = swept.count
    let axis = widestAxis(poses)
    for k in 0..<count {
      let middle = poses[Int(swept[k])].position[component: axis]
      lower[k] = middle - reach[k]
      upper[k] = middle + reach[k]
    }
    sortOrder(count)
    for first in 0..<count {
      let a = Int(order[first])
      let end = upper[a]
      var second = first + 1
      while second < count {
        let b = Int(order[second])
        if lower[b] > end { break }
        second += 1
        let between = poses[Int(swept[a])].position - poses[Int(swept[b])].position
        let bound = reach[a] + reach[b]
        if between.normSquared <= bound * bound { addCandidates(min(a, b), max(a, b), poses) }
      }
    }
  }

  /// Candidates of two geoms, found by bisection.
  private func addCandidates(_ a: Int, _ b: Int, _ poses: UnsafePointer<GeomPose<Double>>) {
    let partners = plan.broadPhase.partners
    let end = Int(plan.broadPhase.partnerStarts[a + 1])
    var (low, high) = (Int(plan.broadPhase.partnerStarts[a]), end)
    while low < high {
      let middle = (low + high) / 2
      if Int(partners[middle].other) < b { low = middle + 1 } else { high = middle }
    }
    while low < end, Int(partners[low].other) == b {
      let candidate = partners[low].candidate
      if isNear(Int(candidate), poses) { near.append(candidate) }
      low += 1
    }
  }

  /// The coordinate in which the geoms' positions vary most.
  private func widestAxis(_ poses: UnsafePointer<GeomPose<Double>>) -> Int {
    let swept = plan.broadPhase.swept
    var sum = Vector3<Double>.zero
    for k in 0..<swept.count { sum += poses[Int(swept[k])].position }
    let mean = sum / Double(swept.count)
    var square = Vector3<Double>.zero
    for k in 0..<swept.count {
      let offset = poses[Int(swept[k])].position - mean
      square += Vector3(offset.x * offset.x, offset.y * offset.y, offset.z * offset.z)
    }
    return square.x >= square.y && square.x >= square.z ? 0 : square.y >= square.z ? 1 : 2
  }

  /// Shell's sort with Ciura's gaps: in place, and linear for an order that hardly changed.
  private func sortOrder(_ count: Int) {
    let gaps: InlineArray<9, Int> = [1750, 701, 301, 132, 57, 23, 10, 4, 1]
    for gap in gaps.indices.lazy.map({ gaps[$0] }) where gap < count {
      for k in gap..<count {
        let item = order[k]
        let key = lower[Int(item)]
        var at = k
        while at >= gap, lower[Int(order[at - gap])] > key {
          order[at] = order[at - gap]
          at -= gap
        }
        order[at] = item
      }
    }
  }
}

extension [Int32] {
  /// Sorts by heaps, which needs no further memory.
  fileprivate mutating func sortInPlace() {
    withUnsafeMutableBufferPointer { items in
      func sift(_ start: Int, _ end: Int) {
        var root = start
        while 2 * root + 1 < end {
          var child = 2 * root + 1
          if child + 1 < end, items[child] < items[child + 1] { child += 1 }
          if items[root] >= items[child] { return }
          items.swapAt(root, child)
          root = child
        }
      }
      for start in stride(from: items.count / 2 - 1, through: 0, by: -1) { sift(start, items.count) }
      for end in stride(from: items.count - 1, to: 0, by: -1) {
        items.swapAt(0, end)
        sift(0, end)
      }
    }
  }
}
