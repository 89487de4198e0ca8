import Autodiff
import COpenBLAS
import LinearAlgebra

// Vectors of the solvers: plain arrays, changed in place.

@inline(__always) func zeros(_ count: Int) -> [Double] { [Double](repeating: 0, count: count) }

@inline(__always) func dot(_ x: [Double], _ y: [Double]) -> Double {
  var sum = 0.0
  for k in 0..<x.count { sum += x[k] * y[k] }
  return sum
}
/// The Euclidean norm, without overflow.
func norm2(_ x: [Double]) -> Double {
  let sum = dot(x, x)
  if sum.isFinite, sum > 1e-280 || sum == 0 { return sum.squareRoot() }
  let largest = normInfinity(x)
  guard largest > 0, largest.isFinite else { return largest }
  var scaled = 0.0
  for value in x { scaled += (value / largest) * (value / largest) }
  return largest * scaled.squareRoot()
}
/// The largest magnitude; NaN if an element is.
@inline(__always) func normInfinity(_ x: [Double]) -> Double {
  var largest = 0.0
  for value in x {
    if value.isNaN { return .nan }
    largest = max(largest, value.magnitude)
  }
  return largest
}
/// ‖D x‖
func scaledNorm(_ x: [Double], _ scale: [Double]) -> Double {
  var sum = 0.0
  for k in x.indices { sum += (scale[k] * x[k]) * (scale[k] * x[k]) }
  return sum.squareRoot()
}
/// y ← y + a x
@inline(__always) func add(_ a: Double, _ x: [Double], to y: inout [Double]) {
  for k in 0..<y.count { y[k] += a * x[k] }
}
/// target ← x + a y
@inline(__always) func set(_ target: inout [Double], _ x: [Double], plus a: Double, _ y: [Double]) {
  for k in 0..<target.count { target[k] = x[k] + a * y[k] }
}
@inline(__always) func areFinite(_ x: [Double]) -> Bool {
  var sum = 0.0
  for value in x { sum += value * 0 }
  return sum == 0
}

/// y = A x or Aᵀ x of a row-major matrix.
func multiply(
  _ a: [Double], rows: Int, columns: Int, _ x: [Double], into y: inout [Double], transposed: Bool = false
) {
  if rows == 0 || columns == 0 {
    for k in y.indices { y[k] = 0 }
    return
  }
  if rows * columns <= 256 {
    if transposed {
      for j in 0..<columns { y[j] = 0 }
      for i in 0..<rows { for j in 0..<columns { y[j] += a[i * columns + j] * x[i] } }
    } else {
      for i in 0..<rows {
        var sum = 0.0
        for j in 0..<columns { sum += a[i * columns + j] * x[j] }
        y[i] = sum
      }
    }
    return
  }
  cblas_dgemv(
    CblasRowMajor, transposed ? CblasTrans : CblasNoTrans, Int32(rows), Int32(columns), 1, a, Int32(columns),
    x, 1, 0, &y, 1)
}
