/// Square blocks along the diagonal, each with a factorisation of its own.
public final class BlockDiagonalFactorization: Factorization {
  private let blocks: [any Factorization]
  /// Rows of A.
  public let rows: Int
  /// Columns of A.
  public let columns: Int

  /// The matrix with these blocks.
  public init(_ blocks: [any Factorization]) {
    self.blocks = blocks
    rows = blocks.reduce(0) { $0 + $1.rows }
    columns = blocks.reduce(0) { $0 + $1.columns }
  }
  /// x = A⁻¹ b or A⁻ᵀ b.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) throws {
    for c in 0..<count {
      var source = b + c * (transposed ? columns : rows)
      var target = x + c * (transposed ? rows : columns)
      for block in blocks {
        try block.solve(source, into: target, count: 1, transposed: transposed)
        source += transposed ? block.columns : block.rows
        target += transposed ? block.rows : block.columns
      }
    }
  }
}

/// A = A₁ A₂ …, solved factor by factor.
public final class ProductFactorization: Factorization {
  private let factors: [any Factorization]
  /// Rows of A.
  public let rows: Int
  /// Columns of A.
  public let columns: Int

  /// The product of square matrices of one size.
  /// - Throws: ``LinearAlgebraError`` if there is none or sizes differ.
  public init(_ factors: [any Factorization]) throws(LinearAlgebraError) {
    guard let size = factors.first?.rows, factors.allSatisfy({ $0.rows == size && $0.columns == size }) else {
      throw .shape("a product is solved factor by factor only if all factors are square and of one size")
    }
    self.factors = factors
    (rows, columns) = (size, size)
  }
  /// x = A⁻¹ b or A⁻ᵀ b.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) throws {
    let work = NumberBuffer(copying: b, count: rows * count)
    for factor in transposed ? factors.reversed() : factors {
      try factor.solve(work.base, into: x, count: count, transposed: transposed)
      work.base.update(from: x, count: rows * count)
    }
  }
}

/// A = A₁ ⊗ A₂ ⊗ …: A⁻¹ = A₁⁻¹ ⊗ A₂⁻¹ ⊗ …, factor by factor along the axes of the vector.
public final class KroneckerFactorization: Factorization {
  private let factors: [any Factorization]
  /// Rows of A.
  public let rows: Int
  /// Columns of A.
  public let columns: Int

  /// The Kronecker product of these.
  public init(_ factors: [any Factorization]) {
    self.factors = factors
    rows = factors.reduce(1) { $0 * $1.rows }
    columns = factors.reduce(1) { $0 * $1.columns }
  }
  /// x = A⁻¹ b or A⁻ᵀ b.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) throws {
    let (length, result) = transposed ? (columns, rows) : (rows, columns)
    for c in 0..<count {
      // Each factor solves along the last axis, which then becomes the first.
      var current = NumberBuffer(copying: b + c * length, count: length)
      for factor in factors.reversed() {
        let (from, to) = transposed ? (factor.columns, factor.rows) : (factor.rows, factor.columns)
        let others = current.count / max(from, 1)
        let solved = NumberBuffer(zeros: others * to)
        try factor.solve(current.base, into: solved.base, count: others, transposed: transposed)
        current = NumberBuffer(count: others * to)
        transposeMatrix(solved.base, rows: others, columns: to, into: current.base)
      }
      (x + c * result).update(from: current.base, count: result)
      withExtendedLifetime(current) {}
    }
  }
}

/// A = B + U Vᵀ with few columns in U and V, by Woodbury's identity:
/// A⁻¹ = B⁻¹ − B⁻¹ U (I + Vᵀ B⁻¹ U)⁻¹ Vᵀ B⁻¹.
public final class LowRankUpdateFactorization: Factorization {
  private let base: any Factorization
  private let u: NumberBuffer
  private let v: NumberBuffer
  private let capacitance: LUFactorization
  private let rank: Int

  /// - Parameters:
  ///   - rank: the rank of the update.
  ///   - minimumReciprocalCondition: what is worse conditioned is refused as nearly singular; zero: no limit.
  ///   - base: B.
  ///   - u: the columns of U, one after the other.
  ///   - v: the columns of V, one after the other.
  /// - Throws: ``LinearAlgebraError`` if lengths do not fit or I + Vᵀ B⁻¹ U is singular, or nearly so: then A is.
  public init(
    _ base: any Factorization, u: [Double], v: [Double], rank: Int,
    minimumReciprocalCondition: Double = workingPrecision
  ) throws {
    let n = base.rows
    guard base.columns == n, u.count == n * rank, v.count == n * rank else {
      throw LinearAlgebraError.shape(
        "an update of rank \(rank) of a matrix of \(base.rows) x \(base.columns) needs two matrices of \(n) x \(rank)"
      )
    }
    self.base = base
    self.rank = rank
    self.u = NumberBuffer(u)
    self.v = NumberBuffer(v)
    let solved = NumberBuffer(count: n * rank)
    try base.solve(self.u.base, into: solved.base, count: rank, transposed: false)
    var inner = [Double](repeating: 0, count: rank * rank)
    for i in 0..<rank {
      for j in 0..<rank {
        var sum = i == j ? 1.0 : 0.0
        for k in 0..<n { sum += v[i * n + k] * solved.base[j * n + k] }
        inner[i * rank + j] = sum
      }
    }
    withExtendedLifetime(solved) {}
    capacitance = try LUFactorization(
      inner, size: rank, minimumReciprocalCondition: minimumReciprocalCondition)
  }
  /// The number of equations.
  public var rows: Int { base.rows }
  /// The number of unknowns.
  public var columns: Int { base.rows }
  /// x = A⁻¹ b or A⁻ᵀ b.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) throws {
    let n = rows
    let (left, right) = transposed ? (v, u) : (u, v)
    let residual = NumberBuffer(count: n)
    let correction = NumberBuffer(count: n)
    let inner = NumberBuffer(count: 2 * rank)
    for c in 0..<count {
      let target = x + c * n
      try base.solve(b + c * n, into: target, count: 1, transposed: transposed)
      for i in 0..<rank {
        var sum = 0.0
        for k in 0..<n { sum += right.base[i * n + k] * target[k] }
        inner.base[i] = sum
      }
      capacitance.solve(inner.base, into: inner.base + rank, count: 1, transposed: transposed)
      residual.base.update(repeating: 0, count: n)
      for i in 0..<rank {
        let factor = inner.base[rank + i]
        for k in 0..<n { residual.base[k] += factor * left.base[i * n + k] }
      }
      try base.solve(residual.base, into: correction.base, count: 1, transposed: transposed)
      for k in 0..<n { target[k] -= correction.base[k] }
    }
  }
}

/// c A, or Aᵀ, with A's factorisation.
public final class ModifiedFactorization: Factorization {
  private let base: any Factorization
  private let scale: Double
  private let isTransposed: Bool

  /// - Throws: ``LinearAlgebraError`` if the factor is zero or not finite.
  public init(_ base: any Factorization, scale: Double = 1, isTransposed: Bool = false)
    throws(LinearAlgebraError)
  {
    guard scale != 0 else { throw .singular("it is a matrix times zero") }
    guard scale.isFinite else { throw .nonFinite("the factor of a matrix (\(scale))") }
    (self.base, self.scale, self.isTransposed) = (base, scale, isTransposed)
  }
  /// Rows of A.
  public var rows: Int { isTransposed ? base.columns : base.rows }
  /// Columns of A.
  public var columns: Int { isTransposed ? base.rows : base.columns }
  /// x = A⁻¹ b or A⁻ᵀ b.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) throws {
    try base.solve(b, into: x, count: count, transposed: transposed != isTransposed)
    let length = (transposed ? rows : columns) * count
    if scale != 1 { for k in 0..<length { x[k] /= scale } }
  }
  /// That of the matrix it was made from.
  public func reciprocalCondition() -> Double? { base.reciprocalCondition() }
}

/// Iterative refinement: each step solves for the residual and adds what comes out (Wilkinson), which makes up for the growth of
/// elements in factorisations with weak pivoting.
public final class RefinedFactorization: Factorization {
  private let base: any Factorization
  private let map: any LinearMap
  private let steps: Int

  /// A factorisation, the matrix itself, and the number of steps.
  public init(_ base: any Factorization, of map: any LinearMap, steps: Int) {
    (self.base, self.map, self.steps) = (base, map, steps)
  }
  /// Rows of A.
  public var rows: Int { base.rows }
  /// Columns of A.
  public var columns: Int { base.columns }
  /// x = A⁻¹ b or A⁻ᵀ b.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) throws {
    let n = rows
    try base.solve(b, into: x, count: count, transposed: transposed)
    let residual = NumberBuffer(count: n)
    let correction = NumberBuffer(count: n)
    for c in 0..<count {
      for _ in 0..<steps {
        try map.multiply(x + c * n, into: residual.base, transposed: transposed)
        for k in 0..<n { residual.base[k] = b[c * n + k] - residual.base[k] }
        try base.solve(residual.base, into: correction.base, count: 1, transposed: transposed)
        for k in 0..<n { x[c * n + k] += correction.base[k] }
      }
    }
  }
  /// That of the factorisation.
  public func reciprocalCondition() -> Double? { base.reciprocalCondition() }
}
