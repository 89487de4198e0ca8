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

/// Rows on the motions of links: contacts, connects and welds. What they leave on links is for ``ConstraintSweep``.
@inline(__always)
func linkRowsAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ pass: SolverPass<L>, _ plan: DynamicsPlan<L.Scalar>,
  _ record: borrowing StepRecord<L>, _ inputs: StepInputs<L>, lambda: UnsafePointer<L>,
  _ cotangents: borrowing Cotangents<L>
) where L.Scalar: LaneScalar {
  linkRatesPass(
    plan.tree, directions: record.directions, dual: lambda, accelerations: record.constrainedAccelerations,
    velocities: record.velocities, engine.adjointMemory.rates)
  let parameters = cotangents.parameters?.constraints
  linkEqualitiesAdjoint(engine, record, parameters)
  if pass.rows.slotCount > 0 { slotsAdjoint(engine, pass, plan, record, parameters) }
}

@inline(never)
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
private func slotsAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ pass: SolverPass<L>, _ plan: DynamicsPlan<L.Scalar>,
  _ record: borrowing StepRecord<L>, _ parameters: UnsafeMutablePointer<L>?
) where L.Scalar: LaneScalar {
  var s = 0
  while s < pass.rows.slotCount {
    slotAdjoint(engine, pass, plan, record, s, parameters)
    s &+= 1
  }
}

@inline(__always)
private func slotAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ pass: SolverPass<L>, _ plan: DynamicsPlan<L.Scalar>,
  _ record: borrowing StepRecord<L>, _ s: Int, _ parameters: UnsafeMutablePointer<L>?
) where L.Scalar: LaneScalar {
  let dimension = Int(pass.system.slots[s].dimension)
  let detail = engine.assembler.contactDetail + s
  let base = SolverMemory<L>.stride &* s
  let u = pass.memory.slotChange + base
  let f = pass.slotForce + base
  let w = pass.memory.slotCurvature + SolverMemory<L>.curvatureStride &* s
  let zero = L(0.0)

  // g = W u; where nothing presses nothing depends on anything.
  var g = (zero, zero, zero, zero, zero, zero)
  var activity = zero
  if dimension == 3 {
    g.0 = L.multiplyAdd(w[0], u[0], L.multiplyAdd(w[1], u[1], w[3] * u[2]))
    g.1 = L.multiplyAdd(w[1], u[0], L.multiplyAdd(w[2], u[1], w[4] * u[2]))
    g.2 = L.multiplyAdd(w[3], u[0], L.multiplyAdd(w[4], u[1], w[5] * u[2]))
    activity =
      f[0].magnitude + f[1].magnitude + f[2].magnitude + g.0.magnitude + g.1.magnitude + g.2.magnitude
  } else {
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
  }
  // What actuators on bodies add along the normal.
  var pull = zero
  if engine.hasBodyTransmissions {
    pull = engine.bodyTransmissions.slotForce.base[s]
    activity += pull.magnitude
  }
  guard !(activity .== zero).allTrue else { return }

  let frame = detail.pointee.frame
  let hasSpin = dimension > 3
  let hasRolling = dimension > 4
  @inline(__always) func force(_ m: (L, L, L)) -> Vector3<L> {
    frame.column2.multiplyAdd(m.2, frame.column1.multiplyAdd(m.1, frame.column0 * m.0))
  }
  let isFrictional = dimension > 1
  let b = detail.pointee.frictionDamping
  let linear = (
    dual: (f[0] + pull, isFrictional ? f[1] : zero, isFrictional ? f[2] : zero),
    acceleration: (-g.0, -g.1, -g.2), velocity: (-(detail.pointee.damping * g.0), -(b * g.1), -(b * g.2))
  )
  let spin = (
    dual: (hasSpin ? f[3] : zero, hasRolling ? f[4] : zero, hasRolling ? f[5] : zero),
    acceleration: (-g.3, -g.4, -g.5), velocity: (-(b * g.3), -(b * g.4), -(b * g.5))
  )

  let linkCount = listLinks(engine, s)
  let rates = relativeRates(engine, plan, record, linkCount, at: detail.pointee.position)
  let wrenches = (
    dual: (force(linear.dual), force(spin.dual)),
    acceleration: (force(linear.acceleration), force(spin.acceleration)),
    velocity: (force(linear.velocity), force(spin.velocity))
  )
  scatter(engine, plan, record, linkCount, at: detail.pointee.position, wrenches)
  guard engine.includesGeometry || parameters != nil else { return }

  var along = zero
  var i = 0
  while i < dimension {
    along = L.multiplyAdd(u[i], f[i], along)
    i &+= 1
  }
  let multipliers = RowMultipliers(u: along, force: L(1.0), g: g.0)
  let byDistance = multipliers.byDistance(
    stiffness: detail.pointee.stiffness, offset: detail.pointee.distance - detail.pointee.margin,
    impedance: detail.pointee.impedance, slope: detail.pointee.impedanceSlope)
  if let parameters {
    let (v, w) = (rates.velocity.linear, rates.velocity.angular)
    var velocity = (
      frame.column0.dot(v), frame.column1.dot(v), frame.column2.dot(v), frame.column0.dot(w),
      frame.column1.dot(w), frame.column2.dot(w)
    )
    withUnsafeBytes(of: &velocity) { velocity in
      withUnsafeBytes(of: &g) { g in
        ContactParameterCotangents(
          pass, s, dimension: dimension, detail.pointee, u: u,
          g: g.baseAddress!.assumingMemoryBound(to: L.self),
          velocity: velocity.baseAddress!.assumingMemoryBound(to: L.self), along: along,
          distanceCotangent: byDistance
        ).add(
          to: parameters, engine.parameterLayout, engine.assembler.plan.contacts,
          engine.assembler.contactSources + s &* L.laneCount, detail.pointee)
      }
    }
  }
  guard engine.includesGeometry else { return }

  var cotangent = ContactCotangent<L>(distance: zero, position: .zero, frame: .zero)
  cotangent.add(linear.dual, rates.dual, wrenches.dual.0)
  cotangent.add(linear.acceleration, rates.acceleration, wrenches.acceleration.0)
  cotangent.add(linear.velocity, rates.velocity, wrenches.velocity.0)
  if hasSpin {
    cotangent.addSpin(spin.dual, rates.dual)
    cotangent.addSpin(spin.acceleration, rates.acceleration)
    cotangent.addSpin(spin.velocity, rates.velocity)
  }
  cotangent.distance = byDistance
  geometryAdjoint(
    engine, plan, record, s, linkCount, isActive: .!(activity .== zero), cotangent, parameters)
}

extension ContactCotangent {
  /// What the multipliers `m` of normal and tangents, which make `force`, give to frame and point.
  @inline(__always)
  fileprivate mutating func add(_ m: (L, L, L), _ rate: ContactLinks<L>, _ force: Vector3<L>) {
    frame.column0 += rate.linear * m.0
    frame.column1 += rate.linear * m.1
    frame.column2 += rate.linear * m.2
    position += force.cross(rate.angular)
  }

  /// The same of torsion and rolling.
  @inline(__always)
  fileprivate mutating func addSpin(_ m: (L, L, L), _ rate: ContactLinks<L>) {
    frame.column0 += rate.angular * m.0
    frame.column1 += rate.angular * m.1
    frame.column2 += rate.angular * m.2
  }
}

/// Lists the links of all lanes' contacts, once each, with the lanes (1, else 0) in which each is the first and the second.
///
/// - Returns: How many there are.
@inline(__always)
private func listLinks<L: Lane>(
  _ engine: ConstraintEngine<L>, _ s: Int
) -> Int where L.Scalar: LaneScalar {
  let memory = engine.adjointMemory
  let contacts = engine.assembler.memory
  let candidates = engine.assembler.plan.contacts.candidates
  var count = 0
  var pending = contacts.lanes(in: s)
  while let (candidate, lanes) = contacts.nextCandidate(in: s, &pending) {
    let pair = candidates.pointer(candidate)
    if pair.pointee.link1 > 0 {
      let k = place(pair.pointee.link1, memory, &count)
      memory.isFirst[k] = memory.isFirst[k].replacing(with: L(1.0), where: lanes)
    }
    if pair.pointee.link2 > 0 {
      let k = place(pair.pointee.link2, memory, &count)
      memory.isSecond[k] = memory.isSecond[k].replacing(with: L(1.0), where: lanes)
    }
  }
  return count
}

/// The place of a link in a slot's list, to which it is added if it is new.
@inline(__always)
private func place<L: Lane>(_ link: Int32, _ memory: ConstraintAdjointMemory<L>, _ count: inout Int) -> Int {
  var k = 0
  while k < count {
    if memory.slotLinks[k] == link { return k }
    k &+= 1
  }
  memory.slotLinks[count] = link
  memory.isFirst[count] = L(0.0)
  memory.isSecond[count] = L(0.0)
  count &+= 1
  return count &- 1
}

/// Motions of the second links relative to the first, at the contact.
@inline(__always)
private func relativeRates<L: Lane>(
  _ engine: ConstraintEngine<L>, _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>,
  _ linkCount: Int, at point: Vector3<L>
) -> (dual: ContactLinks<L>, acceleration: ContactLinks<L>, velocity: ContactLinks<L>)
where L.Scalar: LaneScalar {
  let memory = engine.adjointMemory
  var result = (
    dual: ContactLinks<L>(angular: .zero, linear: .zero),
    acceleration: ContactLinks<L>(angular: .zero, linear: .zero),
    velocity: ContactLinks<L>(angular: .zero, linear: .zero)
  )
  @inline(__always) func add(_ sum: inout ContactLinks<L>, _ motion: Motion<L>, _ arm: Vector3<L>, _ sign: L)
  {
    sum.angular = motion.angular.multiplyAdd(sign, sum.angular)
    sum.linear = motion.angular.cross(arm, adding: motion.linear).multiplyAdd(sign, sum.linear)
  }
  var k = 0
  while k < linkCount {
    let index = Int(memory.slotLinks[k])
    let arm = point - reference(plan, record, index)
    let sign = memory.isSecond[k] - memory.isFirst[k]
    add(&result.dual, memory.rates[index].dual, arm, sign)
    add(&result.acceleration, memory.rates[index].acceleration, arm, sign)
    add(&result.velocity, memory.rates[index].velocity, arm, sign)
    k &+= 1
  }
  return result
}

/// The reference point of a link's tree.
@inline(__always)
private func reference<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ link: Int
) -> Vector3<L> {
  record.poses[Int(plan.tree.links.pointer(link).pointee.root)].position
}

/// Adds forces and torques at the contact to the cotangents of the second link, and takes them off those of the first.
@inline(__always)
private func scatter<L: Lane>(
  _ engine: ConstraintEngine<L>, _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>,
  _ linkCount: Int, at point: Vector3<L>,
  _ wrenches: (
    dual: (Vector3<L>, Vector3<L>), acceleration: (Vector3<L>, Vector3<L>), velocity: (Vector3<L>, Vector3<L>)
  )
) where L.Scalar: LaneScalar {
  let memory = engine.adjointMemory
  @inline(__always) func add(
    _ sum: inout Force<L>, _ wrench: (Vector3<L>, Vector3<L>), _ arm: Vector3<L>, _ sign: L
  ) {
    sum.angular = arm.cross(wrench.0, adding: wrench.1).multiplyAdd(sign, sum.angular)
    sum.linear = wrench.0.multiplyAdd(sign, sum.linear)
  }
  var k = 0
  while k < linkCount {
    let index = Int(memory.slotLinks[k])
    let arm = point - reference(plan, record, index)
    let sign = memory.isSecond[k] - memory.isFirst[k]
    let target = memory.touch(index)
    add(&target.pointee.byDual, wrenches.dual, arm, sign)
    add(&target.pointee.byAcceleration, wrenches.acceleration, arm, sign)
    add(&target.pointee.byVelocity, wrenches.velocity, arm, sign)
    k &+= 1
  }
}

/// Hands the cotangents of a slot's contacts on to the links that carry their geoms: lanes with the same pair together.
@inline(__always)
private func geometryAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ s: Int,
  _ linkCount: Int, isActive: L.Mask, _ cotangent: ContactCotangent<L>,
  _ parameters: UnsafeMutablePointer<L>?
) where L.Scalar: LaneScalar {
  let memory = engine.adjointMemory
  let tables = engine.assembler.plan.contacts
  let contacts = engine.assembler.memory
  let detail = engine.assembler.contactDetail + s
  // Forces on the geoms, and torques about the world's origin.
  var first = (force: Vector3<L>.zero, torque: Vector3<L>.zero)
  var second = first
  var isDefective = L.Mask(repeating: false)
  var pending = contacts.lanes(in: s) .& isActive
  while let (candidate, mask) = contacts.nextCandidate(in: s, &pending) {
    let pair = tables.candidates.pointer(candidate)
    let pose1 = engine.assembler.geomPose(Int(pair.pointee.geom1))
    let pose2 = engine.assembler.geomPose(Int(pair.pointee.geom2))
    let own: ContactGeometryCotangent<L>
    if pair.pointee.kind.isAnalytic {
      own = contactGeometryAdjoint(
        pair.pointee.kind, branch: contacts.points.base[s].branch, pose1,
        Vector3(broadcasting: pair.pointee.size1), pose2,
        Vector3(broadcasting: pair.pointee.size2), distance: detail.pointee.distance,
        position: detail.pointee.position, frame: detail.pointee.frame, cotangent, where: mask)
    } else {
      own = convexAdjoint(
        engine, pair.pointee.kind, Int32(candidate), pose1, pose2, s, cotangent, where: mask)
    }
    if let parameters {
      let layout = engine.parameterLayout
      let (link1, link2) = (Int(pair.pointee.link1), Int(pair.pointee.link2))
      geomParametersAdjoint(
        parameters + layout.geom(Int(pair.pointee.geom1)), own.geom1,
        link1 > 0 ? record.poses[link1].rotation : nil)
      geomParametersAdjoint(
        parameters + layout.geom(Int(pair.pointee.geom2)), own.geom2,
        link2 > 0 ? record.poses[link2].rotation : nil)
    }
    first.force += own.geom1.force
    first.torque += pose1.position.cross(own.geom1.force, adding: own.geom1.torque)
    second.force += own.geom2.force
    second.torque += pose2.position.cross(own.geom2.force, adding: own.geom2.torque)
    isDefective = isDefective .| .!(own.rawDefects .== L(0.0))
  }
  // Where the geometry is not smooth there is a kink.
  engine.kinkMargin = engine.kinkMargin.replacing(with: L(0.0), where: isDefective)
  var k = 0
  while k < linkCount {
    let index = Int(memory.slotLinks[k])
    let force = second.force * memory.isSecond[k] + first.force * memory.isFirst[k]
    let torque = second.torque * memory.isSecond[k] + first.torque * memory.isFirst[k]
    let target = memory.links + index
    target.pointee.byPose.linear += force
    target.pointee.byPose.angular += torque - reference(plan, record, index).cross(force)
    k &+= 1
  }
}

/// A pair without a closed formula, lane by lane.
@inline(never)
private func convexAdjoint<L: Lane>(
  _ engine: ConstraintEngine<L>, _ kind: PairKind, _ candidate: Int32, _ pose1: GeomPose<L>,
  _ pose2: GeomPose<L>, _ s: Int, _ cotangent: ContactCotangent<L>, where mask: L.Mask
) -> ContactGeometryCotangent<L> where L.Scalar: LaneScalar {
  let pair = engine.assembler.plan.contacts.candidates.pointer(Int(candidate))
  let geoms = engine.assembler.plan.collision.geoms
  let detail = engine.assembler.contactDetail[s]
  var result = ContactGeometryCotangent<L>()
  for lane in 0..<L.laneCount where mask[lane: lane] {
    let at = s &* L.laneCount &+ lane
    let source = engine.assembler.contactSources[at]
    func columns(_ m: Matrix3<L>) -> Matrix3<Double> {
      Matrix3(columns: m.column0.lane(lane), m.column1.lane(lane), m.column2.lane(lane))
    }
    let own = convexGeometryAdjoint(
      kind, geoms[Int(pair.pointee.geom1)], pose1.lane(lane), geoms[Int(pair.pointee.geom2)],
      pose2.lane(lane),
      Contact(
        candidate: candidate, number: source.number, distance: Double(detail.distance[lane: lane]),
        position: detail.position.lane(lane), frame: columns(detail.frame), branch: source.branch,
        origin: engine.assembler.contactOrigins[at]),
      ContactCotangent(
        distance: Double(cotangent.distance[lane: lane]), position: cotangent.position.lane(lane),
        frame: columns(cotangent.frame)))
    result.set(own, lane: lane)
  }
  return result
}
