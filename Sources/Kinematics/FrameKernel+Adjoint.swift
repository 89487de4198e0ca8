import Lanes

// The backward pass of forward kinematics.
//
// When everything moves a little, a frame's origin x goes by v and its axes turn by w (world axes): dR = w x R. A cost
// with the cotangents g of x and G of R then changes by
//
//   g · v + Σ_k G[:, k] · (w x R[:, k])  =  g · v + w · t,     t = Σ_k R[:, k] x G[:, k].
//
// With quaternions dq = ½ (0, w) ⊗ q, so that the cotangent Q of q gives t = ½ vec(Q ⊗ q*). The pair (g, t) acts on the
// cost like a force at x and a moment: whatever G has besides (the part that would deform the frame, or stretch its
// quaternion) has no effect on frames that stay frames.
//
// Forces and moments about the world's origin, (F, N) = (Σ g, Σ t + x x g), add up from the leaves to the root. A joint
// that turns everything outboard about the axis a through o then has the derivative a · (N - o x F), one that shifts
// everything along a has a · F. The cost is O(elements + frames).

/// What the backward pass of one lane group reads and writes: rows that begin with the group's first configuration.
struct PullbackRows<Scalar>: @unchecked Sendable {
  /// Nil where there are no frames.
  var cotangents: UnsafePointer<Scalar>?
  /// For dual numbers: derivatives of the cotangents.
  var cotangentTangents: UnsafePointer<Scalar>?
  /// Nil where poses are not wanted.
  var poses: UnsafeMutablePointer<Scalar>?
  /// Poses go past the caches, through the workspace's rows.
  var streamsPoses = false
  /// Nil where nothing moves, or the gradient stays in the workspace.
  var gradient: UnsafeMutablePointer<Scalar>?
  var gradientTangents: UnsafeMutablePointer<Scalar>?
}

/// What went wrong in a lane group.
enum PullbackStatus {
  case fine, cotangentsNotFinite, gradientNotFinite
}

/// The cotangents of a frame's pose as a force at its origin and a moment about it, in world axes.
@inline(__always)
private func frameForce<L: Lane>(
  _ g: UnsafePointer<L>, _ format: PoseFormat, _ rotation: Matrix3<L>, _ quaternion: Quaternion<L>
) -> Force<L> {
  switch format {
  case .positionQuaternion:
    let turn = Quaternion(g[3], g[4], g[5], g[6]) * quaternion.conjugate
    return Force(angular: turn.vector * L(0.5), linear: Vector3(g[0], g[1], g[2]))
  case .matrix3x4, .matrix4x4:
    let first = rotation.column0.cross(Vector3(g[0], g[4], g[8]))
    let second = rotation.column1.cross(Vector3(g[1], g[5], g[9]), adding: first)
    return Force(
      angular: rotation.column2.cross(Vector3(g[2], g[6], g[10]), adding: second),
      linear: Vector3(g[3], g[7], g[11]))
  }
}

/// Writes the frames' poses, where they are wanted, and gathers their cotangents on the elements that carry them.
/// False if a cotangent is not finite.
@inline(__always)
private func gatherForces<L: Lane>(
  _ tree: FrameTree<L.Scalar>, _ workspace: FrameWorkspace<L>, _ format: PoseFormat, lanes: Int,
  _ rows: PullbackRows<L.Scalar>
) -> Bool where L.Scalar: LaneScalar {
  let wrenches = workspace.wrenches
  var e = 0
  while e < tree.elements.count {
    wrenches[e] = .zero
    e += 1
  }
  guard let source = rows.cotangents else { return true }
  let frameCount = tree.frames.count
  let width = format.width
  let stride = frameCount * width
  let poseNumbers = workspace.staging
  let cotangents = workspace.cotangents
  // Zero times an infinity or NaN is NaN, which stays in the sums. Several of them, so that they do not wait for each
  // other.
  var check = Vector3<L>.zero
  // Rows of a group lie too far apart for the machine to guess, but the next group's follow this one's: they are asked
  // for beforehand, in their order, a share with each frame.
  let groupCount = lanes * stride
  var upcoming = PacedPrefetch(
    source + groupCount, byteCount: groupCount * MemoryLayout<L.Scalar>.stride, pieces: frameCount)
  var first = 0
  while first < frameCount {
    let count = min(FrameWorkspace<L>.stagedCotangents, frameCount - first)
    loadRows(source + first * width, stride: stride, count: count * width, lanes: lanes, into: cotangents)
    if let tangents = rows.cotangentTangents {
      loadRows(
        tangents + first * width, stride: stride, count: count * width, lanes: lanes, into: cotangents,
        isTangent: true)
    }
    var k = 0
    while k < count {
      upcoming.advance()
      let frame = tree.frames.pointer(first + k)
      let element = Int(frame.pointee.element)
      let pose = framePose(frame, workspace.poses[element])
      var quaternion = Quaternion<L>.identity
      if format == .positionQuaternion { quaternion = frameQuaternion(frame, workspace.quaternions[element]) }
      if rows.poses != nil { writePose(pose, quaternion, format, into: poseNumbers + k * width) }

      let g = cotangents + k * width
      check = Vector3(g[0], g[1], g[2]).multiplyAdd(L(0.0), check)
      check = Vector3(g[3], g[4], g[5]).multiplyAdd(L(0.0), check)
      if format == .positionQuaternion {
        check.x = L.multiplyAdd(g[6], L(0.0), check.x)
      } else {
        check = Vector3(g[6], g[7], g[8]).multiplyAdd(L(0.0), check)
        check = Vector3(g[9], g[10], g[11]).multiplyAdd(L(0.0), check)
      }
      let force = frameForce(g, format, pose.rotation, quaternion)
      if let kept = workspace.frameForces { kept[first + k] = force }
      wrenches[element] += Force(
        angular: pose.position.cross(force.linear, adding: force.angular), linear: force.linear)
      k += 1
    }
    if let poses = rows.poses {
      storeRows(
        UnsafePointer(poseNumbers), count: count * width, lanes: lanes,
        into: (rows.streamsPoses ? workspace.poseRows : poses) + first * width, stride: stride)
    }
    first += count
  }
  if let poses = rows.poses, rows.streamsPoses {
    copyStreaming(workspace.poseRows, to: poses, count: lanes * stride)
  }
  return (check.x + check.y + check.z).isFinite.allTrue
}

/// Sums forces from the leaves to the root and leaves the gradient in the workspace.
@inline(__always)
private func reduceForces<L: Lane>(
  _ tree: FrameTree<L.Scalar>, _ workspace: FrameWorkspace<L>, _ coordinates: GradientCoordinates
) where L.Scalar: LaneScalar {
  let isTangent = coordinates == .tangent
  let gradient = workspace.gradient
  let gradientCount = isTangent ? tree.velocityCount : tree.positionCount
  var i = 0
  while i < gradientCount {
    gradient[i] = L(0.0)
    i += 1
  }
  var e = tree.elements.count - 1
  while e > 0 {
    let element = tree.elements.pointer(e)
    let pose = workspace.poses[e]
    let wrench = workspace.wrenches[e]
    let moment = wrench.linear.cross(pose.position, adding: wrench.angular)
    let at = Int(isTangent ? element.pointee.velocityAddress : element.pointee.positionAddress)
    switch element.pointee.kind {
    case .fixed: break
    case .free:
      gradient[at] = wrench.linear.x
      gradient[at + 1] = wrench.linear.y
      gradient[at + 2] = wrench.linear.z
      writeTurn(
        pose.rotation.transposedTimes(moment), workspace.positions + Int(element.pointee.positionAddress) + 3,
        isTangent, into: gradient + at + 3)
    case .ball:
      writeTurn(
        pose.rotation.transposedTimes(moment), workspace.positions + Int(element.pointee.positionAddress),
        isTangent, into: gradient + at)
    // Joints that mimic others share an address and add up, each through its multiplier.
    case .slide:
      let along = elementAxis(element, pose.rotation).dot(wrench.linear)
      gradient[at] = L.multiplyAdd(along, scalar: element.pointee.multiplier, gradient[at])
    case .hingeX, .hingeY, .hingeZ:
      let about = elementAxis(element, pose.rotation).dot(moment)
      gradient[at] = L.multiplyAdd(about, scalar: element.pointee.multiplier, gradient[at])
    }
    // A free joint's pose does not depend on what carries it.
    if element.pointee.kind != .free { workspace.wrenches[Int(element.pointee.parent)] += wrench }
    e -= 1
  }
}

/// The gradient of a rotation: small turns, or the four numbers of its quaternion.
@inline(__always)
private func writeTurn<L: Lane>(
  _ turn: Vector3<L>, _ q: UnsafePointer<L>, _ isTangent: Bool, into gradient: UnsafeMutablePointer<L>
) {
  if isTangent {
    gradient[0] = turn.x
    gradient[1] = turn.y
    gradient[2] = turn.z
  } else {
    let quaternion = Quaternion(q[0], q[1], q[2], q[3])
    let lifted = quaternion * Quaternion(L(0.0), turn * (2.0 / quaternion.normSquared))
    gradient[0] = lifted.w
    gradient[1] = lifted.x
    gradient[2] = lifted.y
    gradient[3] = lifted.z
  }
}

/// The backward pass for the configurations that are loaded in the workspace, in one lane group.
///
/// Leaves the sums of forces outboard of each element in the workspace.
/// - Parameter hasPoses: the workspace has the elements' poses for this format already.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<Double>)
@specialized(where L == Dual<SIMD8<Double>>)
func pullbackGroup<L: Lane>(
  _ tree: FrameTree<L.Scalar>, _ workspace: FrameWorkspace<L>, format: PoseFormat,
  coordinates: GradientCoordinates, lanes: Int, rows: PullbackRows<L.Scalar>, hasPoses: Bool
) -> PullbackStatus where L.Scalar: LaneScalar {
  if !hasPoses { placeElements(tree, workspace, format: format) }
  guard gatherForces(tree, workspace, format, lanes: lanes, rows) else { return .cotangentsNotFinite }
  reduceForces(tree, workspace, coordinates)
  let count = coordinates == .tangent ? tree.velocityCount : tree.positionCount
  guard areFinite(workspace.gradient, count: count) else { return .gradientNotFinite }
  if let target = rows.gradient {
    storeRows(UnsafePointer(workspace.gradient), count: count, lanes: lanes, into: target, stride: count)
  }
  if let target = rows.gradientTangents {
    storeRows(
      UnsafePointer(workspace.gradient), count: count, lanes: lanes, into: target, stride: count,
      isTangent: true)
  }
  return .fine
}
