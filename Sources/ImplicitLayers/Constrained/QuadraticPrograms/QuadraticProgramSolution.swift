/// What solving a quadratic program gave.
public struct QuadraticProgramSolution: Sendable {
  /// How it ended.
  public var status: SolverStatus
  /// The point; of infeasible programs the last one.
  public var x: [Double]
  /// The multipliers y of the equations.
  public var equalityMultipliers: [Double]
  /// The multipliers z of the rows with two sides: positive where the upper side holds.
  public var inequalityMultipliers: [Double]
  /// The multipliers w of the bounds, likewise.
  public var boundMultipliers: [Double]
  /// ½ xᵀQx + qᵀx.
  public var objective: Double
  /// Steps of the interior-point method.
  public var iterations: Int
  /// How far the point is from optimal, in the program's own units.
  public var residuals: Residuals
  /// Whether active constraints were found and hold as equations, so that the solution is exact to rounding.
  public var isPolished: Bool
  /// For ``SolverStatus/infeasible`` and ``SolverStatus/unbounded``.
  public var certificate: Certificate?

  /// Distances from optimality.
  public struct Residuals: Sendable, Hashable {
    /// The largest violation of a constraint.
    public var primal: Double
    /// The largest component of Q x + q + Aᵀ y + Gᵀ z + w.
    public var dual: Double
    /// The difference between the objective and the dual objective.
    public var gap: Double
  }

  /// Why there is no solution.
  public enum Certificate: Sendable, Hashable {
    /// Multipliers with Aᵀ y + Gᵀ z + w = 0 and bᵀy + Σ (sides times multipliers) = −1: added up, the constraints say 0 ≤ −1.
    case infeasible(equalities: [Double], inequalities: [Double], bounds: [Double])
    /// A direction d that leaves all constraints satisfied, with Q d = 0 and qᵀ d = −1.
    case unbounded(direction: [Double])
  }
}
