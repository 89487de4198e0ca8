extension NonlinearInteriorPoint {
  mutating func begin(_ start: [Double]) throws {
    var x = start
    for i in fixed { x[i] = problem.lowerBounds[i] }
    (lambda, zLow, zHigh) = ([], [], [])
    x = (0..<n).map { inside(x[$0], low[$0], high[$0]) }
    let first = try problem.derivatives(x, [Double](repeating: 0, count: problem.rowCount))
    evaluations += 1
    let largest = first.gradient.reduce(0) { max($0, $1.magnitude) }
    if largest > 100 { objectiveScale = max(100 / largest, 1e-8) }
    for row in 0..<problem.rowCount {
      let size = first.jacobian[row * n..<(row + 1) * n].reduce(0) { max($0, $1.magnitude) }
      if size > 100 { rowScale[row] = max(100 / size, 1e-8) }
    }
    for (k, row) in slackRows.enumerated() {
      low[n + k] *= rowScale[row]
      high[n + k] *= rowScale[row]
    }
    let (_, rows) = try problem.values(x)
    let slacks = slackRows.enumerated().map { inside(rows[$1] * rowScale[$1], low[n + $0], high[n + $0]) }
    v = x + slacks
    lambda = [Double](repeating: 0, count: equations)
    zLow = low.map { $0.isFinite ? 1 : 0 }
    zHigh = high.map { $0.isFinite ? 1 : 0 }
    (objective, residual) = try evaluate(v)
    try evaluateDerivatives()
    leastSquaresMultipliers()
    try evaluateDerivatives()
  }

  /// A number moved well inside of two sides.
  func inside(_ x: Double, _ low: Double, _ high: Double) -> Double {
    let width = high - low
    let fromLow = low.isFinite ? min(1e-2 * max(1, low.magnitude), 1e-2 * width) : 0
    let fromHigh = high.isFinite ? min(1e-2 * max(1, high.magnitude), 1e-2 * width) : 0
    return min(max(x, low + fromLow), high - fromHigh)
  }

  /// The scaled objective, and the residuals of all rows.
  mutating func evaluate(_ v: [Double]) throws -> (Double, [Double]) {
    let x = Array(v[..<n])
    let (f, rows) = try problem.values(x)
    evaluations += 1
    var c = [Double](repeating: 0, count: equations)
    for row in 0..<problem.rowCount { c[row] = rowScale[row] * rows[row] }
    for row in 0..<problem.rowCount where problem.lower[row] == problem.upper[row] {
      c[row] -= rowScale[row] * problem.lower[row]
    }
    for (k, row) in slackRows.enumerated() { c[row] -= v[n + k] }
    for (k, i) in fixed.enumerated() { c[problem.rowCount + k] = x[i] - problem.lowerBounds[i] }
    return (objectiveScale * f, c)
  }

  /// Gradient over v, the Jacobian of all rows over v, and the Hessian of the Lagrangian over x.
  mutating func evaluateDerivatives() throws {
    // ∇²(s f + Σ λ r c) = s ∇²(f + Σ (λ r / s) c).
    let multipliers = (0..<problem.rowCount).map { lambda[$0] * rowScale[$0] / objectiveScale }
    let found = try problem.derivatives(Array(v[..<n]), multipliers)
    evaluations += 1
    gradient = found.gradient.map { objectiveScale * $0 } + [Double](repeating: 0, count: total - n)
    hessian = found.hessian.map { objectiveScale * $0 }
    jacobian = [Double](repeating: 0, count: equations * total)
    for row in 0..<problem.rowCount {
      for i in 0..<n { jacobian[row * total + i] = rowScale[row] * found.jacobian[row * n + i] }
    }
    for (k, row) in slackRows.enumerated() { jacobian[row * total + n + k] = -1 }
    for (k, i) in fixed.enumerated() { jacobian[(problem.rowCount + k) * total + i] = 1 }
  }

  func violation(_ c: [Double]) -> Double { c.reduce(0) { $0 + $1.magnitude } }

  /// ∇f + Jᵀ λ.
  func lagrangianGradient(_ lambda: [Double]) -> [Double] {
    var sum = gradient
    for row in 0..<equations where lambda[row] != 0 {
      for i in 0..<total { sum[i] += jacobian[row * total + i] * lambda[row] }
    }
    return sum
  }

  func optimalityError(mu: Double) -> Double {
    let slope = lagrangianGradient(lambda)
    var (dual, product) = (0.0, 0.0)
    var size = lambda.reduce(0) { $0 + $1.magnitude }
    var boundSize = 0.0
    for i in 0..<total {
      dual = max(dual, (slope[i] - zLow[i] + zHigh[i]).magnitude)
      if low[i].isFinite { product = max(product, ((v[i] - low[i]) * zLow[i] - mu).magnitude) }
      if high[i].isFinite { product = max(product, ((high[i] - v[i]) * zHigh[i] - mu).magnitude) }
      boundSize += zLow[i] + zHigh[i]
    }
    size += boundSize
    let dualScale = max(100, size / Double(max(equations + total, 1))) / 100
    let productScale = max(100, boundSize / Double(max(total, 1))) / 100
    let primal = residual.reduce(0) { max($0, $1.magnitude) }
    return max(dual / dualScale, primal, product / productScale)
  }
}
