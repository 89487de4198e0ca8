import Autodiff
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

@Suite struct LeastSquaresTests {
  private static let tight = StoppingCriterion(relativeTolerance: 1e-15)
  private func random(_ shape: [Int], _ seed: UInt64) -> Tensor {
    var random = SeededRandom(seed: seed)
    return Tensor(random.uniform(-1, 1, count: shape.reduce(1, *)), shape: shape)
  }

  @Test(arguments: [(6, 3), (3, 6), (4, 4)], [LinearMethod.qr, .svd, .lsmr])
  func fullRank(shape: (Int, Int), method: LinearMethod) throws {
    let (m, n) = shape
    let options = LinearSolveOptions(method: method, stopping: Self.tight)
    let (a, b) = (random([m, n], 3), random([m], 4))
    #expect(distance(leastSquares(.dense(a), b, options), Autodiff.leastSquares(a, b)) < 1e-11)
    var laws = GradientLaws(tolerance: 1e-6, step: 4e-3, order: method == .lsmr ? 1 : 2)
    laws.identityTolerance = method == .lsmr ? 1e-9 : 1e-12
    if method == .lsmr {
      // Batches end at other iterates than single systems do; only the first laws are sharp.
      let function = { (x: [Tensor]) in leastSquares(.dense(x[0]), x[1], options) }
      let exact = { (x: [Tensor]) in Autodiff.leastSquares(x[0], x[1]) }
      let gradient = { (f: @escaping ([Tensor]) throws -> Tensor) in
        try grad { x in square(try f(x)).sum() }([a, b])
      }
      for (x, y) in zip(try gradient(function), try gradient(exact)) { #expect(distance(x, y) < 1e-9) }
      return
    }
    let violations = try laws.violations(of: { leastSquares(.dense($0[0]), $0[1], options) }, at: [a, b])
    #expect(violations.isEmpty, "\(violations)")
  }

  /// Along curves of constant rank the derivative of the pseudo-inverse is that of differences.
  @Test(arguments: [LinearMethod.qr, .svd]) func deficientRank(method: LinearMethod) throws {
    let options = LinearSolveOptions(method: method)
    let point = [random([5, 2], 1), random([2, 4], 2), random([5], 3)]
    let solution = { (x: [Tensor]) in leastSquares(.dense(matmul(x[0], x[1])), x[2], options) }
    let violations = try GradientLaws(tolerance: 1e-6, step: 2e-3).violations(of: solution, at: point)
    #expect(violations.isEmpty, "\(violations)")
    // The shortest of the solutions.
    let (l, r) = (point[0], point[1])
    let inner = Autodiff.solve(matmul(l.transposed, l), matmul(l.transposed, point[2]))
    let shortest = matmul(r.transposed, Autodiff.solve(matmul(r, r.transposed), inner))
    #expect(distance(solution(point), shortest) < 1e-11)
  }

  @Test func sparseAndFunctions() throws {
    let pattern = try SparsityPattern(
      rowCount: 5, columnCount: 3, entries: [(0, 0), (1, 1), (2, 2), (3, 0), (3, 2), (4, 1), (4, 0)])
    let options = LinearSolveOptions(stopping: Self.tight)
    let (values, b) = (random([7], 5), random([5, 2], 6))
    let sparse = LinearOperator.sparse(pattern, values: values)
    let exact = Autodiff.leastSquares(sparse.denseMatrix(), b)
    #expect(distance(leastSquares(sparse, b, options), exact) < 1e-12)
    let matrix = sparse.denseMatrix()
    let function = try LinearOperator.function(columns: 3) { matmul(matrix, $0) }
    #expect(distance(leastSquares(function, b, options), exact) < 1e-12)
    // Normal equations give the same gradient.
    let gradient = try grad { (v: Tensor) in
      square(leastSquares(.sparse(pattern, values: v), b, options)).sum()
    }(values)
    let normal = try grad { (v: Tensor) in
      let a = LinearOperator.sparse(pattern, values: v).denseMatrix()
      return square(Autodiff.solve(matmul(a.transposed, a), matmul(a.transposed, b))).sum()
    }(values)
    #expect(distance(gradient, normal) < 1e-10)
    let report = try leastSquaresWithReport(sparse, b, options)
    #expect(report.status.values == [0, 0] && report.iterations.values.allSatisfy { $0 > 0 && $0 <= 6 })
  }
}
