public import Autodiff

/// Adam (Kingma and Ba 2015), and with a weight decay AdamW (Loshchilov and Hutter 2019).
///
/// With running means `m` of the gradient and `s` of its square, both corrected for their start at zero:
/// `p ← p − η (m / (√s + ε) + λ p)`. The decay acts on the parameters themselves, not through the gradient.
public struct Adam: Optimizer {
  /// η, by step.
  public var learningRate: Schedule
  /// How much of the mean gradient is kept at each step.
  public var firstDecay: Double
  /// How much of the mean square is kept at each step.
  public var secondDecay: Double
  /// ε: bounds the step where gradients vanish.
  public var epsilon: Double
  /// λ
  public var weightDecay: Double

  /// A method with these constants.
  public init(
    learningRate: Schedule, firstDecay: Double = 0.9, secondDecay: Double = 0.999, epsilon: Double = 1e-8,
    weightDecay: Double = 0
  ) {
    self.learningRate = learningRate
    self.firstDecay = firstDecay
    self.secondDecay = secondDecay
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }

  /// Means of zero.
  public func initialState(for parameters: some TensorTree) -> OptimizerState {
    OptimizerState(parameters, momentCount: 2)
  }
  /// Makes a step.
  /// - Throws: `TensorError` if the gradient or the state does not belong to the parameters.
  public func update<Parameters: TensorTree>(
    _ parameters: inout Parameters, with gradient: Parameters, _ state: inout OptimizerState
  ) throws {
    let (values, gradients) = try matched(parameters, gradient, state, momentCount: 2, "Adam")
    let rate = learningRate(state.step)
    let count = state.step + 1.0
    let firstCorrection = 1.0 - pow(firstDecay, count)
    let secondCorrection = 1.0 - pow(secondDecay, count)
    var results: [Tensor] = []
    for (k, (value, g)) in zip(values, gradients).enumerated() {
      let mean = state.moments[0][k] * firstDecay + g * (1 - firstDecay)
      let meanSquare = state.moments[1][k] * secondDecay + square(g) * (1 - secondDecay)
      state.moments[0][k] = mean
      state.moments[1][k] = meanSquare
      let corrected = mean / firstCorrection.converted(to: value.elementType)
      let size = sqrt(meanSquare / secondCorrection.converted(to: value.elementType)) + epsilon
      var change = corrected / size
      if weightDecay != 0 { change = change + value * weightDecay }
      results.append(value - change * rate.converted(to: value.elementType))
    }
    parameters = try parameters.replacing(leaves: results)
    state.step = count
  }
}
