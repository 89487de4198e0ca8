import Autodiff
import Lanes
import LinearAlgebra

/// One thread's means to evaluate y' = f(t, y, p) and its derivatives, for `width` lane groups at once: component `c` of an array
/// is at `pointer[c * width]`.
struct RateFunctions<L: Lane> {
  let stateCount: Int
  let parameterCount: Int
  let width: Int
  /// Says which parameters are meant from now on. The memory must stay, and not change until the next call.
  let bind: (UnsafePointer<L>) -> Void
  /// Rates at times and states. Of lane groups no result may lie where an operand does, here and below.
  let rate: (_ times: UnsafePointer<L>, _ state: UnsafePointer<L>, _ result: UnsafeMutablePointer<L>) -> Void
  /// ``rate`` of one trajectory for a time and a state that stay where they are, and several places of results; nil where that is no
  /// faster.
  var placedRate:
    (
      (_ time: UnsafePointer<L>, _ state: UnsafePointer<L>, _ results: [UnsafeMutablePointer<L>]) ->
        PlacedProgram?
    )?
  /// From cotangents of the rates: sets cotangents of the state, and adds to those of the parameters.
  let pullback:
    (
      _ times: UnsafePointer<L>, _ state: UnsafePointer<L>, _ cotangent: UnsafePointer<L>,
      _ stateCotangent: UnsafeMutablePointer<L>, _ parameterCotangent: UnsafeMutablePointer<L>
    ) -> Void
  /// Whole steps of an explicit method: stages of a range; and the stages of a step once more, with cotangents of its result that become those of
  /// the state at its start, and are added to those of the parameters. Nil: stages are made one by one.
  var advance: ((_ arrays: StepArrays<L>, _ stages: Range<Int>) -> Void)?
  var reverse:
    (
      (
        _ arrays: StepArrays<L>, _ stageCount: Int, _ cotangent: UnsafeMutablePointer<L>,
        _ parameterCotangent: UnsafeMutablePointer<L>
      ) -> Void
    )?
  /// The entries of the matrix ∂f/∂y of one trajectory, on ``jacobianPattern`` or, without one, all of them, row-major; nil: a
  /// pullback for each row.
  var jacobian:
    ((_ time: UnsafePointer<L>, _ state: UnsafePointer<L>, _ matrix: UnsafeMutablePointer<L>) -> Void)?
  let jacobianPattern: SparsityPattern?
  /// The part of the matrix that ``jacobian`` gives; nil: all of it.
  var jacobianBlocks: JacobianBlocks?
  /// ∂f/∂t.
  var timeDerivative:
    ((_ time: UnsafePointer<L>, _ state: UnsafePointer<L>, _ result: UnsafeMutablePointer<L>) -> Void)?
  /// The pullback of the derivative of f along a change of time and state: sets cotangents of the state, and adds to those of the
  /// parameters.
  var curvature:
    (
      (
        _ time: UnsafePointer<L>, _ state: UnsafePointer<L>, _ timeChange: UnsafePointer<L>,
        _ stateChange: UnsafePointer<L>, _ cotangent: UnsafePointer<L>,
        _ stateCotangent: UnsafeMutablePointer<L>, _ parameterCotangent: UnsafeMutablePointer<L>
      ) -> Void
    )?
  /// Of mechanical systems, how many components positions and momenta have together; further such states (tangents) may follow.
  var phaseCount: Int
  /// Why the last evaluations gave no numbers, if an operation refused its operands.
  var failure: () -> (any Error)?

  init(
    stateCount: Int, parameterCount: Int, width: Int, phaseCount: Int? = nil,
    bind: @escaping (UnsafePointer<L>) -> Void,
    rate: @escaping (UnsafePointer<L>, UnsafePointer<L>, UnsafeMutablePointer<L>) -> Void,
    pullback:
      @escaping (
        UnsafePointer<L>, UnsafePointer<L>, UnsafePointer<L>, UnsafeMutablePointer<L>, UnsafeMutablePointer<L>
      ) -> Void,
    jacobian: ((UnsafePointer<L>, UnsafePointer<L>, UnsafeMutablePointer<L>) -> Void)? = nil,
    jacobianPattern: SparsityPattern? = nil, jacobianBlocks: JacobianBlocks? = nil,
    failure: @escaping () -> (any Error)? = { nil }
  ) {
    self.stateCount = stateCount
    self.parameterCount = parameterCount
    self.width = width
    self.phaseCount = phaseCount ?? stateCount
    self.bind = bind
    self.rate = rate
    self.pullback = pullback
    self.jacobian = jacobian
    self.jacobianPattern = jacobianPattern
    self.jacobianBlocks = jacobianBlocks
    self.failure = failure
  }
}
