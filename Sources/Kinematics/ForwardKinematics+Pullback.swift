import Lanes
import RobotModels

extension ForwardKinematics {
  /// Gradient by joint positions of a cost of the frames' poses: the transposed Jacobian applied to cotangents.
  ///
  /// Cotangents are the derivatives of the cost by the numbers of a pose, as if these were independent:
  ///
  /// - ``PoseFormat/matrix3x4`` and ``PoseFormat/matrix4x4``: by each entry; those of a homogeneous
  ///   transformation's last row, which is constant, are not read;
  /// - ``PoseFormat/positionQuaternion``: by `x y z w x y z`.
  ///
  /// The part of a cotangent that would take a rotation away from rotations (symmetric in the frame's axes, or along
  /// the quaternion) has no effect. A force `f` at a frame's origin is the cotangent `f` of its position; a moment `m`
  /// is the cotangent `2 (0, m) ⊗ q` of its quaternion.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - cotangents: `[configurations, frames, width of the format]` numbers.
  ///   - format: which poses the cost is a function of.
  ///   - coordinates: `nv` or `nq` numbers per configuration.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Returns: `[configurations, nv]` or `[configurations, nq]` numbers. A joint that others mimic has the sum of
  ///   what all of them do, each times its multiplier.
  /// - Throws: ``KinematicsError`` for arrays of a wrong length, numbers that are not finite, quaternions without
  ///   length, and a gradient that is too large for `Scalar`.
  /// - Complexity: O(configurations x (joints + frames)): one pass from the leaves to the root (force and moment
  ///   summed about the world's origin, after Featherstone 2008, section 5.3).
  public func pullback(
    at positions: [Scalar], cotangents: [Scalar], format: PoseFormat = .positionQuaternion,
    coordinates: GradientCoordinates = .tangent, threads: Int = defaultThreadCount
  ) throws(KinematicsError) -> [Scalar] {
    let count = try checkedCount(positions, cotangents, format)
    return try makeRows(count, width: numberCount(in: coordinates)) { rows throws(KinematicsError) in
      try computePullback(
        at: positions, cotangents, count, format, coordinates, threads, poses: nil, gradient: rows)
    }
  }

  /// Gradient by joint positions, into an array that is kept between calls.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - cotangents: `[configurations, frames, width of the format]` numbers.
  ///   - gradient: gets the length that ``pullback(at:cotangents:format:coordinates:threads:)`` returns.
  ///   - format: which poses the cost is a function of.
  ///   - coordinates: `nv` or `nq` numbers per configuration.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Throws: as ``pullback(at:cotangents:format:coordinates:threads:)``; then the numbers in `gradient` mean
  ///   nothing.
  public func pullback(
    at positions: [Scalar], cotangents: [Scalar], into gradient: inout [Scalar],
    format: PoseFormat = .positionQuaternion, coordinates: GradientCoordinates = .tangent,
    threads: Int = defaultThreadCount
  ) throws(KinematicsError) {
    let count = try checkedCount(positions, cotangents, format)
    try fillRows(&gradient, count * numberCount(in: coordinates)) { rows throws(KinematicsError) in
      try computePullback(
        at: positions, cotangents, count, format, coordinates, threads, poses: nil, gradient: rows)
    }
  }

  /// Poses and the gradient by joint positions in one pass over the configurations, for cotangents that are known
  /// beforehand: those of a weighted sum, or of the previous iterate.
  ///
  /// Each lane group goes forward and backward at once, so that nothing is computed twice.
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - cotangents: `[configurations, frames, width of the format]` numbers.
  ///   - format: how a pose is written.
  ///   - coordinates: `nv` or `nq` numbers per configuration.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Returns: what ``poses(at:format:threads:)`` and
  ///   ``pullback(at:cotangents:format:coordinates:threads:)`` return.
  /// - Throws: as ``pullback(at:cotangents:format:coordinates:threads:)``.
  public func posesAndPullback(
    at positions: [Scalar], cotangents: [Scalar], format: PoseFormat = .positionQuaternion,
    coordinates: GradientCoordinates = .tangent, threads: Int = defaultThreadCount
  ) throws(KinematicsError) -> (poses: [Scalar], gradient: [Scalar]) {
    let count = try checkedCount(positions, cotangents, format)
    var gradient: [Scalar] = []
    let poses = try makeRows(count, width: frames.count * format.width) { poseRows throws(KinematicsError) in
      gradient = try makeRows(count, width: numberCount(in: coordinates)) { rows throws(KinematicsError) in
        try computePullback(
          at: positions, cotangents, count, format, coordinates, threads, poses: poseRows, gradient: rows)
      }
    }
    return (poses, gradient)
  }

  /// Poses and the gradient by joint positions in one pass, into arrays that are kept between calls.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - cotangents: `[configurations, frames, width of the format]` numbers.
  ///   - poses: gets the length that ``poses(at:format:threads:)`` returns.
  ///   - gradient: gets the length that ``pullback(at:cotangents:format:coordinates:threads:)`` returns.
  ///   - format: how a pose is written.
  ///   - coordinates: `nv` or `nq` numbers per configuration.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Throws: as ``pullback(at:cotangents:format:coordinates:threads:)``; then the numbers in `poses` and `gradient`
  ///   mean nothing.
  public func posesAndPullback(
    at positions: [Scalar], cotangents: [Scalar], posesInto poses: inout [Scalar],
    gradientInto gradient: inout [Scalar], format: PoseFormat = .positionQuaternion,
    coordinates: GradientCoordinates = .tangent, threads: Int = defaultThreadCount
  ) throws(KinematicsError) {
    let count = try checkedCount(positions, cotangents, format)
    try fillRows(&poses, count * frames.count * format.width) { poseRows throws(KinematicsError) in
      try fillRows(&gradient, count * numberCount(in: coordinates)) { rows throws(KinematicsError) in
        try computePullback(
          at: positions, cotangents, count, format, coordinates, threads, poses: poseRows, gradient: rows)
      }
    }
  }

  /// Numbers of a gradient per configuration.
  func numberCount(in coordinates: GradientCoordinates) -> Int {
    coordinates == .tangent ? model.velocityCount : model.positionCount
  }

  /// Configurations in an array of positions, with one row of cotangents for each.
  func checkedCount(
    _ positions: [Scalar], _ cotangents: [Scalar], _ format: PoseFormat
  ) throws(KinematicsError) -> Int {
    let count = try configurationCount(positions)
    try check(cotangents, "cotangents", count: count, width: frames.count * format.width)
    return count
  }

  private func computePullback(
    at positions: [Scalar], _ cotangents: [Scalar], _ count: Int, _ format: PoseFormat,
    _ coordinates: GradientCoordinates, _ threads: Int, poses: UnsafeMutablePointer<Scalar>?,
    gradient: UnsafeMutablePointer<Scalar>?
  ) throws(KinematicsError) {
    let poseWidth = frames.count * format.width
    let gradientWidth = numberCount(in: coordinates)
    let flags = PullbackFlags()
    // What does not fit in caches need not go through them: this saves reading what is about to be overwritten.
    let streamsPoses = poses != nil && count * poseWidth * MemoryLayout<Scalar>.stride > 8 << 20
    let isFinite = cotangents.withUnsafeBufferPointer { buffer in
      let base = PullbackRows(
        cotangents: poseWidth == 0 ? nil : buffer.baseAddress, poses: poseWidth == 0 ? nil : poses,
        streamsPoses: streamsPoses, gradient: gradientWidth == 0 ? nil : gradient)
      func run<L: Lane>(_ type: L.Type) -> Bool where L.Scalar == Scalar {
        forEachGroup(
          type, positions, count, threads, rowCount: streamsPoses ? L.laneCount * poseWidth : 0
        ) { [tree] workspace, first, lanes in
          let rows = base.advanced(first, poseWidth: poseWidth, gradientWidth: gradientWidth)
          flags.note(
            pullbackGroup(
              tree, workspace, format: format, coordinates: coordinates, lanes: lanes, rows: rows,
              hasPoses: false))
        }
      }
      return count == 1 ? run(Scalar.Single.self) : run(Scalar.Group.self)
    }
    if !isFinite { throw findNotFinite(positions, "positions") }
    try check(flags, cotangents, format)
  }

  /// Throws what lane groups have noted.
  func check(_ flags: PullbackFlags, _ cotangents: [Scalar], _ format: PoseFormat) throws(KinematicsError) {
    if !flags.cotangentsAreFinite.isRaised {
      // Numbers that are not read may be anything.
      let index = cotangents.indices.first { $0 % format.width < 12 && !cotangents[$0].isFinite }
      throw .notFinite(name: "cotangents", index: index ?? 0)
    }
    if !flags.gradientIsFinite.isRaised { throw .overflow(name: "gradient") }
  }
}

/// What lane groups found wrong.
struct PullbackFlags: Sendable {
  let cotangentsAreFinite = SharedFlag()
  let gradientIsFinite = SharedFlag()

  func note(_ status: PullbackStatus) {
    switch status {
    case .fine: break
    case .cotangentsNotFinite: cotangentsAreFinite.lower()
    case .gradientNotFinite: gradientIsFinite.lower()
    }
  }
}

extension PullbackRows {
  /// The rows of the lane group that begins with a configuration.
  func advanced(_ configuration: Int, poseWidth: Int, gradientWidth: Int) -> Self {
    Self(
      cotangents: cotangents.map { $0 + configuration * poseWidth },
      cotangentTangents: cotangentTangents.map { $0 + configuration * poseWidth },
      poses: poses.map { $0 + configuration * poseWidth }, streamsPoses: streamsPoses,
      gradient: gradient.map { $0 + configuration * gradientWidth },
      gradientTangents: gradientTangents.map { $0 + configuration * gradientWidth })
  }
}
