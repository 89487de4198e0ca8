// Elementary functions, element by element. Integers are converted to `float64`.

/// The absolute value; its derivative at zero is zero.
public func abs(_ x: Tensor) -> Tensor { apply(.absolute, x) }
/// -1, 0 or 1.
public func sign(_ x: Tensor) -> Tensor { apply(.sign, x) }
/// The largest integer that is not greater.
public func floor(_ x: Tensor) -> Tensor { applyToFloating(.floor, x) }
/// The smallest integer that is not less.
public func ceil(_ x: Tensor) -> Tensor { applyToFloating(.ceiling, x) }
/// The nearest integer; of two the even one.
public func round(_ x: Tensor) -> Tensor { applyToFloating(.round, x) }
/// The number without its fraction.
public func trunc(_ x: Tensor) -> Tensor { applyToFloating(.truncate, x) }
/// The square.
public func square(_ x: Tensor) -> Tensor { apply(.square, x) }
/// The square root. Its derivative at zero is infinite.
public func sqrt(_ x: Tensor) -> Tensor { applyToFloating(.squareRoot, x) }
/// One divided by the number.
public func reciprocal(_ x: Tensor) -> Tensor { applyToFloating(.reciprocal, x) }
/// e raised to the number.
public func exp(_ x: Tensor) -> Tensor { applyToFloating(.exponential, x) }
/// e raised to the number, less one, accurate near zero.
public func expm1(_ x: Tensor) -> Tensor { applyToFloating(.exponentialMinusOne, x) }
/// The logarithm to base e.
public func log(_ x: Tensor) -> Tensor { applyToFloating(.logarithm, x) }
/// The logarithm of one plus the number, accurate near zero.
public func log1p(_ x: Tensor) -> Tensor { applyToFloating(.logarithmOnePlus, x) }
/// The sine of an angle in radians.
public func sin(_ x: Tensor) -> Tensor { applyToFloating(.sine, x) }
/// The cosine of an angle in radians.
public func cos(_ x: Tensor) -> Tensor { applyToFloating(.cosine, x) }
/// The tangent of an angle in radians.
public func tan(_ x: Tensor) -> Tensor { applyToFloating(.tangent, x) }
/// The angle in [-pi/2, pi/2] with this sine.
public func asin(_ x: Tensor) -> Tensor { applyToFloating(.arcSine, x) }
/// The angle in [0, pi] with this cosine.
public func acos(_ x: Tensor) -> Tensor { applyToFloating(.arcCosine, x) }
/// The angle in (-pi/2, pi/2) with this tangent.
public func atan(_ x: Tensor) -> Tensor { applyToFloating(.arcTangent, x) }
/// The hyperbolic sine.
public func sinh(_ x: Tensor) -> Tensor { applyToFloating(.hyperbolicSine, x) }
/// The hyperbolic cosine.
public func cosh(_ x: Tensor) -> Tensor { applyToFloating(.hyperbolicCosine, x) }
/// The hyperbolic tangent.
public func tanh(_ x: Tensor) -> Tensor { applyToFloating(.hyperbolicTangent, x) }
/// The inverse hyperbolic sine.
public func asinh(_ x: Tensor) -> Tensor { applyToFloating(.arcHyperbolicSine, x) }
/// The inverse hyperbolic cosine.
public func acosh(_ x: Tensor) -> Tensor { applyToFloating(.arcHyperbolicCosine, x) }
/// The inverse hyperbolic tangent.
public func atanh(_ x: Tensor) -> Tensor { applyToFloating(.arcHyperbolicTangent, x) }
/// 1 / (1 + e^-x).
public func logistic(_ x: Tensor) -> Tensor { applyToFloating(.logistic, x) }
/// The error function.
public func erf(_ x: Tensor) -> Tensor { applyToFloating(.errorFunction, x) }
/// One minus the error function, accurate where that is small.
public func erfc(_ x: Tensor) -> Tensor { applyToFloating(.complementaryErrorFunction, x) }
/// The logarithm of the absolute value of the gamma function. Derivatives exist to third order.
public func lgamma(_ x: Tensor) -> Tensor { applyToFloating(.logGamma, x) }
/// The derivative of ``lgamma(_:)``.
public func digamma(_ x: Tensor) -> Tensor { applyToFloating(.digamma, x) }
/// sin(x) / x, one at zero, with derivatives that are accurate near zero.
public func sinc(_ x: Tensor) -> Tensor { applyToFloating(.sinc, x) }
/// `base` raised to `exponent`.
public func pow(_ base: Tensor, _ exponent: Tensor) -> Tensor { broadcastApply(.power, base, exponent) }
/// `base` raised to a constant; small integers become products.
public func pow(_ base: Tensor, _ exponent: Double) -> Tensor {
  let x = base.elementType.isFloatingPoint ? base : base.converted(to: .float64)
  switch exponent {
  case 0: return Tensor.ones(x.type)
  case 1: return x
  case 2: return apply(.square, x)
  case 3: return apply(.square, x) * x
  case 4: return apply(.square, apply(.square, x))
  case 0.5: return apply(.squareRoot, x)
  case -1: return apply(.reciprocal, x)
  case -2: return apply(.reciprocal, apply(.square, x))
  default: return applyLiteral(.power, x, exponent)
  }
}
/// `base` raised to a constant.
public func pow(_ base: Tensor, _ exponent: Int) -> Tensor { pow(base, Double(exponent)) }
/// A constant raised to `exponent`.
public func pow(_ base: Double, _ exponent: Tensor) -> Tensor { pow(exponent.like(base), exponent) }
/// The angle in [-pi, pi] of the point `(x, y)`. It has no derivative at the origin, where NaN results.
public func atan2(_ y: Tensor, _ x: Tensor) -> Tensor { broadcastApply(.arcTangent2, y, x) }
/// The smaller of two numbers; NaN if one is. Where both are equal, each has half of the derivative.
public func minimum(_ a: Tensor, _ b: Tensor) -> Tensor { broadcastApply(.minimum, a, b) }
/// The larger of two numbers; NaN if one is. Where both are equal, each has half of the derivative.
public func maximum(_ a: Tensor, _ b: Tensor) -> Tensor { broadcastApply(.maximum, a, b) }
/// The smaller of two numbers.
public func minimum(_ a: Tensor, _ b: Double) -> Tensor { minimum(a, a.like(b)) }
/// The larger of two numbers.
public func maximum(_ a: Tensor, _ b: Double) -> Tensor { maximum(a, a.like(b)) }
/// The numbers limited to a range.
public func clamp(_ x: Tensor, _ lower: Double, _ upper: Double) -> Tensor {
  minimum(maximum(x, lower), upper)
}

/// The logarithm to base 2.
public func log2(_ x: Tensor) -> Tensor { log(x) * 1.442_695_040_888_963_4 }
/// The logarithm to base 10.
public func log10(_ x: Tensor) -> Tensor { log(x) * 0.434_294_481_903_251_8 }
/// 2 raised to the number.
public func exp2(_ x: Tensor) -> Tensor { pow(2.0, x) }
/// The cube root, with the sign of the number. Its derivative at zero is infinite.
public func cbrt(_ x: Tensor) -> Tensor { sign(x) * pow(abs(x), 1.0 / 3.0) }
/// The length of the hypotenuse, √(a² + b²), without overflow. Its derivative at the origin is zero.
public func hypot(_ a: Tensor, _ b: Tensor) -> Tensor {
  guard let (x, y) = unified("hypot", a, b, needsFloating: true) else { return failed(a, b) }
  return norm(stack([x, y], axis: -1), axes: [-1])
}
/// The largest integer that is at most the quotient: Python's `//`. Of integers it is an `int32`, and division by zero a mistake.
public func floorDivide(_ a: Tensor, _ b: Tensor) -> Tensor {
  let quotient = floor(a / b)
  let isInteger = a.elementType <= .int32 && b.elementType <= .int32
  return isInteger ? quotient.converted(to: .int32) : quotient
}
/// The polynomial with these coefficients, highest power first, by Horner's rule.
public func polynomial(_ coefficients: [Double], at x: Tensor) -> Tensor {
  let x = x.elementType.isFloatingPoint ? x : x.converted(to: .float64)
  let first = Tensor(repeating: coefficients.first ?? 0, shape: x.shape, type: x.elementType)
  return coefficients.dropFirst().reduce(first) { $0 * x + $1 }
}

/// max(x, 0).
public func relu(_ x: Tensor) -> Tensor { select(x .> 0.0, x, 0.0) }
/// log(1 + e^x), without overflow.
public func softplus(_ x: Tensor) -> Tensor { maximum(x, 0.0) + log1p(exp(-abs(x))) }
/// x times the logistic function.
public func silu(_ x: Tensor) -> Tensor { x * logistic(x) }
/// x Φ(x) with the normal distribution Φ.
public func gelu(_ x: Tensor) -> Tensor { 0.5 * x * (1.0 + erf(x * 0.707_106_781_186_547_5)) }
/// True where the number is neither infinite nor NaN.
public func isFinite(_ x: Tensor) -> Tensor { abs(x) .< Double.infinity }
/// True where the number is NaN.
public func isNaN(_ x: Tensor) -> Tensor { x .!= x }
