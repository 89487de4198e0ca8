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
  /// The numbers of values that are known.
  private var values: [DenseArray?] = []
  /// Equations of the builder, by primitive and operands.
  private var known = NumberTable()
  /// Operand of each negation and transposition, to undo pairs.
  private var origins: [Int32: (primitive: any Primitive, operand: Int32)] = [:]

  mutating func constant(_ value: DenseArray) -> Int32 {
    let id = builder.constant(value)
    while values.count <= Int(id) { values.append(nil) }
    values[Int(id)] = value
    return id
  }
  private func value(_ id: Int32) -> DenseArray? { Int(id) < values.count ? values[Int(id)] : nil }

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
    let first = append(builder.number(of: primitive), operands, types)
    if primitive.internalCode == Unary.negate.internalCode
      || (primitive.internalCode == nil && primitive is Transpose)
    {
      origins[first] = (primitive, operands[0])
    }
    return types.indices.map { first + Int32($0) }
  }

  /// The first result of an equation that is there already, or is appended.
  private mutating func append(_ primitive: Int32, _ operands: [Int32], _ types: [TensorType])
    -> Int32
  {
    let place = known.place(Self.hash(primitive, operands[...])) { number in
      let equation = builder.equations[Int(number)]
      return equation.primitive == primitive && builder.operands(of: equation) == operands[...]
    }
    if let number = known[place] { return builder.equations[Int(number)].firstResult }
    let first = builder.append(primitive, operands, results: types)
    known.insert(Int32(builder.equations.count - 1), at: place)
    if known.isCrowded {
      known = known.grown { number in
        let equation = builder.equations[Int(number)]
        return Self.hash(equation.primitive, builder.operands(of: equation))
      }
    }
    return first
  }
  private static func hash(_ primitive: Int32, _ operands: ArraySlice<Int32>) -> NumberTable.Hash {
    var hash = NumberTable.Hash()
    hash.combine(UInt64(UInt32(bitPattern: primitive)))
    for id in operands { hash.combine(UInt64(UInt32(bitPattern: id))) }
    return hash
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
      guard let value = self.value(id), value.count > 0, value.isUniform else { return nil }
      return value.read(at: 0)
    }
    // As above, codes are for speed.
    if let code = primitive.internalCode, code < Int(RegisterOperation.comparison) {
      if code == Unary.negate.internalCode {
        guard let origin = origins[operands[0]], origin.primitive is Unary else { return nil }
        return origin.operand
      }
      guard let operation = Binary(internalCode: code) else { return nil }
      switch operation {
      case .add:
        return uniform(operands[0]) == 0 ? operands[1] : uniform(operands[1]) == 0 ? operands[0] : nil
      case .subtract: return uniform(operands[1]) == 0 ? operands[0] : nil
      case .multiply:
        return uniform(operands[0]) == 1 ? operands[1] : uniform(operands[1]) == 1 ? operands[0] : nil
      case .divide: return uniform(operands[1]) == 1 ? operands[0] : nil
      default: return nil
      }
    }
    switch primitive {
    case is Reshape, is Broadcast, is Convert:
      return builder.types[Int(operands[0])] == type ? operands[0] : nil
    case let slice as Slice:
      let isWhole = slice.steps.allSatisfy { $0 == 1 } && builder.types[Int(operands[0])] == type
      return isWhole ? operands[0] : nil
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
    var arrays: [DenseArray] = []
    for id in operands {
      guard let value = self.value(id) else { return nil }
      arrays.append(value)
    }
    guard types.allSatisfy({ $0.count <= 65_536 }) else { return nil }
    guard let results = try? primitive.evaluate(arrays) else { return nil }
    return results.map { constant($0) }
  }
}

extension ScalarExpansion {
  /// True if a program is not worth expanding for each element of a batch.
  static func isTooLarge(_ program: Program) -> Bool { program.compiled().registers == nil }
}
