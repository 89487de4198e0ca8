public import Autodiff

/// A first-order method: takes parameters and a gradient to better parameters.
///
/// Nothing is hidden in the optimiser: what it remembers is a value of its own, a tree of tensors, so that a training
/// step can be compiled, repeated by `scan`, and batched over many trainings.
///
/// ```swift
/// let adam = Adam(learningRate: .cosineDecay(from: 1e-2, steps: 1000))
/// var state = adam.initialState(for: network)
/// let gradient = try grad(loss)(network)
/// try adam.update(&network, with: gradient, &state)
/// ```
public protocol Optimizer: Sendable {
  /// What is remembered before the first step.
  func initialState(for parameters: some TensorTree) -> OptimizerState
  /// Makes a step.
  /// - Throws: `TensorError` if the gradient or the state does not belong to the parameters.
  func update<Parameters: TensorTree>(
    _ parameters: inout Parameters, with gradient: Parameters, _ state: inout OptimizerState) throws
}

/// What an optimiser remembers between steps.
public struct OptimizerState: TensorTree, Sendable {
  /// The number of steps made, a `float64` scalar.
  public var step: Tensor
  /// Running means and the like, one array of tensors per kind, in the order of the parameters' tensors.
  public var moments: [[Tensor]]

  /// A state before the first step, with a number of moments that are zero.
  init(_ parameters: some TensorTree, momentCount: Int) {
    step = Tensor(0.0)
    let zeros = parameters.leaves.map { Tensor.zeros($0.shape, type: $0.elementType) }
    moments = Array(repeating: zeros, count: momentCount)
  }
}

/// Parameter tensors with their gradients, checked to belong together.
func matched(
  _ parameters: some TensorTree, _ gradient: some TensorTree, _ state: OptimizerState, momentCount: Int,
  _ operation: String
) throws -> (parameters: [Tensor], gradients: [Tensor]) {
  let (values, gradients) = (parameters.leaves, gradient.leaves)
  guard values.map(\.type) == gradients.map(\.type) else {
    throw TensorError(
      .shape, operation,
      "gradients of types \(gradients.map(\.type)) do not belong to parameters of types \(values.map(\.type))"
    )
  }
  let fits =
    state.moments.count == momentCount && state.moments.allSatisfy { $0.map(\.type) == values.map(\.type) }
  guard fits else {
    throw TensorError(
      .shape, operation,
      "the state does not belong to these parameters; make it with initialState(for:) of the same optimiser")
  }
  return (values, gradients)
}
