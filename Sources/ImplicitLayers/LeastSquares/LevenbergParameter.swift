/// The step d that minimises ‖J d + r‖ with ‖D d‖ at most about Δ: (Jᵀ J + λ D²) d = −Jᵀ r, with λ found by Newton's method on 1/‖D d‖ (Moré 1978:
/// The Levenberg–Marquardt algorithm, implementation and theory).
struct LevenbergParameter {
  /// The parameter that the last step had; the next search starts there.
  var lambda = 0.0
  private var triangle: [Double]
  private var (diagonal, right, weights, row): ([Double], [Double], [Double], [Double])

  init(size n: Int) {
    triangle = zeros(n * n)
    (diagonal, right, weights, row) = (zeros(n), zeros(n), zeros(n), zeros(n))
  }

  /// Computes a step.
  /// - Parameters:
  ///   - projected: Qᵀ r.
  ///   - scale: the diagonal of D.
  ///   - radius: Δ.
  /// - Returns: ‖D d‖.
  mutating func step(
    _ qr: inout PivotedFactorization, _ projected: [Double], scale: [Double], radius: Double,
    into d: inout [Double]
  ) -> Double {
    let n = qr.columns
    let rank = qr.rank
    qr.solve(projected, into: &d, rank: rank)
    for k in 0..<n { d[k] = -d[k] }
    var length = scaledNorm(d, scale)
    var excess = length - radius
    if excess <= 0.1 * radius {
      lambda = 0
      return length
    }
    var lower = 0.0
    if rank == n {
      // w = R⁻ᵀ Pᵀ D² d / ‖D d‖: the slope of ‖D d‖ in λ at zero is −‖w‖² ‖D d‖.
      for k in 0..<n { weights[k] = scale[qr.order[k]] * (scale[qr.order[k]] * d[qr.order[k]] / length) }
      for j in 0..<n {
        var sum = 0.0
        for i in 0..<j { sum += qr.r(i, j) * weights[i] }
        weights[j] = (weights[j] - sum) / qr.diagonal[j]
      }
      let size = norm2(weights)
      lower = excess / radius / size / size
    }
    for j in 0..<n {
      var sum = 0.0
      for i in 0..<min(j + 1, qr.rows) { sum -= qr.r(i, j) * projected[i] }
      weights[j] = sum / scale[qr.order[j]]
    }
    let gradientNorm = norm2(weights)
    var upper = gradientNorm / radius
    if upper == 0 { upper = Double.leastNormalMagnitude / min(radius, 0.1) }
    lambda = min(max(lambda, lower), upper)
    if lambda == 0 { lambda = gradientNorm / length }
    for iteration in 1...10 {
      if lambda == 0 { lambda = max(Double.leastNormalMagnitude, 0.001 * upper) }
      let root = lambda.squareRoot()
      for k in 0..<n { weights[k] = root * scale[k] }
      solveDamped(qr, projected, into: &d)
      length = scaledNorm(d, scale)
      let before = excess
      excess = length - radius
      if excess.magnitude <= 0.1 * radius || (lower == 0 && excess <= before && before < 0) || iteration == 10
      {
        break
      }
      for k in 0..<n { weights[k] = scale[qr.order[k]] * (scale[qr.order[k]] * d[qr.order[k]] / length) }
      for j in 0..<n {
        weights[j] /= diagonal[j]
        for i in j + 1..<max(n, j + 1) { weights[i] -= triangle[j * n + i] * weights[j] }
      }
      let size = norm2(weights)
      let correction = excess / radius / size / size
      if excess > 0 { lower = max(lower, lambda) }
      if excess < 0 { upper = min(upper, lambda) }
      lambda = max(lower, lambda + correction)
    }
    return length
  }

  /// Solves the least-squares problem with the rows W below those of J, by rotations that take W into R; leaves the triangle S with
  /// Pᵀ (Jᵀ J + W²) P = Sᵀ S.
  private mutating func solveDamped(
    _ qr: PivotedFactorization, _ projected: [Double], into d: inout [Double]
  ) {
    let n = qr.columns
    for i in 0..<n {
      for j in i..<n { triangle[i * n + j] = qr.r(i, j) }
      right[i] = i < qr.rows ? -projected[i] : 0
    }
    for j in 0..<n {
      let weight = weights[qr.order[j]]
      guard weight != 0 else { continue }
      for k in j..<n { row[k] = 0 }
      row[j] = weight
      var rightOfRow = 0.0
      for k in j..<n where row[k] != 0 {
        let old = triangle[k * n + k]
        // Scaled: what fills up a row of zeros may be so small that its square is zero.
        let size = max(old.magnitude, row[k].magnitude)
        var (c, s) = (old / size, row[k] / size)
        let length = (c * c + s * s).squareRoot()
        (c, s) = (c / length, s / length)
        triangle.withUnsafeMutableBufferPointer { triangle in
          row.withUnsafeMutableBufferPointer { row in
            for i in k..<n {
              let (above, below) = (triangle[k * n + i], row[i])
              triangle[k * n + i] = c * above + s * below
              row[i] = c * below - s * above
            }
          }
        }
        let above = right[k]
        right[k] = c * above + s * rightOfRow
        rightOfRow = c * rightOfRow - s * above
      }
    }
    for k in 0..<n { diagonal[k] = triangle[k * n + k] }
    for k in stride(from: n - 1, through: 0, by: -1) {
      var sum = right[k]
      for j in k + 1..<max(n, k + 1) { sum -= triangle[k * n + j] * right[j] }
      right[k] = diagonal[k] != 0 ? sum / diagonal[k] : 0
    }
    for k in 0..<n { d[qr.order[k]] = right[k] }
  }
}
