import Foundation
import Synchronization

/// The function, compiled: the first call with arguments of certain shapes traces and compiles it, further calls run the
/// compiled program.
///
/// The cache belongs to the function returned and is keyed by the structure, shapes and element types of the arguments. The
/// closure's Swift code runs once per key: what it captures is part of the program. In particular a captured variable has the
/// value of that first call, for ever after; pass what changes as an argument.
///
/// The function returned may be called from several tasks at once. The closure runs in the task that happens to call it first with
/// arguments of a new shape, never in two at a time; variables and objects that it captures must not be changed by others
/// meanwhile.
///
/// The compiled program is simplified: what is known is computed ahead, equal operations are one, and in small programs, which
/// are expanded to scalar instructions, what is zero by construction disappears: there the product with a constant zero is
/// zero, even if the other factor is not finite. Sums and products may be fused, so that results differ from those of the
/// function itself by rounding.
///
/// Inside another transformation the function is traced as if it were not compiled, and so it is inside of
/// ``withFiniteChecks(_:)``.
public func jit<Input: TensorTree, Output: TensorTree>(
  _ function: @escaping (Input) throws -> Output
) -> @Sendable (Input) throws -> Output {
  let cache = CompilationCache()
  let function = TracedBody(function)
  return { (argument: Input) in
    let arguments = argument.leaves
    if TensorContext.current.runsUncompiled {
      return try withTensorErrors {
        let staged = try function.staged(argument)
        return try staged.output.replacing(
          leaves: try staged.program(try checkedLeaves(argument) + staged.captures))
      }
    }
    var structure: [TreeNode] = []
    structure.reserveCapacity(arguments.count)
    try argument.appendStructure(to: &structure)
    let entry = try cache.entry(arguments, structure) {
      try withTensorErrors {
        let staged = try function.staged(argument)
        return (CompiledProgram(staged.program), Template(staged.output))
      }
    }
    // The cache belongs to this function, so that all its templates are of this type.
    return try unsafeDowncast(entry.template, to: Template<Output>.self).output.replacing(
      leaves: try entry.program.runTensors(try arguments.map { try $0.denseValue("jit") }))
  }
}

/// The function of one tensor, compiled: as `jit` of trees, with less to do in a call.
public func jit(_ function: @escaping (Tensor) throws -> Tensor) -> @Sendable (Tensor) throws -> Tensor {
  let entries = CompiledEntries()
  let function = TracedBody(function)
  return { argument in
    guard case .dense(let array) = argument.representation, !TensorContext.current.runsUncompiled else {
      return try withTensorErrors {
        let staged = try function.staged(argument)
        return try staged.program([argument] + staged.captures)[0]
      }
    }
    if let known = entries.program(for: array) { return Tensor(try known.run(single: array)) }
    let made = try withTensorErrors { CompiledProgram(try function.staged(argument).program) }
    entries.insert(made, for: array)
    return Tensor(try made.run(single: array))
  }
}

extension TensorContext {
  /// Whether functions that are compiled outside are run as they stand: while tracing, and where each operation is checked.
  fileprivate var runsUncompiled: Bool { trace != nil || checksFinite }
}

/// A closure that is traced by one task at a time: what it captures need not be `Sendable` for the compiled function to be so.
private final class TracedBody<Input: TensorTree, Output: TensorTree>: @unchecked Sendable {
  private let function: (Input) throws -> Output
  /// Recursive: the closure may call the compiled function.
  private let lock = NSRecursiveLock()

  init(_ function: @escaping (Input) throws -> Output) { self.function = function }

  func staged(_ argument: Input) throws -> TracedFunction<Output> {
    lock.lock()
    defer { lock.unlock() }
    return try stage(function, argument)
  }
}

/// Compiled programs of one tensor by its type.
private final class CompiledEntries: Sendable {
  private let entries = Mutex<[(type: TensorType, program: CompiledProgram)]>([])

  func program(for array: DenseArray) -> CompiledProgram? {
    entries.withLock { entries in
      entries.first { $0.type.elementType == array.elementType && $0.type.shape == array.shape }?.program
    }
  }
  /// Two tasks may make a program at the same time; the first is kept.
  func insert(_ program: CompiledProgram, for array: DenseArray) {
    entries.withLock { entries in
      if !entries.contains(where: { $0.type == array.type }) { entries.append((array.type, program)) }
    }
  }
}

/// A result of a compiled function whose leaves are placeholders.
private final class Template<Output>: @unchecked Sendable {
  let output: Output
  init(_ output: Output) { self.output = output }
}

/// Compiled programs by the types of their arguments, with the template of their results. (Not generic: a call would look up types.)
final class CompilationCache: Sendable {
  final class Entry: Sendable {
    let types: [TensorType]
    let structure: [TreeNode]
    let program: CompiledProgram
    let template: any AnyObject & Sendable

    init(
      types: [TensorType], structure: [TreeNode], program: CompiledProgram, template: any AnyObject & Sendable
    ) {
      (self.types, self.structure, self.program, self.template) = (types, structure, program, template)
    }

    func matches(_ arguments: [Tensor], _ structure: [TreeNode]) -> Bool {
      guard types.count == arguments.count else { return false }
      for k in 0..<types.count {
        guard case .dense(let array) = arguments[k].representation, array.elementType == types[k].elementType,
          array.shape == types[k].shape
        else { return false }
      }
      return self.structure == structure
    }
  }
  private let entries = Mutex<[Entry]>([])

  /// The entry for these arguments; made if there is none yet. Two tasks may make one at the same time; the first is
  /// kept.
  func entry(
    _ arguments: [Tensor], _ structure: [TreeNode],
    make: () throws -> (CompiledProgram, any AnyObject & Sendable)
  ) throws -> Entry {
    if let known = entries.withLock({ $0.first { $0.matches(arguments, structure) } }) { return known }
    for argument in arguments { if case .failed(let error) = argument.representation { throw error } }
    let (program, template) = try make()
    let entry = Entry(
      types: arguments.map(\.type), structure: structure, program: program, template: template)
    entries.withLock { if !$0.contains(where: { $0.matches(arguments, structure) }) { $0.append(entry) } }
    return entry
  }
}
