/// A local minimiser of a nonlinear program, by the primal-dual interior-point method with a filter line search of Wächter and Biegler
/// (On the implementation of an interior-point filter line-search algorithm for large-scale nonlinear programming, 2006), dense.
///
/// Rows with two sides have slacks: c(x) − s = 0 with bounds on s; equations and fixed variables have rows without slack. The unknowns are
/// v = (x, s). Where the Hessian has the wrong inertia a multiple of the identity is added; where no step is acceptable, the violation alone is
/// reduced by Levenberg–Marquardt steps inside the bounds. At the end, Newton's method with the active constraints as equations gives the
/// last digits; or, where a barrier is to stay, Newton's method on the conditions with it.
struct NonlinearInteriorPoint {
  let problem: NonlinearProgramProblem
  let options: NonlinearProgramOptions
  let n: Int
  /// Rows of c with two sides, in the order of their slacks, and fixed variables.
  let slackRows: [Int]
  let fixed: [Int]
  let total: Int
  let equations: Int
  /// Sides of v; infinite where there is none.
  var low: [Double]
  var high: [Double]
  var objectiveScale = 1.0
  var rowScale: [Double]
  var evaluations = 0

  // The iterate.
  var v: [Double] = []
  var lambda: [Double] = []
  var zLow: [Double] = []
  var zHigh: [Double] = []
  var objective = 0.0
  var residual: [Double] = []
  var gradient: [Double] = []
  var jacobian: [Double] = []
  var hessian: [Double] = []
  var filter: [(violation: Double, value: Double)] = []

  init(_ problem: NonlinearProgramProblem, _ options: NonlinearProgramOptions) {
    self.problem = problem
    self.options = options
    n = problem.variableCount
    let limit = options.infinity
    slackRows = (0..<problem.rowCount).filter { problem.lower[$0] != problem.upper[$0] }
    fixed = (0..<problem.variableCount).filter { problem.lowerBounds[$0] == problem.upperBounds[$0] }
    total = n + slackRows.count
    equations = problem.rowCount + fixed.count
    rowScale = [Double](repeating: 1, count: problem.rowCount)
    low = problem.lowerBounds + slackRows.map { problem.lower[$0] }
    high = problem.upperBounds + slackRows.map { problem.upper[$0] }
    for i in fixed { (low[i], high[i]) = (-.infinity, .infinity) }
    for i in low.indices {
      if low[i] <= -limit { low[i] = -.infinity }
      if high[i] >= limit { high[i] = .infinity }
    }
  }

  /// Solves from a point.
  mutating func solve(from start: [Double], isCancelled: () -> Bool = { false }) throws
    -> NonlinearProgramSolution
  {
    try begin(start)
    // The barrier that stays, or the least that is of use; and the products of slack and multiplier at the solution.
    let least = options.barrier > 0 ? options.barrier * objectiveScale : options.tolerance / 10
    let target = options.barrier > 0 ? least : 0
    // A small barrier that stays must not drown in the tolerance.
    let tolerance = target > 0 ? min(options.tolerance, max(0.1 * target, 1e-13)) : options.tolerance
    var mu = max(options.firstBarrier, least)
    var status = SolverStatus.iterationLimit
    var iteration = 0
    var lastRegularization = 0.0
    let firstViolation = violation(residual)
    let largestViolation = 1e4 * max(1, firstViolation)
    resetFilter(largestViolation)
    while true {
      guard objective.isFinite, gradient.allSatisfy(\.isFinite), jacobian.allSatisfy(\.isFinite),
        hessian.allSatisfy(\.isFinite)
      else {
        status = .nonFinite
        break
      }
      if optimalityError(mu: target) <= tolerance {
        status = .converged
        break
      }
      if objective < -1e12, v.contains(where: { $0.magnitude > 1e10 }) {
        status = .unbounded
        break
      }
      if iteration >= options.maximumIterations { break }
      if isCancelled() {
        status = .cancelled
        break
      }
      while mu > least, optimalityError(mu: mu) <= 10 * mu {
        mu = max(least, min(0.2 * mu, mu * mu.squareRoot()))
        resetFilter(largestViolation)
      }
      guard let step = direction(mu: mu, lastRegularization: &lastRegularization) else {
        status = .stalled
        break
      }
      let outcome = try search(step, mu: mu)
      iteration += 1
      switch outcome {
      case .moved: try evaluateDerivatives()
      case .needsFeasibility:
        let before = violation(residual)
        if before <= options.tolerance {
          // Nothing is left to gain but rounding; a larger barrier starts afresh at most once per digit.
          if mu > least {
            mu = max(least, 0.1 * mu)
            resetFilter(largestViolation)
            continue
          }
          status = optimalityError(mu: target) <= 1e3 * tolerance ? .converged : .stalled
        } else if try restore(mu: mu) {
          try evaluateDerivatives()
          resetMultipliers(mu: mu)
          continue
        } else {
          status = .infeasible
        }
      }
      if status != .iterationLimit { break }
    }
    if status == .converged {
      if target > 0 {
        try center(mu: target)
        // Where rounding ended the search, the products may be other than the barrier's, or the derivative has no meaning.
        if !(optimalityError(mu: target) <= 10 * tolerance) { status = .stalled }
      } else {
        try polish()
      }
    }
    return try solution(status, iteration, mu: target)
  }
}
