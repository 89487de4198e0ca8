import Autodiff
import Foundation
import ImplicitLayers
import TestSupport
import Testing

@Suite struct RobustAndSparseTests {
  private static let losses: [RobustLoss] = [
    .squared, .huber(scale: 0.7), .softL1(scale: 0.7), .cauchy(scale: 0.7), .arctangent(scale: 1.5),
    .gemanMcClure(scale: 1.5),
  ]

  /// Huber's location: outliers count with their sign, so that Σ_inliers wᵢ (yᵢ − x) + δ Σ_outliers ±√wᵢ = 0 with weights in the residual. With unit
  /// weights dx/dyᵢ is 1/#inliers for inliers and zero for outliers.
  @Test func huberMean() throws {
    let y = Tensor([0.1, 0.25, -0.2, 0.05, 8, -5, 11])
    let solve = { (y: Tensor) throws -> Tensor in
      try nonlinearLeastSquares(
        { (x: Tensor) in x - y }, guess: Tensor([0.5]),
        options: LeastSquaresOptions(loss: .huber(scale: 1)))[0]
    }
    // Four inliers; two outliers above, one below.
    #expect(abs(try solve(y).scalar - (0.1 + 0.25 - 0.2 + 0.05 + 1) / 4) < 1e-9)
    #expect(isNear(try grad(solve)(y), Tensor([0.25, 0.25, 0.25, 0.25, 0, 0, 0])))
  }
  /// The weighted mean, and its derivatives by observations and weights.
  /// With a scale far above all residuals every loss is that of squares: the mean.
  @Test(arguments: [RobustLoss.huber(scale: 1e9), .softL1(scale: 1e9), .cauchy(scale: 1e9)])
  func hugeScale(_ loss: RobustLoss) throws {
    let x = try nonlinearLeastSquares(
      { (x: Tensor) in x - Tensor([1.0, 2, 6]) }, guess: Tensor(0.0), options: LeastSquaresOptions(loss: loss)
    )
    #expect(abs(x.scalar - 3) < 1e-6)
  }

  /// Nothing moves the residual at the start; the sparse core must say so as the dense one does.
  @Test(arguments: [2, 70]) func zeroJacobian(_ n: Int) throws {
    let report = try nonlinearLeastSquaresWithReport(
      { (x: Tensor) in x * x + 1.0 }, guess: Tensor.zeros([n]))
    #expect(try report.solverStatus() == .stalled)
  }

  /// Rotations fill rows of zeros with numbers whose squares vanish: steps stay numbers, and their search ends.
  @Test(.timeLimit(.minutes(1))) func unknownsOfHardlyAnyInfluence() throws {
    let report = try nonlinearLeastSquaresWithReport(
      { (x: Tensor) in (x[0] + 1e-170 * x[1] - 10.0).reshaped([1]) }, guess: Tensor.zeros([3]))
    #expect(try report.solverStatus() == .degenerate)
    #expect(abs(report.solution[0].scalar - 10) < 1e-9)
    let values = report.solution.values
    #expect(values.allSatisfy { $0.isFinite })
  }

  @Test func weightedMean() throws {
    let solve = { (p: [Tensor]) throws -> Tensor in
      try nonlinearLeastSquares(
        { (x: Tensor) in sqrt(p[1]) * (x - p[0]) }, guess: Tensor([0.5]),
        options: LeastSquaresOptions(loss: .huber(scale: 1)))[0]
    }
    let (y, w) = ([0.1, 0.4, 6.0], [1.0, 2, 0.25])
    // The third is an outlier: 1 (x − y₁) + 2 (x − y₂) = √w₃.
    let x = (0.1 + 0.8 + 0.5) / 3
    #expect(abs(try solve([Tensor(y), Tensor(w)]).scalar - x) < 1e-9)
    let gradient = try grad(solve)([Tensor(y), Tensor(w)])
    #expect(isNear(gradient[0], Tensor([1.0 / 3, 2.0 / 3, 0])))
    #expect(isNear(gradient[1], Tensor([(0.1 - x) / 3, (0.4 - x) / 3, 1.0 / 3])))
  }

  /// The least-squares solver with a loss ends where the minimiser of the same cost does, and so do its derivatives.
  @Test(arguments: losses) func sameAsMinimizer(_ loss: RobustLoss) throws {
    let t = Tensor.linearSpace(from: 0, to: 2, count: 9)
    let noise = Tensor([0.05, -0.1, 0.08, 3, -0.06, 0.02, -2.5, 0.1, -0.04])
    let y = 2 * exp(-0.8 * t) + noise
    func residual(_ p: Tensor, _ y: Tensor) -> Tensor { p[0] * exp(-p[1] * t) - y }
    let fit = { (y: Tensor) throws -> Tensor in
      try nonlinearLeastSquares(
        { (p: Tensor) in residual(p, y) }, guess: Tensor([2.0, 0.7]), options: LeastSquaresOptions(loss: loss)
      )
    }
    let direct = { (y: Tensor) throws -> Tensor in
      try minimize(
        { p in loss.cost(residual(p, y)) }, guess: try fit(y), options: MinimizationOptions(tolerance: 1e-12))
    }
    #expect(isNear(try fit(y), try direct(y), absolute: 1e-7))
    let (a, b) = (try jacobian(fit)(y), try jacobian(direct)(y))
    #expect(isNear(a, b, relative: 1e-5, absolute: 1e-7))
    #expect(abs(a).max().scalar > 0.1)
    // Differences confirm them; the smooth losses only, as Huber's has a jump of the second derivative.
    if case .huber = loss { return }
    let found = try GradientLaws(tolerance: 2e-5, step: 2e-3, order: 1).violations(
      of: { try fit($0[0]) }, at: [y])
    #expect(found.isEmpty, "\(loss): \(found)")
  }
  /// Robust fits of a line stay near it in spite of outliers; least squares does not.
  @Test(arguments: losses) func outliers(_ loss: RobustLoss) throws {
    var random = SeededRandom(seed: 11)
    let t = Tensor.linearSpace(from: -1, to: 1, count: 40)
    var y = (1 + 2 * t + Tensor(random.uniform(-0.05, 0.05, count: 40))).values
    for k in [3, 11, 17, 30, 36] { y[k] += 20 }
    let data = Tensor(y)
    let p = try nonlinearLeastSquares(
      { (p: Tensor) in p[0] + p[1] * t - data }, guess: Tensor([0.0, 0]),
      options: LeastSquaresOptions(loss: loss))
    let error = abs(p - Tensor([1.0, 2])).max().scalar
    #expect(loss == .squared ? error > 1 : error < 0.3, "\(loss): \(error)")
    #expect(throws: ImplicitLayerError.self) {
      try nonlinearLeastSquares(
        { (p: Tensor) in p }, guess: Tensor([0.0]), options: LeastSquaresOptions(loss: .cauchy(scale: 0)))
    }
  }

  /// A chain of 150 unknowns with a banded Jacobian: sparse and dense methods agree, and so do derivatives.
  @Test func sparseAgreesWithDense() throws {
    let n = 150
    func residual(_ x: Tensor, _ w: Tensor) -> Tensor {
      let steps = x[1..<n] - x[0..<n - 1]
      return concatenate([10 * (steps - 0.01), 0.3 * (x + 0.1 * x * x * x - w)])
    }
    let w = sin(Tensor.linearSpace(from: 0, to: 6, count: n))
    func fit(_ structure: JacobianStructure, _ loss: RobustLoss = .squared) throws -> ImplicitSolution<Tensor>
    {
      try nonlinearLeastSquaresWithReport(
        { (x: Tensor) in residual(x, w) }, guess: Tensor.zeros([n]),
        options: LeastSquaresOptions(loss: loss, jacobian: structure))
    }
    let (sparse, dense) = (try fit(.sparse), try fit(.dense))
    #expect(try sparse.solverStatus() == .converged && dense.solverStatus() == .converged)
    #expect(abs(sparse.solution - dense.solution).max().scalar < 1e-8)
    #expect(abs(try fit(.automatic).solution - sparse.solution).max().scalar == 0)
    let robust = (try fit(.sparse, .huber(scale: 0.05)), try fit(.dense, .huber(scale: 0.05)))
    #expect(abs(robust.0.solution - robust.1.solution).max().scalar < 1e-6)
    // The derivative by a sparse factorisation of the Hessian, against a difference.
    let solve = { (w: Tensor) throws -> Tensor in
      try nonlinearLeastSquares({ (x: Tensor) in residual(x, w) }, guess: Tensor.zeros([n]))
    }
    let direction = cos(3.0 * w)
    let tangent = try jvp(solve, at: w, along: direction).tangent
    let quotients = try CentralDifferences(step: 1e-2) { t in try solve(w + t * direction)[75].scalar }
    #expect(abs(tangent[75].scalar - quotients.extrapolated) < 2e-6 * max(0.1, abs(tangent[75].scalar)))
    let weight = sin(5.0 * w)
    let gradient = try vjp(solve, at: w).pullback(weight)
    let (forward, backward) = (dot(weight, tangent).scalar, dot(gradient, direction).scalar)
    #expect(abs(forward - backward) < 1e-11 * abs(dot(abs(weight), abs(tangent)).scalar))
  }

  /// The same chain between bounds of which some hold, also with a robust loss: sparse and dense fits and their derivatives agree.
  @Test(arguments: [RobustLoss.squared, .cauchy(scale: 0.5)]) func sparseBounds(_ loss: RobustLoss) throws {
    let n = 90
    let w = sin(Tensor.linearSpace(from: 0, to: 6, count: n))
    func fit(_ structure: JacobianStructure, _ p: [Tensor]) throws -> ImplicitSolution<Tensor> {
      try nonlinearLeastSquaresWithReport(
        { (x: Tensor) in
          concatenate([2 * (x[1..<n] - x[0..<n - 1] - 0.01), x + 0.1 * x * x * x - p[0]])
        }, guess: Tensor.zeros([n]), lower: p[1], upper: p[2],
        options: LeastSquaresOptions(loss: loss, jacobian: structure))
    }
    let p = [w, Tensor(repeating: -0.3, shape: [n]), Tensor.linearSpace(from: 0.2, to: 0.5, count: n)]
    let (sparse, dense) = (try fit(.sparse, p), try fit(.dense, p))
    #expect(try sparse.solverStatus() == .converged && dense.solverStatus() == .converged)
    #expect(abs(sparse.solution - dense.solution).max().scalar < 1e-7)
    #expect(distance(try fit(.automatic, p).solution, sparse.solution) == 0)
    let x = sparse.solution.values
    let held = (0..<n).filter { x[$0] == p[1].values[$0] || x[$0] == p[2].values[$0] }
    #expect(held.count > 10 && held.count < n - 10)
    let weight = sin(5.0 * w)
    func gradient(_ structure: JacobianStructure) throws -> [Tensor] {
      try grad { (p: [Tensor]) in dot(weight, try fit(structure, p).solution) }(p)
    }
    for (a, b) in zip(try gradient(.sparse), try gradient(.dense)) {
      #expect(distance(a, b) < 1e-5 && abs(b).max().scalar > 0.1)
    }
    // A first guess outside, and bounds that leave nothing.
    let outside = try nonlinearLeastSquares(
      { (x: Tensor) in x - w }, guess: Tensor(repeating: 9, shape: [n]), lower: p[1], upper: p[2],
      options: LeastSquaresOptions(jacobian: .sparse))
    #expect(distance(outside, minimum(maximum(w, p[1]), p[2])) < 1e-12)
    #expect(layerError { _ = try fit(.sparse, [w, p[2] + 1.0, p[2]]) } != nil)
  }

  /// Where residuals do not vanish, the Hessian is not JᵀJ: the derivative of a fit with large residuals against differences.
  @Test(arguments: [LeastSquaresMethod.levenbergMarquardt, .gaussNewton, .dogleg])
  func largeResiduals(_ method: LeastSquaresMethod) throws {
    let t = Tensor.linearSpace(from: 0, to: 2, count: 6)
    let solve = { (p: [Tensor]) throws -> Tensor in
      try nonlinearLeastSquares(
        { (x: Tensor) in x[0] * exp(-x[1] * t) - p[0] }, guess: Tensor([2.0, 0.7]),
        options: LeastSquaresOptions(method: method))
    }
    let y = Tensor([2.6, 0.2, 1.9, -0.4, 1.2, 0.1])
    let found = try GradientLaws(tolerance: 1e-5, step: 4e-3).violations(of: solve, at: [y])
    #expect(found.isEmpty, "\(method): \(found)")
  }

  @Test func failures() throws {
    func report(
      _ residual: @escaping (Tensor) -> Tensor, _ guess: Tensor, _ control: SolveControl = SolveControl()
    )
      throws -> SolverStatus
    {
      try nonlinearLeastSquaresWithReport(
        residual, guess: guess, options: LeastSquaresOptions(control: control)
      )
      .solverStatus()
    }
    let rosenbrock = { (x: Tensor) in stack([10 * (x[1] - x[0] * x[0]), 1 - x[0]]) }
    #expect(try report({ x in log(x) }, Tensor([-1.0, 2])) == .nonFinite)
    #expect(try report(rosenbrock, Tensor([-1.2, 1]), SolveControl(maximumIterations: 3)) == .iterationLimit)
    #expect(
      try report(rosenbrock, Tensor([-1.2, 1]), SolveControl(monitor: { $0.iteration < 2 })) == .cancelled)
    #expect(try report({ x in 0 * x + 1 }, Tensor([1.0])) == .stalled)
    // Two unknowns of which only the sum counts.
    #expect(try report({ x in stack([x.sum() - 1, 2 * x.sum() - 1]) }, Tensor([1.0, 1])) == .degenerate)
    #expect(try report(rosenbrock, Tensor([-1.2, 1])) == .converged)
    for options in [
      LeastSquaresOptions(differentiation: .unrolled(iterations: 3)),
      LeastSquaresOptions(jacobian: .matrixFree),
      LeastSquaresOptions(method: .dogleg, jacobian: .sparse),
    ] {
      #expect(throws: ImplicitLayerError.self) {
        try nonlinearLeastSquares(rosenbrock, guess: Tensor([-1.2, 1]), options: options)
      }
    }
  }

  /// Unknowns a rounding error away from their bounds cut steps off to nothing; that is no minimum of the others. By hand: with x0 held at zero
  /// x1 = (0.9 − 0.4359 · 0.9176) / (0.9² + 0.4359²).
  @Test(arguments: [JacobianStructure.sparse, .dense], [0, 1e-18, 1e-16, 1e-15, 1e-13])
  func unknownsNextToTheirBounds(_ structure: JacobianStructure, distance: Double) throws {
    let report = try nonlinearLeastSquaresWithReport(
      { (x: Tensor) in
        stack([x[0] - 0.9 * x[1] + 1.0, 0.4359 * x[1] + 0.9176, x[2] - 1.0])
      }, guess: Tensor([distance, 0, 1]), lower: Tensor.zeros([3]),
      options: LeastSquaresOptions(jacobian: structure))
    #expect(try report.solverStatus() == .converged)
    let expected = (0.9 - 0.4359 * 0.9176) / (0.9 * 0.9 + 0.4359 * 0.4359)
    let x = report.solution.values
    #expect(abs(x[1] - expected) < 1e-7 && x[0] < 1e-12 && abs(x[2] - 1) < 1e-9, "\(x)")
  }
}
