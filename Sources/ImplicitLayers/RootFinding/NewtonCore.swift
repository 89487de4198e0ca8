/// Newton's method and its relatives for F(x) = 0, with a backtracking line search on ‖F‖₂.
///
/// - Newton: a new Jacobian in every iteration.
/// - Chord: the Jacobian is kept as long as ‖F‖ falls at least by half in each step.
/// - Broyden: the Jacobian of the first point, corrected by rank one in each step so that it explains the last change of F (Broyden 1965, his
///   first method), and evaluated anew where a step fails.
///
/// Where the Jacobian is singular a damped step, (Jᵀ J + μ I) d = −Jᵀ F, is made instead of Newton's.
struct NewtonCore {
  enum Kind {
    case newton
    case chord
    case broyden
  }
  let kind: Kind
  let searches: Bool
  let tolerance: Double
  let system: NewtonSystem
  // Memory of all solves.
  private var (value, trialValue, d, trial, change): ([Double], [Double], [Double], [Double], [Double])
  private var broyden: BroydenUpdates
  private var bounds: BoxBounds?

  init(_ system: NewtonSystem, _ kind: Kind, searches: Bool, tolerance: Double) {
    (self.system, self.kind, self.searches, self.tolerance) = (system, kind, searches, tolerance)
    let n = system.function.n
    (value, trialValue, d, trial, change) = (zeros(n), zeros(n), zeros(n), zeros(n), zeros(n))
    broyden = BroydenUpdates(size: n)
  }

  mutating func run(from start: [Double], bounds: BoxBounds?, control: SolveControl) throws -> CoreResult {
    let function = system.function
    let n = function.n
    var x = start
    self.bounds = bounds
    bounds?.clamp(&x)
    var recorder = SolveRecorder(control)
    // Whether there is a factor, and whether it belongs to x.
    var (hasFactor, isFresh, lastStep) = (false, false, 0.0)
    try function.value(x, into: &value)
    var size = norm2(value)
    // Without a line search iterates may get worse on the way.
    var best = (x: x, measure: size.isFinite ? normInfinity(value) : .infinity)
    // Where the first residual is within the tolerance already and the root is far, the equations are of small numbers: the residual must
    // fall further, and what is reached counts in any case.
    var (limit, startsSmall) = (tolerance, false)
    func finish(_ status: SolverStatus, _ details: String = "") -> CoreResult {
      let isFailure = status == .stalled || status == .iterationLimit || status == .nonFinite
      let status = startsSmall && isFailure ? .converged : status
      return recorder.result(
        status, best.x, function, measure: best.measure, value: best.measure, details)
    }
    guard size.isFinite else {
      _ = recorder.record(0, function, measure: .infinity, value: .infinity, step: 0)
      return finish(.nonFinite, "the residual is not finite at the initial point")
    }
    for iteration in 0... {
      let measure = normInfinity(value)
      if measure < best.measure { best = (x, measure) }
      guard recorder.record(iteration, function, measure: measure, value: measure, step: lastStep) else {
        return finish(.cancelled)
      }
      if iteration == 0, measure > 0, measure <= tolerance {
        broyden.reset()
        hasFactor = try system.factor(at: x, into: &value, scalesEquations: !searches)
        isFresh = true
        if hasFactor, try broyden.solve(system, value, into: &d), isLong(d, from: x) {
          (limit, startsSmall) = (1e-12 * measure, true)
        }
      }
      if measure <= limit { return finish(.converged) }
      if recorder.isExhausted { return finish(.iterationLimit) }
      // A step, first from an old Jacobian where the method keeps it.
      while true {
        if !hasFactor {
          broyden.reset()
          // ‖F‖ falls more along a damped step than along one that is made for equations of very different sizes.
          hasFactor = try system.factor(at: x, into: &value, scalesEquations: !searches)
          isFresh = true
        }
        let isNewton = hasFactor ? try broyden.solve(system, value, into: &d) : false
        if isNewton {
          for k in 0..<n { d[k] = -d[k] }
          // As accurate as x can be written.
          let floor = Double.ulpOfOne * normInfinity(x)
          if isFresh, system.isSolved,
            d.indices.allSatisfy({ abs(d[$0]) <= 4 * Double.ulpOfOne * max(abs(x[$0]), floor) })
          {
            best = (x, measure)
            return finish(.converged)
          }
        } else if !isFresh {
          hasFactor = false
          continue
        } else if !dampedStep() {
          return finish(.stalled, "the Jacobian is singular or not finite there")
        }
        let isSolved = system.isSolved
        if let t = try search(x, size, control) {
          set(&change, trial, plus: -1, x)
          lastStep = norm2(change)
          let newSize = norm2(trialValue)
          let contraction = newSize / size
          switch kind {
          case .newton: hasFactor = false
          case .chord: hasFactor = isNewton && contraction <= 0.5
          case .broyden:
            hasFactor = isNewton && t >= 0.1 && contraction <= 0.95
            if hasFactor { hasFactor = try broyden.update(system, step: change, from: value, to: trialValue) }
          }
          for k in 0..<n { x[k] = trial[k] }
          for k in 0..<n { value[k] = trialValue[k] }
          size = newSize
          isFresh = false
          break
        }
        if control.cancellation?.isCancelled == true { return finish(.cancelled) }
        guard isFresh else {
          hasFactor = false
          continue
        }
        // No decrease along Newton's direction: rounding, if the step is short.
        if isNewton, isSolved, normInfinity(d) <= 1e-10 * (1e-10 + normInfinity(x)) {
          best = (x, measure)
          return finish(.converged)
        }
        return finish(
          areFinite(trialValue) ? .stalled : .nonFinite, "no step along Newton's direction makes ‖F‖ smaller")
      }
    }
    fatalError("the loop has no end of its own")
  }

  /// Whether Newton's step −d is long, as far as bounds let it go.
  private mutating func isLong(_ d: [Double], from x: [Double]) -> Bool {
    set(&trial, x, plus: -1, d)
    bounds?.clamp(&trial)
    return isLongStep(from: x, to: trial)
  }

  /// The length t of a step along d at which ‖F‖ has fallen enough, with the point in `trial`; nil if there is none. Without a search the first t
  /// at which F is finite.
  private mutating func search(_ x: [Double], _ size: Double, _ control: SolveControl) throws -> Double? {
    var t = 1.0
    while t > 1e-12 {
      set(&trial, x, plus: t, d)
      bounds?.clamp(&trial)
      try system.function.value(trial, into: &trialValue)
      let new = norm2(trialValue)
      if new.isFinite {
        if !searches || new <= (1 - 1e-4 * t) * size { return t }
        // The minimum of the parabola through ‖F‖² at 0 and t with slope −2 ‖F‖² at 0, kept inside of [t/10, t/2].
        let (a, b) = (size * size, new * new)
        let minimum = a * t * t / (b - a + 2 * a * t)
        t = minimum.isFinite ? min(max(minimum, 0.1 * t), 0.5 * t) : 0.5 * t
      } else {
        t *= 0.25
      }
      if control.cancellation?.isCancelled == true { return nil }
    }
    return nil
  }

  /// −(Jᵀ J + μ I)⁻¹ Jᵀ F, with μ small beside J.
  private mutating func dampedStep() -> Bool {
    guard let jacobian = system.denseJacobian, areFinite(jacobian) else { return false }
    let n = value.count
    var qr = PivotedFactorization(rows: n, columns: n)
    qr.factorize(jacobian)
    guard let largest = qr.columnNorms.max(), largest > 0 else { return false }
    var projected = value
    qr.applyTransposedQ(&projected)
    var gradient = zeros(n)
    multiply(jacobian, rows: n, columns: n, value, into: &gradient, transposed: true)
    // In a region of the size that a step has if the curvature is a hundredth of the largest.
    var parameter = LevenbergParameter(size: n)
    let radius = max(norm2(gradient) / (1e-4 * largest * largest), 1e-300)
    _ = parameter.step(
      &qr, projected, scale: [Double](repeating: 1, count: n), radius: radius, into: &d)
    return areFinite(d) && norm2(d) > 0
  }
}

/// Whether Newton's step leads so far that the point it starts from is no root, however small the residual is.
func isLongStep(from x: [Double], to next: [Double]) -> Bool {
  var longest = 0.0
  for k in x.indices { longest = max(longest, (next[k] - x[k]).magnitude) }
  return longest.isFinite && longest > 1e-6 * (1e-6 + normInfinity(x))
}

/// The corrections of Broyden's method: B⁻¹ after k steps, as the first factor and 2 k vectors.
///
/// With B s = s-direction and the Sherman–Morrison formula, B₊⁻¹ = B⁻¹ + (s − B⁻¹ y) sᵀ B⁻¹ / (sᵀ B⁻¹ y). In the form B₊⁻¹ = (I + u vᵀ) B⁻¹ with
/// u = s − B⁻¹ y and v = s / (sᵀ B⁻¹ y), only u and v are kept.
private struct BroydenUpdates {
  private var left: [[Double]] = []
  private var right: [[Double]] = []
  private var (y, image): ([Double], [Double])

  init(size: Int) { (y, image) = (zeros(size), zeros(size)) }

  mutating func reset() {
    left.removeAll(keepingCapacity: true)
    right.removeAll(keepingCapacity: true)
  }
  /// d = B⁻¹ b.
  func solve(_ system: NewtonSystem, _ b: [Double], into d: inout [Double]) throws -> Bool {
    guard try system.solve(b, into: &d) else { return false }
    for (u, v) in zip(left, right) { add(dot(v, d), u, to: &d) }
    return areFinite(d)
  }
  /// - Returns: false if the correction would make B singular, or there are too many.
  mutating func update(_ system: NewtonSystem, step s: [Double], from old: [Double], to new: [Double]) throws
    -> Bool
  {
    guard left.count < 2 * s.count + 10 else { return false }
    set(&y, new, plus: -1, old)
    var solution = zeros(0)
    swap(&solution, &image)
    defer { swap(&solution, &image) }
    guard try solve(system, y, into: &solution) else { return false }
    let denominator = dot(s, solution)
    guard denominator.magnitude > 1e-10 * norm2(s) * norm2(solution) else { return false }
    var u = s
    add(-1, solution, to: &u)
    left.append(u)
    right.append(s.map { $0 / denominator })
    return true
  }
}
