extension Scan {
  /// Flags of the state that stay put when the body is run with them: `step` takes flags of all inputs to flags of all
  /// outputs, and flags only ever rise.
  private func settled(_ flags: [Bool], _ step: ([Bool]) throws -> [Bool]) rethrows -> (
    inputs: [Bool], outputs: [Bool]
  ) {
    var flags = flags
    while true {
      let outputs = try step(flags)
      var next = flags
      for k in 0..<stateCount where outputs[k] { next[constantCount + k] = true }
      if next == flags { return (flags, outputs) }
      flags = next
    }
  }

  /// Picks by position: constants, state, rows.
  private func parts<T>(_ values: [T]) -> (constants: [T], state: [T], rows: [T]) {
    (
      Array(values.prefix(constantCount)), Array(values[constantCount..<rowStart]),
      Array(values.dropFirst(rowStart))
    )
  }

  /// The scan of values and tangents side by side.
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    var derivative: (program: Program, isOutputActive: [Bool])?
    let (isActive, outputs) = try settled(tangents.map { $0 != nil }) { flags in
      derivative = try body.jvpProgram(isActive: flags)
      return derivative!.isOutputActive
    }
    // States that are active on the way in are so on the way out.
    var wanted = outputs
    for k in 0..<stateCount where isActive[constantCount + k] { wanted[k] = true }
    let program = try derivative!.program.fillingTangents(
      derivative!.isOutputActive, wanted: wanted, body.outputTypes)
    let active = body.inputs.indices.filter { isActive[$0] }
    func counted(_ range: Range<Int>) -> Int { range.filter { isActive[$0] }.count }
    let constants = constantCount + counted(0..<constantCount)
    let states = stateCount + counted(constantCount..<rowStart)
    let count = body.inputs.count
    // New order of inputs: constants and their tangents, state and its, rows and theirs.
    let order = [0..<constantCount, constantCount..<rowStart, rowStart..<count].flatMap { range in
      Array(range) + active.enumerated().filter { range.contains($0.element) }.map { count + $0.offset }
    }
    let outputCount = body.outputs.count
    let activeOutputs = wanted.indices.filter { wanted[$0] }
    let outputOrder = [0..<stateCount, stateCount..<outputCount].flatMap { range in
      Array(range)
        + activeOutputs.enumerated().filter { range.contains($0.element) }.map { outputCount + $0.offset }
    }
    let inputTypes = order.map { program.inputTypes[$0] }
    let reordered = try trace(inputTypes) { arguments in
      var original = arguments
      for (place, source) in order.enumerated() { original[source] = arguments[place] }
      let results = try program(original)
      return outputOrder.map { results[$0] }
    }.program
    let all = primals + active.map { tangents[$0] ?? Tensor.zeros(primals[$0].type) }
    let scan = Scan(
      body: reordered, constantCount: constants, stateCount: states, length: length, isReverse: isReverse)
    let results = try bindOrThrow(scan, order.map { all[$0] })
    var values = [Tensor?](repeating: nil, count: outputCount + activeOutputs.count)
    for (place, source) in outputOrder.enumerated() { values[source] = results[place] }
    var resultTangents = [Tensor?](repeating: nil, count: outputCount)
    for (offset, index) in activeOutputs.enumerated() { resultTangents[index] = values[outputCount + offset] }
    return (values.prefix(outputCount).map { $0! }, resultTangents)
  }

  /// Two scans: the known one stacks what the unknown one needs of each step. What does not change over the steps is
  /// computed once and handed over whole.
  package func split(_ operands: [TensorType], isUnknown: [Bool]) throws -> SplitEquation? {
    let (flags, outputs) = try settled(isUnknown) {
      try body.partiallyEvaluated(isUnknown: $0).isOutputUnknown
    }
    if !flags.contains(false) && !outputs.contains(false) { return nil }
    var forced = outputs
    for k in 0..<stateCount where flags[constantCount + k] { forced[k] = true }
    let hoisted = try body.hoistingInvariants(
      ofInputs: flags.indices.map { $0 < constantCount && !flags[$0] })
    // The body's constants are now the old ones and the invariants.
    let invariantTypes = hoisted.invariants.outputTypes
    let inner = hoisted.rest
    let innerFlags = flags + invariantTypes.map { _ in false }
    let part = try inner.partiallyEvaluated(isUnknown: innerFlags, forced: forced)
    // A residual that is one of the constants needs no stack.
    let constantPlaces = part.constantResiduals(isKnown: innerFlags.map { !$0 }) {
      $0 < constantCount || $0 >= flags.count
    }
    let isStacked = constantPlaces.map { $0 == nil }

    let knownOperands = flags.indices.filter { !flags[$0] }
    let unknownOperands = flags.indices.filter { flags[$0] }
    let knownConstants = knownOperands.filter { $0 < constantCount }.count
    let knownStates = knownOperands.filter { (constantCount..<rowStart).contains($0) }.count
    let knownOutputCount = part.isOutputUnknown.filter { !$0 }.count
    let scanLength = length
    let reverse = isReverse

    let known = try trace(knownOperands.map { operands[$0] }) { (arguments: [Tensor]) throws -> [Tensor] in
      let invariants = try hoisted.invariants(Array(arguments.prefix(knownConstants)))
      // The inner known program takes known old inputs, then the invariants.
      let inputTypes = part.known.inputTypes
      let oldCount = knownOperands.count
      let scanTypes: [TensorType] =
        Array(inputTypes.prefix(knownConstants)) + Array(inputTypes.dropFirst(oldCount))
        + Array(inputTypes[knownConstants..<oldCount])
      let program = try trace(scanTypes) { (inputs: [Tensor]) throws -> [Tensor] in
        let extra = invariants.count
        let old = Array(inputs.prefix(knownConstants)) + Array(inputs.dropFirst(knownConstants + extra))
        let results = try part.known(old + Array(inputs[knownConstants..<knownConstants + extra]))
        return results.prefix(knownOutputCount)
          + zip(results.dropFirst(knownOutputCount), isStacked).filter(\.1).map(\.0)
      }.program
      let scan = Scan(
        body: program, constantCount: knownConstants + invariants.count, stateCount: knownStates,
        length: scanLength,
        isReverse: reverse)
      let results = try bindOrThrow(
        scan,
        Array(arguments.prefix(knownConstants)) + invariants + Array(arguments.dropFirst(knownConstants)))
      var stacked = results.dropFirst(knownOutputCount).makeIterator()
      let residuals = constantPlaces.map { place -> Tensor in
        guard let place else { return stacked.next()! }
        // Numbers of known inputs: old ones first.
        return place < oldCount ? arguments[place] : invariants[place - oldCount]
      }
      return results.prefix(knownOutputCount) + residuals
    }.program

    let unknownTypes = unknownOperands.map { operands[$0] }
    let unknownConstants = unknownOperands.filter { $0 < constantCount }.count
    let unknownStates = unknownOperands.filter { (constantCount..<rowStart).contains($0) }.count
    let residualTypes = Array(known.outputTypes.dropFirst(knownOutputCount))
    let residualCount = part.residualCount
    let unknown = try trace(unknownTypes + residualTypes) { (arguments: [Tensor]) throws -> [Tensor] in
      let residuals = arguments.dropFirst(unknownTypes.count)
      let whole = zip(residuals, isStacked).filter { !$0.1 }.map(\.0)
      let stacked = zip(residuals, isStacked).filter(\.1).map(\.0)
      let variablesAfter = Array(arguments[unknownConstants..<unknownTypes.count])
      let scanOperands: [Tensor] =
        Array(arguments.prefix(unknownConstants)) + whole + variablesAfter + stacked
      let innerTypes = part.unknown.inputTypes
      let residualInner = Array(innerTypes.prefix(residualCount))
      let variables = Array(innerTypes.dropFirst(residualCount))
      let wholeTypes = zip(residualInner, isStacked).filter { !$0.1 }.map(\.0)
      let stackedTypes = zip(residualInner, isStacked).filter(\.1).map(\.0)
      let scanTypes: [TensorType] =
        Array(variables.prefix(unknownConstants)) + wholeTypes + Array(variables.dropFirst(unknownConstants))
        + stackedTypes
      let program = try trace(scanTypes) { (inputs: [Tensor]) throws -> [Tensor] in
        var wholeRest = inputs.dropFirst(unknownConstants).prefix(whole.count).makeIterator()
        var stackedRest = inputs.suffix(stacked.count).makeIterator()
        let inner = isStacked.map { $0 ? stackedRest.next()! : wholeRest.next()! }
        let old: [Tensor] =
          Array(inputs.prefix(unknownConstants))
          + inputs.dropFirst(unknownConstants + whole.count).dropLast(stacked.count)
        return try part.unknown(inner + old)
      }.program
      let scan = Scan(
        body: program, constantCount: unknownConstants + whole.count, stateCount: unknownStates,
        length: scanLength,
        isReverse: reverse)
      return try bindOrThrow(scan, scanOperands)
    }.program
    return SplitEquation(
      known: ProgramCall(program: known), knownOperands: knownOperands,
      knownResults: forced.indices.filter { !forced[$0] }, unknown: ProgramCall(program: unknown),
      unknownOperands: unknownOperands, unknownResults: forced.indices.filter { forced[$0] })
  }

  /// The scan of cotangents in the opposite direction. Cotangents of constants add up over the steps.
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    // The whole state is taken as linear: where its first value is known, that is zero, and its cotangent unused.
    var isLinear = operands.map(\.isLinear)
    for k in constantCount..<rowStart { isLinear[k] = true }
    let adjoint = try body.transposedProgram(isLinear: isLinear)
    let linear = isLinear.indices.filter { isLinear[$0] }
    let linearConstants = linear.filter { $0 < constantCount }
    let linearRows = linear.filter { $0 >= rowStart }
    let knownConstants = (0..<constantCount).filter { !isLinear[$0] }
    let knownRows = (rowStart..<operands.count).filter { !isLinear[$0] }
    let types = body.inputTypes
    let sums = linearConstants.map { types[$0] }
    let state = Array(types[constantCount..<rowStart])
    let results = resultRowTypesForRules
    // Inputs: known constants; sums and cotangents of the state; known rows and cotangents of rows.
    let inputTypes = knownConstants.map { types[$0] } + sums + state + knownRows.map { types[$0] } + results
    let program = try trace(inputTypes) { (inputs: [Tensor]) throws -> [Tensor] in
      var rest = inputs[...]
      func take(_ count: Int) -> [Tensor] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
      }
      let constants = take(knownConstants.count)
      let partial = take(sums.count)
      let stateCotangents = take(state.count)
      let rows = take(knownRows.count)
      let gradients = try adjoint(constants + rows + stateCotangents + take(results.count))
      let constantParts = gradients.prefix(sums.count)
      return zip(partial, constantParts).map { $0 + $1 } + gradients.dropFirst(sums.count)
    }.program
    let scan = Scan(
      body: program, constantCount: knownConstants.count, stateCount: sums.count + state.count,
      length: length,
      isReverse: !isReverse)
    let stateCotangents = zip(cotangents.prefix(stateCount), state).map { $0 ?? Tensor.zeros($1) }
    let rowCotangents = zip(cotangents.dropFirst(stateCount), results).map { cotangent, type in
      cotangent ?? Tensor.zeros(TensorType(type.elementType, [length] + type.shape))
    }
    let values = try bindOrThrow(
      scan,
      knownConstants.map { operands[$0].known! } + sums.map { Tensor.zeros($0) } + stateCotangents
        + knownRows.map { operands[$0].known! } + rowCotangents)
    var answer = [Tensor?](repeating: nil, count: operands.count)
    for (place, index) in (linearConstants + Array(constantCount..<rowStart) + linearRows).enumerated() {
      if operands[index].isLinear { answer[index] = values[place] }
    }
    return answer
  }
  private var resultRowTypesForRules: [TensorType] { Array(body.outputTypes.dropFirst(stateCount)) }

  /// The batch stands behind the axis of steps inside of the scan.
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    let (flags, _) = try settled(isBatched) {
      try body.batchedProgram(isBatched: $0, size: size).isOutputBatched
    }
    var forced = body.outputs.map { _ in true }
    for k in 0..<stateCount { forced[k] = flags[constantCount + k] }
    let (program, _) = try body.batchedProgram(isBatched: flags, size: size, forced: forced)
    let scan = Scan(
      body: program, constantCount: constantCount, stateCount: stateCount, length: length,
      isReverse: isReverse)
    let prepared = operands.enumerated().map { index, operand -> Tensor in
      if index >= rowStart { return isBatched[index] ? operand.movingAxis(0, to: 1) : operand }
      return flags[index] ? operand.batched(isBatched[index], size) : operand
    }
    let results = try bindOrThrow(scan, prepared)
    return (
      results.enumerated().map { $0 < stateCount ? $1 : $1.movingAxis(1, to: 0) }, forced
    )
  }
}

extension Program {
  /// Takes what depends only on the marked inputs out of the program: `invariants` computes it from them, `rest` takes it
  /// as further inputs.
  func hoistingInvariants(ofInputs isInvariant: [Bool]) throws -> (invariants: Program, rest: Program) {
    let part = try partiallyEvaluated(isUnknown: isInvariant.map { !$0 }, forced: outputs.map { _ in true })
    let residualTypes = Array(part.known.outputTypes)
    let rest = try trace(inputTypes + residualTypes) { arguments in
      let unknown = zip(arguments, isInvariant).filter { !$0.1 }.map(\.0)
      return try part.unknown(Array(arguments.dropFirst(inputs.count)) + unknown)
    }.program
    return (part.known, rest)
  }
}

extension PartialEvaluation {
  /// For each residual the number of the known input it is, if it is one for which `isConstant` holds (numbers of all
  /// inputs).
  func constantResiduals(isKnown: [Bool], _ isConstant: (Int) -> Bool) -> [Int?] {
    let original = isKnown.indices.filter { isKnown[$0] }
    var place: [Int32: Int] = [:]
    for (k, id) in known.inputs.enumerated() where isConstant(original[k]) { place[id] = k }
    return known.outputs.suffix(residualCount).map { place[$0] }
  }
}
