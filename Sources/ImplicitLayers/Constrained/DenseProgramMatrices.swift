import Lanes

/// Dense matrices of programs in lanes. Inequalities are condensed into the Hessian, H = Q + diag + Gᵀ W G, and [H, Aᵀ; A, −1/w] is factored as
/// [L, 0; V, R] with H = L Lᵀ, V = A L⁻ᵀ, R Rᵀ = 1/w + V Vᵀ: one Cholesky decomposition in which the second half's sign is turned.
final class DenseProgramMatrices<L: Lane>: BatchedProgramMatrices where L.Scalar == Double {
  let variableCount: Int
  let rowCount: Int
  let equalityCount: Int
  /// n x n, both halves.
  private let quadratic: UnsafeMutablePointer<L>
  /// Cᵀ, n x rows: column i of C is contiguous.
  private let rowsTransposed: UnsafeMutablePointer<L>
  /// The lower half of a matrix of n + equalityCount rows.
  private let factor: UnsafeMutablePointer<L>
  /// Of the factor's diagonal.
  private let reciprocals: UnsafeMutablePointer<L>
  /// Gᵀ W.
  private let weighted: UnsafeMutablePointer<L>
  private let weights: UnsafeMutablePointer<L>
  private let product: UnsafeMutablePointer<L>
  private let multipliers: UnsafeMutablePointer<L>
  private let memory: LaneMemory<L>
  private var size: Int { variableCount + equalityCount }

  init(_ size: ProgramSize, scratch: LaneMemory<L>) {
    let (n, m, p) = (size.variables, size.rows, size.equalities)
    (variableCount, rowCount, equalityCount) = (n, m, p)
    memory = LaneMemory(n * n + n * m + (n + p) * (n + p) + n + p + m, isZeroed: false)
    quadratic = memory.take(n * n)
    rowsTransposed = memory.take(n * m)
    factor = memory.take((n + p) * (n + p))
    reciprocals = memory.take(n + p)
    weights = memory.take(m)
    scratch.restart()
    weighted = scratch.take(n * m)
    product = scratch.take(m)
    multipliers = scratch.take(p)
  }
  static func scratchCount(_ size: ProgramSize) -> Int {
    let (n, m, p) = (size.variables, size.rows, size.equalities)
    return n * m + m + p + ProximalInteriorPoint<DenseProgramMatrices<L>>.scratchCount(n: n, m: m)
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
    // Four columns at a time, so that results are loaded and stored less often.
    while i &+ 4 <= n {
      let (r0, r1) = (rowsTransposed + i &* m, rowsTransposed + (i &+ 1) &* m)
      let (r2, r3) = (rowsTransposed + (i &+ 2) &* m, rowsTransposed + (i &+ 3) &* m)
      let (x0, x1, x2, x3) = (x[i], x[i &+ 1], x[i &+ 2], x[i &+ 3])
      var k = 0
      while k < m {
        let first = L.multiplyAdd(r1[k], x1, L.multiplyAdd(r0[k], x0, v[k]))
        v[k] = L.multiplyAdd(r3[k], x3, L.multiplyAdd(r2[k], x2, first))
        k = k &+ 1
      }
      i = i &+ 4
    }
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
  func norms(
    columns: UnsafeMutablePointer<L>, rows: UnsafeMutablePointer<L>, columnScale: UnsafePointer<L>,
    rowScale: UnsafePointer<L>
  ) {
    let (n, m) = (variableCount, rowCount)
    quadraticNorms(columns, columnScale: columnScale)
    rows.update(repeating: L(0.0), count: m)
    for i in 0..<n {
      let factor = columnScale[i]
      var largest = L(0.0)
      for k in 0..<m {
        let size = rowsTransposed[i &* m &+ k].magnitude
        largest = L.maximum(largest, size * rowScale[k])
        rows[k] = L.maximum(rows[k], size * factor)
      }
      columns[i] = L.maximum(columns[i], largest * factor)
    }
    for k in 0..<m { rows[k] *= rowScale[k] }
  }
  func quadraticNorms(_ columns: UnsafeMutablePointer<L>, columnScale: UnsafePointer<L>) {
    let n = variableCount
    for i in 0..<n {
      var largest = L(0.0)
      for j in 0..<n { largest = L.maximum(largest, quadratic[i &* n &+ j].magnitude * columnScale[j]) }
      columns[i] = largest * columnScale[i]
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
    var isUsed = L(0.0) .== L(1.0)
    for k in p..<m { isUsed = isUsed .| .!(weights[k] .== L(0.0)) }
    if isUsed.anyTrue {
      addProducts(
        factor, stride: size, weighted, stride: inequalities, rowsTransposed + p, stride: m, rows: n,
        depth: inequalities)
    }
    for e in 0..<p {
      let row = factor + (n &+ e) &* size
      for i in 0..<n { row[i] = rowsTransposed[i &* m &+ e] }
      for j in 0..<e { row[n &+ j] = L(0.0) }
      row[n &+ e] = L(0.0)
    }
    var isSafe = decompose(
      factor, stride: size, columns: n, rows: size, reciprocals: reciprocals)
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
      isSafe = isSafe
        .& decompose(
          corner, stride: size, columns: p, rows: p, reciprocals: reciprocals + n)
    }
    return isSafe
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
    forwardSubstitute(factor, stride: size, reciprocals, x, n)
    for e in 0..<p {
      let sum = dotProduct(factor + (n &+ e) &* size, x, n) - rows[e]
      product[e] = sum.replacing(with: L(0.0), where: weights[e] .== L(0.0))
    }
    let corner = factor + (n &* size &+ n)
    forwardSubstitute(corner, stride: size, reciprocals + n, product, p)
    backwardSubstitute(corner, stride: size, reciprocals + n, product, p)
    for e in 0..<p {
      let (row, factor) = (factor + (n &+ e) &* size, product[e])
      for i in 0..<n { x[i] -= row[i] * factor }
    }
    backwardSubstitute(factor, stride: size, reciprocals, x, n)
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

extension DenseProgramMatrices {
  static var programCount: Int { L.laneCount }

  func loadMatrices(quadratic q: UnsafePointer<Double>, rows: UnsafePointer<Double>, programs: Int) {
    let (n, m) = (variableCount, rowCount)
    loadRows(q, stride: n * n, count: n * n, lanes: programs, into: quadratic, repeatsLast: true)
    for i in 0..<n {
      for j in 0..<i {
        let (above, below) = (quadratic + (j &* n &+ i), quadratic + (i &* n &+ j))
        let mean = (above[0] + below[0]) * 0.5
        (above[0], below[0]) = (mean, mean)
      }
    }
    // All rows at once, as they lie; then with columns together.
    loadRows(rows, stride: m * n, count: m * n, lanes: programs, into: weighted, repeatsLast: true)
    for i in 0..<n {
      for k in 0..<m { rowsTransposed[i &* m &+ k] = weighted[k &* n &+ i] }
    }
  }
  func loadVariables(
    _ source: UnsafePointer<Double>, place: Int, programs: Int, into target: UnsafeMutablePointer<L>
  ) { load(source, variableCount, place, programs, into: target) }
  func loadConstraints(
    _ source: UnsafePointer<Double>, place: Int, programs: Int, into target: UnsafeMutablePointer<L>,
    padding: Double
  ) { load(source, rowCount + variableCount, place, programs, into: target) }
  private func load(
    _ source: UnsafePointer<Double>, _ count: Int, _ place: Int, _ programs: Int,
    into target: UnsafeMutablePointer<L>
  ) {
    if place == 0 {
      loadRows(source, stride: count, count: count, lanes: programs, into: target, repeatsLast: true)
      return
    }
    for k in 0..<count {
      target[k] = L(0.0)
      for lane in 0..<programs { target[k][lane: place + lane] = source[lane * count + k] }
    }
  }
  func storeVariables(
    _ source: UnsafePointer<L>, place: Int, programs: Int, into target: UnsafeMutablePointer<Double>
  ) { store(source, variableCount, place, programs, into: target) }
  func storeConstraints(
    _ source: UnsafePointer<L>, place: Int, programs: Int, into target: UnsafeMutablePointer<Double>
  ) { store(source, rowCount + variableCount, place, programs, into: target) }
  private func store(
    _ source: UnsafePointer<L>, _ count: Int, _ place: Int, _ programs: Int,
    into target: UnsafeMutablePointer<Double>
  ) {
    if place == 0 {
      storeRows(source, count: count, lanes: programs, into: target, stride: count)
      return
    }
    for lane in 0..<programs {
      for k in 0..<count { target[lane * count + k] = source[k][lane: place + lane] }
    }
  }
}
