import Lanes
import RobotModels

extension ForwardKinematics {
  /// Columns of each joint in what ``posesAndJointJacobians(at:format:threads:)`` gives: one for every degree of freedom,
  /// in the order of `Model.joints`. Unlike degrees of freedom of the model, those of mimic joints are counted.
  public var jointColumns: [Range<Int>] {
    let starts = model.jointColumns
    return model.joints.indices.map { starts[$0]..<starts[$0 + 1] }
  }

  /// Poses of the frames, and the Jacobians of all joints in one matrix per configuration.
  ///
  /// A column is the velocity at unit velocity of its degree of freedom of everything that the joint carries: in world
  /// axes, and of the point that passes the world's origin (``JacobianReference/world``). The Jacobian of a frame is made
  /// of the columns of the joints that carry it, and zeros: this is the form that costs O(joints) and no more
  /// (Pinocchio's `computeJointJacobians`). A mimic joint's column has its multiplier and belongs to its source's degree
  /// of freedom.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - format: how a pose is written.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Returns: `[configurations, frames, width of the format]` numbers, and `[configurations, 6, columns]`, linear rows
  ///   before angular ones; zero for joints that carry none of the frames.
  /// - Throws: ``KinematicsError`` for a wrong number of positions, positions that are not finite and quaternions
  ///   without length.
  /// - Complexity: O(configurations x (joints + frames)).
  public func posesAndJointJacobians(
    at positions: [Scalar], format: PoseFormat = .positionQuaternion, threads: Int = defaultThreadCount
  ) throws(KinematicsError) -> (poses: [Scalar], jacobians: [Scalar]) {
    var poses: [Scalar] = []
    var jacobians: [Scalar] = []
    try posesAndJointJacobians(
      at: positions, posesInto: &poses, jacobiansInto: &jacobians, format: format, threads: threads)
    return (poses, jacobians)
  }

  /// Poses and joint Jacobians, into arrays that are kept between calls.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - poses: gets the length that ``poses(at:format:threads:)`` returns.
  ///   - jacobians: gets `[configurations, 6, columns]` numbers.
  ///   - format: how a pose is written.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Throws: as ``posesAndJointJacobians(at:format:threads:)``; then the numbers in `poses` and `jacobians` mean
  ///   nothing.
  public func posesAndJointJacobians(
    at positions: [Scalar], posesInto poses: inout [Scalar], jacobiansInto jacobians: inout [Scalar],
    format: PoseFormat = .positionQuaternion, threads: Int = defaultThreadCount
  ) throws(KinematicsError) {
    let count = try configurationCount(positions)
    let poseWidth = frames.count * format.width
    let jacobianWidth = 6 * tree.columnCount
    try fillRows(&poses, count * poseWidth) { poseRows throws(KinematicsError) in
      try fillRows(&jacobians, count * jacobianWidth) { jacobianRows throws(KinematicsError) in
        let target = Shared(value: (poses: poseRows, jacobians: jacobianRows))
        func run<L: Lane>(_ type: L.Type) -> Bool where L.Scalar == Scalar {
          forEachGroup(type, positions, count, threads) { [tree] workspace, first, lanes in
            guard let poses = target.value.poses else { return }
            frameGroup(
              tree, workspace, format: format, lanes: lanes, into: poses + first * poseWidth, tangents: nil)
            guard let jacobians = target.value.jacobians else { return }
            jointJacobianGroup(tree, workspace, lanes: lanes, into: jacobians + first * jacobianWidth)
          }
        }
        let isFinite = count == 1 ? run(Scalar.Single.self) : run(Scalar.Group.self)
        if !isFinite { throw findNotFinite(positions, "positions") }
      }
    }
  }
}
