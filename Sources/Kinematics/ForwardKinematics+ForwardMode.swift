public import Lanes
import RobotModels

/// A gradient and its derivative along a direction.
public struct KinematicsSecondDerivative: Sendable, Equatable {
  /// `[configurations, nv]` numbers each.
  public var gradient: [Double]
  public var hessianVectorProduct: [Double]
}

/// Forward mode: the same kernels on dual numbers, the backward pass included. Nothing here knows the Jacobian or the
/// adjoint of a joint, so that it checks what is written by hand, and it gives second derivatives.
extension ForwardKinematics where Scalar == Double {
  /// Poses, and how they change along a direction: the Jacobian applied to a vector.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - direction: `[configurations, nv]` numbers: changes of positions in ``GradientCoordinates/tangent``
  ///     coordinates.
  ///   - format: how a pose is written.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Returns: `[configurations, frames, width of the format]` numbers each: poses, and the derivatives of all their
  ///   numbers along the direction.
  /// - Throws: ``KinematicsError`` for arrays of a wrong length, numbers that are not finite and quaternions without
  ///   length.
  /// - Complexity: O(configurations x (joints + frames)), about three times that of ``poses(at:format:threads:)``.
  public func pushforward(
    at positions: [Double], along direction: [Double], format: PoseFormat = .positionQuaternion,
    threads: Int = defaultThreadCount
  ) throws(KinematicsError) -> (poses: [Double], rates: [Double]) {
    let count = try configurationCount(positions)
    try check(direction, "direction", count: count, width: model.velocityCount)
    let width = frames.count * format.width
    var rates: [Double] = []
    let poses = try makeRows(count, width: width) { poseRows throws(KinematicsError) in
      rates = try makeRows(count, width: width) { rateRows throws(KinematicsError) in
        let target = Shared(value: (poses: poseRows, rates: rateRows))
        try forEachDualGroup(at: positions, along: direction, count, threads) {
          [tree] (workspace: FrameWorkspace<Dual<Double>>, first, lanes) in
          guard let poses = target.value.poses, let rates = target.value.rates else { return }
          frameGroup(
            tree, workspace, format: format, lanes: lanes, into: poses + first * width,
            tangents: rates + first * width)
        } group: {
          [tree] (workspace: FrameWorkspace<Dual<SIMD8<Double>>>, first, lanes) in
          guard let poses = target.value.poses, let rates = target.value.rates else { return }
          frameGroup(
            tree, workspace, format: format, lanes: lanes, into: poses + first * width,
            tangents: rates + first * width)
        }
      }
    }
    return (poses, rates)
  }

  /// Gradient by joint positions from forward mode alone, one direction per degree of freedom, eight at a time.
  ///
  /// The same numbers as ``pullback(at:cotangents:format:coordinates:threads:)`` in tangent coordinates, but for rounding
  /// errors, without the hand-written backward pass: slower by a factor of about `nv`.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - cotangents: `[configurations, frames, width of the format]` numbers.
  ///   - format: which poses the cost is a function of.
  ///   - threads: how many threads work; results are the same for every number.
  /// - Returns: `[configurations, nv]` numbers.
  /// - Throws: as ``pullback(at:cotangents:format:coordinates:threads:)``.
  /// - Complexity: O(configurations x nv x (joints + frames)).
  public func forwardModePullback(
    at positions: [Double], cotangents: [Double], format: PoseFormat = .positionQuaternion,
    threads: Int = defaultThreadCount
  ) throws(KinematicsError) -> [Double] {
    typealias L = Dual<SIMD8<Double>>
    let count = try checkedCount(positions, cotangents, format)
    if let index = positions.firstIndex(where: { !$0.isFinite }) {
      throw .notFinite(name: "positions", index: index)
    }
    let read = min(format.width, 12)
    if let index = cotangents.indices.first(where: { $0 % format.width < read && !cotangents[$0].isFinite }) {
      throw .notFinite(name: "cotangents", index: index)
    }
    let (nq, nv, width) = (model.positionCount, model.velocityCount, frames.count * format.width)
    let gradient = try makeRows(count, width: nv) { rows throws(KinematicsError) in
      guard nv > 0, let rows else { return }
      let target = Shared(value: rows)
      positions.withUnsafeBufferPointer { buffer in
        let source = Shared(value: buffer.baseAddress!)
        parallelFor(
          count: count, threads: threads,
          makeContext: { [tree] in FrameWorkspace<L>(tree, rowCount: L.laneCount * width) }
        ) { [tree] workspace, c in
          for start in stride(from: 0, to: nv, by: L.laneCount) {
            let lanes = min(L.laneCount, nv - start)
            // The configuration in all lanes, each with a direction of its own.
            _ = loadPositions(source.value + c * nq, count: nq, lanes: 1, into: workspace.positions)
            workspace.velocities.update(repeating: L(0.0), count: nv)
            for lane in 0..<lanes { workspace.velocities[start + lane].primal[lane] = 1 }
            setTangents(tree, workspace)
            frameGroup(
              tree, workspace, format: format, lanes: lanes, into: workspace.poseRows,
              tangents: workspace.cotangentRows)
            for lane in 0..<lanes {
              var sum = 0.0
              for i in 0..<width where i % format.width < read {
                sum += workspace.cotangentRows[lane * width + i] * cotangents[c * width + i]
              }
              target.value[c * nv + start + lane] = sum
            }
          }
        }
      }
    }
    guard gradient.allSatisfy(\.isFinite) else { throw .overflow(name: "gradient") }
    return gradient
  }

  /// The gradient of a cost of the frames' poses, and its derivative along a direction: forward over reverse.
  ///
  /// For rotations the gradient's components refer to the joint's own frame, which turns with the direction: the result
  /// is the derivative of those components along `q ⊗ exp(t d)`. For other joints it is the Hessian times the direction.
  ///
  /// - Parameters:
  ///   - positions: `[configurations, nq]` numbers, row by row.
  ///   - direction: `[configurations, nv]` numbers, in ``GradientCoordinates/tangent`` coordinates.
  ///   - format: which poses the cost is a function of.
  ///   - threads: how many threads work; results are the same for every number.
  ///   - cost: from the poses and their rates of change along the direction (as
  ///     ``pushforward(at:along:format:threads:)`` returns them), the cotangents of the poses and the rates of change of
  ///     these cotangents. For a cost whose cotangents are constant the rates are zero.
  /// - Throws: ``KinematicsError`` as ``pushforward(at:along:format:threads:)`` and
  ///   ``pullback(at:cotangents:format:coordinates:threads:)``.
  /// - Complexity: O(configurations x (joints + frames)), about five times that of a pullback.
  public func hessianVectorProduct(
    at positions: [Double], along direction: [Double], format: PoseFormat = .positionQuaternion,
    threads: Int = defaultThreadCount,
    cost: (_ poses: [Double], _ rates: [Double]) throws(KinematicsError) -> (
      cotangents: [Double], derivatives: [Double]
    )
  ) throws(KinematicsError) -> KinematicsSecondDerivative {
    let (poses, rates) = try pushforward(at: positions, along: direction, format: format, threads: threads)
    let (cotangents, derivatives) = try cost(poses, rates)
    let count = try checkedCount(positions, cotangents, format)
    let (nv, width) = (model.velocityCount, frames.count * format.width)
    try check(derivatives, "derivatives", count: count, width: width)
    let flags = PullbackFlags()
    var product: [Double] = []
    let gradient = try makeRows(count, width: nv) { rows throws(KinematicsError) in
      product = try makeRows(count, width: nv) { productRows throws(KinematicsError) in
        // Pointers to the arrays are valid until the end of this scope.
        var failure: KinematicsError?
        cotangents.withUnsafeBufferPointer { cotangents in
          derivatives.withUnsafeBufferPointer { derivatives in
            let base = PullbackRows(
              cotangents: width == 0 ? nil : cotangents.baseAddress,
              cotangentTangents: derivatives.baseAddress,
              gradient: nv == 0 ? nil : rows, gradientTangents: nv == 0 ? nil : productRows)
            do throws(KinematicsError) {
              try forEachDualGroup(at: positions, along: direction, count, threads) {
                [tree] (workspace: FrameWorkspace<Dual<Double>>, first, lanes) in
                flags.note(
                  pullbackGroup(
                    tree, workspace, format: format, coordinates: .tangent, lanes: lanes,
                    rows: base.advanced(first, poseWidth: width, gradientWidth: nv), hasPoses: false))
              } group: {
                [tree] (workspace: FrameWorkspace<Dual<SIMD8<Double>>>, first, lanes) in
                flags.note(
                  pullbackGroup(
                    tree, workspace, format: format, coordinates: .tangent, lanes: lanes,
                    rows: base.advanced(first, poseWidth: width, gradientWidth: nv), hasPoses: false))
              }
            } catch {
              failure = error
            }
          }
        }
        if let failure { throw failure }
      }
    }
    if !flags.cotangentsAreFinite.isRaised,
      let index = derivatives.indices.first(where: { $0 % format.width < 12 && !derivatives[$0].isFinite })
    {
      throw .notFinite(name: "derivatives", index: index)
    }
    try check(flags, cotangents, format)
    return KinematicsSecondDerivative(gradient: gradient, hessianVectorProduct: product)
  }

  /// Loads positions and directions of every lane group as dual numbers and runs one of the bodies: a single
  /// configuration is computed alone.
  private func forEachDualGroup(
    at positions: [Double], along direction: [Double], _ count: Int, _ threads: Int,
    single: @escaping @Sendable (FrameWorkspace<Dual<Double>>, _ first: Int, _ lanes: Int) -> Void,
    group: @escaping @Sendable (FrameWorkspace<Dual<SIMD8<Double>>>, _ first: Int, _ lanes: Int) -> Void
  ) throws(KinematicsError) {
    let directionIsFinite = SharedFlag()
    let nv = model.velocityCount
    let isFinite = direction.withUnsafeBufferPointer { buffer in
      let source = Shared(value: buffer.baseAddress)
      func run<Base: Lane>(
        _ body: @escaping @Sendable (FrameWorkspace<Dual<Base>>, Int, Int) -> Void
      ) -> Bool where Base.Scalar == Double {
        forEachGroup(Dual<Base>.self, positions, count, threads) { [tree] workspace, first, lanes in
          if let source = source.value {
            let isFinite = loadPositions(
              source + first * nv, count: nv, lanes: lanes, into: workspace.velocities)
            if !isFinite { directionIsFinite.lower() }
          }
          setTangents(tree, workspace)
          body(workspace, first, lanes)
        }
      }
      return count == 1 ? run(single) : run(group)
    }
    if !isFinite { throw findNotFinite(positions, "positions") }
    if !directionIsFinite.isRaised { throw findNotFinite(direction, "direction") }
  }
}

/// Gives the workspace's positions the tangents that belong to its velocities: for a rotation `q̇ = ½ q ⊗ (0, v)`,
/// whatever the length of `q`.
@specialized(where Base == Double)
@specialized(where Base == SIMD8<Double>)
private func setTangents<Base: Lane>(_ tree: FrameTree<Base.Scalar>, _ workspace: FrameWorkspace<Dual<Base>>)
where Base.Scalar: LaneScalar {
  let q = workspace.positions
  let v = workspace.velocities
  func turn(_ at: Int, _ dof: Int) {
    let orientation = Quaternion(q[at].primal, q[at + 1].primal, q[at + 2].primal, q[at + 3].primal)
    let velocity = Vector3(v[dof].primal, v[dof + 1].primal, v[dof + 2].primal)
    let rate = orientation * Quaternion(Base(0.0), velocity * Base(0.5))
    q[at].tangent = rate.w
    q[at + 1].tangent = rate.x
    q[at + 2].tangent = rate.y
    q[at + 3].tangent = rate.z
  }
  var e = 1
  while e < tree.elements.count {
    let element = tree.elements.pointer(e)
    let (at, dof) = (Int(element.pointee.positionAddress), Int(element.pointee.velocityAddress))
    switch element.pointee.kind {
    case .fixed: break
    case .free:
      for k in 0..<3 { q[at + k].tangent = v[dof + k].primal }
      turn(at + 3, dof + 3)
    case .ball: turn(at, dof)
    case .slide, .hingeX, .hingeY, .hingeZ: q[at].tangent = v[dof].primal
    }
    e += 1
  }
}
