/// A lower bound of the 1-norm of a square matrix that is known by its products, nearly always within a factor of three: an ascent over
/// the corners of the unit ball (Hager 1984), from the mean of the columns and again from signs that alternate, which catches what the first
/// cancels (Higham 1988).
///
/// - Parameters:
///   - size: the number of rows.
///   - multiply: the product with a vector, or of the transposed matrix.
/// - Throws: what `multiply` throws.
/// - Complexity: at most eleven products.
package func estimatedOneNorm(
  size: Int,
  _ multiply: (_ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>, _ transposed: Bool) throws ->
    Void
) rethrows -> Double {
  guard size > 0 else { return 0 }
  let x = NumberBuffer(count: size)
  let y = NumberBuffer(count: size)
  let z = NumberBuffer(count: size)
  func sumOfMagnitudes() -> Double {
    var sum = 0.0
    for k in 0..<size { sum += y.base[k].magnitude }
    return sum
  }
  for k in 0..<size { x.base[k] = 1 / Double(size) }
  var estimate = 0.0
  for _ in 0..<5 {
    try multiply(x.base, y.base, false)
    let sum = sumOfMagnitudes()
    if !(sum > estimate) { break }
    estimate = sum
    for k in 0..<size { y.base[k] = y.base[k] >= 0 ? 1 : -1 }
    try multiply(y.base, z.base, true)
    var (largest, product) = (0, 0.0)
    for k in 0..<size {
      product += z.base[k] * x.base[k]
      if z.base[k].magnitude > z.base[largest].magnitude { largest = k }
    }
    if z.base[largest].magnitude <= product { break }
    x.base.update(repeating: 0, count: size)
    x.base[largest] = 1
  }
  for k in 0..<size {
    x.base[k] = (k % 2 == 0 ? 1 : -1) * (1 + Double(k) / Double(max(size - 1, 1)))
  }
  try multiply(x.base, y.base, false)
  return max(estimate, 2 * sumOfMagnitudes() / (3 * Double(size)))
}
