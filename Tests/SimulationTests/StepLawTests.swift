import Autodiff
import RigidBody
import RobotModels
import Simulation
import TestSupport
import Testing

/// Forward mode, reverse mode, batching and compilation of steps and rollouts.
@Suite struct StepLawTests {
  private let laws = GradientLaws(tolerance: 1e-7, step: 1e-2, order: 2)

  @Test(arguments: ExampleModels.names) func steps(name: String) throws {
    let simulation = try ExampleModels.simulation(name)
    let step = { (x: [Tensor]) in
      try simulation.step(
        SimulationState(x[0..<3]), controls: x[3], appliedForces: x[4], cartesianForces: x[5]
      ).joined
    }
    let violations = try laws.violations(of: step, at: RandomPoint(simulation).leaves)
    #expect(violations == [])
  }

  /// Two worlds in an axis of their own, one sequence of controls for both, the same applied force in every step.
  @Test(arguments: ExampleModels.names) func rolloutsOfWorlds(name: String) throws {
    let simulation = try ExampleModels.simulation(name)
    var point = RandomPoint(simulation, worlds: [2], inputAxes: [6]).leaves
    point[4] = point[4][0]
    point[5] = point[5][0..<1]
    let rollout = { (x: [Tensor]) in
      try simulation.rollout(
        from: SimulationState(x[0..<3]), controls: x[3], appliedForces: x[4], cartesianForces: x[5], steps: 6
      ).joined
    }
    let violations = try laws.violations(of: rollout, at: point)
    #expect(violations == [])
  }

  @Test(arguments: ExampleModels.names) func trajectories(name: String) throws {
    let simulation = try ExampleModels.simulation(name)
    let point = RandomPoint(simulation, inputAxes: [4]).leaves
    let trajectory = { (x: [Tensor]) in
      try simulation.trajectory(from: SimulationState(x[0..<3]), controls: x[3], steps: 4, memory: .storeAll)
        .joined
    }
    let violations = try GradientLaws(tolerance: 1e-7, step: 1e-2, order: 1).violations(
      of: trajectory, at: Array(point.prefix(4)))
    #expect(violations == [])
    // The last row is what a rollout returns, the first what a step does.
    let rows = try trajectory(point)
    let state = SimulationState(point[0..<3])
    #expect(
      try rows[-1].values == simulation.rollout(from: state, controls: point[3], steps: 4).joined.values)
    #expect(try rows[0].values == simulation.step(state, controls: point[3][0]).joined.values)
  }

  @Test(arguments: [RolloutMemory.storeAll, .storeStates, .checkpoint(every: 3)])
  func isWhatTheTapeSays(memory: RolloutMemory) throws {
    let simulation = try ExampleModels.simulation("joints")
    let model = simulation.model
    let (worlds, steps) = (3, 7)
    let point = RandomPoint(simulation, worlds: [worlds], inputAxes: [worlds, steps]).leaves
    let target = RandomPoint(simulation, worlds: [worlds], seed: 8).leaves
    let gradient = try grad { (x: [Tensor]) in
      let end = try simulation.rollout(
        from: SimulationState(x[0..<3]), controls: x[3], appliedForces: x[4], cartesianForces: x[5],
        steps: steps, memory: memory)
      return zip(end.leaves, target).reduce(Tensor(0.0)) { $0 + ($1.0 * $1.1).sum() }
    }(point)

    let simulator = try Simulator<Double>(model)
    func sequence(_ k: Int) -> InputSequence<Double> {
      InputSequence(values: point[k].values, worldCount: worlds, stepCount: steps)
    }
    let tape = try simulator.record(
      from: BatchState(
        worldCount: worlds, positions: point[0].values, velocities: point[1].values,
        activations: point[2].values),
      inputs: SimulationInputs(
        controls: sequence(3), appliedForces: sequence(4), cartesianForces: sequence(5)),
      steps: steps, memory: memory)
    // Cotangents of final quaternions in tangent coordinates: differences of the cost along small turns.
    let final = Tensor(tape.result.finalState.positions, shape: [worlds, model.positionCount])
    let byTurn = try grad { (d: Tensor) in (try displaced(final, by: d, in: model) * target[0]).sum() }(
      Tensor.zeros([worlds, model.velocityCount]))
    let expected = try tape.gradient(
      final: StateCotangents(
        positions: byTurn.values, velocities: target[1].values, activations: target[2].values), targets: .all)
    let lifted = (0..<worlds).flatMap { world in
      model.positionGradient(
        tangent: Array(
          expected.initialState.positions[world * model.velocityCount..<(world + 1) * model.velocityCount]),
        at: point[0][world].values)
    }
    let all = [
      lifted, expected.initialState.velocities, expected.initialState.activations, expected.controls!.values,
      expected.appliedForces!.values, expected.cartesianForces!.values,
    ]
    for (k, values) in all.enumerated() {
      #expect(relativeDifference(gradient[k], Tensor(values, shape: point[k].shape)) < 1e-13)
    }
  }

  /// The forward pass runs once, and leaves its tape: the gradient is one call and one reverse sweep.
  @Test func runsForwardOnce() throws {
    let simulation = try ExampleModels.simulation("cartpole")
    let start = simulation.initialState()
    let gradient = grad { (controls: Tensor) in
      square(try simulation.rollout(from: start, controls: controls, steps: 5).positions).sum()
    }
    let text = try program(of: gradient, at: Tensor.zeros([5, 1])).description
    let names = text.split(separator: "\n").compactMap { line in
      line.split(separator: "=").last?.split(separator: "[").first?.split(separator: " ").first
    }
    #expect(names.filter { $0 == "rollout" }.count == 1)
    #expect(names.filter { $0 == "rolloutCotangent" }.count == 1)
    #expect(names.filter { $0 == "rolloutTangent" }.count == 0)
  }

  @Test func jacobiansAreThoseOfTheStep() throws {
    let simulation = try ExampleModels.simulation("cartpole")
    let point = RandomPoint(simulation).leaves
    let expected = try Simulator<Double>(simulation.model).stepJacobians(
      at: BatchState(worldCount: 1, positions: point[0].values, velocities: point[1].values),
      inputs: SimulationInputs(controls: InputSequence(values: point[3].values)))[0]
    let step = { (x: Tensor) in
      try simulation.step(
        SimulationState(positions: x[0..<2], velocities: x[2..<4], activations: Tensor.zeros([0])),
        controls: point[3]
      ).joined
    }
    let x = concatenate([point[0], point[1]])
    let A = Tensor(expected.A, shape: [4, 4])
    for mode in [JacobianMode.forward, .reverse] {
      #expect(relativeDifference(try jacobian(step, mode: mode)(x), A) < 1e-13)
      // Batches of points with batches of directions each.
      let batch = stack([x, x * 0.5])
      let both = try vmap(jacobian(step, mode: mode))(batch)
      #expect(relativeDifference(both[0], A) < 1e-13)
      #expect(relativeDifference(both[1], try jacobian(step, mode: mode)(x * 0.5)) < 1e-13)
      #expect(relativeDifference(try jit(jacobian(step, mode: mode))(x), A) < 1e-13)
    }
  }

  @Test func float32() throws {
    let simulation = try ExampleModels.simulation("joints")
    let point = RandomPoint(simulation, worlds: [2], inputAxes: [5]).leaves
    func cost(_ x: [Tensor]) throws -> Tensor {
      square(
        try simulation.rollout(
          from: SimulationState(x[0..<3]), controls: x[3], appliedForces: x[4], cartesianForces: x[5],
          steps: 5
        ).joined
      ).sum()
    }
    let single = point.map { $0.converted(to: .float32) }
    let (value, gradient) = try valueAndGrad(cost)(single)
    let (exact, expected) = try valueAndGrad(cost)(point)
    #expect(value.elementType == .float32)
    #expect(abs(value.scalar / exact.scalar - 1) < 1e-4)
    for (a, b) in zip(gradient, expected) {
      #expect(a.elementType == .float32)
      #expect(relativeDifference(a.converted(to: .float64), b) < 1e-3)
    }
    let tangent = try jvp(cost, at: single, along: single).tangent
    let byReverse = zip(gradient, single).reduce(Tensor(scalar: Float(0))) { $0 + ($1.0 * $1.1).sum() }
    #expect(abs(tangent.scalar / byReverse.scalar - 1) < 1e-3)
  }
}
