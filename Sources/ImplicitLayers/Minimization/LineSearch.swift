/// How far a minimiser goes along a direction of descent.
public enum LineSearch: Sendable, Hashable {
  /// Backtracking until the decrease is at least this fraction of what the slope promises (Armijo 1966).
  case armijo(decrease: Double = 1e-4)
  /// Until the decrease is at least the first fraction of what the slope promises, and the slope has become smaller than the second (the strong
  /// Wolfe conditions), by bracketing and cubic interpolation (Nocedal and Wright 2006, algorithms 3.5 and 3.6). Where rounding hides the
  /// decrease, the slope alone decides (Hager and Zhang 2005).
  case strongWolfe(decrease: Double = 1e-4, curvature: Double = 0.9)

  func check() throws(ImplicitLayerError) {
    switch self {
    case .armijo(let decrease):
      guard decrease > 0, decrease < 1 else {
        throw .argument("Armijo's fraction lies between 0 and 1, not at \(decrease)")
      }
    case .strongWolfe(let decrease, let curvature):
      guard decrease > 0, decrease < curvature, curvature < 1 else {
        throw .argument(
          "Wolfe's fractions need 0 < decrease < curvature < 1, not \(decrease) and \(curvature)")
      }
    }
  }
}

/// A point on a line, with value, slope and gradient there.
struct LinePoint {
  var step = 0.0
  var value = 0.0
  var slope = 0.0
  var x: [Double]
  var gradient: [Double]
}

extension LineSearch {
  /// Searches along a direction.
  /// - Parameters:
  ///   - start: x with its value, gradient and slope along d.
  ///   - first: the first step to try.
  ///   - longest: the longest step allowed.
  /// - Returns: the point found, and whether it meets the conditions; nil if no step makes progress.
  func search(
    _ function: VectorFunction, from start: LinePoint, along d: [Double], first: Double,
    longest: Double = 1e20
  ) throws -> LinePoint? {
    var point = start
    func evaluate(_ step: Double) throws -> LinePoint {
      point.step = step
      set(&point.x, start.x, plus: step, d)
      point.value = try function.objective(point.x, gradient: &point.gradient)
      point.slope = dot(point.gradient, d)
      return point
    }
    switch self {
    case .armijo(let decrease):
      var t = min(first, longest)
      for _ in 0..<60 {
        let trial = try evaluate(t)
        if trial.value.isFinite, areFinite(trial.gradient),
          isDecrease(trial, start, decrease) || isFlatDecrease(trial, start, decrease)
        {
          return trial
        }
        let parabola = -start.slope * t * t / (2 * (trial.value - start.value - start.slope * t))
        t = trial.value.isFinite && parabola.isFinite ? min(max(parabola, 0.1 * t), 0.5 * t) : 0.25 * t
      }
      return nil
    case .strongWolfe(let decrease, let curvature):
      return try wolfe(start, min(first, longest), longest, decrease, curvature, evaluate)
    }
  }

  private func isDecrease(_ trial: LinePoint, _ start: LinePoint, _ fraction: Double) -> Bool {
    trial.value <= start.value + fraction * trial.step * start.slope
  }
  /// Near a minimum differences of values are rounding; then slopes decide: (2 δ − 1) φ′(0) ≥ φ′(t), with a value that is not above by more
  /// than rounding.
  private func isFlatDecrease(_ trial: LinePoint, _ start: LinePoint, _ fraction: Double) -> Bool {
    trial.value <= start.value + 1e-14 * start.value.magnitude
      && trial.slope <= (2 * fraction - 1) * start.slope
  }

  private func wolfe(
    _ start: LinePoint, _ first: Double, _ longest: Double, _ decrease: Double, _ curvature: Double,
    _ evaluate: (Double) throws -> LinePoint
  ) throws -> LinePoint? {
    func isGood(_ p: LinePoint) -> Bool {
      (isDecrease(p, start, decrease) || isFlatDecrease(p, start, decrease))
        && p.slope.magnitude <= -curvature * start.slope
    }
    var before = start
    before.step = 0
    var t = first
    var shrunk = 0
    for trialNumber in 0..<60 {
      let trial = try evaluate(t)
      guard trial.value.isFinite, trial.slope.isFinite else {
        // Not defined that far out.
        shrunk += 1
        if shrunk > 50 { return nil }
        t = before.step + 0.1 * (t - before.step)
        continue
      }
      if isGood(trial) { return trial }
      let isHigh =
        !isDecrease(trial, start, decrease) && !isFlatDecrease(trial, start, decrease)
      if isHigh || (trialNumber > 0 && trial.value >= before.value && trial.slope >= 0) {
        return try zoom(before, trial, start, decrease, isGood, evaluate)
      }
      if trial.slope >= 0 { return try zoom(trial, before, start, decrease, isGood, evaluate) }
      if t >= longest { return trial }
      // Where the slope's line through both points vanishes, at most ten times as far.
      let secant = t - trial.slope * (t - before.step) / (trial.slope - before.slope)
      let far = trial.slope > before.slope ? min(max(secant, 2 * t), 10 * t) : 10 * t
      before = trial
      t = min(shrunk > 0 ? 1.5 * t : far, longest)
      if shrunk > 0, trialNumber > 40 { return before }
    }
    return before.step > 0 ? before : nil
  }

  private func zoom(
    _ first: LinePoint, _ second: LinePoint, _ start: LinePoint, _ decrease: Double,
    _ isGood: (LinePoint) -> Bool, _ evaluate: (Double) throws -> LinePoint
  ) throws -> LinePoint? {
    var (low, high) = (first, second)
    for _ in 0..<40 {
      let width = high.step - low.step
      if width.magnitude <= 1e-16 * max(low.step.magnitude, high.step.magnitude) { break }
      var t = cubicMinimum(low, high)
      let (a, b) = (low.step + 0.1 * width, low.step + 0.9 * width)
      if !t.isFinite || t < min(a, b) || t > max(a, b) {
        t = t.isFinite ? min(max(t, min(a, b)), max(a, b)) : low.step + 0.5 * width
      }
      let trial = try evaluate(t)
      if trial.value.isFinite, trial.slope.isFinite, isGood(trial) { return trial }
      let isHigh =
        !trial.value.isFinite
        || (!isDecrease(trial, start, decrease) && !isFlatDecrease(trial, start, decrease))
      if isHigh || (trial.value >= low.value && trial.slope * width >= 0) {
        high = trial
      } else {
        if trial.slope * width >= 0 { high = low }
        low = trial
      }
    }
    return low.step > 0 && low.value < start.value ? low : nil
  }

  /// The minimum of the cubic with the values and slopes of two points.
  private func cubicMinimum(_ a: LinePoint, _ b: LinePoint) -> Double {
    let d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step)
    let d2 = (d1 * d1 - a.slope * b.slope).squareRoot() * (b.step > a.step ? 1 : -1)
    return b.step - (b.step - a.step) * (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2)
  }
}
