/// MINRES (Paige and Saunders 1975), preconditioned, for symmetric A, definite or not, and symmetric positive definite M.
///
/// - Parameters:
///   - transposed: whether the transposed system is solved.
///   - map: A. Its symmetry is not checked.
///   - b: the right-hand side.
///   - x: the first guess; the solution afterwards.
///   - preconditioner: M⁻¹, symmetric positive definite.
///   - stopping: when to end. The method minimises the residual in the norm of M⁻¹, which is what the history holds; the
///     true residual decides.
/// - Throws: ``LinearAlgebraError`` if the preconditioner is not positive definite or a number is not finite; what the map throws.
/// - Complexity: one product with A and one with M⁻¹ per step; seven vectors of memory.
public func minimumResidual(
  _ map: any LinearMap, _ b: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>,
  preconditioner: (any Preconditioner)? = nil, stopping: StoppingCriterion = StoppingCriterion(),
  transposed: Bool = false
) throws -> IterationReport {
  let method = "MINRES"
  let head = try IterationHead(method, map, b, stopping, transposed: transposed)
  let (a, n, target, limit) = (head.map, head.size, head.target, head.limit)
  let work = Vectors(8, length: n)
  var (older, old, fresh) = (work[0], work[1], work[2])
  let (z, v) = (work[3], work[4])
  var (wOlder, wOld, w) = (work[5], work[6], work[7])
  var report = head.emptyReport
  // Each round is one run of Lanczos' process; a second one starts from the true residual if the first stopped early.
  var before = Double.infinity
  while true {
    let start = try a.residual(b, x, into: old)
    report.residual = start
    if report.history.isEmpty { report.history.append(start) }
    guard start.isFinite else { throw LinearAlgebraError.nonFinite("the residual of \(method)") }
    if start <= target { return report }
    if report.iterations >= limit {
      report.outcome = .iterationLimit
      return report
    }
    if start >= 0.5 * before {
      report.outcome = .breakdown(
        "the residual stays at \(start), above the target of \(target). The matrix is singular and the right-hand side has "
          + "a part outside of its range, or rounding allows no more")
      return report
    }
    before = start
    older.update(repeating: 0, count: n)
    wOlder.update(repeating: 0, count: n)
    wOld.update(repeating: 0, count: n)
    try preconditioner.apply(old, z, n, transposed: transposed)
    var beta = try norm(old, z, n, method)
    var betaOld = 0.0
    // What is left of the residual, and the last two rotations' share of the tridiagonal matrix' next column.
    var left = beta
    var (cosine, sine, bar, epsilon) = (-1.0, 0.0, 0.0, 0.0)
    let enough = target / start * beta
    while left > enough, report.iterations < limit {
      // One step of Lanczos' process in the inner product of M⁻¹; `z` is M⁻¹ times the present vector.
      for k in 0..<n { v[k] = z[k] / beta }
      try a.apply(v, fresh)
      if betaOld > 0 { addScaled(-beta / betaOld, older, to: fresh, n) }
      let alpha = dotProduct(v, fresh, n)
      addScaled(-alpha / beta, old, to: fresh, n)
      (older, old, fresh) = (old, fresh, older)
      try preconditioner.apply(old, z, n, transposed: transposed)
      betaOld = beta
      beta = try norm(old, z, n, method)
      let third = epsilon
      let second = cosine * bar + sine * alpha
      let remaining = sine * bar - cosine * alpha
      epsilon = sine * beta
      bar = -cosine * beta
      let first = (remaining * remaining + beta * beta).squareRoot()
      guard first > 0 else {
        if !first.isFinite { throw LinearAlgebraError.nonFinite("the residual of \(method)") }
        report.outcome = .breakdown(
          "the matrix is singular, and the right-hand side lies outside of its range")
        report.residual = try a.residual(b, x, into: fresh)
        return report
      }
      (cosine, sine) = (remaining / first, beta / first)
      for k in 0..<n { w[k] = (v[k] - third * wOlder[k] - second * wOld[k]) / first }
      addScaled(cosine * left, w, to: x, n)
      left *= sine
      (wOlder, wOld, w) = (wOld, w, wOlder)
      report.iterations += 1
      report.history.append(left)
    }
  }
}

/// √(rᵀ z) with z = M⁻¹ r.
private func norm(_ r: UnsafePointer<Double>, _ z: UnsafePointer<Double>, _ n: Int, _ method: String) throws
  -> Double
{
  let product = dotProduct(r, z, n)
  guard product >= 0 else {
    if product.isNaN { throw LinearAlgebraError.nonFinite("the residual of \(method)") }
    throw LinearAlgebraError.notPositiveDefinite(
      "the preconditioner has a direction with rᵀ M⁻¹ r = \(product)")
  }
  return product.squareRoot()
}
