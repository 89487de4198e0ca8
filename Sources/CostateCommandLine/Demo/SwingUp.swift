import Costate
import Foundation

/// Swings a pole on a cart up: finds the forces by gradient descent through the simulation.
///
/// Controls are tanh of the unknowns, which keeps them inside the motor's range and the cost smooth.
struct SwingUp {
  var simulator: Simulator<Double>
  var steps = 500
  /// Weights of the squared control, of the final distance from the middle, and of the final velocities.
  var effortWeight = 0.05
  var placeWeight = 0.2
  var velocityWeight = 0.1

  struct Outcome {
    var costs: [Double]
    var finalPosition: [Double]
    var finalVelocity: [Double]
  }

  /// - Throws: `SimulationError` for a model that is not a cart with a pole.
  func run(iterations: Int, report: (_ iteration: Int, _ cost: Double) -> Void = { _, _ in }) throws
    -> Outcome
  {
    var optimizer = LimitedMemoryBFGS()
    optimizer.maximumIterations = iterations
    // From rest, hanging down, nothing distinguishes left from right: a small wave makes a start.
    let timestep = simulator.model.options.timestep
    let start = (0..<steps).map { 0.3 * sin(4 * Double($0) * timestep) }
    var costs: [Double] = []
    let result = try optimizer.minimize(from: start, evaluate: valueAndGradient) { iteration, cost in
      costs.append(cost)
      report(iteration, cost)
    }
    let final = try simulator.rollout(
      from: hanging, inputs: inputs(result.point), steps: steps, threads: 1
    ).finalState
    return Outcome(costs: costs, finalPosition: final.positions, finalVelocity: final.velocities)
  }

  private var hanging: BatchState<Double> {
    BatchState(worldCount: 1, positions: [0, .pi], velocities: [0, 0])
  }

  private func inputs(_ unknowns: [Double]) -> SimulationInputs<Double> {
    SimulationInputs(controls: InputSequence(values: unknowns.map { tanh($0) }, stepCount: steps))
  }

  func valueAndGradient(_ unknowns: [Double]) throws -> (value: Double, gradient: [Double]) {
    let tape = try simulator.record(
      from: hanging, inputs: inputs(unknowns), steps: steps, memory: .storeAll, threads: 1)
    guard tape.result.divergedWorlds.isEmpty else { return (.infinity, []) }
    let final = tape.result.finalState
    let (place, angle) = (final.positions[0], final.positions[1])
    let (speed, turning) = (final.velocities[0], final.velocities[1])
    let controls = unknowns.map { tanh($0) }
    let effort = effortWeight / Double(steps)
    let value =
      1 - cos(angle) + placeWeight * place * place + velocityWeight * (speed * speed + turning * turning)
      + effort * controls.reduce(0) { $0 + $1 * $1 }
    let back = try tape.gradient(
      final: StateCotangents(
        positions: [2 * placeWeight * place, sin(angle)],
        velocities: [2 * velocityWeight * speed, 2 * velocityWeight * turning]),
      targets: [.controls], threads: 1)
    let byControl = back.controls?.values ?? []
    let gradient = zip(byControl, controls).map { ($0 + 2 * effort * $1) * (1 - $1 * $1) }
    return (value, gradient)
  }
}
