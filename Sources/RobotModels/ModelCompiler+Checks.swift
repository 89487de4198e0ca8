import Lanes

extension ModelCompiler {
  func invalid(_ location: ModelError.Location, _ message: String) -> ModelError {
    ModelError(.invalid, at: location, message)
  }

  /// How messages name an element: `joint 'knee'`, or `joint` where it has no name.
  static func label(_ kind: String, _ name: String) -> String { name.isEmpty ? kind : "\(kind) '\(name)'" }

  func requireFinite(_ numbers: [Double], _ what: String, _ location: ModelError.Location) throws {
    guard numbers.allSatisfy(\.isFinite) else {
      throw invalid(location, "\(what) holds a number that is not finite; every number has to be finite")
    }
  }

  /// Resolves `limited` as MuJoCo does.
  ///
  /// - Throws: where the range is upside down, or is given but neither `limited` nor `autolimits` says that it
  ///   counts.
  func isLimited(
    _ limited: ModelSpecification.Limited, _ range: [Double], attribute: String, of element: String,
    _ location: ModelError.Location
  ) throws -> Bool {
    try requireFinite(range, "the \(attribute)range of \(element)", location)
    let hasRange = range[0] != 0 || range[1] != 0
    if limited == .automatic, hasRange, !specification.compiler.autoLimits {
      throw invalid(
        location,
        "\(element) has \(attribute)range but not \(attribute)limited; give \(attribute)limited, or set "
          + "autolimits=\"true\"")
    }
    let upsideDown = limited == .yes ? range[0] >= range[1] : limited == .automatic && range[0] > range[1]
    if upsideDown {
      throw invalid(
        location,
        "the \(attribute)range of \(element) is \(range[0]) \(range[1]); the first number has to be smaller "
          + "than the second")
    }
    return limited == .yes || (limited == .automatic && range[0] < range[1])
  }

  /// Looks a name up.
  ///
  /// - Throws: where nothing of that name exists; the message offers names that do.
  func find(
    _ kind: String, _ name: String, in indices: [String: Int], for element: String,
    _ location: ModelError.Location
  ) throws -> Int {
    if !name.isEmpty, let index = indices[name] { return index }
    let candidates = indices.keys.sorted().prefix(6).map { "'\($0)'" }.joined(separator: ", ")
    let offer =
      indices.isEmpty
      ? "the model has no named \(kind)"
      : "the model has \(candidates)\(indices.count > 6 ? ", … (\(indices.count) in all)" : "")"
    throw invalid(location, "\(element) names the \(kind) '\(name)', which does not exist; \(offer)")
  }

  func checkContactDimension(_ dimension: Int, _ element: String, _ location: ModelError.Location) throws {
    guard [1, 3, 4, 6].contains(dimension) else {
      throw invalid(location, "condim of \(element) is \(dimension); it is 1, 3, 4 or 6")
    }
  }
}
