import Foundation

extension NonlinearInteriorPoint {
  func barrierValue(_ objective: Double, _ v: [Double], _ mu: Double) -> Double {
    var sum = objective
    for i in 0..<total {
      if low[i].isFinite { sum -= mu * logarithm(v[i] - low[i]) }
      if high[i].isFinite { sum -= mu * logarithm(high[i] - v[i]) }
    }
    return sum
  }
  func logarithm(_ x: Double) -> Double { x > 0 ? log(x) : -.infinity }

  enum SearchOutcome { case moved, needsFeasibility }

  mutating func resetFilter(_ largest: Double) { filter = [(largest, -.infinity)] }

  func isAcceptable(_ violation: Double, _ value: Double) -> Bool {
    filter.allSatisfy { violation < $0.violation || value < $0.value }
  }

  mutating func search(_ step: Step, mu: Double) throws -> SearchOutcome {
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
}
