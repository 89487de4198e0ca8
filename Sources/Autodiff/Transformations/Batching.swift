extension Program {
  /// The program for a batch: batched arguments and results have the batch as axis 0.
  package func batched(_ arguments: [Tensor], _ isBatched: [Bool], size: Int) throws -> (
    results: [Tensor], isBatched: [Bool]
  ) {
    var values = [Tensor?](repeating: nil, count: types.count)
    var flags = [Bool](repeating: false, count: types.count)
    for (index, id) in inputs.enumerated() {
      values[Int(id)] = arguments[index]
      flags[Int(id)] = isBatched[index]
    }
    for constant in constants { values[Int(constant.variable)] = Tensor(constant.value) }
    let last = lastUses()
    for (index, equation) in equations.enumerated() {
      let ids = operands(of: equation)
      let operands = ids.map { values[Int($0)]! }
      let operandFlags = ids.map { flags[Int($0)] }
      let primitive = primitive(of: equation)
      let (results, resultFlags) = try located(index) {
        operandFlags.contains(true)
          ? try primitive.batch(operands, operandFlags, size: size)
          : (try bindOrThrow(primitive, operands), equation.results.map { _ in false })
      }
      // Rules look at shapes, which a mistake does not have.
      for result in results { if case .failed(let error) = result.representation { throw error } }
      for (k, id) in equation.results.enumerated() where last[id] >= 0 {
        values[id] = results[k]
        flags[id] = resultFlags[k]
      }
      for id in ids where last[Int(id)] == index { values[Int(id)] = nil }
    }
    return (outputs.map { values[Int($0)]! }, outputs.map { flags[Int($0)] })
  }

  /// The batched program itself. Outputs that `forced` asks for are batched even if they are the same for all.
  package func batchedProgram(isBatched: [Bool], size: Int, forced: [Bool]? = nil) throws -> (
    program: Program, isOutputBatched: [Bool]
  ) {
    let batchedTypes = zip(inputTypes, isBatched).map {
      TensorType($0.elementType, ($1 ? [size] : []) + $0.shape)
    }
    let traced = try trace(batchedTypes) { arguments in
      var (results, flags) = try batched(arguments, isBatched, size: size)
      for (k, wanted) in (forced ?? []).enumerated() where wanted && !flags[k] {
        results[k] = results[k].batched(false, size)
        flags[k] = true
      }
      return (flags, results)
    }
    assert(traced.captures.isEmpty)
    return (traced.program, traced.output)
  }
}
