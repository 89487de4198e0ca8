import DifferentialEquations
import Lanes
import Testing

/// The Lorenz system with all three parameters.
struct Lorenz: VectorField {
  var stateCount: Int { 3 }
  var parameterCount: Int { 3 }

  @inline(__always)
  func rate<L: Lane>(
    at time: L, state y: UnsafePointer<L>, parameters p: UnsafePointer<L>, into rate: UnsafeMutablePointer<L>
  ) {
    rate[0] = p[0] * (y[1] - y[0])
    rate[1] = y[0] * (p[1] - y[2]) - y[1]
    rate[2] = y[0] * y[1] - p[2] * y[2]
  }
  @inline(__always)
  func pullback<L: Lane>(
    at time: L, state y: UnsafePointer<L>, parameters p: UnsafePointer<L>, cotangent c: UnsafePointer<L>,
    state s: UnsafeMutablePointer<L>, addingTo q: UnsafeMutablePointer<L>
  ) {
    s[0] = c[1] * (p[1] - y[2]) + c[2] * y[1] - p[0] * c[0]
    s[1] = p[0] * c[0] - c[1] + c[2] * y[0]
    s[2] = -(c[1] * y[0] + c[2] * p[2])
    q[0] += c[0] * (y[1] - y[0])
    q[1] += c[1] * y[0]
    q[2] -= c[2] * y[2]
  }
}

@Suite struct NativeEquationTests {
  @Test func lorenzTimings() throws {
    let equation = NativeEquation(Lorenz())
    var options = SolverOptions(relativeTolerance: 1e-8, absoluteTolerance: 1e-8)
    options.maximumSteps = 10_000
    let clock = ContinuousClock()
    var best = Duration.seconds(10)
    var bestBoth = Duration.seconds(10)
    for _ in 0..<200 {
      let start = clock.now
      let s = try equation.solve(from: [1, 1, 1], parameters: [10, 28, 8.0 / 3], times: [2], options: options)
      best = min(best, clock.now - start)
      if s.states[0].isNaN { print("nan") }
      let again = clock.now
      let r = try equation.solve(
        from: [1, 1, 1], parameters: [10, 28, 8.0 / 3], times: [2], options: options, keepsRecord: true)
      _ = try r.pullback([1, 0, 0])
      bestBoth = min(bestBoth, clock.now - again)
    }
    let s = try equation.solve(
      from: [1, 1, 1], parameters: [10, 28, 8.0 / 3], times: [2], options: options, keepsRecord: true)
    print("forward", best, "gradient", bestBoth, s.statistics, s.states, try s.pullback([1, 0, 0]))
    let rows = 1024
    let initial = (0..<rows).flatMap { (row: Int) -> [Double] in [1 + 0.001 * Double(row), 1, 1] }
    var bestBatch = Duration.seconds(10)
    var bestBatchBoth = Duration.seconds(10)
    for _ in 0..<5 {
      let start = clock.now
      let batch = try equation.solve(
        from: initial, parameters: [10, 28, 8.0 / 3], times: [2], options: options, keepsRecord: true)
      bestBatch = min(bestBatch, clock.now - start)
      _ = try batch.pullback([Double](repeating: 1, count: 3 * rows))
      bestBatchBoth = min(bestBatchBoth, clock.now - start)
    }
    print("batch", bestBatch / rows, "gradient", bestBatchBoth / rows)
  }
}
