import Foundation
import Lanes
import TestSupport
import Testing

/// Derivatives of ``Dual`` against formulas and against central differences.
@Suite struct DualTests {
  /// A function of two arguments, its partial derivatives, and where it is smooth.
  struct Rule: Sendable, CustomTestStringConvertible {
    var name: String
    var onDual: @Sendable (Dual<Double>, Dual<Double>) -> Dual<Double>
    var onDualLanes: @Sendable (Dual<SIMD8<Double>>, Dual<SIMD8<Double>>) -> Dual<SIMD8<Double>>
    var value: @Sendable (Double, Double) -> Double
    var gradient: @Sendable (Double, Double) -> (Double, Double)
    var first = -2.0...2.0
    var second = 0.5...2.0
    var testDescription: String { name }
  }

  static func function<L: Lane>(_ name: String, _ a: L, _ b: L) -> L {
    switch name {
    case "a + b": a + b
    case "a - b": a - b
    case "-a": -a
    case "a b": a * b
    case "a / b": a / b
    case "a + 1.5": a + 1.5
    case "1.5 + a": 1.5 + a
    case "a - 1.5": a - 1.5
    case "1.5 - a": 1.5 - a
    case "a 1.5": a * 1.5
    case "1.5 a": 1.5 * a
    case "a / 1.5": a / 1.5
    case "1.5 / b": 1.5 / b
    case "a b + a": L.multiplyAdd(a, b, a)
    case "a s + b": L.multiplyAdd(a, scalar: 1.5, b)
    case "a s": L.multiply(a, scalar: 1.5)
    case "sqrt b": b.squareRoot
    case "|a|": a.magnitude
    case "min": L.minimum(a, b)
    case "max": L.maximum(a, b)
    case "select": select(a .< b, a * b, a)
    case "power": L.power(b, a)
    case "atan2": L.arcTangent(y: a, x: b - 1.2)
    default: ElementaryFunction(rawValue: name)!(a, b)
    }
  }

  static func rule(
    _ name: String, _ first: ClosedRange<Double> = -2...2, _ second: ClosedRange<Double> = 0.5...2,
    gradient: @escaping @Sendable (Double, Double) -> (Double, Double)
  ) -> Rule {
    Rule(
      name: name, onDual: { function(name, $0, $1) }, onDualLanes: { function(name, $0, $1) },
      value: { function(name, $0, $1) }, gradient: gradient, first: first, second: second)
  }

  static let rules: [Rule] = [
    rule("a + b") { _, _ in (1, 1) },
    rule("a - b") { _, _ in (1, -1) },
    rule("-a") { _, _ in (-1, 0) },
    rule("a b") { ($1, $0) },
    rule("a / b") { (1 / $1, -$0 / ($1 * $1)) },
    rule("a + 1.5") { _, _ in (1, 0) },
    rule("1.5 + a") { _, _ in (1, 0) },
    rule("a - 1.5") { _, _ in (1, 0) },
    rule("1.5 - a") { _, _ in (-1, 0) },
    rule("a 1.5") { _, _ in (1.5, 0) },
    rule("1.5 a") { _, _ in (1.5, 0) },
    rule("a / 1.5") { _, _ in (1 / 1.5, 0) },
    rule("1.5 / b") { _, b in (0, -1.5 / (b * b)) },
    rule("a b + a") { ($1 + 1, $0) },
    rule("a s + b") { _, _ in (1.5, 1) },
    rule("a s") { _, _ in (1.5, 0) },
    rule("sqrt b") { _, b in (0, 0.5 / b.squareRoot()) },
    rule("|a|", -2 ... -0.1) { _, _ in (-1, 0) },
    rule("min", -2...0.4) { _, _ in (1, 0) },
    rule("max", -2...0.4) { _, _ in (0, 1) },
    rule("select", -2...0.4) { ($1, $0) },
    rule("sine") { a, _ in (cos(a), 0) },
    rule("cosine") { a, _ in (-sin(a), 0) },
    rule("exponential") { a, _ in (exp(a), 0) },
    rule("naturalLogarithm", 0.2...3) { a, _ in (1 / a, 0) },
    rule("hyperbolicTangent") { a, _ in (1 / (cosh(a) * cosh(a)), 0) },
    rule("arcCosine", -0.9...0.9) { a, _ in (-1 / (1 - a * a).squareRoot(), 0) },
    rule("atan2", 0.3...2) { a, b in
      let x = b - 1.2
      return (x / (a * a + x * x), -a / (a * a + x * x))
    },
    rule("power") { a, b in (pow(b, a) * log(b), a * pow(b, a - 1)) },
  ]

  @Test(arguments: rules, 0..<5) func derivative(_ rule: Rule, seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let a = random.uniform(rule.first.lowerBound, rule.first.upperBound)
    let b = random.uniform(rule.second.lowerBound, rule.second.upperBound)
    let u = random.uniform(-1, 1)
    let v = random.uniform(-1, 1)
    let dual = rule.onDual(Dual(primal: a, tangent: u), Dual(primal: b, tangent: v))
    let (byFirst, bySecond) = rule.gradient(a, b)
    let exact = byFirst * u + bySecond * v
    let size = max(abs(byFirst), abs(bySecond))
    #expect(dual.primal == rule.value(a, b))
    #expect(abs(dual.tangent - exact) < 1e-14 * size * 8)

    let differences = CentralDifferences(step: 2e-2) { rule.value(a + $0 * u, b + $0 * v) }
    #expect(abs(differences.extrapolated - exact) < 1e-7 * size)
  }

  /// Every lane carries its own number and its own direction.
  @Test(arguments: rules, 0..<2) func derivativeInLanes(_ rule: Rule, seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let a: SIMD8<Double> = random.lanes(in: rule.first)
    let b: SIMD8<Double> = random.lanes(in: rule.second)
    let u: SIMD8<Double> = random.lanes()
    let v: SIMD8<Double> = random.lanes()
    let dual = rule.onDualLanes(Dual(primal: a, tangent: u), Dual(primal: b, tangent: v))
    for lane in 0..<8 {
      let (byFirst, bySecond) = rule.gradient(a[lane], b[lane])
      let exact = byFirst * u[lane] + bySecond * v[lane]
      let error = unitsInTheLastPlace(dual.primal[lane], exact: rule.value(a[lane], b[lane]))
      #expect(error <= 3)
      #expect(abs(dual.tangent[lane] - exact) < 1e-13 * max(abs(byFirst), abs(bySecond)))
    }
  }

  /// Powers with a constant exponent have a derivative at base zero and below, where the logarithm has none.
  @Test func powerOfBasesThatAreNotPositive() {
    let exponent = Dual<Double>(2.0)
    for base in [-1.5, 0.0] {
      let power = Dual.power(Dual(primal: base, tangent: 1), exponent)
      #expect(power.primal == base * base)
      #expect(power.tangent == 2 * base)
    }
    let constant = Dual.power(Dual<Double>(0.0), Dual(primal: 3.0, tangent: 0))
    #expect(constant.primal == 0 && constant.tangent == 0)
  }

  /// Comparisons look at the primal part alone; finiteness at both.
  @Test func comparisonsIgnoreTangents() {
    let a = Dual(primal: 1.0, tangent: 5)
    let b = Dual(primal: 1.0, tangent: -5)
    #expect((a .== b) && (a .<= b) && !(a .< b))
    #expect(!Dual(primal: 1.0, tangent: .nan).isFinite)
    #expect(!Dual(primal: .infinity, tangent: 0.0).isFinite)
    #expect(a.isFinite)
  }
}
