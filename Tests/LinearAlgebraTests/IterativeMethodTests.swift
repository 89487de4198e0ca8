import LinearAlgebra
import TestSupport
import Testing

/// An iterative method, for tests that run over all.
enum Method: String, CaseIterable, Sendable {
  case conjugateGradients, minres, bicgstab, gmres, shortGMRES, fgmres, lsmr

  func run(
    _ map: any LinearMap, _ b: [Double], guess: [Double]? = nil, preconditioner: (any Preconditioner)? = nil,
    side: PreconditionerSide = .right,
    stopping: StoppingCriterion = StoppingCriterion(relativeTolerance: 1e-11),
    transposed: Bool = false
  ) throws -> (x: [Double], report: IterationReport) {
    var x = guess ?? [Double](repeating: 0, count: transposed ? map.rows : map.columns)
    let report =
      switch self {
      case .conjugateGradients:
        try LinearAlgebra.conjugateGradients(
          map, b, &x, preconditioner: preconditioner, stopping: stopping, transposed: transposed)
      case .minres:
        try minimumResidual(
          map, b, &x, preconditioner: preconditioner, stopping: stopping, transposed: transposed)
      case .bicgstab:
        try stabilizedBiconjugateGradients(
          map, b, &x, preconditioner: preconditioner, stopping: stopping, transposed: transposed)
      case .gmres:
        try generalizedMinimumResidual(
          map, b, &x, preconditioner: preconditioner, side: side, stopping: stopping, transposed: transposed)
      case .shortGMRES:
        try generalizedMinimumResidual(
          map, b, &x, restart: 6, preconditioner: preconditioner, side: side, stopping: stopping,
          transposed: transposed)
      case .fgmres:
        try generalizedMinimumResidual(
          map, b, &x, preconditioner: preconditioner, isFlexible: true, stopping: stopping,
          transposed: transposed)
      case .lsmr: try leastSquaresMinimumResidual(map, b, &x, stopping: stopping, transposed: transposed)
      }
    return (x, report)
  }
}

@Suite struct IterativeMethodTests {
  static let definite = [
    laplacian([20], shift: 0.1), laplacian([6, 7], shift: 0.1), laplacian([3, 4, 3], shift: 0.1),
  ]
  static let general = [convectionDiffusion(30, peclet: 0.5), randomSparse(40, perRow: 3, seed: 4)]

  private func check(_ method: Method, _ matrix: CompressedMatrix, transposed: Bool) throws {
    var random = SeededRandom(seed: 6)
    let b = random.uniform(-1, 1, count: matrix.rows)
    let (x, report) = try method.run(matrix, b, transposed: transposed)
    #expect(report.isConverged, "\(report)")
    let exact = try SparseLUFactorization(matrix).solve(b, transposed: transposed)
    #expect(distance(x, exact) < 1e-8 * norm(exact))
    let r = zip(b, try matrix.multiply(x, transposed: transposed)).map { $0 - $1 }
    #expect(norm(r) <= max(report.target, 1e-9 * norm(b)))
    #expect(report.history.count == report.iterations + 1)
    // From the solution there is nothing left to do, and from nearby less.
    let (_, warm) = try method.run(matrix, b, guess: exact, transposed: transposed)
    #expect(warm.iterations < report.iterations / 2)
    // Right-hand side zero.
    let (zero, none) = try method.run(matrix, b.map { _ in 0 }, transposed: transposed)
    #expect(none.iterations == 0 && zero.allSatisfy { $0 == 0 })
  }

  @Test(arguments: Method.allCases, 0..<3) func definite(method: Method, example: Int) throws {
    // Cycles of six steps are too short for twenty unknowns in a row.
    if method == .shortGMRES && example == 0 { return }
    try check(method, Self.definite[example], transposed: example == 1)
  }
  @Test(arguments: [Method.bicgstab, .gmres, .fgmres, .shortGMRES, .lsmr], [0, 1])
  func general(method: Method, example: Int) throws {
    if method == .shortGMRES && example == 0 { return }
    for transposed in [false, true] { try check(method, Self.general[example], transposed: transposed) }
  }
  @Test(arguments: [Method.minres, .gmres, .lsmr]) func indefinite(method: Method) throws {
    try check(method, saddlePoint(16, constraints: 6, seed: 3), transposed: false)
  }

  @Test func finiteTermination() throws {
    // Three distinct eigenvalues: three steps.
    let n = 30
    let matrix = try CompressedMatrix(
      rowCount: n, columnCount: n, entries: (0..<n).map { ($0, $0, [1.0, 2, 5][$0 % 3]) })
    let b = [Double](repeating: 1, count: n)
    for method in [Method.conjugateGradients, .minres, .gmres] {
      let (_, report) = try method.run(matrix, b)
      #expect(report.isConverged && report.iterations == 3, "\(method): \(report)")
    }
  }

  @Test func minimumResidualsDoNotGrow() throws {
    let matrix = saddlePoint(20, constraints: 8, seed: 7)
    let b = (0..<matrix.rows).map { Double($0 % 5) - 2 }
    for method in [Method.minres, .gmres] {
      let history = try method.run(matrix, b).report.history
      #expect(zip(history, history.dropFirst()).allSatisfy { $1 <= $0 * (1 + 1e-12) })
    }
  }

  @Test(arguments: [(12, 7), (7, 12)]) func leastSquares(rows: Int, columns: Int) throws {
    var random = SeededRandom(seed: 2)
    let a = random.uniform(-1, 1, count: rows * columns)
    let matrix = try CompressedMatrix(
      rowCount: rows, columnCount: columns,
      entries: a.enumerated().map { ($0.offset / columns, $0.offset % columns, $0.element) })
    let b = random.uniform(-1, 1, count: rows)
    let (x, report) = try Method.lsmr.run(matrix, b, stopping: StoppingCriterion(relativeTolerance: 1e-13))
    let exact = try SingularValueFactorization(a, rows: rows, columns: columns).solve(b)
    #expect(report.isConverged && distance(x, exact) < 1e-10)
  }

  @Test func endsWithoutConvergenceAreTold() throws {
    let matrix = laplacian([200])
    let b = [Double](repeating: 1, count: 200)
    let few = StoppingCriterion(relativeTolerance: 1e-12, maximumIterations: 5)
    for method in Method.allCases {
      let (_, report) = try method.run(matrix, b, stopping: few)
      #expect(report.outcome == .iterationLimit && report.iterations == 5)
      guard case .notConverged(_, 5, _, _) = failure({ try report.requireConvergence() }) else {
        Issue.record("\(method) passes for converged")
        continue
      }
    }
    guard
      case .notPositiveDefinite = failure({
        _ = try Method.conjugateGradients.run(
          saddlePoint(9, constraints: 3, seed: 1), [Double](repeating: 1, count: 12))
      })
    else {
      Issue.record("an indefinite matrix was not noticed")
      return
    }
    guard case .nonFinite = failure({ _ = try Method.gmres.run(matrix, b.map { _ in .nan }) }) else {
      Issue.record("a NaN was not noticed")
      return
    }
    guard
      case .argument = failure({
        _ = try Method.gmres.run(matrix, b, stopping: StoppingCriterion(relativeTolerance: -1))
      })
    else {
      Issue.record("a negative tolerance was accepted")
      return
    }
    // A singular matrix and a right-hand side outside of its range.
    let singular = try CompressedMatrix(
      rowCount: 2, columnCount: 2, entries: [(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1)])
    for method in [Method.minres, .gmres, .bicgstab] {
      #expect(try !method.run(singular, [1, -0.5]).report.isConverged)
    }
  }

  static let preconditioners = [
    "jacobi", "blockJacobi", "ssor", "ic0", "ict", "ilu0", "factorization", "none",
  ]
  private func preconditioner(_ name: String, _ matrix: CompressedMatrix) throws -> (any Preconditioner)? {
    switch name {
    case "jacobi":
      try JacobiPreconditioner(
        diagonal: (0..<matrix.rows).map { matrix.values[matrix.pattern.place(row: $0, column: $0)!] })
    case "blockJacobi": try BlockJacobiPreconditioner(matrix, blockSize: 5)
    case "ssor": try SSORPreconditioner(matrix, relaxation: 1.3)
    case "ic0": try IncompleteCholeskyPreconditioner(matrix)
    case "ict": try IncompleteCholeskyPreconditioner(matrix, dropTolerance: 1e-2)
    case "ilu0": try IncompleteLUPreconditioner(matrix)
    case "factorization": FactorizationPreconditioner(try SparseLUFactorization(matrix))
    default: nil
    }
  }
  /// Several scales on the diagonal, so that every preconditioner helps.
  private func scaled(_ matrix: CompressedMatrix, symmetric: Bool) throws -> CompressedMatrix {
    let rows = matrix.pattern.rowIndices
    let factor = { (i: Int) -> Double in [1, 7, 30][i % 3] }
    return try CompressedMatrix(
      matrix.pattern,
      values: matrix.values.indices.map {
        matrix.values[$0] * factor(rows[$0]) * (symmetric ? factor(matrix.pattern.columnIndices[$0]) : 1)
      })
  }

  @Test(arguments: preconditioners, [Method.conjugateGradients, .minres, .gmres, .bicgstab, .fgmres])
  func preconditioned(name: String, method: Method) throws {
    let matrix = try scaled(laplacian([9, 9], shift: 0.01), symmetric: true)
    let b = (0..<81).map { Double($0 % 7) - 3 }
    let m = try preconditioner(name, matrix)
    let exact = try SparseLUFactorization(matrix).solve(b)
    for side in method == .gmres ? [PreconditionerSide.left, .right, .split] : [.right] {
      if side == .split && (name == "blockJacobi" || name == "factorization") { continue }
      let (x, report) = try method.run(matrix, b, preconditioner: m, side: side)
      #expect(report.isConverged, "\(side) \(report)")
      #expect(distance(x, exact) < 1e-7 * norm(exact))
      if name != "none" {
        let plain = try method.run(matrix, b).report
        #expect(
          report.iterations < plain.iterations,
          "\(side): \(report.iterations) and \(plain.iterations) without")
      }
    }
  }
  @Test(arguments: ["jacobi", "blockJacobi", "ssor", "ilu0", "factorization"], [false, true])
  func generalPreconditioned(name: String, transposed: Bool) throws {
    let matrix = try scaled(convectionDiffusion(60, peclet: 0.4), symmetric: false)
    let b = (0..<60).map { Double($0 % 7) - 3 }
    let m = try preconditioner(name, matrix)
    let exact = try SparseLUFactorization(matrix).solve(b, transposed: transposed)
    for method in [Method.gmres, .bicgstab] {
      for side in method == .gmres ? [PreconditionerSide.left, .right, .split] : [.right] {
        if side == .split && (name == "blockJacobi" || name == "factorization") { continue }
        let (x, report) = try method.run(matrix, b, preconditioner: m, side: side, transposed: transposed)
        #expect(report.isConverged, "\(method) \(side) \(report)")
        #expect(distance(x, exact) < 1e-7 * norm(exact))
      }
    }
  }
  /// yᵀ (M⁻¹ x) = (M⁻ᵀ y)ᵀ x, and the halves make up the whole.
  @Test(arguments: preconditioners) func transposes(name: String) throws {
    let isSymmetric = name.hasPrefix("ic")
    let matrix = isSymmetric ? laplacian([4, 5]) : randomSparse(20, perRow: 3, seed: 8)
    guard let m = try preconditioner(name, matrix) else { return }
    var random = SeededRandom(seed: 3)
    let (x, y) = (random.uniform(-1, 1, count: 20), random.uniform(-1, 1, count: 20))
    var (mx, my, half, whole) = (x, y, x, x)
    try m.apply(x, into: &mx, transposed: false)
    try m.apply(y, into: &my, transposed: true)
    let (first, second) = (
      zip(y, mx).reduce(0) { $0 + $1.0 * $1.1 }, zip(my, x).reduce(0) { $0 + $1.0 * $1.1 }
    )
    #expect(abs(first - second) < 1e-13)
    if name == "blockJacobi" || name == "factorization" {
      guard case .argument = failure({ try m.applyHalf(.left, x, into: &half, transposed: false) }) else {
        Issue.record("\(name) was split")
        return
      }
      return
    }
    try m.applyHalf(.left, x, into: &half, transposed: false)
    try m.applyHalf(.right, half, into: &whole, transposed: false)
    #expect(distance(whole, mx) < 1e-13)
    try m.applyHalf(.right, y, into: &half, transposed: true)
    try m.applyHalf(.left, half, into: &whole, transposed: true)
    #expect(distance(whole, my) < 1e-13)
  }

  @Test func incompleteDecompositionsOnFullPatternsAreComplete() throws {
    // Of a tridiagonal matrix there is no fill.
    let matrix = laplacian([25], shift: 0.2)
    let b = (0..<25).map { Double($0) - 8 }
    let exact = try SparseLUFactorization(matrix).solve(b)
    var x = b
    for m in [
      try IncompleteCholeskyPreconditioner(matrix),
      try IncompleteCholeskyPreconditioner(matrix, dropTolerance: 0),
      try IncompleteLUPreconditioner(matrix),
    ] as [any Preconditioner] {
      try m.apply(b, into: &x, transposed: false)
      #expect(distance(x, exact) < 1e-11)
    }
    // With everything kept, the decomposition of any matrix is complete.
    let grid = laplacian([5, 5])
    let right = (0..<25).map { Double($0) - 8 }
    try IncompleteCholeskyPreconditioner(grid, dropTolerance: 0).apply(right, into: &x, transposed: false)
    #expect(distance(x, try SparseLUFactorization(grid).solve(right)) < 1e-11)
  }

  /// M = L Lᵀ has the row sums of A, and steps grow far slower with the grid.
  @Test(arguments: [nil, 1e-2]) func modifiedDecompositionsKeepRowSums(dropTolerance: Double?) throws {
    let matrix = laplacian([60, 60])
    let n = matrix.rows
    let modified = try IncompleteCholeskyPreconditioner(matrix, dropTolerance: dropTolerance, modification: 1)
    let plain = try IncompleteCholeskyPreconditioner(matrix, dropTolerance: dropTolerance)
    #expect(modified.shift == 0)
    // M⁻¹ of A's row sums is a vector of ones.
    let sums = try matrix.multiply([Double](repeating: 1, count: n))
    var ones = sums
    modified.apply(sums, into: &ones, transposed: false)
    #expect(distance(ones, [Double](repeating: 1, count: n)) < 1e-9)
    plain.apply(sums, into: &ones, transposed: false)
    #expect(distance(ones, [Double](repeating: 1, count: n)) > 0.1)
    let b = (0..<n).map { (Double($0) * 0.1 + 0.3).squareRoot() }
    let steps = try [modified, plain].map {
      try Method.conjugateGradients.run(matrix, b, preconditioner: $0).report.iterations
    }
    #expect(3 * steps[0] < 2 * steps[1])
    // Scaled from one row to the next, row sums are far below zero.
    let uneven = try scaled(matrix, symmetric: true)
    guard
      case .argument = failure({ _ = try IncompleteCholeskyPreconditioner(uneven, modification: 1) }),
      case .argument = failure({ _ = try IncompleteCholeskyPreconditioner(matrix, modification: 1.5) }),
      case .argument = failure({ _ = try IncompleteCholeskyPreconditioner(matrix, modification: .nan) })
    else {
      Issue.record("a modification outside 0...1 was taken")
      return
    }
  }

  /// A zero may stand in one half of the pattern alone.
  @Test(arguments: [(0, 1), (1, 0)]) func zerosInOneHalf(place: (Int, Int)) throws {
    let matrix = try CompressedMatrix(
      rowCount: 2, columnCount: 2, entries: [(0, 0, 4), (place.0, place.1, 0), (1, 1, 9)])
    for tolerance in [nil, 1e-3] {
      var x = [8.0, 27]
      try IncompleteCholeskyPreconditioner(matrix, dropTolerance: tolerance).apply(
        [8, 27], into: &x, transposed: false)
      #expect(distance(x, [2, 3]) < 1e-15)
    }
  }

  @Test func failingPivotsRaiseTheDiagonal() throws {
    // Kershaw's matrix: positive definite, and its incomplete decomposition without shift meets a negative pivot.
    let values: [[Double]] = [[3, -2, 0, 2], [-2, 3, -2, 0], [0, -2, 3, -2], [2, 0, -2, 3]]
    var entries: [(row: Int, column: Int, value: Double)] = []
    for i in 0..<4 { for j in 0..<4 where values[i][j] != 0 { entries.append((i, j, values[i][j])) } }
    let matrix = try CompressedMatrix(rowCount: 4, columnCount: 4, entries: entries)
    let m = try IncompleteCholeskyPreconditioner(matrix)
    #expect(m.shift > 0)
    #expect(try Method.conjugateGradients.run(matrix, [1, 2, 3, 4], preconditioner: m).report.isConverged)
    guard
      case .argument = failure({ _ = try SSORPreconditioner(matrix, relaxation: 2) }),
      case .argument = failure({ _ = try JacobiPreconditioner(diagonal: [1, 0]) }),
      case .argument = failure({
        _ = try IncompleteLUPreconditioner(
          CompressedMatrix(rowCount: 2, columnCount: 2, entries: [(0, 1, 1), (1, 0, 1)]))
      })
    else {
      Issue.record("a preconditioner was made that cannot be")
      return
    }
  }
}
