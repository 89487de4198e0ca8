import Kinematics
import Lanes

// Contacts' part of ∂/∂θ [u·f(y, θ)]. In the contact frame C at the point p the Jacobian's product with joint rates x is
//   (J x)ᵢ = cᵢ·ν (normal, tangents),  (J x)₃₊ᵢ = cᵢ·ω (torsion, rolling),
// with ν the velocity of the second link at p relative to the first at the rates x and ω the relative angular velocity. The
// multipliers m (f along λ, −g along a, −B g along v) make a force  w = Σ mᵢ cᵢ  and a torque  t = Σ m₃₊ᵢ cᵢ  at p, on the
// second link and opposite on the first; and
//   c̄ᵢ = Σ mᵢ ν + m₃₊ᵢ ω,   p̄ = Σ w x ω,
// sums over the three rates. Point, frame and distance depend on the poses of the geoms (ContactGeometry+Adjoint.swift).

/// Motions of the two links of each lane's contact, and what becomes of their cotangents.
private struct ContactLinks<L: Lane> {
  /// Relative angular velocity, and relative velocity at the contact.
  var angular: Vector3<L>
  var linear: Vector3<L>
}

@inline(__always)
func contactsAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ pass: SolverPass<L>, _ plan: DynamicsPlan<L.Scalar>,
  _ record: borrowing StepRecord<L>, lambda: UnsafePointer<L>, _ cotangents: borrowing Cotangents<L>
) where L.Scalar: LaneScalar {
  let memory = engine.adjointMemory
  let tree = plan.tree
  linkRatesPass(
    tree, directions: record.directions, dual: lambda, accelerations: record.constrainedAccelerations,
    velocities: record.velocities, memory.rates)
  var l = 0
  while l < tree.linkCount {
    memory.links[l] = .zero
    l &+= 1
  }
  var s = 0
  while s < pass.rows.slotCount {
    slotAdjoint(engine, pass, plan, record, s)
    s &+= 1
  }
  constraintSweep(
    tree, directions: record.directions, dual: lambda, accelerations: record.constrainedAccelerations,
    velocities: record.velocities, rates: memory.rates, links: memory.links,
    positionCotangents: cotangents.positions, velocityCotangents: cotangents.velocities)
}

@inline(never)
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
private func slotAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ pass: SolverPass<L>, _ plan: DynamicsPlan<L.Scalar>,
  _ record: StepRecord<L>, _ s: Int
) where L.Scalar: LaneScalar {
  let dimension = Int(pass.system.slots[s].dimension)
  let detail = engine.assembler.contactDetail[s]
  let sources = engine.assembler.contactSources + s &* L.laneCount
  let base = SolverMemory<L>.stride &* s
  let u = pass.memory.slotChange + base
  let f = pass.slotForce + base
  let w = pass.memory.slotCurvature + SolverMemory<L>.curvatureStride &* s
  let zero = L(0.0)

  // g = W u; where nothing presses nothing depends on anything.
  var g = (zero, zero, zero, zero, zero, zero)
  var activity = zero
  withUnsafeMutableBytes(of: &g) { bytes in
    let g = bytes.baseAddress!.assumingMemoryBound(to: L.self)
    var i = 0
    while i < dimension {
      var sum = zero
      var j = 0
      while j < dimension {
        let entry =
          j <= i
          ? ConstraintHessian<L>.rowStart(i) &+ j : ConstraintHessian<L>.rowStart(j) &+ i
        sum = L.multiplyAdd(w[entry], u[j], sum)
        j &+= 1
      }
      g[i] = sum
      activity += f[i].magnitude + sum.magnitude
      i &+= 1
    }
  }
  guard !(activity .== zero).allTrue else { return }

  let frame = detail.frame
  let hasSpin = dimension > 3
  let hasRolling = dimension > 4
  @inline(__always) func force(_ m: (L, L, L)) -> Vector3<L> {
    frame.column2.multiplyAdd(m.2, frame.column1.multiplyAdd(m.1, frame.column0 * m.0))
  }
  let isFrictional = dimension > 1
  let b = detail.frictionDamping
  let linear = (
    dual: (f[0], isFrictional ? f[1] : zero, isFrictional ? f[2] : zero),
    acceleration: (-g.0, -g.1, -g.2), velocity: (-(detail.damping * g.0), -(b * g.1), -(b * g.2))
  )
  let spin = (
    dual: (hasSpin ? f[3] : zero, hasRolling ? f[4] : zero, hasRolling ? f[5] : zero),
    acceleration: (-g.3, -g.4, -g.5), velocity: (-(b * g.3), -(b * g.4), -(b * g.5))
  )

  let rates = relativeRates(engine, plan, record, sources, at: detail.position)
  let wrenches = (
    dual: (force(linear.dual), force(spin.dual)),
    acceleration: (force(linear.acceleration), force(spin.acceleration)),
    velocity: (force(linear.velocity), force(spin.velocity))
  )
  scatter(engine, plan, record, sources, at: detail.position, wrenches)
  guard engine.includesGeometry else { return }

  var byFrame = Matrix3<L>.zero
  var byPosition = Vector3<L>.zero
  @inline(__always) func add(_ m: (L, L, L), _ spins: (L, L, L), _ rate: ContactLinks<L>, _ force: Vector3<L>)
  {
    byFrame.column0 += rate.linear * m.0
    byFrame.column1 += rate.linear * m.1
    byFrame.column2 += rate.linear * m.2
    if hasSpin {
      byFrame.column0 += rate.angular * spins.0
      byFrame.column1 += rate.angular * spins.1
      byFrame.column2 += rate.angular * spins.2
    }
    byPosition += force.cross(rate.angular)
  }
  add(linear.dual, spin.dual, rates.dual, wrenches.dual.0)
  add(linear.acceleration, spin.acceleration, rates.acceleration, wrenches.acceleration.0)
  add(linear.velocity, spin.velocity, rates.velocity, wrenches.velocity.0)
  var along = zero
  var i = 0
  while i < dimension {
    along = L.multiplyAdd(u[i], f[i], along)
    i &+= 1
  }
  let multipliers = RowMultipliers(u: along, force: L(1.0), g: g.0, isQuadratic: true)
  let byDistance = multipliers.byDistance(
    stiffness: detail.stiffness, offset: detail.distance - detail.margin, impedance: detail.impedance,
    slope: detail.impedanceSlope)
  var lane = 0
  while lane < L.laneCount {
    if sources[lane].candidate >= 0 && activity[lane: lane] != 0 {
      geometryAdjoint(
        engine, plan, record, sources[lane],
        features: engine.assembler.contactFeatures[s &* L.laneCount &+ lane], lane,
        signedDistance: Double(detail.distance[lane: lane]),
        distance: Double(byDistance[lane: lane]),
        position: byPosition.lane(lane),
        frame: Matrix3(
          columns: byFrame.column0.lane(lane), byFrame.column1.lane(lane), byFrame.column2.lane(lane)),
        at: detail.position.lane(lane),
        contactFrame: Matrix3(
          columns: frame.column0.lane(lane), frame.column1.lane(lane), frame.column2.lane(lane)))
    }
    lane &+= 1
  }
}

/// Motions of the second links relative to the first, at the contact.
@inline(__always)
private func relativeRates<L: Lane>(
  _ engine: ConstraintEngine<L>, _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>,
  _ sources: UnsafePointer<ContactSource>, at point: Vector3<L>
) -> (dual: ContactLinks<L>, acceleration: ContactLinks<L>, velocity: ContactLinks<L>)
where L.Scalar: LaneScalar {
  var result = LinkRates<L>.zero
  let tree = plan.tree
  let rates = engine.adjointMemory.rates
  @inline(__always) func add(_ sum: inout Motion<L>, _ motion: Motion<L>, _ lane: Int, _ sign: L.Scalar) {
    sum.angular.x[lane: lane] += sign * motion.angular.x[lane: lane]
    sum.angular.y[lane: lane] += sign * motion.angular.y[lane: lane]
    sum.angular.z[lane: lane] += sign * motion.angular.z[lane: lane]
    sum.linear.x[lane: lane] += sign * motion.linear.x[lane: lane]
    sum.linear.y[lane: lane] += sign * motion.linear.y[lane: lane]
    sum.linear.z[lane: lane] += sign * motion.linear.z[lane: lane]
  }
  // Each link's motion is about its tree's reference point; here it is carried to the world's origin.
  @inline(__always) func atOrigin(_ motion: Motion<L>, _ reference: Vector3<L>) -> Motion<L> {
    Motion(angular: motion.angular, linear: motion.linear - motion.angular.cross(reference))
  }
  var lane = 0
  while lane < L.laneCount {
    for (link, sign) in [(sources[lane].link2, L.Scalar(1)), (sources[lane].link1, L.Scalar(-1))]
    where link > 0 {
      let index = Int(link)
      let reference = record.poses[Int(tree.links.pointer(index).pointee.root)].position
      let rate = rates[index]
      add(&result.dual, atOrigin(rate.dual, reference), lane, sign)
      add(&result.acceleration, atOrigin(rate.acceleration, reference), lane, sign)
      add(&result.velocity, atOrigin(rate.velocity, reference), lane, sign)
    }
    lane &+= 1
  }
  @inline(__always) func atPoint(_ motion: Motion<L>) -> ContactLinks<L> {
    ContactLinks(angular: motion.angular, linear: motion.angular.cross(point, adding: motion.linear))
  }
  return (atPoint(result.dual), atPoint(result.acceleration), atPoint(result.velocity))
}

/// Adds forces and torques at the contact to the cotangents of the second link, and takes them off those of the first.
@inline(__always)
private func scatter<L: Lane>(
  _ engine: ConstraintEngine<L>, _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>,
  _ sources: UnsafePointer<ContactSource>, at point: Vector3<L>,
  _ wrenches: (
    dual: (Vector3<L>, Vector3<L>), acceleration: (Vector3<L>, Vector3<L>), velocity: (Vector3<L>, Vector3<L>)
  )
) where L.Scalar: LaneScalar {
  let links = engine.adjointMemory.links
  @inline(__always) func add(
    _ sum: inout Force<L>, _ wrench: (Vector3<L>, Vector3<L>), _ arm: Vector3<L>, _ lane: Int,
    _ sign: L.Scalar
  ) {
    addWrench(&sum, wrench.0, wrench.1, arm, lane, sign)
  }
  var lane = 0
  while lane < L.laneCount {
    for (link, sign) in [(sources[lane].link2, L.Scalar(1)), (sources[lane].link1, L.Scalar(-1))]
    where link > 0 {
      let index = Int(link)
      let arm = point - record.poses[Int(plan.tree.links.pointer(index).pointee.root)].position
      add(&links[index].byDual, wrenches.dual, arm, lane, sign)
      add(&links[index].byAcceleration, wrenches.acceleration, arm, lane, sign)
      add(&links[index].byVelocity, wrenches.velocity, arm, lane, sign)
    }
    lane &+= 1
  }
}

/// Adds one lane's force, at `arm` from the reference point, and torque.
@inline(__always)
private func addWrench<L: Lane>(
  _ sum: inout Force<L>, _ force: Vector3<L>, _ torque: Vector3<L>, _ arm: Vector3<L>, _ lane: Int,
  _ sign: L.Scalar
) {
  let moment = arm.cross(force, adding: torque)
  sum.angular.x[lane: lane] += sign * moment.x[lane: lane]
  sum.angular.y[lane: lane] += sign * moment.y[lane: lane]
  sum.angular.z[lane: lane] += sign * moment.z[lane: lane]
  sum.linear.x[lane: lane] += sign * force.x[lane: lane]
  sum.linear.y[lane: lane] += sign * force.y[lane: lane]
  sum.linear.z[lane: lane] += sign * force.z[lane: lane]
}

/// Hands the cotangents of one lane's contact on to the links that carry its geoms.
@inline(__always)
private func geometryAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>,
  _ source: ContactSource, features: ConvexFeatures, _ lane: Int, signedDistance: Double, distance: Double,
  position: Vector3<Double>,
  frame: Matrix3<Double>,
  at point: Vector3<Double>, contactFrame: Matrix3<Double>
) where L.Scalar: LaneScalar {
  let tables = engine.assembler.plan.contacts
  let candidate = tables.candidates.pointer(Int(source.candidate))
  func pose(_ geom: Int32) -> GeomPose<Double> {
    let place = tables.geoms.pointer(Int(tables.geomPlace[Int(geom)]))
    let link = record.poses[Int(place.pointee.link)]
    let r = Matrix3(
      columns: link.rotation.column0.lane(lane), link.rotation.column1.lane(lane),
      link.rotation.column2.lane(lane))
    let local = place.pointee.position
    let own = place.pointee.rotation
    func scalar(_ c: Constant3<L.Scalar>) -> Vector3<Double> {
      Vector3(Double(c.x), Double(c.y), Double(c.z))
    }
    return GeomPose(
      position: r * scalar(local) + link.position.lane(lane),
      rotation: r * Matrix3(columns: scalar(own.column0), scalar(own.column1), scalar(own.column2)))
  }
  func size(_ c: Constant3<L.Scalar>) -> Vector3<Double> { Vector3(Double(c.x), Double(c.y), Double(c.z)) }
  let pose1 = pose(candidate.pointee.geom1)
  let pose2 = pose(candidate.pointee.geom2)
  let cotangent = ContactCotangent<Double>(distance: distance, position: position, frame: frame)
  let own: ContactGeometryCotangent<Double>
  if candidate.pointee.kind.isAnalytic {
    own = contactGeometryAdjoint(
      candidate.pointee.kind, branch: Double(source.branch), pose1, size(candidate.pointee.size1), pose2,
      size(candidate.pointee.size2), distance: signedDistance, position: point, frame: contactFrame,
      cotangent, where: true)
  } else {
    let geoms = engine.assembler.plan.collision.geoms
    own = convexGeometryAdjoint(
      candidate.pointee.kind, geoms[Int(candidate.pointee.geom1)], pose1,
      geoms[Int(candidate.pointee.geom2)], pose2,
      Contact(
        candidate: source.candidate, number: source.number, distance: signedDistance, position: point,
        frame: contactFrame, branch: source.branch, features: features), cotangent)
    // These have no cotangents.
    if !own.defects(lane: 0).isDisjoint(with: [.notReplayable, .parallel]) {
      engine.undifferentiableContact = source.candidate
      return
    }
  }
  // Where the geometry is not smooth there is a kink.
  if own.rawDefects != 0 { engine.kinkMargin[lane: lane] = 0 }
  let links = engine.adjointMemory.links
  for (link, geom, origin) in [
    (source.link2, own.geom2, pose2.position), (source.link1, own.geom1, pose1.position),
  ] where link > 0 {
    let index = Int(link)
    let reference = record.poses[Int(plan.tree.links.pointer(index).pointee.root)].position.lane(lane)
    // About the tree's reference point.
    let moment = (origin - reference).cross(geom.force, adding: geom.torque)
    let target = links + index
    target.pointee.byPose.angular.x[lane: lane] += L.Scalar(moment.x)
    target.pointee.byPose.angular.y[lane: lane] += L.Scalar(moment.y)
    target.pointee.byPose.angular.z[lane: lane] += L.Scalar(moment.z)
    target.pointee.byPose.linear.x[lane: lane] += L.Scalar(geom.force.x)
    target.pointee.byPose.linear.y[lane: lane] += L.Scalar(geom.force.y)
    target.pointee.byPose.linear.z[lane: lane] += L.Scalar(geom.force.z)
  }
}
