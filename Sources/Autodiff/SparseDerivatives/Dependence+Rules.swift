// How sets of input elements go through one operation. Here at least one operand depends on something.

extension Dependence {
  mutating func rule(_ call: Call) throws(TensorError) -> [DenseArray?] {
    let operands = call.operands
    switch call.primitive {
    case let operation as Unary:
      switch operation {
      case .sign, .floor, .ceiling, .round, .truncate: return [nil]
      default: return [operands[0].sets]
      }
    case is Comparison, is Logical, is Ordering, is StopGradient, is RandomBits:
      return call.results.map { _ in nil }
    case let convert as Convert: return [convert.target.isFloatingPoint ? operands[0].sets : nil]
    case let operation as Binary:
      var (a, b) = (operands[0].sets, operands[1].sets)
      if operation == .multiply {
        a = a.map { Self.without($0, zerosOf: operands[1].number) }
        b = b.map { Self.without($0, zerosOf: operands[0].number) }
      }
      return [try union(a, b)]
    case is Select:
      guard let mask = operands[0].number else { return [try union(operands[1].sets, operands[2].sets)] }
      return Select().evaluate([mask, call.filled(1), call.filled(2)]).map { $0 }
    case let shaping where Self.isShaping(shaping):
      // Places of zeros are places of the empty set.
      return (try shaping.evaluate(operands.indices.map { call.filled($0) })).map { $0 }
    case let reduction as Reduction: return [try reduced(reduction, operands[0].sets!, call.results[0])]
    case let sum as CumulativeSum: return [try cumulated(sum, operands[0].sets!)]
    case is MatrixProduct: return [try product(call)]
    case let gather as Gather: return [try gathered(gather, call)]
    case let scatter as ScatterAdd: return [try scattered(scatter, call)]
    case is any MatrixPrimitive: return try byMatrix(call)
    default: return try joined(call)
    }
  }

  private static func isShaping(_ primitive: any Primitive) -> Bool {
    switch primitive {
    case is Slice, is Embed, is Concatenate, is Broadcast, is Reshape, is Transpose: true
    default: false
    }
  }
  /// The sets where a factor is not known to be zero.
  private static func without(_ sets: DenseArray, zerosOf factor: DenseArray?) -> DenseArray {
    guard let factor, let mask = try? factor.converted(to: .bool) else { return sets }
    return Select().evaluate([mask, sets, DenseArray(filling: 0, sets.type)])[0]
  }

  /// Each result's set is the union of a row.
  private mutating func unions(_ sets: DenseArray, rows: Int) throws(TensorError) -> [Int32] {
    let numbers = sets.values(Int32.self)
    let length = rows == 0 ? 0 : numbers.count / rows
    var result: [Int32] = []
    for row in 0..<rows { result.append(try self.sets.union(numbers[row * length..<(row + 1) * length])) }
    return result
  }
  private mutating func reduced(_ reduction: Reduction, _ x: DenseArray, _ type: TensorType)
    throws(TensorError)
    -> DenseArray
  {
    let kept = x.shape.indices.filter { !reduction.axes.contains($0) }
    return DenseArray(try unions(x.transposed(kept + reduction.axes), rows: type.count), shape: type.shape)
  }
  private mutating func cumulated(_ sum: CumulativeSum, _ x: DenseArray) throws(TensorError) -> DenseArray {
    var numbers = x.values(Int32.self)
    let inner = x.shape.dropFirst(sum.axis + 1).reduce(1, *)
    let extent = x.shape[sum.axis]
    for place in sum.isReverse ? Array(numbers.indices.reversed()) : Array(numbers.indices) {
      let k = place / inner % extent
      if sum.isReverse ? k < extent - 1 : k > 0 {
        numbers[place] = try sets.union(numbers[place], numbers[place + (sum.isReverse ? inner : -inner)])
      }
    }
    return DenseArray(numbers, shape: x.shape)
  }

  /// Terms whose other factor is known to be zero do not count.
  private mutating func product(_ call: Call) throws(TensorError) -> DenseArray? {
    let shape = call.results[0].shape
    let (m, k, n) = (shape[1], call.types[0].shape[2], shape[2])
    let (a, b) = (call.operands[0], call.operands[1])
    var result: DenseArray?
    if let sets = a.sets {
      // By rows of a, and columns of b.
      let rows = try partialProduct(sets, b.number?.transposed([0, 2, 1]), (shape[0], m, k, n))
      result = DenseArray(rows, shape: shape)
    }
    if let sets = b.sets {
      let columns = try partialProduct(sets.transposed([0, 2, 1]), a.number, (shape[0], n, k, m))
      result = try union(result, DenseArray(columns, shape: [shape[0], n, m]).transposed([0, 2, 1]))
    }
    return result
  }
  /// Sets `[s, m, k]` by factors `[s, n, k]`, nil if nothing is known of them, to sets `[s, m, n]`.
  private mutating func partialProduct(_ x: DenseArray, _ factor: DenseArray?, _ size: (Int, Int, Int, Int))
    throws(TensorError) -> [Int32]
  {
    let (stacks, m, k, n) = size
    let numbers = x.values(Int32.self)
    var result: [Int32] = []
    result.reserveCapacity(stacks * m * n)
    guard let factor = try factor?.converted(to: .bool).values(Bool.self) else {
      for row in try unions(x, rows: stacks * m) { result += [Int32](repeating: row, count: n) }
      return result
    }
    for stack in 0..<stacks {
      let places = (0..<n).map { j in (0..<k).filter { factor[(stack * n + j) * k + $0] } }
      for i in 0..<m {
        let row = (stack * m + i) * k
        for j in 0..<n { result.append(try sets.union(places[j].lazy.map { numbers[row + $0] })) }
      }
    }
    return result
  }

  private mutating func gathered(_ gather: Gather, _ call: Call) throws(TensorError) -> DenseArray? {
    guard let x = call.operands[0].sets else { return nil }
    if let indices = call.operands[1].number { return try gather.evaluate([x, indices])[0] }
    // Any row.
    let lead = gather.isBatched ? 1 : 0
    let indexRank = call.types[1].shape.count
    let stacks = Array(x.shape.prefix(lead))
    let inner = Array(x.shape.dropFirst(lead + 1))
    let rowsLast = x.movingAxis(lead, to: x.rank - 1)
    let any = DenseArray(try unions(rowsLast, rows: (stacks + inner).elementCount), shape: stacks + inner)
    let axes = Array(0..<lead) + inner.indices.map { indexRank + $0 }
    return any.broadcast(to: call.results[0].shape, axes: axes)
  }
  private mutating func scattered(_ scatter: ScatterAdd, _ call: Call) throws(TensorError) -> DenseArray? {
    guard let rows = call.operands[1].sets else { return nil }
    let shape = call.results[0].shape
    let lead = scatter.isBatched ? 1 : 0
    let stacks = Array(shape.prefix(lead))
    let inner = Array(shape.dropFirst(lead + 1))
    let width = inner.elementCount
    let perStack = call.types[0].shape.dropFirst(lead).reduce(1, *)
    let flat = rows.reshaped(stacks + [perStack, width])
    guard let indices = call.operands[0].number?.values(Int32.self) else {
      let placesLast = flat.movingAxis(lead, to: lead + 1)
      let any = DenseArray(
        try unions(placesLast, rows: stacks.elementCount * width), shape: stacks + inner)
      return any.broadcast(to: shape, axes: Array(0..<lead) + inner.indices.map { lead + 1 + $0 })
    }
    let numbers = flat.values(Int32.self)
    var sums = [[Int32]](repeating: [], count: shape.elementCount)
    for (place, index) in indices.enumerated() {
      let row = place / max(perStack, 1) * scatter.count + Int(index)
      guard (0..<scatter.count).contains(Int(index)) else {
        throw TensorError(.range, scatter.name, "index \(index) is not in 0..<\(scatter.count)")
      }
      for j in 0..<width where numbers[place * width + j] != 0 {
        sums[row * width + j].append(numbers[place * width + j])
      }
    }
    var result: [Int32] = []
    for sum in sums { result.append(try sets.union(sum)) }
    return DenseArray(result, shape: shape)
  }

  /// Matrices of a stack are independent. Solutions of linear systems are so column by column, and those of triangular systems
  /// depend on the right-hand side from one end up to their place.
  mutating func byMatrix(_ call: Call) throws(TensorError) -> [DenseArray?] {
    let lead = call.types.max { $0.shape.count < $1.shape.count }!.shape.dropLast(2)
    let all = call.types + call.results
    guard all.allSatisfy({ $0.shape.starts(with: lead) }) else { return try joined(call) }
    let stacks = lead.reduce(1, *)
    let right = call.types.count - 1
    let isSolve = call.primitive is FactoredSolve || call.primitive is TriangularSolve
    let coupled = isSolve ? call.operands.dropLast() : call.operands[...]
    var common = [[Int32]](repeating: [], count: stacks)
    for operand in coupled {
      guard let sets = operand.sets else { continue }
      for (stack, set) in try unions(sets, rows: stacks).enumerated() { common[stack].append(set) }
    }
    var byStack: [Int32] = []
    for sets in common { byStack.append(try self.sets.union(sets)) }
    func spread(_ type: TensorType) -> DenseArray? {
      guard type.elementType.isFloatingPoint, byStack.contains(where: { $0 != 0 }) else { return nil }
      return DenseArray(byStack, shape: Array(lead)).broadcast(to: type.shape, axes: Array(lead.indices))
    }
    guard isSolve else { return call.results.map(spread) }
    guard let b = call.operands[right].sets else { return [spread(call.results[0])] }
    // Columns as rows of numbers.
    let shape = b.shape
    let columns = b.transposed(Array(lead.indices) + [shape.count - 1, shape.count - 2])
    let (n, count) = (shape[shape.count - 2], stacks * shape[shape.count - 1])
    var numbers = columns.values(Int32.self)
    if let triangle = call.primitive as? TriangularSolve {
      let isForward = triangle.isLower != triangle.isTransposed
      for column in 0..<count {
        for k in 1..<max(n, 1) {
          let place = column * n + (isForward ? k : n - 1 - k)
          numbers[place] = try sets.union(numbers[place], numbers[place + (isForward ? -1 : 1)])
        }
      }
    } else {
      numbers = try unions(columns, rows: count).flatMap { [Int32](repeating: $0, count: n) }
    }
    let own = DenseArray(numbers, shape: columns.shape).transposed(
      Array(lead.indices) + [shape.count - 1, shape.count - 2])
    return [try union(spread(call.results[0]), own)]
  }
}

extension DenseArray {
  /// One axis moved to another place.
  fileprivate func movingAxis(_ from: Int, to place: Int) -> DenseArray {
    var order = Array(shape.indices)
    order.insert(order.remove(at: from), at: place)
    return transposed(order)
  }
}
