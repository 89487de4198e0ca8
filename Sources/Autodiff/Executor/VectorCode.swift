import CLanes

/// A straight sequence of scalar instructions as operations on vectors of eight: independent instructions with the same operation are done
/// at once. For single runs of programs that are long enough to have such instructions; arithmetic has the same results as one by one.
///
/// Every value has a place of its own in a block of memory, those of an operation one after the other, so that what reads them mostly reads a
/// stretch. Operands that lie elsewhere are gathered first.
struct VectorCode: Sendable {
  /// An operation on `count` vectors from places `a`, `b` and `c` on to those from `target` on.
  struct Entry: Sendable {
    var operation: UInt8
    var count: UInt32
    var target: UInt32
    var a: UInt32
    var b: UInt32
    var c: UInt32

    /// Takes numbers from eight places for each vector, listed from index `a` on.
    static let gather: UInt8 = 192
    /// Likewise by permutations from number `a` on, each of up to two or four windows.
    static let permuteTwo: UInt8 = 194
    static let permuteFour: UInt8 = 195
    /// `count` instructions on single numbers from number `a` on.
    static let singles: UInt8 = 193
  }
  /// Neighbouring elements of an input or output, and their places.
  struct Copy: Sendable {
    var array: Int32
    var element: UInt32
    var place: UInt32
    var count: UInt32
  }
  private(set) var entries: [Entry] = []
  /// Gathers of numbers that stay: constants and fixed inputs.
  private(set) var fixedEntries: [Entry] = []
  private(set) var indices: [UInt32] = []
  private(set) var permutations: [costate_permutation] = []
  private(set) var singles: [Instruction] = []
  private(set) var constants: [Double] = []
  private(set) var loads: [Copy] = []
  private(set) var stores: [Copy] = []
  /// Numbers of the block.
  private(set) var size = 0

  static let width = 8
  /// Fewer instructions than this are done one by one: gathering their operands takes as long.
  private static let leastGroup = 4
  /// Programs with more instructions than this leave the caches, as no place is used again.
  static let mostInstructions = 8192

  /// - Parameter isFixed: of each input, whether it stays the same from run to run.
  init(_ program: RegisterProgram, isFixed: [Bool]) {
    var builder = Builder(program, isFixed: isFixed)
    builder.schedule()
    builder.store(program)
    self = builder.code
  }

  /// True if the operation has the same results on vectors as on single numbers, and is faster on them.
  private static func isVectorized(_ operation: UInt8) -> Bool {
    if let unary = Unary(rawValue: operation) { return unary.hasVectorForm }
    if let binary = Binary(rawValue: operation &- RegisterOperation.binary),
      operation < RegisterOperation.comparison
    {
      return binary != .remainder
    }
    return true
  }
}

extension VectorCode {
  private struct Builder {
    var code = VectorCode()
    /// The operation that defines a value, and the values that it reads.
    private struct Node {
      var operation: UInt8
      var operands: [Int]
    }
    private var nodes: [Node] = []
    /// Of values: constants, inputs, then results of nodes.
    private var place: [UInt32] = []
    private var isConstant: [Bool] = []
    private let firstNode: Int
    /// The value that a register holds in the end.
    private var value: [UInt32: Int] = [:]
    private var gathered: [[UInt32]: UInt32] = [:]
    /// The nodes that read a node's result.
    private var readers: [[Int]] = []

    init(_ program: RegisterProgram, isFixed: [Bool]) {
      for (register, number) in program.constants.enumerated() {
        value[UInt32(register)] = place.count
        place.append(UInt32(place.count))
        isConstant.append(true)
        code.constants.append(number)
      }
      code.size = place.count
      let loads = program.loads.sorted { ($0.input, $0.element) < ($1.input, $1.element) }
      for (k, load) in loads.enumerated() {
        // Inputs start at a boundary of vectors.
        if k == 0 || loads[k - 1].input != load.input { code.size = Self.aligned(code.size) }
        value[load.register] = place.count
        place.append(UInt32(code.size))
        isConstant.append(isFixed[Int(load.input)])
        code.loads.append(load.input, load.element, place: code.size)
        code.size += 1
      }
      firstNode = place.count
      for instruction in program.instructions {
        let registers = [instruction.a, instruction.b, instruction.c].prefix(instruction.operandCount)
        nodes.append(Node(operation: instruction.operation, operands: registers.map { value[$0]! }))
        value[instruction.target] = place.count
        place.append(0)
        isConstant.append(false)
      }
    }
    private static func aligned(_ place: Int) -> Int { (place + width - 1) / width * width }

    /// Orders the nodes, of which those with the same operation that are ready at a time are done at once.
    mutating func schedule() {
      readers = [[Int]](repeating: [], count: nodes.count)
      var missing = [Int](repeating: 0, count: nodes.count)
      for (index, node) in nodes.enumerated() {
        for operand in Set(node.operands) where operand >= firstNode {
          readers[operand - firstNode].append(index)
          missing[index] += 1
        }
      }
      var ready: [UInt8: [Int]] = [:]
      for index in nodes.indices where missing[index] == 0 {
        ready[nodes[index].operation, default: []].append(index)
      }
      // The oldest goes first, as operations on arrays were written out one after the other; but those that are alone wait for others.
      while let operation = Self.next(ready) {
        let group = ready.removeValue(forKey: operation)!.sorted()
        append(group, operation)
        for index in group {
          for reader in readers[index] {
            missing[reader] -= 1
            if missing[reader] == 0 { ready[nodes[reader].operation, default: []].append(reader) }
          }
        }
      }
    }
    private static func next(_ ready: [UInt8: [Int]]) -> UInt8? {
      func isAlone(_ group: [Int]) -> Bool { group.count < leastGroup }
      return ready.min { a, b in
        (isAlone(a.value) ? 1 : 0, a.value.min()!) < (isAlone(b.value) ? 1 : 0, b.value.min()!)
      }?.key
    }

    private mutating func append(_ group: [Int], _ operation: UInt8) {
      if group.count < leastGroup || !isVectorized(operation) {
        for index in group {
          let operands = nodes[index].operands.map { place[$0] }
          place[firstNode + index] = UInt32(code.size)
          code.append(
            Instruction(
              operation: operation, target: UInt32(code.size), a: operands[0],
              b: operands.count > 1 ? operands[1] : 0, c: operands.count > 2 ? operands[2] : 0))
          code.size += 1
        }
        return
      }
      let lanes = divided(group)
      let operands = nodes[group[0]].operands.indices.map { k in
        operand(lanes.map { $0.map { nodes[$0].operands[k] } })
      }
      code.size = Self.aligned(code.size)
      code.entries.append(
        Entry(
          operation: operation, count: UInt32(lanes.count / width), target: UInt32(code.size), a: operands[0],
          b: operands.count > 1 ? operands[1] : 0, c: operands.count > 2 ? operands[2] : 0))
      for (k, index) in lanes.enumerated() {
        if let index { place[firstNode + index] = UInt32(code.size + k) }
      }
      code.size += lanes.count
    }

    /// The nodes of a group as lanes of vectors. If that does not take many more, operations on several arrays begin with a vector each,
    /// so that the vectors of what reads one of these arrays are vectors of it.
    private func divided(_ group: [Int]) -> [Int?] {
      // An array's nodes follow each other in even steps, and so do those that read them.
      func step(_ k: Int) -> (Int, Int) {
        (group[k] - group[k - 1], reader(group[k]) - reader(group[k - 1]))
      }
      var starts = [0]
      for k in group.indices.dropFirst(2) where k - starts.last! > 1 && step(k) != step(k - 1) {
        starts.append(k)
      }
      let ranges = zip(starts, starts.dropFirst() + [group.count]).map { $0..<$1 }
      func vectors(_ count: Int) -> Int { (count + width - 1) / width }
      let isDivided = ranges.reduce(0) { $0 + vectors($1.count) } * 6 <= vectors(group.count) * 7
      return (isDivided ? ranges : [group.indices]).flatMap { range -> [Int?] in
        group[range].map { $0 } + [Int?](repeating: nil, count: vectors(range.count) * width - range.count)
      }
    }
    /// The first node that reads a node's result.
    private func reader(_ index: Int) -> Int { readers[index].first ?? -1 }

    /// The first place of values one after the other; what is in other lanes does not matter.
    private mutating func operand(_ values: [Int?]) -> UInt32 {
      let places = values.map { $0.map { place[$0] } }
      let first = places[0]!
      if places.enumerated().allSatisfy({ $1 == nil || $1! == first + UInt32($0) }) { return first }
      var filled: [UInt32] = []
      for place in places { filled.append(place ?? filled.last!) }
      if let known = gathered[filled] { return known }
      let permutations = stride(from: 0, to: filled.count, by: width).map {
        Self.permutation(filled[$0..<$0 + width])
      }
      let windows = permutations.map { $0?.windows ?? .max }.max()!
      code.size = Self.aligned(code.size)
      let operation = windows > 4 ? Entry.gather : windows > 2 ? Entry.permuteFour : Entry.permuteTwo
      let entry = Entry(
        operation: operation, count: UInt32(filled.count / width), target: UInt32(code.size),
        a: UInt32(windows > 4 ? code.indices.count : code.permutations.count), b: 0, c: 0)
      if values.allSatisfy({ $0 == nil || isConstant[$0!] }) {
        code.fixedEntries.append(entry)
      } else {
        code.entries.append(entry)
      }
      if windows > 4 {
        code.indices += filled
      } else {
        code.permutations += permutations.map { $0!.permutation }
      }
      code.size += filled.count
      gathered[filled] = entry.target
      return entry.target
    }

    /// Eight places in windows of eight, if four of these are enough.
    private static func permutation(_ places: ArraySlice<UInt32>) -> (
      permutation: costate_permutation, windows: Int
    )? {
      var windows: [UInt32] = []
      for place in places.sorted() {
        if let last = windows.last, place < last + UInt32(width) { continue }
        // Vectors are written at multiples of their width, and are read faster from there.
        let start = place - place % UInt32(width)
        let reach = places.filter { $0 >= place && $0 < place + UInt32(width) }.max()!
        windows.append(reach < start + UInt32(width) ? start : place)
      }
      if windows.count > 4 { return nil }
      let lanes = places.map { place -> UInt8 in
        let window = windows.lastIndex { $0 <= place }!
        return UInt8(window * width) + UInt8(place - windows[window])
      }
      let count = windows.count
      while windows.count < 4 { windows.append(windows[0]) }
      return (
        costate_permutation(
          window: (windows[0], windows[1], windows[2], windows[3]),
          lane: (lanes[0], lanes[1], lanes[2], lanes[3], lanes[4], lanes[5], lanes[6], lanes[7])), count
      )
    }

    mutating func store(_ program: RegisterProgram) {
      for store in program.stores.sorted(by: { ($0.output, $0.element) < ($1.output, $1.element) }) {
        code.stores.append(store.output, store.element, place: Int(place[value[store.register]!]))
      }
      // A vector that begins at the last number ends here.
      code.size = Self.aligned(code.size) + width
    }
  }

  private init() {}
  private mutating func append(_ instruction: Instruction) {
    if let last = entries.last, last.operation == Entry.singles {
      entries[entries.count - 1].count += 1
    } else {
      entries.append(
        Entry(operation: Entry.singles, count: 1, target: 0, a: UInt32(singles.count), b: 0, c: 0))
    }
    singles.append(instruction)
  }
}

extension [VectorCode.Copy] {
  fileprivate mutating func append(_ array: Int32, _ element: Int32, place: Int) {
    if let last, last.array == array, last.element + last.count == UInt32(element),
      Int(last.place + last.count) == place
    {
      self[count - 1].count += 1
    } else {
      append(VectorCode.Copy(array: array, element: UInt32(element), place: UInt32(place), count: 1))
    }
  }
}
