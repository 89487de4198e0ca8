/// Repeats a computation over the rows (entries of axis 0) of a tree of tensors, handing a state on.
///
/// ```swift
/// let (last, all) = try scan(initial: x0, over: inputs) { x, u in
///   let next = step(x, u)
///   return (next, next)
/// }
/// ```
///
/// In reverse mode the loop runs backwards over what each step left behind; tensors that the closure captures, and what it
/// computes from them alone, are kept once and not once per step.
///
/// - Parameters:
///   - initial: the state before the first step.
///   - rows: what is stepped through. All its tensors have the same extent along axis 0.
///   - reverse: from the last row to the first. Rows of the result stay with the rows they were made from.
///   - body: takes state and row to the next state and a row of the result.
/// - Returns: the last state, and the rows of the result, stacked.
/// - Throws: ``TensorError`` if extents differ or the body changes the state's types; what the body throws.
public func scan<State: TensorTree, Row: TensorTree, Result: TensorTree>(
  initial: State, over rows: Row, reverse: Bool = false, body: (State, Row) throws -> (State, Result)
) throws -> (state: State, rows: Result) {
  let states = try checkedLeaves(initial)
  let stacks = try checkedLeaves(rows)
  guard let length = stacks.first?.shape.first else {
    throw TensorError(.shape, "scan", "there must be an array to step through, with at least one axis")
  }
  for stack in stacks where stack.shape.first != length {
    throw TensorError(
      .shape, "scan",
      "arrays of \(length) and of \(stack.shape.first ?? 0) rows (shape \(stack.shape)) "
        + "cannot be stepped through together")
  }
  let rowTypes = stacks.map { TensorType($0.elementType, Array($0.shape.dropFirst())) }
  let traced = try trace(states.map(\.type) + rowTypes) { inputs in
    let state = try initial.replacing(leaves: Array(inputs.prefix(states.count)))
    let row = try rows.replacing(leaves: Array(inputs.dropFirst(states.count)))
    let (next, result) = try body(state, row)
    return ((next, result), next.leaves + result.leaves)
  }
  let constants = traced.captures
  let program = try traced.program.reading(constants.map(\.type) + states.map(\.type) + rowTypes) {
    Array($0.dropFirst(constants.count)) + Array($0.prefix(constants.count))
  }
  let primitive = Scan(
    body: program, constantCount: constants.count, stateCount: traced.output.0.leaves.count, length: length,
    isReverse: reverse)
  guard primitive.stateCount == states.count else {
    throw TensorError(
      .shape, "scan", "the body takes a state of \(states.count) tensors to one of \(primitive.stateCount)")
  }
  let results = try bindOrThrow(primitive, constants + states + stacks)
  return (
    try traced.output.0.replacing(leaves: Array(results.prefix(states.count))),
    try traced.output.1.replacing(leaves: Array(results.dropFirst(states.count)))
  )
}

/// Repeats a computation a fixed number of times. The body gets the number of the step (an `int32` scalar) and the state.
/// - Throws: ``TensorError`` if the body changes the state's types; what the body throws.
public func forLoop<State: TensorTree>(
  _ count: Int, initial: State, body: (Tensor, State) throws -> State
) throws -> State {
  guard count >= 0 else { throw TensorError(.argument, "forLoop", "\(count) steps are fewer than none") }
  return try scan(initial: initial, over: Tensor.indices(count)) { state, index in
    (try body(index, state), [Tensor]())
  }.state
}

/// Repeats a computation as long as a condition holds.
///
/// Forward mode differentiates the steps that are made. Reverse mode is refused, with advice, because the number of steps is
/// not known in advance.
/// - Throws: ``TensorError`` if the body changes the state's types or the condition is not a scalar; what a closure throws.
public func whileLoop<State: TensorTree>(
  initial: State, condition: (State) throws -> Tensor, body: (State) throws -> State
) throws -> State {
  let states = try checkedLeaves(initial)
  let test = try trace(states.map(\.type)) { inputs in
    ((), [try condition(try initial.replacing(leaves: inputs)).converted(to: .bool)])
  }
  let step = try trace(states.map(\.type)) { inputs in
    let next = try body(try initial.replacing(leaves: inputs))
    return (next, next.leaves)
  }
  func constantsFirst(_ function: Program, _ captures: [Tensor]) throws -> Program {
    try function.reading(captures.map(\.type) + states.map(\.type)) {
      Array($0.dropFirst(captures.count)) + Array($0.prefix(captures.count))
    }
  }
  let loop = While(
    condition: try constantsFirst(test.program, test.captures),
    body: try constantsFirst(step.program, step.captures),
    conditionConstants: test.captures.count, bodyConstants: step.captures.count)
  let results = try bindOrThrow(loop, test.captures + step.captures + states)
  return try step.output.replacing(leaves: results)
}
