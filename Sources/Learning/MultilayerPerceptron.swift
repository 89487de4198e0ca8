public import Autodiff

/// Dense layers one after the other, with an activation between them.
public struct MultilayerPerceptron: TensorTree, Sendable {
  /// The layers, first to last.
  public var layers: [DenseLayer]
  /// Between layers.
  public var activation: Activation
  /// After the last layer.
  public var outputActivation: Activation

  /// A network of given layers.
  public init(layers: [DenseLayer], activation: Activation = .tanh, outputActivation: Activation = .identity)
  {
    self.layers = layers
    self.activation = activation
    self.outputActivation = outputActivation
  }

  /// A network with weights drawn at random.
  ///
  /// - Parameters:
  ///   - sizes: numbers of inputs, of each hidden layer's units, and of outputs: two or more.
  ///   - activation: between layers.
  ///   - outputActivation: after the last layer.
  ///   - initializer: how weights are drawn.
  ///   - key: which weights; each layer splits off a key of its own.
  ///   - type: of the parameters.
  public init(
    sizes: [Int], activation: Activation = .tanh, outputActivation: Activation = .identity,
    initializer: Initializer = .glorotUniform, key: RandomKey, type: ElementType = .float64
  ) {
    precondition(sizes.count >= 2, "a network needs the numbers of its inputs and outputs")
    let keys = key.split(sizes.count - 1)
    layers = (0..<sizes.count - 1).map { k in
      DenseLayer(
        inputs: sizes[k], outputs: sizes[k + 1], initializer: initializer, key: RandomKey(bits: keys.bits[k]),
        type: type)
    }
    self.activation = activation
    self.outputActivation = outputActivation
  }

  /// The outputs `[…, outputs]` of inputs `[…, inputs]`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    var value = x
    for (k, layer) in layers.enumerated() {
      value = layer(value)
      value = k == layers.count - 1 ? outputActivation(value) : activation(value)
    }
    return value
  }
}
