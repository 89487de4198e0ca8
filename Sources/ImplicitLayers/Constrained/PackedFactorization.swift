import Lanes

/// A quasidefinite matrix [H, ·; A, −D] of `first` + `second` blocks of eight rows, as [L, 0; V, R] with H = L Lᵀ, V = A L⁻ᵀ and
/// R Rᵀ = D + V Vᵀ: a Cholesky decomposition in which the second half's sign is turned.
struct PackedFactor {
  /// Blocks of eight rows and columns in the two halves.
  let first: Int
  let second: Int
  /// Distance of columns, in vectors.
  let stride: Int
  /// By columns; the lower half counts.
  let entries: UnsafeMutablePointer<Pack>
  /// For each block on the diagonal, eight columns and eight rows of its inverse.
  private let inverses: UnsafeMutablePointer<Pack>

  var blocks: Int { first &+ second }
  static func stride(blocks: Int) -> Int { packedStride(blocks) }
  /// Vectors that are needed.
  static func size(first: Int, second: Int) -> Int {
    let blocks = first + second
    return blocks * 8 * packedStride(blocks) + blocks * 16
  }

  init(first: Int, second: Int, memory: UnsafeMutablePointer<Pack>) {
    (self.first, self.second) = (first, second)
    stride = packedStride(first + second)
    entries = memory
    inverses = memory + (first + second) * 8 * stride
  }

  /// Decomposes in place, after adding Gᵀ G to H.
  /// - Parameters:
  ///   - rows: G, by rows, at `rowStride`.
  ///   - depth: how many rows it has.
  /// - Returns: whether all pivots had the right sign. Others are replaced by one.
  func decompose(adding rows: UnsafePointer<Pack>, rowStride: Int, depth: Int) -> Bool {
    var isSafe = true
    let (scalars, rowScalars) = (PackElements(entries), PackElements(rows))
    var block = 0
    while block < blocks {
      let column = entries + block &* 8 &* stride
      let isSecond = block >= first
      func addProducts(
        _ i: Int, _ a: UnsafePointer<Pack>, _ b: PackElements, stride: Int, depth: Int, isWide: Bool,
        sign: Double
      ) {
        if depth == 0 { return }
        if isWide {
          addWideTile(column + i, self.stride, a, b, stride: stride, depth: depth, sign: sign)
        } else {
          addTile(column + i, self.stride, a, b, stride: stride, depth: depth, sign: sign)
        }
      }
      func addSums(_ i: Int, isWide: Bool) {
        if !isSecond {
          if i < first {
            addProducts(
              i, rows + i, rowScalars + block &* 8, stride: rowStride, depth: depth, isWide: isWide, sign: 1)
          }
          addProducts(
            i, entries + i, scalars + block &* 8, stride: stride, depth: block &* 8, isWide: isWide, sign: -1
          )
        } else {
          let start = first &* 8 &* stride
          addProducts(
            i, entries + i, scalars + block &* 8, stride: stride, depth: first &* 8, isWide: isWide, sign: 1)
          addProducts(
            i, entries + (start &+ i), scalars + (start &+ block) &* 8, stride: stride,
            depth: (block &- first) &* 8, isWide: isWide, sign: -1)
        }
      }
      addSums(block, isWide: false)
      isSafe = decomposeDiagonal(block) && isSafe
      var i = block &+ 1
      while i < blocks {
        // A tile does not reach from the first half's rows into the second's, which are not there in G.
        let isWide = i &+ 2 <= blocks && (i >= first || i &+ 2 <= first)
        addSums(i, isWide: isWide)
        divide(column + i, block)
        if isWide { divide(column + (i &+ 1), block) }
        i = i &+ (isWide ? 2 : 1)
      }
      block = block &+ 1
    }
    return isSafe
  }

  /// The Cholesky decomposition of a block on the diagonal, and its inverse. L D Lᵀ first, as steps then wait for a division only.
  private func decomposeDiagonal(_ block: Int) -> Bool {
    let column = entries + (block &* 8 &* stride &+ block)
    @inline(__always)
    func load(_ j: Int) -> Pack { column[j &* stride] }
    var isSafe = true
    @inline(__always)
    func checked(_ pivot: Double) -> Double {
      let isPositive = pivot > 0 && pivot.isFinite
      isSafe = isSafe && isPositive
      return isPositive ? pivot : 1
    }
    let c0 = load(0)
    var c1 = load(1)
    var c2 = load(2)
    var c3 = load(3)
    var c4 = load(4)
    var c5 = load(5)
    var c6 = load(6)
    var c7 = load(7)
    let p0 = checked(c0[0])
    let m0 = Pack.multiply(c0, scalar: -1 / p0)
    c1 = Pack.multiplyAdd(m0, scalar: c0[1], c1)
    c2 = Pack.multiplyAdd(m0, scalar: c0[2], c2)
    c3 = Pack.multiplyAdd(m0, scalar: c0[3], c3)
    c4 = Pack.multiplyAdd(m0, scalar: c0[4], c4)
    c5 = Pack.multiplyAdd(m0, scalar: c0[5], c5)
    c6 = Pack.multiplyAdd(m0, scalar: c0[6], c6)
    c7 = Pack.multiplyAdd(m0, scalar: c0[7], c7)
    let p1 = checked(c1[1])
    let m1 = Pack.multiply(c1, scalar: -1 / p1)
    c2 = Pack.multiplyAdd(m1, scalar: c1[2], c2)
    c3 = Pack.multiplyAdd(m1, scalar: c1[3], c3)
    c4 = Pack.multiplyAdd(m1, scalar: c1[4], c4)
    c5 = Pack.multiplyAdd(m1, scalar: c1[5], c5)
    c6 = Pack.multiplyAdd(m1, scalar: c1[6], c6)
    c7 = Pack.multiplyAdd(m1, scalar: c1[7], c7)
    let p2 = checked(c2[2])
    let m2 = Pack.multiply(c2, scalar: -1 / p2)
    c3 = Pack.multiplyAdd(m2, scalar: c2[3], c3)
    c4 = Pack.multiplyAdd(m2, scalar: c2[4], c4)
    c5 = Pack.multiplyAdd(m2, scalar: c2[5], c5)
    c6 = Pack.multiplyAdd(m2, scalar: c2[6], c6)
    c7 = Pack.multiplyAdd(m2, scalar: c2[7], c7)
    let p3 = checked(c3[3])
    let m3 = Pack.multiply(c3, scalar: -1 / p3)
    c4 = Pack.multiplyAdd(m3, scalar: c3[4], c4)
    c5 = Pack.multiplyAdd(m3, scalar: c3[5], c5)
    c6 = Pack.multiplyAdd(m3, scalar: c3[6], c6)
    c7 = Pack.multiplyAdd(m3, scalar: c3[7], c7)
    let p4 = checked(c4[4])
    let m4 = Pack.multiply(c4, scalar: -1 / p4)
    c5 = Pack.multiplyAdd(m4, scalar: c4[5], c5)
    c6 = Pack.multiplyAdd(m4, scalar: c4[6], c6)
    c7 = Pack.multiplyAdd(m4, scalar: c4[7], c7)
    let p5 = checked(c5[5])
    let m5 = Pack.multiply(c5, scalar: -1 / p5)
    c6 = Pack.multiplyAdd(m5, scalar: c5[6], c6)
    c7 = Pack.multiplyAdd(m5, scalar: c5[7], c7)
    let p6 = checked(c6[6])
    let m6 = Pack.multiply(c6, scalar: -1 / p6)
    c7 = Pack.multiplyAdd(m6, scalar: c6[7], c7)
    let p7 = checked(c7[7])
    let pivots = Pack(p0, p1, p2, p3, p4, p5, p6, p7)
    let roots = pivots.squareRoot
    let reciprocals = 1.0 / roots
    // Nothing above the diagonal.
    @inline(__always)
    func store(_ j: Int, _ c: Pack) {
      let values = Pack.multiply(c, scalar: reciprocals[j])
      let numbers = Pack(0, 1, 2, 3, 4, 5, 6, 7)
      column[j &* stride] = values.replacing(with: Pack(0.0), where: numbers .< Pack(Double(j)))
        .replacing(with: roots, where: numbers .== Pack(Double(j)))
    }
    store(0, c0)
    store(1, c1)
    store(2, c2)
    store(3, c3)
    store(4, c4)
    store(5, c5)
    store(6, c6)
    store(7, c7)
    invertDiagonal(block, reciprocals)
    return isSafe
  }

  /// Rows X_i = (e_i − Σ_{k<i} L_ik X_k) / L_ii and columns X_j = (e_j − Σ_{k>j} X_k L_kj) / L_jj of a diagonal block's inverse.
  private func invertDiagonal(_ block: Int, _ reciprocals: Pack) {
    let (columns, rows) = (inverses + block &* 16, inverses + (block &* 16 &+ 8))
    let entry = PackElements(entries + (block &* 8 &* stride &+ block))
    let step = stride &* 8
    let zero = Pack(0.0)
    @inline(__always)
    func unit(_ i: Int) -> Pack {
      zero.replacing(with: Pack(1.0), where: Pack(0, 1, 2, 3, 4, 5, 6, 7) .== Pack(Double(i)))
    }
    @inline(__always)
    func subtract(_ x: Pack, times i: Int, _ k: Int, from sum: Pack) -> Pack {
      Pack.multiplyAdd(x, scalar: -entry[k &* step &+ i], sum)
    }
    var x0 = unit(0)
    var x1 = unit(1)
    var x2 = unit(2)
    var x3 = unit(3)
    var x4 = unit(4)
    var x5 = unit(5)
    var x6 = unit(6)
    var x7 = unit(7)
    x0 = Pack.multiply(x0, scalar: reciprocals[0])
    rows[0] = x0
    x1 = subtract(x0, times: 1, 0, from: x1)
    x2 = subtract(x0, times: 2, 0, from: x2)
    x3 = subtract(x0, times: 3, 0, from: x3)
    x4 = subtract(x0, times: 4, 0, from: x4)
    x5 = subtract(x0, times: 5, 0, from: x5)
    x6 = subtract(x0, times: 6, 0, from: x6)
    x7 = subtract(x0, times: 7, 0, from: x7)
    x1 = Pack.multiply(x1, scalar: reciprocals[1])
    rows[1] = x1
    x2 = subtract(x1, times: 2, 1, from: x2)
    x3 = subtract(x1, times: 3, 1, from: x3)
    x4 = subtract(x1, times: 4, 1, from: x4)
    x5 = subtract(x1, times: 5, 1, from: x5)
    x6 = subtract(x1, times: 6, 1, from: x6)
    x7 = subtract(x1, times: 7, 1, from: x7)
    x2 = Pack.multiply(x2, scalar: reciprocals[2])
    rows[2] = x2
    x3 = subtract(x2, times: 3, 2, from: x3)
    x4 = subtract(x2, times: 4, 2, from: x4)
    x5 = subtract(x2, times: 5, 2, from: x5)
    x6 = subtract(x2, times: 6, 2, from: x6)
    x7 = subtract(x2, times: 7, 2, from: x7)
    x3 = Pack.multiply(x3, scalar: reciprocals[3])
    rows[3] = x3
    x4 = subtract(x3, times: 4, 3, from: x4)
    x5 = subtract(x3, times: 5, 3, from: x5)
    x6 = subtract(x3, times: 6, 3, from: x6)
    x7 = subtract(x3, times: 7, 3, from: x7)
    x4 = Pack.multiply(x4, scalar: reciprocals[4])
    rows[4] = x4
    x5 = subtract(x4, times: 5, 4, from: x5)
    x6 = subtract(x4, times: 6, 4, from: x6)
    x7 = subtract(x4, times: 7, 4, from: x7)
    x5 = Pack.multiply(x5, scalar: reciprocals[5])
    rows[5] = x5
    x6 = subtract(x5, times: 6, 5, from: x6)
    x7 = subtract(x5, times: 7, 5, from: x7)
    x6 = Pack.multiply(x6, scalar: reciprocals[6])
    rows[6] = x6
    x7 = subtract(x6, times: 7, 6, from: x7)
    x7 = Pack.multiply(x7, scalar: reciprocals[7])
    rows[7] = x7
    x0 = unit(0)
    x1 = unit(1)
    x2 = unit(2)
    x3 = unit(3)
    x4 = unit(4)
    x5 = unit(5)
    x6 = unit(6)
    x7 = unit(7)
    x7 = Pack.multiply(x7, scalar: reciprocals[7])
    columns[7] = x7
    x6 = subtract(x7, times: 7, 6, from: x6)
    x5 = subtract(x7, times: 7, 5, from: x5)
    x4 = subtract(x7, times: 7, 4, from: x4)
    x3 = subtract(x7, times: 7, 3, from: x3)
    x2 = subtract(x7, times: 7, 2, from: x2)
    x1 = subtract(x7, times: 7, 1, from: x1)
    x0 = subtract(x7, times: 7, 0, from: x0)
    x6 = Pack.multiply(x6, scalar: reciprocals[6])
    columns[6] = x6
    x5 = subtract(x6, times: 6, 5, from: x5)
    x4 = subtract(x6, times: 6, 4, from: x4)
    x3 = subtract(x6, times: 6, 3, from: x3)
    x2 = subtract(x6, times: 6, 2, from: x2)
    x1 = subtract(x6, times: 6, 1, from: x1)
    x0 = subtract(x6, times: 6, 0, from: x0)
    x5 = Pack.multiply(x5, scalar: reciprocals[5])
    columns[5] = x5
    x4 = subtract(x5, times: 5, 4, from: x4)
    x3 = subtract(x5, times: 5, 3, from: x3)
    x2 = subtract(x5, times: 5, 2, from: x2)
    x1 = subtract(x5, times: 5, 1, from: x1)
    x0 = subtract(x5, times: 5, 0, from: x0)
    x4 = Pack.multiply(x4, scalar: reciprocals[4])
    columns[4] = x4
    x3 = subtract(x4, times: 4, 3, from: x3)
    x2 = subtract(x4, times: 4, 2, from: x2)
    x1 = subtract(x4, times: 4, 1, from: x1)
    x0 = subtract(x4, times: 4, 0, from: x0)
    x3 = Pack.multiply(x3, scalar: reciprocals[3])
    columns[3] = x3
    x2 = subtract(x3, times: 3, 2, from: x2)
    x1 = subtract(x3, times: 3, 1, from: x1)
    x0 = subtract(x3, times: 3, 0, from: x0)
    x2 = Pack.multiply(x2, scalar: reciprocals[2])
    columns[2] = x2
    x1 = subtract(x2, times: 2, 1, from: x1)
    x0 = subtract(x2, times: 2, 0, from: x0)
    x1 = Pack.multiply(x1, scalar: reciprocals[1])
    columns[1] = x1
    x0 = subtract(x1, times: 1, 0, from: x0)
    x0 = Pack.multiply(x0, scalar: reciprocals[0])
    columns[0] = x0
  }

  /// C ← C L⁻ᵀ for eight rows below a block on the diagonal.
  private func divide(_ c: UnsafeMutablePointer<Pack>, _ block: Int) {
    let diagonal = PackElements(entries + (block &* 8 &* stride &+ block))
    let reciprocals = PackElements(inverses + block &* 16)
    let step = stride &* 8
    @inline(__always)
    func column(_ j: Int) -> Pack { c[j &* stride] }
    @inline(__always)
    func subtract(_ x: Pack, _ k: Int, from sum: Pack, _ j: Int) -> Pack {
      Pack.multiplyAdd(x, scalar: -diagonal[k &* step &+ j], sum)
    }
    @inline(__always)
    func finish(_ sum: Pack, _ j: Int) -> Pack {
      let x = Pack.multiply(sum, scalar: reciprocals[j &* 9])
      c[j &* stride] = x
      return x
    }
    var x0 = column(0)
    var x1 = column(1)
    var x2 = column(2)
    var x3 = column(3)
    var x4 = column(4)
    var x5 = column(5)
    var x6 = column(6)
    var x7 = column(7)
    x0 = finish(x0, 0)
    x1 = subtract(x0, 0, from: x1, 1)
    x2 = subtract(x0, 0, from: x2, 2)
    x3 = subtract(x0, 0, from: x3, 3)
    x4 = subtract(x0, 0, from: x4, 4)
    x5 = subtract(x0, 0, from: x5, 5)
    x6 = subtract(x0, 0, from: x6, 6)
    x7 = subtract(x0, 0, from: x7, 7)
    x1 = finish(x1, 1)
    x2 = subtract(x1, 1, from: x2, 2)
    x3 = subtract(x1, 1, from: x3, 3)
    x4 = subtract(x1, 1, from: x4, 4)
    x5 = subtract(x1, 1, from: x5, 5)
    x6 = subtract(x1, 1, from: x6, 6)
    x7 = subtract(x1, 1, from: x7, 7)
    x2 = finish(x2, 2)
    x3 = subtract(x2, 2, from: x3, 3)
    x4 = subtract(x2, 2, from: x4, 4)
    x5 = subtract(x2, 2, from: x5, 5)
    x6 = subtract(x2, 2, from: x6, 6)
    x7 = subtract(x2, 2, from: x7, 7)
    x3 = finish(x3, 3)
    x4 = subtract(x3, 3, from: x4, 4)
    x5 = subtract(x3, 3, from: x5, 5)
    x6 = subtract(x3, 3, from: x6, 6)
    x7 = subtract(x3, 3, from: x7, 7)
    x4 = finish(x4, 4)
    x5 = subtract(x4, 4, from: x5, 5)
    x6 = subtract(x4, 4, from: x6, 6)
    x7 = subtract(x4, 4, from: x7, 7)
    x5 = finish(x5, 5)
    x6 = subtract(x5, 5, from: x6, 6)
    x7 = subtract(x5, 5, from: x7, 7)
    x6 = finish(x6, 6)
    x7 = subtract(x6, 6, from: x7, 7)
    _ = finish(x7, 7)
  }

  /// x ← L⁻¹ x with the factor of blocks from `start` to `end`; rows from `end` to `last` get what these leave: x − V L⁻¹ x.
  func substituteForward(_ x: UnsafeMutablePointer<Pack>, from start: Int, to end: Int, through last: Int) {
    let scalars = PackElements(x)
    var block = start
    while block < end {
      let column = entries + block &* 8 &* stride
      let values = scalars + block &* 8
      x[block] = combination(of: inverses + block &* 16, values, stride: 1)
      var i = block &+ 1
      while i < last {
        x[i] -= combination(of: column + i, values, stride: stride)
        i = i &+ 1
      }
      block = block &+ 1
    }
  }
  /// x ← L⁻ᵀ (x − Vᵀ y) with the factor of blocks from `start` to `end`, where y is what lies in x from `end` to `last`.
  func substituteBackward(_ x: UnsafeMutablePointer<Pack>, from start: Int, to end: Int, through last: Int) {
    let scalars = PackElements(x)
    var block = end &- 1
    while block >= start {
      x[block] -= products(
        of: entries + block &* 8 &* stride, stride: stride, x, from: block &+ 1, to: last)
      x[block] = combination(of: inverses + (block &* 16 &+ 8), scalars + block &* 8, stride: 1)
      block = block &- 1
    }
  }
}
