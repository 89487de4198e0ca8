import Autodiff
import Foundation
import ImplicitLayers
import TestSupport
import Testing

/// A scalar equation with a bracket.
struct ScalarEquation: Sendable, CustomStringConvertible {
  var description: String
  var lower: Double
  var upper: Double
  var function: @Sendable (Tensor) -> Tensor

  static let all: [ScalarEquation] = [
    ScalarEquation(description: "cosine", lower: 0, upper: 1) { x in cos(x) - x },
    ScalarEquation(description: "x eˣ", lower: -1, upper: 1) { x in x * exp(x) - 0.2 },
    ScalarEquation(description: "flat", lower: -1, upper: 4) { x in pow(x - 1.0, 9) },
    ScalarEquation(description: "steep", lower: 0, upper: 1) { x in exp(20.0 * x) - 100.0 },
    ScalarEquation(description: "high power", lower: 0, upper: 5) { x in pow(x, 20) - 1.0 },
    ScalarEquation(description: "far away", lower: -1e6, upper: 1e9) { x in atan(x - 12_345.678) },
    ScalarEquation(description: "small", lower: -1e-8, upper: 1e-3) { x in x - 1e-9 },
    ScalarEquation(description: "falling", lower: 0.1, upper: 30) { x in 1.0 / x - 0.7 },
    ScalarEquation(description: "root at an end", lower: 0, upper: 2) { x in x * (x + 3.0) },
  ]
}

@Suite struct BracketedRootTests {
  static let methods: [BracketMethod] = [.itp, .brent, .bisection]

  @Test(arguments: methods, ScalarEquation.all)
  func equations(method: BracketMethod, equation: ScalarEquation) throws {
    let report = try bracketedRootWithReport(
      { x in equation.function(x) }, lower: Tensor(equation.lower), upper: Tensor(equation.upper),
      options: .init(method: method))
    #expect(try report.solverStatus() == .converged)
    let x = report.solution.scalar
    #expect(x >= equation.lower && x <= equation.upper)
    // The function changes its sign within a few units in the last place of the larger end.
    let e = 16 * Double.ulpOfOne * max(abs(equation.lower), abs(equation.upper))
    let (below, at, above) = (
      equation.function(Tensor(x - e)).scalar, equation.function(Tensor(x)).scalar,
      equation.function(Tensor(x + e)).scalar
    )
    #expect(at == 0 || below * above <= 0, "\(x): \(below), \(at), \(above)")
    // ITP needs at most one evaluation more than bisection, besides the ends.
    let width = equation.upper - equation.lower
    let halvings = Foundation.log2(width / (0.5 * e)).rounded(.up) + 1
    if method == .itp { #expect(report.evaluations.scalar <= halvings + 3) }
  }

  /// Interpolation pays on smooth functions.
  @Test func iterations() throws {
    func count(_ method: BracketMethod) throws -> Double {
      try bracketedRootWithReport({ x in cos(x) - x }, lower: 0.0, upper: 1.0, options: .init(method: method))
        .iterations.scalar
    }
    let (itp, brent, bisection) = (try count(.itp), try count(.brent), try count(.bisection))
    #expect(itp <= 12 && brent <= 12 && bisection >= 45)
  }

  /// Kepler's equation for a thousand anomalies and eccentricities at once, against Newton's method in plain numbers.
  @Test(arguments: methods) func lanes(method: BracketMethod) throws {
    let n = 1003
    var random = SeededRandom(seed: 4)
    let (anomaly, eccentricity) = (
      random.uniform(-3, 3, count: n), random.uniform(0, 0.95, count: n)
    )
    let (m, e) = (Tensor(anomaly), Tensor(eccentricity))
    let calls = Counter()
    let solve = { (m: Tensor, e: Tensor) in
      try bracketedRoot(
        { x in x - e * sin(x) - m }, lower: m - 1.0, upper: m + 1.0,
        options: .init(
          method: method,
          control: .init(monitor: { _ in
            calls.add()
            return true
          })))
    }
    let x = try solve(m, e)
    var largest = 0.0
    for k in 0..<n {
      var y = anomaly[k] + eccentricity[k] * Foundation.sin(anomaly[k])
      for _ in 0..<200 {
        let step =
          (y - eccentricity[k] * Foundation.sin(y) - anomaly[k]) / (1 - eccentricity[k] * Foundation.cos(y))
        y -= min(max(step, -0.5), 0.5)
      }
      largest = max(largest, abs(x.values[k] - y))
    }
    #expect(largest < 1e-12)
    // All equations advance together.
    #expect(calls.value < 70)
    // x′ = 1 / (1 − e cos x) by the anomaly, sin x / (1 − e cos x) by the eccentricity.
    let gradients = try grad { (p: [Tensor]) in try solve(p[0], p[1]).sum() }([m, e])
    let slope = 1.0 / (1.0 - e * cos(x))
    #expect(distance(gradients[0] / slope, Tensor.ones([n])) < 1e-12)
    #expect(distance(gradients[1], sin(x) * slope) < 1e-11)
    // A batch of scalar equations is the same problem.
    let batched = try vmap { (p: [Tensor]) in try solve(p[0], p[1]) }([m, e])
    #expect(distance(batched, x) < 1e-13)
    let slopes = try vmap(grad { (p: [Tensor]) in try solve(p[0], p[1]) })([m, e])
    #expect(distance(slopes[0] / slope, Tensor.ones([n])) < 1e-12)
  }

  @Test(arguments: methods) func laws(method: BracketMethod) throws {
    let solve = { (w: [Tensor]) in
      try bracketedRoot(
        { x in x * x * x + w[0] * x - w[1] }, lower: -10.0, upper: w[1] * 0.0 + 10.0,
        options: .init(method: method))
    }
    let point: [Tensor] = [[1, 2, 0.5], [3, -1, 2]]
    #expect(try GradientLaws(tolerance: 1e-8).violations(of: solve, at: point) == [])
  }
  /// Brackets have a derivative that is zero.
  @Test func bracketsHaveNoDerivative() throws {
    let x = { (p: [Tensor]) in try bracketedRoot({ x in x * x - p[0] }, lower: p[1], upper: p[2]) }
    let gradient = try grad(x)([2.0, 0.1, 3.0])
    #expect(abs(gradient[0].scalar - 0.5 / 2.0.squareRoot()) < 1e-14)
    #expect(gradient[1].scalar == 0 && gradient[2].scalar == 0)
  }

  @Test(arguments: methods) func failures(method: BracketMethod) throws {
    func end(
      _ lower: Double, _ upper: Double, _ f: @escaping @Sendable (Tensor) -> Tensor,
      control: SolveControl = .init()
    )
      throws -> ImplicitLayerError?
    {
      layerError {
        _ = try bracketedRoot(
          { x in f(x) }, lower: Tensor(lower), upper: Tensor(upper),
          options: .init(method: method, control: control))
      }
    }
    // No change of sign.
    let same = try end(1, 2, { x in x * x + 1.0 })
    #expect(same?.status == .infeasible && same?.description.contains("same sign") == true)
    // A pole and a jump.
    #expect(try end(-1, 2, { x in 1.0 / (x - 0.3) })?.status == .stalled)
    #expect(try end(-1, 2, { x in sign(x - 0.7) })?.status == .stalled)
    // Not finite at an end, or inside.
    #expect(try end(-1, 2, { x in log(x) })?.status == .nonFinite)
    #expect(try end(-1, 2, { x in x + 1e-300 * log(abs(x) - 0.01) })?.status == .nonFinite)
    // Limits.
    #expect(
      try end(0, 1, { x in cos(x) - x }, control: .init(maximumIterations: 2))?.status == .iterationLimit)
    #expect(
      try end(0, 1, { x in cos(x) - x }, control: .init(monitor: { $0.iteration < 2 }))?.status == .cancelled)
    // Brackets that are none.
    guard case .argument = try end(2, 1, { x in x - 1.5 }), case .argument = try end(.nan, 1, { x in x }),
      case .argument = try end(0, .infinity, { x in x - 1.0 })
    else {
      Issue.record("a bracket that is none is taken")
      return
    }
  }
  /// The equation that fails is named; of a report the others are solved.
  @Test func oneOfMany() throws {
    let f = { @Sendable (x: Tensor) in x * x - Tensor([4.0, -1, 9]) }
    let error = layerError { _ = try bracketedRoot({ x in f(x) }, lower: [0, 0, 0], upper: [5, 5, 5]) }
    #expect(error?.status == .infeasible && error?.description.contains("equation 1") == true)
    let report = try bracketedRootWithReport({ x in f(x) }, lower: [0, 0, 0], upper: [5, 5, 5])
    #expect(try report.solverStatus() == .infeasible)
    #expect(abs(report.solution[0].scalar - 2) < 1e-13 && abs(report.solution[2].scalar - 3) < 1e-13)
    // Equations must be independent.
    guard
      case .argument(let text) = layerError({
        _ = try bracketedRoot({ x in x - x.sum() }, lower: [0, 0], upper: [1, 1])
      })
    else {
      Issue.record("coupled equations are taken")
      return
    }
    #expect(text.contains("independent"))
    // A double root in a bracket has no derivative.
    let cubic = { (w: Tensor) in try bracketedRoot({ x in x * x * x - w }, lower: -1.0, upper: 2.0) }
    #expect(tensorError { _ = try grad(cubic)(0.0) }?.reason == .singular)
  }

  /// The trace has the largest |f| at the better ends, at first and after each iteration; in batches that of each world, as it is alone.
  @Test(arguments: methods) func traces(method: BracketMethod) throws {
    let solve = { (w: Tensor) in
      try bracketedRootWithReport(
        { x in x * x * x - w }, lower: Tensor([0.0, 0.5]), upper: Tensor([3.0, 4]),
        options: .init(method: method),
        traceLength: 12)
    }
    let w = Tensor([8, 1, 2, 20, 0.5, 0.7, 27, 0.125], shape: [4, 2])
    let batch = try vmap(solve)(w)
    for k in 0..<4 {
      let alone = try solve(w[k])
      let (trace, ends) = (alone.trace.values, [[0.0, 0.5], [3.0, 4]])
      let first = (0..<2).map { e in
        ends.map { abs($0[e] * $0[e] * $0[e] - w[k, e].scalar) }.min()!
      }.max()!
      #expect(trace[0] == first && trace.count == 12)
      #expect(zip(trace, trace.dropFirst()).allSatisfy { $0 >= $1 })
      // The last world has its roots at the ends of its brackets.
      #expect(trace[0] > 0 ? trace[11] < trace[0] : k == 3)
      #expect(alone.evaluations.scalar == alone.iterations.scalar + 2)
      #expect(
        distance(batch.trace[k], alone.trace) < 1e-12 && batch.iterations[k].scalar == alone.iterations.scalar
      )
    }
    #expect(Set(batch.iterations.values).count > 1 || method == .bisection)
    // Shorter than the trace that is asked for: the last value is repeated.
    let short = try bracketedRootWithReport({ x in x - 1.0 }, lower: 0.0, upper: 2.0, traceLength: 5)
    #expect(short.trace.values.last == 0 && short.trace.values[0] == 1)
  }
}
