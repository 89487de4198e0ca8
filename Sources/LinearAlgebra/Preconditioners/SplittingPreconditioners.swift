/// Symmetric successive over-relaxation: M = (D/ω + L) · ω/(2 − ω) D⁻¹ · (D/ω + U) for A = L + D + U.
public final class SSORPreconditioner: Preconditioner {
  private let parts: TriangularParts
  private let middle: [Double]

  /// - Parameters:
  ///   - matrix: a square matrix without zeros on its diagonal.
  ///   - relaxation: ω, between zero and two.
  /// - Throws: ``LinearAlgebraError`` if ω is out of range, or an element of the diagonal is missing or zero.
  public init(_ matrix: CompressedMatrix, relaxation: Double = 1) throws(LinearAlgebraError) {
    guard relaxation > 0, relaxation < 2 else {
      throw .argument("the relaxation of SSOR must lie between zero and two, not \(relaxation)")
    }
    var parts = try TriangularParts(matrix, "SSOR")
    let diagonal = parts.diagonal
    if let row = diagonal.firstIndex(of: 0) {
      throw .argument("SSOR divides by the diagonal; element \(row) is zero")
    }
    middle = diagonal.map { $0 * (2 - relaxation) / relaxation }
    parts.upperInverses = diagonal.map { relaxation / $0 }
    parts.lowerInverses = parts.upperInverses
    self.parts = parts
  }
  /// y = M⁻¹ x.
  public func apply(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>, transposed: Bool) {
    y.update(from: x, count: middle.count)
    if transposed {
      parts.solveUpper(y, transposed: true)
      for k in middle.indices { y[k] *= middle[k] }
      parts.solveLower(y, transposed: true)
    } else {
      parts.solveLower(y, transposed: false)
      for k in middle.indices { y[k] *= middle[k] }
      parts.solveUpper(y, transposed: false)
    }
  }
  /// Each half takes the root of the diagonal in the middle.
  public func applyHalf(
    _ half: PreconditionerHalf, _ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>,
    transposed: Bool
  ) throws {
    y.update(from: x, count: middle.count)
    func root() throws {
      for k in middle.indices {
        guard middle[k] > 0 else {
          throw LinearAlgebraError.argument("element \(k) of the diagonal is negative: SSOR cannot be split")
        }
        y[k] *= middle[k].squareRoot()
      }
    }
    switch half {
    case .left:
      if transposed { try root() }
      parts.solveLower(y, transposed: transposed)
      if !transposed { try root() }
    case .right:
      if !transposed { try root() }
      parts.solveUpper(y, transposed: transposed)
      if transposed { try root() }
    }
  }
}

/// ILU(0): L U on the pattern of A, exact at the pattern's places.
public final class IncompleteLUPreconditioner: Preconditioner {
  private let parts: TriangularParts

  /// - Throws: ``LinearAlgebraError`` if the matrix is not square, an element of the diagonal is missing, or a pivot becomes zero.
  public init(_ matrix: CompressedMatrix) throws(LinearAlgebraError) {
    var parts = try TriangularParts(matrix, "ILU(0)")
    let n = matrix.rows
    let (offsets, columns) = (parts.pattern.rowOffsets, parts.pattern.columnIndices)
    var place = [Int](repeating: -1, count: n)
    for i in 0..<n {
      for k in offsets[i]..<offsets[i + 1] { place[columns[k]] = k }
      for k in offsets[i]..<parts.diagonalPlaces[i] {
        let j = columns[k]
        let factor = parts.values[k] / parts.values[parts.diagonalPlaces[j]]
        parts.values[k] = factor
        for l in parts.diagonalPlaces[j] + 1..<offsets[j + 1] where place[columns[l]] >= 0 {
          parts.values[place[columns[l]]] -= factor * parts.values[l]
        }
      }
      for k in offsets[i]..<offsets[i + 1] { place[columns[k]] = -1 }
      let pivot = parts.values[parts.diagonalPlaces[i]]
      guard pivot != 0, pivot.isFinite else {
        throw .argument(
          "pivot \(i) of ILU(0) is \(pivot); use another preconditioner, or reorder the unknowns")
      }
      parts.upperInverses[i] = 1 / pivot
    }
    self.parts = parts
  }
  /// y = U⁻¹ L⁻¹ x, or its transpose.
  public func apply(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>, transposed: Bool) {
    y.update(from: x, count: parts.diagonalPlaces.count)
    if transposed {
      parts.solveUpper(y, transposed: true)
      parts.solveLower(y, transposed: true)
    } else {
      parts.solveLower(y, transposed: false)
      parts.solveUpper(y, transposed: false)
    }
  }
  /// The left half is L, the right one U.
  public func applyHalf(
    _ half: PreconditionerHalf, _ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>,
    transposed: Bool
  ) {
    y.update(from: x, count: parts.diagonalPlaces.count)
    switch half {
    case .left: parts.solveLower(y, transposed: transposed)
    case .right: parts.solveUpper(y, transposed: transposed)
    }
  }
}

/// Incomplete Cholesky: L Lᵀ near a symmetric positive definite A, on the pattern of A's lower half (IC(0)), or with fill that is
/// dropped by size (ICT).
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
  /// - Throws: ``LinearAlgebraError`` if the matrix is not square or symmetric, an element of the diagonal is not positive, or no
  ///   shift up to one helps.
  public init(_ matrix: CompressedMatrix, dropTolerance: Double? = nil) throws(LinearAlgebraError) {
    guard dropTolerance ?? 0 >= 0 else { throw .argument("the drop tolerance must not be negative") }
    try matrix.requireSymmetric()
    let whole = try TriangularParts(matrix, "incomplete Cholesky")
    let diagonal = whole.diagonal
    if let row = diagonal.firstIndex(where: { !($0 > 0) }) {
      throw .notPositiveDefinite("element \(row) of its diagonal is \(diagonal[row])")
    }
    var shift = 0.0
    while true {
      let rows =
        dropTolerance.map { Self.thresholdRows(whole, shift: shift, tolerance: $0) }
        ?? Self.patternRows(whole, shift: shift)
      if let rows {
        self.shift = shift
        parts = rows
        return
      }
      shift = shift == 0 ? 1e-3 : 2 * shift
      if shift > 1.1 {
        throw .notPositiveDefinite(
          "its incomplete Cholesky decomposition fails whatever is added to the diagonal")
      }
    }
  }

  /// Row by row: lᵢₖ = (aᵢₖ − Σ lᵢⱼ lₖⱼ) / lₖₖ on the pattern. Nil if a pivot is not positive.
  private static func patternRows(_ matrix: TriangularParts, shift: Double) -> TriangularParts? {
    let n = matrix.diagonalPlaces.count
    let (offsets, columns) = (matrix.pattern.rowOffsets, matrix.pattern.columnIndices)
    var (lowerOffsets, lowerColumns, values): ([Int], [Int], [Double]) = ([0], [], [])
    lowerColumns.reserveCapacity(matrix.pattern.entryCount / 2 + n)
    values.reserveCapacity(matrix.pattern.entryCount / 2 + n)
    var dense = [Double](repeating: 0, count: n)
    for i in 0..<n {
      let start = lowerColumns.count
      var pivot = matrix.values[matrix.diagonalPlaces[i]] * (1 + shift)
      for place in offsets[i]..<matrix.diagonalPlaces[i] {
        let k = columns[place]
        var sum = matrix.values[place]
        // `dense` holds this row so far; rows of L are short.
        for l in lowerOffsets[k]..<lowerOffsets[k + 1] - 1 { sum -= values[l] * dense[lowerColumns[l]] }
        let entry = sum / values[lowerOffsets[k + 1] - 1]
        dense[k] = entry
        lowerColumns.append(k)
        values.append(entry)
        pivot -= entry * entry
      }
      for l in start..<lowerColumns.count { dense[lowerColumns[l]] = 0 }
      guard pivot > 1e-14 * matrix.values[matrix.diagonalPlaces[i]] else { return nil }
      lowerColumns.append(i)
      values.append(pivot.squareRoot())
      lowerOffsets.append(lowerColumns.count)
    }
    return lower(n, lowerOffsets, lowerColumns, values)
  }

  /// The same with all entries that are large enough. Columns of L are linked to the row that needs them next.
  private static func thresholdRows(_ matrix: TriangularParts, shift: Double, tolerance: Double)
    -> TriangularParts?
  {
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
      let pivot = dense[j]
      defer { for i in support { isSet[i] = false } }
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
