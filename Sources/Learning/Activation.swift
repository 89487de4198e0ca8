public import Autodiff

/// A function applied to each number between the layers of a network.
public enum Activation: String, Sendable, Codable, CaseIterable {
  /// `x`
  case identity
  /// Hyperbolic tangent.
  case tanh
  /// `1 / (1 + exp(−x))`
  case logistic
  /// `max(x, 0)`
  case relu
  /// `x` times the standard normal distribution function of `x` (Hendrycks and Gimpel 2016).
  case gelu
  /// `x logistic(x)`, also called swish.
  case silu
  /// `log(1 + exp(x))`
  case softplus

  /// The function's value, element by element.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .identity: x
    case .tanh: Autodiff.tanh(x)
    case .logistic: Autodiff.logistic(x)
    case .relu: Autodiff.relu(x)
    case .gelu: Autodiff.gelu(x)
    case .silu: Autodiff.silu(x)
    case .softplus: Autodiff.softplus(x)
    }
  }
}
