import Kinematics
import Lanes

/// `R J Rᵀ` for a symmetric matrix that all worlds share.
@inline(__always)
func rotated<L: Lane>(_ r: Matrix3<L>, _ j: Constant6<L.Scalar>) -> SymmetricMatrix3<L> {
  let a =
    r.column0 * L(broadcasting: j.xx) + r.column1 * L(broadcasting: j.xy) + r.column2 * L(broadcasting: j.xz)
  let b =
    r.column0 * L(broadcasting: j.xy) + r.column1 * L(broadcasting: j.yy) + r.column2 * L(broadcasting: j.yz)
  let c =
    r.column0 * L(broadcasting: j.xz) + r.column1 * L(broadcasting: j.yz) + r.column2 * L(broadcasting: j.zz)
  @inline(__always) func sum(_ x: L, _ y: L, _ z: L, _ p: L, _ q: L, _ s: L) -> L {
    L.multiplyAdd(x, p, L.multiplyAdd(y, q, z * s))
  }
  return SymmetricMatrix3(
    xx: sum(a.x, b.x, c.x, r.column0.x, r.column1.x, r.column2.x),
    yy: sum(a.y, b.y, c.y, r.column0.y, r.column1.y, r.column2.y),
    zz: sum(a.z, b.z, c.z, r.column0.z, r.column1.z, r.column2.z),
    xy: sum(a.x, b.x, c.x, r.column0.y, r.column1.y, r.column2.y),
    xz: sum(a.x, b.x, c.x, r.column0.z, r.column1.z, r.column2.z),
    yz: sum(a.y, b.y, c.y, r.column0.z, r.column1.z, r.column2.z))
}

/// Inertias of all links in world axes about their tree's reference point.
@inline(__always)
func inertiaPass<L: Lane>(_ tree: KinematicTree<L.Scalar>, _ record: borrowing StepRecord<L>) {
  var l = 1
  while l < tree.linkCount {
    record.inertias[l] = computedInertia(tree, record, l)
    l += 1
  }
}

@inline(__always)
private func computedInertia<L: Lane>(
  _ tree: KinematicTree<L.Scalar>, _ record: borrowing StepRecord<L>, _ l: Int
) -> RigidInertia<L> {
  let link = tree.links.pointer(l)
  let pose = record.poses[l]
  let reference = record.poses[Int(link.pointee.root)].position
  let offset = pose.rotation * Vector3(broadcasting: link.pointee.center) + (pose.position - reference)
  return RigidInertia(
    mass: L(broadcasting: link.pointee.mass), offset: offset,
    central: rotated(pose.rotation, link.pointee.inertia))
}

/// A link's own inertia in the reverse sweep: retained, computed again with the matrices, or computed from its pose.
@inline(__always)
func linkInertia<L: Lane>(
  _ tree: KinematicTree<L.Scalar>, _ record: borrowing StepRecord<L>, _ l: Int
) -> RigidInertia<L> {
  record.retention != .anglesForGeometry ? record.inertias[l] : computedInertia(tree, record, l)
}

/// `I a + v x* I v`, the force that gives a body its acceleration, where `turning` is `ω x h`.
///
/// With `I = (m, h, J)`, `v = (ω, ν)` and `a = (α, β)`, Jacobi's identity turns it into
/// `(J α + ω x J ω + h x β', m β' + α x h + ω x (ω x h))`, where `β' = β + ω x ν` is the ordinary acceleration of the
/// point at the reference point.
@inline(__always)
func inertialForce<L: Lane>(
  _ inertia: RigidInertia<L>, velocity v: Motion<L>, turning: Vector3<L>, acceleration a: Motion<L>
) -> Force<L> {
  let h = inertia.firstMoment
  let acceleration = v.angular.cross(v.linear, adding: a.linear)
  return Force(
    angular: h.cross(
      acceleration,
      adding: v.angular.cross(inertia.rotational * v.angular, adding: inertia.rotational * a.angular)),
    linear: v.angular.cross(turning, adding: a.angular.cross(h, adding: acceleration * inertia.mass)))
}

/// Carries a motion over a joint's directions: velocity and bias acceleration of the link from its parent's.
///
/// With `v` before the joint, `a += v x (S q̇)` and `v += S q̇`; within a free or ball joint `v` is that before
/// its rotations, as the directions turn with the link.
@inline(__always)
func advanceThroughJoint<L: Lane>(
  _ joint: UnsafePointer<KernelJoint<L.Scalar>>, _ directions: UnsafePointer<Motion<L>>,
  _ qvel: UnsafePointer<L>, _ velocity: inout Motion<L>, _ acceleration: inout Motion<L>
) {
  let s = directions + Int(joint.pointee.direction)
  let u = qvel + Int(joint.pointee.velocityAddress)
  switch joint.pointee.kind {
  case .free:
    velocity = Motion(angular: .zero, linear: Vector3(u[0], u[1], u[2]))
    let own = s[5].multiplyAdd(u[5], s[4].multiplyAdd(u[4], s[3] * u[3]))
    acceleration.linear += velocity.linear.cross(own.angular)
    velocity += own
  case .ball:
    let own = s[2].multiplyAdd(u[2], s[1].multiplyAdd(u[1], s[0] * u[0]))
    acceleration += velocity.cross(own)
    velocity += own
  case .slide:
    let own = s[0].linear * u[0]
    acceleration.linear += velocity.angular.cross(own)
    velocity.linear += own
  case .hingeX, .hingeY, .hingeZ, .hinge:
    let own = s[0] * u[0]
    acceleration += velocity.cross(own)
    velocity += own
  }
}

/// Velocities of all links, and their accelerations at zero joint acceleration, gravity included.
@inline(__always)
func velocityPass<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing Scratch<L>
) {
  let tree = plan.tree
  scratch.velocities[0] = .zero
  scratch.accelerations[0] = Motion(angular: .zero, linear: -Vector3(broadcasting: plan.gravity))
  var l = 1
  while l < tree.linkCount {
    let link = tree.links.pointer(l)
    var velocity = scratch.velocities[Int(link.pointee.parent)]
    var acceleration = scratch.accelerations[Int(link.pointee.parent)]
    var j = Int(link.pointee.jointStart)
    while j < Int(link.pointee.jointEnd) {
      advanceThroughJoint(
        tree.joints.pointer(j), record.directions, record.velocities, &velocity, &acceleration)
      j += 1
    }
    scratch.velocities[l] = velocity
    scratch.accelerations[l] = acceleration
    l += 1
  }
}

/// Force that gives each link its acceleration: `I a + v x* I v`.
@inline(__always)
func inertialForcePass<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing Scratch<L>
) {
  var l = 1
  while l < plan.tree.linkCount {
    let inertia = record.inertias[l]
    let velocity = scratch.velocities[l]
    scratch.forces[l] = inertialForce(
      inertia, velocity: velocity, turning: velocity.angular.cross(inertia.firstMoment),
      acceleration: scratch.accelerations[l])
    l += 1
  }
}

/// Projects the links' forces on the joint directions, leaf to root: `output[i] = Sᵢ · (force of the subtree)`.
/// The links' forces become those of their subtrees.
@inline(__always)
func projectForces<L: Lane>(
  _ tree: KinematicTree<L.Scalar>, directions: UnsafePointer<Motion<L>>,
  forces: UnsafeMutablePointer<Force<L>>, output: UnsafeMutablePointer<L>
) {
  if tree.hasMimic {
    var i = 0
    while i < tree.velocityCount {
      output[i] = L(0.0)
      i += 1
    }
  }
  var l = tree.linkCount - 1
  while l > 0 {
    let link = tree.links.pointer(l)
    let force = forces[l]
    var d = Int(link.pointee.directionStart)
    while d < Int(link.pointee.directionEnd) {
      let target = Int(tree.directionDegreeOfFreedom[d])
      let value = directions[d].dot(force)
      output[target] = tree.hasMimic ? output[target] + value : value
      d += 1
    }
    let parent = Int(link.pointee.parent)
    if parent > 0 { forces[parent] += force }
    l -= 1
  }
}

/// The mass matrix, without armature, by composite rigid bodies (Featherstone 2008, table 6.2).
///
/// Where `addsFluid`, the forms in `scratch.fluidDamping` times `fluidScale` are added to the composite inertias.
@inline(__always)
func massMatrixPass<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing Scratch<L>,
  addsFluid: Bool, fluidScale: L
) {
  let tree = plan.tree
  let m = record.factor
  if tree.hasMimic {
    var i = 0
    while i < plan.pattern.entryCount {
      m[i] = L(0.0)
      i += 1
    }
  }
  var l = 1
  while l < tree.linkCount {
    scratch.composites[l] = record.inertias[l]
    l += 1
  }
  l = tree.linkCount - 1
  while l > 0 {
    let link = tree.links.pointer(l)
    let composite = scratch.composites[l]
    let parent = Int(link.pointee.parent)
    var d = Int(link.pointee.directionEnd) - 1
    while d >= Int(link.pointee.directionStart) {
      var force = composite * record.directions[d]
      if addsFluid { force += (scratch.fluidDamping[l] * record.directions[d]) * fluidScale }
      if tree.hasMimic {
        scatterRow(plan, record, direction: d, force)
      } else {
        let row = m + Int(plan.pattern.rowAddress[d])
        var j = d
        var t = 0
        while j >= 0 {
          row[t] = record.directions[j].dot(force)
          t = t &+ 1
          j = Int(tree.directionParent[j])
        }
      }
      d -= 1
    }
    if parent > 0 {
      scratch.composites[parent] += composite
      if addsFluid { scratch.fluidDamping[parent] = scratch.fluidDamping[parent] + scratch.fluidDamping[l] }
    }
    l -= 1
  }
}

/// One direction's products with all directions on its way to the root, for models with mimic joints.
@inline(__always)
private func scatterRow<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, direction: Int, _ force: Force<L>
) {
  var pair = Int(plan.pattern.pairStart[direction])
  var j = direction
  while j >= 0 {
    let value = record.directions[j].dot(force)
    let entry = plan.pattern.directionPairs[pair]
    record.factor[Int(entry.address)] += entry.isDoubled ? value + value : value
    pair += 1
    j = Int(plan.tree.directionParent[j])
  }
}
