import Autodiff
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

@Suite struct FailureTests {
  private let b: Tensor = [1, 2]
  private func reason(_ body: () throws -> Tensor) -> TensorError.Reason? {
    failure { _ = try body() }?.reason
  }
  private func hilbert(_ n: Int) -> Tensor {
    Tensor((0..<n * n).map { 1 / Double($0 / n + $0 % n + 1) }, shape: [n, n])
  }

  @Test func eachHasAReason() throws {
    #expect(reason { solve(.dense([[1, 2], [2, 4]]), b) } == .singular)
    #expect(reason { solve(.dense([[1, 2], [2, 4]], tags: .symmetric), b) } == .singular)
    #expect(reason { solve(.diagonal([1, 0]), b) } == .singular)
    #expect(reason { solve(.triangular([[1, 0], [3, 0]], isLower: true), b) } == .singular)
    #expect(reason { solve(.tridiagonal(lower: [2], diagonal: [1, 4], upper: [2]), b) } == .singular)
    #expect(reason { solve(.lowRankUpdate(of: .identity(2), [[-1], [0]], [[1], [0]]), b) } == .singular)
    #expect(reason { solve(0.0 * .identity(2), b) } == .singular)
    #expect(reason { solve(.dense([[1, 2], [2, 4]]), b, .init(method: .svd)) } == .singular)
    #expect(reason { solve(.dense(hilbert(14)), Tensor.ones([14])) } == .nearlySingular)
    let pattern = try SparsityPattern(rowCount: 2, columnCount: 2, entries: [(0, 0), (0, 1)])
    #expect(reason { solve(.sparse(pattern, values: [1, 1]), b) } == .structurallySingular)
    #expect(reason { solve(.dense([[1, 2], [2, 1]], tags: .positiveDefinite), b) } == .notPositiveDefinite)
    #expect(
      reason { solve(.diagonal([1, -1], tags: .positiveDefinite), b, .init(method: .conjugateGradients)) }
        == .notPositiveDefinite)
    #expect(reason { solve(.dense([[1, 2], [0, 1]], tags: .symmetric), b) } == .argument)
    #expect(reason { solve(.dense([[1, .init(Double.nan)], [0, 1]]), b) } == .nonFinite)
    #expect(reason { solve(.dense([[1, 0], [0, 1]]), [1, .init(Double.infinity)]) } == .nonFinite)
    #expect(reason { solve(.dense([[1, 0], [0, 1]]), [1, 2, 3]) } == .shape)
    #expect(reason { solve(.dense([[1, 0, 0], [0, 1, 0]]), b) } == .shape)
    #expect(reason { LinearOperator.identity(2)([1, 2, 3]) } == .shape)
    #expect(reason { (LinearOperator.identity(2) + .identity(3))(b) } == .shape)
    #expect(reason { (LinearOperator.identity(2) * .identity(3))(b) } == .shape)
    #expect(reason { LinearOperator.sparse(pattern, values: [1])(b) } == .shape)
    #expect(reason { LinearOperator.dense([1, 2])(b) } == .shape)
    #expect(reason { LinearOperator.dense([[1, 2]], tags: .symmetric)([1, 2]) } == .shape)
    #expect(reason { LinearOperator.dense([[1, 2], [3, 4]], tags: .unitDiagonal)(b) } == .argument)
    #expect(
      reason { LinearOperator.dense([[1, 2], [3, 4]], tags: [.lowerTriangular, .symmetric])(b) } == .argument)
    #expect(reason { LinearOperator.banded([[1, 2]], lower: 0, upper: 2)(b) } == .argument)
    #expect(
      reason {
        LinearOperator.sparse(rowCount: 2, columnCount: 2, rows: [2], columns: [0], values: [1])(b)
      } == .shape)
    // Methods that do not fit.
    let a = LinearOperator.dense([[3, 1], [1, 3]])
    #expect(reason { solve(a, b, .init(method: .conjugateGradients)) } == .argument)
    #expect(reason { solve(a, b, .init(method: .minres)) } == .argument)
    #expect(reason { solve(a, b, .init(method: .cholesky)) } == .argument)
    #expect(reason { solve(a, b, .init(method: .symmetricIndefinite)) } == .argument)
    #expect(reason { solve(a, b, .init(method: .lsmr)) } == .argument)
    #expect(reason { leastSquares(a, b, .init(method: .gmres())) } == .argument)
    #expect(reason { solve(a, b, .init(preconditioner: .jacobi)) } == .argument)
    #expect(reason { solve(a, b, initialGuess: b) } == .argument)
    #expect(reason { solve(a, b, .init(method: .gmres()), initialGuess: [1, 2, 3]) } == .shape)
    #expect(reason { solve(a, b, .init(method: .gmres()), preconditioner: .identity(3)) } == .shape)
    #expect(
      reason { solve(a, b, .init(method: .gmres(), stopping: .init(relativeTolerance: -1))) } == .argument)
    for method in [
      LinearMethod.lu, .qr, .svd, .cholesky, .fgmres(), .lsmr, .conjugateGradients, .minres,
      .gmres(restart: 0),
    ] {
      #expect(
        reason { solve(a, b, .init(method: method, differentiation: .unrolled(iterations: 3))) } == .argument)
    }
    let direct = failure {
      _ = solve(a, b, .init(method: .lu, differentiation: .truncated(iterations: 3, differentiated: 1)))
    }
    #expect(direct?.message.contains("bicgstab") == true)
    #expect(
      reason {
        solve(
          a, b,
          .init(method: .gmres(), preconditionerSide: .split, differentiation: .unrolled(iterations: 3)),
          preconditioner: .identity(2))
      } == .argument)
    #expect(reason { solve(a, b, .init(differentiation: .unrolled(iterations: -1))) } == .argument)
  }

  @Test func functionsMustBeLinear() throws {
    #expect(throws: TensorError.self) { try LinearOperator.function(columns: 2) { square($0) } }
    #expect(throws: TensorError.self) { try LinearOperator.function(columns: 2) { $0.sum() } }
    #expect(
      reason { solve(try .function(columns: 2) { $0 + 1.0 }, b) } == .argument)
    let a = try LinearOperator.function(columns: 2) { 2.0 * $0 }
    #expect(reason { solve(a, b, .init(method: .gmres(), preconditioner: .incompleteLU)) } == .argument)
    #expect(distance(solve(a, b), b / 2.0) < 1e-12)
    // Direct methods form the matrix.
    #expect(distance(solve(a, b, .init(method: .lu)), b / 2.0) < 1e-14)
  }

  @Test func messagesNameCausesAndPlaces() throws {
    let singular = failure { _ = solve(.dense([[1, 2], [2, 4]]), b) }
    #expect(
      singular?.message.contains("pivot 1") == true && singular?.message.contains("Likely causes") == true)
    let stack = Tensor([1, 0, 0, 1, 1, 2, 2, 4, 1, 0, 0, 1], shape: [3, 2, 2])
    let batch = failure { _ = try vmap { (a: Tensor) in solve(.dense(a), b) }(stack) }
    #expect(batch?.reason == .singular && batch?.message.contains("system 1 of the batch") == true)
    let large = Tensor.identity(2) + Tensor.zeros([9, 1, 1])
    var wrong = large.values
    wrong.replaceSubrange(28..<32, with: [1, 1, 1, 1])
    let lanes = failure {
      _ = try vmap { (a: Tensor) in solve(.dense(a), b) }(Tensor(wrong, shape: [9, 2, 2]))
    }
    #expect(lanes?.reason == .singular && lanes?.message.contains("system 7 of the batch") == true)
  }

  @Test func gradientsOfFailedSolvesAreErrors() throws {
    let n = 50
    let make = { (d: Tensor) -> LinearOperator in
      .tridiagonal(
        lower: -Tensor.ones([n - 1]), diagonal: d, upper: -Tensor.ones([n - 1]), tags: .positiveDefinite)
    }
    let (d, b) = (2.0 * Tensor.ones([n]), Tensor.ones([n]))
    let few = LinearSolveOptions(
      method: .conjugateGradients, stopping: StoppingCriterion(relativeTolerance: 1e-10, maximumIterations: 4)
    )
    #expect(reason { solve(make(d), b, few) } == .notConverged)
    let report = try solveWithReport(make(d), b, few)
    #expect(LinearSolveStatus(rawValue: Int32(report.status.scalar)) == .notConverged)
    #expect(report.residual.scalar > 1 && report.iterations.scalar == 4)
    for derivative in [
      { try grad { (d: Tensor) in try solveWithReport(make(d), b, few).solution.sum() }(d) },
      { try grad { (b: Tensor) in try solveWithReport(make(d), b, few).solution.sum() }(b) },
      { try jvp({ (b: Tensor) in try solveWithReport(make(d), b, few).solution }, at: b, along: b).tangent },
    ] as [() throws -> Tensor] {
      #expect(reason(derivative) == .notConverged)
    }
    // One that was found has its derivative.
    let enough = LinearSolveOptions(method: .conjugateGradients)
    let slope = try grad { (b: Tensor) in try solveWithReport(make(d), b, enough).solution.sum() }(b)
    #expect(distance(slope, solve(make(d), b)) < 1e-7)
    // A solution that converged and a gradient that does not.
    let hard = LinearSolveOptions(
      method: .conjugateGradients,
      gradientStopping: StoppingCriterion(relativeTolerance: 1e-10, maximumIterations: 2))
    #expect(reason { try grad { (d: Tensor) in solve(make(d), b, hard).sum() }(d) } == .notConverged)
  }
}
