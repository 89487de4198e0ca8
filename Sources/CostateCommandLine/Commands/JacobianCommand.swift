import ArgumentParser
import Costate
import TextFigures

struct JacobianCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jacobian", abstract: "Print the Jacobians of a frame in given configurations.",
    discussion:
      "Six rows, linear then angular, in world axes at the frame's origin; a column per degree of freedom.")

  @OptionGroup var modelArguments: ModelArguments
  @OptionGroup var common: CommonOptions
  @OptionGroup var arguments: ConfigurationArguments

  @Option(help: ArgumentHelp("Which frame: a body (URDF link) or a site.", valueName: "name"))
  var frame: String

  func run() throws {
    let (model, configurations) = try arguments.prepare(modelArguments, common)
    let frame = try FrameNames.find(self.frame, in: model, option: "--frame")
    let jacobians =
      switch common.precision {
      case .float64: try jacobians(Double.self, model, frame, configurations)
      case .float32: try jacobians(Float.self, model, frame, configurations)
      }
    let shape = [configurations.count, 6, model.velocityCount]
    try Report(
      json: ["jacobian": .tensor(jacobians, shape: shape)], text: text(jacobians, configurations, model)
    ).print(asJSON: common.json)
  }

  /// Row-major [n][6][nv].
  private func jacobians<Scalar: LaneScalar>(
    _ scalar: Scalar.Type, _ model: Model, _ frame: Frame, _ configurations: Configurations
  ) throws(CommandFailure) -> [Double] {
    guard configurations.count > 0 else { return [] }
    let kinematics = try reportingKinematics(arguments.configurations) { () throws(KinematicsError) in
      try ForwardKinematics<Scalar>(model, frames: [frame])
    }
    return try inPieces("jacobian", rows: configurations.count, unit: "configurations") {
      rows throws(CommandFailure) in
      try reportingKinematics(arguments.configurations) { () throws(KinematicsError) in
        try kinematics.jacobians(at: configurations.rows(rows, as: scalar), threads: common.threadCount)
      }.map { Double($0) }
    }
  }

  private func text(_ jacobians: [Double], _ configurations: Configurations, _ model: Model) -> String {
    let rows = ["linear x", "linear y", "linear z", "angular x", "angular y", "angular z"]
    let columns = min(model.velocityCount, 10)
    let shown = min(configurations.count, 5)
    var parts: [String] = []
    for n in 0..<shown {
      var table = TextTable([.init("configuration \(n)", .left)] + (0..<columns).map { .init("qvel[\($0)]") })
      for (r, row) in rows.enumerated() {
        let start = (6 * n + r) * model.velocityCount
        table.append([row] + jacobians[start..<start + columns].map { formatted($0, digits: 5) })
      }
      parts.append(table.text)
    }
    if configurations.count > shown || model.velocityCount > columns {
      parts.append("(\(configurations.count) x 6 x \(model.velocityCount); all of it with --json)")
    }
    return parts.joined(separator: "\n\n")
  }
}
