import Lanes

extension ProximalInteriorPoint {
  /// Outcome, lane by lane.
  struct Outcome {
    var status = [SolverStatus](repeating: .iterationLimit, count: L.laneCount)
    var iterations = [Int](repeating: 0, count: L.laneCount)
    var residuals = ProgramResiduals<L>()
    /// Which lanes were polished: their active constraints hold as equations.
    var isPolished = [Bool](repeating: false, count: L.laneCount)
  }

  /// Solves from the start that ``initialize()`` or ``initializeWarm()`` has made.
  func solve(_ options: QuadraticProgramOptions, isCancelled: () -> Bool = { false }) -> Outcome {
    var outcome = Outcome()
    var isRunning = L(0.0) .== L(0.0)
    let one = L(1.0)
    var sides = L(0.0)
    for k in 0..<count { sides += hasUpper[k] + hasLower[k] }
    sides = Matrices.sum(sides)
    let hasSides = sides .> L(0.5)
    let divisor = L.maximum(sides, one)
    let floor = L(isCareful ? 1e-12 : 1e-10)
    var (waitedUp, waitedDown) = (L(0.0), L(0.0))
    var lastPrimal = L(.infinity)
    var lastDual = L(.infinity)
    var slow = L(0.0)
    evaluateIterate()
    var isShared = L(1.0) .== L(0.0)
    var (growths, late) = (L(0.0), L(0.0))
    // Where a factorisation has failed by rounding, and the proximal term of the last step's system.
    var isDelicate = L(1.0) .== L(0.0)
    var lastRho = rho
    let barrier = objectiveScale * options.barrier
    let hasBarrier = options.barrier > 0
    // Products with the iterate may be carried along from step to step, and have been.
    var mayCarry = !isCareful && !hasBarrier
    var isCarried = false
    // Whether lanes have ended by products that were carried along, which are not what they say to the last digit.
    var mustVerify = false
    // Once, when products of slacks and multipliers have fallen to where they tell what will be active. Measured.
    var mayPolish = options.polishes && !hasBarrier && !isCareful && hasSides.anyTrue
    var mu = complementarity() / divisor
    for iteration in 0...options.maximumIterations {
      var found = residuals()
      outcome.residuals = found
      let (primalLimit, dualLimit) = (found.primalLimit(options), found.dualLimit(options))
      var isSolved = (found.primal .<= primalLimit) .& (found.dual .<= dualLimit)
      isSolved = isSolved
        .& (hasBarrier ? distance(from: barrier) .<= 1e-9 * barrier : found.gap .<= found.gapLimit(options))
      mustVerify = mustVerify || (isCarried && (isRunning .& isSolved).anyTrue)
      finish(isRunning .& isSolved, .converged, iteration, &outcome, &isRunning)
      if iteration % 3 == 2 {
        // The iterate diverges along a certificate where there is one; its last step does so sooner.
        var (isInfeasible, isUnbounded) = iterateIsCertificate(options)
        if isCarried, (isRunning .& (isInfeasible .| isUnbounded)).anyTrue {
          evaluateIterate()
          isCarried = false
          (isInfeasible, isUnbounded) = iterateIsCertificate(options)
        }
        keep(isRunning .& isInfeasible, .infeasible, iteration, &outcome, &isRunning)
        keep(isRunning .& isUnbounded, .unbounded, iteration, &outcome, &isRunning)
        for k in 0..<count {
          stepUpper[k] = L.maximum(stepUpper[k], L(0.0)).replacing(
            with: stepUpper[k], where: isEquation[k] .> L(0.5))
          stepLower[k] = L.maximum(stepLower[k], L(0.0))
          product[k] = stepUpper[k] - stepLower[k]
        }
        multiplyTransposed(product, into: errorX)
        keep(
          isRunning .& provesInfeasibility(stepUpper, stepLower, errorX, options), .infeasible, iteration,
          &outcome, &isRunning, isStep: true)
        matrices.multiplyQuadratic(stepX, into: errorX)
        keep(
          isRunning .& provesUnboundedness(stepX, errorX, stepValues, options), .unbounded, iteration,
          &outcome,
          &isRunning, isStep: true)
      }
      let isCancelled = isRunning.anyTrue && isCancelled()
      let willPolish = mayPolish && iteration > 0 && (.!isRunning .| (mu .<= L(1e-3))).allTrue
      if mustVerify, !isRunning.anyTrue || isCancelled || willPolish || iteration == options.maximumIterations
      {
        mustVerify = false
        if isCarried { evaluateIterate() }
        isCarried = false
        found = residuals()
        outcome.residuals = found
        var isOpen = L(0.0) .== L(1.0)
        for lane in 0..<L.laneCount {
          isOpen[lane: lane] = outcome.status[lane] == .converged && !outcome.isPolished[lane]
        }
        isOpen = isOpen .& .!isRunning .& .!found.areSmall(options)
        if isOpen.anyTrue { mayCarry = false }
        isRunning = isRunning .| isOpen
      }
      if !isRunning.anyTrue { break }
      if isCancelled {
        finish(isRunning, .cancelled, iteration, &outcome, &isRunning)
        break
      }
      if iteration == options.maximumIterations {
        finish(isRunning, .iterationLimit, iteration, &outcome, &isRunning)
        break
      }
      // Centres move where the last step brought residuals down, or when it has not for a while, lest a distant centre hold the
      // residual up; the proximal terms fall with the complementarity.
      if iteration > 0 {
        let newMu = complementarity() / divisor
        let rate = L.maximum(L(0.0), 1.0 - newMu / L.maximum(mu, L(1e-300))).replacing(
          with: L(0.9), where: .!hasSides)
        mu = newMu
        let movesUp =
          (found.primal .<= 0.95 * lastPrimal) .| (found.primal .<= primalLimit) .| (L(3.0) .<= waitedUp)
        var movesDown =
          (found.dual .<= 0.95 * lastDual) .| (found.dual .<= dualLimit) .| (L(3.0) .<= waitedDown)
        if isDelicate.anyTrue {
          // Large proximal terms, small steps: what is left of the residual is mostly the centre's.
          movesDown =
            movesDown .| (isDelicate .& (proximalDualResidual(lastRho) .<= 0.5 * found.dual))
        }
        waitedUp = (waitedUp + 1.0).replacing(with: L(0.0), where: movesUp)
        waitedDown = (waitedDown + 1.0).replacing(with: L(0.0), where: movesDown)
        for k in 0..<count {
          upperCenter[k] = upperCenter[k].replacing(with: upperMultiplier[k], where: movesUp)
        }
        if hasLowerSides {
          for k in 0..<count {
            lowerCenter[k] = lowerCenter[k].replacing(with: lowerMultiplier[k], where: movesUp)
          }
        }
        for i in 0..<n { center[i] = center[i].replacing(with: x[i], where: movesDown) }
        delta = L.maximum(floor, delta * (1.0 - select(movesUp, rate, rate * 0.666)))
        rho = L.maximum(floor, rho * (1.0 - select(movesDown, rate, rate * 0.666)))
        let hasGrown = (lastDual .< found.dual) .& (dualLimit .< found.dual)
        growths += L(0.0).replacing(with: L(1.0), where: hasGrown)
        if !isCareful { isShared = hasGrown .| (L(4.0) .<= growths) }
        lastPrimal = found.primal
        lastDual = found.dual
      }
      if mayPolish, iteration > 0, (.!isRunning .| (mu .<= L(1e-3))).allTrue {
        mayPolish = false
        let isTaken = polishEarly(isRunning, options)
        for lane in 0..<L.laneCount where isTaken[lane: lane] { outcome.isPolished[lane] = true }
        finish(isTaken, .converged, iteration, &outcome, &isRunning)
        if !isRunning.anyTrue {
          outcome.residuals = residuals()
          break
        }
      }
      evaluateResiduals()
      // Larger proximal terms where rounding spoils the pivots, for this step: kept, they would hold all further steps up.
      let terms = (rho, delta)
      var isSafe = factorizeStep()
      var attempt = 0
      while !(isSafe .| .!isRunning).allTrue, attempt < 12 {
        attempt += 1
        isDelicate = isDelicate .| (isRunning .& .!isSafe)
        rho = (rho * 10.0).replacing(with: rho, where: isSafe)
        delta = (delta * 10.0).replacing(with: delta, where: isSafe)
        evaluateResiduals()
        isSafe = factorizeStep()
      }
      lastRho = rho
      setTargets()
      solveStep(refinements: isCareful ? 3 : 0, tolerance: 1e-13)
      var (primal, dual) = longestSteps()
      primal = L.minimum(primal, one)
      dual = L.minimum(dual, one)
      let affine = complementarity(primal: primal, dual: dual) / divisor
      let ratio = (affine / L.maximum(mu, L(1e-300))).clamped(L(0.0), one)
      // Products that fall to nothing before residuals do would freeze the active set.
      var goal = L.maximum(ratio * ratio * ratio * mu, L.maximum(barrier, L(1e-13)))
      if isDelicate.anyTrue, 2 * iteration < options.maximumIterations {
        // Likewise those that are nearer to their limit, the gap's, than residuals are to theirs; but where residuals do not fall for long,
        // nothing is gained by that.
        let excess = L.maximum(found.primal / primalLimit, found.dual / dualLimit)
        let least = 0.1 * excess * found.gapLimit(options) * objectiveScale / divisor
        let held = mu.replacing(with: least, where: least .< mu)
        let isHeld = isDelicate .& (one .< excess) .& excess.isFinite
        goal = L.maximum(goal, held.replacing(with: L(0.0), where: .!isHeld))
      }
      if hasSides.anyTrue {
        // Near the point that a barrier asks for the predictor, which aims at zero, says nothing about curvature.
        let order = L(1.0).replacing(with: L(0.0), where: (goal .<= barrier) .& (L(0.0) .< barrier))
        setTargets(goal, order: order)
        solveStep(refinements: 5, tolerance: isCareful ? 1e-13 : 1e-9)
        (primal, dual) = longestSteps()
        let reach = L(0.995)
        primal = L.minimum(primal * reach, one)
        dual = L.minimum(dual * reach, one)
        // Lengths of their own for the two leave (α_primal − α_dual) Q Δx in the dual residual, and can cycle: where it has grown they are
        // one, and where it grows again and again they stay so.
        let both = L.minimum(primal, dual)
        primal = primal.replacing(with: both, where: isShared)
        dual = dual.replacing(with: both, where: isShared)
      }
      (rho, delta) = terms
      let isFinite = stepIsFinite()
      if !(isFinite .| .!isRunning).allTrue {
        finish(isRunning .& .!isFinite, .nonFinite, iteration, &outcome, &isRunning)
      }
      primal = primal.replacing(with: L(0.0), where: .!isRunning)
      dual = dual.replacing(with: L(0.0), where: .!isRunning)
      slow = (slow + 1.0).replacing(with: L(0.0), where: L(1e-6) .< L.maximum(primal, dual))
      // Products of slacks and multipliers are at rounding, and residuals are not where they should be: only polishing can help.
      late = late + select(hasSides .& (mu .< L(1e-12)), L(1.0), L(0.0))
      finish(
        isRunning .& ((L(15.0) .<= slow) .| (L(25.0) .<= late)), .stalled, iteration, &outcome, &isRunning)
      take(primal, dual, isRunning)
      if mayCarry, hasStepProducts, iteration % 8 != 7 {
        isCarried = true
        carryProducts(primal, dual, isRunning)
      } else {
        isCarried = false
        evaluateIterate()
      }
    }
    return outcome
  }

  /// The targets of the predictor.
  private func setTargets() {
    let (targetUpper, upperSlack, upperMultiplier) = (targetUpper, upperSlack, upperMultiplier)
    for k in 0..<count { targetUpper[k] = -(upperSlack[k] * upperMultiplier[k]) }
    guard hasLowerSides else { return }
    for k in 0..<count { targetLower[k] = -(lowerSlack[k] * lowerMultiplier[k]) }
  }
  /// Those of the corrector: with what the predictor left out, so many times.
  private func setTargets(_ goal: L, order: L) {
    let (targetUpper, upperSlack, upperMultiplier) = (targetUpper, upperSlack, upperMultiplier)
    let (stepUpper, stepUpperSlack) = (stepUpper, stepUpperSlack)
    for k in 0..<count {
      let products = L.multiplyAdd(
        order * stepUpperSlack[k], stepUpper[k], upperSlack[k] * upperMultiplier[k])
      targetUpper[k] = goal - products
    }
    guard hasLowerSides else { return }
    for k in 0..<count {
      let products = L.multiplyAdd(
        order * stepLowerSlack[k], stepLower[k], lowerSlack[k] * lowerMultiplier[k])
      targetLower[k] = goal - products
    }
  }
  private func stepIsFinite() -> L.Mask {
    let (stepX, stepUpper, stepUpperSlack) = (stepX, stepUpper, stepUpperSlack)
    var sum = L(0.0)
    for i in 0..<n { sum += stepX[i] * 0.0 }
    for k in 0..<count { sum += (stepUpper[k] + stepUpperSlack[k]) * 0.0 }
    if hasLowerSides { for k in 0..<count { sum += (stepLower[k] + stepLowerSlack[k]) * 0.0 } }
    return Matrices.sum(sum).isFinite
  }

  /// Moves Q x, (C x, x) and Cᵀ z by the step that has been taken.
  private func carryProducts(_ primal: L, _ dual: L, _ isRunning: L.Mask) {
    move(quadraticTimesX, stepQuadratic, primal, n, isRunning)
    move(transposedMultipliers, stepTransposed, dual, n, isRunning)
    move(values, stepValues, primal, count, isRunning)
  }

  private func finish(
    _ mask: L.Mask, _ status: SolverStatus, _ iteration: Int, _ outcome: inout Outcome,
    _ isRunning: inout L.Mask
  ) {
    guard mask.anyTrue else { return }
    for lane in 0..<L.laneCount where mask[lane: lane] {
      outcome.status[lane] = status
      outcome.iterations[lane] = iteration
    }
    isRunning = isRunning .& .!mask
  }

  /// Ends lanes that have a certificate, and puts it where the iterate is.
  private func keep(
    _ mask: L.Mask, _ status: SolverStatus, _ iteration: Int, _ outcome: inout Outcome,
    _ isRunning: inout L.Mask,
    isStep: Bool = false
  ) {
    guard mask.anyTrue else { return }
    if isStep {
      if status == .unbounded {
        for i in 0..<n { x[i] = x[i].replacing(with: stepX[i], where: mask) }
      } else {
        for k in 0..<count {
          upperMultiplier[k] = upperMultiplier[k].replacing(with: stepUpper[k], where: mask)
          lowerMultiplier[k] = lowerMultiplier[k].replacing(with: stepLower[k], where: mask)
        }
      }
    }
    finish(mask, status, iteration, &outcome, &isRunning)
  }

  private func take(_ primal: L, _ dual: L, _ isRunning: L.Mask) {
    move(x, stepX, primal, n, isRunning)
    move(upperMultiplier, stepUpper, dual, count, isRunning)
    move(upperSlack, stepUpperSlack, primal, count, isRunning)
    guard hasLowerSides else { return }
    move(lowerMultiplier, stepLower, dual, count, isRunning)
    move(lowerSlack, stepLowerSlack, primal, count, isRunning)
  }
  @inline(__always)
  private func move(_ target: Vector, _ step: Vector, _ length: L, _ count: Int, _ isRunning: L.Mask) {
    var k = 0
    while k < count {
      let way = step[k].replacing(with: L(0.0), where: .!isRunning)
      target[k] = L.multiplyAdd(length, way, target[k])
      k = k &+ 1
    }
  }

  /// The start of Mehrotra: the point that a least-squares problem gives, moved inside.
  func initialize() {
    rho = L(1e-6)
    delta = L(1e-4)
    let zero = L(0.0)
    x.update(repeating: zero, count: n)
    for k in 0..<count {
      (upperMultiplier[k], lowerMultiplier[k]) = (hasUpper[k], hasLower[k])
      (upperSlack[k], lowerSlack[k]) = (L(1.0), L(1.0))
    }
    _ = factorizeStep()
    let share = 1.0 / (1.0 + delta)
    for k in 0..<count {
      let sum = (upper[k] * hasUpper[k] + lower[k] * hasLower[k]) * share
      netStep[k] = sum.replacing(with: upper[k] / delta, where: isEquation[k] .> L(0.5))
    }
    for i in 0..<n { reducedX[i] = netStep[m + i] - linear[i] }
    for i in 0..<n { product[m + i] = netStep[m + i] }
    for k in 0..<m {
      reducedRows[k] = (netStep[k] / weights[k]).replacing(with: zero, where: weights[k] .== zero)
    }
    solveReduced(steps: 1)
    for i in 0..<n { netStep[m + i] = weights[m + i] * stepX[i] - product[m + i] }
    x.update(from: stepX, count: n)
    multiplyConstraints(x, into: values)
    var (leastSlack, leastMultiplier) = (zero, zero)
    for k in 0..<count {
      upperSlack[k] = upper[k] - values[k]
      lowerSlack[k] = values[k] - lower[k]
      upperMultiplier[k] = -upperSlack[k]
      lowerMultiplier[k] = -lowerSlack[k]
      leastSlack = L.minimum(leastSlack, L.minimum(upperSlack[k] * hasUpper[k], lowerSlack[k] * hasLower[k]))
      leastMultiplier = L.minimum(
        leastMultiplier, L.minimum(upperMultiplier[k] * hasUpper[k], lowerMultiplier[k] * hasLower[k]))
    }
    let (moreSlack, moreMultiplier) = (
      Matrices.least(leastSlack) * -1.5, Matrices.least(leastMultiplier) * -1.5
    )
    var (products, slacks, multipliers) = (zero, zero, zero)
    for k in 0..<count {
      let (su, zu) = (upperSlack[k] + moreSlack, upperMultiplier[k] + moreMultiplier)
      let (sl, zl) = (lowerSlack[k] + moreSlack, lowerMultiplier[k] + moreMultiplier)
      products += su * zu * hasUpper[k] + sl * zl * hasLower[k]
      slacks += su * hasUpper[k] + sl * hasLower[k]
      multipliers += zu * hasUpper[k] + zl * hasLower[k]
    }
    products = Matrices.sum(products)
    slacks = Matrices.sum(slacks)
    multipliers = Matrices.sum(multipliers)
    let isFlat = products .<= L(1e-12)
    let addedSlack = moreSlack + select(isFlat, L(0.1), 0.5 * products / L.maximum(multipliers, L(1e-12)))
    let addedMultiplier =
      moreMultiplier + select(isFlat, L(0.1), 0.5 * products / L.maximum(slacks, L(1e-12)))
    for k in 0..<count {
      upperSlack[k] = (upperSlack[k] + addedSlack).replacing(with: L(1.0), where: hasUpper[k] .< L(0.5))
      lowerSlack[k] = (lowerSlack[k] + addedSlack).replacing(with: L(1.0), where: hasLower[k] .< L(0.5))
      upperMultiplier[k] = (upperMultiplier[k] + addedMultiplier) * hasUpper[k]
      lowerMultiplier[k] = (lowerMultiplier[k] + addedMultiplier) * hasLower[k]
      upperMultiplier[k] = upperMultiplier[k].replacing(with: netStep[k], where: isEquation[k] .> L(0.5))
    }
    centerHere()
  }

  /// A start near a given point: `x` holds it, `upperMultiplier` the net multipliers, both scaled.
  func initializeWarm() {
    rho = L(1e-6)
    delta = L(1e-4)
    multiplyConstraints(x, into: values)
    let least = L(1e-3)
    for k in 0..<count {
      let net = upperMultiplier[k]
      upperSlack[k] = L.maximum(upper[k] - values[k], least).replacing(
        with: L(1.0), where: hasUpper[k] .< L(0.5))
      lowerSlack[k] = L.maximum(values[k] - lower[k], least).replacing(
        with: L(1.0), where: hasLower[k] .< L(0.5))
      upperMultiplier[k] = (L.maximum(net, least) * hasUpper[k]).replacing(
        with: net, where: isEquation[k] .> L(0.5))
      lowerMultiplier[k] = L.maximum(-net, least) * hasLower[k]
    }
    centerHere()
  }

  func centerHere() {
    center.update(from: x, count: n)
    upperCenter.update(from: upperMultiplier, count: count)
    lowerCenter.update(from: lowerMultiplier, count: count)
  }
}
