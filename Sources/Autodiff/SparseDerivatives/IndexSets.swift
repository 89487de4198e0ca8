/// Sets of input elements, each known by a number: 0 is the empty set, k + 1 that of element k alone. Equal sets have equal
/// numbers, so that an array of sets is an array of numbers.
struct IndexSets {
  /// Patterns whose distinct sets hold more numbers than this in all are refused: 512 MiB.
  static let limit = 1 << 27
  /// Unions that look at more numbers than this in all are refused: some ten seconds.
  private static let workLimit = 1 << 32

  private var members: [[Int32]]
  private var numbers: [[Int32]: Int32] = [:]
  private var unions: [UInt64: Int32] = [:]
  private var total: Int
  /// The last union in which each element was met.
  private var met: [Int32]
  private var unionCount: Int32 = 0
  private var work = 0

  init(count: Int) {
    members = [[]] + (0..<Int32(count)).map { [$0] }
    total = count
    met = [Int32](repeating: 0, count: count)
  }

  func elements(_ set: Int32) -> [Int32] { members[Int(set)] }

  mutating func union(_ a: Int32, _ b: Int32) throws(TensorError) -> Int32 {
    if a == b || b == 0 { return a }
    if a == 0 { return b }
    let key = UInt64(UInt32(min(a, b))) << 32 | UInt64(UInt32(max(a, b)))
    if let known = unions[key] { return known }
    let (x, y) = (members[Int(a)], members[Int(b)])
    // All elements together contain every other set.
    if x.count == met.count { return a }
    if y.count == met.count { return b }
    try count(x.count + y.count)
    var merged: [Int32] = []
    merged.reserveCapacity(x.count + y.count)
    var (i, j) = (0, 0)
    while i < x.count && j < y.count {
      let (p, q) = (x[i], y[j])
      merged.append(min(p, q))
      i += p <= q ? 1 : 0
      j += q <= p ? 1 : 0
    }
    merged += x[i...]
    merged += y[j...]
    let made = try number(merged)
    unions[key] = made
    return made
  }

  /// The union of many; what is in between is not kept.
  mutating func union(_ sets: some Sequence<Int32>) throws(TensorError) -> Int32 {
    var distinct: [Int32] = []
    var last: Int32 = 0
    for set in sets where set != 0 && set != last {
      distinct.append(set)
      last = set
    }
    if distinct.count <= 1 { return last }
    if distinct.count == 2 { return try union(distinct[0], distinct[1]) }
    unionCount += 1
    var merged: [Int32] = []
    for set in Set(distinct) {
      if members[Int(set)].count == met.count { return set }
      try count(members[Int(set)].count)
      for element in members[Int(set)] where met[Int(element)] != unionCount {
        met[Int(element)] = unionCount
        merged.append(element)
      }
    }
    return try number(merged.sorted())
  }

  private mutating func count(_ elements: Int) throws(TensorError) {
    work += elements
    guard work <= Self.workLimit else { throw Self.notSparse("time") }
  }
  /// - Parameter what: is used up.
  static func notSparse(_ what: String) -> TensorError {
    TensorError(
      .range, "sparsity",
      "the dependences of this function take too much \(what): its derivative is not sparse; use jacobian(_:) or products "
        + "with it (jvp, vjp)")
  }

  private mutating func number(_ elements: [Int32]) throws(TensorError) -> Int32 {
    if elements.count == 1 { return elements[0] + 1 }
    if let known = numbers[elements] { return known }
    total += elements.count
    guard total <= Self.limit else { throw Self.notSparse("memory") }
    let made = Int32(members.count)
    members.append(elements)
    numbers[elements] = made
    return made
  }
}
