import Kinematics
import Lanes

/// `next = positions ⊕ h velocities`: sums for scalar joints and translations, products with the exponential of the
/// rotation for free and ball joints (`next` may be `positions`).
@inline(__always)
func integratePositions<L: Lane>(
  _ tree: KinematicTree<L.Scalar>, positions q: UnsafePointer<L>, velocities v: UnsafePointer<L>,
  timestep h: L,
  next: UnsafeMutablePointer<L>
) {
  var j = 0
  while j < tree.joints.count {
    let joint = tree.joints.pointer(j)
    let at = Int(joint.pointee.positionAddress)
    let dof = Int(joint.pointee.velocityAddress)
    switch joint.pointee.kind {
    case .free:
      next[at] = L.multiplyAdd(v[dof], h, q[at])
      next[at + 1] = L.multiplyAdd(v[dof + 1], h, q[at + 1])
      next[at + 2] = L.multiplyAdd(v[dof + 2], h, q[at + 2])
      integrateRotation(q + (at + 3), v + (dof + 3), h, next + (at + 3))
    case .ball:
      integrateRotation(q + at, v + dof, h, next + at)
    case .slide, .hingeX, .hingeY, .hingeZ, .hinge:
      // A mimic joint shares its source's entries, which the source integrates.
      if !joint.pointee.isMimic { next[at] = L.multiplyAdd(v[dof], h, q[at]) }
    }
    j += 1
  }
}

@inline(__always)
private func integrateRotation<L: Lane>(
  _ q: UnsafePointer<L>, _ v: UnsafePointer<L>, _ h: L, _ next: UnsafeMutablePointer<L>
) {
  let orientation = Quaternion(q[0], q[1], q[2], q[3]).normalized
  let result = orientation * Quaternion(rotationVector: Vector3(v[0], v[1], v[2]) * h)
  next[0] = result.w
  next[1] = result.x
  next[2] = result.y
  next[3] = result.z
}

/// Reverse of ``integratePositions(_:positions:velocities:timestep:next:)``.
///
/// Cotangents of positions are in tangent coordinates: one number per degree of freedom, rotations as small turns
/// in the turned frame. With `q⁺ = q exp(h v)` a small turn of `q` appears in `q⁺` turned back by `exp(h v)`, so
/// `q̄ += exp(h v) q̄⁺`; and `v̄ += h Jr(h v)ᵀ q̄⁺`, `h̄ += v · Jr(h v)ᵀ q̄⁺`.
///
/// - Parameters:
///   - next: `q̄⁺`.
///   - positions: what `q̄` is added to; nil to put it in the place of `q̄⁺`.
@inline(__always)
func integratePositionsAdjoint<L: Lane>(
  _ tree: KinematicTree<L.Scalar>, velocities v: UnsafePointer<L>, timestep h: L,
  next: UnsafeMutablePointer<L>, positions: UnsafeMutablePointer<L>?,
  velocityCotangents: UnsafeMutablePointer<L>,
  timestepCotangent: inout L
) {
  var j = 0
  while j < tree.joints.count {
    let joint = tree.joints.pointer(j)
    let dof = Int(joint.pointee.velocityAddress)
    switch joint.pointee.kind {
    case .free:
      integrateScalarAdjoint(dof, v, h, next, positions, velocityCotangents, &timestepCotangent)
      integrateScalarAdjoint(dof + 1, v, h, next, positions, velocityCotangents, &timestepCotangent)
      integrateScalarAdjoint(dof + 2, v, h, next, positions, velocityCotangents, &timestepCotangent)
      integrateRotationAdjoint(dof + 3, v, h, next, positions, velocityCotangents, &timestepCotangent)
    case .ball:
      integrateRotationAdjoint(dof, v, h, next, positions, velocityCotangents, &timestepCotangent)
    case .slide, .hingeX, .hingeY, .hingeZ, .hinge:
      if !joint.pointee.isMimic {
        integrateScalarAdjoint(dof, v, h, next, positions, velocityCotangents, &timestepCotangent)
      }
    }
    j += 1
  }
}

@inline(__always)
private func integrateScalarAdjoint<L: Lane>(
  _ i: Int, _ v: UnsafePointer<L>, _ h: L, _ next: UnsafeMutablePointer<L>,
  _ positions: UnsafeMutablePointer<L>?, _ velocities: UnsafeMutablePointer<L>, _ timestep: inout L
) {
  let g = next[i]
  if let positions { positions[i] += g }
  velocities[i] = L.multiplyAdd(g, h, velocities[i])
  timestep = L.multiplyAdd(g, v[i], timestep)
}

@inline(__always)
private func integrateRotationAdjoint<L: Lane>(
  _ i: Int, _ v: UnsafePointer<L>, _ h: L, _ next: UnsafeMutablePointer<L>,
  _ positions: UnsafeMutablePointer<L>?, _ velocities: UnsafeMutablePointer<L>, _ timestep: inout L
) {
  let g = Vector3(next[i], next[i + 1], next[i + 2])
  let u = Vector3(v[i], v[i + 1], v[i + 2])
  let turn = u * h
  let back = Quaternion(rotationVector: turn).rotate(g)
  let byVector = rightJacobianTransposed(turn, times: g)
  if let positions {
    addVector(back, L(1.0), to: positions + i)
  } else {
    next[i] = back.x
    next[i + 1] = back.y
    next[i + 2] = back.z
  }
  addVector(byVector, h, to: velocities + i)
  timestep += byVector.dot(u)
}
