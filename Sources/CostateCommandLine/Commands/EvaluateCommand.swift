import ArgumentParser
import Costate
import Foundation
import TextFigures

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Print what one forward pass computes.")

  @OptionGroup var arguments: SimulationArguments

  func run() throws {
    let setup = try arguments.prepare()
    if arguments.common.precision == .float32 {
      FileHandle.standardError.write(
        Data("costate: evaluate works in float64 only; its numbers are float64\n".utf8))
    }
    let evaluation = try reportingFailures {
      try setup.simulator(Double.self)
        .evaluate(setup.initialState(Double.self), inputs: setup.inputs(Double.self))
    }
    try Report(json: Self.json(evaluation, setup), text: Self.text(evaluation, setup))
      .print(asJSON: arguments.common.json)
  }
}

extension EvaluateCommand {
  static func json(_ e: Evaluation, _ setup: SimulationSetup) -> JSONValue {
    let nv = setup.model.velocityCount
    return [
      "xpos": vectors(e.bodyPositions),
      "xquat": .matrix(e.bodyOrientations.flatMap(\.array), rows: e.bodyOrientations.count, columns: 4),
      "xipos": vectors(e.centersOfMass), "geom_xpos": vectors(e.geomPositions),
      "M": .matrix(e.massMatrix, rows: nv, columns: nv),
      "qfrc_bias": .numbers(e.biasForce), "qfrc_passive": .numbers(e.passiveForce),
      "qfrc_actuator": .numbers(e.actuatorForce), "act_dot": .numbers(e.activationRates),
      "qfrc_smooth": .numbers(e.smoothForce), "qacc_smooth": .numbers(e.smoothAcceleration),
      "qacc": .numbers(e.acceleration), "qfrc_constraint": .numbers(e.constraintForce),
      "ncon": .integer(e.contacts.count), "contacts": .array(e.contacts.map(contact)),
      "nefc": .integer(e.constraintRows.count), "efc_pos": .numbers(e.constraintRows.map(\.position)),
      "efc_aref": .numbers(e.constraintRows.map(\.reference)),
      "efc_D": .numbers(e.constraintRows.map(\.weight)),
      "efc_force": .numbers(e.constraintRows.map(\.force)),
      "energy": ["potential": .number(e.potentialEnergy), "kinetic": .number(e.kineticEnergy)],
      "solver_iterations": .integer(e.solverIterations), "ignored": .strings(setup.ignored.names),
      "precision": .string("float64"),
    ]
  }

  /// The frame's rows are the normal and the tangents, as in MuJoCo.
  private static func contact(_ c: EvaluatedContact) -> JSONValue {
    let frame = [c.frame.column0, c.frame.column1, c.frame.column2].flatMap { [$0.x, $0.y, $0.z] }
    return [
      "geom1": .integer(c.geom1), "geom2": .integer(c.geom2), "dist": .number(c.distance),
      "pos": .numbers([c.position.x, c.position.y, c.position.z]), "frame": .numbers(frame),
      "dim": .integer(c.dimension), "force": .numbers(c.force),
    ]
  }

  private static func vectors(_ vectors: [Vector3<Double>]) -> JSONValue {
    .matrix(vectors.flatMap { [$0.x, $0.y, $0.z] }, rows: vectors.count, columns: 3)
  }

  static func text(_ e: Evaluation, _ setup: SimulationSetup) -> String {
    let model = setup.model
    var bodies = TextTable([
      .init("body"), .init("name", .left), .init("position", unit: "m", .left),
      .init("quaternion w x y z", .left),
    ])
    for (i, body) in model.bodies.enumerated() {
      let p = e.bodyPositions[i]
      bodies.append([
        "\(i)", body.name, formatted([p.x, p.y, p.z], digits: 5),
        formatted(e.bodyOrientations[i].array, digits: 5),
      ])
    }
    var freedoms = TextTable([
      .init("dof"), .init("joint", .left), .init("bias", unit: "N or N m"), .init("passive"),
      .init("actuator"),
      .init("smooth"), .init("constraints"), .init("acceleration", unit: "per s²"),
    ])
    for (i, freedom) in model.degreesOfFreedom.enumerated() {
      freedoms.append(
        ["\(i)", model.joints[freedom.joint].name]
          + [
            e.biasForce[i], e.passiveForce[i], e.actuatorForce[i], e.smoothForce[i], e.constraintForce[i],
            e.acceleration[i],
          ]
          .map { formatted($0, digits: 5) })
    }
    var lines = [
      bodies.text, "", freedoms.text, "",
      "energy: potential \(formatted(e.potentialEnergy)) J, kinetic \(formatted(e.kineticEnergy)) J",
    ]
    if !e.constraintRows.isEmpty {
      let state = e.solverConverged ? "converged" : "did not converge"
      lines.append(
        "constraints: \(e.constraintRows.count) rows, \(e.contacts.count) contacts; the solver \(state) in "
          + "\(e.solverIterations) iterations")
    }
    if !setup.ignored.items.isEmpty {
      lines.append("left out: " + setup.ignored.names.joined(separator: ", "))
    }
    return lines.joined(separator: "\n")
  }
}
