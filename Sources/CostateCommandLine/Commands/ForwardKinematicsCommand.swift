import ArgumentParser
import Costate
import Foundation
import TextFigures

struct ForwardKinematicsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fk", abstract: "Print poses of frames in given configurations.",
    discussion: "A pose is x y z, then the quaternion w x y z. Frames are bodies (URDF links) and sites.")

  @OptionGroup var modelArguments: ModelArguments
  @OptionGroup var common: CommonOptions
  @OptionGroup var arguments: ConfigurationArguments

  @Option(
    help: ArgumentHelp(
      "Which frames, separated by commas (default: all that have a name).", valueName: "names"))
  var frames: String?

  func run() throws {
    let (model, configurations) = try arguments.prepare(modelArguments, common)
    let frames: [Frame]
    if let names = self.frames {
      frames = try names.split(separator: ",").map { name throws(CommandFailure) in
        try FrameNames.find(String(name), in: model, option: "--frames")
      }
      guard !frames.isEmpty else { throw CommandFailure(.wrongUsage, "--frames: name at least one frame") }
    } else {
      frames = FrameNames.all(in: model)
    }
    let poses =
      switch common.precision {
      case .float64: try poses(Double.self, model, frames, configurations)
      case .float32: try poses(Float.self, model, frames, configurations)
      }
    try Report(json: json(frames, configurations, poses), text: text(frames, configurations, poses))
      .print(asJSON: common.json)
  }

  /// Row-major [n][frames][7].
  private func poses<Scalar: LaneScalar>(
    _ scalar: Scalar.Type, _ model: Model, _ frames: [Frame], _ configurations: Configurations
  ) throws(CommandFailure) -> [Double] {
    guard configurations.count > 0 else { return [] }
    let kinematics = try reportingKinematics(arguments.configurations) { () throws(KinematicsError) in
      try ForwardKinematics<Scalar>(model, frames: frames)
    }
    return try inPieces("fk", rows: configurations.count, unit: "configurations") {
      rows throws(CommandFailure) in
      try reportingKinematics(arguments.configurations) { () throws(KinematicsError) in
        try kinematics.poses(at: configurations.rows(rows, as: scalar), threads: common.threadCount)
      }.map { Double($0) }
    }
  }

  private func json(_ frames: [Frame], _ configurations: Configurations, _ poses: [Double]) -> JSONValue {
    let members = frames.enumerated().map { index, frame in
      let rows = (0..<configurations.count).flatMap { n in
        let start = 7 * (n * frames.count + index)
        return poses[start..<start + 7]
      }
      return JSONValue.Member(name: frame.name, value: .matrix(rows, rows: configurations.count, columns: 7))
    }
    return ["frames": .object(members)]
  }

  private func text(_ frames: [Frame], _ configurations: Configurations, _ poses: [Double]) -> String {
    var table = TextTable([
      .init("configuration"), .init("frame", .left), .init("position", unit: "m", .left),
      .init("quaternion w x y z", .left),
    ])
    let shown = min(configurations.count, 20)
    for n in 0..<shown {
      for (index, frame) in frames.enumerated() {
        let start = 7 * (n * frames.count + index)
        table.append([
          "\(n)", frame.name, formatted(poses[start..<start + 3]), formatted(poses[start + 3..<start + 7]),
        ])
      }
    }
    let rest = configurations.count - shown
    return table.text + (rest > 0 ? "\n(\(rest) more configurations; all of them with --json)" : "")
  }
}
