extension NonlinearInteriorPoint {
  /// Bound multipliers stay within a large factor of μ / slack.
  mutating func keepMultipliersNear(_ mu: Double) {
    for i in 0..<total {
      if low[i].isFinite {
        let target = mu / (v[i] - low[i])
        zLow[i] = min(max(zLow[i], target / 1e10), target * 1e10)
      }
      if high[i].isFinite {
        let target = mu / (high[i] - v[i])
        zHigh[i] = min(max(zHigh[i], target / 1e10), target * 1e10)
      }
    }
  }

  mutating func resetMultipliers(mu: Double) {
    for i in 0..<total {
      if low[i].isFinite { zLow[i] = min(mu / (v[i] - low[i]), 1e3) }
      if high[i].isFinite { zHigh[i] = min(mu / (high[i] - v[i]), 1e3) }
    }
    leastSquaresMultipliers()
  }

  /// λ that makes the Lagrangian's gradient shortest; zero where that is large.
  mutating func leastSquaresMultipliers() {
    guard equations > 0 else { return }
    let size = total + equations
    var matrix = [Double](repeating: 0, count: size * size)
    for i in 0..<total { matrix[i * size + i] = 1 }
    for row in 0..<equations {
      for i in 0..<total {
        matrix[(total + row) * size + i] = jacobian[row * total + i]
        matrix[i * size + total + row] = jacobian[row * total + i]
      }
      matrix[(total + row) * size + total + row] = -1e-10
    }
    let right =
      (0..<total).map { -(gradient[$0] - zLow[$0] + zHigh[$0]) } + [Double](repeating: 0, count: equations)
    let found = Array(SymmetricIndefinite(matrix, size: size).solve(right)[total...])
    let isUsable = found.allSatisfy { $0.isFinite && $0.magnitude < 1e3 }
    lambda = isUsable ? found : [Double](repeating: 0, count: equations)
  }

  /// Lowers the violation by Levenberg–Marquardt steps, scaled by the distance to the sides, until the filter accepts the point.
  mutating func restore(mu: Double) throws -> Bool {
    let start = violation(residual)
    var damping = 1e-6
    for _ in 0..<200 {
      let before = residual.reduce(0) { $0 + $1 * $1 }
      // D Jᵀ (J D Jᵀ + damping)⁻¹ c.
      let weight = (0..<total).map { i -> Double in
        let gap = min(v[i] - low[i], high[i] - v[i])
        return min(1, gap * gap)
      }
      var matrix = [Double](repeating: 0, count: equations * equations)
      for a in 0..<equations {
        for b in 0...a {
          var sum = 0.0
          for i in 0..<total { sum += jacobian[a * total + i] * weight[i] * jacobian[b * total + i] }
          matrix[a * equations + b] = sum
          matrix[b * equations + a] = sum
        }
        matrix[a * equations + a] += damping
      }
      let u = SymmetricIndefinite(matrix, size: equations).solve(residual)
      var step = [Double](repeating: 0, count: total)
      for row in 0..<equations {
        for i in 0..<total { step[i] -= weight[i] * jacobian[row * total + i] * u[row] }
      }
      let length = longest(step, share: 0.9)
      let trial = zip(v, step).map { $0 + length * $1 }
      let (f, c) = try evaluate(trial)
      let after = c.reduce(0) { $0 + $1 * $1 }
      if f.isFinite, after < before * (1 - 1e-8) {
        (v, objective, residual) = (trial, f, c)
        damping = max(damping / 10, 1e-12)
        if violation(c) <= 0.9 * start, isAcceptable(violation(c), barrierValue(f, trial, mu)) { return true }
        try evaluateDerivatives()
      } else {
        damping *= 10
        if damping > 1e12 { return false }
      }
    }
    return false
  }
}
