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
  /// Implicit, order 1, L-stable: robust, and of low accuracy.
  case implicitEuler
  /// Implicit, order 3, L-stable.
  case kvaerno3
  /// Implicit, order 5, L-stable. Steps end at times of output, since its continuous extension is of order 3.
  case kvaerno5
  /// Implicit, order 5, L-stable: three stages at once, for high accuracy of very stiff equations. Steps end at times of output.
  case radau5
  /// Implicit, of variable order 1 to 5: several steps share an evaluation of the Jacobian and a factorisation, and a step takes few
  /// evaluations of the right-hand side, mostly one to three. For large or costly stiff equations. All states are kept for the reverse sweep.
  case backwardDifferentiation
  /// Linearly implicit (a Rosenbrock method), order 5, L-stable, with a continuous extension of order 4: steps solve eight linear systems with one
  /// matrix and no nonlinear ones. For small stiff systems; right-hand sides must be traced.
  case rodas5P
  /// Symplectic, order 2, for states of positions followed by as many velocities or momenta, whose rates depend only on the
  /// other half (and those of velocities on time); needs a fixed step. Also known as the velocity Verlet method.
  case leapfrog
  /// Symplectic, order 4, otherwise as ``leapfrog``.
  case yoshida4
  /// Symplectic, order 6, otherwise as ``leapfrog``.
  case yoshida6

  /// The order: with steps of size h, errors are proportional to h to this power. Of ``backwardDifferentiation`` the highest one.
  public var order: Int {
    switch self {
    case .leapfrog: 2
    case .yoshida4: 4
    case .yoshida6: 6
    case .backwardDifferentiation: BackwardDifferenceFormula.maximumOrder
    default: explicitTableau?.order ?? implicitTableau?.table.order ?? rosenbrockTableau?.order ?? 0
    }
  }
  /// Whether each step solves equations, with the Jacobian of the right-hand side.
  public var isImplicit: Bool {
    implicitTableau != nil || rosenbrockTableau != nil || self == .backwardDifferentiation
  }
  /// Whether the method keeps volumes in phase space.
  public var isSymplectic: Bool { substeps != nil }
  /// Whether step sizes can follow from errors.
  public var hasErrorEstimate: Bool {
    !isSymplectic && explicitTableau.map { $0.embeddedOrder > 0 } ?? true
  }

  var explicitTableau: RungeKuttaTableau? {
    switch self {
    case .euler: .euler
    case .heun: .heun
    case .rungeKutta4: .rungeKutta4
    case .bogackiShampine3: .bogackiShampine3
    case .dormandPrince5: .dormandPrince5
    case .tsitouras5: .tsitouras5
    case .dormandPrince8: .dormandPrince8
    default: nil
    }
  }
  var implicitTableau: ImplicitTableau? {
    switch self {
    case .implicitEuler: .implicitEuler
    case .kvaerno3: .kvaerno3
    case .kvaerno5: .kvaerno5
    case .radau5: .radau5
    default: nil
    }
  }
  var rosenbrockTableau: RosenbrockTableau? { self == .rodas5P ? .rodas5P : nil }
  var substeps: [SymplecticStepper.Substep]? {
    switch self {
    case .leapfrog: SymplecticStepper.leapfrog
    case .yoshida4: SymplecticStepper.yoshida4
    case .yoshida6: SymplecticStepper.yoshida6
    default: nil
    }
  }

  /// Arrays of the state's size that a step needs at least.
  var workArrayCount: Int {
    if let explicitTableau { return explicitTableau.a.count + 2 }
    if let implicitTableau { return 8 * implicitTableau.table.stageCount + 1 }
    return isSymplectic ? 3 : 13
  }

  /// The method at work on one trajectory.
  func stepper(_ functions: RateFunctions<Double>, _ options: SolverOptions, tolerances: [Double]) -> Stepper
  {
    if let tableau = explicitTableau {
      let kind: ExplicitStepper.Type =
        if EightStepper.suits(tableau, stateCount: functions.stateCount) {
          EightStepper.self
        } else if SixteenStepper.suits(tableau, stateCount: functions.stateCount) {
          SixteenStepper.self
        } else {
          ExplicitStepper.self
        }
      return kind.init(
        tableau, functions, relativeTolerance: options.relativeTolerance, absoluteTolerances: tolerances)
    }
    if let tableau = implicitTableau {
      return ImplicitStepper(
        tableau, functions, relativeTolerance: options.relativeTolerance, absoluteTolerances: tolerances)
    }
    if let rosenbrockTableau {
      return RosenbrockStepper(
        rosenbrockTableau, functions, relativeTolerance: options.relativeTolerance,
        absoluteTolerances: tolerances)
    }
    if self == .backwardDifferentiation {
      return BackwardDifferenceStepper(
        functions, relativeTolerance: options.relativeTolerance, absoluteTolerances: tolerances)
    }
    return SymplecticStepper(substeps!, functions)
  }
}
