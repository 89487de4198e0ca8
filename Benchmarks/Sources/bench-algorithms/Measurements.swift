import BenchmarkSupport
import Costate
import Foundation

/// One robot in both precisions, in turn with the peer.
func measureModel(
  _ name: String, models: String, peer: Peer?, rounds: Int, _ configurations: Int, _ report: Report
) throws {
  var reading = ModelReadingOptions()
  reading.packagePaths = ["\(models)/urdf"]
  let model = try Model.load(path: "\(models)/urdf/\(name).urdf", options: reading)
  report.heading("\(name) (nv \(model.velocityCount)), batches of \(configurations)")
  let float64 = try AlgorithmWorkload<Double>(model, configurations)
  let float32 = try AlgorithmWorkload<Float>(model, configurations)
  var peerTimes: [String: Timing] = [:]
  let times = try interleave(
    rounds: rounds,
    [
      {
        guard let peer else { return [] }
        let folder = URL(fileURLWithPath: peer.path).deletingLastPathComponent()
        let file = folder.appendingPathComponent("\(name).txt").path
        for line in try peer.run([file, name, "10"]) {
          peerTimes[line.name, default: Timing()].samples += [line.min, line.median]
        }
        return []
      }
    ] + AlgorithmWorkload<Double>.algorithms.map { algorithm in { try float64.times(algorithm) } }
      + AlgorithmWorkload<Float>.algorithms.map { algorithm in { try float32.times(algorithm) } })

  let algorithms = AlgorithmWorkload<Double>.algorithms
  for (index, algorithm) in algorithms.enumerated() {
    let ours = times[1 + index]
    let single = times[1 + algorithms.count + index]
    report.add("\(algorithm.label), float64", ours)
    report.add("\(algorithm.label), float32", single)
    guard let peerName = algorithm.peerName, let theirs = peerTimes[peerName] else { continue }
    report.add("\(peerName), Pinocchio", theirs)
    report.compare("\(peerName) over ours, float64", theirs, over: ours, .atLeast(3))
    report.compare("\(peerName) over ours, float32", theirs, over: single, .atLeast(3))
  }
}

/// Random configurations of a model, and arrays for the results.
final class AlgorithmWorkload<Scalar: SimulationScalar> {
  struct Algorithm {
    var label: String
    /// What the peer's program calls it; nil where it has no such thing.
    var peerName: String?
    var run: (AlgorithmWorkload<Scalar>) throws -> Void
  }

  /// In the order of the report. Pinocchio's derivatives give the mass matrix as well, so ours do.
  static var algorithms: [Algorithm] {
    [
      Algorithm(label: "inverse dynamics", peerName: "rnea") {
        try $0.algorithms.inverseDynamics(
          at: $0.positions, velocities: $0.velocities, accelerations: $0.accelerations, into: &$0.vectors,
          threads: 1)
      },
      Algorithm(label: "mass matrix", peerName: "crba") {
        try $0.algorithms.massMatrix(at: $0.positions, into: &$0.matrices, threads: 1)
      },
      Algorithm(label: "forward dynamics", peerName: "aba") {
        try $0.algorithms.forwardDynamics(
          at: $0.positions, velocities: $0.velocities, forces: $0.accelerations, into: &$0.vectors,
          threads: 1)
      },
      Algorithm(label: "derivatives of inverse dynamics", peerName: "rnea_derivatives") {
        try $0.algorithms.inverseDynamicsDerivatives(
          at: $0.positions, velocities: $0.velocities, accelerations: $0.accelerations, into: &$0.inverse,
          threads: 1)
      },
      Algorithm(label: "derivatives of forward dynamics", peerName: nil) {
        try $0.algorithms.forwardDynamicsDerivatives(
          at: $0.positions, velocities: $0.velocities, forces: $0.accelerations, into: &$0.forward,
          threads: 1)
      },
    ]
  }

  let algorithms: RigidBodyAlgorithms<Scalar>
  let count: Int
  let positions: [Scalar]
  let velocities: [Scalar]
  let accelerations: [Scalar]
  var vectors: [Scalar] = []
  var matrices: [Scalar] = []
  var inverse = InverseDynamicsDerivatives<Scalar>()
  var forward = ForwardDynamicsDerivatives<Scalar>()

  init(_ model: Model, _ count: Int) throws {
    algorithms = try RigidBodyAlgorithms(model)
    self.count = count
    var generator = SystemRandomNumberGenerator()
    func random(_ count: Int) -> [Scalar] {
      (0..<count).map { _ in Scalar(Double.random(in: -1.5...1.5, using: &generator)) }
    }
    positions = random(count * model.positionCount)
    velocities = random(count * model.velocityCount)
    accelerations = random(count * model.velocityCount)
  }

  /// Nanoseconds per configuration.
  func times(_ algorithm: Algorithm) throws -> [Double] {
    try (0..<5).map { _ in
      try nanoseconds(per: 8 * count) { for _ in 0..<8 { try algorithm.run(self) } }
    }
  }
}
