import CSuiteSparse
import Synchronization

/// P A Q = L U of a sparse square matrix by KLU: block triangular form, then in each block a fill-reducing order (approximate
/// minimum degree) and Gilbert and Peierls' left-looking elimination with partial pivoting.
///
/// The symbolic analysis belongs to the pattern and is reused for other values.
public final class SparseLUFactorization: Factorization, @unchecked Sendable {
  private let analysis: KLUAnalysis
  private let matrix: CompressedMatrix
  // KLU solves in memory of the factor: one thread at a time.
  private let state: Mutex<State>

  private struct State: @unchecked Sendable {
    var numeric: UnsafeMutablePointer<klu_numeric>?
    var common: klu_common
  }

  /// - Parameters:
  ///   - matrix: the matrix.
  ///   - minimumReciprocalCondition: matrices below it are refused as nearly singular; estimated where the pivots leave a doubt.
  ///     Zero: no limit.
  /// - Throws: ``LinearAlgebraError`` if the matrix is not square, not finite, structurally singular, singular, or nearly so.
  public init(_ matrix: CompressedMatrix, minimumReciprocalCondition: Double = workingPrecision)
    throws(LinearAlgebraError)
  {
    try requireFinite(matrix.values, "an entry of the sparse matrix")
    let analysis = try matrix.pattern.analysis(KLUAnalysis.self)
    var common = klu_common()
    klu_defaults(&common)
    var numeric: UnsafeMutablePointer<klu_numeric>?
    var values = matrix.values
    if matrix.rows > 0 {
      // The compressed rows of A are the compressed columns of Aᵀ.
      numeric = klu_factor(analysis.offsets, analysis.indices, &values, analysis.symbolic, &common)
      if numeric == nil {
        switch common.status {
        case KLU_SINGULAR:
          throw .singular("the pivot of equation \(common.singular_col) of its LU decomposition is zero")
        case KLU_OUT_OF_MEMORY: throw .argument("there is not enough memory for the LU decomposition")
        default:
          throw .argument(
            "KLU refused the matrix with status \(common.status); its factors may have more than 2³¹ entries")
        }
      }
    }
    self.analysis = analysis
    self.matrix = matrix
    state = Mutex(State(numeric: numeric, common: common))
    if let numeric {
      klu_rcond(analysis.symbolic, numeric, &common)
      if common.rcond < 1e-8 { try requireCondition(minimumReciprocalCondition) }
    }
  }
  deinit {
    state.withLock { if $0.numeric != nil { klu_free_numeric(&$0.numeric, &$0.common) } }
  }

  /// The number of equations.
  public var rows: Int { matrix.rows }
  /// The number of unknowns.
  public var columns: Int { matrix.columns }
  /// Entries of both factors.
  public var factorEntryCount: Int {
    state.withLock { state in state.numeric.map { Int($0.pointee.lnz) + Int($0.pointee.unz) } ?? 0 }
  }

  /// x = A⁻¹ b or A⁻ᵀ b.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) {
    let n = rows
    if n == 0 { return }
    x.update(from: b, count: n * count)
    state.withLock { state in
      _ =
        transposed
        ? klu_solve(analysis.symbolic, state.numeric, Int32(n), Int32(count), x, &state.common)
        : klu_tsolve(analysis.symbolic, state.numeric, Int32(n), Int32(count), x, &state.common)
    }
  }
  /// Estimated in the ∞-norm.
  public func reciprocalCondition() -> Double? {
    if rows == 0 { return nil }
    return state.withLock { state in
      var values = matrix.values
      klu_condest(analysis.offsets, &values, analysis.symbolic, state.numeric, &state.common)
      return state.common.condest > 0 ? 1 / state.common.condest : 0
    }
  }
}

/// KLU's view of a pattern.
private final class KLUAnalysis: SparseAnalysis, @unchecked Sendable {
  // KLU takes them as mutable and does not change them.
  let offsets: UnsafeMutablePointer<Int32>
  let indices: UnsafeMutablePointer<Int32>
  private(set) var symbolic: UnsafeMutablePointer<klu_symbolic>?

  init(_ pattern: SparsityPattern) throws(LinearAlgebraError) {
    offsets = .allocate(capacity: pattern.rowCount + 1)
    indices = .allocate(capacity: max(pattern.entryCount, 1))
    let n = pattern.rowCount
    for row in 0...n { offsets[row] = Int32(pattern.rowOffsets[row]) }
    for (k, column) in pattern.columnIndices.enumerated() { indices[k] = Int32(column) }
    guard pattern.columnCount == n else {
      throw .shape("an LU decomposition needs a square matrix, not \(n) x \(pattern.columnCount)")
    }
    if n == 0 { return }
    var common = klu_common()
    klu_defaults(&common)
    symbolic = klu_analyze(Int32(n), offsets, indices, &common)
    guard let symbolic else {
      throw .argument("KLU could not analyse the pattern (status \(common.status))")
    }
    let rank = Int(symbolic.pointee.structural_rank)
    if rank < n { throw .structurallySingular(rank: rank, size: n) }
  }
  deinit {
    var common = klu_common()
    klu_defaults(&common)
    if symbolic != nil { klu_free_symbolic(&symbolic, &common) }
    offsets.deallocate()
    indices.deallocate()
  }
}
