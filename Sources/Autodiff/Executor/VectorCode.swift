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

    /// Brings the numbers of `count` vectors together, by gatherings from number `a` on.
    static let gather: UInt8 = 192
    /// Likewise by permutations, each of up to two or four windows.
    static let permuteTwo: UInt8 = 194
    static let permuteFour: UInt8 = 195
    /// `count` instructions on single numbers from number `a` on.
    static let singles: UInt8 = 193
    /// `count` moves from number `a` on, and likewise products.
    static let move: UInt8 = 196
    static let product: UInt8 = 197
    /// The sum of `count` numbers from place `a` on.
    static let sum: UInt8 = 198
  }
  /// Numbers that are copied within the block.
  struct Move: Sendable {
    var source: UInt32
    var target: UInt32
    var count: UInt32
  }
  /// A product that is computed in an output from an element on, or added to what is there.
  struct Result: Sendable {
    var product: costate_product
    var array: Int32
    var element: UInt32
    var adds: Bool
  }
  /// An input that an output begins with; results and additions are added.
  struct Base: Sendable {
    var input: Int
    var output: Int
    var count: Int
  }
  /// Neighbouring elements of an input or output, and their places.
  struct Copy: Sendable {
    var array: Int32
    var element: UInt32
    var place: UInt32
    var count: UInt32
  }
  var entries: [Entry] = []
  /// What is made of numbers that stay: constants and fixed inputs.
  var fixedEntries: [Entry] = []
  var gatherings: [costate_gathering] = []
  private(set) var permutations: [costate_permutation] = []
  var singles: [Instruction] = []
  var moves: [Move] = []
  var products: [costate_product] = []
  var constants: [Double] = []
  var loads: [Copy] = []
  var stores: [Copy] = []
  var base: Base?
  var results: [Result] = []
  var additions: [Copy] = []
  /// Numbers of the block.
  var size = 0
  private var instructionCount = 0

  static let width = 8
  /// Fewer instructions than this are done one by one: gathering their operands takes as long.
  private static let leastGroup = 4
  /// Programs with fewer instructions than this are done before vectors are brought together.
  static let leastInstructions = 129
  /// Programs with more instructions than this leave the caches, as no place is used again.
  static let mostInstructions = 8192

  /// - Parameter isFixed: of each input, whether it stays the same from run to run.
  init(_ program: RegisterProgram, isFixed: [Bool]) {
    var builder = Builder(program, isFixed: isFixed)
    builder.schedule()
    builder.finish(program)
    self = builder.code
    instructionCount = program.instructions.count
  }

  /// Whether a run in vectors takes clearly less time than instructions one by one: in tenths of an instruction, of which those on vectors
  /// take about four, bringing a vector together nine, and another entry five; where entries are short, each waits for the one before.
  var isWorthwhile: Bool {
    let vectors = entries.reduce(0) {
      $0 + ($1.operation < Entry.gather ? Int($1.count) : 0)
    }
    let time =
      4 * vectors + 9 * (permutations.count + gatherings.count) + 10 * singles.count + 5 * entries.count
    return time < 4 * instructionCount
  }

  /// Nanoseconds of a run of array code, as measured: most of it is the way from one entry to the next.
  private var arrayTime: Double {
    var time = 20.0
    for entry in entries {
      let isSlow = Self.isSlow(entry.operation)
      time += 7 + (isSlow ? 12 : 0)
      if entry.operation < Entry.gather { time += Double(entry.count) * (isSlow ? 12 : 0.5) }
      if entry.operation == Entry.singles { time += Double(entry.count) * 8 }
      if entry.operation == Entry.gather { time += Double(entry.count) * 3 }
    }
    for product in products + results.map(\.product) {
      let width = product.isDot == 0 ? product.columns : product.depth
      let others = product.isDot == 0 ? product.depth : product.columns
      time += 0.3 * Double(product.rows * others * ((width + 7) / 8))
    }
    return time + 4 * Double(results.count + additions.count)
  }
  /// Whether products are most of the work of array code.
  private var hasMostlyProducts: Bool {
    let numbers = entries.reduce(0) { $0 + ($1.operation < Entry.gather ? Int($1.count) * Self.width : 0) }
    return (products + results.map(\.product)).reduce(0) { $0 + Int($1.rows * $1.depth * $1.columns) }
      >= numbers
  }
  /// Whether a run of array code takes less time than one of scalar instructions, or of parts on arrays if there are none.
  func isWorthwhile(insteadOf program: RegisterProgram?) -> Bool {
    guard let program else { return hasMostlyProducts }
    let count = Double(program.instructions.count)
    if program.instructions.count >= Self.leastInstructions { return arrayTime < 150 + 0.5 * count }
    let slow = Double(program.instructions.count { Self.isSlow($0.operation) })
    return arrayTime < 10 + 1.2 * (count - slow) + 7.5 * slow
  }
  /// True for functions that take several times as long as a product.
  private static func isSlow(_ operation: UInt8) -> Bool {
    if let unary = Unary(rawValue: operation) {
      return unary.rawValue > Unary.reciprocal.rawValue
    }
    let binary = Binary(rawValue: operation &- RegisterOperation.binary)
    return operation < RegisterOperation.comparison
      && (binary == .power || binary == .arcTangent2 || binary == .remainder)
  }
  /// True if the operation has the same results on vectors as on single numbers, and is faster on them.
  static func isVectorized(_ operation: UInt8) -> Bool {
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
    /// Vectors that are brought together by an entry, and by one of those on numbers that stay.
    private var gatherings: [Int: [costate_gathering]] = [:]
    private var permutations: [Int: [costate_permutation]] = [:]
    private var fixedGatherings: [costate_gathering] = []
    /// The entry that defines a node's result.
    private var definition: [Int] = []
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
        if k == 0 || loads[k - 1].input != load.input { code.size = aligned(code.size) }
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
      definition = [Int](repeating: 0, count: nodes.count)
    }

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
          definition[index] = code.entries.count - 1
          code.size += 1
        }
        return
      }
      // Arrays whose operands lie one after the other as they do need one entry.
      var parts: [[Int?]] = []
      for lanes in divided(group) {
        if let last = parts.last, isUniform(last, lanes) {
          parts[parts.count - 1] += lanes
        } else {
          parts.append(lanes)
        }
      }
      let operands = parts.map { lanes in operandIndices(group).map { operand(values(lanes, $0)) } }
      code.size = aligned(code.size)
      for (lanes, operands) in zip(parts, operands) {
        for (k, index) in lanes.enumerated() {
          guard let index else { continue }
          place[firstNode + index] = UInt32(code.size + k)
          definition[index] = code.entries.count
        }
        code.entries.append(
          Entry(
            operation: operation, count: UInt32(lanes.count / width), target: UInt32(code.size),
            a: operands[0], b: operands.count > 1 ? operands[1] : 0, c: operands.count > 2 ? operands[2] : 0))
        code.size += lanes.count
      }
    }
    private func operandIndices(_ group: [Int]) -> Range<Int> { nodes[group[0]].operands.indices }
    private func values(_ lanes: [Int?], _ operand: Int) -> [Int?] {
      lanes.map { $0.map { nodes[$0].operands[operand] } }
    }
    /// True if each operand of both lies in one stretch, or in one in neither.
    private func isUniform(_ first: [Int?], _ second: [Int?]) -> Bool {
      nodes[first[0]!].operands.indices.allSatisfy { k in
        let (a, b) = (values(first, k), values(second, k))
        return isStretch(a + b) || (!isStretch(a) && !isStretch(b))
      }
    }
    private func isStretch(_ values: [Int?]) -> Bool {
      let first = place[values[0]!]
      return values.enumerated().allSatisfy { $1 == nil || place[$1!] == first + UInt32($0) }
    }

    /// The nodes of a group as lanes of vectors. If that does not take many more, operations on several arrays begin with a vector each,
    /// so that the vectors of what reads one of these arrays are vectors of it.
    private func divided(_ group: [Int]) -> [[Int?]] {
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
      return (isDivided ? ranges : [group.indices]).map { range in
        group[range].map { $0 } + [Int?](repeating: nil, count: vectors(range.count) * width - range.count)
      }
    }
    /// The first node that reads a node's result.
    private func reader(_ index: Int) -> Int { readers[index].first ?? -1 }

    /// The first place of values one after the other; what is in other lanes does not matter.
    private mutating func operand(_ values: [Int?]) -> UInt32 {
      if isStretch(values) { return place[values[0]!] }
      var places: [UInt32] = []
      for value in values { places.append(value.map { place[$0] } ?? places.last!) }
      if let known = gathered[places] { return known }
      code.size = aligned(code.size)
      let target = UInt32(code.size)
      code.size += places.count
      gathered[places] = target
      // What is needed for it is there after this entry.
      let known = values.compactMap { $0 }
      let last = known.map { $0 < firstNode ? -1 : definition[$0 - firstNode] }.max()!
      for k in stride(from: 0, to: places.count, by: width) {
        let eight = places[k..<k + width]
        let gathering = VectorCode.gathering(eight, UInt32(k) + target)
        if known.allSatisfy({ isConstant[$0] }) {
          fixedGatherings.append(gathering)
        } else if let (permutation, windows) = Self.permutation(eight, UInt32(k) + target) {
          let entry = entry(windows > 2 ? Entry.permuteFour : Entry.permuteTwo, after: last)
          permutations[entry, default: []].append(permutation)
        } else {
          gatherings[entry(Entry.gather, after: last), default: []].append(gathering)
        }
      }
      return target
    }
    /// An entry of this kind that comes after another one.
    private mutating func entry(_ operation: UInt8, after last: Int) -> Int {
      if let known = code.entries.indices.dropFirst(last + 1).first(where: {
        code.entries[$0].operation == operation
      }) {
        return known
      }
      code.entries.append(Entry(operation: operation, count: 0, target: 0, a: 0, b: 0, c: 0))
      return code.entries.count - 1
    }
    /// Eight places in windows of eight, if four of these are enough.
    private static func permutation(_ places: ArraySlice<UInt32>, _ target: UInt32) -> (
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
          lane: (lanes[0], lanes[1], lanes[2], lanes[3], lanes[4], lanes[5], lanes[6], lanes[7]),
          target: target), count
      )
    }

    /// Lists what is gathered, and what is stored.
    mutating func finish(_ program: RegisterProgram) {
      for output in Set(program.stores.map(\.output)).sorted() {
        let stores = program.stores.filter { $0.output == output }.sorted { $0.element < $1.element }
        var copies: [Copy] = []
        for store in stores {
          copies.append(output, store.element, place: Int(place[value[store.register]!]))
        }
        // Many pieces are brought together first.
        let vectors = (stores.count + width - 1) / width
        if copies.count > 2 * vectors {
          let padding = [Int?](repeating: nil, count: vectors * width - stores.count)
          let first = operand(stores.map { value[$0.register]! } + padding)
          copies = [Copy(array: output, element: 0, place: first, count: UInt32(stores.count))]
        }
        code.stores += copies
      }
      if !fixedGatherings.isEmpty {
        code.fixedEntries = [
          Entry(operation: Entry.gather, count: UInt32(fixedGatherings.count), target: 0, a: 0, b: 0, c: 0)
        ]
        code.gatherings = fixedGatherings
      }
      for k in code.entries.indices {
        if let list = gatherings[k] {
          code.entries[k].a = UInt32(code.gatherings.count)
          code.entries[k].count = UInt32(list.count)
          code.gatherings += list
        }
        if let list = permutations[k] {
          code.entries[k].a = UInt32(code.permutations.count)
          code.entries[k].count = UInt32(list.count)
          code.permutations += list
        }
      }
      // A vector that begins at the last number ends here.
      code.size = aligned(code.size) + width
    }
  }

  /// Nothing yet.
  init() {}
  static func aligned(_ place: Int) -> Int { (place + width - 1) / width * width }
  private static func gathering(_ places: ArraySlice<UInt32>, _ target: UInt32) -> costate_gathering {
    let p = Array(places)
    return costate_gathering(place: (p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]), target: target)
  }
  /// What brings any number of places together.
  static func gatherings(_ places: [UInt32], to target: UInt32) -> [costate_gathering] {
    stride(from: 0, to: places.count, by: width).map { k in
      let eight = places[k..<min(k + width, places.count)]
      let padding = [UInt32](repeating: places[places.count - 1], count: width - eight.count)
      return gathering((eight + padding)[...], target + UInt32(k))
    }
  }
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
