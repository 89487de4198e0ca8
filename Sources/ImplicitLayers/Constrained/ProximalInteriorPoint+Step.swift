import Lanes

// A step: its system, its directions, and how far it goes.
extension ProximalInteriorPoint {
  /// Factors the system of the present slacks and multipliers.
  func factorizeStep() -> L.Mask {
    let (delta, hasLowerSides) = (delta, hasLowerSides)
    let (equation, count) = (1.0 / delta, count)
    let (zu, su, weights) = (upperMultiplier, upperSlack, weights)
    let (perSlack, perMultiplier, perSum) = (perUpperSlack, perUpperMultiplier, perUpperSum)
    let (hasUpper, isEquation) = (hasUpper, isEquation)
    var k = 0
    while k < count {
      let (z, s) = (zu[k], su[k])
      let inverse = 1.0 / L.multiplyAdd(delta, z, s)
      (perSlack[k], perMultiplier[k], perSum[k]) = (1.0 / s, 1.0 / z, inverse)
      weights[k] = (z * hasUpper[k] * inverse).replacing(with: equation, where: isEquation[k] .> L(0.5))
      k = k &+ 1
    }
    k = hasLowerSides ? 0 : count
    while k < count {
      let (z, s) = (lowerMultiplier[k], lowerSlack[k])
      let inverse = 1.0 / L.multiplyAdd(delta, z, s)
      (perLowerSlack[k], perLowerMultiplier[k], perLowerSum[k]) = (1.0 / s, 1.0 / z, inverse)
      weights[k] += z * hasLower[k] * inverse
      k = k &+ 1
    }
    return factorizeWeights()
  }
  func factorizeWeights() -> L.Mask {
    hasActiveFactor = false
    for i in 0..<n { diagonal[i] = rho + weights[m &+ i] }
    return matrices.factorize(diagonal: diagonal, weights: weights)
  }

  /// Solves [Q + diag, Cᵀ; C, −1/w] (stepX, netStep) = (reducedX, reducedRows), refined until the residual is small beside the right-hand
  /// side.
  /// - Returns: whether C stepX was computed on the way, to `stepValues`; if refined, then the other products of the step were too.
  @discardableResult
  func solveReduced(steps: Int, tolerance: Double = 1e-13) -> Bool {
    let (n, m, stepX, netStep) = (n, m, stepX, netStep)
    stepX.update(from: reducedX, count: n)
    netStep.update(from: reducedRows, count: m)
    hasStepProducts = false
    matrices.solve(stepX, netStep)
    let products = isCareful ? nil : matrices.rowsTimesSolution
    if let products { stepValues.update(from: products, count: m) }
    if steps == 0 { return products != nil }
    var before = L(.infinity)
    var wasHeld = L(0.0) .== L(1.0)
    for round in 0...steps {
      matrices.multiplyQuadratic(stepX, into: stepQuadratic)
      stepTransposed.update(repeating: L(0.0), count: n)
      matrices.addTransposedRows(netStep, to: stepTransposed)
      if products == nil { matrices.multiplyRows(stepX, into: stepValues) }
      var (error, size) = (L(0.0), L(1e-300))
      var i = 0
      while i < n {
        let sum = L.multiplyAdd(diagonal[i], stepX[i], stepQuadratic[i] + stepTransposed[i])
        let (right, difference) = (reducedX[i], reducedX[i] - sum)
        errorX[i] = difference
        error = L.maximum(error, difference.magnitude)
        size = L.maximum(size, right.magnitude)
        i = i &+ 1
      }
      var k = 0
      while k < m {
        let (weight, right) = (weights[k], reducedRows[k])
        let isOut = weight .== L(0.0)
        let difference = (right - stepValues[k] + netStep[k] / weight).replacing(with: L(0.0), where: isOut)
        errorRows[k] = difference
        // What is wrong in a row of small weight hardly matters.
        let share = L.minimum(weight, L(1.0))
        error = L.maximum(error, difference.magnitude * share)
        size = L.maximum(size, (right.magnitude * share).replacing(with: L(0.0), where: isOut))
        k = k &+ 1
      }
      (error, size) = (Matrices.largest(error), Matrices.largest(size))
      let isWorse = before .< error
      if round > 0, isWorse.anyTrue {
        // Steps back where the correction made it worse.
        for i in 0..<n { stepX[i] -= refineX[i].replacing(with: L(0.0), where: .!isWorse) }
        for k in 0..<m { netStep[k] -= refineRows[k].replacing(with: L(0.0), where: .!isWorse) }
        if let products {
          let goesBack = isWorse .& .!wasHeld
          for k in 0..<m { stepValues[k] -= products[k].replacing(with: L(0.0), where: .!goesBack) }
        }
      }
      if round == steps || ((error .<= tolerance * size) .| isWorse).allTrue {
        hasStepProducts = !isWorse.anyTrue
        return hasStepProducts
      }
      (before, wasHeld) = (error, isWorse)
      refineX.update(from: errorX, count: n)
      refineRows.update(from: errorRows, count: m)
      matrices.solve(refineX, refineRows)
      for i in 0..<n {
        refineX[i] = refineX[i].replacing(with: L(0.0), where: isWorse)
        stepX[i] += refineX[i]
      }
      for k in 0..<m {
        refineRows[k] = refineRows[k].replacing(with: L(0.0), where: isWorse)
        netStep[k] += refineRows[k]
        if let products { stepValues[k] += products[k].replacing(with: L(0.0), where: isWorse) }
      }
    }
    return false
  }

  /// Newton's step for the residuals and the targets of s ∘ z.
  ///
  /// With w = s/z + δ: C Δx − w Δz = r − t/z for upper sides, where t is the target, and −C Δx − w Δz = r − t/z for lower ones. Net of both,
  /// Δν = d C Δx − g d with d = Σ 1/w.
  func solveStep(refinements: Int, tolerance: Double) {
    let (n, m, count, delta, hasLowerSides) = (n, m, count, delta, hasLowerSides)
    let (zero, half, inverse) = (L(0.0), L(0.5), 1.0 / delta)
    let (netStep, reducedRows, weights, isEquation) = (netStep, reducedRows, weights, isEquation)
    let (upperMultiplier, hasUpper, hasLower) = (upperMultiplier, hasUpper, hasLower)
    let (residualUpper, targetUpper, perUpperMultiplier) = (residualUpper, targetUpper, perUpperMultiplier)
    var k = 0
    while k < count {
      let (residual, target) = (residualUpper[k], targetUpper[k])
      var sum = L.multiplyAdd(residual, upperMultiplier[k], -target) * hasUpper[k] * perUpperSum[k]
      if hasLowerSides {
        sum -=
          L.multiplyAdd(residualLower[k], lowerMultiplier[k], -targetLower[k]) * hasLower[k] * perLowerSum[k]
      }
      let isBound = isEquation[k] .> half
      let net = sum.replacing(with: residual * inverse, where: isBound)
      netStep[k] = net
      if k < m {
        let weight = weights[k]
        // With one side, z is a factor of both.
        let quotient =
          hasLowerSides
          ? net / weight
          : (residual - target * perUpperMultiplier[k]).replacing(with: residual, where: isBound)
        reducedRows[k] = quotient.replacing(with: zero, where: weight .== zero)
      }
      k = k &+ 1
    }
    for i in 0..<n { reducedX[i] = residualX[i] + netStep[m &+ i] }
    // What the bounds add, for after the solve.
    for i in 0..<n { product[m &+ i] = netStep[m &+ i] }
    if solveReduced(steps: refinements, tolerance: tolerance) {
      (stepValues + m).update(from: stepX, count: n)
    } else {
      multiplyConstraints(stepX, into: stepValues)
    }
    for i in 0..<n {
      let bound = weights[m &+ i] * stepX[i] - product[m &+ i]
      netStep[m &+ i] = bound
      stepTransposed[i] += bound
    }
    if hasLowerSides { spreadStep() } else { spreadStepToOneSide() }
  }

  /// The steps of multipliers and slacks, which follow from that of x.
  private func spreadStepToOneSide() {
    let (count, delta, zero, half) = (count, delta, L(0.0), L(0.5))
    let (netStep, stepValues, stepUpper, stepUpperSlack) = (netStep, stepValues, stepUpper, stepUpperSlack)
    let (hasUpper, isEquation, upperSlack, upperMultiplier) = (
      hasUpper, isEquation, upperSlack, upperMultiplier
    )
    let (residualUpper, targetUpper, perUpperMultiplier) = (residualUpper, targetUpper, perUpperMultiplier)
    var k = 0
    while k < count {
      let (exists, slack) = (hasUpper[k], upperSlack[k])
      // The system's own solution is the side's step.
      let up = netStep[k].replacing(with: zero, where: .!((exists .> half) .| (isEquation[k] .> half)))
      stepUpper[k] = up
      let fromRow = L.multiplyAdd(delta, up, residualUpper[k] - stepValues[k])
      let fromProduct = L.multiplyAdd(-slack, up, targetUpper[k]) * perUpperMultiplier[k]
      stepUpperSlack[k] =
        fromRow.replacing(with: fromProduct, where: slack .< upperMultiplier[k]) * exists
      k = k &+ 1
    }
  }
  private func spreadStep() {
    let (count, delta, half) = (count, delta, L(0.5))
    var k = 0
    while k < count {
      let (zu, su) = (upperMultiplier[k], upperSlack[k])
      let moved = stepValues[k]
      let isBound = isEquation[k] .> half
      let hasUp = hasUpper[k] .> half
      let net = netStep[k]
      let (zl, sl) = (lowerMultiplier[k], lowerSlack[k])
      let (wu, wl) = (L.multiplyAdd(delta, zu, su), L.multiplyAdd(delta, zl, sl))
      var up = (zu * (moved - residualUpper[k]) + targetUpper[k]) * hasUpper[k] * perUpperSum[k]
      var down = (targetLower[k] - zl * (moved + residualLower[k])) * hasLower[k] * perLowerSum[k]
      // The side that weighs more is taken from the system's own solution, which is not a difference of large numbers.
      let isUp = zl * hasLower[k] * wu .<= zu * hasUpper[k] * wl
      let (fromNet, fromNetDown) = (net + down, up - net)
      up = up.replacing(with: fromNet, where: isUp .& hasUp)
      down = down.replacing(with: fromNetDown, where: (.!isUp) .& (hasLower[k] .> half))
      up = up.replacing(with: net, where: isBound)
      stepUpper[k] = up
      stepLower[k] = down
      let fromRow = residualUpper[k] - moved + delta * up
      let fromProduct = (targetUpper[k] - su * up) * perUpperMultiplier[k]
      stepUpperSlack[k] = fromRow.replacing(with: fromProduct, where: su .< zu) * hasUpper[k]
      let fromRowDown = residualLower[k] + moved + delta * down
      let fromProductDown = (targetLower[k] - sl * down) * perLowerMultiplier[k]
      stepLowerSlack[k] = fromRowDown.replacing(with: fromProductDown, where: sl .< zl) * hasLower[k]
      k = k &+ 1
    }
  }

  /// The residuals of the regularised optimality conditions.
  func evaluateResiduals() {
    let (count, delta, rho, hasLowerSides) = (count, delta, rho, hasLowerSides)
    let (residualX, residualUpper, upper, values) = (residualX, residualUpper, upper, values)
    let (upperSlack, upperMultiplier, upperCenter) = (upperSlack, upperMultiplier, upperCenter)
    let (hasUpper, isEquation) = (hasUpper, isEquation)
    for i in 0..<n {
      residualX[i] = -(quadraticTimesX[i] + linear[i] + transposedMultipliers[i] + rho * (x[i] - center[i]))
    }
    var k = 0
    while k < count {
      let zu = upperMultiplier[k]
      let above = upper[k] - values[k] - upperSlack[k] * hasUpper[k] + delta * (zu - upperCenter[k])
      residualUpper[k] = above * L.maximum(hasUpper[k], isEquation[k])
      if hasLowerSides {
        let below = values[k] - lower[k] - lowerSlack[k] + delta * (lowerMultiplier[k] - lowerCenter[k])
        residualLower[k] = below * hasLower[k]
      }
      k = k &+ 1
    }
  }

  /// Σ s z over all sides.
  func complementarity() -> L {
    let (count, hasLowerSides, slack, multiplier) = (count, hasLowerSides, upperSlack, upperMultiplier)
    var (sum, k) = (L(0.0), 0)
    while k < count {
      sum = L.multiplyAdd(slack[k] * multiplier[k], hasUpper[k], sum)
      if hasLowerSides { sum = L.multiplyAdd(lowerSlack[k] * lowerMultiplier[k], hasLower[k], sum) }
      k = k &+ 1
    }
    return Matrices.sum(sum)
  }
  /// The same after a step of these lengths.
  func complementarity(primal: L, dual: L) -> L {
    let (count, hasLowerSides, hasUpper) = (count, hasLowerSides, hasUpper)
    let (slack, multiplier, stepSlack, step) = (upperSlack, upperMultiplier, stepUpperSlack, stepUpper)
    var (sum, k) = (L(0.0), 0)
    while k < count {
      let up = L.multiplyAdd(primal, stepSlack[k], slack[k]) * L.multiplyAdd(dual, step[k], multiplier[k])
      sum = L.multiplyAdd(up, hasUpper[k], sum)
      if hasLowerSides {
        let down =
          L.multiplyAdd(primal, stepLowerSlack[k], lowerSlack[k])
          * L.multiplyAdd(dual, stepLower[k], lowerMultiplier[k])
        sum = L.multiplyAdd(down, hasLower[k], sum)
      }
      k = k &+ 1
    }
    return Matrices.sum(sum)
  }
  /// How far slacks and multipliers can go before one is zero; at most one.
  func longestSteps() -> (primal: L, dual: L) {
    let (count, hasLowerSides) = (count, hasLowerSides)
    // The largest of −step / value, in which nothing is divided by what may be zero.
    var (primal, dual) = (L(1.0), L(1.0))
    @inline(__always)
    func limit(_ rate: inout L, _ reciprocal: L, _ step: L, _ exists: L) {
      rate = L.maximum(rate, -(step * reciprocal) * exists)
    }
    let (perUpperSlack, stepUpperSlack, hasUpper) = (perUpperSlack, stepUpperSlack, hasUpper)
    let (perUpperMultiplier, stepUpper) = (perUpperMultiplier, stepUpper)
    var k = 0
    while k < count {
      limit(&primal, perUpperSlack[k], stepUpperSlack[k], hasUpper[k])
      limit(&dual, perUpperMultiplier[k], stepUpper[k], hasUpper[k])
      if hasLowerSides {
        limit(&primal, perLowerSlack[k], stepLowerSlack[k], hasLower[k])
        limit(&dual, perLowerMultiplier[k], stepLower[k], hasLower[k])
      }
      k = k &+ 1
    }
    return (1.0 / Matrices.largest(primal), 1.0 / Matrices.largest(dual))
  }
}
