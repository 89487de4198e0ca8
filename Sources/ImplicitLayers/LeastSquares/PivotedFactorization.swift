import LinearAlgebra

/// J P = Q R of a row-major matrix with column pivoting (Businger and Golub 1965), for the many small factorisations of a least-squares
/// iteration: memory is kept, and nothing is allocated.
struct PivotedFactorization {
  let rows: Int
  let columns: Int
  /// Column-major; above the diagonal R, below it the reflectors.
  private(set) var factor: [Double]
  /// The diagonal of R.
  private(set) var diagonal: [Double]
  /// Column k of R is column `order[k]` of J.
  private(set) var order: [Int]
  /// Norms of J's columns.
  private(set) var columnNorms: [Double]
  private var partialNorms: [Double]
  private var firstNorms: [Double]
  private var work: [Double]

  init(rows: Int, columns: Int) {
    self.rows = rows
    self.columns = columns
    factor = zeros(rows * columns)
    diagonal = zeros(columns)
    order = Array(0..<columns)
    columnNorms = diagonal
    partialNorms = diagonal
    firstNorms = diagonal
    work = diagonal
  }

  /// Factors a matrix.
  /// - Parameter isFree: columns that take part; the others count as zero. All if left out.
  mutating func factorize(_ jacobian: [Double], isFree: [Bool]? = nil) {
    let (m, n) = (rows, columns)
    for j in 0..<n {
      order[j] = j
      var sum = 0.0
      let takesPart = isFree?[j] ?? true
      for i in 0..<m {
        let value = takesPart ? jacobian[i * n + j] : 0
        factor[j * m + i] = value
        sum += value * value
      }
      columnNorms[j] = sum.squareRoot()
      partialNorms[j] = columnNorms[j]
      firstNorms[j] = columnNorms[j]
      diagonal[j] = 0
    }
    factor.withUnsafeMutableBufferPointer { buffer in
      guard let a = buffer.baseAddress else { return }
      for k in 0..<min(m, n) {
        var best = k
        for j in k..<n where partialNorms[j] > partialNorms[best] { best = j }
        if best != k {
          for i in 0..<m { (a[k * m + i], a[best * m + i]) = (a[best * m + i], a[k * m + i]) }
          partialNorms[best] = partialNorms[k]
          firstNorms[best] = firstNorms[k]
          order.swapAt(k, best)
        }
        let column = a + k * m
        let norm = product(column + k, column + k, m - k).squareRoot()
        guard norm > 0 else { continue }
        // The reflector's first element is 1 + |x₀| / ‖x‖, so that nothing cancels.
        let signed = column[k] < 0 ? -norm : norm
        for i in k..<m { column[i] /= signed }
        column[k] += 1
        for j in k + 1..<max(n, k + 1) {
          let other = a + j * m
          let factor = -product(column + k, other + k, m - k) / column[k]
          for i in k..<m { other[i] += factor * column[i] }
          guard partialNorms[j] > 0 else { continue }
          let ratio = other[k] / partialNorms[j]
          partialNorms[j] *= max(0, 1 - ratio * ratio).squareRoot()
          // Downdated norms lose digits; then they are computed anew.
          let left = partialNorms[j] / firstNorms[j]
          if 0.05 * left * left <= 1e-15 {
            partialNorms[j] = product(other + k + 1, other + k + 1, m - k - 1).squareRoot()
            firstNorms[j] = partialNorms[j]
          }
        }
        diagonal[k] = -signed
      }
    }
  }

  /// Qᵀ b in place; the first elements belong to R.
  func applyTransposedQ(_ b: inout [Double]) {
    let m = rows
    factor.withUnsafeBufferPointer { buffer in
      b.withUnsafeMutableBufferPointer { b in
        guard let a = buffer.baseAddress, let y = b.baseAddress else { return }
        for k in 0..<min(m, columns) where diagonal[k] != 0 {
          let column = a + k * m
          let factor = -product(column + k, y + k, m - k) / column[k]
          for i in k..<m { y[i] += factor * column[i] }
        }
      }
    }
  }
  /// Element (i, j) of R.
  @inline(__always) func r(_ i: Int, _ j: Int) -> Double {
    i == j ? diagonal[i] : i < j && i < rows ? factor[j * rows + i] : 0
  }
  /// The number of diagonal elements that are not zero beside the first.
  var rank: Int {
    let limit = (diagonal.first?.magnitude ?? 0) * 1e-15 * Double(max(rows, columns))
    return min(diagonal.firstIndex { $0.magnitude <= limit } ?? columns, rows)
  }
  /// The x that minimises ‖J x − b‖ with zeros for columns past the rank, from Qᵀ b.
  mutating func solve(_ projected: [Double], into x: inout [Double], rank: Int) {
    for k in 0..<columns { x[k] = 0 }
    for k in stride(from: rank - 1, through: 0, by: -1) {
      var sum = projected[k]
      for j in k + 1..<max(rank, k + 1) { sum -= r(k, j) * work[j] }
      work[k] = sum / diagonal[k]
    }
    for k in 0..<rank { x[order[k]] = work[k] }
  }
}

@inline(__always) private func product(_ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>, _ n: Int)
  -> Double
{
  // Four sums, as one would wait for its own additions.
  var sums = SIMD4<Double>(repeating: 0)
  var k = 0
  while k &+ 4 <= n {
    let left = UnsafeRawPointer(x + k).loadUnaligned(as: SIMD4<Double>.self)
    sums += left * UnsafeRawPointer(y + k).loadUnaligned(as: SIMD4<Double>.self)
    k = k &+ 4
  }
  var sum = (sums[0] + sums[1]) + (sums[2] + sums[3])
  while k < n {
    sum += x[k] * y[k]
    k = k &+ 1
  }
  return sum
}
