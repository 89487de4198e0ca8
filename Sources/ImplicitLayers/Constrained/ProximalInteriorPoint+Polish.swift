import Lanes

extension ProximalInteriorPoint {
  /// One where a constraint acts as an equation at the solution: `upper`, `lower`.
  @inline(__always)
  func active(_ k: Int) -> (upper: L, lower: L) {
    let up = L.maximum(
      isEquation[k], hasUpper[k].replacing(with: L(0.0), where: upperMultiplier[k] .<= upperSlack[k]))
    let down = hasLower[k].replacing(with: L(0.0), where: lowerMultiplier[k] .<= lowerSlack[k])
    return (up, down.replacing(with: L(0.0), where: up .> L(0.5)))
  }

  /// Factors the system of the constraints that are active, as equations, with small proximal terms.
  func factorizeActive() -> L.Mask {
    let isSafe = factorizeWithSmallTerms {
      for k in 0..<count {
        let (up, down) = active(k)
        (shareUpper[k], shareLower[k], compliance[k]) = (up, down, L(0.0))
        weights[k] = L.maximum(up, down) / delta
      }
    }
    hasActiveFactor = true
    return isSafe
  }
  /// Factors with proximal terms as small as rounding permits.
  func factorizeWithSmallTerms(_ setWeights: () -> Void) -> L.Mask {
    (rho, delta) = (L(1e-9), L(1e-9))
    setWeights()
    let isSafe = factorizeWeights()
    if isSafe.allTrue { return isSafe }
    rho = L(1e-7).replacing(with: rho, where: isSafe)
    delta = L(1e-6).replacing(with: delta, where: isSafe)
    setWeights()
    return factorizeWeights()
  }

  /// Polishes the lanes that have converged, or have stalled: those converge if that brings them within the tolerances.
  func polish(_ outcome: inout Outcome, _ options: QuadraticProgramOptions) {
    guard options.polishes, options.barrier == 0 else { return }
    var isWanted = L(1.0) .== L(0.0)
    for lane in 0..<L.laneCount {
      isWanted[lane: lane] = outcome.status[lane] == .converged || outcome.status[lane] == .stalled
    }
    guard isWanted.anyTrue else { return }
    let isTaken = polish(isWanted)
    guard isTaken.anyTrue else { return }
    outcome.residuals = residuals()
    let areSmall = outcome.residuals.areSmall(options)
    for lane in 0..<L.laneCount where isTaken[lane: lane] {
      outcome.isPolished[lane] = true
      if areSmall[lane: lane] { outcome.status[lane] = .converged }
    }
  }

  /// Solves once more with the active constraints as equations, and takes the result where it is better.
  /// - Returns: in which lanes it was taken.
  func polish(_ wanted: L.Mask) -> L.Mask {
    let zero = L(0.0)
    var isTaken = wanted .& factorizeActive()
    if !isTaken.anyTrue { return isTaken }
    // The candidate: its point in `center`, its net multipliers in `upperCenter`; its sides in `residualUpper`.
    center.update(from: x, count: n)
    for k in 0..<count {
      let (up, down) = active(k)
      upperCenter[k] = netMultiplier(k) * L.maximum(up, down)
      residualUpper[k] = upper[k] * up + lower[k] * down
      targetUpper[k] = up
      targetLower[k] = down
    }
    var best = L(.infinity)
    for round in 0..<6 {
      matrices.multiplyQuadratic(center, into: residualX)
      multiplyTransposed(upperCenter, into: lowerCenter)
      multiplyConstraints(center, into: stepValues)
      var error = zero
      for i in 0..<n {
        residualX[i] = -(residualX[i] + linear[i] + lowerCenter[i])
        error = L.maximum(error, residualX[i].magnitude)
      }
      for k in 0..<count {
        let isActive = L.maximum(targetUpper[k], targetLower[k])
        stepUpper[k] = (residualUpper[k] - stepValues[k]) * isActive
        error = L.maximum(error, stepUpper[k].magnitude)
      }
      if round == 5 || (error .<= L(1e-15)).allTrue || !(error .< best * 0.9).anyTrue { break }
      best = L.minimum(best, error)
      for i in 0..<n { reducedX[i] = residualX[i] + weights[m &+ i] * stepUpper[m &+ i] }
      reducedRows.update(from: stepUpper, count: m)
      solveReduced(steps: 1)
      for i in 0..<n {
        center[i] += stepX[i]
        upperCenter[m &+ i] += weights[m &+ i] * (stepX[i] - stepUpper[m &+ i])
      }
      for k in 0..<m { upperCenter[k] += netStep[k] }
    }
    // How good are the two points, in scaled units? The slacks of the interior-point method count as products.
    var (before, after) = (zero, zero)
    for i in 0..<n {
      before = L.maximum(
        before, (quadraticTimesX[i] + linear[i] + transposedMultipliers[i]).magnitude)
      after = L.maximum(after, residualX[i].magnitude)
    }
    for k in 0..<count {
      let (oldValue, newValue, net) = (values[k], stepValues[k], upperCenter[k])
      @inline(__always)
      func violation(_ v: L) -> L {
        L.maximum(
          L.maximum((v - upper[k]) * hasUpper[k], (lower[k] - v) * hasLower[k]),
          (v - upper[k]).magnitude * isEquation[k])
      }
      before = L.maximum(before, violation(oldValue))
      before = L.maximum(
        before,
        L.maximum(
          L.minimum(upperSlack[k], upperMultiplier[k]) * hasUpper[k],
          L.minimum(lowerSlack[k], lowerMultiplier[k]) * hasLower[k]))
      after = L.maximum(after, violation(newValue))
      let wrongSign = L.maximum(-(net * targetUpper[k] * hasUpper[k]), net * targetLower[k])
      after = L.maximum(after, wrongSign)
    }
    isTaken = isTaken .& (after .<= L.maximum(before, L(1e-14))) .& after.isFinite
    for i in 0..<n { x[i] = x[i].replacing(with: center[i], where: isTaken) }
    for k in 0..<count {
      let net = upperCenter[k]
      let up = (L.maximum(net, zero) * hasUpper[k]).replacing(with: net, where: isEquation[k] .> L(0.5))
      upperMultiplier[k] = upperMultiplier[k].replacing(with: up * targetUpper[k], where: isTaken)
      lowerMultiplier[k] = lowerMultiplier[k].replacing(
        with: L.maximum(-net, zero) * targetLower[k], where: isTaken)
      let slackUp = L.maximum(upper[k] - stepValues[k], zero) * (1.0 - targetUpper[k])
      let slackDown = L.maximum(stepValues[k] - lower[k], zero) * (1.0 - targetLower[k])
      upperSlack[k] = upperSlack[k].replacing(
        with: slackUp, where: isTaken .& (hasUpper[k] .> L(0.5)))
      lowerSlack[k] = lowerSlack[k].replacing(
        with: slackDown, where: isTaken .& (hasLower[k] .> L(0.5)))
    }
    evaluateIterate()
    return isTaken
  }
}
