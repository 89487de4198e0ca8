extension Program {
  /// Outputs and their tangents: each operation's jvp rule in turn. A tangent that is nil is zero.
  ///
  /// Run on numbers this computes; run while tracing it records the derivative program.
  package func forwardMode(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    primals: [Tensor], tangents: [Tensor?]
  ) {
    var values = [Tensor?](repeating: nil, count: types.count)
    var directions = [Tensor?](repeating: nil, count: types.count)
    for (index, id) in inputs.enumerated() {
      values[Int(id)] = primals[index]
      if types[Int(id)].elementType.isFloatingPoint { directions[Int(id)] = tangents[index] }
    }
    for constant in constants { values[Int(constant.variable)] = Tensor(constant.value) }
    let last = lastUses()
    var operands: [Tensor] = []
    var operandTangents: [Tensor?] = []
    for (index, equation) in equations.enumerated() {
      operands.removeAll(keepingCapacity: true)
      operandTangents.removeAll(keepingCapacity: true)
      var isActive = false
      for id in self.operands(of: equation) {
        operands.append(values[Int(id)]!)
        let tangent = directions[Int(id)]
        if tangent != nil { isActive = true }
        operandTangents.append(tangent)
      }
      let primitive = primitive(of: equation)
      if isActive {
        let (results, resultTangents) = try located(index) { try primitive.jvp(operands, operandTangents) }
        for (k, id) in equation.results.enumerated() where last[id] >= 0 {
          values[id] = results[k]
          directions[id] = resultTangents[k]
        }
      } else {
        let results = try located(index) { try bindOrThrow(primitive, operands) }
        for (k, id) in equation.results.enumerated() where last[id] >= 0 { values[id] = results[k] }
      }
      for id in self.operands(of: equation) where last[Int(id)] == index {
        values[Int(id)] = nil
        directions[Int(id)] = nil
      }
    }
    return (outputs.map { values[Int($0)]! }, outputs.map { directions[Int($0)] })
  }

  /// The program that takes inputs, then tangents of the active inputs, to outputs, then the tangents of those outputs
  /// that depend on them.
  package func jvpProgram(isActive: [Bool]) throws -> (program: Program, isOutputActive: [Bool]) {
    let activeTypes = zip(inputTypes, isActive).filter { $0.1 }.map(\.0)
    let traced = try trace(inputTypes + activeTypes) { arguments in
      var next = inputs.count
      let tangents: [Tensor?] = isActive.map { active in
        guard active else { return nil }
        next += 1
        return arguments[next - 1]
      }
      let (results, resultTangents) = try forwardMode(Array(arguments.prefix(inputs.count)), tangents)
      return (resultTangents.map { $0 != nil }, results + resultTangents.compactMap { $0 })
    }
    assert(traced.captures.isEmpty)
    return (traced.program, traced.output)
  }
}
