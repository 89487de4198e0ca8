import Lanes

/// An element under construction: what MuJoCo's defaults, then default classes, then the element's own
/// attributes say.
struct MJCFPrototype<Value: Sendable>: Sendable {
  var value: Value
  /// The orientation that `axisangle`, `xyaxes`, `zaxis` or `euler` gives; as in MuJoCo it wins over `quat`,
  /// also over an element's own where a default class gives it.
  var orientation: Quaternion<Double>? = nil
  /// Names of assets it refers to, by attribute.
  var assets: [String: String] = [:]
  /// What it asks for that is not simulated, by attribute; an element's plain value removes its class's entry.
  var unsupported: [String: UnsupportedElement.Category] = [:]
  /// Phrases for those entries.
  var phrases: [String: String] = [:]

  init(_ value: Value) { self.value = value }

  mutating func setUnsupported(
    _ attribute: String, _ category: UnsupportedElement.Category?, _ phrase: String
  ) {
    unsupported[attribute] = category
    phrases[attribute] = phrase
  }
}

/// The elements that a default class sets up.
struct MJCFDefaultClass: Sendable {
  var joint: MJCFPrototype<ModelSpecification.Joint>
  var geom: MJCFPrototype<ModelSpecification.Geom>
  var site: MJCFPrototype<ModelSpecification.Site>
  var pair: MJCFPrototype<ModelSpecification.ContactPair>
  var equality: MJCFPrototype<ModelSpecification.Equality>
  var tendon: MJCFPrototype<ModelSpecification.Tendon>
  var actuator: MJCFPrototype<ModelSpecification.Actuator>
  var mesh: MJCFPrototype<MeshSettings>

  init(location: ModelError.Location) {
    joint = MJCFPrototype(.init(location: location))
    geom = MJCFPrototype(.init(location: location))
    site = MJCFPrototype(.init(location: location))
    pair = MJCFPrototype(.init(location: location))
    equality = MJCFPrototype(.init(location: location))
    tendon = MJCFPrototype(.init(location: location))
    actuator = MJCFPrototype(.init(location: location))
    mesh = MJCFPrototype(MeshSettings())
  }
}

extension XMLTreeElement {
  /// Overwrites the first numbers of `target` by those of the attribute; the rest stay as they were.
  func overwrite(_ target: inout [Double], _ name: String) throws {
    guard let values = try doubles(name, count: 1...target.count) else { return }
    target.replaceSubrange(0..<values.count, with: values)
  }

  func overwrite(_ target: inout Vector3<Double>, _ name: String) throws {
    guard let values = try doubles(name, count: 1...3) else { return }
    for (index, value) in values.enumerated() { target[index] = value }
  }

  /// Overwrites `target` where the attribute is there.
  func overwrite<Value>(_ target: inout Value, with value: Value?) {
    if let value { target = value }
  }
  /// The same for a target that may be nil, which an attribute that is not there must leave alone.
  func overwrite<Value>(_ target: inout Value?, with value: Value?) {
    if let value { target = value }
  }

  /// The first number of an attribute that may hold a polynomial's coefficients, and whether it does hold more
  /// than a constant.
  func coefficient(_ name: String) throws -> (constant: Double, isPolynomial: Bool)? {
    guard let values = try doubles(name, count: 1...3) else { return nil }
    return (values[0], values.dropFirst().contains { $0 != 0 })
  }

  func limited(_ name: String) throws -> ModelSpecification.Limited? {
    try keyword(name, ["true": .yes, "false": .no, "auto": .automatic])
  }

  /// A lower and an upper bound as the file gives them.
  func range(_ name: String) throws -> [Double]? { try doubles(name, count: 2) }

  /// A number that may not be negative.
  func nonNegative(_ name: String) throws -> Double? {
    guard let value = try double(name) else { return nil }
    guard value >= 0 else {
      throw error(at: name, "attribute '\(name)' of \(label) is \(value); expected a number of at least 0")
    }
    return value
  }
}
