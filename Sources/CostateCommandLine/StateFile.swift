import Costate

/// What a state file says, with the model's defaults for the rest. All arrays have the model's lengths.
struct StateInput: Equatable, Sendable {
  var time = 0.0
  var position: [Double]
  var velocity: [Double]
  var activation: [Double]
  var control: [Double]
  var appliedForce: [Double]
  /// Force then torque per body, in world axes at the body's centre of mass: `nbody` rows of six.
  var appliedBodyForce: [Double]
  /// Positions and quaternions of mocap bodies, `nmocap` rows of three and of four.
  var mocapPosition: [Double]
  var mocapOrientation: [Double]

  /// The model's own state: its initial configuration, at rest.
  init(defaultOf model: Model) {
    position = model.defaultPosition
    velocity = [Double](repeating: 0, count: model.velocityCount)
    activation = [Double](repeating: 0, count: model.activationCount)
    control = [Double](repeating: 0, count: model.controlCount)
    appliedForce = [Double](repeating: 0, count: model.velocityCount)
    appliedBodyForce = [Double](repeating: 0, count: 6 * model.bodies.count)
    let mocap = model.mocapBodies.map { model.bodies[$0] }
    mocapPosition = mocap.flatMap(\.position.array)
    mocapOrientation = mocap.flatMap(\.orientation.array)
  }

  /// Reads a state file.
  ///
  /// - Throws: `CommandFailure`: unreadable, or invalid with the expected lengths or the known keys.
  init(_ file: InputFile, for model: Model) throws(CommandFailure) {
    self.init(defaultOf: model)
    guard case .object(let members) = try JSONReader.read(file) else {
      throw file.failure("a state must be an object with any of the keys \(Self.knownKeys)")
    }
    for member in members {
      func vector(_ count: Int, _ symbol: String) throws(CommandFailure) -> [Double] {
        try Self.array(member, shape: [count], symbol: symbol, of: file)
      }
      switch member.name {
      case "time":
        guard case .number(let number) = member.value else {
          throw file.failure("time must be a number (seconds)")
        }
        time = number
      case "qpos": position = try vector(model.positionCount, "nq")
      case "qvel": velocity = try vector(model.velocityCount, "nv")
      case "act": activation = try vector(model.activationCount, "na")
      case "ctrl": control = try vector(model.controlCount, "nu")
      case "qfrc_applied": appliedForce = try vector(model.velocityCount, "nv")
      case "xfrc_applied":
        appliedBodyForce = try Self.array(
          member, shape: [model.bodies.count, 6], symbol: "nbody x 6", of: file)
      case "mocap_pos":
        mocapPosition = try Self.array(
          member, shape: [model.mocapBodies.count, 3], symbol: "nmocap x 3", of: file)
      case "mocap_quat":
        mocapOrientation = try Self.array(
          member, shape: [model.mocapBodies.count, 4], symbol: "nmocap x 4", of: file)
      default: throw file.failure("'\(member.name)' is not known; a state has the keys \(Self.knownKeys)")
      }
    }
  }

  private static let knownKeys =
    "time, qpos, qvel, act, ctrl, qfrc_applied, xfrc_applied, mocap_pos, mocap_quat"

  private static func array(
    _ member: JSONValue.Member, shape: [Int], symbol: String, of file: InputFile
  ) throws(CommandFailure) -> [Double] {
    let array = try NumericArray(member.value, what: member.name, of: file)
    guard array.shape == shape else {
      throw file.failure(
        "\(member.name) has shape \(NumericArray.describe(array.shape)); "
          + "the model needs \(NumericArray.describe(shape)) (\(symbol))")
    }
    return array.elements
  }
}
