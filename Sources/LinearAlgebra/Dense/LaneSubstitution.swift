import CLanes
import Lanes

// Triangular systems of eight small dense matrices, an element of all eight after the other.

/// Moves rows of so many columns, for every k one: from where to where is said by the places of row k and of the pivot's row.
@inline(__always)
func moveRows(
  _ n: Int, _ columns: Int, _ order: UnsafePointer<Int32>,
  _ places: (Int, Int) -> (UnsafePointer<Double>, UnsafeMutablePointer<Double>)
) {
  var k = 0
  while k < n {
    let (from, to) = places(k &* columns, Int(order[k &* 8]) &* columns)
    // Not the call of a function that moves memory.
    to[0] = from[0]
    var c = 1
    while c < columns {
      to[c] = from[c]
      c = c &+ 1
    }
    k = k &+ 1
  }
}

/// In place: T⁻¹ y or T⁻ᵀ y with a half T of a, on whose diagonal are reciprocals.
/// - Parameter ahead: n² / 2 vectors that will be read soon.
func substitute(
  _ a: UnsafePointer<SIMD8<Double>>, _ y: UnsafeMutablePointer<SIMD8<Double>>, _ n: Int, _ columns: Int,
  lower: Bool, transposed: Bool, isUnit: Bool, ahead: UnsafePointer<SIMD8<Double>>?
) {
  // From the last row to the first is the same with everything turned round.
  let isForward = lower != transposed
  let (row, column) = transposed ? (1, n) : (n, 1)
  let last = isForward ? 0 : n &- 1
  let sign = isForward ? 1 : -1
  for c in 0..<columns {
    substituteForward(
      a + last &* (n &+ 1), row: sign &* row, column: sign &* column, y + (last &* columns &+ c),
      stride: sign &* columns, n, isUnit: isUnit, ahead: c == 0 ? ahead : nil)
  }
}

/// Four unknowns at a time: their sums over all that are known do not wait for each other.
private func substituteForward(
  _ a: UnsafePointer<SIMD8<Double>>, row: Int, column: Int, _ y: UnsafeMutablePointer<SIMD8<Double>>,
  stride: Int, _ n: Int, isUnit: Bool, ahead: UnsafePointer<SIMD8<Double>>?
) {
  var i = 0
  while i &+ 4 <= n {
    if let ahead { costate_prefetch(ahead + i &* n / 2, n &* 128) }
    let unknowns = y + i &* stride
    var (y0, y1) = (unknowns[0], unknowns[stride])
    var (y2, y3) = (unknowns[2 &* stride], unknowns[3 &* stride])
    var entry = a + i &* row
    var known = UnsafePointer(y)
    var j = 0
    while j < i {
      let negative = -known.pointee
      y0 = SIMD8.multiplyAdd(entry[0], negative, y0)
      y1 = SIMD8.multiplyAdd(entry[row], negative, y1)
      y2 = SIMD8.multiplyAdd(entry[2 &* row], negative, y2)
      y3 = SIMD8.multiplyAdd(entry[3 &* row], negative, y3)
      entry += column
      known += stride
      j = j &+ 1
    }
    let next = column
    if !isUnit { y0 *= entry[0] }
    y1 = SIMD8.multiplyAdd(-entry[row], y0, y1)
    if !isUnit { y1 *= entry[row &+ next] }
    y2 = SIMD8.multiplyAdd(-entry[2 &* row], y0, y2)
    y2 = SIMD8.multiplyAdd(-entry[2 &* row &+ next], y1, y2)
    if !isUnit { y2 *= entry[2 &* row &+ 2 &* next] }
    y3 = SIMD8.multiplyAdd(-entry[3 &* row], y0, y3)
    y3 = SIMD8.multiplyAdd(-entry[3 &* row &+ next], y1, y3)
    y3 = SIMD8.multiplyAdd(-entry[3 &* row &+ 2 &* next], y2, y3)
    if !isUnit { y3 *= entry[3 &* row &+ 3 &* next] }
    (unknowns[0], unknowns[stride], unknowns[2 &* stride], unknowns[3 &* stride]) = (y0, y1, y2, y3)
    i = i &+ 4
  }
  while i < n {
    var sum = y[i &* stride]
    for j in 0..<i { sum = SIMD8.multiplyAdd(-a[i &* row &+ j &* column], y[j &* stride], sum) }
    y[i &* stride] = isUnit ? sum : sum * a[i &* (row &+ column)]
    i = i &+ 1
  }
}
