import RigidBody
import RobotModels
import TestSupport
import Testing

/// What batches, memory and divergence must not change.
@Suite struct BatchTests {
  @Test(arguments: [1, 7, 8, 9, 17], [1, 2, 5])
  func resultsDoNotDependOnThreads(worlds: Int, threads: Int) throws {
    let problem = RolloutProblem(try TestModels.model("quadruped"), seed: 1, worlds: worlds, steps: 6)
    let simulator = try problem.simulator()
    let one = try simulator.rollout(from: problem.state, inputs: problem.inputs, steps: 6, threads: 1)
    let many = try simulator.rollout(from: problem.state, inputs: problem.inputs, steps: 6, threads: threads)
    #expect(one.finalState == many.finalState)
    let tape = try simulator.record(from: problem.state, inputs: problem.inputs, steps: 6, threads: threads)
    let a = try tape.gradient(final: problem.cotangents, targets: .all, threads: 1)
    let b = try tape.gradient(final: problem.cotangents, targets: .all, threads: threads)
    #expect(a.initialState == b.initialState && a.controls == b.controls && a.parameters == b.parameters)
  }

  /// Each world of a batch is what it would be alone, to rounding.
  @Test(arguments: ["humanoid", "actuators", "fluid"], [Integrator.euler, .implicitFast, .rungeKutta4])
  func worldsAreIndependent(name: String, integrator: Integrator) throws {
    let problem = RolloutProblem(try TestModels.model(name, integrator), seed: 2, worlds: 11, steps: 5)
    let simulator = try problem.simulator()
    let batch = try simulator.rollout(from: problem.state, inputs: problem.inputs, steps: 5).finalState
    for world in [0, 7, 10] {
      let alone = problem.world(world)
      let final = try simulator.rollout(from: alone.state, inputs: alone.inputs, steps: 5).finalState
      let n = problem.model.velocityCount
      for i in 0..<n {
        let expected = final.velocities[i]
        #expect(abs(batch.velocities[world * n + i] - expected) <= 1e-11 * max(1, abs(expected)))
      }
    }
  }

  @Test(arguments: [1, 2, 3, 7, 50], [Integrator.euler, .rungeKutta4])
  func checkpointsGiveTheSameGradient(interval: Int, integrator: Integrator) throws {
    let problem = RolloutProblem(try TestModels.model("actuators", integrator), seed: 3, worlds: 5, steps: 7)
    let simulator = try problem.simulator()
    func gradient(_ memory: RolloutMemory) throws -> RolloutGradient<Double> {
      try simulator.record(from: problem.state, inputs: problem.inputs, steps: 7, memory: memory)
        .gradient(final: problem.cotangents, targets: .all)
    }
    let stored = try gradient(.storeAll)
    let recomputed = try gradient(.checkpoint(every: interval))
    #expect(stored.initialState == recomputed.initialState)
    #expect(stored.controls == recomputed.controls)
    #expect(stored.cartesianForces == recomputed.cartesianForces)
    #expect(stored.parameters == recomputed.parameters)
    let states = try gradient(.storeStates)
    #expect(stored.initialState == states.initialState)
    #expect(stored.controls == states.controls)
    #expect(stored.cartesianForces == states.cartesianForces)
    #expect(stored.parameters == states.parameters)
  }

  /// What worlds or steps share gets the sum of their gradients, not the mean.
  @Test func sharedInputsGetSums() throws {
    var problem = RolloutProblem(try TestModels.model("arm"), seed: 4, worlds: 9, steps: 4)
    let shared = Array(problem.inputs.controls!.values.prefix(problem.model.controlCount))
    let n = shared.count
    problem.inputs.controls!.values = Array(repeating: shared, count: 9 * 4).flatMap { $0 }
    let simulator = try problem.simulator()
    func controls(_ inputs: SimulationInputs<Double>) throws -> [Double] {
      try simulator.record(from: problem.state, inputs: inputs, steps: 4)
        .gradient(final: problem.cotangents).controls!.values
    }
    let separate = try controls(problem.inputs)
    var inputs = problem.inputs
    inputs.controls = InputSequence(values: shared)
    let total = try controls(inputs)
    for i in 0..<n {
      let sum = stride(from: i, to: separate.count, by: n).reduce(0) { $0 + separate[$1] }
      #expect(abs(total[i] - sum) <= 1e-12 * max(1, abs(sum)))
    }
  }

  @Test func trajectoryCotangentsAddUp() throws {
    let problem = RolloutProblem(try TestModels.model("acrobot"), seed: 5, worlds: 3, steps: 4)
    let simulator = try problem.simulator()
    let tape = try simulator.record(from: problem.state, inputs: problem.inputs, steps: 4)
    let n = problem.model.velocityCount
    // The final cotangents written as those of a trajectory.
    var all = StateCotangents<Double>(
      positions: Array(repeating: 0, count: 3 * 5 * n), velocities: Array(repeating: 0, count: 3 * 5 * n))
    for world in 0..<3 {
      for i in 0..<n {
        all.positions[(world * 5 + 4) * n + i] = problem.cotangents.positions[world * n + i]
        all.velocities[(world * 5 + 4) * n + i] = problem.cotangents.velocities[world * n + i]
      }
    }
    let a = try tape.gradient(final: problem.cotangents)
    let b = try tape.gradient(trajectory: all)
    #expect(a.initialState == b.initialState)
    all.positions[0] += 0.5
    let c = try tape.gradient(trajectory: all)
    #expect(abs(c.initialState.positions[0] - a.initialState.positions[0] - 0.5) < 1e-12)
  }

  /// A world that leaves the range of numbers is frozen and named; the others go on, and gradients stay finite.
  @Test(arguments: [RolloutMemory.storeAll, .storeStates, .checkpoint(every: 2)])
  func divergedWorldsAreFrozen(memory: RolloutMemory) throws {
    var problem = RolloutProblem(try TestModels.model("acrobot"), seed: 6, worlds: 10, steps: 5)
    problem.state.velocities[2 * problem.model.velocityCount] = 1e9
    let simulator = try problem.simulator()
    let tape = try simulator.record(from: problem.state, inputs: problem.inputs, steps: 5, memory: memory)
    #expect(tape.result.divergedWorlds.map(\.world) == [2])
    #expect(tape.result.finalState.positions.allSatisfy { $0.isFinite })
    #expect(tape.result.finalState.velocities.allSatisfy { $0.isFinite })
    let gradient = try tape.gradient(final: problem.cotangents, targets: .all)
    #expect(gradient.divergedWorlds.map(\.world) == [2])
    #expect(gradient.initialState.positions.allSatisfy { $0.isFinite })
    #expect(gradient.parameters!.mass.allSatisfy { $0.isFinite })
    let n = problem.model.velocityCount
    #expect(gradient.initialState.positions[2 * n..<3 * n].allSatisfy { $0 == 0 })
    #expect(throws: SimulationError.self) {
      _ = try simulator.valueAndGradient(from: problem.state, inputs: problem.inputs, steps: 5) { _ in
        (0, StateCotangents(positions: [], velocities: []))
      }
    }
  }

  /// Float32 follows float64 to its own precision.
  @Test(arguments: TestModels.names)
  func singlePrecision(name: String) throws {
    let problem = RolloutProblem(try TestModels.model(name), seed: 7, worlds: 20, steps: 4)
    let double = try problem.simulator().record(from: problem.state, inputs: problem.inputs, steps: 4)
    let simulator = try Simulator<Float>(problem.model, ignoring: problem.ignored)
    func float(_ x: [Double]) -> [Float] { x.map { Float($0) } }
    func float(_ s: InputSequence<Double>?) -> InputSequence<Float>? {
      s.map { InputSequence(values: float($0.values), worldCount: $0.worldCount, stepCount: $0.stepCount) }
    }
    let single = try simulator.record(
      from: BatchState(
        worldCount: 20, positions: float(problem.state.positions),
        velocities: float(problem.state.velocities),
        activations: float(problem.state.activations)),
      inputs: SimulationInputs(
        controls: float(problem.inputs.controls), appliedForces: float(problem.inputs.appliedForces),
        cartesianForces: float(problem.inputs.cartesianForces), mocapPoses: float(problem.inputs.mocapPoses)),
      steps: 4)
    func error(_ a: [Float], _ b: [Double]) -> Double {
      let difference = zip(a, b).reduce(0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
      return (difference / max(dot(b, b), 1e-300)).squareRoot()
    }
    #expect(error(single.result.finalState.velocities, double.result.finalState.velocities) < 1e-4)
    let c = problem.cotangents
    let a = try single.gradient(
      final: StateCotangents(
        positions: float(c.positions), velocities: float(c.velocities), activations: float(c.activations)))
    let b = try double.gradient(final: c)
    #expect(error(a.initialState.positions, b.initialState.positions) < 1e-3)
    #expect(error(a.initialState.velocities, b.initialState.velocities) < 1e-3)
  }

  /// Without losses RK4 keeps the energy, to the fourth order of the timestep.
  @Test(arguments: ["pendulum", "acrobot"])
  func rungeKuttaConservesEnergy(name: String) throws {
    var model = try TestModels.model(name, .rungeKutta4)
    for i in model.degreesOfFreedom.indices { model.degreesOfFreedom[i].damping = 0 }
    func drift(_ timestep: Double) throws -> Double {
      model.options.timestep = timestep
      let simulator = try Simulator<Double>(model, ignoring: .constraints)
      var state = BatchState<Double>(model)
      state.positions[0] += 2
      func energy() throws -> Double {
        let e = try simulator.evaluate(state)
        return e.kineticEnergy + e.potentialEnergy
      }
      let before = try energy()
      state = try simulator.rollout(from: state, steps: Int((2 / timestep).rounded())).finalState
      return abs(try energy() - before)
    }
    let coarse = try drift(0.02)
    let fine = try drift(0.01)
    #expect(coarse / fine > 12)
    #expect(fine < 1e-3)
  }

  @Test func invalidInputsAreRefused() throws {
    let problem = RolloutProblem(try TestModels.model("arm"), seed: 8)
    let simulator = try problem.simulator()
    var short = problem.state
    short.positions.removeLast()
    #expect(throws: SimulationError.wrongCount(name: "positions", expected: 6, actual: 5)) {
      _ = try simulator.rollout(from: short, steps: 1)
    }
    var infinite = problem.state
    infinite.velocities[3] = .nan
    #expect(throws: SimulationError.notFinite(name: "velocities", index: 3)) {
      _ = try simulator.rollout(from: infinite, steps: 1)
    }
    #expect(throws: SimulationError.self) {
      _ = try simulator.rollout(
        from: problem.state,
        inputs: SimulationInputs(controls: InputSequence(values: [1, 2, 3], stepCount: 2)),
        steps: 5)
    }
    #expect(throws: SimulationError.self) {
      _ = try simulator.record(from: problem.state, steps: 3, memory: .checkpoint(every: 0))
    }
    var model = try TestModels.model("humanoid")
    model.actuators[0].gain = .muscle
    #expect(throws: SimulationError.unsupported(model: model.name, elements: model.unsupported)) {
      _ = try Simulator<Double>(model)
    }
  }

  /// Forces in the world have a gradient (a known defect elsewhere: it was silently zero).
  @Test func cartesianForcesHaveGradients() throws {
    let problem = RolloutProblem(try TestModels.model("humanoid"), seed: 9)
    let simulator = try problem.simulator()
    var inputs = problem.inputs
    inputs.cartesianForces = nil
    let tape = try simulator.record(from: problem.state, inputs: inputs, steps: 3)
    let gradient = try tape.gradient(final: problem.cotangents, targets: .cartesianForces).cartesianForces!
    #expect(gradient.values.count == 6 * problem.model.bodies.count)
    #expect(gradient.values.dropFirst(6).filter { abs($0) > 1e-6 }.count > 60)
  }
}

extension RolloutProblem {
  /// One world of the batch by itself.
  func world(_ index: Int) -> RolloutProblem {
    var result = self
    func row(_ values: [Double], _ width: Int) -> [Double] {
      Array(values[index * width..<(index + 1) * width])
    }
    result.state = BatchState(
      worldCount: 1, positions: row(state.positions, model.positionCount),
      velocities: row(state.velocities, model.velocityCount),
      activations: row(state.activations, model.activationCount))
    func pick(_ s: InputSequence<Double>?) -> InputSequence<Double>? {
      s.map {
        InputSequence(values: row($0.values, $0.values.count / $0.worldCount), stepCount: $0.stepCount)
      }
    }
    result.inputs = SimulationInputs(
      controls: pick(inputs.controls), appliedForces: pick(inputs.appliedForces),
      cartesianForces: pick(inputs.cartesianForces))
    return result
  }
}
