/// Expands a program to scalar operations. Arrays become arrays of node numbers, so that shaping, slicing and indexing cost
/// nothing at run time, and what is zero by construction disappears.
struct ScalarExpansion {
  var graph: ScalarGraph
  /// What is computed in: float32 or float64.
  let elementType: ElementType

  /// Programs that need more scalar operations than this run array by array, unless most of their operations are scalar
  /// anyway.
  private static func limit(_ program: Program) -> Int { max(20_000, 4 * program.equations.count) }

  /// The register program, or nil if the program is too large or has operations that are not expanded: element
  /// types other than `bool` and one of the two floating-point types, loops without a fixed number of steps, LAPACK.
  /// - Parameters:
  ///   - keepsInputs: registers of inputs are never written to again.
  ///   - limit: scalar operations; nil: as many as are worth it for any program.
  static func compile(_ program: Program, keepsInputs: Bool = false, limit: Int? = nil) -> RegisterProgram? {
    let limit = limit ?? Self.limit(program)
    guard Self.cost(program, limit) <= limit else { return nil }
    let interface = program.inputTypes + program.outputTypes
    let isSingle = interface.contains { $0.elementType == .float32 }
    let elementType: ElementType = isSingle ? .float32 : .float64
    guard interface.allSatisfy({ $0.elementType == elementType || $0.elementType == .bool }) else {
      return nil
    }
    var expansion = ScalarExpansion(
      graph: ScalarGraph(limit: 2 * limit, isSingle: isSingle), elementType: elementType)
    var inputs: [DenseArray] = []
    for (index, type) in program.inputTypes.enumerated() {
      inputs.append(
        DenseArray((0..<type.count).map { expansion.graph.input(index, element: $0) }, shape: type.shape))
    }
    guard let outputs = expansion.expand(program, inputs), !expansion.graph.isFull else { return nil }
    return RegisterAllocation(
      expansion.graph, outputs.map { $0.values(Int32.self) }, keepsInputs: keepsInputs
    ).program
  }

  /// An estimate of the number of scalar operations.
  private static func cost(_ program: Program, _ limit: Int) -> Int {
    var total = 0
    for equation in program.equations {
      let count = equation.results.reduce(0) { $0 + program.types[$1].count }
      switch program.primitive(of: equation) {
      case is MatrixProduct:
        total += count * program.types[Int(program.operands(of: equation).first!)].shape[2]
      case is Reduction:
        total += program.types[Int(program.operands(of: equation).first!)].count
      // A longer loop is faster as a loop over its own register program.
      case let scan as Scan:
        let unrolled = scan.length * cost(scan.body, limit)
        total += unrolled <= 2_000 ? unrolled : limit + 1
      case let call as BatchedCall: total += call.size * cost(call.program, limit)
      case let inner as any HigherOrderPrimitive:
        total += inner.programs.reduce(0) { $0 + cost($1.program, limit) }
      default: total += count
      }
      if total > limit { return total }
    }
    return total
  }

  /// Node numbers of the outputs, or nil.
  private mutating func expand(_ program: Program, _ inputs: [DenseArray]) -> [DenseArray]? {
    var values = Values(program.types)
    for (id, value) in zip(program.inputs, inputs) { values.set(id, value) }
    for constant in program.constants {
      guard let nodes = constants(constant.value) else { return nil }
      values.set(constant.variable, nodes)
    }
    for equation in program.equations {
      if let node = single(program, equation, values) {
        values.single[Int(equation.firstResult)] = node
        continue
      }
      let ids = program.operands(of: equation)
      let operands = ids.map { values[$0] }
      let types = ids.map { program.types[Int($0)] }
      guard
        let results = apply(
          program.primitive(of: equation), operands, types, equation.results.map { program.types[$0] })
      else { return nil }
      if graph.isFull { return nil }
      for (id, value) in zip(equation.results, results) { values.set(Int32(id), value) }
    }
    return program.outputs.map { values[$0] }
  }

  /// Nodes of a program's values: those of scalars, of which long programs mostly consist, without an array around them.
  private struct Values {
    var types: [TensorType]
    var single: [Int32]
    var arrays: [DenseArray?]

    init(_ types: [TensorType]) {
      self.types = types
      single = [Int32](repeating: -1, count: types.count)
      arrays = [DenseArray?](repeating: nil, count: types.count)
    }
    subscript(id: Int32) -> DenseArray {
      arrays[Int(id)] ?? DenseArray([single[Int(id)]], shape: types[Int(id)].shape)
    }
    mutating func set(_ id: Int32, _ nodes: DenseArray) {
      arrays[Int(id)] = nodes
      if nodes.shape.isEmpty { single[Int(id)] = nodes.pointer(Int32.self).pointee }
    }
  }

  /// The node of an elementwise function of scalars.
  private mutating func single(_ program: Program, _ equation: Program.Equation, _ values: Values)
    -> Int32?
  {
    guard (1...2).contains(equation.operandCount),
      program.types[Int(equation.firstResult)].elementType == elementType,
      let code = program.primitive(of: equation).internalCode
    else { return nil }
    let operands = program.operands(of: equation)
    let (a, b) = (values.single[Int(operands.first!)], values.single[Int(operands.last!)])
    guard a >= 0, b >= 0, !graph.isFull else { return nil }
    if let operation = Unary(internalCode: code) { return graph.unary(operation, a) }
    return Binary(internalCode: code).map { graph.binary($0, a, b) }
  }

  /// Nodes of a constant array. Integers are numbers too; they only ever meet operations that fold.
  private mutating func constants(_ array: DenseArray) -> DenseArray? {
    guard !isOther(array.elementType), let wide = try? array.converted(to: .float64) else { return nil }
    return DenseArray(wide.values(Double.self).map { graph.constant($0) }, shape: array.shape)
  }
  /// True for the floating-point type that is not computed in.
  private func isOther(_ type: ElementType) -> Bool { type.isFloatingPoint && type != elementType }
  /// The numbers of an array all of whose nodes are constants.
  private func numbers(_ nodes: DenseArray, _ type: TensorType) -> DenseArray? {
    var values: [Double] = []
    for id in nodes.values(Int32.self) {
      guard let value = graph.value(id) else { return nil }
      values.append(value)
    }
    return try? DenseArray(values, shape: nodes.shape).converted(to: type.elementType)
  }

  private mutating func apply(
    _ primitive: any Primitive, _ operands: [DenseArray], _ types: [TensorType], _ results: [TensorType]
  ) -> [DenseArray]? {
    let known = zip(operands, types).map { numbers($0, $1) }
    if known.allSatisfy({ $0 != nil }), !(primitive is any HigherOrderPrimitive) {
      guard let values = try? primitive.evaluate(known.map { $0! }) else { return nil }
      var folded: [DenseArray] = []
      for value in values {
        guard let nodes = constants(value) else { return nil }
        folded.append(nodes)
      }
      return folded
    }
    // Arithmetic on integers that are not constants is left to the array executor.
    if results.contains(where: { $0.elementType == .int32 || isOther($0.elementType) }) { return nil }
    switch primitive {
    case let operation as Unary: return [map(operands[0]) { $0.unary(operation, $1) }]
    case let operation as Binary: return [map(operands[0], operands[1]) { $0.binary(operation, $1, $2) }]
    case let operation as Comparison:
      return types[0].elementType == .int32
        ? nil : [map(operands[0], operands[1]) { $0.compare(operation, $1, $2) }]
    case let operation as Logical: return [map(operands[0], operands[1]) { $0.logic(operation, $1, $2) }]
    case is Select: return [select(operands)]
    case let convert as Convert:
      return [
        convert.target == .bool && types[0].elementType != .bool
          ? map(operands[0]) { $0.truth($1) } : operands[0]
      ]
    case is StopGradient: return operands
    case is Broadcast, is Reshape, is Transpose, is Slice, is Concatenate:
      return try? primitive.evaluate(operands)
    case is Embed: return embed(primitive, operands)
    case let gather as Gather: return known[1].flatMap { try? gather.evaluate([operands[0], $0]) }
    case let scatter as ScatterAdd:
      return known[0].map { [self.scatter(scatter, $0, operands[1], results[0])] }
    case let reduction as Reduction: return [reduce(reduction, operands[0], results[0])]
    case is MatrixProduct: return [product(operands[0], operands[1])]
    case let sum as CumulativeSum: return [cumulate(sum, operands[0])]
    case let call as ProgramCall: return expand(call.program, operands)
    case let call as Checkpoint: return expand(call.program, operands)
    case let call as CustomForward: return expand(call.function, operands)
    case let call as CustomReverse: return expand(call.function, operands)
    case let choice as Conditional:
      guard let a = expand(choice.then, Array(operands.dropFirst())),
        let b = expand(choice.otherwise, Array(operands.dropFirst()))
      else { return nil }
      return zip(a, b).map { x, y in select([operands[0].broadcast(to: x.shape, axes: []), x, y]) }
    case let scan as Scan: return repeated(scan, operands)
    case let call as BatchedCall:
      var rows: [[DenseArray]] = []
      for k in 0..<call.size {
        guard let row = expand(call.program, zip(operands, call.isBatched).map { $1 ? $0.row(k) : $0 }) else {
          return nil
        }
        rows.append(row)
      }
      return results.indices.map { k in stacked(rows.map { $0[k] }, results[k].shape) }
    default: return nil
    }
  }

  private mutating func map(_ a: DenseArray, _ body: (inout ScalarGraph, Int32) -> Int32) -> DenseArray {
    DenseArray(a.values(Int32.self).map { body(&graph, $0) }, shape: a.shape)
  }
  private mutating func map(
    _ a: DenseArray, _ b: DenseArray, _ body: (inout ScalarGraph, Int32, Int32) -> Int32
  ) -> DenseArray {
    DenseArray(zip(a.values(Int32.self), b.values(Int32.self)).map { body(&graph, $0, $1) }, shape: a.shape)
  }
  private mutating func select(_ operands: [DenseArray]) -> DenseArray {
    let parts = operands.map { $0.values(Int32.self) }
    return DenseArray(
      parts[0].indices.map { graph.select(parts[0][$0], parts[1][$0], parts[2][$0]) },
      shape: operands[1].shape)
  }
  /// Node numbers raised by one, so that the zeros that surround them are told from node zero.
  private mutating func embed(_ primitive: any Primitive, _ operands: [DenseArray]) -> [DenseArray]? {
    let raised = DenseArray(operands[0].values(Int32.self).map { $0 + 1 }, shape: operands[0].shape)
    guard let placed = try? primitive.evaluate([raised])[0] else { return nil }
    let zero = graph.constant(0)
    return [DenseArray(placed.values(Int32.self).map { $0 == 0 ? zero : $0 - 1 }, shape: placed.shape)]
  }
  private mutating func scatter(
    _ scatter: ScatterAdd, _ indices: DenseArray, _ rows: DenseArray, _ type: TensorType
  ) -> DenseArray {
    let places = indices.values(Int32.self)
    let nodes = rows.values(Int32.self)
    let length = nodes.count / max(places.count, 1)
    let perStack = scatter.isBatched ? places.count / max(indices.shape[0], 1) : places.count
    var sums = [Int32](repeating: graph.constant(0), count: type.count)
    for (k, place) in places.enumerated() {
      let row = k / max(perStack, 1) * scatter.count + Int(place)
      for j in 0..<length {
        sums[row * length + j] = graph.binary(.add, sums[row * length + j], nodes[k * length + j])
      }
    }
    return DenseArray(sums, shape: type.shape)
  }
  private mutating func reduce(_ reduction: Reduction, _ x: DenseArray, _ type: TensorType) -> DenseArray {
    let kept = x.shape.indices.filter { !reduction.axes.contains($0) }
    let ordered = x.transposed(kept + reduction.axes).values(Int32.self)
    let operation: Binary =
      switch reduction.kind {
      case .sum: .add
      case .maximum: .maximum
      case .minimum: .minimum
      }
    let length = type.count == 0 ? 0 : ordered.count / type.count
    return DenseArray(
      (0..<type.count).map { row in
        guard length > 0 else { return graph.constant(0) }
        var sum = ordered[row * length]
        for k in 1..<max(length, 1) { sum = graph.binary(operation, sum, ordered[row * length + k]) }
        return sum
      }, shape: type.shape)
  }
  private mutating func product(_ a: DenseArray, _ b: DenseArray) -> DenseArray {
    let (m, k, n) = (a.shape[1], a.shape[2], b.shape[2])
    let (x, y) = (a.values(Int32.self), b.values(Int32.self))
    var result: [Int32] = []
    for stack in 0..<a.shape[0] {
      for i in 0..<m {
        for j in 0..<n {
          var sum = graph.constant(0)
          for l in 0..<k {
            let term = graph.binary(.multiply, x[(stack * m + i) * k + l], y[(stack * k + l) * n + j])
            sum = graph.binary(.add, sum, term)
          }
          result.append(sum)
        }
      }
    }
    return DenseArray(result, shape: [a.shape[0], m, n])
  }
  private mutating func cumulate(_ sum: CumulativeSum, _ x: DenseArray) -> DenseArray {
    var nodes = x.values(Int32.self)
    let inner = x.shape.dropFirst(sum.axis + 1).reduce(1, *)
    let extent = x.shape[sum.axis]
    for place in sum.isReverse ? Array(nodes.indices.reversed()) : Array(nodes.indices) {
      let k = place / inner % extent
      if sum.isReverse && k < extent - 1 {
        nodes[place] = graph.binary(.add, nodes[place], nodes[place + inner])
      }
      if !sum.isReverse && k > 0 { nodes[place] = graph.binary(.add, nodes[place], nodes[place - inner]) }
    }
    return DenseArray(nodes, shape: x.shape)
  }
  private mutating func repeated(_ scan: Scan, _ operands: [DenseArray]) -> [DenseArray]? {
    let constants = Array(operands.prefix(scan.constantCount))
    var state = Array(operands[scan.constantCount..<scan.rowStart])
    var rows = [[DenseArray]](repeating: [], count: scan.length)
    for step in 0..<scan.length {
      let row = scan.isReverse ? scan.length - 1 - step : step
      guard
        let results = expand(
          scan.body, constants + state + operands.dropFirst(scan.rowStart).map { $0.row(row) }),
        !graph.isFull
      else { return nil }
      state = Array(results.prefix(scan.stateCount))
      rows[row] = Array(results.dropFirst(scan.stateCount))
    }
    let types = scan.body.outputTypes.dropFirst(scan.stateCount)
    return state
      + types.enumerated().map { k, type in stacked(rows.map { $0[k] }, [scan.length] + type.shape) }
  }
  private func stacked(_ rows: [DenseArray], _ shape: [Int]) -> DenseArray {
    DenseArray(rows.flatMap { $0.values(Int32.self) }, shape: shape)
  }
}
