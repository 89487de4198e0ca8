/// How a differential equation is solved.
public struct SolverOptions: Sendable, Hashable {
  /// The method.
  public var method: SolverMethod
  /// Errors of a step are kept below `absolute + relative * |y|`, component by component, in the root mean square.
  public var relativeTolerance: Double
  /// One number, or one for each component of the state.
  public var absoluteTolerances: [Double]
  /// Steps all have this size (the last before an end is shortened); errors are not controlled. Not for
  /// ``SolverMethod/backwardDifferentiation``.
  public var fixedStep: Double?
  /// The first step; found by the algorithm of Hairer, Nørsett and Wanner I, II.4 if nil.
  public var initialStep: Double?
  /// No step is longer.
  public var maximumStep = Double.infinity
  /// Steps tried for one trajectory, those refused included.
  public var maximumSteps = 100_000
  /// How step sizes follow from errors; ``SolverMethod/backwardDifferentiation`` has rules of its own.
  public var control = StepControl.integral
  /// States kept for the reverse sweep, at most about so many for each trajectory; what lies between is computed again. Nil: all
  /// are kept. The times of steps are kept in any case (8 bytes each). Not for ``SolverMethod/backwardDifferentiation``.
  public var checkpoints: Int?

  /// - Parameters:
  ///   - method: the method.
  ///   - relativeTolerance: of each component.
  ///   - absoluteTolerance: of each component.
  ///   - fixedStep: all steps have this size.
  public init(
    method: SolverMethod = .tsitouras5, relativeTolerance: Double = 1e-6, absoluteTolerance: Double = 1e-9,
    fixedStep: Double? = nil
  ) {
    self.method = method
    self.relativeTolerance = relativeTolerance
    absoluteTolerances = [absoluteTolerance]
    self.fixedStep = fixedStep
  }

  /// Checks the numbers for a state of so many components, and returns a tolerance for each.
  func tolerances(_ count: Int) throws(DifferentialEquationError) -> [Double] {
    func refuse(_ message: String) -> DifferentialEquationError { .init(.argument, message: message) }
    guard absoluteTolerances.count == 1 || absoluteTolerances.count == count else {
      throw refuse("\(absoluteTolerances.count) absolute tolerances for a state of \(count) components")
    }
    guard relativeTolerance >= 0, relativeTolerance.isFinite,
      absoluteTolerances.allSatisfy({ $0 >= 0 && $0.isFinite && relativeTolerance + $0 > 0 })
    else { throw refuse("tolerances must be positive and finite") }
    for (name, step) in [
      ("fixedStep", fixedStep), ("initialStep", initialStep), ("maximumStep", maximumStep),
    ] {
      if let step, !(step > 0) || (name != "maximumStep" && !step.isFinite) {
        throw refuse("\(name) must be positive, not \(step)")
      }
    }
    guard maximumSteps > 0 else { throw refuse("maximumSteps must be positive") }
    if let checkpoints, checkpoints < 2 { throw refuse("at least 2 checkpoints are needed") }
    if fixedStep == nil && !method.hasErrorEstimate {
      throw refuse("\(method) has no error estimate; set fixedStep")
    }
    if method == .backwardDifferentiation {
      guard fixedStep == nil else {
        throw refuse("\(method) chooses its order and its steps together; leave fixedStep nil")
      }
      guard checkpoints == nil else {
        throw refuse("the steps of \(method) need several states before them; leave checkpoints nil")
      }
    }
    if method.isSymplectic && count % 2 != 0 {
      throw refuse("\(method) needs as many velocities as positions; the state has \(count) components")
    }
    return absoluteTolerances.count == count
      ? absoluteTolerances : [Double](repeating: absoluteTolerances[0], count: count)
  }
}

/// What a solution took.
public struct SolverStatistics: Sendable, Hashable {
  /// Steps that were accepted, and those that were refused for their errors.
  public var acceptedSteps = 0
  /// Steps refused.
  public var rejectedSteps = 0
}
