import Autodiff
import Lanes

/// A differential equation that threads can make their functions of.
protocol Equation: Sendable {
  var stateCount: Int { get }
  var parameterCount: Int { get }
  /// Compiles what the functions need; to be called before they are made.
  func prepare(pullback: Bool, for method: SolverMethod) throws
  /// Whether there are derivatives by time and second ones.
  var isTraced: Bool { get }
  func singleFunctions() -> RateFunctions<Double>
  /// Functions for as many lane groups at once as suit so many trajectories.
  func groupFunctions(trajectories: Int) -> RateFunctions<SIMD8<Double>>
  /// Functions for so many lane groups at once; nil where lanes are not faster than one number after the other.
  func stepFunctions(width: Int) -> RateFunctions<SIMD8<Double>>?
  /// Time, state and parameters to what is not constant in rows of ∂f/∂y and ∂f/∂p; nil where ``StepDerivatives`` are not worth it.
  var stepSource: ResidentSource? { get }
  /// Whether there are events: then trajectories are solved one by one.
  var hasEvents: Bool { get }
  /// One thread's events of a trajectory with these parameters.
  func eventFunctions(parameters: UnsafePointer<Double>) -> EventFunctions?
}

extension Equation {
  var stepSource: ResidentSource? { nil }
  var hasEvents: Bool { false }
  /// Lane groups at once for so many trajectories: several share the work of finding what is to be done, as long as the stages nearly
  /// stay in the first-level cache.
  func laneWidth(trajectories: Int) -> Int {
    let fitting = 48_000 / (64 * 30 * max(stateCount, 1))
    return max(1, min(8, fitting, (trajectories + 7) / 8))
  }
  func eventFunctions(parameters: UnsafePointer<Double>) -> EventFunctions? { nil }
}

extension NativeEquation: Equation {
  func prepare(pullback: Bool, for method: SolverMethod) {}
  var isTraced: Bool { false }
  func singleFunctions() -> RateFunctions<Double> { single.bound(stateCount, parameterCount) }
  func groupFunctions(trajectories: Int) -> RateFunctions<SIMD8<Double>> {
    let width = takesGroups ? laneWidth(trajectories: trajectories) : 1
    return group.bound(stateCount, parameterCount, width: width)
  }
  func stepFunctions(width: Int) -> RateFunctions<SIMD8<Double>>? {
    takesGroups ? group.bound(stateCount, parameterCount, width: width) : nil
  }
  /// Whether what there is of several groups fits in registers, or nearly so.
  private var takesGroups: Bool { group.steps != nil || 3 * stateCount + 2 * parameterCount <= 16 }
}
