/// Applies a primitive: computes if all operands are numbers, records if one is traced. A mistake is handed to the
/// enclosing scope (``withTensorErrors(_:)``), and the results carry it.
package func bind(_ primitive: some Primitive, _ operands: [Tensor]) -> [Tensor] {
  do throws(TensorError) {
    return try bindOrThrow(primitive, operands)
  } catch {
    let count = (try? primitive.resultTypes(operands.map(\.type)))?.count ?? 1
    return [Tensor](repeating: error.report(), count: count)
  }
}
/// Applies a primitive with one result.
package func bind1(_ primitive: some Primitive, _ operands: Tensor...) -> Tensor {
  bind(primitive, operands)[0]
}

/// Applies a primitive; a mistake is thrown.
package func bindOrThrow(_ primitive: any Primitive, _ operands: [Tensor]) throws(TensorError) -> [Tensor] {
  var isTraced = false
  var types: [TensorType] = []
  types.reserveCapacity(operands.count)
  for operand in operands {
    switch operand.representation {
    case .failed(let error): throw error
    case .traced(let value):
      isTraced = true
      types.append(value.type)
    case .dense(let array): types.append(array.type)
    }
  }
  let results = try primitive.resultTypes(types)
  if isTraced {
    guard let trace = TensorContext.current.trace else { throw Trace.escaped }
    return try trace.record(primitive, operands, results)
  }
  return try primitive.checkedEvaluate(operands.map { $0.dense! }).map { Tensor($0) }
}
