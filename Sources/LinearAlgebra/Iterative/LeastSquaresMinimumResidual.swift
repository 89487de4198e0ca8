/// LSMR (Fong and Saunders 2011): the x that minimises ‖A x − b‖² + damping² ‖x‖², for A of any shape; of several the shortest,
/// if the first guess is zero.
///
/// It is MINRES on the normal equations, by Golub and Kahan's bidiagonalisation, so that ‖Aᵀ r‖ falls in every step.
///
/// - Parameters:
///   - damping: adds this number times the norm of the solution to what is minimised.
///   - transposed: whether the transposed system is solved.
///   - map: A.
///   - b: the right-hand side.
///   - x: the first guess; the solution afterwards.
///   - stopping: the iteration ends when ‖r‖ ≤ max(relative · ‖b‖, absolute) (consistent systems), or ‖Aᵀ r‖ ≤ relative · ‖A‖ ‖r‖ with an
///     estimate of ‖A‖. What the report calls residual is the smaller of ‖r‖ and ‖Aᵀ r‖ / ‖A‖.
/// - Throws: ``LinearAlgebraError`` if a number is not finite; what the map throws.
/// - Complexity: one product with A and one with Aᵀ per step.
public func leastSquaresMinimumResidual(
  _ map: any LinearMap, _ b: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>, damping: Double = 0,
  stopping: StoppingCriterion = StoppingCriterion(), transposed: Bool = false
) throws -> IterationReport {
  let method = "LSMR"
  let a = DirectedMap(map: map, isTransposed: transposed)
  try stopping.check()
  let (m, n) = (a.rows, a.columns)
  let (left, right) = (Vectors(2, length: m), Vectors(5, length: n))
  let (u, au) = (left[0], left[1])
  let (v, atu, h, hBar, dx) = (right[0], right[1], right[2], right[3], right[4])
  let target = stopping.target(euclideanNorm(b, m))
  let limit = stopping.maximumIterations ?? max(10 * min(m, n), 20)
  var beta = try a.residual(b, x, into: u)
  var report = IterationReport(
    method: method, outcome: .converged, iterations: 0, residual: beta, target: target, history: [beta])
  guard beta.isFinite else { throw LinearAlgebraError.nonFinite("the residual of \(method)") }
  if beta <= target { return report }
  scale(1 / beta, u, m)
  try a.applyTransposed(u, v)
  var alpha = euclideanNorm(v, n)
  if alpha == 0 {
    report.residual = 0
    return report
  }
  scale(1 / alpha, v, n)
  var (zetaBar, alphaBar) = (alpha * beta, alpha)
  var (rho, rhoBar, cBar, sBar) = (1.0, 1.0, 1.0, 0.0)
  h.update(from: v, count: n)
  // Estimates of ‖r‖.
  var (betadd, betad, rhodold, tautildeold, thetatilde, zeta, d) = (beta, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
  var squaredNorm = alpha * alpha
  while report.iterations < limit {
    try a.apply(v, au)
    for k in 0..<m { u[k] = au[k] - alpha * u[k] }
    beta = euclideanNorm(u, m)
    if beta > 0 {
      scale(1 / beta, u, m)
      try a.applyTransposed(u, atu)
      for k in 0..<n { v[k] = atu[k] - beta * v[k] }
      alpha = euclideanNorm(v, n)
      if alpha > 0 { scale(1 / alpha, v, n) }
    } else {
      alpha = 0
    }
    let alphaHat = (alphaBar * alphaBar + damping * damping).squareRoot()
    let (cHat, sHat) = alphaHat > 0 ? (alphaBar / alphaHat, damping / alphaHat) : (1, 0)
    let rhoOld = rho
    rho = (alphaHat * alphaHat + beta * beta).squareRoot()
    guard rho > 0, rho.isFinite else {
      if rho == 0 { break }
      throw LinearAlgebraError.nonFinite("a direction of \(method)")
    }
    let (c, s) = (alphaHat / rho, beta / rho)
    let theta = s * alpha
    alphaBar = c * alpha
    let (rhoBarOld, zetaOld) = (rhoBar, zeta)
    let thetaBar = sBar * rho
    let rhoTemporary = cBar * rho
    rhoBar = (rhoTemporary * rhoTemporary + theta * theta).squareRoot()
    guard rhoBar > 0 else { break }
    (cBar, sBar) = (rhoTemporary / rhoBar, theta / rhoBar)
    zeta = cBar * zetaBar
    zetaBar = -sBar * zetaBar
    let first = report.iterations == 0 ? 0 : thetaBar * rho / (rhoOld * rhoBarOld)
    for k in 0..<n { hBar[k] = h[k] - first * hBar[k] }
    let step = zeta / (rho * rhoBar)
    for k in 0..<n {
      dx[k] = step * hBar[k]
      x[k] += dx[k]
      h[k] = v[k] - theta / rho * h[k]
    }
    report.iterations += 1
    // ‖r‖ by further rotations.
    let betaAcute = cHat * betadd
    let betaCheck = -sHat * betadd
    let betaHat = c * betaAcute
    betadd = -s * betaAcute
    let thetaTildeOld = thetatilde
    let rhoTildeOld = (rhodold * rhodold + thetaBar * thetaBar).squareRoot()
    let (cTilde, sTilde) = (rhodold / rhoTildeOld, thetaBar / rhoTildeOld)
    thetatilde = sTilde * rhoBar
    rhodold = cTilde * rhoBar
    betad = -sTilde * betad + cTilde * betaHat
    tautildeold = (zetaOld - thetaTildeOld * tautildeold) / rhoTildeOld
    let taud = (zeta - thetatilde * tautildeold) / rhodold
    d += betaCheck * betaCheck
    let rest = d + (betad - taud) * (betad - taud) + betadd * betadd
    let residual = rest.squareRoot()
    squaredNorm += beta * beta
    let size = squaredNorm.squareRoot()
    squaredNorm += alpha * alpha
    let normal = zetaBar.magnitude
    guard residual.isFinite, normal.isFinite else {
      throw LinearAlgebraError.nonFinite("the residual of \(method)")
    }
    report.history.append(residual)
    report.residual = min(residual, normal / size)
    if residual <= target || normal <= max(stopping.relativeTolerance, Double.ulpOfOne) * size * residual {
      report.outcome = .converged
      return report
    }
    if alpha == 0 || beta == 0 { return report }
  }
  report.outcome = report.iterations < limit ? .converged : .iterationLimit
  return report
}
