/// How the solve of a nonlinear problem ended.
public enum SolverStatus: Int32, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  /// The solution meets the tolerances.
  case converged = 0
  /// No step made progress any more. Likely causes: a tolerance below what rounding allows, a wrong derivative, a point where the
  /// problem is not smooth.
  case stalled = 1
  /// The iterations allowed are used up.
  case iterationLimit = 2
  /// The constraints contradict each other; the solution carries the certificate.
  case infeasible = 3
  /// The objective falls without end; the solution carries the direction.
  case unbounded = 4
  /// A function value or derivative is not finite, and no shorter step made it so.
  case nonFinite = 5
  /// The point is a solution at which the derivative does not exist: a singular Jacobian, or active constraints that depend on each
  /// other or have no multiplier.
  case degenerate = 6
  /// The caller asked to stop.
  case cancelled = 7

  /// What happened and why that may be.
  public var description: String {
    switch self {
    case .converged: "converged"
    case .stalled:
      "stalled: no step made progress any more (a tolerance below what rounding allows, a wrong derivative, or a point "
        + "where the problem is not smooth)"
    case .iterationLimit:
      "not converged within the iterations allowed (allow more, start nearer, or scale the unknowns)"
    case .infeasible: "infeasible: the constraints contradict each other"
    case .unbounded: "unbounded: the objective falls without end"
    case .nonFinite: "a function value or derivative is not finite"
    case .degenerate: "degenerate: a solution at which the derivative does not exist"
    case .cancelled: "cancelled by the caller"
    }
  }
}
