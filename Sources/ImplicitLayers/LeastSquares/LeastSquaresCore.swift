/// Least squares with a dense Jacobian: Gauss–Newton with halved steps, Levenberg–Marquardt with Moré's trust region, and Powell's
/// dogleg, the last two on the region ‖D d‖ ≤ Δ with D from the norms of the Jacobian's columns; bounds hold unknowns whose gradient points
/// outwards and cut steps off at the box. Also used for square systems, whose residual must become zero.
struct LeastSquaresCore {
  enum Step {
    case gaussNewton
    case levenbergMarquardt
    case dogleg
  }
  enum Goal {
    /// The largest |cos| of the angle between the residual and a column of the Jacobian.
    case minimum(gradientTolerance: Double)
    /// ‖F‖∞.
    case root(tolerance: Double)
  }
  let step: Step
  let goal: Goal
  /// Steps shorter than this fraction of the unknowns, both scaled by D, end the iteration.
  private let stepTolerance = 1e-14
  let loss: RobustLoss
  let function: VectorFunction
  // Memory of all solves: residuals, the Jacobian, steps.
  private var (r, scaled, trialResidual, projected, image): ([Double], [Double], [Double], [Double], [Double])
  private var (gradient, d, trial, scale, norms): ([Double], [Double], [Double], [Double], [Double])
  private var steepest: [Double]
  private var jacobian: [Double]
  private var isFree: [Bool]
  private var qr: PivotedFactorization
  private var parameter: LevenbergParameter

  init(_ function: VectorFunction, step: Step, goal: Goal, loss: RobustLoss = .squared) {
    let (m, n) = (function.m, function.n)
    (self.function, self.step, self.goal, self.loss) = (function, step, goal, loss)
    (r, scaled, trialResidual, projected, image) = (zeros(m), zeros(m), zeros(m), zeros(m), zeros(m))
    (gradient, d, trial, scale, norms) = (zeros(n), zeros(n), zeros(n), zeros(n), zeros(n))
    steepest = zeros(n)
    jacobian = zeros(m * n)
    isFree = [Bool](repeating: true, count: n)
    qr = PivotedFactorization(rows: m, columns: n)
    parameter = LevenbergParameter(size: n)
  }

  mutating func run(from start: [Double], bounds: BoxBounds?, control: SolveControl) throws -> CoreResult {
    let (m, n) = (function.m, function.n)
    var x = start
    bounds?.clamp(&x)
    var recorder = SolveRecorder(control)
    parameter.lambda = 0
    for k in 0..<n { scale[k] = 0 }
    var (radius, lastStep) = (0.0, 0.0)
    // Where rounding hides what steps gain, they go on as long as the measure falls by half.
    var hiddenMeasure = Double.infinity
    // See NewtonCore.
    var (limit, startsSmall) = (tolerance, false)
    try function.value(x, into: &r)
    var cost = loss.cost(r)
    guard cost.isFinite else { return recorder.failedStart(x, function, value: cost, "the residual") }
    for iteration in 0... {
      try function.valueAndJacobian(x, into: &r, &jacobian)
      guard areFinite(jacobian) else {
        return recorder.result(
          .nonFinite, x, function, measure: .infinity, value: cost, "the Jacobian is not finite")
      }
      for k in 0..<m { scaled[k] = r[k] }
      for k in 0..<n { norms[k] = 0 }
      let residualSize: Double
      if loss == .squared {
        residualSize = norm2(scaled)
      } else {
        var residual = scaled
        residualSize = loss.scale(&residual) { row, factor, slope in
          for j in 0..<n {
            norms[j] += slope * jacobian[row * n + j] * jacobian[row * n + j]
            jacobian[row * n + j] *= factor
          }
        }
        scaled = residual
      }
      multiply(jacobian, rows: m, columns: n, scaled, into: &gradient, transposed: true)
      for k in 0..<n { isFree[k] = bounds?.isFree(x, gradient, k) ?? true }
      qr.factorize(jacobian, isFree: isFree)
      for k in 0..<n { norms[k] = loss == .squared ? qr.columnNorms[k] : norms[k].squareRoot() }
      let measure = measure(residualSize)
      func finish(_ status: SolverStatus, _ details: String = "") -> CoreResult {
        let isFailure = status == .stalled || status == .iterationLimit
        return recorder.result(
          startsSmall && isFailure && measure <= tolerance ? .converged : status, x, function,
          measure: measure,
          value: cost, details)
      }
      guard recorder.record(iteration, function, measure: measure, value: cost, step: lastStep) else {
        return finish(.cancelled)
      }
      let rank = qr.rank
      if rank == 0, n > 0, cost > 0, !isFree.contains(false) {
        return finish(.stalled, "no unknown changes the residual: the Jacobian is zero")
      }
      if case .root = goal, iteration == 0, measure <= tolerance, cost > 0, rank == n {
        for k in 0..<m { projected[k] = scaled[k] }
        qr.applyTransposedQ(&projected)
        qr.solve(projected, into: &d, rank: rank)
        set(&trial, x, plus: -1, d)
        bounds?.clamp(&trial)
        if isLongStep(from: x, to: trial) { (limit, startsSmall) = (1e-12 * measure, true) }
      }
      if measure <= limit || cost == 0 { return finish(.converged) }
      if recorder.isExhausted { return finish(.iterationLimit) }
      for k in 0..<n {
        scale[k] = max(scale[k], qr.columnNorms[k])
        if scale[k] == 0 { scale[k] = 1 }
      }
      let size = scaledNorm(x, scale)
      if iteration == 0 { radius = firstRadius * (size > 0 ? size : 1) }
      for k in 0..<m { projected[k] = scaled[k] }
      qr.applyTransposedQ(&projected)
      // Until a step is accepted.
      var isFirstTrial = true
      while true {
        var length: Double
        switch step {
        case .gaussNewton:
          if isFirstTrial {
            qr.solve(projected, into: &d, rank: rank)
            for k in 0..<n { d[k] = -d[k] }
          } else {
            for k in 0..<n { d[k] *= 0.5 }
          }
          length = scaledNorm(d, scale)
        case .levenbergMarquardt:
          length = parameter.step(&qr, projected, scale: scale, radius: radius, into: &d)
        case .dogleg:
          length = doglegStep(radius, rank)
        }
        let isFullStep =
          switch step {
          case .gaussNewton: isFirstTrial
          case .levenbergMarquardt: parameter.lambda == 0
          case .dogleg: length < radius
          }
        // A length that is not a number counts as short: no radius would end the search for a step.
        let isShort = !(length > stepTolerance * (size > 0 ? size : 1))
        isFirstTrial = false
        set(&trial, x, plus: 1, d)
        var reachesBound = false
        if let bounds {
          bounds.clamp(&trial)
          for k in 0..<n {
            let move = trial[k] - x[k]
            if move != 0, trial[k] == bounds.lower[k] || trial[k] == bounds.upper[k] { reachesBound = true }
            d[k] = move
          }
        }
        multiply(jacobian, rows: m, columns: n, d, into: &image)
        let slope = dot(gradient, d)
        let predicted = -slope - 0.5 * dot(image, image)
        try function.value(trial, into: &trialResidual)
        let trialCost = loss.cost(trialResidual)
        let actual = trialCost.isFinite ? cost - trialCost : -.infinity
        // Where both are below rounding, their quotient means nothing.
        let isNoise = predicted <= 2e-15 * cost && actual.magnitude <= 4e-15 * cost
        let ratio = predicted > 0 ? actual / predicted : -1
        let isAccepted =
          step == .gaussNewton ? actual > 0 && actual >= -1e-4 * slope : ratio >= 1e-4
        if step != .gaussNewton {
          if ratio <= 0.25 {
            var factor = 0.5
            if actual < 0 {
              factor = actual.isFinite ? 0.5 * slope / (slope + actual) : 0.1
              factor = factor >= 0.1 ? min(factor, 0.5) : 0.1
            }
            radius = factor * min(radius, 10 * length)
            parameter.lambda /= factor
          } else if ratio >= 0.75 || (step == .levenbergMarquardt && parameter.lambda == 0) {
            radius = step == .dogleg ? max(radius, 2 * length) : 2 * length
            parameter.lambda *= 0.5
          }
        }
        if isNoise, isFullStep, !isShort, measure <= 0.5 * hiddenMeasure {
          hiddenMeasure = measure
          lastStep = norm2(d)
          x = trial
          cost = trialCost
          break
        }
        if isAccepted {
          lastStep = norm2(d)
          x = trial
          cost = trialCost
        }
        if isNoise, reachesBound, case .minimum = goal {
          // An unknown that was as good as on its bound is on it: it is held from now on, and the others may move.
          lastStep = norm2(d)
          x = trial
          cost = trialCost
          break
        }
        if isFullStep && (isNoise || isShort) {
          if case .minimum = goal, rank < n, measure > 1e-4, !isFree.contains(false) {
            return finish(.stalled, "the Jacobian has lost rank")
          }
          return try end(recorder, x, cost, measure)
        }
        if isShort || isNoise {
          // Rounding may refuse every step where the gradient, or the residual beside J x, is as small as it can be.
          let isRounding = (2 * cost).squareRoot() <= 1e-13 * size
          if case .minimum = goal, measure <= 1e-6 || isRounding { return finish(.converged) }
          if case .root = goal { return try end(recorder, x, cost, measure) }
          return finish(.stalled, "the shortest steps make no progress")
        }
        if isAccepted { break }
        if control.cancellation?.isCancelled == true { return finish(.cancelled) }
      }
    }
    fatalError("the loop has no end of its own")
  }

  /// The first Δ as a multiple of ‖D x‖. Fits that step too far end where exponentials vanish or are flat.
  private var firstRadius: Double {
    if case .root = goal { return 100 }
    return 1
  }

  /// The measure that must become small.
  private func measure(_ size: Double) -> Double {
    if case .root = goal { return normInfinity(r) }
    var largest = 0.0
    for k in gradient.indices where isFree[k] && norms[k] > 0 && size > 0 {
      largest = max(largest, gradient[k].magnitude / norms[k] / size)
    }
    return largest
  }
  private var tolerance: Double {
    switch goal {
    case .root(let tolerance), .minimum(let tolerance): tolerance
    }
  }

  /// Where no step makes progress any more: a minimum to working precision, or, for a root, a point that is one to working precision or
  /// else a minimum of ‖F‖.
  private mutating func end(_ recorder: SolveRecorder, _ x: [Double], _ cost: Double, _ measure: Double)
    throws
    -> CoreResult
  {
    guard case .root(let tolerance) = goal else {
      return recorder.result(.converged, x, function, measure: measure, value: cost)
    }
    try function.valueAndJacobian(x, into: &r, &jacobian)
    let largest = normInfinity(r)
    if largest <= tolerance {
      return recorder.result(.converged, x, function, measure: largest, value: cost)
    }
    qr.factorize(jacobian)
    qr.applyTransposedQ(&r)
    qr.solve(r, into: &d, rank: qr.rank)
    if qr.rank == function.n, normInfinity(d) <= 1e-10 * (1e-10 + normInfinity(x)) {
      return recorder.result(.converged, x, function, measure: largest, value: cost)
    }
    return recorder.result(
      .stalled, x, function, measure: largest, value: cost,
      "the norm of the residual has a minimum that is not zero, or the Jacobian is singular there")
  }

  /// Powell's path from the steepest descent's minimum to Gauss and Newton's step, cut off at the region's edge.
  private mutating func doglegStep(_ radius: Double, _ rank: Int) -> Double {
    let n = qr.columns
    qr.solve(projected, into: &d, rank: rank)
    for k in 0..<n { d[k] = -d[k] }
    let full = scaledNorm(d, scale)
    if full <= radius { return full }
    var sum = 0.0
    for k in 0..<n { steepest[k] = 0 }
    for k in 0..<n where isFree[k] {
      steepest[k] = -gradient[k] / (scale[k] * scale[k])
      sum += (gradient[k] / scale[k]) * (gradient[k] / scale[k])
    }
    multiply(jacobian, rows: qr.rows, columns: n, steepest, into: &image)
    let curvature = dot(image, image)
    let length = sum.squareRoot()
    if curvature == 0 || sum / curvature * length >= radius {
      for k in 0..<n { d[k] = steepest[k] * (radius / length) }
      return radius
    }
    for k in 0..<n { steepest[k] *= sum / curvature }
    // ‖D (c + t (d − c))‖ = Δ.
    var (a, b, c) = (0.0, 0.0, -radius * radius)
    for k in 0..<n {
      let (start, way) = (scale[k] * steepest[k], scale[k] * (d[k] - steepest[k]))
      a += way * way
      b += start * way
      c += start * start
    }
    let t = a > 0 ? -c / (b + max(b * b - a * c, 0).squareRoot()) : 0
    for k in 0..<n { d[k] = steepest[k] + t * (d[k] - steepest[k]) }
    return radius
  }
}
