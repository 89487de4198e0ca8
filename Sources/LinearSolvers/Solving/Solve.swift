public import Autodiff
import LinearAlgebra

/// The solution x of A x = b.
///
/// ```swift
/// let a = LinearOperator.sparse(pattern, values: k, tags: .positiveDefinite)
/// let x = solve(a, b, .init(method: .conjugateGradients, preconditioner: .incompleteCholesky()))
/// ```
///
/// Derivatives of every order and mode are taken with respect to b and to the operator's own numbers: implicitly, by another solve with
/// the same factorisation or preconditioner, or through the iteration (``LinearSolveOptions/differentiation``).
///
/// - Parameters:
///   - a: a square operator. Its form and tags choose the method, unless the options do.
///   - b: a vector, or a matrix of columns; for batches of systems use `vmap`.
///   - options: method, tolerances, preconditioner, differentiation.
///   - preconditioner: an approximate inverse of one's own, for iterative methods. It is transposed for the backward solve. Implicit
///     derivatives do not depend on it.
///   - initialGuess: where iterations start, of the shape of the solution; zero if left out. Implicit derivatives do not depend on it.
/// - Returns: x, of the shape of b. A singular or not converged system, and whatever else has no meaning, is a mistake whose
///   `TensorError` says which, and whose message names likely causes.
public func solve(
  _ a: LinearOperator, _ b: Tensor, _ options: LinearSolveOptions = LinearSolveOptions(),
  preconditioner: LinearOperator? = nil, initialGuess: Tensor? = nil
) -> Tensor {
  do {
    let call = try SolveCall("solve", a, b, options, preconditioner, initialGuess, isLeastSquares: false)
    switch options.differentiation {
    case .implicit: return try call.shaped(call.run(reports: false, historyLength: -1)[0])
    case .unrolled(let iterations):
      return try call.shaped(call.unrolled(iterations: iterations, differentiated: iterations))
    case .truncated(let iterations, let differentiated):
      return try call.shaped(call.unrolled(iterations: iterations, differentiated: differentiated))
    }
  } catch { return tensorError(error, "solve").report() }
}

/// The solution of A x = b, and what the iteration did; one that does not converge is a status and no error.
///
/// - Parameters:
///   - initialGuess: where iterations start; nil for zero.
///   - a: the operator.
///   - preconditioner: of iterative methods; nil for none.
///   - b: the right-hand side.
///   - options: method, tolerances and how it is differentiated.
///   - historyLength: the number of steps whose residuals are returned; none if left out. The others are as those of
///     ``solve(_:_:_:preconditioner:initialGuess:)``.
/// - Throws: `TensorError` for every other failure.
public func solveWithReport(
  _ a: LinearOperator, _ b: Tensor, _ options: LinearSolveOptions = LinearSolveOptions(),
  preconditioner: LinearOperator? = nil, initialGuess: Tensor? = nil, historyLength: Int? = nil
) throws -> LinearSolution {
  try report("solve", a, b, options, preconditioner, initialGuess, historyLength, isLeastSquares: false)
}

/// The x that minimises ‖A x − b‖; of several the shortest. A may have any shape and rank.
///
/// By QR with column pivoting, by the singular value decomposition (``LinearMethod/svd``), or for sparse operators and functions by LSMR.
/// Derivatives exist where the rank does not change nearby, and are taken as if it did not.
///
/// - Parameters:
///   - initialGuess: where iterations start; nil for zero.
///   - a: the operator.
///   - b: a vector, or a matrix of columns.
///   - options: method and tolerances; ``LinearSolveOptions/rankTolerance`` decides what counts as zero.
public func leastSquares(
  _ a: LinearOperator, _ b: Tensor, _ options: LinearSolveOptions = LinearSolveOptions(),
  initialGuess: Tensor? = nil
) -> Tensor {
  do {
    let call = try SolveCall("leastSquares", a, b, options, nil, initialGuess, isLeastSquares: true)
    guard options.differentiation == .implicit else {
      throw LinearAlgebraError.argument("least squares are differentiated implicitly")
    }
    return try call.shaped(call.run(reports: false, historyLength: -1)[0])
  } catch { return tensorError(error, "leastSquares").report() }
}

/// The x that minimises ‖A x − b‖, and what the iteration did; one that does not converge is a status and no error.
/// - Throws: `TensorError` for every other failure.
public func leastSquaresWithReport(
  _ a: LinearOperator, _ b: Tensor, _ options: LinearSolveOptions = LinearSolveOptions(),
  initialGuess: Tensor? = nil, historyLength: Int? = nil
) throws -> LinearSolution {
  try report("leastSquares", a, b, options, nil, initialGuess, historyLength, isLeastSquares: true)
}

private func report(
  _ operation: String, _ a: LinearOperator, _ b: Tensor, _ options: LinearSolveOptions,
  _ preconditioner: LinearOperator?, _ initialGuess: Tensor?, _ historyLength: Int?, isLeastSquares: Bool
) throws -> LinearSolution {
  do {
    guard options.differentiation == .implicit, historyLength ?? 0 >= 0 else {
      throw LinearAlgebraError.argument(
        "reports belong to implicit differentiation, and histories have a length")
    }
    let call = try SolveCall(
      operation, a, b, options, preconditioner, initialGuess, isLeastSquares: isLeastSquares)
    let results = try call.run(reports: true, historyLength: historyLength ?? -1)
    let isVector = call.isVector
    func single(_ x: Tensor) -> Tensor { isVector ? x.squeezed(0) : x }
    return LinearSolution(
      solution: call.shaped(results[0]), status: single(results[1]), iterations: single(results[2]),
      residual: single(results[3]), history: results.count > 4 ? single(results[4]) : Tensor([Double]()))
  } catch { throw tensorError(error, operation) }
}

/// A call of a solver whose arguments fit together.
struct SolveCall {
  let plan: SolvePlan
  let parameters: [Tensor]
  let inverse: LinearOperator?
  let b: Tensor
  let guess: Tensor?
  let isVector: Bool
  let a: LinearOperator

  init(
    _ operation: String, _ a: LinearOperator, _ b: Tensor, _ options: LinearSolveOptions,
    _ inverse: LinearOperator?, _ guess: Tensor?, isLeastSquares: Bool
  ) throws {
    if let error = a.error ?? b.failure ?? inverse?.error ?? guess?.failure { throw error }
    try options.stopping.check()
    try options.gradientStopping?.check()
    guard b.rank == 1 || b.rank == 2, b.shape[0] == a.rows else {
      throw LinearAlgebraError.shape(
        "a right-hand side of shape \(b.shape) does not belong to an operator of \(a.rows) x \(a.columns)")
    }
    if !isLeastSquares, a.rows != a.columns {
      throw LinearAlgebraError.shape(
        "an operator of \(a.rows) x \(a.columns) has no inverse; use leastSquares(_:_:) for the best solution"
      )
    }
    isVector = b.rank == 1
    let size = [a.columns] + b.shape.dropFirst()
    if let guess, guess.shape != size {
      throw LinearAlgebraError.shape("a first guess of shape \(guess.shape) where \(size) is wanted")
    }
    if let inverse {
      guard inverse.rows == a.columns, inverse.columns == a.rows else {
        throw LinearAlgebraError.shape(
          "a preconditioner of \(inverse.rows) x \(inverse.columns) for an operator of \(a.rows) x \(a.columns)"
        )
      }
      guard options.preconditioner == .none else {
        throw LinearAlgebraError.argument(
          "one preconditioner is chosen by the options and another one is passed")
      }
    }
    let method = a.node.chosenMethod(options.method, isLeastSquares: isLeastSquares)
    if !method.isIterative, options.differentiation == .implicit {
      guard inverse == nil, options.preconditioner == .none, guess == nil else {
        throw LinearAlgebraError.argument(
          "preconditioners and first guesses belong to iterative methods; this operator is solved directly. Choose a method"
        )
      }
    }
    let (own, vectors) = a.matched([b] + (guess.map { [$0] } ?? []))
    parameters = own
    self.a = a
    self.inverse = inverse
    self.b = isVector ? vectors[0].expandingAxis(-1) : vectors[0]
    self.guess = guess == nil ? nil : isVector ? vectors[1].expandingAxis(-1) : vectors[1]
    plan = SolvePlan(node: a.node, inverse: inverse?.node, options: options, isLeastSquares: isLeastSquares)
  }

  func run(reports: Bool, historyLength: Int) throws -> [Tensor] {
    let prepared = try bindOrThrow(
      PrepareSolve(plan: plan), (parameters + (inverse?.parameters ?? [])).map { stopGradient($0) })
    let solve = OperatorSolve(
      plan: plan, hasGuess: guess != nil, reports: reports, historyLength: historyLength)
    return try bindOrThrow(solve, parameters + prepared + [b] + (guess.map { [$0] } ?? []))
  }
  func shaped(_ x: Tensor) -> Tensor { isVector ? x.squeezed(-1) : x }
}
