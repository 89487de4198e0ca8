public import Autodiff
import LinearAlgebra

/// Gradients of one function by several ways, side by side: what each costs, and how wrong it is.
public struct GradientComparison: Sendable, CustomStringConvertible {
  /// One way.
  public struct Row: Sendable, Hashable {
    /// What was done.
    public var name: String
    /// The largest difference of an element from the reference, relative to the reference's largest.
    public var error: Double
    /// Seconds for one gradient, the least of several.
    public var seconds: Double
    /// Bytes that the forward pass keeps for the backward one; zero for differences.
    public var keptBytes: Int
    /// Most bytes of tensors that are alive at once in the forward and the backward pass, with the point and what the loss captures, without
    /// the factors and work space that a solver has for itself (which do not grow with its steps).
    public var peakBytes: Int
    /// Why there is no gradient; empty if there is one.
    public var failure: String
  }
  /// The ways, in the order in which they were asked for.
  public var rows: [Row]

  /// A table.
  public var description: String {
    let header = ["gradient", "relative error", "time", "kept for the way back", "most at once"]
    let cells = rows.map { row -> [String] in
      guard row.failure.isEmpty else { return [row.name, row.failure, "", "", ""] }
      return [
        row.name, Self.scientific(row.error), Self.duration(row.seconds), Self.bytes(row.keptBytes),
        Self.bytes(row.peakBytes),
      ]
    }
    let widths = header.indices.map { column in
      ([header] + cells.filter { column == 0 || !$0[2].isEmpty }).map { $0[column].count }.max() ?? 0
    }
    return ([header] + cells).map { line in
      zip(line, widths).map { $0 + String(repeating: " ", count: max(0, $1 - $0.count)) }.joined(
        separator: "  ")
    }.joined(separator: "\n")
  }
  private static func scientific(_ value: Double) -> String {
    guard value > 0, value.isFinite else { return "\(value)" }
    var exponent = 0
    var mantissa = value
    while mantissa >= 9.95 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
    while mantissa < 0.995 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
    return "\((mantissa * 10).rounded() / 10)e\(exponent)"
  }
  private static func duration(_ seconds: Double) -> String {
    let (value, unit) =
      seconds < 1e-3 ? (seconds * 1e6, "µs") : seconds < 1 ? (seconds * 1e3, "ms") : (seconds, "s")
    return "\((value * 10).rounded() / 10) \(unit)"
  }
  private static func bytes(_ count: Int) -> String {
    let value = Double(count)
    if value < 1e3 { return "\(count) B" }
    let (scaled, unit) = value < 1e6 ? (value / 1e3, "kB") : (value / 1e6, "MB")
    return "\((scaled * 10).rounded() / 10) \(unit)"
  }
}

/// Gradients of a function that solves linear systems: implicit, unrolled, truncated, and by finite differences, compared on the user's
/// own problem.
///
/// ```swift
/// let table = try compareGradients(at: k, unrolled: [20, 80], truncated: [(80, 5)]) { k, solve in
///   square(try solve(.sparse(pattern, values: k, tags: .positiveDefinite), b)).sum()
/// }
/// print(table)
/// ```
///
/// - Parameters:
///   - point: where.
///   - options: how systems are solved for the implicit gradient, and for differences.
///   - reference: how they are solved for the gradient that counts as right: implicit, with a tolerance of 1e-13 and otherwise as
///     `options` if left out.
///   - unrolled: numbers of steps, all of them recorded, of the options' method if it is an iteration that can be unrolled, and else of the one
///     for the operator's tags; without the preconditioner that the options choose.
///   - truncated: numbers of steps, and how many of the last are recorded.
///   - differenceStep: of central differences; none are taken if it is nil. They cost two functions for each element.
///   - repetitions: how often each gradient is timed.
///   - loss: a scalar function of the point that solves with what it is given. Gradients that fail are rows that say why.
/// - Throws: `TensorError` if the reference fails.
public func compareGradients(
  at point: Tensor, options: LinearSolveOptions = LinearSolveOptions(), reference: LinearSolveOptions? = nil,
  unrolled: [Int] = [], truncated: [(iterations: Int, differentiated: Int)] = [],
  differenceStep: Double? = 1e-5,
  repetitions: Int = 3,
  loss: @escaping (_ point: Tensor, _ solve: (LinearOperator, Tensor) throws -> Tensor) throws -> Tensor
) throws -> GradientComparison {
  var tight = options
  tight.stopping.relativeTolerance = min(tight.stopping.relativeTolerance, 1e-13)
  tight.gradientStopping = nil
  tight.differentiation = .implicit
  func function(_ options: LinearSolveOptions) -> (Tensor) throws -> Tensor {
    { point in try loss(point) { LinearSolvers.solve($0, $1, options) } }
  }
  func gradient(_ options: LinearSolveOptions) throws -> Tensor {
    try Autodiff.grad(function(options))(point)
  }
  let exact = try gradient(reference ?? tight).values
  func requireFinite(_ values: [Double], _ role: String) throws {
    guard values.allSatisfy(\.isFinite) else {
      throw TensorError(.nonFinite, "compareGradients", "\(role) is not finite")
    }
  }
  try requireFinite(exact, "the gradient of reference")
  let size = exact.map(\.magnitude).max() ?? 0
  let clock = ContinuousClock()
  func row(
    _ name: String, memory: () throws -> (kept: Int, peak: Int), _ compute: () throws -> [Double]
  ) -> GradientComparison.Row {
    var row = GradientComparison.Row(
      name: name, error: .nan, seconds: .infinity, keptBytes: 0, peakBytes: 0, failure: "")
    do {
      var values: [Double] = []
      for _ in 0..<max(repetitions, 1) {
        let elapsed = try clock.measure { values = try compute() }
        row.seconds = min(
          row.seconds, Double(elapsed.components.seconds) + 1e-18 * Double(elapsed.components.attoseconds))
      }
      try requireFinite(values, "the gradient")
      let difference = zip(values, exact).reduce(0) { max($0, ($1.0 - $1.1).magnitude) }
      row.error = size > 0 ? difference / size : difference
      (row.keptBytes, row.peakBytes) = try memory()
    } catch { row.failure = "\(error)" }
    return row
  }
  func traced(_ name: String, _ options: LinearSolveOptions) -> GradientComparison.Row {
    row(name, memory: { try gradientMemory(function(options), at: point) }) { try gradient(options).values }
  }
  var implicit = options
  implicit.differentiation = .implicit
  var rows = [traced("implicit", implicit)]
  func recorded(_ differentiation: SolveDifferentiation) -> LinearSolveOptions {
    var result = options
    if !options.method.canBeUnrolled { result.method = .automatic }
    result.preconditioner = .none
    result.differentiation = differentiation
    return result
  }
  for count in unrolled {
    rows.append(traced("unrolled, \(count) steps", recorded(.unrolled(iterations: count))))
  }
  for (count, last) in truncated {
    rows.append(
      traced(
        "last \(last) of \(count) steps", recorded(.truncated(iterations: count, differentiated: last))))
  }
  if let step = differenceStep {
    rows.append(
      row(
        "central differences",
        memory: { (0, try withTensorErrors { try stage(function(implicit), point).program.peakByteCount }) }
      ) {
        let values = point.values
        return try values.indices.map { k in
          func moved(_ change: Double) throws -> Double {
            var next = values
            next[k] += change
            return try withTensorErrors {
              try Double(
                function(implicit)(Tensor(next, shape: point.shape).converted(to: point.elementType)))
            }
          }
          return (try moved(step) - moved(-step)) / (2 * step)
        }
      })
  }
  return GradientComparison(rows: rows)
}

/// Bytes of what the forward half of a gradient hands to the backward half, and of all that is alive at once in one of the two.
private func gradientMemory(_ function: (Tensor) throws -> Tensor, at point: Tensor) throws -> (
  kept: Int, peak: Int
) {
  try withTensorErrors {
    let staged = try stage(function, point)
    let derivative = try staged.program.jvpProgram(isActive: staged.program.inputs.indices.map { $0 == 0 })
      .program
    let split = try derivative.partiallyEvaluated(
      isUnknown: derivative.inputs.indices.map { $0 >= staged.program.inputs.count })
    let kept = split.known.outputTypes.suffix(split.residualCount).reduce(0) {
      $0 + $1.count * $1.elementType.byteCount
    }
    let backward = try split.unknown.transposedProgram(
      isLinear: split.unknown.inputs.indices.map { $0 >= split.residualCount })
    // The point and the captures outlive the way back; those of them that are residuals count once more.
    return (kept, max(split.known.peakByteCount, split.known.inputByteCount + backward.peakByteCount))
  }
}
