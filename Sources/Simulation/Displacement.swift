public import Autodiff
public import RobotModels

/// Positions moved by a small displacement in tangent coordinates: scalars and translations by addition, rotations by
/// `q ⊗ exp(δ)`.
///
/// The gradient by the displacement at zero is the gradient in tangent coordinates, `nv` numbers:
///
/// ```swift
/// let tangentGradient = grad { displacement in try cost(try displaced(q, by: displacement, in: model)) }
/// try tangentGradient(Tensor.zeros([model.velocityCount]))
/// ```
///
/// It is made of ordinary tensor operations and has all derivatives.
///
/// - Parameters:
///   - positions: `[…, nq]`.
///   - displacement: `[…, nv]`.
///   - model: whose joints these are. Joints that mimic another have no numbers of their own.
/// - Throws: `TensorError` if the shapes do not fit.
public func displaced(_ positions: Tensor, by displacement: Tensor, in model: Model) throws -> Tensor {
  guard positions.shape.last == model.positionCount, displacement.shape.last == model.velocityCount else {
    throw TensorError(
      .shape, "displaced",
      "positions \(positions.shape) and displacement \(displacement.shape) where the model needs "
        + "[…, \(model.positionCount)] and […, \(model.velocityCount)]")
  }
  func part(_ tensor: Tensor, _ start: Int, _ count: Int) -> Tensor {
    tensor.slice(axis: -1, from: start, count: count)
  }
  var parts: [Int: Tensor] = [:]
  for joint in model.joints where joint.mimic == nil {
    let (at, dof) = (joint.positionAddress, joint.velocityAddress)
    switch joint.type {
    case .slide, .hinge: parts[at] = part(positions, at, 1) + part(displacement, dof, 1)
    case .free:
      parts[at] = part(positions, at, 3) + part(displacement, dof, 3)
      parts[at + 3] = quaternionProduct(
        part(positions, at + 3, 4), quaternionExponential(part(displacement, dof + 3, 3)))
    case .ball:
      parts[at] = quaternionProduct(
        part(positions, at, 4), quaternionExponential(part(displacement, dof, 3)))
    }
  }
  return concatenate(parts.sorted { $0.key < $1.key }.map(\.value), axis: -1)
}
