import ArgumentParser
import Costate
import TextFigures

struct InfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info", abstract: "Print what a model holds, and what of it is not simulated.")

  @OptionGroup var modelArguments: ModelArguments
  @OptionGroup var common: CommonOptions

  func run() throws {
    _ = try common.ignoreList()
    let model = try modelArguments.load()
    try Report(json: Self.json(model), text: Self.text(model)).print(asJSON: common.json)
  }
}

extension InfoCommand {
  static func json(_ model: Model) -> JSONValue {
    let options = model.options
    return [
      "name": .string(model.name),
      "nq": .integer(model.positionCount), "nv": .integer(model.velocityCount),
      "nu": .integer(model.controlCount), "na": .integer(model.activationCount),
      "nbody": .integer(model.bodies.count), "njnt": .integer(model.joints.count),
      "ngeom": .integer(model.geoms.count), "nsite": .integer(model.sites.count),
      "timestep": .number(options.timestep), "integrator": .string(options.integrator.rawValue),
      "cone": .string(options.cone.rawValue), "solver": .string(options.solver.rawValue),
      "solver_note": solverNote(options.solver).map { .string($0) } ?? .null,
      "gravity": vector(options.gravity), "meaninertia": .number(model.meanInertia),
      "qpos0": .numbers(model.defaultPosition), "qpos_spring": .numbers(model.springPosition),
      "bodies": .array(model.bodies.map(json)), "joints": .array(model.joints.map(json)),
      "dofs": .array(model.degreesOfFreedom.map(json)), "geoms": .array(model.geoms.map(json)),
      "sites": .array(model.sites.map(json)), "actuators": .array(model.actuators.map(json)),
      "keyframes": .strings(model.keyframes.map(\.name)),
      "unsupported": .array(
        model.unsupported.map {
          ["category": .string($0.category.rawValue), "description": .string($0.description)]
        }),
      "not_evaluated": .strings(model.notEvaluated), "warnings": .strings(model.warnings),
    ]
  }

  /// Where constraints are not solved by the method that the model names.
  private static func solverNote(_ solver: ConstraintSolver) -> String? {
    switch solver {
    case .newton: nil
    case .projectedGaussSeidel:
      "PGS asks for the same optimum as Newton's method, by which constraints are solved"
    case .conjugateGradient:
      "Newton's method goes on where conjugate gradients do not converge within their iterations"
    }
  }

  private static func json(_ body: Body) -> JSONValue {
    [
      "name": .string(body.name), "parent": .integer(body.parent), "pos": vector(body.position),
      "quat": .numbers(body.orientation.array), "ipos": vector(body.inertialPosition),
      "iquat": .numbers(body.inertialOrientation.array), "mass": .number(body.mass),
      "inertia": vector(body.inertia), "subtreemass": .number(body.subtreeMass),
      "invweight0": .numbers(body.inverseWeight0),
    ]
  }

  private static func json(_ joint: Joint) -> JSONValue {
    [
      "name": .string(joint.name), "type": .string(joint.type.rawValue), "body": .integer(joint.body),
      "qposadr": .integer(joint.positionAddress), "dofadr": .integer(joint.velocityAddress),
      "pos": vector(joint.position), "axis": vector(joint.axis), "limited": .bool(joint.limited),
      "range": .numbers(joint.range), "stiffness": .number(joint.stiffness),
      "mimic": joint.mimic.map {
        ["joint": .integer($0.source), "multiplier": .number($0.multiplier), "offset": .number($0.offset)]
      } ?? .null,
    ]
  }

  private static func json(_ freedom: DegreeOfFreedom) -> JSONValue {
    [
      "joint": .integer(freedom.joint), "armature": .number(freedom.armature),
      "damping": .number(freedom.damping), "frictionloss": .number(freedom.frictionLoss),
      "invweight0": .number(freedom.inverseWeight0), "M0": .number(freedom.inertia0),
    ]
  }

  private static func json(_ geom: Geom) -> JSONValue {
    [
      "name": .string(geom.name), "type": .string(geom.type.rawValue), "body": .integer(geom.body),
      "pos": vector(geom.position), "quat": .numbers(geom.orientation.array), "size": vector(geom.size),
      "contype": .integer(geom.contactType), "conaffinity": .integer(geom.contactAffinity),
      "condim": .integer(geom.contactDimension), "friction": vector(geom.friction),
    ]
  }

  private static func json(_ site: Site) -> JSONValue {
    [
      "name": .string(site.name), "body": .integer(site.body), "pos": vector(site.position),
      "quat": .numbers(site.orientation.array),
    ]
  }

  private static func json(_ actuator: Actuator) -> JSONValue {
    [
      "name": .string(actuator.name), "transmission": .string(actuator.transmission.rawValue),
      "target": .integer(actuator.target), "gear": .numbers(actuator.gear),
      "dynamics": .string(actuator.dynamics.rawValue), "gain": .string(actuator.gain.rawValue),
      "bias": .string(actuator.bias.rawValue), "gainprm": .numbers(actuator.gainParameters),
      "biasprm": .numbers(actuator.biasParameters), "ctrllimited": .bool(actuator.controlLimited),
      "ctrlrange": .numbers(actuator.controlRange),
    ]
  }

  private static func vector(_ vector: Vector3<Double>) -> JSONValue {
    .numbers([vector.x, vector.y, vector.z])
  }
}

extension InfoCommand {
  static func text(_ model: Model) -> String {
    let options = model.options
    var lines = [
      "model       \(model.name.isEmpty ? "(no name)" : model.name)",
      "sizes       nq \(model.positionCount), nv \(model.velocityCount), nu \(model.controlCount), "
        + "na \(model.activationCount); \(model.bodies.count) bodies, \(model.joints.count) joints, "
        + "\(model.geoms.count) geoms, \(model.sites.count) sites",
      "mass        \(formatted(model.bodies.reduce(0) { $0 + $1.mass })) kg",
      "timestep    \(formatted(options.timestep)) s, \(options.integrator.rawValue)",
      "constraints \(options.cone.rawValue) cone, \(options.solver.rawValue) solver",
    ]
    if let note = solverNote(options.solver) { lines.append("            \(note)") }
    if !model.keyframes.isEmpty {
      lines.append(
        "key frames  " + model.keyframes.enumerated().map { label($1.name, $0) }.joined(separator: ", "))
    }
    lines += ["", bodyTable(model).text]
    if !model.joints.isEmpty { lines += ["", jointTable(model).text] }
    if !model.actuators.isEmpty { lines += ["", actuatorTable(model).text] }
    lines.append("")
    if model.unsupported.isEmpty {
      lines.append("Everything in the model is simulated.")
    } else {
      lines.append("Not simulated (leave out with --ignore):")
      lines += model.unsupported.map { "  \($0.category.rawValue): \($0.description)" }
    }
    if !model.notEvaluated.isEmpty {
      lines.append("Without effect on the motion: " + model.notEvaluated.joined(separator: ", "))
    }
    return lines.joined(separator: "\n")
  }

  private static func label(_ name: String, _ index: Int) -> String { name.isEmpty ? "#\(index)" : name }

  private static func bodyTable(_ model: Model) -> TextTable {
    var table = TextTable([
      .init("body"), .init("name", .left), .init("parent", .left), .init("mass", unit: "kg"),
      .init("principal inertia", unit: "kg m²", .left),
    ])
    for (index, body) in model.bodies.enumerated() {
      table.append([
        "\(index)", body.name, index == 0 ? "" : label(model.bodies[body.parent].name, body.parent),
        formatted(body.mass, digits: 4),
        formatted([body.inertia.x, body.inertia.y, body.inertia.z], digits: 4),
      ])
    }
    return table
  }

  private static func jointTable(_ model: Model) -> TextTable {
    var table = TextTable([
      .init("joint"), .init("name", .left), .init("type", .left), .init("qpos"), .init("qvel"),
      .init("range", unit: "rad or m", .left), .init("damping"), .init("armature"),
    ])
    for (index, joint) in model.joints.enumerated() {
      let freedom =
        joint.mimic == nil ? model.degreesOfFreedom[joint.velocityAddress] : DegreeOfFreedom()
      table.append([
        "\(index)", joint.name, joint.type.rawValue + (joint.mimic == nil ? "" : " (mimic)"),
        "\(joint.positionAddress)", "\(joint.velocityAddress)",
        joint.limited ? formatted(joint.range, digits: 4) : "", formatted(freedom.damping, digits: 4),
        formatted(freedom.armature, digits: 4),
      ])
    }
    return table
  }

  private static func actuatorTable(_ model: Model) -> TextTable {
    var table = TextTable([
      .init("actuator"), .init("name", .left), .init("acts on", .left), .init("gear"),
      .init("control range", .left), .init("dynamics", .left), .init("bias", .left),
    ])
    for (index, actuator) in model.actuators.enumerated() {
      let isJoint = actuator.transmission == .joint || actuator.transmission == .jointInParent
      let target =
        isJoint && model.joints.indices.contains(actuator.target)
        ? label(model.joints[actuator.target].name, actuator.target) : "#\(actuator.target)"
      table.append([
        "\(index)", actuator.name, "\(actuator.transmission.rawValue) \(target)",
        formatted(actuator.gear[0], digits: 4),
        actuator.controlLimited ? formatted(actuator.controlRange, digits: 4) : "",
        actuator.dynamics.rawValue, actuator.bias.rawValue,
      ])
    }
    return table
  }
}
