public import Autodiff

/// What a quadratic program of tensors gave.
public struct QuadraticProgramTensors: Sendable {
  /// The minimiser, [n].
  public var x: Tensor
  /// The multipliers y of A x = b, [p].
  public var equalityMultipliers: Tensor
  /// The multipliers z of l ≤ G x ≤ u, [m]: positive where the upper side holds.
  public var inequalityMultipliers: Tensor
  /// The multipliers w of the bounds, [n], likewise.
  public var boundMultipliers: Tensor
  /// The raw value of ``SolverStatus``, int32.
  public var status: Tensor
  /// Steps of the interior-point method, int32.
  public var iterations: Tensor
}

/// minimise ½ xᵀQx + qᵀx subject to A x = b, l ≤ G x ≤ u and lo ≤ x ≤ hi, as a differentiable function of all its data.
///
/// ```swift
/// let x = try quadraticProgram(quadratic: q, linear: c, inequalities: g, upper: h).x
/// ```
///
/// Forward and reverse mode, any order, and `vmap`, which solves small programs eight at a time in the lanes of vector registers, others
/// one by one with vectors along rows, and all on all cores. Only the symmetric part of Q counts. Matrices are dense; the same function takes sparse ones.
///
/// - Parameters:
///   - quadratic: Q, [n, n]; positive semidefinite.
///   - linear: q, [n].
///   - equalities: A, [p, n].
///   - equalityValues: b, [p].
///   - inequalities: G, [m, n].
///   - lower: l, [m]; -infinity for none.
///   - upper: u, [m]; infinity for none.
///   - lowerBounds: lo, [n].
///   - upperBounds: hi, [n].
///   - options: tolerances; a barrier that smooths.
///   - policy: what derivatives do at solutions where they do not exist. The check runs when a derivative is taken.
///   - throwsOnFailure: whether a program without a solution is an error. If not, its status tells, and derivatives are errors.
/// - Returns: minimiser, multipliers and status.
/// - Throws: `TensorError`: shapes that do not fit, numbers that are not finite, crossed sides, Q not convex, no solution; taking derivatives, a
///   degenerate solution, with what fails.
/// - Complexity: about ten decompositions of n + p rows; derivatives one more.
public func quadraticProgram(
  quadratic: Tensor, linear: Tensor, equalities: Tensor? = nil, equalityValues: Tensor? = nil,
  inequalities: Tensor? = nil, lower: Tensor? = nil, upper: Tensor? = nil, lowerBounds: Tensor? = nil,
  upperBounds: Tensor? = nil, options: QuadraticProgramOptions = .init(), policy: DegeneracyPolicy = .error,
  throwsOnFailure: Bool = true
) throws -> QuadraticProgramTensors {
  let given = try ProgramOperands(linear: linear)
  let n = given.variables
  let q = try given.prepared(quadratic, [n, n], "Q")
  let p = equalityValues?.shape.first ?? 0
  let m = inequalities?.shape.first ?? 0
  var rows: [Tensor] = []
  if let equalities { rows.append(try given.prepared(equalities, [p, n], "A")) }
  if let inequalities { rows.append(try given.prepared(inequalities, [m, n], "G")) }
  let sides = try given.sides(
    ProgramSize(variables: n, rows: p + m, equalities: p), hasEqualities: equalities != nil,
    equalityValues: equalityValues, hasInequalities: inequalities != nil, lower: lower, upper: upper,
    lowerBounds: lowerBounds, upperBounds: upperBounds)
  let plan = ProgramPlan(
    size: ProgramSize(variables: n, rows: p + m, equalities: p), options: options, policy: policy,
    reports: !throwsOnFailure)
  return try given.solve(
    plan, quadratic: q, rows: rows.isEmpty ? Tensor.zeros([0, n]) : concatenate(rows, axis: 0), sides)
}
