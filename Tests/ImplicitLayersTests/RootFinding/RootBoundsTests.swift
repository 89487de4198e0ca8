import Autodiff
import ImplicitLayers
import TestSupport
import Testing

@Suite struct RootBoundsTests {
  static let methods: [RootMethod] = [.automatic, .newton(), .chord, .broyden, .dogleg, .levenbergMarquardt]

  /// Bounds choose between roots, and every evaluation lies inside.
  @Test(arguments: methods) func choice(method: RootMethod) throws {
    for (lower, upper, guess, expected) in [
      (0.1, 10.0, 0.3, 2.0), (-10, -0.1, -0.3, -2), (0.1, 10.0, -5.0, 2.0),
    ] {
      // The logarithm is not finite outside, and would end the solve.
      let x = try root(
        { (x: Tensor) -> Tensor in
          let walls = log(x - lower + 1e-9) + log(upper - x + 1e-9)
          return x * x - 4.0 + 1e-300 * walls
        }, guess: Tensor([guess]), lower: Tensor([lower]), upper: Tensor([upper]),
        options: .init(method: method))
      #expect(abs(x[0].scalar - expected) < 1e-11)
    }
  }
  /// The exponential steps of x eˣ = w leave for −∞ without the lower bound.
  @Test(arguments: methods) func system(method: RootMethod) throws {
    let solve = { (w: Tensor) in
      try root(
        { x in stack([x[0] * exp(x[1]) - w[0], x[1] * exp(x[0]) - w[1]]) }, guess: [0.1, 2], lower: [0, 0],
        upper: [3, 3], options: .init(method: method, tolerance: 1e-13))
    }
    let x = try solve([2, 1])
    #expect(x.values.allSatisfy { $0 >= 0 && $0 <= 3 })
    #expect(abs(x[0].scalar * exp(x[1]).scalar - 2) < 1e-12)
    #expect(try GradientLaws(tolerance: 1e-7).violations(of: { try solve($0[0]) }, at: [[2, 1]]) == [])
  }
  /// One side alone, and a derivative by the bounds that is zero.
  @Test func oneSide() throws {
    let x = { (p: [Tensor]) in try root({ x in x * x - p[0] }, guess: Tensor(5.0), lower: p[1]) }
    let gradient = try grad(x)([9.0, 0.5])
    #expect(abs(gradient[0].scalar - 1.0 / 6) < 1e-14 && gradient[1].scalar == 0)
    let upper = try root({ x in x * x - 9.0 }, guess: Tensor(-5.0), upper: Tensor(0.0))
    #expect(abs(upper.scalar + 3) < 1e-12)
    let batch = try vmap { (bound: Tensor) in
      try root({ x in x * x - 9.0 }, guess: bound, lower: bound, upper: bound + 5.0)
    }(
      [-4, 0.5])
    #expect(distance(batch, [-3, 3]) < 1e-11)
  }
  /// No root inside: the point with the smallest residual, which is no solution.
  @Test(arguments: methods) func noneInside(method: RootMethod) throws {
    let report = try rootWithReport(
      { x in x * x - 4.0 }, guess: [0.5], lower: [0], upper: [1], options: .init(method: method))
    #expect(try report.solverStatus() == .stalled)
    #expect(abs(report.solution[0].scalar - 1) < 1e-12)
    let error = layerError {
      _ = try root({ x in x * x - 4.0 }, guess: [0.5], lower: [0], upper: [1], options: .init(method: method))
    }
    #expect(error?.status == .stalled)
  }
  /// A root on a bound is one.
  @Test(arguments: methods) func onBound(method: RootMethod) throws {
    let x = try root(
      { x in stack([x[0] - 1.0, (x[0] + x[1]) * 2.0 - 5.0]) }, guess: [0.5, 0.5], lower: [0, 0],
      upper: [1, 4],
      options: .init(method: method))
    #expect(distance(x, [1, 1.5]) < 1e-12)
  }
  @Test func refusals() throws {
    func argument(_ lower: Tensor, _ upper: Tensor) -> String? {
      let error = layerError { _ = try root({ x in x - 1.0 }, guess: [1, 2], lower: lower, upper: upper) }
      if case .argument(let text) = error { return text }
      return nil
    }
    #expect(argument([0, 3], [1, 2])?.contains("unknown 1") == true)
    #expect(argument([0, .init(Double.infinity)], [1, .init(Double.infinity)]) != nil)
    #expect(argument([0, .init(Double.nan)], [1, 1]) != nil)
  }
}
