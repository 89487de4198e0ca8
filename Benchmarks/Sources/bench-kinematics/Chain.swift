import BenchmarkSupport
import Costate
import Foundation

/// The chain of Peers/pytorch_kinematics_fk.py: revolute joints about x, y and z in turn, each link 0.1 along x from
/// the one before and turned.
private func chainOfHinges(_ count: Int) throws -> Model {
  let inertial =
    "<inertial><mass value=\"1\"/><inertia ixx=\"1\" iyy=\"1\" izz=\"1\" ixy=\"0\" ixz=\"0\" iyz=\"0\"/></inertial>"
  var text = "<robot name=\"chain\"><link name=\"l0\"/>"
  for k in 0..<count {
    let axis = ["1 0 0", "0 1 0", "0 0 1"][k % 3]
    text += """
      <link name="l\(k + 1)">\(inertial)</link>
      <joint name="j\(k)" type="revolute"><parent link="l\(k)"/><child link="l\(k + 1)"/>
      <origin xyz="0.1 0 0" rpy="0.1 0.2 0.3"/><axis xyz="\(axis)"/>
      <limit lower="-3" upper="3" effort="1" velocity="1"/></joint>
      """
  }
  return try Model(urdf: text + "</robot>", name: "chain.urdf")
}

/// All frames of a chain as 4 x 4 matrices in float32, and the gradient of a weighted sum of their entries.
func measureChain(peer: Peer?, script: String, rounds: Int, _ report: Report) throws {
  let joints = 30
  let configurations = 10_000
  report.heading("\(joints) revolute joints x \(configurations) configurations, float32, per batch")
  let model = try chainOfHinges(joints)
  let kinematics = try ForwardKinematics<Float>(model, frameNames: (1...joints).map { "l\($0)" })
  var generator = SplitMix(state: 1)
  let angles = (0..<(configurations * joints)).map { _ in Float.random(in: -1...1, using: &generator) }
  let weights = (0..<(configurations * joints * 16)).map { _ in Float.random(in: -1...1, using: &generator) }
  // Memory is kept between calls, as a loop of an optimiser does.
  var poses: [Float] = []
  var gradient: [Float] = []

  for threads in [1, 2] {
    var peerTiming = Timing()
    let label = "\(threads) thread\(threads == 1 ? "" : "s")"
    let times = try interleave(
      rounds: rounds,
      [
        {
          try (0..<10).map { _ in
            try nanoseconds(clock: .wall) {
              try kinematics.posesAndPullback(
                at: angles, cotangents: weights, posesInto: &poses, gradientInto: &gradient,
                format: .matrix4x4, threads: threads)
            }
          }
        },
        {
          try (0..<10).map { _ in
            try nanoseconds(clock: .wall) {
              try kinematics.poses(at: angles, into: &poses, format: .matrix4x4, threads: threads)
            }
          }
        },
        {
          try (0..<10).map { _ in
            try nanoseconds(clock: .wall) {
              try kinematics.pullback(
                at: angles, cotangents: weights, into: &gradient, format: .matrix4x4, threads: threads)
            }
          }
        },
        {
          (0..<10).map { _ in
            nanoseconds(clock: .wall) {
              poses.withUnsafeMutableBytes { target in
                weights.withUnsafeBytes { target.copyMemory(from: $0) }
              }
            }
          }
        },
      ])
    if let peer, FileManager.default.fileExists(atPath: script) {
      for line in try peer.run([script, "\(threads)"])
      where line.name == "pytorch_kinematics_forward_and_backward" {
        peerTiming.samples += [line.min, line.median]
      }
    }
    report.add("poses and gradient, \(label)", times[0])
    report.add("poses alone, \(label)", times[1])
    report.add("gradient alone, \(label)", times[2])
    report.add("copy of as many bytes (one thread)", times[3])
    if !peerTiming.samples.isEmpty {
      report.add("pytorch_kinematics, forward and backward, \(label)", peerTiming)
      report.compare("pytorch_kinematics over ours, \(label)", peerTiming, over: times[0], .atLeast(30))
    } else {
      print("no peer: run Benchmarks/Peers/setup.sh for the comparison with pytorch_kinematics")
    }
  }
}
