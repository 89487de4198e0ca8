import Autodiff
import ImplicitLayers
import TestSupport
import Testing

/// Gradient descent whose steps are differentiated: learning the optimiser's own parameters.
@Suite struct UnrolledDescentTests {
  private static func options(
    _ step: Tensor, _ momentum: Tensor = 0.0, _ differentiation: ImplicitDifferentiation
  ) -> MinimizationOptions {
    MinimizationOptions(
      method: .gradientDescent(stepSize: step, momentum: momentum), differentiation: differentiation)
  }

  /// The literature's golden values: sin(x ω) from x = 0 at ω = 2 with steps of 0.1; implicit π/8 = 0.39270.
  @Test(arguments: [(25, 0.39264), (5, 0.05979), (2, -0.16095)])
  func goldenValues(_ iterations: Int, _ expected: Double) throws {
    let gradient = try grad { (omega: Tensor) in
      try minimize(
        { x in sin(x * omega) }, guess: 0.0,
        options: Self.options(0.1, 0.0, .unrolled(iterations: iterations)))
    }(2.0).scalar
    #expect(abs(gradient - expected) < 1e-5, "\(gradient)")
  }

  /// By the initial point, every step size, every momentum, and data: laws of all.
  @Test func lawsOfHyperparameters() throws {
    let solve = { (p: [Tensor]) throws -> Tensor in
      try minimize(
        { x in exp(dot(x, p[3])) + 0.5 * square(x).sum() + (x * x * x * x).sum() }, guess: p[0],
        options: Self.options(p[1], p[2], .unrolled(iterations: 4)))
    }
    let point: [Tensor] = [
      Tensor([0.5, -0.3]), Tensor([0.1, 0.15, 0.05, 0.12]), Tensor([0.0, 0.5, 0.4, 0.3]),
      Tensor([0.7, -0.4]),
    ]
    let found = try GradientLaws(tolerance: 1e-7).violations(of: solve, at: point)
    #expect(found.isEmpty, "\(found)")
    // One number for all iterations.
    let shared = [point[0], Tensor(0.1), Tensor(0.5), point[3]]
    let others = try GradientLaws(tolerance: 1e-7).violations(of: solve, at: shared)
    #expect(others.isEmpty, "\(others)")
  }

  /// On the quadratic ½ a x² the iterate after k steps is (1 − α a)ᵏ x₀.
  @Test func closedForm() throws {
    let solve = { (p: [Tensor]) throws -> Tensor in
      try minimize(
        { x in 1.5 * square(x) }, guess: p[0], options: Self.options(p[1], 0.0, .unrolled(iterations: 5)))
    }
    let gradients = try grad(solve)([2.0, 0.2])
    let factor: Double = 1 - 0.2 * 3
    let fourth: Double = factor * factor * factor * factor
    #expect(abs(gradients[0].scalar - fourth * factor) < 1e-14)
    // d(1 − 3 α)⁵ x₀ / dα
    #expect(abs(gradients[1].scalar + 5 * fourth * 3 * 2) < 1e-13)
  }

  /// Learned steps and momenta: after descent on the outcome of eight steps, eight steps of a new problem end nearer to its solution.
  @Test func learnsItsOwnSteps() throws {
    let curvatures = Tensor([1.0, 4, 10])
    func outcome(_ steps: Tensor, _ momenta: Tensor, _ target: Tensor) throws -> Tensor {
      let objective = { (x: Tensor) in 0.5 * (curvatures * square(x - target)).sum() }
      let x = try minimize(
        objective, guess: Tensor.zeros([3]), options: Self.options(steps, momenta, .unrolled(iterations: 8)))
      return objective(x)
    }
    let target = Tensor([1.0, -1, 0.5])
    let start = [Tensor(repeating: 0.05, shape: [8]), Tensor.zeros([8])]
    let learned = try minimize(
      { (p: [Tensor]) in try outcome(p[0], p[1], target) }, guess: start,
      options: MinimizationOptions(method: .limitedMemoryBFGS(), tolerance: 1e-10))
    let fresh = Tensor([-0.6, 0.8, 1.2])
    let before = try outcome(start[0], start[1], fresh).scalar
    let after = try outcome(learned[0], learned[1], fresh).scalar
    #expect(before > 0.1 && after < 1e-6 * before, "\(before), \(after)")
  }

  /// Only the last iterations are differentiated; all of them make the value.
  @Test func truncated() throws {
    func gradient(_ differentiation: ImplicitDifferentiation) throws -> (Double, Double) {
      let (value, slope) = try valueAndGrad { (omega: Tensor) in
        try minimize({ x in sin(x * omega) }, guess: 0.0, options: Self.options(0.1, 0.3, differentiation))
      }(2.0)
      return (value.scalar, slope.scalar)
    }
    let all = try gradient(.unrolled(iterations: 40))
    let last = try gradient(.truncated(iterations: 40, differentiated: 25))
    let none = try gradient(.truncated(iterations: 40, differentiated: 0))
    #expect(all.0 == last.0 && all.0 == none.0 && none.1 == 0)
    #expect(last.1 != all.1 && abs(last.1 - all.1) < 0.02 * abs(all.1))
  }

  /// The recorded steps are those that the solver makes.
  @Test func sameIterates() throws {
    let objective = { (x: Tensor) in (x * x * x * x).sum() + dot(x, Tensor([1.0, -0.5])) }
    let unrolled = try minimize(
      objective, guess: Tensor([0.5, 0.5]), options: Self.options(0.05, 0.4, .unrolled(iterations: 7)))
    var options = Self.options(0.05, 0.4, .implicit)
    options.control.maximumIterations = 7
    let solved = try minimizeWithReport(objective, guess: Tensor([0.5, 0.5]), options: options)
    #expect(try solved.solverStatus() == .iterationLimit)
    #expect(isNear(unrolled, solved.solution, relative: 1e-14, absolute: 1e-15))
  }

  @Test func whatCannotBeUnrolled() throws {
    let objective = { (x: Tensor) in square(x - 1.0).sum() }
    for method in [MinimizationMethod.bfgs, .gradientDescent(), .trustRegion] {
      #expect(throws: ImplicitLayerError.self) {
        try minimize(
          objective, guess: Tensor([0.0]),
          options: MinimizationOptions(method: method, differentiation: .unrolled(iterations: 3)))
      }
    }
    #expect(throws: ImplicitLayerError.self) {
      try minimize(
        objective, guess: Tensor([0.0]),
        options: Self.options(Tensor([0.1, 0.1]), 0.0, .unrolled(iterations: 3)))
    }
    #expect(throws: ImplicitLayerError.self) {
      try minimizeWithReport(
        objective, guess: Tensor([0.0]), options: Self.options(0.1, 0.0, .unrolled(iterations: 3)))
    }
  }
}
