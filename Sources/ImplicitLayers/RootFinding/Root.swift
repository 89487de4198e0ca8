public import Autodiff
import LinearAlgebra

/// How a system of equations is solved.
public enum RootMethod: Sendable, Hashable {
  /// Powell's dogleg up to 64 unknowns, else Newton's method.
  case automatic
  /// Newton's method, with a backtracking line search on ‖F‖ unless that is turned off.
  case newton(lineSearch: Bool = true)
  /// Newton's method that keeps its Jacobian as long as the residual falls at least by half in each step.
  case chord
  /// Broyden's first method: a Jacobian at the first point, corrected by rank one in each step.
  case broyden
  /// Powell's dogleg in a trust region.
  case dogleg
  /// Levenberg and Marquardt's method with Moré's trust region. Its Jacobian may be singular on the way.
  case levenbergMarquardt
}

/// Everything that decides how a system of equations is solved and differentiated.
public struct RootOptions: Sendable {
  /// The method.
  public var method: RootMethod
  /// The largest residual, ‖F‖∞, that counts as zero. Where rounding keeps the residual above it, a point from which Newton's step is
  /// shorter than 1e-10 of it is a solution too; and at a first guess whose residual is smaller already, Newton's step must be short too,
  /// lest equations of small numbers be taken for solved. If left out 1e-12, or 1e-5 for unknowns of float32.
  public var tolerance: Double?
  /// How the solver handles the Jacobian. Sparse and matrix-free ones are for Newton's method and the chord method.
  public var jacobian: JacobianStructure
  /// Limits and observation.
  public var control: SolveControl
  /// How the solution is differentiated.
  public var differentiation: ImplicitDifferentiation

  /// Options; what is left out has the value written here.
  public init(
    method: RootMethod = .automatic, tolerance: Double? = nil, jacobian: JacobianStructure = .automatic,
    control: SolveControl = SolveControl(), differentiation: ImplicitDifferentiation = .implicit
  ) {
    self.method = method
    self.tolerance = tolerance
    self.jacobian = jacobian
    self.control = control
    self.differentiation = differentiation
  }
}

/// A root of a residual: F(x) = 0 for as many equations as unknowns.
///
/// ```swift
/// let x = try root({ x in x * x - w }, guess: 1.0)         // √w, differentiable in w
/// ```
///
/// The solver runs on compiled functions of the traced residual and of its Jacobian; its steps are not recorded. Derivatives are those of
/// the implicit function theorem (``ImplicitDifferentiation``) with respect to all tensors that the residual captures; with
/// respect to the guess and the bounds they are zero. Of several roots the one that is found is differentiated. In the unrolled modes, which are for
/// ``RootMethod/newton(lineSearch:)`` without a line search, the result is the last iterate, and the guess has its derivative.
///
/// - Parameters:
///   - residual: F, of the unknowns' shapes. Tensors that it captures may be differentiated.
///   - guess: where the solver starts.
///   - lower: the least values of the unknowns, of their shapes; nil for none. Steps are cut off at the bounds, and a root is looked for inside.
///   - upper: the greatest values.
///   - options: method, tolerances, differentiation.
/// - Returns: the root.
/// - Throws: ``ImplicitLayerError`` if no root is found, or shapes do not fit; `TensorError` for mistakes in the residual. Taking the derivative:
///   an error if the Jacobian is singular at the root.
/// - Complexity: each iteration one evaluation of the residual and of its Jacobian, and O(n³) for dense ones.
public func root<Unknown: TensorTree>(
  _ residual: (Unknown) throws -> Unknown, guess: Unknown, lower: Unknown? = nil, upper: Unknown? = nil,
  options: RootOptions = RootOptions()
) throws -> Unknown {
  if let iterations = options.differentiation.recordedIterations {
    guard lower == nil, upper == nil else {
      throw ImplicitLayerError.argument("root: unrolled steps know no bounds")
    }
    return try unrolledNewton(residual, guess, options, iterations)
  }
  let call = try RootCall(residual, guess, lower, upper, options, reports: false, traceLength: 0)
  return try guess.replacing(leaves: call.run())
}

/// A root, and what the solver did: a failure is a status and no error. Otherwise as ``root(_:guess:lower:upper:options:)``; a root whose
/// Jacobian is singular has the status ``SolverStatus/degenerate``, where there are at most 512 unknowns.
///
/// - Parameters:
///   - residual: F, of the unknowns' shapes.
///   - guess: where the solver starts.
///   - lower: the least values of the unknowns; nil for none.
///   - upper: the greatest values.
///   - options: method, tolerances, differentiation.
///   - traceLength: how many residual norms are returned.
/// - Throws: ``ImplicitLayerError`` for shapes that do not fit and in unrolled modes; `TensorError` for mistakes in the residual.
public func rootWithReport<Unknown: TensorTree>(
  _ residual: (Unknown) throws -> Unknown, guess: Unknown, lower: Unknown? = nil, upper: Unknown? = nil,
  options: RootOptions = RootOptions(), traceLength: Int = 0
) throws -> ImplicitSolution<Unknown> {
  let call = try RootCall(residual, guess, lower, upper, options, reports: true, traceLength: traceLength)
  return try ImplicitSolution(guess, try call.run())
}

/// A call whose arguments fit together.
private struct RootCall {
  let layer: ImplicitLayer
  let staged: StagedFunction

  init<Unknown: TensorTree>(
    _ residual: (Unknown) throws -> Unknown, _ guess: Unknown, _ lower: Unknown?, _ upper: Unknown?,
    _ options: RootOptions, reports: Bool, traceLength: Int
  ) throws {
    let name = "root"
    try options.differentiation.check()
    guard options.differentiation.recordedIterations == nil else {
      throw ImplicitLayerError.argument("\(name): an unrolled solve has no report")
    }
    let bounds = try BoundTensors(name, guess.leaves, lower?.leaves, upper?.leaves)
    staged = try StagedFunction(name, guess: guess, explicit: bounds.leaves) { x, _ in try residual(x).leaves
    }
    try staged.requireResidual(name)
    let unknownCount = staged.guess.count
    let isSingle = staged.unknownTypes.contains { $0.elementType == .float32 }
    layer = ImplicitLayer(
      name: name, residual: staged.program, unknownCount: unknownCount,
      solver: RootSolver(
        programs: VectorPrograms(staged.program, unknowns: unknownCount), options: options,
        tolerance: options.tolerance ?? (isSingle ? 1e-5 : 1e-12), boundCount: bounds.leaves.count,
        checksRegularity: reports),
      differentiation: options.differentiation, reports: reports, traceLength: traceLength)
  }
  func run() throws -> [Tensor] {
    try layer.call(guess: staged.guess, parameters: staged.parameters, settings: [])
  }
}

/// Bounds of unknowns as explicit parameters: lower ones, then upper ones; both or none.
struct BoundTensors {
  let leaves: [Tensor]

  init(_ name: String, _ unknowns: [Tensor], _ lower: [Tensor]?, _ upper: [Tensor]?) throws {
    guard lower != nil || upper != nil else {
      leaves = []
      return
    }
    func complete(_ given: [Tensor]?, _ value: Double, _ what: String) throws -> [Tensor] {
      guard let given else {
        return unknowns.map { Tensor(repeating: value, shape: $0.shape, type: $0.elementType) }
      }
      guard given.map(\.shape) == unknowns.map(\.shape) else {
        throw ImplicitLayerError.shape(
          "\(name): \(what) bounds of shapes \(given.map(\.shape)) for unknowns of shapes \(unknowns.map(\.shape))"
        )
      }
      return zip(given, unknowns).map { $0.converted(to: $1.elementType) }
    }
    leaves = try complete(lower, -.infinity, "lower") + complete(upper, .infinity, "upper")
  }
  /// The bounds of a problem, from its first parameters.
  static func numbers(_ numbers: ProblemNumbers, _ problem: Int, count: Int, _ name: String) throws
    -> BoxBounds?
  {
    guard count > 0 else { return nil }
    let bounds = BoxBounds(
      lower: numbers.parameters(0..<count / 2, problem), upper: numbers.parameters(count / 2..<count, problem)
    )
    for k in bounds.lower.indices {
      guard bounds.lower[k] <= bounds.upper[k], bounds.lower[k] < .infinity, bounds.upper[k] > -.infinity
      else {
        throw ImplicitLayerError.argument(
          "\(name): the bounds of unknown \(k), [\(bounds.lower[k]), \(bounds.upper[k])], leave nothing")
      }
    }
    return bounds
  }
}

/// The solvers of systems on numbers.
private struct RootSolver: IndependentSolver {
  let programs: VectorPrograms
  let options: RootOptions
  let tolerance: Double
  let boundCount: Int
  let checksRegularity: Bool
  let idle = IdleSolvers()

  var control: SolveControl { options.control }
  var size: Int { programs.unknownCount }

  func problemSolver() throws -> ProblemSolver {
    let function = VectorFunction(programs)
    let core = try core(function)
    return { numbers, problem, control in
      function.bind(numbers, problem)
      let bounds = try BoundTensors.numbers(numbers, problem, count: boundCount, "root")
      var result = try core(numbers.guess(problem), bounds, control)
      if checksRegularity, result.report.status == .converged, programs.unknownCount <= 512,
        try !isRegular(function, result.x)
      {
        result.report.status = .degenerate
      }
      return result
    }
  }

  private typealias Core = (_ start: [Double], _ bounds: BoxBounds?, _ control: SolveControl) throws ->
    CoreResult

  /// The method.
  private func core(_ function: VectorFunction) throws -> Core {
    func newton(_ kind: NewtonCore.Kind, searches: Bool = true) throws -> Core {
      let system = NewtonSystem(function, try NewtonSystem.form(options.jacobian, programs))
      var core = NewtonCore(system, kind, searches: searches, tolerance: tolerance)
      return { try core.run(from: $0, bounds: $1, control: $2) }
    }
    func region(_ step: LeastSquaresCore.Step) throws -> Core {
      guard options.jacobian == .automatic || options.jacobian == .dense else {
        throw ImplicitLayerError.argument(
          "root: the dogleg and Levenberg and Marquardt's method need a dense Jacobian; choose Newton's method"
        )
      }
      var core = LeastSquaresCore(function, step: step, goal: .root(tolerance: tolerance))
      return { try core.run(from: $0, bounds: $1, control: $2) }
    }
    switch options.method {
    case .automatic:
      let isSmall =
        programs.unknownCount <= 64 && (options.jacobian == .automatic || options.jacobian == .dense)
      return isSmall ? try region(.dogleg) : try newton(.newton)
    case .newton(let searches): return try newton(.newton, searches: searches)
    case .chord: return try newton(.chord)
    case .broyden:
      guard case .dense = try NewtonSystem.form(options.jacobian, programs) else {
        throw ImplicitLayerError.argument("root: Broyden's method starts from a dense Jacobian; choose it")
      }
      return try newton(.broyden)
    case .dogleg: return try region(.dogleg)
    case .levenbergMarquardt: return try region(.levenbergMarquardt)
    }
  }
}

/// Whether the Jacobian is regular at a root in the sense of the derivative's check (`ImplicitLayer.regularity`).
/// - Parameter isGradient: whether the matrix is scaled to a diagonal of ones first, and not to largest elements of one.
func isRegular(_ function: VectorFunction, _ x: [Double], isGradient: Bool = false) throws -> Bool {
  let n = function.n
  if n == 0 { return true }
  var (value, jacobian) = (zeros(n), zeros(n * n))
  try function.valueAndJacobian(x, into: &value, &jacobian)
  guard areFinite(jacobian) else { return false }
  var (rows, columns) = ([Double](repeating: 1, count: n), [Double](repeating: 1, count: n))
  if isGradient {
    for k in 0..<n where jacobian[k * n + k] != 0 {
      rows[k] = 1 / jacobian[k * n + k].magnitude.squareRoot()
    }
    columns = rows
  } else {
    func inverse(_ largest: Double) -> Double { largest > 1e-30 ? 1 / largest : 1 }
    for i in 0..<n {
      rows[i] = inverse((0..<n).reduce(0.0) { max($0, jacobian[i * n + $1].magnitude) })
    }
    for j in 0..<n {
      columns[j] = inverse((0..<n).reduce(0.0) { max($0, rows[$1] * jacobian[$1 * n + j].magnitude) })
    }
  }
  for i in 0..<n { for j in 0..<n { jacobian[i * n + j] *= rows[i] * columns[j] } }
  guard let factor = try? LUFactorization(jacobian, size: n) else { return false }
  func solve(_ right: [Double]) -> [Double] {
    var result = zeros(n)
    factor.solve(zip(right, rows).map { $0 * $1 }, into: &result, count: 1, transposed: false)
    return zip(result, columns).map { $0 * $1 }
  }
  let (newton, other) = (solve(value), solve([Double](repeating: 1, count: n)))
  let (size, otherSize) = (1 + normInfinity(x), max(normInfinity(other), 1e-30))
  var probe = newton.map { -$0 }
  for k in 0..<n { probe[k] += Double.ulpOfOne * size * (other[k] / otherSize) }
  let length = max(normInfinity(probe), 1e-30)
  var (there, direction) = (x, probe)
  add(1, probe, to: &there)
  for k in 0..<n { direction[k] /= length }
  var (moved, held) = (zeros(n), zeros(n))
  try function.pushforward(there, direction, into: &moved)
  try function.pushforward(x, direction, into: &held)
  add(-1, held, to: &moved)
  guard areFinite(moved) else { return false }
  return normInfinity(solve(moved)) <= RequireRegularRoot.largestChange
}
