import Lanes
import RobotModels

extension ForwardKinematics {
  /// Configurations in an array of positions, after checking its length and its quaternions.
  func configurationCount(_ positions: [Scalar]) throws(KinematicsError) -> Int {
    let width = model.positionCount
    guard width > 0 else {
      guard positions.isEmpty else {
        throw .wrongCount(
          name: "positions", expected: "0 (nothing in the model moves)", actual: positions.count)
      }
      return 1
    }
    guard positions.count % width == 0, !positions.isEmpty else {
      throw .wrongCount(
        name: "positions", expected: "a positive multiple of \(width) (one row per configuration)",
        actual: positions.count)
    }
    let count = positions.count / width
    if tree.hasQuaternions { try checkQuaternions(positions, count) }
    return count
  }

  private func checkQuaternions(_ positions: [Scalar], _ count: Int) throws(KinematicsError) {
    for joint in model.joints where joint.type == .free || joint.type == .ball {
      let start = joint.positionAddress + (joint.type == .free ? 3 : 0)
      for configuration in 0..<count {
        let at = configuration * model.positionCount + start
        var square: Scalar = 0
        for k in at..<(at + 4) { square += positions[k] * positions[k] }
        if square < 1e-30 { throw .zeroQuaternion(joint: joint.name, configuration: configuration) }
        if square == .infinity, positions[at..<(at + 4)].allSatisfy(\.isFinite) {
          throw .overflow(
            name: "the quaternion of joint '\(joint.name)' in configuration \(configuration)")
        }
      }
    }
  }

  /// Checks the length of an array that has one row per configuration.
  func check(_ values: [Scalar], _ name: String, count: Int, width: Int) throws(KinematicsError) {
    guard values.count == count * width else {
      throw .wrongCount(name: name, expected: "\(count) x \(width)", actual: values.count)
    }
  }

  /// The error that names the first number that is not finite. Kernels notice that there is one.
  func findNotFinite(_ values: [Scalar], _ name: String) -> KinematicsError {
    .notFinite(name: name, index: values.firstIndex { !$0.isFinite } ?? 0)
  }

  /// An array whose numbers `body` fills in; it runs for an array without numbers too.
  func makeRows(
    _ count: Int, width: Int, _ body: (UnsafeMutablePointer<Scalar>?) throws(KinematicsError) -> Void
  ) throws(KinematicsError) -> [Scalar] {
    var failure: KinematicsError?
    let rows = [Scalar](unsafeUninitializedCapacity: count * width) { buffer, initialized in
      do throws(KinematicsError) {
        try body(buffer.baseAddress)
        initialized = count * width
      } catch {
        failure = error
        initialized = 0
      }
    }
    if let failure { throw failure }
    return rows
  }

  /// Gives an array a length and lets `body` fill in its numbers; it runs for an array without numbers too.
  func fillRows(
    _ rows: inout [Scalar], _ count: Int,
    _ body: (UnsafeMutablePointer<Scalar>?) throws(KinematicsError) -> Void
  ) throws(KinematicsError) {
    if rows.count > count { rows.removeLast(rows.count - count) }
    if rows.count < count { rows.append(contentsOf: repeatElement(0, count: count - rows.count)) }
    var failure: KinematicsError?
    rows.withUnsafeMutableBufferPointer { buffer in
      do throws(KinematicsError) {
        try body(buffer.baseAddress)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }

  /// Lane groups that a thread takes at a time: enough work to make handing it out cheap, and the same whatever
  /// the number of threads, because sums over a batch are taken chunk by chunk.
  func groupsPerChunk(_ tree: FrameTree<Scalar>) -> Int {
    max(1, 2048 / (tree.elements.count + tree.frames.count))
  }

  /// Chunks whose sums are kept apart, at most.
  static var largestChunkCount: Int { 256 }

  /// Lane groups whose sums are collected together.
  static func groupsPerCollection(_ groups: Int, _ groupsPerChunk: Int) -> Int {
    max(groupsPerChunk, (groups + largestChunkCount - 1) / largestChunkCount)
  }

  /// Loads every lane group's positions and runs `body` with the number of its first configuration and of its lanes
  /// in use. False if a position is not finite.
  ///
  /// - Parameters:
  ///   - rowCount: numbers in the workspaces' rows.
  ///   - parameterTree: the tree to use instead where parameters are asked for.
  ///   - collect: called with the index of a chunk of groups when the workspace has been through some of them, and at
  ///     the end of the chunk. There are then at most ``largestChunkCount`` chunks.
  func forEachGroup<L: Lane>(
    _ type: L.Type, _ positions: [Scalar], _ count: Int, _ threads: Int, rowCount: Int = 0,
    parameterTree: FrameTree<Scalar>? = nil,
    collect: (@Sendable (_ workspace: FrameWorkspace<L>, _ chunk: Int) -> Void)? = nil,
    body: @escaping @Sendable (_ workspace: FrameWorkspace<L>, _ first: Int, _ lanes: Int) -> Void
  ) -> Bool where L.Scalar == Scalar {
    let tree = parameterTree ?? self.tree
    let groups = (count + L.laneCount - 1) / L.laneCount
    let part = groupsPerChunk(tree)
    let chunk = collect == nil ? part : Self.groupsPerCollection(groups, part)
    return positions.withUnsafeBufferPointer { buffer in
      let source = Shared(value: buffer.baseAddress)
      let allFinite = SharedFlag()
      parallelFor(
        count: (groups + chunk - 1) / chunk, threads: threads,
        makeContext: { FrameWorkspace<L>(tree, keepsParameters: parameterTree != nil, rowCount: rowCount) }
      ) { workspace, index in
        for group in (index * chunk)..<min((index + 1) * chunk, groups) {
          let first = group * L.laneCount
          let lanes = min(L.laneCount, count - first)
          if let source = source.value {
            let isFinite = loadPositions(
              source + first * tree.positionCount, count: tree.positionCount, lanes: lanes,
              into: workspace.positions)
            if !isFinite { allFinite.lower() }
          }
          body(workspace, first, lanes)
          if let collect, (group + 1) % part == 0 || group + 1 == min((index + 1) * chunk, groups) {
            collect(workspace, index)
          }
        }
      }
      return allFinite.isRaised
    }
  }
}

/// Loads one lane group's numbers; the lanes past the end repeat the last row. False if one is not finite.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<Double>)
@specialized(where L == Dual<SIMD8<Double>>)
func loadPositions<L: Lane>(
  _ rows: UnsafePointer<L.Scalar>, count: Int, lanes: Int, into target: UnsafeMutablePointer<L>
) -> Bool where L.Scalar: LaneScalar {
  loadRows(rows, stride: count, count: count, lanes: lanes, into: target, repeatsLast: true)
  return areFinite(target, count: count)
}
