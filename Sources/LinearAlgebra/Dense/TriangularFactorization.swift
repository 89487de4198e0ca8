import COpenBLAS
import Lanes

/// A triangular matrix, solved by substitution. The other half of the matrix is not read, nor is its diagonal if that is one.
public final class TriangularFactorization: Factorization {
  private let size: Int
  private let matrix: NumberBuffer
  private let isLower: Bool
  private let isUnit: Bool

  /// - Parameters:
  ///   - isUnitDiagonal: whether the diagonal is taken for ones.
  ///   - size: the number of rows.
  ///   - isLower: whether the entries below the diagonal count, or those above.
  ///   - matrix: row-major.
  ///   - minimumReciprocalCondition: matrices below it are refused as nearly singular. Zero: no limit.
  /// - Throws: ``LinearAlgebraError`` if a number that is read is not finite, one of the diagonal is zero, or the matrix is nearly
  ///   singular.
  public init(
    _ matrix: UnsafePointer<Double>, size: Int, isLower: Bool, isUnitDiagonal: Bool,
    minimumReciprocalCondition: Double = workingPrecision
  ) throws(LinearAlgebraError) {
    self.size = size
    self.isLower = isLower
    isUnit = isUnitDiagonal
    self.matrix = NumberBuffer(copying: matrix, count: size * size)
    var (least, most) = (Double.infinity, 0.0)
    for i in 0..<size {
      let (first, last) = isLower ? (0, i) : (i, size - 1)
      for j in first...last where !matrix[i * size + j].isFinite && !(isUnit && i == j) {
        throw .nonFinite("element (\(i), \(j)) of the matrix (\(matrix[i * size + j]))")
      }
      let pivot = isUnit ? 1 : matrix[i * (size + 1)].magnitude
      if pivot == 0 { throw .singular("element \(i) of its diagonal is zero") }
      least = min(least, pivot)
      most = max(most, pivot)
    }
    if size > 0, least < 1e-8 * most { try requireCondition(minimumReciprocalCondition) }
  }

  /// The number of equations.
  public var rows: Int { size }
  /// The number of unknowns.
  public var columns: Int { size }

  // Column-major the matrix is the transposed one, and upper where it was lower.
  private var half: CChar { isLower ? CChar(ascii: "U") : CChar(ascii: "L") }
  private var diagonal: CChar { isUnit ? CChar(ascii: "U") : CChar(ascii: "N") }

  /// x = A⁻¹ b or A⁻ᵀ b.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) {
    x.update(from: b, count: size * count)
    let n = Int32(size)
    _ = LAPACKE_dtrtrs_work(
      LAPACK_COL_MAJOR, half, CChar(ascii: transposed ? "N" : "T"), diagonal, n, Int32(count), matrix.base,
      max(n, 1), x, max(n, 1))
  }
  /// Estimated in the 1-norm.
  public func reciprocalCondition() -> Double? {
    var result = 0.0
    _ = LAPACKE_dtrcon(
      LAPACK_COL_MAJOR, CChar(ascii: "1"), half, diagonal, Int32(size), matrix.base, Int32(max(size, 1)),
      &result)
    return result
  }
}
