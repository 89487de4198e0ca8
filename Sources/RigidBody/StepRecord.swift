import Kinematics
import Lanes
import RobotModels

/// Poses of links, joint directions, the links' own inertias about their tree's reference point, and lengths and moment
/// arms of tendons and sites.
struct Geometry<L: Lane> {
  private(set) var poses: UnsafeMutablePointer<Pose<L>>
  private(set) var directions: UnsafeMutablePointer<Motion<L>>
  private(set) var inertias: UnsafeMutablePointer<RigidInertia<L>>
  private(set) var lengths: UnsafeMutablePointer<L>
  private(set) var moments: UnsafeMutablePointer<L>

  init(_ plan: DynamicsPlan<L.Scalar>, _ arena: inout Arena) {
    poses = arena.take(Pose<L>.self, plan.tree.linkCount)
    directions = arena.take(Motion<L>.self, plan.tree.directionCount)
    inertias = arena.take(RigidInertia<L>.self, plan.tree.linkCount)
    lengths = arena.take(L.self, plan.transmissions.count)
    moments = arena.take(L.self, plan.transmissions.terms.count)
  }

  static func byteCount(_ plan: DynamicsPlan<L.Scalar>) -> Int {
    var measure = ArenaMeasure()
    measure.take(Pose<L>.self, plan.tree.linkCount)
    measure.take(Motion<L>.self, plan.tree.directionCount)
    measure.take(RigidInertia<L>.self, plan.tree.linkCount)
    measure.take(L.self, plan.transmissions.count)
    measure.take(L.self, plan.transmissions.terms.count)
    return measure.byteCount
  }

  /// The same arrays `bytes` further on.
  func moved(by bytes: Int) -> Self {
    var result = self
    move(&result.poses, by: bytes)
    move(&result.directions, by: bytes)
    move(&result.inertias, by: bytes)
    move(&result.lengths, by: bytes)
    move(&result.moments, by: bytes)
    return result
  }
}

@inline(__always)
private func move<T>(_ pointer: inout UnsafeMutablePointer<T>, by bytes: Int) {
  pointer = (UnsafeMutableRawPointer(pointer) + bytes).assumingMemoryBound(to: T.self)
}

/// The factor of the mass matrix (with the implicit terms of the integrator).
struct Matrices<L: Lane> {
  private(set) var factor: UnsafeMutablePointer<L>
  /// For each standalone free body under implicitfast: its factored 6x6 matrix (row-major), and the exchanged rows.
  private(set) var freeMatrices: UnsafeMutablePointer<L>

  init(_ plan: DynamicsPlan<L.Scalar>, _ arena: inout Arena) {
    factor = arena.take(L.self, plan.pattern.entryCount)
    freeMatrices = arena.take(L.self, FreeBodyFactor.size * plan.implicitFreeBodyCount)
  }

  static func byteCount(_ plan: DynamicsPlan<L.Scalar>) -> Int {
    var measure = ArenaMeasure()
    measure.take(L.self, plan.pattern.entryCount)
    measure.take(L.self, FreeBodyFactor.size * plan.implicitFreeBodyCount)
    return measure.byteCount
  }

  /// The same arrays `bytes` further on.
  func moved(by bytes: Int) -> Self {
    var result = self
    move(&result.factor, by: bytes)
    move(&result.freeMatrices, by: bytes)
    return result
  }
}

/// How much of a forward evaluation is kept for the reverse sweep, which computes the rest again, to the same bits.
///
/// Geometry is half of everything and costs little to compute; with the matrices it is half of a step. Half of the time that
/// poses take goes into sines and cosines, which take little memory.
enum Retention {
  case everything
  /// Sines and cosines of the hinges' angles instead of poses, directions and inertias.
  case anglesForGeometry
  /// Also without matrices.
  case anglesAndStates

  var hasGeometry: Bool { self == .everything }
  var hasMatrices: Bool { self != .anglesAndStates }

  /// What a tape retains that may retain everything, which takes `byteCount`: geometry of tapes that do not stay in a core's
  /// cache is computed again, which takes less time than memory does.
  static func forTape<Scalar: SimulationScalar>(
    _ plan: DynamicsPlan<Scalar>, byteCount: Int, limit: Int = 512 << 10
  ) -> Self {
    plan.constraints != nil ? .anglesAndStates : byteCount > limit ? .anglesForGeometry : .everything
  }
}

/// What one evaluation of the forward dynamics retains for the reverse sweep.
struct StepRecord<L: Lane> {
  /// Inputs.
  private(set) var positions: UnsafeMutablePointer<L>
  private(set) var velocities: UnsafeMutablePointer<L>
  private(set) var activations: UnsafeMutablePointer<L>
  /// Solution of `factor * acceleration = force`.
  private(set) var accelerations: UnsafeMutablePointer<L>
  /// Time derivatives of the activations.
  private(set) var activationRates: UnsafeMutablePointer<L>
  /// With constraints, what their solver found: accelerations before the implicit terms of the integrator.
  private(set) var constrainedAccelerations: UnsafeMutablePointer<L>
  /// Sines and cosines of the hinges' angles, where they are retained.
  private var angles: UnsafeMutablePointer<L>?
  private var geometry: Geometry<L>
  private var matrices: Matrices<L>
  let retention: Retention

  var poses: UnsafeMutablePointer<Pose<L>> { geometry.poses }
  var directions: UnsafeMutablePointer<Motion<L>> { geometry.directions }
  var inertias: UnsafeMutablePointer<RigidInertia<L>> { geometry.inertias }
  /// By transmission, and by moment arm of the plan's transmissions.
  var lengths: UnsafeMutablePointer<L> { geometry.lengths }
  var moments: UnsafeMutablePointer<L> { geometry.moments }
  var factor: UnsafeMutablePointer<L> { matrices.factor }
  var freeMatrices: UnsafeMutablePointer<L> { matrices.freeMatrices }
  /// What a forward evaluation does with the hinges' angles.
  var newAngles: HingeAngles<L> { angles.map { .kept(in: $0) } ?? .computed }
  /// Where the reverse sweep has them from.
  var retainedAngles: HingeAngles<L> { angles.map { .known($0) } ?? .computed }

  /// - Parameters:
  ///   - geometry: memory for geometry that is not retained, which the record shares with others.
  ///   - matrices: likewise for the matrices.
  init(
    _ plan: DynamicsPlan<L.Scalar>, _ arena: inout Arena, _ retention: Retention = .everything,
    geometry: Geometry<L>? = nil, matrices: Matrices<L>? = nil
  ) {
    self.retention = retention
    positions = arena.take(L.self, plan.positionCount)
    velocities = arena.take(L.self, plan.velocityCount)
    activations = arena.take(L.self, plan.activationCount)
    accelerations = arena.take(L.self, plan.velocityCount)
    activationRates = arena.take(L.self, plan.activationCount)
    constrainedAccelerations = arena.take(L.self, plan.warmStartCount)
    angles = retention.hasGeometry ? nil : arena.take(L.self, 2 * plan.tree.hingeCount)
    self.matrices = matrices ?? Matrices(plan, &arena)
    self.geometry = geometry ?? Geometry(plan, &arena)
  }

  /// The same state with other accelerations, and velocities if given.
  func with(
    accelerations: UnsafeMutablePointer<L>, velocities: UnsafeMutablePointer<L>? = nil
  ) -> Self {
    var result = self
    result.accelerations = accelerations
    if let velocities { result.velocities = velocities }
    return result
  }

  /// The same record with other memory for what it does not retain.
  func with(_ geometry: Geometry<L>, _ matrices: Matrices<L>) -> Self {
    var result = self
    if !retention.hasGeometry { result.geometry = geometry }
    if !retention.hasMatrices { result.matrices = matrices }
    return result
  }

  /// The record that is kept `bytes` further on than this one.
  func moved(by bytes: Int) -> Self {
    var result = self
    move(&result.positions, by: bytes)
    move(&result.velocities, by: bytes)
    move(&result.activations, by: bytes)
    move(&result.accelerations, by: bytes)
    move(&result.activationRates, by: bytes)
    move(&result.constrainedAccelerations, by: bytes)
    if var angles {
      move(&angles, by: bytes)
      result.angles = angles
    }
    if retention.hasGeometry { result.geometry = geometry.moved(by: bytes) }
    if retention.hasMatrices { result.matrices = matrices.moved(by: bytes) }
    return result
  }

  static func byteCount(_ plan: DynamicsPlan<L.Scalar>, _ retention: Retention = .everything) -> Int {
    var measure = ArenaMeasure()
    measure.take(L.self, plan.positionCount)
    measure.take(L.self, plan.velocityCount)
    measure.take(L.self, plan.activationCount)
    measure.take(L.self, plan.velocityCount)
    measure.take(L.self, plan.activationCount)
    measure.take(L.self, plan.warmStartCount)
    if !retention.hasGeometry { measure.take(L.self, 2 * plan.tree.hingeCount) }
    return measure.byteCount + (retention.hasMatrices ? Matrices<L>.byteCount(plan) : 0)
      + (retention.hasGeometry ? Geometry<L>.byteCount(plan) : 0)
  }
}

extension DynamicsPlan {
  /// Standalone free bodies whose gyroscopic force the integrator takes implicitly.
  var implicitFreeBodyCount: Int { integrator == .implicitFast ? freeBodies.count : 0 }
}

/// Controls and applied forces of one step; the forces are nil where there are none.
struct StepInputs<L: Lane> {
  /// `controls[i]` for actuator `i`.
  var controls: UnsafePointer<L>
  /// Generalised forces, one per degree of freedom (`qfrc_applied`).
  var appliedForces: UnsafePointer<L>?
  /// Force, then torque, in world axes at the centre of mass of each body (`xfrc_applied`).
  var cartesianForces: UnsafePointer<L>?
  /// Positions and quaternions of mocap bodies; nil for those of the model.
  var mocapPoses: UnsafePointer<L>?
}

/// Memory that a step uses and does not retain.
struct Scratch<L: Lane> {
  let velocities: UnsafeMutablePointer<Motion<L>>
  let accelerations: UnsafeMutablePointer<Motion<L>>
  let forces: UnsafeMutablePointer<Force<L>>
  let composites: UnsafeMutablePointer<RigidInertia<L>>
  /// Damping of the fluid on each link, as a quadratic form on motions; only where there is a fluid.
  let fluidDamping: UnsafeMutablePointer<SpatialSymmetric<L>>
  let bias: UnsafeMutablePointer<L>
  let compensation: UnsafeMutablePointer<L>
  let activationScratch: UnsafeMutablePointer<L>
  /// Solves the model's constraints, where it has some and the lane type has a solver.
  let constraints: ConstraintStage<L>?

  init(_ plan: DynamicsPlan<L.Scalar>, _ arena: inout Arena) {
    velocities = arena.take(Motion<L>.self, plan.tree.linkCount)
    accelerations = arena.take(Motion<L>.self, plan.tree.linkCount)
    forces = arena.take(Force<L>.self, plan.tree.linkCount)
    composites = arena.take(RigidInertia<L>.self, plan.tree.linkCount)
    fluidDamping = arena.take(SpatialSymmetric<L>.self, plan.fluidBodies.count == 0 ? 0 : plan.tree.linkCount)
    bias = arena.take(L.self, plan.velocityCount)
    compensation = arena.take(L.self, plan.velocityCount)
    activationScratch = arena.take(L.self, plan.activationCount)
    constraints = plan.constraints?.makeStage(L.self, plan)
  }

  static func byteCount(_ plan: DynamicsPlan<L.Scalar>) -> Int {
    var measure = ArenaMeasure()
    measure.take(Motion<L>.self, plan.tree.linkCount)
    measure.take(Motion<L>.self, plan.tree.linkCount)
    measure.take(Force<L>.self, plan.tree.linkCount)
    measure.take(RigidInertia<L>.self, plan.tree.linkCount)
    measure.take(SpatialSymmetric<L>.self, plan.fluidBodies.count == 0 ? 0 : plan.tree.linkCount)
    measure.take(L.self, plan.velocityCount)
    measure.take(L.self, plan.velocityCount)
    measure.take(L.self, plan.activationCount)
    return measure.byteCount
  }
}
