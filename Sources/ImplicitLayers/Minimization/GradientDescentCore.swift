/// Gradient descent with given step sizes and momenta (Polyak's heavy ball): v ← μₖ v − αₖ ∇f(x), x ← x + v. After the last number of a list
/// that one goes on.
struct GradientDescentCore {
  var tolerance: Double
  var control: SolveControl

  func run(_ function: VectorFunction, from start: [Double], stepSizes: [Double], momenta: [Double]) throws
    -> CoreResult
  {
    let n = function.n
    var (x, velocity, gradient) = (start, zeros(n), zeros(n))
    var recorder = SolveRecorder(control)
    var best = (x: x, value: Double.infinity, measure: Double.infinity)
    func finish(_ status: SolverStatus, _ details: String = "") -> CoreResult {
      recorder.result(status, best.x, function, measure: best.measure, value: best.value, details)
    }
    // Where the objective grows, its size must not excuse a large gradient.
    var firstValue = Double.infinity
    for iteration in 0... {
      let value = try function.objective(x, gradient: &gradient)
      if iteration == 0 { firstValue = value.magnitude }
      let measure = normInfinity(gradient)
      if value.isFinite, measure.isFinite, value <= best.value || measure <= best.measure {
        best = (x, value, measure)
      }
      guard recorder.record(iteration, function, measure: measure, value: value, step: norm2(velocity)) else {
        return finish(.cancelled)
      }
      guard value.isFinite, measure.isFinite else {
        return finish(
          .nonFinite,
          iteration == 0
            ? "the objective or its gradient is not finite at the initial point"
            : "the iteration diverges; make smaller steps")
      }
      if measure <= tolerance * max(1, min(value.magnitude, firstValue)) {
        best = (x, value, measure)
        return finish(.converged)
      }
      if value < -1e20 { return finish(.unbounded) }
      if recorder.isExhausted { return finish(.iterationLimit) }
      let alpha = stepSizes[min(iteration, stepSizes.count - 1)]
      let mu = momenta[min(iteration, momenta.count - 1)]
      for k in 0..<n {
        velocity[k] = mu * velocity[k] - alpha * gradient[k]
        x[k] += velocity[k]
      }
    }
    fatalError("the loop has no end of its own")
  }
}
