/// What a step must promise at least, relative to the objective, so that rounding does not hide it.
let roundingOfObjective = 1e-13

/// Minimisers that search along a line: gradient descent, nonlinear conjugate gradients, BFGS, L-BFGS, and Newton's method with truncated
/// conjugate gradients.
struct DescentCore {
  enum Direction {
    case steepest
    case conjugate(ConjugateFormula)
    case bfgs
    case limitedMemory(Int)
    case newton
  }
  var direction: Direction
  var lineSearch: LineSearch
  /// ‖∇f‖∞ relative to max(1, |f|).
  var tolerance: Double
  var control: SolveControl

  func run(_ function: VectorFunction, from start: [Double]) throws -> CoreResult {
    let n = function.n
    var recorder = SolveRecorder(control)
    var point = LinePoint(x: start, gradient: zeros(n))
    point.value = try function.objective(point.x, gradient: &point.gradient)
    guard point.value.isFinite, areFinite(point.gradient) else {
      return recorder.failedStart(start, function, value: point.value, "the objective or its gradient")
    }
    var memory = SecantMemory(size: n, direction)
    var (d, step, change) = (zeros(n), zeros(n), zeros(n))
    var lastStep = 0.0
    // Where the objective grows, its size must not excuse a large gradient.
    let firstValue = point.value.magnitude
    let firstMeasure = normInfinity(point.gradient)
    // Steps in succession that neither promise nor make a decrease that rounding lets be seen.
    var roundingSteps = 0
    var lastSlope = 0.0
    var lastLength = 0.0
    for iteration in 0... {
      let measure = normInfinity(point.gradient)
      func finish(_ status: SolverStatus, _ details: String = "") -> CoreResult {
        recorder.result(status, point.x, function, measure: measure, value: point.value, details)
      }
      guard recorder.record(iteration, function, measure: measure, value: point.value, step: lastStep) else {
        return finish(.cancelled)
      }
      if measure <= tolerance * max(1, min(point.value.magnitude, firstValue)) { return finish(.converged) }
      if point.value < -1e20 { return finish(.unbounded) }
      if roundingSteps >= 10 { return finish(.converged) }
      if recorder.isExhausted { return finish(.iterationLimit) }
      var isRestart = false
      // Whether the step that the curvature suggests promises less than rounding of the objective.
      var isRounding = false
      var found: LinePoint?
      while true {
        if isRestart {
          memory.reset()
          for k in 0..<n { d[k] = -point.gradient[k] }
        } else if case .newton = direction {
          try truncatedNewton(function, point, lastStep, into: &d)
        } else {
          memory.direction(point.gradient, into: &d)
        }
        point.slope = dot(point.gradient, d)
        if !(point.slope < 0) {
          if isRestart { break }
          isRestart = true
          continue
        }
        if !isRestart, knowsCurvature, !memory.isEmpty {
          isRounding =
            -0.5 * point.slope <= roundingOfObjective * point.value.magnitude
            && measure <= 1e-6 * firstMeasure
        }
        let first = firstStep(point, d, memory, iteration, lastSlope, lastLength, isRestart)
        found = try lineSearch.search(function, from: point, along: d, first: first)
        if found != nil || isRestart || memory.isEmpty { break }
        isRestart = true
      }
      guard var next = found else {
        if isRounding || isNoise(point, measure, firstValue) { return finish(.converged) }
        return finish(
          function.failure == nil ? .stalled : .nonFinite,
          "no step along the direction of steepest descent lowers the objective")
      }
      set(&step, next.x, plus: -1, point.x)
      set(&change, next.gradient, plus: -1, point.gradient)
      memory.append(step, change, gradient: next.gradient, lastGradient: point.gradient, direction: d)
      let gain = point.value - next.value
      roundingSteps = isRounding && gain <= 1e-15 * point.value.magnitude ? roundingSteps + 1 : 0
      lastStep = norm2(step)
      lastSlope = point.slope
      lastLength = next.step
      let isStill = lastStep == 0
      swap(&point, &next)
      if isStill {
        return recorder.result(
          isNoise(point, normInfinity(point.gradient), firstValue) ? .converged : .stalled, point.x, function,
          measure: normInfinity(point.gradient), value: point.value, "steps no longer change the unknowns")
      }
    }
    fatalError("the loop has no end of its own")
  }

  /// Whether a gradient that no step makes smaller is as small as rounding of the objective allows.
  private func isNoise(_ point: LinePoint, _ measure: Double, _ firstValue: Double) -> Bool {
    measure <= max(1e3 * tolerance, 1e-8) * max(1, min(point.value.magnitude, firstValue))
  }

  /// Whether slopes along directions say what Newton's step would gain. Truncated conjugate gradients may gain more.
  private var knowsCurvature: Bool {
    switch direction {
    case .bfgs, .limitedMemory: true
    case .steepest, .conjugate, .newton: false
    }
  }

  private func firstStep(
    _ point: LinePoint, _ d: [Double], _ memory: SecantMemory, _ iteration: Int, _ lastSlope: Double,
    _ lastLength: Double, _ isRestart: Bool
  ) -> Double {
    switch direction {
    case .newton: return 1
    case .bfgs, .limitedMemory: if !memory.isEmpty { return 1 }
    case .steepest, .conjugate:
      if iteration > 0, !isRestart {
        // As much as the last step gained, to first order.
        let t = lastLength * lastSlope / point.slope
        if t.isFinite, t > 0 { return min(t, 1e6 * lastLength) }
      }
    }
    return min(1, 1 / max(norm2(point.gradient), 1e-300)) * max(1, norm2(point.x) * 0.1)
  }

  /// Conjugate gradients for H d = −g, stopped at ‖r‖ ≤ min(½, √‖g‖) ‖g‖ or at negative curvature (Dembo and Steihaug 1983).
  private func truncatedNewton(
    _ function: VectorFunction, _ point: LinePoint, _ lastStep: Double, into d: inout [Double]
  )
    throws
  {
    let n = function.n
    let size = norm2(point.gradient)
    let target = min(0.5, size.squareRoot()) * size
    for k in 0..<n { d[k] = 0 }
    var r = point.gradient
    var p = r.map { -$0 }
    var image = zeros(n)
    var rho = dot(r, r)
    for iteration in 0..<max(2 * n, 20) {
      try function.hessianProduct(point.x, p, into: &image)
      let curvature = dot(p, image)
      guard curvature.isFinite else {
        if iteration == 0 { for k in 0..<n { d[k] = -point.gradient[k] } }
        return
      }
      if curvature <= 1e-16 * dot(p, p) {
        // Downwards where the objective is concave: a step without a length of its own.
        add(max(iteration == 0 ? 1 : 0, 2 * lastStep / norm2(p)), p, to: &d)
        return
      }
      let alpha = rho / curvature
      add(alpha, p, to: &d)
      add(alpha, image, to: &r)
      let next = dot(r, r)
      if next.squareRoot() <= target { return }
      let beta = next / rho
      rho = next
      for k in 0..<n { p[k] = beta * p[k] - r[k] }
    }
  }
}
