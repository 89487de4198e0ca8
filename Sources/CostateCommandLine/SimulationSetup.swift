import ArgumentParser
import Costate
import Foundation
import TextFigures

/// What the commands that simulate have in common: a model, a state, and what is left out.
struct SimulationArguments: ParsableArguments {
  @OptionGroup var model: ModelArguments
  @OptionGroup var common: CommonOptions

  @Option(
    help: ArgumentHelp("State file (JSON); what it does not say is the model's default.", valueName: "file"))
  var state: String?

  /// Reads the files and checks that what the model needs is simulated or left out on purpose.
  func prepare() throws(CommandFailure) -> SimulationSetup {
    let ignored = try common.ignoreList()
    let model = try self.model.load()
    try ignored.check(model, path: self.model.path)
    let state: StateInput
    if let file = self.state {
      state = try StateInput(InputFile(path: file), for: model)
    } else {
      state = StateInput(defaultOf: model)
    }
    return SimulationSetup(
      path: self.model.path, model: model.placingMocapBodies(as: state), ignored: ignored, state: state)
  }
}

/// A model that can be simulated, with its initial state and what acts on it.
struct SimulationSetup {
  var path: String
  var model: Model
  var ignored: IgnoreList
  var state: StateInput

  func simulator<Scalar: SimulationScalar>(_ scalar: Scalar.Type) throws(CommandFailure) -> Simulator<Scalar>
  {
    do {
      return try Simulator<Scalar>(model, ignoring: ignored.features)
    } catch {
      throw CommandFailure(.invalidInput, "\(path): \(error)")
    }
  }

  /// Whether contacts, limits, equalities or friction loss are simulated: then the next kink may be near.
  var hasConstraints: Bool { (try? simulator(Double.self).hasConstraints) ?? false }

  /// Refuses numbers of worlds and steps whose states and controls no memory of this machine can hold.
  func checkMemory(worlds: Int, steps: Int) throws(CommandFailure) {
    let numbers = model.positionCount + model.velocityCount + model.activationCount + model.controlCount
    let bytes = Double(worlds) * (Double(steps) + 1) * Double(max(numbers, 1) * MemoryLayout<Double>.stride)
    let available = Double(ProcessInfo.processInfo.physicalMemory)
    guard bytes <= available else {
      throw CommandFailure(
        .wrongUsage,
        "the states of \(worlds) worlds in \(steps) steps take \(formatted(bytes / 1e9, digits: 3)) GB, and this "
          + "machine has \(formatted(available / 1e9, digits: 3)) GB; give smaller numbers")
    }
  }

  /// The initial state, the same in every world.
  func initialState<Scalar: SimulationScalar>(_ scalar: Scalar.Type, worlds: Int = 1) -> BatchState<Scalar> {
    func repeated(_ values: [Double]) -> [Scalar] {
      let one = values.map { Scalar($0) }
      return worlds == 1 ? one : (0..<worlds).flatMap { _ in one }
    }
    return BatchState(
      worldCount: worlds, positions: repeated(state.position), velocities: repeated(state.velocity),
      activations: repeated(state.activation), time: state.time)
  }

  /// The state file's forces in every step of every world, and controls: those of a file or the state's.
  func inputs<Scalar: SimulationScalar>(
    _ scalar: Scalar.Type, controls: Controls? = nil
  ) -> SimulationInputs<Scalar> {
    func constant(_ values: [Double]) -> InputSequence<Scalar>? {
      values.contains { $0 != 0 } ? InputSequence(values: values.map { Scalar($0) }) : nil
    }
    let sequence =
      controls.map {
        InputSequence<Scalar>(
          values: $0.elements.map { Scalar($0) }, worldCount: $0.worlds ?? 1, stepCount: $0.steps)
      } ?? InputSequence<Scalar>(values: state.control.map { Scalar($0) })
    return SimulationInputs(
      controls: sequence, appliedForces: constant(state.appliedForce),
      cartesianForces: constant(state.appliedBodyForce))
  }
}

extension Model {
  /// The model with its mocap bodies where a state has them, in every step.
  func placingMocapBodies(as state: StateInput) -> Model {
    var model = self
    for (index, body) in mocapBodies.enumerated() {
      let p = Array(state.mocapPosition[3 * index..<3 * index + 3])
      let q = Array(state.mocapOrientation[4 * index..<4 * index + 4])
      model.bodies[body].position = Vector3(p[0], p[1], p[2])
      model.bodies[body].orientation = Quaternion(q[0], q[1], q[2], q[3]).normalized
    }
    return model
  }
}

extension IgnoreList {
  var features: IgnoredFeatures {
    items.reduce(into: []) { features, item in
      switch item {
      case .constraints: features.formUnion(.constraints)
      case .contact: features.insert(.contact)
      case .limit: features.insert(.limit)
      case .equality: features.insert(.equality)
      case .frictionloss: features.insert(.frictionLoss)
      case .tendon: features.insert(.tendon)
      case .actuation: features.insert(.actuation)
      case .passive: features.insert(.passive)
      case .unsupported: features.insert(.unsupported)
      }
    }
  }
}

extension CommandFailure {
  init(_ error: SimulationError) {
    switch error {
    case .diverged, .overflow: self.init(.computationFailed, error.description)
    case .unsupported, .wrongCount, .notFinite, .invalidRequest: self.init(.invalidInput, error.description)
    }
  }
}

/// Runs work that may throw errors of the engine, and turns them into failures with their exit codes.
func reportingFailures<R>(_ work: () throws -> R) throws(CommandFailure) -> R {
  do {
    return try work()
  } catch let failure as CommandFailure {
    throw failure
  } catch let error as SimulationError {
    throw CommandFailure(error)
  } catch {
    throw CommandFailure(.computationFailed, "\(error)")
  }
}
