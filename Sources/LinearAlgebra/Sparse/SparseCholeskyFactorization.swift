import CSuiteSparse

/// P A Pᵀ = L D Lᵀ of a sparse symmetric positive definite matrix, row by row ("up-looking"; T. Davis, Direct Methods for Sparse
/// Linear Systems, chapter 4), in an order of approximate minimum degree.
///
/// The symbolic analysis (order, elimination tree, entries of each column) belongs to the pattern and is reused for other values.
public final class SparseCholeskyFactorization: Factorization, @unchecked Sendable {
  private let analysis: CholeskyAnalysis
  private let rowsOfL: UnsafeMutablePointer<Int32>
  private let values: NumberBuffer
  private let diagonal: NumberBuffer
  private let norm: Double

  /// - Parameters:
  ///   - matrix: the matrix, with both of its halves.
  ///   - minimumReciprocalCondition: matrices below it are refused as nearly singular; estimated where the pivots leave a doubt.
  ///     Zero: no limit.
  /// - Throws: ``LinearAlgebraError`` if the matrix is not symmetric, not finite, not positive definite, or nearly singular.
  public init(_ matrix: CompressedMatrix, minimumReciprocalCondition: Double = workingPrecision)
    throws(LinearAlgebraError)
  {
    try requireFinite(matrix.values, "an entry of the sparse matrix")
    try matrix.requireSymmetric()
    let analysis = try matrix.pattern.analysis(CholeskyAnalysis.self)
    self.analysis = analysis
    let n = analysis.size
    rowsOfL = .allocate(capacity: max(analysis.factorEntries, 1))
    values = NumberBuffer(count: analysis.factorEntries)
    diagonal = NumberBuffer(zeros: n)
    var norm = 0.0
    for row in 0..<n {
      norm = max(
        norm,
        matrix.values[matrix.pattern.rowOffsets[row]..<matrix.pattern.rowOffsets[row + 1]].reduce(0) {
          $0 + $1.magnitude
        })
    }
    self.norm = norm
    let failed = factorize(matrix.values)
    if let failed {
      throw .notPositiveDefinite("the pivot of row \(analysis.order[failed]) is \(diagonal.base[failed])")
    }
    var (least, most) = (Double.infinity, 0.0)
    for k in 0..<n {
      least = min(least, diagonal.base[k])
      most = max(most, diagonal.base[k])
    }
    if n > 0, least < 1e-8 * most { try requireCondition(minimumReciprocalCondition) }
  }
  deinit { rowsOfL.deallocate() }

  /// Computes L and D; the number of the first pivot that is not positive, if there is one.
  private func factorize(_ entries: [Double]) -> Int? {
    let n = analysis.size
    let (l, lx, d) = (rowsOfL, values.base, diagonal.base)
    let next = UnsafeMutablePointer<Int>.allocate(capacity: max(n, 1))
    let work = NumberBuffer(zeros: n)
    let y = work.base
    defer {
      next.deallocate()
      withExtendedLifetime(work) {}
    }
    for k in 0..<n { next[k] = analysis.columnOffsets[k] }
    return entries.withUnsafeBufferPointer { a in
      analysis.withPointers { p -> Int? in
        var reach = [Int32](repeating: 0, count: n)
        var mark = [Int32](repeating: -1, count: n)
        return reach.withUnsafeMutableBufferPointer { stack in
          mark.withUnsafeMutableBufferPointer { flag -> Int? in
            for k in 0..<n {
              // Row k of L has entries at the nodes between those of row k of A and k in the elimination tree.
              var top = n
              flag[k] = Int32(k)
              var pivot = 0.0
              for place in p.upperOffsets[k]..<p.upperOffsets[k + 1] {
                var i = Int(p.upperRows[place])
                let value = a[p.upperSources[place]]
                if i == k {
                  pivot += value
                  continue
                }
                y[i] += value
                var length = 0
                while flag[i] != Int32(k) {
                  stack[length] = Int32(i)
                  length += 1
                  flag[i] = Int32(k)
                  i = Int(p.parent[i])
                }
                while length > 0 {
                  top -= 1
                  length -= 1
                  stack[top] = stack[length]
                }
              }
              while top < n {
                let i = Int(stack[top])
                top += 1
                let yi = y[i]
                y[i] = 0
                var place = p.columnOffsets[i]
                let end = next[i]
                while place < end {
                  y[Int(l[place])] -= lx[place] * yi
                  place = place &+ 1
                }
                let entry = yi / d[i]
                pivot -= entry * yi
                l[end] = Int32(k)
                lx[end] = entry
                next[i] = end &+ 1
              }
              d[k] = pivot
              if !(pivot > 0) { return k }
            }
            return nil
          }
        }
      }
    }
  }

  /// The number of equations.
  public var rows: Int { analysis.size }
  /// The number of unknowns.
  public var columns: Int { analysis.size }
  /// Entries of L below its diagonal.
  public var factorEntryCount: Int { analysis.factorEntries }

  /// x = A⁻¹ b.
  public func solve(
    _ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>, count: Int, transposed: Bool
  ) {
    let n = rows
    let work = NumberBuffer(count: n)
    let y = work.base
    let (l, lx, d) = (rowsOfL, values.base, diagonal.base)
    analysis.withPointers { p in
      for c in 0..<count {
        let (source, target) = (b + c * n, x + c * n)
        for k in 0..<n { y[k] = source[Int(p.order[k])] }
        for j in 0..<n {
          let factor = y[j]
          var place = p.columnOffsets[j]
          let end = p.columnOffsets[j + 1]
          while place < end {
            y[Int(l[place])] -= lx[place] * factor
            place = place &+ 1
          }
        }
        for j in 0..<n { y[j] /= d[j] }
        for j in (0..<n).reversed() {
          var sum = y[j]
          var place = p.columnOffsets[j]
          let end = p.columnOffsets[j + 1]
          while place < end {
            sum -= lx[place] * y[Int(l[place])]
            place = place &+ 1
          }
          y[j] = sum
        }
        for k in 0..<n { target[Int(p.order[k])] = y[k] }
      }
    }
    withExtendedLifetime(work) {}
  }
  /// Estimated in the 1-norm, by Hager's method.
  public func reciprocalCondition() -> Double? {
    let n = rows
    if n == 0 { return nil }
    let inverse = estimatedOneNorm(size: n) { solve($0, into: $1, count: 1, transposed: $2) }
    return norm > 0 && inverse.isFinite ? 1 / (norm * inverse) : 0
  }
}

/// Order, elimination tree and counts of a symmetric pattern.
final class CholeskyAnalysis: SparseAnalysis {
  let size: Int
  /// The matrix' row that is row k of the permuted one.
  let order: [Int32]
  let parent: [Int32]
  /// Where the columns of L begin.
  let columnOffsets: [Int]
  let factorEntries: Int
  /// The upper half of the permuted matrix, column by column: rows, and places in the matrix' values.
  private let upperOffsets: [Int]
  private let upperRows: [Int32]
  private let upperSources: [Int]

  struct Pointers {
    var order: UnsafeBufferPointer<Int32>
    var parent: UnsafeBufferPointer<Int32>
    var columnOffsets: UnsafeBufferPointer<Int>
    var upperOffsets: UnsafeBufferPointer<Int>
    var upperRows: UnsafeBufferPointer<Int32>
    var upperSources: UnsafeBufferPointer<Int>
  }
  func withPointers<Result>(_ body: (Pointers) -> Result) -> Result {
    order.withUnsafeBufferPointer { order in
      parent.withUnsafeBufferPointer { parent in
        columnOffsets.withUnsafeBufferPointer { columnOffsets in
          upperOffsets.withUnsafeBufferPointer { upperOffsets in
            upperRows.withUnsafeBufferPointer { upperRows in
              upperSources.withUnsafeBufferPointer { upperSources in
                body(
                  Pointers(
                    order: order, parent: parent, columnOffsets: columnOffsets, upperOffsets: upperOffsets,
                    upperRows: upperRows, upperSources: upperSources))
              }
            }
          }
        }
      }
    }
  }

  init(_ pattern: SparsityPattern) throws(LinearAlgebraError) {
    let n = pattern.rowCount
    guard pattern.columnCount == n else {
      throw .shape("a Cholesky decomposition needs a square matrix, not \(n) x \(pattern.columnCount)")
    }
    size = n
    var order = [Int32](repeating: 0, count: n)
    if n > 0 {
      let offsets = pattern.rowOffsets.map { Int32($0) }
      let status = amd_order(Int32(n), offsets, pattern.storage.compactColumns, &order, nil, nil)
      guard status >= AMD_OK else { throw .argument("AMD could not order the pattern (status \(status))") }
    }
    self.order = order
    var inverse = [Int](repeating: 0, count: n)
    for (k, row) in order.enumerated() { inverse[Int(row)] = k }
    // Column k of the upper half holds the entries whose larger permuted index is k and that lie in the row of it.
    var upperOffsets = [0]
    var rows: [Int32] = []
    var sources: [Int] = []
    rows.reserveCapacity(pattern.entryCount / 2 + n)
    sources.reserveCapacity(pattern.entryCount / 2 + n)
    let (rowOffsets, columnIndices) = (pattern.rowOffsets, pattern.columnIndices)
    for k in 0..<n {
      let row = Int(order[k])
      for place in rowOffsets[row]..<rowOffsets[row + 1] {
        let i = inverse[columnIndices[place]]
        if i <= k {
          rows.append(Int32(i))
          sources.append(place)
        }
      }
      upperOffsets.append(rows.count)
    }
    // The elimination tree, and by walking each row's subtree the number of entries in each column.
    var parent = [Int32](repeating: -1, count: n)
    var counts = [Int](repeating: 0, count: n)
    var flag = [Int](repeating: -1, count: n)
    for k in 0..<n {
      flag[k] = k
      for place in upperOffsets[k]..<upperOffsets[k + 1] {
        var i = Int(rows[place])
        while flag[i] != k {
          if parent[i] < 0 { parent[i] = Int32(k) }
          counts[i] += 1
          flag[i] = k
          i = Int(parent[i])
        }
      }
    }
    self.parent = parent
    var columnOffsets = [0]
    columnOffsets.reserveCapacity(n + 1)
    for count in counts { columnOffsets.append(columnOffsets.last! + count) }
    self.columnOffsets = columnOffsets
    factorEntries = columnOffsets.last!
    (self.upperOffsets, upperRows, upperSources) = (upperOffsets, rows, sources)
  }
}
