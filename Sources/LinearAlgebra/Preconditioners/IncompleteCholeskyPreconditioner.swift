/// Incomplete Cholesky: L Lᵀ near a symmetric positive definite A, on the pattern of A's lower half (IC(0)), or with fill that is
/// dropped by size (ICT).
///
/// Modified (MIC, Gustafsson 1978), what is dropped moves to the diagonal, so that L Lᵀ has the row sums of A. Of discretised
/// differential equations of second order the condition then grows with the number of unknowns along an axis, and not with its
/// square. The convergence on smooth right-hand sides gains most.
///
/// Where a pivot fails, the diagonal is raised and the decomposition starts again (Manteuffel 1980).
public final class IncompleteCholeskyPreconditioner: Preconditioner {
  private let parts: TriangularParts
  /// The fraction by which the diagonal was raised; zero if that was not necessary.
  public let shift: Double
  /// Entries of L.
  public var factorEntryCount: Int { parts.pattern.entryCount }

  /// - Parameters:
  ///   - matrix: a symmetric matrix, with both of its halves.
  ///   - dropTolerance: entries of L's row below this fraction of the norm of A's row are dropped; without it L has the pattern of
  ///     A.
  ///   - modification: the fraction, in 0...1, of what is dropped that is added to the diagonal.
  /// - Throws: ``LinearAlgebraError`` if the matrix is not square or symmetric, an element of the diagonal is not positive, or no
  ///   shift up to one helps.
  public init(_ matrix: CompressedMatrix, dropTolerance: Double? = nil, modification: Double = 0)
    throws(LinearAlgebraError)
  {
    guard dropTolerance ?? 0 >= 0 else { throw .argument("the drop tolerance must not be negative") }
    guard (0...1).contains(modification) else {
      throw .argument(
        "the modification of an incomplete Cholesky decomposition is \(modification), not in 0...1")
    }
    try matrix.requireSymmetric()
    let whole = try TriangularParts(matrix, "incomplete Cholesky")
    let diagonal = whole.diagonal
    if let row = diagonal.firstIndex(where: { !($0 > 0) }) {
      throw .notPositiveDefinite("element \(row) of its diagonal is \(diagonal[row])")
    }
    var shift = 0.0
    while true {
      let rows =
        dropTolerance.map {
          Self.thresholdRows(whole, shift: shift, tolerance: $0, modification: modification)
        } ?? Self.patternRows(whole, shift: shift, modification: modification)
      if let rows {
        self.shift = shift
        parts = rows
        return
      }
      shift = shift == 0 ? 1e-3 : 2 * shift
      if shift > 1.1 {
        if modification > 0 {
          _ = try IncompleteCholeskyPreconditioner(matrix, dropTolerance: dropTolerance)
          throw .argument(
            "the modified incomplete Cholesky decomposition fails: row sums are too far below zero; scale the unknowns, or take a modification of 0"
          )
        }
        throw .notPositiveDefinite(
          "its incomplete Cholesky decomposition fails whatever is added to the diagonal")
      }
    }
  }

  /// Column k of L is what is left of row k, divided by the root of its pivot; its products leave the rows that follow, on the pattern,
  /// and where they are not on it a fraction of them the diagonals of their row and column. Nil if a pivot is not positive.
  private static func patternRows(_ matrix: TriangularParts, shift: Double, modification: Double)
    -> TriangularParts?
  {
    let n = matrix.diagonalPlaces.count
    let (offsets, columns) = (matrix.pattern.rowOffsets, matrix.pattern.columnIndices)
    let diagonals = matrix.diagonalPlaces
    var upper = matrix.values
    for place in diagonals { upper[place] *= 1 + shift }
    // Where row j has column i; -1: nowhere.
    var place = [Int](repeating: -1, count: n)
    for k in 0..<n {
      let pivot = upper[diagonals[k]]
      guard pivot > 1e-14 * matrix.values[diagonals[k]] else { return nil }
      let root = pivot.squareRoot()
      upper[diagonals[k]] = root
      let entries = diagonals[k] + 1..<offsets[k + 1]
      for entry in entries { upper[entry] /= root }
      for first in entries {
        let j = columns[first]
        for entry in diagonals[j]..<offsets[j + 1] { place[columns[entry]] = entry }
        upper[diagonals[j]] -= upper[first] * upper[first]
        for second in first + 1..<entries.upperBound {
          let i = columns[second]
          let product = upper[first] * upper[second]
          if place[i] >= 0 {
            upper[place[i]] -= product
          } else {
            upper[diagonals[i]] -= modification * product
            upper[diagonals[j]] -= modification * product
          }
        }
        for entry in diagonals[j]..<offsets[j + 1] { place[columns[entry]] = -1 }
      }
    }
    // By rows of L.
    // A zero may stand in one half alone.
    var lowerOffsets = [Int](repeating: 0, count: n + 1)
    for k in 0..<n { for entry in diagonals[k]..<offsets[k + 1] { lowerOffsets[columns[entry] + 1] += 1 } }
    for i in 0..<n { lowerOffsets[i + 1] += lowerOffsets[i] }
    var next = lowerOffsets
    var lowerColumns = [Int](repeating: 0, count: lowerOffsets[n])
    var values = [Double](repeating: 0, count: lowerOffsets[n])
    for k in 0..<n {
      for entry in diagonals[k]..<offsets[k + 1] {
        let i = columns[entry]
        lowerColumns[next[i]] = k
        values[next[i]] = upper[entry]
        next[i] += 1
      }
    }
    return lower(n, lowerOffsets, lowerColumns, values)
  }

  /// The same with all entries that are large enough. Columns of L are linked to the row that needs them next.
  private static func thresholdRows(
    _ matrix: TriangularParts, shift: Double, tolerance: Double, modification: Double
  ) -> TriangularParts? {
    let n = matrix.diagonalPlaces.count
    let (offsets, columns) = (matrix.pattern.rowOffsets, matrix.pattern.columnIndices)
    // L by columns while it grows: column k's entries below the diagonal.
    var rowsOfColumn = [[Int]](repeating: [], count: n)
    var valuesOfColumn = [[Double]](repeating: [], count: n)
    var pivots = [Double](repeating: 0, count: n)
    var next = [Int](repeating: 0, count: n)
    var waiting = [[Int]](repeating: [], count: n)
    var dense = [Double](repeating: 0, count: n)
    var isSet = [Bool](repeating: false, count: n)
    // What was dropped, and moves to the diagonal.
    var moved = [Double](repeating: 0, count: n)
    for j in 0..<n {
      var support: [Int] = []
      var size = 0.0
      for place in offsets[j]..<offsets[j + 1] {
        size += matrix.values[place] * matrix.values[place]
        let i = columns[place]
        if i < j { continue }
        dense[i] = matrix.values[place] * (i == j ? 1 + shift : 1)
        isSet[i] = true
        support.append(i)
      }
      size = size.squareRoot()
      for k in waiting[j] {
        let factor = valuesOfColumn[k][next[k]]
        for l in next[k]..<rowsOfColumn[k].count {
          let i = rowsOfColumn[k][l]
          if !isSet[i] {
            isSet[i] = true
            dense[i] = 0
            support.append(i)
          }
          dense[i] -= factor * valuesOfColumn[k][l]
        }
        next[k] += 1
        if next[k] < rowsOfColumn[k].count { waiting[rowsOfColumn[k][next[k]]].append(k) }
      }
      waiting[j] = []
      defer { for i in support { isSet[i] = false } }
      if modification > 0 {
        for i in support where i > j && dense[i].magnitude <= tolerance * size {
          moved[i] += modification * dense[i]
          moved[j] += modification * dense[i]
        }
      }
      let pivot = dense[j] + moved[j]
      guard pivot > 1e-14 * matrix.values[matrix.diagonalPlaces[j]] else { return nil }
      let root = pivot.squareRoot()
      pivots[j] = root
      for i in support.sorted() where i > j && dense[i].magnitude > tolerance * size {
        rowsOfColumn[j].append(i)
        valuesOfColumn[j].append(dense[i] / root)
      }
      if let first = rowsOfColumn[j].first { waiting[first].append(j) }
    }
    // By rows.
    var counts = [Int](repeating: 1, count: n)
    for column in rowsOfColumn { for i in column { counts[i] += 1 } }
    var lowerOffsets = [0]
    for count in counts { lowerOffsets.append(lowerOffsets.last! + count) }
    var place = lowerOffsets
    var lowerColumns = [Int](repeating: 0, count: lowerOffsets[n])
    var values = [Double](repeating: 0, count: lowerOffsets[n])
    for j in 0..<n {
      lowerColumns[lowerOffsets[j + 1] - 1] = j
      values[lowerOffsets[j + 1] - 1] = pivots[j]
      for (i, value) in zip(rowsOfColumn[j], valuesOfColumn[j]) {
        lowerColumns[place[i]] = j
        values[place[i]] = value
        place[i] += 1
      }
    }
    return lower(n, lowerOffsets, lowerColumns, values)
  }
  private static func lower(_ n: Int, _ offsets: [Int], _ columns: [Int], _ values: [Double])
    -> TriangularParts
  {
    TriangularParts(
      lower: SparsityPattern(unchecked: n, n, offsets, columns), values,
      diagonal: (0..<n).map { values[offsets[$0 + 1] - 1] })
  }

  /// y = L⁻ᵀ L⁻¹ x.
  public func apply(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>, transposed: Bool) {
    y.update(from: x, count: parts.diagonalPlaces.count)
    parts.solveLower(y, transposed: false)
    parts.solveLower(y, transposed: true)
  }
  /// The left half is L, the right one Lᵀ.
  public func applyHalf(
    _ half: PreconditionerHalf, _ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>,
    transposed: Bool
  ) {
    y.update(from: x, count: parts.diagonalPlaces.count)
    parts.solveLower(y, transposed: (half == .right) != transposed)
  }
}

extension TriangularParts {
  /// A lower triangular matrix whose rows end with the diagonal.
  fileprivate init(lower pattern: SparsityPattern, _ values: [Double], diagonal: [Double]) {
    self.pattern = pattern
    self.values = values
    diagonalPlaces = (0..<diagonal.count).map { pattern.rowOffsets[$0 + 1] - 1 }
    upperInverses = diagonal.map { 1 / $0 }
    lowerInverses = upperInverses
  }
}
