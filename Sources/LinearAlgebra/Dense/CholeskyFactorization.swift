import COpenBLAS

/// A = L Lᵀ of a dense symmetric positive definite matrix (LAPACK's `potrf`). Only one half of the matrix is read.
public final class CholeskyFactorization: Factorization {
  private let size: Int
  private let factor: NumberBuffer
  private let norm: Double

  /// - Parameters:
  ///   - size: the number of rows.
  ///   - matrix: row-major.
  ///   - minimumReciprocalCondition: matrices below it are refused as nearly singular. Zero: no limit.
  /// - Throws: ``LinearAlgebraError`` if the matrix is not finite, not symmetric, not positive definite, or nearly singular.
  /// - Complexity: O(size³), half of an LU decomposition.
  public init(
    _ matrix: UnsafePointer<Double>, size: Int, minimumReciprocalCondition: Double = workingPrecision
  ) throws(LinearAlgebraError) {
    self.size = size
    try requireFiniteMatrix(matrix, size * size, columns: size)
    try requireSymmetricMatrix(matrix, size: size)
    factor = NumberBuffer(copying: matrix, count: size * size)
    norm = oneNorm(factor.base, rows: size, columns: size)
    let n = Int32(size)
    let info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, CChar(ascii: "L"), n, factor.base, max(n, 1))
    if info > 0 {
      throw .notPositiveDefinite("the leading \(info) x \(info) block has a pivot that is not positive")
    }
    var (least, most) = (Double.infinity, 0.0)
    for k in 0..<size {
      least = min(least, factor.base[k * (size + 1)])
      most = max(most, factor.base[k * (size + 1)])
    }
    // Pivots are squares of these.
    if size > 0, least < 1e-4 * most || size >= 512 { try requireCondition(minimumReciprocalCondition) }
  }

  /// The number of equations.
  public var rows: Int { size }
  /// The number of unknowns.
  public var columns: Int { size }

  /// x = A⁻¹ b.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) {
    x.update(from: b, count: size * count)
    let n = Int32(size)
    _ = LAPACKE_dpotrs_work(
      LAPACK_COL_MAJOR, CChar(ascii: "L"), n, Int32(count), factor.base, max(n, 1), x, max(n, 1))
  }
  /// Estimated in the 1-norm.
  public func reciprocalCondition() -> Double? {
    var result = 0.0
    _ = LAPACKE_dpocon(
      LAPACK_COL_MAJOR, CChar(ascii: "L"), Int32(size), factor.base, Int32(max(size, 1)), norm, &result)
    return result
  }
}

/// A = L D Lᵀ with pivots of one or two rows, of a dense symmetric matrix (Bunch and Kaufman; LAPACK's `sytrf`).
public final class SymmetricFactorization: Factorization {
  private let size: Int
  private let factor: NumberBuffer
  private let pivots: [Int32]
  private let norm: Double

  /// - Parameters:
  ///   - size: the number of rows.
  ///   - matrix: row-major.
  ///   - minimumReciprocalCondition: matrices below it are refused as nearly singular. Zero: no limit.
  /// - Throws: ``LinearAlgebraError`` if the matrix is not finite, not symmetric, singular, or nearly so.
  /// - Complexity: O(size³), half of an LU decomposition.
  public init(
    _ matrix: UnsafePointer<Double>, size: Int, minimumReciprocalCondition: Double = workingPrecision
  ) throws(LinearAlgebraError) {
    self.size = size
    try requireFiniteMatrix(matrix, size * size, columns: size)
    try requireSymmetricMatrix(matrix, size: size)
    factor = NumberBuffer(copying: matrix, count: size * size)
    norm = oneNorm(factor.base, rows: size, columns: size)
    var pivots = [Int32](repeating: 0, count: size)
    let n = Int32(size)
    // LAPACKE hands an empty matrix on with a work space that LAPACK complains of.
    let info =
      size == 0
      ? 0 : LAPACKE_dsytrf(LAPACK_COL_MAJOR, CChar(ascii: "L"), n, factor.base, max(n, 1), &pivots)
    self.pivots = pivots
    if info > 0 { throw .singular("pivot \(info - 1) of its LDLᵀ decomposition is zero") }
    // Blocks of two rows do not show how small they are.
    if size > 0 { try requireCondition(minimumReciprocalCondition) }
  }

  /// The number of equations.
  public var rows: Int { size }
  /// The number of unknowns.
  public var columns: Int { size }

  /// x = A⁻¹ b.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) {
    x.update(from: b, count: size * count)
    let n = Int32(size)
    _ = LAPACKE_dsytrs(
      LAPACK_COL_MAJOR, CChar(ascii: "L"), n, Int32(count), factor.base, max(n, 1), pivots, x, max(n, 1))
  }
  /// Estimated in the 1-norm.
  public func reciprocalCondition() -> Double? {
    var result = 0.0
    _ = LAPACKE_dsycon(
      LAPACK_COL_MAJOR, CChar(ascii: "L"), Int32(size), factor.base, Int32(max(size, 1)), pivots, norm,
      &result)
    return result
  }
}
