/// Which input elements each element of a program's values depends on, by structure: whatever numbers the inputs have.
///
/// Arrays of index sets go through shaping, slicing and indexing like arrays of numbers. What is known ahead counts: products
/// with constant zeros, choices by constant masks, constant indices. Where which element is meant depends on data (indices,
/// conditions), the sets of all that can be meant are joined; operations without a rule of their own join all their operands.
struct Dependence {
  /// What is known of an array.
  struct Value {
    /// The set of each element; nil if all are empty.
    var sets: DenseArray?
    /// The numbers, if they are constants.
    var number: DenseArray?
  }
  var sets: IndexSets

  /// How an output depends on an input.
  static func pattern(of program: Program, output: Int, input: Int) throws(TensorError) -> SparsityPattern {
    let types = program.inputTypes
    let count = types[input].count
    guard count < Int(Int32.max) else {
      throw TensorError(.range, "sparsity", "\(count) inputs are too many")
    }
    var analysis = Dependence(sets: IndexSets(count: count))
    let singles = DenseArray((0..<Int32(count)).map { $0 + 1 }, shape: types[input].shape)
    let result = try analysis.propagate(
      program, types.indices.map { Value(sets: $0 == input ? singles : nil) })
    // Rows share their sets here, but not in the pattern.
    let entries = result[output].sets?.values(Int32.self).reduce(0) { $0 + analysis.sets.elements($1).count }
    guard entries ?? 0 <= IndexSets.limit else { throw IndexSets.notSparse("memory") }
    let rows =
      result[output].sets?.values(Int32.self).map { analysis.sets.elements($0).map(Int.init) }
      ?? [[Int]](repeating: [], count: program.outputTypes[output].count)
    return SparsityPattern(rows: rows, columnCount: count)
  }

  mutating func propagate(_ program: Program, _ inputs: [Value]) throws(TensorError) -> [Value] {
    var values = [Value?](repeating: nil, count: program.types.count)
    for (id, value) in zip(program.inputs, inputs) { values[Int(id)] = value }
    for constant in program.constants { values[Int(constant.variable)] = Value(number: constant.value) }
    let last = program.lastUses()
    for (index, equation) in program.equations.enumerated() {
      let ids = program.operands(of: equation)
      let operands = ids.map { values[Int($0)]! }
      let call = Call(
        primitive: program.primitive(of: equation), operands: operands,
        types: ids.map { program.types[Int($0)] },
        results: equation.results.map { program.types[$0] })
      for (id, value) in zip(equation.results, try results(of: call)) where last[id] >= 0 {
        values[id] = value
      }
      for id in ids where last[Int(id)] == index { values[Int(id)] = nil }
    }
    return program.outputs.map { values[Int($0)]! }
  }

  /// An operation met on the way.
  struct Call {
    var primitive: any Primitive
    var operands: [Value]
    var types: [TensorType]
    var results: [TensorType]
    /// The sets of an operand; empty ones where it depends on nothing.
    func filled(_ k: Int) -> DenseArray {
      operands[k].sets ?? DenseArray(filling: 0, TensorType(.int32, types[k].shape))
    }
  }
  /// Constants of at most this many elements are computed on the way: indices and masks, above all.
  private static let constantLimit = 1 << 16

  private mutating func results(of call: Call) throws(TensorError) -> [Value] {
    let isHigher = call.primitive is any HigherOrderPrimitive
    if call.operands.allSatisfy({ $0.sets == nil }), !isHigher {
      var known = [Value](repeating: Value(), count: call.results.count)
      let isSmall = call.results.allSatisfy { $0.count <= Self.constantLimit }
      let numbers = call.operands.compactMap(\.number)
      if numbers.count == call.operands.count, isSmall, let values = try? call.primitive.evaluate(numbers) {
        known = values.map { Value(number: $0) }
      }
      return known
    }
    if isHigher { return try nested(call) }
    return try rule(call).map { Value(sets: $0) }
  }

  /// All results depend on all operands.
  mutating func joined(_ call: Call) throws(TensorError) -> [DenseArray?] {
    let all = try union(call.operands.compactMap(\.sets))
    return call.results.map { filled($0, with: all) }
  }
  /// The same set everywhere; nil for arrays that have no derivative.
  func filled(_ type: TensorType, with set: Int32) -> DenseArray? {
    set == 0 || !type.elementType.isFloatingPoint
      ? nil : DenseArray(filling: Double(set), TensorType(.int32, type.shape))
  }
  mutating func union(_ arrays: [DenseArray]) throws(TensorError) -> Int32 {
    try sets.union(
      arrays.lazy.filter { $0.count > 0 }.flatMap { $0.isUniform ? [$0.read()] : $0.values(Int32.self) })
  }
  /// Element by element.
  mutating func union(_ a: DenseArray?, _ b: DenseArray?) throws(TensorError) -> DenseArray? {
    guard let a, let b else { return a ?? b }
    if a.count > 0 && a.isUniform && b.isUniform {
      return DenseArray(filling: Double(try sets.union(a.read(), b.read())), a.type)
    }
    var result = a.values(Int32.self)
    let other = b.values(Int32.self)
    for k in result.indices { result[k] = try sets.union(result[k], other[k]) }
    return DenseArray(result, shape: a.shape)
  }

  // MARK: Programs within programs

  private mutating func nested(_ call: Call) throws(TensorError) -> [Value] {
    let operands = call.operands
    switch call.primitive {
    case let inner as ProgramCall: return try propagate(inner.program, operands)
    case let inner as Checkpoint: return try propagate(inner.program, operands)
    case let inner as BatchedCall: return try propagate(try inner.expanded(), operands)
    case let choice as Conditional:
      if let condition = operands[0].number {
        return try propagate(
          condition.read(at: 0) != 0 ? choice.then : choice.otherwise, Array(operands.dropFirst()))
      }
      let first = try propagate(choice.then, Array(operands.dropFirst()))
      let second = try propagate(choice.otherwise, Array(operands.dropFirst()))
      var both: [Value] = []
      for (a, b) in zip(first, second) { both.append(Value(sets: try union(a.sets, b.sets))) }
      return both
    case let loop as Scan: return try repeated(loop, call)
    case let loop as While: return try settled(loop, operands)
    case let linear as CustomReverseTangent: return try transposed(linear, call)
    default:
      let sets = call.primitive is any MatrixPrimitive ? try byMatrix(call) : try joined(call)
      return sets.map { Value(sets: $0) }
    }
  }

  private mutating func repeated(_ scan: Scan, _ call: Call) throws(TensorError) -> [Value] {
    let constants = call.operands.prefix(scan.constantCount)
    var state = Array(call.operands[scan.constantCount..<scan.rowStart])
    var rows = [[DenseArray?]](repeating: [], count: scan.length)
    for step in 0..<scan.length {
      let row = scan.isReverse ? scan.length - 1 - step : step
      let entries = call.operands.dropFirst(scan.rowStart).map {
        Value(sets: $0.sets?.row(row), number: $0.number?.row(row))
      }
      let results = try propagate(scan.body, constants + state + entries)
      state = Array(results.prefix(scan.stateCount))
      rows[row] = results.dropFirst(scan.stateCount).map(\.sets)
    }
    return state
      + call.results.dropFirst(scan.stateCount).enumerated().map { k, type in
        let parts = rows.map { $0[k] }
        if parts.allSatisfy({ $0 == nil }) { return Value() }
        let length = type.shape.dropFirst().reduce(1, *)
        let numbers = parts.flatMap { $0?.values(Int32.self) ?? [Int32](repeating: 0, count: length) }
        return Value(sets: DenseArray(numbers, shape: type.shape))
      }
  }

  /// A loop of unknown length: sets only grow, so that they settle.
  private mutating func settled(_ loop: While, _ operands: [Value]) throws(TensorError) -> [Value] {
    let start = loop.conditionConstants + loop.bodyConstants
    let constants = operands[loop.conditionConstants..<start]
    var state = operands.dropFirst(start).map(\.sets)
    while true {
      let next = try propagate(loop.body, constants + state.map { Value(sets: $0) })
      var isSettled = true
      for k in state.indices {
        let joined = try union(state[k], next[k].sets)
        if joined?.values(Int32.self) != state[k]?.values(Int32.self) { isSettled = false }
        state[k] = joined
      }
      if isSettled { return state.map { Value(sets: $0) } }
    }
  }

  /// A linear map of which only the transpose is a program: an output depends on the inputs whose cotangent depends on the
  /// output's.
  private mutating func transposed(_ linear: CustomReverseTangent, _ call: Call) throws(TensorError)
    -> [Value]
  {
    let start = linear.residualCount + linear.captureCount
    let counts = linear.outputTypes.map(\.count)
    let total = counts.reduce(0, +)
    var backward = Dependence(sets: IndexSets(count: total))
    var first: Int32 = 1
    let cotangents = linear.outputTypes.map { type in
      defer { first += Int32(type.count) }
      return Value(sets: DenseArray((0..<Int32(type.count)).map { first + $0 }, shape: type.shape))
    }
    let known = call.operands.prefix(start).map { Value(number: $0.number) }
    let inputs = try backward.propagate(
      linear.backward, known.prefix(linear.residualCount) + cotangents + known.dropFirst(linear.residualCount)
    )
    var collected = [[Int32]](repeating: [], count: total)
    for (input, operand) in zip(inputs, call.operands.dropFirst(start)) {
      guard let reached = input.sets?.values(Int32.self), let own = operand.sets?.values(Int32.self) else {
        continue
      }
      for (set, elements) in zip(own, reached) where set != 0 {
        for output in backward.sets.elements(elements) { collected[Int(output)].append(set) }
      }
    }
    var place = 0
    var results: [Value] = []
    for type in linear.outputTypes {
      var numbers: [Int32] = []
      for k in 0..<type.count { numbers.append(try sets.union(collected[place + k])) }
      place += type.count
      results.append(Value(sets: DenseArray(numbers, shape: type.shape)))
    }
    return results
  }
}

extension DenseArray {
  /// The first set.
  fileprivate func read() -> Int32 { pointer(Int32.self).pointee }
}
