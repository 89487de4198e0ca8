import Lanes

/// A symmetric linear map between spatial vectors, angular part first: an inertia (motion to force) or an inverse
/// inertia (force to motion).
struct SpatialOperator {
  var angular = Matrix3<Double>.zero
  /// Upper right block: what the linear part of the argument adds to the angular part of the result.
  var coupling = Matrix3<Double>.zero
  var linear = Matrix3<Double>.zero

  static func * (a: Self, m: Motion<Double>) -> Force<Double> {
    Force(
      angular: a.angular * m.angular + a.coupling * m.linear,
      linear: a.coupling.transposedTimes(m.angular) + a.linear * m.linear)
  }
  static func * (a: Self, f: Force<Double>) -> Motion<Double> {
    Motion(
      angular: a.angular * f.angular + a.coupling * f.linear,
      linear: a.coupling.transposedTimes(f.angular) + a.linear * f.linear)
  }
  static func += (a: inout Self, b: Self) {
    a.angular = a.angular + b.angular
    a.coupling = a.coupling + b.coupling
    a.linear = a.linear + b.linear
  }
  /// Adds `scale` times the product of two vectors, made symmetric by the caller.
  mutating func addProduct(
    _ a: (Vector3<Double>, Vector3<Double>), _ b: (Vector3<Double>, Vector3<Double>), _ scale: Double
  ) {
    angular = angular + Matrix3.outer(a.0, b.0) * scale
    coupling = coupling + Matrix3.outer(a.0, b.1) * scale
    linear = linear + Matrix3.outer(a.1, b.1) * scale
  }
  /// The same inertia about a point from which the present reference point lies at `offset`.
  func inertia(movedBy offset: Vector3<Double>) -> Self {
    let r = Matrix3.skew(offset)
    let lower = coupling.transposed - linear * r
    return Self(
      angular: angular - coupling * r + r * lower, coupling: coupling + r * linear, linear: linear)
  }
  /// The same inverse inertia, about the point at `offset` from the present reference point.
  func inverseInertia(movedBy offset: Vector3<Double>) -> Self {
    let r = Matrix3.skew(offset)
    let upper = angular * r + coupling
    return Self(
      angular: angular, coupling: upper, linear: linear + coupling.transposed * r - r * upper)
  }
}

extension Matrix3 where L == Double {
  static func outer(_ a: Vector3<Double>, _ b: Vector3<Double>) -> Self {
    Self(columns: a * b.x, a * b.y, a * b.z)
  }
  /// The matrix of `v x`.
  static func skew(_ v: Vector3<Double>) -> Self {
    Self(columns: Vector3(0, v.z, -v.y), Vector3(-v.z, 0, v.x), Vector3(v.y, -v.x, 0))
  }
}

extension Motion where L == Double {
  fileprivate var parts: (Vector3<Double>, Vector3<Double>) { (angular, linear) }
}
extension Force where L == Double {
  fileprivate var parts: (Vector3<Double>, Vector3<Double>) { (angular, linear) }
}

/// The tree at the default configuration with its articulated inertias: solves with the mass matrix, and gives
/// the diagonals of it and of its inverse, without ever forming either.
struct ArticulatedTree {
  /// One column of the Jacobian; a mimic joint has its own.
  private struct Direction {
    var joint: Int
    /// The degree of freedom it is, or belongs to through a mimic relation with that multiplier.
    var freedom: Int
    var multiplier: Double
    var isMimic: Bool
    var armature: Double
    /// Motion of the body about its centre of mass.
    var motion: Motion<Double>
    /// Articulated inertia times the motion, divided by `inertia`; and the inertia that the direction meets.
    var gain = Force<Double>.zero
    var inertia = 0.0
  }

  private let parents: [Int]
  /// Centre of mass of each body, and its rotational axes.
  private let centers: [Vector3<Double>]
  private let inertias: [SpatialOperator]
  private var directions: [Direction] = []
  /// Each body's directions.
  private var ranges: [Range<Int>] = []
  /// What ties directions together: coefficients by direction, and the compliance of the tie.
  private var ties: [(row: [Int: Double], compliance: Double)] = []
  private let freedomCount: Int
  private(set) var masslessJoints: [Int] = []

  init(_ model: Model) {
    let kinematics = DefaultKinematics(model)
    parents = model.bodies.map(\.parent)
    freedomCount = model.velocityCount
    var centers: [Vector3<Double>] = []
    var inertias: [SpatialOperator] = []
    for (body, pose) in zip(model.bodies, kinematics.poses) {
      let frame =
        pose * ModelSpecification.Pose(position: body.inertialPosition, orientation: body.inertialOrientation)
      centers.append(frame.position)
      inertias.append(
        SpatialOperator(
          angular: PrincipalInertia(mass: body.mass, moments: body.inertia, pose: frame).matrix,
          linear: Matrix3.identity * body.mass))
    }
    self.centers = centers
    self.inertias = inertias
    for (index, body) in model.bodies.enumerated() {
      let start = directions.count
      for joint in body.joints { appendDirections(of: joint, body: index, model, kinematics) }
      ranges.append(start..<directions.count)
    }
    appendTies(model)
    eliminate()
  }

  private mutating func appendDirections(
    of index: Int, body: Int, _ model: Model, _ kinematics: DefaultKinematics
  ) {
    let joint = model.joints[index]
    let arm = centers[body] - kinematics.anchors[index]
    let axes = kinematics.poses[body].orientation.matrix
    func turning(_ axis: Vector3<Double>) -> Motion<Double> { Motion(angular: axis, linear: axis.cross(arm)) }
    func sliding(_ axis: Vector3<Double>) -> Motion<Double> { Motion(angular: .zero, linear: axis) }
    let turns = [turning(axes.column0), turning(axes.column1), turning(axes.column2)]
    let motions: [Motion<Double>]
    switch joint.type {
    case .free:
      motions = [sliding(Vector3(1, 0, 0)), sliding(Vector3(0, 1, 0)), sliding(Vector3(0, 0, 1))] + turns
    case .ball: motions = turns
    case .slide: motions = [sliding(kinematics.axes[index])]
    case .hinge: motions = [turning(kinematics.axes[index])]
    }
    for (k, motion) in motions.enumerated() {
      let freedom = joint.velocityAddress + k
      // A mimic joint's armature counts at its source.
      directions.append(
        Direction(
          joint: index, freedom: freedom, multiplier: joint.mimic?.multiplier ?? 1,
          isMimic: joint.mimic != nil,
          armature: joint.mimic == nil ? model.degreesOfFreedom[freedom].armature : 0, motion: motion))
    }
  }

  private mutating func appendTies(_ model: Model) {
    var own = [Int](repeating: -1, count: freedomCount)
    for (index, direction) in directions.enumerated() where !direction.isMimic {
      own[direction.freedom] = index
    }
    for (index, direction) in directions.enumerated() where direction.isMimic {
      ties.append(([index: 1, own[direction.freedom]: -direction.multiplier], 0))
    }
    for tendon in model.tendons where tendon.armature > 0 && tendon.isFixed {
      let arms = model.momentArms(of: tendon)
      let row = Dictionary(uniqueKeysWithValues: arms.map { (own[$0.key], $0.value) })
      ties.append((row, 1 / tendon.armature))
    }
  }

  /// Articulated inertias from the leaves to the root, one direction at a time.
  private mutating func eliminate() {
    var articulated = inertias
    for body in parents.indices.dropFirst().reversed() {
      for index in ranges[body].reversed() {
        let motion = directions[index].motion
        let force = articulated[body] * motion
        let met = motion.dot(force) + directions[index].armature
        if met < ModelCompiler.smallestMass { masslessJoints.append(directions[index].joint) }
        let inertia = max(met, ModelCompiler.smallestMass)
        articulated[body].addProduct(force.parts, force.parts, -1 / inertia)
        directions[index].inertia = inertia
        directions[index].gain = force * (1 / inertia)
      }
      if parents[body] > 0 {
        articulated[parents[body]] += articulated[body].inertia(
          movedBy: centers[body] - centers[parents[body]])
      }
    }
  }

  /// Diagonal of the mass matrix over the degrees of freedom.
  func massMatrixDiagonal() -> [Double] {
    var composite = inertias
    for body in parents.indices.dropFirst().reversed() where parents[body] > 0 {
      composite[parents[body]] += composite[body].inertia(movedBy: centers[body] - centers[parents[body]])
    }
    var diagonal = [Double](repeating: 0, count: freedomCount)
    var driven: Set<Int> = []
    for body in parents.indices {
      for direction in directions[ranges[body]] {
        if direction.isMimic {
          driven.insert(direction.freedom)
        } else {
          diagonal[direction.freedom] =
            direction.armature + direction.motion.dot(composite[body] * direction.motion)
        }
      }
    }
    for freedom in driven { diagonal[freedom] = kineticEnergy(ofUnitVelocity: freedom) * 2 }
    return diagonal
  }

  /// Kinetic energy where one degree of freedom, with its mimic joints, moves at unit velocity.
  private func kineticEnergy(ofUnitVelocity freedom: Int) -> Double {
    var velocities = [Motion<Double>](repeating: .zero, count: parents.count)
    var energy = 0.0
    for body in parents.indices.dropFirst() {
      var velocity = moved(velocities[parents[body]], from: parents[body], to: body)
      for direction in directions[ranges[body]] where direction.freedom == freedom {
        velocity = direction.motion.multiplyAdd(direction.multiplier, velocity)
        energy += direction.armature / 2
      }
      velocities[body] = velocity
      energy += velocity.dot(inertias[body] * velocity) / 2
    }
    return energy
  }

  private func moved(_ motion: Motion<Double>, from parent: Int, to body: Int) -> Motion<Double> {
    guard parent > 0 else { return .zero }
    return Motion(
      angular: motion.angular, linear: motion.linear + motion.angular.cross(centers[body] - centers[parent]))
  }

  /// Accelerations of the directions and of the bodies' centres of mass for generalised forces on directions.
  private func respond(to forces: [Int: Double]) -> (directions: [Double], bodies: [Motion<Double>]) {
    var bias = [Force<Double>](repeating: .zero, count: parents.count)
    var residual = [Double](repeating: 0, count: directions.count)
    for body in parents.indices.dropFirst().reversed() {
      for index in ranges[body].reversed() {
        residual[index] = (forces[index] ?? 0) - directions[index].motion.dot(bias[body])
        bias[body] += directions[index].gain * residual[index]
      }
      let parent = parents[body]
      guard parent > 0 else { continue }
      let force = bias[body]
      bias[parent] += Force(
        angular: force.angular + (centers[body] - centers[parent]).cross(force.linear), linear: force.linear)
    }
    var accelerations = [Double](repeating: 0, count: directions.count)
    var motions = [Motion<Double>](repeating: .zero, count: parents.count)
    for body in parents.indices.dropFirst() {
      var motion = moved(motions[parents[body]], from: parents[body], to: body)
      for index in ranges[body] {
        let direction = directions[index]
        accelerations[index] = residual[index] / direction.inertia - motion.dot(direction.gain)
        motion = direction.motion.multiplyAdd(accelerations[index], motion)
      }
      motions[body] = motion
    }
    return (accelerations, motions)
  }

  /// `J M⁻¹ Jᵀ` of a row over degrees of freedom.
  func inverseInertia(along row: [Int: Double]) -> Double {
    var own: [Int: Double] = [:]
    for (index, direction) in directions.enumerated() where !direction.isMimic {
      if let arm = row[direction.freedom] { own[index] = arm }
    }
    let response = respond(to: own).directions
    let plain = own.reduce(0) { $0 + $1.value * response[$1.key] }
    guard !ties.isEmpty else { return plain }
    let responses = ties.map { respond(to: $0.row).directions }
    return plain
      - tieFactor(responses).inverseForm(
        responses.map { column in own.reduce(0) { $0 + $1.value * column[$1.key] } })
  }

  /// The factor of c + T Y, see ``correctForTies(_:_:)``.
  private func tieFactor(_ responses: [[Double]]) -> CholeskyFactor {
    var system = ties.map { tie in
      responses.map { response in tie.row.reduce(0) { $0 + $1.value * response[$1.key] } }
    }
    for index in ties.indices { system[index][index] += ties[index].compliance }
    return CholeskyFactor(system)
  }

  /// Diagonal of the inverse mass matrix, and for each body the mean inverse inertia of its centre of mass:
  /// translation, rotation.
  func inverseInertias() -> (freedoms: [Double], bodies: [[Double]]) {
    var freedoms = [Double](repeating: 0, count: freedomCount)
    var inverse = [SpatialOperator](repeating: SpatialOperator(), count: parents.count)
    for body in parents.indices.dropFirst() {
      let parent = parents[body]
      var map =
        parent > 0
        ? inverse[parent].inverseInertia(movedBy: centers[body] - centers[parent]) : SpatialOperator()
      for direction in directions[ranges[body]] {
        let motion = direction.motion
        let carried = map * direction.gain
        let own = 1 / direction.inertia + carried.dot(direction.gain)
        if !direction.isMimic { freedoms[direction.freedom] = own }
        map.addProduct(motion.parts, carried.parts, -1)
        map.addProduct(carried.parts, motion.parts, -1)
        map.addProduct(motion.parts, motion.parts, own)
      }
      inverse[body] = map
    }
    var bodies = inverse.map { [$0.linear.trace / 3, $0.angular.trace / 3] }
    if !ties.isEmpty { correctForTies(&freedoms, &bodies) }
    return (freedoms, bodies)
  }

  /// Woodbury: a tie with row t and compliance c takes Y (c + T Y)⁻¹ Yᵀ off the inverse, Y = M⁻¹ Tᵀ.
  private func correctForTies(_ freedoms: inout [Double], _ bodies: inout [[Double]]) {
    let responses = ties.map { respond(to: $0.row) }
    let factor = tieFactor(responses.map(\.directions))
    for (index, direction) in directions.enumerated() where !direction.isMimic {
      freedoms[direction.freedom] -= factor.inverseForm(responses.map { $0.directions[index] })
    }
    for body in bodies.indices {
      for axis in 0..<3 {
        bodies[body][0] -= factor.inverseForm(responses.map { $0.bodies[body].linear[axis] }) / 3
        bodies[body][1] -= factor.inverseForm(responses.map { $0.bodies[body].angular[axis] }) / 3
      }
    }
  }
}

extension Matrix3 where L == Double {
  fileprivate var trace: Double { column0.x + column1.y + column2.z }
}

/// The factor of a small symmetric positive definite matrix.
private struct CholeskyFactor {
  private var rows: [[Double]]

  init(_ matrix: [[Double]]) {
    rows = matrix
    for i in rows.indices {
      for j in 0...i {
        var sum = rows[i][j]
        for k in 0..<j { sum -= rows[i][k] * rows[j][k] }
        rows[i][j] = i == j ? max(sum, ModelCompiler.smallestMass).squareRoot() : sum / rows[j][j]
      }
    }
  }

  /// `v · A⁻¹ v`.
  func inverseForm(_ v: [Double]) -> Double {
    var solution = v
    var sum = 0.0
    for i in rows.indices {
      for k in 0..<i { solution[i] -= rows[i][k] * solution[k] }
      solution[i] /= rows[i][i]
      sum += solution[i] * solution[i]
    }
    return sum
  }
}
