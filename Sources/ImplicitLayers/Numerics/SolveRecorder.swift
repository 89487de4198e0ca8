/// Keeps the trace of a solve, and asks after each iteration whether it goes on.
struct SolveRecorder {
  let control: SolveControl
  private(set) var trace: [SolveProgress] = []

  init(_ control: SolveControl) {
    self.control = control
    trace.reserveCapacity(min(control.maximumIterations + 1, 16))
  }

  /// Iterations made.
  var iterations: Int { trace.last?.iteration ?? 0 }
  /// Whether no further iteration may be made.
  var isExhausted: Bool { iterations >= control.maximumIterations }

  /// Records a point.
  /// - Returns: false if the solve is cancelled.
  mutating func record(
    _ iteration: Int, _ function: VectorFunction, measure: Double, value: Double, step: Double
  ) -> Bool {
    let progress = SolveProgress(
      iteration: iteration, evaluations: function.evaluations, measure: measure, value: value,
      stepLength: step)
    trace.append(progress)
    return control.goesOn(progress)
  }

  /// The end of a solve that cannot start, as something is not finite there.
  mutating func failedStart(_ x: [Double], _ function: VectorFunction, value: Double, _ what: String)
    -> CoreResult
  {
    _ = record(0, function, measure: .infinity, value: value, step: 0)
    return result(
      .nonFinite, x, function, measure: .infinity, value: value, "\(what) is not finite at the initial point")
  }

  /// The end of a solve.
  func result(
    _ status: SolverStatus, _ x: [Double], _ function: VectorFunction, measure: Double, value: Double,
    _ details: String = ""
  ) -> CoreResult {
    let report = SolveReport(
      status: status, iterations: iterations, evaluations: function.evaluations,
      derivativeEvaluations: function.derivativeEvaluations, measure: measure, value: value, trace: trace)
    var details = details
    if status != .converged, let failure = function.failure {
      details += (details.isEmpty ? "" : "; ") + "inside of the function: \(failure)"
    }
    return CoreResult(x: x, report: report, details: details)
  }
}

/// What the core of a solver gives: the best point and what happened.
struct CoreResult {
  var x: [Double]
  var report: SolveReport
  var details = ""
}

/// Lower and upper bounds of the unknowns, in numbers.
struct BoxBounds {
  var lower: [Double]
  var upper: [Double]

  func clamp(_ x: inout [Double]) {
    for k in x.indices { x[k] = min(max(x[k], lower[k]), upper[k]) }
  }
  /// Whether an unknown may move: it is not held at a bound by the gradient.
  func isFree(_ x: [Double], _ gradient: [Double], _ k: Int) -> Bool {
    !((x[k] <= lower[k] && gradient[k] > 0) || (x[k] >= upper[k] && gradient[k] < 0))
  }
}
