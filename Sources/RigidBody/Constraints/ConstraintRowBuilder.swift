import Kinematics
import Lanes
import RobotModels

/// Collects the rows of fixed place in MuJoCo's order: equalities, friction loss of degrees of freedom and tendons, limits of
/// joints and tendons.
struct ConstraintRowBuilder<Scalar: BinaryFloatingPoint & Sendable> {
  private(set) var rows: [ConstraintRowSource] = []
  private(set) var unitPattern: [UnitRow] = []
  private(set) var sparsePattern: [SparseRow] = []
  private(set) var support: [Int32] = []
  private(set) var sparseParameters: [KernelRowParameters<Scalar>] = []
  private(set) var unitRows: [KernelUnitRow<Scalar>] = []
  private(set) var formRows: [KernelFormRow<Scalar>] = []
  private(set) var terms: [KernelTerm<Scalar>] = []
  private(set) var ballLimits: [KernelBallLimit<Scalar>] = []
  private(set) var linkEqualities: [KernelLinkEquality<Scalar>] = []
  private(set) var linkDirections: [KernelLinkDirection] = []
  private(set) var velocityLinks: Set<Int> = []
  private let model: Model
  private let tree: KinematicTree<Scalar>
  private let smallestTime: Double

  /// A constant plus a sum of joint positions times coefficients.
  private struct LinearForm {
    var constant = 0.0
    var terms: [(position: Int, degreeOfFreedom: Int, coefficient: Double)] = []

    /// The derivatives by degrees of freedom.
    var arms: [Int: Double] {
      terms.reduce(into: [:]) { $0[$1.degreeOfFreedom, default: 0] += $1.coefficient }
    }
    var negated: LinearForm {
      LinearForm(
        constant: -constant, terms: terms.map { ($0.position, $0.degreeOfFreedom, -$0.coefficient) })
    }
    func value(_ positions: [Double]) -> Double {
      terms.reduce(constant) { $0 + $1.coefficient * positions[$1.position] }
    }
  }

  init(_ model: Model, _ tree: KinematicTree<Scalar>) {
    self.model = model
    self.tree = tree
    smallestTime = model.options.smallestTimeConstant
  }

  mutating func addRows() throws(RigidBodyError) {
    let disabled = model.options.disabled
    guard !disabled.contains(.constraint) else { return }
    if !disabled.contains(.equality) {
      for (index, equality) in model.equalities.enumerated() where equality.active {
        try add(equality, index)
      }
    }
    if !disabled.contains(.frictionLoss) { try addFriction() }
    if !disabled.contains(.limit) { try addLimits() }
  }

  // MARK: Friction and limits

  private mutating func addFriction() throws(RigidBodyError) {
    for (index, dof) in model.degreesOfFreedom.enumerated() where dof.frictionLoss != 0 {
      rows.append(ConstraintRowSource(type: .jointFriction, id: index, isUnit: true, row: unitRows.count))
      unitPattern.append(UnitRow(degreeOfFreedom: Int32(index), kind: .friction, sign: 1))
      unitRows.append(
        KernelUnitRow(
          isLimit: false, degreeOfFreedom: Int32(index), positionAddress: 0, sign: 1, bound: 0,
          frictionLoss: Scalar(dof.frictionLoss),
          parameters: KernelRowParameters(
            reference: dof.frictionSolverReference, impedance: dof.frictionSolverImpedance,
            diagonal: dof.inverseWeight0, isFriction: true, smallestTime: smallestTime)))
    }
    for (index, tendon) in model.tendons.enumerated() where tendon.frictionLoss > 0 {
      let parameters = KernelRowParameters<Scalar>(
        reference: tendon.frictionSolverReference, impedance: tendon.frictionSolverImpedance,
        diagonal: tendon.inverseWeight0, isFriction: true, smallestTime: smallestTime)
      guard tendon.isFixed else {
        try addSpatial(
          index, kind: .friction, type: .tendonFriction, frictionLoss: tendon.frictionLoss,
          parameters: parameters)
        continue
      }
      addForm(
        try form(ofTendon: index, for: "friction loss"), kind: .friction, type: .tendonFriction, id: index,
        frictionLoss: tendon.frictionLoss, parameters: parameters)
    }
  }

  private mutating func addLimits() throws(RigidBodyError) {
    for (index, joint) in model.joints.enumerated() where joint.limited {
      switch joint.type {
      case .free: break
      case .ball: addBallLimit(joint, index)
      case .hinge, .slide: addLimits(of: joint, index)
      }
    }
    for (index, tendon) in model.tendons.enumerated() where tendon.limited {
      let parameters = KernelRowParameters<Scalar>(
        reference: tendon.limitSolverReference, impedance: tendon.limitSolverImpedance, margin: tendon.margin,
        diagonal: tendon.inverseWeight0, smallestTime: smallestTime)
      guard tendon.isFixed else {
        for (bound, sign) in zip(tendon.range, [1.0, -1.0]) {
          try addSpatial(
            index, sign: sign, constant: -sign * bound, kind: .limit, type: .tendonLimit,
            parameters: parameters)
        }
        continue
      }
      addLimits(
        try form(ofTendon: index, for: "limits"), tendon.range, .tendonLimit, id: index, parameters)
    }
  }

  private mutating func addLimits(of joint: Joint, _ index: Int) {
    // What a mimic joint meets follows from its source by the square of the multiplier.
    let scale = joint.mimic?.multiplier ?? 1
    let parameters = KernelRowParameters<Scalar>(
      reference: joint.limitSolverReference, impedance: joint.limitSolverImpedance, margin: joint.margin,
      diagonal: scale * scale * model.degreesOfFreedom[joint.velocityAddress].inverseWeight0,
      smallestTime: smallestTime)
    guard joint.mimic == nil else {
      return addLimits(form(ofJoint: index), joint.range, .jointLimit, id: index, parameters)
    }
    for (side, sign) in [(0, 1), (1, -1)] {
      rows.append(ConstraintRowSource(type: .jointLimit, id: index, isUnit: true, row: unitRows.count))
      unitPattern.append(
        UnitRow(degreeOfFreedom: Int32(joint.velocityAddress), kind: .limit, sign: Int8(sign)))
      unitRows.append(
        KernelUnitRow(
          isLimit: true, degreeOfFreedom: Int32(joint.velocityAddress),
          positionAddress: Int32(joint.positionAddress), sign: Scalar(sign), bound: Scalar(joint.range[side]),
          frictionLoss: 0, parameters: parameters))
    }
  }

  private mutating func addBallLimit(_ joint: Joint, _ index: Int) {
    let parameters = KernelRowParameters<Scalar>(
      reference: joint.limitSolverReference, impedance: joint.limitSolverImpedance, margin: joint.margin,
      diagonal: model.degreesOfFreedom[joint.velocityAddress].inverseWeight0, smallestTime: smallestTime)
    ballLimits.append(
      KernelBallLimit(
        row: Int32(sparsePattern.count), positionAddress: Int32(joint.positionAddress),
        bound: Scalar(max(joint.range[0], joint.range[1])), parameters: parameters))
    appendRow(.jointLimit, id: index, kind: .limit, (0..<3).map { joint.velocityAddress + $0 }, parameters)
  }

  /// The lower limit where the form is at least, the upper one where it is at most.
  private mutating func addLimits(
    _ form: LinearForm, _ range: [Double], _ type: ConstraintRowType, id: Int,
    _ parameters: KernelRowParameters<Scalar>
  ) {
    for side in 0..<2 {
      var value = form
      value.constant -= range[side]
      addForm(side == 0 ? value : value.negated, kind: .limit, type: type, id: id, parameters: parameters)
    }
  }

  // MARK: Linear forms

  private func form(ofJoint index: Int) -> LinearForm {
    let joint = model.joints[index]
    return LinearForm(
      constant: joint.mimic?.offset ?? 0,
      terms: [(joint.positionAddress, joint.velocityAddress, joint.mimic?.multiplier ?? 1)])
  }

  private func form(ofTendon index: Int, for use: String) throws(RigidBodyError) -> LinearForm {
    let tendon = model.tendons[index]
    guard tendon.isFixed else {
      throw .unsupported("\(use) of the spatial tendon \(index) ('\(tendon.name)')")
    }
    var sum = LinearForm()
    for (joint, coefficient) in zip(tendon.joints, tendon.coefficients) {
      let own = form(ofJoint: joint)
      sum.constant += coefficient * own.constant
      sum.terms += own.terms.map { ($0.position, $0.degreeOfFreedom, coefficient * $0.coefficient) }
    }
    return sum
  }

  private mutating func addForm(
    _ first: LinearForm, _ second: LinearForm? = nil, polynomial: [Double] = [0, 0, 0, 0], kind: RowKind,
    type: ConstraintRowType, id: Int, frictionLoss: Double = 0, parameters: KernelRowParameters<Scalar>
  ) {
    let degreesOfFreedom = Set(first.arms.keys).union(second?.arms.keys ?? [:].keys).sorted()
    // A row that nothing can move is no row.
    guard first.arms.values.contains(where: { $0 != 0 }) || second != nil else { return }
    func append(_ form: LinearForm?) -> (start: Int32, end: Int32) {
      let start = terms.count
      for term in form?.terms ?? [] {
        terms.append(
          KernelTerm(
            positionAddress: Int32(term.position),
            column: Int32(degreesOfFreedom.firstIndex(of: term.degreeOfFreedom)!),
            coefficient: Scalar(term.coefficient)))
      }
      return (Int32(start), Int32(terms.count))
    }
    let one = append(first)
    let two = append(second)
    let p = polynomial.map { Scalar($0) }
    formRows.append(
      KernelFormRow(
        row: Int32(sparsePattern.count), kind: kind, firstStart: one.start, firstEnd: one.end,
        secondStart: two.start, secondEnd: two.end, firstConstant: Scalar(first.constant),
        secondConstant: Scalar(second?.constant ?? 0), polynomial: (p[0], p[1], p[2], p[3]),
        frictionLoss: Scalar(frictionLoss), parameters: parameters))
    appendRow(type, id: id, kind: kind, degreesOfFreedom, parameters)
  }

  /// A row on the length of a spatial tendon.
  private mutating func addSpatial(
    _ index: Int, sign: Double = 1, constant: Double = 0, kind: RowKind, type: ConstraintRowType,
    frictionLoss: Double = 0, parameters: KernelRowParameters<Scalar>
  ) throws(RigidBodyError) {
    let tendon = model.tendons[index]
    guard !tendon.wraps else {
      throw .unsupported("constraints on tendon \(index) ('\(tendon.name)'), which wraps around geoms,")
    }
    // As in the plan of transmissions, which has the moment arms.
    let directions = tendon.segments.flatMap { piece in
      tree.sides([piece.second, piece.first].map { tree.bodyLink[model.sites[$0].body] }).joined()
    }
    let degreesOfFreedom = tree.degreesOfFreedom(of: directions)
    guard !degreesOfFreedom.isEmpty else { return }
    let end = Int32(terms.count)
    formRows.append(
      KernelFormRow(
        row: Int32(sparsePattern.count), kind: kind, tendon: Int32(index), sign: Scalar(sign),
        firstStart: end,
        firstEnd: end, secondStart: end, secondEnd: end, firstConstant: Scalar(constant), secondConstant: 0,
        polynomial: (0, 0, 0, 0), frictionLoss: Scalar(frictionLoss), parameters: parameters))
    appendRow(type, id: index, kind: kind, degreesOfFreedom, parameters)
  }

  private mutating func appendRow(
    _ type: ConstraintRowType, id: Int, kind: RowKind, _ degreesOfFreedom: [Int],
    _ parameters: KernelRowParameters<Scalar>
  ) {
    rows.append(ConstraintRowSource(type: type, id: id, isUnit: false, row: sparsePattern.count))
    sparsePattern.append(
      SparseRow(start: Int32(support.count), count: Int32(degreesOfFreedom.count), kind: kind))
    support += degreesOfFreedom.map(Int32.init)
    sparseParameters.append(parameters)
  }

  // MARK: Equalities

  private mutating func add(_ equality: Equality, _ index: Int) throws(RigidBodyError) {
    switch equality.type {
    case .connect, .weld: addLinkEquality(equality, index)
    case .joint:
      addFormEquality(
        equality, index, form(ofJoint: equality.object1), equality.object2.map { form(ofJoint: $0) },
        diagonal: inverseWeight(ofJoint: equality.object1)
          + (equality.object2.map { inverseWeight(ofJoint: $0) } ?? 0))
    case .tendon:
      let first = try form(ofTendon: equality.object1, for: "an equality")
      var second: LinearForm?
      var diagonal = model.tendons[equality.object1].inverseWeight0
      if let other = equality.object2 {
        second = try form(ofTendon: other, for: "an equality")
        diagonal += model.tendons[other].inverseWeight0
      }
      addFormEquality(equality, index, first, second, diagonal: diagonal)
    case .other:
      throw .unsupported("equality \(index) ('\(equality.name)'), which is of a kind of its own,")
    }
  }

  private func inverseWeight(ofJoint index: Int) -> Double {
    let joint = model.joints[index]
    let scale = joint.mimic?.multiplier ?? 1
    return scale * scale * model.degreesOfFreedom[joint.velocityAddress].inverseWeight0
  }

  /// Both forms count from the default configuration.
  private mutating func addFormEquality(
    _ equality: Equality, _ index: Int, _ first: LinearForm, _ second: LinearForm?, diagonal: Double
  ) {
    var (one, two) = (first, second)
    one.constant -= first.value(model.defaultPosition) + equality.data[0]
    if let second { two?.constant -= second.value(model.defaultPosition) }
    addForm(
      one, two, polynomial: Array(equality.data[1..<5]), kind: .equality, type: .equality, id: index,
      parameters: KernelRowParameters(
        reference: equality.solverReference, impedance: equality.solverImpedance, diagonal: diagonal,
        smallestTime: smallestTime))
  }

  private mutating func addLinkEquality(_ equality: Equality, _ index: Int) {
    let isWeld = equality.type == .weld
    let second = equality.object2 ?? 0
    func vector(_ start: Int) -> Vector3<Double> {
      Vector3(equality.data[start], equality.data[start + 1], equality.data[start + 2])
    }
    var (body1, body2) = (equality.object1, second)
    var (anchor1, anchor2) = isWeld ? (vector(3), vector(0)) : (vector(0), vector(3))
    var (turn1, turn2) = (Quaternion<Double>.identity, Quaternion<Double>.identity)
    if equality.joinsSites {
      let (site1, site2) = (model.sites[equality.object1], model.sites[second])
      (body1, body2) = (site1.body, site2.body)
      (anchor1, anchor2) = (site1.position, site2.position)
      (turn1, turn2) = (site1.orientation, site2.orientation)
    } else if isWeld {
      turn1 = Quaternion(equality.data[6], equality.data[7], equality.data[8], equality.data[9])
    }
    let (link1, link2) = (tree.bodyLink[body1], tree.bodyLink[body2])
    let (path1, path2) = (directions(to: link1), directions(to: link2))
    let all = path1.union(path2).sorted()
    let degreesOfFreedom = Set(all.map { Int(tree.directionDegreeOfFreedom[$0]) }).sorted()
    guard !all.isEmpty else { return }
    let start = linkDirections.count
    for direction in all {
      let dof = Int(tree.directionDegreeOfFreedom[direction])
      linkDirections.append(
        KernelLinkDirection(
          direction: Int32(direction), column: Int32(degreesOfFreedom.firstIndex(of: dof)!),
          movesFirst: path1.contains(direction), movesSecond: path2.contains(direction)))
    }
    for link in [link1, link2] { addVelocityLinks(link) }
    func place(_ body: Int, _ point: Vector3<Double>) -> Constant3<Scalar> {
      Constant3(tree.bodyPosition[body] + tree.bodyOrientation[body].rotate(point))
    }
    func frame(_ body: Int, _ turn: Quaternion<Double>) -> Constant9<Scalar> {
      Constant9((tree.bodyOrientation[body] * turn).normalized.matrix)
    }
    let (weight1, weight2) = (model.bodies[body1].inverseWeight0, model.bodies[body2].inverseWeight0)
    let translation = KernelRowParameters<Scalar>(
      reference: equality.solverReference, impedance: equality.solverImpedance,
      diagonal: weight1[0] + weight2[0], smallestTime: smallestTime)
    var rotation = translation
    rotation.diagonal = Scalar(weight1[1] + weight2[1])
    linkEqualities.append(
      KernelLinkEquality(
        row: Int32(sparsePattern.count), isWeld: isWeld, link1: Int32(link1), link2: Int32(link2),
        anchor1: place(body1, anchor1), anchor2: place(body2, anchor2), frame1: frame(body1, turn1),
        frame2: frame(body2, turn2), torqueScale: Scalar(isWeld ? equality.data[10] : 0),
        directionStart: Int32(start), directionEnd: Int32(linkDirections.count),
        translation: translation, rotationDiagonal: rotation.diagonal))
    for row in 0..<(isWeld ? 6 : 3) {
      appendRow(
        .equality, id: index, kind: .equality, degreesOfFreedom, row < 3 ? translation : rotation)
    }
  }

  /// Directions that move a link.
  private func directions(to link: Int) -> Set<Int> {
    var found: Set<Int> = []
    var direction = tree.lastDirection(ofLink: link)
    while direction >= 0 {
      found.insert(direction)
      direction = Int(tree.directionParent[direction])
    }
    return found
  }

  private mutating func addVelocityLinks(_ link: Int) {
    var link = link
    while link != 0 {
      velocityLinks.insert(link)
      link = Int(tree.links[link].parent)
    }
  }
}
