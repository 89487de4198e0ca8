public import Autodiff
import LinearAlgebra

/// How a solve ended.
public enum LinearSolveStatus: Int32, Sendable, Hashable, CustomStringConvertible {
  /// The residual is below the tolerance, or the solution is a direct one.
  case converged = 0
  /// The iteration used up its steps. Likely causes: an ill-conditioned operator without a preconditioner, too few iterations, a
  /// tolerance below what rounding allows.
  case notConverged = 1
  /// The iteration could not go on. Likely causes: a singular operator, a tolerance below what rounding allows.
  case brokeDown = 2

  init(_ report: IterationReport?) {
    switch report?.outcome {
    case nil, .converged: self = .converged
    case .iterationLimit: self = .notConverged
    case .breakdown: self = .brokeDown
    }
  }
  /// What happened and why that may be.
  public var description: String {
    switch self {
    case .converged: "converged"
    case .notConverged:
      "not converged within the iterations allowed (an ill-conditioned operator without a preconditioner, too few "
        + "iterations, or a tolerance below what rounding allows)"
    case .brokeDown:
      "broke down (a singular operator, or a tolerance below what rounding allows)"
    }
  }
}

/// A solution with what the iteration did. Derivatives go through ``solution``; those of a solution that was not found are errors.
public struct LinearSolution: TensorTree {
  /// The solution; the last iterate if the iteration did not converge.
  public var solution: Tensor
  /// The raw value of a ``LinearSolveStatus`` for each right-hand side, `int32`.
  public var status: Tensor
  /// Steps made for each right-hand side, `int32`; zero for direct methods.
  public var iterations: Tensor
  /// The norm of each residual, `float64`; zero for direct methods, which do not compute it.
  public var residual: Tensor
  /// The norm of each residual before the first and after each step, repeated after the last; an empty array if it was not asked
  /// for.
  public var history: Tensor
}
