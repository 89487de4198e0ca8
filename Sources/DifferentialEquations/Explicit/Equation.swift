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
  /// Whether there are events: then trajectories are solved one by one.
  var hasEvents: Bool { get }
  /// One thread's events of a trajectory with these parameters.
  func eventFunctions(parameters: UnsafePointer<Double>) -> EventFunctions?
}

extension Equation {
  var hasEvents: Bool { false }
  func eventFunctions(parameters: UnsafePointer<Double>) -> EventFunctions? { nil }
}

extension NativeEquation: Equation {
  func prepare(pullback: Bool, for method: SolverMethod) {}
  var isTraced: Bool { false }
  func singleFunctions() -> RateFunctions<Double> { single.bound(stateCount, parameterCount) }
  func groupFunctions(trajectories: Int) -> RateFunctions<SIMD8<Double>> {
    // The copies of several groups are to fit in registers, or nearly so.
    let fits = 3 * stateCount + 2 * parameterCount <= 16
    let width = fits ? max(1, min(4, (trajectories + 7) / 8)) : 1
    return group.bound(stateCount, parameterCount, width: width)
  }
}
