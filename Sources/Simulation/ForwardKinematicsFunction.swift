public import Autodiff
public import Kinematics
public import RobotModels

/// Forward kinematics as a function of tensors.
///
/// ```swift
/// let poses = try forwardKinematics(of: model, frames: [Frame(named: "hand", in: model)])
/// let slope = grad { q in square(try poses(q)[0, 0..<3] - target).sum() }
/// ```
///
/// The function takes positions `[…, nq]` (quaternions need not be normalised) to poses `[…, frames, width of the
/// format]`, in `float32` or `float64` as the positions are. Its gradient by a quaternion is the one that
/// `GradientCoordinates.positions` says, of a function that normalises; for a gradient in tangent coordinates,
/// differentiate with respect to a displacement (``displaced(_:by:in:)``) at zero. Under `vmap` the batch becomes
/// configurations of one call. Costs have second derivatives (`hvp`, `hessian`, `grad` of `grad`), computed in
/// float64; others are an error.
///
/// The function throws `TensorError` for positions of another shape, numbers that are not finite and quaternions
/// without length.
///
/// - Parameters:
///   - model: any model; what cannot be simulated does not matter here.
///   - frames: the frames whose poses are computed.
///   - format: how a pose is written.
/// - Throws: `KinematicsError` for a frame that is not the model's.
public func forwardKinematics(
  of model: Model, frames: [Frame], format: PoseFormat = .positionQuaternion
) throws(KinematicsError) -> @Sendable (_ positions: Tensor) throws -> Tensor {
  let core = try KinematicsCore(model, frames)
  return { positions in
    let type = try floatingType([("positions", positions)], "forwardKinematics")
    let kernel = KinematicsKernel(core: core, elementType: type, format: format)
    let worlds = try worldShape(positions, width: model.positionCount, "positions", "forwardKinematics")
    let rows = worlds.reduce(1, *)
    let call = KernelCall(kernel: kernel, rows: rows, blocks: 1)
    let poses = try bindOrThrow(call, [positions.reshaped([rows, model.positionCount])])[0]
    return poses.reshaped(worlds + [frames.count, format.width])
  }
}
