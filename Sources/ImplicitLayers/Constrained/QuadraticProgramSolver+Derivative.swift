import Lanes
import LinearAlgebra

/// How far a solution is from one at which it has no derivative, and whether it is one. In scaled units: every row and column of the
/// matrices has the size of about one.
public struct QuadraticProgramRegularity: Sendable, CustomStringConvertible {
  /// The smallest over all sides of the larger of slack and multiplier: zero where a constraint holds with equality and without force, so that
  /// strict complementarity fails. Infinite without inequalities.
  public var complementarity: Double
  /// Near zero where active constraints depend on each other (LICQ fails): multipliers are not unique. Infinite if none is active.
  public var independence: Double
  /// Near zero where Q has no curvature along a direction that active constraints leave free (second-order sufficiency fails): the solution
  /// is not unique.
  public var curvature: Double
  /// Below these, the three are as good as zero.
  var limits: (complementarity: Double, independence: Double, curvature: Double)

  /// Strict complementarity fails to working accuracy.
  public var lacksComplementarity: Bool { complementarity < limits.complementarity }
  /// Active constraints depend on each other to working accuracy.
  public var lacksIndependence: Bool { independence < limits.independence }
  /// The solution is not unique to working accuracy.
  public var lacksCurvature: Bool { curvature < limits.curvature }
  /// Whether one of the three fails.
  public var isDegenerate: Bool { lacksComplementarity || lacksIndependence || lacksCurvature }

  /// What fails, with the margins.
  public var description: String {
    var parts: [String] = []
    if lacksComplementarity {
      parts.append(
        "strict complementarity fails (margin \(complementarity)): a constraint holds with equality and its multiplier is zero, "
          + "so that left and right derivatives differ")
    }
    if lacksIndependence {
      parts.append(
        "the active constraints are linearly dependent (margin \(independence)), so that multipliers are not unique"
      )
    }
    if lacksCurvature {
      parts.append(
        "the objective is flat along a direction that the constraints leave free (margin \(curvature)), so that the solution is "
          + "not unique")
    }
    return parts.isEmpty ? "regular" : parts.joined(separator: "; ")
  }
}

/// Numbers that belong to each datum of a program: changes of it, or derivatives with respect to it. Matrices have their entries in the order of
/// the program's patterns.
public struct QuadraticProgramVariation: Sendable {
  /// For Q. Derivatives are symmetric: that of an entry and that of the one across the diagonal share equally.
  public var quadratic: [Double]
  /// For q.
  public var linear: [Double]
  /// For A.
  public var equalities: [Double]
  /// For b.
  public var equalityValues: [Double]
  /// For G.
  public var inequalities: [Double]
  /// For l.
  public var lower: [Double]
  /// For u.
  public var upper: [Double]
  /// For the lower bounds.
  public var lowerBounds: [Double]
  /// For the upper bounds.
  public var upperBounds: [Double]

  /// Zeros for a program.
  public init(zerosFor program: QuadraticProgram) {
    func zeros(_ count: Int) -> [Double] { [Double](repeating: 0, count: count) }
    let (n, p, m) = (program.variableCount, program.equalityCount, program.inequalityCount)
    quadratic = zeros(program.quadratic.values.count)
    linear = zeros(n)
    equalities = zeros(program.equalities.values.count)
    equalityValues = zeros(p)
    inequalities = zeros(program.inequalities.values.count)
    (lower, upper) = (zeros(m), zeros(m))
    (lowerBounds, upperBounds) = (zeros(n), zeros(n))
  }
}

/// What a derivative does where it does not exist.
public enum DegeneracyPolicy: Sendable, Hashable {
  /// An error that names what fails.
  case error
  /// That of the active set as it is, and of singular systems the solution that proximal iteration from zero finds: of least norm in the
  /// multipliers of constraints that depend on each other. One of the possible directional derivatives where strict complementarity fails.
  case leastNorm
}

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
      let margins = core.regularity(rounds: 5)
      return QuadraticProgramRegularity(
        complementarity: options.barrier > 0 ? .infinity : margins.complementarity[lane: 0],
        independence: margins.independence[lane: 0], curvature: margins.curvature[lane: 0],
        limits: (
          wasPolished ? 1e-7 : 1e-4, margins.independenceLimit[lane: 0], margins.curvatureLimit[lane: 0]
        ))
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
    let (a, b, up, down) = try solveDerivative(x, rows, policy)
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
    let (dx, d, _, _) = try solveDerivative(right, rows, policy)
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
    _ x: [Double], _ rows: [Double], _ policy: DegeneracyPolicy
  ) throws(QuadraticProgramError) -> (a: [Double], b: [Double], upper: [Double], lower: [Double]) {
    let regularity = try regularity()
    if policy == .error, regularity.isDegenerate {
      throw .degenerate(
        "the solution has no derivative: \(regularity.description). Choose the derivative of least norm, or smooth with a "
          + "barrier")
    }
    func solve<M: ProgramMatrices>(_ core: ProximalInteriorPoint<M>) -> (Double, [Double], [Double]) {
      var (a, b) = (x, rows)
      if x.isEmpty { return (0, a, b) }
      let error = core.solveDerivative(
        x: x, rows: rows, first: 0, programs: 1, intoX: &a, intoRows: &b)
      return (error[lane: 0], a, b)
    }
    let (error, a, b) =
      switch core {
      case .dense(let core): solve(core)
      case .sparse(let core): solve(core)
      }
    guard error < 1e-6, a.allSatisfy(\.isFinite), b.allSatisfy(\.isFinite) else {
      throw .degenerate(
        "the system of the derivative has no solution (relative residual \(error)): \(regularity.description)"
      )
    }
    let (up, down) = shares()
    return (a, b, up, down)
  }
}
