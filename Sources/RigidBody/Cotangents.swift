import Kinematics
import Lanes
import RobotModels

/// Cotangents that the reverse sweep of one lane group reads and adds to. Pointers are nil for what nobody asked
/// for, and what is nil is not computed.
struct Cotangents<L: Lane> {
  /// Cotangent of the state: before a reverse step that after the step, then that before it. Positions in tangent
  /// coordinates, one number per degree of freedom.
  let positions: UnsafeMutablePointer<L>
  let velocities: UnsafeMutablePointer<L>
  let activations: UnsafeMutablePointer<L>
  /// Of the step's inputs; added to.
  var controls: UnsafeMutablePointer<L>?
  var appliedForces: UnsafeMutablePointer<L>?
  var cartesianForces: UnsafeMutablePointer<L>?
  var mocapPoses: UnsafeMutablePointer<L>?
  /// Of the model's parameters; added to.
  var parameters: ParameterCotangents<L>?
}

/// Cotangents of a model's parameters, one lane group's share.
struct ParameterCotangents<L: Lane> {
  /// Of each link's mass, first moment and rotational inertia about the link's origin, in the link frame.
  let inertias: UnsafeMutablePointer<RigidInertia<L>>
  /// Of the points at which Cartesian forces and gravity compensation act (link frame), and of each compensated
  /// mass; by index in ``DynamicsPlan/bodyPoints`` and ``DynamicsPlan/compensatedBodies``.
  let bodyPoints: UnsafeMutablePointer<Vector3<L>>
  let compensatedPoints: UnsafeMutablePointer<Vector3<L>>
  let compensatedMasses: UnsafeMutablePointer<L>
  /// Of each fluid body's centre (link frame) and of its eight coefficients, in the order of
  /// ``FluidCoefficients``.
  let fluidPoints: UnsafeMutablePointer<Vector3<L>>
  let fluidCoefficients: UnsafeMutablePointer<L>
  let armature: UnsafeMutablePointer<L>
  let damping: UnsafeMutablePointer<L>
  let stiffness: UnsafeMutablePointer<L>
  let springReference: UnsafeMutablePointer<L>
  /// By tendon; the spring's range of rest has two ends.
  let tendonStiffness: UnsafeMutablePointer<L>
  let tendonDamping: UnsafeMutablePointer<L>
  let tendonArmature: UnsafeMutablePointer<L>
  let tendonSpringLength: UnsafeMutablePointer<L>
  /// Six gear entries per actuator (the first alone for scalar joints), three gain and three bias parameters.
  let gear: UnsafeMutablePointer<L>
  let gain: UnsafeMutablePointer<L>
  let bias: UnsafeMutablePointer<L>
  /// Gravity (three) and the timestep.
  let gravity: UnsafeMutablePointer<Vector3<L>>
  let timestep: UnsafeMutablePointer<L>
  /// Of constraints: see ``ConstraintParameterLayout``.
  let constraints: UnsafeMutablePointer<L>

  init(_ plan: DynamicsPlan<L.Scalar>, _ arena: inout Arena) {
    inertias = arena.take(RigidInertia<L>.self, plan.tree.linkCount)
    bodyPoints = arena.take(Vector3<L>.self, plan.bodyPoints.count)
    compensatedPoints = arena.take(Vector3<L>.self, plan.compensatedBodies.count)
    compensatedMasses = arena.take(L.self, plan.compensatedBodies.count)
    fluidPoints = arena.take(Vector3<L>.self, plan.fluidBodies.count)
    fluidCoefficients = arena.take(L.self, 8 * plan.fluidBodies.count)
    armature = arena.take(L.self, plan.velocityCount)
    damping = arena.take(L.self, plan.velocityCount)
    stiffness = arena.take(L.self, plan.springs.count)
    springReference = arena.take(L.self, plan.springs.count)
    let tendons = plan.transmissions.ofTendon.count
    tendonStiffness = arena.take(L.self, tendons)
    tendonDamping = arena.take(L.self, tendons)
    tendonArmature = arena.take(L.self, tendons)
    tendonSpringLength = arena.take(L.self, 2 * tendons)
    gear = arena.take(L.self, 6 * plan.actuators.count)
    gain = arena.take(L.self, 3 * plan.actuators.count)
    bias = arena.take(L.self, 3 * plan.actuators.count)
    gravity = arena.take(Vector3<L>.self, 1)
    timestep = arena.take(L.self, 1)
    constraints = arena.take(L.self, plan.constraintParameterCount)
  }

  static func byteCount(_ plan: DynamicsPlan<L.Scalar>) -> Int {
    var measure = ArenaMeasure()
    measure.take(RigidInertia<L>.self, plan.tree.linkCount)
    measure.take(Vector3<L>.self, plan.bodyPoints.count)
    measure.take(Vector3<L>.self, plan.compensatedBodies.count)
    measure.take(L.self, plan.compensatedBodies.count)
    measure.take(Vector3<L>.self, plan.fluidBodies.count)
    measure.take(L.self, 8 * plan.fluidBodies.count)
    measure.take(L.self, plan.velocityCount)
    measure.take(L.self, plan.velocityCount)
    measure.take(L.self, plan.springs.count)
    measure.take(L.self, plan.springs.count)
    for _ in 0..<3 { measure.take(L.self, plan.transmissions.ofTendon.count) }
    measure.take(L.self, 2 * plan.transmissions.ofTendon.count)
    measure.take(L.self, 6 * plan.actuators.count)
    measure.take(L.self, 3 * plan.actuators.count)
    measure.take(L.self, 3 * plan.actuators.count)
    measure.take(Vector3<L>.self, 1)
    measure.take(L.self, 1)
    measure.take(L.self, plan.constraintParameterCount)
    return measure.byteCount
  }
}

/// Memory of the reverse sweep that does not outlive a step.
struct AdjointScratch<L: Lane> {
  /// Motions of the links, and before each joint that is not the first of its link.
  let motions: UnsafeMutablePointer<LinkMotion<L>>
  let beforeJoint: UnsafeMutablePointer<LinkMotion<L>>
  /// For each direction of a slide or hinge joint, its rate of change.
  let directionRates: UnsafeMutablePointer<Motion<L>>
  /// Cotangents of the dual motion (the link's force) and of acceleration, by link, summed over subtrees.
  let byDual: UnsafeMutablePointer<Force<L>>
  let byAcceleration: UnsafeMutablePointer<Force<L>>
  /// Cotangent of velocity: the couple of the inertial forces, and what other forces add.
  let byCouple: UnsafeMutablePointer<Vector3<L>>
  let byVelocity: UnsafeMutablePointer<Force<L>>
  /// Torque of what is fixed in the world (applied forces, wind), which does not turn with the subtree.
  let byTurning: UnsafeMutablePointer<Vector3<L>>
  /// With implicit fluid damping: motion at joint rates `â`, and its cotangent.
  let rates: UnsafeMutablePointer<Motion<L>>
  let byRate: UnsafeMutablePointer<Force<L>>
  let lambda: UnsafeMutablePointer<L>
  let accelerationCotangent: UnsafeMutablePointer<L>
  let rateCotangent: UnsafeMutablePointer<L>
  let actuatorForces: UnsafeMutablePointer<L>
  let actuatorLambda: UnsafeMutablePointer<L>
  /// Of the lengths and moment arms of tendons and sites.
  let lengthCotangents: UnsafeMutablePointer<L>
  let momentCotangents: UnsafeMutablePointer<L>
  /// Cotangents of Runge–Kutta's stages.
  let stagePositions: UnsafeMutablePointer<L>
  let stageVelocities: UnsafeMutablePointer<L>
  let stageActivations: UnsafeMutablePointer<L>
  let firstPositions: UnsafeMutablePointer<L>
  let firstVelocities: UnsafeMutablePointer<L>
  let firstActivations: UnsafeMutablePointer<L>
  let meanVelocity: UnsafeMutablePointer<L>
  let nextVelocity: UnsafeMutablePointer<L>
  let rateMean: UnsafeMutablePointer<L>
  /// What the sweep will need next.
  let upcoming: UnsafeMutablePointer<PacedPrefetch>

  init(_ plan: DynamicsPlan<L.Scalar>, _ arena: inout Arena) {
    let links = plan.tree.linkCount
    let n = plan.velocityCount
    let implicitFluid = plan.hasImplicitFluid
    motions = arena.take(LinkMotion<L>.self, links)
    beforeJoint = arena.take(LinkMotion<L>.self, plan.tree.joints.count)
    directionRates = arena.take(Motion<L>.self, plan.tree.directionCount)
    byDual = arena.take(Force<L>.self, links)
    byAcceleration = arena.take(Force<L>.self, links)
    byCouple = arena.take(Vector3<L>.self, links)
    byVelocity = arena.take(Force<L>.self, links)
    byTurning = arena.take(Vector3<L>.self, links)
    rates = arena.take(Motion<L>.self, implicitFluid ? links : 0)
    byRate = arena.take(Force<L>.self, implicitFluid ? links : 0)
    lambda = arena.take(L.self, n)
    accelerationCotangent = arena.take(L.self, n)
    rateCotangent = arena.take(L.self, plan.activationCount)
    actuatorForces = arena.take(L.self, n)
    actuatorLambda = arena.take(L.self, n)
    lengthCotangents = arena.take(L.self, plan.transmissions.count)
    momentCotangents = arena.take(L.self, plan.transmissions.terms.count)
    stagePositions = arena.take(L.self, n)
    stageVelocities = arena.take(L.self, n)
    stageActivations = arena.take(L.self, plan.activationCount)
    firstPositions = arena.take(L.self, n)
    firstVelocities = arena.take(L.self, n)
    firstActivations = arena.take(L.self, plan.activationCount)
    meanVelocity = arena.take(L.self, n)
    nextVelocity = arena.take(L.self, n)
    rateMean = arena.take(L.self, plan.activationCount)
    upcoming = arena.take(PacedPrefetch.self, 1)
    upcoming.initialize(to: PacedPrefetch())
  }

  static func byteCount(_ plan: DynamicsPlan<L.Scalar>) -> Int {
    var measure = ArenaMeasure()
    let links = plan.tree.linkCount
    measure.take(LinkMotion<L>.self, links)
    measure.take(LinkMotion<L>.self, plan.tree.joints.count)
    measure.take(Motion<L>.self, plan.tree.directionCount)
    for _ in 0..<3 { measure.take(Force<L>.self, links) }
    for _ in 0..<2 { measure.take(Vector3<L>.self, links) }
    if plan.hasImplicitFluid {
      measure.take(Motion<L>.self, links)
      measure.take(Force<L>.self, links)
    } else {
      measure.take(Motion<L>.self, 0)
      measure.take(Force<L>.self, 0)
    }
    for _ in 0..<10 { measure.take(L.self, plan.velocityCount) }
    for _ in 0..<4 { measure.take(L.self, plan.activationCount) }
    measure.take(L.self, plan.transmissions.count)
    measure.take(L.self, plan.transmissions.terms.count)
    measure.take(PacedPrefetch.self, 1)
    return measure.byteCount
  }
}

/// Velocity, acceleration, and dual motion: the motion at joint rates `lambda`.
struct LinkMotion<L: Lane> {
  var velocity: Motion<L>
  var acceleration: Motion<L>
  var dual: Motion<L>
}

extension DynamicsPlan {
  var hasImplicitFluid: Bool { integrator == .implicitFast && fluidBodies.count > 0 }
}

extension DynamicsPlan {
  /// How many cotangents of constraint parameters there are.
  var constraintParameterCount: Int { constraints?.parameterCount ?? 0 }
}
