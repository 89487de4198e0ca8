import Synchronization

/// The function, compiled: the first call with arguments of certain shapes traces and compiles it, further calls run the
/// compiled program.
///
/// The cache belongs to the function returned and is keyed by the structure, shapes and element types of the arguments; it
/// may be called from several tasks. The closure's Swift code runs once per key: what it captures is part of the program. In
/// particular a captured variable has the value of that first call, for ever after; pass what changes as an argument.
///
/// The compiled program is simplified: what is known is computed ahead, equal operations are one, and in small programs, which
/// are expanded to scalar instructions, what is zero by construction disappears: there the product with a constant zero is
/// zero, even if the other factor is not finite. Sums and products may be fused, so that results differ from those of the
/// function itself by rounding.
///
/// Inside another transformation the function is traced as if it were not compiled.
public func jit<Input: TensorTree, Output: TensorTree>(
  _ function: @escaping (Input) throws -> Output
) -> (Input) throws -> Output {
  let cache = CompilationCache<Output>()
  return { (argument: Input) in
    let arguments = argument.leaves
    if TensorContext.current.trace != nil || TensorContext.current.checksFinite {
      return try withTensorErrors {
        let staged = try stage(function, argument)
        return try staged.output.replacing(
          leaves: try staged.program(try checkedLeaves(argument) + staged.captures))
      }
    }
    var structure: [TreeNode] = []
    try argument.appendStructure(to: &structure)
    let entry = try cache.entry(arguments, structure) {
      try withTensorErrors {
        let staged = try stage(function, argument)
        return (CompiledProgram(staged.program), staged.output)
      }
    }
    return try entry.output.replacing(
      leaves: try entry.program.run(try arguments.map { try $0.denseValue("jit") }).map { Tensor($0) })
  }
}

/// The function of one tensor, compiled: as `jit` of trees, with less to do in a call.
public func jit(_ function: @escaping (Tensor) throws -> Tensor) -> (Tensor) throws -> Tensor {
  let entries = Mutex<[(type: TensorType, program: CompiledProgram)]>([])
  return { argument in
    guard case .dense(let array) = argument.representation, TensorContext.current.trace == nil,
      !TensorContext.current.checksFinite
    else {
      return try withTensorErrors {
        let staged = try stage(function, argument)
        return try staged.program([argument] + staged.captures)[0]
      }
    }
    let known = entries.withLock { entries in
      entries.first { $0.type.elementType == array.elementType && $0.type.shape == array.shape }?.program
    }
    if let known { return Tensor(try known.run(single: array)) }
    let made = try withTensorErrors { CompiledProgram(try stage(function, argument).program) }
    entries.withLock { entries in
      if !entries.contains(where: { $0.type == array.type }) { entries.append((array.type, made)) }
    }
    return Tensor(try made.run(single: array))
  }
}

/// Compiled programs by the types of their arguments.
final class CompilationCache<Output>: Sendable {
  struct Entry: @unchecked Sendable {
    var types: [TensorType]
    var structure: [TreeNode]
    var program: CompiledProgram
    /// A template: its leaves are placeholders.
    var output: Output

    func matches(_ arguments: [Tensor], _ structure: [TreeNode]) -> Bool {
      guard types.count == arguments.count else { return false }
      for (type, argument) in zip(types, arguments) {
        guard case .dense(let array) = argument.representation, array.elementType == type.elementType,
          array.shape == type.shape
        else { return false }
      }
      return self.structure == structure
    }
  }
  private let entries = Mutex<[Entry]>([])

  /// The entry for these arguments; made if there is none yet. Two tasks may make one at the same time; the first is
  /// kept.
  func entry(
    _ arguments: [Tensor], _ structure: [TreeNode], make: () throws -> (CompiledProgram, Output)
  ) throws -> Entry {
    if let known = entries.withLock({ $0.first { $0.matches(arguments, structure) } }) { return known }
    for argument in arguments { if case .failed(let error) = argument.representation { throw error } }
    let (program, output) = try make()
    let entry = Entry(types: arguments.map(\.type), structure: structure, program: program, output: output)
    entries.withLock { if !$0.contains(where: { $0.matches(arguments, structure) }) { $0.append(entry) } }
    return entry
  }
}
