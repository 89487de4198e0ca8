public import Autodiff

/// A fully connected layer: `x W + b`.
public struct DenseLayer: TensorTree, Sendable {
  /// `[inputs, outputs]`
  public var weights: Tensor
  /// `[outputs]`
  public var bias: Tensor

  /// A layer of given weights.
  public init(weights: Tensor, bias: Tensor) {
    self.weights = weights
    self.bias = bias
  }
  /// A layer with weights drawn at random and a bias of zero.
  public init(
    inputs: Int, outputs: Int, initializer: Initializer = .glorotUniform, key: RandomKey,
    type: ElementType = .float64
  ) {
    weights = initializer.weights(inputs: inputs, outputs: outputs, key: key, type: type)
    bias = Tensor.zeros([outputs], type: type)
  }

  /// The outputs `[…, outputs]` of inputs `[…, inputs]`.
  public func callAsFunction(_ x: Tensor) -> Tensor { matmul(x, weights) + bias }
}
