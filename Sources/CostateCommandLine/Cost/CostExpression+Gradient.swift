import Foundation

extension CostExpression {
  /// The cost and its derivative with respect to each of ``variables``.
  ///
  /// - Parameter values: one number per variable.
  /// - Throws: `CommandFailure` (computation failed) with the place in the expression, where a value or a
  ///   derivative does not exist (the root of a negative number, the slope of a root or an absolute value at zero).
  func valueAndGradient(at values: [Double]) throws(CommandFailure) -> (value: Double, gradient: [Double]) {
    let primal = try evaluate(at: values)
    var adjoint = [Double](repeating: 0, count: operations.count)
    var gradient = [Double](repeating: 0, count: variables.count)
    adjoint[operations.count - 1] = 1
    for i in operations.indices.reversed() where isVarying(i) && adjoint[i] != 0 {
      let bar = adjoint[i]
      switch operations[i] {
      case .constant: break
      case .variable(let index): gradient[index] += bar
      case .negate(let a): adjoint[a] -= bar
      case .apply(let function, let a):
        adjoint[a] +=
          bar * (try finite(slope(of: function, at: primal[a], value: primal[i]), "derivative", i))
      case .combine(let symbol, let a, let b):
        let slopes = self.slopes(of: symbol, primal[a], primal[b], value: primal[i])
        if isVarying(a) { adjoint[a] += bar * (try finite(slopes.left, "derivative", i)) }
        if isVarying(b) { adjoint[b] += bar * (try finite(slopes.right, "derivative", i)) }
      }
    }
    return (primal[operations.count - 1], gradient)
  }

  /// The cost alone.
  func value(at values: [Double]) throws(CommandFailure) -> Double { try evaluate(at: values).last! }

  private func evaluate(at values: [Double]) throws(CommandFailure) -> [Double] {
    var primal: [Double] = []
    for (i, operation) in operations.enumerated() {
      let value: Double
      switch operation {
      case .constant(let number): value = number
      case .variable(let index): value = values[index]
      case .negate(let a): value = -primal[a]
      case .apply(let function, let a): value = apply(function, primal[a])
      case .combine(let symbol, let a, let b): value = combine(symbol, primal[a], primal[b])
      }
      primal.append(try finite(value, "value", i))
    }
    return primal
  }

  private func finite(_ number: Double, _ what: String, _ operation: Int) throws(CommandFailure) -> Double {
    guard number.isFinite else {
      throw Self.failure(
        .computationFailed, in: source, at: offsets[operation], "the \(what) does not exist here (\(number))")
    }
    return number
  }

  private func apply(_ function: Function, _ x: Double) -> Double {
    switch function {
    case .sin: sin(x)
    case .cos: cos(x)
    case .tan: tan(x)
    case .sqrt: x.squareRoot()
    case .exp: exp(x)
    case .log: log(x)
    case .abs: x.magnitude
    case .tanh: tanh(x)
    }
  }

  private func slope(of function: Function, at x: Double, value: Double) -> Double {
    switch function {
    case .sin: cos(x)
    case .cos: -sin(x)
    case .tan: 1 + value * value
    case .sqrt: 0.5 / value
    case .exp: value
    case .log: 1 / x
    case .abs: x > 0 ? 1 : x < 0 ? -1 : .nan
    case .tanh: 1 / (cosh(x) * cosh(x))
    }
  }

  private func combine(_ symbol: BinaryOperator, _ a: Double, _ b: Double) -> Double {
    switch symbol {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .divide: a / b
    case .power: pow(a, b)
    }
  }

  private func slopes(
    of symbol: BinaryOperator, _ a: Double, _ b: Double, value: Double
  ) -> (left: Double, right: Double) {
    switch symbol {
    case .add: (1, 1)
    case .subtract: (1, -1)
    case .multiply: (b, a)
    case .divide: (1 / b, -value / b)
    case .power: (b == 0 ? 0 : b * pow(a, b - 1), a == 0 && b > 0 ? 0 : value * log(a))
    }
  }
}
