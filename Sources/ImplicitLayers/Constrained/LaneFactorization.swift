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

/// c[i][j] += sign · Σ a[i][k] b[j][k] for a tile of four rows and four columns.
@inline(__always)
private func addTile<L: Lane>(
  _ c: UnsafeMutablePointer<L>, _ cStride: Int, _ a: UnsafePointer<L>, _ aStride: Int, _ b: UnsafePointer<L>,
  _ bStride: Int, _ depth: Int, sign: Double
) {
  let zero = L(0.0)
  var (s00, s01, s02, s03) = (zero, zero, zero, zero)
  var (s10, s11, s12, s13) = (zero, zero, zero, zero)
  var (s20, s21, s22, s23) = (zero, zero, zero, zero)
  var (s30, s31, s32, s33) = (zero, zero, zero, zero)
  let (a1, a2, a3) = (a + aStride, a + 2 &* aStride, a + 3 &* aStride)
  let (b1, b2, b3) = (b + bStride, b + 2 &* bStride, b + 3 &* bStride)
  var k = 0
  while k < depth {
    let (x0, x1, x2, x3) = (a[k], a1[k], a2[k], a3[k])
    let y0 = b[k]
    s00 = L.multiplyAdd(x0, y0, s00)
    s10 = L.multiplyAdd(x1, y0, s10)
    s20 = L.multiplyAdd(x2, y0, s20)
    s30 = L.multiplyAdd(x3, y0, s30)
    let y1 = b1[k]
    s01 = L.multiplyAdd(x0, y1, s01)
    s11 = L.multiplyAdd(x1, y1, s11)
    s21 = L.multiplyAdd(x2, y1, s21)
    s31 = L.multiplyAdd(x3, y1, s31)
    let y2 = b2[k]
    s02 = L.multiplyAdd(x0, y2, s02)
    s12 = L.multiplyAdd(x1, y2, s12)
    s22 = L.multiplyAdd(x2, y2, s22)
    s32 = L.multiplyAdd(x3, y2, s32)
    let y3 = b3[k]
    s03 = L.multiplyAdd(x0, y3, s03)
    s13 = L.multiplyAdd(x1, y3, s13)
    s23 = L.multiplyAdd(x2, y3, s23)
    s33 = L.multiplyAdd(x3, y3, s33)
    k = k &+ 1
  }
  @inline(__always)
  func store(_ row: Int, _ t0: L, _ t1: L, _ t2: L, _ t3: L) {
    let target = c + row &* cStride
    target[0] = target[0] + t0 * sign
    target[1] = target[1] + t1 * sign
    target[2] = target[2] + t2 * sign
    target[3] = target[3] + t3 * sign
  }
  store(0, s00, s01, s02, s03)
  store(1, s10, s11, s12, s13)
  store(2, s20, s21, s22, s23)
  store(3, s30, s31, s32, s33)
}

/// The lower half of C += A Bᵀ, for A and B of so many rows and `depth` columns whose product is symmetric.
func addProducts<L: Lane>(
  _ c: UnsafeMutablePointer<L>, stride: Int, _ a: UnsafePointer<L>, stride aStride: Int,
  _ b: UnsafePointer<L>,
  stride bStride: Int, rows: Int, depth: Int
) {
  var i = 0
  while i < rows {
    let isWide = i &+ 4 <= rows
    var j = 0
    while j <= i {
      if isWide, j &+ 4 <= i {
        addTile(
          c + (i &* stride &+ j), stride, a + i &* aStride, aStride, b + j &* bStride, bStride, depth, sign: 1
        )
        j = j &+ 4
        continue
      }
      // The diagonal, and what is left of the last rows.
      for row in i..<min(i &+ 4, rows) {
        for column in j..<min(j &+ 4, row &+ 1) {
          c[row &* stride &+ column] += dotProduct(a + row &* aStride, b + column &* bStride, depth)
        }
      }
      j = j &+ 4
    }
    i = i &+ 4
  }
}

/// The first so many columns of a Cholesky decomposition, in place, for all rows below them too.
/// - Parameter reciprocals: of what comes to lie on the diagonal.
/// - Returns: in which lanes the pivots were positive and finite. Others are replaced by one.
func decompose<L: Lane>(
  _ a: UnsafeMutablePointer<L>, stride: Int, columns end: Int, rows: Int,
  reciprocals: UnsafeMutablePointer<L>
) -> L.Mask {
  var isSafe = L(0.0) .== L(0.0)
  var j = 0
  while j < end {
    let width = min(4, end &- j)
    // The block on the diagonal, and its column.
    var i = j
    while i < rows {
      let height = min(4, rows &- i)
      if width == 4, height == 4, i > j {
        addTile(a + (i &* stride &+ j), stride, a + i &* stride, stride, a + j &* stride, stride, j, sign: -1)
      } else {
        for row in i..<i &+ height {
          for column in j..<min(j &+ width, row &+ 1) {
            a[row &* stride &+ column] -= dotProduct(a + row &* stride, a + column &* stride, j)
          }
        }
      }
      for row in i..<i &+ height {
        for column in j..<min(j &+ width, row &+ 1) {
          var sum = a[row &* stride &+ column]
          var k = j
          while k < column {
            sum = L.multiplyAdd(-a[row &* stride &+ k], a[column &* stride &+ k], sum)
            k = k &+ 1
          }
          if row == column {
            let isPositive = (sum .> L(0.0)) .& sum.isFinite
            isSafe = isSafe .& isPositive
            let root = sum.replacing(with: L(1.0), where: .!isPositive).squareRoot
            a[row &* stride &+ column] = root
            reciprocals[column] = 1.0 / root
          } else {
            a[row &* stride &+ column] = sum * reciprocals[column]
          }
        }
      }
      i = i &+ height
    }
    j = j &+ width
  }
  return isSafe
}

/// x ← L⁻¹ x with the lower half of `a` and the reciprocals of its diagonal.
func forwardSubstitute<L: Lane>(
  _ a: UnsafePointer<L>, stride: Int, _ reciprocals: UnsafePointer<L>, _ x: UnsafeMutablePointer<L>,
  _ count: Int
) {
  var i = 0
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
  var i = count &- 1
  while i >= 0 {
    let row = a + i &* stride
    let value = x[i] * reciprocals[i]
    x[i] = value
    let negative = -value
    var k = 0
    while k < i {
      x[k] = L.multiplyAdd(row[k], negative, x[k])
      k = k &+ 1
    }
    i = i &- 1
  }
}
