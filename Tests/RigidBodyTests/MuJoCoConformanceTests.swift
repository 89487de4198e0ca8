import Foundation
import Lanes
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Dynamics against MuJoCo 3.12.0 in float64, constraints disabled.
struct MuJoCoConformanceTests {
  static let files = ReferenceFile.all(in: Bundle.module, folder: "mujoco")

  /// The model of a file, simulated without constraints; nil where it needs what is not simulated.
  static func model(_ file: ReferenceFile) throws -> Model? {
    let model = try file.decode(ReferenceModel.self).load(fusesStaticBodies: true)
    let needed = model.unsupported.filter {
      ![.contact, .limit, .equality, .frictionLoss].contains($0.category)
    }
    guard needed.isEmpty else {
      #expect(throws: SimulationError.self) { try Simulator<Double>(model, ignoring: .constraints) }
      return nil
    }
    return model
  }

  @Test(arguments: files)
  func forwardPass(file: ReferenceFile) throws {
    guard let model = try Self.model(file) else { return }
    let simulator = try Simulator<Double>(model, ignoring: .constraints)
    for (index, reference) in try file.decode(DynamicsReference.self).states.enumerated() {
      let e = try simulator.evaluate(reference.state.batch, inputs: reference.state.inputs())
      let expected = reference.result
      func compare(_ name: String, _ actual: [Double], _ expected: [Double]?) {
        guard let expected else { return }
        let error = relativeError(actual, expected)
        #expect(error < 1e-10, "state \(index), \(name): relative error \(error)\n\(actual)\n\(expected)")
      }
      compare("xpos", numbers(e.bodyPositions), expected.xpos)
      compare("xquat", e.bodyOrientations.flatMap { [$0.w, $0.x, $0.y, $0.z] }, expected.xquat)
      compare("xipos", numbers(e.centersOfMass), expected.xipos)
      compare("geom_xpos", numbers(e.geomPositions), expected.geom_xpos)
      compare("M", e.massMatrix, expected.M)
      compare("qfrc_bias", e.biasForce, expected.qfrc_bias)
      compare("qfrc_passive", e.passiveForce, expected.qfrc_passive)
      compare("qfrc_actuator", e.actuatorForce, expected.qfrc_actuator)
      compare("act_dot", e.activationRates, expected.act_dot)
      compare("qfrc_smooth", e.smoothForce, expected.qfrc_smooth)
      compare("qacc_smooth", e.smoothAcceleration, expected.qacc_smooth)
      compare("energy", [e.potentialEnergy, e.kineticEnergy], expected.energy)
    }
  }

  /// The batched algorithms, all states at once: `M` (armature included) and the bias.
  @Test(arguments: files)
  func algorithms(file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load(fusesStaticBodies: true)
    let states = try file.decode(DynamicsReference.self).states
    guard model.tendons.allSatisfy({ $0.armature == 0 }) else {
      #expect(throws: RigidBodyError.self) { try RigidBodyAlgorithms<Double>(model) }
      return
    }
    let algorithms = try RigidBodyAlgorithms<Double>(model)
    let positions = states.flatMap(\.state.qpos)
    let velocities = states.flatMap(\.state.qvel)
    let bias = try algorithms.biasForce(at: positions, velocities: velocities)
    let error = relativeError(bias, states.flatMap(\.result.qfrc_bias))
    #expect(error < 1e-10, "bias: relative error \(error)")
    if let expected = states.first?.result.M, !expected.isEmpty {
      let error = relativeError(
        try algorithms.massMatrix(at: positions), states.flatMap { $0.result.M ?? [] })
      #expect(error < 1e-10, "M: relative error \(error)")
    }
  }

  @Test(arguments: files, [Integrator.euler, .implicitFast, .rungeKutta4])
  func trajectory(file: ReferenceFile, integrator: Integrator) throws {
    guard var model = try Self.model(file) else { return }
    model.options.integrator = integrator
    let simulator = try Simulator<Double>(model, ignoring: .constraints)
    guard let reference = try file.decode(DynamicsReference.self).trajectory,
      let run = reference.runs.first(where: { $0.integrator == integrator.rawValue })
    else { return }
    let rows = model.controlCount == 0 ? 1 : reference.controls.count / model.controlCount
    let controls = (0..<reference.steps).flatMap { step in
      let row = step * rows / reference.steps * model.controlCount
      return reference.controls[row..<row + model.controlCount]
    }
    let result = try simulator.rollout(
      from: reference.state.batch,
      inputs: reference.state.inputs(controls: controls, steps: reference.steps),
      steps: reference.steps, recordsTrajectory: true)
    #expect(result.divergedWorlds.isEmpty)
    let trajectory = try #require(result.trajectory)
    // Rounding grows with the motion's own sensitivity, which the reference measured.
    let tolerance = 1e-8 * max(1, run.amplification / 1000)
    for point in run.points {
      func row(_ values: [Double], _ width: Int) -> [Double] {
        Array(values[point.step * width..<(point.step + 1) * width])
      }
      for (name, actual, expected) in [
        ("qpos", row(trajectory.positions, model.positionCount), point.qpos),
        ("qvel", row(trajectory.velocities, model.velocityCount), point.qvel),
        ("act", row(trajectory.activations, model.activationCount), point.act),
      ] {
        let error = relativeError(actual, expected)
        #expect(error < tolerance, "step \(point.step), \(name): \(error)\n\(actual)\n\(expected)")
      }
    }
  }

  @Test(arguments: files, [Integrator.euler, .implicitFast, .rungeKutta4])
  func stepJacobians(file: ReferenceFile, integrator: Integrator) throws {
    guard var model = try Self.model(file) else { return }
    model.options.integrator = integrator
    let simulator = try Simulator<Double>(model, ignoring: .constraints)
    for (index, reference) in try file.decode(DynamicsReference.self).transitions.enumerated() {
      let expected = try #require(reference.matrices[integrator.rawValue])
      let actual = try simulator.stepJacobians(
        at: reference.state.batch, inputs: reference.state.inputs())[0]
      for (name, actual, expected, uncertainty) in [
        ("A", actual.A, expected.A, expected.A_error), ("B", actual.B, expected.B, expected.B_error),
      ] {
        let error = relativeError(actual, expected)
        #expect(error < 1e-9 + 10 * uncertainty, "state \(index), \(name): relative error \(error)")
      }
    }
  }

  /// Reverse mode of one step: forces and parameters, derived constants frozen.
  @Test(arguments: files, [Integrator.euler, .implicitFast, .rungeKutta4])
  func gradient(file: ReferenceFile, integrator: Integrator) throws {
    guard var model = try Self.model(file) else { return }
    model.options.integrator = integrator
    let simulator = try Simulator<Double>(model, ignoring: .constraints)
    let (nv, na) = (model.velocityCount, model.activationCount)
    for reference in try file.decode(DynamicsReference.self).transitions {
      guard let expected = reference.matrices[integrator.rawValue]?.gradient else { continue }
      let tape = try simulator.differentiableStep(
        from: reference.state.batch, inputs: reference.state.inputs())
      let cotangents = StateCotangents(
        positions: Array(reference.cotangent[..<nv]), velocities: Array(reference.cotangent[nv..<2 * nv]),
        activations: Array(reference.cotangent[(2 * nv)..<(2 * nv + na)]))
      let gradient = try tape.gradient(final: cotangents, targets: .all)
      let parameters = try #require(gradient.parameters)
      let errors = expected.errors
      func compare(_ name: String, _ actual: [Double], _ expected: [Double]?) {
        guard let expected else { return }
        // Differences cannot tell values of rounding's size from zero.
        let size = expected.reduce(0) { max($0, abs($1)) }
        guard size > 1e-11 else {
          #expect(actual.allSatisfy { abs($0) < 1e-10 }, "\(name): \(actual)")
          return
        }
        let difference = relativeError(actual, expected)
        #expect(
          difference < 1e-8 + 10 * (errors[name] ?? 0),
          "\(name): relative error \(difference)\n\(actual)\n\(expected)")
      }
      let moved = expected.moved_bodies.map { parameters.inertialPosition[$0] }
      compare("qfrc_applied", gradient.appliedForces?.values ?? [], expected.qfrc_applied)
      compare("xfrc_applied", gradient.cartesianForces?.values ?? [], expected.xfrc_applied)
      compare("body_mass", parameters.mass, expected.body_mass)
      compare("body_ipos", numbers(moved), expected.body_ipos)
      compare("body_inertia", numbers(parameters.inertia), expected.body_inertia)
      compare("dof_armature", parameters.armature, expected.dof_armature)
      compare("dof_damping", parameters.damping, expected.dof_damping)
      compare("jnt_stiffness", parameters.stiffness, expected.jnt_stiffness)
      let rests = expected.scalar_joints.map { parameters.springReference[$0] }
      compare("qpos_spring", rests, expected.qpos_spring)
      compare("tendon_stiffness", parameters.tendonStiffness, expected.tendon_stiffness)
      compare("tendon_damping", parameters.tendonDamping, expected.tendon_damping)
      let armatures = (expected.heavy_tendons ?? []).map { parameters.tendonArmature[$0] }
      compare("tendon_armature", armatures, expected.tendon_armature)
      let ranges = model.tendons.indices.filter {
        model.tendons[$0].springLength[0] != model.tendons[$0].springLength[1]
      }
      compare(
        "tendon_lengthspring", ranges.flatMap { parameters.tendonSpringLength[$0] },
        expected.tendon_lengthspring)
      compare("actuator_gear", Array(parameters.gear.joined()), expected.actuator_gear)
      compare("actuator_gainprm", Array(parameters.gainParameters.joined()), expected.actuator_gainprm)
      compare("actuator_biasprm", Array(parameters.biasParameters.joined()), expected.actuator_biasprm)
      compare("gravity", numbers([parameters.gravity]), expected.gravity)
      compare("timestep", [parameters.timestep], [expected.timestep])
    }
  }
}

private func numbers(_ vectors: [Vector3<Double>]) -> [Double] {
  var result: [Double] = []
  for v in vectors { result += [v.x, v.y, v.z] }
  return result
}
