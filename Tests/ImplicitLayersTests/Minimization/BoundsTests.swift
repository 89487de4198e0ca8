import Autodiff
import Foundation
import ImplicitLayers
import TestSupport
import Testing

/// Minimisers and fits in boxes.
@Suite struct BoundsTests {
  private typealias Solve = (_ w: Tensor, _ lower: Tensor, _ upper: Tensor) throws -> Tensor

  private static let curvature = Tensor([3.0, 1, 0.5, 1, 2.0, -0.3, 0.5, -0.3, 1.5], shape: [3, 3])

  /// ½ (x − w)ᵀ A (x − w), by L-BFGS-B, and as a fit whose residual is Lᵀ (x − w) with A = L Lᵀ.
  private static let solvers: [(String, @Sendable (Tensor, Tensor, Tensor) throws -> Tensor)] = [
    (
      "L-BFGS-B",
      { w, lower, upper in
        try minimize(
          { x in 0.5 * dot(x - w, matmul(curvature, x - w)) }, guess: Tensor([0.5, 0.5, 0.5]), lower: lower,
          upper: upper, options: MinimizationOptions(tolerance: 1e-11))
      }
    ),
    (
      "Levenberg–Marquardt",
      { w, lower, upper in
        let factor = cholesky(curvature).transposed
        return try nonlinearLeastSquares(
          { (x: Tensor) in matmul(factor, x - w) }, guess: Tensor([0.5, 0.5, 0.5]), lower: lower, upper: upper
        )
      }
    ),
  ]

  /// The first unknown is held at its lower bound, the second at its upper one: the third has its minimum given them, and only it moves with w,
  /// as A₃₃ (x₃ − w₃) = −A₃₁ (l₁ − w₁) − A₃₂ (u₂ − w₂).
  @Test(arguments: solvers.indices) func freeUnknownsMove(_ k: Int) throws {
    let (name, solve) = Self.solvers[k]
    let (w, lower, upper) = (Tensor([-1.0, 2, 0.4]), Tensor([0.0, 0, 0]), Tensor([1.0, 1, 1]))
    let x = try solve(w, lower, upper).values
    #expect(x[0] == 0 && x[1] == 1, "\(name): \(x)")
    let third = 0.4 - (0.5 * (0 + 1) - 0.3 * (1 - 2)) / 1.5
    #expect(abs(third) < 1 && (third < 0 ? x[2] == 0 : abs(x[2] - third) < 1e-9), "\(name): \(x), \(third)")
    // With the third bound away the unknown is free.
    let open = Tensor([0.0, 0, -5])
    #expect(abs(try solve(w, open, upper).values[2] - third) < 1e-9, "\(name)")
    let jacobianOfW = try jacobian({ (w: Tensor) in try solve(w, open, upper) })(w)
    let expected = Tensor([0.0, 0, 0, 0, 0, 0, 0.5 / 1.5, -0.3 / 1.5, 1], shape: [3, 3])
    #expect(isNear(jacobianOfW, expected), "\(name): \(jacobianOfW.values)")
    let jacobianOfLower = try jacobian({ (l: Tensor) in try solve(w, l, upper) })(open)
    #expect(
      isNear(jacobianOfLower, Tensor([1.0, 0, 0, 0, 0, 0, -0.5 / 1.5, 0, 0], shape: [3, 3])), "\(name)")
    let jacobianOfUpper = try jacobian({ (u: Tensor) in try solve(w, open, u) })(upper)
    #expect(
      isNear(jacobianOfUpper, Tensor([0.0, 0, 0, 0, 1, 0, 0, 0.3 / 1.5, 0], shape: [3, 3])), "\(name)")
  }

  /// An unknown between equal bounds moves with them, also where nothing presses it against them.
  @Test(arguments: solvers.indices) func equalBounds(_ k: Int) throws {
    let (name, solve) = Self.solvers[k]
    // With x₁ = 0 and x₃ free at its minimum, (A (x − w))₁ vanishes for w = 0.
    let w = Tensor([0.0, 0, 0])
    let f = { (bound: Tensor) throws -> Tensor in
      let ends = stack([bound, Tensor(-5.0), Tensor(-5.0)])
      return try solve(w, ends, stack([bound, Tensor(5.0), Tensor(5.0)]))
    }
    let slope = try jvp(f, at: Tensor(0.0), along: Tensor(1.0)).tangent
    // A₂₂ x₂ + A₂₃ x₃ = −A₂₁ x₁, A₃₂ x₂ + A₃₃ x₃ = −A₃₁ x₁.
    let determinant = 2 * 1.5 - 0.3 * 0.3
    let expected = [1, (-1 * 1.5 - 0.3 * 0.5) / determinant, (-0.5 * 2 - 0.3 * 1) / determinant]
    #expect(isNear(slope, Tensor(expected)), "\(name): \(slope.values), \(expected)")
  }

  @Test(arguments: solvers.indices) func laws(_ k: Int) throws {
    let (name, solve) = Self.solvers[k]
    let found = try GradientLaws(tolerance: 1e-6).violations(
      of: { p in try solve(p[0], p[1], p[2]) },
      at: [Tensor([-1.0, 2, 0.4]), Tensor([0.0, 0, -5]), Tensor([1.0, 1, 1])])
    #expect(found.isEmpty, "\(name): \(found)")
  }

  /// At a bound with a multiplier of zero left and right derivatives differ: an error, and a status of the report.
  @Test func multiplierOfZero() throws {
    let solve = { (w: Tensor) throws -> Tensor in
      try minimize({ x in square(x - w).sum() }, guess: Tensor([0.5]), lower: Tensor([0.0]))
    }
    #expect(try solve(Tensor([0.0])).values == [0])
    let error = #expect(throws: TensorError.self) { try jvp(solve, at: Tensor([0.0]), along: Tensor([1.0])) }
    #expect(error.map { "\($0)".contains("strict complementarity") } == true)
    let report = try minimizeWithReport(
      { x in square(x - Tensor([0.0])).sum() }, guess: Tensor([0.5]), lower: Tensor([0.0]))
    #expect(try report.solverStatus() == .degenerate)
    // On either side there is one.
    #expect(try jvp(solve, at: Tensor([0.1]), along: Tensor([1.0])).tangent.values == [1])
    #expect(try jvp(solve, at: Tensor([-0.1]), along: Tensor([1.0])).tangent.values == [0])
  }

  /// Rosenbrock's function in a box that cuts its valley: the published solution of Hock and Schittkowski's problems 1 to 3 with bounds on x₂.
  @Test func rosenbrockInBoxes() throws {
    let objective = { (x: Tensor) in 100 * square(x[1] - x[0] * x[0]) + square(1 - x[0]) }
    let free = try minimize(objective, guess: Tensor([-2.0, 1]), lower: Tensor([-Double.infinity, -1.5]))
    #expect(isNear(free, Tensor([1.0, 1]), absolute: 1e-6))
    let cut = try minimize(objective, guess: Tensor([-2.0, 1]), lower: Tensor([-Double.infinity, 1.5]))
    let value = objective(cut).scalar
    // The global minimum, and the local one.
    #expect(cut.values[1] == 1.5 && (abs(value - 0.0504261879) < 1e-8 || abs(value - 4.9412293) < 1e-6))
  }

  /// 25 random quadratics in boxes, of up to 30 unknowns: the projected gradient vanishes.
  @Test(arguments: 0..<25) func projectedGradientVanishes(_ seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let n = 2 + seed
    let factor = Tensor(random.uniform(-1, 1, count: n * n), shape: [n, n])
    let matrix = matmul(factor.transposed, factor) + 0.1 * Tensor.identity(n)
    let w = Tensor(random.uniform(-2, 2, count: n))
    let (lower, upper) = (Tensor(random.uniform(-1, 0, count: n)), Tensor(random.uniform(0, 1, count: n)))
    let objective = { (x: Tensor) in 0.5 * dot(x, matmul(matrix, x)) - dot(w, x) }
    let x = try minimize(
      objective, guess: Tensor.zeros([n]), lower: lower, upper: upper,
      options: MinimizationOptions(tolerance: 1e-9))
    let moved = minimum(maximum(x - (try grad(objective)(x)), lower), upper)
    #expect(abs(moved - x).max().scalar < 1e-7)
    #expect(
      zip(x.values, lower.values).allSatisfy { $0 >= $1 }
        && zip(x.values, upper.values).allSatisfy { $0 <= $1 })
  }

  @Test func mistakes() throws {
    let objective = { (x: Tensor) in square(x).sum() }
    #expect(throws: ImplicitLayerError.self) {
      try minimize(objective, guess: Tensor([0.5]), lower: Tensor([1.0]), upper: Tensor([0.0]))
    }
    #expect(throws: ImplicitLayerError.self) {
      try minimize(objective, guess: Tensor([0.5]), lower: Tensor([1.0, 2]))
    }
    #expect(throws: ImplicitLayerError.self) {
      try minimize(
        objective, guess: Tensor([0.5]), lower: Tensor([0.0]), options: MinimizationOptions(method: .bfgs))
    }
  }
}
