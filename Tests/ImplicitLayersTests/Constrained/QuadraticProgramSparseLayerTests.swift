import Autodiff
import LinearAlgebra
import TestSupport
import Testing

@testable import ImplicitLayers

@Suite struct QuadraticProgramSparseLayerTests {
  private func distance(_ a: Tensor, _ b: Tensor) -> Double {
    guard a.shape == b.shape else { return .infinity }
    return zip(a.values, b.values).reduce(0) { worst, pair in
      let error = abs(pair.0 - pair.1) / max(1, abs(pair.1))
      return error <= worst ? worst : error
    }
  }
  private func message(_ body: () throws -> Tensor) -> String {
    do {
      _ = try body()
      return ""
    } catch { return "\(error)" }
  }

  /// Values, gradients by every datum, tangents, and derivatives of gradients are those of the dense layer.
  @Test(arguments: [(6, 2, 5), (9, 0, 12), (12, 5, 0), (20, 6, 25), (1, 0, 1)], [1, 2] as [UInt64])
  func agreesWithTheDenseLayer(size: (Int, Int, Int), seed: UInt64) throws {
    let program = try RandomSparseProgram(
      variables: size.0, equalities: size.1, inequalities: size.2, seed: seed)
    let value = try program.solve(program.data)
    #expect(distance(value, try program.solveDense(program.data)) < 1e-9)
    var random = SeededRandom(seed: seed)
    let weight = GradientLaws.random(like: value, &random)
    let direction = program.data.map { GradientLaws.random(like: $0, &random) }
    func gradient(_ solve: @escaping ([Tensor]) throws -> Tensor) -> ([Tensor]) throws -> [Tensor] {
      { try vjp(solve, at: $0).pullback(weight) }
    }
    let sparse = gradient { try program.solve($0) }
    let dense = gradient { try program.solveDense($0) }
    let pair = (try sparse(program.data), try dense(program.data))
    for (a, b) in zip(pair.0, pair.1) { #expect(distance(a, b) < 1e-8) }
    #expect(pair.0.contains { $0.values.contains { abs($0) > 0.01 } })
    let tangents = (
      try jvp({ try program.solve($0) }, at: program.data, along: direction).tangent,
      try jvp({ try program.solveDense($0) }, at: program.data, along: direction).tangent
    )
    #expect(distance(tangents.0, tangents.1) < 1e-8)
    func second(_ gradient: @escaping ([Tensor]) throws -> [Tensor]) throws -> Tensor {
      try jvp(
        { (d: [Tensor]) in concatenate(try gradient(d).map(\.flattened)) }, at: program.data, along: direction
      ).tangent
    }
    #expect(distance(try second(sparse), try second(dense)) < 1e-6)
  }

  /// Differences, dot products, vmap, compilation, and all of that for the gradient: with respect to every datum.
  @Test(arguments: [1, 2, 3] as [UInt64])
  func laws(seed: UInt64) throws {
    let program = try RandomSparseProgram(variables: 6, equalities: 2, inequalities: 5, seed: seed)
    let laws = GradientLaws(tolerance: 1e-7, step: 2e-5, order: 1)
    #expect(try laws.violations(of: { try program.solve($0) }, at: program.data) == [])
    var second = GradientLaws(tolerance: 1e-6, step: 1e-4, order: 2)
    second.identityTolerance = 1e-9
    #expect(try second.violations(of: { try program.solve($0) }, at: program.data) == [])
  }
  /// On the central path of a barrier, second order included.
  @Test(arguments: [1, 2] as [UInt64])
  func smoothedLaws(seed: UInt64) throws {
    let program = try RandomSparseProgram(variables: 5, equalities: 1, inequalities: 5, seed: seed)
    var options = QuadraticProgramOptions()
    options.barrier = 0.05
    (options.absoluteTolerance, options.relativeTolerance) = (1e-13, 1e-13)
    var laws = GradientLaws(tolerance: 1e-6, step: 1e-3, order: 2)
    laws.identityTolerance = 1e-9
    let smoothed = { (d: [Tensor]) in try program.solve(d, options: options) }
    #expect(try laws.violations(of: smoothed, at: program.data) == [])
  }

  /// Errors of central differences fall with the square of the step.
  @Test func differencesConverge() throws {
    let program = try RandomSparseProgram(variables: 30, equalities: 8, inequalities: 20, seed: 5)
    var random = SeededRandom(seed: 6)
    let direction = program.data.map { GradientLaws.random(like: $0, &random) }
    func loss(_ d: [Tensor]) throws -> Tensor {
      let x = try program.solve(d)
      return (x * x).sum()
    }
    let exact = zip(try grad(loss)(program.data), direction).reduce(0.0) {
      $0 + ($1.0 * $1.1).sum().values[0]
    }
    #expect(abs(exact) > 1)
    let errors = try [4e-4, 2e-4, 1e-4].map { (h: Double) -> Double in
      let up = try loss(zip(program.data, direction).map { $0 + $1 * h }).values[0]
      let down = try loss(zip(program.data, direction).map { $0 - $1 * h }).values[0]
      return abs((up - down) / (2 * h) - exact)
    }
    #expect(errors[2] < 1e-5 * abs(exact), "\(errors) of \(exact)")
    #expect(zip(errors, errors.dropFirst()).allSatisfy { (3.5..<4.5).contains($0 / $1) }, "\(errors)")
  }

  /// A batch of values on one pattern gives what single programs give, and shared values the sum of their gradients.
  @Test(arguments: [1, 2, 11])
  func batches(count: Int) throws {
    let program = try RandomSparseProgram(variables: 25, equalities: 5, inequalities: 20, seed: 3)
    var random = SeededRandom(seed: 4)
    let all = (0..<count).map { _ in
      program.data.map { $0 * (1 + 0.01 * GradientLaws.random(like: $0, &random)) }
    }
    let stacked = (0..<9).map { k in stack(all.map { $0[k] }) }
    let together = try vmap { (d: [Tensor]) in try program.solve(d) }(stacked)
    func loss(_ d: [Tensor]) throws -> Tensor {
      let x = try program.solve(d)
      return (x * x).sum()
    }
    let gradients = try vmap { (d: [Tensor]) in try grad(loss)(d) }(stacked)
    var shared = [Double](repeating: 0, count: program.data[0].count)
    for (k, d) in all.enumerated() {
      #expect(distance(together[k], try program.solve(d)) < 1e-10)
      let alone = try grad(loss)(d)
      for (a, b) in zip(gradients, alone) { #expect(distance(a[k], b) < 1e-8) }
      for (i, value) in alone[0].values.enumerated() { shared[i] += value }
    }
    // One factor on all of the batch's values of Q.
    let scale = try grad { (factor: Tensor) in
      try vmap { (d: [Tensor]) in try loss([d[0] * factor] + d.dropFirst()) }(stacked).sum()
    }(Tensor(1.0)).values[0]
    let expected = zip(gradients[0].values, stacked[0].values).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(scale - expected) < 1e-8 * max(1, abs(expected)))
  }

  /// The gradient by a sparse matrix is a sparse matrix.
  @Test func gradientsOfMatrices() throws {
    let program = try RandomSparseProgram(variables: 8, equalities: 2, inequalities: 4, seed: 7)
    let d = program.data
    let slope = try grad { (a: SparseMatrix) in
      try quadraticProgram(
        quadratic: SparseMatrix(program.quadratic, values: d[0]), linear: d[1], equalities: a,
        equalityValues: d[3], lowerBounds: d[7], upperBounds: d[8]
      ).x.sum()
    }(SparseMatrix(program.equalities, values: d[2]))
    #expect(slope.pattern == program.equalities)
    #expect(slope.values.values.contains { abs($0) > 1e-3 })
  }

  /// Derivatives where they do not exist: an error, that of the active set, or of the central path, as of the dense layer.
  @Test func degenerateSolutions() throws {
    // x0 would be 0 without its bound; x1 is held by the same row twice.
    let q = try SparsityPattern(rowCount: 2, columnCount: 2, entries: [(0, 0), (1, 1)])
    let rows = try SparsityPattern(rowCount: 2, columnCount: 2, entries: [(0, 1), (1, 1)])
    func solve(
      _ c: Tensor, _ u: Tensor, _ policy: DegeneracyPolicy = .error, barrier: Double = 0,
      isSparse: Bool = true
    ) throws -> Tensor {
      var options = QuadraticProgramOptions()
      options.barrier = barrier
      if barrier > 0 { (options.absoluteTolerance, options.relativeTolerance) = (1e-13, 1e-13) }
      let (ones, bounds) = (Tensor([1.0, 1]), Tensor([0, -Double.infinity]))
      let s =
        isSparse
        ? try quadraticProgram(
          quadratic: SparseMatrix(q, values: ones), linear: c, inequalities: SparseMatrix(rows, values: ones),
          upper: u, lowerBounds: bounds, options: options, policy: policy)
        : try quadraticProgram(
          quadratic: Tensor.identity(2), linear: c, inequalities: Tensor([0.0, 1, 0, 1], shape: [2, 2]),
          upper: u, lowerBounds: bounds, options: options, policy: policy)
      return concatenate([s.x, s.inequalityMultipliers])
    }
    let (c, u) = (Tensor([0.0, -3]), Tensor([1.0, 1]))
    let refusal = message { try jvp({ try solve($0, u) }, at: c, along: Tensor([1.0, 1])).tangent }
    #expect(refusal.contains("strict complementarity fails") && refusal.contains("linearly dependent"))
    // The multiplier is shared by the rows: d(z0 + z1)/dc1 = −1.
    let tangent = try jvp({ try solve($0, u, .leastNorm) }, at: c, along: Tensor([0.0, 1])).tangent.values
    #expect(zip(tangent, [0, 0, -0.5, -0.5]).allSatisfy { abs($0 - $1) < 1e-6 }, "\(tangent)")
    // x0² = μ: dx0/dc0 = −x0² / (x0² + μ) = −½.
    let smooth = try jvp({ try solve($0, u, barrier: 0.01) }, at: c, along: Tensor([1.0, 0])).tangent.values
    #expect(abs(smooth[0] + 0.5) < 1e-6, "\(smooth)")
    for barrier in [0.01, 0.3] {
      let slopes = try [true, false].map { isSparse in
        try grad { (c: Tensor) in
          let s = try solve(c, u, barrier: barrier, isSparse: isSparse)
          return (s * s).sum()
        }(c)
      }
      #expect(distance(slopes[0], slopes[1]) < 1e-8)
    }
  }

  /// Of least norm: multipliers of two equal rows share what they carry, minimisers that are not unique stay where they can, and what no direction
  /// satisfies is satisfied as nearly as possible. Dense and sparse, both modes, and in numbers.
  @Test func leastNormIsThePseudoInverse() throws {
    // min (x0 + x1 − c0)² / 2 + (x2 − c1)² / 2 with x2 ≤ u0 and x2 ≤ u1 (the same row twice).
    let q = try CompressedMatrix(
      rowCount: 3, columnCount: 3,
      entries: [(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1), (2, 2, 1)])
    let g = try CompressedMatrix(rowCount: 2, columnCount: 3, entries: [(0, 2, 1), (1, 2, 1)])
    func solve(_ d: [Tensor], isSparse: Bool) throws -> Tensor {
      let linear = concatenate([-d[0], Tensor([-3.0])]) + d[1]
      let matrix = try SparseMatrix(q.pattern, values: Tensor(q.values))
      let rows = try SparseMatrix(g.pattern, values: Tensor(g.values))
      let s =
        isSparse
        ? try quadraticProgram(
          quadratic: matrix, linear: linear, inequalities: rows, upper: d[2], policy: .leastNorm)
        : try quadraticProgram(
          quadratic: matrix.dense(), linear: linear, inequalities: rows.dense(), upper: d[2],
          policy: .leastNorm)
      return concatenate([s.x, s.inequalityMultipliers])
    }
    let point = [Tensor([0.7, 0.7]), Tensor.zeros([3]), Tensor([1.0, 1])]
    // x0, x1 by their common coefficient; z0, z1 by the third.
    let expected: [(at: Int, along: [Tensor], slope: Double)] = [
      (0, [Tensor([1.0, 1]), Tensor.zeros([3]), Tensor.zeros([2])], 0.5),
      (1, [Tensor([1.0, 1]), Tensor.zeros([3]), Tensor.zeros([2])], 0.5),
      (3, [Tensor.zeros([2]), Tensor([0.0, 0, 1]), Tensor.zeros([2])], -0.5),
      (2, [Tensor.zeros([2]), Tensor.zeros([3]), Tensor([1.0, 0])], 0.5),
      (2, [Tensor.zeros([2]), Tensor.zeros([3]), Tensor([1.0, 1])], 1),
      // No minimiser follows a coefficient that tilts the flat direction: only its even part counts.
      (0, [Tensor([1.0, 0]), Tensor.zeros([3]), Tensor.zeros([2])], 0.25),
    ]
    var random = SeededRandom(seed: 5)
    for isSparse in [false, true] {
      let function = { (d: [Tensor]) in try solve(d, isSparse: isSparse) }
      for (k, along, slope) in expected {
        let tangent = try jvp(function, at: point, along: along).tangent.values[k]
        #expect(abs(tangent - slope) < 1e-6, "\(k) \(isSparse): \(tangent), not \(slope)")
        let gradient = try grad { (d: [Tensor]) in try function(d)[k] }(point)
        let pulled = zip(gradient, along).reduce(0.0) { $0 + ($1.0 * $1.1).sum().values[0] }
        #expect(abs(pulled - slope) < 1e-6, "\(k) \(isSparse): \(pulled), not \(slope)")
      }
      for _ in 0..<5 {
        let along = point.map { GradientLaws.random(like: $0, &random) }
        let weight = Tensor(random.uniform(-1, 1, count: 5))
        let forward = dot(weight, try jvp(function, at: point, along: along).tangent).values[0]
        let pulled = try vjp(function, at: point).pullback(weight)
        let backward = zip(pulled, along).reduce(0.0) { $0 + ($1.0 * $1.1).sum().values[0] }
        #expect(abs(forward - backward) < 1e-6)
      }
      let batched = try vmap { (c: Tensor) in
        try grad { (d: [Tensor]) in try function(d)[3] }([c] + point.dropFirst())[1]
      }(Tensor([0.7, 0.7, 0.2, 0.2], shape: [2, 2]))
      #expect(zip(batched.values, [0, 0, -0.5, 0, 0, -0.5]).allSatisfy { abs($0 - $1) < 1e-6 })
    }
    let program = try QuadraticProgram(
      quadratic: q, linear: [-0.7, -0.7, -3], inequalities: g, upper: [1, 1])
    for storage in [QuadraticProgramSolver.Storage.dense, .sparse] {
      let solver = try QuadraticProgramSolver(for: program, storage: storage)
      let solution = try solver.solve(program)
      let slope = try solver.gradient(
        of: program, at: solution, x: [0, 0, 0], inequalityMultipliers: [1, 0], policy: .leastNorm)
      #expect(abs(slope.linear[2] + 0.5) < 1e-6)
      var change = QuadraticProgramVariation(zerosFor: program)
      change.linear = [-1, 0, 0]
      let moved = try solver.derivative(of: program, at: solution, along: change, policy: .leastNorm)
      #expect(zip(moved.x, [0.25, 0.25, 0]).allSatisfy { abs($0 - $1) < 1e-6 }, "\(moved.x)")
    }
  }

  /// Numbers of all sizes, and what is too large to be solved by a dense elimination.
  @Test func extremeNumbers() throws {
    let program = try RandomSparseProgram(variables: 12, equalities: 3, inequalities: 8, seed: 9)
    let plain = try program.solve(program.data).values
    let n = 12
    for scale in [1e6, 1e12] {
      // The objective's size is that of the multipliers.
      var d = program.data
      (d[0], d[1]) = (d[0] * scale, d[1] * scale)
      let found = try program.solve(d).values
      for (k, value) in found.enumerated() {
        let expected = k < n ? plain[k] : plain[k] * scale
        let size = k < n ? 1 : scale
        #expect(abs(value - expected) < 1e-7 * size, "\(k) at \(scale): \(value), not \(expected)")
      }
    }
    // In numbers a zero need not have its counterpart in the pattern.
    let lone = try QuadraticProgram(
      quadratic: CompressedMatrix(
        rowCount: 3, columnCount: 3, entries: [(0, 0, 2), (0, 1, 0), (1, 1, 4), (2, 0, 0), (2, 2, 8)]),
      linear: [-2, -4, -8])
    #expect(try lone.solve(storage: .sparse).x.allSatisfy { abs($0 - 1) < 1e-9 })
    let large = 3000
    let entries = (0..<large).map { (row: $0, column: $0, value: $0 == 1234 ? -1e-3 : 1.0) }
    let saddle = try QuadraticProgram(
      quadratic: CompressedMatrix(rowCount: large, columnCount: large, entries: entries),
      linear: [Double](repeating: 0, count: large), lowerBounds: [Double](repeating: -1, count: large),
      upperBounds: [Double](repeating: 1, count: large))
    let error = #expect(throws: QuadraticProgramError.self) { try saddle.solve() }
    guard case .notConvex(let variable, let pivot) = error else {
      Issue.record("\(error.map { "\($0)" } ?? "")")
      return
    }
    #expect(variable == 1234 && abs(pivot + 1e-3) < 1e-9)
    for barrier in [-1, Double.nan, .infinity] {
      var options = QuadraticProgramOptions()
      options.barrier = barrier
      #expect(throws: QuadraticProgramError.self) {
        try QuadraticProgramSolver(for: saddle, options: options)
      }
      #expect(throws: TensorError.self) { try program.solve(program.data, options: options) }
    }
  }

  @Test func failuresAreNamed() throws {
    let program = try RandomSparseProgram(variables: 4, equalities: 1, inequalities: 3, seed: 1)
    let d = program.data
    func with(_ k: Int, _ x: Tensor) -> [Tensor] {
      var all = d
      all[k] = x
      return all
    }
    func replacing(_ k: Int, _ element: Int, _ value: Double) -> [Tensor] {
      var values = d[k].values
      values[element] = value
      return with(k, Tensor(values))
    }
    for k in [0, 2, 4] {
      #expect(message { try program.solve(with(k, Tensor.zeros([1]))) }.contains("values of shape [1]"))
    }
    #expect(message { try program.solve(with(3, Tensor.zeros([2]))) }.contains("A is 1 x 4 where 2 x 4"))
    #expect(message { try program.solve(with(5, Tensor.zeros([2]))) }.contains("l has shape [2], not [3]"))
    let (row, column) = (program.inequalities.rowIndices[3], program.inequalities.columnIndices[3])
    #expect(
      message { try program.solve(replacing(4, 3, .nan)) }.contains(
        "the entry (\(row), \(column)) of G is nan"))
    #expect(message { try program.solve(replacing(2, 0, .infinity)) }.contains("of A is inf"))
    #expect(message { try program.solve(replacing(0, 0, .nan)) }.contains("the entry (0, 0) of Q is nan"))
    #expect(message { try program.solve(replacing(1, 2, .nan)) }.contains("element 2 of q is nan"))
    #expect(message { try program.solve(replacing(3, 0, .nan)) }.contains("equation 0"))
    #expect(message { try program.solve(replacing(7, 1, 100)) }.contains("variable 1"))
    #expect(message { try program.solve(with(0, -d[0])) }.contains("not positive semidefinite"))
    let upper = try SparsityPattern(rowCount: 2, columnCount: 2, entries: [(0, 0), (0, 1), (1, 1)])
    #expect(
      message {
        try quadraticProgram(
          quadratic: SparseMatrix(upper, values: Tensor([1.0, 0, 1])), linear: Tensor([0.0, 0])
        ).x
      }.contains("Give both halves"))
    let wide = try SparsityPattern(rowCount: 1, columnCount: 3, entries: [(0, 2)])
    let square = try SparsityPattern(rowCount: 2, columnCount: 2, entries: [(0, 0), (1, 1)])
    func rows(_ pattern: SparsityPattern, lower: Double, _ q: [Double] = [1, 1]) throws -> Tensor {
      try quadraticProgram(
        quadratic: SparseMatrix(square, values: Tensor(q)), linear: Tensor([0.0, 0]),
        inequalities: SparseMatrix(pattern, values: Tensor.ones([pattern.entryCount])),
        lower: Tensor([Double](repeating: lower, count: pattern.rowCount)),
        upperBounds: Tensor([1.0, 1])
      ).x
    }
    #expect(message { try rows(wide, lower: 0) }.contains("G is 1 x 3 where m x 2"))
    #expect(message { try rows(square, lower: 2) }.contains("infeasible"))
    #expect(message { try rows(square, lower: 0, [1, -1]) }.contains("pivot of variable 1"))
    let three = Tensor([1.0, 5, 1])
    #expect(
      message {
        try vmap { (l: Tensor) in
          try quadraticProgram(
            quadratic: SparseMatrix(square, values: Tensor([1.0, 1])), linear: Tensor([1.0, 1]),
            lowerBounds: Tensor.ones([2]) * l, upperBounds: Tensor([2.0, 2])
          ).x
        }(three)
      }.contains("program 1 of the batch: the sides of variable 0"))
    // A status instead of an error; its derivative is one.
    let empty = try SparsityPattern(rowCount: 1, columnCount: 1, entries: [])
    func unbounded(_ c: Tensor) throws -> QuadraticProgramTensors {
      try quadraticProgram(
        quadratic: SparseMatrix(empty, values: Tensor.zeros([0])), linear: c, throwsOnFailure: false)
    }
    #expect(
      try unbounded(Tensor([1.0])).status.values(Int32.self) == [SolverStatus.unbounded.rawValue])
    #expect(
      message { try grad { (c: Tensor) in try unbounded(c).x.sum() }(Tensor([1.0])) }.contains(
        "the derivative of a solution that was not found: unbounded"))
  }

  /// Programs without variables, rows, or entries in a row; linear ones; fixed variables.
  @Test func emptyAndFixed() throws {
    func pattern(_ rows: Int, _ columns: Int, _ entries: [(Int, Int)]) throws -> SparsityPattern {
      try SparsityPattern(
        rowCount: rows, columnCount: columns, entries: entries.map { (row: $0.0, column: $0.1) })
    }
    let none = try quadraticProgram(
      quadratic: SparseMatrix(pattern(0, 0, []), values: Tensor.zeros([0])), linear: Tensor.zeros([0]))
    #expect(none.x.shape == [0])
    // min −x0 − 2 x1, x0 + x1 ≤ 1, a row without entries, x ≥ 0, x2 = 3.
    func linear(_ c: Tensor) throws -> QuadraticProgramTensors {
      try quadraticProgram(
        quadratic: SparseMatrix(pattern(3, 3, []), values: Tensor.zeros([0])), linear: c,
        inequalities: SparseMatrix(pattern(2, 3, [(0, 0), (0, 1)]), values: Tensor([1.0, 1])),
        upper: Tensor([1.0, 5]), lowerBounds: Tensor([0.0, 0, 3]),
        upperBounds: Tensor([.infinity, .infinity, 3]))
    }
    let c = Tensor([-1.0, -2, 1])
    let s = try linear(c)
    #expect(distance(s.x, Tensor([0.0, 1, 3])) < 1e-9)
    #expect(distance(s.inequalityMultipliers, Tensor([2.0, 0])) < 1e-9)
    #expect(distance(s.boundMultipliers, Tensor([-1.0, 0, -1])) < 1e-9)
    let slope = try grad { (c: Tensor) in try linear(c).inequalityMultipliers.sum() }(c)
    #expect(distance(slope, Tensor([0.0, -1, 0])) < 1e-9)
    // A row without entries that excludes zero.
    #expect(
      message {
        try quadraticProgram(
          quadratic: SparseMatrix(pattern(1, 1, [(0, 0)]), values: Tensor([1.0])), linear: Tensor([0.0]),
          equalities: SparseMatrix(pattern(1, 1, []), values: Tensor.zeros([0])),
          equalityValues: Tensor([1.0])
        ).x
      }.contains("infeasible"))
  }

  /// The analysis is made once for patterns, and goes with them.
  @Test func analysisIsKept() throws {
    weak var kept: SparseProgramAnalysis?
    do {
      let program = try RandomSparseProgram(variables: 10, equalities: 3, inequalities: 4, seed: 2)
      func structure(_ g: SparsityPattern) throws -> SparseProgramStructure {
        try SparseProgramStructure(
          quadratic: program.quadratic, equalities: program.equalities, inequalities: g)
      }
      let first = try structure(program.inequalities)
      _ = try program.solve(program.data)
      #expect(try structure(program.inequalities).analysis === first.analysis)
      #expect(try structure(program.equalities).analysis !== first.analysis)
      // Q's own pattern may be that of the rows as well.
      kept = try structure(program.quadratic).analysis
      #expect(kept != nil)
    }
    #expect(kept == nil)
  }

  /// A program as large as those of test sets, with a gradient along a direction by differences.
  @Test func largeProgram() throws {
    let program = try RandomSparseProgram(
      variables: 2000, equalities: 500, inequalities: 1000, reach: 30, seed: 11)
    let value = try program.solve(program.data)
    var random = SeededRandom(seed: 12)
    let weight = GradientLaws.random(like: value, &random)
    func loss(_ d: [Tensor]) throws -> Tensor { dot(weight, try program.solve(d)) }
    let slope = try grad(loss)(program.data)
    let direction = program.data.map { GradientLaws.random(like: $0, &random) }
    let along = zip(slope, direction).reduce(0.0) { $0 + ($1.0 * $1.1).sum().values[0] }
    let h = 1e-7
    let up = try loss(zip(program.data, direction).map { $0 + $1 * h }).values[0]
    let down = try loss(zip(program.data, direction).map { $0 - $1 * h }).values[0]
    #expect(abs(along) > 1)
    #expect(abs(along - (up - down) / (2 * h)) < 1e-4 * abs(along))
  }

  /// As of dense programs.
  @Test func rightSidesThatAreNotFinite() throws {
    let program = try RandomSparseProgram(variables: 6, equalities: 2, inequalities: 5, seed: 1)
    let size = try program.solve(program.data).count
    for place in 0..<size {
      var weights = [Double](repeating: 1, count: size)
      weights[place] = .nan
      let error = tensorError {
        _ = try vjp({ try program.solve($0) }, at: program.data).pullback(Tensor(weights))
      }
      #expect(error?.reason == .nonFinite, "result \(place): \(error as Any)")
    }
  }
}
