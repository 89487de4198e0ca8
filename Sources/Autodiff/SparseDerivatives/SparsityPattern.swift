// Tells users of derivatives where entries are, and users of solvers as well.
@_exported public import struct LinearAlgebra.SparsityPattern

extension SparsityPattern {
  /// From the ascending columns of each row.
  init(rows: [[Int]], columnCount: Int) {
    var offsets = [0]
    offsets.reserveCapacity(rows.count + 1)
    for row in rows { offsets.append(offsets.last! + row.count) }
    self.init(unchecked: rows.count, columnCount, offsets, Array(rows.joined()))
  }

  /// The entries of this pattern and of another of the same size.
  func union(_ other: SparsityPattern) -> SparsityPattern {
    SparsityPattern(
      rows: (0..<rowCount).map { Set(columns(inRow: $0)).union(other.columns(inRow: $0)).sorted() },
      columnCount: columnCount)
  }
}
