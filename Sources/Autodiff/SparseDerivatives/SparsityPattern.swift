/// Where a sparse matrix has entries, row by row (compressed sparse rows).
///
/// Row `i` has entries in the columns `columnIndices[rowOffsets[i]..<rowOffsets[i + 1]]`, which ascend.
public struct SparsityPattern: Sendable, Hashable {
  /// Number of rows.
  public let rowCount: Int
  /// Number of columns.
  public let columnCount: Int
  /// Where each row begins among the entries, and their number: `rowCount + 1` numbers that do not fall.
  public let rowOffsets: [Int]
  /// The column of each entry.
  public let columnIndices: [Int]

  /// The pattern with these compressed rows.
  /// - Throws: ``TensorError`` with reason ``TensorError/Reason/format`` if offsets fall or do not cover the entries, columns
  ///   are out of range, or do not ascend within a row.
  public init(rowCount: Int, columnCount: Int, rowOffsets: [Int], columnIndices: [Int]) throws(TensorError) {
    func fail(_ message: String) -> TensorError { TensorError(.format, "SparsityPattern", message) }
    guard rowCount >= 0, columnCount >= 0 else { throw fail("\(rowCount) rows and \(columnCount) columns") }
    guard rowOffsets.count == rowCount + 1, rowOffsets[0] == 0, rowOffsets[rowCount] == columnIndices.count
    else {
      throw fail(
        "\(rowCount) rows need \(rowCount + 1) offsets, from 0 to the number of entries, which is \(columnIndices.count)"
      )
    }
    for row in 0..<rowCount {
      guard rowOffsets[row] <= rowOffsets[row + 1], rowOffsets[row + 1] <= columnIndices.count else {
        throw fail("the offset of row \(row + 1), \(rowOffsets[row + 1]), is out of order")
      }
      var last = -1
      for column in columnIndices[rowOffsets[row]..<rowOffsets[row + 1]] {
        guard column > last, column < columnCount else {
          throw fail("column \(column) in row \(row): columns must ascend and lie in 0..<\(columnCount)")
        }
        last = column
      }
    }
    self.init(unchecked: rowCount, columnCount, rowOffsets, columnIndices)
  }
  init(unchecked rowCount: Int, _ columnCount: Int, _ rowOffsets: [Int], _ columnIndices: [Int]) {
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.rowOffsets = rowOffsets
    self.columnIndices = columnIndices
  }

  /// The pattern with these entries, in any order; entries that occur several times count once.
  /// - Throws: ``TensorError`` with reason ``TensorError/Reason/range`` if an entry lies outside of the matrix.
  public init(rowCount: Int, columnCount: Int, entries: [(row: Int, column: Int)]) throws(TensorError) {
    guard rowCount >= 0, columnCount >= 0 else {
      throw TensorError(.format, "SparsityPattern", "\(rowCount) rows and \(columnCount) columns")
    }
    var rows = [[Int]](repeating: [], count: rowCount)
    for (row, column) in entries {
      guard (0..<rowCount).contains(row), (0..<columnCount).contains(column) else {
        throw TensorError(
          .range, "SparsityPattern",
          "the entry (\(row), \(column)) lies outside of \(rowCount) x \(columnCount)")
      }
      rows[row].append(column)
    }
    self.init(rows: rows.map { Set($0).sorted() }, columnCount: columnCount)
  }
  /// From the ascending columns of each row.
  init(rows: [[Int]], columnCount: Int) {
    var offsets = [0]
    offsets.reserveCapacity(rows.count + 1)
    for row in rows { offsets.append(offsets.last! + row.count) }
    self.init(unchecked: rows.count, columnCount, offsets, Array(rows.joined()))
  }

  /// Number of entries.
  public var entryCount: Int { columnIndices.count }
  /// The columns in which a row has entries.
  public func columns(inRow row: Int) -> ArraySlice<Int> {
    columnIndices[rowOffsets[row]..<rowOffsets[row + 1]]
  }
  /// The place of an entry among all; nil if there is none.
  /// - Complexity: O(log n) for n entries in the row.
  public func place(row: Int, column: Int) -> Int? {
    guard (0..<rowCount).contains(row) else { return nil }
    var (low, high) = (rowOffsets[row], rowOffsets[row + 1])
    while low < high {
      let middle = (low + high) / 2
      if columnIndices[middle] < column { low = middle + 1 } else { high = middle }
    }
    return low < rowOffsets[row + 1] && columnIndices[low] == column ? low : nil
  }
  /// The row of each entry.
  public var rowIndices: [Int] {
    (0..<rowCount).flatMap { [Int](repeating: $0, count: rowOffsets[$0 + 1] - rowOffsets[$0]) }
  }
  /// The pattern of the transposed matrix.
  /// - Complexity: O(rows + columns + entries).
  public var transposed: SparsityPattern {
    var offsets = [Int](repeating: 0, count: columnCount + 1)
    for column in columnIndices { offsets[column + 1] += 1 }
    for column in 0..<columnCount { offsets[column + 1] += offsets[column] }
    var next = offsets
    var rows = [Int](repeating: 0, count: entryCount)
    for row in 0..<rowCount {
      for column in columns(inRow: row) {
        rows[next[column]] = row
        next[column] += 1
      }
    }
    return SparsityPattern(unchecked: columnCount, rowCount, offsets, rows)
  }
  /// True if the matrix is square and has an entry (j, i) for each entry (i, j).
  public var isSymmetric: Bool { rowCount == columnCount && transposed == self }

  /// The entries of this pattern and of another of the same size.
  func union(_ other: SparsityPattern) -> SparsityPattern {
    SparsityPattern(
      rows: (0..<rowCount).map { Set(columns(inRow: $0)).union(other.columns(inRow: $0)).sorted() },
      columnCount: columnCount)
  }
}
