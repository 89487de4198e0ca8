package import Autodiff
import LinearAlgebra

/// An operator that is factored, or whose preconditioner is made, once for several solves: what layers that solve with one Jacobian for
/// different purposes use. Derivatives are those of ``solve(_:_:_:preconditioner:initialGuess:)``.
package struct PreparedOperator {
  private let call: SolveCall
  private let prepared: [Tensor]

  /// - Throws: `TensorError` if the operator is not square, is singular, or does not fit the options.
  package init(_ a: LinearOperator, _ options: LinearSolveOptions = LinearSolveOptions()) throws {
    do {
      guard options.differentiation == .implicit else {
        throw LinearAlgebraError.argument("a prepared operator is differentiated implicitly")
      }
      call = try SolveCall(
        "solve", a, Tensor.zeros([a.rows], type: a.elementType), options, nil, nil, isLeastSquares: false)
      prepared = try bindOrThrow(PrepareSolve(plan: call.plan), call.parameters.map { stopGradient($0) })
    } catch { throw tensorError(error, "solve") }
  }

  /// x = A⁻¹ b for a vector or a matrix of columns, of the operator's element type.
  package func solve(_ b: Tensor) throws -> Tensor {
    let columns = b.rank == 1 ? b.expandingAxis(-1) : b
    let x = try bindOrThrow(OperatorSolve(plan: call.plan), call.parameters + prepared + [columns])[0]
    return b.rank == 1 ? x.squeezed(-1) : x
  }
}
