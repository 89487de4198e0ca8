import Synchronization

/// A traced function: a flat sequence of operations on numbered values, each assigned once.
///
/// Transformations take programs to programs. A program has no loops or jumps of its own; structured control flow is
/// an operation that holds further programs.
public final class Program: Sendable {
  /// One operation: which primitive, where its operands are listed, which values it defines.
  package struct Equation: Sendable {
    package var primitive: Int32
    package var firstOperand: Int32
    package var operandCount: Int32
    package var firstResult: Int32
    package var resultCount: Int32

    package var results: Range<Int> { Int(firstResult)..<Int(firstResult + resultCount) }
  }
  /// A value that is part of the program.
  package struct Constant: Sendable {
    package var variable: Int32
    package var value: DenseArray
  }

  /// Type of each value.
  package let types: [TensorType]
  package let inputs: [Int32]
  package let outputs: [Int32]
  package let constants: [Constant]
  package let equations: [Equation]
  /// Operand lists of all equations, one after the other.
  package let operandList: [Int32]
  /// The distinct primitives.
  package let primitives: [any Primitive]
  /// Where operations were called, by the numbers of equations; empty unless call sites are being followed.
  package let sites: [Int32: CallSite]
  private let compilation = Mutex<CompiledProgram?>(nil)

  /// The program made ready to run many times; done once.
  func compiled() -> CompiledProgram {
    compilation.withLock { known in
      if let known { return known }
      let made = CompiledProgram(self)
      known = made
      return made
    }
  }

  package init(_ builder: ProgramBuilder, outputs: [Int32]) {
    types = builder.types
    inputs = builder.inputs
    constants = builder.constants
    equations = builder.equations
    operandList = builder.operandList
    primitives = builder.primitives
    sites = builder.sites
    self.outputs = outputs
  }

  /// The same operations with other outputs.
  package convenience init(_ program: Program, outputs: [Int32]) {
    self.init(program, outputs: outputs, equations: program.equations, primitives: program.primitives)
  }
  private init(_ program: Program, outputs: [Int32], equations: [Equation], primitives: [any Primitive]) {
    types = program.types
    inputs = program.inputs
    constants = program.constants
    operandList = program.operandList
    sites = program.sites
    self.equations = equations
    self.primitives = primitives
    self.outputs = outputs
  }

  /// The same program, whose primitives know if only one operation uses what they prepare.
  func tellingUses() -> Program {
    guard primitives.contains(where: { $0 is any PreparingPrimitive }) else { return self }
    var uses = [Int](repeating: 0, count: types.count)
    for id in operandList { uses[Int(id)] += 1 }
    for id in outputs { uses[Int(id)] += 2 }
    var (equations, primitives) = (equations, primitives)
    for k in equations.indices {
      guard let preparing = primitive(of: equations[k]) as? any PreparingPrimitive,
        uses[Int(equations[k].firstResult)] == 1
      else { continue }
      equations[k].primitive = Int32(primitives.count)
      primitives.append(preparing.usedOnce)
    }
    return Program(self, outputs: outputs, equations: equations, primitives: primitives)
  }

  /// Number of operations.
  public var operationCount: Int { equations.count }
  /// Types of the inputs.
  public var inputTypes: [TensorType] { inputs.map { types[Int($0)] } }
  /// Types of the outputs.
  public var outputTypes: [TensorType] { outputs.map { types[Int($0)] } }

  package func primitive(of equation: Equation) -> any Primitive { primitives[Int(equation.primitive)] }
  package func operands(of equation: Equation) -> ArraySlice<Int32> {
    operandList[Int(equation.firstOperand)..<Int(equation.firstOperand + equation.operandCount)]
  }

  /// True if the program, or one that is part of it, has such a primitive.
  func contains(where predicate: (any Primitive) -> Bool) -> Bool {
    primitives.contains { primitive in
      predicate(primitive)
        || ((primitive as? any HigherOrderPrimitive)?.programs.contains {
          $0.program.contains(where: predicate)
        } ?? false)
    }
  }

  /// For each value the number of the equation that uses it last; the number of equations for outputs, -1 for values
  /// that nothing uses.
  func lastUses() -> [Int32] {
    var last = [Int32](repeating: -1, count: types.count)
    for (index, equation) in equations.enumerated() {
      for operand in operands(of: equation) { last[Int(operand)] = Int32(index) }
    }
    for output in outputs { last[Int(output)] = Int32(equations.count) }
    return last
  }
}

// Programs that are parts of primitives are told apart by identity.
extension Program: Hashable {
  /// True if both are the same object.
  public static func == (a: Program, b: Program) -> Bool { a === b }
  /// By identity.
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// A program under construction.
package struct ProgramBuilder {
  package private(set) var types: [TensorType] = []
  package private(set) var inputs: [Int32] = []
  package private(set) var constants: [Program.Constant] = []
  package private(set) var equations: [Program.Equation] = []
  package private(set) var operandList: [Int32] = []
  package private(set) var primitives: [any Primitive] = []
  package private(set) var sites: [Int32: CallSite] = [:]
  private var primitiveNumbers: [AnyHashable: Int32] = [:]
  private var constantNumbers: [ConstantKey: Int32] = [:]
  /// Scalar constants of float64, by their bits.
  private var scalarNumbers: [UInt64: Int32] = [:]
  private var elementwiseNumbers = [Int32](repeating: -1, count: 512)

  /// What tells constants apart without looking at all their numbers.
  private enum ConstantKey: Hashable {
    case uniform(UInt64, TensorType)
    case view(ObjectIdentifier, Int, [Int], TensorType)
  }

  package init() {}

  func operands(of equation: Program.Equation) -> ArraySlice<Int32> {
    operandList[Int(equation.firstOperand)..<Int(equation.firstOperand + equation.operandCount)]
  }

  /// Says where the last equation's operation was called.
  mutating func locate(_ site: CallSite?) {
    if let site { sites[Int32(equations.count - 1)] = site }
  }

  package mutating func variable(_ type: TensorType) -> Int32 {
    types.append(type)
    return Int32(types.count - 1)
  }
  package mutating func input(_ type: TensorType) -> Int32 {
    let id = variable(type)
    inputs.append(id)
    return id
  }
  package mutating func constant(_ value: DenseArray) -> Int32 {
    if value.elementType == .float64 && value.shape.isEmpty {
      let bits = value.read(at: 0).bitPattern
      if let known = scalarNumbers[bits] { return known }
      let id = variable(value.type)
      constants.append(Program.Constant(variable: id, value: value))
      scalarNumbers[bits] = id
      return id
    }
    let key: ConstantKey =
      value.isUniform && value.count > 0 && value.buffer.objects == nil
      ? .uniform(value.read(at: 0).bitPattern, value.type)
      : .view(ObjectIdentifier(value.buffer), value.offset, value.strides, value.type)
    if let known = constantNumbers[key] { return known }
    let id = variable(value.type)
    constants.append(Program.Constant(variable: id, value: value))
    constantNumbers[key] = id
    return id
  }
  /// Appends an equation; its results' ids follow each other from the one returned.
  package mutating func append(
    _ primitive: any Primitive, _ operands: some Collection<Int32>, results: [TensorType]
  ) -> Int32 {
    append(number(of: primitive), operands, results: results)
  }
  mutating func append(_ number: Int32, _ operands: some Collection<Int32>, results: [TensorType])
    -> Int32
  {
    let first = Int32(types.count)
    let start = Int32(operandList.count)
    types.append(contentsOf: results)
    operandList.append(contentsOf: operands)
    equations.append(
      Program.Equation(
        primitive: number, firstOperand: start, operandCount: Int32(operands.count), firstResult: first,
        resultCount: Int32(results.count)))
    return first
  }
  mutating func number(of primitive: any Primitive) -> Int32 {
    // Elementwise primitives are most of a long program: they skip the dictionary.
    let code = primitive.internalCode
    if let code, elementwiseNumbers[code] >= 0 { return elementwiseNumbers[code] }
    let key = AnyHashable(primitive)
    if let known = primitiveNumbers[key] { return known }
    let number = Int32(primitives.count)
    primitives.append(primitive)
    primitiveNumbers[key] = number
    if let code { elementwiseNumbers[code] = number }
    return number
  }
}
