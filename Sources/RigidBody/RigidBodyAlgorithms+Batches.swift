import Kinematics
import Lanes
import RobotModels
import Synchronization

/// Arrays of one call, a row per configuration; what is nil is zero.
struct AlgorithmInputs<Scalar: SimulationScalar> {
  var positions: [Scalar]
  var velocities: [Scalar]?
  var accelerations: [Scalar]?
  var forces: [Scalar]?
  var bodyForces: [Scalar]?
}

/// What goes wrong in a kernel, in the first configuration in which it does, whatever the order of the threads.
final class FirstFailure: Sendable {
  struct Finding {
    var configuration: Int
    /// Where the mass matrix is singular; nil where the result is not finite.
    var degreeOfFreedom: Int?
  }
  private let state = Mutex<Finding?>(nil)
  func report(_ finding: Finding) {
    state.withLock {
      if finding.configuration < $0?.configuration ?? Int.max { $0 = finding }
    }
  }
  var finding: Finding? { state.withLock { $0 } }
}

extension RigidBodyAlgorithms {
  /// Configurations in the inputs, after checking lengths and quaternions.
  func configurationCount(_ inputs: AlgorithmInputs<Scalar>) throws(RigidBodyError) -> Int {
    let width = model.positionCount
    let positions = inputs.positions
    var count = 1
    if width == 0 {
      guard positions.isEmpty else {
        throw .wrongCount(
          name: "positions", expected: "0 (nothing in the model moves)", actual: positions.count)
      }
    } else {
      guard positions.count % width == 0, !positions.isEmpty else {
        throw .wrongCount(
          name: "positions", expected: "a positive multiple of \(width) (one row per configuration)",
          actual: positions.count)
      }
      count = positions.count / width
    }
    let n = model.velocityCount
    for (name, values, width) in [
      ("velocities", inputs.velocities, n), ("accelerations", inputs.accelerations, n),
      ("forces", inputs.forces, n), ("bodyForces", inputs.bodyForces, 6 * model.bodies.count),
    ] {
      guard let values, values.count != count * width else { continue }
      throw .wrongCount(name: name, expected: "\(count) x \(width)", actual: values.count)
    }
    for joint in model.joints where joint.type == .free || joint.type == .ball {
      let start = joint.positionAddress + (joint.type == .free ? 3 : 0)
      for configuration in 0..<count {
        let at = configuration * width + start
        var square: Scalar = 0
        for k in at..<(at + 4) { square += positions[k] * positions[k] }
        if square < 1e-30 { throw .zeroQuaternion(joint: joint.name, configuration: configuration) }
      }
    }
    return count
  }

  /// Runs an algorithm over all configurations, in lane groups and on several threads.
  func run(
    _ algorithm: BatchAlgorithm, _ inputs: AlgorithmInputs<Scalar>, _ count: Int, _ threads: Int,
    into outputs: OutputRows<Scalar>
  ) throws(RigidBodyError) {
    if count == 1 {
      try run(algorithm, singles, inputs, count, threads, into: outputs)
    } else {
      try run(algorithm, groups, inputs, count, threads, into: outputs)
    }
  }

  /// Lane groups that a thread takes at a time: enough work to make handing it out cheap.
  private var groupsPerChunk: Int { max(1, 256 / max(1, plan.tree.directionCount)) }

  private func run<L: Lane>(
    _ algorithm: BatchAlgorithm, _ pool: WorkspacePool<L>, _ inputs: AlgorithmInputs<Scalar>, _ count: Int,
    _ threads: Int, into outputs: OutputRows<Scalar>
  ) throws(RigidBodyError) where L.Scalar == Scalar {
    let groups = (count + L.laneCount - 1) / L.laneCount
    let chunk = groupsPerChunk
    let allFinite = SharedFlag()
    let failure = FirstFailure()
    withRows(inputs) { rows in
      parallelFor(
        count: (groups + chunk - 1) / chunk, threads: threads, makeContext: { pool.lease() }
      ) { [plan] lease, index in
        let isFinite = runGroups(
          algorithm, plan, lease.workspace, rows, outputs,
          groups: (index * chunk)..<min((index + 1) * chunk, groups), count: count, failure)
        if !isFinite { allFinite.lower() }
      }
    }
    if !allFinite.isRaised { throw firstNotFinite(inputs) }
    guard let finding = failure.finding else { return }
    guard let degreeOfFreedom = finding.degreeOfFreedom else {
      throw .overflow(result: algorithm.resultName, configuration: finding.configuration)
    }
    let joint = model.joints[model.degreesOfFreedom[degreeOfFreedom].joint]
    throw .singularMassMatrix(
      joint: joint.name, body: model.bodies[joint.body].name, configuration: finding.configuration)
  }

  /// The error that names the first number that is not finite.
  private func firstNotFinite(_ inputs: AlgorithmInputs<Scalar>) -> RigidBodyError {
    for (name, values) in [
      ("positions", inputs.positions), ("velocities", inputs.velocities),
      ("accelerations", inputs.accelerations), ("forces", inputs.forces), ("bodyForces", inputs.bodyForces),
    ] {
      if let values, let index = values.firstIndex(where: { !$0.isFinite }) {
        return .notFinite(name: name, index: index)
      }
    }
    preconditionFailure("a kernel found a number that is not finite and the inputs have none")
  }

  private func withRows(_ inputs: AlgorithmInputs<Scalar>, _ body: (InputRows<Scalar>) -> Void) {
    func pointer(_ values: [Scalar]?, _ next: (UnsafePointer<Scalar>?) -> Void) {
      guard let values else { return next(nil) }
      values.withUnsafeBufferPointer { next($0.baseAddress) }
    }
    pointer(inputs.positions) { positions in
      pointer(inputs.velocities) { velocities in
        pointer(inputs.accelerations) { accelerations in
          pointer(inputs.forces) { forces in
            pointer(inputs.bodyForces) { bodyForces in
              body(
                InputRows(
                  positions: positions, velocities: velocities, accelerations: accelerations, forces: forces,
                  bodyForces: bodyForces))
            }
          }
        }
      }
    }
  }

  /// An array of the given length whose numbers are all about to be written; its memory is kept where it can be.
  func resize(_ rows: inout [Scalar], to count: Int) {
    if rows.count > count { rows.removeLast(rows.count - count) }
    guard rows.count < count else { return }
    if rows.capacity >= count {
      rows.append(contentsOf: repeatElement(0, count: count - rows.count))
    } else {
      // Numbers need no initial value. What was in the array is not wanted.
      rows = [Scalar](unsafeUninitializedCapacity: count) { _, initialized in initialized = count }
    }
  }

  /// Gives an array a length and lends its memory for filling.
  func fill(
    _ rows: inout [Scalar], count: Int,
    _ body: (UnsafeMutablePointer<Scalar>) throws(RigidBodyError) -> Void
  ) throws(RigidBodyError) {
    resize(&rows, to: count)
    var failure: RigidBodyError?
    rows.withUnsafeMutableBufferPointer { buffer in
      guard count > 0, let base = buffer.baseAddress else { return }
      do throws(RigidBodyError) { try body(base) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}

/// The algorithms that run over batches.
enum BatchAlgorithm: Sendable {
  case inverseDynamics, massMatrix, forwardDynamics, inverseDynamicsDerivatives, forwardDynamicsDerivatives

  /// What errors call the result.
  var resultName: String {
    switch self {
    case .inverseDynamics: "the forces"
    case .massMatrix: "the mass matrices"
    case .forwardDynamics: "the accelerations"
    case .inverseDynamicsDerivatives, .forwardDynamicsDerivatives: "the derivatives"
    }
  }
}
