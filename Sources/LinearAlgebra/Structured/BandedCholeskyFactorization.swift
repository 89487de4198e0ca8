import COpenBLAS
import Lanes

/// A = L Lᵀ of a symmetric positive definite matrix whose entries lie in a band about the diagonal (LAPACK's `pbtrf`).
public final class BandedCholeskyFactorization: Factorization {
  private let size: Int
  private let bandwidth: Int
  private let factor: NumberBuffer
  private let norm: Double

  /// - Parameters:
  ///   - bands: the diagonals, as those of ``BandedFactorization``.
  ///   - size: the number of rows.
  ///   - lower: the number of diagonals below the main one.
  ///   - upper: the number of diagonals above the main one.
  ///   - minimumReciprocalCondition: matrices below it are refused as nearly singular. Zero: no limit.
  /// - Throws: ``LinearAlgebraError`` if a number is not finite, or the matrix is not symmetric, not positive definite, or nearly
  ///   singular.
  /// - Complexity: O(size · bandwidth²), without pivoting: about a quarter of the LU decomposition's.
  public init(
    _ bands: UnsafePointer<Double>, size: Int, lower: Int, upper: Int,
    minimumReciprocalCondition: Double = workingPrecision
  ) throws(LinearAlgebraError) {
    let bandwidth = min(lower, upper)
    (self.size, self.bandwidth) = (size, bandwidth)
    let leading = bandwidth + 1
    factor = NumberBuffer(zeros: leading * size)
    func element(_ i: Int, _ j: Int) -> Double {
      i - j > lower || j - i > upper ? 0 : bands[(upper + i - j) * size + j]
    }
    var (largest, sums) = (0.0, [Double](repeating: 0, count: size))
    for i in 0..<size {
      for j in max(0, i - lower)..<min(size, i + upper + 1) {
        let value = element(i, j)
        guard value.isFinite else { throw .nonFinite("element (\(i), \(j)) of the matrix (\(value))") }
        largest = max(largest, value.magnitude)
      }
    }
    let widest = max(lower, upper)
    for j in 0..<size {
      for i in j..<min(size, j + widest + 1) {
        let (below, above) = (element(i, j), element(j, i))
        let difference = (below - above).magnitude
        guard difference <= 1e-10 * largest else {
          throw .notSymmetric(row: i, column: j, difference: difference)
        }
        sums[j] += below.magnitude
        if i > j { sums[i] += below.magnitude }
        if i - j <= bandwidth { factor.base[j * leading + i - j] = below }
      }
    }
    norm = sums.max() ?? 0
    let n = Int32(size)
    let info = LAPACKE_dpbtrf(
      LAPACK_COL_MAJOR, CChar(ascii: "L"), n, Int32(bandwidth), factor.base, Int32(leading))
    if info > 0 {
      throw .notPositiveDefinite("the leading \(info) x \(info) block has a pivot that is not positive")
    }
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
    _ = LAPACKE_dpbtrs(
      LAPACK_COL_MAJOR, CChar(ascii: "L"), Int32(size), Int32(bandwidth), Int32(count), factor.base,
      Int32(bandwidth + 1), x, Int32(max(size, 1)))
  }
  /// Estimated in the 1-norm.
  public func reciprocalCondition() -> Double? {
    var result = 0.0
    _ = LAPACKE_dpbcon(
      LAPACK_COL_MAJOR, CChar(ascii: "L"), Int32(size), Int32(bandwidth), factor.base, Int32(bandwidth + 1),
      norm, &result)
    return result
  }
}

/// A = L D Lᵀ of a symmetric positive definite tridiagonal matrix (LAPACK's `pttrf`).
public final class TridiagonalCholeskyFactorization: Factorization {
  private let size: Int
  private let diagonal: [Double]
  private let below: [Double]
  private let norm: Double

  /// - Parameters:
  ///   - lower: the size − 1 elements below the diagonal.
  ///   - diagonal: the diagonal.
  ///   - upper: the size − 1 elements above the diagonal, the same as below.
  ///   - minimumReciprocalCondition: matrices below it are refused as nearly singular. Zero: no limit.
  /// - Throws: ``LinearAlgebraError`` if lengths do not fit, a number is not finite, or the matrix is not symmetric, not positive definite,
  ///   or nearly singular.
  /// - Complexity: O(size), without pivoting.
  public init(
    lower: [Double], diagonal: [Double], upper: [Double],
    minimumReciprocalCondition: Double = workingPrecision
  ) throws(LinearAlgebraError) {
    size = diagonal.count
    norm = try tridiagonalNorm(lower: lower, diagonal: diagonal, upper: upper)
    for (k, (low, high)) in zip(lower, upper).enumerated() where (low - high).magnitude > 1e-10 * norm {
      throw .notSymmetric(row: k + 1, column: k, difference: (low - high).magnitude)
    }
    var (d, e) = (diagonal, lower)
    let info = LAPACKE_dpttrf(Int32(size), &d, &e)
    (self.diagonal, below) = (d, e)
    if info > 0 {
      throw .notPositiveDefinite("the leading \(info) x \(info) block has a pivot that is not positive")
    }
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
    _ = LAPACKE_dpttrs(
      LAPACK_COL_MAJOR, Int32(size), Int32(count), diagonal, below, x, Int32(max(size, 1)))
  }
  /// In the 1-norm, exact.
  public func reciprocalCondition() -> Double? {
    var result = 0.0
    _ = LAPACKE_dptcon(Int32(size), diagonal, below, norm, &result)
    return result
  }
}
