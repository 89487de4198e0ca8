import Autodiff
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

/// A family of matrices at a size, as coordinates.
struct GeneratedSystem: Sendable, CustomStringConvertible {
  var description: String
  var size: Int
  var entries: [(row: Int, column: Int, value: Double)]
  var tags: OperatorTags = []

  /// The negative Laplacian on a grid, zero outside of it.
  static func laplacian(_ extents: [Int]) -> GeneratedSystem {
    let n = extents.reduce(1, *)
    var result = GeneratedSystem(
      description: "Laplacian \(extents)", size: n, entries: [], tags: .positiveDefinite)
    for i in 0..<n {
      result.entries.append((i, i, 2 * Double(extents.count)))
      var step = 1
      for extent in extents {
        let place = i / step % extent
        if place > 0 { result.entries.append((i, i - step, -1)) }
        if place < extent - 1 { result.entries.append((i, i + step, -1)) }
        step *= extent
      }
    }
    return result
  }
  /// Convection against diffusion in two dimensions, upwind along the first axis.
  static func convection(_ n: Int, peclet: Double) -> GeneratedSystem {
    var result = laplacian([n, n])
    result.description = "convection and diffusion, Péclet \(peclet)"
    result.tags = []
    for i in 0..<n * n {
      result.entries.append((i, i, peclet))
      if i % n > 0 { result.entries.append((i, i - 1, -peclet)) }
    }
    return result
  }
  /// The Laplacian of a random graph with one vertex held.
  static func graph(_ n: Int, seed: UInt64) -> GeneratedSystem {
    var random = SeededRandom(seed: seed)
    var result = GeneratedSystem(
      description: "graph \(seed)", size: n, entries: [(0, 0, 1)], tags: .positiveDefinite)
    for k in 1..<2 * n {
      // A tree first, so that the graph is connected.
      let (i, j) =
        k < n
        ? (k, Int(random.next() % UInt64(k)))
        : (Int(random.next() % UInt64(n)), Int(random.next() % UInt64(n)))
      if i == j { continue }
      let weight = random.uniform(0.1, 2)
      result.entries += [(i, i, weight), (j, j, weight), (i, j, -weight), (j, i, -weight)]
    }
    return result
  }
  /// [H Gᵀ; G 0] of an equality-constrained minimisation.
  static func saddlePoint(_ n: Int, constraints m: Int, seed: UInt64) -> GeneratedSystem {
    var random = SeededRandom(seed: seed)
    var result = GeneratedSystem(
      description: "saddle point \(seed)", size: n + m, entries: [], tags: .symmetric)
    for i in 0..<n { result.entries.append((i, i, random.uniform(1, 3))) }
    for i in 0..<m {
      for j in [i, m + i] {
        let value = random.uniform(0.5, 1.5)
        result.entries += [(n + i, j, value), (j, n + i, value)]
      }
    }
    return result
  }
  static let all =
    [
      laplacian([40]), laplacian([7, 6]), laplacian([3, 4, 3]), convection(6, peclet: 0.5),
      convection(6, peclet: 20), saddlePoint(14, constraints: 5, seed: 1),
      saddlePoint(20, constraints: 9, seed: 2),
    ] + (0..<3).map { graph(25, seed: $0) }

  func operation(_ values: Tensor) -> LinearOperator {
    .sparse(
      rowCount: size, columnCount: size, rows: entries.map(\.row), columns: entries.map(\.column),
      values: values, tags: tags)
  }
  var values: Tensor { Tensor(entries.map(\.value)) }
  var methods: [LinearMethod] {
    [.automatic, .lu, .qr, .svd, .gmres(), .fgmres(), .bicgstab]
      + (tags.contains(.symmetric) ? [.symmetricIndefinite, .minres] : [])
      + (tags.contains(.positiveDefinite) ? [.cholesky, .conjugateGradients] : [])
  }
}

/// 1 / (i + j + 1).
func hilbertMatrix(_ n: Int) -> Tensor {
  var values: [Double] = []
  for i in 0..<n { for j in 0..<n { values.append(1 / Double(i + j + 1)) } }
  return Tensor(values, shape: [n, n])
}

@Suite struct GeneratedFamilyTests {
  /// Solutions, and gradients in every entry, by every method, against dense LU decompositions.
  @Test(arguments: GeneratedSystem.all) func solutions(_ system: GeneratedSystem) throws {
    var random = SeededRandom(seed: 12)
    let b = Tensor(random.uniform(-1, 1, count: system.size))
    let weight = Tensor(random.uniform(-1, 1, count: system.size))
    let dense = { (x: [Tensor]) in Autodiff.solve(system.operation(x[0]).denseMatrix(), x[1]) }
    let exact = dense([system.values, b])
    let slopes = try grad { (x: [Tensor]) in dot(weight, dense(x)) }([system.values, b])
    for method in system.methods {
      let options = LinearSolveOptions(
        method: method, stopping: StoppingCriterion(relativeTolerance: 1e-13, maximumIterations: 2000))
      let solution = { (x: [Tensor]) in solve(system.operation(x[0]), x[1], options) }
      let found = try withTensorErrors { solution([system.values, b]) }
      #expect(distance(found, exact) < 1e-9 * abs(exact).max().scalar, "\(method)")
      let gradients = try grad { (x: [Tensor]) in dot(weight, solution(x)) }([system.values, b])
      for (a, b) in zip(gradients, slopes) {
        #expect(distance(a, b) < 1e-8 * abs(b).max().scalar, "\(method)")
      }
    }
  }

  /// Preconditioned iterations end sooner, and at the same place, forwards and backwards.
  @Test(arguments: [
    PreconditionerChoice.jacobi, .blockJacobi(size: 5), .ssor(relaxation: 1.3), .incompleteCholesky(),
    .incompleteCholesky(dropTolerance: 1e-2), .incompleteLU,
  ])
  func preconditioners(choice: PreconditionerChoice) throws {
    // Of entries of different sizes, so that a diagonal helps too.
    var system = GeneratedSystem.laplacian([12, 10])
    func size(_ i: Int) -> Double { 1 + Double(i % 4) * 3 }
    system.entries = system.entries.map { ($0.row, $0.column, $0.value * size($0.row) * size($0.column)) }
    let b = cos(Tensor.range(to: Double(system.size)))
    func options(_ choice: PreconditionerChoice) -> LinearSolveOptions {
      LinearSolveOptions(
        method: .conjugateGradients, stopping: StoppingCriterion(relativeTolerance: 1e-12),
        preconditioner: choice)
    }
    let a = system.operation(system.values)
    let (plain, helped) = (
      try solveWithReport(a, b, options(.none)), try solveWithReport(a, b, options(choice))
    )
    #expect(try Int(helped.status) == 0 && Int(helped.iterations) < Int(plain.iterations))
    let gradient = { (options: LinearSolveOptions) in
      try grad { (v: Tensor) in square(solve(system.operation(v), b, options)).sum() }(system.values)
    }
    let exact = try gradient(LinearSolveOptions())
    #expect(distance(try gradient(options(choice)), exact) < 1e-8 * abs(exact).max().scalar)
  }

  /// Hilbert matrices lose a digit and a half per row, and are refused where none is left.
  @Test func hilbert() throws {
    for n in [3, 6, 9, 11, 12, 14] {
      let matrix = hilbertMatrix(n)
      for tags in [OperatorTags(), .symmetric, .positiveDefinite] {
        let a = LinearOperator.dense(matrix, tags: tags)
        let b = a(Tensor.ones([n]))
        if n >= 12 {
          let reason = failure { _ = solve(a, b) }?.reason
          #expect(reason == .nearlySingular || reason == .notPositiveDefinite, "\(n) \(tags)")
          let gradient = failure { _ = try grad { (b: Tensor) in solve(a, b).sum() }(b) }?.reason
          #expect(gradient == reason)
          continue
        }
        let condition = try a.reciprocalCondition()
        #expect(distance(solve(a, b), Tensor.ones([n])) < 1e-15 / condition, "\(n) \(tags)")
      }
    }
  }

  /// Products of thin matrices: singular as systems by every method, least squares as they are.
  @Test(arguments: [1, 2, 4]) func deficientRank(rank: Int) throws {
    var random = SeededRandom(seed: UInt64(rank))
    let l = Tensor(random.uniform(-1, 1, count: 6 * rank), shape: [6, rank])
    let r = Tensor(random.uniform(-1, 1, count: 6 * rank), shape: [rank, 6])
    let b = Tensor(random.uniform(-1, 1, count: 6))
    for method in [LinearMethod.automatic, .lu, .qr, .svd] {
      let options = LinearSolveOptions(method: method)
      let reason = failure { _ = solve(.dense(matmul(l, r)), b, options) }?.reason
      #expect(reason == .singular || reason == .nearlySingular, "\(method)")
      let slope = failure {
        _ = try grad { (b: Tensor) in solve(.dense(matmul(l, r)), b, options).sum() }(b)
      }?.reason
      #expect(slope == reason)
    }
    let x = leastSquares(.dense(matmul(l, r)), b)
    // The residual is orthogonal to the columns, the solution to the kernel.
    let residual = b - matmul(matmul(l, r), x)
    #expect(abs(matmul(residual, l)).max().scalar < 1e-12)
    let projected = matmul(
      r.transposed, Autodiff.solve(matmul(r, r.transposed), matmul(r, x)))
    #expect(distance(projected, x) < 1e-11 * max(1, abs(x).max().scalar))
  }
}
