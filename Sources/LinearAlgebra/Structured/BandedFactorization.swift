import COpenBLAS
import Lanes

/// P A = L U of a matrix whose entries lie in a band about the diagonal (LAPACK's `gbtrf`).
public final class BandedFactorization: Factorization {
  private let size: Int
  private let lower: Int
  private let upper: Int
  private let factor: NumberBuffer
  private let pivots: [Int32]
  private let norm: Double

  /// - Parameters:
  ///   - upper: the number of diagonals above the main one.
  ///   - lower: the number of diagonals below the main one.
  ///   - size: the number of rows.
  ///   - bands: the diagonals, highest first, `[lower + upper + 1, size]` row-major: element (i, j) of the matrix is
  ///     `bands[upper + i - j, j]`. Places outside of the matrix are not read.
  ///   - minimumReciprocalCondition: matrices below it are refused as nearly singular. Zero: no limit.
  /// - Throws: ``LinearAlgebraError`` if a number is not finite, or the matrix is singular or nearly so.
  /// - Complexity: O(size · (lower + upper) · lower).
  public init(
    _ bands: UnsafePointer<Double>, size: Int, lower: Int, upper: Int,
    minimumReciprocalCondition: Double = workingPrecision
  ) throws(LinearAlgebraError) {
    (self.size, self.lower, self.upper) = (size, lower, upper)
    let leading = 2 * lower + upper + 1
    factor = NumberBuffer(zeros: leading * size)
    var norm = 0.0
    for j in 0..<size {
      var sum = 0.0
      for i in max(0, j - upper)...min(size - 1, j + lower) {
        let value = bands[(upper + i - j) * size + j]
        guard value.isFinite else { throw .nonFinite("element (\(i), \(j)) of the matrix (\(value))") }
        factor.base[j * leading + lower + upper + i - j] = value
        sum += value.magnitude
      }
      norm = max(norm, sum)
    }
    self.norm = norm
    var pivots = [Int32](repeating: 0, count: size)
    let n = Int32(size)
    let info = LAPACKE_dgbtrf(
      LAPACK_COL_MAJOR, n, n, Int32(lower), Int32(upper), factor.base, Int32(leading), &pivots)
    self.pivots = pivots
    if info > 0 { throw .singular("pivot \(info - 1) of its LU decomposition is zero") }
    if size > 0 { try requireCondition(minimumReciprocalCondition) }
  }

  /// The number of equations.
  public var rows: Int { size }
  /// The number of unknowns.
  public var columns: Int { size }

  /// x = A⁻¹ b or A⁻ᵀ b.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) {
    x.update(from: b, count: size * count)
    _ = LAPACKE_dgbtrs(
      LAPACK_COL_MAJOR, CChar(ascii: transposed ? "T" : "N"), Int32(size), Int32(lower), Int32(upper),
      Int32(count), factor.base, Int32(2 * lower + upper + 1), pivots, x, Int32(max(size, 1)))
  }
  /// Estimated in the 1-norm.
  public func reciprocalCondition() -> Double? {
    var result = 0.0
    _ = LAPACKE_dgbcon(
      LAPACK_COL_MAJOR, CChar(ascii: "1"), Int32(size), Int32(lower), Int32(upper), factor.base,
      Int32(2 * lower + upper + 1), pivots, norm, &result)
    return result
  }
}

/// P A = L U of a tridiagonal matrix (LAPACK's `gttrf`).
public final class TridiagonalFactorization: Factorization {
  private let size: Int
  private let below: [Double]
  private let diagonal: [Double]
  private let above: [Double]
  private let second: [Double]
  private let pivots: [Int32]
  private let norm: Double

  /// - Parameters:
  ///   - lower: the size − 1 elements below the diagonal.
  ///   - diagonal: the diagonal.
  ///   - upper: the size − 1 elements above the diagonal.
  ///   - minimumReciprocalCondition: matrices below it are refused as nearly singular. Zero: no limit.
  /// - Throws: ``LinearAlgebraError`` if lengths do not fit, a number is not finite, or the matrix is singular or nearly so.
  /// - Complexity: O(size).
  public init(
    lower: [Double], diagonal: [Double], upper: [Double],
    minimumReciprocalCondition: Double = workingPrecision
  ) throws(LinearAlgebraError) {
    size = diagonal.count
    norm = try tridiagonalNorm(lower: lower, diagonal: diagonal, upper: upper)
    var (dl, d, du) = (lower, diagonal, upper)
    var du2 = [Double](repeating: 0, count: max(size - 2, 1))
    var ipiv = [Int32](repeating: 0, count: max(size, 1))
    let info = LAPACKE_dgttrf(Int32(size), &dl, &d, &du, &du2, &ipiv)
    (below, self.diagonal, above, second, pivots) = (dl, d, du, du2, ipiv)
    if info > 0 { throw .singular("pivot \(info - 1) of its LU decomposition is zero") }
    if size > 0 { try requireCondition(minimumReciprocalCondition) }
  }

  /// The number of equations.
  public var rows: Int { size }
  /// The number of unknowns.
  public var columns: Int { size }

  /// x = A⁻¹ b or A⁻ᵀ b.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) {
    x.update(from: b, count: size * count)
    _ = LAPACKE_dgttrs(
      LAPACK_COL_MAJOR, CChar(ascii: transposed ? "T" : "N"), Int32(size), Int32(count), below, diagonal,
      above,
      second, pivots, x, Int32(max(size, 1)))
  }
  /// Estimated in the 1-norm.
  public func reciprocalCondition() -> Double? {
    var result = 0.0
    _ = LAPACKE_dgtcon(
      CChar(ascii: "1"), Int32(size), below, diagonal, above, second, pivots, norm, &result)
    return result
  }
}

/// The 1-norm of a tridiagonal matrix.
/// - Throws: ``LinearAlgebraError`` if lengths do not fit or a number is not finite.
func tridiagonalNorm(lower: [Double], diagonal: [Double], upper: [Double]) throws(LinearAlgebraError)
  -> Double
{
  let size = diagonal.count
  let beside = max(size - 1, 0)
  guard lower.count == beside, upper.count == beside else {
    throw .shape(
      "a tridiagonal matrix of \(size) rows has \(beside) elements beside its diagonal, not \(lower.count) and "
        + "\(upper.count)")
  }
  try requireFinite(lower, "an element below the diagonal")
  try requireFinite(diagonal, "an element of the diagonal")
  try requireFinite(upper, "an element above the diagonal")
  var norm = 0.0
  for j in 0..<diagonal.count {
    let beside = (j > 0 ? upper[j - 1].magnitude : 0) + (j < lower.count ? lower[j].magnitude : 0)
    norm = max(norm, diagonal[j].magnitude + beside)
  }
  return norm
}

/// A diagonal matrix.
public final class DiagonalFactorization: Factorization {
  private let diagonal: [Double]

  /// - Throws: ``LinearAlgebraError`` if an element is not finite, is zero, or is smaller than `minimumReciprocalCondition` times
  ///   the largest.
  public init(_ diagonal: [Double], minimumReciprocalCondition: Double = workingPrecision)
    throws(LinearAlgebraError)
  {
    try requireFinite(diagonal, "an element of the diagonal")
    if let place = diagonal.firstIndex(of: 0) { throw .singular("element \(place) of its diagonal is zero") }
    self.diagonal = diagonal
    try requireCondition(minimumReciprocalCondition)
  }
  /// The number of equations.
  public var rows: Int { diagonal.count }
  /// The number of unknowns.
  public var columns: Int { diagonal.count }
  /// x = A⁻¹ b.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) {
    let n = diagonal.count
    for c in 0..<count { for i in 0..<n { x[c &* n &+ i] = b[c &* n &+ i] / diagonal[i] } }
  }
  /// Exact.
  public func reciprocalCondition() -> Double? {
    guard !diagonal.isEmpty else { return nil }
    let sizes = diagonal.map(\.magnitude)
    return sizes.min()! / sizes.max()!
  }
}
