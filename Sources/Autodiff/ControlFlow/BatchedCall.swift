/// A program run for each element of a batch: what `vmap` is inside of another trace.
///
/// Kept whole, so that derivatives are taken of the small program and the executor runs it a lane group at a time.
package struct BatchedCall: HigherOrderPrimitive {
  let program: Program
  /// Which operands have the batch as axis 0. All results have.
  let isBatched: [Bool]
  let size: Int

  package var name: String { "vmap" }
  package var attributes: String { "size: \(size), batched: \(isBatched.indices.filter { isBatched[$0] })" }
  package var programs: [(role: String, program: Program)] { [("program", program)] }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let expected = zip(program.inputTypes, isBatched).map { $1 ? $0.batched(size) : $0 }
    guard operands == expected else {
      throw TensorError(
        .shape, name, "operands \(operands) do not belong to a program of \(program.inputTypes)")
    }
    return program.outputTypes.map { $0.batched(size) }
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    if TensorContext.current.checksFinite { return try expanded().interpret(operands) }
    let compiled = program.compiled()
    // In compiled programs large elements have been expanded already; what comes here is run once.
    if compiled.registers == nil { return try expanded().interpret(operands) }
    return try compiled.run(operands, isBatched: isBatched, size: size)
  }
  /// The program with the batch in every operation.
  func expanded() throws(TensorError) -> Program {
    do {
      return try program.batchedProgram(
        isBatched: isBatched, size: size, forced: program.outputs.map { _ in true }
      ).program
    } catch { throw error as? TensorError ?? TensorError(.argument, name, "\(error)") }
  }

  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    let isActive = tangents.map { $0 != nil }
    let (derivative, isOutputActive) = try program.jvpProgram(isActive: isActive)
    let flags = isBatched + zip(isBatched, isActive).filter(\.1).map(\.0)
    let results = try bindOrThrow(
      BatchedCall(program: derivative, isBatched: flags, size: size), primals + tangents.compactMap { $0 })
    var next = results.dropFirst(program.outputs.count).makeIterator()
    return (Array(results.prefix(program.outputs.count)), isOutputActive.map { $0 ? next.next()! : nil })
  }

  /// Residuals that are operands shared by the batch stay shared.
  package func split(_ operands: [TensorType], isUnknown: [Bool]) throws -> SplitEquation? {
    let part = try program.partiallyEvaluated(isUnknown: isUnknown)
    let known = isUnknown.indices.filter { !isUnknown[$0] }
    let unknown = isUnknown.indices.filter { isUnknown[$0] }
    let shared = part.constantResiduals(isKnown: isUnknown.map { !$0 }) { !isBatched[$0] }
    let knownOutputs = part.isOutputUnknown.filter { !$0 }.count
    let (batched, size) = (isBatched, size)
    let forward = try trace(known.map { operands[$0] }) { (arguments: [Tensor]) throws -> [Tensor] in
      let kept =
        Array(part.known.outputs.prefix(knownOutputs))
        + zip(part.known.outputs.dropFirst(knownOutputs), shared).filter { $0.1 == nil }.map(\.0)
      let call = BatchedCall(
        program: Program(part.known, outputs: kept), isBatched: known.map { batched[$0] }, size: size)
      let results = try bindOrThrow(call, arguments)
      var residuals = results.dropFirst(knownOutputs).makeIterator()
      return results.prefix(knownOutputs) + shared.map { $0.map { arguments[$0] } ?? residuals.next()! }
    }.program
    let residualTypes = Array(forward.outputTypes.dropFirst(knownOutputs))
    let backward = try trace(unknown.map { operands[$0] } + residualTypes) {
      (arguments: [Tensor]) throws -> [Tensor] in
      let flags = shared.map { $0 == nil } + unknown.map { batched[$0] }
      let call = BatchedCall(program: part.unknown, isBatched: flags, size: size)
      return try bindOrThrow(
        call, Array(arguments.dropFirst(unknown.count)) + Array(arguments.prefix(unknown.count)))
    }.program
    return SplitEquation(
      known: ProgramCall(program: forward), knownOperands: known,
      knownResults: part.isOutputUnknown.indices.filter { !part.isOutputUnknown[$0] },
      unknown: ProgramCall(program: backward), unknownOperands: unknown,
      unknownResults: part.isOutputUnknown.indices.filter { part.isOutputUnknown[$0] })
  }

  /// Cotangents of operands that the batch shares are summed over it.
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    let isLinear = operands.map(\.isLinear)
    let adjoint = try program.transposedProgram(isLinear: isLinear)
    let flags = zip(isBatched, isLinear).filter { !$0.1 }.map(\.0) + program.outputs.map { _ in true }
    let filled = zip(cotangents, program.outputTypes).map { $0 ?? Tensor.zeros($1.batched(size)) }
    let results = try bindOrThrow(
      BatchedCall(program: adjoint, isBatched: flags, size: size), operands.compactMap(\.known) + filled)
    var next = results.makeIterator()
    return zip(isLinear, isBatched).map { linear, batched in
      guard linear else { return nil }
      let cotangent = next.next()!
      return batched ? cotangent : cotangent.sum(axis: 0)
    }
  }

  package func batch(_ operands: [Tensor], _ flags: [Bool], size outer: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    // The outer batch goes inside: one program for a row, run for each element.
    let inner = try program.batchedProgram(
      isBatched: flags, size: outer, forced: program.outputs.map { _ in true }
    ).program
    let prepared = zip(zip(operands, flags), isBatched).map { $0.1 && $1 ? $0.0.movingAxis(0, to: 1) : $0.0 }
    let results = try bindOrThrow(BatchedCall(program: inner, isBatched: isBatched, size: size), prepared)
    return (results.map { $0.movingAxis(1, to: 0) }, results.map { _ in true })
  }
}

extension TensorType {
  /// With a batch as axis 0.
  func batched(_ size: Int) -> TensorType { TensorType(elementType, [size] + shape) }
}
