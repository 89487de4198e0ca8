import Lanes

/// The frame in which a Jacobian gives velocities.
public enum JacobianReference: Sendable, Hashable, CaseIterable {
  /// World axes; the linear rows are the velocity of the point of the frame's body that passes the world's
  /// origin.
  case world
  /// The frame's own axes, at its origin.
  case local
  /// World axes, at the frame's origin: what MuJoCo's `mj_jac` gives for that point.
  case worldAligned
}

/// What moves a frame: angular velocity, and the velocity of the frame's origin, in world axes.
private struct Twist<L: Lane> {
  var angular: Vector3<L>
  var linear: Vector3<L>
}

/// Adds one column to a Jacobian of `count` columns.
@inline(__always)
private func add<L: Lane>(
  _ twist: Twist<L>, column: Int, count: Int, to staging: UnsafeMutablePointer<L>
) {
  let at = staging + column
  at[0] += twist.linear.x
  at[count] += twist.linear.y
  at[2 * count] += twist.linear.z
  at[3 * count] += twist.angular.x
  at[4 * count] += twist.angular.y
  at[5 * count] += twist.angular.z
}

/// The axis about which, or along which, an element moves at unit velocity.
@inline(__always)
func elementAxis<L: Lane>(
  _ element: UnsafePointer<FrameElement<L.Scalar>>, _ rotation: Matrix3<L>
) -> Vector3<L> {
  switch element.pointee.kind {
  case .hingeX: rotation.column0
  case .hingeY: rotation.column1
  case .slide: rotation * Vector3(broadcasting: element.pointee.axis)
  default: rotation.column2
  }
}

/// The three axes of a frame.
@inline(__always)
private func column<L: Lane>(_ r: Matrix3<L>, _ k: Int) -> Vector3<L> {
  k == 0 ? r.column0 : k == 1 ? r.column1 : r.column2
}

@inline(__always)
private func unit<L: Lane>(_ k: Int) -> Vector3<L> {
  Vector3(L(k == 0 ? 1.0 : 0.0), L(k == 1 ? 1.0 : 0.0), L(k == 2 ? 1.0 : 0.0))
}

/// Angular velocity of every element and linear velocity of its origin.
@inline(__always)
private func elementMotions<L: Lane>(
  _ tree: FrameTree<L.Scalar>, _ workspace: FrameWorkspace<L>
) where L.Scalar: LaneScalar {
  let v = workspace.velocities
  let poses = workspace.poses
  let motions = workspace.motions
  motions[0] = .zero
  var e = 1
  while e < tree.elements.count {
    let element = tree.elements.pointer(e)
    let parent = Int(element.pointee.parent)
    let at = Int(element.pointee.velocityAddress)
    var angular = motions[parent].angular
    var linear = motions[parent].linear + angular.cross(poses[e].position - poses[parent].position)
    let r = poses[e].rotation
    switch element.pointee.kind {
    case .fixed: break
    case .free:
      linear = Vector3(v[at], v[at + 1], v[at + 2])
      angular = r * Vector3(v[at + 3], v[at + 4], v[at + 5])
    case .ball:
      angular += r * Vector3(v[at], v[at + 1], v[at + 2])
    case .slide:
      linear = elementAxis(element, r).multiplyAdd(
        L.multiply(v[at], scalar: element.pointee.multiplier), linear)
    case .hingeX, .hingeY, .hingeZ:
      angular = elementAxis(element, r)
        .multiplyAdd(L.multiply(v[at], scalar: element.pointee.multiplier), angular)
    }
    motions[e] = Motion(angular: angular, linear: linear)
    e += 1
  }
}

/// Jacobians of all frames for the configurations (and velocities) that are loaded in the workspace: rows of
/// `frames x 6 x nv` numbers.
///
/// A column is the velocity that its degree of freedom causes: `a x (x - o)` at the point `x` and `a` for a
/// rotation about the axis `a` through `o`, `a` and zero for a translation. Its rate follows by the product
/// rule, with `a` and `o` carried by the element and `x` by the frame.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func jacobianGroup<L: Lane>(
  _ tree: FrameTree<L.Scalar>, _ workspace: FrameWorkspace<L>, reference: JacobianReference, lanes: Int,
  into rows: UnsafeMutablePointer<L.Scalar>, isRate: Bool
) where L.Scalar: LaneScalar {
  placeElements(tree, workspace, format: .matrix3x4)
  if isRate { elementMotions(tree, workspace) }
  let columnCount = tree.velocityCount
  let width = 6 * columnCount
  let staging = workspace.staging
  var f = 0
  while f < tree.frames.count {
    var i = 0
    while i < width {
      staging[i] = L(0.0)
      i += 1
    }
    let frame = tree.frames.pointer(f)
    let carrier = Int(frame.pointee.element)
    let pose = framePose(frame, workspace.poses[carrier])
    var point = pose.position
    var pointVelocity = Vector3<L>.zero
    let carrierMotion = workspace.motions[carrier]
    if isRate {
      pointVelocity =
        carrierMotion.linear + carrierMotion.angular.cross(point - workspace.poses[carrier].position)
    }
    if reference == .world {
      point = .zero
      pointVelocity = .zero
    }

    var k = Int(frame.pointee.pathStart)
    while k < Int(frame.pointee.pathEnd) {
      let e = Int(tree.paths[k])
      let element = tree.elements.pointer(e)
      let r = workspace.poses[e].rotation
      let arm = point - workspace.poses[e].position
      let motion = workspace.motions[e]
      let at = Int(element.pointee.velocityAddress)
      let multiplier = L(broadcasting: element.pointee.multiplier)

      @inline(__always) func finish(_ twist: Twist<L>, rate: Twist<L>, _ column: Int) {
        var result = isRate ? rate : twist
        if reference == .local {
          if isRate {
            result.linear = result.linear - carrierMotion.angular.cross(twist.linear)
            result.angular = result.angular - carrierMotion.angular.cross(twist.angular)
          }
          result.linear = pose.rotation.transposedTimes(result.linear)
          result.angular = pose.rotation.transposedTimes(result.angular)
        }
        add(result, column: column, count: columnCount, to: staging)
      }
      @inline(__always) func turn(_ axis: Vector3<L>, _ column: Int) {
        let twist = Twist(angular: axis, linear: axis.cross(arm))
        var rate = twist
        if isRate {
          let axisRate = motion.angular.cross(axis)
          rate = Twist(
            angular: axisRate,
            linear: axisRate.cross(arm) + axis.cross(pointVelocity - motion.linear))
        }
        finish(twist, rate: rate, column)
      }
      @inline(__always) func shift(_ axis: Vector3<L>, moves: Bool, _ column: Int) {
        let rate = Twist(angular: .zero, linear: moves ? motion.angular.cross(axis) : .zero)
        finish(Twist(angular: .zero, linear: axis), rate: rate, column)
      }

      switch element.pointee.kind {
      case .fixed: break
      case .free:
        var c = 0
        while c < 3 {
          shift(unit(c), moves: false, at + c)
          turn(column(r, c), at + 3 + c)
          c += 1
        }
      case .ball:
        var c = 0
        while c < 3 {
          turn(column(r, c), at + c)
          c += 1
        }
      case .slide:
        shift(elementAxis(element, r) * multiplier, moves: true, at)
      case .hingeX, .hingeY, .hingeZ:
        turn(elementAxis(element, r) * multiplier, at)
      }
      k += 1
    }
    storeRows(
      staging, count: width, lanes: lanes, into: rows + f * width, stride: tree.frames.count * width)
    f += 1
  }
}

/// Poses of all frames and the joints' own Jacobians in one pass, for the configurations that are loaded in the
/// workspace: rows of `6 x columns` numbers.
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
func jointJacobianGroup<L: Lane>(
  _ tree: FrameTree<L.Scalar>, _ workspace: FrameWorkspace<L>, lanes: Int,
  into rows: UnsafeMutablePointer<L.Scalar>
) where L.Scalar: LaneScalar {
  let count = tree.columnCount
  let staging = workspace.staging
  var i = 0
  while i < 6 * count {
    staging[i] = L(0.0)
    i += 1
  }
  var e = 1
  while e < tree.elements.count {
    let element = tree.elements.pointer(e)
    let pose = workspace.poses[e]
    let at = Int(element.pointee.column)
    let multiplier = L(broadcasting: element.pointee.multiplier)
    @inline(__always) func turn(_ axis: Vector3<L>, _ column: Int) {
      add(
        Twist(angular: axis, linear: pose.position.cross(axis)), column: column, count: count, to: staging)
    }
    @inline(__always) func shift(_ axis: Vector3<L>, _ column: Int) {
      add(Twist(angular: .zero, linear: axis), column: column, count: count, to: staging)
    }
    switch element.pointee.kind {
    case .fixed: break
    case .free:
      var c = 0
      while c < 3 {
        shift(unit(c), at + c)
        turn(column(pose.rotation, c), at + 3 + c)
        c += 1
      }
    case .ball:
      var c = 0
      while c < 3 {
        turn(column(pose.rotation, c), at + c)
        c += 1
      }
    case .slide: shift(elementAxis(element, pose.rotation) * multiplier, at)
    case .hingeX, .hingeY, .hingeZ: turn(elementAxis(element, pose.rotation) * multiplier, at)
    }
    e += 1
  }
  storeRows(UnsafePointer(staging), count: 6 * count, lanes: lanes, into: rows, stride: 6 * count)
}
