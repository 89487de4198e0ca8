import Foundation
import Lanes
public import RobotModels

/// Inverse and forward dynamics, the mass matrix, and the derivatives of both dynamics, for any number of
/// configurations at a time.
///
/// The algorithms are about the equation of motion `M(q) a + b(q, v) = τ + Σ Jᵀ f` alone: bodies, joints, armature and
/// gravity. `M` **includes armature** (`armature` in MJCF, the reflected inertia of a motor's rotor), as MuJoCo's `M`
/// does; URDF has no such element, so that for models from URDF it is zero unless set in
/// `Model.degreesOfFreedom`, and `M` is that of Pinocchio's `crba`. Springs, dampers, friction, fluid, gravity
/// compensation, actuators, limits and contacts are part of `τ` or left to ``Simulator``.
///
/// All joints are supported, several to a body too. Mimic joints are not degrees of freedom: what they do is counted
/// for the joint that they follow.
///
/// Arrays hold one row per configuration. Positions are rows of `Model.positionCount` numbers (`qpos`, quaternions
/// `w x y z` that need not be normalised), all else are rows of `Model.velocityCount` numbers (`qvel`). As in MuJoCo,
/// the six velocities of a free joint are the linear velocity in world axes and the angular velocity in the body's
/// axes, and a ball joint's are the angular velocity in the body's axes; forces are their duals. Units are those of
/// the model, with SI: m, rad, kg, N, N m.
///
/// Configurations are computed in lane groups, eight at a time in float64 and sixteen in float32, on all cores; a
/// single configuration in float64 is computed alone. Results do not depend on the number of threads. Methods may be
/// called from several threads. The model's numbers are copied: to see the effect of other numbers, make another
/// instance, which takes time in proportion to the model's size.
///
/// Source: Featherstone, Rigid Body Dynamics Algorithms (2008).
public final class RigidBodyAlgorithms<Scalar: SimulationScalar>: Sendable {
  /// The model as it was given.
  public let model: Model
  let plan: AlgorithmPlan<Scalar>
  let singles: WorkspacePool<Scalar.Single>
  let groups: WorkspacePool<Scalar.Group>

  /// Algorithms for a model, which may contain actuators and constraints that cannot be simulated: they are not looked
  /// at.
  ///
  /// - Throws: ``RigidBodyError/unsupported(_:)`` for a tendon with armature, which would be part of `M`.
  /// - Complexity: O(bodies + joints x depth).
  public init(_ model: Model) throws(RigidBodyError) {
    if let tendon = model.tendons.first(where: { $0.armature != 0 }) {
      throw .unsupported("the armature of tendon '\(tendon.name)'")
    }
    self.model = model
    plan = AlgorithmPlan(model)
    singles = WorkspacePool(plan)
    groups = WorkspacePool(plan)
  }

  /// All cores of the machine.
  public static var defaultThreadCount: Int { ProcessInfo.processInfo.activeProcessorCount }
}
