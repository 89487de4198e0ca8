public import Autodiff
import LinearAlgebra
import LinearSolvers

/// How a nonlinear least-squares problem is solved.
public enum LeastSquaresMethod: Sendable, Hashable {
  /// Levenberg–Marquardt, dense or sparse by the structure.
  case automatic
  /// Gauss–Newton: the linearised problem's solution, halved until the cost falls.
  case gaussNewton
  /// Levenberg–Marquardt with Moré's trust region; on a sparse Jacobian with Nielsen's rule for the damping.
  case levenbergMarquardt
  /// Powell's dogleg in a trust region.
  case dogleg
}

/// Everything that decides how a nonlinear least-squares problem is solved and differentiated.
public struct LeastSquaresOptions: Sendable {
  /// The method.
  public var method: LeastSquaresMethod
  /// What residuals cost.
  public var loss: RobustLoss
  /// The largest |cos| of the angle between the residual and a column of the Jacobian that counts as zero.
  public var tolerance: Double
  /// Whether the Jacobian is dense or sparse; automatic: sparse from 65 unknowns on if at most a tenth of its entries can differ from zero.
  public var jacobian: JacobianStructure
  /// Limits and observation.
  public var control: SolveControl
  /// How the minimiser is differentiated.
  public var differentiation: ImplicitDifferentiation

  /// Options; what is left out has the value written here.
  public init(
    method: LeastSquaresMethod = .automatic, loss: RobustLoss = .squared, tolerance: Double = 1e-10,
    jacobian: JacobianStructure = .automatic, control: SolveControl = SolveControl(maximumIterations: 1000),
    differentiation: ImplicitDifferentiation = .implicit
  ) {
    self.method = method
    self.loss = loss
    self.tolerance = tolerance
    self.jacobian = jacobian
    self.control = control
    self.differentiation = differentiation
  }
}

/// The unknowns that minimise ½ Σ rᵢ(x)², or with a robust loss ½ δ² Σ ρ(rᵢ²/δ²).
///
/// ```swift
/// let fit = try nonlinearLeastSquares({ p in p[0] * exp(-p[1] * times) - measured }, guess: [1, 1])
/// ```
///
/// The derivative is that of the minimiser: with the exact Hessian of the cost, not Gauss and Newton's approximation, so that it is right where
/// residuals do not vanish. At a bound whose multiplier is not zero an unknown moves with the bound.
///
/// - Parameters:
///   - residual: r, tensors of any shapes. What it captures may be differentiated.
///   - guess: where the solver starts. Its derivative is zero.
///   - lower: the least values of the unknowns, of their shapes; nil for none.
///   - upper: the greatest values.
///   - options: method, loss, tolerances, differentiation.
/// - Throws: ``ImplicitLayerError`` if no minimiser is found, or shapes do not fit; `TensorError` for mistakes in the residual. Taking the derivative:
///   an error if the Hessian is singular.
/// - Complexity: each iteration one residual, one Jacobian, and O(m n²) for a dense one.
public func nonlinearLeastSquares<Unknown: TensorTree, Residual: TensorTree>(
  _ residual: (Unknown) throws -> Residual, guess: Unknown, lower: Unknown? = nil, upper: Unknown? = nil,
  options: LeastSquaresOptions = LeastSquaresOptions()
) throws -> Unknown {
  try guess.replacing(leaves: try leastSquaresCall(residual, guess, lower, upper, options, false, 0))
}

/// A least-squares fit, and what the solver did: a failure is a status and no error. Otherwise as
/// ``nonlinearLeastSquares(_:guess:lower:upper:options:)``; a minimiser of up to 64 unknowns that has no derivative has the status
/// ``SolverStatus/degenerate``.
/// - Parameters:
///   - residual: r, tensors of any shapes. What it captures may be differentiated.
///   - guess: where the solver starts.
///   - lower: the least values of the unknowns; nil for none.
///   - upper: the greatest values.
///   - options: method, loss, tolerances, differentiation.
///   - traceLength: how many measures are returned.
/// - Throws: ``ImplicitLayerError`` if shapes or options do not fit; `TensorError` for mistakes in the residual.
public func nonlinearLeastSquaresWithReport<Unknown: TensorTree, Residual: TensorTree>(
  _ residual: (Unknown) throws -> Residual, guess: Unknown, lower: Unknown? = nil, upper: Unknown? = nil,
  options: LeastSquaresOptions = LeastSquaresOptions(), traceLength: Int = 0
) throws -> ImplicitSolution<Unknown> {
  try ImplicitSolution(
    guess, try leastSquaresCall(residual, guess, lower, upper, options, true, traceLength))
}

private func leastSquaresCall<Unknown: TensorTree, Residual: TensorTree>(
  _ residual: (Unknown) throws -> Residual, _ guess: Unknown, _ lower: Unknown?, _ upper: Unknown?,
  _ options: LeastSquaresOptions, _ reports: Bool, _ traceLength: Int
) throws -> [Tensor] {
  let name = "nonlinearLeastSquares"
  try options.differentiation.check()
  try options.loss.check()
  guard options.differentiation.method == .implicit else {
    throw ImplicitLayerError.unsupportedDerivative(
      "\(name): fits are differentiated implicitly; minimize(_:guess:) has other ways")
  }
  let bounds = try BoundTensors(name, guess.leaves, lower?.leaves, upper?.leaves)
  let staged = try StagedFunction(name, guess: guess, explicit: bounds.leaves) { x, _ in
    try residual(x).leaves
  }
  for type in staged.program.outputTypes where !type.elementType.isFloatingPoint {
    throw ImplicitLayerError.shape("\(name): a residual is \(type), not of floating point")
  }
  let count = staged.guess.count
  let loss = options.loss
  let cost = try staged.deriving { program, arguments in
    let terms = try program(arguments).map { loss.cost($0) }
    return [terms.dropFirst().reduce(terms.first ?? Tensor(0.0)) { $0 + $1 }]
  }
  let stationary = try gradientResidual(
    StagedFunction(cost, staged), layer: name, hasBounds: !bounds.leaves.isEmpty)
  let layer = ImplicitLayer(
    name: name, residual: stationary,
    unknownCount: count,
    solver: LeastSquaresSolver(
      programs: VectorPrograms(staged.program, unknowns: count), options: options,
      boundCount: bounds.leaves.count,
      stationarity: stationarityPrograms(stationary, unknowns: count, reports: reports)),
    differentiation: options.differentiation, tags: bounds.leaves.isEmpty ? .symmetric : [], isGradient: true,
    reports: reports,
    traceLength: traceLength)
  return try layer.call(guess: staged.guess, parameters: staged.parameters, settings: [])
}

/// The fits on numbers.
private struct LeastSquaresSolver: IndependentSolver {
  let programs: VectorPrograms
  let options: LeastSquaresOptions
  let boundCount: Int
  /// What vanishes at a minimiser, if reports shall say where it has no derivative.
  let stationarity: VectorPrograms?
  let idle = IdleSolvers()

  var control: SolveControl { options.control }
  var size: Int { programs.unknownCount }

  func problemSolver() throws -> ProblemSolver {
    let function = VectorFunction(programs)
    let gradient = stationarity.map { VectorFunction($0) }
    let core = try core(function)
    return { numbers, problem, control in
      function.bind(numbers, problem)
      let bounds = try BoundTensors.numbers(numbers, problem, count: boundCount, "nonlinearLeastSquares")
      var result = try core(numbers.guess(problem), bounds, control)
      try markDegenerate(&result, gradient, numbers, problem)
      return result
    }
  }

  /// The method.
  private func core(_ function: VectorFunction) throws -> (
    _ start: [Double], _ bounds: BoxBounds?, _ control: SolveControl
  ) throws -> CoreResult {
    if let pattern = try sparsePattern() {
      guard options.method == .automatic || options.method == .levenbergMarquardt else {
        throw ImplicitLayerError.argument(
          "nonlinearLeastSquares: with a sparse Jacobian there is Levenberg–Marquardt; choose the dense structure for other methods"
        )
      }
      let core = try SparseLeastSquaresCore(
        function, pattern, tolerance: options.tolerance, loss: options.loss)
      return { try core.run(from: $0, bounds: $1, control: $2) }
    }
    let step: LeastSquaresCore.Step =
      switch options.method {
      case .automatic, .levenbergMarquardt: .levenbergMarquardt
      case .gaussNewton: .gaussNewton
      case .dogleg: .dogleg
      }
    var core = LeastSquaresCore(
      function, step: step, goal: .minimum(gradientTolerance: options.tolerance), loss: options.loss)
    return { try core.run(from: $0, bounds: $1, control: $2) }
  }

  private func sparsePattern() throws -> SparsityPattern? {
    switch options.jacobian {
    case .dense: return nil
    case .sparse, .diagonal: return try programs.pattern()
    case .matrixFree:
      throw ImplicitLayerError.argument("nonlinearLeastSquares: the Jacobian is dense or sparse")
    case .automatic:
      guard programs.unknownCount > 64 else { return nil }
      let pattern = try programs.pattern()
      return pattern.entryCount <= programs.unknownCount * programs.resultCount / 10 ? pattern : nil
    }
  }
}
