import COpenBLAS

// Level-one operations on vectors of one length.

@inline(__always) func dotProduct(_ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>, _ n: Int) -> Double
{
  cblas_ddot(Int32(n), x, 1, y, 1)
}
@inline(__always) func euclideanNorm(_ x: UnsafePointer<Double>, _ n: Int) -> Double {
  cblas_dnrm2(Int32(n), x, 1)
}
/// y += a x.
@inline(__always) func addScaled(
  _ a: Double, _ x: UnsafePointer<Double>, to y: UnsafeMutablePointer<Double>, _ n: Int
) { cblas_daxpy(Int32(n), a, x, 1, y, 1) }
/// y = x + a y.
@inline(__always) func scaleAndAdd(
  _ a: Double, _ y: UnsafeMutablePointer<Double>, _ x: UnsafePointer<Double>, _ n: Int
) {
  var k = 0
  while k < n {
    y[k] = x[k] + a * y[k]
    k = k &+ 1
  }
}
@inline(__always) func scale(_ a: Double, _ x: UnsafeMutablePointer<Double>, _ n: Int) {
  cblas_dscal(Int32(n), a, x, 1)
}

/// Vectors for one call of an iteration.
struct Vectors {
  private let buffer: NumberBuffer
  private let stride: Int
  init(_ count: Int, length: Int) {
    stride = (length + 7) / 8 * 8
    buffer = NumberBuffer(zeros: count * stride)
  }
  subscript(index: Int) -> UnsafeMutablePointer<Double> { buffer.base + index * stride }
}

/// One side of a linear system: the map, or its transpose.
struct DirectedMap {
  let map: any LinearMap
  let isTransposed: Bool
  var rows: Int { isTransposed ? map.columns : map.rows }
  var columns: Int { isTransposed ? map.rows : map.columns }
  func apply(_ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>) throws {
    try map.multiply(x, into: y, transposed: isTransposed)
  }
  func applyTransposed(_ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>) throws {
    try map.multiply(x, into: y, transposed: !isTransposed)
  }
  /// r = b − A x; its norm.
  func residual(
    _ b: UnsafePointer<Double>, _ x: UnsafePointer<Double>, into r: UnsafeMutablePointer<Double>
  ) throws -> Double {
    try apply(x, r)
    for k in 0..<rows { r[k] = b[k] - r[k] }
    return euclideanNorm(r, rows)
  }
  func requireSquare(_ method: String) throws {
    guard map.rows == map.columns else {
      throw LinearAlgebraError.shape("\(method) needs a square matrix, not \(map.rows) x \(map.columns)")
    }
  }
}

extension Optional where Wrapped == any Preconditioner {
  /// y = M⁻¹ x; without a preconditioner y = x.
  func apply(
    _ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>, _ n: Int, transposed: Bool
  ) throws {
    guard let self else {
      y.update(from: x, count: n)
      return
    }
    try self.apply(x, into: y, transposed: transposed)
  }
}
