import COpenBLAS
import Lanes

/// Dense matrices. Inequalities are condensed into the Hessian, H = Q + diag + Gᵀ W G, and [H, Aᵀ; A, −1/w] is factored as
/// [L, 0; V, R] with H = L Lᵀ, V = A L⁻ᵀ, R Rᵀ = 1/w + V Vᵀ: one Cholesky decomposition in which the second half's sign is turned.
///
/// `Double` goes to LAPACK; lanes to the tiled kernels below.
final class DenseProgramMatrices<L: Lane>: ProgramMatrices {
  let variableCount: Int
  let rowCount: Int
  let equalityCount: Int
  /// n x n, both halves.
  let quadratic: UnsafeMutablePointer<L>
  /// Cᵀ, n x rows: column i of C is contiguous.
  let rowsTransposed: UnsafeMutablePointer<L>
  /// The lower half of a matrix of n + equalityCount rows.
  private let factor: UnsafeMutablePointer<L>
  /// Gᵀ W, or Gᵀ √W.
  private let weighted: UnsafeMutablePointer<L>
  private let weights: UnsafeMutablePointer<L>
  private let product: UnsafeMutablePointer<L>
  private let multipliers: UnsafeMutablePointer<L>
  private let memory: LaneMemory<L>
  private var size: Int { variableCount + equalityCount }

  init(variableCount n: Int, rowCount m: Int, equalityCount p: Int) {
    (variableCount, rowCount, equalityCount) = (n, m, p)
    memory = LaneMemory(n * n + 2 * n * m + (n + p) * (n + p) + 2 * m + p)
    quadratic = memory.take(n * n)
    rowsTransposed = memory.take(n * m)
    factor = memory.take((n + p) * (n + p))
    weighted = memory.take(n * m)
    weights = memory.take(m)
    product = memory.take(m)
    multipliers = memory.take(p)
  }

  func multiplyQuadratic(_ x: UnsafePointer<L>, into y: UnsafeMutablePointer<L>) {
    let n = variableCount
    var i = 0
    while i < n {
      y[i] = dotProduct(quadratic + i &* n, x, n)
      i = i &+ 1
    }
  }
  func multiplyRows(_ x: UnsafePointer<L>, into v: UnsafeMutablePointer<L>) {
    let (n, m) = (variableCount, rowCount)
    v.update(repeating: L(0.0), count: m)
    var i = 0
    while i < n {
      let (row, factor) = (rowsTransposed + i &* m, x[i])
      var k = 0
      while k < m {
        v[k] = L.multiplyAdd(row[k], factor, v[k])
        k = k &+ 1
      }
      i = i &+ 1
    }
  }
  func addTransposedRows(_ z: UnsafePointer<L>, to y: UnsafeMutablePointer<L>) {
    let (n, m) = (variableCount, rowCount)
    var i = 0
    while i < n {
      y[i] += dotProduct(rowsTransposed + i &* m, z, m)
      i = i &+ 1
    }
  }
  func norms(columns: UnsafeMutablePointer<L>, rows: UnsafeMutablePointer<L>) {
    let (n, m) = (variableCount, rowCount)
    quadraticNorms(columns)
    rows.update(repeating: L(0.0), count: m)
    for i in 0..<n {
      var largest = columns[i]
      for k in 0..<m {
        let size = rowsTransposed[i &* m &+ k].magnitude
        largest = L.maximum(largest, size)
        rows[k] = L.maximum(rows[k], size)
      }
      columns[i] = largest
    }
  }
  func quadraticNorms(_ columns: UnsafeMutablePointer<L>) {
    let n = variableCount
    for i in 0..<n {
      var largest = L(0.0)
      for j in 0..<n { largest = L.maximum(largest, quadratic[i &* n &+ j].magnitude) }
      columns[i] = largest
    }
  }
  func scale(columns: UnsafePointer<L>, rows: UnsafePointer<L>, objective: L) {
    let (n, m) = (variableCount, rowCount)
    for i in 0..<n {
      let factor = columns[i] * objective
      for j in 0..<n { quadratic[i &* n &+ j] *= factor * columns[j] }
      for k in 0..<m { rowsTransposed[i &* m &+ k] *= columns[i] * rows[k] }
    }
  }

  func factorize(diagonal: UnsafePointer<L>, weights given: UnsafePointer<L>) -> L.Mask {
    let (n, m, p, size) = (variableCount, rowCount, equalityCount, size)
    weights.update(from: given, count: m)
    if L.self == Double.self { return factorizeWithLAPACK(diagonal) }
    // Gᵀ W, with the columns of G's rows only.
    let inequalities = m &- p
    for i in 0..<n {
      let (source, target) = (rowsTransposed + (i &* m &+ p), weighted + i &* inequalities)
      var k = 0
      while k < inequalities {
        target[k] = source[k] * weights[p &+ k]
        k = k &+ 1
      }
    }
    for i in 0..<n {
      let row = factor + i &* size
      var j = 0
      while j <= i {
        row[j] = quadratic[i &* n &+ j]
        j = j &+ 1
      }
      row[i] += diagonal[i]
    }
    addProducts(
      factor, stride: size, weighted, stride: inequalities, rowsTransposed + p, stride: m, rows: n,
      depth: inequalities)
    for e in 0..<p {
      let row = factor + (n &+ e) &* size
      for i in 0..<n { row[i] = rowsTransposed[i &* m &+ e] }
      for j in 0..<e { row[n &+ j] = L(0.0) }
      row[n &+ e] = L(0.0)
    }
    var isSafe = decompose(factor, stride: size, columns: 0..<n, rows: size)
    if p > 0 {
      // 1/w + V Vᵀ; rows of weight zero get a pivot of one and no coupling.
      for e in 0..<p {
        let row = factor + (n &+ e) &* size
        let isOut = weights[e] .== L(0.0)
        for i in 0..<n { row[i] = row[i].replacing(with: L(0.0), where: isOut) }
      }
      for e in 0..<p {
        let row = factor + (n &+ e) &* size
        for j in 0...e {
          row[n &+ j] = dotProduct(row, factor + (n &+ j) &* size, n)
        }
        row[n &+ e] += (1.0 / weights[e]).replacing(with: L(1.0), where: weights[e] .== L(0.0))
      }
      let corner = factor + (n &* size &+ n)
      isSafe = isSafe .& decompose(corner, stride: size, columns: 0..<p, rows: p)
    }
    return isSafe
  }

  private func factorizeWithLAPACK(_ diagonal: UnsafePointer<L>) -> L.Mask {
    let (n, m, p, size) = (variableCount, rowCount, equalityCount, size)
    let inequalities = m - p
    let (a, q, c) = (doubles(factor), doubles(quadratic), doubles(rowsTransposed))
    let (w, root, shift) = (
      doubles(weights), doubles(weighted), doubles(UnsafeMutablePointer(mutating: diagonal))
    )
    for k in 0..<inequalities { doubles(product)[k] = w[p + k].squareRoot() }
    for i in 0..<n {
      (a + i * size).update(from: q + i * n, count: i + 1)
      a[i * size + i] += shift[i]
      let source = c + (i * m + p)
      for k in 0..<inequalities { root[i * inequalities + k] = source[k] * doubles(product)[k] }
      for e in 0..<p { a[(n + e) * size + i] = w[e] == 0 ? 0 : c[i * m + e] }
    }
    // Row-major lower is column-major upper: A = Uᵀ U.
    let order = Int32(size)
    if n > 0, inequalities > 0 {
      cblas_dsyrk(
        CblasRowMajor, CblasLower, CblasNoTrans, Int32(n), Int32(inequalities), 1, root, Int32(inequalities),
        1, a,
        order)
    }
    var isSafe = true
    if n > 0 {
      isSafe = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, upperHalf, Int32(n), a, order) == 0
    }
    if p > 0 {
      if n > 0 {
        cblas_dtrsm(
          CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, Int32(p), Int32(n), 1, a, order,
          a + n * size, order)
      }
      let corner = a + (n * size + n)
      for e in 0..<p {
        for j in 0..<e { corner[e * size + j] = 0 }
        corner[e * size + e] = w[e] == 0 ? 1 : 1 / w[e]
      }
      if n > 0 {
        cblas_dsyrk(
          CblasRowMajor, CblasLower, CblasNoTrans, Int32(p), Int32(n), 1, a + n * size, order, 1, corner,
          order)
      }
      isSafe =
        LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, upperHalf, Int32(p), corner, order) == 0 && isSafe
    }
    return L.zero .== L(isSafe ? 0.0 : 1.0)
  }

  func solve(_ x: UnsafeMutablePointer<L>, _ rows: UnsafeMutablePointer<L>) {
    let (n, m, p, size) = (variableCount, rowCount, equalityCount, size)
    // Condensed rows: x + Gᵀ W g.
    var k = 0
    while k < m {
      product[k] = k < p ? L(0.0) : weights[k] * rows[k]
      k = k &+ 1
    }
    addTransposedRows(product, to: x)
    forwardSubstitute(factor, stride: size, x, n)
    for e in 0..<p {
      let sum = dotProduct(factor + (n &+ e) &* size, x, n) - rows[e]
      product[e] = sum.replacing(with: L(0.0), where: weights[e] .== L(0.0))
    }
    let corner = factor + (n &* size &+ n)
    forwardSubstitute(corner, stride: size, product, p)
    backwardSubstitute(corner, stride: size, product, p)
    for e in 0..<p {
      let (row, factor) = (factor + (n &+ e) &* size, product[e])
      for i in 0..<n { x[i] -= row[i] * factor }
    }
    backwardSubstitute(factor, stride: size, x, n)
    multipliers.update(from: product, count: p)
    multiplyRows(x, into: product)
    k = p
    while k < m {
      rows[k] = weights[k] * (product[k] - rows[k])
      k = k &+ 1
    }
    rows.update(from: multipliers, count: p)
  }
}

@inline(__always)
private func doubles<L>(_ pointer: UnsafeMutablePointer<L>) -> UnsafeMutablePointer<Double> {
  UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: Double.self)
}

/// LAPACK's name for it.
private let upperHalf: CChar = 85
