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
  var step: Step
  var goal: Goal
  /// Steps shorter than this fraction of the unknowns, both scaled by D, end the iteration.
  var stepTolerance = 1e-14
  var loss = RobustLoss.squared
  var bounds: BoxBounds?
  var control: SolveControl

  func run(_ function: VectorFunction, from start: [Double]) throws -> CoreResult {
    let (m, n) = (function.m, function.n)
    var x = start
    bounds?.clamp(&x)
    var recorder = SolveRecorder(control)
    var (r, scaled, trialResidual, jacobian) = (zeros(m), zeros(m), zeros(m), zeros(m * n))
    var (gradient, d, trial, image, scale) = (zeros(n), zeros(n), zeros(n), zeros(m), zeros(n))
    var qr = PivotedFactorization(rows: m, columns: n)
    var parameter = LevenbergParameter()
    var isFree = [Bool](repeating: true, count: n)
    var norms = zeros(n)
    var (radius, lastStep) = (0.0, 0.0)
    // Where rounding hides what steps gain, they go on as long as the measure falls by half.
    var hiddenMeasure = Double.infinity
    try function.value(x, into: &r)
    var cost = loss.cost(r)
    guard cost.isFinite else { return recorder.failedStart(x, function, value: cost, "the residual") }
    for iteration in 0... {
      try function.valueAndJacobian(x, into: &r, &jacobian)
      guard areFinite(jacobian) else {
        return recorder.result(
          .nonFinite, x, function, measure: .infinity, value: cost, "the Jacobian is not finite")
      }
      scaled = r
      for k in 0..<n { norms[k] = 0 }
      let residualSize = loss.scale(&scaled) { row, factor, slope in
        for j in 0..<n {
          norms[j] += slope * jacobian[row * n + j] * jacobian[row * n + j]
          jacobian[row * n + j] *= factor
        }
      }
      multiply(jacobian, rows: m, columns: n, scaled, into: &gradient, transposed: true)
      for k in 0..<n { isFree[k] = bounds?.isFree(x, gradient, k) ?? true }
      qr.factorize(jacobian, isFree: isFree)
      for k in 0..<n { norms[k] = loss == .squared ? qr.columnNorms[k] : norms[k].squareRoot() }
      let measure = measure(r, residualSize, gradient, norms, isFree)
      func finish(_ status: SolverStatus, _ details: String = "") -> CoreResult {
        recorder.result(status, x, function, measure: measure, value: cost, details)
      }
      guard recorder.record(iteration, function, measure: measure, value: cost, step: lastStep) else {
        return finish(.cancelled)
      }
      let rank = qr.rank
      if rank == 0, n > 0, cost > 0, !isFree.contains(false) {
        return finish(.stalled, "no unknown changes the residual: the Jacobian is zero")
      }
      if isReached(measure) || cost == 0 { return finish(.converged) }
      if recorder.isExhausted { return finish(.iterationLimit) }
      for k in 0..<n {
        scale[k] = max(scale[k], qr.columnNorms[k])
        if scale[k] == 0 { scale[k] = 1 }
      }
      let size = scaledNorm(x, scale)
      if iteration == 0 { radius = firstRadius * (size > 0 ? size : 1) }
      var projected = scaled
      qr.applyTransposedQ(&projected)
      // Until a step is accepted.
      var isFirstTrial = true
      while true {
        var length: Double
        switch step {
        case .gaussNewton:
          if isFirstTrial {
            qr.solve(projected.map { -$0 }, into: &d, rank: rank)
          } else {
            for k in 0..<n { d[k] *= 0.5 }
          }
          length = scaledNorm(d, scale)
        case .levenbergMarquardt:
          length = parameter.step(qr, projected, scale: scale, radius: radius, into: &d)
        case .dogleg:
          length = doglegStep(qr, projected, jacobian, gradient, isFree, scale, radius, rank, into: &d)
        }
        let isFullStep =
          switch step {
          case .gaussNewton: isFirstTrial
          case .levenbergMarquardt: parameter.lambda == 0
          case .dogleg: length < radius
          }
        let isShort = length <= stepTolerance * (size > 0 ? size : 1)
        isFirstTrial = false
        set(&trial, x, plus: 1, d)
        if let bounds {
          bounds.clamp(&trial)
          for k in 0..<n { d[k] = trial[k] - x[k] }
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
        if isFullStep && (isNoise || isShort) {
          if case .minimum = goal, rank < n, measure > 1e-4, !isFree.contains(false) {
            return finish(.stalled, "the Jacobian has lost rank")
          }
          return try end(function, recorder, x, cost, measure)
        }
        if isShort || isNoise {
          // Rounding may refuse every step where the gradient, or the residual beside J x, is as small as it can be.
          let isRounding = (2 * cost).squareRoot() <= 1e-13 * size
          if case .minimum = goal, measure <= 1e-6 || isRounding { return finish(.converged) }
          if case .root = goal { return try end(function, recorder, x, cost, measure) }
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
  private func measure(
    _ r: [Double], _ size: Double, _ gradient: [Double], _ columnNorms: [Double], _ isFree: [Bool]
  ) -> Double {
    if case .root = goal { return normInfinity(r) }
    var largest = 0.0
    for k in gradient.indices where isFree[k] && columnNorms[k] > 0 && size > 0 {
      largest = max(largest, gradient[k].magnitude / columnNorms[k] / size)
    }
    return largest
  }
  private func isReached(_ measure: Double) -> Bool {
    switch goal {
    case .root(let tolerance), .minimum(let tolerance): measure <= tolerance
    }
  }

  /// Where no step makes progress any more: a minimum to working precision, or, for a root, a point that is one to working precision or
  /// else a minimum of ‖F‖.
  private func end(
    _ function: VectorFunction, _ recorder: SolveRecorder, _ x: [Double], _ cost: Double, _ measure: Double
  ) throws -> CoreResult {
    guard case .root(let tolerance) = goal else {
      return recorder.result(.converged, x, function, measure: measure, value: cost)
    }
    var (value, jacobian) = (zeros(function.m), zeros(function.m * function.n))
    try function.valueAndJacobian(x, into: &value, &jacobian)
    let largest = normInfinity(value)
    if largest <= tolerance {
      return recorder.result(.converged, x, function, measure: largest, value: cost)
    }
    var qr = PivotedFactorization(rows: function.m, columns: function.n)
    qr.factorize(jacobian)
    var step = zeros(function.n)
    qr.applyTransposedQ(&value)
    qr.solve(value, into: &step, rank: qr.rank)
    if qr.rank == function.n, normInfinity(step) <= 1e-10 * (1e-10 + normInfinity(x)) {
      return recorder.result(.converged, x, function, measure: largest, value: cost)
    }
    return recorder.result(
      .stalled, x, function, measure: largest, value: cost,
      "the norm of the residual has a minimum that is not zero, or the Jacobian is singular there")
  }

  /// Powell's path from the steepest descent's minimum to Gauss and Newton's step, cut off at the region's edge.
  private func doglegStep(
    _ qr: PivotedFactorization, _ projected: [Double], _ jacobian: [Double], _ gradient: [Double],
    _ isFree: [Bool], _ scale: [Double], _ radius: Double, _ rank: Int, into d: inout [Double]
  ) -> Double {
    let n = qr.columns
    qr.solve(projected.map { -$0 }, into: &d, rank: rank)
    let full = scaledNorm(d, scale)
    if full <= radius { return full }
    var steepest = zeros(n)
    var sum = 0.0
    for k in 0..<n where isFree[k] {
      steepest[k] = -gradient[k] / (scale[k] * scale[k])
      sum += (gradient[k] / scale[k]) * (gradient[k] / scale[k])
    }
    var image = zeros(qr.rows)
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
