/// Numbers on a pattern, and products with them.
public struct CompressedMatrix: LinearMap {
  /// Where the entries are.
  public let pattern: SparsityPattern
  /// The entries in the pattern's order.
  public let values: [Double]

  /// The matrix with these entries.
  /// - Throws: ``LinearAlgebraError`` if there are not as many numbers as entries.
  public init(_ pattern: SparsityPattern, values: [Double]) throws(LinearAlgebraError) {
    guard values.count == pattern.entryCount else {
      throw .shape("\(values.count) values for a pattern of \(pattern.entryCount) entries")
    }
    self.pattern = pattern
    self.values = values
  }
  /// The matrix with these entries in any order; those at the same place are added.
  /// - Throws: ``LinearAlgebraError`` if an entry lies outside of the matrix.
  public init(
    rowCount: Int, columnCount: Int, entries: [(row: Int, column: Int, value: Double)]
  ) throws(LinearAlgebraError) {
    let (pattern, places) = try SparsityPattern.coordinates(
      rowCount: rowCount, columnCount: columnCount, rows: entries.map(\.row), columns: entries.map(\.column))
    var values = [Double](repeating: 0, count: pattern.entryCount)
    for (place, entry) in zip(places, entries) { values[place] += entry.value }
    try self.init(pattern, values: values)
  }

  /// Number of rows.
  public var rows: Int { pattern.rowCount }
  /// Number of columns.
  public var columns: Int { pattern.columnCount }

  /// The transposed matrix.
  public var transposed: CompressedMatrix {
    let (pattern, places) = pattern.transposition
    return CompressedMatrix(unchecked: pattern, places.map { values[$0] })
  }
  private init(unchecked pattern: SparsityPattern, _ values: [Double]) {
    self.pattern = pattern
    self.values = values
  }

  /// y = A x, or y = Aᵀ x.
  public func multiply(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>, transposed: Bool) {
    values.withUnsafeBufferPointer { values in
      guard let base = values.baseAddress else {
        y.update(repeating: 0, count: transposed ? columns : rows)
        return
      }
      pattern.multiply(base, x, into: y, columns: 1, transposed: transposed)
    }
  }
  /// A x.
  /// - Throws: ``LinearAlgebraError`` if the vector has another length.
  public func multiply(_ x: [Double], transposed: Bool = false) throws(LinearAlgebraError) -> [Double] {
    let (length, count) = transposed ? (rows, columns) : (columns, rows)
    guard x.count == length else {
      throw .shape("a vector of \(x.count) numbers does not fit a matrix of \(rows) x \(columns)")
    }
    return [Double](unsafeUninitializedCapacity: count) { buffer, initialized in
      buffer.initialize(repeating: 0)
      initialized = count
      guard let target = buffer.baseAddress, count > 0 else { return }
      x.withUnsafeBufferPointer {
        if let source = $0.baseAddress { multiply(source, into: target, transposed: transposed) }
      }
    }
  }

  /// Throws if an element differs from the one across the diagonal by more than rounding.
  package func requireSymmetric() throws(LinearAlgebraError) {
    guard rows == columns else { throw .shape("a matrix of \(rows) x \(columns) cannot be symmetric") }
    let (turned, places) = pattern.transposition
    let limit = 1e-10 * values.reduce(0) { max($0, $1.magnitude) }
    if turned == pattern {
      let (offsets, indices) = (pattern.rowOffsets, pattern.columnIndices)
      for row in 0..<rows {
        for k in offsets[row]..<offsets[row + 1] where (values[k] - values[places[k]]).magnitude > limit {
          throw .notSymmetric(
            row: row, column: indices[k], difference: (values[k] - values[places[k]]).magnitude)
        }
      }
      return
    }
    for row in 0..<rows {
      for k in pattern.rowOffsets[row]..<pattern.rowOffsets[row + 1] {
        let column = pattern.columnIndices[k]
        let other = pattern.place(row: column, column: row).map { values[$0] } ?? 0
        if (values[k] - other).magnitude > limit {
          throw .notSymmetric(row: row, column: column, difference: (values[k] - other).magnitude)
        }
      }
    }
  }
}

extension SparsityPattern {
  /// Y = A X, or Y = Aᵀ X, for row-major X and Y of so many columns.
  /// - Complexity: O(entries · columns).
  package func multiply(
    _ values: UnsafePointer<Double>, _ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>,
    columns: Int, transposed: Bool
  ) {
    storage.rowOffsets.withUnsafeBufferPointer { offsets in
      storage.compactColumns.withUnsafeBufferPointer { indices in
        if transposed { y.update(repeating: 0, count: columnCount * columns) }
        for row in 0..<rowCount {
          var k = offsets[row]
          let end = offsets[row &+ 1]
          if columns == 1 {
            if transposed {
              let factor = x[row]
              while k < end {
                y[Int(indices[k])] += values[k] * factor
                k = k &+ 1
              }
            } else {
              var sum = 0.0
              while k < end {
                sum += values[k] * x[Int(indices[k])]
                k = k &+ 1
              }
              y[row] = sum
            }
            continue
          }
          let own = transposed ? UnsafePointer(x + row &* columns) : UnsafePointer(y + row &* columns)
          if !transposed { (y + row &* columns).update(repeating: 0, count: columns) }
          while k < end {
            let other = Int(indices[k]) &* columns
            let value = values[k]
            let source = transposed ? own : x + other
            let target = transposed ? y + other : y + row &* columns
            var c = 0
            while c < columns {
              target[c] += value * source[c]
              c = c &+ 1
            }
            k = k &+ 1
          }
        }
      }
    }
  }
  /// For each entry (i, j) the inner product of row i of U and row j of V, both row-major.
  /// - Complexity: O(entries · columns).
  package func sampleProducts(
    _ u: UnsafePointer<Double>, _ v: UnsafePointer<Double>, columns: Int,
    into values: UnsafeMutablePointer<Double>
  ) {
    storage.rowOffsets.withUnsafeBufferPointer { offsets in
      storage.compactColumns.withUnsafeBufferPointer { indices in
        for row in 0..<rowCount {
          let left = u + row &* columns
          var k = offsets[row]
          while k < offsets[row &+ 1] {
            let right = v + Int(indices[k]) &* columns
            var sum = 0.0
            var c = 0
            while c < columns {
              sum += left[c] * right[c]
              c = c &+ 1
            }
            values[k] = sum
            k = k &+ 1
          }
        }
      }
    }
  }
}
