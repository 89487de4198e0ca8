import Lanes

/// A differential equation that threads can make their functions of.
protocol Equation: Sendable {
  var stateCount: Int { get }
  var parameterCount: Int { get }
  /// Compiles what the functions need; to be called before they are made.
  func prepare(pullback: Bool, jacobian: Bool) throws
  func singleFunctions() -> RateFunctions<Double>
  /// Functions for as many lane groups at once as suit so many trajectories.
  func groupFunctions(trajectories: Int) -> RateFunctions<SIMD8<Double>>
}

extension NativeEquation: Equation {
  func prepare(pullback: Bool, jacobian: Bool) {}
  func singleFunctions() -> RateFunctions<Double> { single.bound(stateCount, parameterCount) }
  func groupFunctions(trajectories: Int) -> RateFunctions<SIMD8<Double>> {
    group.bound(stateCount, parameterCount)
  }
}
