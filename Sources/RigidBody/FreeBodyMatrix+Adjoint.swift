import Kinematics
import Lanes

/// Adjoint of the implicit gyroscopic term `h λᵀ B(w) â` of standalone free bodies.
///
/// With the body's angular velocity `w`, the first moment `m = mass s` and inertia `J` about its origin, `α` the
/// angular part of `â` and `l`, `n` the linear and angular parts of `λ` (all in world axes),
///   g = l·(α x (w x m) + w x (α x m)) + n·(α x J w + w x J α)
/// and all but `l` turn with the body.
@inline(__always)
func freeBodyAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ implicit: ImplicitTerms<L>,
  timestep h: L, _ cotangents: borrowing Cotangents<L>, timestepCotangent: inout L
) {
  var i = 0
  while i < plan.implicitFreeBodyCount {
    let body = plan.freeBodies[i]
    let link = Int(body.link)
    let dof = Int(body.velocityAddress)
    let rotation = record.poses[link].rotation
    let inertia = linkInertia(plan.tree, record, link)
    let m = inertia.firstMoment
    let w = rotation * vector(record.velocities + (dof + 3))
    let alpha = rotation * vector(implicit.accelerations + (dof + 3))
    let l = vector(implicit.dual + dof)
    let n = rotation * vector(implicit.dual + (dof + 3))
    let force = alpha.cross(w.cross(m)) + w.cross(alpha.cross(m))
    let jw = inertia.rotational * w
    let jAlpha = inertia.rotational * alpha
    timestepCotangent -= l.dot(force) + n.dot(alpha.cross(jw) + w.cross(jAlpha))

    let lAlpha = l.cross(alpha)
    let nAlpha = n.cross(alpha)
    var byVelocity = m.cross(lAlpha) + alpha.cross(m).cross(l)
    byVelocity += inertia.rotational * nAlpha + jAlpha.cross(n)
    addVector(rotation.transposedTimes(byVelocity), -h, to: cotangents.velocities + (dof + 3))
    addVector(rotation.transposedTimes(force.cross(l)), -h, to: cotangents.positions + (dof + 3))

    if let parameters = cotangents.parameters {
      let local = rotation.transposedTimes(lAlpha.cross(w) + l.cross(w).cross(alpha))
      parameters.inertias[link].firstMoment -= local * h
      let wBody = rotation.transposedTimes(w)
      let alphaBody = rotation.transposedTimes(alpha)
      let form =
        symmetricProduct(rotation.transposedTimes(nAlpha), wBody)
        + symmetricProduct(rotation.transposedTimes(n.cross(w)), alphaBody)
      parameters.inertias[link].rotational =
        parameters.inertias[link].rotational + scaled(form, -h)
    }
    i += 1
  }
}

/// `(a bᵀ + b aᵀ) / 2`.
@inline(__always)
func symmetricProduct<L: Lane>(_ a: Vector3<L>, _ b: Vector3<L>) -> SymmetricMatrix3<L> {
  SymmetricMatrix3(
    xx: a.x * b.x, yy: a.y * b.y, zz: a.z * b.z, xy: (a.x * b.y + a.y * b.x) * 0.5,
    xz: (a.x * b.z + a.z * b.x) * 0.5, yz: (a.y * b.z + a.z * b.y) * 0.5)
}

@inline(__always)
func scaled<L: Lane>(_ m: SymmetricMatrix3<L>, _ s: L) -> SymmetricMatrix3<L> {
  SymmetricMatrix3(xx: m.xx * s, yy: m.yy * s, zz: m.zz * s, xy: m.xy * s, xz: m.xz * s, yz: m.yz * s)
}
