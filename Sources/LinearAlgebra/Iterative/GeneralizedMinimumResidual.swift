/// GMRES (Saad and Schultz 1986) with restarts, for general square A; FGMRES (Saad 1993) if the preconditioner may change from step
/// to step.
///
/// The iteration may end inside of a cycle. Directions are orthogonalised twice where the first time loses digits.
///
/// - Parameters:
///   - transposed: whether the transposed system is solved.
///   - map: A.
///   - b: the right-hand side.
///   - x: the first guess; the solution afterwards.
///   - restart: steps of a cycle.
///   - preconditioner: M⁻¹.
///   - side: where it stands. From the left (and split) the residual that is minimised is M⁻¹ (b − A x); the true
///     residual, recomputed after each cycle, decides.
///   - isFlexible: keep M⁻¹ times each direction: right preconditioning with a preconditioner that need not be the same map
///     each time, at the price of as many vectors again.
///   - stopping: when to end.
/// - Throws: ``LinearAlgebraError`` if a number is not finite or arguments do not fit; what the map throws.
/// - Complexity: one product with A and one with M⁻¹ per step, and O(n · restart) for orthogonality; `restart` + 3 vectors of memory.
public func generalizedMinimumResidual(
  _ map: any LinearMap, _ b: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>, restart: Int = 50,
  preconditioner: (any Preconditioner)? = nil, side: PreconditionerSide = .right, isFlexible: Bool = false,
  stopping: StoppingCriterion = StoppingCriterion(), transposed: Bool = false
) throws -> IterationReport {
  let method = isFlexible ? "FGMRES" : "GMRES"
  let head = try IterationHead(method, map, b, stopping, transposed: transposed)
  let (a, n, target, limit) = (head.map, head.size, head.target, head.limit)
  guard restart > 0 else { throw LinearAlgebraError.argument("\(method) needs cycles of at least one step") }
  guard !isFlexible || side == .right else {
    throw LinearAlgebraError.argument("FGMRES takes its preconditioner from the right")
  }
  let cycle = min(restart, max(n, 1))
  let work = Vectors(cycle + 1 + (isFlexible ? cycle : 0) + 2, length: n)
  let directions = { work[$0] }
  let flexible = { work[cycle + 1 + $0] }
  let (r, t) = (work[cycle + 1 + (isFlexible ? cycle : 0)], work[cycle + 2 + (isFlexible ? cycle : 0)])
  /// y = (left part of M)⁻¹ of x in place, with t as scratch.
  func fromLeft(_ y: UnsafeMutablePointer<Double>) throws {
    guard let preconditioner, side != .right else { return }
    t.update(from: y, count: n)
    if side == .left {
      try preconditioner.apply(t, into: y, transposed: transposed)
    } else {
      // Transposed, M₂ᵀ M₁ᵀ: the halves change places.
      try preconditioner.applyHalf(transposed ? .right : .left, t, into: y, transposed: transposed)
    }
  }
  func fromRight(_ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>) throws {
    guard let preconditioner, side != .left else {
      y.update(from: x, count: n)
      return
    }
    if side == .right {
      try preconditioner.apply(x, into: y, transposed: transposed)
    } else {
      try preconditioner.applyHalf(transposed ? .left : .right, x, into: y, transposed: transposed)
    }
  }

  var report = head.emptyReport
  var h = [Double](repeating: 0, count: (cycle + 1) * cycle)
  var (cosines, sines) = ([Double](repeating: 0, count: cycle), [Double](repeating: 0, count: cycle))
  var g = [Double](repeating: 0, count: cycle + 1)
  var before = Double.infinity
  var stagnant = 0
  while true {
    let residual = try a.residual(b, x, into: r)
    report.residual = residual
    guard residual.isFinite else { throw LinearAlgebraError.nonFinite("the residual of \(method)") }
    if report.history.isEmpty { report.history.append(residual) }
    if residual <= target { return report }
    if report.iterations >= limit {
      report.outcome = .iterationLimit
      return report
    }
    // A cycle that gains nothing is followed by one that starts from the same point.
    stagnant = residual > 0.999_999 * before ? stagnant + 1 : 0
    if stagnant >= 2 {
      report.outcome = .breakdown(
        "cycles of \(cycle) steps leave the residual at \(residual), above the target of \(target). The matrix is singular, "
          + "rounding allows no more, or longer cycles are needed")
      return report
    }
    before = residual
    try fromLeft(r)
    let beta = euclideanNorm(r, n)
    // The preconditioned residual need not fall as far as the true one; aim at the same fraction, a little lower each time.
    let enough = side == .right || preconditioner == nil ? target : 0.5 * target / residual * beta
    guard beta > 0, beta.isFinite else {
      throw LinearAlgebraError.nonFinite("the preconditioned residual of \(method)")
    }
    for k in 0..<n { directions(0)[k] = r[k] / beta }
    for k in g.indices { g[k] = 0 }
    g[0] = beta
    var steps = 0
    while steps < cycle, report.iterations < limit {
      let j = steps
      let w = directions(j + 1)
      let z = isFlexible ? flexible(j) : r
      try fromRight(directions(j), z)
      try a.apply(z, w)
      try fromLeft(w)
      let size = euclideanNorm(w, n)
      guard size.isFinite else { throw LinearAlgebraError.nonFinite("a direction of \(method)") }
      for i in 0...j {
        let product = dotProduct(directions(i), w, n)
        h[i * cycle + j] = product
        addScaled(-product, directions(i), to: w, n)
      }
      var rest = euclideanNorm(w, n)
      if rest < 0.7 * size {
        for i in 0...j {
          let product = dotProduct(directions(i), w, n)
          h[i * cycle + j] += product
          addScaled(-product, directions(i), to: w, n)
        }
        rest = euclideanNorm(w, n)
      }
      if rest > 1e-14 * size { scale(1 / rest, w, n) } else { rest = 0 }
      for i in 0..<j {
        let (upper, lower) = (h[i * cycle + j], h[(i + 1) * cycle + j])
        h[i * cycle + j] = cosines[i] * upper + sines[i] * lower
        h[(i + 1) * cycle + j] = cosines[i] * lower - sines[i] * upper
      }
      let diagonal = h[j * cycle + j]
      let radius = (diagonal * diagonal + rest * rest).squareRoot()
      steps += 1
      report.iterations += 1
      guard radius > 1e-14 * size else {
        // The last direction adds nothing: solve with those before it.
        steps -= 1
        report.history.append(g[j].magnitude)
        break
      }
      (cosines[j], sines[j]) = (diagonal / radius, rest / radius)
      h[j * cycle + j] = radius
      g[j + 1] = -sines[j] * g[j]
      g[j] *= cosines[j]
      report.history.append(g[j + 1].magnitude)
      if g[j + 1].magnitude <= enough || rest == 0 { break }
    }
    if steps == 0 {
      report.outcome = .breakdown("the matrix takes the residual to zero: it is singular")
      return report
    }
    var y = [Double](repeating: 0, count: steps)
    for i in (0..<steps).reversed() {
      var sum = g[i]
      for k in i + 1..<max(steps, i + 1) { sum -= h[i * cycle + k] * y[k] }
      y[i] = sum / h[i * cycle + i]
    }
    if isFlexible {
      for k in 0..<steps { addScaled(y[k], flexible(k), to: x, n) }
    } else {
      let combination = directions(cycle)
      // The last direction may be used below: collect in r.
      r.update(repeating: 0, count: n)
      for k in 0..<steps { addScaled(y[k], directions(k), to: r, n) }
      try fromRight(r, combination)
      addScaled(1, combination, to: x, n)
    }
  }
}
