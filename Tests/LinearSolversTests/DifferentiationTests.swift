import Autodiff
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

@Suite struct UnrolledTests {
  /// One number for each point of a grid on the diagonal.
  private func grid(_ d: Tensor) -> LinearOperator {
    let diagonal = zip(gridPattern.rowIndices, gridPattern.columnIndices).map { $0 == $1 ? 1.0 : 0 }
    let rows = Tensor(gridPattern.rowIndices.map { Int32($0) })
    let mask = Tensor(diagonal)
    return .sparse(
      gridPattern, values: mask * (3.0 + square(d)).taking(rows) - (1.0 - mask), tags: .positiveDefinite)
  }
  private let d: Tensor = [0.3, -0.7, 1.1, 0.2, 0.9, -0.4]
  private let b: Tensor = [1, 2, -1, 0.5, 0.2, -2]

  @Test func unrolledEqualsImplicitAtConvergence() throws {
    let loss = { (options: LinearSolveOptions) in
      { (x: [Tensor]) throws -> Tensor in square(solve(self.grid(x[0]), x[1], options)).sum() }
    }
    let implicit = try grad(loss(.init()))([d, b])
    let unrolled = try grad(loss(.init(differentiation: .unrolled(iterations: 6))))([d, b])
    for (x, y) in zip(implicit, unrolled) { #expect(distance(x, y) < 1e-9) }
    // After more steps than there are unknowns the residual is (almost) zero, and nothing becomes NaN.
    let long = try grad(loss(.init(differentiation: .unrolled(iterations: 30))))([d, b])
    for (x, y) in zip(implicit, long) { #expect(distance(x, y) < 1e-6) }
    // Few steps: the derivative of the iterate, which is another.
    let few = try grad(loss(.init(differentiation: .unrolled(iterations: 2))))([d, b])
    #expect(distance(implicit[0], few[0]) > 1e-3)
    let violations = try GradientLaws(order: 1).violations(
      of: { solve(self.grid($0[0]), $0[1], .init(differentiation: .unrolled(iterations: 3))) }, at: [d, b])
    #expect(violations.isEmpty, "\(violations)")
  }

  @Test func truncatedGradientsApproachTheWhole() throws {
    let gradient = { (options: LinearSolveOptions) in
      try grad { (x: Tensor) in square(solve(self.grid(x), self.b, options)).sum() }(self.d)
    }
    let exact = try gradient(.init())
    let errors = try [1, 2, 4].map {
      distance(try gradient(.init(differentiation: .truncated(iterations: 6, differentiated: $0))), exact)
    }
    #expect(errors[0] > errors[1] && errors[1] > errors[2] && errors[0] > 1e-4)
    // The value is that of steps that start twice: here the first ones have converged.
    let value = solve(grid(d), b, .init(differentiation: .truncated(iterations: 12, differentiated: 2)))
    #expect(distance(value, solve(grid(d), b)) < 1e-10)
    #expect(
      failure {
        _ = solve(
          self.grid(self.d), self.b, .init(differentiation: .truncated(iterations: 2, differentiated: 3)))
      }?
      .reason == .argument)
  }

  @Test func gradientsOfGuessAndPreconditioner() throws {
    let options = LinearSolveOptions(differentiation: .unrolled(iterations: 2))
    let violations = try GradientLaws(order: 1).violations(
      of: { x in
        solve(
          self.grid(x[0]), self.b, options, preconditioner: .diagonal(square(x[1]) + 0.2), initialGuess: x[2])
      }, at: [d, b * 0.5, b * 0.1])
    #expect(violations.isEmpty, "\(violations)")
    let gradients = try grad { (x: [Tensor]) in
      square(
        solve(
          self.grid(self.d), self.b, options, preconditioner: .diagonal(x[0]), initialGuess: x[1])
      ).sum()
    }([0.3 * Tensor.ones([6]) + 0.1 * abs(d), 0.1 * b])
    for gradient in gradients { #expect(abs(gradient).max().scalar > 1e-3) }
    // Choices without tensors have no gradient.
    #expect(
      failure {
        _ = solve(
          self.grid(self.d), self.b, .init(preconditioner: .jacobi, differentiation: .unrolled(iterations: 2))
        )
      }?.reason == .argument)
  }

  @Test func givenStepSizes() throws {
    // With the numbers that conjugate gradients compute, the iterates are theirs.
    let a = grid(d)
    var (x, r) = (Tensor.zeros([6]), b)
    var p = r
    var (alphas, betas): ([Double], [Double]) = ([], [])
    for _ in 0..<4 {
      let q = a(p)
      let alpha = dot(r, r) / dot(p, q)
      let next = r - alpha * q
      let beta = dot(next, next) / dot(r, r)
      x = x + alpha * p
      p = next + beta * p
      r = next
      alphas.append(alpha.scalar)
      betas.append(beta.scalar)
    }
    let learned = try learnedConjugateGradients(a, b, stepSizes: Tensor(alphas), momenta: Tensor(betas))
    #expect(distance(learned, x) < 1e-13)
    #expect(distance(learned, solve(a, b, .init(differentiation: .unrolled(iterations: 4)))) < 1e-12)
    let violations = try GradientLaws().violations(
      of: { x in
        try learnedConjugateGradients(
          self.grid(x[0]), x[1], stepSizes: x[2], momenta: x[3], preconditioner: .diagonal(x[4]),
          initialGuess: x[5])
      }, at: [d, b, Tensor([0.2, 0.3, 0.25]), Tensor([0.1, 0.2, 0.1]), 0.5 + square(b), 0.1 * b])
    #expect(violations.isEmpty, "\(violations)")
    #expect(
      failure { _ = try learnedConjugateGradients(a, b, stepSizes: [1, 2], momenta: [1]) }?.reason == .shape)
  }

  @Test func comparison() throws {
    let table = try compareGradients(
      at: d, unrolled: [2, 6], truncated: [(6, 1)], repetitions: 1
    ) { d, solve in square(try solve(self.grid(d), self.b)).sum() }
    let rows = table.rows
    #expect(rows.map(\.name).count == 5 && rows.allSatisfy { $0.failure.isEmpty && $0.seconds > 0 })
    // Implicit, 2 steps, 6 steps, the last of 6, differences.
    #expect(rows[0].error < 1e-9 && rows[1].error > 1e-3 && rows[2].error < 1e-8)
    #expect(rows[3].error > 1e-4 && rows[4].error < 1e-6)
    // Memory: flat against growing.
    #expect(rows[2].keptBytes > rows[1].keptBytes && rows[1].keptBytes > rows[0].keptBytes)
    #expect(rows[4].keptBytes == 0 && rows[3].keptBytes < rows[2].keptBytes)
    #expect(
      table.description.contains("unrolled, 6 steps") && table.description.split(separator: "\n").count == 6)
    // Ways that fail say why.
    let failed = try compareGradients(
      at: b, truncated: [(2, 3)], differenceStep: nil, repetitions: 1
    ) { b, solve in try solve(.dense(Tensor.identity(6) * 2.0), b).sum() }
    #expect(
      failed.rows[1].failure.contains("3 of 2") && failed.description.contains("cannot be differentiated"))
  }

  /// Over the number of steps the memory of implicit gradients is flat, that of unrolled ones linear.
  @Test func memoryOverSteps() throws {
    let counts = [10, 20, 40, 80, 160]
    let table = try compareGradients(
      at: d, options: .init(method: .conjugateGradients), unrolled: counts,
      truncated: counts.map { ($0, 5) }, differenceStep: 1e-4, repetitions: 1
    ) { d, solve in square(try solve(self.grid(d), self.b)).sum() }
    let (unrolled, truncated) = (table.rows[1...5].map(\.peakBytes), table.rows[6...10].map(\.peakBytes))
    // Each step as many bytes more as the one before.
    let perStep = zip(zip(unrolled, unrolled.dropFirst()), zip(counts, counts.dropFirst())).map {
      Double($0.1 - $0.0) / Double($1.1 - $1.0)
    }
    #expect(perStep.allSatisfy { $0 == perStep[0] } && perStep[0] >= 3 * 6 * 8, "\(perStep)")
    // Of the steps that are not recorded only the numbers of the loop are in memory, four bytes each.
    #expect(
      zip(truncated, counts).allSatisfy { $0 - truncated[0] == 4 * ($1 - counts[0]) }
        && truncated[4] < unrolled[0], "\(truncated) \(unrolled)")
    // Implicit gradients: bytes follow from the types of the program alone, so that steps cannot enter; their size is told.
    let implicit = try [2, 200].map { limit in
      try compareGradients(
        at: self.d,
        options: .init(
          method: .conjugateGradients,
          stopping: .init(relativeTolerance: limit == 2 ? 0.9 : 1e-15, maximumIterations: limit)),
        reference: .init(), differenceStep: nil, repetitions: 1
      ) { d, solve in square(try solve(self.grid(d), self.b)).sum() }.rows[0].peakBytes
    }
    #expect(implicit[0] == implicit[1] && implicit[0] > 0 && implicit[0] == table.rows[0].peakBytes)
    #expect(table.rows[0].peakBytes < unrolled[0])
    // Kept is part of what is alive.
    #expect(table.rows.allSatisfy { $0.peakBytes > $0.keptBytes }, "\(table)")
  }

  @Test func memoryOfImplicitGradientsIsFlat() throws {
    // More iterations for a tighter tolerance, the same memory.
    let bytes = try [1e-2, 1e-12].map { tolerance in
      try compareGradients(
        at: self.d,
        options: .init(method: .conjugateGradients, stopping: .init(relativeTolerance: tolerance)),
        differenceStep: nil, repetitions: 1
      ) { d, solve in square(try solve(self.grid(d), self.b)).sum() }.rows[0].keptBytes
    }
    #expect(bytes[0] == bytes[1])
  }
}

@Suite struct BatchedSystemTests {
  /// Small dense systems go through lanes; every law holds there too.
  @Test(arguments: [false, true]) func laws(isDefinite: Bool) throws {
    var random = SeededRandom(seed: 8)
    let n = 4
    let function = { (x: [Tensor]) throws -> Tensor in
      try vmap { (a: Tensor, b: Tensor) in
        let matrix =
          isDefinite
          ? matmul(a, a.transposed) + 2.0 * Tensor.identity(n) : a + 3.0 * Tensor.identity(n)
        return solve(.dense(matrix, tags: isDefinite ? .positiveDefinite : []), b)
      }(x[0], x[1])
    }
    let point = [
      Tensor(random.uniform(-1, 1, count: 9 * n * n), shape: [9, n, n]),
      Tensor(random.uniform(-1, 1, count: 9 * n), shape: [9, n]),
    ]
    let violations = try GradientLaws(step: 4e-3).violations(of: function, at: point)
    #expect(violations.isEmpty, "\(violations)")
  }
  /// Solutions that overflow, and right-hand sides that are not finite, name their system.
  @Test func nonFiniteSystems() throws {
    let function = jit(vmap { (a: Tensor, b: Tensor) in solve(.dense(a), b) })
    func message(_ a: [Double], _ b: [Double]) -> String {
      do {
        let x = try function(Tensor(a, shape: [a.count, 1, 1]), Tensor(b, shape: [b.count, 1]))
        return "no error: \(x)"
      } catch { return "\(error)" }
    }
    let count = 11
    let ones = [Double](repeating: 1, count: count)
    var (a, b) = (ones, ones)
    (a[9], b[9]) = (1e-300, 1e300)
    #expect(message(a, b).contains("system 9"), "\(message(a, b))")
    b[9] = .nan
    #expect(message(ones, b).contains("system 9"), "\(message(ones, b))")
    a[9] = 0
    #expect(message(a, ones).contains("system 9"), "\(message(a, ones))")
  }
  /// Preparations that scan takes apart are found again.
  @Test func rowsOfABatch() throws {
    var random = SeededRandom(seed: 3)
    let a = Tensor(random.uniform(-1, 1, count: 6 * 9), shape: [6, 3, 3]) + 3.0 * Tensor.identity(3)
    let b = Tensor(random.uniform(-1, 1, count: 6 * 3), shape: [6, 3])
    let together = { (x: [Tensor]) throws -> Tensor in
      square(try vmap { (a: Tensor, b: Tensor) in solve(.dense(a), b) }(x[0], x[1])).sum()
    }
    let apart = { (x: [Tensor]) throws -> Tensor in
      try scan(initial: Tensor(0), over: x) { sum, row in
        (sum + square(solve(.dense(row[0]), row[1])).sum(), [Tensor]())
      }.state
    }
    for (x, y) in zip(try grad(together)([a, b]), try grad(apart)([a, b])) { #expect(distance(x, y) < 1e-11) }
    // Compiled, with the batch inside.
    let compiled = jit(grad(together))
    for (x, y) in zip(try compiled([a, b]), try grad(apart)([a, b])) { #expect(distance(x, y) < 1e-11) }
  }
}
