/// BiCGStab (van der Vorst 1992), preconditioned from the right, for general square A.
///
/// - Parameters:
///   - transposed: whether the transposed system is solved.
///   - map: A.
///   - b: the right-hand side.
///   - x: the first guess; the solution afterwards.
///   - preconditioner: M⁻¹.
///   - stopping: when to end. The residual is recomputed before convergence is reported.
/// - Throws: ``LinearAlgebraError`` if a number is not finite; what the map throws. That the method cannot go on is an outcome.
/// - Complexity: two products with A and two with M⁻¹ per step; eight vectors of memory.
public func stabilizedBiconjugateGradients(
  _ map: any LinearMap, _ b: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>,
  preconditioner: (any Preconditioner)? = nil, stopping: StoppingCriterion = StoppingCriterion(),
  transposed: Bool = false
) throws -> IterationReport {
  let method = "BiCGStab"
  let head = try IterationHead(method, map, b, stopping, transposed: transposed)
  let (a, n, target, limit) = (head.map, head.size, head.target, head.limit)
  let work = Vectors(8, length: n)
  let (r, shadow, p, v, s, t, y, z) =
    (work[0], work[1], work[2], work[3], work[4], work[5], work[6], work[7])
  var report = try head.report(b, x, into: r)
  var residual = report.residual
  var (rho, alpha, omega) = (1.0, 1.0, 1.0)
  var isFresh = true
  var restarts = 0
  func finish(_ outcome: IterationReport.Outcome) throws -> IterationReport {
    report.residual = try a.residual(b, x, into: r)
    report.outcome = report.residual <= target ? .converged : outcome
    return report
  }
  while true {
    guard residual.isFinite else { throw LinearAlgebraError.nonFinite("the residual of \(method)") }
    if residual <= target {
      let claimed = residual
      residual = try a.residual(b, x, into: r)
      report.residual = residual
      if residual <= target { return report }
      restarts += 1
      if restarts > 20 || claimed == 0 && report.iterations >= limit {
        return try finish(
          .breakdown("rounding keeps the true residual at \(residual), above the target of \(target)"))
      }
      isFresh = true
    }
    if report.iterations >= limit { return try finish(.iterationLimit) }
    if isFresh {
      // After a breakdown another shadow than the residual, whose orthogonality may have been the reason.
      shadow.update(from: r, count: n)
      if restarts > 0 { for k in 0..<n { shadow[k] += 0.5 * residual * jitter(k, restarts) } }
      p.update(repeating: 0, count: n)
      v.update(repeating: 0, count: n)
      (rho, alpha, omega) = (1, 1, 1)
      isFresh = false
    }
    func startAgain() throws -> Bool {
      restarts += 1
      residual = try a.residual(b, x, into: r)
      isFresh = true
      report.iterations += 1
      report.history.append(residual)
      return restarts <= 20
    }
    let next = dotProduct(shadow, r, n)
    // Residual and shadow are (almost) orthogonal: start again with a new shadow.
    if next.magnitude <= 1e-14 * residual * euclideanNorm(shadow, n) || omega == 0 {
      if try startAgain() { continue }
      return try finish(.breakdown("the residual stays orthogonal to its shadow; use GMRES"))
    }
    let beta = next / rho * (alpha / omega)
    for k in 0..<n { p[k] = r[k] + beta * (p[k] - omega * v[k]) }
    try preconditioner.apply(p, y, n, transposed: transposed)
    try a.apply(y, v)
    let projection = dotProduct(shadow, v, n)
    guard projection.magnitude > 1e-14 * euclideanNorm(v, n) * euclideanNorm(shadow, n) else {
      if try startAgain() { continue }
      return try finish(.breakdown("search directions stay orthogonal to the shadow residual; use GMRES"))
    }
    alpha = next / projection
    for k in 0..<n { s[k] = r[k] - alpha * v[k] }
    try preconditioner.apply(s, z, n, transposed: transposed)
    try a.apply(z, t)
    let size = dotProduct(t, t, n)
    omega = size > 0 ? dotProduct(t, s, n) / size : 0
    for k in 0..<n {
      x[k] += alpha * y[k] + omega * z[k]
      r[k] = s[k] - omega * t[k]
    }
    rho = next
    residual = euclideanNorm(r, n)
    report.iterations += 1
    report.history.append(residual)
  }
}

/// A number in [-1, 1] that depends on place and round without a pattern.
private func jitter(_ place: Int, _ round: Int) -> Double {
  var bits = UInt64(truncatingIfNeeded: place &* 31 &+ round) &* 0x9E37_79B9_7F4A_7C15
  bits ^= bits >> 29
  bits &*= 0xBF58_476D_1CE4_E5B9
  bits ^= bits >> 32
  return Double(bits >> 11) / Double(1 << 52) - 1
}
