import COpenBLAS
import Foundation

/// A local minimiser of a nonlinear program, by the primal-dual interior-point method with a filter line search of Wächter and Biegler
/// (On the implementation of an interior-point filter line-search algorithm for large-scale nonlinear programming, 2006), dense.
///
/// Rows with two sides have slacks: c(x) − s = 0 with bounds on s; equations and fixed variables have rows without slack. The unknowns are
/// v = (x, s). Where the Hessian has the wrong inertia a multiple of the identity is added; where no step is acceptable, the violation alone is
/// reduced by Levenberg–Marquardt steps inside the bounds. At the end, Newton's method with the active constraints as equations gives the
/// last digits.
struct NonlinearInteriorPoint {
  private let problem: NonlinearProgramProblem
  private let options: NonlinearProgramOptions
  private let n: Int
  /// Rows of c with two sides, in the order of their slacks, and fixed variables.
  private let slackRows: [Int]
  private let fixed: [Int]
  private let total: Int
  private let equations: Int
  /// Sides of v; infinite where there is none.
  private var low: [Double]
  private var high: [Double]
  private var objectiveScale = 1.0
  private var rowScale: [Double]
  private var evaluations = 0

  // The iterate.
  private var v: [Double] = []
  private var lambda: [Double] = []
  private var zLow: [Double] = []
  private var zHigh: [Double] = []
  private var objective = 0.0
  private var residual: [Double] = []
  private var gradient: [Double] = []
  private var jacobian: [Double] = []
  private var hessian: [Double] = []
  private var filter: [(violation: Double, value: Double)] = []

  init(_ problem: NonlinearProgramProblem, _ options: NonlinearProgramOptions) {
    self.problem = problem
    self.options = options
    n = problem.variableCount
    let limit = options.infinity
    slackRows = (0..<problem.rowCount).filter { problem.lower[$0] != problem.upper[$0] }
    fixed = (0..<problem.variableCount).filter { problem.lowerBounds[$0] == problem.upperBounds[$0] }
    total = n + slackRows.count
    equations = problem.rowCount + fixed.count
    rowScale = [Double](repeating: 1, count: problem.rowCount)
    low = problem.lowerBounds + slackRows.map { problem.lower[$0] }
    high = problem.upperBounds + slackRows.map { problem.upper[$0] }
    for i in fixed { (low[i], high[i]) = (-.infinity, .infinity) }
    for i in low.indices {
      if low[i] <= -limit { low[i] = -.infinity }
      if high[i] >= limit { high[i] = .infinity }
    }
  }

  /// Solves from a point.
  mutating func solve(from start: [Double], isCancelled: () -> Bool = { false }) throws
    -> NonlinearProgramSolution
  {
    try begin(start)
    var mu = options.firstBarrier
    var status = SolverStatus.iterationLimit
    var iteration = 0
    var lastRegularization = 0.0
    let firstViolation = violation(residual)
    let largestViolation = 1e4 * max(1, firstViolation)
    resetFilter(largestViolation)
    while iteration < options.maximumIterations {
      guard objective.isFinite, gradient.allSatisfy(\.isFinite), jacobian.allSatisfy(\.isFinite),
        hessian.allSatisfy(\.isFinite)
      else {
        status = .nonFinite
        break
      }
      if optimalityError(mu: 0) <= options.tolerance {
        status = .converged
        break
      }
      if objective < -1e12, v.contains(where: { $0.magnitude > 1e10 }) {
        status = .unbounded
        break
      }
      if isCancelled() {
        status = .cancelled
        break
      }
      let least = options.tolerance / 10
      while mu > least, optimalityError(mu: mu) <= 10 * mu {
        mu = max(least, min(0.2 * mu, mu * mu.squareRoot()))
        resetFilter(largestViolation)
      }
      guard let step = direction(mu: mu, lastRegularization: &lastRegularization) else {
        status = .stalled
        break
      }
      let outcome = try search(step, mu: mu)
      iteration += 1
      switch outcome {
      case .moved: try evaluateDerivatives()
      case .needsFeasibility:
        let before = violation(residual)
        if before <= options.tolerance {
          // Nothing is left to gain but rounding; a larger barrier starts afresh at most once per digit.
          if mu > least {
            mu = max(least, 0.1 * mu)
            resetFilter(largestViolation)
            continue
          }
          status = optimalityError(mu: 0) <= 1e3 * options.tolerance ? .converged : .stalled
        } else if try restore(mu: mu) {
          try evaluateDerivatives()
          resetMultipliers(mu: mu)
          continue
        } else {
          status = .infeasible
        }
      }
      if status != .iterationLimit { break }
    }
    if status == .converged { try polish() }
    return try solution(status, iteration)
  }

  // MARK: Evaluation

  private mutating func begin(_ start: [Double]) throws {
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
  private func inside(_ x: Double, _ low: Double, _ high: Double) -> Double {
    let width = high - low
    let fromLow = low.isFinite ? min(1e-2 * max(1, low.magnitude), 1e-2 * width) : 0
    let fromHigh = high.isFinite ? min(1e-2 * max(1, high.magnitude), 1e-2 * width) : 0
    return min(max(x, low + fromLow), high - fromHigh)
  }

  /// The scaled objective, and the residuals of all rows.
  private mutating func evaluate(_ v: [Double]) throws -> (Double, [Double]) {
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
  private mutating func evaluateDerivatives() throws {
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

  private func violation(_ c: [Double]) -> Double { c.reduce(0) { $0 + $1.magnitude } }

  /// ∇f + Jᵀ λ.
  private func lagrangianGradient(_ lambda: [Double]) -> [Double] {
    var sum = gradient
    for row in 0..<equations where lambda[row] != 0 {
      for i in 0..<total { sum[i] += jacobian[row * total + i] * lambda[row] }
    }
    return sum
  }

  private func optimalityError(mu: Double) -> Double {
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

  // MARK: Steps

  private struct Step {
    var v: [Double]
    var lambda: [Double]
    var zLow: [Double]
    var zHigh: [Double]
    var factor: SymmetricIndefinite
    var barrierGradient: [Double]
  }

  /// The Newton step of the barrier problem, the Hessian convexified as far as needed.
  private func direction(mu: Double, lastRegularization: inout Double) -> Step? {
    let size = total + equations
    var sigma = [Double](repeating: 0, count: total)
    var barrier = gradient
    for i in 0..<total {
      if low[i].isFinite {
        sigma[i] += zLow[i] / (v[i] - low[i])
        barrier[i] -= mu / (v[i] - low[i])
      }
      if high[i].isFinite {
        sigma[i] += zHigh[i] / (high[i] - v[i])
        barrier[i] += mu / (high[i] - v[i])
      }
    }
    var (added, dual) = (0.0, 0.0)
    for attempt in 0..<40 {
      var matrix = [Double](repeating: 0, count: size * size)
      for i in 0..<n {
        for j in 0..<n { matrix[i * size + j] = 0.5 * (hessian[i * n + j] + hessian[j * n + i]) }
      }
      for i in 0..<total { matrix[i * size + i] += sigma[i] + added }
      for row in 0..<equations {
        for i in 0..<total {
          matrix[(total + row) * size + i] = jacobian[row * total + i]
          matrix[i * size + total + row] = jacobian[row * total + i]
        }
        matrix[(total + row) * size + total + row] = -dual
      }
      let factor = SymmetricIndefinite(matrix, size: size)
      if factor.isRegular, factor.negativeCount == equations {
        if added > 0 { lastRegularization = added }
        var right = barrier.map { -$0 } + residual.map { -$0 }
        for row in 0..<equations {
          for i in 0..<total { right[i] -= jacobian[row * total + i] * lambda[row] }
        }
        let solved = factor.solve(right)
        guard solved.allSatisfy(\.isFinite) else { return nil }
        var step = Step(
          v: Array(solved[..<total]), lambda: Array(solved[total...]), zLow: zLow.map { _ in 0 },
          zHigh: zHigh.map { _ in 0 }, factor: factor, barrierGradient: barrier)
        for i in 0..<total {
          if low[i].isFinite {
            step.zLow[i] = (mu - zLow[i] * step.v[i]) / (v[i] - low[i]) - zLow[i]
          }
          if high[i].isFinite {
            step.zHigh[i] = (mu + zHigh[i] * step.v[i]) / (high[i] - v[i]) - zHigh[i]
          }
        }
        return step
      }
      if !factor.isRegular, dual == 0, equations > 0 { dual = 1e-8 * mu.squareRoot().squareRoot() }
      if added == 0 {
        added = lastRegularization == 0 ? 1e-4 : max(1e-20, lastRegularization / 3)
      } else {
        added *= lastRegularization == 0 ? 100 : 8
      }
      if added > 1e40 || attempt == 39 { return nil }
    }
    return nil
  }

  /// The largest step up to one along `d` that keeps a share of the distance to the sides.
  private func longest(_ d: [Double], share: Double) -> Double {
    var length = 1.0
    for i in 0..<total {
      if low[i].isFinite, d[i] < 0 { length = min(length, -share * (v[i] - low[i]) / d[i]) }
      if high[i].isFinite, d[i] > 0 { length = min(length, share * (high[i] - v[i]) / d[i]) }
    }
    return length
  }
  private func longest(_ z: [Double], _ d: [Double], share: Double) -> Double {
    zip(z, d).reduce(1.0) { $1.1 < 0 && $1.0 > 0 ? min($0, -share * $1.0 / $1.1) : $0 }
  }

  private func barrierValue(_ objective: Double, _ v: [Double], _ mu: Double) -> Double {
    var sum = objective
    for i in 0..<total {
      if low[i].isFinite { sum -= mu * logarithm(v[i] - low[i]) }
      if high[i].isFinite { sum -= mu * logarithm(high[i] - v[i]) }
    }
    return sum
  }
  private func logarithm(_ x: Double) -> Double { x > 0 ? log(x) : -.infinity }

  private enum SearchOutcome { case moved, needsFeasibility }

  private mutating func resetFilter(_ largest: Double) { filter = [(largest, -.infinity)] }

  private func isAcceptable(_ violation: Double, _ value: Double) -> Bool {
    filter.allSatisfy { violation < $0.violation || value < $0.value }
  }

  private mutating func search(_ step: Step, mu: Double) throws -> SearchOutcome {
    let share = max(0.99, 1 - mu)
    let dualLength = min(longest(zLow, step.zLow, share: share), longest(zHigh, step.zHigh, share: share))
    let before = violation(residual)
    let value = barrierValue(objective, v, mu)
    let slope = zip(step.barrierGradient, step.v).reduce(0) { $0 + $1.0 * $1.1 }
    let smallest = 1e-4 * max(1, before)
    let rounding = 10 * Double.ulpOfOne * value.magnitude
    var length = longest(step.v, share: share)
    let first = length
    var isFirst = true
    while length > 1e-10 * first, length > 1e-14 {
      var trial = zip(v, step.v).map { $0 + length * $1 }
      var (f, c) = try evaluate(trial)
      func accepted(_ f: Double, _ c: [Double], _ trial: [Double]) -> (isAccepted: Bool, isDescent: Bool) {
        guard f.isFinite, c.allSatisfy(\.isFinite) else { return (false, false) }
        let (theta, phi) = (violation(c), barrierValue(f, trial, mu))
        guard phi.isFinite, isAcceptable(theta, phi) else { return (false, false) }
        let isSwitching =
          slope < 0 && length * pow(-slope, 2.3) > pow(before, 1.1) && before <= smallest
        if isSwitching { return (phi - value - rounding <= 1e-4 * length * slope, true) }
        return (theta <= (1 - 1e-5) * before || phi - rounding <= value - 1e-5 * before, false)
      }
      var verdict = accepted(f, c, trial)
      if !verdict.isAccepted, isFirst, violation(c) >= before, equations > 0, c.allSatisfy(\.isFinite) {
        // Second-order correction: the same system with the rows' values at the trial point.
        var right = step.barrierGradient.map { -$0 } + zip(residual, c).map { -(length * $0 + $1) }
        for row in 0..<equations {
          for i in 0..<total { right[i] -= jacobian[row * total + i] * lambda[row] }
        }
        let corrected = Array(step.factor.solve(right)[..<total])
        if corrected.allSatisfy(\.isFinite) {
          let reach = longest(corrected, share: share)
          let other = zip(v, corrected).map { $0 + reach * $1 }
          let (otherF, otherC) = try evaluate(other)
          let otherVerdict = accepted(otherF, otherC, other)
          if otherVerdict.isAccepted { (trial, f, c, verdict) = (other, otherF, otherC, otherVerdict) }
        }
      }
      if verdict.isAccepted {
        if !verdict.isDescent { filter.append(((1 - 1e-5) * before, value - 1e-5 * before)) }
        (v, objective, residual) = (trial, f, c)
        for row in 0..<equations { lambda[row] += length * step.lambda[row] }
        for i in 0..<total {
          zLow[i] += dualLength * step.zLow[i]
          zHigh[i] += dualLength * step.zHigh[i]
        }
        keepMultipliersNear(mu)
        return .moved
      }
      isFirst = false
      length *= 0.5
    }
    filter.append(((1 - 1e-5) * before, value - 1e-5 * before))
    return .needsFeasibility
  }

  /// Bound multipliers stay within a large factor of μ / slack.
  private mutating func keepMultipliersNear(_ mu: Double) {
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

  private mutating func resetMultipliers(mu: Double) {
    for i in 0..<total {
      if low[i].isFinite { zLow[i] = min(mu / (v[i] - low[i]), 1e3) }
      if high[i].isFinite { zHigh[i] = min(mu / (high[i] - v[i]), 1e3) }
    }
    leastSquaresMultipliers()
  }

  /// λ that makes the Lagrangian's gradient shortest; zero where that is large.
  private mutating func leastSquaresMultipliers() {
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
  private mutating func restore(mu: Double) throws -> Bool {
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

  // MARK: The end

  /// Newton's method on the conditions with the active sides as equations; kept where it helps.
  private mutating func polish() throws {
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

  /// The largest violation of stationarity, rows, sides, and min(slack, multiplier).
  private func naturalError() -> Double {
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
  private mutating func solution(_ status: SolverStatus, _ iterations: Int) throws -> NonlinearProgramSolution
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
    for i in 0..<total {
      if i < n { dual = max(dual, (slope[i] - zLow[i] + zHigh[i]).magnitude / objectiveScale) }
      if low[i].isFinite {
        product = max(product, min(zLow[i], v[i] - low[i]))
        margin = min(margin, max(zLow[i], v[i] - low[i]))
      }
      if high[i].isFinite {
        product = max(product, min(zHigh[i], high[i] - v[i]))
        margin = min(margin, max(zHigh[i], high[i] - v[i]))
      }
    }
    return NonlinearProgramSolution(
      status: status, x: x, objective: f, equalityMultipliers: Array(rows[..<problem.equationCount]),
      inequalityMultipliers: Array(rows[problem.equationCount...]),
      boundMultipliers: bounds, iterations: iterations, evaluations: evaluations, primalResidual: primal,
      dualResidual: dual, complementarityResidual: product, complementarityMargin: margin)
  }
}

/// L D Lᵀ with pivots of one or two rows, and the signs of D (Bunch and Kaufman; LAPACK's `sytrf`).
struct SymmetricIndefinite {
  private var factor: [Double]
  private var pivots: [Int32]
  private let size: Int
  /// No pivot is zero or out of proportion.
  private(set) var isRegular: Bool
  private(set) var negativeCount = 0

  init(_ matrix: [Double], size: Int) {
    factor = matrix
    self.size = size
    pivots = [Int32](repeating: 0, count: size)
    isRegular = matrix.allSatisfy(\.isFinite)
    guard size > 0, isRegular else { return }
    let order = Int32(size)
    // The name of the lower half.
    let info = LAPACKE_dsytrf(LAPACK_COL_MAJOR, 76, order, &factor, order, &pivots)
    isRegular = info == 0
    var k = 0
    while k < size {
      if pivots[k] > 0 {
        let pivot = factor[k * size + k]
        if pivot < 0 { negativeCount += 1 }
        if pivot.magnitude < 1e-14 { isRegular = false }
        k += 1
      } else {
        // Blocks of two rows have a pivot of either sign.
        negativeCount += 1
        k += 2
      }
    }
  }

  func solve(_ right: [Double]) -> [Double] {
    guard size > 0 else { return [] }
    var x = right
    let order = Int32(size)
    _ = LAPACKE_dsytrs(LAPACK_COL_MAJOR, 76, order, 1, factor, order, pivots, &x, order)
    return x
  }
}
