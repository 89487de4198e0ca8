import Costate
import Foundation

/// A quadruped is dropped, tilted and turning, and lands: finds joint angles over time by which it lands better, by gradient
/// descent through the contacts.
///
/// The unknowns are changes of the standing pose's joint angles at a few knots, with straight lines between them.
struct Landing {
  var simulator: Simulator<Double>
  var standing: Keyframe
  var steps = 400
  var knots = 5
  /// Weights of the final distance from the standing height (squared, per m²), tilt, velocities, and of the squared accelerations of the
  /// trunk along the way.
  var heightWeight = 50.0
  var tiltWeight = 20.0
  var velocityWeight = 0.5
  var turningWeight = 0.1
  var accelerationWeight = 1e-3
  /// Of the unknowns' squares.
  var effortWeight = 1e-2

  /// One landing.
  struct Attempt {
    var cost: Double
    /// Of the trunk: the angle between its own and the world's vertical at the end, in radians.
    var finalTilt: Double
    var finalSpeed: Double
    var finalHeight: Double
    /// The largest vertical acceleration, in m/s².
    var peakAcceleration: Double
    var gradient: [Double]
  }

  init(_ model: Model) throws {
    guard let standing = model.keyframes.first(where: { $0.name == "stand" }) else {
      throw CommandFailure(.invalidInput, "the quadruped has no keyframe 'stand'")
    }
    simulator = try Simulator(model)
    self.standing = standing
  }

  var unknownCount: Int { knots * simulator.model.controlCount }

  /// Half a metre up, nose down and rolled, moving forward.
  private var start: BatchState<Double> {
    var position = standing.position
    position[2] = 0.6
    let (pitch, roll) = (0.35, 0.2)
    let (cp, sp, cr, sr) = (cos(pitch / 2), sin(pitch / 2), cos(roll / 2), sin(roll / 2))
    position.replaceSubrange(3..<7, with: [cp * cr, cp * sr, sp * cr, -sp * sr])
    var velocity = [Double](repeating: 0, count: simulator.model.velocityCount)
    velocity[0] = 0.6
    return BatchState(worldCount: 1, positions: position, velocities: velocity)
  }

  /// Place of a step between two knots, and how far it is from the first.
  private func place(_ step: Int) -> (knot: Int, fraction: Double) {
    let x = Double(step) * Double(knots - 1) / Double(max(1, steps - 1))
    let knot = min(Int(x), knots - 2)
    return (knot, x - Double(knot))
  }

  private func inputs(_ unknowns: [Double]) -> SimulationInputs<Double> {
    let count = simulator.model.controlCount
    var values: [Double] = []
    values.reserveCapacity(steps * count)
    for step in 0..<steps {
      let (knot, fraction) = place(step)
      for i in 0..<count {
        let change = (1 - fraction) * unknowns[knot * count + i] + fraction * unknowns[(knot + 1) * count + i]
        values.append(standing.control[i] + change)
      }
    }
    return SimulationInputs(controls: InputSequence(values: values, stepCount: steps))
  }

  func attempt(_ unknowns: [Double]) throws -> Attempt {
    let model = simulator.model
    let (nq, nv) = (model.positionCount, model.velocityCount)
    let tape = try simulator.record(
      from: start, inputs: inputs(unknowns), steps: steps, memory: .storeAll, threads: 1)
    guard tape.result.divergedWorlds.isEmpty, let trajectory = tape.result.trajectory else {
      return Attempt(
        cost: .infinity, finalTilt: .pi, finalSpeed: .infinity, finalHeight: 0, peakAcceleration: .infinity,
        gradient: [])
    }
    var byPosition = [Double](repeating: 0, count: (steps + 1) * nv)
    var byVelocity = byPosition
    var cost = 0.0
    var peak = 0.0
    let h = model.options.timestep
    for step in 0..<steps {
      let (before, after) = (step * nv + 2, (step + 1) * nv + 2)
      let acceleration = (trajectory.velocities[after] - trajectory.velocities[before]) / h
      peak = max(peak, acceleration)
      let weight = accelerationWeight / Double(steps)
      cost += weight * acceleration * acceleration
      byVelocity[after] += 2 * weight * acceleration / h
      byVelocity[before] -= 2 * weight * acceleration / h
    }
    let (q, v) = (steps * nq, steps * nv)
    let height = trajectory.positions[q + 2] - standing.position[2]
    cost += heightWeight * height * height
    byPosition[v + 2] += 2 * heightWeight * height
    // 1 − cos of the tilt; by a small turn in the trunk's own frame.
    let (w, x, y, z) = (
      trajectory.positions[q + 3], trajectory.positions[q + 4], trajectory.positions[q + 5],
      trajectory.positions[q + 6]
    )
    let upright = 1 - 2 * (x * x + y * y)
    cost += tiltWeight * (1 - upright)
    byPosition[v + 3] += tiltWeight * 2 * (y * z + w * x)
    byPosition[v + 4] += tiltWeight * 2 * (w * y - x * z)
    var speed = 0.0
    for i in 0..<6 {
      let weight = i < 3 ? velocityWeight : turningWeight
      let value = trajectory.velocities[v + i]
      if i < 3 { speed += value * value }
      cost += weight * value * value
      byVelocity[v + i] += 2 * weight * value
    }
    for value in unknowns { cost += effortWeight * value * value }
    let back = try tape.gradient(
      trajectory: StateCotangents(positions: byPosition, velocities: byVelocity), targets: [.controls],
      threads: 1)
    let byControl = back.controls?.values ?? []
    var gradient = unknowns.map { 2 * effortWeight * $0 }
    let count = model.controlCount
    for step in 0..<steps {
      let (knot, fraction) = place(step)
      for i in 0..<count {
        let own = byControl[step * count + i]
        gradient[knot * count + i] += (1 - fraction) * own
        gradient[(knot + 1) * count + i] += fraction * own
      }
    }
    return Attempt(
      cost: cost, finalTilt: acos(min(1, max(-1, upright))), finalSpeed: speed.squareRoot(),
      finalHeight: trajectory.positions[q + 2], peakAcceleration: peak, gradient: gradient)
  }

  struct Outcome {
    var costs: [Double]
    var first: Attempt
    var last: Attempt
  }

  func run(iterations: Int, report: (_ iteration: Int, _ cost: Double) -> Void = { _, _ in }) throws
    -> Outcome
  {
    let start = [Double](repeating: 0, count: unknownCount)
    var optimizer = LimitedMemoryBFGS()
    optimizer.maximumIterations = iterations
    optimizer.firstStepLength = 0.05
    var costs: [Double] = []
    func evaluate(_ unknowns: [Double]) throws -> (value: Double, gradient: [Double]) {
      let attempt = try attempt(unknowns)
      return (attempt.cost, attempt.gradient)
    }
    let result = try optimizer.minimize(from: start, evaluate: evaluate) { iteration, cost in
      costs.append(cost)
      report(iteration, cost)
    }
    return Outcome(costs: costs, first: try attempt(start), last: try attempt(result.point))
  }

  /// The gradient along a few directions beside central differences.
  func check(directions: Int, generator: inout SeededGenerator) throws
    -> [(gradient: Double, difference: Double)]
  {
    let start = [Double](repeating: 0, count: unknownCount)
    let gradient = try attempt(start).gradient
    return try (0..<directions).map { _ in
      let direction = start.map { _ in generator.nextNormal() }
      func cost(_ step: Double) throws -> Double { try attempt(direction.map { step * $0 }).cost }
      let step = 1e-6
      return (
        gradient: zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 },
        difference: (try cost(step) - cost(-step)) / (2 * step)
      )
    }
  }
}
