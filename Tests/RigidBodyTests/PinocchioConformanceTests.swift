import Foundation
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Dynamics of URDF files against Pinocchio 4.1 in float64.
struct PinocchioConformanceTests {
  struct Reference: Decodable {
    var joints: [String]
    var states: [State]

    struct State: Decodable {
      var position: [Double]
      var velocity: [Double]
      var acceleration: [Double]
      var torque: [Double]
      var rnea: [Double]
      var bias: [Double]
      var crba: [Double]
      var aba: [Double]
      var rnea_dq: [Double]
      var rnea_dv: [Double]
      var kinetic_energy: Double
      var potential_energy: Double
    }
  }

  @Test(arguments: ReferenceFile.all(in: Bundle.module, folder: "pinocchio"))
  func dynamics(file: ReferenceFile) throws {
    var model = try file.decode(ReferenceModel.self).load()
    let reference = try file.decode(Reference.self)
    let n = reference.joints.count
    try #require(model.velocityCount == n && model.positionCount == n)
    // Pinocchio's algorithms know no joint damping.
    for i in 0..<n { model.degreesOfFreedom[i].damping = 0 }
    let simulator = try Simulator<Double>(model, ignoring: [.constraints, .unsupported])
    let order = try reference.joints.map { name in
      model.joints[try #require(model.jointIndex(named: name))].velocityAddress
    }
    try #require(Set(order).count == n)
    /// From the file's order of joints to the model's and back.
    func toModel(_ values: [Double]) -> [Double] {
      var result = values
      for (i, k) in order.enumerated() { result[k] = values[i] }
      return result
    }
    func toFile(_ values: [Double]) -> [Double] { order.map { values[$0] } }

    var energies: [(actual: Double, expected: Double)] = []
    for (index, state) in reference.states.enumerated() {
      let e = try simulator.evaluate(
        BatchState(worldCount: 1, positions: toModel(state.position), velocities: toModel(state.velocity)),
        inputs: SimulationInputs(appliedForces: InputSequence(values: toModel(state.torque))))
      let mass = order.flatMap { row in order.map { column in e.massMatrix[row * n + column] } }
      let bias = toFile(e.biasForce)
      let inverse = (0..<n).map { i in
        (0..<n).reduce(bias[i]) { $0 + mass[i * n + $1] * state.acceleration[$1] }
      }
      for (name, actual, expected) in [
        ("bias", bias, state.bias), ("CRBA", mass, state.crba), ("RNEA", inverse, state.rnea),
        ("ABA", toFile(e.smoothAcceleration), state.aba),
        ("kinetic energy", [e.kineticEnergy], [state.kinetic_energy]),
      ] {
        let error = relativeError(actual, expected)
        #expect(error < 1e-10, "state \(index), \(name): relative error \(error)\n\(actual)\n\(expected)")
      }
      energies.append((e.potentialEnergy, state.potential_energy))
    }
    // Links that are fixed to the root add a constant here and nothing there.
    let differences = energies.dropFirst().map {
      (actual: $0.actual - energies[0].actual, expected: $0.expected - energies[0].expected)
    }
    let error = relativeError(differences.map(\.actual), differences.map(\.expected))
    #expect(error < 1e-10, "potential energy: relative error \(error)")
  }

  /// The batched algorithms, all states at once. Files have no armature, nor have Pinocchio's algorithms.
  @Test(arguments: ReferenceFile.all(in: Bundle.module, folder: "pinocchio"))
  func algorithms(file: ReferenceFile) throws {
    let model = try file.decode(ReferenceModel.self).load()
    let reference = try file.decode(Reference.self)
    let n = reference.joints.count
    #expect(model.degreesOfFreedom.allSatisfy { $0.armature == 0 })
    let order = try reference.joints.map { name in
      model.joints[try #require(model.jointIndex(named: name))].velocityAddress
    }
    func rows(_ field: (Reference.State) -> [Double]) -> [Double] {
      reference.states.flatMap { state in
        var row = field(state)
        for (i, k) in order.enumerated() { row[k] = field(state)[i] }
        return row
      }
    }
    let states = reference.states.indices
    func vector(_ values: [Double], _ state: Int) -> [Double] { order.map { values[state * n + $0] } }
    func matrix(_ values: [Double], _ state: Int) -> [Double] {
      order.flatMap { row in order.map { values[(state * n + row) * n + $0] } }
    }
    let algorithms = try RigidBodyAlgorithms<Double>(model)
    let (q, v, a) = (rows(\.position), rows(\.velocity), rows(\.acceleration))
    let mass = try algorithms.massMatrix(at: q)
    let bias = try algorithms.biasForce(at: q, velocities: v)
    let inverse = try algorithms.inverseDynamics(at: q, velocities: v, accelerations: a)
    let forward = try algorithms.forwardDynamics(at: q, velocities: v, forces: rows(\.torque))
    let derivatives = try algorithms.inverseDynamicsDerivatives(at: q, velocities: v, accelerations: a)
    for index in states {
      let state = reference.states[index]
      for (name, actual, expected) in [
        ("bias", vector(bias, index), state.bias), ("RNEA", vector(inverse, index), state.rnea),
        ("CRBA", matrix(mass, index), state.crba), ("ABA", vector(forward, index), state.aba),
        ("RNEA by q", matrix(derivatives.byPosition, index), state.rnea_dq),
        ("RNEA by v", matrix(derivatives.byVelocity, index), state.rnea_dv),
        ("RNEA by a", matrix(derivatives.byAcceleration, index), state.crba),
      ] {
        let error = relativeError(actual, expected)
        #expect(error < 1e-10, "state \(index), \(name): relative error \(error)")
      }
    }
  }
}
