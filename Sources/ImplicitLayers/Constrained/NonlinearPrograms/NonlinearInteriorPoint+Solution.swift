extension NonlinearInteriorPoint {
  /// Newton's method on the conditions with the active sides as equations; kept where it helps.
  mutating func polish() throws {
    for _ in 0..<4 {
      let active = (0..<total).map { i -> Double? in
        if zLow[i] > v[i] - low[i] { return low[i] }
        if zHigh[i] > high[i] - v[i] { return high[i] }
        return nil
      }
      let free = (0..<total).filter { active[$0] == nil }
      // Variables at a side are moved there; the rest solve the reduced system.
      let size = free.count + equations
      var matrix = [Double](repeating: 0, count: size * size)
      let slope = lagrangianGradient(lambda)
      var right = free.map { -slope[$0] } + residual.map { -$0 }
      for (a, i) in free.enumerated() {
        for (b, j) in free.enumerated() where i < n && j < n {
          matrix[a * size + b] = 0.5 * (hessian[i * n + j] + hessian[j * n + i])
        }
        for row in 0..<equations {
          matrix[(free.count + row) * size + a] = jacobian[row * total + i]
          matrix[a * size + free.count + row] = jacobian[row * total + i]
        }
      }
      var moved = [Double](repeating: 0, count: total)
      for i in 0..<total {
        guard let side = active[i] else { continue }
        moved[i] = side - v[i]
        for row in 0..<equations { right[free.count + row] -= jacobian[row * total + i] * moved[i] }
        for (a, j) in free.enumerated() where i < n && j < n { right[a] -= hessian[j * n + i] * moved[i] }
      }
      let factor = SymmetricIndefinite(matrix, size: size)
      guard factor.isRegular else { return }
      let solved = factor.solve(right)
      guard solved.allSatisfy(\.isFinite) else { return }
      for (a, i) in free.enumerated() { moved[i] = solved[a] }
      let kept = self
      let before = naturalError()
      for i in 0..<total { v[i] = active[i] ?? (v[i] + moved[i]) }
      for row in 0..<equations { lambda[row] += solved[free.count + row] }
      (objective, residual) = try evaluate(v)
      try evaluateDerivatives()
      let force = lagrangianGradient(lambda)
      for i in 0..<total {
        zLow[i] = active[i] == low[i] ? max(force[i], 0) : 0
        zHigh[i] = active[i] == high[i] ? max(-force[i], 0) : 0
      }
      let after = naturalError()
      if !(after < before) {
        let count = evaluations
        self = kept
        evaluations = count
        return
      }
      if after < 1e-14 { return }
    }
  }

  /// Newton's method on the conditions with a barrier, until rounding ends it.
  mutating func center(mu: Double) throws {
    var regularization = 0.0
    for _ in 0..<10 {
      let kept = self
      let before = optimalityError(mu: mu)
      guard before > 0, let step = direction(mu: mu, lastRegularization: &regularization) else { return }
      let length = min(
        longest(step.v, share: 0.99), longest(zLow, step.zLow, share: 0.99),
        longest(zHigh, step.zHigh, share: 0.99))
      for i in 0..<total {
        v[i] += length * step.v[i]
        zLow[i] += length * step.zLow[i]
        zHigh[i] += length * step.zHigh[i]
      }
      for row in 0..<equations { lambda[row] += length * step.lambda[row] }
      (objective, residual) = try evaluate(v)
      try evaluateDerivatives()
      if !(optimalityError(mu: mu) < before) {
        let count = evaluations
        self = kept
        evaluations = count
        return
      }
    }
  }

  /// The largest violation of stationarity, rows, sides, and min(slack, multiplier).
  func naturalError() -> Double {
    let slope = lagrangianGradient(lambda)
    var worst = residual.reduce(0) { max($0, $1.magnitude) }
    for i in 0..<total {
      worst = max(worst, (slope[i] - zLow[i] + zHigh[i]).magnitude, low[i] - v[i], v[i] - high[i])
      if low[i].isFinite { worst = max(worst, min(zLow[i], v[i] - low[i])) }
      if high[i].isFinite { worst = max(worst, min(zHigh[i], high[i] - v[i])) }
    }
    return worst.isNaN ? .infinity : worst
  }

  /// The result in the program's own units.
  /// - Parameter mu: the products of slack and multiplier that were aimed at.
  mutating func solution(_ status: SolverStatus, _ iterations: Int, mu: Double) throws
    -> NonlinearProgramSolution
  {
    let x = Array(v[..<n])
    let rows = (0..<problem.rowCount).map { lambda[$0] * rowScale[$0] / objectiveScale }
    var bounds = (0..<n).map { (zHigh[$0] - zLow[$0]) / objectiveScale }
    for (k, i) in fixed.enumerated() { bounds[i] = lambda[problem.rowCount + k] / objectiveScale }
    let (f, values) = try problem.values(x)
    var primal = 0.0
    for row in 0..<problem.rowCount {
      primal = max(primal, problem.lower[row] - values[row], values[row] - problem.upper[row])
    }
    for i in 0..<n { primal = max(primal, problem.lowerBounds[i] - x[i], x[i] - problem.upperBounds[i]) }
    let slope = lagrangianGradient(lambda)
    var (dual, product, margin) = (0.0, 0.0, Double.infinity)
    var isActive = [Bool](repeating: false, count: total)
    for i in 0..<total {
      if i < n { dual = max(dual, (slope[i] - zLow[i] + zHigh[i]).magnitude / objectiveScale) }
      for (z, slack) in [(zLow[i], v[i] - low[i]), (zHigh[i], high[i] - v[i])] where slack.isFinite {
        product = max(product, mu > 0 ? (z * slack - mu).magnitude : min(z, slack))
        margin = min(margin, max(z, slack))
        if z > slack { isActive[i] = true }
      }
    }
    var regularity: QuadraticProgramRegularity?
    if status == .converged, mu == 0, hessian.allSatisfy(\.isFinite), jacobian.allSatisfy(\.isFinite) {
      var active: [Double] = []
      for i in 0..<n where isActive[i] {
        active += (0..<n).map { $0 == i ? 1 : 0 }
      }
      for row in 0..<equations {
        let slack = slackRows.firstIndex(of: row)
        if slack.map({ isActive[n + $0] }) ?? true { active += jacobian[row * total..<row * total + n] }
      }
      regularity = try? QuadraticProgramRegularity(
        hessian: hessian, active: active, variables: n, complementarity: margin)
    }
    return NonlinearProgramSolution(
      status: status, x: x, objective: f, equalityMultipliers: Array(rows[..<problem.equationCount]),
      inequalityMultipliers: Array(rows[problem.equationCount...]),
      boundMultipliers: bounds, iterations: iterations, evaluations: evaluations, primalResidual: primal,
      dualResidual: dual, complementarityResidual: product, regularity: regularity)
  }
}
