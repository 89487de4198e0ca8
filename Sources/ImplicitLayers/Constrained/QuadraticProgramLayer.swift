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
/// one by one with vectors along rows, and all on all cores. Only the symmetric part of Q counts. Programs are dense; for sparse ones see ``QuadraticProgramSolver``.
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
  let name = "quadraticProgram"
  func prepared(_ x: Tensor, _ shape: [Int], _ what: String) throws(TensorError) -> Tensor {
    guard x.shape == shape else {
      throw TensorError(.shape, name, "\(what) has shape \(x.shape), not \(shape)")
    }
    return x.converted(to: .float64)
  }
  guard linear.rank == 1 else {
    throw TensorError(.shape, name, "q has shape \(linear.shape); it is a vector")
  }
  let n = linear.shape[0]
  let given = try prepared(quadratic, [n, n], "Q")
  let q = try prepared(linear, [n], "q")
  let p = equalityValues?.shape.first ?? 0
  guard (equalities == nil) == (equalityValues == nil) else {
    throw TensorError(.argument, name, "A and b belong together; one of them is missing")
  }
  let m = inequalities?.shape.first ?? 0
  guard inequalities != nil || (lower == nil && upper == nil) else {
    throw TensorError(.argument, name, "l or u without G")
  }
  func side(_ x: Tensor?, _ count: Int, _ absent: Double, _ what: String) throws(TensorError) -> Tensor {
    guard let x else { return Tensor(repeating: absent, shape: [count]) }
    return try prepared(x, [count], what)
  }
  var (rows, low, high): ([Tensor], [Tensor], [Tensor]) = ([], [], [])
  if let equalities, let equalityValues {
    rows.append(try prepared(equalities, [p, n], "A"))
    let b = try prepared(equalityValues, [p], "b")
    low.append(b)
    high.append(b)
  }
  if let inequalities {
    rows.append(try prepared(inequalities, [m, n], "G"))
    low.append(try side(lower, m, -.infinity, "l"))
    high.append(try side(upper, m, .infinity, "u"))
  }
  low.append(try side(lowerBounds, n, -.infinity, "lo"))
  high.append(try side(upperBounds, n, .infinity, "hi"))
  let matrix = rows.isEmpty ? Tensor.zeros([0, n]) : concatenate(rows, axis: 0)
  let plan = ProgramPlan(
    size: ProgramSize(variables: n, rows: p + m, equalities: p), options: options, policy: policy,
    reports: !throwsOnFailure)
  let found = try bindOrThrow(
    QuadraticProgramSolve(plan: plan),
    [given, q, matrix, concatenate(low, axis: 0), concatenate(high, axis: 0)])
  let type = linear.elementType.isFloatingPoint ? linear.elementType : .float64
  func part(_ first: Int, _ count: Int) -> Tensor {
    found[1].slice(axis: 0, from: first, count: count).converted(to: type)
  }
  return QuadraticProgramTensors(
    x: found[0].converted(to: type), equalityMultipliers: part(0, p), inequalityMultipliers: part(p, m),
    boundMultipliers: part(p + m, n), status: found[2], iterations: found[3])
}
