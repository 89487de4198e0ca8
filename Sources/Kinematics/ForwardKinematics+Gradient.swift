import Lanes
import RobotModels

extension ForwardKinematics {
  /// Gradient of a cost of the frames' poses by joint positions and by the parameters that place things.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - cotangents: `[configurations, frames, width of the format]` numbers: the derivatives of the cost by the numbers
  ///     of the poses, as in ``pullback(at:cotangents:format:coordinates:threads:)``.
  ///   - format: which poses the cost is a function of.
  ///   - targets: what the gradient is taken by.
  ///   - coordinates: those of the gradient by joint positions.
  ///   - threads: how many threads work; results are the same for every number, to the last bit.
  /// - Returns: the gradient by joint positions for each configuration, and the gradient by parameters summed over all
  ///   configurations: never their mean.
  /// - Throws: as ``pullback(at:cotangents:format:coordinates:threads:)``.
  /// - Complexity: O(configurations x (bodies that carry the frames + joints + frames)). The sums are taken in `Scalar`
  ///   over some hundreds to thousands of configurations at a time, and in float64 over these.
  public func gradient(
    at positions: [Scalar], cotangents: [Scalar], format: PoseFormat = .positionQuaternion,
    targets: KinematicsTargets = .all, coordinates: GradientCoordinates = .tangent,
    threads: Int = defaultThreadCount
  ) throws(KinematicsError) -> KinematicsGradient<Scalar> {
    let count = try checkedCount(positions, cotangents, format)
    guard targets.contains(.positions) else {
      let parameters = try computeGradient(
        at: positions, cotangents, count, format, targets, coordinates, threads, gradient: nil)
      return KinematicsGradient(positions: nil, parameters: parameters)
    }
    var parameters = KinematicsParameterGradient()
    let rows = try makeRows(count, width: numberCount(in: coordinates)) { rows throws(KinematicsError) in
      parameters = try computeGradient(
        at: positions, cotangents, count, format, targets, coordinates, threads, gradient: rows)
    }
    return KinematicsGradient(positions: rows, parameters: parameters)
  }

  private func computeGradient(
    at positions: [Scalar], _ cotangents: [Scalar], _ count: Int, _ format: PoseFormat,
    _ targets: KinematicsTargets, _ coordinates: GradientCoordinates, _ threads: Int,
    gradient: UnsafeMutablePointer<Scalar>?
  ) throws(KinematicsError) -> KinematicsParameterGradient {
    let tree = parameterTree()
    let poseWidth = frames.count * format.width
    let gradientWidth = numberCount(in: coordinates)
    let parameterCount = ParameterLayout(tree).count
    let flags = PullbackFlags()
    var total = [Double](repeating: 0, count: parameterCount)
    let isFinite = cotangents.withUnsafeBufferPointer { buffer in
      let base = PullbackRows(
        cotangents: poseWidth == 0 ? nil : buffer.baseAddress,
        gradient: gradientWidth == 0 ? nil : gradient)
      func run<L: Lane>(_ type: L.Type) -> Bool where L.Scalar == Scalar {
        let groups = (count + L.laneCount - 1) / L.laneCount
        let chunk = Self.groupsPerCollection(groups, groupsPerChunk(tree))
        let chunks = (groups + chunk - 1) / chunk
        // Chunks do not depend on the number of threads; their sums are added up in their order.
        var partial = [Double](repeating: 0, count: chunks * parameterCount)
        let isFinite = partial.withUnsafeMutableBufferPointer { partial in
          let sums = Shared(value: partial.baseAddress)
          return forEachGroup(
            type, positions, count, threads, parameterTree: tree,
            collect: { workspace, chunk in
              guard let sums = sums.value, let parameters = workspace.parameters else { return }
              takeLaneSums(parameters, count: parameterCount, into: sums + chunk * parameterCount)
            },
            body: { workspace, first, lanes in
              let rows = base.advanced(first, poseWidth: poseWidth, gradientWidth: gradientWidth)
              let status = pullbackGroup(
                tree, workspace, format: format, coordinates: coordinates, lanes: lanes, rows: rows,
                hasPoses: false)
              flags.note(status)
              if let parameters = workspace.parameters {
                addParameters(tree, workspace, targets, to: parameters)
              }
            })
        }
        for chunk in 0..<chunks {
          for i in 0..<parameterCount { total[i] += partial[chunk * parameterCount + i] }
        }
        return isFinite
      }
      return count == 1 ? run(Scalar.Single.self) : run(Scalar.Group.self)
    }
    if !isFinite { throw findNotFinite(positions, "positions") }
    try check(flags, cotangents, format)
    guard total.allSatisfy(\.isFinite) else { throw .overflow(name: "the gradient by parameters") }
    return spread(total, tree, targets)
  }

  /// Gives the numbers of each kind of parameter to the bodies, joints and frames they belong to.
  private func spread(
    _ total: [Double], _ tree: FrameTree<Scalar>, _ targets: KinematicsTargets
  ) -> KinematicsParameterGradient {
    let layout = ParameterLayout(tree)
    func vector(_ at: Int) -> Vector3<Double> { Vector3(total[at], total[at + 1], total[at + 2]) }
    func byBody(_ target: KinematicsTargets, _ part: Int) -> [Vector3<Double>]? {
      guard targets.contains(target) else { return nil }
      var result = [Vector3<Double>](repeating: .zero, count: model.bodies.count)
      for b in 0..<tree.placements.count {
        result[Int(tree.placements[b].body)] = vector(layout.placements + 6 * b + part)
      }
      return result
    }
    func byJoint<Value>(_ target: KinematicsTargets, _ zero: Value, _ value: (_ at: Int) -> Value) -> [Value]?
    {
      guard targets.contains(target) else { return nil }
      var result = [Value](repeating: zero, count: model.joints.count)
      for e in 0..<tree.elements.count where tree.elements[e].joint >= 0 {
        result[Int(tree.elements[e].joint)] = value(layout.elements + 8 * e)
      }
      return result
    }
    func byMimic(_ part: Int) -> [Double]? {
      byJoint(.mimics, 0) { total[$0 + part] }?.enumerated()
        .map { model.joints[$0].mimic == nil ? 0 : $1 }
    }
    func byFrame(_ target: KinematicsTargets, _ part: Int) -> [Vector3<Double>]? {
      targets.contains(target) ? frames.indices.map { vector(layout.frames + 6 * $0 + part) } : nil
    }
    var gradient = KinematicsParameterGradient()
    gradient.bodyPositions = byBody(.bodyPositions, 0)
    gradient.bodyOrientations = byBody(.bodyOrientations, 3)
    gradient.jointPositions = byJoint(.jointPositions, .zero) { vector($0) }
    gradient.jointAxes = byJoint(.jointAxes, .zero) { vector($0 + 3) }
    gradient.mimicMultipliers = byMimic(6)
    gradient.mimicOffsets = byMimic(7)
    gradient.framePositions = byFrame(.framePositions, 0)
    gradient.frameOrientations = byFrame(.frameOrientations, 3)
    return gradient
  }
}
