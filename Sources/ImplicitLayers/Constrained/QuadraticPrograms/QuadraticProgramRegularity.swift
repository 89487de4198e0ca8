import Lanes

/// How far a solution of a quadratic or nonlinear program is from one at which it has no derivative, and whether it is one. In scaled units: every
/// row and column of the matrices has the size of about one.
public struct QuadraticProgramRegularity: Sendable, CustomStringConvertible {
  /// The smallest over all sides of the larger of slack and multiplier: zero where a constraint holds with equality and without force, so that
  /// strict complementarity fails. Infinite without inequalities.
  public var complementarity: Double
  /// Near zero where active constraints depend on each other (LICQ fails): multipliers are not unique. Infinite if none is active.
  public var independence: Double
  /// Near zero where Q has no curvature along a direction that active constraints leave free (second-order sufficiency fails): the solution
  /// is not unique. Of nonlinear programs Q is the Lagrangian's Hessian.
  public var curvature: Double
  /// Below these, the three are as good as zero.
  var limits: (complementarity: Double, independence: Double, curvature: Double)

  /// Strict complementarity fails to working accuracy.
  public var lacksComplementarity: Bool { complementarity < limits.complementarity }
  /// Active constraints depend on each other to working accuracy.
  public var lacksIndependence: Bool { independence < limits.independence }
  /// The solution is not unique to working accuracy.
  public var lacksCurvature: Bool { curvature < limits.curvature }
  /// Whether one of the three fails.
  public var isDegenerate: Bool { lacksComplementarity || lacksIndependence || lacksCurvature }

  /// What fails, with the margins.
  public var description: String {
    var parts: [String] = []
    if lacksComplementarity {
      parts.append(
        "strict complementarity fails (margin \(complementarity)): a constraint holds with equality and its multiplier is zero, "
          + "so that left and right derivatives differ")
    }
    if lacksIndependence {
      parts.append(
        "the active constraints are linearly dependent (margin \(independence)), so that multipliers are not unique"
      )
    }
    if lacksCurvature {
      parts.append(
        "the objective is flat along a direction that the constraints leave free (margin \(curvature)), so that the solution is "
          + "not unique")
    }
    return parts.isEmpty ? "regular" : parts.joined(separator: "; ")
  }
}

extension QuadraticProgramRegularity {
  /// What margins that were measured in scaled units mean.
  init<L: Lane>(_ margins: RegularityMargins<L>, lane: Int, hasBarrier: Bool, isPolished: Bool)
  where L.Scalar == Double {
    self.init(
      complementarity: hasBarrier ? .infinity : margins.complementarity[lane: lane],
      independence: margins.independence[lane: lane], curvature: margins.curvature[lane: lane],
      limits: (
        isPolished ? 1e-7 : 1e-4, margins.independenceLimit[lane: lane], margins.curvatureLimit[lane: lane]
      ))
  }
}
