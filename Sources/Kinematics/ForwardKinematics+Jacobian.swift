import Lanes
import RobotModels

extension ForwardKinematics {
  /// Jacobians of the frames: the velocity of each by the model's velocities (`qvel`).
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - reference: the axes and the point whose velocity the linear rows give.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Returns: `[configurations, frames, 6, nv]` numbers, linear rows before angular ones. A column of a
  ///   degree of freedom that mimic joints follow is the sum of what all of them do.
  /// - Throws: ``KinematicsError`` for a wrong number of positions, positions that are not finite and quaternions
  ///   without length.
  /// - Complexity: O(configurations x frames x (nv + depth)).
  public func jacobians(
    at positions: [Scalar], reference: JacobianReference = .worldAligned, threads: Int = defaultThreadCount
  ) throws(KinematicsError) -> [Scalar] {
    let count = try configurationCount(positions)
    return try makeRows(count, width: frames.count * 6 * model.velocityCount) {
      rows throws(KinematicsError) in
      try computeJacobians(at: positions, velocities: nil, count, reference, threads, into: rows)
    }
  }

  /// Time derivatives of the frames' Jacobians while the model moves.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - velocities: `[configurations, nv]` numbers, row by row.
  ///   - reference: the axes and the point whose velocity the linear rows give.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Returns: `[configurations, frames, 6, nv]` numbers, as ``jacobians(at:reference:threads:)``. For
  ///   ``JacobianReference/local`` they are the rates of the numbers, that is, seen from the moving frame.
  /// - Throws: ``KinematicsError``, as ``jacobians(at:reference:threads:)``.
  public func jacobianRates(
    at positions: [Scalar], velocities: [Scalar], reference: JacobianReference = .worldAligned,
    threads: Int = defaultThreadCount
  ) throws(KinematicsError) -> [Scalar] {
    let count = try configurationCount(positions)
    try check(velocities, "velocities", count: count, width: model.velocityCount)
    return try makeRows(count, width: frames.count * 6 * model.velocityCount) {
      rows throws(KinematicsError) in
      try computeJacobians(at: positions, velocities: velocities, count, reference, threads, into: rows)
    }
  }

  private func computeJacobians(
    at positions: [Scalar], velocities: [Scalar]?, _ count: Int, _ reference: JacobianReference,
    _ threads: Int, into rows: UnsafeMutablePointer<Scalar>?
  ) throws(KinematicsError) {
    let width = frames.count * 6 * model.velocityCount
    let velocityCount = model.velocityCount
    let target = Shared(value: rows)
    let velocitiesAreFinite = SharedFlag()
    let isFinite = (velocities ?? []).withUnsafeBufferPointer { buffer in
      // An empty array has an address too.
      let source = Shared(value: velocities == nil ? nil : buffer.baseAddress)
      func run<L: Lane>(_ type: L.Type) -> Bool where L.Scalar == Scalar {
        forEachGroup(type, positions, count, threads) { [tree] workspace, first, lanes in
          if let source = source.value {
            let isFinite = loadPositions(
              source + first * velocityCount, count: velocityCount, lanes: lanes, into: workspace.velocities)
            if !isFinite { velocitiesAreFinite.lower() }
          }
          guard let rows = target.value else { return }
          jacobianGroup(
            tree, workspace, reference: reference, lanes: lanes, into: rows + first * width,
            isRate: velocities != nil)
        }
      }
      return count == 1 ? run(Scalar.Single.self) : run(Scalar.Group.self)
    }
    if !isFinite { throw findNotFinite(positions, "positions") }
    if let velocities, !velocitiesAreFinite.isRaised { throw findNotFinite(velocities, "velocities") }
  }
}
