public import Autodiff

/// States of worlds as tensors. Axes before the last count worlds: none for a single one.
public struct SimulationState: TensorTree, Sendable {
  /// `[…, nq]`; quaternions need not be normalised.
  public var positions: Tensor
  /// `[…, nv]`
  public var velocities: Tensor
  /// `[…, na]`
  public var activations: Tensor

  /// States from their parts.
  public init(positions: Tensor, velocities: Tensor, activations: Tensor) {
    self.positions = positions
    self.velocities = velocities
    self.activations = activations
  }
}
