import Autodiff
import Learning
import RobotModels
import Simulation
import TestSupport
import Testing

/// Gradients through a policy network, the simulator, and a cost.
@Suite struct ClosedLoopTests {
  private let simulation: Simulation
  private let policy = MultilayerPerceptron(
    sizes: [6, 5, 1], activation: .tanh, outputActivation: .tanh, key: RandomKey(seed: 2))
  private let steps = 12

  init() throws { simulation = try ExampleModels.simulation("cartpole") }

  private func start(worlds: [Int], seed: UInt64 = 4) -> SimulationState {
    SimulationState(RandomPoint(simulation, worlds: worlds, seed: seed).leaves[0..<3])
  }
  private func control(_ policy: MultilayerPerceptron, _ state: SimulationState) -> Tensor {
    let angle = state.positions[.all, 1..<2]
    return policy(
      concatenate([state.positions, sin(angle), cos(angle), state.velocities], axis: -1))
  }
  /// As a loop that the library sees.
  private func cost(_ policy: MultilayerPerceptron, _ start: SimulationState) throws -> Tensor {
    let (last, costs) = try scan(initial: start, over: Tensor.indices(steps)) { state, _ in
      let push = control(policy, state)
      let next = try simulation.step(state, controls: push)
      return (next, square(next.positions).sum(axis: -1) + square(push).sum(axis: -1) * 0.1)
    }
    return costs.mean() + square(last.velocities).mean()
  }
  /// As a Swift loop, unrolled.
  private func unrolledCost(_ policy: MultilayerPerceptron, _ start: SimulationState) throws -> Tensor {
    var state = start
    var costs: [Tensor] = []
    for _ in 0..<steps {
      let push = control(policy, state)
      state = try simulation.step(state, controls: push)
      costs.append(square(state.positions).sum(axis: -1) + square(push).sum(axis: -1) * 0.1)
    }
    return stack(costs).mean() + square(state.velocities).mean()
  }

  @Test func againstDifferences() throws {
    let start = start(worlds: [3])
    let gradient = try grad { (p: MultilayerPerceptron) in try cost(p, start) }(policy)
    var random = SeededRandom(seed: 6)
    for _ in 0..<3 {
      let direction = policy.leaves.map { GradientLaws.random(like: $0, &random) }
      let differences = try CentralDifferences(step: 1e-2) { t in
        let moved = try policy.replacing(leaves: zip(policy.leaves, direction).map { $0 + $1 * t })
        return try Double(try cost(moved, start))
      }
      #expect(abs(differences.convergence - 4) < 0.2)
      let slope = zip(gradient.leaves, direction).reduce(0) { $0 + ($1.0 * $1.1).sum().scalar }
      #expect(abs(slope - differences.extrapolated) < 1e-8 * abs(slope), "\(slope)")
      let (_, tangent) = try jvp(
        { (p: MultilayerPerceptron) in try cost(p, start) }, at: policy,
        along: try policy.replacing(leaves: direction))
      #expect(abs(tangent.scalar - slope) < 1e-12 * abs(slope))
    }
  }

  @Test func scansAreLoops() throws {
    let start = start(worlds: [3])
    let (value, gradient) = try valueAndGrad { (p: MultilayerPerceptron) in try cost(p, start) }(policy)
    let unrolled = try valueAndGrad { (p: MultilayerPerceptron) in try unrolledCost(p, start) }(policy)
    let compiled = try jit(valueAndGrad { (p: MultilayerPerceptron) in try cost(p, start) })(policy)
    let rematerialised = try valueAndGrad(checkpoint { (p: MultilayerPerceptron) in try cost(p, start) })(
      policy)
    for other in [unrolled, compiled, rematerialised] {
      #expect(abs(other.value.scalar - value.scalar) < 1e-14 * value.scalar)
      for (a, b) in zip(other.gradient.leaves, gradient.leaves) { #expect(relativeDifference(a, b) < 1e-12) }
    }
  }

  /// A batch by vmap is one by an axis of worlds, and each element is itself.
  @Test func batches() throws {
    let batch = start(worlds: [4])
    let single = (0..<4).map { k in
      SimulationState(
        positions: batch.positions[k], velocities: batch.velocities[k], activations: batch.activations[k])
    }
    // One world without an axis: the policy's inputs are vectors then.
    func worldCost(_ p: MultilayerPerceptron, _ s: SimulationState) throws -> Tensor {
      try cost(
        p,
        SimulationState(
          positions: s.positions.expandingAxis(0), velocities: s.velocities.expandingAxis(0),
          activations: s.activations.expandingAxis(0)))
    }
    let whole = try grad { (p: MultilayerPerceptron) in try cost(p, batch) }(policy)
    let each = try single.map { s in try grad { (p: MultilayerPerceptron) in try worldCost(p, s) }(policy) }
    let mean = try policy.replacing(
      leaves: policy.leaves.indices.map { k in stack(each.map { $0.leaves[k] }).mean(axis: 0) })
    let mapped = try grad { (p: MultilayerPerceptron) in
      try vmap { (s: SimulationState) in try worldCost(p, s) }(batch).mean()
    }(policy)
    let gradients = try vmap { (s: SimulationState) in
      try grad { (p: MultilayerPerceptron) in try worldCost(p, s) }(policy)
    }(batch)
    let compiled = try jit { (b: SimulationState) in
      try vmap { (s: SimulationState) in try grad { (p: MultilayerPerceptron) in try worldCost(p, s) }(policy)
      }(b)
    }(batch)
    for k in policy.leaves.indices {
      #expect(relativeDifference(whole.leaves[k], mean.leaves[k]) < 1e-12)
      #expect(relativeDifference(mapped.leaves[k], mean.leaves[k]) < 1e-12)
      let stacked = stack(each.map { $0.leaves[k] })
      #expect(relativeDifference(gradients.leaves[k], stacked) < 1e-12)
      #expect(relativeDifference(compiled.leaves[k], stacked) < 1e-12)
    }
  }

  /// Several policies at once in the same worlds: the start is shared, the tapes are not.
  @Test func batchesOfPolicies() throws {
    let start = start(worlds: [2])
    let policies = (0..<3).map { k in
      MultilayerPerceptron(sizes: [6, 5, 1], outputActivation: .tanh, key: RandomKey(seed: UInt64(10 + k)))
    }
    let together = try policies[0].replacing(
      leaves: policies[0].leaves.indices.map { k in stack(policies.map { $0.leaves[k] }) })
    let gradient = grad { (p: MultilayerPerceptron) in try cost(p, start) }
    let batched = try vmap(gradient)(together)
    let compiled = try jit(vmap(gradient))(together)
    for k in together.leaves.indices {
      let single = stack(try policies.map { try gradient($0).leaves[k] })
      #expect(relativeDifference(batched.leaves[k], single) < 1e-12)
      #expect(relativeDifference(compiled.leaves[k], single) < 1e-12)
    }
  }

  @Test func insideConditions() throws {
    let start = start(worlds: [])
    func distance(_ push: Tensor) throws -> Tensor {
      let end = try cond(
        push.sum() .> 0.0, then: { try simulation.step(start, controls: push) },
        else: { try simulation.rollout(from: start, controls: push.expandingAxis(0), steps: 3) })
      return square(end.positions).sum()
    }
    for push in [Tensor([0.4]), Tensor([-0.4])] {
      let slope = try grad(distance)(push).scalar
      let differences = try CentralDifferences(step: 1e-2) { try Double(try distance(push + $0)) }
      #expect(abs(slope - differences.extrapolated) < 1e-7 * abs(slope))
    }
    let both = try vmap(grad(distance))([[0.4], [-0.4]])
    let each = stack([try grad(distance)([0.4]), try grad(distance)([-0.4])])
    #expect(relativeDifference(both, each) < 1e-12)
  }

  /// Second derivatives through network, loop and simulator.
  @Test func hessianProducts() throws {
    let start = start(worlds: [2])
    let closedLoop = { (p: MultilayerPerceptron) in try cost(p, start) }
    var random = SeededRandom(seed: 12)
    let direction = try policy.replacing(
      leaves: policy.leaves.map { GradientLaws.random(like: $0, &random) })
    let weight = policy.leaves.map { GradientLaws.random(like: $0, &random) }
    let product = try hvp(closedLoop, at: policy, along: direction)
    func slope(_ p: MultilayerPerceptron) throws -> Double {
      zip(try grad(closedLoop)(p).leaves, weight).reduce(0) { $0 + ($1.0 * $1.1).sum().scalar }
    }
    let differences = try CentralDifferences(step: 1e-2) { t in
      try slope(
        try policy.replacing(leaves: zip(policy.leaves, direction.leaves).map { $0 + $1 * t }))
    }
    let value = zip(product.leaves, weight).reduce(0) { $0 + ($1.0 * $1.1).sum().scalar }
    #expect(abs(value - differences.extrapolated) < 1e-7 * abs(value), "\(value)")
    // Reverse over reverse is the same product.
    let twice = try grad { (p: MultilayerPerceptron) in
      zip(try grad(closedLoop)(p).leaves, direction.leaves).reduce(Tensor(0.0)) { $0 + ($1.0 * $1.1).sum() }
    }(policy)
    let compiled = try jit { (p: MultilayerPerceptron) in try hvp(closedLoop, at: p, along: direction) }(
      policy)
    for k in policy.leaves.indices {
      #expect(relativeDifference(twice.leaves[k], product.leaves[k]) < 1e-11)
      #expect(relativeDifference(compiled.leaves[k], product.leaves[k]) < 1e-12)
    }
  }
}
