/// A program with a derivative of the user's. Operands: arguments, what the function captured, what the rule captured.
package struct CustomForward: HigherOrderPrimitive {
  let function: Program
  /// Arguments, tangents, captures of the rule to values and tangents.
  let rule: Program
  let argumentCount: Int
  let functionCaptures: Int

  package var name: String { "customJVP" }
  package var programs: [(role: String, program: Program)] { [("function", function), ("rule", rule)] }
  private var captureStart: Int { argumentCount + functionCaptures }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    try function.requireInputs(Array(operands.prefix(captureStart)), name)
    guard rule.outputTypes == function.outputTypes + function.outputTypes else {
      throw TensorError(
        .shape, name,
        "the rule returns \(rule.outputTypes) where value and tangent of types \(function.outputTypes) "
          + "are wanted")
    }
    return function.outputTypes
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    try function.interpret(Array(operands.prefix(captureStart)))
  }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    try requireNoCapturedTangents(tangents.dropFirst(argumentCount), name)
    let arguments = Array(primals.prefix(argumentCount))
    let filled = zip(tangents, arguments).map { $0 ?? Tensor.zeros($1.type) }
    let results = try rule(arguments + filled + primals.dropFirst(captureStart))
    return (
      Array(results.prefix(function.outputs.count)), results.dropFirst(function.outputs.count).map { $0 }
    )
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    let all = function.outputs.map { _ in true }
    let arguments = Array(isBatched.prefix(argumentCount))
    let batched = CustomForward(
      function: try function.batchedProgram(
        isBatched: Array(isBatched.prefix(captureStart)), size: size, forced: all
      )
      .program,
      rule: try rule.batchedProgram(
        isBatched: arguments + arguments + isBatched.dropFirst(captureStart), size: size, forced: all + all
      ).program, argumentCount: argumentCount, functionCaptures: functionCaptures)
    return (try bindOrThrow(batched, operands), all)
  }
}

/// A derivative rule knows nothing of derivatives with respect to what its closures captured.
func requireNoCapturedTangents(_ tangents: some Sequence<Tensor?>, _ operation: String) throws {
  guard tangents.allSatisfy({ $0 == nil }) else {
    throw TensorError(
      .unsupportedDerivative, operation,
      "a tensor that a closure of the rule captures is being differentiated; pass it as an argument, or hold it constant "
        + "with stopGradient")
  }
}

/// The function with a forward derivative of one's own. Reverse mode transposes the rule, which must be linear in the tangent.
///
/// - Parameters:
///   - function: computes the value.
///   - rule: takes argument and tangent to value and tangent.
public func customJVP<Input: TensorTree, Output: TensorTree>(
  _ function: @escaping (Input) throws -> Output,
  jvp rule: @escaping (_ argument: Input, _ tangent: Input) throws -> (value: Output, tangent: Output)
) -> (Input) throws -> Output {
  { argument in
    let arguments = try checkedLeaves(argument)
    let types = arguments.map(\.type)
    let staged = try stage(function, argument)
    let traced = try trace(types + types) { inputs in
      let (value, tangent) = try rule(
        try argument.replacing(leaves: Array(inputs.prefix(types.count))),
        try argument.replacing(leaves: Array(inputs.dropFirst(types.count))))
      return ((), value.leaves + tangent.leaves)
    }
    let primitive = CustomForward(
      function: staged.program, rule: traced.program, argumentCount: arguments.count,
      functionCaptures: staged.captures.count)
    let results = try bindOrThrow(primitive, arguments + staged.captures + traced.captures)
    return try staged.output.replacing(leaves: results)
  }
}
