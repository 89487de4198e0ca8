import Foundation
import Lanes
public import RobotModels

/// Simulates a model in one precision, on any number of worlds.
///
/// A simulator is immutable and can be shared between threads and tasks. Worlds are computed in lane groups (eight in
/// float64, sixteen in float32); results do not depend on the number of threads.
public final class Simulator<Scalar: SimulationScalar>: Sendable {
  /// The model as it was given.
  public let model: Model
  /// What is left out.
  public let ignored: IgnoredFeatures
  let plan: DynamicsPlan<Scalar>
  /// Memory of tapes that are gone, for those to come.
  let tapeMemory = ArenaPool(limit: 512 << 20)
  /// Memory for step Jacobians, which take less time than it takes to set up.
  let jacobianRunners = RunnerPool<JacobianRunner<Scalar.Group>>()

  /// - Throws: ``SimulationError/unsupported(model:elements:)`` with every element of `Model.unsupported` that
  ///   `ignoring` does not cover; and ``SimulationError/invalidRequest(_:)`` for an integrator that does not exist here
  ///   (`implicit`) or a timestep that is not positive.
  ///
  /// - Parameters:
  ///   - model: what is simulated.
  ///   - ignored: what is left out.
  ///   - contactGeometry: what gradients take of contacts.
  ///   - solverLimits: when the solver of constraints stops.
  public init(
    _ model: Model, ignoring ignored: IgnoredFeatures = [],
    contactGeometry: ContactGeometryGradient = .exact, solverLimits: SolverLimits = .convergence
  ) throws(SimulationError) {
    let missing = model.unsupported.filter { !ignored.covers($0.category) }
    guard missing.isEmpty else { throw .unsupported(model: model.name, elements: missing) }
    guard model.options.integrator != .implicit else {
      throw .invalidRequest(
        "integrator 'implicit' is not simulated; Euler, implicitfast and RK4 are. Set another one in the model's options"
      )
    }
    guard model.options.timestep > 0, model.options.timestep.isFinite else {
      throw .invalidRequest("the model's timestep is \(model.options.timestep); a positive number is needed")
    }
    self.model = model
    self.ignored = ignored
    do throws(RigidBodyError) {
      plan = DynamicsPlan(
        model, features: ignored,
        constraints:
          try ModelConstraints<Scalar>(
            model, ignoring: ignored, geometry: contactGeometry, limits: solverLimits))
    } catch {
      throw .invalidRequest("\(error)")
    }
  }

  /// Whether the simulation has contacts, limits, equalities or friction loss.
  public var hasConstraints: Bool { plan.constraints != nil }

  /// Bytes that one step retains for the reverse sweep, per world, when all steps of a long rollout are stored.
  public var retainedBytesPerWorldStep: Int {
    plan.stageCount * StepRecord<Scalar.Group>.byteCount(plan, .anglesForGeometry) / Scalar.Group.laneCount
  }

  /// Bytes that one step retains, per world, when states and accelerations are stored.
  public var stateBytesPerWorldStep: Int {
    plan.stageCount * StepRecord<Scalar.Group>.byteCount(plan, .anglesAndStates) / Scalar.Group.laneCount
  }

  /// Bytes of one stored state per world: what each checkpoint takes.
  public var checkpointBytesPerWorld: Int {
    StateBuffers<Scalar.Group>.byteCount(plan) / Scalar.Group.laneCount
  }

  /// All cores of the machine.
  public static var defaultThreadCount: Int { ProcessInfo.processInfo.activeProcessorCount }

  /// The states `steps` steps later.
  ///
  /// - Parameters:
  ///   - recordsTrajectory: whether all states are returned, not only the last ones.
  ///   - threads: how many threads work; results are the same for every number.
  ///   - inputs: what acts from outside.
  ///   - steps: the number of steps.
  ///   - initial: the states before the first step.
  /// - Throws: ``SimulationError`` for arrays of the wrong length, inputs that are not finite, and a trajectory that is
  ///   larger than the machine's memory. Worlds that diverge do not throw: they are listed in the result.
  /// - Complexity: O(worlds x steps x size of the model); nothing is allocated within a step.
  public func rollout(
    from initial: BatchState<Scalar>, inputs: SimulationInputs<Scalar> = SimulationInputs(), steps: Int,
    recordsTrajectory: Bool = false, threads: Int = defaultThreadCount
  ) throws(SimulationError) -> RolloutResult<Scalar> {
    try validate(initial, inputs, steps: steps)
    if recordsTrajectory { try checkTrajectoryFits(worlds: initial.worldCount, steps: steps) }
    if initial.worldCount == 1 {
      return run(Scalar.Single.self, initial, inputs, steps, recordsTrajectory, threads)
    }
    return run(Scalar.Group.self, initial, inputs, steps, recordsTrajectory, threads)
  }

  /// One step of every world, in place.
  ///
  /// - Throws: ``SimulationError``; also if a world diverges, in which case `state` is left as it was.
  public func step(
    _ state: inout BatchState<Scalar>, inputs: SimulationInputs<Scalar> = SimulationInputs(),
    threads: Int = defaultThreadCount
  ) throws(SimulationError) {
    let result = try rollout(from: state, inputs: inputs, steps: 1, threads: threads)
    guard result.divergedWorlds.isEmpty else {
      throw .diverged(worlds: result.divergedWorlds.map(\.world), step: 0)
    }
    state = result.finalState
  }
}
