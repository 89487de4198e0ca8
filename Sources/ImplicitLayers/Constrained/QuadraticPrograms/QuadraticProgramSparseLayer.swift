public import Autodiff
import LinearAlgebra

/// minimise ½ xᵀQx + qᵀx subject to A x = b, l ≤ G x ≤ u and lo ≤ x ≤ hi with sparse matrices, as a differentiable function of all its data.
///
/// ```swift
/// let x = try quadraticProgram(
///   quadratic: SparseMatrix(pattern, values: q), linear: c, equalities: SparseMatrix(flows, values: a), equalityValues: b,
///   lowerBounds: Tensor.zeros([n])
/// ).x
/// ```
///
/// Patterns are fixed, values are tensors: forward and reverse mode, any order, and `vmap` over values, which solves the programs of a batch on
/// all cores. A gradient with respect to a matrix has the entries of its pattern, and takes time in proportion to them. The order of
/// elimination is found once for patterns and kept with that of Q: give the same `SparsityPattern` in later calls.
///
/// - Parameters:
///   - quadratic: Q, n x n; positive semidefinite, its pattern symmetric (both halves). Only its symmetric part counts. A linear program's has no entries.
///   - linear: q, [n].
///   - equalities: A, p x n.
///   - equalityValues: b, [p].
///   - inequalities: G, m x n.
///   - lower: l, [m]; -infinity for none.
///   - upper: u, [m]; infinity for none.
///   - lowerBounds: lo, [n].
///   - upperBounds: hi, [n].
///   - options: tolerances; a barrier that smooths.
///   - policy: what derivatives do at solutions where they do not exist. The check runs when a derivative is taken.
///   - throwsOnFailure: whether a program without a solution is an error. If not, its status tells, and derivatives are errors.
/// - Returns: minimiser, multipliers and status.
/// - Throws: `TensorError`: shapes and patterns that do not fit, numbers that are not finite (with row and column), crossed sides, Q not convex,
///   no solution; taking derivatives, a degenerate solution, with what fails.
/// - Complexity: about fifteen sparse L D Lᵀ decompositions of n + p + m rows; a derivative one solve with the last of them.
public func quadraticProgram(
  quadratic: SparseMatrix, linear: Tensor, equalities: SparseMatrix? = nil, equalityValues: Tensor? = nil,
  inequalities: SparseMatrix? = nil, lower: Tensor? = nil, upper: Tensor? = nil, lowerBounds: Tensor? = nil,
  upperBounds: Tensor? = nil, options: QuadraticProgramOptions = .init(), policy: DegeneracyPolicy = .error,
  throwsOnFailure: Bool = true
) throws -> QuadraticProgramTensors {
  let given = try ProgramOperands(linear: linear)
  let n = given.variables
  func values(_ matrix: SparseMatrix, rows: Int?, _ what: String) throws(TensorError) -> Tensor {
    let pattern = matrix.pattern
    guard pattern.columnCount == n, rows == nil || pattern.rowCount == rows else {
      throw TensorError(
        .shape, given.name,
        "\(what) is \(pattern.rowCount) x \(pattern.columnCount) where \(rows.map { "\($0)" } ?? "m") x \(n) is wanted"
      )
    }
    return try given.prepared(matrix.values, [pattern.entryCount], "the values of \(what)")
  }
  let q = try values(quadratic, rows: n, "Q")
  guard quadratic.pattern.isSymmetric else {
    throw TensorError(
      .argument, given.name, "the pattern of Q is not symmetric. Give both halves, not one triangle")
  }
  let p = equalityValues?.shape.first ?? 0
  var rows: [Tensor] = []
  if let equalities { rows.append(try values(equalities, rows: p, "A")) }
  if let inequalities { rows.append(try values(inequalities, rows: nil, "G")) }
  let size = ProgramSize(variables: n, rows: p + (inequalities?.pattern.rowCount ?? 0), equalities: p)
  let sides = try given.sides(
    size, hasEqualities: equalities != nil, equalityValues: equalityValues,
    hasInequalities: inequalities != nil, lower: lower, upper: upper, lowerBounds: lowerBounds,
    upperBounds: upperBounds)
  let structure: SparseProgramStructure
  do throws(LinearAlgebraError) {
    let none = try SparsityPattern(rowCount: 0, columnCount: n, entries: [])
    structure = try SparseProgramStructure(
      quadratic: quadratic.pattern, equalities: equalities?.pattern ?? none,
      inequalities: inequalities?.pattern ?? none)
  } catch { throw TensorError(.argument, given.name, error.description) }
  let plan = ProgramPlan(
    size: size, options: options, policy: policy, reports: !throwsOnFailure, structure: structure)
  return try given.solve(
    plan, quadratic: q, rows: rows.isEmpty ? Tensor.zeros([0]) : concatenate(rows, axis: 0), sides)
}
