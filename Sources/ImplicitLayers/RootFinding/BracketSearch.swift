import Foundation

/// Many scalar equations, each with a bracket of its own, evaluated together.
struct BracketSearch {
  struct Result {
    var x: [Double]
    var values: [Double]
    var status: [SolverStatus]
    var details: [Int: String] = [:]
    /// Of each equation until it is solved.
    var iterations: [Int]
    /// The smallest value of each equation and the width of its bracket, at first and after each iteration, as far as they are asked for.
    var history: [[(value: Double, width: Double)]] = []
  }
  var method: BracketMethod
  var tolerance: Double
  var control: SolveControl
  /// Steps of the history that are kept.
  var historyLength: Int

  /// - Parameters:
  ///   - lower: the lower ends, finite.
  ///   - upper: the upper ends, not below them.
  ///   - evaluate: all equations at once.
  func run(
    _ lower: [Double], _ upper: [Double], _ evaluate: (_ x: [Double], _ values: inout [Double]) throws -> Void
  ) throws -> Result {
    let n = lower.count
    var result = Result(
      x: lower, values: zeros(n), status: [SolverStatus](repeating: .converged, count: n),
      iterations: [Int](repeating: 0, count: n))
    var (atLower, atUpper) = (zeros(n), zeros(n))
    try evaluate(lower, &atLower)
    try evaluate(upper, &atUpper)
    var iteration = 0
    var brackets: [Bracket] = []
    for k in 0..<n {
      brackets.append(
        Bracket(lower[k], upper[k], atLower[k], atUpper[k], method: method, tolerance: tolerance))
    }
    var (points, values) = (lower, zeros(n))
    func progress(_ iteration: Int) -> SolveProgress {
      let measure = brackets.lazy.map(\.best.value.magnitude).max() ?? 0
      return SolveProgress(
        iteration: iteration, evaluations: iteration + 2, measure: measure, value: measure,
        stepLength: brackets.lazy.map(\.width).max() ?? 0)
    }
    var end = SolverStatus.iterationLimit
    while true {
      var isMoving = false
      for k in 0..<n {
        points[k] = brackets[k].next()
        if !brackets[k].isDone { isMoving = true }
      }
      if result.history.count < historyLength {
        result.history.append(brackets.map { ($0.best.value.magnitude, $0.width) })
      }
      if !isMoving { break }
      if !control.goesOn(progress(iteration)) {
        end = .cancelled
        break
      }
      if iteration == control.maximumIterations { break }
      try evaluate(points, &values)
      iteration += 1
      for k in 0..<n where !brackets[k].isDone {
        brackets[k].update(points[k], values[k])
        result.iterations[k] = iteration
      }
    }
    for k in 0..<n {
      (result.x[k], result.values[k]) = brackets[k].best
      if let failure = brackets[k].failure {
        result.status[k] = failure.status
        result.details[k] = failure.details
      } else if !brackets[k].isDone {
        result.status[k] = end
      }
    }
    return result
  }
}

/// One bracket [a, b] with f(a) and f(b) of opposite signs.
private struct Bracket {
  private var a: Double
  private var b: Double
  private var atA: Double
  private var atB: Double
  private let method: BracketMethod
  private let epsilon: Double
  private let firstHeight: Double
  private let firstWidth: Double
  private var steps = 0
  private var mostSteps = 0
  private(set) var isDone = false
  private(set) var failure: (status: SolverStatus, details: String)?
  // Brent's method: the previous best point, and the last two steps.
  private var c: Double
  private var atC: Double
  private var step: Double
  private var stepBefore: Double

  init(
    _ a: Double, _ b: Double, _ atA: Double, _ atB: Double, method: BracketMethod, tolerance: Double
  ) {
    (self.a, self.b, self.atA, self.atB, self.method) = (a, b, atA, atB, method)
    epsilon = max(tolerance, 4 * Double.ulpOfOne) * max(a.magnitude, b.magnitude, Double.leastNormalMagnitude)
    firstHeight = (atB - atA).magnitude
    firstWidth = b - a
    (c, atC, step, stepBefore) = (a, atA, b - a, b - a)
    if !(atA.isFinite && atB.isFinite) {
      failure = (.nonFinite, "the function is not finite at an end of the bracket [\(a), \(b)]")
      isDone = true
    } else if atA == 0 || atB == 0 || a == b {
      isDone = atA == 0 || atB == 0
    } else if (atA > 0) == (atB > 0) {
      failure = (
        .infeasible,
        "the function has the same sign, \(atA) and \(atB), at both ends of the bracket [\(a), \(b)]"
      )
      isDone = true
    }
    if a == b, !isDone {
      failure = (.infeasible, "the bracket is one point, where the function is \(atA)")
      isDone = true
    }
    if !isDone { mostSteps = Int(max(0, (log2((b - a) / (2 * epsilon))).rounded(.up))) + 1 }
  }

  var width: Double { (b - a).magnitude }
  /// The end with the smaller value.
  var best: (x: Double, value: Double) { atA.magnitude < atB.magnitude ? (a, atA) : (b, atB) }

  /// The next point at which f is wanted.
  mutating func next() -> Double {
    if isDone { return best.x }
    switch method {
    case .bisection, .itp:
      if width <= 2 * epsilon {
        finish()
        return best.x
      }
      return method == .itp ? interpolated() : 0.5 * (a + b)
    case .brent: return brentPoint()
    }
  }
  mutating func update(_ x: Double, _ value: Double) {
    guard value.isFinite else {
      failure = (.nonFinite, "the function is not finite at \(x)")
      isDone = true
      return
    }
    steps += 1
    switch method {
    case .bisection, .itp:
      if value == 0 {
        (a, b, atA, atB) = (x, x, 0, 0)
        isDone = true
      } else if (value > 0) == (atB > 0) {
        (b, atB) = (x, value)
      } else {
        (a, atA) = (x, value)
      }
    case .brent:
      (a, atA) = (b, atB)
      (b, atB) = (x, value)
      if value == 0 { isDone = true }
    }
  }

  /// A jump narrows like a root, but the values at the ends stay apart.
  private mutating func finish() {
    isDone = true
    let height = method == .brent ? (atB - atC).magnitude : (atB - atA).magnitude
    if height > 1e-3 * firstHeight, firstWidth > 1e4 * epsilon {
      failure = (
        .stalled, "the function jumps at \(best.x), or has a pole there, and has no root in the bracket"
      )
    }
  }

  /// The secant's point, moved towards the middle by κ₁ (b − a)², and kept near enough to the middle that bisection is never more than one
  /// step ahead.
  private func interpolated() -> Double {
    let middle = 0.5 * (a + b)
    let half = 0.5 * (b - a)
    let reach = max(0, epsilon * pow(2, Double(mostSteps - steps)) - half)
    let secant = (atB * a - atA * b) / (atB - atA)
    let side: Double = middle >= secant ? 1 : -1
    let truncation = 0.2 * (b - a) * ((b - a) / firstWidth)
    var x = truncation <= (middle - secant).magnitude ? secant + side * truncation : middle
    if !((x - middle).magnitude <= reach) { x = middle - side * reach }
    return min(max(x, a), b)
  }

  private mutating func brentPoint() -> Double {
    // b is the best point, a the one before, and c the other end of the bracket.
    if (atB > 0) == (atC > 0) {
      (c, atC, step) = (a, atA, b - a)
      stepBefore = step
    }
    if atC.magnitude < atB.magnitude {
      (a, b, c) = (b, c, b)
      (atA, atB, atC) = (atB, atC, atB)
    }
    let least = 2 * Double.ulpOfOne * b.magnitude + 0.5 * epsilon
    let half = 0.5 * (c - b)
    if half.magnitude <= least || atB == 0 {
      finish()
      return b
    }
    if stepBefore.magnitude >= least, atA.magnitude > atB.magnitude {
      let s = atB / atA
      var (p, q): (Double, Double)
      if a == c {
        (p, q) = (2 * half * s, 1 - s)
      } else {
        let (u, r) = (atA / atC, atB / atC)
        p = s * (2 * half * u * (u - r) - (b - a) * (r - 1))
        q = (u - 1) * (r - 1) * (s - 1)
      }
      if p > 0 { q = -q } else { p = -p }
      if 2 * p < min(3 * half * q - (least * q).magnitude, (stepBefore * q).magnitude) {
        (stepBefore, step) = (step, p / q)
      } else {
        (step, stepBefore) = (half, half)
      }
    } else {
      (step, stepBefore) = (half, half)
    }
    return step.magnitude > least ? b + step : b + (half > 0 ? least : -least)
  }
}
