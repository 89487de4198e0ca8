public import Autodiff

/// Minimises a smooth function by limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.5) with a backtracking
/// line search that asks for sufficient decrease.
///
/// For functions whose value and gradient are exact, not for those estimated from random parts of the data.
public struct LimitedMemoryBFGS: Sendable {
  /// How many steps the approximation of the inverse Hessian remembers.
  public var memory: Int
  /// Stops after so many iterations at the latest.
  public var maximumIterations: Int
  /// Stops when no component of the gradient is larger.
  public var gradientTolerance: Double
  /// The length of the first step, before anything is known about the curvature.
  public var firstStepLength: Double

  /// A method with these constants.
  public init(
    memory: Int = 10, maximumIterations: Int = 100, gradientTolerance: Double = 1e-6,
    firstStepLength: Double = 0.1
  ) {
    self.memory = memory
    self.maximumIterations = maximumIterations
    self.gradientTolerance = gradientTolerance
    self.firstStepLength = firstStepLength
  }

  /// Where a minimisation ended.
  public struct Result<Point> {
    /// The best point found.
    public var point: Point
    /// The value there.
    public var value: Double
    /// How many steps were made.
    public var iterations: Int
    /// Whether the gradient there is within the tolerance.
    public var converged: Bool
  }

  /// Minimises a function of a tree of tensors.
  ///
  /// - Parameters:
  ///   - start: where the search begins.
  ///   - valueAndGradient: for example a compiled `valueAndGrad` of the function. A value that is not finite makes
  ///     the line search step back.
  ///   - report: called with the value at the start and after each iteration.
  /// - Throws: `TensorError` if the value at the start is not finite; what the function throws.
  public func minimize<Point: TensorTree>(
    from start: Point, _ valueAndGradient: (Point) throws -> (value: Tensor, gradient: Point),
    report: (_ iteration: Int, _ value: Double) -> Void = { _, _ in }
  ) throws -> Result<Point> {
    let types = start.leaves.map(\.type)
    func flat(_ tree: Point) -> [Double] { tree.leaves.flatMap(\.values) }
    func tree(_ flat: [Double]) throws -> Point {
      var rest = flat[...]
      return try start.replacing(
        leaves: types.map { type in
          defer { rest = rest.dropFirst(type.count) }
          return Tensor(Array(rest.prefix(type.count)), shape: type.shape).converted(to: type.elementType)
        })
    }
    let result = try minimize(
      from: flat(start),
      evaluate: { numbers in
        let (value, gradient) = try valueAndGradient(try tree(numbers))
        return (try Double(value), flat(gradient))
      }, report: report)
    return Result(
      point: try tree(result.point), value: result.value, iterations: result.iterations,
      converged: result.converged)
  }

  /// Minimises a function of an array of numbers.
  ///
  /// - Parameters:
  ///   - start: where the search begins.
  ///   - evaluate: the value and the gradient; a value that is not finite makes the line search step back.
  ///   - report: called with the value at the start and after each iteration.
  /// - Throws: `TensorError` if the value at the start is not finite; what `evaluate` throws.
  public func minimize(
    from start: [Double],
    evaluate: ([Double]) throws -> (value: Double, gradient: [Double]),
    report: (_ iteration: Int, _ value: Double) -> Void = { _, _ in }
  ) throws -> Result<[Double]> {
    var point = start
    var (value, gradient) = try evaluate(point)
    guard value.isFinite, gradient.count == start.count, gradient.allSatisfy(\.isFinite) else {
      throw TensorError(
        .nonFinite, "LimitedMemoryBFGS",
        "value or gradient at the start are not finite; begin where the function is defined")
    }
    var steps: [[Double]] = []
    var changes: [[Double]] = []
    report(0, value)
    var iteration = 0
    while true {
      guard gradient.contains(where: { abs($0) > gradientTolerance }) else {
        return Result(point: point, value: value, iterations: iteration, converged: true)
      }
      if iteration >= maximumIterations { break }
      var direction = self.direction(gradient, steps: steps, changes: changes)
      var slope = dot(direction, gradient)
      if slope >= 0 {
        steps = []
        changes = []
        direction = self.direction(gradient, steps: [], changes: [])
        slope = dot(direction, gradient)
      }
      guard let accepted = try search(point, value, direction, slope, evaluate) else { break }
      let step = zip(accepted.point, point).map { $0 - $1 }
      let change = zip(accepted.gradient, gradient).map { $0 - $1 }
      // Only pairs with positive curvature keep the approximation positive definite.
      if dot(step, change) > 1e-10 * dot(step, step) {
        steps.append(step)
        changes.append(change)
        if steps.count > memory {
          steps.removeFirst()
          changes.removeFirst()
        }
      }
      (point, value, gradient) = accepted
      iteration += 1
      report(iteration, value)
    }
    return Result(point: point, value: value, iterations: iteration, converged: false)
  }

  /// The first point along the direction, halving the step, that is lower by a fraction of what the slope promises.
  private func search(
    _ point: [Double], _ value: Double, _ direction: [Double], _ slope: Double,
    _ evaluate: ([Double]) throws -> (value: Double, gradient: [Double])
  ) rethrows -> (point: [Double], value: Double, gradient: [Double])? {
    var length = 1.0
    for _ in 0..<30 {
      let trial = zip(point, direction).map { $0 + length * $1 }
      let (trialValue, trialGradient) = try evaluate(trial)
      if trialValue.isFinite, trialValue <= value + 1e-4 * length * slope {
        return (trial, trialValue, trialGradient)
      }
      length /= 2
    }
    return nil
  }

  /// Minus the approximate inverse Hessian times the gradient (the two-loop recursion).
  private func direction(_ gradient: [Double], steps: [[Double]], changes: [[Double]]) -> [Double] {
    var q = gradient
    var weights = [Double](repeating: 0, count: steps.count)
    for i in steps.indices.reversed() {
      weights[i] = dot(steps[i], q) / dot(steps[i], changes[i])
      for k in q.indices { q[k] -= weights[i] * changes[i][k] }
    }
    let scale: Double
    if let step = steps.last, let change = changes.last {
      scale = dot(step, change) / dot(change, change)
    } else {
      scale = firstStepLength / max(dot(gradient, gradient).squareRoot(), .leastNormalMagnitude)
    }
    for k in q.indices { q[k] *= scale }
    for i in steps.indices {
      let weight = dot(changes[i], q) / dot(steps[i], changes[i])
      for k in q.indices { q[k] += (weights[i] - weight) * steps[i][k] }
    }
    return q.map { -$0 }
  }

  private func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
}
