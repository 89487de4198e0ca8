import Lanes

// Kernels of dense decompositions in lanes, four rows by four columns at a time, so that every number loaded serves four products.

/// a · b.
@inline(__always)
func dotProduct<L: Lane>(_ a: UnsafePointer<L>, _ b: UnsafePointer<L>, _ count: Int) -> L {
  var sums = (L(0.0), L(0.0), L(0.0), L(0.0))
  var k = 0
  while k &+ 4 <= count {
    sums.0 = L.multiplyAdd(a[k], b[k], sums.0)
    sums.1 = L.multiplyAdd(a[k &+ 1], b[k &+ 1], sums.1)
    sums.2 = L.multiplyAdd(a[k &+ 2], b[k &+ 2], sums.2)
    sums.3 = L.multiplyAdd(a[k &+ 3], b[k &+ 3], sums.3)
    k = k &+ 4
  }
  while k < count {
    sums.0 = L.multiplyAdd(a[k], b[k], sums.0)
    k = k &+ 1
  }
  return (sums.0 + sums.1) + (sums.2 + sums.3)
}

/// Four rows and four columns of a matrix in registers. What a user does not read costs nothing: fewer rows, or a lower half, are the same
/// code.
private struct LaneTile<L: Lane> {
  var r0, r1, r2, r3: (L, L, L, L)

  /// The first so many rows and columns of what is at a place.
  @inline(__always)
  init(_ source: UnsafePointer<L>, stride: Int, height: Int, width: Int = 4) {
    let zero = L(0.0)
    @inline(__always)
    func row(_ i: Int) -> (L, L, L, L) {
      if i >= height { return (zero, zero, zero, zero) }
      let row = source + i &* stride
      return (row[0], width > 1 ? row[1] : zero, width > 2 ? row[2] : zero, width > 3 ? row[3] : zero)
    }
    (r0, r1, r2, r3) = (row(0), row(1), row(2), row(3))
  }

  /// Adds ± Σ_k a[i][k] b[j][k]; of the first so many rows and columns.
  @inline(__always)
  mutating func add(
    _ a: UnsafePointer<L>, _ aStride: Int, _ b: UnsafePointer<L>, _ bStride: Int, depth: Int, height: Int,
    width: Int = 4, isNegative: Bool = false
  ) {
    let zero = L(0.0)
    let (a1, a2, a3) = (a + aStride, a + 2 &* aStride, a + 3 &* aStride)
    let (b1, b2, b3) = (b + bStride, b + 2 &* bStride, b + 3 &* bStride)
    @inline(__always)
    func signed(_ x: L) -> L { isNegative ? -x : x }
    var k = 0
    while k < depth {
      let x0 = signed(a[k])
      let x1 = height > 1 ? signed(a1[k]) : zero
      let x2 = height > 2 ? signed(a2[k]) : zero
      let x3 = height > 3 ? signed(a3[k]) : zero
      let y0 = b[k]
      r0.0 = L.multiplyAdd(x0, y0, r0.0)
      r1.0 = L.multiplyAdd(x1, y0, r1.0)
      r2.0 = L.multiplyAdd(x2, y0, r2.0)
      r3.0 = L.multiplyAdd(x3, y0, r3.0)
      let y1 = width > 1 ? b1[k] : zero
      r0.1 = L.multiplyAdd(x0, y1, r0.1)
      r1.1 = L.multiplyAdd(x1, y1, r1.1)
      r2.1 = L.multiplyAdd(x2, y1, r2.1)
      r3.1 = L.multiplyAdd(x3, y1, r3.1)
      let y2 = width > 2 ? b2[k] : zero
      r0.2 = L.multiplyAdd(x0, y2, r0.2)
      r1.2 = L.multiplyAdd(x1, y2, r1.2)
      r2.2 = L.multiplyAdd(x2, y2, r2.2)
      r3.2 = L.multiplyAdd(x3, y2, r3.2)
      let y3 = width > 3 ? b3[k] : zero
      r0.3 = L.multiplyAdd(x0, y3, r0.3)
      r1.3 = L.multiplyAdd(x1, y3, r1.3)
      r2.3 = L.multiplyAdd(x2, y3, r2.3)
      r3.3 = L.multiplyAdd(x3, y3, r3.3)
      k = k &+ 1
    }
  }

  /// Multiplies from the right by the inverse of a decomposed block's transpose: X ← X L⁻ᵀ.
  /// - Parameter block: the block, whose diagonal counts through its reciprocals only.
  @inline(__always)
  mutating func divide(_ block: UnsafePointer<L>, stride: Int, _ reciprocals: UnsafePointer<L>, height: Int) {
    let (second, third, fourth) = (block + stride, block + 2 &* stride, block + 3 &* stride)
    @inline(__always)
    func divide(_ x: inout (L, L, L, L)) {
      x.0 = x.0 * reciprocals[0]
      x.1 = L.multiplyAdd(-x.0, second[0], x.1) * reciprocals[1]
      x.2 = L.multiplyAdd(-x.0, third[0], x.2)
      x.3 = L.multiplyAdd(-x.0, fourth[0], x.3)
      x.2 = L.multiplyAdd(-x.1, third[1], x.2) * reciprocals[2]
      x.3 = L.multiplyAdd(-x.1, fourth[1], x.3)
      x.3 = L.multiplyAdd(-x.2, fourth[2], x.3) * reciprocals[3]
    }
    divide(&r0)
    if height > 1 { divide(&r1) }
    if height > 2 { divide(&r2) }
    if height > 3 { divide(&r3) }
  }

  /// The Cholesky decomposition of the lower half of the first so many rows and columns. L D Lᵀ first, as steps then wait for a division only.
  /// - Returns: in which lanes pivots were positive and finite. Others are replaced by one.
  @inline(__always)
  mutating func decompose(_ reciprocals: UnsafeMutablePointer<L>, size: Int) -> L.Mask {
    let one = L(1.0)
    var isSafe = L(0.0) .== L(0.0)
    @inline(__always)
    func inverse(_ pivot: L) -> L {
      let isPositive = (pivot .> L(0.0)) .& pivot.isFinite
      isSafe = isSafe .& isPositive
      return 1.0 / pivot.replacing(with: one, where: .!isPositive)
    }
    @inline(__always)
    func finish(_ j: Int, _ inverse: L) -> L {
      let root = inverse.squareRoot
      reciprocals[j] = root
      return root
    }
    let p0 = inverse(r0.0)
    let (m1, m2, m3) = (r1.0 * p0, r2.0 * p0, r3.0 * p0)
    let root0 = finish(0, p0)
    if size > 1 {
      r1.1 = L.multiplyAdd(-m1, r1.0, r1.1)
      r2.1 = L.multiplyAdd(-m2, r1.0, r2.1)
      r3.1 = L.multiplyAdd(-m3, r1.0, r3.1)
      let p1 = inverse(r1.1)
      let (k2, k3) = (r2.1 * p1, r3.1 * p1)
      let root1 = finish(1, p1)
      if size > 2 {
        r2.2 = L.multiplyAdd(-k2, r2.1, L.multiplyAdd(-m2, r2.0, r2.2))
        r3.2 = L.multiplyAdd(-k3, r2.1, L.multiplyAdd(-m3, r2.0, r3.2))
        let p2 = inverse(r2.2)
        let l3 = r3.2 * p2
        let root2 = finish(2, p2)
        if size > 3 {
          r3.3 = L.multiplyAdd(-k3, r3.1, L.multiplyAdd(-m3, r3.0, r3.3))
          r3.3 = L.multiplyAdd(-l3, r3.2, r3.3)
          r3.3 = finish(3, inverse(r3.3))
        }
        r3.2 = r3.2 * root2
      }
      r2.1 = r2.1 * root1
      r3.1 = r3.1 * root1
    }
    r1.0 = r1.0 * root0
    r2.0 = r2.0 * root0
    r3.0 = r3.0 * root0
    return isSafe
  }

  @inline(__always)
  func store(_ target: UnsafeMutablePointer<L>, stride: Int, height: Int) {
    @inline(__always)
    func store(_ row: Int, _ x: (L, L, L, L)) {
      let place = target + row &* stride
      (place[0], place[1], place[2], place[3]) = x
    }
    store(0, r0)
    if height > 1 { store(1, r1) }
    if height > 2 { store(2, r2) }
    if height > 3 { store(3, r3) }
  }
  /// What lies below the diagonal.
  @inline(__always)
  func storeBelowDiagonal(_ target: UnsafeMutablePointer<L>, stride: Int, size: Int) {
    if size > 1 { target[stride] = r1.0 }
    if size > 2 { (target[2 &* stride], target[2 &* stride &+ 1]) = (r2.0, r2.1) }
    if size > 3 {
      let place = target + 3 &* stride
      (place[0], place[1], place[2]) = (r3.0, r3.1, r3.2)
    }
  }
}

/// A Bᵀ, a symmetric product of matrices that lie by rows.
struct LaneProduct<L: Lane> {
  let a: UnsafePointer<L>
  let aStride: Int
  let b: UnsafePointer<L>
  let bStride: Int
  let depth: Int
}

/// The Cholesky decomposition of the lower half of S + diag(d) + A Bᵀ: below the diagonal of `target`, which may be S itself.
/// - Parameter reciprocals: of what belongs on the diagonal, which is not stored.
/// - Returns: in which lanes the pivots were positive and finite. Others are replaced by one.
func decompose<L: Lane>(
  _ source: UnsafePointer<L>, stride sourceStride: Int, diagonal: UnsafePointer<L>?,
  _ product: LaneProduct<L>,
  into target: UnsafeMutablePointer<L>, stride: Int, rows: Int, reciprocals: UnsafeMutablePointer<L>
) -> L.Mask {
  var isSafe = L(0.0) .== L(0.0)
  @inline(__always)
  func decomposeDiagonal(_ j: Int, size: Int) {
    var tile = LaneTile(
      source + (j &* sourceStride &+ j), stride: sourceStride, height: size, width: size)
    if let diagonal {
      tile.r0.0 += diagonal[j]
      if size > 1 { tile.r1.1 += diagonal[j &+ 1] }
      if size > 2 { tile.r2.2 += diagonal[j &+ 2] }
      if size > 3 { tile.r3.3 += diagonal[j &+ 3] }
    }
    tile.add(
      product.a + j &* product.aStride, product.aStride, product.b + j &* product.bStride, product.bStride,
      depth: product.depth, height: size, width: size)
    let row = target + j &* stride
    tile.add(row, stride, row, stride, depth: j, height: size, width: size, isNegative: true)
    isSafe = isSafe .& tile.decompose(reciprocals + j, size: size)
    tile.storeBelowDiagonal(row + j, stride: stride, size: size)
  }
  @inline(__always)
  func eliminate(_ i: Int, _ j: Int, height: Int) {
    var tile = LaneTile(source + (i &* sourceStride &+ j), stride: sourceStride, height: height)
    tile.add(
      product.a + i &* product.aStride, product.aStride, product.b + j &* product.bStride, product.bStride,
      depth: product.depth, height: height)
    let (row, above) = (target + i &* stride, target + j &* stride)
    tile.add(row, stride, above, stride, depth: j, height: height, isNegative: true)
    tile.divide(above + j, stride: stride, reciprocals + j, height: height)
    tile.store(row + j, stride: stride, height: height)
  }
  var j = 0
  while j &+ 4 <= rows {
    decomposeDiagonal(j, size: 4)
    var i = j &+ 4
    while i &+ 4 <= rows {
      eliminate(i, j, height: 4)
      i = i &+ 4
    }
    switch rows &- i {
    case 3: eliminate(i, j, height: 3)
    case 2: eliminate(i, j, height: 2)
    case 1: eliminate(i, j, height: 1)
    default: break
    }
    j = j &+ 4
  }
  switch rows &- j {
  case 3: decomposeDiagonal(j, size: 3)
  case 2: decomposeDiagonal(j, size: 2)
  case 1: decomposeDiagonal(j, size: 1)
  default: break
  }
  return isSafe
}

/// V ← V L⁻ᵀ for rows V that lie below those of a decomposition.
func eliminate<L: Lane>(
  _ below: UnsafeMutablePointer<L>, _ decomposed: UnsafePointer<L>, stride: Int,
  _ reciprocals: UnsafePointer<L>, rows: Int, columns: Int
) {
  for row in 0..<rows {
    forwardSubstitute(decomposed, stride: stride, reciprocals, below + row &* stride, columns)
  }
}

/// x ← L⁻¹ x with what is below the diagonal of `a` and the reciprocals of the diagonal.
func forwardSubstitute<L: Lane>(
  _ a: UnsafePointer<L>, stride: Int, _ reciprocals: UnsafePointer<L>, _ x: UnsafeMutablePointer<L>,
  _ count: Int
) {
  var i = 0
  while i &+ 4 <= count {
    let row0 = a + i &* stride
    let (row1, row2, row3) = (row0 + stride, row0 + 2 &* stride, row0 + 3 &* stride)
    var (x0, x1, x2, x3) = (x[i], x[i &+ 1], x[i &+ 2], x[i &+ 3])
    var k = 0
    while k < i {
      let factor = -x[k]
      x0 = L.multiplyAdd(row0[k], factor, x0)
      x1 = L.multiplyAdd(row1[k], factor, x1)
      x2 = L.multiplyAdd(row2[k], factor, x2)
      x3 = L.multiplyAdd(row3[k], factor, x3)
      k = k &+ 1
    }
    x0 = x0 * reciprocals[i]
    x1 = L.multiplyAdd(-x0, row1[i], x1) * reciprocals[i &+ 1]
    x2 = L.multiplyAdd(-x0, row2[i], x2)
    x3 = L.multiplyAdd(-x0, row3[i], x3)
    x2 = L.multiplyAdd(-x1, row2[i &+ 1], x2) * reciprocals[i &+ 2]
    x3 = L.multiplyAdd(-x1, row3[i &+ 1], x3)
    x3 = L.multiplyAdd(-x2, row3[i &+ 2], x3) * reciprocals[i &+ 3]
    (x[i], x[i &+ 1], x[i &+ 2], x[i &+ 3]) = (x0, x1, x2, x3)
    i = i &+ 4
  }
  while i < count {
    x[i] = (x[i] - dotProduct(a + i &* stride, x, i)) * reciprocals[i]
    i = i &+ 1
  }
}
/// x ← L⁻ᵀ x, likewise.
func backwardSubstitute<L: Lane>(
  _ a: UnsafePointer<L>, stride: Int, _ reciprocals: UnsafePointer<L>, _ x: UnsafeMutablePointer<L>,
  _ count: Int
) {
  var i = count
  while i & 3 != 0 {
    i = i &- 1
    let row = a + i &* stride
    let value = x[i] * reciprocals[i]
    x[i] = value
    let negative = -value
    var k = 0
    while k < i {
      x[k] = L.multiplyAdd(row[k], negative, x[k])
      k = k &+ 1
    }
  }
  while i > 0 {
    i = i &- 4
    let row0 = a + i &* stride
    let (row1, row2, row3) = (row0 + stride, row0 + 2 &* stride, row0 + 3 &* stride)
    let x3 = x[i &+ 3] * reciprocals[i &+ 3]
    let x2 = L.multiplyAdd(-x3, row3[i &+ 2], x[i &+ 2]) * reciprocals[i &+ 2]
    let x1 =
      L.multiplyAdd(-x2, row2[i &+ 1], L.multiplyAdd(-x3, row3[i &+ 1], x[i &+ 1]))
      * reciprocals[i &+ 1]
    let sum = L.multiplyAdd(-x2, row2[i], L.multiplyAdd(-x3, row3[i], x[i]))
    let x0 = L.multiplyAdd(-x1, row1[i], sum) * reciprocals[i]
    (x[i], x[i &+ 1], x[i &+ 2], x[i &+ 3]) = (x0, x1, x2, x3)
    let (f0, f1, f2, f3) = (-x0, -x1, -x2, -x3)
    var k = 0
    while k < i {
      let first = L.multiplyAdd(row2[k], f2, L.multiplyAdd(row3[k], f3, x[k]))
      x[k] = L.multiplyAdd(row0[k], f0, L.multiplyAdd(row1[k], f1, first))
      k = k &+ 1
    }
  }
}

/// y = A x, or what is added to y, for a matrix that lies by rows: four at a time, so that every number of x serves four products.
func multiply<L: Lane>(
  _ a: UnsafePointer<L>, stride: Int, rows: Int, depth: Int, _ x: UnsafePointer<L>,
  into y: UnsafeMutablePointer<L>, adds: Bool
) {
  let zero = L(0.0)
  var i = 0
  while i &+ 4 <= rows {
    let row0 = a + i &* stride
    let (row1, row2, row3) = (row0 + stride, row0 + 2 &* stride, row0 + 3 &* stride)
    var (s0, s1, s2, s3) = (zero, zero, zero, zero)
    var (t0, t1, t2, t3) = (zero, zero, zero, zero)
    var k = 0
    while k &+ 2 <= depth {
      let (first, second) = (x[k], x[k &+ 1])
      s0 = L.multiplyAdd(row0[k], first, s0)
      s1 = L.multiplyAdd(row1[k], first, s1)
      s2 = L.multiplyAdd(row2[k], first, s2)
      s3 = L.multiplyAdd(row3[k], first, s3)
      t0 = L.multiplyAdd(row0[k &+ 1], second, t0)
      t1 = L.multiplyAdd(row1[k &+ 1], second, t1)
      t2 = L.multiplyAdd(row2[k &+ 1], second, t2)
      t3 = L.multiplyAdd(row3[k &+ 1], second, t3)
      k = k &+ 2
    }
    if k < depth {
      let last = x[k]
      s0 = L.multiplyAdd(row0[k], last, s0)
      s1 = L.multiplyAdd(row1[k], last, s1)
      s2 = L.multiplyAdd(row2[k], last, s2)
      s3 = L.multiplyAdd(row3[k], last, s3)
    }
    (s0, s1, s2, s3) = (s0 + t0, s1 + t1, s2 + t2, s3 + t3)
    if adds { (s0, s1, s2, s3) = (s0 + y[i], s1 + y[i &+ 1], s2 + y[i &+ 2], s3 + y[i &+ 3]) }
    (y[i], y[i &+ 1], y[i &+ 2], y[i &+ 3]) = (s0, s1, s2, s3)
    i = i &+ 4
  }
  while i < rows {
    let sum = dotProduct(a + i &* stride, x, depth)
    y[i] = adds ? y[i] + sum : sum
    i = i &+ 1
  }
}

/// v = Aᵀ x for a matrix of `rows` rows and `columns` columns that lies by rows: eight results at a time in registers.
func multiplyTransposed<L: Lane>(
  _ a: UnsafePointer<L>, rows: Int, columns: Int, _ x: UnsafePointer<L>, into v: UnsafeMutablePointer<L>
) {
  let zero = L(0.0)
  var k = 0
  while k &+ 8 <= columns {
    var (s0, s1, s2, s3) = (zero, zero, zero, zero)
    var (s4, s5, s6, s7) = (zero, zero, zero, zero)
    var place = a + k
    var i = 0
    while i < rows {
      let factor = x[i]
      s0 = L.multiplyAdd(place[0], factor, s0)
      s1 = L.multiplyAdd(place[1], factor, s1)
      s2 = L.multiplyAdd(place[2], factor, s2)
      s3 = L.multiplyAdd(place[3], factor, s3)
      s4 = L.multiplyAdd(place[4], factor, s4)
      s5 = L.multiplyAdd(place[5], factor, s5)
      s6 = L.multiplyAdd(place[6], factor, s6)
      s7 = L.multiplyAdd(place[7], factor, s7)
      place += columns
      i = i &+ 1
    }
    (v[k], v[k &+ 1], v[k &+ 2], v[k &+ 3]) = (s0, s1, s2, s3)
    (v[k &+ 4], v[k &+ 5], v[k &+ 6], v[k &+ 7]) = (s4, s5, s6, s7)
    k = k &+ 8
  }
  while k &+ 4 <= columns {
    var (s0, s1, s2, s3) = (zero, zero, zero, zero)
    var place = a + k
    var i = 0
    while i < rows {
      let factor = x[i]
      s0 = L.multiplyAdd(place[0], factor, s0)
      s1 = L.multiplyAdd(place[1], factor, s1)
      s2 = L.multiplyAdd(place[2], factor, s2)
      s3 = L.multiplyAdd(place[3], factor, s3)
      place += columns
      i = i &+ 1
    }
    (v[k], v[k &+ 1], v[k &+ 2], v[k &+ 3]) = (s0, s1, s2, s3)
    k = k &+ 4
  }
  while k < columns {
    var sum = zero
    var i = 0
    while i < rows {
      sum = L.multiplyAdd(a[i &* columns &+ k], x[i], sum)
      i = i &+ 1
    }
    v[k] = sum
    k = k &+ 1
  }
}
