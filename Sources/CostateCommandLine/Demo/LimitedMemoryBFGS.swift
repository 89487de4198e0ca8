/// Minimises a smooth function by limited-memory BFGS (Nocedal and Wright, algorithm 7.5) with a backtracking line
/// search that asks for sufficient decrease.
struct LimitedMemoryBFGS {
  var memory = 10
  var maximumIterations = 100
  /// Stops when no component of the gradient is larger.
  var gradientTolerance = 1e-6
  /// The length of the first step, before anything is known about the curvature.
  var firstStepLength = 0.1

  struct Result {
    var point: [Double]
    var value: Double
    var iterations: Int
    var converged: Bool
  }

  /// - Parameters:
  ///   - evaluate: the value and the gradient; a value that is not finite makes the line search step back.
  ///   - report: called with the value at the start and after each iteration.
  func minimize(
    from start: [Double],
    evaluate: ([Double]) throws -> (value: Double, gradient: [Double]),
    report: (_ iteration: Int, _ value: Double) -> Void = { _, _ in }
  ) throws -> Result {
    var point = start
    var (value, gradient) = try evaluate(point)
    var steps: [[Double]] = []
    var changes: [[Double]] = []
    report(0, value)
    for iteration in 1...maximumIterations {
      guard gradient.contains(where: { abs($0) > gradientTolerance }) else {
        return Result(point: point, value: value, iterations: iteration - 1, converged: true)
      }
      var direction = self.direction(gradient, steps: steps, changes: changes)
      var slope = dot(direction, gradient)
      if slope >= 0 {
        steps = []
        changes = []
        direction = self.direction(gradient, steps: [], changes: [])
        slope = dot(direction, gradient)
      }
      var length = 1.0
      var accepted: (point: [Double], value: Double, gradient: [Double])?
      for _ in 0..<30 {
        let trial = zip(point, direction).map { $0 + length * $1 }
        let (trialValue, trialGradient) = try evaluate(trial)
        if trialValue.isFinite, trialValue <= value + 1e-4 * length * slope {
          accepted = (trial, trialValue, trialGradient)
          break
        }
        length /= 2
      }
      guard let accepted else {
        return Result(point: point, value: value, iterations: iteration - 1, converged: false)
      }
      let step = zip(accepted.point, point).map { $0 - $1 }
      let change = zip(accepted.gradient, gradient).map { $0 - $1 }
      // Only pairs with positive curvature keep the approximation positive definite.
      if dot(step, change) > 1e-10 * dot(step, step) {
        steps.append(step)
        changes.append(change)
        if steps.count > memory {
          steps.removeFirst()
          changes.removeFirst()
        }
      }
      (point, value, gradient) = accepted
      report(iteration, value)
    }
    return Result(point: point, value: value, iterations: maximumIterations, converged: false)
  }

  /// Minus the approximate inverse Hessian times the gradient (the two-loop recursion).
  private func direction(_ gradient: [Double], steps: [[Double]], changes: [[Double]]) -> [Double] {
    var q = gradient
    var weights = [Double](repeating: 0, count: steps.count)
    for i in steps.indices.reversed() {
      weights[i] = dot(steps[i], q) / dot(steps[i], changes[i])
      for k in q.indices { q[k] -= weights[i] * changes[i][k] }
    }
    let scale: Double
    if let step = steps.last, let change = changes.last {
      scale = dot(step, change) / dot(change, change)
    } else {
      scale = firstStepLength / max(dot(gradient, gradient).squareRoot(), .leastNormalMagnitude)
    }
    for k in q.indices { q[k] *= scale }
    for i in steps.indices {
      let weight = dot(changes[i], q) / dot(steps[i], changes[i])
      for k in q.indices { q[k] += (weights[i] - weight) * steps[i][k] }
    }
    return q.map { -$0 }
  }

  private func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
}
