import Costate

/// A cost of a rollout's last state, with its cotangents.
struct FinalCost {
  var model: Model
  var expression: CostExpression

  /// The bodies whose positions the cost reads.
  private var bodies: [Int] {
    let all = expression.variables.compactMap { variable in
      if case .bodyPosition(let body, _) = variable { body } else { nil }
    }
    return Set(all).sorted()
  }

  /// The cost and its derivative with respect to the state, positions in tangent coordinates.
  ///
  /// - Throws: `CommandFailure` (computation failed) where the cost or its derivative does not exist.
  func valueAndCotangents(
    of state: BatchState<Double>
  ) throws(CommandFailure) -> (value: Double, cotangents: StateCotangents<Double>) {
    let points = try BodyPositions(of: bodies, in: model, at: state.positions)
    let (value, gradient) = try expression.valueAndGradient(at: values(state, points))
    var byPosition = [Double](repeating: 0, count: model.positionCount)
    var cotangents = StateCotangents<Double>(
      positions: [], velocities: [Double](repeating: 0, count: model.velocityCount),
      activations: [Double](repeating: 0, count: model.activationCount))
    for (variable, slope) in zip(expression.variables, gradient) {
      switch variable {
      case .time: break
      case .position(let i): byPosition[i] += slope
      case .velocity(let i): cotangents.velocities[i] += slope
      case .activation(let i): cotangents.activations[i] += slope
      case .bodyPosition: break
      }
    }
    cotangents.positions = model.tangentGradient(byPosition, at: state.positions)
    for case (.bodyPosition(let body, let axis), let slope) in zip(expression.variables, gradient) {
      points.addGradient(slope, axis: axis, ofBody: body, to: &cotangents.positions)
    }
    return (value, cotangents)
  }

  /// The cost alone.
  func value(of state: BatchState<Double>) throws(CommandFailure) -> Double {
    let points = try BodyPositions(of: bodies, in: model, at: state.positions)
    return try expression.value(at: values(state, points))
  }

  private func values(_ state: BatchState<Double>, _ points: BodyPositions) -> [Double] {
    expression.variables.map { variable in
      switch variable {
      case .time: state.time
      case .position(let i): state.positions[i]
      case .velocity(let i): state.velocities[i]
      case .activation(let i): state.activations[i]
      case .bodyPosition(let body, let axis): points.coordinate(axis, ofBody: body)
      }
    }
  }
}

/// Where the bodies that a cost names are, and how that depends on the joints.
private struct BodyPositions {
  private let bodies: [Int]
  private let poses: [Double]
  private let jacobians: [Double]
  private let velocityCount: Int

  init(of bodies: [Int], in model: Model, at position: [Double]) throws(CommandFailure) {
    self.bodies = bodies
    velocityCount = model.velocityCount
    guard !bodies.isEmpty else {
      poses = []
      jacobians = []
      return
    }
    do {
      let kinematics = try ForwardKinematics<Double>(model, frames: bodies.map { Frame(body: $0) })
      poses = try kinematics.poses(at: position, threads: 1)
      jacobians = try kinematics.jacobians(at: position, threads: 1)
    } catch {
      throw CommandFailure(.computationFailed, "the last state: \(error)")
    }
  }

  /// A coordinate of the origin of the body's frame.
  func coordinate(_ axis: Int, ofBody body: Int) -> Double { poses[7 * bodies.firstIndex(of: body)! + axis] }

  /// Adds the derivative of that coordinate, times `slope`, to a gradient in tangent coordinates.
  func addGradient(_ slope: Double, axis: Int, ofBody body: Int, to gradient: inout [Double]) {
    let row = (6 * bodies.firstIndex(of: body)! + axis) * velocityCount
    for i in 0..<velocityCount { gradient[i] += slope * jacobians[row + i] }
  }
}
