/// A method of solution.
///
/// Explicit methods are for equations that are not stiff, implicit ones for those that are; symplectic ones for mechanical systems over
/// long times.
public enum SolverMethod: String, Sendable, Hashable, CaseIterable {
  /// Explicit, order 1; needs a fixed step.
  case euler
  /// Explicit, order 2.
  case heun
  /// Explicit, order 4, the classical one; needs a fixed step.
  case rungeKutta4
  /// Explicit, order 3: for low accuracy.
  case bogackiShampine3
  /// Explicit, order 5, with a continuous extension of order 4.
  case dormandPrince5
  /// Explicit, order 5, with a continuous extension of order 4: a little better than ``dormandPrince5``.
  case tsitouras5
  /// Explicit, order 8, with a continuous extension of order 7: for high accuracy.
  case dormandPrince8

  var explicitTableau: RungeKuttaTableau? {
    switch self {
    case .euler: .euler
    case .heun: .heun
    case .rungeKutta4: .rungeKutta4
    case .bogackiShampine3: .bogackiShampine3
    case .dormandPrince5: .dormandPrince5
    case .tsitouras5: .tsitouras5
    case .dormandPrince8: .dormandPrince8
    }
  }
  var hasErrorEstimate: Bool { explicitTableau.map { $0.embeddedOrder > 0 } ?? true }

  /// The method at work on one trajectory.
  func stepper(_ functions: RateFunctions<Double>, _ options: SolverOptions, tolerances: [Double]) -> Stepper {
    ExplicitStepper(
      explicitTableau!, functions, relativeTolerance: options.relativeTolerance,
      absoluteTolerances: tolerances)
  }
}
