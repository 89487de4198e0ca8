import CLanes
import Lanes
import LinearAlgebra

/// Dense matrices of one program, eight of its variables or constraints in a vector. Inequalities are condensed into the Hessian,
/// H = Q + diag + Gᵀ W G, and [H, Aᵀ; A, −1/w] is factored as in ``PackedFactor``.
///
/// Equations, other rows, and variables are each padded to a multiple of eight: with constraints that have no sides, and with variables that
/// stay zero.
final class PackedProgramMatrices: BatchedProgramMatrices {
  typealias L = Pack
  let size: ProgramSize
  /// Vectors of variables, of rows and of equations.
  let variableCount, rowCount, equalityCount: Int
  private var inequalityBlocks: Int { rowCount - equalityCount }
  private let stride: Int
  /// Q by rows.
  private var quadratic: UnsafeMutablePointer<Pack>
  /// C by rows.
  private var rows: UnsafeMutablePointer<Pack>
  /// √W G by rows, without rows of weight zero.
  private let weighted: UnsafeMutablePointer<Pack>
  private var factor: PackedFactor
  private var weights: UnsafeMutablePointer<Pack>
  private let product: UnsafeMutablePointer<Pack>
  private let memory: LaneMemory<Pack>

  init(_ size: ProgramSize, scratch: LaneMemory<Pack>) {
    self.size = size
    let (n, m) = Self.vectorCounts(size)
    let p = Self.blocks(size.equalities)
    (variableCount, rowCount, equalityCount) = (n, m, p)
    stride = packedStride(n)
    memory = LaneMemory(Self.keptCount(size), isZeroed: false)
    (quadratic, rows, weights) = (memory.base, memory.base, memory.base)
    factor = PackedFactor(first: n, second: p, memory: memory.base)
    scratch.restart()
    weighted = scratch.take(8 * (m - p) * stride)
    product = scratch.take(m)
    bind(nil)
  }
  static func vectorCounts(_ size: ProgramSize) -> (variables: Int, rows: Int) {
    (blocks(size.variables), blocks(size.equalities) + blocks(size.rows - size.equalities))
  }
  static func keptCount(_ size: ProgramSize) -> Int {
    let (n, m) = vectorCounts(size)
    return 8 * (n + m) * packedStride(n) + PackedFactor.size(first: n, second: blocks(size.equalities)) + m
  }
  func copyKept(to target: UnsafeMutablePointer<Pack>) { memory.copy(to: target) }
  func bind(_ given: UnsafeMutablePointer<Pack>?) {
    let memory = given ?? memory.base
    let (n, m, p) = (variableCount, rowCount, equalityCount)
    quadratic = memory
    rows = quadratic + 8 * n * stride
    weights = rows + 8 * m * stride
    factor = PackedFactor(first: n, second: p, memory: weights + m)
  }
  static func scratchCount(_ size: ProgramSize) -> Int {
    let (n, m) = vectorCounts(size)
    let p = blocks(size.equalities)
    return 8 * (m - p) * packedStride(n) + m
      + ProximalInteriorPoint<PackedProgramMatrices>.scratchCount(n: n, m: m)
  }
  private static func blocks(_ count: Int) -> Int { (count + 7) / 8 }

  /// Where row k of the constraints' matrix is.
  private func place(row k: Int) -> Int { k < size.equalities ? k : equalityCount * 8 + k - size.equalities }

  static func sum(_ x: Pack) -> Pack { costate_spread_sum_d8(x) }
  static func largest(_ x: Pack) -> Pack { costate_spread_max_d8(x) }
  static func least(_ x: Pack) -> Pack { costate_spread_min_d8(x) }
  func clearPadding(_ x: UnsafeMutablePointer<Pack>) {
    for i in size.variables..<variableCount * 8 { PackElements(x)[i] = 0 }
  }

  func multiplyQuadratic(_ x: UnsafePointer<Pack>, into y: UnsafeMutablePointer<Pack>) {
    y.update(repeating: Pack(0.0), count: variableCount)
    addTransposedPacked(
      quadratic, stride: stride, rows: 8 &* variableCount, count: variableCount, x, to: y)
  }
  func multiplyRows(_ x: UnsafePointer<Pack>, into v: UnsafeMutablePointer<Pack>) {
    multiplyPacked(rows, stride: stride, blocks: rowCount, count: variableCount, x, into: v)
  }
  func addTransposedRows(_ z: UnsafePointer<Pack>, to y: UnsafeMutablePointer<Pack>) {
    addTransposedPacked(rows, stride: stride, rows: 8 &* rowCount, count: variableCount, z, to: y)
  }

  func norms(
    columns: UnsafeMutablePointer<Pack>, rows rowNorms: UnsafeMutablePointer<Pack>,
    columnScale: UnsafePointer<Pack>, rowScale: UnsafePointer<Pack>
  ) {
    let n = variableCount
    quadraticNorms(columns, columnScale: columnScale)
    let scale = PackElements(rowScale)
    let target = PackElements(rowNorms)
    for i in 0..<n { columns[i] = columns[i] / columnScale[i] }
    for k in 0..<8 &* rowCount {
      let (row, factor) = (rows + k &* stride, scale[k])
      var largest = Pack(0.0)
      var i = 0
      while i < n {
        let size = Pack.multiply(row[i].magnitude, scalar: factor)
        columns[i] = Pack.maximum(columns[i], size)
        largest = Pack.maximum(largest, size * columnScale[i])
        i = i &+ 1
      }
      target[k] = costate_spread_max_d8(largest)[0]
    }
    for i in 0..<n { columns[i] *= columnScale[i] }
  }
  func quadraticNorms(_ columns: UnsafeMutablePointer<Pack>, columnScale: UnsafePointer<Pack>) {
    let n = variableCount
    let scale = PackElements(columnScale)
    columns.update(repeating: Pack(0.0), count: n)
    for k in 0..<8 &* n {
      let (row, factor) = (quadratic + k &* stride, scale[k])
      var i = 0
      while i < n {
        columns[i] = Pack.maximum(columns[i], Pack.multiply(row[i].magnitude, scalar: factor))
        i = i &+ 1
      }
    }
    for i in 0..<n { columns[i] *= columnScale[i] }
  }
  func scale(columns: UnsafePointer<Pack>, rows rowScale: UnsafePointer<Pack>, objective: Pack) {
    let n = variableCount
    let left = PackElements(columns)
    let scale = PackElements(rowScale)
    func multiply(_ row: UnsafeMutablePointer<Pack>, _ factor: Double) {
      var i = 0
      while i < n {
        row[i] *= Pack.multiply(columns[i], scalar: factor)
        i = i &+ 1
      }
    }
    for k in 0..<8 &* n { multiply(quadratic + k &* stride, left[k] * objective[0]) }
    for k in 0..<8 &* rowCount { multiply(rows + k &* stride, scale[k]) }
  }

  func factorize(diagonal: UnsafePointer<Pack>, weights given: UnsafePointer<Pack>) -> Pack.Mask {
    let (n, p) = (variableCount, equalityCount)
    weights.update(from: given, count: rowCount)
    let weight = PackElements(weights)
    // √W G.
    var depth = 0
    for k in 8 &* p..<8 &* rowCount where weight[k] != 0 {
      let (source, target, root) = (rows + k &* stride, weighted + depth &* stride, weight[k].squareRoot())
      var i = 0
      while i < n {
        target[i] = Pack.multiply(source[i], scalar: root)
        i = i &+ 1
      }
      depth = depth &+ 1
    }
    // By columns: the lower half of Q + diag, and A below.
    let shift = PackElements(diagonal)
    for j in 0..<8 &* n {
      let (source, target) = (quadratic + j &* stride, factor.entries + j &* factor.stride)
      var i = j / 8
      while i < n {
        target[i] = source[i]
        i = i &+ 1
      }
      PackElements(target)[j] = j < size.variables ? PackElements(target)[j] + shift[j] : 1
    }
    for e in 0..<8 &* p {
      let (source, isOut) = (PackElements(rows + e &* stride), weight[e] == 0)
      let entries = PackElements(factor.entries)
      for j in 0..<8 &* n {
        entries[8 &* (j &* factor.stride &+ n) &+ e] = isOut ? 0 : source[j]
      }
      // Rows of weight zero get a pivot of one and no coupling.
      let column = factor.entries + (8 &* n &+ e) &* factor.stride
      for i in n &+ e / 8..<n &+ p { column[i] = Pack(0.0) }
      PackElements(column)[8 &* n &+ e] = isOut ? 1 : 1 / weight[e]
    }
    let isSafe = factor.decompose(adding: weighted, rowStride: stride, depth: depth)
    return Pack(isSafe ? 0.0 : 1.0) .== Pack(0.0)
  }

  var rowsTimesSolution: UnsafePointer<Pack>? { equalityCount == 0 ? UnsafePointer(product) : nil }
  func solve(_ x: UnsafeMutablePointer<Pack>, _ rowsSide: UnsafeMutablePointer<Pack>) {
    let (n, m, p) = (variableCount, rowCount, equalityCount)
    // Condensed rows: x + Gᵀ W g.
    var k = p
    while k < m {
      product[k] = weights[k] * rowsSide[k]
      k = k &+ 1
    }
    addTransposedPacked(
      rows + 8 &* p &* stride, stride: stride, rows: 8 &* (m &- p), count: n, product + p, to: x)
    if p == 0 {
      factor.substituteForward(x, from: 0, to: n, through: n)
      factor.substituteBackward(x, from: 0, to: n, through: n)
    } else {
      solveWithEquations(x, rowsSide)
    }
    multiplyPacked(
      rows + 8 &* p &* stride, stride: stride, blocks: m &- p, count: n, x, into: product + p)
    k = p
    while k < m {
      rowsSide[k] = weights[k] * (product[k] - rowsSide[k])
      k = k &+ 1
    }
  }
  /// L u = x; R Rᵀ y = V u − b; Lᵀ x = u − Vᵀ y.
  private func solveWithEquations(_ x: UnsafeMutablePointer<Pack>, _ b: UnsafeMutablePointer<Pack>) {
    let (n, p) = (variableCount, equalityCount)
    withUnsafeTemporaryAllocation(of: Pack.self, capacity: n + p) { buffer in
      let whole = buffer.baseAddress!
      whole.update(from: x, count: n)
      for e in 0..<p { whole[n + e] = b[e] }
      factor.substituteForward(whole, from: 0, to: n, through: n + p)
      for e in 0..<p {
        // b − V u now.
        whole[n + e] = (-whole[n + e]).replacing(with: Pack(0.0), where: weights[e] .== Pack(0.0))
      }
      factor.substituteForward(whole, from: n, to: n + p, through: n + p)
      factor.substituteBackward(whole, from: n, to: n + p, through: n + p)
      factor.substituteBackward(whole, from: 0, to: n, through: n + p)
      x.update(from: whole, count: n)
      for e in 0..<p { b[e] = whole[n + e] }
    }
  }
}

extension PackedProgramMatrices {
  static var programCount: Int { 1 }

  func loadMatrices(quadratic q: UnsafePointer<Double>, rows c: UnsafePointer<Double>, programs: Int) {
    let (n, m) = (size.variables, size.rows)
    let width = variableCount
    for i in 0..<n {
      let target = PackElements(quadratic + i &* stride)
      for j in 0..<n { target[j] = 0.5 * (q[i &* n &+ j] + q[j &* n &+ i]) }
      for j in n..<8 &* width { target[j] = 0 }
    }
    for i in n..<8 &* width { (quadratic + i &* stride).update(repeating: Pack(0.0), count: width) }
    if m < 8 * rowCount { rows.update(repeating: Pack(0.0), count: 8 * rowCount * stride) }
    for k in 0..<m {
      let target = PackElements(rows + place(row: k) &* stride)
      target.copy(from: c + k &* n, count: n)
      for j in n..<8 &* width { target[j] = 0 }
    }
  }
  /// The same for a program with patterns, where numbers are added up.
  func load(_ program: QuadraticProgram) {
    quadratic.update(repeating: Pack(0.0), count: 8 * variableCount * stride)
    rows.update(repeating: Pack(0.0), count: 8 * rowCount * stride)
    func each(_ matrix: CompressedMatrix, _ body: (Int, Int, Double) -> Void) {
      let (offsets, columns) = (matrix.pattern.rowOffsets, matrix.pattern.columnIndices)
      for row in 0..<matrix.rows {
        for k in offsets[row]..<offsets[row + 1] { body(row, columns[k], matrix.values[k]) }
      }
    }
    each(program.quadratic) { PackElements(quadratic + $0 * stride)[$1] += $2 }
    each(program.equalities) { PackElements(rows + $0 * stride)[$1] += $2 }
    each(program.inequalities) { PackElements(rows + (8 * equalityCount + $0) * stride)[$1] += $2 }
  }
  func loadVariables(
    _ source: UnsafePointer<Double>, place: Int, programs: Int, into target: UnsafeMutablePointer<Pack>
  ) {
    PackElements(target).copy(from: source, count: size.variables)
    clearPadding(target)
  }
  func loadConstraints(
    _ source: UnsafePointer<Double>, place: Int, programs: Int, into target: UnsafeMutablePointer<Pack>,
    padding: Double
  ) {
    target.update(repeating: Pack(padding), count: rowCount + variableCount)
    let (p, m, n) = (size.equalities, size.rows, size.variables)
    let values = PackElements(target)
    values.copy(from: source, count: p)
    (values + 8 * equalityCount).copy(from: source + p, count: m - p)
    (values + 8 * rowCount).copy(from: source + m, count: n)
  }
  func storeVariables(
    _ source: UnsafePointer<Pack>, place: Int, programs: Int, into target: UnsafeMutablePointer<Double>
  ) {
    PackElements(source).copy(to: target, count: size.variables)
  }
  func storeConstraints(
    _ source: UnsafePointer<Pack>, place: Int, programs: Int, into target: UnsafeMutablePointer<Double>
  ) {
    let (p, m, n) = (size.equalities, size.rows, size.variables)
    let values = PackElements(source)
    values.copy(to: target, count: p)
    (values + 8 * equalityCount).copy(to: target + p, count: m - p)
    (values + 8 * rowCount).copy(to: target + m, count: n)
  }
}
