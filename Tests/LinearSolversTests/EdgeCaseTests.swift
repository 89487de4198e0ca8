import Autodiff
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

@Suite struct EdgeCaseTests {
  private func reason(_ body: () throws -> Tensor) -> TensorError.Reason? {
    failure { _ = try body() }?.reason
  }
  private static let methods: [LinearMethod] = [
    .automatic, .lu, .cholesky, .symmetricIndefinite, .qr, .svd, .conjugateGradients, .minres, .bicgstab,
    .gmres(), .fgmres(),
  ]

  /// Systems of one unknown, by every method: x = b / a, ∂x/∂a = −b / a².
  @Test(arguments: methods) func oneUnknown(method: LinearMethod) throws {
    let function = { (x: [Tensor]) in
      solve(
        .dense(x[0].reshaped([1, 1]), tags: .positiveDefinite), x[1].reshaped([1]), .init(method: method)
      ).sum()
    }
    let gradients = try grad(function)([Tensor(4), Tensor(3)])
    #expect(abs(gradients[0].scalar + 3.0 / 16) < 1e-14 && abs(gradients[1].scalar - 0.25) < 1e-14)
    // x = b / a again: ∂²x/∂a² = 2 b / a³, ∂²x/∂a∂b = −1 / a².
    let second = try hvp(function, at: [Tensor(4), Tensor(3)], along: [Tensor(1), Tensor(0)])
    #expect(abs(second[0].scalar - 6.0 / 64) < 1e-14 && abs(second[1].scalar + 1.0 / 16) < 1e-14)
  }
  /// Systems without unknowns have solutions without numbers.
  @Test(arguments: methods) func noUnknowns(method: LinearMethod) throws {
    let a = LinearOperator.dense(Tensor.zeros([0, 0]), tags: .positiveDefinite)
    let x = try withTensorErrors { solve(a, Tensor.zeros([0]), .init(method: method)) }
    #expect(x.shape == [0])
    let many = try withTensorErrors { solve(a, Tensor.zeros([0, 3]), .init(method: method)) }
    #expect(many.shape == [0, 3])
    let slope = try grad { (b: Tensor) in solve(a, b, .init(method: method)).sum() }(Tensor.zeros([0]))
    #expect(slope.shape == [0])
  }
  /// No right-hand sides, and no systems.
  @Test func noRightHandSides() throws {
    let a = LinearOperator.dense([[2, 1], [1, 3]], tags: .positiveDefinite)
    for method in Self.methods {
      #expect(
        try withTensorErrors { solve(a, Tensor.zeros([2, 0]), .init(method: method)) }.shape == [2, 0],
        "\(method)")
    }
    let empty = try vmap { (m: Tensor) in solve(.dense(m), [1, 2]) }(Tensor.zeros([0, 2, 2]))
    #expect(empty.shape == [0, 2])
  }

  /// Views that are not contiguous: transposed, reversed, every other row.
  @Test(arguments: methods) func views(method: LinearMethod) throws {
    var random = SeededRandom(seed: 6)
    let m = Tensor(random.uniform(-1, 1, count: 16), shape: [4, 4])
    let matrix = matmul(m, m.transposed) + 2.0 * Tensor.identity(4)
    let wide = Tensor(random.uniform(-1, 1, count: 12), shape: [3, 4])
    let a = LinearOperator.dense(matrix.transposed, tags: .positiveDefinite)
    let tight = LinearSolveOptions(method: method, stopping: StoppingCriterion(relativeTolerance: 1e-14))
    let expected = Autodiff.solve(matrix.transposed, wide.transposed)
    #expect(distance(solve(a, wide.transposed, tight), expected) < 1e-11)
    #expect(distance(solve(a, wide[1], tight), expected[0..., 1]) < 1e-11)
    #expect(distance(solve(a, wide.transposed[0..., 2], tight), expected[0..., 2]) < 1e-11)
  }

  /// A batch of first guesses: where iterations start differs, where they end does not.
  @Test(arguments: [LinearMethod.conjugateGradients, .minres, .bicgstab, .gmres(), .fgmres()])
  func batchesOfFirstGuesses(method: LinearMethod) throws {
    var random = SeededRandom(seed: 2)
    let n = 6
    let m = Tensor(random.uniform(-1, 1, count: n * n), shape: [n, n])
    let matrix = matmul(m, m.transposed) + 2.0 * Tensor.identity(n)
    let b = Tensor(random.uniform(-1, 1, count: n))
    let options = LinearSolveOptions(method: method, stopping: StoppingCriterion(relativeTolerance: 1e-12))
    let a = LinearOperator.dense(matrix, tags: .positiveDefinite)
    let exact = Autodiff.solve(matrix, b)
    let guesses = stack([exact, Tensor.zeros([n]), b, 3.0 * b])
    let reports = try vmap { (x: Tensor) in try solveWithReport(a, b, options, initialGuess: x) }(guesses)
    for k in 0..<4 { #expect(distance(reports.solution[k], exact) < 1e-10) }
    #expect(reports.iterations[0].scalar < reports.iterations[1].scalar)
    // Operators and guesses together, and the guess has no derivative in any.
    let both = try vmap { (s: Tensor, x: Tensor) in
      solve(.dense(s * matrix, tags: .positiveDefinite), b, options, initialGuess: x)
    }([1, 2, 4, 8], guesses)
    for k in 0..<4 { #expect(distance(both[k], exact / Double(1 << k)) < 1e-10) }
    let slope = try vmap(
      grad { (x: Tensor) in square(solve(a, b, options, initialGuess: x)).sum() })(guesses)
    #expect(slope.values.allSatisfy { $0 == 0 })
    let broken = stack([exact, Tensor([0, 0, 0, Double.nan, 0, 0])])
    #expect(
      reason { try vmap { (x: Tensor) in solve(a, b, options, initialGuess: x) }(broken) } == .nonFinite)
  }

  /// Least squares to second order in a batch, against normal equations.
  @Test(arguments: [LinearMethod.qr, .svd]) func curvatureOfLeastSquares(method: LinearMethod) throws {
    var random = SeededRandom(seed: 9)
    let point = [
      Tensor(random.uniform(-1, 1, count: 15), shape: [5, 3]), Tensor(random.uniform(-1, 1, count: 5)),
    ]
    let directions = [
      Tensor(random.uniform(-1, 1, count: 15), shape: [5, 3]), Tensor(random.uniform(-1, 1, count: 5)),
    ]
    let weight: Tensor = [1, -2, 0.5]
    let curvature = { (f: @escaping ([Tensor]) throws -> Tensor) in
      try hvp({ x in dot(weight, square(try f(x))) }, at: point, along: directions)
    }
    let found = try curvature { leastSquares(.dense($0[0]), $0[1], .init(method: method)) }
    let expected = try curvature { x in
      let t = x[0].transposed
      return Autodiff.solve(matmul(t, x[0]), matmul(t, x[1]))
    }
    for (a, b) in zip(found, expected) {
      let scale = abs(b).max().scalar
      #expect(scale > 1e-2 && distance(a, b) < 1e-10 * scale)
    }
  }

  /// A unit diagonal is one that is not read: neither its numbers nor the other half count, and they have no derivative.
  @Test func unitDiagonal() throws {
    let matrix: Tensor = [[7, 5], [3, -2]]
    let x = solve(.triangular(matrix, isLower: true, isUnitDiagonal: true), [1, 2])
    #expect(x.values == [1, -1])
    let slope = try grad { (m: Tensor) in
      solve(.triangular(m, isLower: true, isUnitDiagonal: true), [1, 2])[1]
    }(matrix)
    #expect(slope.values == [0, 0, -1, 0])
    // Where it stands in the way nothing is read: zeros on the diagonal are no singularity.
    let zeros: Tensor = [[0, 5], [3, 0]]
    #expect(solve(.triangular(zeros, isLower: true, isUnitDiagonal: true), [1, 2]).values == [1, -1])
  }
  /// Tags that the numbers contradict.
  @Test func contradictedTags() throws {
    let b: Tensor = [1, 2]
    let pattern = try SparsityPattern(rowCount: 2, columnCount: 2, entries: [(0, 0), (0, 1), (1, 0), (1, 1)])
    for method in [LinearMethod.automatic, .conjugateGradients, .cholesky] {
      let options = LinearSolveOptions(method: method)
      #expect(
        reason { solve(.sparse(pattern, values: [1, 2, 2, 1], tags: .positiveDefinite), b, options) }
          == .notPositiveDefinite, "\(method)")
      #expect(
        reason { solve(.sparse(pattern, values: [4, 2, 1, 4], tags: .positiveDefinite), b, options) }
          == .argument, "\(method)")
      #expect(
        reason { solve(.dense([[4, 2], [1, 4]], tags: .positiveDefinite), b, options) } == .argument,
        "\(method)")
      #expect(
        reason {
          solve(
            .banded([[0, 2], [4, 4], [1, 0]], lower: 1, upper: 1, tags: .positiveDefinite), b, options)
        } == .argument, "banded, \(method)")
      #expect(
        reason {
          solve(
            .tridiagonal(lower: [1], diagonal: [4, 4], upper: [2], tags: .positiveDefinite), b, options)
        } == .argument, "tridiagonal, \(method)")
      #expect(
        reason {
          solve(
            .tridiagonal(lower: [2], diagonal: [1, 1], upper: [2], tags: .positiveDefinite), b, options)
        } == .notPositiveDefinite, "tridiagonal, \(method)")
      #expect(
        reason {
          solve(
            .banded([[0, 2], [1, 1], [2, 0]], lower: 1, upper: 1, tags: .positiveDefinite), b, options)
        } == .notPositiveDefinite, "banded, \(method)")
      #expect(
        reason { solve(.diagonal([1, -1], tags: .positiveDefinite), b, options) } == .notPositiveDefinite,
        "diagonal, \(method)")
      #expect(
        reason {
          solve(.blockDiagonal([[[1, 2], [2, 1]]], tags: .positiveDefinite), b, options)
        } == .notPositiveDefinite, "block-diagonal, \(method)")
    }
    // A function that is tagged and is not what it says.
    let indefinite = try LinearOperator.function(columns: 2, tags: .positiveDefinite) {
      Tensor([1, -1]) * $0
    }
    #expect(reason { solve(indefinite, b) } == .notPositiveDefinite)
  }

  /// Numbers that are not finite are told by every method, in the operator, the right-hand side and the preconditioner.
  @Test(arguments: methods) func notFinite(method: LinearMethod) throws {
    let options = LinearSolveOptions(method: method)
    for bad in [Double.nan, .infinity, -.infinity] {
      let broken = Tensor([2, bad, bad, 2], shape: [2, 2])
      #expect(reason { solve(.dense(broken, tags: .positiveDefinite), [1, 2], options) } == .nonFinite)
      let a = LinearOperator.dense([[2, 1], [1, 2]], tags: .positiveDefinite)
      #expect(reason { solve(a, Tensor([1, bad]), options) } == .nonFinite)
      #expect(
        reason { try grad { (b: Tensor) in solve(a, b, options).sum() }(Tensor([bad, 1])) } == .nonFinite)
    }
  }

  /// Functions that are not linear, whatever they do to zero.
  @Test func functionsThatAreNotLinear() throws {
    let functions: [(String, (Tensor) throws -> Tensor)] = [
      ("abs", { abs($0) }), ("select", { select($0 .> 0.0, $0, 2.0 * $0) }),
      ("maximum", { maximum($0, 0.0) }), ("quotient", { $0 / (1.0 + square($0).sum()) }),
      ("product", { $0 * $0.sum() }), ("sine", { sin($0) }),
    ]
    for (name, function) in functions {
      #expect(reason { try LinearOperator.function(columns: 2, function)([1, 2]) } != nil, "\(name)")
    }
  }

  /// A million unknowns, solved and differentiated: x of the identity plus a Laplacian is one where b is one, away from the ends.
  @Test func manyUnknowns() throws {
    let n = 1_000_000
    let beside = -Tensor.ones([n - 1])
    let b = Tensor.ones([n])
    for method in [LinearMethod.automatic, .conjugateGradients] {
      let options = LinearSolveOptions(method: method)
      let solution = { (d: Tensor) in
        solve(.tridiagonal(lower: beside, diagonal: d, upper: beside, tags: .positiveDefinite), b, options)
      }
      let (x, pullback) = try vjp(solution, at: 3.0 * Tensor.ones([n]))
      #expect(abs(x[n / 2].scalar - 1) < 1e-7)
      // The cotangent of the diagonal is −λ x, where λ solves with a right-hand side of ones too.
      let slope = try pullback(b)
      #expect(abs(slope[n / 2].scalar + 1) < 1e-6)
    }
  }
}
