import Kinematics
import Lanes
import RobotModels

/// What acts on several degrees of freedom through moment arms: a tendon, or an actuator on a site.
struct KernelTransmission<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  enum Kind: Int32, Sendable { case fixedTendon, spatialTendon, site, siteInReference }
  var kind: Kind
  /// Its moment arms, and the entries of the mass matrix that couple two of them.
  var termStart: Int32
  var termEnd: Int32
  var pairStart: Int32 = 0
  var pairEnd: Int32 = 0
  /// Index of the tendon, or of the actuator.
  var owner: Int32

  // A tendon: length at zero positions, spring, damper, and the damping that the integrator takes implicitly.
  var constant: Scalar = 0
  var stiffness: Scalar = 0
  var damping: Scalar = 0
  var implicitDamping: Scalar = 0
  var armature: Scalar = 0
  /// Whether the mass matrix has an entry for every two of its degrees of freedom.
  var couplesAll = true
  var springLower: Scalar = 0
  var springUpper: Scalar = 0

  /// A spatial tendon's pieces.
  var segmentStart: Int32 = 0
  var segmentEnd: Int32 = 0

  // A site and the one that it acts relative to, in their links' frames; the force and torque of unit actuator force in
  // the frame of the latter, or of the site itself.
  var link: Int32 = 0
  var position = Constant3<Scalar>(0, 0, 0)
  var rotation = Constant9<Scalar>(.identity)
  var referenceLink: Int32 = 0
  var referencePosition = Constant3<Scalar>(0, 0, 0)
  var referenceRotation = Constant9<Scalar>(.identity)
  var force = Constant3<Scalar>(0, 0, 0)
  var torque = Constant3<Scalar>(0, 0, 0)
  var hasTorque = false
  /// For the angle between the two: the sites' axes in their bodies, and the bodies' axes in their links.
  var turn = Constant9<Scalar>(.identity)
  var bodyRotation = Constant9<Scalar>(.identity)
  var referenceTurn = Constant9<Scalar>(.identity)
  var referenceBodyRotation = Constant9<Scalar>(.identity)
  /// Directions that move the site but not the reference, from the root outwards; then those that do the opposite; then
  /// those that move both.
  var pathStart: Int32 = 0
  var pathMiddle: Int32 = 0
  var pathEnd: Int32 = 0
  var commonEnd: Int32 = 0
}

/// A straight piece of a spatial tendon, from its first point to its second.
struct KernelTendonSegment<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  var weight: Scalar
  var first: Int32
  var second: Int32
  var firstPosition: Constant3<Scalar>
  var secondPosition: Constant3<Scalar>
  /// Directions that move the second point but not the first, from the root outwards; then those that do the opposite.
  var pathStart: Int32
  var pathMiddle: Int32
  var pathEnd: Int32
}

/// One moment arm.
struct KernelMomentArm<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  var degreeOfFreedom: Int32
  /// Of fixed tendons: the position it multiplies, and the arm itself.
  var positionAddress: Int32 = 0
  var coefficient: Scalar = 0
}

/// Two moment arms of one transmission (or one, twice), and their entry of the mass matrix.
struct KernelMomentPair: Sendable {
  var row: Int32
  var column: Int32
  var entry: Int32
}

/// A joint direction on the way to a site.
struct KernelPathDirection: Sendable {
  var direction: Int32
  var degreeOfFreedom: Int32
  /// The moment arm; of no meaning for directions that move both sites.
  var term: Int32
  /// Where on the path the directions begin that turn with one another: those of one ball joint or free joint.
  var groupStart: Int32
}

/// Tendons and sites that forces act on, flattened for kernels of one precision.
///
/// Those on which a force can act come first; the others are tendons whose spring and damper are zero, which take part in
/// parameter gradients.
final class TransmissionPlan<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  let transmissions: ConstantBuffer<KernelTransmission<Scalar>>
  let activeCount: Int
  let terms: ConstantBuffer<KernelMomentArm<Scalar>>
  let pairs: ConstantBuffer<KernelMomentPair>
  let path: ConstantBuffer<KernelPathDirection>
  let segments: ConstantBuffer<KernelTendonSegment<Scalar>>
  /// Whether springs, dampers and armature of tendons are simulated.
  let springsAct: Bool
  let dampersAct: Bool
  let armatureActs: Bool
  /// Whether some tendon has a spring or a damper, a damper that is taken implicitly, armature.
  let hasTendonForces: Bool
  let hasImplicitDamping: Bool
  let hasArmature: Bool
  /// For each tendon and for each actuator on a site, its transmission, or -1.
  let ofTendon: [Int]
  let ofActuator: [Int]

  var count: Int { transmissions.count }

  @inline(__always)
  func isTendon(_ index: Int) -> Bool {
    let kind = transmissions.pointer(index).pointee.kind
    return kind == .fixedTendon || kind == .spatialTendon
  }

  init(
    _ model: Model, _ tree: KinematicTree<Scalar>, _ pattern: MassMatrixPattern, features: IgnoredFeatures,
    springsOn: Bool, dampersOn: Bool
  ) {
    var builder = Builder(model, tree, pattern)
    let isPassive = !features.contains(.tendon)
    let simple = model.tendons.indices.filter { !model.tendons[$0].wraps }
    func isActive(_ index: Int) -> Bool {
      let tendon = model.tendons[index]
      return model.actuators.contains { $0.transmission == .tendon && $0.target == index }
        || isPassive && (tendon.stiffness != 0 || tendon.damping != 0 || tendon.armature != 0)
        // Rows of constraints take length and moment arms from here.
        || !tendon.isFixed && (tendon.limited || tendon.frictionLoss > 0)
    }
    springsAct = springsOn && isPassive
    dampersAct = dampersOn && isPassive
    armatureActs = isPassive
    let dampsImplicitly = dampersOn && model.options.integrator == .implicitFast
    for index in simple where isActive(index) {
      builder.addTendon(
        index, hasSpring: springsAct, hasDamper: dampersAct, hasArmature: isPassive,
        dampsImplicitly: dampsImplicitly)
    }
    for (index, actuator) in model.actuators.enumerated()
    where actuator.transmission == .site && model.unsupportedParts(of: actuator).isEmpty {
      builder.addSite(index)
    }
    activeCount = builder.transmissions.count
    if isPassive {
      for index in simple where !isActive(index) {
        builder.addTendon(
          index, hasSpring: springsAct, hasDamper: dampersAct, hasArmature: true,
          dampsImplicitly: dampsImplicitly)
      }
    }
    let all = builder.transmissions
    hasTendonForces = all.contains { $0.stiffness != 0 || $0.damping != 0 }
    hasImplicitDamping = all.contains { $0.implicitDamping != 0 }
    hasArmature = all.contains { $0.armature != 0 }
    transmissions = ConstantBuffer(all)
    terms = ConstantBuffer(builder.terms)
    pairs = ConstantBuffer(builder.pairs)
    path = ConstantBuffer(builder.path)
    segments = ConstantBuffer(builder.segments)
    ofTendon = builder.ofTendon
    ofActuator = builder.ofActuator
  }

  private struct Builder {
    let model: Model
    let tree: KinematicTree<Scalar>
    let pattern: MassMatrixPattern
    var transmissions: [KernelTransmission<Scalar>] = []
    var terms: [KernelMomentArm<Scalar>] = []
    var pairs: [KernelMomentPair] = []
    var path: [KernelPathDirection] = []
    var segments: [KernelTendonSegment<Scalar>] = []
    var ofTendon: [Int]
    var ofActuator: [Int]

    init(_ model: Model, _ tree: KinematicTree<Scalar>, _ pattern: MassMatrixPattern) {
      self.model = model
      self.tree = tree
      self.pattern = pattern
      ofTendon = Array(repeating: -1, count: model.tendons.count)
      ofActuator = Array(repeating: -1, count: model.actuators.count)
    }

    mutating func addTendon(
      _ index: Int, hasSpring: Bool, hasDamper: Bool, hasArmature: Bool, dampsImplicitly: Bool
    ) {
      let tendon = model.tendons[index]
      let start = terms.count
      var t = KernelTransmission<Scalar>(
        kind: tendon.isFixed ? .fixedTendon : .spatialTendon, termStart: Int32(start), termEnd: Int32(start),
        owner: Int32(index))
      if tendon.isFixed { addFixed(tendon, &t) } else { addSegments(tendon, &t) }
      t.termEnd = Int32(terms.count)
      t.stiffness = hasSpring ? Scalar(tendon.stiffness) : 0
      t.damping = hasDamper ? Scalar(tendon.damping) : 0
      t.implicitDamping = dampsImplicitly ? t.damping : 0
      // Armature between branches, and of spatial tendons, is not simulated: see `Model.unsupported`.
      t.couplesAll = tendon.isFixed && model.isAlongOnePath(tendon)
      t.armature = hasArmature && t.couplesAll ? Scalar(tendon.armature) : 0
      t.springLower = Scalar(tendon.springLength[0])
      t.springUpper = Scalar(tendon.springLength[1])
      ofTendon[index] = transmissions.count
      append(t)
    }

    private mutating func addFixed(_ tendon: Tendon, _ t: inout KernelTransmission<Scalar>) {
      var constant = 0.0
      var arms: [Int: (position: Int, coefficient: Double)] = [:]
      for (joint, coefficient) in zip(tendon.joints, tendon.coefficients) {
        let joint = model.joints[joint]
        constant += coefficient * (joint.mimic?.offset ?? 0)
        arms[joint.velocityAddress, default: (joint.positionAddress, 0)].coefficient +=
          coefficient * (joint.mimic?.multiplier ?? 1)
      }
      for (dof, arm) in arms.sorted(by: { $0.key < $1.key }) {
        terms.append(
          KernelMomentArm(
            degreeOfFreedom: Int32(dof), positionAddress: Int32(arm.position),
            coefficient: Scalar(arm.coefficient)))
      }
      t.constant = Scalar(constant)
    }

    private mutating func addSegments(_ tendon: Tendon, _ t: inout KernelTransmission<Scalar>) {
      let pieces = tendon.segments
      let paths = pieces.map { piece in
        tree.sides([piece.second, piece.first].map { tree.bodyLink[model.sites[$0].body] })
      }
      let freedoms = tree.degreesOfFreedom(of: paths.joined().joined())
      for dof in freedoms { terms.append(KernelMomentArm(degreeOfFreedom: Int32(dof))) }
      t.segmentStart = Int32(segments.count)
      for (piece, path) in zip(pieces, paths) {
        let start = self.path.count
        appendPath(path[0], freedoms, Int(t.termStart))
        let middle = self.path.count
        appendPath(path[1], freedoms, Int(t.termStart))
        let (first, second) = (place(piece.first), place(piece.second))
        segments.append(
          KernelTendonSegment(
            weight: Scalar(piece.weight), first: first.0, second: second.0, firstPosition: first.1,
            secondPosition: second.1, pathStart: Int32(start), pathMiddle: Int32(middle),
            pathEnd: Int32(self.path.count)))
      }
      t.segmentEnd = Int32(segments.count)
    }

    mutating func addSite(_ index: Int) {
      let actuator = model.actuators[index]
      let reference = actuator.referenceSite
      let own = tree.directions(to: tree.bodyLink[model.sites[actuator.target].body])
      let other = reference.map { tree.directions(to: tree.bodyLink[model.sites[$0].body]) } ?? []
      let common = Set(own).intersection(other)
      let sides = [own, other].map { $0.filter { !common.contains($0) } }
      let start = terms.count
      let freedoms = tree.degreesOfFreedom(of: sides.joined())
      for dof in freedoms { terms.append(KernelMomentArm(degreeOfFreedom: Int32(dof))) }
      var t = KernelTransmission<Scalar>(
        kind: reference == nil ? .site : .siteInReference, termStart: Int32(start),
        termEnd: Int32(terms.count), owner: Int32(index))
      t.pathStart = Int32(path.count)
      appendPath(sides[0], freedoms, start)
      t.pathMiddle = Int32(path.count)
      appendPath(sides[1], freedoms, start)
      t.pathEnd = Int32(path.count)
      for direction in common.sorted() {
        path.append(
          KernelPathDirection(
            direction: Int32(direction), degreeOfFreedom: tree.directionDegreeOfFreedom[direction], term: 0,
            groupStart: Int32(path.count)))
      }
      t.commonEnd = Int32(path.count)
      (t.link, t.position, t.rotation) = place(actuator.target)
      (t.turn, t.bodyRotation) = turns(actuator.target)
      if let reference {
        (t.referenceLink, t.referencePosition, t.referenceRotation) = place(reference)
        (t.referenceTurn, t.referenceBodyRotation) = turns(reference)
      }
      let gear = actuator.gear
      t.force = Constant3(Vector3(gear[0], gear[1], gear[2]))
      t.torque = Constant3(Vector3(gear[3], gear[4], gear[5]))
      t.hasTorque = gear[3...5].contains { $0 != 0 }
      ofActuator[index] = transmissions.count
      append(t)
    }

    /// Link of a site, and its pose there.
    private func place(_ site: Int) -> (Int32, Constant3<Scalar>, Constant9<Scalar>) {
      let site = model.sites[site]
      let frame = tree.bodyOrientation[site.body]
      return (
        Int32(tree.bodyLink[site.body]),
        Constant3(tree.bodyPosition[site.body] + frame.rotate(site.position)),
        Constant9((frame * site.orientation).normalized.matrix)
      )
    }

    private func turns(_ site: Int) -> (Constant9<Scalar>, Constant9<Scalar>) {
      let site = model.sites[site]
      return (
        Constant9(site.orientation.normalized.matrix), Constant9(tree.bodyOrientation[site.body].matrix)
      )
    }

    private mutating func appendPath(_ directions: [Int], _ freedoms: [Int], _ firstTerm: Int) {
      var firstOfJoint: [Int32: Int] = [:]
      for direction in directions {
        let dof = Int(tree.directionDegreeOfFreedom[direction])
        let joint = tree.joints.array.first {
          let first = Int($0.direction)
          let width = $0.kind == .free ? 6 : $0.kind == .ball ? 3 : 1
          return first <= direction && direction < first + width
        }!
        // A free joint's translations come before its rotations and do not turn.
        let isRotation = joint.kind == .free && direction >= Int(joint.direction) + 3
        let key = joint.direction + (isRotation ? 3 : 0)
        let groupStart = firstOfJoint[key] ?? path.count
        firstOfJoint[key] = groupStart
        path.append(
          KernelPathDirection(
            direction: Int32(direction), degreeOfFreedom: Int32(dof),
            term: Int32(firstTerm + freedoms.firstIndex(of: dof)!),
            groupStart: Int32(groupStart)))
      }
    }

    private mutating func append(_ transmission: KernelTransmission<Scalar>) {
      var t = transmission
      t.pairStart = Int32(pairs.count)
      for row in Int(t.termStart)..<Int(t.termEnd) {
        for column in Int(t.termStart)...row {
          let (i, j) = (Int(terms[row].degreeOfFreedom), Int(terms[column].degreeOfFreedom))
          let start = Int(pattern.rowAddress[i])
          let found = (start..<start + Int(pattern.rowLength[i])).first { Int(pattern.columns[$0]) == j }
          // As in MuJoCo, degrees of freedom of different branches are not coupled.
          guard let found else { continue }
          pairs.append(KernelMomentPair(row: Int32(row), column: Int32(column), entry: Int32(found)))
        }
      }
      t.pairEnd = Int32(pairs.count)
      transmissions.append(t)
    }
  }
}

extension KinematicTree {
  /// Directions that move a link, from the root outwards.
  func directions(to link: Int) -> [Int] {
    var result: [Int] = []
    var direction = lastDirection(ofLink: link)
    while direction >= 0 {
      result.append(direction)
      direction = Int(directionParent[direction])
    }
    return result.reversed()
  }

  /// Directions that move one of two links and not the other, from the root outwards.
  func sides(_ links: [Int]) -> [[Int]] {
    let paths = links.map { directions(to: $0) }
    let common = Set(paths[0]).intersection(paths[1])
    return paths.map { $0.filter { !common.contains($0) } }
  }

  /// The degrees of freedom of directions, in increasing order.
  func degreesOfFreedom(of directions: some Sequence<Int>) -> [Int] {
    Set(directions.map { Int(directionDegreeOfFreedom[$0]) }).sorted()
  }
}

/// Lengths and moment arms of all transmissions on which forces act.
///
/// - Complexity: O(moment arms), nothing is allocated.
@inline(__always)
func transmissionPass<L: Lane>(_ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>) {
  guard plan.hasTransmissions else { return }
  var i = 0
  while i < plan.transmissions.activeCount {
    computeTransmission(plan, record, i)
    i += 1
  }
}

@inline(__always)
func computeTransmission<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ index: Int
) {
  let t = plan.transmissions.transmissions.pointer(index)
  var k = Int(t.pointee.termStart)
  let end = Int(t.pointee.termEnd)
  guard t.pointee.kind == .fixedTendon else {
    while k < end {
      record.moments[k] = L(0.0)
      k += 1
    }
    if t.pointee.kind == .spatialTendon {
      computeSegments(plan, record, t, index)
    } else {
      computeSite(plan, record, t, index)
    }
    return
  }
  var length = L(broadcasting: t.pointee.constant)
  while k < end {
    let term = plan.transmissions.terms.pointer(k)
    record.moments[k] = L(broadcasting: term.pointee.coefficient)
    length = L.multiplyAdd(
      record.positions[Int(term.pointee.positionAddress)], scalar: term.pointee.coefficient, length)
    k += 1
  }
  record.lengths[index] = length
}

/// The wrench of unit actuator force on a site, and its points of attack.
struct SiteWrench<L: Lane> {
  var force: Vector3<L>
  var torque: Vector3<L>
  /// Axes of the frame in which the wrench is constant.
  var axes: Matrix3<L>
  /// The site and the one it acts relative to, from the reference points of their trees.
  var arm: Vector3<L>
  var referenceArm: Vector3<L>
}

@inline(__always)
func siteWrench<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>,
  _ t: UnsafePointer<KernelTransmission<L.Scalar>>
) -> SiteWrench<L> {
  let isOwn = t.pointee.kind == .site
  let axes =
    record.poses[Int(isOwn ? t.pointee.link : t.pointee.referenceLink)].rotation
    * Matrix3(broadcasting: isOwn ? t.pointee.rotation : t.pointee.referenceRotation)
  return SiteWrench(
    force: axes * Vector3(broadcasting: t.pointee.force),
    torque: axes * Vector3(broadcasting: t.pointee.torque), axes: axes,
    arm: offset(plan.tree, record, link: Int(t.pointee.link), point: t.pointee.position),
    referenceArm: isOwn
      ? .zero
      : offset(
        plan.tree, record, link: Int(t.pointee.referenceLink), point: t.pointee.referencePosition))
}

/// From the reference site to the site, in world axes.
@inline(__always)
func siteDisplacement<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>,
  _ t: UnsafePointer<KernelTransmission<L.Scalar>>, _ w: SiteWrench<L>
) -> Vector3<L> {
  @inline(__always) func origin(_ link: Int32) -> Vector3<L> {
    record.poses[Int(plan.tree.links.pointer(Int(link)).pointee.root)].position
  }
  return w.arm - w.referenceArm + (origin(t.pointee.link) - origin(t.pointee.referenceLink))
}

/// The rotation vector from the reference site's frame to the site's.
///
/// As in MuJoCo 3.12, the frames are those of the bodies (axes B) turned by the sites' own rotations S in the world, S B
/// instead of B S: the same where sites have their bodies' axes. `axes` is S B of the site.
@inline(__always)
func siteRotation<L: Lane>(
  _ record: borrowing StepRecord<L>, _ t: UnsafePointer<KernelTransmission<L.Scalar>>
) -> (vector: Vector3<L>, axes: Matrix3<L>) {
  let own =
    Matrix3(broadcasting: t.pointee.turn)
    * (record.poses[Int(t.pointee.link)].rotation * Matrix3(broadcasting: t.pointee.bodyRotation))
  let other =
    Matrix3(broadcasting: t.pointee.referenceTurn)
    * (record.poses[Int(t.pointee.referenceLink)].rotation
      * Matrix3(broadcasting: t.pointee.referenceBodyRotation))
  return (relativeQuaternion(other.transposed * own).rotationVector, own)
}

/// A force on a site pushes along the site's axes, or along those of the site relative to which it acts; then the opposite
/// force is on that one, and what moves both has no arm. Length counts displacement and rotation in those axes.
@inline(__always)
private func computeSite<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>,
  _ t: UnsafePointer<KernelTransmission<L.Scalar>>, _ index: Int
) {
  let w = siteWrench(plan, record, t)
  addPathMoments(
    plan, record, Int(t.pointee.pathStart), Int(t.pointee.pathMiddle),
    wrench(force: w.force, torque: w.torque, at: w.arm))
  guard t.pointee.kind == .siteInReference else {
    record.lengths[index] = L(0.0)
    return
  }
  addPathMoments(
    plan, record, Int(t.pointee.pathMiddle), Int(t.pointee.pathEnd),
    wrench(force: -w.force, torque: -w.torque, at: w.referenceArm))
  var length = siteDisplacement(plan, record, t, w).dot(w.force)
  if t.pointee.hasTorque {
    length += siteRotation(record, t).vector.dot(Vector3(broadcasting: t.pointee.torque))
  }
  record.lengths[index] = length
}

/// A straight piece of a tendon: its points, from the reference points of their trees, its length and its direction.
struct SegmentGeometry<L: Lane> {
  var firstArm: Vector3<L>
  var secondArm: Vector3<L>
  var length: L
  var direction: Vector3<L>
  /// One over the length; zero where the points coincide, and the direction is the x axis (as in MuJoCo).
  var curvature: L
}

@inline(__always)
func segmentGeometry<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>,
  _ segment: UnsafePointer<KernelTendonSegment<L.Scalar>>
) -> SegmentGeometry<L> {
  @inline(__always) func origin(_ link: Int32) -> Vector3<L> {
    record.poses[Int(plan.tree.links.pointer(Int(link)).pointee.root)].position
  }
  let first = offset(
    plan.tree, record, link: Int(segment.pointee.first), point: segment.pointee.firstPosition)
  let second = offset(
    plan.tree, record, link: Int(segment.pointee.second), point: segment.pointee.secondPosition)
  let difference = second - first + (origin(segment.pointee.second) - origin(segment.pointee.first))
  let square = difference.normSquared
  let isNull = square .< L(1e-30)
  let (zero, one) = (L(0.0), L(1.0))
  let length = square.replacing(with: one, where: isNull).squareRoot
  let inverse = 1.0 / length
  let direction = difference * inverse
  return SegmentGeometry(
    firstArm: first, secondArm: second, length: length.replacing(with: zero, where: isNull),
    direction: Vector3(
      direction.x.replacing(with: one, where: isNull), direction.y.replacing(with: zero, where: isNull),
      direction.z.replacing(with: zero, where: isNull)),
    curvature: inverse.replacing(with: zero, where: isNull))
}

@inline(__always)
private func computeSegments<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>,
  _ t: UnsafePointer<KernelTransmission<L.Scalar>>, _ index: Int
) {
  var length = L(0.0)
  var s = Int(t.pointee.segmentStart)
  while s < Int(t.pointee.segmentEnd) {
    let segment = plan.transmissions.segments.pointer(s)
    let g = segmentGeometry(plan, record, segment)
    length = L.multiplyAdd(g.length, scalar: segment.pointee.weight, length)
    let force = g.direction * L(broadcasting: segment.pointee.weight)
    addPathMoments(
      plan, record, Int(segment.pointee.pathStart), Int(segment.pointee.pathMiddle),
      wrench(force: force, torque: .zero, at: g.secondArm))
    addPathMoments(
      plan, record, Int(segment.pointee.pathMiddle), Int(segment.pointee.pathEnd),
      wrench(force: -force, torque: .zero, at: g.firstArm))
    s += 1
  }
  record.lengths[index] = length
}

/// Adds `S·W` of a path's directions to the moment arms.
@inline(__always)
private func addPathMoments<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ start: Int, _ end: Int, _ w: Force<L>
) {
  var k = start
  while k < end {
    let step = plan.transmissions.path.pointer(k)
    record.moments[Int(step.pointee.term)] += record.directions[Int(step.pointee.direction)].dot(w)
    k += 1
  }
}

extension DynamicsPlan {
  /// Calls `body` with each moment arm of a transmission and its degree of freedom.
  @inline(__always)
  func forEachMoment(_ index: Int, _ body: (_ arm: Int, _ degreeOfFreedom: Int) -> Void) {
    let t = transmissions.transmissions.pointer(index)
    var k = Int(t.pointee.termStart)
    while k < Int(t.pointee.termEnd) {
      body(k, Int(transmissions.terms.pointer(k).pointee.degreeOfFreedom))
      k += 1
    }
  }

  /// Calls `body` with each two moment arms whose product has an entry in the mass matrix, and the entry.
  @inline(__always)
  func forEachMomentPair(_ index: Int, _ body: (_ row: Int, _ column: Int, _ entry: Int) -> Void) {
    let t = transmissions.transmissions.pointer(index)
    var p = Int(t.pointee.pairStart)
    while p < Int(t.pointee.pairEnd) {
      let pair = transmissions.pairs.pointer(p)
      body(Int(pair.pointee.row), Int(pair.pointee.column), Int(pair.pointee.entry))
      p += 1
    }
  }
}

/// The sum of moment arms times `x`, a number for each degree of freedom.
@inline(never)
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
func alongTransmission<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ index: Int, _ x: UnsafePointer<L>
) -> L {
  let moments = record.moments
  var sum = L(0.0)
  plan.forEachMoment(index) { arm, dof in sum = L.multiplyAdd(moments[arm], x[dof], sum) }
  return sum
}

/// Adds `force` times the moment arms to `tau`.
@inline(never)
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
func addAlongTransmission<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ index: Int, _ force: L,
  to tau: UnsafeMutablePointer<L>
) {
  let moments = record.moments
  plan.forEachMoment(index) { arm, dof in tau[dof] = L.multiplyAdd(moments[arm], force, tau[dof]) }
}

/// Adds `scale` times the product of the moment arms with themselves to the mass matrix, where that has entries.
@inline(never)
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
func addMomentProduct<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ index: Int, _ scale: L,
  to m: UnsafeMutablePointer<L>
) {
  let moments = record.moments
  plan.forEachMomentPair(index) { row, column, entry in
    m[entry] = L.multiplyAdd(scale * moments[row], moments[column], m[entry])
  }
}
