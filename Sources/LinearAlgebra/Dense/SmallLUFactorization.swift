import Lanes

/// P A = L U of one small dense matrix with partial pivoting, in memory that the caller brings: without allocation, in whole vectors
/// of eight numbers, where LAPACK's blocks are too large to pay.
package enum SmallLUFactorization {
  /// Larger matrices are for LAPACK.
  package static let largestSize = 64
  private typealias Group = SIMD8<Double>

  /// What the factors of a matrix take, which must be aligned to cache lines.
  package static func byteCount(_ n: Int) -> Int { 8 * (2 * n * stride(n) + n) + 4 * stride(n) }

  /// Rows are padded to whole vectors.
  @inline(__always) private static func stride(_ n: Int) -> Int { (n &+ 7) & ~7 }

  /// U, L, the reciprocals of the pivots, and the row of A that is row k of P A.
  private struct Parts {
    let n: Int
    let stride: Int
    let upper: UnsafeMutablePointer<Double>
    let lower: UnsafeMutablePointer<Double>
    let inverses: UnsafeMutablePointer<Double>
    let order: UnsafeMutablePointer<Int32>

    @inline(__always) init(_ memory: UnsafeMutableRawPointer, _ n: Int) {
      self.n = n
      stride = SmallLUFactorization.stride(n)
      upper = memory.assumingMemoryBound(to: Double.self)
      lower = upper + n &* stride
      inverses = lower + n &* stride
      order = UnsafeMutableRawPointer(inverses + n).assumingMemoryBound(to: Int32.self)
    }
  }

  /// Factors a row-major matrix.
  /// - Returns: false if an element is not finite, or a pivot is zero or small beside the largest: whether the matrix is singular
  ///   then needs a closer look.
  package static func factor(_ a: UnsafePointer<Double>, size n: Int, into memory: UnsafeMutableRawPointer)
    -> Bool
  {
    let parts = Parts(memory, n)
    let (u, l, stride) = (parts.upper, parts.lower, parts.stride)
    guard areFinite(a, count: n &* n) else { return false }
    var i = 0
    while i < n {
      (u + i &* stride).update(from: a + i &* n, count: n)
      var j = n
      while j < stride {
        u[i &* stride &+ j] = 0
        j = j &+ 1
      }
      parts.order[i] = Int32(truncatingIfNeeded: i)
      i = i &+ 1
    }
    var (least, most, inverses) = (Double.infinity, 0.0, 0.0)
    var k = 0
    while k < n {
      var best = u[k &* stride &+ k].magnitude
      var row = k
      i = k &+ 1
      while i < n {
        let candidate = u[i &* stride &+ k].magnitude
        row = candidate > best ? i : row
        best = candidate > best ? candidate : best
        i = i &+ 1
      }
      least = best < least ? best : least
      most = best > most ? best : most
      if row != k {
        exchange(u + k &* stride, u + row &* stride, stride)
        exchange(l + k &* stride, l + row &* stride, stride)
        let kept = parts.order[k]
        parts.order[k] = parts.order[row]
        parts.order[row] = kept
      }
      let inverse = 1 / u[k &* stride &+ k]
      parts.inverses[k] = inverse
      inverses += inverse.magnitude
      // Whole vectors: what they change left of the diagonal is not used.
      let first = (k &+ 1) & ~7
      let pivotRow = UnsafeMutableRawPointer(u + k &* stride).assumingMemoryBound(to: Group.self)
      i = k &+ 1
      while i < n {
        let factor = u[i &* stride &+ k] * inverse
        l[i &* stride &+ k] = factor
        let negative = Group(repeating: -factor)
        let own = UnsafeMutableRawPointer(u + i &* stride).assumingMemoryBound(to: Group.self)
        var j = first / 8
        while j < stride / 8 {
          own[j] = Group.multiplyAdd(negative, pivotRow[j], own[j])
          j = j &+ 1
        }
        i = i &+ 1
      }
      k = k &+ 1
    }
    // Pivots of zero, subnormal ones and those that are no numbers have no finite inverses.
    return n == 0 || least >= 1e-8 * most && most < .infinity && inverses.isFinite
  }

  @inline(__always)
  private static func exchange(
    _ x: UnsafeMutablePointer<Double>, _ y: UnsafeMutablePointer<Double>, _ count: Int
  ) {
    let first = UnsafeMutableRawPointer(x).assumingMemoryBound(to: Group.self)
    let second = UnsafeMutableRawPointer(y).assumingMemoryBound(to: Group.self)
    var j = 0
    while j < count / 8 {
      let kept = first[j]
      first[j] = second[j]
      second[j] = kept
      j = j &+ 1
    }
  }

  /// x = A⁻¹ b or A⁻ᵀ b.
  package static func solve(
    _ memory: UnsafeMutableRawPointer, size n: Int, _ b: UnsafePointer<Double>,
    into x: UnsafeMutablePointer<Double>, transposed: Bool
  ) {
    let parts = Parts(memory, n)
    let (u, l, stride) = (parts.upper, parts.lower, parts.stride)
    if !transposed {
      var i = 0
      while i < n {
        x[i] = b[Int(parts.order[i])] - product(l + i &* stride, x, 0, i)
        i = i &+ 1
      }
      i = n &- 1
      while i >= 0 {
        x[i] = (x[i] - product(u + i &* stride, x, i &+ 1, n)) * parts.inverses[i]
        i = i &- 1
      }
      return
    }
    withUnsafeTemporaryAllocation(of: Double.self, capacity: max(n, 1)) { buffer in
      let y = buffer.baseAddress!
      y.update(from: b, count: n)
      var i = 0
      while i < n {
        y[i] = y[i] * parts.inverses[i]
        subtract(y[i], u + i &* stride, from: y, i &+ 1, n)
        i = i &+ 1
      }
      i = n &- 1
      while i >= 0 {
        subtract(y[i], l + i &* stride, from: y, 0, i)
        i = i &- 1
      }
      i = 0
      while i < n {
        x[Int(parts.order[i])] = y[i]
        i = i &+ 1
      }
    }
  }

  @inline(__always)
  private static func product(
    _ a: UnsafePointer<Double>, _ x: UnsafePointer<Double>, _ first: Int, _ last: Int
  ) -> Double {
    // Four sums, as one would wait for its own additions.
    var sums = SIMD4<Double>(repeating: 0)
    var j = first
    while j &+ 4 <= last {
      let left = UnsafeRawPointer(a + j).loadUnaligned(as: SIMD4<Double>.self)
      sums = sums + left * UnsafeRawPointer(x + j).loadUnaligned(as: SIMD4<Double>.self)
      j = j &+ 4
    }
    var sum = (sums[0] + sums[1]) + (sums[2] + sums[3])
    while j < last {
      sum = sum + a[j] * x[j]
      j = j &+ 1
    }
    return sum
  }
  /// y[first..<last] -= factor · row.
  @inline(__always)
  private static func subtract(
    _ factor: Double, _ row: UnsafePointer<Double>, from y: UnsafeMutablePointer<Double>, _ first: Int,
    _ last: Int
  ) {
    var j = first
    while j &+ 4 <= last {
      let place = UnsafeMutableRawPointer(y + j)
      let change = factor * UnsafeRawPointer(row + j).loadUnaligned(as: SIMD4<Double>.self)
      place.storeBytes(of: place.loadUnaligned(as: SIMD4<Double>.self) - change, as: SIMD4<Double>.self)
      j = j &+ 4
    }
    while j < last {
      y[j] = y[j] - factor * row[j]
      j = j &+ 1
    }
  }
}
