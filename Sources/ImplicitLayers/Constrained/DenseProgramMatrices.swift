import Lanes

/// Dense matrices of programs in lanes. Inequalities are condensed into the Hessian, H = Q + diag + Gᵀ W G, and [H, Aᵀ; A, −1/w] is factored as
/// [L, 0; V, R] with H = L Lᵀ, V = A L⁻ᵀ, R Rᵀ = 1/w + V Vᵀ: one Cholesky decomposition in which the second half's sign is turned.
final class DenseProgramMatrices<L: Lane>: BatchedProgramMatrices where L.Scalar == Double {
  let variableCount: Int
  let rowCount: Int
  let equalityCount: Int
  /// n x n, both halves.
  private var quadratic: UnsafeMutablePointer<L>
  /// Cᵀ, n x rows: column i of C is contiguous.
  private var rowsTransposed: UnsafeMutablePointer<L>
  /// What lies below the diagonal of a matrix of n + equalityCount rows.
  private var factor: UnsafeMutablePointer<L>
  /// Of the factor's diagonal.
  private var reciprocals: UnsafeMutablePointer<L>
  /// Gᵀ W.
  private let weighted: UnsafeMutablePointer<L>
  private var weights: UnsafeMutablePointer<L>
  private let product: UnsafeMutablePointer<L>
  private let multipliers: UnsafeMutablePointer<L>
  private let memory: LaneMemory<L>
  private var size: Int { variableCount + equalityCount }

  init(_ size: ProgramSize, scratch: LaneMemory<L>) {
    let (n, m, p) = (size.variables, size.rows, size.equalities)
    (variableCount, rowCount, equalityCount) = (n, m, p)
    memory = LaneMemory(Self.keptCount(size), isZeroed: false)
    (quadratic, rowsTransposed, factor) = (memory.base, memory.base, memory.base)
    (reciprocals, weights) = (memory.base, memory.base)
    scratch.restart()
    weighted = scratch.take(n * m)
    product = scratch.take(m)
    multipliers = scratch.take(p)
    bind(nil)
  }
  static func vectorCounts(_ size: ProgramSize) -> (variables: Int, rows: Int) {
    (size.variables, size.rows)
  }
  static func keptCount(_ size: ProgramSize) -> Int {
    let (n, m, p) = (size.variables, size.rows, size.equalities)
    return n * n + n * m + (n + p) * (n + p) + n + p + m
  }
  func copyKept(to target: UnsafeMutablePointer<L>) { memory.copy(to: target) }
  func bind(_ given: UnsafeMutablePointer<L>?) {
    let memory = given ?? memory.base
    let (n, m) = (variableCount, rowCount)
    quadratic = memory
    rowsTransposed = quadratic + n * n
    factor = rowsTransposed + n * m
    reciprocals = factor + size * size
    weights = reciprocals + size
  }
  static func scratchCount(_ size: ProgramSize) -> Int {
    let (n, m, p) = (size.variables, size.rows, size.equalities)
    return n * m + m + p + ProximalInteriorPoint<DenseProgramMatrices<L>>.scratchCount(n: n, m: m)
  }

  func multiplyQuadratic(_ x: UnsafePointer<L>, into y: UnsafeMutablePointer<L>) {
    multiply(
      quadratic, stride: variableCount, rows: variableCount, depth: variableCount, x, into: y, adds: false)
  }
  func multiplyRows(_ x: UnsafePointer<L>, into v: UnsafeMutablePointer<L>) {
    multiplyTransposed(rowsTransposed, rows: variableCount, columns: rowCount, x, into: v)
  }
  func addTransposedRows(_ z: UnsafePointer<L>, to y: UnsafeMutablePointer<L>) {
    multiply(rowsTransposed, stride: rowCount, rows: variableCount, depth: rowCount, z, into: y, adds: true)
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
    var isUsed = L(0.0) .== L(1.0)
    for k in p..<m { isUsed = isUsed .| .!(weights[k] .== L(0.0)) }
    var isSafe = decompose(
      quadratic, stride: n, diagonal: diagonal,
      LaneProduct(
        a: weighted, aStride: inequalities, b: rowsTransposed + p, bStride: m,
        depth: isUsed.anyTrue ? inequalities : 0),
      into: factor, stride: size, rows: n, reciprocals: reciprocals)
    if p > 0 {
      // V, then 1/w + V Vᵀ; rows of weight zero get a pivot of one and no coupling.
      let below = factor + n &* size
      for e in 0..<p {
        let row = below + e &* size
        let isOut = weights[e] .== L(0.0)
        for i in 0..<n {
          row[i] = rowsTransposed[i &* m &+ e].replacing(with: L(0.0), where: isOut)
        }
      }
      eliminate(below, factor, stride: size, reciprocals, rows: p, columns: n)
      for e in 0..<p {
        let row = below + e &* size
        for j in 0...e { row[n &+ j] = dotProduct(row, below + j &* size, n) }
        row[n &+ e] += (1.0 / weights[e]).replacing(with: L(1.0), where: weights[e] .== L(0.0))
      }
      let corner = below + n
      isSafe = isSafe
        .& decompose(
          corner, stride: size, diagonal: nil,
          LaneProduct(a: corner, aStride: size, b: corner, bStride: size, depth: 0), into: corner,
          stride: size, rows: p, reciprocals: reciprocals + n)
    }
    return isSafe
  }

  var rowsTimesSolution: UnsafePointer<L>? { UnsafePointer(product) }
  func solveVariables(_ x: UnsafeMutablePointer<L>, scratch rows: UnsafeMutablePointer<L>) {
    guard equalityCount == 0 else {
      rows.update(repeating: L(0.0), count: rowCount)
      return solve(x, rows)
    }
    forwardSubstitute(factor, stride: size, reciprocals, x, variableCount)
    backwardSubstitute(factor, stride: size, reciprocals, x, variableCount)
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
