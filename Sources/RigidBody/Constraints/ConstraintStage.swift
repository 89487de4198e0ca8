import Kinematics
import Lanes
import RobotModels

/// What gradients take of contacts.
public enum ContactGeometryGradient: Sendable, Hashable {
  /// Contact points, normals and frames as functions of the configuration: the derivative of what is simulated.
  case exact
  /// Contact points, normals and frames held fixed, as is common in the literature. For comparison: it can be wrong by
  /// the size of the derivative itself.
  case frozen
}

/// The constraints of a model, in the precision of its plan.
protocol ConstraintSetup: AnyObject, Sendable {
  /// One thread's memory for solving them in lanes of one type; nil for types in which they are not solved.
  func makeStage<L: Lane>(_ lane: L.Type, _ plan: DynamicsPlan<L.Scalar>) -> ConstraintStage<L>?
  /// How many cotangents of parameters a sweep collects.
  var parameterCount: Int { get }
  /// Adds what the sums of those cotangents give to the model's parameters.
  func addParameters(_ sums: [Double], to gradient: inout ParameterGradient, _ model: Model)
}

/// Solving the constraints of one lane group in one state. A class of its own, so that the kernels of all lane types do not
/// contain the solver.
class ConstraintStage<L: Lane> {
  /// The mass matrix with armature, not factored.
  final let massMatrix: UnsafeMutablePointer<L>
  /// On entry of ``solve(_:smoothForce:)`` where it starts, on return the accelerations.
  final let accelerations: UnsafeMutablePointer<L>
  /// `Jᵀ f`.
  final let constraintForce: UnsafeMutablePointer<L>
  final let smoothAccelerations: UnsafeMutablePointer<L>
  /// Whether there are actuators on bodies, whose forces depend on contacts.
  final let hasBodyTransmissions: Bool
  /// Lanes in which the solver did not converge since this was cleared.
  @exclusivity(unchecked) final var unconvergedLanes: UInt32 = 0
  /// Whether the next adjoint is at the record, and with the inputs, of the last one: it is then spared what does not depend on
  /// cotangents.
  @exclusivity(unchecked) final var repeatsRecord = false
  /// How near to a kink the adjoint has been since this was set to one; see ``ConstraintSolverWorkspace/kinkMargin``.
  @exclusivity(unchecked) final var kinkMargin = L(1.0)
  private var arena: Arena

  init(_ plan: DynamicsPlan<L.Scalar>, hasBodyTransmissions: Bool) {
    self.hasBodyTransmissions = hasBodyTransmissions
    let n = plan.velocityCount
    var measure = ArenaMeasure()
    measure.take(L.self, plan.pattern.entryCount)
    for _ in 0..<3 { measure.take(L.self, n) }
    arena = Arena(byteCount: measure.byteCount)
    massMatrix = arena.take(L.self, plan.pattern.entryCount)
    accelerations = arena.take(L.self, n)
    constraintForce = arena.take(L.self, n)
    smoothAccelerations = arena.take(L.self, n)
  }

  /// Finds the accelerations at the record's positions, velocities, poses and directions, with the mass matrix and smooth
  /// accelerations in this object.
  func solve(_ record: borrowing StepRecord<L>, smoothForce: UnsafePointer<L>) {
    preconditionFailure("abstract")
  }

  /// Adds the forces of actuators on bodies to the smooth ones. The rows are then known to the next call of
  /// ``solve(_:smoothForce:)``, which must be for the same record.
  func addBodyTransmissions(
    _ record: borrowing StepRecord<L>, controls: UnsafePointer<L>, timestep: L,
    to smoothForce: UnsafeMutablePointer<L>
  ) {
    preconditionFailure("abstract")
  }

  /// Reverse of forward dynamics under constraints, from the cotangent of the accelerations in `scratch`; see
  /// ConstrainedDynamics+Adjoint.swift.
  ///
  /// - Returns: The cotangent of the timestep.
  func adjoint(
    _ record: StepRecord<L>, _ scratch: AdjointScratch<L>, _ forward: Scratch<L>, _ inputs: StepInputs<L>,
    timestep: L, _ cotangents: Cotangents<L>
  ) -> L {
    preconditionFailure("abstract")
  }
}

/// The constraints of a model and their solver.
final class ModelConstraints<Scalar: LaneScalar>: ConstraintSetup {
  let plan: ConstraintPlan<Scalar>
  let solver: PrimalSolver<Scalar>
  let geometry: ContactGeometryGradient

  /// Nil where the model has none.
  ///
  /// - Throws: ``RigidBodyError/unsupported(_:)`` for contacts that collision does not know.
  init?(
    _ model: Model, ignoring ignored: IgnoredFeatures, geometry: ContactGeometryGradient,
    limits: SolverLimits
  ) throws(RigidBodyError) {
    self.geometry = geometry
    let tree = KinematicTree<Scalar>(model)
    plan = try ConstraintPlan(
      model.leavingOut(ignored), tree: tree, skipsUnsupported: ignored.contains(.unsupported))
    guard !plan.isEmpty else { return nil }
    solver = PrimalSolver(
      plan.pattern, MassMatrixPattern(tree),
      options: ConstraintSolverOptions(model, precision: Scalar.self, limits: limits))
  }

  func makeStage<L: Lane>(_ lane: L.Type, _ plan: DynamicsPlan<L.Scalar>) -> ConstraintStage<L>? {
    switch self {
    case let own as ModelConstraints<Double>:
      if lane == Double.self {
        return ConstraintEngine<Double>(own, plan as! DynamicsPlan<Double>) as? ConstraintStage<L>
      }
      guard lane == SIMD8<Double>.self else { return nil }
      return ConstraintEngine<SIMD8<Double>>(own, plan as! DynamicsPlan<Double>) as? ConstraintStage<L>
    case let own as ModelConstraints<Float>:
      guard lane == SIMD16<Float>.self else { return nil }
      return ConstraintEngine<SIMD16<Float>>(own, plan as! DynamicsPlan<Float>) as? ConstraintStage<L>
    default: return nil
    }
  }
}

extension Model {
  /// The model without constraints that a simulation leaves out.
  fileprivate func leavingOut(_ ignored: IgnoredFeatures) -> Model {
    var model = self
    let flags: [(IgnoredFeatures, DisabledFeatures)] = [
      (.contact, .contact), (.limit, .limit), (.equality, .equality), (.frictionLoss, .frictionLoss),
      (.actuation, .actuation),
    ]
    for (feature, flag) in flags where ignored.contains(feature) { model.options.disabled.insert(flag) }
    for index in model.tendons.indices
    where ignored.contains(.tendon) || ignored.contains(.unsupported) && model.tendons[index].wraps {
      model.tendons[index].limited = false
      model.tendons[index].frictionLoss = 0
    }
    for index in model.equalities.indices where model.equalities[index].type == .tendon {
      let equality = model.equalities[index]
      let tendons = [equality.object1] + (equality.object2.map { [$0] } ?? [])
      let isSpatial = tendons.contains { !model.tendons[$0].isFixed }
      if ignored.contains(.tendon) || ignored.contains(.unsupported) && isSpatial {
        model.equalities[index].active = false
      }
    }
    if ignored.contains(.unsupported) {
      for index in model.equalities.indices where model.equalities[index].type == .other {
        model.equalities[index].active = false
      }
    }
    return model
  }
}

/// Where the constants of a sparse row are.
struct SparsePlace: Sendable {
  enum Kind: Sendable { case form, ballLimit, link }
  var kind: Kind
  /// Index among the rows of its kind.
  var index: Int
}

extension ConstraintPlan {
  var sparsePlaces: [SparsePlace] {
    var places = [SparsePlace](repeating: SparsePlace(kind: .link, index: 0), count: pattern.sparseRows.count)
    for (index, row) in formRows.array.enumerated() {
      places[Int(row.row)] = SparsePlace(kind: .form, index: index)
    }
    for (index, limit) in ballLimits.array.enumerated() {
      places[Int(limit.row)] = SparsePlace(kind: .ballLimit, index: index)
    }
    for (index, equality) in linkEqualities.array.enumerated() {
      for r in 0..<(equality.isWeld ? 6 : 3) {
        places[Int(equality.row) + r] = SparsePlace(kind: .link, index: index)
      }
    }
    return places
  }
}

/// Rows, solver and their memory.
final class ConstraintEngine<L: Lane>: ConstraintStage<L> where L.Scalar: LaneScalar {
  let constraints: ModelConstraints<L.Scalar>
  let assembler: ConstraintAssembler<L>
  let workspace: ConstraintSolverWorkspace<L>
  // Each thread has an engine of its own.
  @exclusivity(unchecked) private(set) var solution: ConstraintSolution<L>
  private var arena: Arena
  private var slotArena = Arena(byteCount: 64)
  @exclusivity(unchecked) private var slotCapacity = 0
  unowned let dynamics: DynamicsPlan<L.Scalar>
  let adjointMemory: ConstraintAdjointMemory<L>
  @exclusivity(unchecked) var bodyTransmissions: BodyTransmissionMemory<L>
  /// Whether the assembler has the rows that ``solve(_:smoothForce:)`` is about to need.
  @exclusivity(unchecked) private var isAssembled = false
  /// Whether gradients take contact points and frames for functions of the configuration.
  var includesGeometry: Bool { constraints.geometry == .exact }
  /// What each sparse row is.
  let sparsePlaces: [SparsePlace]
  /// Where the cotangents of parameters are.
  let parameterLayout: ConstraintParameterLayout

  init(_ constraints: ModelConstraints<L.Scalar>, _ plan: DynamicsPlan<L.Scalar>) {
    self.constraints = constraints
    assembler = ConstraintAssembler(constraints.plan)
    workspace = ConstraintSolverWorkspace(constraints.solver)
    let units = constraints.plan.pattern.unitRows.count
    let sparse = constraints.plan.pattern.sparseRows.count
    var measure = ArenaMeasure()
    measure.take(L.self, units)
    measure.take(L.self, sparse)
    let bodyTransmissionCount = constraints.plan.bodyTransmissions.count
    arena = Arena(
      byteCount: measure.byteCount + ConstraintAdjointMemory<L>.byteCount(plan, sparseRowCount: sparse)
        + BodyTransmissionMemory<L>.byteCount(bodyTransmissionCount))
    bodyTransmissions = BodyTransmissionMemory(bodyTransmissionCount, &arena)
    adjointMemory = ConstraintAdjointMemory(plan, sparseRowCount: sparse, &arena)
    dynamics = plan
    sparsePlaces = constraints.plan.sparsePlaces
    parameterLayout = constraints.parameterLayout
    let unitForce = arena.take(L.self, units)
    let sparseForce = arena.take(L.self, sparse)
    solution = ConstraintSolution(
      acceleration: dangling(), constraintForce: dangling(), unitForce: unitForce, sparseForce: sparseForce,
      contactForce: dangling())
    super.init(plan, hasBodyTransmissions: bodyTransmissionCount > 0)
    reserve(slots: 1)
    solution.acceleration = accelerations
    solution.constraintForce = constraintForce
  }

  deinit { bodyTransmissions.slotForce.deallocate() }

  @specialized(where L == Double)
  @specialized(where L == SIMD8<Double>)
  @specialized(where L == SIMD16<Float>)
  override func solve(_ record: borrowing StepRecord<L>, smoothForce: UnsafePointer<L>) {
    let system = isAssembled ? assembler.system : assemble(record)
    isAssembled = false
    solveConstraints(
      constraints.solver, workspace, system, massMatrix: massMatrix,
      smoothAcceleration: smoothAccelerations, smoothForce: smoothForce, solution, factorsHessian: false)
    for lane in 0..<L.laneCount where workspace.status[lane] != .converged {
      unconvergedLanes |= 1 << UInt32(lane)
    }
  }

  @specialized(where L == Double)
  @specialized(where L == SIMD8<Double>)
  @specialized(where L == SIMD16<Float>)
  override func addBodyTransmissions(
    _ record: borrowing StepRecord<L>, controls: UnsafePointer<L>, timestep: L,
    to smoothForce: UnsafeMutablePointer<L>
  ) {
    _ = assemble(record)
    isAssembled = true
    setBodyTransmissionForces(self, record, controls: controls, timestep: timestep)
    addBodyTransmissionForces(self, to: smoothForce)
  }

  /// The rows of a record's state.
  @specialized(where L == Double)
  @specialized(where L == SIMD8<Double>)
  @specialized(where L == SIMD16<Float>)
  func assemble(_ record: borrowing StepRecord<L>) -> ConstraintSystem<L> {
    let system = assembler.assemble(
      poses: record.poses, directions: record.directions, positions: record.positions,
      velocities: record.velocities,
      tendons: TendonState(
        transmissions: dynamics.transmissions, lengths: record.lengths, moments: record.moments))
    reserve(slots: system.slotCount)
    return system
  }

  @specialized(where L == Double)
  @specialized(where L == SIMD8<Double>)
  @specialized(where L == SIMD16<Float>)
  override func adjoint(
    _ record: StepRecord<L>, _ scratch: AdjointScratch<L>, _ forward: Scratch<L>, _ inputs: StepInputs<L>,
    timestep: L, _ cotangents: Cotangents<L>
  ) -> L {
    constrainedDynamicsAdjoint(
      self, dynamics, record, scratch, forward, inputs, timestep: timestep, cotangents)
  }

  private func reserve(slots: Int) {
    guard slots > slotCapacity else { return }
    slotCapacity = max(slots, 2 * slotCapacity, 8)
    let stride = ConstraintSystem<L>.contactStride
    slotArena = Arena(byteCount: Arena.byteCount(L.self, slotCapacity * stride))
    solution.contactForce = slotArena.take(L.self, slotCapacity * stride)
  }
}
