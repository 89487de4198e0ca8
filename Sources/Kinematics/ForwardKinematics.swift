import Foundation
public import Lanes
public import RobotModels
import Synchronization

/// Forward kinematics of chosen frames, for any number of configurations at a time.
///
/// Configurations are rows of `Model.positionCount` numbers (`qpos`); quaternions in them need not be
/// normalised. They are computed in lane groups, eight at a time in float64 and sixteen in float32, on all cores;
/// a single configuration in float64 is computed alone. Results do not depend on the number of threads.
///
/// Joints that carry none of the frames cost nothing. The model's numbers are copied: to see the effect of other
/// numbers, make another instance, which takes time in proportion to the model's size.
public final class ForwardKinematics<Scalar: LaneScalar>: Sendable {
  /// The model as it was given.
  public let model: Model
  /// The frames that are computed, in the order of the results.
  public let frames: [Frame]
  let tree: FrameTree<Scalar>
  /// Made when gradients of parameters are first asked for.
  private let lazyParameterTree = Mutex<FrameTree<Scalar>?>(nil)

  /// - Throws: ``KinematicsError/invalidRequest(_:)`` for a frame on a body that does not exist, or whose numbers
  ///   are not finite.
  /// - Complexity: O(bodies + joints + frames x depth).
  public init(_ model: Model, frames: [Frame]) throws(KinematicsError) {
    for (index, frame) in frames.enumerated() {
      guard model.bodies.indices.contains(frame.body) else {
        throw .invalidRequest(
          "frame \(index) is on body \(frame.body); the model has bodies 0 to \(model.bodies.count - 1)")
      }
      let norm = frame.orientation.normSquared
      guard frame.position.isFinite, norm.isFinite, norm > 1e-30 else {
        throw .invalidRequest(
          "the pose of frame \(index) ('\(frame.name)') on its body is not finite, or its quaternion is zero")
      }
    }
    self.model = model
    self.frames = frames
    tree = FrameTree(model, frames: frames)
  }

  /// Kinematics of frames by name; see ``Frame/init(named:in:)``.
  ///
  /// - Throws: ``KinematicsError/unknownFrame(name:near:)``.
  public convenience init(_ model: Model, frameNames: [String]) throws(KinematicsError) {
    var frames: [Frame] = []
    for name in frameNames { frames.append(try Frame(named: name, in: model)) }
    try self.init(model, frames: frames)
  }

  /// The tree in which every body's placement is an element.
  func parameterTree() -> FrameTree<Scalar> {
    lazyParameterTree.withLock { tree in
      if let tree { return tree }
      let made = FrameTree<Scalar>(model, frames: frames, keepsParameters: true)
      tree = made
      return made
    }
  }

  /// All cores of the machine.
  public static var defaultThreadCount: Int { ProcessInfo.processInfo.activeProcessorCount }

  /// Poses of the frames in the world.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - format: how a pose is written.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Returns: `[configurations, frames, width of the format]` numbers.
  /// - Throws: ``KinematicsError`` for a wrong number of positions, positions that are not finite and quaternions
  ///   without length.
  /// - Complexity: O(configurations x (joints + frames)).
  public func poses(
    at positions: [Scalar], format: PoseFormat = .positionQuaternion, threads: Int = defaultThreadCount
  ) throws(KinematicsError) -> [Scalar] {
    let count = try configurationCount(positions)
    return try makeRows(count, width: frames.count * format.width) { rows throws(KinematicsError) in
      try computePoses(at: positions, count, format, threads, into: rows)
    }
  }

  /// Poses of the frames in the world, into an array that is kept between calls: this saves the time in which the
  /// system provides fresh memory, which for large batches is as long as the computation.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - poses: is given `[configurations, frames, width of the format]` numbers; its capacity is reused.
  ///   - format: how a pose is written.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Throws: as ``poses(at:format:threads:)``; then the numbers in `poses` mean nothing.
  public func poses(
    at positions: [Scalar], into poses: inout [Scalar], format: PoseFormat = .positionQuaternion,
    threads: Int = defaultThreadCount
  ) throws(KinematicsError) {
    let count = try configurationCount(positions)
    try fillRows(&poses, count * frames.count * format.width) { rows throws(KinematicsError) in
      try computePoses(at: positions, count, format, threads, into: rows)
    }
  }

  private func computePoses(
    at positions: [Scalar], _ count: Int, _ format: PoseFormat, _ threads: Int,
    into rows: UnsafeMutablePointer<Scalar>?
  ) throws(KinematicsError) {
    let width = frames.count * format.width
    let target = Shared(value: rows)
    func run<L: Lane>(_ type: L.Type) -> Bool where L.Scalar == Scalar {
      forEachGroup(type, positions, count, threads) { [tree] workspace, first, lanes in
        guard let rows = target.value else { return }
        frameGroup(
          tree, workspace, format: format, lanes: lanes, into: rows + first * width, tangents: nil)
      }
    }
    let isFinite = count == 1 ? run(Scalar.Single.self) : run(Scalar.Group.self)
    if !isFinite { throw findNotFinite(positions, "positions") }
  }
}
