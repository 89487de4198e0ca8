import Kinematics
import Lanes
import RobotModels

/// What a unit or sparse row is a row of.
enum ConstraintSource: Sendable, Equatable {
  case jointEquality(equality: Int)
  case tendonEquality(equality: Int)
  case jointFriction(degreeOfFreedom: Int)
  case tendonFriction(tendon: Int)
  /// The lower or the upper limit of a joint; a ball joint has one of its angle.
  case jointLimit(joint: Int, isUpper: Bool)
  case tendonLimit(tendon: Int, isUpper: Bool)
}

/// A limit of a slide or hinge joint: `side · (bound − q)`, positive where it is kept.
struct KernelLimit<Scalar: Sendable>: Sendable {
  var row: Int32
  var positionAddress: Int32
  var degreeOfFreedom: Int32
  /// Distance = `scale · q + offset`, by which also the row's Jacobian is `scale`; ±1 but for mimic joints.
  var scale: Scalar
  var offset: Scalar
}

/// The largest angle of a ball joint.
struct KernelBallLimit<Scalar: Sendable>: Sendable {
  var row: Int32
  var positionAddress: Int32
  var degreeOfFreedom: Int32
  var angle: Scalar
}

/// A sum over joints of `coefficient · q`, plus a constant: a fixed tendon's length, or a joint's displacement.
struct KernelLength<Scalar: Sendable>: Sendable {
  /// Its terms are `start ..< end` of ``ConstraintPlan/lengthTerms``.
  var start: Int32
  var end: Int32
  var constant: Scalar
}

struct KernelLengthTerm<Scalar: Sendable>: Sendable {
  var positionAddress: Int32
  var degreeOfFreedom: Int32
  var coefficient: Scalar
}

/// A sparse row that keeps a length above (or, with a negative scale, below) a bound.
struct KernelLengthLimit<Scalar: Sendable>: Sendable {
  var row: Int32
  var length: KernelLength<Scalar>
  /// Distance = `scale · length + offset`, with scale 1 or -1.
  var scale: Scalar
  var offset: Scalar
}

/// Friction along a length.
struct KernelLengthFriction<Scalar: Sendable>: Sendable {
  var row: Int32
  var length: KernelLength<Scalar>
  var limit: Scalar
}

/// A length as a polynomial of another's.
struct KernelLengthEquality<Scalar: Sendable>: Sendable {
  var row: Int32
  var first: KernelLength<Scalar>
  var second: KernelLength<Scalar>?
  var coefficients: (Scalar, Scalar, Scalar, Scalar, Scalar)
}

/// What two geoms' contact needs besides its geometry.
struct KernelContact<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  var link1: Int32
  var link2: Int32
  var geom1: Int32
  var geom2: Int32
  var kind: PairKind
  /// Constrained directions: 1, 3, 4 or 6.
  var dimension: Int32
  /// Contacts at larger distances exert no force.
  var cutoff: Scalar
  var parameters: RowParameters<Scalar>
  /// B of the friction directions of elliptic cones; K is zero there.
  var frictionDamping: Scalar
  /// The cone's `mu`, then the coefficients of directions 1 to 5.
  var friction: (Scalar, Scalar, Scalar, Scalar, Scalar, Scalar)
  /// Weights of directions 1 to 5 over that of direction 0, of elliptic cones.
  var weightRatio: (Scalar, Scalar, Scalar, Scalar, Scalar)
}

/// A geom on a link.
struct KernelGeom<Scalar: Sendable>: Sendable {
  var link: Int32
  var position: Constant3<Scalar>
  var rotation: Constant9<Scalar>
  var size: Constant3<Scalar>
  var boundingRadius: Scalar
  var isPlane: Bool
}

/// The constraints of a model: its rows, and the constants from which their references and weights are computed.
final class ConstraintPlan<Scalar: LaneScalar>: Sendable {
  let tree: KinematicTree<Scalar>
  let pattern: ConstraintPattern
  /// Of the unit rows, and of the sparse rows.
  let unitSources: [ConstraintSource]
  let sparseSources: [ConstraintSource]
  let unitParameters: ConstantBuffer<RowParameters<Scalar>>
  let sparseParameters: ConstantBuffer<RowParameters<Scalar>>
  /// Unit rows of friction come first: their number and largest forces.
  let frictionLoss: ConstantBuffer<Scalar>
  let limits: ConstantBuffer<KernelLimit<Scalar>>
  /// Limits of mimic joints and tendons, friction of tendons, equalities of joints and tendons: sparse rows.
  let lengthLimits: ConstantBuffer<KernelLengthLimit<Scalar>>
  let lengthFrictions: ConstantBuffer<KernelLengthFriction<Scalar>>
  let lengthEqualities: ConstantBuffer<KernelLengthEquality<Scalar>>
  let lengthTerms: ConstantBuffer<KernelLengthTerm<Scalar>>
  let ballLimits: ConstantBuffer<KernelBallLimit<Scalar>>
  let collision: CollisionPlan?
  let contacts: ConstantBuffer<KernelContact<Scalar>>
  let geoms: ConstantBuffer<KernelGeom<Scalar>>
  /// Geoms that take part in a candidate.
  let activeGeoms: ConstantBuffer<Int32>
  /// For each link, which directions move it: bits, `wordCount` words a link.
  let linkDirections: ConstantBuffer<UInt64>
  let wordCount: Int
  /// The dimensions that contacts have, ascending.
  let dimensions: [Int]

  var isEmpty: Bool {
    pattern.unitRows.count == 0 && pattern.sparseRows.count == 0 && contacts.count == 0
  }

  /// - Throws: ``RigidBodyError/unsupported(_:)`` for contacts that collision does not know.
  init(_ model: Model, _ tree: KinematicTree<Scalar>, ignoring ignored: IgnoredFeatures)
    throws(RigidBodyError)
  {
    self.tree = tree
    let disabled = model.options.disabled
    let isOff = disabled.contains(.constraint)
    func has(_ flag: DisabledFeatures, _ feature: IgnoredFeatures) -> Bool {
      !isOff && !disabled.contains(flag) && !ignored.contains(feature)
    }
    let safeTime = disabled.contains(.referenceSafe) ? 0 : 2 * model.options.timestep
    var rows = RowLists<Scalar>()

    if has(.frictionLoss, .frictionLoss) {
      for (index, dof) in model.degreesOfFreedom.enumerated() where dof.frictionLoss > 0 {
        rows.frictionLoss.append(Scalar(dof.frictionLoss))
        rows.addUnit(
          UnitRow(degreeOfFreedom: Int32(index), kind: .friction, sign: 1),
          .jointFriction(degreeOfFreedom: index),
          RowParameters(
            reference: dof.frictionSolverReference, impedance: dof.frictionSolverImpedance, margin: 0,
            diagonal: dof.inverseWeight0, isFriction: true, safeTime: safeTime))
      }
    }
    let keepsTendons = !ignored.contains(.tendon)
    if has(.equality, .equality) {
      for (index, equality) in model.equalities.enumerated() where equality.active {
        rows.addEquality(model, equality, index, safeTime, keepsTendons: keepsTendons)
      }
    }
    if has(.frictionLoss, .frictionLoss), keepsTendons {
      for (index, tendon) in model.tendons.enumerated() where tendon.isFixed && tendon.frictionLoss > 0 {
        rows.addFriction(model, tendon, index, safeTime)
      }
    }
    if has(.limit, .limit) {
      for (index, joint) in model.joints.enumerated() where joint.limited && joint.type != .free {
        rows.addLimits(model, joint, index, safeTime)
      }
      for (index, tendon) in model.tendons.enumerated()
      where tendon.isFixed && tendon.limited && keepsTendons {
        rows.addLimits(model, tendon, index, safeTime)
      }
    }
    limits = ConstantBuffer(rows.limits)
    lengthLimits = ConstantBuffer(rows.lengthLimits)
    lengthFrictions = ConstantBuffer(rows.lengthFrictions)
    lengthEqualities = ConstantBuffer(rows.lengthEqualities)
    lengthTerms = ConstantBuffer(rows.lengthTerms)
    ballLimits = ConstantBuffer(rows.ballLimits)
    frictionLoss = ConstantBuffer(rows.frictionLoss)
    unitSources = rows.unitSources
    sparseSources = rows.sparseSources
    unitParameters = ConstantBuffer(rows.unitParameters)
    sparseParameters = ConstantBuffer(rows.sparseParameters)
    pattern = ConstraintPattern(
      unitRows: ConstantBuffer(rows.unitRows), sparseRows: ConstantBuffer(rows.sparseRows),
      support: ConstantBuffer(rows.support), isElliptic: model.options.cone == .elliptic,
      velocityCount: tree.velocityCount)

    let collides = has(.contact, .contact) && model.velocityCount > 0
    let collision =
      collides ? try CollisionPlan(model, skipsUnsupported: ignored.contains(.unsupported)) : nil
    self.collision = collision
    let contacts = collision.map { Self.contacts(model, tree, $0, safeTime) } ?? []
    self.contacts = ConstantBuffer(contacts)
    dimensions = Set(contacts.map { Int($0.dimension) }).sorted()
    geoms = ConstantBuffer(model.geoms.indices.map { Self.geom(model, tree, collision, $0) })
    activeGeoms = ConstantBuffer(Set(contacts.flatMap { [$0.geom1, $0.geom2] }).sorted())

    let words = max(1, (tree.directionCount + 63) / 64)
    var bits = [UInt64](repeating: 0, count: words * tree.linkCount)
    for link in 1..<max(1, tree.linkCount) {
      let parent = Int(tree.links.pointer(link).pointee.parent)
      for word in 0..<words { bits[words * link + word] = bits[words * parent + word] }
      for d in Int(
        tree.links.pointer(link).pointee.directionStart)..<Int(
          tree.links.pointer(link).pointee.directionEnd)
      { bits[words * link + d / 64] |= 1 << UInt64(d % 64) }
    }
    linkDirections = ConstantBuffer(bits)
    wordCount = words
  }

  private static func geom(
    _ model: Model, _ tree: KinematicTree<Scalar>, _ collision: CollisionPlan?, _ index: Int
  ) -> KernelGeom<Scalar> {
    let geom = model.geoms[index]
    let frame = tree.bodyOrientation[geom.body]
    let radius = collision?.geoms[index].boundingRadius ?? 0
    return KernelGeom(
      link: Int32(tree.bodyLink[geom.body]),
      position: Constant3(tree.bodyPosition[geom.body] + frame.rotate(geom.position)),
      rotation: Constant9((frame * geom.orientation).normalized.matrix), size: Constant3(geom.size),
      boundingRadius: Scalar(radius.isFinite ? radius : 0), isPlane: geom.type == .plane)
  }

  private static func contacts(
    _ model: Model, _ tree: KinematicTree<Scalar>, _ collision: CollisionPlan, _ safeTime: Double
  ) -> [KernelContact<Scalar>] {
    let ratio = max(1e-15, model.options.impedanceRatio)
    let isElliptic = model.options.cone == .elliptic
    return collision.candidates.array.map { candidate in
      let mixture = collision.parameters[Int(candidate.parameters)]
      let bodies = [candidate.geom1, candidate.geom2].map { model.geoms[Int($0)].body }
      let translation = bodies.reduce(0) { $0 + model.bodies[$1].inverseWeight0[0] }
      let friction = mixture.friction
      let mu = friction[0] * (1 / ratio).squareRoot()
      var diagonal = translation
      var factor = 1.0
      if mixture.dimension > 1, !isElliptic {
        // All edges have the regulariser of the first, 2 mu² R.
        diagonal = translation * (1 + friction[0] * friction[0])
        factor = 2 * mu * mu
      }
      var parameters = RowParameters<Scalar>(
        reference: mixture.solverReference, impedance: mixture.solverImpedance, margin: mixture.margin,
        diagonal: diagonal * factor, safeTime: safeTime)
      if translation <= 0 { parameters.weightScale = Scalar(1 / 1e-15) }
      let hasOwn = mixture.solverReferenceFriction != [0, 0]
      let tangential = RowParameters<Scalar>(
        reference: hasOwn ? mixture.solverReferenceFriction : mixture.solverReference,
        impedance: mixture.solverImpedance, margin: 0, diagonal: 1, isFriction: true, safeTime: safeTime)
      // R of direction i times friction_i² is that of the first tangent, R₀ / impratio.
      let ratios = friction.map { Scalar(ratio * ($0 / friction[0]) * ($0 / friction[0])) }
      let f = friction.map { Scalar($0) }
      return KernelContact(
        link1: Int32(tree.bodyLink[bodies[0]]), link2: Int32(tree.bodyLink[bodies[1]]),
        geom1: candidate.geom1, geom2: candidate.geom2, kind: candidate.kind,
        dimension: Int32(mixture.dimension), cutoff: Scalar(mixture.margin), parameters: parameters,
        frictionDamping: isElliptic ? tangential.damping : parameters.damping,
        friction: (Scalar(mu), f[0], f[1], f[2], f[3], f[4]),
        weightRatio: (ratios[0], ratios[1], ratios[2], ratios[3], ratios[4]))
    }
  }
}

/// Rows as they are collected.
private struct RowLists<Scalar: LaneScalar> {
  var unitRows: [UnitRow] = []
  var unitSources: [ConstraintSource] = []
  var unitParameters: [RowParameters<Scalar>] = []
  var frictionLoss: [Scalar] = []
  var sparseRows: [SparseRow] = []
  var sparseSources: [ConstraintSource] = []
  var sparseParameters: [RowParameters<Scalar>] = []
  var support: [Int32] = []
  var limits: [KernelLimit<Scalar>] = []
  var lengthLimits: [KernelLengthLimit<Scalar>] = []
  var lengthFrictions: [KernelLengthFriction<Scalar>] = []
  var lengthEqualities: [KernelLengthEquality<Scalar>] = []
  var lengthTerms: [KernelLengthTerm<Scalar>] = []
  var ballLimits: [KernelBallLimit<Scalar>] = []

  mutating func addUnit(_ row: UnitRow, _ source: ConstraintSource, _ parameters: RowParameters<Scalar>) {
    unitRows.append(row)
    unitSources.append(source)
    unitParameters.append(parameters)
  }

  mutating func addSparse(
    _ degreesOfFreedom: [Int], _ kind: RowKind, _ source: ConstraintSource,
    _ parameters: RowParameters<Scalar>
  ) {
    sparseRows.append(
      SparseRow(start: Int32(support.count), count: Int32(degreesOfFreedom.count), kind: kind))
    support += degreesOfFreedom.map(Int32.init)
    sparseSources.append(source)
    sparseParameters.append(parameters)
  }

  mutating func addLimits(_ model: Model, _ joint: Joint, _ index: Int, _ safeTime: Double) {
    let dof = joint.velocityAddress
    let parameters = RowParameters<Scalar>(
      reference: joint.limitSolverReference, impedance: joint.limitSolverImpedance, margin: joint.margin,
      diagonal: model.degreesOfFreedom[dof].inverseWeight0, safeTime: safeTime)
    if joint.type == .ball {
      ballLimits.append(
        KernelBallLimit(
          row: Int32(sparseRows.count), positionAddress: Int32(joint.positionAddress),
          degreeOfFreedom: Int32(dof), angle: Scalar(max(joint.range[0], joint.range[1]))))
      addSparse([dof, dof + 1, dof + 2], .limit, .jointLimit(joint: index, isUpper: true), parameters)
      return
    }
    guard joint.mimic == nil else {
      let length = addLength(displacementOf: index, model)
      addLengthLimits(length, joint.range, parameters) { .jointLimit(joint: index, isUpper: $0) }
      return
    }
    for isUpper in [false, true] {
      let sign = isUpper ? -1.0 : 1.0
      limits.append(
        KernelLimit(
          row: Int32(unitRows.count), positionAddress: Int32(joint.positionAddress),
          degreeOfFreedom: Int32(dof), scale: Scalar(sign),
          offset: Scalar(-sign * joint.range[isUpper ? 1 : 0])))
      addUnit(
        UnitRow(degreeOfFreedom: Int32(dof), kind: .limit, sign: isUpper ? -1 : 1),
        .jointLimit(joint: index, isUpper: isUpper), parameters)
    }
  }

  mutating func addLimits(_ model: Model, _ tendon: Tendon, _ index: Int, _ safeTime: Double) {
    let parameters = RowParameters<Scalar>(
      reference: tendon.limitSolverReference, impedance: tendon.limitSolverImpedance, margin: tendon.margin,
      diagonal: tendon.inverseWeight0, safeTime: safeTime)
    let length = addLength(of: tendon, model)
    addLengthLimits(length, tendon.range, parameters) { .tendonLimit(tendon: index, isUpper: $0) }
  }

  private mutating func addLengthLimits(
    _ length: KernelLength<Scalar>, _ range: [Double], _ parameters: RowParameters<Scalar>,
    _ source: (Bool) -> ConstraintSource
  ) {
    for isUpper in [false, true] {
      let sign = isUpper ? -1.0 : 1.0
      lengthLimits.append(
        KernelLengthLimit(
          row: Int32(sparseRows.count), length: length, scale: Scalar(sign),
          offset: Scalar(-sign * range[isUpper ? 1 : 0])))
      addSparse(degreesOfFreedom(of: [length]), .limit, source(isUpper), parameters)
    }
  }

  mutating func addFriction(_ model: Model, _ tendon: Tendon, _ index: Int, _ safeTime: Double) {
    let length = addLength(of: tendon, model)
    lengthFrictions.append(
      KernelLengthFriction(
        row: Int32(sparseRows.count), length: length, limit: Scalar(tendon.frictionLoss)))
    addSparse(
      degreesOfFreedom(of: [length]), .friction, .tendonFriction(tendon: index),
      RowParameters(
        reference: tendon.frictionSolverReference, impedance: tendon.frictionSolverImpedance, margin: 0,
        diagonal: tendon.inverseWeight0, isFriction: true, safeTime: safeTime))
  }

  /// `x₁ − ref₁ = Σ cₖ (x₂ − ref₂)ᵏ` of joints or fixed tendons.
  mutating func addEquality(
    _ model: Model, _ equality: Equality, _ index: Int, _ safeTime: Double, keepsTendons: Bool
  ) {
    let objects = [equality.object1] + (equality.object2.map { [$0] } ?? [])
    let lengths: [KernelLength<Scalar>]
    let weights: [Double]
    let source: ConstraintSource
    switch equality.type {
    case .joint:
      lengths = objects.map { addLength(displacementOf: $0, model, fromDefault: true) }
      weights = objects.map { model.degreesOfFreedom[model.joints[$0].velocityAddress].inverseWeight0 }
      source = .jointEquality(equality: index)
    case .tendon:
      guard keepsTendons, objects.allSatisfy({ model.tendons[$0].isFixed }) else { return }
      lengths = objects.map { addLength(of: model.tendons[$0], model, fromDefault: true) }
      weights = objects.map { model.tendons[$0].inverseWeight0 }
      source = .tendonEquality(equality: index)
    case .connect, .weld, .other: return
    }
    let c = (0..<5).map { Scalar($0 < equality.data.count ? equality.data[$0] : 0) }
    lengthEqualities.append(
      KernelLengthEquality(
        row: Int32(sparseRows.count), first: lengths[0], second: lengths.dropFirst().first,
        coefficients: (c[0], c[1], c[2], c[3], c[4])))
    addSparse(
      degreesOfFreedom(of: lengths), .equality, source,
      RowParameters(
        reference: equality.solverReference, impedance: equality.solverImpedance, margin: 0,
        diagonal: weights.reduce(0, +), safeTime: safeTime))
  }

  private func degreesOfFreedom(of lengths: [KernelLength<Scalar>]) -> [Int] {
    Set(
      lengths.flatMap { lengthTerms[Int($0.start)..<Int($0.end)].map { Int($0.degreeOfFreedom) } }
    ).sorted()
  }

  /// A joint's position; from the default one on request.
  private mutating func addLength(
    displacementOf index: Int, _ model: Model, fromDefault: Bool = false
  ) -> KernelLength<Scalar> {
    let joint = model.joints[index]
    let start = Int32(lengthTerms.count)
    lengthTerms.append(
      KernelLengthTerm(
        positionAddress: Int32(joint.positionAddress), degreeOfFreedom: Int32(joint.velocityAddress),
        coefficient: Scalar(joint.mimic?.multiplier ?? 1)))
    let constant = joint.mimic?.offset ?? (fromDefault ? -model.defaultPosition[joint.positionAddress] : 0)
    return KernelLength(start: start, end: start + 1, constant: Scalar(constant))
  }

  private mutating func addLength(
    of tendon: Tendon, _ model: Model, fromDefault: Bool = false
  ) -> KernelLength<Scalar> {
    let start = Int32(lengthTerms.count)
    var constant = 0.0
    for (index, coefficient) in zip(tendon.joints, tendon.coefficients) {
      let joint = model.joints[index]
      let multiplier = joint.mimic?.multiplier ?? 1
      lengthTerms.append(
        KernelLengthTerm(
          positionAddress: Int32(joint.positionAddress), degreeOfFreedom: Int32(joint.velocityAddress),
          coefficient: Scalar(coefficient * multiplier)))
      constant += coefficient * (joint.mimic?.offset ?? 0)
      if fromDefault { constant -= coefficient * multiplier * model.defaultPosition[joint.positionAddress] }
      if fromDefault, let mimic = joint.mimic { constant -= coefficient * mimic.offset }
    }
    return KernelLength(start: start, end: Int32(lengthTerms.count), constant: Scalar(constant))
  }
}
