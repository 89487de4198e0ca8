public import Autodiff
import Foundation

/// What a residual r costs: ½ δ² ρ(r²/δ²), with δ the scale beyond which residuals count as outliers.
public enum RobustLoss: Sendable, Hashable {
  /// ½ r²: least squares.
  case squared
  /// Squared up to δ, linear beyond (Huber 1964).
  case huber(scale: Double)
  /// δ² (√(1 + r²/δ²) − 1), a smooth form of Huber's.
  case softL1(scale: Double)
  /// ½ δ² log(1 + r²/δ²): outliers count little.
  case cauchy(scale: Double)
  /// ½ δ² atan(r²/δ²): bounded, outliers hardly count.
  case arctangent(scale: Double)
  /// ½ r² / (1 + r²/δ²): bounded (Geman and McClure 1987).
  case gemanMcClure(scale: Double)

  /// δ.
  public var scale: Double {
    switch self {
    case .squared: 1
    case .huber(let scale), .softL1(let scale), .cauchy(let scale), .arctangent(let scale),
      .gemanMcClure(let scale):
      scale
    }
  }

  /// The cost of all residuals together.
  public func cost(_ residual: Tensor) -> Tensor {
    if self == .squared { return 0.5 * (residual * residual).sum() }
    let z = square(residual / scale)
    let rho: Tensor =
      switch self {
      case .squared: z
      case .huber: select(z .<= 1.0, z, 2.0 * Autodiff.sqrt(maximum(z, 1.0)) - 1.0)
      case .softL1: 2.0 * z / (1.0 + Autodiff.sqrt(1.0 + z))
      case .cauchy: Autodiff.log1p(z)
      case .arctangent: Autodiff.atan(z)
      case .gemanMcClure: z / (1.0 + z)
      }
    return (0.5 * scale * scale) * rho.sum()
  }

  /// ρ and its first two derivatives at z.
  private func values(_ z: Double) -> (Double, Double, Double) {
    switch self {
    case .squared: return (z, 1, 0)
    case .huber:
      if z <= 1 { return (z, 1, 0) }
      let root = z.squareRoot()
      return (2 * root - 1, 1 / root, -0.5 / (root * z))
    case .softL1:
      let root = (1 + z).squareRoot()
      return (2 * z / (1 + root), 1 / root, -0.5 / (root * (1 + z)))
    case .cauchy: return (Foundation.log1p(z), 1 / (1 + z), -1 / ((1 + z) * (1 + z)))
    case .arctangent:
      let t = 1 + z * z
      return (Foundation.atan(z), 1 / t, -2 * z / (t * t))
    case .gemanMcClure:
      let t = 1 + z
      return (z / t, 1 / (t * t), -2 / (t * t * t))
    }
  }

  /// The cost of residuals in numbers.
  func cost(_ residual: [Double]) -> Double {
    if self == .squared { return 0.5 * dot(residual, residual) }
    let delta = scale
    var sum = 0.0
    for r in residual { sum += values((r / delta) * (r / delta)).0 }
    return 0.5 * delta * delta * sum
  }

  /// Scales residuals and rows of the Jacobian so that the squared cost of the result has the gradient of this cost, and Gauss–Newton's
  /// matrix the curvature of ρ (Triggs et al. 2000), but a hundredth of ρ′ at least: where ρ is concave, rows without weight would have residuals
  /// without bound.
  /// - Returns: √(Σ ρ′ r²), the size that residuals have for the gradient.
  func scale(
    _ residual: inout [Double], _ scaleRow: (_ row: Int, _ factor: Double, _ slope: Double) -> Void
  ) -> Double {
    if self == .squared { return norm2(residual) }
    let delta = scale
    var sum = 0.0
    for i in residual.indices {
      let z = (residual[i] / delta) * (residual[i] / delta)
      let (_, slope, curvature) = values(z)
      sum += slope * residual[i] * residual[i]
      let factor = max(slope + 2 * curvature * z, 0.01 * slope).squareRoot()
      residual[i] *= slope / factor
      scaleRow(i, factor, slope)
    }
    return sum.squareRoot()
  }

  func check() throws(ImplicitLayerError) {
    guard scale > 0, scale.isFinite else {
      throw .argument("the scale of a loss must be positive and finite, not \(scale)")
    }
  }
}
