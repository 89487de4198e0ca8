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

  package init(_ source: Program) {
    program = source.simplified().tellingUses()
    registers = ScalarExpansion.compile(program)
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
    guard let registers, !TensorContext.current.checksFinite else {
      return try BatchedCall(program: program, isBatched: isBatched, size: size).expanded().interpret(
        arguments)
    }
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
}
