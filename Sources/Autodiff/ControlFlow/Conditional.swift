/// One of two programs of the same inputs and outputs, chosen by a truth value. Operands: the condition, then the
/// programs' inputs.
package struct Conditional: HigherOrderPrimitive {
  let then: Program
  let otherwise: Program

  package var name: String { "cond" }
  package var programs: [(role: String, program: Program)] { [("then", then), ("else", otherwise)] }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    guard operands[0] == TensorType(.bool, []) else {
      throw TensorError(
        .shape, name,
        "the condition must be a bool scalar, not \(operands[0]); to choose element by element use select")
    }
    guard then.outputTypes == otherwise.outputTypes else {
      throw TensorError(
        .shape, name, "the branches return \(then.outputTypes) and \(otherwise.outputTypes); they must agree")
    }
    try then.requireInputs(Array(operands.dropFirst()), name)
    return then.outputTypes
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let branch = operands[0].read(at: 0) != 0 ? then : otherwise
    return try branch.interpret(Array(operands.dropFirst()))
  }

  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    let isActive = tangents.dropFirst().map { $0 != nil }
    let first = try then.jvpProgram(isActive: isActive)
    let second = try otherwise.jvpProgram(isActive: isActive)
    let isOutputActive = zip(first.isOutputActive, second.isOutputActive).map { $0 || $1 }
    let derivative = Conditional(
      then: try first.program.fillingTangents(first.isOutputActive, wanted: isOutputActive, then.outputTypes),
      otherwise: try second.program.fillingTangents(
        second.isOutputActive, wanted: isOutputActive, then.outputTypes))
    let results = try bindOrThrow(derivative, primals + tangents.dropFirst().compactMap { $0 })
    var next = results.dropFirst(then.outputs.count).makeIterator()
    return (Array(results.prefix(then.outputs.count)), isOutputActive.map { $0 ? next.next()! : nil })
  }

  /// Residuals of both branches share places of equal type; a branch fills the places it does not use with zeros.
  package func split(_ operands: [TensorType], isUnknown: [Bool]) throws -> SplitEquation? {
    if isUnknown[0] { return nil }
    let flags = Array(isUnknown.dropFirst())
    let branches = [then, otherwise]
    let unforced = try branches.map { try $0.partiallyEvaluated(isUnknown: flags) }
    let forced = zip(unforced[0].isOutputUnknown, unforced[1].isOutputUnknown).map { $0 || $1 }
    let parts = try branches.map { try $0.partiallyEvaluated(isUnknown: flags, forced: forced) }
    var places: [TensorType] = []
    var assignment: [[Int]] = []
    for part in parts {
      var free = Array(places.indices)
      assignment.append(
        part.known.outputTypes.suffix(part.residualCount).map { type in
          if let k = free.firstIndex(where: { places[$0] == type }) { return free.remove(at: k) }
          places.append(type)
          return places.count - 1
        })
    }
    let unknownTypes = zip(operands.dropFirst(), flags).filter(\.1).map(\.0)
    var known: [Program] = []
    var unknown: [Program] = []
    for (part, slots) in zip(parts, assignment) {
      known.append(
        try trace(part.known.inputTypes) { arguments in
          let results = try part.known(arguments)
          var residuals = places.map { Tensor.zeros($0) }
          for (value, slot) in zip(results.suffix(part.residualCount), slots) { residuals[slot] = value }
          return results.dropLast(part.residualCount) + residuals
        }.program)
      unknown.append(
        try part.unknown.reading(unknownTypes + places) { arguments in
          slots.map { arguments[unknownTypes.count + $0] } + arguments.prefix(unknownTypes.count)
        })
    }
    return SplitEquation(
      known: Conditional(then: known[0], otherwise: known[1]),
      knownOperands: [0] + flags.indices.filter { !flags[$0] }.map { $0 + 1 },
      knownResults: forced.indices.filter { !forced[$0] },
      unknown: Conditional(then: unknown[0], otherwise: unknown[1]),
      unknownOperands: [0] + flags.indices.filter { flags[$0] }.map { $0 + 1 },
      unknownResults: forced.indices.filter { forced[$0] })
  }

  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    _ = try coefficients(operands.prefix(1), "the condition")
    let isLinear = operands.dropFirst().map(\.isLinear)
    let adjoint = Conditional(
      then: try then.transposedProgram(isLinear: isLinear),
      otherwise: try otherwise.transposedProgram(isLinear: isLinear))
    let filled = zip(cotangents, then.outputTypes).map { $0 ?? Tensor.zeros($1) }
    var results = try bindOrThrow(adjoint, operands.compactMap(\.known) + filled).makeIterator()
    return operands.map { $0.isLinear ? results.next()! : nil }
  }

  /// A condition that differs over the batch becomes a selection: both branches run.
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    let inputs = Array(operands.dropFirst())
    let flags = Array(isBatched.dropFirst())
    if isBatched[0] {
      let first = try then.batched(inputs, flags, size: size)
      let second = try otherwise.batched(inputs, flags, size: size)
      let results = then.outputs.indices.map { k in
        let a = first.results[k].batched(first.isBatched[k], size)
        let b = second.results[k].batched(second.isBatched[k], size)
        return bind1(Select(), operands[0].broadcast(to: a.shape, axes: [0]), a, b)
      }
      return (results, results.map { _ in true })
    }
    let all = then.outputs.map { _ in true }
    let batched = Conditional(
      then: try then.batchedProgram(isBatched: flags, size: size, forced: all).program,
      otherwise: try otherwise.batchedProgram(isBatched: flags, size: size, forced: all).program)
    return (try bindOrThrow(batched, operands), all)
  }
}

extension Program {
  /// A jvp program that returns tangents of all outputs that are wanted, zeros where it has none.
  func fillingTangents(_ has: [Bool], wanted: [Bool], _ types: [TensorType]) throws -> Program {
    if has == wanted { return self }
    return try trace(inputTypes) { arguments in
      let results = try self(arguments)
      var tangents = results.dropFirst(has.count).makeIterator()
      let filled = has.indices.compactMap { k -> Tensor? in
        if has[k] { return tangents.next() }
        return wanted[k] ? Tensor.zeros(types[k]) : nil
      }
      return results.prefix(has.count) + filled
    }.program
  }
}

/// One of two computations, chosen by a scalar truth value. Only the one that is chosen runs (except under `vmap`
/// with a condition that differs over the batch, where both do).
///
/// The closures may use any tensor in scope. Both must return the same structure, shapes and element types.
/// - Throws: ``TensorError`` if they do not, or what a closure throws.
public func cond<Output: TensorTree>(
  _ condition: Tensor, then: () throws -> Output, else otherwise: () throws -> Output
) throws -> Output {
  if condition.dense != nil { return try Bool(condition) ? then() : otherwise() }
  let first = try trace([]) { _ in
    let output = try then()
    return (output, output.leaves)
  }
  let second = try trace([]) { _ in
    let output = try otherwise()
    return (output, output.leaves)
  }
  let count = first.captures.count
  let captures = first.captures + second.captures
  let types = captures.map(\.type)
  let primitive = Conditional(
    then: try first.program.reading(types) { Array($0.prefix(count)) },
    otherwise: try second.program.reading(types) { Array($0.dropFirst(count)) })
  return try first.output.replacing(
    leaves: try bindOrThrow(primitive, [condition.converted(to: .bool)] + captures))
}
