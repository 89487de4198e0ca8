import Lanes

/// A square matrix and its LU decomposition with partial pivoting, in memory of its own: a step of an implicit method allocates nothing.
final class DenseMatrix {
  let size: Int
  let values: UnsafeMutablePointer<Double>
  private let pivots: UnsafeMutablePointer<Int>

  init(size: Int) {
    self.size = size
    values = .allocate(capacity: max(size * size, 1))
    values.initialize(repeating: 0, count: max(size * size, 1))
    pivots = .allocate(capacity: max(size, 1))
    pivots.initialize(repeating: 0, count: max(size, 1))
  }
  deinit {
    values.deallocate()
    pivots.deallocate()
  }

  /// Replaces the matrix by its factors.
  /// - Returns: false if it is singular or not finite.
  func factor() -> Bool {
    var k = 0
    while k < size {
      var pivot = k
      var largest = values[k &* size &+ k].magnitude
      var i = k &+ 1
      while i < size {
        let value = values[i &* size &+ k].magnitude
        if value > largest { (pivot, largest) = (i, value) }
        i = i &+ 1
      }
      guard largest > 0, largest.isFinite else { return false }
      pivots[k] = pivot
      let row = values + k &* size
      if pivot != k {
        let other = values + pivot &* size
        var j = 0
        while j < size {
          (row[j], other[j]) = (other[j], row[j])
          j = j &+ 1
        }
      }
      let inverse = 1 / row[k]
      i = k &+ 1
      while i < size {
        let target = values + i &* size
        let factor = target[k] * inverse
        target[k] = factor
        if factor != 0 {
          var j = k &+ 1
          while j < size {
            target[j] -= factor * row[j]
            j = j &+ 1
          }
        }
        i = i &+ 1
      }
      k = k &+ 1
    }
    return true
  }

  /// x = A⁻¹ b, or A⁻ᵀ b, in place.
  func solve(_ x: UnsafeMutablePointer<Double>, transposed: Bool) {
    if transposed { solveTransposed(x) } else { solve(x) }
  }
  private func solveTransposed(_ x: UnsafeMutablePointer<Double>) {
    // Aᵀ = Uᵀ Lᵀ P: by rows of the factors, each of which takes its part off the rest.
    var k = 0
    while k < size {
      let row = values + k &* size
      let value = x[k] / row[k]
      x[k] = value
      var j = k &+ 1
      while j < size {
        x[j] -= row[j] * value
        j = j &+ 1
      }
      k = k &+ 1
    }
    k = size &- 1
    while k > 0 {
      let row = values + k &* size
      let value = x[k]
      var j = 0
      while j < k {
        x[j] -= row[j] * value
        j = j &+ 1
      }
      k = k &- 1
    }
    k = size &- 1
    while k >= 0 {
      if pivots[k] != k { (x[k], x[pivots[k]]) = (x[pivots[k]], x[k]) }
      k = k &- 1
    }
  }

  /// x = A⁻¹ b in place, for eight right-hand sides.
  func solve(_ x: UnsafeMutablePointer<SIMD8<Double>>) { substitute(x) }
  /// x = A⁻¹ b in place.
  func solve(_ x: UnsafeMutablePointer<Double>) { substitute(x) }

  @inline(__always)
  private func substitute<L: Lane>(_ x: UnsafeMutablePointer<L>) where L.Scalar == Double {
    var k = 0
    while k < size {
      if pivots[k] != k { (x[k], x[pivots[k]]) = (x[pivots[k]], x[k]) }
      k = k &+ 1
    }
    k = 1
    while k < size {
      let row = values + k &* size
      var sum = x[k]
      var j = 0
      while j < k {
        sum = L.multiplyAdd(x[j], scalar: -row[j], sum)
        j = j &+ 1
      }
      x[k] = sum
      k = k &+ 1
    }
    k = size &- 1
    while k >= 0 {
      let row = values + k &* size
      var sum = x[k]
      var j = k &+ 1
      while j < size {
        sum = L.multiplyAdd(x[j], scalar: -row[j], sum)
        j = j &+ 1
      }
      x[k] = sum / L(broadcasting: row[k])
      k = k &- 1
    }
  }
}
