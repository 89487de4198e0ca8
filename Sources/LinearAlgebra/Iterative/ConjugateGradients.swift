/// Conjugate gradients (Hestenes and Stiefel 1952), preconditioned, for symmetric positive definite A and M.
///
/// - Parameters:
///   - transposed: whether the transposed system is solved.
///   - map: A. Its symmetry is not checked.
///   - b: the right-hand side.
///   - x: the first guess; the solution afterwards.
///   - preconditioner: M⁻¹, symmetric positive definite.
///   - stopping: when to end. The residual is recomputed before convergence is reported.
/// - Throws: ``LinearAlgebraError/notPositiveDefinite(_:)`` if a direction with xᵀ A x ≤ 0 turns up, ``LinearAlgebraError/nonFinite(_:)``,
///   or what the map throws.
/// - Complexity: one product with A and one with M⁻¹ per step; four vectors of memory.
public func conjugateGradients(
  _ map: any LinearMap, _ b: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>,
  preconditioner: (any Preconditioner)? = nil, stopping: StoppingCriterion = StoppingCriterion(),
  transposed: Bool = false
) throws -> IterationReport {
  let method = "conjugate gradients"
  let head = try IterationHead(method, map, b, stopping, transposed: transposed)
  let (a, n, target, limit) = (head.map, head.size, head.target, head.limit)
  let work = Vectors(4, length: n)
  let (r, z, p, q) = (work[0], work[1], work[2], work[3])
  var report = try head.report(b, x, into: r)
  var residual = report.residual
  var last = residual
  var previous = 1.0
  var isFirst = true
  while true {
    guard residual.isFinite else { throw LinearAlgebraError.nonFinite("the residual of \(method)") }
    if residual <= target {
      // The recursion drifts from the truth: start again from the true residual unless that is small as well.
      residual = try a.residual(b, x, into: r)
      report.residual = residual
      if residual <= target { return report }
      if residual >= 0.5 * last {
        report.outcome = .breakdown(
          "rounding keeps the true residual at \(residual), above the target of \(target); ask for less accuracy"
        )
        return report
      }
      last = residual
      isFirst = true
    }
    if report.iterations >= limit {
      report.residual = try a.residual(b, x, into: r)
      report.outcome = report.residual <= target ? .converged : .iterationLimit
      return report
    }
    try preconditioner.apply(r, z, n, transposed: transposed)
    let rho = dotProduct(r, z, n)
    guard rho > 0 || residual == 0 else {
      throw LinearAlgebraError.notPositiveDefinite(
        "the preconditioner has a direction with rᵀ M⁻¹ r = \(rho) in iteration \(report.iterations)")
    }
    scaleAndAdd(isFirst ? 0 : rho / previous, p, z, n)
    isFirst = false
    try a.apply(p, q)
    let curvature = dotProduct(p, q, n)
    guard curvature > 0 else {
      if curvature.isNaN { throw LinearAlgebraError.nonFinite("the residual of \(method)") }
      throw LinearAlgebraError.notPositiveDefinite(
        "\(method) met a direction with pᵀ A p = \(curvature) in iteration \(report.iterations)")
    }
    let alpha = rho / curvature
    addScaled(alpha, p, to: x, n)
    addScaled(-alpha, q, to: r, n)
    previous = rho
    residual = euclideanNorm(r, n)
    report.iterations += 1
    report.history.append(residual)
  }
}
