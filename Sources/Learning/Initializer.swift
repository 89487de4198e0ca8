public import Autodiff

/// How the weights of a layer are drawn at the start, so that signals keep their size from layer to layer.
public enum Initializer: Sendable, Hashable {
  /// Uniform with variance 2 / (inputs + outputs): for tanh and logistic (Glorot and Bengio 2010).
  case glorotUniform
  /// Normal with variance 2 / (inputs + outputs).
  case glorotNormal
  /// Uniform with variance 2 / inputs: for relu and its kin (He et al. 2015).
  case heUniform
  /// Normal with variance 2 / inputs.
  case heNormal
  /// Normal with variance 1 / inputs (LeCun et al. 1998).
  case lecunNormal
  /// Rows or columns, whichever are fewer, orthogonal and of length `gain` (Saxe et al. 2014).
  case orthogonal(gain: Double)
  /// One number everywhere.
  case constant(Double)

  /// Weights of shape `[inputs, outputs]`.
  ///
  /// The same key gives the same weights. Zero inputs or outputs give an empty array.
  public func weights(inputs: Int, outputs: Int, key: RandomKey, type: ElementType = .float64) -> Tensor {
    let shape = [inputs, outputs]
    func uniform(variance: Double) -> Tensor {
      let bound = (3 * variance).squareRoot()
      return key.uniform(shape, from: -bound, to: bound, type: type)
    }
    func normal(variance: Double) -> Tensor { key.normal(shape, type: type) * variance.squareRoot() }
    let fanIn = Double(max(inputs, 1))
    let fanMean = Double(max(inputs + outputs, 1)) / 2
    switch self {
    case .glorotUniform: return uniform(variance: 1 / fanMean)
    case .glorotNormal: return normal(variance: 1 / fanMean)
    case .heUniform: return uniform(variance: 2 / fanIn)
    case .heNormal: return normal(variance: 2 / fanIn)
    case .lecunNormal: return normal(variance: 1 / fanIn)
    case .constant(let value): return Tensor(repeating: value, shape: shape, type: type)
    case .orthogonal(let gain):
      // The orthogonal factor of a normal matrix, with the signs that make it uniformly distributed.
      let isTall = inputs >= outputs
      let (q, r) = qrDecomposition(key.normal(isTall ? shape : [outputs, inputs]))
      let signs = select(r.diagonal .< 0.0, -1.0, Tensor.ones([min(inputs, outputs)]))
      let factor = q * signs * gain
      return (isTall ? factor : factor.transposed).converted(to: type)
    }
  }
}
