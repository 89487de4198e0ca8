import Lanes

/// min ½ xᵀQx + qᵀx subject to sides lower ≤ (C x, x) ≤ upper, by the proximal interior-point method of Schwan, Jiang, Kuhn and
/// Jones (PIQP: A Proximal Interior-Point Quadratic Programming Solver, 2023): the proximal method of multipliers, whose subproblems take one
/// step of Mehrotra's predictor–corrector method each. Regularisation by the proximal terms makes every system quasidefinite, so that neither
/// Q nor the constraints need full rank.
///
/// Solves one program, or one in each lane; lanes that are done stand still. Nothing allocates in a step.
///
/// The constraints, in order: the equations, the rows with two sides, and the bounds of the variables; N in all. A constraint whose
/// sides are equal is an equation without slacks, whose multiplier is kept as that of the upper side.
final class ProximalInteriorPoint<Matrices: ProgramMatrices> {
  typealias L = Matrices.L
  typealias Vector = UnsafeMutablePointer<L>

  let matrices: Matrices
  let n: Int
  let m: Int
  /// Rows and bounds.
  let constraintCount: Int
  /// How many of them there are to look at: the rows alone where no variable has bounds.
  private(set) var count: Int
  /// Whether any constraint has a lower side.
  private(set) var hasLowerSides = true
  private let memory: LaneMemory<L>
  private let scratch: LaneMemory<L>

  // Data, scaled: q, the sides, and one or zero where a side exists, or both are one equation.
  let linear: Vector
  let lower, upper, hasLower, hasUpper, isEquation: Vector
  /// x = D x̂, rows times E; the objective times c.
  private(set) var columnScale, rowScale: Vector
  /// What turns residuals into the program's own units: 1/(c D) and 1/E.
  let columnUnit, rowUnit: Vector
  var objectiveScale = L(1.0)
  /// What residuals of stationarity and gaps are measured in: one, or the power of two just below an objective's largest coefficient if
  /// that is smaller.
  private(set) var objectiveUnit = L(1.0)

  // The iterate, and the proximal centres.
  let x, center: Vector
  let upperMultiplier, lowerMultiplier, upperSlack, lowerSlack, upperCenter, lowerCenter: Vector
  /// (C x, x), Q x, and Cᵀ z with the bounds' multipliers added.
  let values, quadraticTimesX, transposedMultipliers: Vector

  // The step, and what its system is made of.
  let stepX, stepUpper, stepLower, stepUpperSlack, stepLowerSlack, stepValues: Vector
  let residualX, residualUpper, residualLower, targetUpper, targetLower: Vector
  private(set) var weights: Vector
  let diagonal, reducedX, reducedRows, netStep: Vector
  /// Reciprocals of slacks, of multipliers, and of s + δ z.
  let perUpperSlack, perLowerSlack, perUpperMultiplier, perLowerMultiplier, perUpperSum, perLowerSum: Vector
  /// Q and Cᵀ times the step's parts, where `hasStepProducts` says so.
  let stepQuadratic, stepTransposed: Vector
  var hasStepProducts = false
  let refineX, refineRows, errorX, errorRows, product: Vector
  // Of derivatives: which side of a constraint moves its value, and how far the constraint yields to its multiplier.
  let shareUpper, shareLower: Vector
  private(set) var compliance: Vector

  var rho = L(0.0)
  var delta = L(0.0)
  /// Whether systems are solved as exactly as rounding permits, and step lengths always differ: slower, and for programs on which the usual
  /// way stalls.
  var isCareful = false
  /// The last factor is that of the active set, whose shares are known.
  var hasActiveFactor = false

  /// - Parameter scratch: for what need not last from a solution to its derivatives; of its own if none is given.
  init(_ matrices: Matrices, scratch given: LaneMemory<L>? = nil) {
    self.matrices = matrices
    (n, m) = (matrices.variableCount, matrices.rowCount)
    constraintCount = n + m
    count = n + m
    let (n, m, count) = (n, m, n + m)
    let memory = LaneMemory<L>(Self.keptCount(n: n, m: m))
    let scratch = given ?? LaneMemory<L>(Self.scratchCount(n: n, m: m))
    (self.memory, self.scratch) = (memory, scratch)
    (columnScale, rowScale, weights, compliance) = (memory.base, memory.base, memory.base, memory.base)
    func variables() -> Vector { scratch.take(n) }
    func sides() -> Vector { scratch.take(count) }
    (linear, x, center, quadraticTimesX, transposedMultipliers) =
      (variables(), variables(), variables(), variables(), variables())
    (lower, upper, hasLower, hasUpper, isEquation) = (sides(), sides(), sides(), sides(), sides())
    (upperMultiplier, lowerMultiplier, upperSlack, lowerSlack) = (sides(), sides(), sides(), sides())
    (upperCenter, lowerCenter, values) = (sides(), sides(), sides())
    (stepUpper, stepLower, stepUpperSlack, stepLowerSlack, stepValues) =
      (sides(), sides(), sides(), sides(), sides())
    (residualUpper, residualLower, targetUpper, targetLower) = (sides(), sides(), sides(), sides())
    (netStep, product, shareUpper, shareLower, rowUnit) = (sides(), sides(), sides(), sides(), sides())
    (perUpperSlack, perLowerSlack, perUpperMultiplier) = (sides(), sides(), sides())
    (perLowerMultiplier, perUpperSum, perLowerSum) = (sides(), sides(), sides())
    (columnUnit, stepQuadratic, stepTransposed) = (variables(), variables(), variables())
    (stepX, residualX, diagonal, reducedX, refineX, errorX) =
      (variables(), variables(), variables(), variables(), variables(), variables())
    (reducedRows, refineRows, errorRows) = (scratch.take(m), scratch.take(m), scratch.take(m))
    bind(nil)
  }
  /// What lasts from a solution to its derivatives takes so much memory.
  static func keptCount(n: Int, m: Int) -> Int { n + 3 * (n + m) }
  /// Copies what lies in its own memory, past the caches.
  func copyKept(to target: Vector) { memory.copy(to: target) }
  /// Has that in other memory from here on, or in its own.
  func bind(_ given: Vector?) {
    let memory = given ?? memory.base
    columnScale = memory
    rowScale = columnScale + n
    weights = rowScale + constraintCount
    compliance = weights + constraintCount
  }
  /// Goes on, for derivatives, with a program that was solved in the memory that is bound.
  func resume(objectiveScale: L, constraintCount: Int) {
    (self.objectiveScale, count) = (objectiveScale, constraintCount)
  }
  /// Scratch memory of the method itself.
  static func scratchCount(n: Int, m: Int) -> Int { 14 * n + 32 * (n + m) + 3 * m }

  /// Scales the program in place (the matrices must be unscaled): Ruiz' equilibration of [Q Cᵀ; C 0], and the objective by its size.
  /// Objectives whose coefficients are all below one are brought to that size first, by a power of two: a minimiser does not depend on it, and
  /// they must not be taken for zero.
  ///
  /// `linear`, `lower` and `upper` hold numbers; sides that do not exist are zero there.
  func equilibrate(rounds: Int) {
    for i in 0..<n { columnScale[i] = L(1.0) }
    for k in 0..<constraintCount { rowScale[k] = L(1.0) }
    objectiveScale = L(1.0)
    let (columns, rows) = (errorX, errorRows)
    let first = 1.0 / measureObjective(scratch: columns)
    if !(first .== L(1.0)).allTrue {
      for i in 0..<n { linear[i] *= first }
      matrices.scale(columns: columnScale, rows: rowScale, objective: first)
    }
    for _ in 0..<rounds {
      matrices.norms(columns: columns, rows: rows, columnScale: columnScale, rowScale: rowScale)
      var worst = L(0.0)
      @inline(__always)
      func factor(_ norm: L) -> L {
        let isZero = norm .<= L(1e-12)
        worst = L.maximum(worst, (norm - 1.0).magnitude.replacing(with: L(0.0), where: isZero))
        return (1.0 / norm.replacing(with: L(1.0), where: isZero)).squareRoot
      }
      for i in 0..<n { columnScale[i] *= factor(columns[i]) }
      for k in 0..<m { rowScale[k] *= factor(rows[k]) }
      if (worst .< L(0.1)).allTrue { break }
    }
    matrices.quadraticNorms(columns, columnScale: columnScale)
    var size = L(0.0)
    for i in 0..<n {
      linear[i] *= columnScale[i]
      size = L.maximum(size, L.maximum(columns[i], linear[i].magnitude))
    }
    size = Matrices.largest(size)
    let objective = 1.0 / size.clamped(L(1e-6), L(1e12))
    let second = objective.replacing(with: L(1.0), where: size .== L(0.0))
    for i in 0..<n { linear[i] *= second }
    matrices.scale(columns: columnScale, rows: rowScale, objective: second)
    objectiveScale = second * first
    let unit = 1.0 / objectiveScale
    for i in 0..<n {
      rowScale[m + i] = 1.0 / columnScale[i]
      (columnUnit[i], rowUnit[m + i]) = (unit * rowScale[m + i], columnScale[i])
    }
    for k in 0..<m { rowUnit[k] = 1.0 / rowScale[k] }
    for k in 0..<count {
      lower[k] *= rowScale[k]
      upper[k] *= rowScale[k]
    }
  }

  /// Sets ``objectiveUnit`` from the unscaled objective.
  private func measureObjective(scratch columns: Vector) -> L {
    matrices.quadraticNorms(columns, columnScale: columnScale)
    var largest = L(0.0)
    for i in 0..<n { largest = L.maximum(largest, L.maximum(columns[i], linear[i].magnitude)) }
    largest = Matrices.largest(largest)
    objectiveUnit = L(1.0)
    for lane in 0..<L.laneCount where largest[lane: lane] > 0 && largest[lane: lane] < 1 {
      // The reciprocal of what is nearly zero must exist.
      objectiveUnit[lane: lane] = max(largest[lane: lane].binade, 0x1p-900)
    }
    return objectiveUnit
  }

  /// Says which constraints there are to look at, after the sides have been loaded. Those past ``count`` count as zero from here on.
  func countConstraints() {
    var (bounds, lowerSides) = (L(0.0), L(0.0))
    for k in m..<constraintCount { bounds += hasLower[k] + hasUpper[k] + isEquation[k] }
    for k in 0..<constraintCount { lowerSides += hasLower[k] }
    hasLowerSides = (lowerSides .> L(0.0)).anyTrue
    count = (bounds .> L(0.0)).anyTrue ? constraintCount : m
    guard count == m else { return }
    let zero = L(0.0)
    for k in m..<constraintCount {
      (weights[k], netStep[k], product[k], upperMultiplier[k], lowerMultiplier[k]) = (
        zero, zero, zero, zero, zero
      )
      (upperCenter[k], lowerCenter[k], stepUpper[k], stepLower[k]) = (zero, zero, zero, zero)
      (residualUpper[k], shareUpper[k], shareLower[k], compliance[k]) = (zero, zero, zero, zero)
      (stepUpperSlack[k], stepLowerSlack[k]) = (zero, zero)
    }
  }

  /// v = (C x, x).
  func multiplyConstraints(_ x: UnsafePointer<L>, into v: Vector) {
    matrices.multiplyRows(x, into: v)
    (v + m).update(from: x, count: n)
  }
  /// y = Cᵀ z with the bounds' part added.
  func multiplyTransposed(_ z: UnsafePointer<L>, into y: Vector) {
    y.update(from: z + m, count: n)
    matrices.addTransposedRows(z, to: y)
  }
  /// z of the upper sides and equations less that of the lower sides.
  @inline(__always)
  func netMultiplier(_ k: Int) -> L { upperMultiplier[k] - lowerMultiplier[k] }

  /// Q x, (C x, x) and Cᵀ z of the iterate.
  func evaluateIterate() {
    matrices.multiplyQuadratic(x, into: quadraticTimesX)
    multiplyConstraints(x, into: values)
    for k in 0..<count { product[k] = netMultiplier(k) }
    multiplyTransposed(product, into: transposedMultipliers)
  }

  // MARK: Systems

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
