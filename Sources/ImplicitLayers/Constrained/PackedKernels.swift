import CLanes
import Lanes

// Kernels of dense linear algebra on one matrix, eight of its numbers in a vector: what BLAS has, without its calls' overhead at a hundred
// rows. Leading dimensions are counted in vectors; a column's or row's numbers are contiguous, and padded with zeros.

typealias Pack = SIMD8<Double>

/// The single numbers in vectors. Through raw memory, as the compiler takes pointers to different types for pointers to different memory.
struct PackElements {
  let base: UnsafeMutableRawPointer
  @inline(__always) init(_ packs: UnsafePointer<Pack>) { base = UnsafeMutableRawPointer(mutating: packs) }
  @inline(__always) private init(base: UnsafeMutableRawPointer) { self.base = base }
  @inline(__always) subscript(index: Int) -> Double {
    get { base.load(fromByteOffset: index &* 8, as: Double.self) }
    nonmutating set { base.storeBytes(of: newValue, toByteOffset: index &* 8, as: Double.self) }
  }
  func copy(from source: UnsafePointer<Double>, count: Int) {
    base.copyMemory(from: source, byteCount: count &* 8)
  }
  func copy(to target: UnsafeMutablePointer<Double>, count: Int) {
    UnsafeMutableRawPointer(target).copyMemory(from: base, byteCount: count &* 8)
  }
  @inline(__always) static func + (a: Self, offset: Int) -> Self { Self(base: a.base + offset &* 8) }
}

/// c[i][j] += sign Σ_k a[k][i] b[k][j] for one vector of rows i and eight columns j. `c` is stored by columns.
@inline(never)
func addTile(
  _ c: UnsafeMutablePointer<Pack>, _ cStride: Int, _ a: UnsafePointer<Pack>, _ b: PackElements, stride: Int,
  depth: Int, sign: Double
) {
  let zero = Pack(0.0)
  var (s0, s1, s2, s3, s4, s5, s6, s7) = (zero, zero, zero, zero, zero, zero, zero, zero)
  var (a, b) = (a, b)
  let step = stride &* 8
  var k = 0
  while k < depth {
    let x = a[0]
    let b0 = b[0]
    s0 = Pack.multiplyAdd(x, scalar: b0, s0)
    let b1 = b[1]
    s1 = Pack.multiplyAdd(x, scalar: b1, s1)
    let b2 = b[2]
    s2 = Pack.multiplyAdd(x, scalar: b2, s2)
    let b3 = b[3]
    s3 = Pack.multiplyAdd(x, scalar: b3, s3)
    let b4 = b[4]
    s4 = Pack.multiplyAdd(x, scalar: b4, s4)
    let b5 = b[5]
    s5 = Pack.multiplyAdd(x, scalar: b5, s5)
    let b6 = b[6]
    s6 = Pack.multiplyAdd(x, scalar: b6, s6)
    let b7 = b[7]
    s7 = Pack.multiplyAdd(x, scalar: b7, s7)
    a += stride
    b = b + step
    k = k &+ 1
  }
  @inline(__always)
  func store(_ column: Int, _ s: Pack) {
    let target = c + column &* cStride
    target[0] = Pack.multiplyAdd(s, scalar: sign, target[0])
  }
  store(0, s0)
  store(1, s1)
  store(2, s2)
  store(3, s3)
  store(4, s4)
  store(5, s5)
  store(6, s6)
  store(7, s7)
}

/// The same for two vectors of rows, so that every number loaded serves two products.
@inline(never)
func addWideTile(
  _ c: UnsafeMutablePointer<Pack>, _ cStride: Int, _ a: UnsafePointer<Pack>, _ b: PackElements, stride: Int,
  depth: Int, sign: Double
) {
  let zero = Pack(0.0)
  var (s0, s1, s2, s3, s4, s5, s6, s7) = (zero, zero, zero, zero, zero, zero, zero, zero)
  var (t0, t1, t2, t3, t4, t5, t6, t7) = (zero, zero, zero, zero, zero, zero, zero, zero)
  var (a, b) = (a, b)
  let step = stride &* 8
  var k = 0
  while k < depth {
    let (x, y) = (a[0], a[1])
    let b0 = b[0]
    s0 = Pack.multiplyAdd(x, scalar: b0, s0)
    t0 = Pack.multiplyAdd(y, scalar: b0, t0)
    let b1 = b[1]
    s1 = Pack.multiplyAdd(x, scalar: b1, s1)
    t1 = Pack.multiplyAdd(y, scalar: b1, t1)
    let b2 = b[2]
    s2 = Pack.multiplyAdd(x, scalar: b2, s2)
    t2 = Pack.multiplyAdd(y, scalar: b2, t2)
    let b3 = b[3]
    s3 = Pack.multiplyAdd(x, scalar: b3, s3)
    t3 = Pack.multiplyAdd(y, scalar: b3, t3)
    let b4 = b[4]
    s4 = Pack.multiplyAdd(x, scalar: b4, s4)
    t4 = Pack.multiplyAdd(y, scalar: b4, t4)
    let b5 = b[5]
    s5 = Pack.multiplyAdd(x, scalar: b5, s5)
    t5 = Pack.multiplyAdd(y, scalar: b5, t5)
    let b6 = b[6]
    s6 = Pack.multiplyAdd(x, scalar: b6, s6)
    t6 = Pack.multiplyAdd(y, scalar: b6, t6)
    let b7 = b[7]
    s7 = Pack.multiplyAdd(x, scalar: b7, s7)
    t7 = Pack.multiplyAdd(y, scalar: b7, t7)
    a += stride
    b = b + step
    k = k &+ 1
  }
  @inline(__always)
  func store(_ column: Int, _ s: Pack, _ t: Pack) {
    let target = c + column &* cStride
    target[0] = Pack.multiplyAdd(s, scalar: sign, target[0])
    target[1] = Pack.multiplyAdd(t, scalar: sign, target[1])
  }
  store(0, s0, t0)
  store(1, s1, t1)
  store(2, s2, t2)
  store(3, s3, t3)
  store(4, s4, t4)
  store(5, s5, t5)
  store(6, s6, t6)
  store(7, s7, t7)
}

/// The distance, in vectors, of rows of so many vectors: no multiple of 512 bytes, as those share few sets of a cache.
func packedStride(_ count: Int) -> Int { count > 0 && count % 8 == 0 ? count + 1 : max(count, 1) }

/// Σ_k x_k a_k for eight vectors.
@inline(__always)
func combination(of a: UnsafePointer<Pack>, _ x: PackElements, stride: Int) -> Pack {
  var first = Pack.multiply(a[0], scalar: x[0])
  var second = Pack.multiply(a[stride], scalar: x[1])
  first = Pack.multiplyAdd(a[2 &* stride], scalar: x[2], first)
  second = Pack.multiplyAdd(a[3 &* stride], scalar: x[3], second)
  first = Pack.multiplyAdd(a[4 &* stride], scalar: x[4], first)
  second = Pack.multiplyAdd(a[5 &* stride], scalar: x[5], second)
  first = Pack.multiplyAdd(a[6 &* stride], scalar: x[6], first)
  second = Pack.multiplyAdd(a[7 &* stride], scalar: x[7], second)
  return first + second
}

/// The products of eight rows with x, over vectors from `start` to `end`.
@inline(__always)
func products(
  of a: UnsafePointer<Pack>, stride: Int, _ x: UnsafePointer<Pack>, from start: Int, to end: Int
) -> Pack {
  let zero = Pack(0.0)
  var (s0, s1, s2, s3, s4, s5, s6, s7) = (zero, zero, zero, zero, zero, zero, zero, zero)
  let (a4, double, triple) = (a + 4 &* stride, 2 &* stride, 3 &* stride)
  var i = start
  while i < end {
    let y = x[i]
    s0 = Pack.multiplyAdd(a[i], y, s0)
    s1 = Pack.multiplyAdd(a[i &+ stride], y, s1)
    s2 = Pack.multiplyAdd(a[i &+ double], y, s2)
    s3 = Pack.multiplyAdd(a[i &+ triple], y, s3)
    s4 = Pack.multiplyAdd(a4[i], y, s4)
    s5 = Pack.multiplyAdd(a4[i &+ stride], y, s5)
    s6 = Pack.multiplyAdd(a4[i &+ double], y, s6)
    s7 = Pack.multiplyAdd(a4[i &+ triple], y, s7)
    i = i &+ 1
  }
  return costate_sums_d8(s0, s1, s2, s3, s4, s5, s6, s7)
}

/// y = A x for a matrix of `blocks` times eight rows, each of `count` vectors.
func multiplyPacked(
  _ a: UnsafePointer<Pack>, stride: Int, blocks: Int, count: Int, _ x: UnsafePointer<Pack>,
  into y: UnsafeMutablePointer<Pack>
) {
  var block = 0
  while block < blocks {
    y[block] = products(of: a + block &* 8 &* stride, stride: stride, x, from: 0, to: count)
    block = block &+ 1
  }
}

/// y += Aᵀ z for a matrix of `rows` rows, each of `count` vectors.
func addTransposedPacked(
  _ a: UnsafePointer<Pack>, stride: Int, rows: Int, count: Int, _ z: UnsafePointer<Pack>,
  to y: UnsafeMutablePointer<Pack>
) {
  let scalars = PackElements(z)
  let zero = Pack(0.0)
  var i = 0
  while i &+ 8 <= count {
    var (s0, s1, s2, s3) = (y[i], y[i &+ 1], y[i &+ 2], y[i &+ 3])
    var (s4, s5, s6, s7) = (y[i &+ 4], y[i &+ 5], y[i &+ 6], y[i &+ 7])
    var row = a + i
    var k = 0
    while k < rows {
      let u = scalars[k]
      s0 = Pack.multiplyAdd(row[0], scalar: u, s0)
      s1 = Pack.multiplyAdd(row[1], scalar: u, s1)
      s2 = Pack.multiplyAdd(row[2], scalar: u, s2)
      s3 = Pack.multiplyAdd(row[3], scalar: u, s3)
      s4 = Pack.multiplyAdd(row[4], scalar: u, s4)
      s5 = Pack.multiplyAdd(row[5], scalar: u, s5)
      s6 = Pack.multiplyAdd(row[6], scalar: u, s6)
      s7 = Pack.multiplyAdd(row[7], scalar: u, s7)
      row += stride
      k = k &+ 1
    }
    (y[i], y[i &+ 1], y[i &+ 2], y[i &+ 3]) = (s0, s1, s2, s3)
    (y[i &+ 4], y[i &+ 5], y[i &+ 6], y[i &+ 7]) = (s4, s5, s6, s7)
    i = i &+ 8
  }
  while i &+ 4 <= count {
    var (s0, s1, s2, s3) = (y[i], y[i &+ 1], y[i &+ 2], y[i &+ 3])
    var (t0, t1, t2, t3) = (zero, zero, zero, zero)
    var row = a + i
    var k = 0
    // Rows come in blocks of eight.
    while k < rows {
      let (u, v) = (scalars[k], scalars[k &+ 1])
      let next = row + stride
      s0 = Pack.multiplyAdd(row[0], scalar: u, s0)
      s1 = Pack.multiplyAdd(row[1], scalar: u, s1)
      s2 = Pack.multiplyAdd(row[2], scalar: u, s2)
      s3 = Pack.multiplyAdd(row[3], scalar: u, s3)
      t0 = Pack.multiplyAdd(next[0], scalar: v, t0)
      t1 = Pack.multiplyAdd(next[1], scalar: v, t1)
      t2 = Pack.multiplyAdd(next[2], scalar: v, t2)
      t3 = Pack.multiplyAdd(next[3], scalar: v, t3)
      row = next + stride
      k = k &+ 2
    }
    (y[i], y[i &+ 1], y[i &+ 2], y[i &+ 3]) = (s0 + t0, s1 + t1, s2 + t2, s3 + t3)
    i = i &+ 4
  }
  while i < count {
    var sum = y[i]
    var row = a + i
    var k = 0
    while k < rows {
      sum += combination(of: row, scalars + k, stride: stride)
      row += 8 &* stride
      k = k &+ 8
    }
    y[i] = sum
    i = i &+ 1
  }
}
