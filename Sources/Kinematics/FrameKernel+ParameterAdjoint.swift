import Lanes

// Cotangents of parameters follow from the sums (F, N) of forces and moments outboard of each element, about the world's
// origin, that the backward pass leaves behind. M = N - o x F is the moment about an element's origin o.
//
// - A body's placement. All outboard is shifted by dp in the parent's axes: R_parentᵀ F; or turned about the body's
//   origin b, before its joints act, by d in the body's axes: R_bodyᵀ (N - b x F).
// - A joint's anchor c. The body is shifted to its anchor, turned, and shifted back: dc moves all outboard by
//   (R_before - R_after) dc, hence (R_before - R_after)ᵀ F, R being the body's orientation before and after the joint.
// - A hinge's axis a. Tilting it by the small turn w = a x da makes R(a) into exp(w) R(a) exp(-w), so that all outboard
//   turns by (1 - R) w in the axes before the joint. With m = R_beforeᵀ M and Rᵀ m = R_afterᵀ M the derivative is
//   (m - Rᵀ m) · (a x da) = da · ((m - Rᵀ m) x a), perpendicular to a.
// - A slide's axis. The displacement s along a shifts by s da: s R_bodyᵀ F, of which the part along a is left out.
// - A mimic's position is multiplier * q + offset: the joint's own cotangent times q, and times one.
// - A frame's pose on its body: its own force f in the body's axes, its moment in its own.

/// Where the numbers of each kind of parameter begin.
struct ParameterLayout {
  /// Six numbers per placement: position and orientation.
  let placements = 0
  /// Eight numbers per element: anchor, axis, multiplier and offset of its joint.
  let elements: Int
  /// Six numbers per frame: position and orientation.
  let frames: Int
  let count: Int

  init<Scalar: LaneScalar>(_ tree: FrameTree<Scalar>) {
    elements = 6 * tree.placements.count
    frames = elements + 8 * tree.elementParameters.count
    count = frames + 6 * tree.frameBodyRotations.count
  }
}

@inline(__always)
private func add<L: Lane>(_ v: Vector3<L>, to sums: UnsafeMutablePointer<L>) {
  sums[0] += v.x
  sums[1] += v.y
  sums[2] += v.z
}

/// Adds the parameter cotangents of one lane group, of which the workspace holds the backward pass.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func addParameters<L: Lane>(
  _ tree: FrameTree<L.Scalar>, _ workspace: FrameWorkspace<L>, _ targets: KinematicsTargets,
  to sums: UnsafeMutablePointer<L>
) where L.Scalar: LaneScalar {
  let layout = ParameterLayout(tree)
  if !targets.isDisjoint(with: [.bodyPositions, .bodyOrientations]) {
    addPlacements(tree, workspace, targets, to: sums + layout.placements)
  }
  if !targets.isDisjoint(with: [.jointPositions, .jointAxes, .mimics]) {
    addJoints(tree, workspace, targets, to: sums + layout.elements)
  }
  if !targets.isDisjoint(with: [.framePositions, .frameOrientations]), let forces = workspace.frameForces {
    addFrames(tree, workspace, forces, targets, to: sums + layout.frames)
  }
}

@inline(__always)
private func addPlacements<L: Lane>(
  _ tree: FrameTree<L.Scalar>, _ workspace: FrameWorkspace<L>, _ targets: KinematicsTargets,
  to sums: UnsafeMutablePointer<L>
) where L.Scalar: LaneScalar {
  let wantsPosition = targets.contains(.bodyPositions)
  let wantsOrientation = targets.contains(.bodyOrientations)
  var b = 0
  while b < tree.placements.count {
    let placement = tree.placements.pointer(b)
    let pose = workspace.poses[Int(placement.pointee.parentElement)]
    let wrench = workspace.wrenches[Int(placement.pointee.firstElement)]
    if wantsPosition {
      let force = pose.rotation.transposedTimes(wrench.linear)
      add(
        Matrix3<L>(broadcasting: placement.pointee.parentRotation).transposedTimes(force), to: sums + 6 * b)
    }
    if wantsOrientation {
      let origin = pose.rotation.multiplyAdd(
        Vector3(broadcasting: placement.pointee.position), pose.position)
      let moment = wrench.linear.cross(origin, adding: wrench.angular)
      add(
        Matrix3<L>(broadcasting: placement.pointee.rotation)
          .transposedTimes(pose.rotation.transposedTimes(moment)), to: sums + 6 * b + 3)
    }
    b += 1
  }
}

@inline(__always)
private func addJoints<L: Lane>(
  _ tree: FrameTree<L.Scalar>, _ workspace: FrameWorkspace<L>, _ targets: KinematicsTargets,
  to sums: UnsafeMutablePointer<L>
) where L.Scalar: LaneScalar {
  let wantsPosition = targets.contains(.jointPositions)
  let wantsAxis = targets.contains(.jointAxes)
  let wantsMimic = targets.contains(.mimics)
  var e = 1
  while e < tree.elements.count {
    let element = tree.elements.pointer(e)
    let pose = workspace.poses[e]
    let wrench = workspace.wrenches[e]
    let moment = wrench.linear.cross(pose.position, adding: wrench.angular)
    let bodyRotation = Matrix3<L>(broadcasting: tree.elementParameters.pointer(e).pointee.bodyRotation)
    let sign = tree.elementParameters.pointer(e).pointee.sign
    let q = workspace.positions[Int(element.pointee.positionAddress)]
    let target = sums + 8 * e

    /// A vector in the axes of the body as it is before the joint, less the same as it is after it.
    @inline(__always) func difference(_ v: Vector3<L>) -> Vector3<L> {
      var before = workspace.poses[Int(element.pointee.parent)].rotation.transposedTimes(v)
      if element.pointee.hasRotation {
        before = Matrix3<L>(broadcasting: element.pointee.rotation).transposedTimes(before)
      }
      return bodyRotation * (before - pose.rotation.transposedTimes(v))
    }
    @inline(__always) func addMimic(_ cotangent: L) {
      if !wantsMimic { return }
      let own = L.multiply(cotangent, scalar: sign)
      target[6] = L.multiplyAdd(own, q, target[6])
      target[7] += own
    }

    switch element.pointee.kind {
    case .fixed, .free: break
    case .ball:
      if wantsPosition { add(difference(wrench.linear), to: target) }
    case .slide:
      if wantsAxis {
        let axis = Vector3<L>(broadcasting: element.pointee.axis)
        let force = pose.rotation.transposedTimes(wrench.linear)
        add((force - axis * axis.dot(force)) * displacement(element, q), to: target + 3)
      }
      addMimic(elementAxis(element, pose.rotation).dot(wrench.linear))
    case .hingeX, .hingeY, .hingeZ:
      if wantsPosition { add(difference(wrench.linear), to: target) }
      if wantsAxis {
        add(difference(moment).cross(Vector3(broadcasting: element.pointee.axis)), to: target + 3)
      }
      addMimic(elementAxis(element, pose.rotation).dot(moment))
    }
    e += 1
  }
}

@inline(__always)
private func addFrames<L: Lane>(
  _ tree: FrameTree<L.Scalar>, _ workspace: FrameWorkspace<L>, _ forces: UnsafePointer<Force<L>>,
  _ targets: KinematicsTargets, to sums: UnsafeMutablePointer<L>
) where L.Scalar: LaneScalar {
  let wantsPosition = targets.contains(.framePositions)
  let wantsOrientation = targets.contains(.frameOrientations)
  var f = 0
  while f < tree.frames.count {
    let frame = tree.frames.pointer(f)
    let pose = workspace.poses[Int(frame.pointee.element)]
    if wantsPosition {
      let force = pose.rotation.transposedTimes(forces[f].linear)
      add(Matrix3<L>(broadcasting: tree.frameBodyRotations[f]).transposedTimes(force), to: sums + 6 * f)
    }
    if wantsOrientation {
      add(framePose(frame, pose).rotation.transposedTimes(forces[f].angular), to: sums + 6 * f + 3)
    }
    f += 1
  }
}

/// Adds values, summed over the lanes in their order and in float64, and clears them for what comes next.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func takeLaneSums<L: Lane>(
  _ values: UnsafeMutablePointer<L>, count: Int, into sums: UnsafeMutablePointer<Double>
) {
  var i = 0
  while i < count {
    var sum = 0.0
    var lane = 0
    while lane < L.laneCount {
      sum += Double(values[i][lane: lane])
      lane += 1
    }
    sums[i] += sum
    values[i] = L(0.0)
    i += 1
  }
}
