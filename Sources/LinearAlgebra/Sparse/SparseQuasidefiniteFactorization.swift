/// P K Pᵀ = L D Lᵀ of a sparse symmetric quasidefinite matrix: positive pivots in some rows, negative ones in the others, whatever the
/// order (Vanderbei 1995), so that the order of approximate minimum degree serves and no pivots are searched.
///
/// Memory and symbolic analysis are kept for other values on the same pattern. A pivot of the wrong sign, or too small, is replaced by a small
/// one of the right sign; the caller refines.
package final class SparseQuasidefiniteFactorization {
  package let size: Int
  private let analysis: CholeskyAnalysis
  private let isPositive: [Bool]
  private let rowsOfL: UnsafeMutablePointer<Int32>
  private let next: UnsafeMutablePointer<Int>
  private let stack: UnsafeMutablePointer<Int32>
  private let flag: UnsafeMutablePointer<Int32>
  private let values: NumberBuffer
  private let diagonal: NumberBuffer
  private let work: NumberBuffer

  /// - Parameters:
  ///   - pattern: with both halves and all of the diagonal.
  ///   - isPositive: the sign of each row's pivot.
  package init(_ pattern: SparsityPattern, isPositive: [Bool]) throws(LinearAlgebraError) {
    analysis = try pattern.analysis(CholeskyAnalysis.self)
    size = analysis.size
    self.isPositive = isPositive
    rowsOfL = .allocate(capacity: max(analysis.factorEntries, 1))
    next = .allocate(capacity: max(size, 1))
    stack = .allocate(capacity: max(size, 1))
    flag = .allocate(capacity: max(size, 1))
    values = NumberBuffer(count: analysis.factorEntries)
    diagonal = NumberBuffer(zeros: size)
    work = NumberBuffer(zeros: size)
  }
  deinit {
    rowsOfL.deallocate()
    next.deallocate()
    stack.deallocate()
    flag.deallocate()
  }

  /// Entries of L below its diagonal.
  package var factorEntryCount: Int { analysis.factorEntries }

  /// Factors other values.
  /// - Parameters:
  ///   - smallest: the size of pivot below which it is replaced.
  ///   - replacement: the size of what replaces it.
  /// - Returns: the first row whose pivot had the wrong sign (or was no number), and that pivot.
  package func factorize(_ entries: UnsafePointer<Double>, smallest: Double, replacement: Double) -> (
    row: Int, pivot: Double
  )? {
    let n = size
    let (l, lx, d, y) = (rowsOfL, values.base, diagonal.base, work.base)
    var failed: (row: Int, pivot: Double)?
    y.update(repeating: 0, count: n)
    analysis.withPointers { p in
      for k in 0..<n {
        next[k] = p.columnOffsets[k]
        flag[k] = -1
      }
      for k in 0..<n {
        // Row k of L has entries at the nodes between those of row k of K and k in the elimination tree.
        var top = n
        flag[k] = Int32(k)
        var pivot = 0.0
        for place in p.upperOffsets[k]..<p.upperOffsets[k + 1] {
          var i = Int(p.upperRows[place])
          let value = entries[p.upperSources[place]]
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
        let row = Int(p.order[k])
        let signed = isPositive[row] ? pivot : -pivot
        if !(signed > smallest) {
          if failed == nil, !(signed > 0) { failed = (row, pivot) }
          pivot = isPositive[row] ? replacement : -replacement
        }
        d[k] = pivot
      }
    }
    return failed
  }

  /// x ← K⁻¹ x.
  package func solve(_ x: UnsafeMutablePointer<Double>) {
    let n = size
    let (l, lx, d, y) = (rowsOfL, values.base, diagonal.base, work.base)
    analysis.withPointers { p in
      for k in 0..<n { y[k] = x[Int(p.order[k])] }
      for j in 0..<n {
        let factor = y[j]
        if factor == 0 { continue }
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
      for k in 0..<n { x[Int(p.order[k])] = y[k] }
    }
  }
}
