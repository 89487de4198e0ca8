import Kinematics
import Lanes

/// The wrench about the reference point of a force at `point` (relative to it) and a torque.
@inline(__always)
func wrench<L: Lane>(force: Vector3<L>, torque: Vector3<L>, at point: Vector3<L>) -> Force<L> {
  Force(angular: torque + point.cross(force), linear: force)
}

/// Where a point of a link lies, relative to its tree's reference point.
@inline(__always)
func offset<L: Lane>(
  _ tree: KinematicTree<L.Scalar>, _ record: borrowing StepRecord<L>, link: Int, point: Constant3<L.Scalar>
) -> Vector3<L> {
  let pose = record.poses[link]
  let reference = record.poses[Int(tree.links.pointer(link).pointee.root)].position
  return pose.rotation * Vector3(broadcasting: point) + (pose.position - reference)
}

/// Subtracts Cartesian forces on bodies (`xfrc_applied`) from the links' forces.
@inline(__always)
func subtractCartesianForces<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ applied: UnsafePointer<L>,
  _ forces: UnsafeMutablePointer<Force<L>>
) {
  var i = 0
  while i < plan.bodyPoints.count {
    let point = plan.bodyPoints.pointer(i)
    let x = applied + 6 * Int(point.pointee.body)
    let link = Int(point.pointee.link)
    let r = offset(plan.tree, record, link: link, point: point.pointee.center)
    forces[link] =
      forces[link]
      - wrench(force: Vector3(x[0], x[1], x[2]), torque: Vector3(x[3], x[4], x[5]), at: r)
    i += 1
  }
}

/// Subtracts gravity compensation from the links' forces.
@inline(__always)
func subtractGravityCompensation<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ forces: UnsafeMutablePointer<Force<L>>
) {
  let gravity = Vector3<L>(broadcasting: plan.gravity)
  var i = 0
  while i < plan.compensatedBodies.count {
    let point = plan.compensatedBodies.pointer(i)
    let link = Int(point.pointee.link)
    let r = offset(plan.tree, record, link: link, point: point.pointee.center)
    let force = gravity * L(broadcasting: -point.pointee.compensatedMass)
    forces[link] = forces[link] - wrench(force: force, torque: .zero, at: r)
    i += 1
  }
}

/// Motion of a body in the fluid, in its inertial frame, and that frame.
struct FluidMotion<L: Lane> {
  var axes: Matrix3<L>
  var offset: Vector3<L>
  var angular: Vector3<L>
  var linear: Vector3<L>
}

@inline(__always)
func fluidMotion<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>,
  _ body: UnsafePointer<KernelFluidBody<L.Scalar>>, _ velocity: Motion<L>
) -> FluidMotion<L> {
  let link = Int(body.pointee.link)
  let axes = record.poses[link].rotation * Matrix3(broadcasting: body.pointee.axes)
  let r = offset(plan.tree, record, link: link, point: body.pointee.center)
  let relative = velocity.linear + velocity.angular.cross(r) - Vector3(broadcasting: plan.wind)
  return FluidMotion(
    axes: axes, offset: r, angular: axes.transposedTimes(velocity.angular),
    linear: axes.transposedTimes(relative))
}

/// `(linear + quadratic |x|) x`, component by component: the negative of the drag.
@inline(__always)
func drag<L: Lane>(
  _ linear: L.Scalar, _ quadratic: Constant3<L.Scalar>, _ x: Vector3<L>
) -> Vector3<L> {
  let k = L(broadcasting: linear)
  return Vector3(
    x.x * L.multiplyAdd(x.x.magnitude, scalar: quadratic.x, k),
    x.y * L.multiplyAdd(x.y.magnitude, scalar: quadratic.y, k),
    x.z * L.multiplyAdd(x.z.magnitude, scalar: quadratic.z, k))
}

/// Derivative of ``drag(_:_:_:)``, a diagonal matrix.
@inline(__always)
func dragDerivative<L: Lane>(
  _ linear: L.Scalar, _ quadratic: Constant3<L.Scalar>, _ x: Vector3<L>
) -> Vector3<L> {
  let k = L(broadcasting: linear)
  return Vector3(
    L.multiplyAdd(x.x.magnitude * 2.0, scalar: quadratic.x, k),
    L.multiplyAdd(x.y.magnitude * 2.0, scalar: quadratic.y, k),
    L.multiplyAdd(x.z.magnitude * 2.0, scalar: quadratic.z, k))
}

/// Subtracts the fluid's forces from the links' forces.
@inline(__always)
func subtractFluidForces<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>,
  velocities: UnsafePointer<Motion<L>>, _ forces: UnsafeMutablePointer<Force<L>>
) {
  var i = 0
  while i < plan.fluidBodies.count {
    let body = plan.fluidBodies.pointer(i)
    let link = Int(body.pointee.link)
    let motion = fluidMotion(plan, record, body, velocities[link])
    let torque = motion.axes * drag(body.pointee.angularLinear, body.pointee.angularQuadratic, motion.angular)
    let force = motion.axes * drag(body.pointee.linearLinear, body.pointee.linearQuadratic, motion.linear)
    forces[link] += wrench(force: force, torque: torque, at: motion.offset)
    i += 1
  }
}

/// The fluid's damping of each link (the negative derivative of its force by the link's velocity).
@inline(__always)
func fluidDampingPass<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing Scratch<L>
) {
  var l = 0
  while l < plan.tree.linkCount {
    scratch.fluidDamping[l] = .zero
    l += 1
  }
  var i = 0
  while i < plan.fluidBodies.count {
    let body = plan.fluidBodies.pointer(i)
    let link = Int(body.pointee.link)
    let motion = fluidMotion(plan, record, body, scratch.velocities[link])
    let angular = rotatedDiagonal(
      motion.axes, dragDerivative(body.pointee.angularLinear, body.pointee.angularQuadratic, motion.angular))
    let linear = rotatedDiagonal(
      motion.axes, dragDerivative(body.pointee.linearLinear, body.pointee.linearQuadratic, motion.linear))
    scratch.fluidDamping[link] =
      scratch.fluidDamping[link] + SpatialSymmetric(angular: angular, linear: linear, offset: motion.offset)
    i += 1
  }
}
