import Kinematics
import Lanes

// Adjoints of the forces on links; see InverseDynamics+Adjoint.swift for L, F, V, N. A force X on a link enters L as
// −w·X.

/// A force fixed in the world at a point fixed in a link: what it adds to F and N; returns the point's part of the
/// dual motion, which is the cotangent of the force with the opposite sign.
@inline(__always)
private func fixedForceAdjoint<L: Lane>(
  _ scratch: borrowing AdjointScratch<L>, link: Int, force: Vector3<L>, torque: Vector3<L>, at r: Vector3<L>
) -> Vector3<L> {
  let w = scratch.motions[link].dual
  let dual = w.linear + w.angular.cross(r)
  scratch.byDual[link] = scratch.byDual[link] - wrench(force: force, torque: torque, at: r)
  scratch.byTurning[link] += torque.cross(w.angular) + force.cross(dual)
  return dual
}

@inline(__always)
func cartesianForcesAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  applied: UnsafePointer<L>, _ cotangents: borrowing Cotangents<L>
) {
  var i = 0
  while i < plan.bodyPoints.count {
    let point = plan.bodyPoints.pointer(i)
    let link = Int(point.pointee.link)
    let at = 6 * Int(point.pointee.body)
    let r = offset(plan.tree, record, link: link, point: point.pointee.center)
    let force = vector(applied + at)
    let dual = fixedForceAdjoint(
      scratch, link: link, force: force, torque: vector(applied + (at + 3)), at: r)
    if let target = cotangents.cartesianForces {
      addVector(dual, L(1.0), to: target + at)
      addVector(scratch.motions[link].dual.angular, L(1.0), to: target + (at + 3))
    }
    if let parameters = cotangents.parameters {
      // −∂L/∂r = f x w, in the link's axes.
      parameters.bodyPoints[i] += record.poses[link].rotation.transposedTimes(
        force.cross(scratch.motions[link].dual.angular))
    }
    i += 1
  }
}

@inline(__always)
func gravityCompensationAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  _ cotangents: borrowing Cotangents<L>
) {
  let gravity = Vector3<L>(broadcasting: plan.gravity)
  var i = 0
  while i < plan.compensatedBodies.count {
    let point = plan.compensatedBodies.pointer(i)
    let link = Int(point.pointee.link)
    let r = offset(plan.tree, record, link: link, point: point.pointee.center)
    let mass = L(broadcasting: point.pointee.compensatedMass)
    let force = gravity * -mass
    let dual = fixedForceAdjoint(scratch, link: link, force: force, torque: .zero, at: r)
    if let parameters = cotangents.parameters {
      parameters.compensatedPoints[i] += record.poses[link].rotation.transposedTimes(
        force.cross(scratch.motions[link].dual.angular))
      parameters.compensatedMasses[i] -= gravity.dot(dual)
      parameters.gravity[0] -= dual * mass
    }
    i += 1
  }
}

/// Which of the fluid's terms are differentiated: its forces, and their implicit treatment.
enum FluidTerms {
  case forces, implicitTerms, all
}

/// Adjoint of the fluid's forces, and of their implicit treatment `h wᵀ B(v) α` where `α` is the motion at joint
/// rates `â`.
@inline(__always)
func fluidForcesAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  _ terms: FluidTerms, timestep h: L, _ cotangents: borrowing Cotangents<L>, timestepCotangent: inout L
) {
  let wind = Vector3<L>(broadcasting: plan.wind)
  let implicit = plan.hasImplicitFluid && terms != .forces
  let hasForces = terms != .implicitTerms
  var i = 0
  while i < plan.fluidBodies.count {
    let body = plan.fluidBodies.pointer(i)
    let link = Int(body.pointee.link)
    let motion = fluidMotion(plan, record, body, scratch.motions[link].velocity)
    let r = motion.offset
    let w = scratch.motions[link].dual
    let wAngular = motion.axes.transposedTimes(w.angular)
    let wLinear = motion.axes.transposedTimes(w.linear + w.angular.cross(r))
    let angularSlope = dragDerivative(
      body.pointee.angularLinear, body.pointee.angularQuadratic, motion.angular)
    let linearSlope = dragDerivative(body.pointee.linearLinear, body.pointee.linearQuadratic, motion.linear)
    // In the inertial frame: cotangents of dual motion and of velocity, angular and linear.
    var (dualAngular, dualLinear) = (Vector3<L>.zero, Vector3<L>.zero)
    var (velocityAngular, velocityLinear) = (Vector3<L>.zero, Vector3<L>.zero)
    // Derivatives of L by the coefficients: of |x| x and of x.
    var (angularSquare, linearSquare) = (Vector3<L>.zero, Vector3<L>.zero)
    var (angularFirst, linearFirst) = (L(0.0), L(0.0))
    if hasForces {
      dualAngular = drag(body.pointee.angularLinear, body.pointee.angularQuadratic, motion.angular)
      dualLinear = drag(body.pointee.linearLinear, body.pointee.linearQuadratic, motion.linear)
      velocityAngular = product(angularSlope, wAngular)
      velocityLinear = product(linearSlope, wLinear)
      angularSquare = product(wAngular, product(magnitude(motion.angular), motion.angular))
      linearSquare = product(wLinear, product(magnitude(motion.linear), motion.linear))
      angularFirst = wAngular.dot(motion.angular)
      linearFirst = wLinear.dot(motion.linear)
    }
    if implicit {
      let rate = scratch.rates[link]
      let rateAngular = motion.axes.transposedTimes(rate.angular)
      let rateLinear = motion.axes.transposedTimes(rate.linear + rate.angular.cross(r))
      let bRateAngular = product(angularSlope, rateAngular)
      let bRateLinear = product(linearSlope, rateLinear)
      timestepCotangent -= wAngular.dot(bRateAngular) + wLinear.dot(bRateLinear)
      dualAngular += bRateAngular * h
      dualLinear += bRateLinear * h
      let byRateAngular = product(angularSlope, wAngular) * h
      let byRateLinear = product(linearSlope, wLinear) * h
      scratch.byRate[link] += wrench(
        force: motion.axes * byRateLinear, torque: motion.axes * byRateAngular, at: r)
      let angularProduct = product(wAngular, rateAngular)
      let linearProduct = product(wLinear, rateLinear)
      velocityAngular +=
        product(
          curvature(body.pointee.angularQuadratic, motion.angular), angularProduct) * h
      velocityLinear +=
        product(
          curvature(body.pointee.linearQuadratic, motion.linear), linearProduct) * h
      angularFirst += (angularProduct.x + angularProduct.y + angularProduct.z) * h
      linearFirst += (linearProduct.x + linearProduct.y + linearProduct.z) * h
      angularSquare += product(angularProduct, magnitude(motion.angular)) * (h + h)
      linearSquare += product(linearProduct, magnitude(motion.linear)) * (h + h)
      if let parameters = cotangents.parameters {
        parameters.fluidPoints[i] -= record.poses[link].rotation.transposedTimes(
          (motion.axes * byRateLinear).cross(rate.angular))
      }
    }
    let byPoint = motion.axes * velocityLinear
    let pointCotangent = motion.axes * dualLinear
    scratch.byDual[link] += wrench(force: pointCotangent, torque: motion.axes * dualAngular, at: r)
    scratch.byVelocity[link] += wrench(force: byPoint, torque: motion.axes * velocityAngular, at: r)
    scratch.byTurning[link] += wind.cross(byPoint)
    if let parameters = cotangents.parameters {
      // u(r) = u + w x r enters through every motion that is taken at the centre of mass.
      parameters.fluidPoints[i] -= record.poses[link].rotation.transposedTimes(
        pointCotangent.cross(w.angular) + byPoint.cross(scratch.motions[link].velocity.angular))
      let c = parameters.fluidCoefficients + 8 * i
      c[0] -= angularFirst
      c[1] -= linearFirst
      c[2] -= angularSquare.x
      c[3] -= angularSquare.y
      c[4] -= angularSquare.z
      c[5] -= linearSquare.x
      c[6] -= linearSquare.y
      c[7] -= linearSquare.z
    }
    i += 1
  }
}

@inline(__always)
private func product<L: Lane>(_ a: Vector3<L>, _ b: Vector3<L>) -> Vector3<L> {
  Vector3(a.x * b.x, a.y * b.y, a.z * b.z)
}

@inline(__always)
private func magnitude<L: Lane>(_ a: Vector3<L>) -> Vector3<L> {
  Vector3(a.x.magnitude, a.y.magnitude, a.z.magnitude)
}

/// Second derivative of the drag: `2 quadratic sign(x)`, zero at zero.
@inline(__always)
private func curvature<L: Lane>(_ quadratic: Constant3<L.Scalar>, _ x: Vector3<L>) -> Vector3<L> {
  @inline(__always) func sign(_ value: L, _ c: L.Scalar) -> L {
    let two = L(broadcasting: c) * 2.0
    let zero = L(0.0)
    return zero.replacing(with: two, where: zero .< value).replacing(with: -two, where: value .< zero)
  }
  return Vector3(sign(x.x, quadratic.x), sign(x.y, quadratic.y), sign(x.z, quadratic.z))
}

/// Motions of the links at joint rates `â`, for the implicit treatment of the fluid.
@inline(__always)
func ratePass<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>
) {
  let tree = plan.tree
  scratch.rates[0] = .zero
  var l = 1
  while l < tree.linkCount {
    let link = tree.links.pointer(l)
    var rate = scratch.rates[Int(link.pointee.parent)]
    var d = Int(link.pointee.directionStart)
    while d < Int(link.pointee.directionEnd) {
      rate = record.directions[d].multiplyAdd(
        record.accelerations[Int(tree.directionDegreeOfFreedom[d])], rate)
      d += 1
    }
    scratch.rates[l] = rate
    scratch.byRate[l] = .zero
    l += 1
  }
}

/// The part of `∂L/∂q` in which the motion at rates `â` is turned: `(α x S)·Q`.
@inline(__always)
func inwardRatePass<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  positions: UnsafeMutablePointer<L>
) {
  let tree = plan.tree
  var l = tree.linkCount - 1
  while l > 0 {
    let link = tree.links.pointer(l)
    let byRate = scratch.byRate[l]
    // The rate before each joint is that of the link less what its own joints, from this one on, add.
    var rate = scratch.rates[l]
    var j = Int(link.pointee.jointEnd) - 1
    while j >= Int(link.pointee.jointStart) {
      let joint = tree.joints.pointer(j)
      var s = UnsafePointer(record.directions + Int(joint.pointee.direction))
      var dof = Int(joint.pointee.velocityAddress)
      var count = 1
      if joint.pointee.kind == .ball || joint.pointee.kind == .free { count = 3 }
      if joint.pointee.kind == .free {
        s += 3
        dof += 3
      }
      var k = 0
      while k < count {
        rate = rate - s[k] * record.accelerations[dof + k]
        k += 1
      }
      let turned = rate.cross(byRate)
      k = 0
      while k < count {
        positions[dof + k] += s[k].dot(turned)
        k += 1
      }
      j -= 1
    }
    let parent = Int(link.pointee.parent)
    if parent > 0 { scratch.byRate[parent] += byRate }
    l -= 1
  }
}
