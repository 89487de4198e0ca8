import Autodiff
import LinearAlgebra
import LinearSolvers

/// A solver that works on numbers.
protocol NativeSolver: Sendable {
  /// Solves the problems of a batch.
  /// - Throws: `ProblemFailure` for the first problem that has no solution, or any other error.
  func solve(_ batch: ProblemBatch, into solutions: SolutionStore) throws
}

/// A layer: the residual that its solution makes zero, how the solution is found, and how it is differentiated. Told apart by
/// identity.
final class ImplicitLayer: Sendable, Hashable {
  let name: String
  /// Unknowns, then parameters, to a residual of the unknowns' types.
  let residual: Program
  let unknownCount: Int
  let solver: any NativeSolver
  let differentiation: ImplicitDifferentiation
  /// What is known of the residual's Jacobian.
  let tags: OperatorTags
  /// The residual times this is of the form f(y) − y, for the series.
  let seriesScale: Double
  /// Whether the Jacobian is that of a gradient, so that a dense one is scaled to a diagonal of ones before it is factored.
  let isGradient: Bool
  /// Whether a solve that fails is a status and not an error.
  let reports: Bool
  /// Steps of the trace that is returned.
  let traceLength: Int
  /// Whether solver or derivative take every component of the residual for a function of its own unknown.
  let needsIndependentEquations: Bool

  init(
    name: String, residual: Program, unknownCount: Int, solver: any NativeSolver,
    differentiation: ImplicitDifferentiation, tags: OperatorTags = [], seriesScale: Double = 1,
    isGradient: Bool = false, reports: Bool = false, traceLength: Int = 0,
    needsIndependentEquations: Bool = false
  ) {
    self.name = name
    self.residual = residual
    self.unknownCount = unknownCount
    self.solver = solver
    self.differentiation = differentiation
    self.tags = tags.union(differentiation.tags)
    self.seriesScale = seriesScale
    self.isGradient = isGradient
    self.reports = reports
    self.traceLength = traceLength
    self.needsIndependentEquations = needsIndependentEquations || differentiation.jacobian == .diagonal
  }
  static func == (a: ImplicitLayer, b: ImplicitLayer) -> Bool { a === b }
  func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }

  var unknownTypes: [TensorType] { Array(residual.inputTypes.prefix(unknownCount)) }
  var parameterTypes: [TensorType] { Array(residual.inputTypes.dropFirst(unknownCount)) }
  var parameterCount: Int { residual.inputs.count - unknownCount }

  /// Types of the results: the unknowns, and of a report the status, iterations, evaluations, evaluations of derivatives, measure, value and
  /// trace.
  var resultTypes: [TensorType] {
    guard reports else { return unknownTypes }
    let number = TensorType(.float64, [])
    let count = TensorType(.int32, [])
    return unknownTypes + [count, count, count, count, number, number, TensorType(.float64, [traceLength])]
  }

  /// The results. Operands: guess, parameters, settings.
  /// - Parameters:
  ///   - isBatched: operands that have a problem in each row; nil for one problem.
  ///   - count: the number of problems.
  /// - Throws: `ProblemFailure` if one of the problems has no solution.
  func evaluate(_ operands: [DenseArray], isBatched: [Bool]? = nil, count: Int = 1) throws -> [DenseArray] {
    let batch = ProblemBatch(
      operands: operands, isBatched: isBatched, count: count, unknownCount: unknownCount,
      parameterCount: parameterCount)
    let solutions = SolutionStore(self, batch)
    try solver.solve(batch, into: solutions)
    return try solutions.results()
  }
}
