/// A program as one operation of another. All rules are those of its operations.
package struct ProgramCall: HigherOrderPrimitive {
  let program: Program

  package var name: String { "call" }
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
    let (results, resultTangents) = try program.forwardMode(primals, tangents)
    return (results, resultTangents)
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    try program.transposed(operands, cotangents)
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) { try program.batched(operands, isBatched, size: size) }
  package func split(_ operands: [TensorType], isUnknown: [Bool]) throws -> SplitEquation? {
    let parts = try program.partiallyEvaluated(isUnknown: isUnknown)
    // The unknown half takes residuals last.
    let unknownTypes = zip(operands, isUnknown).filter(\.1).map(\.0)
    let residualTypes = Array(parts.known.outputTypes.suffix(parts.residualCount))
    let reordered = try trace(unknownTypes + residualTypes) { arguments in
      try parts.unknown(Array(arguments.dropFirst(unknownTypes.count)) + arguments.prefix(unknownTypes.count))
    }
    return SplitEquation(
      known: ProgramCall(program: parts.known), knownOperands: isUnknown.indices.filter { !isUnknown[$0] },
      knownResults: parts.isOutputUnknown.indices.filter { !parts.isOutputUnknown[$0] },
      unknown: ProgramCall(program: reordered.program),
      unknownOperands: isUnknown.indices.filter { isUnknown[$0] },
      unknownResults: parts.isOutputUnknown.indices.filter { parts.isOutputUnknown[$0] })
  }
}

extension Program {
  func requireInputs(_ operands: [TensorType], _ operation: String) throws(TensorError) {
    guard operands == inputTypes else {
      throw TensorError(.shape, operation, "operands \(operands) do not belong to a program of \(inputTypes)")
    }
  }
  /// Cotangents of the operands that are linear.
  func transposed(_ operands: [TransposeOperand], _ cotangents: [Tensor?]) throws -> [Tensor?] {
    let results = try transposed(
      isLinear: operands.map(\.isLinear), known: operands.compactMap(\.known), cotangents: cotangents)
    var next = results.makeIterator()
    return operands.map { $0.isLinear ? next.next()! : nil }
  }
  /// The program from known inputs, then cotangents of all outputs, to cotangents of the linear inputs (zeros written
  /// out).
  package func transposedProgram(isLinear: [Bool]) throws -> Program {
    let knownTypes = zip(inputTypes, isLinear).filter { !$0.1 }.map(\.0)
    let linearTypes = zip(inputTypes, isLinear).filter(\.1).map(\.0)
    return try trace(knownTypes + outputTypes) { arguments in
      let results = try transposed(
        isLinear: isLinear, known: Array(arguments.prefix(knownTypes.count)),
        cotangents: arguments.dropFirst(knownTypes.count).map { $0 })
      return zip(results, linearTypes).map { $0 ?? Tensor.zeros($1) }
    }.program
  }
  /// The program that takes other inputs and picks its own from them.
  func reading(_ types: [TensorType], _ pick: @escaping ([Tensor]) -> [Tensor]) throws -> Program {
    try trace(types) { try self(pick($0)) }.program
  }
}
