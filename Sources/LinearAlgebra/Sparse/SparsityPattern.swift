import Synchronization

/// Where a sparse matrix has entries, row by row (compressed sparse rows).
///
/// Row `i` has entries in the columns `columnIndices[rowOffsets[i]..<rowOffsets[i + 1]]`, which ascend. A pattern is a value;
/// copies share their memory, and what is derived from it (the transposed pattern, the symbolic analyses of
/// factorisations) is computed once and kept with it.
public struct SparsityPattern: Sendable, Hashable {
  let storage: Storage

  final class Storage: Sendable {
    let rowCount: Int
    let columnCount: Int
    let rowOffsets: [Int]
    let columnIndices: [Int]
    /// Half the memory traffic of products.
    let compactColumns: [Int32]
    private let derived = Mutex(Derived())

    struct Derived: Sendable {
      var transposed: (pattern: SparsityPattern, places: [Int])?
      var analyses: [ObjectIdentifier: any SparseAnalysis] = [:]
      var objects: [ObjectIdentifier: any AnyObject & Sendable] = [:]
    }
    init(_ rowCount: Int, _ columnCount: Int, _ rowOffsets: [Int], _ columnIndices: [Int]) {
      self.rowCount = rowCount
      self.columnCount = columnCount
      self.rowOffsets = rowOffsets
      self.columnIndices = columnIndices
      compactColumns = columnIndices.map { Int32($0) }
    }
    /// What was derived before, or is made now. Two tasks may make it at the same time; either is right.
    func derived<Value>(
      _ known: (Derived) -> Value?, make: () throws(LinearAlgebraError) -> Value,
      keep: (inout Derived, Value) -> Void
    ) throws(LinearAlgebraError) -> Value {
      if let value = derived.withLock({ known($0) }) { return value }
      let value = try make()
      derived.withLock { keep(&$0, value) }
      return value
    }
  }

  /// The pattern with these compressed rows.
  /// - Throws: ``LinearAlgebraError`` if offsets fall or do not cover the entries, columns are out of range, or do not
  ///   ascend within a row.
  public init(rowCount: Int, columnCount: Int, rowOffsets: [Int], columnIndices: [Int])
    throws(LinearAlgebraError)
  {
    try Self.requireSize(rowCount, columnCount, entries: columnIndices.count)
    guard rowOffsets.count == rowCount + 1, rowOffsets[0] == 0, rowOffsets[rowCount] == columnIndices.count
    else {
      throw .shape(
        "\(rowCount) rows need \(rowCount + 1) offsets, from 0 to the number of entries, which is "
          + "\(columnIndices.count)")
    }
    for row in 0..<rowCount {
      guard rowOffsets[row] <= rowOffsets[row + 1], rowOffsets[row + 1] <= columnIndices.count else {
        throw .shape("the offset of row \(row + 1), \(rowOffsets[row + 1]), is out of order")
      }
      var last = -1
      for column in columnIndices[rowOffsets[row]..<rowOffsets[row + 1]] {
        guard column > last, column < columnCount else {
          throw .shape("column \(column) in row \(row): columns must ascend and lie in 0..<\(columnCount)")
        }
        last = column
      }
    }
    self.init(unchecked: rowCount, columnCount, rowOffsets, columnIndices)
  }
  package init(unchecked rowCount: Int, _ columnCount: Int, _ rowOffsets: [Int], _ columnIndices: [Int]) {
    storage = Storage(rowCount, columnCount, rowOffsets, columnIndices)
  }
  private static func requireSize(_ rows: Int, _ columns: Int, entries: Int) throws(LinearAlgebraError) {
    let limit = Int(Int32.max)
    guard rows >= 0, columns >= 0, rows <= limit, columns <= limit, entries <= limit else {
      throw .shape(
        "a sparse matrix of \(rows) x \(columns) with \(entries) entries: each must lie in 0...\(limit)")
    }
  }

  /// The pattern of entries in any order, and for each of them its place in the pattern. Entries that occur several times
  /// share a place.
  /// - Throws: ``LinearAlgebraError`` if an entry lies outside of the matrix.
  /// - Complexity: O(rows + columns + entries).
  public static func coordinates(
    rowCount: Int, columnCount: Int, rows: [Int], columns: [Int]
  ) throws(LinearAlgebraError) -> (pattern: SparsityPattern, places: [Int]) {
    try requireSize(rowCount, columnCount, entries: rows.count)
    guard rows.count == columns.count else {
      throw .shape("\(rows.count) row indices and \(columns.count) column indices")
    }
    for k in rows.indices {
      guard (0..<rowCount).contains(rows[k]), (0..<columnCount).contains(columns[k]) else {
        throw .shape("the entry (\(rows[k]), \(columns[k])) lies outside of \(rowCount) x \(columnCount)")
      }
    }
    // Sorted by column, then, keeping that order, by row.
    let byColumn = countingSort(Array(rows.indices), keys: columns, count: columnCount)
    let order = countingSort(byColumn, keys: rows, count: rowCount)
    var offsets = [Int](repeating: 0, count: rowCount + 1)
    var indices: [Int] = []
    var places = [Int](repeating: 0, count: rows.count)
    var last = (row: -1, column: -1)
    for k in order {
      if last != (rows[k], columns[k]) {
        last = (rows[k], columns[k])
        indices.append(columns[k])
        offsets[rows[k] + 1] += 1
      }
      places[k] = indices.count - 1
    }
    for row in 0..<rowCount { offsets[row + 1] += offsets[row] }
    return (SparsityPattern(unchecked: rowCount, columnCount, offsets, indices), places)
  }
  private static func countingSort(_ items: [Int], keys: [Int], count: Int) -> [Int] {
    var next = [Int](repeating: 0, count: count + 1)
    for item in items { next[keys[item] + 1] += 1 }
    for k in 0..<count { next[k + 1] += next[k] }
    var sorted = [Int](repeating: 0, count: items.count)
    for item in items {
      sorted[next[keys[item]]] = item
      next[keys[item]] += 1
    }
    return sorted
  }
  /// The pattern with these entries, in any order; entries that occur several times count once.
  /// - Throws: ``LinearAlgebraError`` if an entry lies outside of the matrix.
  public init(rowCount: Int, columnCount: Int, entries: [(row: Int, column: Int)]) throws(LinearAlgebraError)
  {
    self = try Self.coordinates(
      rowCount: rowCount, columnCount: columnCount, rows: entries.map(\.row), columns: entries.map(\.column)
    ).pattern
  }
  /// The pattern of a matrix that is stored column by column (compressed sparse columns), and for each of those entries its place
  /// in the pattern.
  /// - Throws: ``LinearAlgebraError`` as for compressed rows.
  public static func compressedColumns(
    rowCount: Int, columnCount: Int, columnOffsets: [Int], rowIndices: [Int]
  ) throws(LinearAlgebraError) -> (pattern: SparsityPattern, places: [Int]) {
    let turned = try SparsityPattern(
      rowCount: columnCount, columnCount: rowCount, rowOffsets: columnOffsets, columnIndices: rowIndices)
    let (pattern, sources) = turned.transposition
    var places = [Int](repeating: 0, count: sources.count)
    for (place, source) in sources.enumerated() { places[source] = place }
    return (pattern, places)
  }

  /// Number of rows.
  public var rowCount: Int { storage.rowCount }
  /// Number of columns.
  public var columnCount: Int { storage.columnCount }
  /// Where each row begins among the entries, and their number: `rowCount + 1` numbers that do not fall.
  public var rowOffsets: [Int] { storage.rowOffsets }
  /// The column of each entry.
  public var columnIndices: [Int] { storage.columnIndices }
  /// Number of entries.
  public var entryCount: Int { storage.columnIndices.count }
  /// The columns in which a row has entries.
  public func columns(inRow row: Int) -> ArraySlice<Int> {
    storage.columnIndices[storage.rowOffsets[row]..<storage.rowOffsets[row + 1]]
  }
  /// The row of each entry.
  public var rowIndices: [Int] {
    var rows: [Int] = []
    rows.reserveCapacity(entryCount)
    for row in 0..<rowCount {
      rows.append(contentsOf: repeatElement(row, count: rowOffsets[row + 1] - rowOffsets[row]))
    }
    return rows
  }
  /// The place of an entry among all; nil if there is none.
  /// - Complexity: O(log n) for n entries in the row.
  public func place(row: Int, column: Int) -> Int? {
    guard (0..<rowCount).contains(row) else { return nil }
    let (offsets, indices) = (storage.rowOffsets, storage.columnIndices)
    var (low, high) = (offsets[row], offsets[row + 1])
    while low < high {
      let middle = (low + high) / 2
      if indices[middle] < column { low = middle + 1 } else { high = middle }
    }
    return low < offsets[row + 1] && indices[low] == column ? low : nil
  }
  /// The pattern of the transposed matrix.
  public var transposed: SparsityPattern { transposition.pattern }
  /// The pattern of the transposed matrix, and the place that each of its entries has in this one.
  /// - Complexity: O(rows + columns + entries) the first time.
  public var transposition: (pattern: SparsityPattern, places: [Int]) {
    // The closures cannot fail.
    try! storage.derived({ $0.transposed }, make: { makeTransposition() }, keep: { $0.transposed = $1 })
  }
  private func makeTransposition() -> (pattern: SparsityPattern, places: [Int]) {
    var next = [Int](repeating: 0, count: columnCount + 1)
    for column in columnIndices { next[column + 1] += 1 }
    for column in 0..<columnCount { next[column + 1] += next[column] }
    let offsets = next
    var rows = [Int](repeating: 0, count: entryCount)
    var places = rows
    for row in 0..<rowCount {
      for place in rowOffsets[row]..<rowOffsets[row + 1] {
        let column = columnIndices[place]
        rows[next[column]] = row
        places[next[column]] = place
        next[column] += 1
      }
    }
    return (SparsityPattern(unchecked: columnCount, rowCount, offsets, rows), places)
  }
  /// True if the matrix is square and has an entry (j, i) for each entry (i, j).
  public var isSymmetric: Bool { rowCount == columnCount && transposed == self }

  /// True if both have the same size and entries.
  public static func == (a: SparsityPattern, b: SparsityPattern) -> Bool {
    if a.storage === b.storage { return true }
    return a.rowCount == b.rowCount && a.columnCount == b.columnCount && a.rowOffsets == b.rowOffsets
      && a.columnIndices == b.columnIndices
  }
  /// By size and number of entries: patterns are long.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(rowCount)
    hasher.combine(columnCount)
    hasher.combine(entryCount)
  }
}

/// What a factorisation finds out about a pattern before it sees values.
protocol SparseAnalysis: AnyObject, Sendable {
  init(_ pattern: SparsityPattern) throws(LinearAlgebraError)
}
extension SparsityPattern {
  /// The analysis of a kind, made once.
  func analysis<Analysis: SparseAnalysis>(_ type: Analysis.Type) throws(LinearAlgebraError) -> Analysis {
    let key = ObjectIdentifier(type)
    return try storage.derived(
      { $0.analyses[key] as? Analysis }, make: { () throws(LinearAlgebraError) in try Analysis(self) },
      keep: { $0.analyses[key] = $1 })
  }
  /// What other modules find out about a pattern: of each type the object that was made last if it is `isCurrent`, or a new one, which is kept
  /// with the pattern and must not hold it.
  package func derived<Object: AnyObject & Sendable>(
    isCurrent: (Object) -> Bool, make: () throws(LinearAlgebraError) -> Object
  ) throws(LinearAlgebraError) -> Object {
    let key = ObjectIdentifier(Object.self)
    return try storage.derived(
      { known in (known.objects[key] as? Object).flatMap { isCurrent($0) ? $0 : nil } }, make: make,
      keep: { $0.objects[key] = $1 })
  }
}
