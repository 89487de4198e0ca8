/// Why a differential equation was not solved.
public struct DifferentialEquationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kind of failure.
  public enum Reason: String, Sendable, Hashable, CaseIterable {
    /// The step size that the tolerances ask for is lost in the rounding of time.
    case stepUnderflow
    /// The steps allowed are used up.
    case tooManySteps
    /// The right-hand side is infinite or not a number.
    case nonFiniteRate
    /// An event that the solution was to end at did not happen.
    case eventNotFound
    /// An argument does not fit.
    case argument
  }
  /// The kind of failure.
  public let reason: Reason
  /// Where the solution stood: the time and the number of steps tried.
  public let time: Double
  /// The steps tried so far.
  public let step: Int
  /// The component of the state that is to blame (with the largest error, or not finite); nil if there is no such.
  public internal(set) var component: Int?
  /// Which trajectory of a batch.
  public internal(set) var trajectory: Int?
  /// More about the cause.
  public let message: String

  init(
    _ reason: Reason, time: Double = .nan, step: Int = 0, component: Int? = nil, message: String = ""
  ) {
    self.reason = reason
    self.time = time
    self.step = step
    self.component = component
    self.message = message
  }

  /// What happened, where, why that may be and what to do.
  public var description: String {
    let place =
      (trajectory.map { "trajectory \($0): " } ?? "") + "at time \(time), step \(step)"
      + (component.map { ", component \($0)" } ?? "")
    switch reason {
    case .stepUnderflow:
      return
        "\(place): the step size fell below the resolution of time. Likely causes: a solution that grows without end, a "
        + "stiff equation under an explicit method, tolerances below what rounding allows, a right-hand side that jumps"
    case .tooManySteps:
      return
        "\(place): the steps allowed are used up. Likely causes: a stiff equation under an explicit method (use a stiff "
        + "one), tolerances too small, a right-hand side that jumps; or allow more (maximumSteps)"
    case .nonFiniteRate:
      return "\(place): the right-hand side is not finite" + (message.isEmpty ? "" : ": \(message)")
    case .eventNotFound: return "no event ended the solution before time \(time)"
    case .argument: return message
    }
  }
}
