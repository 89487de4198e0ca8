public import Autodiff

/// The mean of the squared differences.
public func meanSquaredError(_ predictions: Tensor, _ targets: Tensor) -> Tensor {
  square(predictions - targets).mean()
}

/// The mean negative log likelihood of classes, whose unnormalised log probabilities are given.
///
/// - Parameters:
///   - logits: `[…, classes]`.
///   - labels: the class of each row, as `int32[…]`.
public func softmaxCrossEntropy(logits: Tensor, labels: Tensor) -> Tensor {
  let chosen = labels.oneHot(logits.shape.last ?? 0, type: logits.elementType)
  return -(logSoftmax(logits) * chosen).sum(axis: -1).mean()
}

/// The mean negative log likelihood of truth values, whose log odds are given.
///
/// - Parameters:
///   - logits: log odds of 1.
///   - labels: 0 or 1, or a probability between, in the same shape.
public func binaryCrossEntropy(logits: Tensor, labels: Tensor) -> Tensor {
  (softplus(logits) - logits * labels).mean()
}
