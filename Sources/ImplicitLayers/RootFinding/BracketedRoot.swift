public import Autodiff

/// How a bracketed root is found.
public enum BracketMethod: Sendable, Hashable {
  /// Interpolate, truncate, project (Oliveira and Takahashi 2020): superlinear, and never more than one evaluation above bisection.
  case itp
  /// Brent's method (1973): inverse quadratic interpolation, secants and bisection.
  case brent
  /// Halving.
  case bisection
}

/// Everything that decides how scalar equations in brackets are solved and differentiated.
public struct BracketOptions: Sendable {
  /// The method.
  public var method: BracketMethod
  /// The bracket is narrowed to this fraction of max(|lower|, |upper|), but not below four units in the last place.
  public var tolerance: Double
  /// Limits and observation.
  public var control: SolveControl
  /// How the solution is differentiated.
  public var differentiation: ImplicitDifferentiation

  /// Options; what is left out has the value written here.
  public init(
    method: BracketMethod = .itp, tolerance: Double = 0, control: SolveControl = SolveControl(),
    differentiation: ImplicitDifferentiation = ImplicitDifferentiation(jacobian: .diagonal)
  ) {
    self.method = method
    self.tolerance = tolerance
    self.control = control
    self.differentiation = differentiation
  }
}

/// The roots of many scalar equations at once, each inside of its bracket: f acts on every element by itself and has opposite signs at the two ends.
///
/// ```swift
/// // Kepler's equation for an array of mean anomalies.
/// let e = try bracketedRoot({ e in e - 0.3 * sin(e) - m }, lower: m - 1.0, upper: m + 1.0)
/// ```
///
/// All equations are evaluated in one call of the compiled function, in lanes; so are those of a batch (`vmap`). Derivatives with respect to what f captures are those of the implicit function
/// theorem; with respect to the bracket they are zero.
///
/// - Parameters:
///   - function: f, element by element; that elements do not depend on others' unknowns is checked by its traced program.
///   - lower: the lower ends.
///   - upper: the upper ends; the two are broadcast.
///   - options: method, tolerances, differentiation.
/// - Throws: ``ImplicitLayerError`` if a bracket holds no change of sign, or a jump instead of a root.
public func bracketedRoot(
  _ function: (Tensor) throws -> Tensor, lower: Tensor, upper: Tensor,
  options: BracketOptions = BracketOptions()
) throws -> Tensor {
  try bracketedCall(function, lower, upper, options, reports: false)[0]
}

/// Bracketed roots, and what the solver did: a failure is a status and no error. Otherwise as ``bracketedRoot(_:lower:upper:options:)``.
///
/// - Parameters:
///   - function: f, element by element.
///   - lower: the lower ends.
///   - upper: the upper ends; the two are broadcast.
///   - options: method, tolerances, differentiation.
///   - traceLength: how many measures are returned: of all equations the largest |f| at the better end of the bracket.
/// - Throws: ``ImplicitLayerError`` if shapes or brackets are none; `TensorError` for mistakes in the function.
public func bracketedRootWithReport(
  _ function: (Tensor) throws -> Tensor, lower: Tensor, upper: Tensor,
  options: BracketOptions = BracketOptions(), traceLength: Int = 0
) throws -> ImplicitSolution<Tensor> {
  try ImplicitSolution(
    lower, try bracketedCall(function, lower, upper, options, reports: true, traceLength: traceLength))
}

private func bracketedCall(
  _ function: (Tensor) throws -> Tensor, _ lower: Tensor, _ upper: Tensor, _ options: BracketOptions,
  reports: Bool, traceLength: Int = 0
) throws -> [Tensor] {
  let name = "bracketedRoot"
  try options.differentiation.check()
  guard options.differentiation.recordedIterations == nil else {
    throw ImplicitLayerError.unsupportedDerivative("\(name): comparisons have no derivative to be unrolled")
  }
  let zero = (lower + upper) * 0.0
  let (a, b) = (lower + zero, upper + zero)
  for end in [a, b] { if let error = end.failure { throw error } }
  let staged = try StagedFunction(name, guess: a) { x, _ in [try function(x)] }
  try staged.requireResidual(name)
  let programs = VectorPrograms(staged.program, unknowns: 1)
  let layer = ImplicitLayer(
    name: name, residual: staged.program, unknownCount: 1,
    solver: BracketSolver(
      programs: programs, batched: CompiledProgram(staged.program), options: options,
      traceLength: traceLength),
    differentiation: options.differentiation, reports: reports, traceLength: traceLength,
    needsIndependentEquations: true)
  return try layer.call(
    guess: [stopGradient(a)], parameters: staged.parameters, settings: [stopGradient(a), stopGradient(b)])
}

private struct BracketSolver: NativeSolver {
  let programs: VectorPrograms
  let batched: CompiledProgram
  let options: BracketOptions
  let traceLength: Int

  func solve(_ batch: ProblemBatch, into solutions: SolutionStore) throws {
    let numbers = try ProblemNumbers(batch)
    let n = programs.unknownCount
    let type = programs.unknownTypes[0]
    let ends = (0..<2).map { end in (0..<batch.count).flatMap { numbers.setting(end, $0) } }
    for (k, (lower, upper)) in zip(ends[0], ends[1]).enumerated()
    where !(lower.isFinite && upper.isFinite && lower <= upper) {
      throw ProblemFailure(
        problem: k / n,
        error: ImplicitLayerError.argument(
          "bracketedRoot: the bracket of equation \(k % n), [\(lower), \(upper)], is none"))
    }
    let search = BracketSearch(
      method: options.method, tolerance: options.tolerance, control: options.control,
      historyLength: traceLength)
    let result: BracketSearch.Result
    if let isBatched = batch.isBatched {
      let places = 1..<1 + batch.parameterCount
      result = try search.run(ends[0], ends[1]) { x, value in
        let array = try DenseArray(x, shape: [batch.count] + type.shape).converted(to: type.elementType)
        value = try batched.run(
          [array] + batch.operands[places], isBatched: [true] + isBatched[places], size: batch.count)[0]
          .converted(to: .float64).values(Double.self)
      }
    } else {
      let function = VectorFunction(programs)
      function.bind(numbers, 0)
      result = try search.run(ends[0], ends[1]) { x, value in try function.value(x, into: &value) }
    }
    for problem in 0..<batch.count {
      do { try solutions.store(solution(result, problem * n..<(problem + 1) * n), problem) } catch {
        throw ProblemFailure(problem: problem, error: error)
      }
    }
  }

  private func solution(_ result: BracketSearch.Result, _ range: Range<Int>) -> CoreResult {
    let failed = range.first { result.status[$0] != .converged }
    let status = failed.map { result.status[$0] } ?? .converged
    let measure = range.map { result.values[$0].magnitude }.max() ?? 0
    let iterations = result.iterations[range].max() ?? 0
    let trace = result.history.prefix(iterations + 1).enumerated().map { k, brackets in
      let largest = brackets[range].map(\.value).max() ?? 0
      return SolveProgress(
        iteration: k, evaluations: k + 2, measure: largest, value: largest,
        stepLength: brackets[range].map(\.width).max() ?? 0)
    }
    let report = SolveReport(
      status: status, iterations: iterations, evaluations: iterations + 2, derivativeEvaluations: 0,
      measure: measure, value: measure, trace: trace)
    let details = failed.map { "equation \($0 - range.lowerBound): \(result.details[$0] ?? "")" } ?? ""
    return CoreResult(x: Array(result.x[range]), report: report, details: details)
  }
}
