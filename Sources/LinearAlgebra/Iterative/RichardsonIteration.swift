/// Richardson's iteration x ← x + M⁻¹ (b − A x), for general square A: with M the diagonal Jacobi's, with M a triangle Gauß and Seidel's.
///
/// - Parameters:
///   - transposed: whether the transposed system is solved.
///   - map: A.
///   - b: the right-hand side.
///   - x: the first guess; the solution afterwards.
///   - preconditioner: M⁻¹; the iteration converges if I − M⁻¹ A contracts.
///   - stopping: when to end.
/// - Throws: ``LinearAlgebraError`` if a number is not finite; what the map throws. That the iteration diverges is an outcome.
/// - Complexity: one product with A and one with M⁻¹ per step; two vectors of memory.
public func richardsonIteration(
  _ map: any LinearMap, _ b: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>,
  preconditioner: (any Preconditioner)? = nil, stopping: StoppingCriterion = StoppingCriterion(),
  transposed: Bool = false
) throws -> IterationReport {
  let method = "Richardson's iteration"
  let head = try IterationHead(method, map, b, stopping, transposed: transposed)
  let (a, n, target, limit) = (head.map, head.size, head.target, head.limit)
  let work = Vectors(2, length: n)
  let (r, z) = (work[0], work[1])
  var report = try head.report(b, x, into: r)
  let start = report.residual
  while true {
    guard report.residual.isFinite else { throw LinearAlgebraError.nonFinite("the residual of \(method)") }
    if report.residual <= target { return report }
    if report.residual > 1e8 * max(start, target) {
      report.outcome = .breakdown(
        "it diverges, from a residual of \(start) to \(report.residual): the step is too long for the matrix, or the "
          + "preconditioner too far from it")
      return report
    }
    if report.iterations >= limit {
      report.outcome = .iterationLimit
      return report
    }
    try preconditioner.apply(r, z, n, transposed: transposed)
    addScaled(1, z, to: x, n)
    report.residual = try a.residual(b, x, into: r)
    report.iterations += 1
    report.history.append(report.residual)
  }
}
