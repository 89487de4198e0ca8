public import Autodiff

/// minimise f(x) subject to h(x) = 0, lower ≤ g(x) ≤ upper and bounds, with functions of tensors: derivatives come from their traced
/// programs.
///
/// ```swift
/// var program = NonlinearProgram(objective: { x in (x * x).sum() })
/// program.inequalities = { x in x.sum().reshaped([1]) }
/// program.lower = [1]
/// let solution = try program.solve(from: [0, 0])
/// ```
///
/// Solutions are local. Dense: one decomposition of all variables and rows in each iteration.
public struct NonlinearProgram {
  /// f: a vector [n] to a scalar.
  public var objective: (Tensor) throws -> Tensor
  /// h: a vector [n] to a vector [p].
  public var equalities: ((Tensor) throws -> Tensor)?
  /// g: a vector [n] to a vector [m].
  public var inequalities: ((Tensor) throws -> Tensor)?
  /// The lower sides of g, [m]; nil for none.
  public var lower: [Double]?
  /// The upper sides of g, [m]; nil for none.
  public var upper: [Double]?
  /// The lower bounds of x, [n]; nil for none.
  public var lowerBounds: [Double]?
  /// The upper bounds of x, [n]; nil for none.
  public var upperBounds: [Double]?

  /// A program without constraints; set the members.
  public init(objective: @escaping (Tensor) throws -> Tensor) { self.objective = objective }

  /// A local minimiser, whatever the status.
  /// - Parameters:
  ///   - guess: where to start, [n].
  ///   - options: tolerance and limits.
  ///   - isCancelled: asked in every iteration.
  /// - Throws: `TensorError` if shapes do not fit, sides are NaN or crossed, or the functions throw.
  public func solve(
    from guess: [Double], options: NonlinearProgramOptions = .init(), isCancelled: () -> Bool = { false }
  ) throws -> NonlinearProgramSolution {
    let functions = try NonlinearFunctions(
      objective: objective, equalities: equalities, inequalities: inequalities, variables: guess.count)
    let m = functions.rowCount - functions.equationCount
    let problem = try functions.problem(
      captures: functions.captures.map { try $0.denseValue("NonlinearProgram") },
      lower: lower ?? [Double](repeating: -.infinity, count: m),
      upper: upper ?? [Double](repeating: .infinity, count: m),
      lowerBounds: lowerBounds ?? [Double](repeating: -.infinity, count: guess.count),
      upperBounds: upperBounds ?? [Double](repeating: .infinity, count: guess.count))
    guard guess.allSatisfy(\.isFinite) else {
      throw TensorError(.nonFinite, "NonlinearProgram", "the guess is not finite")
    }
    try options.check("NonlinearProgram")
    var solver = NonlinearInteriorPoint(problem, options)
    return try solver.solve(from: guess, isCancelled: isCancelled)
  }
}

/// The traced functions of a nonlinear program.
final class NonlinearFunctions: Sendable {
  let variableCount: Int
  let rowCount: Int
  let equationCount: Int
  /// x and captures to f and c.
  private let values: CompiledProgram
  private let valueCaptures: Int
  /// x, λ and captures to ∇f, the Jacobian of c, and the Hessian of f + λ · c.
  private let derivatives: CompiledProgram
  /// What the two programs capture, the values' first.
  let captures: [Tensor]

  init(
    objective: @escaping (Tensor) throws -> Tensor, equalities: ((Tensor) throws -> Tensor)?,
    inequalities: ((Tensor) throws -> Tensor)?, variables n: Int
  ) throws {
    let name = "NonlinearProgram"
    var counts = [0, 0]
    let rows = { (x: Tensor) throws -> [Tensor] in
      var parts: [Tensor] = []
      for (k, function) in [equalities, inequalities].enumerated() {
        guard let function else { continue }
        let part = try function(x)
        guard part.rank == 1, part.elementType == .float64 else {
          throw TensorError(.shape, name, "constraints give \(part.type), not a float64 vector")
        }
        counts[k] = part.shape[0]
        parts.append(part)
      }
      return [concatenate(parts + [Tensor.zeros([0])], axis: 0)]
    }
    let f = { (x: Tensor) throws -> Tensor in
      let value = try objective(x)
      guard value.rank == 0, value.elementType == .float64 else {
        throw TensorError(.shape, name, "the objective gives \(value.type), not a float64 scalar")
      }
      return value
    }
    let point = Tensor.zeros([n])
    let traced = try withTensorErrors { try stage({ (x: Tensor) in [try f(x)] + (try rows(x)) }, point) }
    equationCount = counts[0]
    let m = counts[0] + counts[1]
    rowCount = m
    variableCount = n
    let c = { (x: Tensor) throws -> Tensor in try rows(x)[0] }
    let tracedDerivatives = try withTensorErrors {
      try stage(
        { (arguments: [Tensor]) -> [Tensor] in
          let (x, multipliers) = (arguments[0], arguments[1])
          let lagrangian = { (x: Tensor) throws -> Tensor in
            let value = try f(x)
            return m > 0 ? value + dot(try c(x), multipliers) : value
          }
          return [
            try grad(f)(x), m > 0 ? try jacobian(c)(x) : Tensor.zeros([0, n]), try hessian(lagrangian)(x),
          ]
        }, [point, Tensor.zeros([m])])
    }
    values = CompiledProgram(traced.program)
    valueCaptures = traced.captures.count
    derivatives = CompiledProgram(tracedDerivatives.program)
    captures = traced.captures + tracedDerivatives.captures
  }

  /// The program in numbers.
  func problem(
    captures: [DenseArray], lower: [Double], upper: [Double], lowerBounds: [Double], upperBounds: [Double]
  ) throws(TensorError) -> NonlinearProgramProblem {
    let (n, m, p) = (variableCount, rowCount, equationCount)
    let name = "NonlinearProgram"
    for (values, count, what) in [
      (lower, m - p, "lower"), (upper, m - p, "upper"), (lowerBounds, n, "lowerBounds"),
      (upperBounds, n, "upperBounds"),
    ] where values.count != count {
      throw TensorError(.shape, name, "\(what) has \(values.count) elements, not \(count)")
    }
    for (low, high, what) in [(lower, upper, "inequality"), (lowerBounds, upperBounds, "variable")] {
      for k in low.indices where !(low[k] <= high[k] && low[k] < .infinity && high[k] > -.infinity) {
        throw TensorError(
          .argument, name, "the sides of \(what) \(k), [\(low[k]), \(high[k])], leave nothing")
      }
    }
    let first = Array(captures.prefix(valueCaptures))
    let second = Array(captures.dropFirst(valueCaptures))
    let zeros = [Double](repeating: 0, count: p)
    return NonlinearProgramProblem(
      variableCount: n, rowCount: m, equationCount: p, lower: zeros + lower, upper: zeros + upper,
      lowerBounds: lowerBounds, upperBounds: upperBounds,
      values: { [values] x in
        let found = try values.run([DenseArray(x, shape: [n])] + first)
        return (found[0].values(Double.self)[0], found[1].values(Double.self))
      },
      derivatives: { [derivatives] x, multipliers in
        let found = try derivatives.run(
          [DenseArray(x, shape: [n]), DenseArray(multipliers, shape: [m])] + second)
        return (found[0].values(Double.self), found[1].values(Double.self), found[2].values(Double.self))
      })
  }
}
