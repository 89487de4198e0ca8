/// A program repeated over the rows of arrays, handing a state on.
///
/// Operands: constants, the state's first value, arrays whose axis 0 is stepped through. The body takes constants, state and
/// one row of each array, to the next state and one row of each result. Results: the last state, then stacks of rows.
package struct Scan: HigherOrderPrimitive {
  let body: Program
  let constantCount: Int
  let stateCount: Int
  let length: Int
  /// From the last row to the first. Rows of results stay with the rows they were made from.
  let isReverse: Bool

  package var name: String { "scan" }
  package var attributes: String {
    "length: \(length), constants: \(constantCount), state: \(stateCount)" + (isReverse ? ", reverse" : "")
  }
  package var programs: [(role: String, program: Program)] { [("body", body)] }

  var rowStart: Int { constantCount + stateCount }
  private var rowTypes: [TensorType] { Array(body.inputTypes.dropFirst(rowStart)) }
  private var resultRowTypes: [TensorType] { Array(body.outputTypes.dropFirst(stateCount)) }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    let expected = body.inputTypes.enumerated().map { index, type in
      index < rowStart ? type : TensorType(type.elementType, [length] + type.shape)
    }
    guard operands == expected else {
      throw TensorError(.shape, name, "operands \(operands) do not belong to a body of \(body.inputTypes)")
    }
    let state = Array(body.inputTypes[constantCount..<rowStart])
    guard Array(body.outputTypes.prefix(stateCount)) == state else {
      throw TensorError(
        .shape, name,
        "the body takes a state of types \(state) to one of types \(Array(body.outputTypes.prefix(stateCount))); "
          + "they must agree")
    }
    return state + resultRowTypes.map { TensorType($0.elementType, [length] + $0.shape) }
  }

  package func evaluate(_ operands: [DenseArray]) throws(TensorError) -> [DenseArray] {
    var state = Array(operands[constantCount..<rowStart])
    let constants = Array(operands.prefix(constantCount))
    let stacks = resultRowTypes.map { DenseArray(uninitialized: $0.elementType, [length] + $0.shape) }
    for step in 0..<length {
      let row = isReverse ? length - 1 - step : step
      let rows = operands.dropFirst(rowStart).map { $0.row(row) }
      let results = try body.interpret(constants + state + rows)
      state = Array(results.prefix(stateCount))
      for (stack, value) in zip(stacks, results.dropFirst(stateCount)) {
        stack.row(row).overwrite(with: value)
      }
    }
    return state + stacks
  }
}

extension DenseArray {
  /// The view of one entry of axis 0.
  func row(_ index: Int) -> DenseArray {
    view(
      Array(shape.dropFirst()), strides: Array(strides.dropFirst()),
      offset: offset + index * (strides.first ?? 0))
  }
}
