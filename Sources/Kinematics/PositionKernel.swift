public import Lanes

/// A rotation (the columns are the frame's axes) and the origin of a frame, in world coordinates.
public struct Pose<L: Lane>: Sendable {
  public var rotation: Matrix3<L>
  public var position: Vector3<L>
  @inlinable @inline(__always) public init(rotation: Matrix3<L>, position: Vector3<L>) {
    self.rotation = rotation
    self.position = position
  }
}

/// Rotates a frame about its own x axis.
@inlinable @inline(__always)
package func rotateX<L: Lane>(_ r: Matrix3<L>, _ sine: L, _ cosine: L) -> Matrix3<L> {
  Matrix3(
    columns: r.column0, r.column2.multiplyAdd(sine, r.column1 * cosine),
    r.column2 * cosine - r.column1 * sine)
}

@inlinable @inline(__always)
package func rotateY<L: Lane>(_ r: Matrix3<L>, _ sine: L, _ cosine: L) -> Matrix3<L> {
  Matrix3(
    columns: r.column0 * cosine - r.column2 * sine, r.column1,
    r.column0.multiplyAdd(sine, r.column2 * cosine))
}

@inlinable @inline(__always)
package func rotateZ<L: Lane>(_ r: Matrix3<L>, _ sine: L, _ cosine: L) -> Matrix3<L> {
  Matrix3(
    columns: r.column1.multiplyAdd(sine, r.column0 * cosine),
    r.column1 * cosine - r.column0 * sine, r.column2)
}

/// Rotates a frame about a unit axis given in it (Rodrigues' formula).
@inlinable @inline(__always)
package func rotate<L: Lane>(_ r: Matrix3<L>, about a: Vector3<L>, _ sine: L, _ cosine: L) -> Matrix3<L> {
  let t = a * (1.0 - cosine)
  let s = a * sine
  return r
    * Matrix3(
      columns: Vector3(L.multiplyAdd(t.x, a.x, cosine), L.multiplyAdd(t.x, a.y, s.z), t.x * a.z - s.y),
      Vector3(t.x * a.y - s.z, L.multiplyAdd(t.y, a.y, cosine), L.multiplyAdd(t.y, a.z, s.x)),
      Vector3(L.multiplyAdd(t.x, a.z, s.y), t.y * a.z - s.x, L.multiplyAdd(t.z, a.z, cosine)))
}

/// What to do with the sines and cosines of the hinges' angles, two numbers for each of the tree's hinges.
public struct HingeAngles<L: Lane> {
  @usableFromInline package let values: UnsafeMutablePointer<L>?
  @usableFromInline package let areKnown: Bool

  @inlinable init(values: UnsafeMutablePointer<L>?, areKnown: Bool) {
    self.values = values
    self.areKnown = areKnown
  }

  /// Compute them.
  @inlinable package static var computed: Self { Self(values: nil, areKnown: false) }
  /// Compute them, and keep them.
  @inlinable package static func kept(in values: UnsafeMutablePointer<L>) -> Self {
    Self(values: values, areKnown: false)
  }
  /// Take those that were kept.
  @inlinable package static func known(_ values: UnsafeMutablePointer<L>) -> Self {
    Self(values: values, areKnown: true)
  }
}

/// Poses of all links, and the motion each joint direction causes, from joint positions.
///
/// `poses` has one entry per link. `directions` has one entry per joint direction: the spatial velocity, in
/// world axes about the origin of the tree's root link, of everything outboard at unit joint velocity
/// (Featherstone 2008, section 2.3; MuJoCo's `cdof` about another point). Free and ball joints rotate about
/// the link's own axes. A mimic joint's direction is scaled by its multiplier.
///
/// - Parameters:
///   - angles: where sines and cosines of the hinges' angles are kept, or come from.
///   - mocapPoses: positions and quaternions of mocap bodies, seven numbers each; nil for those of the model.
///
/// Inlinable, so that the kernels of other modules contain it for their lane types.
///
/// - Complexity: O(links + joints), nothing is allocated.
@inlinable
package func positionPass<L: Lane>(
  _ tree: KinematicTree<L.Scalar>, positions q: UnsafePointer<L>, angles: HingeAngles<L> = .computed,
  mocapPoses: UnsafePointer<L>? = nil, poses: UnsafeMutablePointer<Pose<L>>,
  directions: UnsafeMutablePointer<Motion<L>>
) {
  poses[0] = Pose(rotation: .identity, position: .zero)
  var l = 1
  let linkCount = tree.linkCount
  while l < linkCount {
    let link = tree.links.pointer(l)
    let parent = poses + Int(link.pointee.parent)
    var r = parent.pointee.rotation
    var p = r * Vector3(broadcasting: link.pointee.position) + parent.pointee.position
    if link.pointee.hasRotation { r = r * Matrix3(broadcasting: link.pointee.rotation) }
    if link.pointee.mocap >= 0, let mocapPoses {
      let m = mocapPoses + 7 * Int(link.pointee.mocap)
      p = Vector3(m[0], m[1], m[2])
      r = Quaternion(m[3], m[4], m[5], m[6]).normalized.matrix
    }

    // Joints in order. In the tree's root link, whose origin is the tree's reference point, the linear part of a direction
    // is left as the anchor until that point is known.
    let isRoot = Int(link.pointee.root) == l
    let reference = poses[Int(link.pointee.root)].position
    let scales = tree.hasMimic
    var j = Int(link.pointee.jointStart)
    let jointEnd = Int(link.pointee.jointEnd)
    while j < jointEnd {
      let joint = tree.joints.pointer(j)
      let at = Int(joint.pointee.positionAddress)
      let d = directions + Int(joint.pointee.direction)
      switch joint.pointee.kind {
      case .free:
        p = Vector3(q[at], q[at + 1], q[at + 2])
        r = Quaternion(q[at + 3], q[at + 4], q[at + 5], q[at + 6]).normalized.matrix
        let zero = L(0.0)
        let one = L(1.0)
        d[0] = Motion(angular: .zero, linear: Vector3(one, zero, zero))
        d[1] = Motion(angular: .zero, linear: Vector3(zero, one, zero))
        d[2] = Motion(angular: .zero, linear: Vector3(zero, zero, one))
        d[3] = Motion(angular: r.column0, linear: p)
        d[4] = Motion(angular: r.column1, linear: p)
        d[5] = Motion(angular: r.column2, linear: p)
      case .ball:
        let anchor =
          joint.pointee.hasPosition ? r * Vector3(broadcasting: joint.pointee.position) + p : p
        r = r * Quaternion(q[at], q[at + 1], q[at + 2], q[at + 3]).normalized.matrix
        p = joint.pointee.hasPosition ? anchor - r * Vector3(broadcasting: joint.pointee.position) : p
        d[0] = Motion(angular: r.column0, linear: anchor)
        d[1] = Motion(angular: r.column1, linear: anchor)
        d[2] = Motion(angular: r.column2, linear: anchor)
        if !isRoot { setLinearPart(d, count: 3, reference) }
      case .slide:
        let axis = r * Vector3(broadcasting: joint.pointee.axis)
        let displacement = L.multiplyAdd(
          q[at], scalar: joint.pointee.multiplier, L(broadcasting: joint.pointee.offset))
        p = axis.multiplyAdd(displacement, p)
        d[0] = Motion(
          angular: .zero, linear: scales ? axis * L(broadcasting: joint.pointee.multiplier) : axis)
      case .hingeX, .hingeY, .hingeZ, .hinge:
        let sine: L
        let cosine: L
        let known = angles.values.map { $0 + 2 * Int(joint.pointee.hinge) }
        if angles.areKnown {
          sine = known.unsafelyUnwrapped[0]
          cosine = known.unsafelyUnwrapped[1]
        } else {
          let angle = L.multiplyAdd(
            q[at], scalar: joint.pointee.multiplier, L(broadcasting: joint.pointee.offset))
          sine = angle.sine
          cosine = angle.cosine
          if let known {
            known[0] = sine
            known[1] = cosine
          }
        }
        let anchor =
          joint.pointee.hasPosition ? r * Vector3(broadcasting: joint.pointee.position) + p : p
        let axis: Vector3<L>
        switch joint.pointee.kind {
        case .hingeX:
          axis = r.column0
          r = rotateX(r, sine, cosine)
        case .hingeY:
          axis = r.column1
          r = rotateY(r, sine, cosine)
        case .hingeZ:
          axis = r.column2
          r = rotateZ(r, sine, cosine)
        default:
          let local = Vector3<L>(broadcasting: joint.pointee.axis)
          axis = r * local
          r = rotate(r, about: local, sine, cosine)
        }
        p = joint.pointee.hasPosition ? anchor - r * Vector3(broadcasting: joint.pointee.position) : p
        d[0] = Motion(
          angular: axis, linear: isRoot ? anchor : (anchor - reference).cross(axis))
        if scales && !isRoot { d[0] = d[0] * L(broadcasting: joint.pointee.multiplier) }
      }
      j += 1
    }
    poses[l] = Pose(rotation: r, position: p)

    if isRoot {
      j = Int(link.pointee.jointStart)
      while j < jointEnd {
        let joint = tree.joints.pointer(j)
        let d = directions + Int(joint.pointee.direction)
        switch joint.pointee.kind {
        case .free: setLinearPart(d + 3, count: 3, p)
        case .ball: setLinearPart(d, count: 3, p)
        case .slide: break
        case .hingeX, .hingeY, .hingeZ, .hinge:
          setLinearPart(d, count: 1, p)
          if scales { d[0] = d[0] * L(broadcasting: joint.pointee.multiplier) }
        }
        j += 1
      }
    }
    l += 1
  }
}

/// Turns the anchor kept in the linear part into the velocity of the point at `reference`:
/// `axis x (reference - anchor)`.
@inlinable @inline(__always)
package func setLinearPart<L: Lane>(_ d: UnsafeMutablePointer<Motion<L>>, count: Int, _ reference: Vector3<L>)
{
  var k = 0
  while k < count {
    d[k].linear = (d[k].linear - reference).cross(d[k].angular)
    k += 1
  }
}
