import Kinematics
import Lanes

/// Adds the joints' spring forces to generalised forces.
@inline(__always)
func addSpringForces<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, positions q: UnsafePointer<L>, to tau: UnsafeMutablePointer<L>
) {
  var i = 0
  while i < plan.activeSpringCount {
    let spring = plan.springs.pointer(i)
    let at = Int(spring.pointee.positionAddress)
    let dof = Int(spring.pointee.velocityAddress)
    let k = L(broadcasting: -spring.pointee.stiffness)
    switch spring.pointee.kind {
    case .scalar:
      let m = L(broadcasting: spring.pointee.multiplier)
      tau[dof] = L.multiplyAdd(k * m, q[at] * m - L(broadcasting: spring.pointee.rest), tau[dof])
    case .ball:
      addBallSpring(spring, q + at, k, tau + dof)
    case .free:
      let difference =
        Vector3(q[at], q[at + 1], q[at + 2]) - Vector3(broadcasting: spring.pointee.restPosition)
      tau[dof] += difference.x * k
      tau[dof + 1] += difference.y * k
      tau[dof + 2] += difference.z * k
      addBallSpring(spring, q + (at + 3), k, tau + (dof + 3))
    }
    i += 1
  }
}

/// Rotation vector from a spring's rest orientation to the current one, in the current frame.
@inline(__always)
func springRotation<L: Lane>(
  _ spring: UnsafePointer<KernelSpring<L.Scalar>>, _ q: UnsafePointer<L>
) -> Vector3<L> {
  let (w, x, y, z) = spring.pointee.restOrientation
  let rest = Quaternion<L>(
    L(broadcasting: w), L(broadcasting: x), L(broadcasting: y), L(broadcasting: z))
  return (rest.conjugate * Quaternion(q[0], q[1], q[2], q[3]).normalized).rotationVector
}

@inline(__always)
private func addBallSpring<L: Lane>(
  _ spring: UnsafePointer<KernelSpring<L.Scalar>>, _ q: UnsafePointer<L>, _ k: L,
  _ tau: UnsafeMutablePointer<L>
) {
  let rotation = springRotation(spring, q)
  tau[0] += rotation.x * k
  tau[1] += rotation.y * k
  tau[2] += rotation.z * k
}
