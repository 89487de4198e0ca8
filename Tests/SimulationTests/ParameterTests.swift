import Autodiff
import RigidBody
import RobotModels
import Simulation
import TestSupport
import Testing

/// Gradients by the model's parameters.
@Suite struct ParameterTests {
  @Test func ownParametersChangeNothing() throws {
    for name in ExampleModels.names {
      let simulation = try ExampleModels.simulation(name)
      let point = RandomPoint(simulation).leaves
      let state = SimulationState(point[0..<3])
      let plain = try simulation.step(state, controls: point[3])
      let same = try simulation.step(state, controls: point[3], parameters: simulation.parameters)
      #expect(plain.joined.values == same.joined.values)
    }
  }

  @Test(arguments: ["cartpole", "joints"]) func againstDifferences(name: String) throws {
    let simulation = try ExampleModels.simulation(name)
    let point = RandomPoint(simulation, worlds: [3], inputAxes: [8]).leaves
    let start = SimulationState(point[0..<3])
    let weights = RandomPoint(simulation, worlds: [3], seed: 9).leaves
    func cost(_ parameters: ModelParameters, _ controls: Tensor) throws -> Tensor {
      let end = try simulation.rollout(from: start, controls: controls, parameters: parameters, steps: 8)
      return zip(end.leaves, weights).reduce(Tensor(0.0)) { $0 + ($1.0 * $1.1).sum() }
    }
    let own = simulation.parameters
    let (value, gradient) = try valueAndGrad(cost)(own, point[3])
    #expect(try abs(value.scalar - cost(own, point[3]).scalar) < 1e-14)
    let (byParameters, byControls) = gradient
    #expect(relativeDifference(byControls, try grad { (u: Tensor) in try cost(own, u) }(point[3])) < 1e-13)
    var tested = 0
    for (k, leaf) in own.leaves.enumerated() {
      for index in 0..<leaf.count {
        let slope = byParameters.leaves[k].flattened[index].scalar
        guard abs(slope) > 1e-6 else { continue }
        var unit = [Double](repeating: 0, count: leaf.count)
        unit[index] = 1
        let size = Swift.max(abs(leaf.flattened[index].scalar), 1e-2)
        let differences = try CentralDifferences(step: 0.02 * size) { t in
          var leaves = own.leaves
          leaves[k] = leaf + Tensor(unit, shape: leaf.shape) * t
          return try Double(try cost(try own.replacing(leaves: leaves), point[3]))
        }
        #expect(
          abs(slope - differences.extrapolated) < 1e-6 * abs(slope) + 1e-10, "parameter \(k), number \(index)"
        )
        tested += 1
      }
    }
    #expect(tested > (name == "joints" ? 60 : 10))
  }

  /// Friction, solver parameters, sizes and limits of a ball that slides on a floor towards the end of its joint.
  @Test func constraintParameters() throws {
    let model = try Model(
      mjcf: """
        <mujoco><option timestep="0.004" cone="elliptic"/><worldbody>
        <geom type="plane" size="2 2 1" friction="0.3 0.01 0.002"/>
        <body pos="0 0 0.098"><joint type="slide" axis="1 0 0" range="-1 0.01" frictionloss="0.05"/>
        <joint type="slide" axis="0 0 1"/><joint axis="0 1 0"/>
        <geom size="0.1" friction="0.5 0.02 0.001" condim="4" solref="0.03 0.9"/></body></worldbody></mujoco>
        """)
    let simulation = try Simulation(model)
    let start = SimulationState(
      positions: Tensor([0.0, 0.0, 0.0]), velocities: Tensor([1.0, 0.0, 0.3]), activations: Tensor.zeros([0]))
    func cost(_ parameters: ModelParameters) throws -> Tensor {
      let end = try simulation.rollout(from: start, parameters: parameters, steps: 6)
      return (end.velocities * Tensor([1.0, 0.7, 0.3])).sum() + end.positions.sum()
    }
    let own = simulation.parameters
    let gradient = try grad(cost)(own)
    #expect(abs(gradient.constraints.geomFriction[1][0].scalar) > 0.01)
    #expect(gradient.constraints.geomFriction[0][0].scalar == 0)
    var tested = 0
    for (k, leaf) in own.constraints.leaves.enumerated() {
      for index in 0..<leaf.count {
        let slope = gradient.constraints.leaves[k].flattened[index].scalar
        guard abs(slope) > 1e-5 else { continue }
        var unit = [Double](repeating: 0, count: leaf.count)
        unit[index] = 1
        let differences = try CentralDifferences(step: 1e-5) { t in
          var leaves = own.constraints.leaves
          leaves[k] = leaf + Tensor(unit, shape: leaf.shape) * t
          var moved = own
          moved.constraints = try own.constraints.replacing(leaves: leaves)
          return try Double(try cost(moved))
        }
        #expect(
          abs(slope - differences.extrapolated) < 1e-5 * abs(slope) + 1e-7,
          "leaf \(k), number \(index): \(slope)")
        tested += 1
      }
    }
    #expect(tested > 10)
  }

  /// Each element of a batch has parameters, and a gradient, of its own; shared parameters sum.
  @Test func batches() throws {
    let simulation = try ExampleModels.simulation("cartpole")
    let point = RandomPoint(simulation, worlds: [4]).leaves
    let starts = SimulationState(point[0..<3])
    let own = simulation.parameters
    struct Point: TensorTree {
      var mass: Tensor
      var start: SimulationState
    }
    func cost(_ point: Point) throws -> Tensor { try cost(point.mass, point.start) }
    func cost(_ mass: Tensor, _ start: SimulationState) throws -> Tensor {
      var parameters = own
      parameters.mass = mass
      let end = try simulation.trajectory(from: start, parameters: parameters, steps: 5)
      return square(end.positions).sum()
    }
    let masses = own.mass * Tensor([1.0, 1.2, 1.0, 0.7]).expandingAxis(-1)
    func single(_ k: Int) -> SimulationState {
      SimulationState(positions: point[0][k], velocities: point[1][k], activations: point[2][k])
    }
    let gradient = grad { (point: Point) in try cost(point) }
    let gradients = try vmap(gradient)(Point(mass: masses, start: starts))
    let compiled = try jit(vmap(gradient))(Point(mass: masses, start: starts))
    let shared = try grad { (mass: Tensor) in
      try vmap { (s: SimulationState) in try cost(mass, s) }(starts).sum()
    }(own.mass)
    let whole = try grad { (mass: Tensor) in try cost(mass, starts) }(own.mass)
    var sum = Tensor.zeros(own.mass.shape)
    for k in 0..<4 {
      let expected = try gradient(Point(mass: masses[k], start: single(k)))
      #expect(relativeDifference(gradients.mass[k], expected.mass) < 1e-12)
      #expect(relativeDifference(compiled.mass[k], expected.mass) < 1e-12)
      #expect(relativeDifference(gradients.start.positions[k], expected.start.positions) < 1e-12)
      sum = sum + (try grad { (mass: Tensor) in try cost(mass, single(k)) }(own.mass))
    }
    #expect(relativeDifference(shared, sum) < 1e-12)
    #expect(relativeDifference(whole, sum) < 1e-12)
    #expect(abs(sum).max().scalar > 1e-6)
  }
}
