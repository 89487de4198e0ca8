extension Program {
  /// Cotangents of the linear inputs (nil: zero), given those of the outputs: each operation's transpose in reverse order.
  ///
  /// The program must be linear in the inputs marked so, jointly; `known` are the values of the others, in order.
  package func transposed(isLinear: [Bool], known: [Tensor], cotangents: [Tensor?]) throws -> [Tensor?] {
    var values = [Tensor?](repeating: nil, count: types.count)
    var isLinearValue = [Bool](repeating: false, count: types.count)
    var next = 0
    for (id, flag) in zip(inputs, isLinear) {
      if flag {
        isLinearValue[Int(id)] = true
      } else {
        values[Int(id)] = known[next]
        next += 1
      }
    }
    for constant in constants { values[Int(constant.variable)] = Tensor(constant.value) }
    // What does not depend on linear inputs is computed forwards.
    for (index, equation) in equations.enumerated() {
      let ids = operands(of: equation)
      if ids.contains(where: { isLinearValue[Int($0)] }) {
        for id in equation.results { isLinearValue[id] = true }
      } else {
        let results = try located(index) {
          try bindOrThrow(primitive(of: equation), ids.map { values[Int($0)]! })
        }
        for (id, result) in zip(equation.results, results) { values[id] = result }
      }
    }
    var sums = CotangentSums(count: types.count)
    for (id, cotangent) in zip(outputs, cotangents) where isLinearValue[Int(id)] {
      sums.add(cotangent, nil, to: Int(id))
    }
    for index in equations.indices.reversed() {
      let equation = equations[index]
      guard isLinearValue[Int(equation.firstResult)] else { continue }
      let cotangents = equation.results.map { sums.take($0) }
      guard cotangents.contains(where: { $0 != nil }) else { continue }
      let ids = operands(of: equation)
      let primitive = primitive(of: equation)
      var operands = ids.map { id -> TransposeOperand in
        isLinearValue[Int(id)] ? .linear(types[Int(id)]) : .known(values[Int(id)]!)
      }
      try located(index) {
        let mask = equation.resultCount == 1 ? cotangents[0]?.support : nil
        if let mask { operands = primitive.sanitized(operands, mask) }
        let results = try primitive.transpose(cotangents.map { $0?.value }, operands)
        let masks = try primitive.operandSupports(operands, mask)
        for (k, id) in ids.enumerated() where isLinearValue[Int(id)] {
          sums.add(results[k], masks?[k], to: Int(id))
        }
      }
    }
    return zip(inputs, isLinear).filter { $0.1 }.map { sums.take(Int($0.0))?.value }
  }
}

/// A cotangent and, if known, the mask outside of which its elements are zero by construction.
private struct Cotangent {
  var value: Tensor
  var support: Tensor?
}

/// Cotangents while they are being added up.
private struct CotangentSums {
  private var entries: [Cotangent?]
  init(count: Int) { entries = Array(repeating: nil, count: count) }

  mutating func add(_ value: Tensor?, _ support: Tensor?, to id: Int) {
    guard let value else { return }
    guard let old = entries[id] else {
      entries[id] = Cotangent(value: value, support: support)
      return
    }
    var union: Tensor?
    if let a = old.support, let b = support { union = a .| b }
    entries[id] = Cotangent(value: old.value + value, support: union)
  }
  mutating func take(_ id: Int) -> Cotangent? {
    defer { entries[id] = nil }
    return entries[id]
  }
}

// A cotangent that select(_:_:_:) sends to the branch it did not take is zero whatever the branch computed. As
// a number that zero times an infinite coefficient would be NaN, so the places where it is zero by construction
// travel along with it, and coefficients there are put to zero before they are used.
extension Primitive {
  fileprivate func sanitized(_ operands: [TransposeOperand], _ mask: Tensor) -> [TransposeOperand] {
    guard zeroPattern == .elementwise else { return operands }
    return operands.enumerated().map { index, operand in
      guard case .known(let value) = operand, value.elementType.isFloatingPoint, value.shape == mask.shape
      else {
        return operand
      }
      // The divisor of a quotient becomes one, every other coefficient zero.
      let isDivisor = index == 1 && (self as? Binary) == .divide
      let harmless = isDivisor ? Tensor.ones(value.type) : Tensor.zeros(value.type)
      return .known(bind1(Select(), mask, value, harmless))
    }
  }

  fileprivate func operandSupports(_ operands: [TransposeOperand], _ mask: Tensor?) throws -> [Tensor?]? {
    switch zeroPattern {
    case .selection:
      guard let chosen = operands[0].known else { return nil }
      return [nil, mask.map { $0 .& chosen } ?? chosen, mask.map { $0 .& .!chosen } ?? .!chosen]
    case .elementwise: return mask.map { mask in operands.map { _ in mask } }
    case .structural:
      guard let mask else { return nil }
      let indicator = mask.converted(to: operands.first { $0.isLinear }?.type.elementType ?? .float64)
      return try transpose([indicator], operands).map { $0.map { $0 .!= 0.0 } }
    case .none: return nil
    }
  }
}
