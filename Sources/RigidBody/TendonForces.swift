import Kinematics
import Lanes

/// How far a tendon's spring is from its range of rest: zero within it.
@inline(__always)
func springExtension<L: Lane>(_ t: UnsafePointer<KernelTransmission<L.Scalar>>, length: L) -> L {
  let zero = L(0.0)
  return L.maximum(length - L(broadcasting: t.pointee.springUpper), zero)
    + L.minimum(length - L(broadcasting: t.pointee.springLower), zero)
}

/// Adds the springs and dampers of tendons to generalised forces.
@inline(__always)
func addTendonForces<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, to tau: UnsafeMutablePointer<L>
) {
  guard plan.hasTransmissions && plan.transmissions.hasTendonForces else { return }
  var i = 0
  while i < plan.transmissions.activeCount {
    let t = plan.transmissions.transmissions.pointer(i)
    if t.pointee.stiffness != 0 || t.pointee.damping != 0 {
      let velocity = alongTransmission(plan, record, i, record.velocities)
      var force = L.multiply(
        springExtension(t, length: record.lengths[i]), scalar: -t.pointee.stiffness)
      force = L.multiplyAdd(velocity, scalar: -t.pointee.damping, force)
      addAlongTransmission(plan, record, i, force, to: tau)
    }
    i += 1
  }
}

/// Adds the inertia of tendons to the mass matrix.
@inline(__always)
func addTendonArmature<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, to m: UnsafeMutablePointer<L>
) {
  guard plan.hasTransmissions && plan.transmissions.hasArmature else { return }
  var i = 0
  while i < plan.transmissions.activeCount {
    let armature = plan.transmissions.transmissions.pointer(i).pointee.armature
    if armature != 0 { addMomentProduct(plan, record, i, L(broadcasting: armature), to: m) }
    i += 1
  }
}

/// Adds the dampers of tendons, as far as the integrator takes them implicitly, times the timestep to the matrix.
@inline(__always)
func addTendonDamping<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, timestep h: L,
  to m: UnsafeMutablePointer<L>
) {
  guard plan.hasTransmissions && plan.transmissions.hasImplicitDamping else { return }
  var i = 0
  while i < plan.transmissions.activeCount {
    let damping = plan.transmissions.transmissions.pointer(i).pointee.implicitDamping
    if damping != 0 { addMomentProduct(plan, record, i, L.multiply(h, scalar: damping), to: m) }
    i += 1
  }
}
