import Foundation
import Lanes

extension Unary {
  /// The function of one lane group: what kernels, the register machine and constant folding share.
  @inline(__always) func value<L: ElementLane>(_ x: L) -> L {
    switch self {
    case .negate: -x
    case .absolute: x.magnitude
    case .sign: select(x .== x, L.number(x .> L.zero) - L.number(x .< L.zero), x)
    case .floor: x.roundedDown
    case .ceiling: x.roundedUp
    case .round: x.roundedToEven
    case .truncate: x.truncated
    case .square: x * x
    case .squareRoot: x.squareRoot
    case .reciprocal: 1.0 / x
    case .exponential: x.exponential
    case .exponentialMinusOne: x.mapped { Foundation.expm1($0) }
    case .logarithm: x.naturalLogarithm
    case .logarithmOnePlus: x.mapped { Foundation.log1p($0) }
    case .sine: x.sine
    case .cosine: x.cosine
    case .tangent: x.sine / x.cosine
    case .arcSine: L.arcTangent(y: x, x: ((1.0 - x) * (1.0 + x)).squareRoot)
    case .arcCosine: x.arcCosine
    case .arcTangent: L.arcTangent(y: x, x: L.one)
    case .hyperbolicSine: x.mapped { Foundation.sinh($0) }
    case .hyperbolicCosine: 0.5 * (x.exponential + (-x).exponential)
    case .hyperbolicTangent: x.hyperbolicTangent
    case .arcHyperbolicSine: x.mapped { Foundation.asinh($0) }
    case .arcHyperbolicCosine: x.mapped { Foundation.acosh($0) }
    case .arcHyperbolicTangent: x.mapped { Foundation.atanh($0) }
    case .logistic: 1.0 / (1.0 + (-x).exponential)
    case .errorFunction: x.mapped { Foundation.erf($0) }
    case .complementaryErrorFunction: x.mapped { Foundation.erfc($0) }
    case .logGamma: x.mapped { Foundation.lgamma($0) }
    case .digamma: x.mapped { polygamma(0, $0) }
    case .trigamma: x.mapped { polygamma(1, $0) }
    case .tetragamma: x.mapped { polygamma(2, $0) }
    case .sinc: select(x .== L.zero, L.one, x.sine / x)
    }
  }

  func evaluate(_ x: DenseArray) -> DenseArray {
    if x.isUniform && x.count > 1 {
      return evaluate(x.view([], strides: [])).broadcast(to: x.shape, axes: [])
    }
    let source = x.contiguous()
    defer { withExtendedLifetime(source) {} }
    let result = DenseArray(uninitialized: x.type)
    switch x.elementType {
    case .float64:
      run(SIMD8<Double>.self, source.pointer(Double.self), result.pointer(Double.self), count: x.count)
    case .float32:
      run(SIMD16<Float>.self, source.pointer(Float.self), result.pointer(Float.self), count: x.count)
    case .int32: evaluateIntegers(source.pointer(Int32.self), result.pointer(Int32.self), count: x.count)
    case .bool: preconditionFailure("the result type of \(name) excludes bool")
    }
    return result
  }

  private func evaluateIntegers(_ x: UnsafePointer<Int32>, _ y: UnsafeMutablePointer<Int32>, count: Int) {
    for k in 0..<count {
      switch self {
      case .negate: y[k] = 0 &- x[k]
      case .absolute: y[k] = x[k] < 0 ? 0 &- x[k] : x[k]
      case .square: y[k] = x[k] &* x[k]
      default: y[k] = x[k].signum()
      }
    }
  }

  /// One loop per function, so that the choice is made once.
  @specialized(where L == SIMD8<Double>)
  @specialized(where L == SIMD16<Float>)
  func run<L: ElementLane>(
    _ lane: L.Type, _ x: UnsafePointer<L.Scalar>, _ y: UnsafeMutablePointer<L.Scalar>, count: Int
  ) {
    switch self {
    case .negate: unaryLoop(x, y, count) { (a: L) in Unary.negate.value(a) }
    case .absolute: unaryLoop(x, y, count) { (a: L) in Unary.absolute.value(a) }
    case .sign: unaryLoop(x, y, count) { (a: L) in Unary.sign.value(a) }
    case .floor: unaryLoop(x, y, count) { (a: L) in Unary.floor.value(a) }
    case .ceiling: unaryLoop(x, y, count) { (a: L) in Unary.ceiling.value(a) }
    case .round: unaryLoop(x, y, count) { (a: L) in Unary.round.value(a) }
    case .truncate: unaryLoop(x, y, count) { (a: L) in Unary.truncate.value(a) }
    case .square: unaryLoop(x, y, count) { (a: L) in Unary.square.value(a) }
    case .squareRoot: unaryLoop(x, y, count) { (a: L) in Unary.squareRoot.value(a) }
    case .reciprocal: unaryLoop(x, y, count) { (a: L) in Unary.reciprocal.value(a) }
    case .exponential: unaryLoop(x, y, count) { (a: L) in Unary.exponential.value(a) }
    case .exponentialMinusOne: unaryLoop(x, y, count) { (a: L) in Unary.exponentialMinusOne.value(a) }
    case .logarithm: unaryLoop(x, y, count) { (a: L) in Unary.logarithm.value(a) }
    case .logarithmOnePlus: unaryLoop(x, y, count) { (a: L) in Unary.logarithmOnePlus.value(a) }
    case .sine: unaryLoop(x, y, count) { (a: L) in Unary.sine.value(a) }
    case .cosine: unaryLoop(x, y, count) { (a: L) in Unary.cosine.value(a) }
    case .tangent: unaryLoop(x, y, count) { (a: L) in Unary.tangent.value(a) }
    case .arcSine: unaryLoop(x, y, count) { (a: L) in Unary.arcSine.value(a) }
    case .arcCosine: unaryLoop(x, y, count) { (a: L) in Unary.arcCosine.value(a) }
    case .arcTangent: unaryLoop(x, y, count) { (a: L) in Unary.arcTangent.value(a) }
    case .hyperbolicSine: unaryLoop(x, y, count) { (a: L) in Unary.hyperbolicSine.value(a) }
    case .hyperbolicCosine: unaryLoop(x, y, count) { (a: L) in Unary.hyperbolicCosine.value(a) }
    case .hyperbolicTangent: unaryLoop(x, y, count) { (a: L) in Unary.hyperbolicTangent.value(a) }
    case .arcHyperbolicSine: unaryLoop(x, y, count) { (a: L) in Unary.arcHyperbolicSine.value(a) }
    case .arcHyperbolicCosine: unaryLoop(x, y, count) { (a: L) in Unary.arcHyperbolicCosine.value(a) }
    case .arcHyperbolicTangent: unaryLoop(x, y, count) { (a: L) in Unary.arcHyperbolicTangent.value(a) }
    case .logistic: unaryLoop(x, y, count) { (a: L) in Unary.logistic.value(a) }
    case .errorFunction: unaryLoop(x, y, count) { (a: L) in Unary.errorFunction.value(a) }
    case .complementaryErrorFunction:
      unaryLoop(x, y, count) { (a: L) in Unary.complementaryErrorFunction.value(a) }
    case .logGamma: unaryLoop(x, y, count) { (a: L) in Unary.logGamma.value(a) }
    case .digamma: unaryLoop(x, y, count) { (a: L) in Unary.digamma.value(a) }
    case .trigamma: unaryLoop(x, y, count) { (a: L) in Unary.trigamma.value(a) }
    case .tetragamma: unaryLoop(x, y, count) { (a: L) in Unary.tetragamma.value(a) }
    case .sinc: unaryLoop(x, y, count) { (a: L) in Unary.sinc.value(a) }
    }
  }
}

/// Applies a function to `count` numbers, a lane group at a time; the last group is padded with ones.
@inline(__always) func unaryLoop<L: ElementLane>(
  _ x: UnsafePointer<L.Scalar>, _ y: UnsafeMutablePointer<L.Scalar>, _ count: Int, _ body: (L) -> L
) {
  let width = L.laneCount
  var k = 0
  while k &+ width <= count {
    body(L.load(x + k)).store(y + k)
    k &+= width
  }
  if k < count {
    var last = L.one
    for lane in 0..<(count &- k) { last[lane: lane] = x[k &+ lane] }
    last = body(last)
    for lane in 0..<(count &- k) { y[k &+ lane] = last[lane: lane] }
  }
}

/// The derivatives of digamma: ψ⁽ⁿ⁾(x), n = 0, 1, 2, by reflection for negative x, the recurrence up to 15 and the
/// asymptotic series (Abramowitz and Stegun 6.3.18, 6.4.11).
private func polygamma(_ order: Int, _ x: Double) -> Double {
  if x <= 0 {
    if x == x.rounded() { return .nan }
    // ψ(1 − x) − ψ(x) = π cot πx, and its derivatives.
    let s = Foundation.sin(.pi * x)
    let c = Foundation.cos(.pi * x)
    switch order {
    case 0: return polygamma(0, 1 - x) - .pi * c / s
    case 1: return .pi * .pi / (s * s) - polygamma(1, 1 - x)
    default: return polygamma(2, 1 - x) - 2 * .pi * .pi * .pi * c / (s * s * s)
    }
  }
  var x = x
  var sum = 0.0
  while x < 15 {
    switch order {
    case 0: sum -= 1 / x
    case 1: sum += 1 / (x * x)
    default: sum -= 2 / (x * x * x)
    }
    x += 1
  }
  let r = 1 / x
  let r2 = r * r
  // Bernoulli numbers B2, B4, …, B14.
  let bernoulli: [Double] = [1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6]
  var power = r2
  var series = 0.0
  for (k, b) in bernoulli.enumerated() {
    let n = Double(2 * k + 2)
    switch order {
    case 0: series -= b * power / n
    case 1: series += b * power * r
    default: series -= b * power * r2 * (n + 1)
    }
    power *= r2
  }
  switch order {
  case 0: return sum + Foundation.log(x) - 0.5 * r + series
  case 1: return sum + r + 0.5 * r2 + series
  default: return sum - r2 - r2 * r + series
  }
}
