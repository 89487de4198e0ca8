import Lanes
import LinearAlgebra

extension QuadraticProgramSolver {
  /// What is known of the last solution's regularity.
  /// - Throws: ``QuadraticProgramError`` if there was no solution.
  public func regularity() throws(QuadraticProgramError) -> QuadraticProgramRegularity {
    if let known = regularityOfSolution { return known }
    guard hasSolution else {
      throw .notSolved(.degenerate, "derivatives need a program that this solver has solved last")
    }
    func measure<M: ProgramMatrices>(_ core: ProximalInteriorPoint<M>) -> QuadraticProgramRegularity {
      core.prepareDerivative(hasBarrier: options.barrier > 0)
      return QuadraticProgramRegularity(
        core.regularity(rounds: 5), lane: 0, hasBarrier: options.barrier > 0, isPolished: wasPolished)
    }
    let found =
      switch core {
      case .dense(let core): measure(core)
      case .sparse(let core): measure(core)
      }
    regularityOfSolution = found
    return found
  }

  /// The gradient of a function of the last solution with respect to every datum, from the gradients with respect to x and the multipliers.
  ///
  /// - Parameters:
  ///   - program: what was solved.
  ///   - solution: its solution.
  ///   - x: the function's gradient with respect to x.
  ///   - equalityMultipliers: likewise with respect to these, zero if left out.
  ///   - inequalityMultipliers: likewise.
  ///   - boundMultipliers: likewise.
  ///   - policy: what to do where the derivative does not exist.
  /// - Throws: ``QuadraticProgramError`` if there is no derivative.
  /// - Complexity: one factorisation at the first call after a solve, then a few solves.
  public func gradient(
    of program: QuadraticProgram, at solution: QuadraticProgramSolution, x: [Double],
    equalityMultipliers: [Double]? = nil, inequalityMultipliers: [Double]? = nil,
    boundMultipliers: [Double]? = nil,
    policy: DegeneracyPolicy = .error
  ) throws(QuadraticProgramError) -> QuadraticProgramVariation {
    let (n, p, m) = (program.variableCount, program.equalityCount, program.inequalityCount)
    func zeros(_ count: Int) -> [Double] { [Double](repeating: 0, count: count) }
    let rows =
      (equalityMultipliers ?? zeros(p)) + (inequalityMultipliers ?? zeros(m)) + (boundMultipliers ?? zeros(n))
    guard x.count == n, rows.count == n + m + p else {
      throw .shape("gradients of a solution need \(n) numbers for x, \(p), \(m) and \(n) for the multipliers")
    }
    let (a, b, up, down) = try solveDerivative(of: program, x, rows, policy)
    let multipliers = solution.equalityMultipliers + solution.inequalityMultipliers
    var result = QuadraticProgramVariation(zerosFor: program)
    func each(_ matrix: CompressedMatrix, _ body: (Int, Int, Int) -> Void) {
      let (offsets, columns) = (matrix.pattern.rowOffsets, matrix.pattern.columnIndices)
      for row in 0..<matrix.rows { for k in offsets[row]..<offsets[row + 1] { body(k, row, columns[k]) } }
    }
    let point = solution.x
    each(program.quadratic) { result.quadratic[$0] = -0.5 * (a[$1] * point[$2] + point[$1] * a[$2]) }
    for i in 0..<n { result.linear[i] = -a[i] }
    each(program.equalities) { result.equalities[$0] = -(multipliers[$1] * a[$2] + b[$1] * point[$2]) }
    each(program.inequalities) {
      result.inequalities[$0] = -(multipliers[p + $1] * a[$2] + b[p + $1] * point[$2])
    }
    for k in 0..<p { result.equalityValues[k] = b[k] }
    for k in 0..<m {
      result.lower[k] = down[p + k] * b[p + k]
      result.upper[k] = up[p + k] * b[p + k]
    }
    for i in 0..<n {
      result.lowerBounds[i] = down[p + m + i] * b[p + m + i]
      result.upperBounds[i] = up[p + m + i] * b[p + m + i]
    }
    return result
  }

  /// How the last solution moves along a change of the data.
  /// - Parameters:
  ///   - program: what was solved.
  ///   - solution: its solution.
  ///   - change: of every datum.
  ///   - policy: what to do where the derivative does not exist.
  /// - Returns: the derivatives of x and the multipliers.
  /// - Throws: ``QuadraticProgramError`` if there is no derivative.
  public func derivative(
    of program: QuadraticProgram, at solution: QuadraticProgramSolution,
    along change: QuadraticProgramVariation,
    policy: DegeneracyPolicy = .error
  ) throws(QuadraticProgramError) -> (
    x: [Double], equalityMultipliers: [Double], inequalityMultipliers: [Double], boundMultipliers: [Double]
  ) {
    let (n, p, m) = (program.variableCount, program.equalityCount, program.inequalityCount)
    let x = solution.x
    var right = change.linear.map { -$0 }
    func each(_ matrix: CompressedMatrix, _ values: [Double], _ body: (Int, Int, Double) -> Void) {
      let (offsets, columns) = (matrix.pattern.rowOffsets, matrix.pattern.columnIndices)
      for row in 0..<matrix.rows {
        for k in offsets[row]..<offsets[row + 1] { body(row, columns[k], values[k]) }
      }
    }
    each(program.quadratic, change.quadratic) {
      right[$0] -= 0.5 * $2 * x[$1]
      right[$1] -= 0.5 * $2 * x[$0]
    }
    var rows = [Double](repeating: 0, count: n + m + p)
    each(program.equalities, change.equalities) {
      right[$1] -= $2 * solution.equalityMultipliers[$0]
      rows[$0] -= $2 * x[$1]
    }
    each(program.inequalities, change.inequalities) {
      right[$1] -= $2 * solution.inequalityMultipliers[$0]
      rows[p + $0] -= $2 * x[$1]
    }
    _ = try regularity()
    let (up, down) = shares()
    let low = change.equalityValues.map { _ in 0.0 } + change.lower + change.lowerBounds
    let high = change.equalityValues + change.upper + change.upperBounds
    for k in rows.indices { rows[k] += up[k] * high[k] + down[k] * low[k] }
    let (dx, d, _, _) = try solveDerivative(of: program, right, rows, policy)
    return (dx, Array(d[..<p]), Array(d[p..<p + m]), Array(d[(p + m)...]))
  }

  /// Which side of each constraint moves it.
  private func shares() -> (upper: [Double], lower: [Double]) {
    switch core {
    case .dense(let core): core.shares(constraints: constraintCount)
    case .sparse(let core): core.shares(constraints: constraintCount)
    }
  }

  /// Solves [Q, Cᵀ; C, −W] (a, b) = (x, rows) in the program's own units.
  private func solveDerivative(
    of program: QuadraticProgram, _ x: [Double], _ rows: [Double], _ policy: DegeneracyPolicy
  ) throws(QuadraticProgramError) -> (a: [Double], b: [Double], upper: [Double], lower: [Double]) {
    let regularity = try regularity()
    if policy == .error, regularity.isDegenerate {
      throw .degenerate(
        "the solution has no derivative: \(regularity.description). Choose the derivative of least norm, or smooth with a "
          + "barrier")
    }
    func solve<M: ProgramMatrices>(
      _ core: ProximalInteriorPoint<M>, _ x: [Double], _ rows: [Double]
    ) -> (Double, [Double], [Double]) {
      var (a, b) = (x, rows)
      if x.isEmpty { return (0, a, b) }
      let error = core.solveDerivative(
        x: x, rows: rows, first: 0, programs: 1, intoX: &a, intoRows: &b)
      return (error[lane: 0], a, b)
    }
    func solve(_ x: [Double], _ rows: [Double]) -> (Double, [Double], [Double]) {
      switch core {
      case .dense(let core): solve(core, x, rows)
      case .sparse(let core): solve(core, x, rows)
      }
    }
    var (error, a, b) = solve(x, rows)
    if policy == .leastNorm, options.barrier == 0 {
      // See QuadraticProgramSystem.
      for _ in 0..<6 where !(error < 1e-10) {
        guard let (x, rows) = product(program, a, b) else { break }
        (error, a, b) = solve(x, rows)
      }
    }
    guard error < 1e-6, a.allSatisfy(\.isFinite), b.allSatisfy(\.isFinite) else {
      throw .degenerate(
        "the system of the derivative has no solution (relative residual \(error)): \(regularity.description)"
      )
    }
    let (up, down) = shares()
    return (a, b, up, down)
  }

  /// [Q, Cᵀ; C, 0] (a, b).
  private func product(_ program: QuadraticProgram, _ a: [Double], _ b: [Double]) -> (
    x: [Double], rows: [Double]
  )? {
    let p = program.equalityCount
    let m = p + program.inequalityCount
    guard let curved = try? program.quadratic.multiply(a),
      let equations = try? program.equalities.multiply(a), let values = try? program.inequalities.multiply(a),
      let first = try? program.equalities.multiply(Array(b[..<p]), transposed: true),
      let second = try? program.inequalities.multiply(Array(b[p..<m]), transposed: true)
    else { return nil }
    return (a.indices.map { curved[$0] + first[$0] + second[$0] + b[m + $0] }, equations + values + a)
  }
}
