/// A program cut into parts that are expanded to scalar instructions and parts that run on arrays: what stands around a few operations
/// without a scalar form (linear solves, long loops) is then as fast as if it stood alone.
struct ProgramParts: Sendable {
  struct Part: Sendable {
    /// The values that the part reads, in the order of its program's inputs, and those that it defines for others.
    var inputs: [Int32]
    var outputs: [Int32]
    var form: Form
  }
  enum Form: Sendable {
    case scalars(ResidentSource)
    case arrays(CompiledProgram)
  }
  /// The whole.
  let program: Program
  /// In the order in which they are run.
  let parts: [Part]

  /// One part on arrays if there is nothing to expand, or if there is too much of it.
  init(_ compiled: CompiledProgram) {
    program = compiled.program
    parts =
      Self.parts(program) ?? [Part(inputs: program.inputs, outputs: program.outputs, form: .arrays(compiled))]
  }

  /// Nil if there would be but one.
  private static func parts(_ program: Program) -> [Part]? {
    let constants = Dictionary(uniqueKeysWithValues: program.constants.map { ($0.variable, $0.value) })
    /// The part that defines a value. Those of even numbers are scalar; each is followed by what waits for it.
    var home = [Int](repeating: 0, count: program.types.count)
    var members: [Int: [Int]] = [:]
    for (index, equation) in program.equations.enumerated() {
      let last = program.operands(of: equation).reduce(0) { max($0, home[Int($1)]) }
      let part = isExpanded(program, index, constants) ? (last + 1) / 2 * 2 : last | 1
      members[part, default: []].append(index)
      for id in equation.results { home[id] = part }
    }
    guard Set(members.keys.map { $0 % 2 }).count == 2 else { return nil }

    // A value leaves its part if another part reads it, or the caller.
    var leaves = [Bool](repeating: false, count: program.types.count)
    for (part, indices) in members {
      for index in indices {
        for id in program.operands(of: program.equations[index]) where home[Int(id)] != part {
          leaves[Int(id)] = true
        }
      }
    }
    for id in program.outputs { leaves[Int(id)] = true }
    var parts: [Part] = []
    for part in members.keys.sorted() {
      let made = program.part(members[part]!, constants) { leaves[Int($0)] }
      let form: Form
      if part % 2 == 1 {
        form = .arrays(CompiledProgram(made.program))
      } else {
        guard let source = try? ResidentSource(made.program, isWhole: false), source.isScalar else {
          return nil
        }
        form = .scalars(source)
      }
      parts.append(Part(inputs: made.inputs, outputs: made.outputs, form: form))
    }
    return parts
  }

  /// Whether an operation has a scalar form.
  private static func isExpanded(
    _ program: Program, _ index: Int, _ constants: [Int32: DenseArray]
  ) -> Bool {
    let equation = program.equations[index]
    let operands = program.operands(of: equation).map { program.types[Int($0)].elementType }
    let results = equation.results.map { program.types[$0].elementType }
    guard results.allSatisfy({ $0 == .float64 || $0 == .bool }) else { return false }
    switch program.primitive(of: equation) {
    case is Unary, is Binary, is Comparison, is Logical, is Select, is Convert, is StopGradient, is Broadcast,
      is Reshape, is Transpose, is Slice, is Concatenate, is Embed, is Reduction, is MatrixProduct,
      is CumulativeSum:
      return operands.allSatisfy { $0 == .float64 || $0 == .bool }
    default:
      return ScalarExpansion.compile(program.part([index], constants) { _ in true }.program) != nil
    }
  }
}

extension Program {
  /// Some of the operations as a program of their own.
  /// - Parameters:
  ///   - indices: of the equations, in order.
  ///   - constants: the program's, by their numbers.
  ///   - leaves: whether a value is wanted outside.
  /// - Returns: the program, and the values that its inputs and outputs are.
  fileprivate func part(_ indices: [Int], _ constants: [Int32: DenseArray], leaves: (Int32) -> Bool) -> (
    program: Program, inputs: [Int32], outputs: [Int32]
  ) {
    var builder = ProgramBuilder()
    var number: [Int32: Int32] = [:]
    let defined = Set(indices.flatMap { equations[$0].results.map { Int32($0) } })
    var inputs: [Int32] = []
    for index in indices {
      for id in operands(of: equations[index]) where number[id] == nil && !defined.contains(id) {
        if let value = constants[id] {
          number[id] = builder.constant(value)
        } else {
          number[id] = builder.input(types[Int(id)])
          inputs.append(id)
        }
      }
    }
    for index in indices {
      let equation = equations[index]
      let first = builder.append(
        primitive(of: equation), operands(of: equation).map { number[$0]! },
        results: equation.results.map { types[$0] })
      for (offset, id) in equation.results.enumerated() { number[Int32(id)] = first + Int32(offset) }
    }
    let outputs = defined.filter(leaves).sorted()
    return (Program(builder, outputs: outputs.map { number[$0]! }), inputs, outputs)
  }
}
