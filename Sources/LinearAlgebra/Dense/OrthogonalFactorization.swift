import COpenBLAS
import Lanes

/// A P = Q [T 0; 0 0] Z with a triangular T of the size of the rank: QR with column pivoting, then from the right (LAPACK's `geqp3`
/// and `tzrzf`). Solving is multiplying with the pseudo-inverse: the shortest of the x that minimise ‖A x − b‖.
public final class OrthogonalFactorization: Factorization {
  /// Rows of A.
  public let rows: Int
  /// Columns of A.
  public let columns: Int
  /// The number of diagonal elements of R that count.
  public let rank: Int
  private let factor: NumberBuffer
  private let pivots: [Int32]
  private let reflectors: [Double]
  private let rightReflectors: [Double]

  /// - Parameters:
  ///   - columns: the number of columns.
  ///   - rows: the number of rows.
  ///   - matrix: row-major.
  ///   - tolerance: diagonal elements of R below this fraction of the first count as zero; the larger extent times the unit roundoff
  ///     if left out.
  /// - Throws: ``LinearAlgebraError`` if an element is not finite.
  /// - Complexity: O(rows · columns · min(rows, columns)).
  public init(_ matrix: UnsafePointer<Double>, rows: Int, columns: Int, tolerance: Double? = nil)
    throws(LinearAlgebraError)
  {
    self.rows = rows
    self.columns = columns
    try requireFiniteMatrix(matrix, rows * columns, columns: columns)
    factor = NumberBuffer(count: rows * columns)
    transposeMatrix(matrix, rows: rows, columns: columns, into: factor.base)
    let (m, n) = (Int32(rows), Int32(columns))
    let least = min(rows, columns)
    var pivots = [Int32](repeating: 0, count: columns)
    var reflectors = [Double](repeating: 0, count: least)
    var rightReflectors: [Double] = []
    if least > 0 { _ = LAPACKE_dgeqp3(LAPACK_COL_MAJOR, m, n, factor.base, max(m, 1), &pivots, &reflectors) }
    let limit = (tolerance ?? Double(max(rows, columns)) * Double.ulpOfOne)
    var rank = 0
    let first = least > 0 ? factor.base[0].magnitude : 0
    while rank < least, factor.base[rank * (rows + 1)].magnitude > limit * first { rank += 1 }
    self.rank = rank
    if rank > 0, rank < columns {
      rightReflectors = [Double](repeating: 0, count: rank)
      _ = LAPACKE_dtzrzf(LAPACK_COL_MAJOR, Int32(rank), n, factor.base, max(m, 1), &rightReflectors)
    }
    (self.pivots, self.reflectors, self.rightReflectors) = (pivots, reflectors, rightReflectors)
  }

  /// x = A⁺ b or (Aᵀ)⁺ b.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) {
    let (m, r, k) = (Int32(max(rows, 1)), Int32(rank), Int32(count))
    x.update(repeating: 0, count: (transposed ? rows : columns) * count)
    if rank == 0 || count == 0 { return }
    let length = max(rows, columns)
    let work = NumberBuffer(zeros: length * count)
    let w = work.base
    let leading = Int32(length)
    func triangle(_ option: Unicode.Scalar) {
      _ = LAPACKE_dtrtrs(
        LAPACK_COL_MAJOR, CChar(ascii: "U"), CChar(ascii: option), CChar(ascii: "N"), r, k, factor.base, m, w,
        leading)
    }
    // Q has as many reflectors as the smaller extent, of which those past the rank act on zeros, or on what is dropped.
    func left(_ option: Unicode.Scalar) {
      _ = LAPACKE_dormqr(
        LAPACK_COL_MAJOR, CChar(ascii: "L"), CChar(ascii: option), Int32(rows), k, Int32(reflectors.count),
        factor.base, m, reflectors, w, leading)
    }
    func right(_ option: Unicode.Scalar) {
      if rank == columns { return }
      _ = LAPACKE_dormrz(
        LAPACK_COL_MAJOR, CChar(ascii: "L"), CChar(ascii: option), Int32(columns), k, r, Int32(columns) - r,
        factor.base, m, rightReflectors, w, leading)
    }
    if !transposed {
      for c in 0..<count { (w + c * length).update(from: b + c * rows, count: rows) }
      left("T")
      triangle("N")
      for c in 0..<count { (w + c * length + rank).update(repeating: 0, count: length - rank) }
      right("T")
      for c in 0..<count { for j in 0..<columns { x[c * columns + Int(pivots[j]) - 1] = w[c * length + j] } }
    } else {
      for c in 0..<count { for j in 0..<columns { w[c * length + j] = b[c * columns + Int(pivots[j]) - 1] } }
      right("N")
      triangle("T")
      for c in 0..<count { (w + c * length + rank).update(repeating: 0, count: length - rank) }
      left("N")
      for c in 0..<count { (x + c * rows).update(from: w + c * length, count: rows) }
    }
  }
}

/// A = U Σ Vᵀ (LAPACK's `gesdd`). Solving is multiplying with the pseudo-inverse, in which singular values below a tolerance count
/// as zero.
public final class SingularValueFactorization: Factorization {
  /// Rows of A.
  public let rows: Int
  /// Columns of A.
  public let columns: Int
  /// The singular values, largest first.
  public let singularValues: [Double]
  /// The number of singular values that count.
  public let rank: Int
  private let u: NumberBuffer
  private let vt: NumberBuffer
  private var least: Int { min(rows, columns) }

  /// - Parameters:
  ///   - columns: the number of columns.
  ///   - rows: the number of rows.
  ///   - matrix: row-major.
  ///   - tolerance: singular values below this fraction of the largest count as zero; the larger extent times the unit roundoff if
  ///     left out.
  /// - Throws: ``LinearAlgebraError`` if an element is not finite or the iteration fails.
  public init(_ matrix: UnsafePointer<Double>, rows: Int, columns: Int, tolerance: Double? = nil)
    throws(LinearAlgebraError)
  {
    self.rows = rows
    self.columns = columns
    try requireFiniteMatrix(matrix, rows * columns, columns: columns)
    let least = min(rows, columns)
    var values = [Double](repeating: 0, count: least)
    u = NumberBuffer(count: rows * least)
    vt = NumberBuffer(count: least * columns)
    if least > 0 {
      let copy = NumberBuffer(count: rows * columns)
      transposeMatrix(matrix, rows: rows, columns: columns, into: copy.base)
      let info = LAPACKE_dgesdd(
        LAPACK_COL_MAJOR, CChar(ascii: "S"), Int32(rows), Int32(columns), copy.base, Int32(rows), &values,
        u.base,
        Int32(rows), vt.base, Int32(least))
      withExtendedLifetime(copy) {}
      if info > 0 {
        throw .breakdown(
          method: "the singular value decomposition", iteration: Int(info), cause: "no convergence")
      }
    }
    singularValues = values
    let limit = (tolerance ?? Double(max(rows, columns)) * Double.ulpOfOne) * (values.first ?? 0)
    rank = values.firstIndex { $0 <= limit } ?? least
  }

  /// x = A⁺ b or (Aᵀ)⁺ b.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) {
    let (m, n, r) = (rows, columns, rank)
    x.update(repeating: 0, count: (transposed ? m : n) * count)
    if r == 0 || count == 0 { return }
    let work = NumberBuffer(count: r * count)
    let (from, to) = transposed ? (n, m) : (m, n)
    let (mm, ll, rr, kk) = (Int32(m), Int32(least), Int32(r), Int32(count))
    if !transposed {
      cblas_dgemm(
        CblasColMajor, CblasTrans, CblasNoTrans, rr, kk, mm, 1, u.base, mm, b, Int32(from), 0, work.base, rr)
    } else {
      cblas_dgemm(
        CblasColMajor, CblasNoTrans, CblasNoTrans, rr, kk, Int32(n), 1, vt.base, ll, b, Int32(from), 0,
        work.base, rr)
    }
    for c in 0..<count { for k in 0..<r { work.base[c * r + k] /= singularValues[k] } }
    if !transposed {
      cblas_dgemm(
        CblasColMajor, CblasTrans, CblasNoTrans, Int32(n), kk, rr, 1, vt.base, ll, work.base, rr, 0, x,
        Int32(to))
    } else {
      cblas_dgemm(
        CblasColMajor, CblasNoTrans, CblasNoTrans, mm, kk, rr, 1, u.base, mm, work.base, rr, 0, x, Int32(to))
    }
    withExtendedLifetime(work) {}
  }
  /// Exact, in the 2-norm.
  public func reciprocalCondition() -> Double? {
    guard let first = singularValues.first, first > 0 else { return singularValues.isEmpty ? nil : 0 }
    return singularValues[singularValues.count - 1] / first
  }
}
