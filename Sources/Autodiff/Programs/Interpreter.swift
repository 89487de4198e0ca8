extension Program {
  /// Computes the outputs one operation after the other; values are released after their last use.
  package func interpret(_ arguments: [DenseArray]) throws(TensorError) -> [DenseArray] {
    var values = [DenseArray?](repeating: nil, count: types.count)
    for (id, value) in zip(inputs, arguments) { values[Int(id)] = value }
    for constant in constants { values[Int(constant.variable)] = constant.value }
    let last = lastUses()
    var operands: [DenseArray] = []
    for (index, equation) in equations.enumerated() {
      operands.removeAll(keepingCapacity: true)
      for id in self.operands(of: equation) { operands.append(values[Int(id)]!) }
      let results = try located(index) { () throws(TensorError) in
        try primitive(of: equation).checkedEvaluate(operands)
      }
      for (id, value) in zip(equation.results, results) where last[id] >= 0 { values[id] = value }
      for id in self.operands(of: equation) where last[Int(id)] == index { values[Int(id)] = nil }
    }
    return outputs.map { values[Int($0)]! }
  }

  /// The outputs for these inputs: computed if all are numbers, recorded operation by operation if some are traced.
  package func callAsFunction(_ arguments: [Tensor]) throws(TensorError) -> [Tensor] {
    var arrays: [DenseArray] = []
    for argument in arguments {
      guard let array = argument.dense else { break }
      arrays.append(array)
    }
    if arrays.count == arguments.count { return try interpret(arrays).map { Tensor($0) } }
    var values = [Tensor?](repeating: nil, count: types.count)
    for (id, value) in zip(inputs, arguments) { values[Int(id)] = value }
    for constant in constants { values[Int(constant.variable)] = Tensor(constant.value) }
    for (index, equation) in equations.enumerated() {
      let operands = operands(of: equation).map { values[Int($0)]! }
      let results = try located(index) { () throws(TensorError) in
        try bindOrThrow(primitive(of: equation), operands)
      }
      for (id, value) in zip(equation.results, results) { values[id] = value }
    }
    return outputs.map { values[Int($0)]! }
  }
}
