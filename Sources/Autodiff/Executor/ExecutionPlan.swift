/// A program as a list of steps: groups of fused operations, and operations by themselves.
struct ExecutionPlan: Sendable {
  enum Step: Sendable {
    case operation(Int)
    case group(FusedGroup)
  }
  /// A step, and the values that nothing needs after it.
  var steps: [(step: Step, released: [Int32])] = []

  /// Groups hold at most this many operations: their values must fit the first-level cache.
  private static let groupLimit = 64
  private static let largeCount = 1 << 15

  init(_ program: Program) {
    var open: [TensorType: [Int]] = [:]
    /// Shape and arithmetic of the open group that a value is defined in.
    var home: [Int32: TensorType] = [:]
    var order: [Step] = []
    var uses = [Int32](repeating: 0, count: program.types.count)
    for equation in program.equations { for id in program.operands(of: equation) { uses[Int(id)] += 1 } }
    for id in program.outputs { uses[Int(id)] += 1 }

    func flush(_ kind: TensorType) {
      guard let members = open.removeValue(forKey: kind) else { return }
      for index in members { home[program.equations[index].firstResult] = nil }
      // Of one operation on a large array, threads and streaming are worth it too.
      if members.count > 1 || kind.count >= Self.largeCount,
        let group = Self.fuse(program, members, uses, isSingle: kind.elementType == .float32)
      {
        order.append(.group(group))
      } else {
        order.append(contentsOf: members.map { .operation($0) })
      }
    }
    for (index, equation) in program.equations.enumerated() {
      let ids = program.operands(of: equation)
      let primitive = program.primitive(of: equation)
      let result = program.types[Int(equation.firstResult)]
      let kind = FusedGroup.arithmetic(primitive, ids.map { program.types[Int($0)] }, result).map {
        TensorType($0, result.shape)
      }
      for id in ids {
        if let other = home[id], kind != other { flush(other) }
      }
      guard let kind else {
        order.append(.operation(index))
        continue
      }
      if (open[kind]?.count ?? 0) >= Self.groupLimit { flush(kind) }
      open[kind, default: []].append(index)
      home[equation.firstResult] = kind
    }
    // What is left has no dependences between groups.
    for kind in open.keys.sorted(by: { (open[$0]![0], $0.shape.count) < (open[$1]![0], $1.shape.count) }) {
      flush(kind)
    }

    // Release after the last step that reads a value.
    var last = [Int32: Int]()
    func reads(_ step: Step) -> [Int32] {
      switch step {
      case .operation(let index): Array(program.operands(of: program.equations[index]))
      case .group(let group): group.inputs
      }
    }
    for (place, step) in order.enumerated() { for id in reads(step) { last[id] = place } }
    var released = [[Int32]](repeating: [], count: order.count)
    let kept = Set(program.outputs)
    for (id, place) in last where !kept.contains(id) { released[place].append(id) }
    steps = zip(order, released).map { step, released in
      guard case .group(var group) = step else { return (step, released) }
      group.replace(released, program)
      return (.group(group), released)
    }
  }

  private static func fuse(_ program: Program, _ members: [Int], _ uses: [Int32], isSingle: Bool)
    -> FusedGroup?
  {
    var graph = ScalarGraph(limit: 4096, isSingle: isSingle)
    var node: [Int32: Int32] = [:]
    var inputs: [Int32] = []
    var inside: [Int32: Int32] = [:]
    var constant: [Int32: Double] = [:]
    for value in program.constants where value.value.count > 0 && value.value.isUniform {
      constant[value.variable] = value.value.read(at: 0)
    }
    for index in members {
      let equation = program.equations[index]
      let operands = program.operands(of: equation).map { id -> Int32 in
        inside[id, default: 0] += 1
        if let known = node[id] { return known }
        let made: Int32
        if let value = constant[id] {
          made = graph.constant(value)
        } else {
          made = graph.input(inputs.count, element: 0)
          inputs.append(id)
        }
        node[id] = made
        return made
      }
      let result: Int32
      switch program.primitive(of: equation) {
      case let operation as Unary: result = graph.unary(operation, operands[0])
      case let operation as Binary: result = graph.binary(operation, operands[0], operands[1])
      case let operation as Comparison: result = graph.compare(operation, operands[0], operands[1])
      case let operation as Logical: result = graph.logic(operation, operands[0], operands[1])
      case is Select: result = graph.select(operands[0], operands[1], operands[2])
      case let convert as Convert: result = convert.target == .bool ? graph.truth(operands[0]) : operands[0]
      default: return nil
      }
      node[equation.firstResult] = result
    }
    let outputs = members.map { program.equations[$0].firstResult }.filter {
      inside[$0, default: 0] < uses[Int($0)]
    }
    let code = RegisterAllocation(graph, outputs.map { [node[$0]!] }, keepsInputs: true).program
    let types = outputs.map { program.types[Int($0)] }
    return FusedGroup(
      code: code, inputs: inputs, outputs: outputs, types: types,
      replaced: [Int32?](repeating: nil, count: types.count), count: types.first?.count ?? 0)
  }

  func run(_ program: Program, _ arguments: [DenseArray]) throws(TensorError) -> [DenseArray] {
    var values = [DenseArray?](repeating: nil, count: program.types.count)
    for (id, value) in zip(program.inputs, arguments) { values[Int(id)] = value }
    for constant in program.constants { values[Int(constant.variable)] = constant.value }
    for (step, released) in steps {
      switch step {
      case .group(let group): group.run(&values)
      case .operation(let index):
        let equation = program.equations[index]
        let results = try program.primitive(of: equation).evaluate(
          program.operands(of: equation).map { values[Int($0)]! })
        for (id, value) in zip(equation.results, results) { values[id] = value }
      }
      for id in released { values[Int(id)] = nil }
    }
    return program.outputs.map { values[Int($0)]! }
  }
}
