import LinearAlgebra
import TestSupport
import Testing

/// A x = b and Aᵀ x = b hold for what a factorisation gives, for several right-hand sides at once.
private func residual(
  _ factorization: any Factorization, _ matrix: [Double], _ n: Int, seed: UInt64 = 1
) throws -> Double {
  var random = SeededRandom(seed: seed)
  var worst = 0.0
  for transposed in [false, true] {
    let b = random.uniform(-1, 1, count: 3 * n)
    var x = [Double](repeating: .nan, count: 3 * n)
    try factorization.solve(b, into: &x, count: 3, transposed: transposed)
    for k in 0..<3 {
      let own = Array(x[k * n..<(k + 1) * n])
      let product = multiply(matrix, own, rows: n, columns: n, transposed: transposed)
      worst = max(worst, distance(product, Array(b[k * n..<(k + 1) * n])) / max(1, norm(own)))
    }
    let single = try factorization.solve(Array(b[0..<n]), transposed: transposed)
    worst = max(worst, distance(single, Array(x[0..<n])) / max(1, norm(single)))
  }
  return worst
}

@Suite struct DenseFactorizationTests {
  private func random(_ n: Int, _ seed: UInt64, dominant: Double = 0) -> [Double] {
    var random = SeededRandom(seed: seed)
    return (0..<n * n).map { random.uniform(-1, 1) + ($0 / n == $0 % n ? dominant : 0) }
  }
  private func symmetric(_ a: [Double], _ n: Int) -> [Double] {
    (0..<n * n).map { (a[$0] + a[$0 % n * n + $0 / n]) / 2 }
  }

  @Test(arguments: [1, 2, 3, 7, 16, 40, 130]) func square(n: Int) throws {
    let a = random(n, UInt64(n), dominant: 1)
    #expect(try residual(LUFactorization(a, size: n), a, n) < 1e-12)
    let s = symmetric(a, n)
    #expect(try residual(SymmetricFactorization(s, size: n), s, n) < 1e-12)
    let turned = (0..<n * n).map { a[$0 % n * n + $0 / n] }
    var p = symmetric(matrixProduct(a, turned, rows: n, inner: n, columns: n), n)
    for k in 0..<n { p[k * (n + 1)] += 1 }
    #expect(try residual(CholeskyFactorization(p, size: n), p, n) < 1e-12)
    #expect(try residual(OrthogonalFactorization(a, rows: n, columns: n), a, n) < 1e-11)
    #expect(try residual(SingularValueFactorization(a, rows: n, columns: n), a, n) < 1e-11)
    for isLower in [false, true] {
      for isUnit in [false, true] {
        let t = random(n, 3, dominant: 2)
        let half = (0..<n * n).map { k in
          let (i, j) = (k / n, k % n)
          return i == j ? (isUnit ? 1 : t[k]) : (j < i) == isLower ? t[k] / Double(n) : 0
        }
        var noisy = half
        for k in 0..<n * n where (k % n < k / n) != isLower && k / n != k % n { noisy[k] = .nan }
        if isUnit { for k in 0..<n { noisy[k * (n + 1)] = 0 } }
        let factor = try TriangularFactorization(noisy, size: n, isLower: isLower, isUnitDiagonal: isUnit)
        #expect(try residual(factor, half, n) < 1e-12)
      }
    }
  }

  @Test(arguments: [(5, 1, 1), (9, 2, 0), (12, 0, 3), (20, 3, 2), (1, 0, 0)])
  func banded(n: Int, lower: Int, upper: Int) throws {
    let bands = random(max(lower + upper + 1, n), 4, dominant: 0).prefix((lower + upper + 1) * n)
    var a = [Double](repeating: 0, count: n * n)
    var values = Array(bands)
    for j in 0..<n { values[upper * n + j] += 4 }
    for i in 0..<n {
      for j in max(0, i - lower)..<min(n, i + upper + 1) { a[i * n + j] = values[(upper + i - j) * n + j] }
    }
    #expect(try residual(BandedFactorization(values, size: n, lower: lower, upper: upper), a, n) < 1e-13)
  }

  @Test(arguments: [1, 2, 3, 10, 101]) func tridiagonal(n: Int) throws {
    let a = convectionDiffusion(n, peclet: 0.7).dense
    let factor = try TridiagonalFactorization(
      lower: [Double](repeating: -1.7, count: n - 1), diagonal: [Double](repeating: 2.7, count: n),
      upper: [Double](repeating: -1, count: n - 1))
    #expect(try residual(factor, a, n) < 1e-12)
  }

  @Test(arguments: [(1, 0, 0), (5, 1, 1), (9, 2, 2), (40, 5, 5), (12, 1, 3), (7, 0, 2)])
  func bandedPositiveDefinite(n: Int, lower: Int, upper: Int) throws {
    // Diagonals that only one half has are zero.
    let width = min(lower, upper)
    let numbers = random(n, 5, dominant: 0)
    var (a, bands) = (
      [Double](repeating: 0, count: n * n), [Double](repeating: 0, count: (lower + upper + 1) * n)
    )
    for i in 0..<n {
      for j in max(0, i - width)...i {
        let value = i == j ? 2 * Double(width) + 1.5 : numbers[i * n + j]
        for (row, column) in [(i, j), (j, i)] {
          a[row * n + column] = value
          bands[(upper + row - column) * n + column] = value
        }
      }
    }
    let factor = try BandedCholeskyFactorization(bands, size: n, lower: lower, upper: upper)
    #expect(try residual(factor, a, n) < 1e-13)
    let general = try BandedFactorization(bands, size: n, lower: lower, upper: upper)
    let (one, other) = (
      try #require(factor.reciprocalCondition()), try #require(general.reciprocalCondition())
    )
    #expect(one > 0.3 * other && other > 0.3 * one && one <= 1)
    var wrong = bands
    if width > 0 {
      wrong[(upper + 1) * n] += 0.1
      guard
        case .notSymmetric(1, 0, _) = failure({
          _ = try BandedCholeskyFactorization(wrong, size: n, lower: lower, upper: upper)
        })
      else {
        Issue.record("a band that is not symmetric was accepted")
        return
      }
    }
    wrong = bands
    wrong[upper * n + n - 1] = -1
    guard
      case .notPositiveDefinite = failure({
        _ = try BandedCholeskyFactorization(wrong, size: n, lower: lower, upper: upper)
      })
    else {
      Issue.record("a band that is not positive definite was accepted")
      return
    }
    wrong[upper * n + n - 1] = .nan
    guard
      case .nonFinite = failure({
        _ = try BandedCholeskyFactorization(wrong, size: n, lower: lower, upper: upper)
      })
    else {
      Issue.record("a band with a NaN was accepted")
      return
    }
  }
  @Test(arguments: [1, 2, 3, 10, 101]) func tridiagonalPositiveDefinite(n: Int) throws {
    let a = convectionDiffusion(n, peclet: 0).dense
    let beside = [Double](repeating: -1, count: n - 1)
    let diagonal = [Double](repeating: 2, count: n)
    let factor = try TridiagonalCholeskyFactorization(lower: beside, diagonal: diagonal, upper: beside)
    #expect(try residual(factor, a, n) < 1e-12)
    // λ and 1-norm of the second difference are known.
    let general = try TridiagonalFactorization(lower: beside, diagonal: diagonal, upper: beside)
    let (one, other) = (
      try #require(factor.reciprocalCondition()), try #require(general.reciprocalCondition())
    )
    #expect(abs(one - other) < 0.01 * other)
    guard
      case .notPositiveDefinite = failure({
        _ = try TridiagonalCholeskyFactorization(
          lower: beside, diagonal: diagonal.map { $0 - 4 }, upper: beside)
      })
    else {
      Issue.record("a tridiagonal matrix that is negative was accepted")
      return
    }
    guard n > 1 else { return }
    guard
      case .notSymmetric(1, 0, _) = failure({
        _ = try TridiagonalCholeskyFactorization(
          lower: beside.map { $0 + 0.5 }, diagonal: diagonal, upper: beside)
      }),
      case .shape = failure({
        _ = try TridiagonalCholeskyFactorization(lower: beside, diagonal: diagonal, upper: [])
      })
    else {
      Issue.record("a mistake was not told")
      return
    }
  }

  @Test func composed() throws {
    let (a, b) = (random(3, 1, dominant: 2), random(4, 2, dominant: 2))
    let (fa, fb) = (try LUFactorization(a, size: 3), try LUFactorization(b, size: 4))
    let kronecker = (0..<144).map { (k: Int) -> Double in
      let (i, j) = (k / 12, k % 12)
      return a[i / 4 * 3 + j / 4] * b[i % 4 * 4 + j % 4]
    }
    #expect(try residual(KroneckerFactorization([fa, fb]), kronecker, 12) < 1e-13)
    let blocks = (0..<49).map { (k: Int) -> Double in
      let (i, j) = (k / 7, k % 7)
      if i < 3 && j < 3 { return a[i * 3 + j] }
      return i >= 3 && j >= 3 ? b[(i - 3) * 4 + j - 3] : 0
    }
    #expect(try residual(BlockDiagonalFactorization([fa, fb]), blocks, 7) < 1e-13)
    let c = random(3, 5, dominant: 2)
    let product = matrixProduct(a, c, rows: 3, inner: 3, columns: 3)
    let factors = try ProductFactorization([fa, try LUFactorization(c, size: 3)])
    #expect(try residual(factors, product, 3) < 1e-13)
    let turned = try ModifiedFactorization(fa, scale: -2, isTransposed: true)
    let turnedMatrix = (0..<9).map { (k: Int) -> Double in -2 * a[k % 3 * 3 + k / 3] }
    #expect(try residual(turned, turnedMatrix, 3) < 1e-13)
    let (u, v) = (random(4, 8), random(4, 9))
    let updated = (0..<16).map { (k: Int) -> Double in
      let (i, j) = (k / 4, k % 4)
      return b[k] + u[i] * v[j] + u[4 + i] * v[4 + j]
    }
    let woodbury = try LowRankUpdateFactorization(fb, u: Array(u[0..<8]), v: Array(v[0..<8]), rank: 2)
    #expect(try residual(woodbury, updated, 4) < 1e-12)
  }

  /// Moore and Penrose's conditions, for full and for deficient rank.
  @Test(arguments: [(6, 4, 4), (4, 6, 4), (5, 5, 3), (7, 4, 2), (4, 7, 3), (3, 3, 0)])
  func pseudoInverses(rows: Int, columns: Int, rank: Int) throws {
    var random = SeededRandom(seed: 9)
    let (left, right) = (
      random.uniform(-1, 1, count: rows * rank), random.uniform(-1, 1, count: rank * columns)
    )
    let a = matrixProduct(left, right, rows: rows, inner: rank, columns: columns)
    let qr = try OrthogonalFactorization(a, rows: rows, columns: columns)
    let svd = try SingularValueFactorization(a, rows: rows, columns: columns)
    #expect(qr.rank == rank && svd.rank == rank)
    for factor in [qr, svd] as [any Factorization] {
      let b = random.uniform(-1, 1, count: rows)
      let x = try factor.solve(b)
      // Aᵀ (b − A x) = 0, and x lies in the range of Aᵀ: A⁺ A x = x.
      let r = zip(b, multiply(a, x, rows: rows, columns: columns)).map { $0 - $1 }
      #expect(norm(multiply(a, r, rows: rows, columns: columns, transposed: true)) < 1e-13)
      #expect(distance(try factor.solve(multiply(a, x, rows: rows, columns: columns)), x) < 1e-12)
      // The transposed solve is the transposed map.
      let c = random.uniform(-1, 1, count: columns)
      let y = try factor.solve(c, transposed: true)
      let (first, second) = (
        zip(x, c).reduce(0) { $0 + $1.0 * $1.1 }, zip(y, b).reduce(0) { $0 + $1.0 * $1.1 }
      )
      #expect(abs(first - second) < 1e-12 * max(1, abs(first)))
    }
  }

  @Test func refinementRestoresDigits() throws {
    // A factor of a matrix nearby stands for one with weak pivoting.
    let n = 30
    let a = random(n, 2, dominant: 3)
    let nearby = try LUFactorization(a.map { $0 * (1 + 1e-5) + 1e-6 }, size: n)
    let matrix = try CompressedMatrix(
      rowCount: n, columnCount: n, entries: (0..<n * n).map { ($0 / n, $0 % n, a[$0]) })
    #expect(try residual(nearby, a, n) > 1e-7)
    #expect(try residual(RefinedFactorization(nearby, of: matrix, steps: 4), a, n) < 1e-14)
  }

  @Test func conditionEstimates() throws {
    let n = 8
    let h = hilbert(n)
    // κ₁ of the Hilbert matrix of size 8 is 3.387e10 (Higham, Accuracy and Stability of Numerical Algorithms, table 28.1 gives κ₂ =
    // 1.526e10).
    let estimate = try #require(try LUFactorization(h, size: n).reciprocalCondition())
    #expect(abs(1 / estimate / 3.387e10 - 1) < 1e-3)
    let exact = try #require(try SingularValueFactorization(h, rows: n, columns: n).reciprocalCondition())
    #expect(abs(1 / exact / 1.526e10 - 1) < 1e-3)
  }

  @Test func failuresAreTold() throws {
    let singular: [Double] = [1, 2, 2, 4]
    guard case .singular = failure({ _ = try LUFactorization(singular, size: 2) }) else {
      Issue.record("a singular matrix was factored")
      return
    }
    guard case .nearlySingular = failure({ _ = try LUFactorization(hilbert(14), size: 14) }) else {
      Issue.record("a nearly singular matrix was accepted")
      return
    }
    _ = try LUFactorization(hilbert(14), size: 14, minimumReciprocalCondition: 0)
    guard case .nonFinite(let what) = failure({ _ = try LUFactorization([1, 0, .nan, 1], size: 2) }) else {
      Issue.record("a NaN was accepted")
      return
    }
    #expect(what.contains("(1, 0)"))
    guard case .notPositiveDefinite = failure({ _ = try CholeskyFactorization([1, 2, 2, 1], size: 2) }) else {
      Issue.record("an indefinite matrix has a Cholesky decomposition")
      return
    }
    guard case .notSymmetric(1, 0, _) = failure({ _ = try CholeskyFactorization([2, 1, 0, 2], size: 2) })
    else {
      Issue.record("an unsymmetric matrix has a Cholesky decomposition")
      return
    }
    guard case .singular = failure({ _ = try SymmetricFactorization([0, 0, 0, 1], size: 2) }),
      case .singular = failure({ _ = try DiagonalFactorization([1, 0]) }),
      case .singular = failure({ _ = try BandedFactorization([0, 1], size: 2, lower: 0, upper: 0) }),
      case .singular = failure({ _ = try TridiagonalFactorization(lower: [0], diagonal: [0, 1], upper: [0]) }),
      case .shape = failure({ _ = try TridiagonalFactorization(lower: [], diagonal: [0, 1], upper: [0]) }),
      case .shape = failure({ _ = try LUFactorization([1, 2, 3], size: 2) }),
      case .shape = failure({ _ = try LUFactorization([1], size: 1).solve([1, 2]) }),
      case .nonFinite = failure({ _ = try LUFactorization([1], size: 1).solve([.infinity]) })
    else {
      Issue.record("a failure was not told")
      return
    }
  }
}

@Suite struct SparseFactorizationTests {
  @Test(arguments: 0..<6) func direct(example: Int) throws {
    let matrix = [
      laplacian([13]), laplacian([7, 8]), laplacian([4, 5, 3]), convectionDiffusion(40, peclet: 3),
      saddlePoint(12, constraints: 5, seed: 1), randomSparse(50, perRow: 3, seed: 2),
    ][example]
    let n = matrix.rows
    #expect(try residual(SparseLUFactorization(matrix), matrix.dense, n) < 1e-12)
    if example < 3 || example == 1 {
      #expect(try residual(SparseCholeskyFactorization(matrix), matrix.dense, n) < 1e-12)
      // Other values, the same analysis.
      let doubled = try CompressedMatrix(matrix.pattern, values: matrix.values.map { 2 * $0 })
      #expect(try residual(SparseCholeskyFactorization(doubled), doubled.dense, n) < 1e-12)
      let dense = try #require(try LUFactorization(matrix.dense, size: n).reciprocalCondition())
      let sparse = try #require(try SparseCholeskyFactorization(matrix).reciprocalCondition())
      #expect(sparse >= 0.99 * dense && sparse < 3 * dense)
    }
  }
  @Test(arguments: 0..<5 as Range<UInt64>) func graphs(seed: UInt64) throws {
    let matrix = graphLaplacian(60, edges: 90, shift: 0.3, seed: seed)
    #expect(try residual(SparseCholeskyFactorization(matrix), matrix.dense, 60) < 1e-12)
    #expect(try residual(SparseLUFactorization(matrix), matrix.dense, 60) < 1e-12)
  }

  @Test func failuresAreTold() throws {
    let hole = try CompressedMatrix(rowCount: 3, columnCount: 3, entries: [(0, 0, 1), (1, 0, 2), (2, 2, 1)])
    guard case .structurallySingular(2, 3) = failure({ _ = try SparseLUFactorization(hole) }) else {
      Issue.record("a structurally singular matrix was factored")
      return
    }
    let singular = try CompressedMatrix(
      rowCount: 2, columnCount: 2, entries: [(0, 0, 1), (0, 1, 2), (1, 0, 2), (1, 1, 4)])
    guard case .singular = failure({ _ = try SparseLUFactorization(singular) }) else {
      Issue.record("a singular matrix was factored")
      return
    }
    let near = try CompressedMatrix(
      rowCount: 14, columnCount: 14,
      entries: hilbert(14).enumerated().map { ($0.offset / 14, $0.offset % 14, $0.element) })
    guard case .nearlySingular = failure({ _ = try SparseLUFactorization(near) }) else {
      Issue.record("a nearly singular matrix was accepted")
      return
    }
    let saddle = saddlePoint(8, constraints: 3, seed: 2)
    guard case .notPositiveDefinite = failure({ _ = try SparseCholeskyFactorization(saddle) }) else {
      Issue.record("an indefinite matrix has a Cholesky decomposition")
      return
    }
    guard
      case .notSymmetric = failure({ _ = try SparseCholeskyFactorization(convectionDiffusion(5, peclet: 1)) })
    else {
      Issue.record("an unsymmetric matrix has a Cholesky decomposition")
      return
    }
    let infinite = try CompressedMatrix(hole.pattern, values: [1, .infinity, 1])
    guard case .nonFinite = failure({ _ = try SparseLUFactorization(infinite) }) else {
      Issue.record("an infinite entry was accepted")
      return
    }
  }
}
