import COpenBLAS
import Lanes

/// P A = L U with partial pivoting, of a dense square matrix (LAPACK's `getrf`).
public final class LUFactorization: Factorization {
  private let size: Int
  // The row-major matrix is, column-major, the transposed one; that is what was factored.
  private let factor: NumberBuffer
  private let pivots: [Int32]
  private let norm: Double

  /// - Parameters:
  ///   - size: the number of rows.
  ///   - matrix: row-major.
  ///   - minimumReciprocalCondition: matrices below it are refused as nearly singular. Where the pivots leave no doubt the condition
  ///     is not estimated. Zero: no limit.
  /// - Throws: ``LinearAlgebraError`` if the matrix is singular, nearly so, or not finite.
  /// - Complexity: O(size³).
  public init(
    _ matrix: UnsafePointer<Double>, size: Int, minimumReciprocalCondition: Double = workingPrecision
  ) throws(LinearAlgebraError) {
    self.size = size
    try requireFiniteMatrix(matrix, size * size, columns: size)
    factor = NumberBuffer(copying: matrix, count: size * size)
    var pivots = [Int32](repeating: 0, count: size)
    norm = oneNorm(factor.base, rows: size, columns: size)
    let n = Int32(size)
    let info = LAPACKE_dgetrf_work(LAPACK_COL_MAJOR, n, n, factor.base, max(n, 1), &pivots)
    self.pivots = pivots
    if info > 0 { throw .singular("pivot \(info - 1) of its LU decomposition is zero") }
    // Pivots of one size and a tiny inverse are rare (Kahan's matrix); a look at the pivots costs nothing.
    var (least, most) = (Double.infinity, 0.0)
    for k in 0..<size {
      let pivot = factor.base[k * (size + 1)].magnitude
      least = min(least, pivot)
      most = max(most, pivot)
    }
    if size > 0, least < 1e-8 * most || size >= 512 { try requireCondition(minimumReciprocalCondition) }
  }
  /// - Throws: ``LinearAlgebraError`` if there are not size² numbers, or as the other initialiser.
  public convenience init(
    _ matrix: [Double], size: Int, minimumReciprocalCondition: Double = workingPrecision
  ) throws(LinearAlgebraError) {
    guard matrix.count == size * size else {
      throw .shape("\(matrix.count) numbers are not a matrix of \(size) x \(size)")
    }
    let copy = NumberBuffer(matrix)
    defer { withExtendedLifetime(copy) {} }
    try self.init(copy.base, size: size, minimumReciprocalCondition: minimumReciprocalCondition)
  }

  /// The number of equations.
  public var rows: Int { size }
  /// The number of unknowns.
  public var columns: Int { size }

  /// x = A⁻¹ b or A⁻ᵀ b.
  /// - Complexity: O(size² · count).
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) {
    x.update(from: b, count: size * count)
    let n = Int32(size)
    _ = LAPACKE_dgetrs_work(
      LAPACK_COL_MAJOR, transposed ? CChar(ascii: "N") : CChar(ascii: "T"), n, Int32(count),
      factor.base, max(n, 1), pivots, x, max(n, 1))
  }
  /// Estimated in the ∞-norm (Hager, Higham), by a few solves.
  public func reciprocalCondition() -> Double? {
    var result = 0.0
    _ = LAPACKE_dgecon(
      LAPACK_COL_MAJOR, CChar(ascii: "1"), Int32(size), factor.base, Int32(max(size, 1)), norm, &result)
    return result
  }
}

/// The largest column sum of magnitudes of a column-major matrix.
func oneNorm(_ matrix: UnsafePointer<Double>, rows: Int, columns: Int) -> Double {
  var norm = 0.0
  for j in 0..<columns {
    var sum = 0.0
    for i in 0..<rows { sum += matrix[j &* rows &+ i].magnitude }
    norm = max(norm, sum)
  }
  return norm
}

/// Throws if an element of a row-major matrix is not finite.
func requireFiniteMatrix(_ matrix: UnsafePointer<Double>, _ count: Int, columns: Int)
  throws(LinearAlgebraError)
{
  if areFinite(matrix, count: count) { return }
  let place = (0..<count).first { !matrix[$0].isFinite } ?? 0
  throw .nonFinite(
    "element (\(place / max(columns, 1)), \(place % max(columns, 1))) of the matrix (\(matrix[place]))")
}

/// Throws if a row-major matrix differs from its transpose by more than rounding.
package func requireSymmetricMatrix(_ matrix: UnsafePointer<Double>, size: Int) throws(LinearAlgebraError) {
  var largest = 0.0
  var (worst, place) = (0.0, 0)
  for i in 0..<size {
    for j in 0..<i {
      let (a, b) = (matrix[i &* size &+ j], matrix[j &* size &+ i])
      largest = max(largest, a.magnitude, b.magnitude)
      let difference = (a - b).magnitude
      if difference > worst { (worst, place) = (difference, i &* size &+ j) }
    }
    largest = max(largest, matrix[i &* (size &+ 1)].magnitude)
  }
  if worst > 1e-10 * largest {
    throw .notSymmetric(row: place / size, column: place % size, difference: worst)
  }
}

extension CChar {
  /// A LAPACK option.
  init(ascii letter: Unicode.Scalar) { self = CChar(UInt8(ascii: letter)) }
}
