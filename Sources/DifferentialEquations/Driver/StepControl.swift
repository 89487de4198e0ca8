/// How step sizes follow from error estimates: a proportional–integral–derivative controller.
///
/// With e the error norm in units of the tolerance and k one more than the order of the less accurate result, the next step
/// is the present one times `safety · e_n^(−β1/k) · e_(n−1)^(−β2/k) · e_(n−2)^(−β3/k)`, where β1 = I + P + D, β2 = −(P + 2D) and
/// β3 = D (G. Söderlind, Digital filters in adaptive time-stepping, ACM Trans. Math. Softw. 29 (2003)).
public struct StepControl: Sendable, Hashable {
  /// Gains.
  public var proportional: Double
  /// Gains.
  public var integral: Double
  /// Gains.
  public var derivative: Double
  /// What the step is multiplied with in addition, so that most steps are accepted.
  public var safety = 0.9
  /// Bounds of the factor between steps.
  public var smallestFactor = 0.2
  /// Bounds of the factor between steps.
  public var largestFactor = 10.0

  /// A controller with these gains.
  public init(proportional: Double, integral: Double, derivative: Double = 0) {
    self.proportional = proportional
    self.integral = integral
    self.derivative = derivative
  }
  /// The error of the last step alone decides: what smooth solutions need fewest steps with.
  public static let integral = StepControl(proportional: 0, integral: 1)
  /// Smoother sequences of steps: for equations that are mildly stiff.
  public static let proportionalIntegral = StepControl(proportional: 0.4, integral: 0.3)
  /// Smoother still: for stochastic or noisy right-hand sides.
  public static let proportionalIntegralDerivative = StepControl(
    proportional: 0.3, integral: 0.3, derivative: 0.05)

  var exponents: (Double, Double, Double) {
    (integral + proportional + derivative, -(proportional + 2 * derivative), derivative)
  }
}
