import Autodiff
import LinearAlgebra

/// What solving quadratic programs of tensors is made of.
struct ProgramPlan: Hashable, Sendable {
  var size: ProgramSize
  var options: QuadraticProgramOptions
  var policy: DegeneracyPolicy
  /// Programs that have no solution are a status, and not an error.
  var reports: Bool
  /// Where Q and C have entries, of which the operands are the values; nil for dense matrices.
  var structure: SparseProgramStructure?
  /// All operands have an axis of programs in front.
  var isStacked = false

  var label: String {
    "\(size.variables) variables, \(size.equalities) + \(size.rows - size.equalities) rows"
      + (structure.map { ", \($0.quadratic.entryCount) + \($0.rows.entryCount) entries" } ?? "")
      + (isStacked ? ", stacked" : "")
  }
  func shapes(_ count: Int?) -> [[Int]] {
    let (n, m, constraints) = (size.variables, size.rows, size.constraints)
    let lead = count.map { [$0] } ?? []
    let (quadratic, rows) =
      structure.map { ([$0.quadratic.entryCount], [$0.rows.entryCount]) } ?? ([n, n], [m, n])
    return [quadratic, [n], rows, [constraints], [constraints]].map { lead + $0 }
  }

  /// C x and Cᵀ ν for matrices C of the plan.
  func rowProducts(_ rows: Tensor, _ x: Tensor, _ multipliers: Tensor) throws -> [Tensor] {
    let net = multipliers.slice(axis: -1, from: 0, count: size.rows)
    return try bindOrThrow(MatrixVectorProducts(pattern: structure?.rows), [rows, x, net])
  }
  /// (Q + Qᵀ) x / 2.
  func symmetricProduct(_ quadratic: Tensor, _ x: Tensor) throws -> Tensor {
    let products = try bindOrThrow(MatrixVectorProducts(pattern: structure?.quadratic), [quadratic, x, x])
    return (products[0] + products[1]) * 0.5
  }
  /// Where an element of Q or of C lies, in a program's own words.
  func place(quadratic element: Int) -> String {
    guard let pattern = structure?.quadratic else { return "element \(element) of Q" }
    let (row, column) = pattern.position(element)
    return "the entry (\(row), \(column)) of Q"
  }
  func place(row element: Int) -> String {
    let p = size.equalities
    guard let pattern = structure?.rows else {
      let first = p * size.variables
      return element < first ? "element \(element) of A" : "element \(element - first) of G"
    }
    let (row, column) = pattern.position(element)
    return row < p ? "the entry (\(row), \(column)) of A" : "the entry (\(row - p), \(column)) of G"
  }
}

extension SparsityPattern {
  /// Row and column of the entry at a place.
  fileprivate func position(_ place: Int) -> (row: Int, column: Int) {
    (rowOffsets.lastIndex { $0 <= place } ?? 0, columnIndices[place])
  }
}

/// Programs that were solved together, kept for derivatives.
protocol SolvedProgramSet: AnyObject, Sendable {
  var count: Int { get }
  var statuses: [SolverStatus] { get }
  var iterations: [Int] { get }
  /// The first program whose Q is not positive semidefinite, and the variable at which that shows if it is known.
  var nonConvexProgram: (program: Int, variable: Int?)? { get }
  func regularity(_ member: Int) -> QuadraticProgramRegularity
  /// Solves the derivatives' systems of one member, or of all, one right-hand side each; the worst relative residual, and whose it is.
  func solveDerivative(
    members: Range<Int>, x: UnsafePointer<Double>, rows: UnsafePointer<Double>,
    intoX: UnsafeMutablePointer<Double>, intoRows: UnsafeMutablePointer<Double>
  ) -> MemberResidual
}
/// The relative residual of a member's system.
struct MemberResidual: Sendable {
  var member = 0
  var error = 0.0
}
/// The larger of two residuals; NaN counts as largest.
func worse(_ a: MemberResidual, _ b: MemberResidual) -> MemberResidual {
  a.error.isNaN || b.error <= a.error ? a : b
}
extension SolvedPrograms: SolvedProgramSet {
  var nonConvexProgram: (program: Int, variable: Int?)? { nonConvex.map { ($0, nil) } }
}
