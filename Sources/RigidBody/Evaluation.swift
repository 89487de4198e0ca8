import Kinematics
public import Lanes
import RobotModels

/// Everything that one forward pass computes for one world, in MuJoCo's conventions.
public struct Evaluation: Sendable {
  /// By body: origin and orientation of the body frame, and centre of mass, in world axes (`xpos xquat xipos`).
  public var bodyPositions: [Vector3<Double>]
  public var bodyOrientations: [Quaternion<Double>]
  public var centersOfMass: [Vector3<Double>]
  /// By geom (`geom_xpos`).
  public var geomPositions: [Vector3<Double>]
  /// Mass matrix with armature, dense, row-major `nv x nv`.
  public var massMatrix: [Double]
  /// Coriolis, centrifugal and gravity forces (`qfrc_bias`).
  public var biasForce: [Double]
  /// Springs, dampers, gravity compensation, fluid (`qfrc_passive`).
  public var passiveForce: [Double]
  /// Actuator forces on the degrees of freedom (`qfrc_actuator`), and activation rates (`act_dot`).
  public var actuatorForce: [Double]
  public var activationRates: [Double]
  /// Passive, actuator and applied forces less the bias (`qfrc_smooth`), and the acceleration they cause
  /// (`qacc_smooth`).
  public var smoothForce: [Double]
  public var smoothAcceleration: [Double]
  /// Accelerations and forces under constraints (`qacc`, `qfrc_constraint`).
  public var acceleration: [Double]
  public var constraintForce: [Double]
  /// Contacts that exert force, and the constraint rows in MuJoCo's order.
  public var contacts: [EvaluatedContact]
  public var constraintRows: [EvaluatedConstraintRow]
  /// Iterations of the constraint solver, and whether it converged.
  public var solverIterations: Int
  public var solverConverged: Bool
  /// Gravity and springs; `½ vᵀ M v`.
  public var potentialEnergy: Double
  public var kineticEnergy: Double
}

/// A contact of one world.
public struct EvaluatedContact: Sendable {
  /// Geoms of the model; the normal points from the first to the second.
  public var geom1: Int
  public var geom2: Int
  /// Distance of the surfaces (m), negative where they penetrate.
  public var distance: Double
  /// Halfway between the surfaces, in world axes.
  public var position: Vector3<Double>
  /// Columns: the normal and two tangents, in world axes.
  public var frame: Matrix3<Double>
  /// Constrained directions: 1, 3, 4 or 6.
  public var dimension: Int
  /// Along normal, tangents, torsion, rolling, whatever the cone.
  public var force: [Double]
}

/// A row of the constraints of one world.
public struct EvaluatedConstraintRow: Sendable {
  /// Violation (`efc_pos`), reference acceleration (`efc_aref`), weight (`efc_D`) and force (`efc_force`).
  public var position: Double
  public var reference: Double
  public var weight: Double
  public var force: Double
}

extension Simulator where Scalar == Double {
  /// One forward pass of one world.
  ///
  /// - Parameters:
  ///   - state: a batch of one world.
  ///   - inputs: those of one step; a sequence is taken at its first step.
  /// - Throws: ``SimulationError`` for arrays of the wrong length, inputs that are not finite, and a result that is not
  ///   finite (a mass matrix that is not positive definite).
  public func evaluate(
    _ state: BatchState<Double>, inputs: SimulationInputs<Double> = SimulationInputs()
  ) throws(SimulationError) -> Evaluation {
    guard state.worldCount == 1 else {
      throw .invalidRequest("\(state.worldCount) worlds were given; a forward pass evaluates one")
    }
    let stepCounts = [inputs.controls, inputs.appliedForces, inputs.cartesianForces, inputs.mocapPoses]
      .compactMap { $0?.stepCount }
    try validate(state, inputs, steps: max(1, stepCounts.max() ?? 1))
    let evaluator = Evaluator(plan, model)
    let evaluation = evaluator.evaluate(state, inputs)
    for (name, values) in [
      ("qacc_smooth", evaluation.smoothAcceleration), ("qacc", evaluation.acceleration),
    ] {
      if let index = values.firstIndex(where: { !$0.isFinite }) {
        throw .overflow(result: name, index: index)
      }
    }
    return evaluation
  }
}

/// Runs the kernels of the forward pass one by one, keeping apart what a step adds up.
private final class Evaluator {
  let plan: DynamicsPlan<Double>
  let model: Model
  let runner: GroupRunner<Double>
  private var arena: Arena
  let record: StepRecord<Double>

  init(_ plan: DynamicsPlan<Double>, _ model: Model) {
    self.plan = plan
    self.model = model
    runner = GroupRunner(plan)
    arena = Arena(byteCount: StepRecord<Double>.byteCount(plan))
    record = StepRecord(plan, &arena)
  }

  func evaluate(_ state: BatchState<Double>, _ inputs: SimulationInputs<Double>) -> Evaluation {
    let n = plan.velocityCount
    let scratch = runner.scratch
    for (i, x) in state.positions.enumerated() { record.positions[i] = x }
    for (i, x) in state.velocities.enumerated() { record.velocities[i] = x }
    for (i, x) in state.activations.enumerated() { record.activations[i] = x }
    let stepInputs = inputs.withPointers(
      controlCount: plan.actuators.count, velocityCount: n, bodyCount: plan.bodyCount,
      mocapWidth: plan.mocapWidth
    ) { runner.loadInputs($0, step: 0, group: 0, worldCount: 1) }
    let h = plan.timestep

    positionPass(
      plan.tree, positions: record.positions, mocapPoses: stepInputs.mocapPoses, poses: record.poses,
      directions: record.directions)
    inertiaPass(plan.tree, record)
    transmissionPass(plan, record)
    velocityPass(plan, record, scratch)
    inertialForcePass(plan, record, scratch)
    let bias = projected(scratch.forces)

    // Passive forces; what the kernels subtract from the links' forces changes sign here.
    func onLinks(_ subtract: (UnsafeMutablePointer<Force<Double>>) -> Void) -> [Double] {
      for l in 0..<plan.tree.linkCount { scratch.forces[l] = .zero }
      subtract(scratch.forces)
      return projected(scratch.forces).map { -$0 }
    }
    let compensation = onLinks { subtractGravityCompensation(plan, record, $0) }
    let fluid = onLinks { subtractFluidForces(plan, record, velocities: scratch.velocities, $0) }
    let cartesian = onLinks { forces in
      if let applied = stepInputs.cartesianForces { subtractCartesianForces(plan, record, applied, forces) }
    }
    let springs = UnsafeMutablePointer<Double>.allocate(capacity: max(n, 1))
    defer { springs.deallocate() }
    springs.initialize(repeating: 0, count: max(n, 1))
    addSpringForces(plan, positions: record.positions, to: springs)
    addTendonForces(plan, record, to: springs)
    let passive = (0..<n).map { i in
      springs[i] - plan.damping[i] * record.velocities[i] + fluid[i]
        + (plan.actuatorCompensated[i] ? 0 : compensation[i])
    }

    actuationPass(plan, record, controls: stepInputs.controls, timestep: h, forces: record.accelerations)
    for i in 0..<n where plan.actuatorCompensated[i] && !plan.actuationDisabled {
      record.accelerations[i] += compensation[i]
    }
    limitActuatorForces(plan, record.accelerations)
    if let constraints = scratch.constraints, constraints.hasBodyTransmissions {
      constraints.addBodyTransmissions(
        record, controls: stepInputs.controls, timestep: h, to: record.accelerations)
    }
    let actuator = (0..<n).map { record.accelerations[$0] }
    let smooth = (0..<n).map { i in
      passive[i] + actuator[i] + (stepInputs.appliedForces?[i] ?? 0) + cartesian[i] - bias[i]
    }

    massMatrixPass(plan, record, scratch, addsFluid: false, fluidScale: 0)
    for i in 0..<n { record.factor[Int(plan.pattern.rowAddress[i])] += plan.armature[i] }
    addTendonArmature(plan, record, to: record.factor)
    let mass = denseMassMatrix()
    for i in 0..<n { record.accelerations[i] = smooth[i] }
    if let constraints = scratch.constraints {
      copyValues(constraints.massMatrix, record.factor, plan.pattern.entryCount)
    }
    factorMassMatrix(plan.pattern, record.factor)
    solveMassMatrix(
      plan.pattern, factor: record.factor, record.accelerations)

    let smoothAcceleration = (0..<n).map { record.accelerations[$0] }
    let constrained = constrain(smooth, smoothAcceleration)
    let mocapPoses = stepInputs.mocapPoses.map {
      Array(UnsafeBufferPointer(start: $0, count: plan.mocapWidth))
    }
    let frames = BodyFrames(model, state.positions, mocapPoses: mocapPoses ?? model.defaultMocapPoses)
    let v = state.velocities
    var kinetic = 0.0
    for i in 0..<n {
      for j in 0..<n { kinetic += 0.5 * v[i] * mass[i * n + j] * v[j] }
    }
    return Evaluation(
      bodyPositions: frames.positions, bodyOrientations: frames.orientations,
      centersOfMass: frames.centersOfMass, geomPositions: frames.geomPositions, massMatrix: mass,
      biasForce: bias, passiveForce: passive, actuatorForce: actuator,
      activationRates: (0..<plan.activationCount).map {
        plan.actuationDisabled ? 0 : record.activationRates[$0]
      }, smoothForce: smooth,
      smoothAcceleration: smoothAcceleration, acceleration: constrained.acceleration,
      constraintForce: constrained.force, contacts: constrained.contacts, constraintRows: constrained.rows,
      solverIterations: constrained.iterations, solverConverged: constrained.converged,
      potentialEnergy: potentialEnergy(frames, state.positions), kineticEnergy: kinetic)
  }

  private struct Constrained {
    var acceleration: [Double]
    var force: [Double]
    var contacts: [EvaluatedContact] = []
    var rows: [EvaluatedConstraintRow] = []
    var iterations = 0
    var converged = true
  }

  /// Solves the constraints of the record's state.
  private func constrain(_ smoothForce: [Double], _ smoothAcceleration: [Double]) -> Constrained {
    let n = plan.velocityCount
    guard let engine = runner.scratch.constraints as? ConstraintEngine<Double> else {
      return Constrained(acceleration: smoothAcceleration, force: [Double](repeating: 0, count: n))
    }
    for i in 0..<n {
      engine.smoothAccelerations[i] = smoothAcceleration[i]
      engine.accelerations[i] = smoothAcceleration[i]
    }
    smoothForce.withUnsafeBufferPointer { force in
      engine.solve(record, smoothForce: force.baseAddress ?? UnsafePointer(dangling()))
    }
    let report = ConstraintReport(engine.assembler, lane: 0, solution: engine.solution)
    let candidates = engine.constraints.plan.collision.candidates
    return Constrained(
      acceleration: (0..<n).map { engine.accelerations[$0] },
      force: (0..<n).map { engine.constraintForce[$0] },
      contacts: report.contacts.map { contact in
        EvaluatedContact(
          geom1: Int(candidates[contact.candidate].geom1), geom2: Int(candidates[contact.candidate].geom2),
          distance: contact.distance, position: contact.position, frame: contact.frame,
          dimension: contact.dimension, force: contact.force)
      },
      rows: report.rows.map {
        EvaluatedConstraintRow(
          position: $0.position, reference: $0.reference, weight: $0.weight, force: $0.force)
      }, iterations: Int(engine.workspace.iterations[0]),
      converged: engine.workspace.status[0] == .converged)
  }

  private func projected(_ forces: UnsafeMutablePointer<Force<Double>>) -> [Double] {
    projectForces(
      plan.tree, directions: record.directions, forces: forces, output: runner.scratch.bias)
    return (0..<plan.velocityCount).map { runner.scratch.bias[$0] }
  }

  private func denseMassMatrix() -> [Double] {
    let n = plan.velocityCount
    var mass = [Double](repeating: 0, count: n * n)
    for row in 0..<n {
      var column = row
      var entry = Int(plan.pattern.rowAddress[row])
      while column >= 0 {
        mass[row * n + column] = record.factor[entry]
        mass[column * n + row] = record.factor[entry]
        column = Int(plan.pattern.parent[column])
        entry += 1
      }
    }
    return mass
  }

  /// MuJoCo's: gravity on all bodies, and the springs that act.
  private func potentialEnergy(_ frames: BodyFrames, _ q: [Double]) -> Double {
    var energy = 0.0
    if !model.options.disabled.contains(.gravity) {
      for (index, body) in model.bodies.enumerated() where index > 0 {
        energy -= body.mass * model.options.gravity.dot(frames.centersOfMass[index])
      }
    }
    for i in 0..<plan.transmissions.activeCount {
      let tendon = plan.transmissions.transmissions.pointer(i)
      let x = springExtension(tendon, length: record.lengths[i])
      energy += 0.5 * tendon.pointee.stiffness * x * x
    }
    q.withUnsafeBufferPointer { q in
      for i in 0..<plan.activeSpringCount {
        let spring = plan.springs.pointer(i)
        let at = Int(spring.pointee.positionAddress)
        let half = 0.5 * spring.pointee.stiffness
        switch spring.pointee.kind {
        case .scalar:
          let x = q[at] * spring.pointee.multiplier - spring.pointee.rest
          energy += half * x * x
        case .ball:
          energy += half * springRotation(spring, q.baseAddress! + at).normSquared
        case .free:
          let x = Vector3(q[at], q[at + 1], q[at + 2]) - Vector3(broadcasting: spring.pointee.restPosition)
          energy += half * (x.normSquared + springRotation(spring, q.baseAddress! + (at + 3)).normSquared)
        }
      }
    }
    return energy
  }
}

/// Frames of all bodies by composing quaternions in MuJoCo's order, which settles their signs.
private struct BodyFrames {
  var positions: [Vector3<Double>]
  var orientations: [Quaternion<Double>]
  var centersOfMass: [Vector3<Double>]
  var geomPositions: [Vector3<Double>]

  init(_ model: Model, _ q: [Double], mocapPoses m: [Double]) {
    positions = [.zero]
    orientations = [.identity]
    for body in model.bodies.dropFirst() {
      var p = positions[body.parent] + orientations[body.parent].rotate(body.position)
      var r = orientations[body.parent] * body.orientation
      if let at = body.mocapIndex.map({ 7 * $0 }) {
        p = Vector3(m[at], m[at + 1], m[at + 2])
        r = Quaternion(m[at + 3], m[at + 4], m[at + 5], m[at + 6]).normalized
      }
      for index in body.joints {
        let joint = model.joints[index]
        let at = joint.positionAddress
        let displacement =
          joint.type.positionCount > 1
          ? 0
          : joint.mimic.map { $0.multiplier * q[at] + $0.offset } ?? q[at] - model.defaultPosition[at]
        switch joint.type {
        case .free:
          p = Vector3(q[at], q[at + 1], q[at + 2])
          r = Quaternion(q[at + 3], q[at + 4], q[at + 5], q[at + 6]).normalized
        case .slide:
          p += r.rotate(joint.axis) * displacement
        case .ball, .hinge:
          let anchor = p + r.rotate(joint.position)
          let local =
            joint.type == .ball
            ? Quaternion(q[at], q[at + 1], q[at + 2], q[at + 3]).normalized
            : Quaternion((displacement / 2).cosine, joint.axis * (displacement / 2).sine)
          r = r * local
          p = anchor - r.rotate(joint.position)
        }
      }
      positions.append(p)
      orientations.append(r.normalized)
    }
    centersOfMass = model.bodies.indices.map { [positions, orientations] i in
      positions[i] + orientations[i].rotate(model.bodies[i].inertialPosition)
    }
    geomPositions = model.geoms.map { [positions, orientations] geom in
      positions[geom.body] + orientations[geom.body].rotate(geom.position)
    }
  }
}
