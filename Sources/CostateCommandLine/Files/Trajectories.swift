import Autodiff
import Foundation

/// Rolled-out states of one world or several, as they are written to a file.
struct Trajectories: Equatable, Sendable {
  var worlds: Int
  /// Seconds at each of the states (steps + 1).
  var time: [Double]
  /// Row-major [worlds][steps + 1][nq] and [worlds][steps + 1][nv].
  var positions: [Double]
  var velocities: [Double]
  var positionCount: Int
  var velocityCount: Int

  /// The formats, by the file name's extension.
  enum Format: String, CaseIterable {
    case npz, csv, json

    /// - Throws: `CommandFailure` (wrong usage) that names the known extensions.
    init(path: String) throws(CommandFailure) {
      let name = URL(fileURLWithPath: path).pathExtension.lowercased()
      guard let format = Format(rawValue: name) else {
        throw CommandFailure(
          .wrongUsage, "--output: '\(path)' should end in .npz, .csv or .json, which names the format")
      }
      self = format
    }
  }

  func encoded(as format: Format) throws(CommandFailure) -> [UInt8] {
    switch format {
    case .npz:
      let states = time.count
      let leading = worlds == 1 ? [] : [worlds]
      do throws(TensorError) {
        return try NPZFormat.encode(
          [
            ("time", Tensor(time, shape: [states])),
            ("qpos", Tensor(positions, shape: leading + [states, positionCount])),
            ("qvel", Tensor(velocities, shape: leading + [states, velocityCount])),
          ], compressed: false)
      } catch {
        throw CommandFailure(.unwritableOutput, "\(error); simulate fewer worlds or steps")
      }
    case .csv: return csv
    case .json: return try JSONValue.object(members).encoded() + [UInt8(ascii: "\n")]
    }
  }

  /// `time`, `qpos` and `qvel`, with a leading dimension for worlds where there are several.
  var members: [JSONValue.Member] {
    let states = time.count
    let leading = worlds == 1 ? [] : [worlds]
    return [
      .init(name: "time", value: .numbers(time)),
      .init(name: "qpos", value: .tensor(positions, shape: leading + [states, positionCount])),
      .init(name: "qvel", value: .tensor(velocities, shape: leading + [states, velocityCount])),
    ]
  }

  /// A row per world and state.
  private var csv: [UInt8] {
    let heading =
      ["world", "time"] + (0..<positionCount).map { "qpos[\($0)]" }
      + (0..<velocityCount).map { "qvel[\($0)]" }
    var bytes = Array((heading.joined(separator: ",") + "\n").utf8)
    for world in 0..<worlds {
      for (k, seconds) in time.enumerated() {
        let row = world * time.count + k
        bytes += "\(world),\(seconds)".utf8
        for number in positions[row * positionCount..<(row + 1) * positionCount] {
          bytes += ",\(number)".utf8
        }
        for number in velocities[row * velocityCount..<(row + 1) * velocityCount] {
          bytes += ",\(number)".utf8
        }
        bytes.append(UInt8(ascii: "\n"))
      }
    }
    return bytes
  }
}
