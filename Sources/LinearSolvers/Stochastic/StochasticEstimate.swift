public import Autodiff
import LinearAlgebra

/// A mean over random samples, and how far it may be off.
public struct StochasticEstimate: TensorTree, Sendable {
  /// The mean: without bias, unless the estimator says otherwise.
  public var value: Tensor
  /// The standard deviation of the mean, estimated from the same samples.
  public var standardError: Tensor

  /// An estimate from its parts.
  public init(value: Tensor, standardError: Tensor) {
    self.value = value
    self.standardError = standardError
  }
  /// The mean of samples along the last axis, of which there are two or more.
  init(samples: Tensor) {
    let count = Double(samples.shape[samples.rank - 1])
    value = samples.mean(axis: -1)
    let deviations = samples - value.expandingAxis(-1)
    standardError = root(square(deviations).sum(axis: -1) / (count * (count - 1)))
  }
}

extension LinearOperator {
  /// Columns of independent signs, for which E[z zᵀ] = 1 with the least variance of zᵀ A z (Hutchinson 1990).
  func probes(_ operation: String, samples: Int, key: RandomKey) throws -> Tensor {
    if let error { throw error }
    guard rows == columns else {
      throw TensorError(.shape, operation, "needs a square operator; this one is \(rows) x \(columns)")
    }
    guard samples >= 2 else {
      throw TensorError(.argument, operation, "a standard error needs two samples or more, not \(samples)")
    }
    return key.bernoulli(0.5, [rows, samples]).converted(to: elementType) * 2.0 - 1.0
  }

  /// The trace, as the mean of zᵀ A z over vectors z of random signs (Hutchinson 1990).
  ///
  /// Differentiable in the operator's numbers, with the vectors held: the gradient is an estimate without bias, too. The variance of a
  /// sample is 2 Σ aᵢⱼ² over i ≠ j of the symmetric part: diagonal operators have their exact trace.
  ///
  /// - Parameters:
  ///   - samples: the number of vectors, two or more.
  ///   - key: chooses the vectors.
  /// - Throws: `TensorError` if the operator is not square or there are too few samples.
  /// - Complexity: `samples` products with the operator.
  public func estimatedTrace(samples: Int, key: RandomKey) throws -> StochasticEstimate {
    let z = try probes("estimatedTrace", samples: samples, key: key)
    return StochasticEstimate(samples: (z * self(z)).sum(axis: 0))
  }

  /// The diagonal, as the mean of z ∘ A z over vectors z of random signs (Bekas, Kokiopoulou and Saad 2007).
  ///
  /// Differentiable in the operator's numbers as ``estimatedTrace(samples:key:)`` is. The variance of a sample of element i is the sum of the
  /// squares of the rest of its row.
  ///
  /// - Parameters:
  ///   - samples: the number of vectors, two or more.
  ///   - key: chooses the vectors.
  /// - Returns: `[rows]` each.
  /// - Throws: `TensorError` if the operator is not square or there are too few samples.
  /// - Complexity: `samples` products with the operator.
  public func estimatedDiagonal(samples: Int, key: RandomKey) throws -> StochasticEstimate {
    let z = try probes("estimatedDiagonal", samples: samples, key: key)
    return StochasticEstimate(samples: z * self(z))
  }
}
