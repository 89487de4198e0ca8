/// A program cut in two: what can be computed from the known inputs, and the rest.
package struct PartialEvaluation: Sendable {
  /// Known inputs to known outputs, then residuals.
  package var known: Program
  /// Residuals, then unknown inputs, to unknown outputs.
  package var unknown: Program
  package var isOutputUnknown: [Bool]
  package var residualCount: Int
}

extension Program {
  /// Which values depend on the unknown inputs.
  func unknownVariables(_ isInputUnknown: [Bool]) throws -> (variables: [Bool], splits: [Int: SplitEquation])
  {
    var isUnknown = [Bool](repeating: false, count: types.count)
    var splits: [Int: SplitEquation] = [:]
    for (id, flag) in zip(inputs, isInputUnknown) { isUnknown[Int(id)] = flag }
    for (index, equation) in equations.enumerated() {
      let ids = operands(of: equation)
      guard ids.contains(where: { isUnknown[Int($0)] }) else { continue }
      if ids.contains(where: { !isUnknown[Int($0)] }) || equation.resultCount > 1,
        let split = try primitive(of: equation).split(
          ids.map { types[Int($0)] }, isUnknown: ids.map { isUnknown[Int($0)] })
      {
        splits[index] = split
        for k in split.unknownResults { isUnknown[Int(equation.firstResult) + k] = true }
      } else {
        for id in equation.results { isUnknown[id] = true }
      }
    }
    return (isUnknown, splits)
  }

  /// Cuts the program by what depends on the unknown inputs.
  ///
  /// Outputs that `forced` marks count as unknown even if they are known: the second program hands them on.
  package func partiallyEvaluated(isUnknown isInputUnknown: [Bool], forced: [Bool]? = nil) throws
    -> PartialEvaluation
  {
    let (isUnknown, splits) = try unknownVariables(isInputUnknown)
    let isNeeded = neededEquations()
    var known = ProgramBuilder()
    var unknown = ProgramBuilder()
    var knownNumber = [Int32](repeating: -1, count: types.count)
    var unknownNumber = [Int32](repeating: -1, count: types.count)
    var isConstant = [Bool](repeating: false, count: types.count)
    // Residuals are the unknown program's first inputs, so that they are found before it is built.
    var residuals: [Int32] = []
    var isResidual = [Bool](repeating: false, count: types.count)
    var splitResiduals: [Int: [TensorType]] = [:]
    for constant in constants { isConstant[Int(constant.variable)] = true }
    func require(_ id: Int32) {
      guard !isUnknown[Int(id)], !isResidual[Int(id)], !isConstant[Int(id)] else { return }
      isResidual[Int(id)] = true
      residuals.append(id)
    }
    for (index, equation) in equations.enumerated() where isNeeded[index] {
      if let split = splits[index] {
        let ids = Array(operands(of: equation))
        for k in split.unknownOperands { require(ids[k]) }
        let results = try split.known.resultTypes(split.knownOperands.map { types[Int(ids[$0])] })
        splitResiduals[index] = Array(results.dropFirst(split.knownResults.count))
      } else if isUnknown[Int(equation.firstResult)] {
        for id in operands(of: equation) { require(id) }
      }
    }
    let isOutputUnknown = outputs.enumerated().map { isUnknown[Int($1)] || (forced?[$0] ?? false) }
    for (id, flag) in zip(outputs, isOutputUnknown) where flag { require(id) }
    for id in residuals { unknownNumber[Int(id)] = unknown.input(types[Int(id)]) }
    var splitInputs: [Int: [Int32]] = [:]
    for index in splitResiduals.keys.sorted() {
      splitInputs[index] = splitResiduals[index]!.map { unknown.input($0) }
    }
    for (id, flag) in zip(inputs, isInputUnknown) {
      if flag {
        unknownNumber[Int(id)] = unknown.input(types[Int(id)])
      } else {
        knownNumber[Int(id)] = known.input(types[Int(id)])
      }
    }
    for constant in constants {
      knownNumber[Int(constant.variable)] = known.constant(constant.value)
      unknownNumber[Int(constant.variable)] = unknown.constant(constant.value)
    }
    var splitOutputs: [Int32] = []
    for (index, equation) in equations.enumerated() where isNeeded[index] {
      let ids = operands(of: equation)
      if let split = splits[index] {
        let original = Array(ids)
        let knownIDs = split.knownOperands.map { knownNumber[Int(original[$0])] }
        let knownTypes =
          split.knownResults.map { types[Int(equation.firstResult) + $0] } + splitResiduals[index]!
        let first = known.append(split.known, knownIDs, results: knownTypes)
        known.locate(sites[Int32(index)])
        for (offset, k) in split.knownResults.enumerated() {
          knownNumber[Int(equation.firstResult) + k] = first + Int32(offset)
        }
        let residualStart = Int(first) + split.knownResults.count
        splitOutputs.append(contentsOf: splitResiduals[index]!.indices.map { Int32(residualStart + $0) })
        let unknownIDs = split.unknownOperands.map { unknownNumber[Int(original[$0])] } + splitInputs[index]!
        let unknownTypes = split.unknownResults.map { types[Int(equation.firstResult) + $0] }
        let start = unknown.append(split.unknown, unknownIDs, results: unknownTypes)
        unknown.locate(sites[Int32(index)])
        for (offset, k) in split.unknownResults.enumerated() {
          unknownNumber[Int(equation.firstResult) + k] = start + Int32(offset)
        }
      } else if isUnknown[Int(equation.firstResult)] {
        let first = unknown.append(
          primitive(of: equation), ids.map { unknownNumber[Int($0)] },
          results: equation.results.map { types[$0] })
        unknown.locate(sites[Int32(index)])
        for (offset, id) in equation.results.enumerated() { unknownNumber[id] = first + Int32(offset) }
      } else {
        let first = known.append(
          primitive(of: equation), ids.map { knownNumber[Int($0)] },
          results: equation.results.map { types[$0] })
        known.locate(sites[Int32(index)])
        for (offset, id) in equation.results.enumerated() { knownNumber[id] = first + Int32(offset) }
      }
    }
    let knownOutputs = zip(outputs, isOutputUnknown).filter { !$0.1 }.map { knownNumber[Int($0.0)] }
    let unknownOutputs = zip(outputs, isOutputUnknown).filter(\.1).map { unknownNumber[Int($0.0)] }
    let residualOutputs = residuals.map { knownNumber[Int($0)] } + splitOutputs
    return PartialEvaluation(
      known: Program(known, outputs: knownOutputs + residualOutputs),
      unknown: Program(unknown, outputs: unknownOutputs), isOutputUnknown: isOutputUnknown,
      residualCount: residualOutputs.count)
  }

  /// For each equation whether an output depends on it.
  func neededEquations() -> [Bool] {
    var isUsed = [Bool](repeating: false, count: types.count)
    for id in outputs { isUsed[Int(id)] = true }
    var isNeeded = [Bool](repeating: false, count: equations.count)
    for index in equations.indices.reversed() {
      let equation = equations[index]
      guard equation.results.contains(where: { isUsed[$0] }) else { continue }
      isNeeded[index] = true
      for id in operands(of: equation) { isUsed[Int(id)] = true }
    }
    return isNeeded
  }
}
