/// Picard's iteration with damping, or Anderson's acceleration of it, for F(y) = f(y) − y.
struct FixedPointCore {
  /// Steps that Anderson's method looks back; zero for Picard's.
  var depth: Int
  var tolerance: Double
  var control: SolveControl

  func run(_ function: VectorFunction, from start: [Double], damping: Double) throws -> CoreResult {
    let n = function.n
    var y = start
    var recorder = SolveRecorder(control)
    var (value, lastValue, lastY, next) = (zeros(n), zeros(n), zeros(n), zeros(n))
    var best = (y: y, measure: Double.infinity)
    var lastStep = 0.0
    var history = AndersonHistory(size: n, depth: min(depth, n))
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
      lastY = y
      lastValue = value
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
  private var points: [[Double]] = []
  private var values: [[Double]] = []
  var count: Int { points.count }

  init(size: Int, depth: Int) {
    self.size = size
    self.depth = depth
  }
  mutating func reset() {
    points.removeAll()
    values.removeAll()
  }
  mutating func append(point: [Double], lastPoint: [Double], value: [Double], lastValue: [Double]) {
    guard depth > 0 else { return }
    var (step, change) = (point, value)
    add(-1, lastPoint, to: &step)
    add(-1, lastValue, to: &change)
    guard norm2(change) > 0 else { return }
    if points.count == depth {
      points.removeFirst()
      values.removeFirst()
    }
    points.append(step)
    values.append(change)
  }
  func correct(_ next: inout [Double], _ value: [Double], damping: Double) {
    let columns = values.count
    guard columns > 0 else { return }
    var matrix = zeros(size * columns)
    for (j, change) in values.enumerated() { for i in 0..<size { matrix[i * columns + j] = change[i] } }
    var qr = PivotedFactorization(rows: size, columns: columns)
    qr.factorize(matrix)
    var projected = value
    qr.applyTransposedQ(&projected)
    var gamma = zeros(columns)
    // Differences that depend on each other to rounding are left out.
    let limit = 1e-10 * (qr.diagonal.first?.magnitude ?? 0)
    let rank = min(qr.diagonal.firstIndex { $0.magnitude <= limit } ?? columns, size)
    qr.solve(projected, into: &gamma, rank: rank)
    for j in 0..<columns {
      add(-gamma[j], points[j], to: &next)
      add(-damping * gamma[j], values[j], to: &next)
    }
  }
}
