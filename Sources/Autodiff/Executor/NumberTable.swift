/// Finds which of the numbered things in a list is equal to a given one. Only numbers are kept here: what they stand for, and
/// its hash, are the caller's. Programs of a million operations are made of such questions.
struct NumberTable {
  /// Mixes 64-bit words. Not meant to withstand an adversary, as a dictionary's hash is.
  struct Hash {
    private(set) var value: UInt64 = 0x9e37_79b9_7f4a_7c15
    @inline(__always) mutating func combine(_ word: UInt64) {
      let (high, low) = (value ^ word).multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
      value = high ^ low
    }
  }

  /// A power of two of them; -1 where nothing is.
  private var slots = [Int32](repeating: -1, count: 64)
  private var count = 0

  /// Where a thing is, or would be put.
  @inline(__always) func place(_ hash: Hash, _ isEqual: (Int32) -> Bool) -> Int {
    let mask = slots.count &- 1
    var place = Int(truncatingIfNeeded: hash.value) & mask
    while slots[place] >= 0 && !isEqual(slots[place]) { place = (place &+ 1) & mask }
    return place
  }
  subscript(place: Int) -> Int32? { slots[place] >= 0 ? slots[place] : nil }

  /// Puts a new thing where ``place(_:_:)`` said.
  @inline(__always) mutating func insert(_ number: Int32, at place: Int) {
    slots[place] = number
    count += 1
  }
  /// True if finding takes long for want of space: the table is to be replaced by ``grown(_:)``.
  var isCrowded: Bool { 2 * count > slots.count }
  /// The same numbers in a larger table; `hash` is that of any of them.
  func grown(_ hash: (Int32) -> Hash) -> NumberTable {
    var table = NumberTable()
    table.count = count
    table.slots = [Int32](repeating: -1, count: 4 * slots.count)
    for number in slots where number >= 0 {
      table.slots[table.place(hash(number)) { _ in false }] = number
    }
    return table
  }
}
