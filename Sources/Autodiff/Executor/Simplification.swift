extension Program {
  /// An equivalent program: calls written out, constants folded, equal operations made one, what leaves an
  /// array as it is and what nothing depends on left out.
  package func simplified() -> Program {
    var simplifier = Simplifier()
    let inputs = inputTypes.map { simplifier.builder.input($0) }
    let outputs = simplifier.append(self, inputs)
    return Program(simplifier.builder, outputs: outputs).withoutUnneeded()
  }

  /// Without operations that no output depends on.
  private func withoutUnneeded() -> Program {
    let isNeeded = neededEquations()
    if !isNeeded.contains(false) { return self }
    var builder = ProgramBuilder()
    var number = [Int32](repeating: -1, count: types.count)
    for id in inputs { number[Int(id)] = builder.input(types[Int(id)]) }
    var isUsed = [Bool](repeating: false, count: types.count)
    for (index, equation) in equations.enumerated() where isNeeded[index] {
      for id in operands(of: equation) { isUsed[Int(id)] = true }
    }
    for id in outputs { isUsed[Int(id)] = true }
    for constant in constants where isUsed[Int(constant.variable)] {
      number[Int(constant.variable)] = builder.constant(constant.value)
    }
    for (index, equation) in equations.enumerated() where isNeeded[index] {
      let first = builder.append(
        primitive(of: equation), operands(of: equation).map { number[Int($0)] },
        results: equation.results.map { types[$0] })
      for (offset, id) in equation.results.enumerated() { number[id] = first + Int32(offset) }
    }
    return Program(builder, outputs: outputs.map { number[Int($0)] })
  }
}

private struct Simplifier {
  var builder = ProgramBuilder()
  private var values: [Int32: DenseArray] = [:]
  private var known: [Key: Int32] = [:]
  /// Operand of each negation and transposition, to undo pairs.
  private var origins: [Int32: (primitive: any Primitive, operand: Int32)] = [:]

  private struct Key: Hashable {
    var primitive: Int32
    // Almost all operations have at most two operands.
    var a: Int32
    var b: Int32
    var rest: [Int32]

    init(_ primitive: Int32, _ operands: [Int32]) {
      self.primitive = primitive
      a = operands.first ?? -1
      b = operands.count > 1 ? operands[1] : -1
      rest = operands.count > 2 ? Array(operands.dropFirst(2)) : []
    }
  }

  mutating func constant(_ value: DenseArray) -> Int32 {
    let id = builder.constant(value)
    values[id] = value
    return id
  }

  mutating func append(_ program: Program, _ arguments: [Int32]) -> [Int32] {
    var number = [Int32](repeating: -1, count: program.types.count)
    for (id, argument) in zip(program.inputs, arguments) { number[Int(id)] = argument }
    for value in program.constants { number[Int(value.variable)] = constant(value.value) }
    for equation in program.equations {
      let operands = program.operands(of: equation).map { number[Int($0)] }
      let results = append(
        program.primitive(of: equation), operands, equation.results.map { program.types[$0] })
      for (id, result) in zip(equation.results, results) { number[id] = result }
    }
    return program.outputs.map { number[Int($0)] }
  }

  private mutating func append(_ primitive: any Primitive, _ operands: [Int32], _ types: [TensorType])
    -> [Int32]
  {
    // Elementwise operations, most of a long program, have a code; dynamic casts are only for the rest.
    if primitive.internalCode == nil, let inlined = inline(primitive, operands) { return inlined }
    if types.count == 1, let same = identity(primitive, operands, types[0]) { return [same] }
    if let folded = fold(primitive, operands, types) { return folded }
    let number = builder.number(of: primitive)
    let key = Key(number, operands)
    let first = known[key] ?? builder.append(number, operands, results: types)
    known[key] = first
    if primitive.internalCode == Unary.negate.internalCode
      || (primitive.internalCode == nil && primitive is Transpose)
    {
      origins[first] = (primitive, operands[0])
    }
    return types.indices.map { first + Int32($0) }
  }

  /// What stands for a primitive that only holds programs together.
  private mutating func inline(_ primitive: any Primitive, _ operands: [Int32]) -> [Int32]? {
    switch primitive {
    case let call as ProgramCall: return append(call.program, operands)
    case let call as CustomForward:
      return append(call.function, Array(operands.prefix(call.function.inputs.count)))
    case let call as CustomReverse:
      return append(call.function, Array(operands.prefix(call.function.inputs.count)))
    case is StopGradient: return operands
    case let call as BatchedCall where ScalarExpansion.isTooLarge(call.program):
      // Large elements gain nothing from staying apart.
      guard let expanded = try? call.expanded() else { return nil }
      return append(expanded, operands)
    default: return nil
    }
  }

  /// The operand that the result is equal to.
  private mutating func identity(_ primitive: any Primitive, _ operands: [Int32], _ type: TensorType)
    -> Int32?
  {
    func uniform(_ id: Int32) -> Double? {
      guard let value = values[id], value.count > 0, value.isUniform else { return nil }
      return value.read(at: 0)
    }
    switch primitive {
    case let operation as Binary:
      let (a, b) = (uniform(operands[0]), uniform(operands[1]))
      switch operation {
      case .add: return a == 0 ? operands[1] : b == 0 ? operands[0] : nil
      case .subtract: return b == 0 ? operands[0] : nil
      case .multiply: return a == 1 ? operands[1] : b == 1 ? operands[0] : nil
      case .divide: return b == 1 ? operands[0] : nil
      default: return nil
      }
    case is Reshape, is Broadcast, is Convert:
      return builder.types[Int(operands[0])] == type ? operands[0] : nil
    case Unary.negate:
      guard let origin = origins[operands[0]], origin.primitive is Unary else { return nil }
      return origin.operand
    case let outer as Transpose:
      guard let origin = origins[operands[0]], let inner = origin.primitive as? Transpose else { return nil }
      let order = outer.order.map { inner.order[$0] }
      return order == Array(order.indices) ? origin.operand : nil
    default: return nil
    }
  }

  /// Results of an operation on constants. Large ones are left to run time, failures too.
  private mutating func fold(_ primitive: any Primitive, _ operands: [Int32], _ types: [TensorType])
    -> [Int32]?
  {
    guard types.allSatisfy({ $0.count <= 65_536 }) else { return nil }
    var arrays: [DenseArray] = []
    for id in operands {
      guard let value = values[id] else { return nil }
      arrays.append(value)
    }
    guard let results = try? primitive.evaluate(arrays) else { return nil }
    return results.map { constant($0) }
  }
}

extension ScalarExpansion {
  /// True if a program is not worth expanding for each element of a batch.
  static func isTooLarge(_ program: Program) -> Bool { program.compiled().registers == nil }
}
