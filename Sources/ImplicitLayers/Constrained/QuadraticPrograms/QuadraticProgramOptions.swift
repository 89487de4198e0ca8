/// How a quadratic program is solved.
public struct QuadraticProgramOptions: Sendable, Hashable {
  /// Largest violation of constraints, in the program's own units: what is smaller than this counts as zero. A row whose coefficients are about
  /// as small needs a smaller tolerance, or other units. Likewise the largest violation of stationarity and the gap between the objectives; if all
  /// coefficients of the objective are below one these count in units of the power of two just below the largest of them.
  public var absoluteTolerance = 1e-8
  /// The same, relative to the largest of the terms that should cancel.
  public var relativeTolerance = 1e-9
  /// The most steps of the interior-point method.
  public var maximumIterations = 200
  /// How exactly a certificate of infeasibility, scaled so that its right-hand side is −1, must hold.
  public var certificateTolerance = 1e-9
  /// Rounds of equilibration (Ruiz 2001).
  public var equilibrationRounds = 10
  /// Solve with the constraints that turn out active as equations: at the end for digits that the interior-point method leaves open,
  /// which derivatives need, and once on the way, where the solution so found, checked to rounding, saves the steps that are left.
  public var polishes = true
  /// The products of slack and multiplier that are aimed at: zero for the solution itself; above zero for the minimiser of the objective
  /// less `barrier` times the logarithms of all slacks, whose derivatives exist everywhere. Not polished.
  public var barrier = 0.0
  /// Sides at least this large stand for none, as in many file formats.
  public var infinity = 1e20

  /// The defaults.
  public init() {}
}
