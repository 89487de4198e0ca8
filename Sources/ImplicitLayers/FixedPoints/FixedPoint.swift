public import Autodiff

/// How a fixed point is iterated.
public enum FixedPointMethod: Sendable {
  /// y ← y + β (f(y) − y), Picard's iteration with damping β; a tensor with one number, which has a derivative where steps are unrolled.
  case picard(damping: Tensor = 1.0)
  /// Anderson's acceleration (1965) over the last `depth` steps, in its least-squares form (Walker and Ni 2011).
  case anderson(depth: Int = 5, damping: Double = 1)
}

/// Everything that decides how a fixed point is found and differentiated.
public struct FixedPointOptions: Sendable {
  /// The method.
  public var method: FixedPointMethod
  /// The largest ‖f(y) − y‖∞, relative to max(1, ‖y‖∞), that counts as zero; if left out 1e-10, or 1e-5 for unknowns of float32.
  public var tolerance: Double?
  /// Limits and observation.
  public var control: SolveControl
  /// How the solution is differentiated.
  public var differentiation: ImplicitDifferentiation

  /// Options; what is left out has the value written here.
  public init(
    method: FixedPointMethod = .anderson(), tolerance: Double? = nil,
    control: SolveControl = SolveControl(maximumIterations: 500),
    differentiation: ImplicitDifferentiation = .implicit
  ) {
    self.method = method
    self.tolerance = tolerance
    self.control = control
    self.differentiation = differentiation
  }
}

/// A fixed point y = f(y): a layer of infinite depth, a value iteration, a steady state.
///
/// ```swift
/// let y = try fixedPoint({ y in tanh(matmul(w, y) + b) }, guess: Tensor.zeros([20]))
/// ```
///
/// The solver evaluates the compiled function alone, which may be a large network. Derivatives with respect to all that f captures are those
/// of the implicit function theorem, of a series, or of unrolled Picard steps (``ImplicitDifferentiation``).
///
/// - Parameters:
///   - function: f, from the unknowns to values of their shapes.
///   - guess: where the iteration starts. Its derivative is zero but in unrolled modes.
///   - options: method, tolerances, differentiation.
/// - Throws: ``ImplicitLayerError`` if the iteration does not converge, or shapes do not fit; `TensorError` for mistakes in the function.
/// - Complexity: one evaluation in each iteration; Anderson's method solves a least-squares problem with `depth` columns besides.
public func fixedPoint<Unknown: TensorTree>(
  _ function: (Unknown) throws -> Unknown, guess: Unknown, options: FixedPointOptions = FixedPointOptions()
) throws -> Unknown {
  let call = try FixedPointCall(function, guess, options, reports: false, traceLength: 0)
  if let iterations = options.differentiation.recordedIterations {
    return try guess.replacing(leaves: try call.unrolled(iterations))
  }
  return try guess.replacing(leaves: try call.run())
}

/// A fixed point, and what the iteration did: a failure is a status and no error. Otherwise as ``fixedPoint(_:guess:options:)``.
///
/// - Parameters:
///   - function: f, from the unknowns to values of their shapes.
///   - guess: where the iteration starts.
///   - options: method, tolerances, differentiation.
///   - traceLength: how many norms of f(y) − y are returned.
/// - Throws: ``ImplicitLayerError`` for shapes that do not fit and in unrolled modes; `TensorError` for mistakes in the function.
public func fixedPointWithReport<Unknown: TensorTree>(
  _ function: (Unknown) throws -> Unknown, guess: Unknown, options: FixedPointOptions = FixedPointOptions(),
  traceLength: Int = 0
) throws -> ImplicitSolution<Unknown> {
  guard options.differentiation.recordedIterations == nil else {
    throw ImplicitLayerError.argument("fixedPoint: an unrolled solve has no report")
  }
  let call = try FixedPointCall(function, guess, options, reports: true, traceLength: traceLength)
  return try ImplicitSolution(guess, try call.run())
}

private struct FixedPointCall {
  let layer: ImplicitLayer
  let staged: StagedFunction
  let damping: Tensor

  init<Unknown: TensorTree>(
    _ function: (Unknown) throws -> Unknown, _ guess: Unknown, _ options: FixedPointOptions, reports: Bool,
    traceLength: Int
  ) throws {
    let name = "fixedPoint"
    try options.differentiation.check()
    staged = try StagedFunction(name, guess: guess) { y, _ in try function(y).leaves }
    guard staged.program.outputTypes == staged.unknownTypes else {
      throw ImplicitLayerError.shape(
        "\(name): the function gives \(staged.program.outputTypes) for unknowns of \(staged.unknownTypes)")
    }
    let count = staged.guess.count
    let residual = try staged.deriving { program, arguments in
      zip(try program(arguments), arguments).map { $0 - $1 }
    }
    var depth = 0
    switch options.method {
    case .picard(let given):
      guard given.count == 1 else {
        throw ImplicitLayerError.shape("\(name): the damping is one number, not \(given.type)")
      }
      damping = given.reshaped([]).converted(to: .float64)
    case .anderson(let memory, let given):
      guard memory >= 1, given > 0, given.isFinite else {
        throw ImplicitLayerError.argument(
          "\(name): Anderson's method needs a depth and a damping that are positive, not \(memory) and \(given)"
        )
      }
      depth = memory
      damping = Tensor(given)
    }
    let isSingle = staged.unknownTypes.contains { $0.elementType == .float32 }
    layer = ImplicitLayer(
      name: name, residual: residual, unknownCount: count,
      solver: FixedPointSolver(
        programs: VectorPrograms(residual, unknowns: count), depth: depth,
        tolerance: options.tolerance ?? (isSingle ? 1e-5 : 1e-10), control: options.control),
      differentiation: options.differentiation, reports: reports, traceLength: traceLength)
  }
  func run() throws -> [Tensor] {
    try layer.call(guess: staged.guess, parameters: staged.parameters, settings: [damping])
  }
  /// Picard's steps, recorded.
  func unrolled(_ iterations: (all: Int, differentiated: Int)) throws -> [Tensor] {
    guard (layer.solver as? FixedPointSolver)?.depth == 0 else {
      throw ImplicitLayerError.argument(
        "fixedPoint: the iteration that can be unrolled is Picard's; differentiate Anderson's method implicitly"
      )
    }
    let residual = layer.residual
    // The damping is differentiated like a parameter.
    return try recordedSteps(iterations, staged.guess, staged.parameters + [damping]) { count, start, all in
      try forLoop(count, initial: start) { _, y in
        zip(y, try residual(y + all.dropLast())).map { $0 + all.last!.converted(to: $0.elementType) * $1 }
      }
    }
  }
}

private struct FixedPointSolver: IndependentSolver {
  let programs: VectorPrograms
  /// Steps that Anderson's method looks back; zero for Picard's.
  let depth: Int
  let tolerance: Double
  let control: SolveControl
  let idle = IdleSolvers()

  var size: Int { programs.unknownCount }

  func problemSolver() -> ProblemSolver {
    let function = VectorFunction(programs)
    var core = FixedPointCore(function, depth: depth, tolerance: tolerance)
    return { numbers, problem, control in
      let damping = numbers.setting(0, problem)[0]
      guard damping.isFinite, damping != 0 else {
        throw ImplicitLayerError.argument(
          "fixedPoint: the damping must be finite and not zero, not \(damping)")
      }
      function.bind(numbers, problem)
      return try core.run(from: numbers.guess(problem), damping: damping, control: control)
    }
  }
}
