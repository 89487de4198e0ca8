public import Autodiff
import LinearSolvers

/// How a function is minimised.
public enum MinimizationMethod: Sendable {
  /// With bounds L-BFGS-B, else up to 32 unknowns a trust region with exact Hessians, beyond that L-BFGS.
  case automatic
  /// x ← x + v with v ← μ v − α ∇f. Without step sizes a line search finds them (and there is no momentum). Step sizes and momenta are one number,
  /// or one for each iteration; where steps are unrolled they have derivatives.
  case gradientDescent(stepSize: Tensor? = nil, momentum: Tensor = 0.0)
  /// Nonlinear conjugate gradients.
  case conjugateGradients(ConjugateFormula = .hagerZhang)
  /// BFGS with a dense inverse Hessian.
  case bfgs
  /// L-BFGS that remembers so many steps.
  case limitedMemoryBFGS(memory: Int = 10)
  /// L-BFGS-B that remembers so many steps; also without bounds.
  case boundedBFGS(memory: Int = 10)
  /// Newton's method with truncated conjugate gradients and a line search: products with the Hessian only.
  case newtonConjugateGradients
  /// A trust region whose model is minimised exactly, by the eigenvalues of the Hessian.
  case trustRegion
  /// A trust region whose model is minimised by conjugate gradients (Steihaug and Toint): products with the Hessian only.
  case trustRegionConjugateGradients
}

/// Everything that decides how a function is minimised and the minimiser differentiated.
public struct MinimizationOptions: Sendable {
  /// The method.
  public var method: MinimizationMethod
  /// The line search of methods that have one; if left out the strong Wolfe conditions, with a tenth of the slope for conjugate gradients, nine
  /// tenths for others.
  public var lineSearch: LineSearch?
  /// The largest ‖∇f‖∞ relative to max(1, |f|) that counts as zero (with bounds of the projected gradient); if left out 1e-9, or 1e-4 for unknowns
  /// of float32. Where rounding of the objective refuses every step, a thousand times as much (1e-8 at least), or, for methods that know the curvature, as much as
  /// promises a decrease of 1e-13 |f|.
  public var tolerance: Double?
  /// Limits and observation.
  public var control: SolveControl
  /// How the minimiser is differentiated.
  public var differentiation: ImplicitDifferentiation

  /// Options; what is left out has the value written here.
  public init(
    method: MinimizationMethod = .automatic, lineSearch: LineSearch? = nil, tolerance: Double? = nil,
    control: SolveControl = SolveControl(maximumIterations: 2000),
    differentiation: ImplicitDifferentiation = .implicit
  ) {
    self.method = method
    self.lineSearch = lineSearch
    self.tolerance = tolerance
    self.control = control
    self.differentiation = differentiation
  }
}

/// A local minimiser of a function, with bounds if there are any.
///
/// ```swift
/// let x = try minimize({ x in sin(x * w) }, guess: 0.0)        // −π/(2 w), differentiable in w
/// ```
///
/// The derivative is that of the root of ∇f: with the exact Hessian, whatever the method used. At a bound whose multiplier is not zero, an unknown moves with the bound.
/// Unrolled modes record the steps of gradient descent with given step sizes: their result is the last iterate, and the guess, the step sizes and
/// the momenta have their derivatives.
///
/// - Parameters:
///   - objective: f, one number. Tensors that it captures may be differentiated.
///   - guess: where the solver starts.
///   - lower: the least values of the unknowns, of their shapes; nil for none. Differentiable.
///   - upper: the greatest values.
///   - options: method, tolerances, differentiation.
/// - Returns: the minimiser.
/// - Throws: ``ImplicitLayerError`` if none is found, or shapes do not fit; `TensorError` for mistakes in the objective. Taking the derivative: an
///   error if the Hessian is singular there, or an unknown is at its bound with a multiplier of zero.
public func minimize<Unknown: TensorTree>(
  _ objective: (Unknown) throws -> Tensor, guess: Unknown, lower: Unknown? = nil, upper: Unknown? = nil,
  options: MinimizationOptions = MinimizationOptions()
) throws -> Unknown {
  let call = try MinimizationCall(objective, guess, lower, upper, options, reports: false, traceLength: 0)
  if let iterations = options.differentiation.recordedIterations {
    return try guess.replacing(leaves: try call.unrolled(iterations))
  }
  return try guess.replacing(leaves: try call.run())
}

/// A minimiser, and what the solver did: a failure is a status and no error. Otherwise as ``minimize(_:guess:lower:upper:options:)``;
/// a minimiser of up to 64 unknowns that has no derivative has the status ``SolverStatus/degenerate``.
/// - Parameters:
///   - objective: f, one number. Tensors that it captures may be differentiated.
///   - guess: where the solver starts.
///   - lower: the least values of the unknowns; nil for none.
///   - upper: the greatest values.
///   - options: method, tolerances, differentiation.
///   - traceLength: how many norms of the gradient are returned.
/// - Throws: ``ImplicitLayerError`` if shapes or options do not fit; `TensorError` for mistakes in the objective.
public func minimizeWithReport<Unknown: TensorTree>(
  _ objective: (Unknown) throws -> Tensor, guess: Unknown, lower: Unknown? = nil, upper: Unknown? = nil,
  options: MinimizationOptions = MinimizationOptions(), traceLength: Int = 0
) throws -> ImplicitSolution<Unknown> {
  guard options.differentiation.recordedIterations == nil else {
    throw ImplicitLayerError.argument("minimize: an unrolled solve has no report")
  }
  let call = try MinimizationCall(
    objective, guess, lower, upper, options, reports: true, traceLength: traceLength)
  return try ImplicitSolution(guess, try call.run())
}

private struct MinimizationCall {
  let layer: ImplicitLayer
  let staged: StagedFunction
  /// Step sizes and momenta, of gradient descent with given ones.
  let settings: [Tensor]
  private let hasBounds: Bool

  init<Unknown: TensorTree>(
    _ objective: (Unknown) throws -> Tensor, _ guess: Unknown, _ lower: Unknown?, _ upper: Unknown?,
    _ options: MinimizationOptions, reports: Bool, traceLength: Int
  ) throws {
    let name = "minimize"
    try options.differentiation.check()
    try options.lineSearch?.check()
    let bounds = try BoundTensors(name, guess.leaves, lower?.leaves, upper?.leaves)
    hasBounds = !bounds.leaves.isEmpty
    staged = try StagedFunction(name, guess: guess, explicit: bounds.leaves) { x, _ in [try objective(x)] }
    try staged.requireScalar(name)
    var seriesScale = 1.0
    if case .gradientDescent(let step?, let momentum) = options.method {
      for (what, given) in [("step sizes", step), ("momenta", momentum)]
      where given.rank > 1 || given.count == 0 {
        throw ImplicitLayerError.shape("\(name): \(what) are one number or a vector, not \(given.type)")
      }
      settings = [step, momentum].map { $0.converted(to: .float64) }
      if let number = step.dense, step.count == 1 { seriesScale = -Tensor(number).values[0] }
    } else {
      settings = []
    }
    if case .series = options.differentiation.method, seriesScale == 1 {
      throw ImplicitLayerError.unsupportedDerivative(
        "\(name): a series needs steps x ← x − α ∇f; choose gradient descent with one step size that is a number"
      )
    }
    let count = staged.guess.count
    let residual = try gradientResidual(staged, layer: name, hasBounds: !bounds.leaves.isEmpty)
    let isSingle = staged.unknownTypes.contains { $0.elementType == .float32 }
    layer = ImplicitLayer(
      name: name, residual: residual, unknownCount: count,
      solver: Minimizer(
        programs: VectorPrograms(staged.program, unknowns: count), options: options,
        tolerance: options.tolerance ?? (isSingle ? 1e-4 : 1e-9), boundCount: bounds.leaves.count,
        stationarity: stationarityPrograms(residual, unknowns: count, reports: reports)),
      differentiation: options.differentiation, tags: bounds.leaves.isEmpty ? .symmetric : [],
      seriesScale: seriesScale, isGradient: true, reports: reports, traceLength: traceLength)
  }
  func run() throws -> [Tensor] {
    try layer.call(guess: staged.guess, parameters: staged.parameters, settings: settings)
  }

  /// Steps of gradient descent, recorded.
  func unrolled(_ iterations: (all: Int, differentiated: Int)) throws -> [Tensor] {
    let name = layer.name
    guard settings.count == 2, !hasBounds else {
      throw ImplicitLayerError.argument(
        "\(name): the iteration that can be unrolled is gradient descent with given step sizes and without bounds; differentiate "
          + "other methods implicitly")
    }
    let gradient = layer.residual
    let unknownCount = staged.guess.count
    // Rows of numbers to step through.
    func rows(_ given: Tensor) throws -> Tensor {
      if given.count == 1 { return given.reshaped([1]).broadcast(to: [iterations.all]) }
      guard given.count >= iterations.all else {
        throw ImplicitLayerError.shape(
          "\(name): \(given.count) step sizes or momenta for \(iterations.all) iterations")
      }
      return given[0..<iterations.all]
    }
    let numbers = try settings.map(rows)
    func steps(_ range: Range<Int>, _ state: [Tensor], _ parameters: [Tensor], _ numbers: [Tensor]) throws
      -> [Tensor]
    {
      if range.isEmpty { return state }
      return try scan(initial: state, over: numbers.map { $0[range] }) { state, row in
        let (x, velocity) = (Array(state.prefix(unknownCount)), state.dropFirst(unknownCount))
        let moved = zip(velocity, try gradient(x + parameters)).map { v, g in
          row[1].converted(to: v.elementType) * v - row[0].converted(to: v.elementType) * g
        }
        return (zip(x, moved).map { $0 + $1 } + moved, [Tensor]())
      }.state
    }
    let rest = staged.guess.map { Tensor.zeros($0.shape, type: $0.elementType) }
    let constantCount = iterations.all - iterations.differentiated
    var state = staged.guess + rest
    if constantCount > 0 {
      let fixed = { (x: Tensor) in stopGradient(x) }
      state = try steps(0..<constantCount, state.map(fixed), staged.parameters.map(fixed), numbers.map(fixed))
        .map(fixed)
    }
    return Array(
      try steps(constantCount..<iterations.all, state, staged.parameters, numbers).prefix(unknownCount))
  }
}

/// The gradient of an objective, or with bounds what must vanish instead: x − l where the multiplier of the lower bound is positive, x − u likewise.
func gradientResidual(_ staged: StagedFunction, layer: String, hasBounds: Bool) throws -> Program {
  let count = staged.guess.count
  return try staged.deriving { program, arguments in
    let rest = arguments.dropFirst(count)
    let unknowns = Array(arguments.prefix(count))
    let gradient = try grad { (x: [Tensor]) in try program(x + rest)[0] }(unknowns)
    guard hasBounds else { return gradient }
    return unknowns.indices.map { k in
      let (x, g) = (unknowns[k], gradient[k])
      let (low, high) = (arguments[count + k], arguments[2 * count + k])
      let shifted = x - g
      let found = select((shifted .< low) .| (low .== high), x - low, select(shifted .> high, x - high, g))
      // Between equal bounds nothing has to be decided.
      let isFixed = low .== high
      let open = Tensor.zeros(low.shape, type: low.elementType) + Double.infinity
      let converted = [found, shifted, select(isFixed, -open, low), select(isFixed, open, high)]
        .map { $0.converted(to: .float64) }
      return bind(RequireComplementarity(layer: layer), converted)[0].converted(to: x.elementType)
    }
  }
}

/// The gradient as a function of a vector, where a report is wanted and there are at most 64 unknowns.
func stationarityPrograms(_ gradient: Program, unknowns: Int, reports: Bool) -> VectorPrograms? {
  guard reports else { return nil }
  let programs = VectorPrograms(gradient, unknowns: unknowns)
  return programs.unknownCount <= 64 ? programs : nil
}

/// Gives a solution without a derivative its status: the Hessian over the free unknowns is singular, or a bound holds with a multiplier of zero.
func markDegenerate(
  _ result: inout CoreResult, _ gradient: VectorFunction?, _ numbers: ProblemNumbers, _ problem: Int
) throws {
  guard result.report.status == .converged, let gradient else { return }
  gradient.bind(numbers, problem)
  if try !isRegular(gradient, result.x, isGradient: true) { result.report.status = .degenerate }
}

/// The minimisers on numbers.
private struct Minimizer: IndependentSolver {
  let programs: VectorPrograms
  let options: MinimizationOptions
  let tolerance: Double
  let boundCount: Int
  /// What vanishes at a minimiser, if reports shall say where it has no derivative.
  let stationarity: VectorPrograms?
  let idle = IdleSolvers()

  var control: SolveControl { options.control }
  var size: Int { programs.unknownCount }

  func problemSolver() -> ProblemSolver {
    let function = VectorFunction(programs)
    let gradient = stationarity.map { VectorFunction($0) }
    return { numbers, problem, control in
      function.bind(numbers, problem)
      let bounds = try BoundTensors.numbers(numbers, problem, count: boundCount, "minimize")
      var result = try run(function, numbers, problem, bounds, control)
      try markDegenerate(&result, gradient, numbers, problem)
      return result
    }
  }

  private func run(
    _ function: VectorFunction, _ numbers: ProblemNumbers, _ problem: Int, _ bounds: BoxBounds?,
    _ control: SolveControl
  ) throws -> CoreResult {
    let start = numbers.guess(problem)
    func descent(_ direction: DescentCore.Direction) throws -> CoreResult {
      var search = LineSearch.strongWolfe()
      if case .conjugate = direction { search = .strongWolfe(curvature: 0.1) }
      return try DescentCore(
        direction: direction, lineSearch: options.lineSearch ?? search, tolerance: tolerance,
        control: control
      ).run(function, from: start)
    }
    func region(_ subproblem: TrustRegionCore.Subproblem) throws -> CoreResult {
      try TrustRegionCore(subproblem: subproblem, tolerance: tolerance, control: control)
        .run(function, from: start)
    }
    func bounded(_ memory: Int) throws -> CoreResult {
      let free = BoxBounds(
        lower: [Double](repeating: -.infinity, count: start.count),
        upper: [Double](repeating: .infinity, count: start.count))
      return try BoundedQuasiNewtonCore(
        memory: try positive(memory), lineSearch: options.lineSearch ?? .strongWolfe(), tolerance: tolerance,
        control: control
      ).run(function, from: start, bounds: bounds ?? free)
    }
    func positive(_ memory: Int) throws -> Int {
      guard memory >= 1 else {
        throw ImplicitLayerError.argument("minimize: a memory of \(memory) steps is none")
      }
      return memory
    }
    if bounds != nil {
      switch options.method {
      case .automatic: return try bounded(10)
      case .boundedBFGS(let memory): return try bounded(memory)
      default:
        throw ImplicitLayerError.argument("minimize: bounds are for boundedBFGS (or automatic)")
      }
    }
    switch options.method {
    case .automatic:
      return start.count <= 32 ? try region(.exact) : try descent(.limitedMemory(10))
    case .gradientDescent(let step, _):
      guard step != nil else { return try descent(.steepest) }
      return try GradientDescentCore(tolerance: tolerance, control: control).run(
        function, from: start, stepSizes: numbers.setting(0, problem), momenta: numbers.setting(1, problem))
    case .conjugateGradients(let formula): return try descent(.conjugate(formula))
    case .bfgs: return try descent(.bfgs)
    case .limitedMemoryBFGS(let memory): return try descent(.limitedMemory(try positive(memory)))
    case .boundedBFGS(let memory): return try bounded(memory)
    case .newtonConjugateGradients: return try descent(.newton)
    case .trustRegion: return try region(.exact)
    case .trustRegionConjugateGradients: return try region(.truncated)
    }
  }
}
