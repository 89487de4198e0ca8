import Foundation
import RigidBody
import RobotModels
import TestSupport
import Testing

/// Which method solves the constraints, and when it stops, is the model's and the caller's choice; the solution is not.
@Suite struct SolverChoiceTests {
  /// A heap: boxes that fall onto each other and the floor, with an arm that is pushed against its limits.
  private static let heap = """
    <mujoco><option timestep="0.004" cone="elliptic" impratio="20"/><worldbody><geom type="plane" size="5 5 1"/>
    <body pos="0 0 0.11"><freejoint/><geom type="box" size="0.1 0.1 0.1"/></body>
    <body pos="0.03 0.02 0.32" euler="5 0 20"><freejoint/><geom type="box" size="0.1 0.08 0.1" condim="6"/></body>
    <body pos="0 0.05 0.53" euler="0 8 0"><freejoint/><geom type="box" size="0.09 0.1 0.1" condim="4"/></body>
    <body pos="0.3 0 0.3"><joint axis="0 1 0" range="-10 10" frictionloss="0.3"/>
      <geom type="capsule" fromto="0 0 0 -0.2 0 0.1" size="0.04"/></body></worldbody></mujoco>
    """

  static let names = ["quadruped", "humanoid", "arm", "transmissions", "heap"]

  private static func model(_ name: String, _ solver: ConstraintSolver) throws -> Model {
    var model = name == "heap" ? try Model(mjcf: heap) : try TestModels.model(name)
    model.options.solver = solver
    return model
  }

  /// Eight worlds that start apart from each other, near the floor.
  private static func state(_ model: Model) -> BatchState<Double> {
    var state = BatchState<Double>(model, worldCount: 8)
    var random = SeededRandom(seed: 3)
    state.velocities = random.uniform(-0.5, 0.5, count: state.velocities.count)
    return state
  }

  /// A model that asks for conjugate gradients, or for PGS, gets Newton's solution, in every world and step.
  @Test(arguments: names, [ConstraintSolver.conjugateGradient, .projectedGaussSeidel])
  func solutionsAreThoseOfNewton(name: String, solver: ConstraintSolver) throws {
    let model = try Self.model(name, solver)
    let steps = 40
    let ended = try Simulator<Double>(model).rollout(from: Self.state(model), steps: steps)
    #expect(ended.unconvergedWorlds.isEmpty)
    #expect(ended.divergedWorlds.isEmpty)
    // One step from there, where things touch.
    let other = try Simulator<Double>(try Self.model(name, .newton))
    let start = ended.finalState
    let one = try Simulator<Double>(model).rollout(from: start, steps: 1)
    #expect(one.unconvergedWorlds.isEmpty)
    let expected = try other.rollout(from: start, steps: 1).finalState
    // Conjugate gradients stop where the cost has 1e-8 left to gain: the error is of the size of the root.
    let tolerance = solver == .projectedGaussSeidel ? 1e-12 : 1e-4
    #expect(relativeError(one.finalState.velocities, expected.velocities) < tolerance)
    let single = BatchState<Float>(
      worldCount: 8, positions: start.positions.map { Float($0) },
      velocities: start.velocities.map { Float($0) }, activations: start.activations.map { Float($0) })
    #expect(try Simulator<Float>(model).rollout(from: single, steps: steps).unconvergedWorlds.isEmpty)
  }

  /// A file's single iteration is enough for nobody, but honoured where that is asked for.
  @Test(arguments: [ConstraintSolver.newton, .conjugateGradient])
  func limitsOfTheModel(solver: ConstraintSolver) throws {
    var model = try Self.model("heap", solver)
    model.options.iterations = 1
    let state = Self.state(model)
    let own = try Simulator<Double>(model, solverLimits: .model).rollout(from: state, steps: 60)
    #expect(!own.unconvergedWorlds.isEmpty)
    let converged = try Simulator<Double>(model).rollout(from: state, steps: 60)
    #expect(converged.unconvergedWorlds.isEmpty)
    #expect(relativeError(own.finalState.positions, converged.finalState.positions) > 1e-9)
    model.options.iterations = 100
    model.options.tolerance = 1e-8
    let enough = try Simulator<Double>(model, solverLimits: .model)
      .rollout(from: state, steps: 60)
    if solver == .newton {
      #expect(enough.unconvergedWorlds.isEmpty)
      #expect(relativeError(enough.finalState.positions, converged.finalState.positions) < 1e-12)
    }
  }
}
