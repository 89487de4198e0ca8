import Costate

/// Controls for a rollout, from a file of shape [steps, nu] or [worlds, steps, nu].
struct Controls: Equatable, Sendable {
  /// Row-major [steps][nu], or [worlds][steps][nu].
  var elements: [Double]
  var worlds: Int?
  var steps: Int
  var count: Int

  /// - Throws: `CommandFailure` (invalid input) that names the expected shape.
  init(path: String, steps: Int, worlds: Int, for model: Model) throws(CommandFailure) {
    try self.init(NumericArray(path: path), path: path, steps: steps, worlds: worlds, for: model)
  }

  init(
    _ array: NumericArray, path: String, steps: Int, worlds: Int, for model: Model
  ) throws(CommandFailure) {
    let count = model.controlCount
    switch array.shape {
    case [steps, count]: self.worlds = nil
    case [worlds, steps, count]: self.worlds = worlds
    default:
      throw CommandFailure(
        .invalidInput,
        "\(path): controls have shape \(NumericArray.describe(array.shape)); "
          + "expected \(NumericArray.describe([steps, count])) (steps, nu) for every world alike, "
          + "or \(NumericArray.describe([worlds, steps, count])) (worlds, steps, nu)")
    }
    elements = array.elements
    self.steps = steps
    self.count = count
  }

  /// The same controls in every step.
  init(constant control: [Double], steps: Int) {
    elements = (0..<steps).flatMap { _ in control }
    worlds = nil
    self.steps = steps
    count = control.count
  }

  /// The controls of one world, [steps][nu].
  func world(_ world: Int) -> ArraySlice<Double> {
    let size = steps * count
    let start = worlds == nil ? 0 : world * size
    return elements[start..<start + size]
  }
}
