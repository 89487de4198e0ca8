import BenchmarkSupport
import CChain
import ChainKernel
import Costate
import Foundation

/// Times the rigid-transform chain written once on lanes against the same in C.
///
///     swift run -c release --toolset ../native.json bench-chain [results.json]
@main struct BenchChain {
  static let joints = 30

  static func main() throws {
    let comparisons = [
      compareChains("30-joint chain, Double", Double.self, chain_double) {
        chain(joints: $0, offsets: $1, turns: $2, poses: $3)
      },
      compareChains("30-joint chain, SIMD8<Double>", SIMD8<Double>.self, chain_double8) {
        chain(joints: $0, offsets: $1, turns: $2, poses: $3)
      },
      compareChains("30-joint chain, SIMD16<Float>", SIMD16<Float>.self, chain_float16) {
        chain(joints: $0, offsets: $1, turns: $2, poses: $3)
      },
    ]
    print(table(comparisons))
    if CommandLine.arguments.count > 1 {
      try json(comparisons).write(to: URL(fileURLWithPath: CommandLine.arguments[1]))
    }
  }

  static func compareChains<L: Lane>(
    _ title: String, _ type: L.Type,
    _ peer:
      @escaping (
        Int, UnsafePointer<L.Scalar>?, UnsafePointer<L.Scalar>?, UnsafeMutablePointer<L.Scalar>?
      ) -> Void,
    ours: @escaping (Int, UnsafePointer<L.Scalar>, UnsafePointer<L>, UnsafeMutablePointer<L>) -> Void
  ) -> Comparison {
    let inputs = ChainInputs<L>(joints: joints)
    defer { inputs.deallocate() }
    let lanes = 12 * joints * L.laneCount
    let turnNumbers = UnsafeRawPointer(inputs.turns).assumingMemoryBound(to: L.Scalar.self)
    let poses = UnsafeMutableRawPointer(inputs.poses).assumingMemoryBound(to: L.Scalar.self)
    let peerPoses = UnsafeMutableRawPointer(inputs.peerPoses).assumingMemoryBound(to: L.Scalar.self)
    ours(joints, inputs.offsets, inputs.turns, inputs.poses)
    peer(joints, inputs.offsets, turnNumbers, peerPoses)
    for index in 0..<lanes {
      let difference = abs(poses[index] - peerPoses[index])
      precondition(difference < 1e4 * L.Scalar.ulpOfOne, "\(title): Swift and C disagree at number \(index)")
    }
    return compare(
      title, unit: "joint and lane group",
      contenders: [
        Contender("Swift", unitsPerCall: Double(joints)) {
          ours(joints, inputs.offsets, inputs.turns, inputs.poses)
        },
        Contender("C", unitsPerCall: Double(joints)) {
          peer(joints, inputs.offsets, turnNumbers, peerPoses)
        },
      ])
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
