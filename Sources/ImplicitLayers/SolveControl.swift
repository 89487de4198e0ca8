import Synchronization

/// Stops solves from outside: keep it, hand it to a solver's options, and call ``cancel()`` from any thread.
///
/// A solve also ends when the task that it runs in is cancelled.
public final class SolveCancellation: Sendable {
  private let flag = Atomic<Bool>(false)
  /// Not cancelled yet.
  public init() {}
  /// Asks every solve that has this object to stop before its next iteration.
  public func cancel() { flag.store(true, ordering: .relaxed) }
  /// Whether ``cancel()`` was called.
  public var isCancelled: Bool { flag.load(ordering: .relaxed) }
}

/// What a solver knows after an iteration.
public struct SolveProgress: Sendable, Hashable {
  /// Iterations made so far; 0 at the initial point.
  public var iteration: Int
  /// Evaluations of the function so far (derivatives count apart).
  public var evaluations: Int
  /// The measure that the solver makes small: the norm of the residual, or of the (projected) gradient.
  public var measure: Double
  /// The objective, for minimisers; half the sum of squares (or of losses) for least squares; else the measure.
  public var value: Double
  /// Length of the last step; 0 at the initial point.
  public var stepLength: Double

  /// A record.
  public init(iteration: Int, evaluations: Int, measure: Double, value: Double, stepLength: Double) {
    self.iteration = iteration
    self.evaluations = evaluations
    self.measure = measure
    self.value = value
    self.stepLength = stepLength
  }
}

/// Limits and observation that all solvers share.
public struct SolveControl: Sendable {
  /// The most iterations.
  public var maximumIterations: Int
  /// Stops the solve from outside.
  public var cancellation: SolveCancellation?
  /// Called at the initial point and after every iteration; the solve is cancelled if it returns false. The problems of a batch are then solved
  /// one after the other, and else on all cores.
  public var monitor: (@Sendable (SolveProgress) -> Bool)?
  /// The task that waits for the thread of this solve.
  var caller: CallingTask?

  /// Limits; what is left out has the value written here.
  public init(
    maximumIterations: Int = 200, cancellation: SolveCancellation? = nil,
    monitor: (@Sendable (SolveProgress) -> Bool)? = nil
  ) {
    self.maximumIterations = maximumIterations
    self.cancellation = cancellation
    self.monitor = monitor
  }

  /// True if the solve may go on after this iteration.
  func goesOn(_ progress: SolveProgress) -> Bool {
    if cancellation?.isCancelled == true || Task.isCancelled || caller?.isCancelled == true { return false }
    return monitor?(progress) ?? true
  }
}

/// What a solve did: in numbers, for callers that do not differentiate.
public struct SolveReport: Sendable, Hashable {
  /// How it ended.
  public var status: SolverStatus
  /// Iterations made.
  public var iterations: Int
  /// Evaluations of the function.
  public var evaluations: Int
  /// Evaluations of derivatives: Jacobians, gradients, Hessians, and products with them.
  public var derivativeEvaluations: Int
  /// The measure at the point returned; see ``SolveProgress/measure``.
  public var measure: Double
  /// The value at the point returned; see ``SolveProgress/value``.
  public var value: Double
  /// The progress at the initial point and after each iteration.
  public var trace: [SolveProgress]

  /// A report.
  public init(
    status: SolverStatus, iterations: Int, evaluations: Int, derivativeEvaluations: Int, measure: Double,
    value: Double, trace: [SolveProgress]
  ) {
    self.status = status
    self.iterations = iterations
    self.evaluations = evaluations
    self.derivativeEvaluations = derivativeEvaluations
    self.measure = measure
    self.value = value
    self.trace = trace
  }
}
