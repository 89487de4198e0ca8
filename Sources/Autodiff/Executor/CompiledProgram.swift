import Synchronization

/// A program made ready to run many times: simplified, then either expanded to scalars (small programs), laid out on plain memory
/// (small ones with linear solves) or fused into passes over arrays.
package final class CompiledProgram: Sendable {
  /// The simplified program. (Not the source: that one holds its compiled form.)
  package let program: Program
  /// The scalar form of a small program.
  let registers: RegisterProgram?
  /// The form of a small program that has operations which are not expanded.
  let plain: PlainPlan?
  private let plan: ExecutionPlan?
  /// The same for batches, most recently used first.
  private let batches = Mutex<[Batch]>([])

  /// A batch's own compiled form.
  private struct Batch: Sendable {
    var isBatched: [Bool]
    var size: Int
    var program: CompiledProgram
  }
  /// How many of these are kept.
  private static let mostBatches = 8

  package convenience init(_ source: Program) { self.init(source, isExpanded: true) }
  /// - Parameter isExpanded: whether the program may be expanded to scalars.
  private init(_ source: Program, isExpanded: Bool) {
    program = source.simplified().tellingUses()
    registers = isExpanded ? ScalarExpansion.compile(program) : nil
    plain = registers == nil ? PlainPlan(program) : nil
    plan = registers == nil && plain == nil ? ExecutionPlan(program) : nil
  }

  package func run(_ arguments: [DenseArray]) throws(TensorError) -> [DenseArray] {
    if TensorContext.current.checksFinite { return try program.interpret(arguments) }
    if let plain { return try plain.run(arguments) }
    guard let registers else { return try plan!.run(program, arguments) }
    let inputs = arguments.map { $0.contiguous() }
    let outputs = program.outputTypes.map { DenseArray(uninitialized: $0) }
    withExtendedLifetime((inputs, outputs)) {
      registers.run(
        inputs: inputs.map { $0.laneArray(stride: 0) }, outputs: outputs.map { $0.laneArray(stride: 0) })
    }
    return outputs
  }

  /// Runs where ``withFiniteChecks(_:)`` is known not to be asked for.
  func runTensors(_ arguments: [DenseArray]) throws(TensorError) -> [Tensor] {
    if let plain { return try plain.runTensors(arguments) }
    var results: [Tensor] = []
    for result in try run(arguments) { results.append(Tensor(result)) }
    return results
  }

  /// Runs a program of one input and one output.
  func run(single argument: DenseArray) throws(TensorError) -> DenseArray {
    guard let registers, !TensorContext.current.checksFinite else { return try run([argument])[0] }
    let input = argument.contiguous()
    let output = DenseArray(uninitialized: program.types[Int(program.outputs[0])])
    withExtendedLifetime((input, output)) {
      withUnsafePointer(to: input.laneArray(stride: 0)) { source in
        withUnsafePointer(to: output.laneArray(stride: 0)) { registers.run(inputs: source, outputs: $0) }
      }
    }
    return output
  }

  /// Runs for a batch: arguments that are batched have it as axis 0, and so have all results.
  package func run(_ arguments: [DenseArray], isBatched: [Bool], size: Int) throws(TensorError)
    -> [DenseArray]
  {
    if TensorContext.current.checksFinite {
      return try BatchedCall(program: program, isBatched: isBatched, size: size).expanded().interpret(
        arguments)
    }
    guard let registers else { return try batch(isBatched, size: size).run(arguments) }
    let inputs = arguments.map { $0.contiguous() }
    let outputs = program.outputTypes.map { DenseArray(uninitialized: $0.batched(size)) }
    withExtendedLifetime((inputs, outputs)) {
      registers.runBatch(
        count: size,
        inputs: zip(inputs, isBatched).map { $0.laneArray(stride: $1 ? $0.count / max(size, 1) : 0) },
        outputs: zip(outputs, program.outputTypes).map { $0.laneArray(stride: $1.count) })
    }
    return outputs
  }

  /// The program with the batch in every operation. What has no scalar form for one element has none for many.
  private func batch(_ isBatched: [Bool], size: Int) throws(TensorError) -> CompiledProgram {
    try batches.withLock { known throws(TensorError) in
      if let place = known.firstIndex(where: { $0.size == size && $0.isBatched == isBatched }) {
        if place > 0 { known.insert(known.remove(at: place), at: 0) }
        return known[0].program
      }
      let call = BatchedCall(program: program, isBatched: isBatched, size: size)
      let made = CompiledProgram(try call.expanded(), isExpanded: false)
      if known.count == Self.mostBatches { known.removeLast() }
      known.insert(Batch(isBatched: isBatched, size: size, program: made), at: 0)
      return made
    }
  }
}
