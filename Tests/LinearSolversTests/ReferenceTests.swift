import Autodiff
import Foundation
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

/// Systems that scipy has solved.
struct ReferenceSystems: Codable {
  struct System: Codable, Sendable, CustomStringConvertible {
    var name: String
    var kind: String
    var size: Int
    var rows: [Int]
    var columns: [Int]
    var values: [Double]
    var rightSide: [Double]
    var solution: [Double]
    var adjoint: [Double]
    var gradient: [Double]
    var condition: Double
    var description: String { name }

    var tags: OperatorTags { kind == "definite" ? .positiveDefinite : kind == "symmetric" ? .symmetric : [] }
    var pattern: SparsityPattern {
      get throws {
        try SparsityPattern(rowCount: size, columnCount: size, entries: zip(rows, columns).map { ($0, $1) })
      }
    }
  }
  struct Problem: Codable, Sendable, CustomStringConvertible {
    var name: String
    var size: [Int]
    var matrix: [Double]
    var rightSide: [Double]
    var solution: [Double]
    var rank: Int
    var singularValues: [Double]
    var description: String { name }
  }
  var systems: [System]
  var leastSquares: [Problem]

  static let all: ReferenceSystems? = {
    guard
      let url = Bundle.module.url(
        forResource: "linear_systems", withExtension: "json", subdirectory: "Fixtures"),
      let data = try? Data(contentsOf: url)
    else { return nil }
    return try? JSONDecoder().decode(ReferenceSystems.self, from: data)
  }()
}

@Suite struct ReferenceTests {
  @Test func fixturesAreThere() {
    #expect(ReferenceSystems.all?.systems.count == 8 && ReferenceSystems.all?.leastSquares.count == 3)
  }

  @Test(arguments: ReferenceSystems.all?.systems ?? []) func systems(_ system: ReferenceSystems.System) throws
  {
    let pattern = try system.pattern
    #expect(pattern.entryCount == system.values.count)
    let values = Tensor(system.values)
    let b = Tensor(system.rightSide)
    // Errors grow with the condition of the matrix.
    let relative = max(1e-14, 2e-16 * system.condition)
    let tolerance = relative * system.condition
    let methods: [LinearMethod] =
      [.automatic, .lu, .qr, .svd, .gmres(), .bicgstab]
      + (system.kind == "definite" ? [.cholesky, .conjugateGradients, .minres] : [])
      + (system.kind == "symmetric" ? [.symmetricIndefinite, .minres] : [])
    for method in methods {
      let options = LinearSolveOptions(
        method: method, stopping: StoppingCriterion(relativeTolerance: relative))
      let make = { (v: Tensor) in LinearOperator.sparse(pattern, values: v, tags: system.tags) }
      let x = try withTensorErrors { solve(make(values), b, options) }
      #expect(distance(x, Tensor(system.solution)) < tolerance * norm(x).scalar, "\(method)")
      let gradient = try grad { (p: [Tensor]) in 0.5 * square(solve(make(p[0]), p[1], options)).sum() }([
        values, b,
      ])
      let scale = max(1, abs(gradient[0]).max().scalar)
      #expect(distance(gradient[0], Tensor(system.gradient)) < 10 * tolerance * scale, "\(method)")
      #expect(
        distance(gradient[1], Tensor(system.adjoint)) < 10 * tolerance * max(1, norm(gradient[1]).scalar),
        "\(method)")
    }
    // Estimates are lower bounds, seldom far below.
    let matrix = try CompressedMatrix(pattern, values: system.values)
    let estimate = 1 / (try #require(try SparseLUFactorization(matrix.transposed).reciprocalCondition()))
    #expect(estimate < 1.01 * system.condition && estimate > 0.2 * system.condition)
  }

  @Test(arguments: ReferenceSystems.all?.leastSquares ?? []) func leastSquares(
    _ problem: ReferenceSystems.Problem
  ) throws {
    let (m, n) = (problem.size[0], problem.size[1])
    let factor = try problem.matrix.withUnsafeBufferPointer {
      try SingularValueFactorization($0.baseAddress!, rows: m, columns: n)
    }
    #expect(factor.rank == problem.rank)
    #expect(
      zip(factor.singularValues, problem.singularValues).allSatisfy {
        abs($0 - $1) < 1e-14 * problem.singularValues[0]
      })
    let a = LinearOperator.dense(Tensor(problem.matrix, shape: [m, n]))
    for method in [LinearMethod.automatic, .svd, .lsmr] {
      let options = LinearSolveOptions(method: method, stopping: StoppingCriterion(relativeTolerance: 1e-15))
      let x = LinearSolvers.leastSquares(a, Tensor(problem.rightSide), options)
      #expect(distance(x, Tensor(problem.solution)) < 1e-11, "\(method)")
    }
  }
}
