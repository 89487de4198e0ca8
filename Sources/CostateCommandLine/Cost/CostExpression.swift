/// A scalar cost of a state, as written on the command line, with its exact derivative.
///
/// Kept as operations in evaluation order, each naming its operands by index: evaluating is one pass forward,
/// the derivative one pass backward.
struct CostExpression: Sendable {
  /// A number of the final state that the cost reads.
  enum Variable: Hashable, Sendable {
    case time
    case position(Int)
    case velocity(Int)
    case activation(Int)
    /// A coordinate (0, 1, 2) of the origin of a body's frame, in the world.
    case bodyPosition(body: Int, axis: Int)
  }
  enum Function: String, CaseIterable, Sendable { case sin, cos, tan, sqrt, exp, log, abs, tanh }
  enum BinaryOperator: Character, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case power = "^"
  }
  enum Operation: Sendable {
    case constant(Double)
    /// Index into ``variables``.
    case variable(Int)
    case negate(Int)
    case apply(Function, Int)
    case combine(BinaryOperator, Int, Int)
  }

  let source: String
  private(set) var variables: [Variable] = []
  private(set) var operations: [Operation] = []
  /// Offset in the source (in characters) of each operation, and whether it depends on a variable.
  private(set) var offsets: [Int] = []
  private var varying: [Bool] = []

  init(source: String) { self.source = source }

  mutating func append(_ operation: Operation, at offset: Int) -> Int {
    let depends =
      switch operation {
      case .constant: false
      case .variable: true
      case .negate(let a), .apply(_, let a): varying[a]
      case .combine(_, let a, let b): varying[a] || varying[b]
      }
    operations.append(operation)
    offsets.append(offset)
    varying.append(depends)
    return operations.count - 1
  }

  mutating func index(of variable: Variable) -> Int {
    if let index = variables.firstIndex(of: variable) { return index }
    variables.append(variable)
    return variables.count - 1
  }

  func isVarying(_ operation: Int) -> Bool { varying[operation] }

  /// An error that shows where in the source it is.
  static func failure(
    _ code: CommandFailure.Code, in source: String, at offset: Int, _ message: String
  ) -> CommandFailure {
    let pointer = String(repeating: " ", count: offset) + "^"
    return CommandFailure(code, "--cost: column \(offset + 1): \(message)\n  \(source)\n  \(pointer)")
  }
}
