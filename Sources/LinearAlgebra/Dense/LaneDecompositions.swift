import CLanes
import COpenBLAS
import Lanes

// Decompositions of eight small dense matrices, an element of all eight after the other.

/// Larger ones are decomposed one after the other.
private let largestOfRows = 64

/// Numbers of memory for ``decomposeLU(_:_:count:memory:into:_:ahead:)``.
func luMemoryLength(_ n: Int) -> Int {
  n <= largestOfRows ? costate_decompose_rows_length(n) : 8 * n * n
}

/// A = L U P: L with reciprocals on its diagonal in the lower half of the result, and U, with ones on its diagonal, above it.
///
/// Pivots are sought along rows: a row-major matrix is read as it stands, and columns stay where they are until the end. Only half of the
/// lanes have work on average, and still this takes two thirds of the time of exchanging rows by masks.
/// - Parameters:
///   - matrices: row-major, one after the other; `count` of them. The last stands for those that are missing.
///   - order: (P x)[k] = x[order[8 k + lane]].
///   - ahead: matrices that will be read next.
/// - Returns: what the pivots look like.
func decomposeLU(
  _ matrices: UnsafePointer<Double>, _ n: Int, count: Int, memory: UnsafeMutablePointer<Double>,
  into target: UnsafeMutablePointer<SIMD8<Double>>, _ order: UnsafeMutablePointer<Int32>,
  ahead: UnsafePointer<Double>?
) -> PivotReport {
  if n <= largestOfRows {
    let isFinite = costate_decompose_rows(
      // What is brought into the caches without need is there already.
      matrices, n, count, ahead ?? UnsafePointer(memory), memory,
      UnsafeMutableRawPointer(target).assumingMemoryBound(to: Double.self), order)
    return isFinite ? takeReciprocals(target, n) : .unusable
  }
  guard areFinite(matrices, count: count * n * n) else { return .unusable }
  // To LAPACK a row-major matrix is transposed: Aᵀ = Pᵀ Uᵀ Lᵀ, whose first factors have ones on the diagonal.
  var pivots = [Int32](repeating: 0, count: n)
  for lane in 0..<8 {
    let own = memory + lane * n * n
    own.update(from: matrices + min(lane, count - 1) * n * n, count: n * n)
    if LAPACKE_dgetrf_work(LAPACK_COL_MAJOR, Int32(n), Int32(n), own, Int32(n), &pivots) != 0 {
      return .unusable
    }
    for k in 0..<n { order[8 * k + lane] = Int32(k) }
    for k in 0..<n {
      let other = Int(pivots[k]) - 1
      (order[8 * k + lane], order[8 * other + lane]) = (order[8 * other + lane], order[8 * k + lane])
    }
  }
  loadRows(memory, stride: n * n, count: n * n, lanes: 8, into: target)
  return takeReciprocals(target, n)
}

/// What the pivots of eight matrices look like.
struct PivotReport {
  /// None is zero, not finite, or small beside the largest.
  var isSafe: Bool
  /// A bit for every lane: whether its systems can be solved.
  var usable: UInt8
  /// Numbers that are not finite, or zero pivots: nothing was decomposed.
  static let unusable = PivotReport(isSafe: false, usable: 0)
}

/// Reciprocals of the pivots, in place.
private func takeReciprocals(_ a: UnsafeMutablePointer<SIMD8<Double>>, _ n: Int) -> PivotReport {
  var least = SIMD8<Double>(repeating: .infinity)
  var most = SIMD8<Double>(repeating: 0)
  var sum = SIMD8<Double>(repeating: 0)
  var k = 0
  while k < n {
    let pivot = a[k &* (n &+ 1)]
    let inverse = 1.0 / pivot
    least = SIMD8.minimum(pivot.magnitude, least)
    most = SIMD8.maximum(pivot.magnitude, most)
    // What is not a number is lost in a minimum, not in a sum; reciprocals of zero and of subnormal numbers are not finite.
    sum = SIMD8.multiplyAdd(pivot, SIMD8(repeating: 0), SIMD8.multiplyAdd(inverse, SIMD8(repeating: 0), sum))
    a[k &* (n &+ 1)] = inverse
    k = k &+ 1
  }
  if ((least .>= 1e-8 * most) .& (sum .== SIMD8(repeating: 0))).allTrue {
    return PivotReport(isSafe: true, usable: .max)
  }
  let usable = (0..<8).reduce(UInt8(0)) { $0 | (sum[$1] == 0 ? 1 << UInt8($1) : 0) }
  return PivotReport(isSafe: false, usable: usable)
}

/// L in the lower half, in place; false if a pivot of some lane is not positive, not finite, or small beside the largest, or the matrix
/// is not symmetric.
func decomposeCholesky(_ a: UnsafeMutablePointer<SIMD8<Double>>, _ n: Int) -> Bool {
  var least = SIMD8<Double>(repeating: .infinity)
  var most = SIMD8<Double>(repeating: 0)
  var difference = SIMD8<Double>(repeating: 0)
  var largest = SIMD8<Double>(repeating: 0)
  for i in 0..<n {
    for j in 0..<i {
      difference = SIMD8.maximum(difference, (a[i &* n &+ j] - a[j &* n &+ i]).magnitude)
      largest = SIMD8.maximum(largest, a[i &* n &+ j].magnitude)
    }
    largest = SIMD8.maximum(largest, a[i &* n &+ i].magnitude)
  }
  var k = 0
  while k < n {
    let pivot = a[k &* n &+ k]
    least = SIMD8.minimum(pivot, least)
    most = SIMD8.maximum(pivot, most)
    let inverse = 1.0 / pivot.squareRoot
    a[k &* n &+ k] = inverse
    var i = k &+ 1
    while i < n {
      a[i &* n &+ k] = a[i &* n &+ k] * inverse
      let negative = -a[i &* n &+ k]
      var j = k &+ 1
      while j <= i {
        a[i &* n &+ j] = SIMD8.multiplyAdd(negative, a[j &* n &+ k], a[i &* n &+ j])
        j = j &+ 1
      }
      i = i &+ 1
    }
    k = k &+ 1
  }
  let isSymmetric = difference .<= 1e-10 * largest
  return n == 0
    || all(
      (least .>= 1e-8 * most) .& (least .> SIMD8(repeating: 0)) .& (most .< SIMD8(repeating: .infinity))
        .& isSymmetric)
}
