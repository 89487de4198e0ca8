import Kinematics
import Lanes
import RobotModels

// Forward mode under constraints. The solver does not run on dual numbers: its derivative is that of where it ends. A step's
// tangent is the product of the step's Jacobian, by states and by the inputs that change, with the tangent before it; the
// Jacobian's rows are those that the reverse sweeps of one factored Hessian give, so that forward and reverse mode agree to
// rounding.

extension Simulator where Scalar == Double {
  /// ``pushforward(from:inputs:steps:along:threads:)`` of models with constraints.
  ///
  /// - Throws: ``SimulationError`` for worlds that diverge or whose constraint solver does not converge.
  /// - Complexity: per step and world that of ``stepJacobians(at:inputs:threads:)``.
  func constrainedPushforward(
    from initial: BatchState<Double>, inputs: SimulationInputs<Double>, steps: Int,
    along direction: RolloutDirection, threads: Int
  ) throws(SimulationError) -> (finalState: BatchState<Double>, tangent: StateTangents<Double>) {
    let plan = self.plan
    let worlds = initial.worldCount
    let changing = direction.inputs
    let (nv, na) = (plan.velocityCount, plan.activationCount)
    var final = initial
    final.time += Double(steps) * model.options.timestep
    var tangents = BatchState<Double>(
      worldCount: worlds, positions: direction.initialState.positions,
      velocities: direction.initialState.velocities, activations: direction.initialState.activations)
    // Steps in which worlds failed, by diverging or without convergence.
    var diverged = [Int](repeating: -1, count: worlds)
    var unconverged = diverged
    func withInputs(_ inputs: SimulationInputs<Double>, _ body: (InputPointers<Double>) -> Void) {
      inputs.withPointers(
        controlCount: plan.actuators.count, velocityCount: nv, bodyCount: plan.bodyCount,
        mocapWidth: plan.mocapWidth, body)
    }
    final.withPointers { state in
      tangents.withPointers { tangent in
        diverged.withUnsafeMutableBufferPointer { diverged in
          unconverged.withUnsafeMutableBufferPointer { unconverged in
            withInputs(inputs) { inputs in
              withInputs(changing) { changes in
                let shared = Shared(
                  value: (
                    state: state, tangent: tangent, inputs: inputs, changes: changes,
                    diverged: diverged.baseAddress!, unconverged: unconverged.baseAddress!
                  ))
                parallelFor(
                  count: worlds, threads: threads,
                  makeContext: {
                    JacobianRunner<Double.Group>(
                      plan, byAppliedForces: changing.appliedForces != nil,
                      byCartesianForces: changing.cartesianForces != nil,
                      byMocapPoses: changing.mocapPoses != nil)
                  },
                  body: { runner, world in
                    let s = shared.value
                    var x = [Double](repeating: 0, count: runner.width)
                    func copy(_ values: UnsafeMutablePointer<Double>, _ count: Int, at first: Int) {
                      for i in 0..<count { x[first + i] = values[world * count + i] }
                    }
                    copy(s.tangent.positions, nv, at: 0)
                    copy(s.tangent.velocities, nv, at: nv)
                    copy(s.tangent.activations, na, at: 2 * nv)
                    runner.load(s.state, world: world)
                    for step in 0..<steps {
                      guard let isConverged = runner.advance(s.inputs, step: step, world: world) else {
                        s.diverged[world] = step
                        return
                      }
                      if !isConverged {
                        s.unconverged[world] = step
                        return
                      }
                      runner.setInputs(s.changes, step: step, world: world, in: &x)
                      runner.multiply(&x)
                    }
                    runner.store(s.state, world: world)
                    for i in 0..<nv {
                      s.tangent.positions[world * nv + i] = x[i]
                      s.tangent.velocities[world * nv + i] = x[nv + i]
                    }
                    for i in 0..<na { s.tangent.activations[world * na + i] = x[2 * nv + i] }
                  })
              }
            }
          }
        }
      }
    }
    let failed = diverged.indices.filter { diverged[$0] >= 0 }
    if let first = failed.min(by: { diverged[$0] < diverged[$1] }) {
      throw .diverged(worlds: failed, step: diverged[first])
    }
    if let world = unconverged.firstIndex(where: { $0 >= 0 }) {
      throw .invalidRequest(
        "no tangent: the constraint solver did not converge in world \(world), step \(unconverged[world])")
    }
    return (
      final,
      StateTangents(
        positions: tangents.positions, velocities: tangents.velocities, activations: tangents.activations)
    )
  }
}

extension JacobianRunner where L.Scalar == Double {
  /// Sets the changes of the inputs behind those of the state.
  fileprivate func setInputs(
    _ changes: InputPointers<Double>, step: Int, world: Int, in x: inout [Double]
  ) {
    var at = stateCount
    func set(_ input: InputPointer<Double>) {
      let row = (input.worldCount == 1 ? 0 : world) * input.stepCount + (input.stepCount == 1 ? 0 : step)
      for i in 0..<input.width { x[at + i] = input.values.map { $0[row * input.width + i] } ?? 0 }
      at += input.width
    }
    set(changes.controls)
    if changes.appliedForces.values != nil { set(changes.appliedForces) }
    if changes.cartesianForces.values != nil { set(changes.cartesianForces) }
    if changes.mocapPoses.values != nil { set(changes.mocapPoses) }
  }
}
