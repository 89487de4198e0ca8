import RigidBody
import RobotModels
import TestSupport
import Testing

/// What a tape keeps, and where its memory comes from, must not change a bit of its gradients.
@Suite struct RolloutMemoryTests {
  static let names = TestModels.names + ["tied", "tied and floating", "welded"]
  static let integrators: [Integrator] = [.euler, .implicitFast, .rungeKutta4]

  /// A rollout problem in some precision.
  struct Work<Scalar: SimulationScalar>: Sendable {
    var simulator: Simulator<Scalar>
    var state: BatchState<Scalar>
    var inputs: SimulationInputs<Scalar>
    var cotangents: StateCotangents<Scalar>
    var steps: Int

    init(_ problem: RolloutProblem) throws {
      simulator = try Simulator(problem.model, ignoring: .constraints)
      func convert(_ x: [Double]) -> [Scalar] { x.map { Scalar($0) } }
      func convert(_ x: InputSequence<Double>?) -> InputSequence<Scalar>? {
        x.map {
          InputSequence(values: convert($0.values), worldCount: $0.worldCount, stepCount: $0.stepCount)
        }
      }
      state = BatchState(
        worldCount: problem.state.worldCount, positions: convert(problem.state.positions),
        velocities: convert(problem.state.velocities), activations: convert(problem.state.activations))
      inputs = SimulationInputs(
        controls: convert(problem.inputs.controls), appliedForces: convert(problem.inputs.appliedForces),
        cartesianForces: convert(problem.inputs.cartesianForces))
      cotangents = StateCotangents(
        positions: convert(problem.cotangents.positions), velocities: convert(problem.cotangents.velocities),
        activations: convert(problem.cotangents.activations))
      steps = problem.steps
    }

    func record(_ memory: RolloutMemory, threads: Int = 1) throws -> RolloutTape<Scalar> {
      try simulator.record(from: state, inputs: inputs, steps: steps, memory: memory, threads: threads)
    }

    func gradient(
      _ memory: RolloutMemory, targets: GradientTargets = .all, threads: Int = 1
    ) throws -> RolloutGradient<Scalar> {
      try record(memory, threads: threads).gradient(final: cotangents, targets: targets, threads: threads)
    }
  }

  static func model(_ name: String, _ integrator: Integrator) throws -> Model {
    try EdgeCaseTests.model(name, integrator)
  }

  static func expectEqual<Scalar>(
    _ a: RolloutGradient<Scalar>, _ b: RolloutGradient<Scalar>, _ comment: Comment,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(a.initialState == b.initialState, comment, sourceLocation: sourceLocation)
    #expect(a.controls == b.controls, comment, sourceLocation: sourceLocation)
    #expect(a.appliedForces == b.appliedForces, comment, sourceLocation: sourceLocation)
    #expect(a.cartesianForces == b.cartesianForces, comment, sourceLocation: sourceLocation)
    #expect(a.parameters == b.parameters, comment, sourceLocation: sourceLocation)
    #expect(a.divergedWorlds == b.divergedWorlds, comment, sourceLocation: sourceLocation)
  }

  /// Numbers of worlds, steps and threads: lane groups of all fillings, chunks of inputs cut everywhere.
  static let shapes = [(1, 1, 1), (1, 17, 1), (7, 8, 3), (16, 9, 1), (17, 7, 3), (33, 17, 3)]

  @Test(arguments: names, integrators)
  func allMemoriesGiveTheSameGradient(name: String, integrator: Integrator) throws {
    for (worlds, steps, threads) in Self.shapes {
      var problem = RolloutProblem(
        try Self.model(name, integrator), seed: 60, worlds: worlds, steps: steps)
      // Every input in another shape.
      switch worlds % 3 {
      case 0: problem.inputs.controls = problem.inputs.controls.map { Self.shared($0) }
      case 1: problem.inputs.appliedForces = problem.inputs.appliedForces.map { Self.constant($0) }
      default: problem.inputs.cartesianForces = nil
      }
      func check<Scalar: SimulationScalar>(_ scalar: Scalar.Type) throws {
        let work = try Work<Scalar>(problem)
        let stored = try work.gradient(.storeAll)
        #expect(stored.initialState.velocities.contains { abs($0) > 0.01 })
        for memory in [RolloutMemory.storeStates, .checkpoint(every: 1), .checkpoint(every: 5)] {
          let comment: Comment = "\(scalar) \(worlds) worlds \(steps) steps \(memory)"
          Self.expectEqual(try work.gradient(memory, threads: threads), stored, comment)
        }
        // What is not asked for does not change what is.
        let tape = try work.record(.storeStates, threads: threads)
        let first = try tape.gradient(final: work.cotangents, targets: .initialState, threads: threads)
        let controls = try tape.gradient(final: work.cotangents, targets: .controls, threads: 1)
        Self.expectEqual(
          try tape.gradient(final: work.cotangents, targets: .all, threads: threads), stored, "again")
        #expect(first.initialState == stored.initialState && first.controls == nil)
        #expect(controls.controls == stored.controls && controls.parameters == nil)
      }
      try check(Double.self)
      try check(Float.self)
    }
  }

  static func shared(_ input: InputSequence<Double>) -> InputSequence<Double> {
    let count = input.values.count / input.worldCount
    return InputSequence(values: Array(input.values.prefix(count)), stepCount: input.stepCount)
  }

  static func constant(_ input: InputSequence<Double>) -> InputSequence<Double> {
    let width = input.values.count / (input.worldCount * input.stepCount)
    let values = (0..<input.worldCount).flatMap { world in
      input.values[world * input.stepCount * width..<(world * input.stepCount + 1) * width]
    }
    return InputSequence(values: values, worldCount: input.worldCount)
  }

  /// One step of an input of all worlds.
  static func slice<Scalar>(_ input: InputSequence<Scalar>?, step: Int) -> InputSequence<Scalar>? {
    guard let input else { return nil }
    let width = input.values.count / (input.worldCount * input.stepCount)
    let values = (0..<input.worldCount).flatMap { world in
      let row = world * input.stepCount + step
      return input.values[row * width..<(row + 1) * width]
    }
    return InputSequence(values: values, worldCount: input.worldCount)
  }

  /// A rollout is its steps taken one by one, and so is its gradient: inputs come and go several steps at a time, which
  /// must not be seen.
  @Test(arguments: ["quadruped", "actuators", "pendulum"], [1, 7, 8, 9, 17])
  func stepsOneByOne(name: String, steps: Int) throws {
    for worlds in [2, 7, 16, 17, 33] {
      let problem = RolloutProblem(
        try Self.model(name, .implicitFast), seed: 61, worlds: worlds, steps: steps)
      func check<Scalar: SimulationScalar>(_ scalar: Scalar.Type) throws {
        let work = try Work<Scalar>(problem)
        let whole = try work.record(.storeStates, threads: 3)
        let gradient = try whole.gradient(final: work.cotangents, targets: .all, threads: 3)
        var tapes: [RolloutTape<Scalar>] = []
        var state = work.state
        for step in 0..<steps {
          let inputs = SimulationInputs(
            controls: Self.slice(work.inputs.controls, step: step),
            appliedForces: Self.slice(work.inputs.appliedForces, step: step),
            cartesianForces: Self.slice(work.inputs.cartesianForces, step: step))
          tapes.append(try work.simulator.differentiableStep(from: state, inputs: inputs))
          state = tapes[step].result.finalState
        }
        #expect(state.positions == whole.result.finalState.positions)
        #expect(state.velocities == whole.result.finalState.velocities)
        var cotangents = work.cotangents
        for step in stride(from: steps - 1, through: 0, by: -1) {
          let one = try tapes[step].gradient(final: cotangents, targets: .all)
          cotangents = one.initialState
          #expect(one.controls?.values == Self.slice(gradient.controls, step: step)?.values)
          #expect(one.appliedForces?.values == Self.slice(gradient.appliedForces, step: step)?.values)
          #expect(one.cartesianForces?.values == Self.slice(gradient.cartesianForces, step: step)?.values)
        }
        #expect(cotangents == gradient.initialState)
      }
      try check(Double.self)
      try check(Float.self)
    }
  }

  /// Tapes of one simulator take over each other's memory.
  @Test func tapesMadeDroppedAndMadeAgain() throws {
    for memory in [RolloutMemory.storeAll, .storeStates, .checkpoint(every: 4)] {
      let model = try Self.model("freeBodies", .implicitFast)
      let shared = try Simulator<Double>(model, ignoring: .constraints)
      let sizes = [(33, 9), (8, 3), (33, 9), (1, 40), (17, 9), (33, 9), (1, 40), (8, 3)]
      var kept: RolloutTape<Double>?
      for (index, (worlds, steps)) in sizes.enumerated() {
        var work = try Work<Double>(
          RolloutProblem(model, seed: 62 + UInt64(index), worlds: worlds, steps: steps))
        let expected = try work.gradient(memory)
        work.simulator = shared
        if index % 2 == 0 {
          // A world that diverges, in the same memory just before.
          var wild = work
          wild.state.positions[0] = 1e11
          #expect(try !wild.record(memory).result.divergedWorlds.isEmpty)
        }
        let tape = try work.record(memory, threads: 2)
        Self.expectEqual(
          try tape.gradient(final: work.cotangents, targets: .all), expected, "\(memory) \(worlds) \(steps)")
        if index == 1 { kept = tape }
      }
      let first = try Work<Double>(RolloutProblem(model, seed: 63, worlds: 8, steps: 3))
      Self.expectEqual(
        try #require(kept).gradient(final: first.cotangents, targets: .all), try first.gradient(memory),
        "kept")
    }
  }

  @Test func tapesOfSeveralTasks() async throws {
    let model = try Self.model("fluid", .implicitFast)
    let simulator = try Simulator<Double>(model, ignoring: .constraints)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for task in 0..<8 {
        group.addTask {
          for round in 0..<6 {
            let (worlds, steps) = [(9, 5), (17, 3), (1, 11)][(task + round) % 3]
            var work = try Work<Double>(
              RolloutProblem(model, seed: UInt64(100 + 10 * task + round), worlds: worlds, steps: steps))
            let expected = try work.gradient(.storeAll)
            work.simulator = simulator
            let memory: RolloutMemory = (task + round) % 2 == 0 ? .storeStates : .storeAll
            let tape = try work.record(memory, threads: 2)
            let cotangents = work.cotangents
            // Two at a time, from one tape.
            async let other = tape.gradient(final: cotangents, targets: .all, threads: 1)
            Self.expectEqual(
              try tape.gradient(final: cotangents, targets: .all, threads: 2), expected, "task \(task)")
            Self.expectEqual(try await other, expected, "task \(task), beside")
          }
        }
      }
      try await group.waitForAll()
    }
  }

  /// A frozen world's gradients are zero, and those of the others what they are without it.
  @Test(arguments: integrators)
  func frozenWorldsLeaveNothingBehind(integrator: Integrator) throws {
    let steps = 9
    for memory in [RolloutMemory.storeAll, .storeStates, .checkpoint(every: 4)] {
      var work = try Work<Double>(
        RolloutProblem(try Self.model("acrobot", integrator), seed: 64, worlds: 17, steps: steps))
      let n = work.simulator.model.velocityCount
      let calm = try work.gradient(memory, targets: [.initialState, .controls, .cartesianForces])
      work.state.velocities[2 * n] = 1e9
      let tape = try work.record(memory, threads: 3)
      #expect(tape.result.divergedWorlds.map(\.world) == [2])
      let gradient = try tape.gradient(
        final: work.cotangents, targets: [.initialState, .controls, .cartesianForces])
      for (a, b) in [
        (gradient.initialState.positions, calm.initialState.positions),
        (gradient.initialState.velocities, calm.initialState.velocities),
        (gradient.controls!.values, calm.controls!.values),
        (gradient.cartesianForces!.values, calm.cartesianForces!.values),
      ] {
        let row = a.count / 17
        #expect(a[2 * row..<3 * row].allSatisfy { $0 == 0 })
        #expect(a[..<(2 * row)] == b[..<(2 * row)] && a[(3 * row)...] == b[(3 * row)...])
      }
    }
  }

  /// A direction need not change every input that there is.
  @Test(arguments: [1, 2, 8, 9, 17])
  func directionsThatLeaveInputsAlone(steps: Int) throws {
    let problem = RolloutProblem(
      try Self.model("actuators", .implicitFast), seed: 65, worlds: 9, steps: steps)
    let simulator = try problem.simulator()
    let full = problem.direction(seed: 66)
    for left in 0..<8 {
      var given = full
      var zero = full
      func leave(_ input: WritableKeyPath<SimulationInputs<Double>, InputSequence<Double>?>, _ bit: Int) {
        guard left & bit != 0 else { return }
        given.inputs[keyPath: input] = nil
        zero.inputs[keyPath: input]!.values = full.inputs[keyPath: input]!.values.map { _ in 0 }
      }
      leave(\.controls, 1)
      leave(\.appliedForces, 2)
      leave(\.cartesianForces, 4)
      let a = try simulator.pushforward(
        from: problem.state, inputs: problem.inputs, steps: steps, along: given)
      let b = try simulator.pushforward(
        from: problem.state, inputs: problem.inputs, steps: steps, along: zero)
      #expect(a.finalState == b.finalState && a.tangent == b.tangent)
      #expect(
        a.finalState.velocities
          == (try simulator.rollout(from: problem.state, inputs: problem.inputs, steps: steps)
            .finalState.velocities))
      func product(_ direction: RolloutDirection) throws -> RolloutSecondDerivative {
        try simulator.hessianVectorProduct(
          from: problem.state, inputs: problem.inputs, steps: steps, along: direction, targets: .all
        ) { final, tangent in
          var derivatives = problem.cotangents
          derivatives.positions = derivatives.positions.map { _ in 0 }
          derivatives.velocities = tangent.velocities
          derivatives.activations = derivatives.activations.map { _ in 0 }
          return (problem.cotangents, derivatives)
        }
      }
      let (x, y) = (try product(given), try product(zero))
      Self.expectEqual(x.gradient, y.gradient, "gradient")
      Self.expectEqual(x.hessianVectorProduct, y.hessianVectorProduct, "product")
    }
  }
}
