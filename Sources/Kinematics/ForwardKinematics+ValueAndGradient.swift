import Lanes
import RobotModels
import Synchronization

extension ForwardKinematics {
  /// A cost of the frames' poses in each configuration, and its gradient by joint positions.
  ///
  /// Each lane group goes forward, through the cost, and backward at once: poses are never stored for the whole
  /// batch.
  ///
  /// ```swift
  /// let (values, gradient) = try kinematics.valueAndGradient(at: q, format: .matrix3x4) { _, pose, cotangent in
  ///   let error = pose[3] - 0.4
  ///   cotangent[3] = 2 * error
  ///   return error * error
  /// }
  /// ```
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - format: how poses are given to the cost.
  ///   - coordinates: `nv` or `nq` numbers per configuration.
  ///   - threads: how many threads work; results are the same for every number.
  ///   - cost: called once for each configuration, from several threads, with the configuration's index, its poses
  ///     (`frames x width of the format` numbers) and as many zeros, in which it leaves its derivatives by the numbers
  ///     of the poses (see ``pullback(at:cotangents:format:coordinates:threads:)``). Returns its value.
  /// - Returns: one value per configuration, and the gradients of the values: `[configurations, nv]` or
  ///   `[configurations, nq]` numbers.
  /// - Throws: as ``pullback(at:cotangents:format:coordinates:threads:)``, and for values that are not finite.
  /// - Complexity: O(configurations x (joints + frames)), plus the cost's.
  public func valueAndGradient(
    at positions: [Scalar], format: PoseFormat = .positionQuaternion,
    coordinates: GradientCoordinates = .tangent, threads: Int = defaultThreadCount,
    cost:
      @escaping @Sendable (
        _ configuration: Int, _ poses: Span<Scalar>, _ cotangents: inout MutableSpan<Scalar>
      ) -> Scalar
  ) throws(KinematicsError) -> (values: [Scalar], gradient: [Scalar]) {
    let count = try configurationCount(positions)
    // The cost shall not see poses that are not finite.
    if !positions.allSatisfy(\.isFinite) { throw findNotFinite(positions, "positions") }
    var gradient: [Scalar] = []
    let values = try makeRows(count, width: 1) { valueRows throws(KinematicsError) in
      gradient = try makeRows(count, width: numberCount(in: coordinates)) { rows throws(KinematicsError) in
        try computeValues(at: positions, count, format, coordinates, threads, cost, valueRows!, rows)
      }
    }
    return (values, gradient)
  }

  private func computeValues(
    at positions: [Scalar], _ count: Int, _ format: PoseFormat, _ coordinates: GradientCoordinates,
    _ threads: Int,
    _ cost: @escaping @Sendable (Int, Span<Scalar>, inout MutableSpan<Scalar>) -> Scalar,
    _ values: UnsafeMutablePointer<Scalar>, _ gradient: UnsafeMutablePointer<Scalar>?
  ) throws(KinematicsError) {
    let width = frames.count * format.width
    let gradientWidth = numberCount(in: coordinates)
    let flags = PullbackFlags()
    let firstFailure = FirstIndex()
    let target = Shared(
      value: (values: values, rows: PullbackRows(gradient: gradientWidth == 0 ? nil : gradient)))
    func run<L: Lane>(_ type: L.Type) -> Bool where L.Scalar == Scalar {
      forEachGroup(type, positions, count, threads, rowCount: L.laneCount * width) {
        [tree] workspace, first, lanes in
        frameGroup(tree, workspace, format: format, lanes: lanes, into: workspace.poseRows, tangents: nil)
        workspace.cotangentRows.update(repeating: 0, count: lanes * width)
        for lane in 0..<lanes {
          let poses = UnsafeBufferPointer(start: workspace.poseRows + lane * width, count: width)
          let cotangents = UnsafeMutableBufferPointer(
            start: workspace.cotangentRows + lane * width, count: width)
          var span = cotangents.mutableSpan
          target.value.values[first + lane] = cost(first + lane, poses.span, &span)
        }
        var rows = target.value.rows.advanced(first, poseWidth: width, gradientWidth: gradientWidth)
        if width > 0 { rows.cotangents = UnsafePointer(workspace.cotangentRows) }
        let status = pullbackGroup(
          tree, workspace, format: format, coordinates: coordinates, lanes: lanes, rows: rows, hasPoses: true)
        flags.note(status)
        if status == .cotangentsNotFinite {
          let index = (0..<(lanes * width)).first { !workspace.cotangentRows[$0].isFinite } ?? 0
          firstFailure.note(first * width + index)
        }
      }
    }
    _ = count == 1 ? run(Scalar.Single.self) : run(Scalar.Group.self)
    for index in 0..<count where !values[index].isFinite { throw .notFinite(name: "cost", index: index) }
    if !flags.cotangentsAreFinite.isRaised {
      throw .notFinite(name: "cotangents left by the cost", index: firstFailure.value)
    }
    if !flags.gradientIsFinite.isRaised { throw .overflow(name: "gradient") }
  }
}

/// The least of the indices that threads have noted.
private final class FirstIndex: Sendable {
  private let least = Atomic<Int>(.max)
  var value: Int { least.load(ordering: .relaxed) }
  func note(_ index: Int) { least.min(index, ordering: .relaxed) }
}
