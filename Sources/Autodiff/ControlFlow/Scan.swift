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
    let compiled = TensorContext.current.checksFinite ? nil : body.compiled()
    if let registers = compiled?.registers { return run(registers, operands) }
    var state = Array(operands[constantCount..<rowStart])
    let constants = Array(operands.prefix(constantCount))
    let stacks = resultRowTypes.map { DenseArray(uninitialized: $0.elementType, [length] + $0.shape) }
    for step in 0..<length {
      let row = isReverse ? length - 1 - step : step
      let rows = operands.dropFirst(rowStart).map { $0.row(row) }
      let inputs = constants + state + rows
      let results = if let compiled { try compiled.run(inputs) } else { try body.interpret(inputs) }
      state = Array(results.prefix(stateCount))
      for (stack, value) in zip(stacks, results.dropFirst(stateCount)) {
        stack.row(row).overwrite(with: value)
      }
    }
    return state + stacks
  }
}

extension Scan {
  /// The loop over a small body: nothing is allocated in a step.
  private func run(_ code: RegisterProgram, _ operands: [DenseArray]) -> [DenseArray] {
    let sources = operands.map { $0.contiguous() }
    let stateTypes = Array(body.outputTypes.prefix(stateCount))
    // Two copies of the state, read and written in turn; the first step reads the operand itself.
    let copies = (0..<2).map { _ in stateTypes.map { DenseArray(uninitialized: $0) } }
    let stacks = resultRowTypes.map { DenseArray(uninitialized: $0.elementType, [length] + $0.shape) }
    var inputs = sources.map { $0.laneArray(stride: 0) }
    var outputs = (copies[0] + stacks).map { $0.laneArray(stride: 0) }
    let rowBytes = sources.dropFirst(rowStart).map { $0.type.rowByteCount }
    let stackBytes = stacks.map { $0.type.rowByteCount }
    let rowBases = inputs.dropFirst(rowStart).map(\.base)
    let stackBases = outputs.dropFirst(stateCount).map(\.base)
    withExtendedLifetime((sources, copies, stacks)) {
      for step in 0..<length {
        let row = isReverse ? length - 1 - step : step
        for (k, base) in rowBases.enumerated() { inputs[rowStart + k].base = base + row * rowBytes[k] }
        for (k, base) in stackBases.enumerated() { outputs[stateCount + k].base = base + row * stackBytes[k] }
        for k in 0..<stateCount { outputs[k].base = copies[step % 2][k].buffer.base }
        code.run(inputs: inputs, outputs: outputs)
        for k in 0..<stateCount { inputs[constantCount + k].base = outputs[k].base }
      }
    }
    let last = length == 0 ? Array(sources[constantCount..<rowStart]) : copies[(length - 1) % 2]
    return last + stacks
  }
}

extension TensorType {
  /// Bytes of one entry of axis 0.
  fileprivate var rowByteCount: Int { shape.dropFirst().reduce(1, *) * elementType.byteCount }
}

extension DenseArray {
  /// The view of one entry of axis 0.
  package func row(_ index: Int) -> DenseArray {
    view(
      Array(shape.dropFirst()), strides: Array(strides.dropFirst()),
      offset: offset + index * (strides.first ?? 0))
  }
}
