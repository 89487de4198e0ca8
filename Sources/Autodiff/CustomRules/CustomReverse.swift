/// A program with a reverse derivative of the user's. Operands: arguments, captures of the three programs in turn.
package struct CustomReverse: HigherOrderPrimitive {
  let function: Program
  /// Arguments to values, then residuals.
  let forward: Program
  /// Residuals and cotangents of the values to cotangents of the arguments.
  let backward: Program
  let argumentCount: Int
  let functionCaptures: Int
  let forwardCaptures: Int

  package var name: String { "customVJP" }
  package var programs: [(role: String, program: Program)] {
    [("function", function), ("forward", forward), ("backward", backward)]
  }
  private var residualCount: Int { forward.outputs.count - function.outputs.count }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    try function.requireInputs(Array(operands.prefix(argumentCount + functionCaptures)), name)
    guard Array(forward.outputTypes.prefix(function.outputs.count)) == function.outputTypes else {
      throw TensorError(
        .shape, name, "forward returns values of types \(forward.outputTypes), not \(function.outputTypes)")
    }
    guard backward.outputTypes == Array(operands.prefix(argumentCount)) else {
      throw TensorError(
        .shape, name,
        "backward returns \(backward.outputTypes) where cotangents of arguments "
          + "\(Array(operands.prefix(argumentCount))) are wanted")
    }
    return function.outputTypes
  }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    try function.interpret(Array(operands.prefix(argumentCount + functionCaptures)))
  }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    try requireNoCapturedTangents(tangents.dropFirst(argumentCount), name)
    let arguments = Array(primals.prefix(argumentCount))
    let captures = primals.dropFirst(argumentCount + functionCaptures)
    let results = try forward(arguments + captures.prefix(forwardCaptures))
    let residuals = Array(results.dropFirst(function.outputs.count)) + captures.dropFirst(forwardCaptures)
    let linear = CustomReverseTangent(
      backward: backward, residualCount: residualCount, captureCount: residuals.count - residualCount,
      outputTypes: function.outputTypes)
    let filled = zip(tangents, arguments).map { $0 ?? Tensor.zeros($1.type) }
    let resultTangents = try bindOrThrow(linear, residuals + filled)
    return (Array(results.prefix(function.outputs.count)), resultTangents.map { $0 })
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    // Every argument has a cotangent of its own for each element.
    let arguments = [Bool](repeating: true, count: argumentCount)
    let captures = Array(isBatched.dropFirst(argumentCount))
    let all = function.outputs.map { _ in true }
    let residuals = [Bool](repeating: true, count: residualCount)
    let batched = CustomReverse(
      function: try function.batchedProgram(
        isBatched: arguments + captures.prefix(functionCaptures), size: size, forced: all
      ).program,
      forward: try forward.batchedProgram(
        isBatched: arguments + captures.dropFirst(functionCaptures).prefix(forwardCaptures), size: size,
        forced: all + residuals
      ).program,
      backward: try backward.batchedProgram(
        isBatched: residuals + all + captures.dropFirst(functionCaptures + forwardCaptures), size: size,
        forced: arguments
      ).program, argumentCount: argumentCount, functionCaptures: functionCaptures,
      forwardCaptures: forwardCaptures)
    let prepared = operands.enumerated().map { $0 < argumentCount ? $1.batched(isBatched[$0], size) : $1 }
    return (try bindOrThrow(batched, prepared), all)
  }
}

/// The linear map of tangents of which only the transpose is given. Operands: residuals, captures of `backward`, tangents.
package struct CustomReverseTangent: HigherOrderPrimitive {
  let backward: Program
  let residualCount: Int
  let captureCount: Int
  let outputTypes: [TensorType]

  package var name: String { "customVJP" }
  package var programs: [(role: String, program: Program)] { [("backward", backward)] }
  private var tangentStart: Int { residualCount + captureCount }

  package func resultTypes(_ operands: [TensorType]) -> [TensorType] { outputTypes }
  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    throw TensorError(
      .unsupportedDerivative, name,
      "a function with a reverse rule only has no forward mode (jvp, linearize, the forward "
        + "half of hessian and hvp); give it a customJVP rule")
  }
  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    guard tangents.prefix(tangentStart).allSatisfy({ $0 == nil }) else {
      throw TensorError(
        .unsupportedDerivative, name,
        "a forward derivative of the tangent of a function with a reverse rule; give it a "
          + "customJVP rule")
    }
    let linear = zip(tangents, primals).dropFirst(tangentStart).map { $0 ?? Tensor.zeros($1.type) }
    return (
      try bindOrThrow(self, primals), try bindOrThrow(self, primals.prefix(tangentStart) + linear).map { $0 }
    )
  }
  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    let known = try coefficients(operands.prefix(tangentStart), "what the forward rule keeps")
    let filled = zip(cotangents, outputTypes).map { $0 ?? Tensor.zeros($1) }
    let results = try backward(known.prefix(residualCount) + filled + known.dropFirst(residualCount))
    return operands.prefix(tangentStart).map { _ in nil }
      + zip(operands.dropFirst(tangentStart), results).map { $0.isLinear ? $1 : nil }
  }
  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    let all = outputTypes.map { _ in true }
    let batched = CustomReverseTangent(
      backward: try backward.batchedProgram(
        isBatched: isBatched.prefix(residualCount) + all + isBatched[residualCount..<tangentStart],
        size: size,
        forced: backward.outputs.map { _ in true }
      ).program, residualCount: residualCount, captureCount: captureCount,
      outputTypes: outputTypes.map { TensorType($0.elementType, [size] + $0.shape) })
    let prepared = operands.enumerated().map { $0 >= tangentStart ? $1.batched(isBatched[$0], size) : $1 }
    return (try bindOrThrow(batched, prepared), all)
  }
}

/// The function with a reverse derivative of one's own. Forward mode through it is an error.
///
/// - Parameters:
///   - function: computes the value.
///   - forward: computes the value, and what `backward` needs.
///   - backward: takes that and a cotangent of the value to a cotangent of the argument.
public func customVJP<Input: TensorTree, Output: TensorTree, Residuals: TensorTree>(
  _ function: @escaping (Input) throws -> Output,
  forward: @escaping (Input) throws -> (value: Output, residuals: Residuals),
  backward: @escaping (_ residuals: Residuals, _ cotangent: Output) throws -> Input
) -> (Input) throws -> Output {
  { argument in
    let arguments = try checkedLeaves(argument)
    let staged = try stage(function, argument)
    let first = try trace(arguments.map(\.type)) { inputs in
      let (value, residuals) = try forward(try argument.replacing(leaves: inputs))
      return ((value, residuals), value.leaves + residuals.leaves)
    }
    let (value, residuals) = first.output
    let residualCount = first.program.outputs.count - staged.program.outputs.count
    let types =
      Array(first.program.outputTypes.suffix(Swift.max(residualCount, 0))) + staged.program.outputTypes
    let second = try trace(types) { inputs in
      let cotangent = try backward(
        try residuals.replacing(leaves: Array(inputs.prefix(residualCount))),
        try value.replacing(leaves: Array(inputs.dropFirst(residualCount))))
      return ((), cotangent.leaves)
    }
    let primitive = CustomReverse(
      function: staged.program, forward: first.program, backward: second.program,
      argumentCount: arguments.count,
      functionCaptures: staged.captures.count, forwardCaptures: first.captures.count)
    let results = try bindOrThrow(primitive, arguments + staged.captures + first.captures + second.captures)
    return try staged.output.replacing(leaves: results)
  }
}
