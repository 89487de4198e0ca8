public import Autodiff

/// The root of a residual that any solver finds: a closure in Swift, a compiled binary, another program's output. Only the residual is
/// traced; the solver gets numbers and returns numbers.
///
/// ```swift
/// // x² = w by somebody else's square root, with derivatives of every order.
/// let x = try implicitRoot({ x, w in x * x - w }, guess: 1.0, parameters: w) { _, w in
///   Tensor(w.scalar.squareRoot())
/// }
/// ```
///
/// The derivative is that of the implicit function theorem, F_x ẋ = −F_w ẇ, or an approximation of it (``ImplicitDifferentiation``); it
/// belongs to the root that the solver returned. Derivatives are taken with respect to the parameters and to tensors that the residual
/// captures; that with respect to the guess is zero. Under `vmap` the solver is called for one element of the batch after the other.
///
/// - Parameters:
///   - residual: F(x, w), of the unknowns' shapes.
///   - guess: passed to the solver; also says what the unknowns look like.
///   - parameters: w, passed to the solver as numbers.
///   - differentiation: how the root is differentiated; unrolled modes need a solver of this module.
///   - solve: takes guess and parameters to the root. In a compiled function it runs in every call, possibly on another thread.
/// - Returns: what the solver returned.
/// - Throws: ``ImplicitLayerError`` if shapes do not fit or the root is not finite; `TensorError` for mistakes in the residual; what the
///   solver throws. Taking the derivative: an error if the point is no root, or if F_x is singular there.
public func implicitRoot<Unknown: TensorTree, Parameters: TensorTree>(
  _ residual: (_ x: Unknown, _ w: Parameters) throws -> Unknown, guess: Unknown, parameters: Parameters,
  differentiation: ImplicitDifferentiation = .implicit,
  solve: @escaping @Sendable (_ guess: Unknown, _ parameters: Parameters) throws -> Unknown
) throws -> Unknown {
  let name = "implicitRoot"
  try differentiation.check()
  guard differentiation.recordedIterations == nil else {
    throw ImplicitLayerError.unsupportedDerivative(
      "\(name): the steps of an outside solver are not known; choose an implicit derivative or a series")
  }
  let staged = try StagedFunction(name, guess: guess, explicit: parameters.leaves) { x, w in
    try residual(x, try parameters.replacing(leaves: w)).leaves
  }
  try staged.requireResidual(name)
  let layer = ImplicitLayer(
    name: name, residual: staged.program, unknownCount: staged.guess.count,
    solver: OutsideSolver(guess: guess, parameters: parameters, solve), differentiation: differentiation)
  return try guess.replacing(
    leaves: try layer.call(guess: staged.guess, parameters: staged.parameters, settings: []))
}

/// A closure that takes numbers to a solution.
private final class OutsideSolver<Unknown: TensorTree, Parameters: TensorTree>: NativeSolver,
  @unchecked Sendable
{
  // The trees are templates of structure.
  private let guess: Unknown
  private let parameters: Parameters
  private let body: @Sendable (Unknown, Parameters) throws -> Unknown

  init(
    guess: Unknown, parameters: Parameters,
    _ body: @escaping @Sendable (Unknown, Parameters) throws -> Unknown
  ) {
    self.guess = guess
    self.parameters = parameters
    self.body = body
  }

  func solve(_ batch: ProblemBatch, into solutions: SolutionStore) throws {
    for problem in 0..<batch.count {
      do { try solutions.store(try solve(batch.operands(problem)), problem) } catch {
        throw ProblemFailure(problem: problem, error: error)
      }
    }
  }

  private func solve(_ operands: [DenseArray]) throws -> CoreResult {
    let unknownCount = guess.leaves.count
    let explicit = operands.dropFirst(unknownCount).prefix(parameters.leaves.count)
    let result = try body(
      try guess.replacing(leaves: operands.prefix(unknownCount).map { Tensor($0) }),
      try parameters.replacing(leaves: explicit.map { Tensor($0) }))
    let wanted = operands.prefix(unknownCount).map(\.type)
    guard result.leaves.map(\.type) == wanted else {
      throw ImplicitLayerError.shape(
        "implicitRoot: the solver returned \(result.leaves.map(\.type)) where the unknowns are \(wanted)")
    }
    var x: [Double] = []
    for (k, leaf) in result.leaves.enumerated() {
      let array = try leaf.denseValue("implicitRoot")
      let values = try array.converted(to: .float64).values(Double.self)
      if let place = values.firstIndex(where: { !$0.isFinite }) {
        throw ImplicitLayerError.nonFinite(
          "implicitRoot: the solver returned a root whose tensor \(k) is not finite at element \(place)")
      }
      x += values
    }
    let report = SolveReport(
      status: .converged, iterations: 0, evaluations: 0, derivativeEvaluations: 0, measure: 0, value: 0,
      trace: [])
    return CoreResult(x: x, report: report)
  }
}
