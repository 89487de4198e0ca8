/// A program whose intermediate values are not kept for the reverse sweep but computed again there.
package struct Checkpoint: HigherOrderPrimitive {
  let program: Program

  package var name: String { "checkpoint" }
  package var programs: [(role: String, program: Program)] { [("program", program)] }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    try program.requireInputs(operands, name)
    return program.outputTypes
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    try program.interpret(operands)
  }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    let (derivative, isActive) = try program.jvpProgram(isActive: tangents.map { $0 != nil })
    let results = try bindOrThrow(Checkpoint(program: derivative), primals + tangents.compactMap { $0 })
    var next = results.dropFirst(program.outputs.count).makeIterator()
    return (Array(results.prefix(program.outputs.count)), isActive.map { $0 ? next.next()! : nil })
  }
  /// The known half computes known results and keeps nothing; the unknown half starts again from all operands.
  package func split(_ operands: [TensorType], isUnknown: [Bool]) throws -> SplitEquation? {
    let isOutputUnknown = try program.partiallyEvaluated(isUnknown: isUnknown).isOutputUnknown
    let known = isOutputUnknown.indices.filter { !isOutputUnknown[$0] }
    let unknown = isOutputUnknown.indices.filter { isOutputUnknown[$0] }
    let part = try program.partiallyEvaluated(isUnknown: isUnknown)
    let forward = Program(part.known, outputs: Array(part.known.outputs.dropLast(part.residualCount)))
    return SplitEquation(
      known: Checkpoint(program: forward), knownOperands: isUnknown.indices.filter { !isUnknown[$0] },
      knownResults: known,
      unknown: Checkpoint(program: Program(program, outputs: unknown.map { program.outputs[$0] })),
      unknownOperands: Array(operands.indices), unknownResults: unknown)
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    let isLinear = operands.map(\.isLinear)
    let part = try program.partiallyEvaluated(isUnknown: isLinear)
    let knownTypes = operands.compactMap(\.known).map(\.type)
    let active = part.isOutputUnknown
    let linearTypes = operands.filter(\.isLinear).map(\.type)
    // One program that computes again and goes backwards, so that under further derivatives it is a checkpoint again.
    let cotangentTypes = zip(program.outputTypes, active).filter(\.1).map(\.0)
    let adjoint = try trace(knownTypes + cotangentTypes) { (arguments: [Tensor]) throws -> [Tensor] in
      let residuals = try part.known(Array(arguments.prefix(knownTypes.count))).suffix(part.residualCount)
      let results = try part.unknown.transposed(
        isLinear: residuals.map { _ in false } + linearTypes.map { _ in true }, known: Array(residuals),
        cotangents: arguments.dropFirst(knownTypes.count).map { $0 })
      return zip(results, linearTypes).map { $0 ?? Tensor.zeros($1) }
    }.program
    let filled = zip(cotangents, program.outputTypes).enumerated().filter { active[$0.offset] }
      .map { $0.element.0 ?? Tensor.zeros($0.element.1) }
    var results = try bindOrThrow(Checkpoint(program: adjoint), operands.compactMap(\.known) + filled)
      .makeIterator()
    return operands.map { $0.isLinear ? results.next()! : nil }
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    let (batched, flags) = try program.batchedProgram(isBatched: isBatched, size: size)
    return (try bindOrThrow(Checkpoint(program: batched), operands), flags)
  }
}

/// The function, with other memory needs: in reverse mode its intermediate values are not kept but computed again from its
/// arguments.
public func checkpoint<Input: TensorTree, Output: TensorTree>(
  _ function: @escaping (Input) throws -> Output
) -> (Input) throws -> Output {
  { argument in
    let staged = try stage(function, argument)
    let results = try bindOrThrow(
      Checkpoint(program: staged.program), try checkedLeaves(argument) + staged.captures)
    return try staged.output.replacing(leaves: results)
  }
}
