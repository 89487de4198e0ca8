import Kinematics
import Lanes

/// Adjoint of the joints' springs: `lambda` is the cotangent of the generalised forces.
///
/// A ball spring's torque is `-k φ` with `φ` the rotation vector from rest; `φ̄ = -k λ` becomes the cotangent of the
/// orientation by `Jr(φ)⁻ᵀ`.
@inline(__always)
func springForcesAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, positions q: UnsafePointer<L>, lambda: UnsafePointer<L>,
  positionCotangents: UnsafeMutablePointer<L>, parameters: ParameterCotangents<L>?
) {
  let count = parameters == nil ? plan.activeSpringCount : plan.springs.count
  var i = 0
  while i < count {
    let spring = plan.springs.pointer(i)
    let at = Int(spring.pointee.positionAddress)
    let dof = Int(spring.pointee.velocityAddress)
    let k = L(broadcasting: -spring.pointee.stiffness)
    switch spring.pointee.kind {
    case .scalar:
      let m = L(broadcasting: spring.pointee.multiplier)
      let byDisplacement = lambda[dof] * m * k
      positionCotangents[dof] = L.multiplyAdd(byDisplacement, m, positionCotangents[dof])
      if let parameters {
        let displacement = q[at] * m - L(broadcasting: spring.pointee.rest)
        parameters.stiffness[i] -= lambda[dof] * m * displacement
        parameters.springReference[i] -= byDisplacement
      }
    case .ball:
      ballSpringAdjoint(spring, i, q + at, k, lambda + dof, positionCotangents + dof, parameters)
    case .free:
      let byDifference = vector(lambda + dof)
      addVector(byDifference, k, to: positionCotangents + dof)
      if let parameters {
        let difference = vector(q + at) - Vector3(broadcasting: spring.pointee.restPosition)
        parameters.stiffness[i] -= byDifference.dot(difference)
      }
      ballSpringAdjoint(
        spring, i, q + (at + 3), k, lambda + (dof + 3), positionCotangents + (dof + 3), parameters)
    }
    i += 1
  }
}

@inline(__always)
private func ballSpringAdjoint<L: Lane>(
  _ spring: UnsafePointer<KernelSpring<L.Scalar>>, _ index: Int, _ q: UnsafePointer<L>, _ k: L,
  _ lambda: UnsafePointer<L>, _ positionCotangents: UnsafeMutablePointer<L>,
  _ parameters: ParameterCotangents<L>?
) {
  let rotation = springRotation(spring, q)
  let g = vector(lambda)
  addVector(inverseRightJacobianTransposed(rotation, times: g), k, to: positionCotangents)
  if let parameters { parameters.stiffness[index] -= g.dot(rotation) }
}
