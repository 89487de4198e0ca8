/// Eigenvalues and eigenvectors of small symmetric matrices by Jacobi's rotations in rows (1846; Golub and Van Loan, 8.5): for a few unknowns a
/// fraction of LAPACK's time.
enum JacobiEigenvalues {
  /// Larger matrices are LAPACK's.
  static let largestSize = 8

  /// - Parameters:
  ///   - a: the matrix, n x n, finite; destroyed.
  ///   - values: the eigenvalues, the least first.
  ///   - vectors: row k is the eigenvector of value k.
  static func compute(_ a: inout [Double], into values: inout [Double], vectors v: inout [Double]) {
    let n = values.count
    for i in 0..<n { for j in 0..<n { v[i * n + j] = i == j ? 1 : 0 } }
    let size = normInfinity(a)
    var isDone = size == 0
    // Convergence is quadratic; six sweeps are many.
    for _ in 0..<30 where !isDone {
      isDone = true
      for p in 0..<n {
        for q in p + 1..<max(n, p + 1) {
          let element = a[p * n + q]
          guard element.magnitude > 1e-18 * size else { continue }
          isDone = false
          let theta = 0.5 * (a[q * n + q] - a[p * n + p]) / element
          let root = theta.magnitude + (1 + theta * theta).squareRoot()
          let t = (theta < 0 ? -1 : 1) / root
          let c = 1 / (1 + t * t).squareRoot()
          let s = t * c
          for k in 0..<n where k != p && k != q {
            let (x, y) = (a[k * n + p], a[k * n + q])
            (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y)
            (a[p * n + k], a[q * n + k]) = (a[k * n + p], a[k * n + q])
          }
          a[p * n + p] -= t * element
          a[q * n + q] += t * element
          (a[p * n + q], a[q * n + p]) = (0, 0)
          for k in 0..<n {
            let (x, y) = (v[p * n + k], v[q * n + k])
            (v[p * n + k], v[q * n + k]) = (c * x - s * y, s * x + c * y)
          }
        }
      }
    }
    for k in 0..<n { values[k] = a[k * n + k] }
    // In order, by insertion.
    for k in 1..<max(n, 1) {
      var place = k
      while place > 0, values[place] < values[place - 1] {
        values.swapAt(place, place - 1)
        for j in 0..<n { v.swapAt(place * n + j, (place - 1) * n + j) }
        place -= 1
      }
    }
  }
}
