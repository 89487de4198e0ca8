import Lanes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

extension Model {
  /// Computes the constants that follow from the others: ``Body/subtreeMass``, ``Body/inverseWeight0``,
  /// ``DegreeOfFreedom/inverseWeight0``, ``DegreeOfFreedom/inertia0``, ``Tendon/inverseWeight0`` and
  /// ``meanInertia``, as MuJoCo's `mj_setConst` does.
  ///
  /// Call it after changing masses, inertias, poses or armatures where constraints are to follow the change. A
  /// mean inertia that the file states is replaced too. A joint that moves no mass gets weights of 1e15.
  ///
  /// The inverse inertias come from one articulated-body pass over the tree (Featherstone, Rigid Body Dynamics
  /// Algorithms, 2008, chapter 7) and one pass outwards that propagates each body's inverse inertia; mimic joints
  /// and tendons with armature correct them through a small dense system.
  ///
  /// - Complexity: O(bodies + degrees of freedom), and O(bodies · k²) for k mimic joints and tendons with
  ///   armature.
  public mutating func recomputeDerivedConstants() { _ = deriveConstants() }

  /// - Returns: the joints whose movement meets no inertia.
  mutating func deriveConstants() -> [Int] {
    for index in bodies.indices { bodies[index].subtreeMass = bodies[index].mass }
    for index in bodies.indices.dropFirst().reversed() {
      bodies[bodies[index].parent].subtreeMass += bodies[index].subtreeMass
    }
    let tree = ArticulatedTree(self)
    setInertia0(tree)
    setInverseWeights(tree)
    return tree.masslessJoints
  }

  /// Diagonal of the mass matrix, and its mean.
  private mutating func setInertia0(_ tree: ArticulatedTree) {
    let diagonal = tree.massMatrixDiagonal()
    for index in degreesOfFreedom.indices { degreesOfFreedom[index].inertia0 = diagonal[index] }
    guard velocityCount > 0 else {
      meanInertia = 1
      return
    }
    var sum = diagonal.reduce(0, +)
    for tendon in tendons where tendon.armature > 0 && tendon.isFixed {
      for (_, arm) in momentArms(of: tendon) { sum += tendon.armature * arm * arm }
    }
    meanInertia = sum / Double(velocityCount)
  }

  private mutating func setInverseWeights(_ tree: ArticulatedTree) {
    let inverse = tree.inverseInertias()
    for (index, joint) in joints.enumerated() where joint.mimic == nil {
      let isTranslation = movesSimply(joint.body)
      let count = joint.type.velocityCount
      for k in 0..<count {
        // The translations and the rotations of a free joint are averaged on their own.
        let start = joint.velocityAddress + (count == 6 ? k / 3 * 3 : 0)
        let part = inverse.freedoms[start..<start + min(count, 3)]
        degreesOfFreedom[joint.velocityAddress + k].inverseWeight0 =
          isTranslation
          ? 1 / max(ModelCompiler.smallestMass, bodies[joints[index].body].mass)
          : part.reduce(0, +) / Double(part.count)
      }
    }
    for index in bodies.indices {
      if bodies[bodies[index].weldedTo].joints.isEmpty {
        bodies[index].inverseWeight0 = [0, 0]
      } else if movesSimply(index) {
        bodies[index].inverseWeight0 = [1 / max(ModelCompiler.smallestMass, bodies[index].mass), 0]
      } else {
        bodies[index].inverseWeight0 = inverse.bodies[index]
      }
    }
    for index in tendons.indices where !tendons[index].wraps {
      tendons[index].inverseWeight0 = tree.inverseInertia(along: momentArms(of: tendons[index]))
    }
  }

  /// A body that only slides along its own axes, alone in its tree: MuJoCo takes the inverse of its mass in every
  /// direction, armature left out.
  private func movesSimply(_ index: Int) -> Bool {
    let body = bodies[index]
    guard !body.joints.isEmpty, index + 1 >= bodies.count || bodies[index + 1].parent != index else {
      return false
    }
    let parent = bodies[body.parent]
    guard body.root == index || (parent.parent == 0 && parent.joints.isEmpty) else { return false }
    func isNull(_ v: Vector3<Double>) -> Bool { v.array.allSatisfy { abs($0) < 1e-6 } }
    guard isNull(body.inertialPosition), isNull(body.inertialOrientation.vector),
      abs(abs(body.inertialOrientation.w) - 1) < 1e-6
    else { return false }
    return joints[body.joints].allSatisfy { joint in
      joint.type == .slide && isNull(joint.position) && joint.mimic == nil
        && joint.axis.array.count { abs($0) > 1e-14 } == 1
    }
  }

  /// The derivative of a tendon's length by degree of freedom, at ``defaultPosition``.
  func momentArms(of tendon: Tendon) -> [Int: Double] {
    var arms: [Int: Double] = [:]
    guard tendon.isFixed else {
      let kinematics = DefaultKinematics(self)
      for segment in tendon.segments {
        let ends = [segment.first, segment.second].map { sites[$0] }
        let points = ends.map { kinematics.position(of: $0) }
        let direction = points[1] - points[0]
        let length = direction.normSquared.squareRoot()
        guard length > 1e-15 else { continue }
        for (k, sign) in [(0, -1.0), (1, 1.0)] {
          for (dof, motion) in kinematics.motions(of: points[k], on: ends[k].body, self) {
            arms[dof, default: 0] += sign * segment.weight * direction.dot(motion.linear) / length
          }
        }
      }
      return arms
    }
    for (joint, coefficient) in zip(tendon.joints, tendon.coefficients) {
      arms[joints[joint].velocityAddress, default: 0] += coefficient * (joints[joint].mimic?.multiplier ?? 1)
    }
    return arms
  }

  /// Pose of every body in the world at ``defaultPosition``.
  func defaultBodyPoses() -> [ModelSpecification.Pose] { DefaultKinematics(self).poses }
}

/// Kinematics at the default configuration.
struct DefaultKinematics {
  var poses: [ModelSpecification.Pose] = []
  /// World anchor of each joint.
  var anchors: [Vector3<Double>] = []
  /// World axis of each hinge and slide joint.
  var axes: [Vector3<Double>] = []

  /// - Parameter positions: another configuration.
  init(_ model: Model, positions: [Double]? = nil) {
    let positions = positions ?? model.defaultPosition
    anchors = [Vector3<Double>](repeating: .zero, count: model.joints.count)
    axes = anchors
    poses.reserveCapacity(model.bodies.count)
    for (index, body) in model.bodies.enumerated() {
      var pose = ModelSpecification.Pose(position: body.position, orientation: body.orientation)
      if index > 0 { pose = poses[body.parent] * pose }
      for jointIndex in body.joints { move(&pose, model, jointIndex, positions) }
      pose.orientation = pose.orientation.normalized
      poses.append(pose)
    }
  }

  func position(of site: Site) -> Vector3<Double> {
    (poses[site.body] * ModelSpecification.Pose(position: site.position, orientation: site.orientation))
      .position
  }

  /// How a point of a body moves at unit velocity of each degree of freedom on its way to the root.
  func motions(of point: Vector3<Double>, on body: Int, _ model: Model) -> [Int: Motion<Double>] {
    var result: [Int: Motion<Double>] = [:]
    var body = body
    while body > 0 {
      let turns = poses[body].orientation.matrix
      for index in model.bodies[body].joints {
        let joint = model.joints[index]
        let arm = point - anchors[index]
        let scale = joint.mimic?.multiplier ?? 1
        func add(_ offset: Int, angular: Vector3<Double>, linear: Vector3<Double>) {
          result[joint.velocityAddress + offset, default: .zero] +=
            Motion(angular: angular, linear: linear) * scale
        }
        let columns = [turns.column0, turns.column1, turns.column2]
        switch joint.type {
        case .slide: add(0, angular: .zero, linear: axes[index])
        case .hinge: add(0, angular: axes[index], linear: axes[index].cross(arm))
        case .ball: for k in 0..<3 { add(k, angular: columns[k], linear: columns[k].cross(arm)) }
        case .free:
          for (k, axis) in [Vector3(1.0, 0, 0), Vector3(0, 1.0, 0), Vector3(0, 0, 1.0)].enumerated() {
            add(k, angular: .zero, linear: axis)
            add(k + 3, angular: columns[k], linear: columns[k].cross(arm))
          }
        }
      }
      body = model.bodies[body].parent
    }
    return result
  }

  private mutating func move(
    _ pose: inout ModelSpecification.Pose, _ model: Model, _ index: Int, _ positions: [Double]
  ) {
    let joint = model.joints[index]
    let start = joint.positionAddress
    let values = positions[start..<start + joint.type.positionCount].map { $0 }
    if joint.type == .free {
      pose.position = Vector3(values[0], values[1], values[2])
      pose.orientation = Quaternion(values[3], values[4], values[5], values[6]).normalized
      anchors[index] = pose.position
      return
    }
    let anchor = pose.position + pose.orientation.rotate(joint.position)
    let axis = pose.orientation.rotate(joint.axis)
    anchors[index] = anchor
    axes[index] = axis
    // Hinges and slides count from their reference, but for mimic joints.
    let displacement =
      joint.mimic.map { $0.multiplier * values[0] + $0.offset } ?? values[0] - model.defaultPosition[start]
    switch joint.type {
    case .slide:
      pose.position += axis * displacement
      return
    case .hinge:
      guard displacement != 0 else { return }
      let turn = Quaternion(cos(displacement / 2), joint.axis * sin(displacement / 2))
      pose.orientation = pose.orientation * turn
    case .ball:
      let turn = Quaternion(values[0], values[1], values[2], values[3]).normalized
      guard turn != .identity else { return }
      pose.orientation = pose.orientation * turn
    case .free: return
    }
    pose.position = anchor - pose.orientation.rotate(joint.position)
  }
}
