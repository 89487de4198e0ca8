import Lanes

// The derivative of a solution. At a solution where strict complementarity holds, the constraints that are active stay so nearby, and with
// ν their net multipliers
//
//   Q x + q + Cᵀ ν = 0,   C x = side (active rows),   ν = 0 (others),
//
// so that, differentiated,
//
//   [Q, Cᵀ; C, −W] [ẋ; ν̇] = [−(Q̇ x + q̇ + Ċᵀ ν); share_u u̇ + share_l l̇ − Ċ x]
//
// with W = 0 on active rows. On the central path of a barrier, s z = μ for each side: W = 1/d with d = d_u + d_l, d_u = z_u / s_u, and
// share_u = d_u / d. The matrix is symmetric: the same system serves forward and reverse mode.

/// How far a solution is from having no derivative, lane by lane, in scaled units (every row and column of the matrices about one).
struct RegularityMargins<L: Lane> {
  /// The smallest over all sides of max(slack, multiplier): strict complementarity.
  var complementarity = L(.infinity)
  /// The smallest eigenvalue of C Q⁻¹ Cᵀ on active rows, or more: linear independence of active constraints (LICQ).
  var independence = L(.infinity)
  /// The smallest eigenvalue of Q along directions that active constraints allow: sufficiency of second order.
  var curvature = L(.infinity)
  /// Below these, the last two are as good as zero.
  var independenceLimit = L(1e-8)
  var curvatureLimit = L(1e-8)
}

extension ProximalInteriorPoint {
  /// Makes the system ready at the present point and factors it, unless polishing has.
  func prepareDerivative(hasBarrier: Bool) {
    if hasActiveFactor { return }
    guard hasBarrier else {
      chooseActive()
      _ = factorizeActive()
      return
    }
    _ = factorizeWithSmallTerms { for k in 0..<count { setShares(k) } }
  }
  @inline(__always)
  private func setShares(_ k: Int) {
    let (zero, one) = (L(0.0), L(1.0))
    let up = hasUpper[k] * upperMultiplier[k] / upperSlack[k]
    let down = hasLower[k] * lowerMultiplier[k] / lowerSlack[k]
    let sum = up + down
    let isAbsent = sum .<= zero
    let isBound = isEquation[k] .> L(0.5)
    compliance[k] = (one / sum).replacing(with: zero, where: isBound .| isAbsent)
    let weight = (one / (one / sum + delta)).replacing(with: zero, where: isAbsent)
    weights[k] = weight.replacing(with: one / delta, where: isBound)
    shareUpper[k] = (up / sum).replacing(with: zero, where: isAbsent).replacing(with: one, where: isBound)
    shareLower[k] = (down / sum).replacing(with: zero, where: isAbsent)
  }

  /// Solves the system above, in scaled units: `residualX` and `residualUpper` hold the right-hand side; afterwards `center` and
  /// `upperCenter` the solution. Rows that are not active get zero. What the proximal terms change is taken back by iteration, which
  /// converges to a solution of singular systems too, where there is one.
  /// - Returns: the largest residual relative to the right-hand side.
  func solveDerivative(_ next: PacedPrefetch) -> L {
    var next = next
    let zero = L(0.0)
    center.update(repeating: zero, count: n)
    upperCenter.update(repeating: zero, count: constraintCount)
    for k in 0..<count {
      residualUpper[k] = residualUpper[k].replacing(with: zero, where: weights[k] .== zero)
    }
    targetUpper.update(from: residualUpper, count: count)
    quadraticTimesX.update(from: residualX, count: n)
    var size = L(1e-300)
    for i in 0..<n { size = L.maximum(size, residualX[i].magnitude) }
    for k in 0..<count { size = L.maximum(size, residualUpper[k].magnitude) }
    size = Matrices.largest(size)
    var best = L(.infinity)
    for round in 0..<12 {
      var error = zero
      for i in 0..<n { error = L.maximum(error, residualX[i].magnitude) }
      for k in 0..<count { error = L.maximum(error, residualUpper[k].magnitude) }
      error = Matrices.largest(error)
      // Near rounding one round without progress ends it; systems that are nearly singular get more.
      let isNear = (error .<= 1e-10 * size).allTrue
      let isStuck = !(error .< 0.5 * best).anyTrue
      if (error .<= 1e-13 * size).allTrue || (isStuck && (isNear || round > 2)) || round == 11 {
        return error / size
      }
      best = L.minimum(best, error)
      next.advance()
      for i in 0..<n { reducedX[i] = residualX[i] + weights[m &+ i] * residualUpper[m &+ i] }
      reducedRows.update(from: residualUpper, count: m)
      solveReduced(steps: 0)
      for i in 0..<n {
        center[i] += stepX[i]
        upperCenter[m &+ i] += weights[m &+ i] * (stepX[i] - residualUpper[m &+ i])
      }
      for k in 0..<m { upperCenter[k] += netStep[k] }
      matrices.multiplyQuadratic(center, into: stepX)
      multiplyTransposed(upperCenter, into: lowerCenter)
      multiplyConstraints(center, into: stepValues)
      for i in 0..<n { residualX[i] = quadraticTimesX[i] - stepX[i] - lowerCenter[i] }
      for k in 0..<count {
        let difference = targetUpper[k] - stepValues[k] + compliance[k] * upperCenter[k]
        residualUpper[k] = difference.replacing(with: zero, where: weights[k] .== zero)
      }
    }
    return best / size
  }

  /// The margins at the point for which ``prepareDerivative(hasBarrier:)`` has factored: of complementarity exactly, the others as the
  /// reciprocals of the largest eigenvalues of the inverse's two blocks, found by the power method.
  /// - Parameter rounds: of the power method. After two an eigenvalue that is as good as zero shows, as others are many times as large.
  func regularity(rounds: Int) -> RegularityMargins<L> {
    let zero = L(0.0)
    var margins = RegularityMargins<L>()
    for k in 0..<count {
      let up = L.maximum(upperSlack[k], upperMultiplier[k])
      let down = L.maximum(lowerSlack[k], lowerMultiplier[k])
      margins.complementarity = L.minimum(
        margins.complementarity, up.replacing(with: L(.infinity), where: hasUpper[k] .< L(0.5)))
      margins.complementarity = L.minimum(
        margins.complementarity, down.replacing(with: L(.infinity), where: hasLower[k] .< L(0.5)))
    }
    margins.complementarity = Matrices.least(margins.complementarity)
    (margins.independenceLimit, margins.curvatureLimit) = (delta * 10.0, rho * 10.0)
    // Curvature.
    // Every element is another, lest the start be orthogonal to what is sought: numbers of the logistic map.
    var number = zero
    for lane in 0..<L.laneCount { number[lane: lane] = 0.1 + 0.0917 * Double(lane) }
    func next() -> L {
      number = number * 3.98 * (1.0 - number)
      return number + 0.25
    }
    for i in 0..<n { reducedX[i] = next() }
    matrices.clearPadding(reducedX)
    var largest = normalize(reducedX, n)
    reducedRows.update(repeating: zero, count: m)
    for _ in 0..<rounds where n > 0 {
      matrices.solveVariables(reducedX, scratch: netStep)
      largest = normalize(reducedX, n)
    }
    margins.curvature = L(1.0) / L.maximum(largest, L(1e-300))
    // Independence.
    for k in 0..<count { product[k] = next().replacing(with: zero, where: weights[k] .== zero) }
    largest = normalize(product, count)
    let hasRows = largest .> zero
    for _ in 0..<rounds where hasRows.anyTrue {
      for i in 0..<n { stepX[i] = weights[m &+ i] * product[m &+ i] }
      netStep.update(from: product, count: m)
      matrices.solve(stepX, netStep)
      for k in 0..<m { product[k] = netStep[k] }
      for i in 0..<n { product[m &+ i] = weights[m &+ i] * (stepX[i] - product[m &+ i]) }
      largest = normalize(product, count)
    }
    margins.independence = (L(1.0) / L.maximum(largest, L(1e-300))).replacing(
      with: L(.infinity), where: .!hasRows)
    return margins
  }

  /// Scales a vector to length one; its length before.
  private func normalize(_ v: Vector, _ length: Int) -> L {
    let norm = Matrices.sum(dotProduct(v, v, length)).squareRoot
    let factor = (L(1.0) / norm).replacing(with: L(0.0), where: norm .== L(0.0))
    for k in 0..<length { v[k] *= factor }
    return norm
  }
}
