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

  /// Takes the constraints that are active at the iterate for equations: in `shareUpper` and `shareLower`.
  func chooseActive() {
    for k in 0..<count { (shareUpper[k], shareLower[k]) = active(k) }
  }
  /// Factors the system of the constraints that were chosen, with small proximal terms.
  func factorizeActive() -> L.Mask {
    compliance.update(repeating: L(0.0), count: count)
    let isSafe = factorizeWithSmallTerms {
      for k in 0..<count { weights[k] = L.maximum(shareUpper[k], shareLower[k]) / delta }
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

  /// Solves from the start that has been made, and polishes. One program alone that has stalled gets a second, careful try.
  func solveAndPolish(
    _ options: QuadraticProgramOptions, isAlone: Bool, isCancelled: () -> Bool = { false }
  ) -> Outcome {
    isCareful = false
    var outcome = solve(options, isCancelled: isCancelled)
    polish(&outcome, options)
    if isAlone, outcome.status[0] == .stalled || outcome.status[0] == .nonFinite {
      let steps = outcome.iterations[0]
      isCareful = true
      initialize()
      outcome = solve(options, isCancelled: isCancelled)
      polish(&outcome, options)
      outcome.iterations[0] += steps
    }
    return outcome
  }

  /// Polishes the lanes that have converged, or have stalled: those converge if that brings them within the tolerances.
  func polish(_ outcome: inout Outcome, _ options: QuadraticProgramOptions) {
    guard options.polishes, options.barrier == 0 else { return }
    var isWanted = L(1.0) .== L(0.0)
    for lane in 0..<L.laneCount {
      isWanted[lane: lane] =
        !outcome.isPolished[lane]
        && (outcome.status[lane] == .converged || outcome.status[lane] == .stalled)
    }
    guard isWanted.anyTrue else { return }
    // In memory that the following leaves alone.
    let kept: [(Vector, Vector, count: Int)] = [
      (x, refineX, n), (upperMultiplier, targetUpper, count), (lowerMultiplier, targetLower, count),
      (upperSlack, stepUpperSlack, count), (lowerSlack, stepLowerSlack, count),
    ]
    for (value, copy, count) in kept { copy.update(from: value, count: count) }
    var isTaken = polish(isWanted)
    guard isTaken.anyTrue else { return }
    outcome.residuals = residuals()
    let areSmall = outcome.residuals.areSmall(options)
    // What is better in scaled units need not be so in the program's own: what has converged stays so.
    var isLost = isTaken .& .!areSmall
    for lane in 0..<L.laneCount where outcome.status[lane] != .converged { isLost[lane: lane] = false }
    if isLost.anyTrue {
      for (value, copy, count) in kept {
        for k in 0..<count { value[k] = value[k].replacing(with: copy[k], where: isLost) }
      }
      isTaken = isTaken .& .!isLost
      hasActiveFactor = false
      evaluateIterate()
      outcome.residuals = residuals()
    }
    for lane in 0..<L.laneCount where isTaken[lane: lane] {
      outcome.isPolished[lane] = true
      if areSmall[lane: lane] { outcome.status[lane] = .converged }
    }
  }

  /// Solves once more with the active constraints as equations, and takes the result where it is better. Where constraints then are violated
  /// or have multipliers of the wrong sign, their part is changed, and it is tried again: slacks and multipliers of the same size do not tell
  /// which constraints are active.
  /// - Returns: in which lanes it was taken.
  private func polish(_ wanted: L.Mask) -> L.Mask {
    var isTaken = L(1.0) .== L(0.0)
    chooseActive()
    for attempt in 0..<3 {
      let isSafe = factorizeActive()
      findCandidate()
      let isBetter = isSafe .& candidateIsBetter()
      take(candidateIn: wanted .& isBetter .& .!isTaken)
      isTaken = isTaken .| (wanted .& isBetter)
      let isOpen = wanted .& isSafe .& .!isTaken
      if attempt == 2 || !isOpen.anyTrue || !changeActive(isOpen, limit: 1e-13) { break }
    }
    // What was tried last need not be what the iterate says.
    if !(isTaken .| .!wanted).allTrue { hasActiveFactor = false }
    if isTaken.anyTrue { evaluateIterate() }
    return isTaken
  }

  /// The same for an iterate on its way, which tells early which constraints will be active: a guess that gives a solution to rounding
  /// saves the steps that are left. Guesses are corrected as above, those that are clearly wrong before their solution is refined.
  /// - Returns: in which lanes a solution was found and taken. The others go on from where they are.
  func polishEarly(_ wanted: L.Mask, _ options: QuadraticProgramOptions) -> L.Mask {
    let (attempts, terms) = (4, (rho, delta))
    var isTaken = L(1.0) .== L(0.0)
    chooseActive()
    for attempt in 0..<attempts {
      let isSafe = factorizeActive()
      let isOpen = wanted .& isSafe .& .!isTaken
      if attempt < attempts - 1 {
        let error = findCandidate(rounds: 1)
        if changeActive(isOpen, limit: 1e-7) { continue }
        _ = refineCandidate(from: error, rounds: 4)
      } else {
        findCandidate()
      }
      let isSolution = isOpen .& candidateIsSolution(options)
      take(candidateIn: isSolution)
      isTaken = isTaken .| isSolution
      let isLeft = isOpen .& .!isSolution
      if !isLeft.anyTrue || !changeActive(isLeft, limit: 1e-13) { break }
    }
    if isTaken.anyTrue { evaluateIterate() }
    if !(isTaken .| .!wanted).allTrue {
      hasActiveFactor = false
      (rho, delta) = terms
      centerHere()
    }
    return isTaken
  }

  /// The solution with the chosen constraints as equations: its point in `center`, its net multipliers in `upperCenter`, the constraints'
  /// values in `stepValues`, the residual in `residualX`.
  /// - Parameter rounds: how many solves at most.
  /// - Returns: the largest residual.
  @discardableResult
  private func findCandidate(rounds: Int = 5) -> L {
    center.update(from: x, count: n)
    for k in 0..<count {
      upperCenter[k] = netMultiplier(k) * L.maximum(shareUpper[k], shareLower[k])
      residualUpper[k] = upper[k] * shareUpper[k] + lower[k] * shareLower[k]
    }
    return refineCandidate(from: evaluateCandidate(), rounds: rounds)
  }
  private func evaluateCandidate() -> L {
    matrices.multiplyQuadratic(center, into: residualX)
    multiplyTransposed(upperCenter, into: lowerCenter)
    multiplyConstraints(center, into: stepValues)
    var error = L(0.0)
    for i in 0..<n {
      residualX[i] = -(residualX[i] + linear[i] + lowerCenter[i])
      error = L.maximum(error, residualX[i].magnitude)
    }
    for k in 0..<count {
      stepUpper[k] = (residualUpper[k] - stepValues[k]) * L.maximum(shareUpper[k], shareLower[k])
      error = L.maximum(error, stepUpper[k].magnitude)
    }
    return Matrices.largest(error)
  }
  private func refineCandidate(from first: L, rounds: Int) -> L {
    var (error, best) = (first, L(.infinity))
    for _ in 0..<rounds {
      if (error .<= L(1e-14)).allTrue || !(error .< best * 0.9).anyTrue { break }
      best = L.minimum(best, error)
      for i in 0..<n { reducedX[i] = residualX[i] + weights[m &+ i] * stepUpper[m &+ i] }
      reducedRows.update(from: stepUpper, count: m)
      solveReduced(steps: 0)
      for i in 0..<n {
        center[i] += stepX[i]
        upperCenter[m &+ i] += weights[m &+ i] * (stepX[i] - stepUpper[m &+ i])
      }
      for k in 0..<m { upperCenter[k] += netStep[k] }
      error = evaluateCandidate()
    }
    return error
  }

  @inline(__always)
  private func violation(_ k: Int, _ value: L) -> L {
    L.maximum(
      L.maximum((value - upper[k]) * hasUpper[k], (lower[k] - value) * hasLower[k]),
      (value - upper[k]).magnitude * isEquation[k])
  }
  /// How far the candidate's multiplier is on the wrong side of zero.
  @inline(__always)
  private func wrongSign(_ k: Int) -> L {
    L.maximum(-(upperCenter[k] * shareUpper[k] * hasUpper[k]), upperCenter[k] * shareLower[k])
  }

  /// Whether the candidate is no worse than the iterate, or as good as rounding allows; in scaled units.
  private func candidateIsBetter() -> L.Mask {
    var (before, after) = (L(0.0), L(0.0))
    for i in 0..<n {
      before = L.maximum(
        before, (quadraticTimesX[i] + linear[i] + transposedMultipliers[i]).magnitude)
      after = L.maximum(after, residualX[i].magnitude)
    }
    for k in 0..<count {
      before = L.maximum(before, violation(k, values[k]))
      after = L.maximum(after, L.maximum(violation(k, stepValues[k]), wrongSign(k)))
    }
    // A maximum passes over NaN.
    var sum = L(0.0)
    for i in 0..<n { sum += (center[i] + residualX[i]) * 0.0 }
    for k in 0..<count { sum += (upperCenter[k] + stepValues[k]) * 0.0 }
    (before, after) = (Matrices.largest(before), Matrices.largest(after))
    return (after .<= L.maximum(before, L(1e-12))) .& after.isFinite .& Matrices.sum(sum).isFinite
  }

  /// Whether the candidate is a solution: to rounding in scaled units, and within the absolute tolerances in the program's own, those of
  /// stationarity and gap in the objective's unit.
  private func candidateIsSolution(_ options: QuadraticProgramOptions) -> L.Mask {
    let inverse = 1.0 / objectiveScale
    var (scaled, sum, gap) = (L(0.0), L(0.0), L(0.0))
    var (primal, dual, largestUnit, wrong) = (L(0.0), L(0.0), L(0.0), L(0.0))
    for i in 0..<n {
      let (size, unit) = (residualX[i].magnitude, columnUnit[i])
      scaled = L.maximum(scaled, size)
      dual = L.maximum(dual, size * unit)
      largestUnit = L.maximum(largestUnit, unit)
      gap += size * center[i].magnitude
      sum += (center[i] + residualX[i]) * 0.0
    }
    for k in 0..<count {
      let violation = violation(k, stepValues[k])
      scaled = L.maximum(scaled, violation)
      primal = L.maximum(primal, violation * rowUnit[k])
      wrong = L.maximum(wrong, wrongSign(k))
      gap += (upperCenter[k] * stepUpper[k]).magnitude
      sum += (upperCenter[k] + stepValues[k]) * 0.0
    }
    (scaled, wrong) = (Matrices.largest(scaled), Matrices.largest(wrong))
    (primal, dual) = (Matrices.largest(primal), Matrices.largest(dual))
    // Multipliers of the wrong sign become zero, which shows in stationarity.
    dual += Matrices.largest(largestUnit) * wrong * Double(count)
    gap = Matrices.sum(gap) * inverse
    let (tolerance, limit) = (L(options.absoluteTolerance), L(1e-12))
    let dualTolerance = objectiveUnit * tolerance
    return (scaled .<= limit) .& (wrong .<= limit) .& (primal .<= tolerance) .& (dual .<= dualTolerance)
      .& (gap .<= dualTolerance) .& Matrices.sum(sum).isFinite
  }

  /// Gives constraints that the candidate violates, or whose multipliers have the wrong sign, the other part.
  /// - Parameter limit: by how much, in scaled units.
  /// - Returns: whether there are any.
  private func changeActive(_ lanes: L.Mask, limit size: Double) -> Bool {
    let (zero, one, limit) = (L(0.0), L(1.0), L(size))
    var hasChanged = one .== zero
    for k in 0..<count {
      let isWrong = lanes .& (limit .< wrongSign(k))
      let isFree = lanes .& (shareUpper[k] .< L(0.5)) .& (shareLower[k] .< L(0.5))
      let above = isFree .& (limit .< (stepValues[k] - upper[k]) * hasUpper[k])
      let below = isFree .& .!above .& (limit .< (lower[k] - stepValues[k]) * hasLower[k])
      shareUpper[k] = shareUpper[k].replacing(with: zero, where: isWrong).replacing(with: one, where: above)
      shareLower[k] = shareLower[k].replacing(with: zero, where: isWrong).replacing(with: one, where: below)
      hasChanged = hasChanged .| isWrong .| above .| below
    }
    return hasChanged.anyTrue
  }

  private func take(candidateIn lanes: L.Mask) {
    guard lanes.anyTrue else { return }
    let zero = L(0.0)
    for i in 0..<n { x[i] = x[i].replacing(with: center[i], where: lanes) }
    for k in 0..<count {
      let net = upperCenter[k]
      let up = (L.maximum(net, zero) * hasUpper[k]).replacing(with: net, where: isEquation[k] .> L(0.5))
      upperMultiplier[k] = upperMultiplier[k].replacing(with: up * shareUpper[k], where: lanes)
      lowerMultiplier[k] = lowerMultiplier[k].replacing(
        with: L.maximum(-net, zero) * shareLower[k], where: lanes)
      let slackUp = L.maximum(upper[k] - stepValues[k], zero) * (1.0 - shareUpper[k])
      let slackDown = L.maximum(stepValues[k] - lower[k], zero) * (1.0 - shareLower[k])
      upperSlack[k] = upperSlack[k].replacing(with: slackUp, where: lanes .& (hasUpper[k] .> L(0.5)))
      lowerSlack[k] = lowerSlack[k].replacing(with: slackDown, where: lanes .& (hasLower[k] .> L(0.5)))
    }
  }
}
