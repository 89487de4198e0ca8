/// Picard's iteration with damping, or Anderson's acceleration of it, for F(y) = f(y) − y.
struct FixedPointCore {
  /// Steps that Anderson's method looks back; zero for Picard's.
  let depth: Int
  let tolerance: Double
  let function: VectorFunction
  // Memory of all solves.
  private var (value, lastValue, lastY, next): ([Double], [Double], [Double], [Double])
  private var history: AndersonHistory

  init(_ function: VectorFunction, depth: Int, tolerance: Double) {
    (self.function, self.depth, self.tolerance) = (function, depth, tolerance)
    let n = function.n
    (value, lastValue, lastY, next) = (zeros(n), zeros(n), zeros(n), zeros(n))
    history = AndersonHistory(size: n, depth: min(depth, n))
  }

  mutating func run(from start: [Double], damping: Double, control: SolveControl) throws -> CoreResult {
    let (n, function) = (function.n, function)
    var y = start
    var recorder = SolveRecorder(control)
    history.reset()
    var best = (y: y, measure: Double.infinity)
    var lastStep = 0.0
    func finish(_ status: SolverStatus, _ details: String = "") -> CoreResult {
      recorder.result(
        status, best.y, function, measure: best.measure, value: best.measure, details)
    }
    for iteration in 0... {
      try function.value(y, into: &value)
      let measure = areFinite(value) ? normInfinity(value) / max(1, normInfinity(y)) : .infinity
      guard recorder.record(iteration, function, measure: measure, value: measure, step: lastStep) else {
        return finish(.cancelled)
      }
      if !measure.isFinite {
        guard history.count > 0, best.measure.isFinite else {
          return finish(
            .nonFinite,
            iteration == 0
              ? "the function is not finite at the initial point"
              : "the iteration diverges; use damping, or root(_:guess:)")
        }
        // An extrapolation too far: back to the best point, with a plain step.
        history.reset()
        y = best.y
        try function.value(y, into: &value)
      } else {
        if measure < best.measure { best = (y, measure) }
        if measure <= tolerance { return finish(.converged) }
        if recorder.isExhausted { return finish(.iterationLimit) }
        if measure > 1e4 * best.measure { history.reset() }
      }
      if depth > 0, iteration > 0, measure.isFinite {
        history.append(point: y, lastPoint: lastY, value: value, lastValue: lastValue)
      }
      for k in 0..<n { (lastY[k], lastValue[k]) = (y[k], value[k]) }
      set(&next, y, plus: damping, value)
      history.correct(&next, value, damping: damping)
      if !areFinite(next) {
        history.reset()
        set(&next, y, plus: damping, value)
      }
      lastStep = 0
      for k in 0..<n { lastStep += (next[k] - y[k]) * (next[k] - y[k]) }
      lastStep = lastStep.squareRoot()
      swap(&y, &next)
    }
    fatalError("the loop has no end of its own")
  }
}

/// The last differences of points and values. With ΔF γ closest to F, the next point is y + β F − (ΔY + β ΔF) γ.
private struct AndersonHistory {
  private let size: Int
  private let depth: Int
  /// Row-major matrices whose columns are differences; columns that are not used are zero.
  private var points: [Double]
  private var values: [Double]
  private var place = 0
  private(set) var count = 0
  private var qr: PivotedFactorization
  private var (projected, gamma): ([Double], [Double])

  init(size: Int, depth: Int) {
    self.size = size
    self.depth = depth
    points = zeros(size * depth)
    values = points
    qr = PivotedFactorization(rows: size, columns: depth)
    (projected, gamma) = (zeros(size), zeros(depth))
  }
  mutating func reset() {
    for k in points.indices { (points[k], values[k]) = (0, 0) }
    (place, count) = (0, 0)
  }
  mutating func append(point: [Double], lastPoint: [Double], value: [Double], lastValue: [Double]) {
    guard depth > 0, (0..<size).contains(where: { value[$0] != lastValue[$0] }) else { return }
    for i in 0..<size {
      points[i * depth + place] = point[i] - lastPoint[i]
      values[i * depth + place] = value[i] - lastValue[i]
    }
    place = (place + 1) % depth
    count = min(count + 1, depth)
  }
  mutating func correct(_ next: inout [Double], _ value: [Double], damping: Double) {
    guard count > 0 else { return }
    qr.factorize(values)
    for i in 0..<size { projected[i] = value[i] }
    qr.applyTransposedQ(&projected)
    // Differences that depend on each other to rounding are left out.
    let limit = 1e-10 * qr.diagonal[0].magnitude
    let rank = min(qr.diagonal.firstIndex { $0.magnitude <= limit } ?? depth, size)
    qr.solve(projected, into: &gamma, rank: rank)
    for i in 0..<size {
      var sum = 0.0
      for j in 0..<depth { sum += gamma[j] * (points[i * depth + j] + damping * values[i * depth + j]) }
      next[i] -= sum
    }
  }
}
