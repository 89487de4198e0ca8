import Lanes

/// Scratch memory of one lane group in the frame kernels; each thread has its own.
final class FrameWorkspace<L: Lane>: @unchecked Sendable where L.Scalar: LaneScalar {
  /// Frames whose numbers are kept at a time on their way between lanes and rows.
  static var stagedFrames: Int { 8 }
  /// The same of the backward pass, which stages poses and cotangents and keeps more of the caches busy besides.
  static var stagedCotangents: Int { 4 }

  private var arena: Arena
  /// One number per entry of the position and velocity vectors.
  let positions: UnsafeMutablePointer<L>
  let velocities: UnsafeMutablePointer<L>
  let gradient: UnsafeMutablePointer<L>
  /// One entry per element.
  let poses: UnsafeMutablePointer<Pose<L>>
  let quaternions: UnsafeMutablePointer<Quaternion<L>>
  let wrenches: UnsafeMutablePointer<Force<L>>
  let motions: UnsafeMutablePointer<Motion<L>>
  /// Numbers in lanes that rows are made of, and cotangents that come from rows.
  let staging: UnsafeMutablePointer<L>
  let cotangents: UnsafeMutablePointer<L>
  /// For each frame its own cotangents as a force at its origin and a moment, and sums of parameter cotangents over
  /// lane groups in the order of ``ParameterLayout``; only where these are asked for.
  let frameForces: UnsafeMutablePointer<Force<L>>?
  let parameters: UnsafeMutablePointer<L>?
  /// The group's poses and their cotangents as rows; only where a cost is called in between.
  let poseRows: UnsafeMutablePointer<L.Scalar>
  let cotangentRows: UnsafeMutablePointer<L.Scalar>

  /// - Parameter rowCount: numbers in ``poseRows`` and in ``cotangentRows``.
  init(_ tree: FrameTree<L.Scalar>, keepsParameters: Bool = false, rowCount: Int = 0) {
    let elementCount = tree.elements.count
    let stagingCount = max(Self.stagedFrames * 16, 6 * max(tree.velocityCount, tree.columnCount))
    var measure = ArenaMeasure()
    measure.take(L.self, tree.positionCount)
    measure.take(L.self, tree.velocityCount)
    measure.take(L.self, max(tree.positionCount, tree.velocityCount))
    measure.take(Pose<L>.self, elementCount)
    measure.take(Quaternion<L>.self, elementCount)
    measure.take(Force<L>.self, elementCount)
    measure.take(Motion<L>.self, elementCount)
    measure.take(L.self, stagingCount)
    measure.take(L.self, Self.stagedCotangents * 16)
    let parameterCount = ParameterLayout(tree).count
    if keepsParameters {
      measure.take(Force<L>.self, tree.frames.count)
      measure.take(L.self, parameterCount)
    }
    measure.take(L.Scalar.self, rowCount)
    measure.take(L.Scalar.self, rowCount)
    arena = Arena(byteCount: measure.byteCount)
    positions = arena.take(L.self, tree.positionCount)
    velocities = arena.take(L.self, tree.velocityCount)
    gradient = arena.take(L.self, max(tree.positionCount, tree.velocityCount))
    poses = arena.take(Pose<L>.self, elementCount)
    quaternions = arena.take(Quaternion<L>.self, elementCount)
    wrenches = arena.take(Force<L>.self, elementCount)
    motions = arena.take(Motion<L>.self, elementCount)
    staging = arena.take(L.self, stagingCount)
    cotangents = arena.take(L.self, Self.stagedCotangents * 16)
    frameForces = keepsParameters ? arena.take(Force<L>.self, tree.frames.count) : nil
    parameters = keepsParameters ? arena.take(L.self, parameterCount) : nil
    poseRows = arena.take(L.Scalar.self, rowCount)
    cotangentRows = arena.take(L.Scalar.self, rowCount)
  }
}

/// Poses of all elements. With `quaternions`, rotations are composed as quaternions, whose signs are then
/// those of MuJoCo's composition, and matrices are made of them.
@inline(__always)
private func elementPoses<L: Lane>(
  _ tree: FrameTree<L.Scalar>, positions q: UnsafePointer<L>, poses: UnsafeMutablePointer<Pose<L>>,
  quaternions: UnsafeMutablePointer<Quaternion<L>>, composesQuaternions: Bool
) where L.Scalar: LaneScalar {
  poses[0] = Pose(rotation: .identity, position: .zero)
  if composesQuaternions { quaternions[0] = .identity }
  let count = tree.elements.count
  var e = 1
  while e < count {
    let element = tree.elements.pointer(e)
    let parent = Int(element.pointee.parent)
    var p = poses[parent].position
    if element.pointee.hasPosition {
      p = poses[parent].rotation * Vector3(broadcasting: element.pointee.position) + p
    }
    let at = Int(element.pointee.positionAddress)
    let kind = element.pointee.kind
    if composesQuaternions {
      var r = quaternions[parent]
      if element.pointee.hasRotation { r = r * Quaternion(broadcasting: element.pointee.quaternion) }
      switch kind {
      case .fixed: break
      case .free:
        p = Vector3(q[at], q[at + 1], q[at + 2])
        r = Quaternion(q[at + 3], q[at + 4], q[at + 5], q[at + 6]).normalized
      case .ball:
        r = r * Quaternion(q[at], q[at + 1], q[at + 2], q[at + 3]).normalized
      case .slide:
        p = r.rotate(Vector3(broadcasting: element.pointee.axis))
          .multiplyAdd(displacement(element, q[at]), p)
      case .hingeX, .hingeY, .hingeZ:
        let half = displacement(element, q[at]) * 0.5
        let s = half.sine
        let c = half.cosine
        switch kind {
        case .hingeX:
          r = Quaternion(
            r.w * c - r.x * s, L.multiplyAdd(r.w, s, r.x * c), L.multiplyAdd(r.z, s, r.y * c),
            r.z * c - r.y * s)
        case .hingeY:
          r = Quaternion(
            r.w * c - r.y * s, r.x * c - r.z * s, L.multiplyAdd(r.w, s, r.y * c),
            L.multiplyAdd(r.x, s, r.z * c))
        default:
          r = Quaternion(
            r.w * c - r.z * s, L.multiplyAdd(r.y, s, r.x * c), r.y * c - r.x * s,
            L.multiplyAdd(r.w, s, r.z * c))
        }
      }
      quaternions[e] = r
      poses[e] = Pose(rotation: r.matrix, position: p)
    } else {
      var r = poses[parent].rotation
      if element.pointee.hasRotation { r = r * Matrix3(broadcasting: element.pointee.rotation) }
      switch kind {
      case .fixed: break
      case .free:
        p = Vector3(q[at], q[at + 1], q[at + 2])
        r = Quaternion(q[at + 3], q[at + 4], q[at + 5], q[at + 6]).normalized.matrix
      case .ball:
        r = r * Quaternion(q[at], q[at + 1], q[at + 2], q[at + 3]).normalized.matrix
      case .slide:
        p = (r * Vector3(broadcasting: element.pointee.axis))
          .multiplyAdd(displacement(element, q[at]), p)
      case .hingeX, .hingeY, .hingeZ:
        let angle = displacement(element, q[at])
        let s = angle.sine
        let c = angle.cosine
        switch kind {
        case .hingeX: r = rotateX(r, s, c)
        case .hingeY: r = rotateY(r, s, c)
        default: r = rotateZ(r, s, c)
        }
      }
      poses[e] = Pose(rotation: r, position: p)
    }
    e += 1
  }
}

@inline(__always)
func displacement<L: Lane>(_ element: UnsafePointer<FrameElement<L.Scalar>>, _ q: L) -> L {
  L.multiplyAdd(q, scalar: element.pointee.multiplier, L(broadcasting: element.pointee.offset))
}

/// The pose of a frame, from that of its element.
@inline(__always)
func framePose<L: Lane>(_ frame: UnsafePointer<FrameConstant<L.Scalar>>, _ pose: Pose<L>) -> Pose<L> {
  var result = pose
  if frame.pointee.hasPosition {
    result.position = pose.rotation * Vector3(broadcasting: frame.pointee.position) + pose.position
  }
  if frame.pointee.hasRotation {
    result.rotation = pose.rotation * Matrix3(broadcasting: frame.pointee.rotation)
  }
  return result
}

/// The orientation of a frame, from that of its element.
@inline(__always)
func frameQuaternion<L: Lane>(
  _ frame: UnsafePointer<FrameConstant<L.Scalar>>, _ quaternion: Quaternion<L>
) -> Quaternion<L> {
  frame.pointee.hasRotation ? quaternion * Quaternion(broadcasting: frame.pointee.quaternion) : quaternion
}

/// Poses of all elements, as a format of poses needs them, for the configurations in the workspace.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<Double>)
@specialized(where L == Dual<SIMD8<Double>>)
func placeElements<L: Lane>(_ tree: FrameTree<L.Scalar>, _ workspace: FrameWorkspace<L>, format: PoseFormat)
where L.Scalar: LaneScalar {
  if format == .positionQuaternion {
    elementPoses(
      tree, positions: workspace.positions, poses: workspace.poses, quaternions: workspace.quaternions,
      composesQuaternions: true)
  } else {
    elementPoses(
      tree, positions: workspace.positions, poses: workspace.poses, quaternions: workspace.quaternions,
      composesQuaternions: false)
  }
}

/// Writes one frame's pose in the given format.
@inline(__always)
func writePose<L: Lane>(
  _ pose: Pose<L>, _ quaternion: Quaternion<L>, _ format: PoseFormat, into numbers: UnsafeMutablePointer<L>
) {
  let p = pose.position
  switch format {
  case .positionQuaternion:
    numbers[0] = p.x
    numbers[1] = p.y
    numbers[2] = p.z
    numbers[3] = quaternion.w
    numbers[4] = quaternion.x
    numbers[5] = quaternion.y
    numbers[6] = quaternion.z
  case .matrix3x4, .matrix4x4:
    let r = pose.rotation
    numbers[0] = r.column0.x
    numbers[1] = r.column1.x
    numbers[2] = r.column2.x
    numbers[3] = p.x
    numbers[4] = r.column0.y
    numbers[5] = r.column1.y
    numbers[6] = r.column2.y
    numbers[7] = p.y
    numbers[8] = r.column0.z
    numbers[9] = r.column1.z
    numbers[10] = r.column2.z
    numbers[11] = p.z
    if format == .matrix4x4 {
      numbers[12] = L(0.0)
      numbers[13] = L(0.0)
      numbers[14] = L(0.0)
      numbers[15] = L(1.0)
    }
  }
}

/// Poses of all frames for one lane group, as rows of `frames x width` numbers.
@inline(__always)
private func writeFrames<L: Lane>(
  _ tree: FrameTree<L.Scalar>, _ workspace: FrameWorkspace<L>, _ format: PoseFormat, lanes: Int,
  into rows: UnsafeMutablePointer<L.Scalar>, tangents: UnsafeMutablePointer<L.Scalar>?
) where L.Scalar: LaneScalar {
  let frameCount = tree.frames.count
  let width = format.width
  let staging = workspace.staging
  var first = 0
  while first < frameCount {
    let count = min(FrameWorkspace<L>.stagedFrames, frameCount - first)
    var k = 0
    while k < count {
      let frame = tree.frames.pointer(first + k)
      let element = Int(frame.pointee.element)
      var quaternion = Quaternion<L>.identity
      if format == .positionQuaternion { quaternion = frameQuaternion(frame, workspace.quaternions[element]) }
      writePose(
        framePose(frame, workspace.poses[element]), quaternion, format, into: staging + k * width)
      k += 1
    }
    storeRows(
      staging, count: count * width, lanes: lanes, into: rows + first * width, stride: frameCount * width)
    if let tangents {
      storeRows(
        staging, count: count * width, lanes: lanes, into: tangents + first * width,
        stride: frameCount * width, isTangent: true)
    }
    first += count
  }
}

/// Frames of the configurations that are loaded in the workspace, in one lane group.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<Double>)
@specialized(where L == Dual<SIMD8<Double>>)
func frameGroup<L: Lane>(
  _ tree: FrameTree<L.Scalar>, _ workspace: FrameWorkspace<L>, format: PoseFormat, lanes: Int,
  into rows: UnsafeMutablePointer<L.Scalar>, tangents: UnsafeMutablePointer<L.Scalar>?
) where L.Scalar: LaneScalar {
  placeElements(tree, workspace, format: format)
  writeFrames(tree, workspace, format, lanes: lanes, into: rows, tangents: tangents)
}
