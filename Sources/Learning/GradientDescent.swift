public import Autodiff

/// Gradient descent, with momentum if wanted.
///
/// `v ← μ v + g`, then `p ← p − η v`; with Nesterov's momentum `p ← p − η (g + μ v)`.
public struct GradientDescent: Optimizer {
  /// η, by step.
  public var learningRate: Schedule
  /// μ: the part of the last step's velocity that is kept.
  public var momentum: Double
  /// Whether the gradient is taken as if the step by momentum had been made (Sutskever et al. 2013).
  public var isNesterov: Bool

  /// A method with these constants.
  public init(learningRate: Schedule, momentum: Double = 0, isNesterov: Bool = false) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.isNesterov = isNesterov
  }

  /// A velocity of zero.
  public func initialState(for parameters: some TensorTree) -> OptimizerState {
    OptimizerState(parameters, momentCount: momentum == 0 ? 0 : 1)
  }
  /// Makes a step.
  /// - Throws: `TensorError` if the gradient or the state does not belong to the parameters.
  public func update<Parameters: TensorTree>(
    _ parameters: inout Parameters, with gradient: Parameters, _ state: inout OptimizerState
  ) throws {
    let (values, gradients) = try matched(
      parameters, gradient, state, momentCount: momentum == 0 ? 0 : 1, "GradientDescent")
    let rate = learningRate(state.step)
    var results: [Tensor] = []
    for (k, (value, g)) in zip(values, gradients).enumerated() {
      var change = g
      if momentum != 0 {
        let velocity = state.moments[0][k] * momentum + g
        state.moments[0][k] = velocity
        change = isNesterov ? g + velocity * momentum : velocity
      }
      results.append(value - change * rate.converted(to: value.elementType))
    }
    parameters = try parameters.replacing(leaves: results)
    state.step = state.step + 1.0
  }
}
