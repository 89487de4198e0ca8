import Kinematics
import Lanes

/// Factors the mass matrix in place: `M = Lᵀ D L` with `L` unit lower triangular on the matrix's own pattern.
///
/// On return the off-diagonal entries hold `L`, and the diagonal entries `1 / D`. The matrix is positive
/// definite for a valid model; where it is not, an entry of `D` is zero, negative or not a number, and the
/// accelerations that follow are not finite, which the step reports.
///
/// - Complexity: O(sum over degrees of freedom of depth squared).
@inline(__always)
func factorMassMatrix<L: Lane>(
  _ pattern: MassMatrixPattern, _ m: UnsafeMutablePointer<L>
) {
  var k = pattern.count - 1
  while k >= 0 {
    let row = m + Int(pattern.rowAddress[k])
    let length = Int(pattern.rowLength[k])
    let inverse = 1.0 / row[0]
    row[0] = inverse
    let columns = pattern.columns.pointer(Int(pattern.rowAddress[k]))
    var t = 1
    while t < length {
      let factor = row[t] * inverse
      let target = m + Int(pattern.rowAddress[Int(columns[t])])
      let negative = -factor
      var s = t
      while s < length {
        target[s &- t] = L.multiplyAdd(negative, row[s], target[s &- t])
        s = s &+ 1
      }
      row[t] = factor
      t = t &+ 1
    }
    k -= 1
  }
}

/// Solves `M x = b` in place with the factor of ``factorMassMatrix(_:_:)``.
///
/// - Complexity: O(entries of the mass matrix).
@inline(__always)
func solveMassMatrix<L: Lane>(
  _ pattern: MassMatrixPattern, factor: UnsafePointer<L>, _ x: UnsafeMutablePointer<L>
) {
  var k = pattern.count - 1
  while k >= 0 {
    let row = factor + Int(pattern.rowAddress[k])
    let length = Int(pattern.rowLength[k])
    let columns = pattern.columns.pointer(Int(pattern.rowAddress[k]))
    let value = -x[k]
    var t = 1
    while t < length {
      let j = Int(columns[t])
      x[j] = L.multiplyAdd(row[t], value, x[j])
      t = t &+ 1
    }
    k -= 1
  }
  k = 0
  while k < pattern.count {
    let row = factor + Int(pattern.rowAddress[k])
    let length = Int(pattern.rowLength[k])
    let columns = pattern.columns.pointer(Int(pattern.rowAddress[k]))
    // Two sums, so that a product need not wait for the one before it.
    var even = x[k] * row[0]
    var odd = L(0.0)
    var t = 1
    while t &+ 1 < length {
      even = L.multiplyAdd(-row[t], x[Int(columns[t])], even)
      odd = L.multiplyAdd(-row[t &+ 1], x[Int(columns[t &+ 1])], odd)
      t = t &+ 2
    }
    if t < length { even = L.multiplyAdd(-row[t], x[Int(columns[t])], even) }
    x[k] = even + odd
    k += 1
  }
}
