import Costate

/// Configurations of a model, from a file of shape [n, nq].
struct Configurations: Equatable, Sendable {
  /// Row-major [n][nq].
  var elements: [Double]
  var count: Int

  /// The numbers of some configurations.
  func rows<Scalar: LaneScalar>(_ rows: Range<Int>, as scalar: Scalar.Type) -> [Scalar] {
    let width = count == 0 ? 0 : elements.count / count
    return elements[rows.lowerBound * width..<rows.upperBound * width].map { Scalar($0) }
  }

  /// - Throws: `CommandFailure` (invalid input) that names the expected shape.
  init(path: String, for model: Model) throws(CommandFailure) {
    let array = try NumericArray(path: path)
    // An empty list of configurations says nothing about their length.
    guard array.shape == [0] || array.shape.count == 2 && array.shape[1] == model.positionCount else {
      throw CommandFailure(
        .invalidInput,
        "\(path): configurations have shape \(NumericArray.describe(array.shape)); "
          + "expected [n, \(model.positionCount)] (n, nq)")
    }
    elements = array.elements
    count = array.shape[0]
  }
}
