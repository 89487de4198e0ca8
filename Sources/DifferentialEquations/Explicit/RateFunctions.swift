import Lanes

/// One thread's means to evaluate y' = f(t, y, p) and its derivatives, for `width` lane groups at once: component `c` of an array
/// is at `pointer[c * width]`.
struct RateFunctions<L: Lane> {
  let stateCount: Int
  let parameterCount: Int
  let width: Int
  /// Says which parameters are meant from now on. The memory must stay, and not change until the next call.
  let bind: (UnsafePointer<L>) -> Void
  /// Rates at times and states.
  let rate: (_ times: UnsafePointer<L>, _ state: UnsafePointer<L>, _ result: UnsafeMutablePointer<L>) -> Void
  /// From cotangents of the rates: sets cotangents of the state, and adds to those of the parameters.
  let pullback:
    (
      _ times: UnsafePointer<L>, _ state: UnsafePointer<L>, _ cotangent: UnsafePointer<L>,
      _ stateCotangent: UnsafeMutablePointer<L>, _ parameterCotangent: UnsafeMutablePointer<L>
    ) -> Void
  /// Why the last evaluations gave no numbers, if an operation refused its operands.
  var failure: () -> (any Error)? = { nil }
}
