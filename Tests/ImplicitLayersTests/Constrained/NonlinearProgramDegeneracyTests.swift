import Autodiff
import Foundation
import ImplicitLayers
import TestSupport
import Testing

/// Nonlinear programs at solutions that have no derivative: what is said, of least norm, smoothed.
@Suite struct NonlinearProgramDegeneracyTests {
  private func smoothed(_ barrier: Double) -> NonlinearProgramOptions {
    var options = NonlinearProgramOptions()
    options.barrier = barrier
    return options
  }
  /// min s (x − p)² / 2 with x ≥ 0: x and its multiplier.
  private func bounded(
    _ p: Tensor, scale: Double = 1, options: NonlinearProgramOptions = .init(),
    policy: DegeneracyPolicy = .error
  ) throws -> Tensor {
    let s = try nonlinearProgram(
      objective: { x in 0.5 * scale * (x[0] - p) * (x[0] - p) }, lowerBounds: Tensor([0.0]),
      guess: Tensor([1.0]), options: options, policy: policy)
    return concatenate([s.x, s.boundMultipliers])
  }
  /// min Σ exp xᵢ with two copies of x₀ + x₁ ≥ p: x = p / 2, and multipliers that add up to −exp(p / 2).
  private func dependent(
    _ p: Tensor, options: NonlinearProgramOptions = .init(), policy: DegeneracyPolicy = .leastNorm
  ) throws -> Tensor {
    let s = try nonlinearProgram(
      objective: { x in exp(x).sum() }, inequalities: { x in stack([x.sum(), x.sum()]) }, lower: p,
      guess: Tensor([1.0, 0]), options: options, policy: policy)
    return concatenate([s.x, s.inequalityMultipliers])
  }

  /// x (x − p) = μ / s: x = (p + √(p² + 4 μ / s)) / 2, and w = −μ / x.
  @Test(arguments: [0, 0.3, -0.5], [1e-2, 1e-6])
  func smoothedBound(p: Double, barrier: Double) throws {
    for scale in [1.0, 3000, 1e6] {
      let mu = barrier / scale
      let root = (p * p + 4 * mu).squareRoot()
      let x = p >= 0 ? (p + root) / 2 : 2 * mu / (root - p)
      let (first, second) = (x / root, 2 * mu / (root * root * root))
      // w = s (p − x) by stationarity.
      let expected = [x, scale * (p - x), first, scale * (1 - first), second, -scale * second]
      let solve = { (p: Tensor) in try bounded(p, scale: scale, options: smoothed(barrier)) }
      let slope = { (p: Tensor) in try jvp(solve, at: p, along: Tensor(1.0)).tangent }
      let found =
        try solve(Tensor(p)).values + slope(Tensor(p)).values
        + jvp(slope, at: Tensor(p), along: Tensor(1.0)).tangent.values
      for (a, b) in zip(found, expected) {
        #expect(abs(a - b) < 1e-9 * max(1, abs(b)), "\(found) where \(expected) is right, scale \(scale)")
      }
      let gradient = grad { (p: Tensor) in try solve(p)[0] }
      #expect(abs(try gradient(Tensor(p)).values[0] - first) < 1e-9)
      let curvature = try grad(gradient)(Tensor(p)).values[0]
      #expect(abs(curvature - second) < 1e-8 * max(1, second))
    }
  }

  /// Equations, nonlinear rows with one and two sides, bounds, on the central path: differences, both modes, batches, second order.
  @Test(arguments: [0.3, 0.01])
  func smoothedLaws(barrier: Double) throws {
    var options = smoothed(barrier)
    options.tolerance = 1e-12
    func solve(_ d: [Tensor]) throws -> Tensor {
      let (p, side) = (d[0], d[1])
      let s = try nonlinearProgram(
        objective: { x in exp(x[0] * p[0]) + (x[1] - p[1]) * (x[1] - p[1]) + x[2] * x[2] * p[2] - x[0] },
        equalities: { x in (x[0] + x[1] * x[2] - p[1]).reshaped([1]) },
        inequalities: { x in stack([x[0] * x[0] + x[1] * x[1], sin(x[2]) + x[0]]) },
        lower: Tensor([-Double.infinity, -10]), upper: stack([side[0], Tensor(10.0)]),
        lowerBounds: stack([Tensor(-5.0), Tensor(-5.0), side[1]]), guess: Tensor([0.2, 0.5, 0.9]),
        options: options)
      return concatenate([s.x, s.equalityMultipliers, s.inequalityMultipliers, s.boundMultipliers])
    }
    var laws = GradientLaws(tolerance: 1e-6, step: 1e-3, order: 2)
    laws.identityTolerance = 1e-9
    #expect(try laws.violations(of: solve, at: [Tensor([0.8, 1.5, 0.7]), Tensor([1.2, 0.6])]) == [])
  }

  /// As the barrier falls the smoothed solution comes to the minimiser, and so do derivatives where these exist.
  @Test func smoothedSolutionsConverge() throws {
    let exact = try jvp({ try bounded($0) }, at: Tensor(0.4), along: Tensor(1.0)).tangent.values[0]
    var last = Double.infinity
    for barrier in [1e-2, 1e-4, 1e-6] {
      let slope = try jvp(
        { try bounded($0, options: smoothed(barrier)) }, at: Tensor(0.4), along: Tensor(1.0)
      ).tangent.values[0]
      #expect(abs(slope - exact) < 0.1 * last)
      last = abs(slope - exact)
    }
    // Of constraints that depend on each other too: each copy carries half.
    let both = try jvp(
      { try dependent($0, options: smoothed(1e-6), policy: .error) }, at: Tensor([1.0, 1]),
      along: Tensor([1.0, 1])
    ).tangent.values
    let half = exp(0.5) / 4
    #expect(zip(both, [0.5, 0.5, -half, -half]).allSatisfy { abs($0 - $1) < 1e-4 }, "\(both)")
  }

  /// A bound without force does not hold the variable; one with force does.
  @Test func leastNormAtABound() throws {
    for (p, expected) in [(0.0, [1.0, 0.0]), (0.5, [1, 0]), (-0.5, [0, 1])] {
      let tangent = try jvp({ try bounded($0, policy: .leastNorm) }, at: Tensor(p), along: Tensor(1.0))
        .tangent
      #expect(zip(tangent.values, expected).allSatisfy { abs($0 - $1) < 1e-9 }, "\(p): \(tangent.values)")
      let slope = try grad { (p: Tensor) in try bounded(p, policy: .leastNorm).sum() }(Tensor(p)).values[0]
      #expect(abs(slope - 1) < 1e-9)
    }
  }

  /// Minimiser and multipliers, first and second order, both modes, batches.
  @Test func leastNormOfDependentConstraints() throws {
    func along(_ p: Tensor) throws -> Tensor { try dependent(stack([p, p])) }
    let p = 0.6
    let force = exp(p / 2)
    let slope = { (p: Tensor) in try jvp(along, at: p, along: Tensor(1.0)).tangent }
    let first = try slope(Tensor(p)).values
    let expected = [0.5, 0.5, -force / 4, -force / 4]
    #expect(zip(first, expected).allSatisfy { abs($0 - $1) < 1e-7 }, "\(first)")
    let second = try jvp(slope, at: Tensor(p), along: Tensor(1.0)).tangent.values
    #expect(zip(second, [0, 0, -force / 8, -force / 8]).allSatisfy { abs($0 - $1) < 1e-6 }, "\(second)")
    for k in 0..<4 {
      let gradient = grad { (p: Tensor) in try along(p)[k] }
      #expect(abs(try gradient(Tensor(p)).values[0] - expected[k]) < 1e-7)
      #expect(abs(try grad(gradient)(Tensor(p)).values[0] - (k < 2 ? 0 : -force / 8)) < 1e-6)
    }
    let points = Tensor([0.2, 0.6, 1.1])
    let batched = try vmap { (p: Tensor) in try grad { (p: Tensor) in try along(p)[2] }(p) }(points).values
    #expect(zip(batched, points.values).allSatisfy { abs($0 + exp($1 / 2) / 4) < 1e-7 }, "\(batched)")
    // Sides that move apart leave nothing that satisfies both rows: what comes closest, in both modes.
    let apart = Tensor([1.0, -0.4])
    let weight = Tensor([0.3, -0.7, 0.2, 0.9])
    let forward = dot(weight, try jvp({ try dependent($0) }, at: Tensor([p, p]), along: apart).tangent)
      .values[0]
    let pulled = try vjp({ try dependent($0) }, at: Tensor([p, p])).pullback(weight)
    #expect(abs(forward) > 1e-3 && abs(forward - dot(pulled, apart).values[0]) < 1e-12 * abs(forward) + 1e-13)
  }

  /// min (x₀ + x₁ − p)² + x₂²: x₀ − x₁ stays.
  @Test func leastNormOfAFlatObjective() throws {
    func solve(_ p: Tensor, _ policy: DegeneracyPolicy) throws -> Tensor {
      try nonlinearProgram(
        objective: { x in
          let sum = x[0] + x[1] - p
          return sum * sum + x[2] * x[2]
        }, guess: Tensor([0.3, 1.0, 0.5]), policy: policy
      ).x
    }
    let tangent = try jvp({ try solve($0, .leastNorm) }, at: Tensor(2.0), along: Tensor(1.0)).tangent.values
    #expect(zip(tangent, [0.5, 0.5, 0]).allSatisfy { abs($0 - $1) < 1e-9 }, "\(tangent)")
    let error = #expect(throws: TensorError.self) {
      try grad { (p: Tensor) in try solve(p, .error)[0] }(Tensor(2.0))
    }
    #expect(error?.message.contains("flat along a direction") == true)
  }

  /// What the caller is told, of solutions in numbers and by errors.
  @Test func margins() throws {
    func program(_ p: Double) -> NonlinearProgram {
      var program = NonlinearProgram { x in ((x - Tensor([p, 1.0])) * (x - Tensor([p, 1.0]))).sum() }
      program.lowerBounds = [0, 0]
      return program
    }
    let regular = try #require(try program(-0.25).solve(from: [1, 1]).regularity)
    #expect(!regular.isDegenerate)
    #expect(abs(regular.complementarity - 0.5) < 1e-9)
    #expect(abs(regular.independence - 1) < 1e-9 && abs(regular.curvature - 1) < 1e-9)
    let weak = try #require(try program(0).solve(from: [1, 1]).regularity)
    #expect(weak.lacksComplementarity && !weak.lacksIndependence && !weak.lacksCurvature)
    var copies = program(-0.25)
    copies.inequalities = { x in stack([x.sum(), 2.0 * x.sum()]) }
    copies.upper = [0.5, 1]
    let dependent = try #require(try copies.solve(from: [1, 1]).regularity)
    #expect(dependent.lacksIndependence && !dependent.lacksCurvature)
    let flat = NonlinearProgram { x in (x.sum() - 1.0) * (x.sum() - 1.0) }
    #expect(try #require(try flat.solve(from: [1, 1]).regularity).lacksCurvature)
    let error = #expect(throws: TensorError.self) {
      try grad { (p: Tensor) in try self.dependent(stack([p, p]), policy: .error)[0] }(Tensor(1.0))
    }
    #expect(error?.message.contains("linearly dependent") == true)
    // In a batch, which.
    let inBatch = #expect(throws: TensorError.self) {
      try vmap { (p: Tensor) in try grad { (p: Tensor) in try self.bounded(p)[0] }(p) }(Tensor([1.0, 0]))
    }
    #expect(inBatch?.message.contains("strict complementarity fails") == true)
    for barrier in [-1, Double.nan, .infinity] {
      #expect(throws: TensorError.self) { try bounded(Tensor(1.0), options: smoothed(barrier)) }
      #expect(throws: TensorError.self) { try program(1).solve(from: [1, 1], options: smoothed(barrier)) }
    }
  }
}
