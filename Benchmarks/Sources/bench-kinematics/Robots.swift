import BenchmarkSupport
import Costate
import Foundation

/// Frames and joint Jacobians of a robot beside Pinocchio's. As in the peer, 256 configurations are computed over and
/// over, into memory that is kept.
///
/// The peer has a frame for each joint and one for each link; in URDF the two of a moving link are the same pose, which
/// we compute and write once. It leaves what it computes in its own memory, ours is an array of all configurations.
func measureRobot(_ name: String, models: String, peers: String, rounds: Int, _ report: Report) throws {
  let path = "\(models)/urdf/\(name).urdf"
  guard FileManager.default.fileExists(atPath: path) else {
    print("no \(path): set --models or COSTATE_TEST_MODELS")
    return
  }
  var reading = ModelReadingOptions()
  reading.packagePaths = ["\(models)/urdf"]
  let model = try Model.load(path: path, options: reading)
  let frames = Frame.bodies(of: model)
  let columns = try ForwardKinematics<Double>(model, frames: frames).jointColumns.last!.upperBound
  report.heading("\(name): \(frames.count) links, \(columns) joint columns, per configuration")

  let double = try RobotWorkload<Double>(model, frames)
  let float = try RobotWorkload<Float>(model, frames)
  let lines = ["forward_kinematics", "frames", "joint_jacobians", "frames_and_joint_jacobians"]
  var peerTimings = [String: Timing](uniqueKeysWithValues: lines.map { ($0, Timing()) })
  let peer = Peer("\(peers)/.build/pinocchio_dynamics")
  let file = "\(peers)/.build/\(name).txt"
  if peer == nil { print("no peer: run Benchmarks/Peers/setup.sh for the comparison with Pinocchio") }
  let times = try interleave(
    rounds: rounds,
    [
      { try double.times(20) { try $0.frames() } }, { try double.times(20) { try $0.framesAndJacobians() } },
      { try float.times(20) { try $0.frames() } }, { try float.times(20) { try $0.framesAndJacobians() } },
      {
        guard let peer, FileManager.default.fileExists(atPath: file) else { return [] }
        for line in try peer.run([file, name, "8"]) {
          peerTimings[line.name]?.samples += [line.min, line.median]
        }
        return []
      },
    ])
  report.add("frames, float64", times[0])
  report.add("frames, float32", times[2])
  report.add("frames and joint Jacobians, float64", times[1])
  report.add("frames and joint Jacobians, float32", times[3])
  guard !peerTimings["frames"]!.samples.isEmpty else { return }
  for line in lines { report.add("pinocchio: \(line)", peerTimings[line]!) }
  let (frameTiming, bothTiming) = (peerTimings["frames"]!, peerTimings["frames_and_joint_jacobians"]!)
  report.compare("pinocchio over ours, frames, float64", frameTiming, over: times[0], .atLeast(3))
  report.compare("pinocchio over ours, frames, float32", frameTiming, over: times[2], .atLeast(3))
  report.compare(
    "pinocchio over ours, frames and Jacobians, float64", bothTiming, over: times[1], .atLeast(3))
  report.compare(
    "pinocchio over ours, frames and Jacobians, float32", bothTiming, over: times[3], .atLeast(3))
}

/// 256 configurations, normally distributed as the peer's are.
private final class RobotWorkload<Scalar: LaneScalar> {
  let kinematics: ForwardKinematics<Scalar>
  let positions: [Scalar]
  var poses: [Scalar] = []
  var jacobians: [Scalar] = []
  static var count: Int { 256 }

  init(_ model: Model, _ frames: [Frame]) throws {
    kinematics = try ForwardKinematics<Scalar>(model, frames: frames)
    var generator = SplitMix(state: 1)
    positions = (0..<(Self.count * model.positionCount)).map { _ in
      let radius = (-2 * log(Double.random(in: 1e-12...1, using: &generator))).squareRoot()
      return Scalar(radius * cos(2 * .pi * Double.random(in: 0..<1, using: &generator)))
    }
  }

  func frames() throws { try kinematics.poses(at: positions, into: &poses, format: .matrix3x4, threads: 1) }

  func framesAndJacobians() throws {
    try kinematics.posesAndJointJacobians(
      at: positions, posesInto: &poses, jacobiansInto: &jacobians, format: .matrix3x4, threads: 1)
  }

  func times(_ repetitions: Int, _ body: (RobotWorkload<Scalar>) throws -> Void) throws -> [Double] {
    try (0..<repetitions).map { _ in try nanoseconds(per: Self.count) { try body(self) } }
  }
}
