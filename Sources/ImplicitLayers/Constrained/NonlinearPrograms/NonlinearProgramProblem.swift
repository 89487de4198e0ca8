import Autodiff

/// A nonlinear program in numbers: minimise f(x) subject to sides lower ≤ c(x) ≤ upper (equal ones are equations) and bounds.
struct NonlinearProgramProblem {
  var variableCount: Int
  /// Rows of c, the equations h(x) = 0 first.
  var rowCount: Int
  var equationCount: Int
  var lower: [Double]
  var upper: [Double]
  var lowerBounds: [Double]
  var upperBounds: [Double]
  /// x to f and c.
  var values: ([Double]) throws -> (objective: Double, rows: [Double])
  /// x, and λ, to ∇f, the row-major Jacobian of c, and ∇²(f + λ · c).
  var derivatives: ([Double], [Double]) throws -> (gradient: [Double], jacobian: [Double], hessian: [Double])
}

/// How a nonlinear program is solved.
public struct NonlinearProgramOptions: Sendable, Hashable {
  /// Largest violation of the optimality conditions, the objective and each row scaled so that their first gradients are at most 100. Smaller
  /// gradients are not scaled: an objective whose gradient is about as small as this counts as flat.
  public var tolerance = 1e-9
  /// The most iterations.
  public var maximumIterations = 500
  /// Sides at least this large stand for none.
  public var infinity = 1e20
  /// The first barrier parameter.
  public var firstBarrier = 0.1
  /// The products of slack and multiplier that are aimed at: zero for the minimiser itself; above zero for the minimiser of the objective less
  /// `barrier` times the logarithms of all slacks, whose derivatives exist where those of the minimiser do not.
  public var barrier = 0.0

  /// The defaults.
  public init() {}

  func check(_ name: String) throws(TensorError) {
    for (value, what) in [(barrier, "barrier"), (tolerance, "tolerance"), (firstBarrier, "first barrier")]
    where !(value.isFinite && (value > 0 || (value == 0 && what == "barrier"))) {
      throw TensorError(.argument, name, "the \(what) is \(value)")
    }
  }
}

/// What solving a nonlinear program gave.
public struct NonlinearProgramSolution: Sendable {
  /// How it ended. ``SolverStatus/infeasible`` is local: no direction lowers the violation.
  public var status: SolverStatus
  /// The point; the last one where there is no solution.
  public var x: [Double]
  /// f(x).
  public var objective: Double
  /// The multipliers of the equations h(x) = 0.
  public var equalityMultipliers: [Double]
  /// The multipliers of the inequalities: positive where the upper side holds.
  public var inequalityMultipliers: [Double]
  /// The multipliers of the bounds, likewise.
  public var boundMultipliers: [Double]
  /// Steps taken.
  public var iterations: Int
  /// Evaluations of the functions.
  public var evaluations: Int
  /// The largest violation of a constraint.
  public var primalResidual: Double
  /// The largest component of ∇f + Jhᵀ y + Jgᵀ z + w.
  public var dualResidual: Double
  /// The largest of min(multiplier, slack); with a barrier, of their products' distance from it, both as scaled for the solver.
  public var complementarityResidual: Double
  /// How far the solution is from having no derivative. Nil if there is no solution, or if a barrier smooths it.
  public var regularity: QuadraticProgramRegularity?
}
