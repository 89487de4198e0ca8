import Costate

/// A cost of a rollout's last state, with its cotangents.
struct FinalCost {
  var model: Model
  var expression: CostExpression

  /// The cost and its derivative with respect to the state, positions in tangent coordinates.
  ///
  /// - Throws: `CommandFailure` (computation failed) where the cost or its derivative does not exist.
  func valueAndCotangents(
    of state: BatchState<Double>
  ) throws(CommandFailure) -> (value: Double, cotangents: StateCotangents<Double>) {
    let tree = KinematicTree<Double>(model)
    let points = BodyPositions(tree, position: state.positions)
    let (value, gradient) = try expression.valueAndGradient(at: values(state, points))
    var byPosition = [Double](repeating: 0, count: model.positionCount)
    var cotangents = StateCotangents<Double>(
      positions: [], velocities: [Double](repeating: 0, count: model.velocityCount),
      activations: [Double](repeating: 0, count: model.activationCount))
    var byBody: [Int: Vector3<Double>] = [:]
    for (variable, slope) in zip(expression.variables, gradient) {
      switch variable {
      case .time: break
      case .position(let i): byPosition[i] += slope
      case .velocity(let i): cotangents.velocities[i] += slope
      case .activation(let i): cotangents.activations[i] += slope
      case .bodyPosition(let body, let axis):
        let unit = Vector3<Double>(axis == 0 ? slope : 0, axis == 1 ? slope : 0, axis == 2 ? slope : 0)
        byBody[body, default: .zero] = byBody[body, default: .zero] + unit
      }
    }
    cotangents.positions = model.tangentGradient(byPosition, at: state.positions)
    for (body, force) in byBody.sorted(by: { $0.key < $1.key }) {
      points.addCotangent(force, ofBody: body, to: &cotangents.positions)
    }
    return (value, cotangents)
  }

  /// The cost alone.
  func value(of state: BatchState<Double>) throws(CommandFailure) -> Double {
    let points = BodyPositions(KinematicTree<Double>(model), position: state.positions)
    return try expression.value(at: values(state, points))
  }

  private func values(_ state: BatchState<Double>, _ points: BodyPositions) -> [Double] {
    expression.variables.map { variable in
      switch variable {
      case .time: state.time
      case .position(let i): state.positions[i]
      case .velocity(let i): state.velocities[i]
      case .activation(let i): state.activations[i]
      case .bodyPosition(let body, let axis): points.position(ofBody: body)[axis]
      }
    }
  }
}

/// Where the bodies of a configuration are, and how that depends on the joints.
struct BodyPositions {
  private let tree: KinematicTree<Double>
  private let poses: [Pose<Double>]
  private let directions: [Motion<Double>]

  init(_ tree: KinematicTree<Double>, position: [Double]) {
    self.tree = tree
    var poses = [Pose<Double>](repeating: Pose(rotation: .identity, position: .zero), count: tree.linkCount)
    var directions = [Motion<Double>](repeating: .zero, count: tree.directionCount)
    positionPass(tree, positions: position, poses: &poses, directions: &directions)
    self.poses = poses
    self.directions = directions
  }

  /// The origin of the body's frame, in the world.
  func position(ofBody body: Int) -> Vector3<Double> {
    let pose = poses[tree.bodyLink[body]]
    return pose.position + pose.rotation * tree.bodyPosition[body]
  }

  /// Adds `Jᵀ force` with the Jacobian of the body's position.
  func addCotangent(_ force: Vector3<Double>, ofBody body: Int, to gradient: inout [Double]) {
    let link = tree.bodyLink[body]
    guard link > 0 else { return }
    let arm = position(ofBody: body) - poses[Int(tree.links[link].root)].position
    // The last direction of the body's link, or of the nearest link towards the root that has one.
    var direction = Int(tree.links[link].directionEnd) - 1
    while direction >= 0 {
      let motion = directions[direction]
      gradient[Int(tree.directionDegreeOfFreedom[direction])] += force.dot(
        motion.linear + motion.angular.cross(arm))
      direction = Int(tree.directionParent[direction])
    }
  }
}
