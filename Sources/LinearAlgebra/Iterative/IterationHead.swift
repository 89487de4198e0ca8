/// What iterations for square systems have in common before their first step: checked arguments, the residual to reach, and the
/// most steps.
struct IterationHead {
  let method: String
  let map: DirectedMap
  let target: Double
  let limit: Int

  var size: Int { map.rows }

  init(
    _ method: String, _ map: any LinearMap, _ b: UnsafePointer<Double>, _ stopping: StoppingCriterion,
    transposed: Bool
  ) throws {
    self.method = method
    self.map = DirectedMap(map: map, isTransposed: transposed)
    try self.map.requireSquare(method)
    try stopping.check()
    target = stopping.target(euclideanNorm(b, map.rows))
    limit = stopping.limit(map.rows)
  }

  /// The report of no steps, whose history is empty.
  var emptyReport: IterationReport {
    IterationReport(
      method: method, outcome: .converged, iterations: 0, residual: 0, target: target, history: [])
  }
  /// The report of no steps with the first residual, which is left in `r`.
  func report(
    _ b: UnsafePointer<Double>, _ x: UnsafePointer<Double>, into r: UnsafeMutablePointer<Double>
  ) throws -> IterationReport {
    var report = emptyReport
    report.residual = try map.residual(b, x, into: r)
    report.history = [report.residual]
    return report
  }
}
