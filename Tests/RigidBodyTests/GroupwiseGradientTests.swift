import RigidBody
import RobotModels
import TestSupport
import Testing

/// Gradients that are computed a lane group at a time are those of a tape.
@Suite struct GroupwiseGradientTests {
  typealias Work = RolloutMemoryTests.Work

  /// A cost that is linear in the last state's coordinates; its value is taken as their weighted sum.
  static func valuesAndGradient<Scalar>(
    _ work: Work<Scalar>, targets: GradientTargets = .all, threads: Int
  ) throws -> (values: [Double], gradient: RolloutGradient<Scalar>) {
    let c = work.cotangents
    let worlds = work.state.worldCount
    return try work.simulator.valuesAndGradient(
      from: work.state, inputs: work.inputs, steps: work.steps, targets: targets, threads: threads
    ) { cost in
      func row(_ values: [Scalar]) -> [Scalar] {
        let width = values.count / worlds
        return Array(values[cost.world * width..<(cost.world + 1) * width])
      }
      cost.value = Double(cost.positions.reduce(0, +))
      cost.cotangents = StateCotangents(
        positions: row(c.positions), velocities: row(c.velocities), activations: row(c.activations))
    }
  }

  @Test(arguments: RolloutMemoryTests.names, RolloutMemoryTests.integrators)
  func equalsTape(name: String, integrator: Integrator) throws {
    for (worlds, steps, threads) in RolloutMemoryTests.shapes {
      var problem = RolloutProblem(
        try RolloutMemoryTests.model(name, integrator), seed: 70, worlds: worlds, steps: steps)
      if worlds % 2 == 1 {
        problem.inputs.controls = problem.inputs.controls.map { RolloutMemoryTests.shared($0) }
      }
      func check<Scalar: SimulationScalar>(_ scalar: Scalar.Type) throws {
        let work = try Work<Scalar>(problem)
        let tape = try work.record(.storeAll)
        let (values, gradient) = try Self.valuesAndGradient(work, threads: threads)
        RolloutMemoryTests.expectEqual(
          gradient, try tape.gradient(final: work.cotangents, targets: .all), "\(name), \(worlds) worlds")
        let nq = problem.model.positionCount
        for world in 0..<worlds {
          let last = tape.result.finalState.positions[world * nq..<(world + 1) * nq]
          #expect(values[world] == Double(last.reduce(0, +)))
        }
      }
      try check(Double.self)
      try check(Float.self)
    }
  }

  @Test func costOfTheTrajectory() throws {
    let problem = RolloutProblem(
      try RolloutMemoryTests.model(TestModels.names[0], .euler), seed: 71, worlds: 11, steps: 6)
    let work = try Work<Double>(problem)
    let model = problem.model
    let tape = try work.record(.storeStates)
    var random = SeededRandom(seed: 72)
    let rows = 11 * 7
    let all = StateCotangents(
      positions: random.uniform(-1, 1, count: rows * model.velocityCount),
      velocities: random.uniform(-1, 1, count: rows * model.velocityCount),
      activations: random.uniform(-1, 1, count: rows * model.activationCount))
    let trajectory = try #require(tape.result.trajectory)
    let (values, gradient) = try work.simulator.valuesAndGradient(
      from: work.state, inputs: work.inputs, steps: 6, costOf: .trajectory, targets: .all, threads: 2
    ) { cost in
      func row(_ values: [Double]) -> [Double] {
        let width = values.count / 11
        return Array(values[cost.world * width..<(cost.world + 1) * width])
      }
      cost.value =
        cost.positions == row(trajectory.positions) && cost.velocities == row(trajectory.velocities) ? 1 : 0
      cost.cotangents = StateCotangents(
        positions: row(all.positions), velocities: row(all.velocities), activations: row(all.activations))
    }
    #expect(values == Array(repeating: 1, count: 11))
    RolloutMemoryTests.expectEqual(gradient, try tape.gradient(trajectory: all, targets: .all), "trajectory")
  }

  /// What a cost may do wrong, with the world that did it.
  @Test func badCosts() throws {
    let problem = RolloutProblem(
      try RolloutMemoryTests.model(TestModels.names[0], .euler), seed: 73, worlds: 20, steps: 2)
    let work = try Work<Double>(problem)
    func run(_ cost: @escaping @Sendable (inout WorldCost<Double>) -> Void) throws {
      _ = try work.simulator.valuesAndGradient(
        from: work.state, inputs: work.inputs, steps: 2, threads: 2, worldCost: cost)
    }
    #expect(throws: SimulationError.notFinite(name: "cost of world", index: 9)) {
      try run { if $0.world >= 9 { $0.value = .nan } }
    }
    #expect(
      throws: SimulationError.notFinite(name: "cotangents of the cost of world 17: velocities", index: 0)
    ) {
      try run { if $0.world == 17 { $0.cotangents.velocities[0] = .infinity } }
    }
    #expect(
      throws: SimulationError.wrongCount(
        name: "cotangents of the cost of world 3: positions", expected: problem.model.velocityCount, actual: 0
      )
    ) {
      try run { if $0.world == 3 { $0.cotangents.positions = [] } }
    }
  }

  @Test func divergedWorldsThrow() throws {
    let problem = RolloutProblem(
      try RolloutMemoryTests.model(TestModels.names[0], .euler), seed: 74, worlds: 9, steps: 3)
    var work = try Work<Double>(problem)
    let nv = problem.model.velocityCount
    for i in 0..<nv { work.state.velocities[4 * nv + i] = 1e12 }
    #expect(throws: SimulationError.diverged(worlds: [4], step: 0)) {
      try Self.valuesAndGradient(work, threads: 2)
    }
  }
}
