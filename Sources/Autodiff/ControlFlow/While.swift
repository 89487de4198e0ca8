/// A program repeated as long as another says so. Operands: constants of the condition, constants of the body, the state.
package struct While: HigherOrderPrimitive {
  let condition: Program
  let body: Program
  let conditionConstants: Int
  let bodyConstants: Int

  package var name: String { "while" }
  package var programs: [(role: String, program: Program)] { [("condition", condition), ("body", body)] }
  private var stateStart: Int { conditionConstants + bodyConstants }
  private var stateCount: Int { body.outputs.count }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    guard condition.outputTypes == [TensorType(.bool, [])] else {
      throw TensorError(.shape, name, "the condition must return a bool scalar, not \(condition.outputTypes)")
    }
    let state = Array(operands.dropFirst(stateStart))
    guard body.outputTypes == state else {
      throw TensorError(
        .shape, name,
        "the body takes a state of types \(state) to one of types \(body.outputTypes); they must agree")
    }
    return state
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    let first = Array(operands.prefix(conditionConstants))
    let second = Array(operands[conditionConstants..<stateStart])
    var state = Array(operands.dropFirst(stateStart))
    if TensorContext.current.checksFinite {
      while try condition.interpret(first + state)[0].read(at: 0) != 0 {
        state = try body.interpret(second + state)
      }
      return state
    }
    let test = condition.compiled()
    let step = body.compiled()
    while try test.run(first + state)[0].read(at: 0) != 0 { state = try step.run(second + state) }
    return state
  }

  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    let constants = Array(primals[conditionConstants..<stateStart])
    let constantTangents = Array(tangents[conditionConstants..<stateStart])
    var isActive = tangents.dropFirst(stateStart).map { $0 != nil }
    var derivative: (program: Program, isOutputActive: [Bool])
    while true {
      derivative = try body.jvpProgram(isActive: constantTangents.map { $0 != nil } + isActive)
      let next = zip(isActive, derivative.isOutputActive).map { $0 || $1 }
      if next == isActive { break }
      isActive = next
    }
    let program = try derivative.program.fillingTangents(
      derivative.isOutputActive, wanted: isActive, body.outputTypes)
    let state = Array(primals.dropFirst(stateStart))
    let stateTangents = zip(tangents.dropFirst(stateStart), state).enumerated().filter { isActive[$0.offset] }
      .map { $0.element.0 ?? Tensor.zeros($0.element.1.type) }
    let known = constants + constantTangents.compactMap { $0 }
    let (constantCount, activeConstants) = (constants.count, constantTangents.compactMap { $0 }.count)
    // New state: values, then tangents. New constants likewise.
    let types = known.map(\.type) + state.map(\.type) + stateTangents.map(\.type)
    let reordered = try program.reading(types) { x in
      let c: [Tensor] = Array(x.prefix(constantCount))
      let dc: [Tensor] = Array(x[constantCount..<constantCount + activeConstants])
      let rest: [Tensor] = Array(x.dropFirst(constantCount + activeConstants))
      return c + Array(rest.prefix(state.count)) + dc + Array(rest.dropFirst(state.count))
    }
    let test = try condition.reading(
      primals.prefix(conditionConstants).map(\.type) + state.map(\.type) + stateTangents.map(\.type)
    ) { Array($0.dropLast(stateTangents.count)) }
    let loop = While(
      condition: test, body: reordered, conditionConstants: conditionConstants, bodyConstants: known.count)
    let results = try bindOrThrow(
      loop, Array(primals.prefix(conditionConstants)) + known + state + stateTangents)
    var next = results.dropFirst(state.count).makeIterator()
    return (Array(results.prefix(state.count)), isActive.map { $0 ? next.next()! : nil })
  }

  static let noReverse = TensorError(
    .unsupportedDerivative, "whileLoop",
    "reverse mode needs the number of steps in advance. Use scan or forLoop with a fixed number of steps (with "
      + "checkpoint to save memory), or an implicit layer (customRoot) if the loop iterates to convergence; "
      + "forward mode (jvp) differentiates this loop as it stands")
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    throw Self.noReverse
  }

  /// Elements of the batch that have finished keep their state while others go on.
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    let conditionFlags = Array(isBatched.prefix(conditionConstants))
    let bodyFlags = Array(isBatched[conditionConstants..<stateStart])
    let all = body.outputs.map { _ in true }
    let step = try body.batchedProgram(isBatched: bodyFlags + all, size: size, forced: all).program
    let test = try condition.batchedProgram(isBatched: conditionFlags + all, size: size, forced: [true])
      .program
    let constants = Array(operands.prefix(stateStart))
    let state = zip(operands, isBatched).dropFirst(stateStart).map { $0.batched($1, size) }
    let conditionConstants = conditionConstants
    let bodyConstants = bodyConstants
    let anyTest = try trace(test.inputTypes) { [try test($0)[0].any()] }.program
    let masked = try trace((constants + state).map(\.type)) { inputs in
      let old = Array(inputs.dropFirst(conditionConstants + bodyConstants))
      let goesOn = try test(inputs.prefix(conditionConstants) + old)[0]
      let new = try step(inputs[conditionConstants..<conditionConstants + bodyConstants] + old)
      return zip(new, old).map { bind1(Select(), goesOn.broadcast(to: $0.shape, axes: [0]), $0, $1) }
    }.program
    // The body needs the condition's constants too.
    let loop = While(
      condition: anyTest, body: masked, conditionConstants: conditionConstants,
      bodyConstants: conditionConstants + bodyConstants)
    return (try bindOrThrow(loop, constants.prefix(conditionConstants) + constants + state), all)
  }
}
