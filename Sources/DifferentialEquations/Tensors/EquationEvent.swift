public import Autodiff

/// What happens when a function of the solution changes its sign: the state jumps, or the solution ends.
///
/// ```swift
/// let bounce = EquationEvent<Tensor, Tensor>(
///   .falling, of: { t, y, e in y[0] }, jump: { t, y, e in stack([y[0], -e * y[1]]) })
/// ```
///
/// Events are found at the ends of steps and at three places inside of each, and located by root finding on the continuous
/// extension, then on the step itself. Derivatives of what follows contain those of the event's time. At a time of output that is
/// an event's, the output is the state before it. Tensors that are being differentiated must come in as parameters.
public struct EquationEvent<State: TensorTree, Parameters: TensorTree>: @unchecked Sendable {
  // The closures are called where the equation's own is: by one task at a time.
  let direction: EventDirection
  let function: (Tensor, State, Parameters) throws -> Tensor
  let jump: ((Tensor, State, Parameters) throws -> State)?
  /// Whether the solution ends.
  public var isTerminal: Bool { jump == nil }

  /// An event at which the state jumps.
  /// - Parameters:
  ///   - direction: which changes of sign count.
  ///   - function: time, state and parameters to the number whose roots are events. It must pass through zero with a slope.
  ///   - jump: time, state before, and parameters to the state after the event.
  public init(
    _ direction: EventDirection, of function: @escaping (Tensor, State, Parameters) throws -> Tensor,
    jump: @escaping (_ time: Tensor, _ state: State, _ parameters: Parameters) throws -> State
  ) {
    self.direction = direction
    self.function = function
    self.jump = jump
  }

  /// An event that ends the solution: see ``OrdinaryDifferentialEquation/solveToEvent(from:parameters:startTime:latestTime:options:)``.
  public init(
    ending direction: EventDirection, of function: @escaping (Tensor, State, Parameters) throws -> Tensor
  ) {
    self.direction = direction
    self.function = function
    jump = nil
  }
}
