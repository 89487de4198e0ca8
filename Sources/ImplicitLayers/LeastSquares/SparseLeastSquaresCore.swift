import LinearAlgebra

/// Levenberg–Marquardt with a sparse Jacobian; bounds hold unknowns whose gradient points outwards and cut steps off at the box. The step solves
///
///     [ I   J  ] [ s ]   [ −r ]
///     [ Jᵀ −λD² ] [ d ] = [  0 ]
///
/// with λ D² below, a quasidefinite system whose factor is as sparse as an ordering of minimum degree makes it and whose condition is that of J, not of
/// Jᵀ J. D has the norms of the Jacobian's columns, λ follows Nielsen's rule (1999).
struct SparseLeastSquaresCore {
  let function: VectorFunction
  let pattern: SparsityPattern
  /// The largest |cos| of the angle between the residual and a column of the Jacobian.
  let tolerance: Double
  let loss: RobustLoss
  private let system: AugmentedSystem

  init(_ function: VectorFunction, _ pattern: SparsityPattern, tolerance: Double, loss: RobustLoss) throws {
    (self.function, self.pattern, self.tolerance, self.loss) = (function, pattern, tolerance, loss)
    system = try AugmentedSystem(pattern)
  }

  func run(from start: [Double], bounds: BoxBounds?, control: SolveControl) throws -> CoreResult {
    let (m, n) = (function.m, function.n)
    var x = start
    bounds?.clamp(&x)
    var isFree = [Bool](repeating: true, count: n)
    var recorder = SolveRecorder(control)
    var (r, trialResidual, entries) = (zeros(m), zeros(m), zeros(pattern.entryCount))
    var (gradient, d, trial, image, scale) = (zeros(n), zeros(n), zeros(n), zeros(m), zeros(n))
    var (lambda, growth, lastStep) = (1e-4, 2.0, 0.0)
    // Where rounding hides what steps gain, they go on as long as the measure falls by half.
    var hiddenMeasure = Double.infinity
    try function.value(x, into: &r)
    var cost = loss.cost(r)
    guard cost.isFinite else { return recorder.failedStart(x, function, value: cost, "the residual") }
    for iteration in 0... {
      try function.valueAndSparseJacobian(x, into: &r, &entries)
      guard areFinite(entries) else {
        return recorder.result(
          .nonFinite, x, function, measure: .infinity, value: cost, "the Jacobian is not finite")
      }
      var scaled = r
      var norms = zeros(n)
      let size = loss.scale(&scaled) { row, factor, slope in
        for k in pattern.rowOffsets[row]..<pattern.rowOffsets[row + 1] {
          norms[pattern.columnIndices[k]] += slope * entries[k] * entries[k]
          entries[k] *= factor
        }
      }
      pattern.multiply(entries, scaled, into: &gradient, columns: 1, transposed: true)
      if loss == .squared {
        for (k, column) in pattern.columnIndices.enumerated() { norms[column] += entries[k] * entries[k] }
      }
      if let bounds {
        for k in 0..<n { isFree[k] = bounds.isFree(x, gradient, k) }
        for (k, column) in pattern.columnIndices.enumerated() where !isFree[column] { entries[k] = 0 }
      }
      var measure = 0.0
      for k in 0..<n {
        norms[k] = norms[k].squareRoot()
        if isFree[k], norms[k] > 0, size > 0 {
          measure = max(measure, gradient[k].magnitude / norms[k] / size)
        }
        scale[k] = max(scale[k], norms[k])
        if scale[k] == 0 { scale[k] = 1 }
      }
      func finish(_ status: SolverStatus, _ details: String = "") -> CoreResult {
        recorder.result(status, x, function, measure: measure, value: cost, details)
      }
      guard recorder.record(iteration, function, measure: measure, value: cost, step: lastStep) else {
        return finish(.cancelled)
      }
      if n > 0, cost > 0, !isFree.contains(false), norms.allSatisfy({ $0 == 0 }) {
        return finish(.stalled, "no unknown changes the residual: the Jacobian is zero")
      }
      if measure <= tolerance || cost == 0 { return finish(.converged) }
      if recorder.isExhausted { return finish(.iterationLimit) }
      while true {
        system.solve(entries, scaled, damping: scale.map { lambda * $0 * $0 }, into: &d)
        set(&trial, x, plus: 1, d)
        // Of the whole step: one that bounds cut off says nothing of how far the minimum is. What is not a number counts as short.
        let isShort = !(scaledNorm(d, scale) > 1e-14 * max(scaledNorm(x, scale), 1e-300))
        var (isCutOff, reachesBound) = (false, false)
        if let bounds {
          let whole = trial
          bounds.clamp(&trial)
          for k in 0..<n where trial[k] != whole[k] {
            isCutOff = true
            if trial[k] != x[k] { reachesBound = true }
          }
          set(&d, trial, plus: -1, x)
        }
        pattern.multiply(entries, d, into: &image, columns: 1, transposed: false)
        let predicted = -dot(gradient, d) - 0.5 * dot(image, image)
        try function.value(trial, into: &trialResidual)
        let trialCost = loss.cost(trialResidual)
        let actual = trialCost.isFinite ? cost - trialCost : -.infinity
        let isNoise = predicted <= 2e-15 * cost && actual.magnitude <= 4e-15 * cost
        let ratio = predicted > 0 ? actual / predicted : -1
        if isNoise, !isShort, measure <= 0.5 * hiddenMeasure {
          hiddenMeasure = measure
          lastStep = norm2(d)
          x = trial
          cost = trialCost
          lambda = max(lambda / 3, 1e-14)
          break
        }
        if ratio > 1e-4 {
          lastStep = norm2(d)
          x = trial
          cost = trialCost
          let cube = 2 * ratio - 1
          lambda = max(lambda * max(1.0 / 3, 1 - cube * cube * cube), 1e-14)
          growth = 2
          break
        }
        if isNoise, reachesBound {
          // An unknown that was as good as on its bound is on it: it is held from now on, and the others may move.
          lastStep = norm2(d)
          x = trial
          cost = trialCost
          break
        }
        if isShort || (isNoise && !isCutOff) {
          // A step that is hardly damped, or a residual of the size of rounding of J x, is as good as it gets.
          let isRounding = (2 * cost).squareRoot() <= 1e-13 * scaledNorm(x, scale)
          return measure <= 1e-6 || isRounding || (isShort && !isCutOff && lambda <= 1e-3)
            ? finish(.converged) : finish(.stalled, "the shortest steps make no progress")
        }
        lambda *= growth
        growth *= 2
        if !lambda.isFinite { return finish(.stalled, "the shortest steps make no progress") }
        if control.cancellation?.isCancelled == true { return finish(.cancelled) }
      }
    }
    fatalError("the loop has no end of its own")
  }
}

/// The quasidefinite system of a damped least-squares step.
private final class AugmentedSystem {
  private let pattern: SparsityPattern
  private let factor: SparseQuasidefiniteFactorization
  private var values: [Double]
  /// Where entries of J, of Jᵀ and of the lower diagonal stand.
  private var upperPlaces: [Int] = []
  private var lowerPlaces: [Int] = []
  private var diagonalPlaces: [Int] = []
  private var right: [Double]

  init(_ pattern: SparsityPattern) throws {
    self.pattern = pattern
    let (m, n) = (pattern.rowCount, pattern.columnCount)
    var rows = Array(0..<m + n)
    var columns = rows
    rows += pattern.rowIndices + pattern.columnIndices.map { $0 + m }
    columns += pattern.columnIndices.map { $0 + m } + pattern.rowIndices
    let (whole, places) = try SparsityPattern.coordinates(
      rowCount: m + n, columnCount: m + n, rows: rows, columns: columns)
    factor = try SparseQuasidefiniteFactorization(
      whole, isPositive: (0..<m + n).map { $0 < m })
    values = zeros(whole.entryCount)
    for k in 0..<m { values[places[k]] = 1 }
    diagonalPlaces = Array(places[m..<m + n])
    upperPlaces = Array(places[(m + n)..<(m + n + pattern.entryCount)])
    lowerPlaces = Array(places[(m + n + pattern.entryCount)...])
    right = zeros(m + n)
  }

  /// The d that minimises ‖J d + r‖² + dᵀ Λ d, refined once.
  func solve(_ entries: [Double], _ r: [Double], damping: [Double], into d: inout [Double]) {
    let (m, n) = (pattern.rowCount, pattern.columnCount)
    for k in entries.indices {
      values[upperPlaces[k]] = entries[k]
      values[lowerPlaces[k]] = entries[k]
    }
    for k in 0..<n { values[diagonalPlaces[k]] = -damping[k] }
    let largest = damping.max() ?? 1
    _ = factor.factorize(values, smallest: 1e-300, replacement: max(1e-12 * largest, 1e-300))
    for k in 0..<m { right[k] = -r[k] }
    for k in 0..<n { right[m + k] = 0 }
    factor.solve(&right)
    // What the first solution leaves over.
    var (s, first) = (Array(right.prefix(m)), Array(right.dropFirst(m)))
    var (image, turned) = (zeros(m), zeros(n))
    pattern.multiply(entries, first, into: &image, columns: 1, transposed: false)
    pattern.multiply(entries, s, into: &turned, columns: 1, transposed: true)
    for k in 0..<m { right[k] = -r[k] - s[k] - image[k] }
    for k in 0..<n { right[m + k] = damping[k] * first[k] - turned[k] }
    factor.solve(&right)
    for k in 0..<m { s[k] += right[k] }
    for k in 0..<n {
      first[k] += right[m + k]
      d[k] = first[k]
    }
  }
}
