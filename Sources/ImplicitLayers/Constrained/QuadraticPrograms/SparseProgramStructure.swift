import LinearAlgebra

/// Where sparse programs have entries, and what follows from it. Programs of one structure share it, whichever thread they are solved on.
struct SparseProgramStructure: Hashable, Sendable {
  /// Of Q, both halves.
  let quadratic: SparsityPattern
  let analysis: SparseProgramAnalysis

  /// Of C: the equations, then the rows with two sides.
  var rows: SparsityPattern { analysis.rows }

  /// The structure of these patterns. The analysis is kept with that of Q: another call with it makes none unless the other two have changed.
  /// - Parameters:
  ///   - quadratic: the pattern of Q, n x n and symmetric.
  ///   - equalities: of A, p x n.
  ///   - inequalities: of G, m x n.
  init(
    quadratic: SparsityPattern, equalities: SparsityPattern, inequalities: SparsityPattern
  ) throws(LinearAlgebraError) {
    self.quadratic = quadratic
    analysis = try quadratic.derived(
      isCurrent: { $0.isOf(equalities, inequalities) },
      make: { () throws(LinearAlgebraError) in
        try SparseProgramAnalysis(quadratic, equalities: equalities, inequalities: inequalities)
      })
  }

  static func == (a: Self, b: Self) -> Bool {
    a.quadratic == b.quadratic
      && (a.analysis === b.analysis
        || (a.analysis.equalityCount == b.analysis.equalityCount && a.rows == b.rows))
  }
  func hash(into hasher: inout Hasher) {
    hasher.combine(quadratic)
    hasher.combine(rows)
  }
}

/// Where the entries of programs go in the system [Q + diag, Cᵀ; C, −1/w], and through that system's pattern the order of elimination.
final class SparseProgramAnalysis: Sendable {
  let rows: SparsityPattern
  let equalityCount: Int
  /// Of the whole system.
  let system: SparsityPattern
  /// Where the entries of Q, the two of each entry of C, and the diagonal lie in the system.
  let quadraticPlaces: [Int]
  let rowPlaces: [(Int, Int)]
  let diagonalPlaces: [Int]
  /// For each entry of Q the one across the diagonal; itself where there is none, as may be for zeros.
  let opposites: [Int]

  fileprivate init(
    _ quadratic: SparsityPattern, equalities: SparsityPattern, inequalities: SparsityPattern
  ) throws(LinearAlgebraError) {
    let first = equalities.entryCount
    rows = try SparsityPattern(
      rowCount: equalities.rowCount + inequalities.rowCount, columnCount: quadratic.columnCount,
      rowOffsets: equalities.rowOffsets + inequalities.rowOffsets.dropFirst().map { $0 + first },
      columnIndices: equalities.columnIndices + inequalities.columnIndices)
    equalityCount = equalities.rowCount
    let (n, m) = (quadratic.rowCount, rows.rowCount)
    let above = rows.rowIndices.map { $0 + n }
    let diagonal = Array(0..<n + m)
    let (system, places) = try SparsityPattern.coordinates(
      rowCount: n + m, columnCount: n + m,
      rows: quadratic.rowIndices + above + rows.columnIndices + diagonal,
      columns: quadratic.columnIndices + rows.columnIndices + above + diagonal)
    if quadratic.isSymmetric {
      opposites = quadratic.transposition.places
    } else {
      opposites = zip(quadratic.rowIndices, quadratic.columnIndices).enumerated().map { place, entry in
        quadratic.place(row: entry.1, column: entry.0) ?? place
      }
    }
    let (q, c) = (quadratic.entryCount, rows.entryCount)
    self.system = system
    quadraticPlaces = Array(places[..<q])
    rowPlaces = (0..<c).map { (places[q + $0], places[q + c + $0]) }
    diagonalPlaces = Array(places[(q + 2 * c)...])
  }

  fileprivate func isOf(_ equalities: SparsityPattern, _ inequalities: SparsityPattern) -> Bool {
    let (p, first) = (equalities.rowCount, equalities.entryCount)
    return equalityCount == p && rows.rowCount == p + inequalities.rowCount
      && rows.entryCount == first + inequalities.entryCount
      && rows.columnIndices[..<first] == equalities.columnIndices[...]
      && rows.columnIndices[first...] == inequalities.columnIndices[...]
      && rows.rowOffsets[...p] == equalities.rowOffsets[...]
      && zip(rows.rowOffsets[p...], inequalities.rowOffsets).allSatisfy { $0 == $1 + first }
  }
}
