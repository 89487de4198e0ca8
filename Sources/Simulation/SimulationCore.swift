import Autodiff
import RigidBody
import RobotModels
import Synchronization

/// What all operations of one ``Simulation`` share.
final class SimulationCore: Sendable {
  let model: Model
  let ignored: IgnoredFeatures
  let coordinates: PositionCoordinates
  /// Numbers of each tensor of ``ModelParameters``.
  let parameterTypes: [TensorType]
  private let double: Simulator<Double>
  private let single = Mutex<Simulator<Float>?>(nil)
  /// Simulators for other parameters, the last ones used.
  private let variants = Mutex<[Variant]>([])
  private static let variantLimit = 16

  private struct Variant: Sendable {
    var parameters: [Double]
    var simulator: any Sendable & AnyObject
  }

  init(_ model: Model, ignoring ignored: IgnoredFeatures) throws(SimulationError) {
    self.model = model
    self.ignored = ignored
    coordinates = PositionCoordinates(model)
    parameterTypes = ModelParameters(model).leaves.map(\.type)
    double = try Simulator(model, ignoring: ignored)
  }

  /// The simulator for a precision and parameters (nil: the model's own).
  func simulator<Scalar: SimulationScalar>(
    _ type: Scalar.Type, _ parameters: [Double]?
  ) throws(SimulationError) -> Simulator<Scalar> {
    guard let parameters else {
      if let own = double as? Simulator<Scalar> { return own }
      if let known = single.withLock({ $0 }) as? Simulator<Scalar> { return known }
      let made = try Simulator<Scalar>(model, ignoring: ignored)
      single.withLock { $0 = made as? Simulator<Float> }
      return made
    }
    let known = variants.withLock { variants in
      variants.lazy.filter { $0.parameters == parameters }.compactMap { $0.simulator as? Simulator<Scalar> }
        .first
    }
    if let known { return known }
    let made = try Simulator<Scalar>(model.replacingParameters(parameters), ignoring: ignored)
    variants.withLock { variants in
      if variants.count >= Self.variantLimit { variants.removeFirst() }
      variants.append(Variant(parameters: parameters, simulator: made))
    }
    return made
  }
}
