import Lanes

/// Functions of one number, element by element.
package enum Unary: UInt8, CaseIterable, Sendable {
  case negate, absolute, sign, floor, ceiling, round, truncate
  case square, squareRoot, reciprocal
  case exponential, exponentialMinusOne, logarithm, logarithmOnePlus
  case sine, cosine, tangent, arcSine, arcCosine, arcTangent
  case hyperbolicSine, hyperbolicCosine, hyperbolicTangent
  case arcHyperbolicSine, arcHyperbolicCosine, arcHyperbolicTangent
  case logistic, errorFunction, complementaryErrorFunction
  case logGamma, digamma, trigamma, tetragamma
  case sinc
}

extension Unary: Primitive {
  package var name: String { "\(self)" }
  package var internalCode: Int? { Int(rawValue) }
  /// The function with this code.
  init?(internalCode: Int) {
    guard (0..<64).contains(internalCode) else { return nil }
    self.init(rawValue: UInt8(internalCode))
  }
  package var zeroPattern: ZeroPattern { .elementwise }

  package func resultTypes(_ operands: [TensorType]) throws(TensorError) -> [TensorType] {
    [try resultType(operands[0])]
  }
  func resultType(_ operand: TensorType) throws(TensorError) -> TensorType {
    let isForIntegers = self == .negate || self == .absolute || self == .sign || self == .square
    guard operand.elementType.isFloatingPoint || (isForIntegers && operand.elementType == .int32) else {
      throw TensorError(
        .elementType, name, "is not defined for \(operand); convert to float64 with converted(to:) first")
    }
    return operand
  }

  package func evaluate(_ operands: [DenseArray]) -> [DenseArray] { [evaluate(operands[0])] }

  package func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
    results: [Tensor], tangents: [Tensor?]
  ) {
    let x = primals[0]
    let y = apply(self, x)
    guard let t = tangents[0] else { return ([y], [nil]) }
    if self == .negate { return ([y], [-t]) }
    return ([y], [try derivative(x, y).map { t * $0 }])
  }

  /// dy/dx; nil where it is zero almost everywhere.
  private func derivative(_ x: Tensor, _ y: Tensor) throws -> Tensor? {
    switch self {
    case .negate: Tensor(repeating: -1, shape: x.shape, type: x.elementType)
    case .absolute: apply(.sign, x)
    case .sign, .floor, .ceiling, .round, .truncate: nil
    case .square: 2.0 * x
    case .squareRoot: 0.5 / y
    case .reciprocal: -apply(.square, y)
    case .exponential: y
    case .exponentialMinusOne: exp(x)
    case .logarithm: apply(.reciprocal, x)
    case .logarithmOnePlus: apply(.reciprocal, x + 1.0)
    case .sine: cos(x)
    case .cosine: -sin(x)
    case .tangent: apply(.square, y) + 1.0
    case .arcSine: apply(.reciprocal, sqrt((1.0 - x) * (1.0 + x)))
    case .arcCosine: -apply(.reciprocal, sqrt((1.0 - x) * (1.0 + x)))
    case .arcTangent: apply(.reciprocal, apply(.square, x) + 1.0)
    case .hyperbolicSine: cosh(x)
    case .hyperbolicCosine: sinh(x)
    case .hyperbolicTangent: (1.0 - y) * (1.0 + y)
    case .arcHyperbolicSine: apply(.reciprocal, sqrt(apply(.square, x) + 1.0))
    case .arcHyperbolicCosine: apply(.reciprocal, sqrt((x - 1.0) * (x + 1.0)))
    case .arcHyperbolicTangent: apply(.reciprocal, (1.0 - x) * (1.0 + x))
    case .logistic: y * (1.0 - y)
    case .errorFunction: exp(-apply(.square, x)) * 1.128_379_167_095_512_6
    case .complementaryErrorFunction: exp(-apply(.square, x)) * -1.128_379_167_095_512_6
    case .logGamma: apply(.digamma, x)
    case .digamma: apply(.trigamma, x)
    case .trigamma: apply(.tetragamma, x)
    case .sinc: sincDerivative(x, y)
    case .tetragamma:
      throw TensorError(.unsupportedDerivative, name, "the third derivative of digamma is not implemented")
    }
  }

  package func transpose(_ cotangents: [Tensor?], _ operands: [TransposeOperand]) throws -> [Tensor?] {
    guard self == .negate else {
      throw TensorError(.unsupportedDerivative, name, "is not linear, so that it has no transpose")
    }
    return [cotangents[0].map { -$0 }]
  }

  package func batch(_ operands: [Tensor], _ isBatched: [Bool], size: Int) -> (
    results: [Tensor], isBatched: [Bool]
  ) { ([apply(self, operands[0])], isBatched) }
}

/// (sin x / x)' = (cos x − sin x / x) / x, which cancels near zero: there −x/3 + x³/30 − x⁵/840 + x⁷/45360 − …, whose
/// next terms are below 1e-17 for |x| < 0.5.
private func sincDerivative(_ x: Tensor, _ y: Tensor) -> Tensor {
  let isSmall = apply(.absolute, x) .< 0.5
  let safe = select(isSmall, Tensor.ones(x.type), x)
  let far = (cos(safe) - y) / safe
  let x2 = apply(.square, x)
  var near = x2 * (-14.0 / 1_307_674_368_000.0) + (12.0 / 6_227_020_800.0)
  near = near * x2 - 10.0 / 39_916_800.0
  near = near * x2 + 8.0 / 362_880.0
  near = near * x2 - 6.0 / 5040.0
  near = near * x2 + 4.0 / 120.0
  near = near * x2 - 2.0 / 6.0
  return select(isSmall, near * x, far)
}

/// Applies an elementwise function.
func apply(_ operation: Unary, _ x: Tensor) -> Tensor {
  do throws(TensorError) {
    switch x.representation {
    case .failed: return x
    case .dense(let array):
      _ = try operation.resultType(array.type)
      let result = operation.evaluate(array)
      if TensorContext.current.checksFinite { try operation.requireFinite([result], [array]) }
      return Tensor(result)
    case .traced(let value):
      guard let trace = TensorContext.current.trace else { throw Trace.escaped }
      return try trace.record(operation, x, try operation.resultType(value.type))
    }
  } catch { return error.report() }
}
/// Applies an elementwise function of floating-point numbers; integers are converted to `float64` first.
func applyToFloating(_ operation: Unary, _ x: Tensor) -> Tensor {
  apply(operation, x.elementType.isFloatingPoint ? x : x.converted(to: .float64))
}
