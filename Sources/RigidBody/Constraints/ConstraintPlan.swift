import Kinematics
import Lanes
import RobotModels

/// MuJoCo's kinds of constraint rows, with its numbers.
enum ConstraintRowType: Int, Sendable {
  case equality, jointFriction, tendonFriction, jointLimit, tendonLimit
  case frictionlessContact, pyramidalContact, ellipticContact
}

/// Where a row of fixed place is stored.
struct ConstraintRowSource: Sendable {
  var type: ConstraintRowType
  /// Index of the equality, degree of freedom, tendon or joint (`efc_id`).
  var id: Int
  var isUnit: Bool
  /// Index among the unit or the sparse rows.
  var row: Int
}

/// A unit row: friction loss of a degree of freedom, or one side of a joint's limit.
struct KernelUnitRow<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  var isLimit: Bool
  var degreeOfFreedom: Int32
  var positionAddress: Int32
  /// 1 for a lower limit, -1 for an upper one.
  var sign: Scalar
  var bound: Scalar
  var frictionLoss: Scalar
  var parameters: KernelRowParameters<Scalar>
}

/// One term of a linear form: a coefficient times a position.
struct KernelTerm<Scalar: Sendable>: Sendable {
  var positionAddress: Int32
  /// Place of its degree of freedom in the row's support.
  var column: Int32
  var coefficient: Scalar
}

/// A row on linear forms of joint positions (fixed tendons, and joints, whose form may come from a mimic relation): an
/// equality `first − polynomial(second)`, friction along the first, or its limit at zero. For a spatial tendon the first form is
/// its length, whose derivatives are not constant.
struct KernelFormRow<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  var row: Int32
  var kind: RowKind
  /// Index of a spatial tendon, or -1; then the first form is `sign` times its length plus the constant.
  var tendon: Int32 = -1
  var sign: Scalar = 1
  var firstStart: Int32
  var firstEnd: Int32
  var secondStart: Int32
  var secondEnd: Int32
  var firstConstant: Scalar
  var secondConstant: Scalar
  /// Coefficients of the first to fourth power.
  var polynomial: (Scalar, Scalar, Scalar, Scalar)
  var frictionLoss: Scalar
  var parameters: KernelRowParameters<Scalar>
}

/// The limit of a ball joint's angle.
struct KernelBallLimit<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  var row: Int32
  var positionAddress: Int32
  var bound: Scalar
  var parameters: KernelRowParameters<Scalar>
}

/// A direction that moves one or both of the links that an equality joins.
struct KernelLinkDirection: Sendable {
  var direction: Int32
  /// Place of its degree of freedom in the rows' support.
  var column: Int32
  var movesFirst: Bool
  var movesSecond: Bool
}

/// A connect (three rows) or weld (six rows).
struct KernelLinkEquality<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  /// The first of its rows; the others follow.
  var row: Int32
  var isWeld: Bool
  var link1: Int32
  var link2: Int32
  /// Anchors in the link frames, and frames that are to coincide, as columns in the link frames.
  var anchor1: Constant3<Scalar>
  var anchor2: Constant3<Scalar>
  var frame1: Constant9<Scalar>
  var frame2: Constant9<Scalar>
  var torqueScale: Scalar
  var directionStart: Int32
  var directionEnd: Int32
  var translation: KernelRowParameters<Scalar>
  /// Diagonal of the rotational rows.
  var rotationDiagonal: Scalar
}

/// Everything about a model's constraints that is the same in all worlds and states: rows of fixed place, pairs that may
/// touch, and their parameters (MuJoCo 3.12's constraint model).
final class ConstraintPlan<Scalar: LaneScalar>: Sendable {
  let tree: KinematicTree<Scalar>
  let pattern: ConstraintPattern
  let collision: CollisionPlan
  let contacts: ContactPlan<Scalar>
  let bodyTransmissions: BodyTransmissionPlan
  /// Rows of fixed place in MuJoCo's order; a world has those whose weight is not zero.
  let rows: [ConstraintRowSource]

  let unitRows: ConstantBuffer<KernelUnitRow<Scalar>>
  /// Parameters of all sparse rows.
  let sparseParameters: ConstantBuffer<KernelRowParameters<Scalar>>
  let formRows: ConstantBuffer<KernelFormRow<Scalar>>
  let terms: ConstantBuffer<KernelTerm<Scalar>>
  let ballLimits: ConstantBuffer<KernelBallLimit<Scalar>>
  let linkEqualities: ConstantBuffer<KernelLinkEquality<Scalar>>
  let linkDirections: ConstantBuffer<KernelLinkDirection>
  /// Links whose velocities connects and welds need, parents first.
  let velocityLinks: ConstantBuffer<Int32>

  /// The last direction on the way from the root to a link, or -1.
  let lastDirection: ConstantBuffer<Int32>
  /// The root link of a direction's tree.
  let directionRoot: ConstantBuffer<Int32>

  /// - Parameters:
  ///   - tree: the model's tree.
  ///   - skipsUnsupported: whether contacts that are not supported are left out.
  /// - Throws: ``RigidBodyError/unsupported(_:)`` for tendons that wrap around geoms, equalities of spatial tendons, equalities of other kinds than connect,
  ///   weld, joint and tendon, and for what ``CollisionPlan`` does not know.
  /// - Complexity: O(pairs log pairs + rows).
  init(
    _ model: Model, tree: KinematicTree<Scalar>, skipsUnsupported: Bool = false
  ) throws(RigidBodyError) {
    self.tree = tree
    collision = try CollisionPlan(model, skipsUnsupported: skipsUnsupported)
    bodyTransmissions = BodyTransmissionPlan(model, collision)
    contacts = ContactPlan(model, tree, collision, bodyTransmissions)
    var builder = ConstraintRowBuilder<Scalar>(model, tree)
    try builder.addRows()
    pattern = ConstraintPattern(
      unitRows: ConstantBuffer(builder.unitPattern), sparseRows: ConstantBuffer(builder.sparsePattern),
      support: ConstantBuffer(builder.support), isElliptic: model.options.cone == .elliptic,
      velocityCount: model.velocityCount)
    rows = builder.rows
    unitRows = ConstantBuffer(builder.unitRows)
    sparseParameters = ConstantBuffer(builder.sparseParameters)
    formRows = ConstantBuffer(builder.formRows)
    hasSpatialTendons = builder.formRows.contains { $0.tendon >= 0 }
    terms = ConstantBuffer(builder.terms)
    ballLimits = ConstantBuffer(builder.ballLimits)
    linkEqualities = ConstantBuffer(builder.linkEqualities)
    linkDirections = ConstantBuffer(builder.linkDirections)
    velocityLinks = ConstantBuffer(builder.velocityLinks.sorted().map(Int32.init))
    lastDirection = ConstantBuffer(
      (0..<tree.linkCount).map { Int32(tree.lastDirection(ofLink: $0)) })
    directionRoot = ConstantBuffer(
      (0..<tree.directionCount).map { tree.links[Int(tree.directionLink[$0])].root })
  }

  /// Whether some row is on a spatial tendon.
  let hasSpatialTendons: Bool
  /// Whether the model has no constraint at all.
  var isEmpty: Bool { rows.isEmpty && collision.candidates.count == 0 }
}

/// Constants of a pair that may touch.
struct KernelCandidate<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  var geom1: Int32
  var geom2: Int32
  var link1: Int32
  var link2: Int32
  var kind: PairKind
  var parameters: Int32
  /// 0 to 3 for contacts of 1, 3, 4 and 6 directions.
  var dimensionClass: Int32
  /// Contacts of a class share slots: those of one dimension between the same two trees. (Slots that trees share would couple all
  /// degrees of freedom of a pile.)
  var slotClass: Int32
  /// Of the first geom: whether it is a plane; then `reach` counts from it, else from centre to centre.
  var hasPlane: Bool
  /// Bounding radii plus cutoff.
  var reach: Scalar
  var cutoff: Scalar
  var margin: Scalar
  /// Contacts nearer than this have a slot: the margin, and with the gap where an actuator on a body acts through them.
  var range: Scalar
  var size1: Constant3<Scalar>
  var size2: Constant3<Scalar>
  /// Approximate diagonal of J M⁻¹ Jᵀ of the row whose regulariser counts.
  var diagonal: Scalar
}

/// Constants that contacts share.
struct KernelContactParameters<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  var dimension: Int32
  var margin: Scalar
  /// K and B of the normal, B of the friction directions.
  var stiffness: Scalar
  var damping: Scalar
  var frictionDamping: Scalar
  var impedance: KernelImpedance<Scalar>
}

/// A geom as the broad phase places it.
struct KernelGeom<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  var geom: Int32
  var link: Int32
  var isPlane: Bool
  /// Pose in the link frame.
  var position: Constant3<Scalar>
  var rotation: Constant9<Scalar>
}

/// Tables of contacts in the scalar type.
final class ContactPlan<Scalar: LaneScalar>: Sendable {
  let candidates: ConstantBuffer<KernelCandidate<Scalar>>
  let parameters: ConstantBuffer<KernelContactParameters<Scalar>>
  /// Six for each set of parameters, as in ``ConstraintSystem/contactFriction``, and the ratios of the weights to the first
  /// row's 1/R.
  let friction: ConstantBuffer<Scalar>
  let weightRatios: ConstantBuffer<Scalar>
  /// Geoms of candidates, those that do not move first.
  let geoms: ConstantBuffer<KernelGeom<Scalar>>
  let fixedGeomCount: Int
  /// For each geom of the model its place in `geoms`, or -1.
  let geomPlace: ConstantBuffer<Int32>
  let hasConvexPairs: Bool
  let slotClassCount: Int
  /// Whether there may be slots of contacts that exert no force, being no nearer than their margin.
  let keepsGaps: Bool

  init(
    _ model: Model, _ tree: KinematicTree<Scalar>, _ collision: CollisionPlan,
    _ bodyTransmissions: BodyTransmissionPlan
  ) {
    let options = model.options
    let isElliptic = options.cone == .elliptic
    let ratio = max(smallestDivisor, options.impedanceRatio)
    let smallestTime = options.smallestTimeConstant
    var friction: [Scalar] = []
    var ratios: [Scalar] = []
    parameters = ConstantBuffer(
      collision.parameters.map { set in
        let f = set.friction
        let mu = f[0] / ratio.squareRoot()
        friction += ([mu] + f.prefix(5)).map { Scalar($0) }
        var own = [Double](repeating: 0, count: 6)
        if set.dimension == 1 {
          own[0] = 1
        } else if isElliptic {
          own[0] = 1
          for k in 1..<set.dimension { own[k] = ratio * f[k - 1] * f[k - 1] / (f[0] * f[0]) }
        } else {
          own[0] = 1 / (2 * mu * mu)
        }
        ratios += own.map { Scalar($0) }
        let end = set.solverImpedance[1]
        let gains = RowGains(set.solverReference, endImpedance: end, smallestTime: smallestTime)
        // Mixed signs stand for none.
        let other = set.solverReferenceFriction
        let hasOther = isElliptic && (other[0] > 0) == (other[1] > 0) && other != [0, 0]
        let frictionGains =
          hasOther ? RowGains(other, endImpedance: end, smallestTime: smallestTime) : gains
        return KernelContactParameters(
          dimension: Int32(set.dimension), margin: Scalar(set.margin), stiffness: Scalar(gains.stiffness),
          damping: Scalar(gains.damping), frictionDamping: Scalar(frictionGains.damping),
          impedance: KernelImpedance(set.solverImpedance))
      })
    self.friction = ConstantBuffer(friction)
    weightRatios = ConstantBuffer(ratios)

    var isUsed = [Bool](repeating: false, count: model.geoms.count)
    var hasConvexPairs = false
    var slotClasses: [[Int32]: Int32] = [:]
    candidates = ConstantBuffer(
      collision.candidates.array.enumerated().map { index, candidate in
        let (g1, g2) = (Int(candidate.geom1), Int(candidate.geom2))
        let (body1, body2) = (model.geoms[g1].body, model.geoms[g2].body)
        let set = collision.parameters[Int(candidate.parameters)]
        isUsed[g1] = true
        isUsed[g2] = true
        if !candidate.kind.isAnalytic { hasConvexPairs = true }
        let translation = model.bodies[body1].inverseWeight0[0] + model.bodies[body2].inverseWeight0[0]
        let isPyramid = !isElliptic && set.dimension > 1
        let (r1, r2) = (collision.geoms[g1].boundingRadius, collision.geoms[g2].boundingRadius)
        let reach = (r1 == .infinity ? 0 : r1) + r2 + candidate.cutoff
        // Contacts that are about to appear are looked at, too, where that is for nothing: see `nearestSwitch`.
        let lookout = candidate.kind.keepsAllPoints ? 1e-5 * reach : 0
        // Of two geoms that no joint moves neither can be pushed: as if they were on one link.
        let link1 = tree.bodyLink[body1]
        let isStill = [body1, body2].allSatisfy { tree.lastDirection(ofLink: tree.bodyLink[$0]) < 0 }
        let link2 = isStill ? link1 : tree.bodyLink[body2]
        let dimensionClass: Int32 =
          set.dimension == 1 ? 0 : set.dimension == 3 ? 1 : set.dimension == 4 ? 2 : 3
        // The world's contacts are with a tree what the tree's own are.
        let roots = [link1, link2].filter { $0 > 0 }.map { tree.links[$0].root }.sorted()
        let key = [dimensionClass, roots.first ?? 0, roots.last ?? 0]
        let slotClass = slotClasses[key] ?? Int32(slotClasses.count)
        slotClasses[key] = slotClass
        return KernelCandidate(
          geom1: candidate.geom1, geom2: candidate.geom2, link1: Int32(link1), link2: Int32(link2),
          kind: candidate.kind, parameters: candidate.parameters, dimensionClass: dimensionClass,
          slotClass: slotClass,
          hasPlane: r1 == .infinity, reach: Scalar(reach + lookout),
          cutoff: Scalar(candidate.cutoff + lookout), margin: Scalar(set.margin),
          range: Scalar(bodyTransmissions.acts(through: index) ? candidate.cutoff : set.margin),
          size1: Constant3(model.geoms[g1].size), size2: Constant3(model.geoms[g2].size),
          diagonal: Scalar(isPyramid ? translation * (1 + set.friction[0] * set.friction[0]) : translation))
      })
    self.hasConvexPairs = hasConvexPairs
    keepsGaps = candidates.array.contains { $0.range > $0.margin }
    slotClassCount = slotClasses.count
    let used = model.geoms.indices.filter { isUsed[$0] }
    let fixed = used.filter { tree.bodyLink[model.geoms[$0].body] == 0 }
    let order = fixed + used.filter { tree.bodyLink[model.geoms[$0].body] != 0 }
    var place = [Int32](repeating: -1, count: model.geoms.count)
    for (index, geom) in order.enumerated() { place[geom] = Int32(index) }
    fixedGeomCount = fixed.count
    geomPlace = ConstantBuffer(place)
    geoms = ConstantBuffer(
      order.map { index in
        let geom = model.geoms[index]
        let orientation = tree.bodyOrientation[geom.body]
        return KernelGeom(
          geom: Int32(index), link: Int32(tree.bodyLink[geom.body]), isPlane: geom.type == .plane,
          position: Constant3(tree.bodyPosition[geom.body] + orientation.rotate(geom.position)),
          rotation: Constant9((orientation * geom.orientation).normalized.matrix))
      })
  }
}

extension SimulationOptions {
  /// The least time constant of a row's reference (MuJoCo's `refsafe`).
  var smallestTimeConstant: Double { disabled.contains(.referenceSafe) ? 0 : 2 * timestep }
}
