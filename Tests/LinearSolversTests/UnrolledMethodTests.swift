import Autodiff
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

private struct UnrolledCase: Sendable, CustomStringConvertible {
  var method: LinearMethod
  var side = PreconditionerSide.right
  /// Steps after which the iterate is the solution.
  var enough: Int
  /// Steps after which it is not, by far.
  var few = 3
  var description: String { "\(method), \(side)" }
  var isSymmetric: Bool { method == .minres || method == .conjugateGradients }
}

/// Recorded iterations of every method that has one.
@Suite struct UnrolledMethodTests {
  private static let size = 5
  private static let cases = [
    UnrolledCase(method: .conjugateGradients, enough: 5), UnrolledCase(method: .minres, enough: 5),
    UnrolledCase(method: .bicgstab, enough: 6, few: 2), UnrolledCase(method: .gmres(), enough: 5),
    UnrolledCase(method: .gmres(), side: .left, enough: 5),
    UnrolledCase(method: .gmres(restart: 3), enough: 24), UnrolledCase(method: .richardson, enough: 60),
  ]
  /// Numbers of an operator that is not symmetric, or one that is (for MINRES not definite), a right-hand side, a preconditioner, a guess.
  private func point(columns: Int = 0, seed: UInt64 = 2) -> [Tensor] {
    var random = SeededRandom(seed: seed)
    let n = Self.size
    let vector = columns > 0 ? [n, columns] : [n]
    return [
      Tensor(random.uniform(-0.5, 0.5, count: n * n), shape: [n, n]),
      Tensor(random.uniform(-1, 1, count: vector.reduce(1, *)), shape: vector),
      Tensor(random.uniform(0.2, 0.3, count: n)),
      Tensor(random.uniform(-1, 1, count: vector.reduce(1, *)), shape: vector),
    ]
  }
  private func make(_ example: UnrolledCase, _ x: Tensor) -> LinearOperator {
    let n = Self.size
    if example.method == .minres {
      return .dense(x + x.transposed + Tensor([4, -4, 5, -3, 4]) * Tensor.identity(n), tags: .symmetric)
    }
    if example.isSymmetric {
      return .dense(x + x.transposed + 4.0 * Tensor.identity(n), tags: .positiveDefinite)
    }
    return .dense(x + 4.0 * Tensor.identity(n))
  }
  private func solution(_ example: UnrolledCase, _ steps: SolveDifferentiation) -> ([Tensor]) throws -> Tensor
  {
    { x in
      solve(
        self.make(example, x[0]), x[1],
        .init(method: example.method, preconditionerSide: example.side, differentiation: steps),
        preconditioner: .diagonal(x[2], tags: .positiveDefinite), initialGuess: x[3])
    }
  }

  /// The iterate is differentiable in the operator, the right-hand side, the preconditioner's numbers and the first guess, twice.
  @Test(arguments: cases) private func laws(_ example: UnrolledCase) throws {
    let few = example.few
    for steps in [
      SolveDifferentiation.unrolled(iterations: few), .truncated(iterations: few, differentiated: few),
    ] {
      let violations = try GradientLaws(step: 2e-4).violations(of: solution(example, steps), at: point())
      #expect(violations.isEmpty, "\(violations)")
    }
    let violations = try GradientLaws(step: 2e-4, order: 1).violations(
      of: solution(example, .unrolled(iterations: few)), at: point(columns: 2))
    #expect(violations.isEmpty, "\(violations)")
    let gradients = try grad { x in
      square(try self.solution(example, .unrolled(iterations: 2))(x)).sum()
    }(point())
    for gradient in gradients { #expect(abs(gradient).max().scalar > 1e-4) }
  }

  /// Steps are those of the method that is not recorded.
  @Test(arguments: cases) private func iterates(_ example: UnrolledCase) throws {
    let x = point()
    for steps in 1...3 {
      let recorded = try solution(example, .unrolled(iterations: steps))(x)
      let report = try solveWithReport(
        make(example, x[0]), x[1],
        .init(
          method: example.method, stopping: .init(relativeTolerance: 0, maximumIterations: steps),
          preconditionerSide: example.side),
        preconditioner: .diagonal(x[2], tags: .positiveDefinite), initialGuess: x[3])
      #expect(distance(recorded, report.solution) < 1e-12, "\(steps)")
    }
  }

  /// A truncated gradient is that of the last steps from where the first ones have led, which counts as a constant.
  @Test(arguments: cases) private func truncation(_ example: UnrolledCase) throws {
    let x = point()
    let earlier = try solution(example, .unrolled(iterations: example.few - 1))(x)
    let last = { (x: [Tensor]) throws -> Tensor in
      try self.solution(example, .unrolled(iterations: example.few))([x[0], x[1], x[2], earlier])
    }
    let whole = solution(example, .truncated(iterations: 2 * example.few - 1, differentiated: example.few))
    let (found, same) = (try whole(x), try last(x))
    #expect(distance(found, same) == 0)
    let (gradients, expected) = (
      try grad { x in square(try whole(x)).sum() }(x), try grad { x in square(try last(x)).sum() }(x)
    )
    for k in 0..<3 {
      #expect(distance(gradients[k], expected[k]) == 0)
      #expect(abs(expected[k]).max().scalar > 1e-5)
    }
    // By central differences with the start held.
    let violations = try GradientLaws(step: 5e-5, order: 1).violations(
      of: { try last($0 + [x[3]]) }, at: Array(x.prefix(3)))
    #expect(violations.isEmpty, "\(violations)")
    #expect(abs(gradients[3]).max().scalar == 0)
  }

  /// Where the iteration has converged, its derivative is the implicit one, and stays so however many steps follow.
  @Test(arguments: cases) private func convergence(_ example: UnrolledCase) throws {
    let x = point(columns: 2)
    let tight = LinearSolveOptions(stopping: .init(relativeTolerance: 1e-15))
    let exact = try grad { (x: [Tensor]) in square(solve(self.make(example, x[0]), x[1], tight)).sum() }(
      Array(x.prefix(2)))
    let size = exact.map { abs($0).max().scalar }
    for steps in [example.enough, 2 * example.enough + 20] {
      let gradients = try grad { x in
        square(try self.solution(example, .unrolled(iterations: steps))(x)).sum()
      }(x)
      for k in 0..<2 { #expect(distance(gradients[k], exact[k]) < 1e-8 * size[k], "\(steps)") }
      // The solution does not depend on the way.
      for k in 2..<4 { #expect(abs(gradients[k]).max().scalar < 1e-7, "\(steps)") }
    }
    // Truncated gradients come closer with every step that is recorded.
    let errors = try [1, 3, 5].map { last -> Double in
      let steps = SolveDifferentiation.truncated(iterations: example.few + last, differentiated: last)
      let gradient = try grad { x in square(try self.solution(example, steps)(x)).sum() }(x)
      return distance(gradient[0], exact[0]) / size[0]
    }
    #expect(errors[0] > 1e-4 && errors[2] < 0.3 * errors[0], "\(errors)")
  }

  /// In single precision, where inner products of the residual underflow long before the steps end.
  @Test(arguments: 1...8 as ClosedRange<UInt64>) func underflow(_ seed: UInt64) throws {
    let x = point(seed: seed).map { $0.converted(to: .float32) }
    let solution = { (b: Tensor, differentiation: SolveDifferentiation) in
      let a = x[0] + x[0].transposed + Tensor.identity(Self.size).converted(to: .float32) * 4.0
      return solve(
        .dense(a, tags: .positiveDefinite), b,
        .init(
          method: .conjugateGradients, stopping: .init(relativeTolerance: 1e-6),
          differentiation: differentiation)
      ).sum()
    }
    let exact = try grad { solution($0, .implicit) }(x[1])
    for steps in [30, 200] {
      let gradient = try grad { solution($0, .unrolled(iterations: steps)) }(x[1])
      #expect(distance(gradient, exact) < 1e-4 && abs(exact).max().scalar > 0.1, "\(steps)")
    }
  }

  /// A preconditioner that is not positive definite is not passed over.
  @Test func indefinitePreconditioner() throws {
    let b: Tensor = [1, 0]
    let gradient = grad { (m: Tensor) in
      solve(
        .dense([[2, 0], [0, 3]], tags: .symmetric), b,
        .init(method: .minres, differentiation: .unrolled(iterations: 3)),
        preconditioner: .diagonal(m, tags: .positiveDefinite)
      ).sum()
    }
    #expect(try gradient([-1, 1]).values.contains { $0.isNaN })
    let isFinite = try gradient([1, 1]).values.allSatisfy { $0.isFinite }
    #expect(isFinite)
  }

  @Test func automaticGoesByTheTags() throws {
    let x = point()
    for (example, method) in [
      (Self.cases[0], LinearMethod.conjugateGradients), (Self.cases[1], .minres), (Self.cases[3], .gmres()),
    ] {
      let a = make(example, x[0])
      let chosen = solve(a, x[1], .init(differentiation: .unrolled(iterations: 2)))
      let named = solve(a, x[1], .init(method: method, differentiation: .unrolled(iterations: 2)))
      #expect(distance(chosen, named) == 0)
    }
  }

  /// Right-hand sides that are zero, operators of one and no unknowns, and batches.
  @Test(arguments: cases) private func edges(_ example: UnrolledCase) throws {
    let x = point()
    let steps = SolveDifferentiation.unrolled(iterations: 4)
    let zero = try grad { (b: Tensor) in
      solve(self.make(example, x[0]), b, .init(method: example.method, differentiation: steps)).sum()
    }(0.0 * x[1])
    if example.method == .richardson {
      let sum = { (b: Tensor) in
        solve(self.make(example, x[0]), b, .init(method: example.method, differentiation: steps)).sum()
      }
      let violations = try GradientLaws(order: 1).violations(of: { sum($0[0]) }, at: [0.0 * x[1]])
      #expect(violations.isEmpty, "\(violations)")
      #expect(abs(zero).max().scalar > 1e-3)
    } else {
      // The numbers of these iterations depend on the residual, of which there is none (documented).
      #expect(abs(zero).max().scalar == 0)
    }
    let one = LinearOperator.dense([[1.5]], tags: .positiveDefinite)
    let single = solve(one, [3], .init(method: example.method, differentiation: .unrolled(iterations: 60)))
    #expect(distance(single, [2]) < 1e-12)
    let none = LinearOperator.dense(Tensor.zeros([0, 0]), tags: .positiveDefinite)
    #expect(
      solve(none, Tensor.zeros([0]), .init(method: example.method, differentiation: steps)).shape == [0])
    let violations = try GradientLaws(order: 1).batchViolations(of: solution(example, steps), at: x)
    #expect(violations.isEmpty, "\(violations)")
  }

  /// A step size, and weights of Jacobi's iteration, are trained through the recorded steps.
  @Test func trainedRichardson() throws {
    let x = point()
    let a = LinearOperator.dense(x[0] + x[0].transposed + 4.0 * Tensor.identity(5), tags: .positiveDefinite)
    let exact = solve(a, x[1])
    func error(_ inverse: LinearOperator) -> Tensor {
      square(
        solve(
          a, x[1], .init(method: .richardson, differentiation: .unrolled(iterations: 5)),
          preconditioner: inverse)
          - exact
      ).sum()
    }
    var step = Tensor(0.1)
    let before = error(step * .identity(5)).scalar
    let slope = grad { (step: Tensor) in log(error(step * .identity(5))) }
    for _ in 0..<200 { step = step - 2e-4 * clamp(try slope(step), -50, 50) }
    #expect(error(step * .identity(5)).scalar < 1e-3 * before)
    // Numerically, the same iteration; and one that diverges says so.
    let options = LinearSolveOptions(method: .richardson)
    #expect(distance(solve(a, x[1], options, preconditioner: step * .identity(5)), exact) < 1e-8)
    #expect(distance(solve(a, x[1], .init(method: .richardson, preconditioner: .jacobi)), exact) < 1e-8)
    #expect(failure { _ = solve(a, x[1], options) }?.reason == .notConverged)
    let violations = try GradientLaws(step: 2e-3, order: 1).violations(
      of: { x in
        solve(
          self.make(Self.cases[6], x[0]), x[1],
          .init(method: .richardson, stopping: .init(relativeTolerance: 1e-15), preconditioner: .jacobi))
      }, at: Array(x.prefix(2)))
    #expect(violations.isEmpty, "\(violations)")
  }
}
