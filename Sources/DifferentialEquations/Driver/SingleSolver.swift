/// Solves single trajectories and takes cotangents back through them, one after the other, all with one stepper.
final class SingleSolver {
  let stepper: Stepper
  let options: SolverOptions
  private let tolerances: [Double]
  // Each is made when it is first needed.
  private(set) lazy var forward = TrajectorySolver(stepper, options, tolerances: tolerances)
  private(set) lazy var adjoint = TrajectoryAdjoint(stepper)
  /// What takes many steps back at once, where that was made.
  var stepMaps: StepMaps?
  var parallelAdjoint: ParallelAdjoint?

  init(_ stepper: Stepper, _ options: SolverOptions, tolerances: [Double]) {
    self.stepper = stepper
    self.options = options
    self.tolerances = tolerances
  }
}
