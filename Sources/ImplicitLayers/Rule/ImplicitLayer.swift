import Autodiff
import LinearAlgebra
import LinearSolvers

/// What a native solver gave for one problem: the point, whatever the status, and what happened.
struct NativeSolution {
  /// The best point, leaf by leaf, of the unknowns' types.
  var unknowns: [DenseArray]
  var report: SolveReport
  /// More about a status that is not convergence.
  var details = ""
}

/// A solver that works on numbers.
protocol NativeSolver: Sendable {
  /// Solves one problem.
  /// - Parameters:
  ///   - guess: the unknowns' first values.
  ///   - parameters: what the residual depends on besides: explicit ones, then what its closure captured.
  ///   - settings: tensors that only the solver depends on (step sizes).
  func solve(guess: [DenseArray], parameters: [DenseArray], settings: [DenseArray]) throws -> NativeSolution
  /// Solves a batch; arrays that are batched have it as axis 0. Nil: one problem after the other.
  func solveBatch(_ operands: [DenseArray], isBatched: [Bool], size: Int, parameterCount: Int) throws
    -> [NativeSolution]?
}
extension NativeSolver {
  func solveBatch(_ operands: [DenseArray], isBatched: [Bool], size: Int, parameterCount: Int) throws
    -> [NativeSolution]?
  { nil }
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
    self.tags = tags
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

  /// Types of the results: the unknowns, and of a report the status, iterations, evaluations, measure, value and trace.
  var resultTypes: [TensorType] {
    guard reports else { return unknownTypes }
    let number = TensorType(.float64, [])
    let count = TensorType(.int32, [])
    return unknownTypes + [count, count, count, number, number, TensorType(.float64, [traceLength])]
  }

  /// The results for one problem. Operands: guess, parameters, settings.
  func evaluate(_ operands: [DenseArray]) throws -> [DenseArray] {
    let rest = operands.dropFirst(unknownCount)
    return try results(
      of: try solver.solve(
        guess: operands.prefix(unknownCount).map { $0.contiguous() },
        parameters: Array(rest.prefix(parameterCount)),
        settings: Array(rest.dropFirst(parameterCount))))
  }
  /// A solution's results, or the error that its status is.
  func results(of solution: NativeSolution) throws(ImplicitLayerError) -> [DenseArray] {
    guard solution.unknowns.map(\.type) == unknownTypes else {
      throw .shape(
        "\(name): the solver returned \(solution.unknowns.map(\.type)) where the unknowns are \(unknownTypes)"
      )
    }
    let report = solution.report
    guard reports else {
      guard report.status == .converged else {
        throw .notSolved(
          report.status,
          "\(name) stopped after \(report.iterations) iterations with a measure of \(report.measure)"
            + (solution.details.isEmpty ? "" : ": \(solution.details)"))
      }
      return solution.unknowns
    }
    var trace = report.trace.prefix(traceLength).map(\.measure)
    trace += [Double](repeating: trace.last ?? report.measure, count: traceLength - trace.count)
    return solution.unknowns + [
      DenseArray(scalar: report.status.rawValue), DenseArray(scalar: Int32(clamping: report.iterations)),
      DenseArray(scalar: Int32(clamping: report.evaluations)), DenseArray(scalar: report.measure),
      DenseArray(scalar: report.value), DenseArray(trace, shape: [traceLength]),
    ]
  }
}
