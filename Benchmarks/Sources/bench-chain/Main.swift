import BenchmarkSupport
import CChain
import ChainKernel
import Costate
import Foundation

/// Times the rigid-transform chain written once on lanes against the same in C.
///
///     swift run -c release --toolset ../native.json bench-chain [--rounds 60] [--json results.json]
@main struct BenchChain {
  static let joints = 30

  static func main() throws {
    let options = try Options(["rounds": "60", "json": ""])
    guard let rounds = Int(options["rounds"]), rounds > 0 else {
      throw BenchmarkError("--rounds wants a positive whole number, not \(options["rounds"])")
    }
    let report = Report()
    report.heading("Rigid-transform chain of \(joints) joints, ns per joint and lane group")
    try compareChains(Double.self, rounds, report, chain_double) {
      chain(joints: $0, offsets: $1, turns: $2, poses: $3)
    }
    try compareChains(SIMD8<Double>.self, rounds, report, chain_double8) {
      chain(joints: $0, offsets: $1, turns: $2, poses: $3)
    }
    try compareChains(SIMD16<Float>.self, rounds, report, chain_float16) {
      chain(joints: $0, offsets: $1, turns: $2, poses: $3)
    }
    if !options["json"].isEmpty { try report.write(to: options["json"]) }
  }

  /// Checks that both chains give the same poses, then times them in turn.
  static func compareChains<L: Lane>(
    _ type: L.Type, _ rounds: Int, _ report: Report,
    _ peer: (Int, UnsafePointer<L.Scalar>?, UnsafePointer<L.Scalar>?, UnsafeMutablePointer<L.Scalar>?) ->
      Void,
    ours: (Int, UnsafePointer<L.Scalar>, UnsafePointer<L>, UnsafeMutablePointer<L>) -> Void
  ) throws {
    let name = "\(type)"
    let inputs = ChainInputs<L>(joints: joints)
    defer { inputs.deallocate() }
    let turnNumbers = UnsafeRawPointer(inputs.turns).assumingMemoryBound(to: L.Scalar.self)
    let poses = UnsafeMutableRawPointer(inputs.poses).assumingMemoryBound(to: L.Scalar.self)
    let peerPoses = UnsafeMutableRawPointer(inputs.peerPoses).assumingMemoryBound(to: L.Scalar.self)
    ours(joints, inputs.offsets, inputs.turns, inputs.poses)
    peer(joints, inputs.offsets, turnNumbers, peerPoses)
    for index in 0..<12 * joints * L.laneCount {
      guard abs(poses[index] - peerPoses[index]) < 1e4 * L.Scalar.ulpOfOne else {
        throw BenchmarkError("\(name): Swift and C disagree at number \(index)")
      }
    }
    let calls = 10_000
    let timings = try withoutActuallyEscaping(ours) { ours in
      try withoutActuallyEscaping(peer) { peer in
        try interleave(
          rounds: rounds,
          [
            {
              [
                nanoseconds(per: calls * joints) {
                  for _ in 0..<calls { ours(joints, inputs.offsets, inputs.turns, inputs.poses) }
                }
              ]
            },
            {
              [
                nanoseconds(per: calls * joints) {
                  for _ in 0..<calls { peer(joints, inputs.offsets, turnNumbers, peerPoses) }
                }
              ]
            },
          ])
      }
    }
    report.add("\(name), Swift", timings[0])
    report.add("\(name), C", timings[1])
    report.compare("\(name), Swift over C", timings[0], over: timings[1], .atMost(1.1))
  }
}

/// A chain with proper rotations as offsets, and angles that differ from lane to lane.
struct ChainInputs<L: Lane> {
  let offsets: UnsafeMutablePointer<L.Scalar>
  let turns: UnsafeMutablePointer<L>
  let poses: UnsafeMutablePointer<L>
  let peerPoses: UnsafeMutablePointer<L>

  init(joints: Int) {
    func allocate<T>(_ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
      UnsafeMutableRawPointer.allocate(byteCount: count * MemoryLayout<T>.stride, alignment: 64)
        .bindMemory(to: T.self, capacity: count)
    }
    offsets = allocate(L.Scalar.self, 12 * joints)
    turns = allocate(L.self, 2 * joints)
    poses = allocate(L.self, 12 * joints)
    peerPoses = allocate(L.self, 12 * joints)
    for joint in 0..<joints {
      let k = Double(joint)
      let tilt = Quaternion(1.0, 0.3 * sin(k), 0.2 * cos(2 * k), 0.1 * sin(3 * k)).normalized.matrix
      let numbers = tilt.rowMajor + [0.02 * cos(k), 0.03 * sin(k), 0.1]
      for (index, number) in numbers.enumerated() { offsets[12 * joint + index] = L.Scalar(number) }
      var cosine = L(0.0)
      var sine = L(0.0)
      for lane in 0..<L.laneCount {
        let angle = sin(1.7 * k + 0.9 * Double(lane))
        cosine[lane: lane] = L.Scalar(cos(angle))
        sine[lane: lane] = L.Scalar(sin(angle))
      }
      turns[2 * joint] = cosine
      turns[2 * joint + 1] = sine
    }
  }

  func deallocate() {
    offsets.deallocate()
    turns.deallocate()
    poses.deallocate()
    peerPoses.deallocate()
  }
}
