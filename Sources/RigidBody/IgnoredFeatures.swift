public import RobotModels

/// Parts of the physics that a simulation leaves out because its caller says so.
public struct IgnoredFeatures: OptionSet, Sendable, Hashable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let contact = Self(rawValue: 1 << 0)
  public static let limit = Self(rawValue: 1 << 1)
  public static let equality = Self(rawValue: 1 << 2)
  public static let frictionLoss = Self(rawValue: 1 << 3)
  public static let tendon = Self(rawValue: 1 << 4)
  /// All actuator forces, gravity compensation by actuators included; activations stay as they are.
  public static let actuation = Self(rawValue: 1 << 5)
  /// All passive forces: springs, dampers, gravity compensation, fluid.
  public static let passive = Self(rawValue: 1 << 6)
  /// Everything in `Model.unsupported`.
  public static let unsupported = Self(rawValue: 1 << 7)
  /// Contacts, limits, equalities and friction loss.
  public static let constraints: Self = [.contact, .limit, .equality, .frictionLoss]

  /// True if an element of this category may be left out.
  func covers(_ category: UnsupportedElement.Category) -> Bool {
    if contains(.unsupported) { return true }
    switch category {
    case .contact: return contains(.contact)
    case .limit: return contains(.limit)
    case .equality: return contains(.equality)
    case .frictionLoss: return contains(.frictionLoss)
    case .tendon: return contains(.tendon)
    case .actuation: return contains(.actuation)
    case .passive: return contains(.passive)
    case .other: return false
    }
  }
}

/// Why a simulation cannot be made or run.
public enum SimulationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The model needs what is not simulated; the elements that nobody asked to ignore are listed.
  case unsupported(model: String, elements: [UnsupportedElement])
  /// An array has the wrong length.
  case wrongCount(name: String, expected: Int, actual: Int)
  /// An input is infinite or NaN.
  case notFinite(name: String, index: Int)
  /// A result has left the range of the scalar type.
  case overflow(result: String, index: Int)
  /// Worlds that left the range of finite numbers, and the step in which the first one did.
  case diverged(worlds: [Int], step: Int)
  /// The request makes no sense; the text says why and what would.
  case invalidRequest(String)

  public var description: String {
    switch self {
    case .unsupported(let model, let elements):
      let list = elements.map { "  \($0.category.rawValue): \($0.description)" }.joined(separator: "\n")
      return "model '\(model)' needs what is not simulated; say what to ignore, or change the model:\n\(list)"
    case .wrongCount(let name, let expected, let actual):
      return "\(name) has \(actual) values; \(expected) are expected"
    case .notFinite(let name, let index):
      return "\(name)[\(index)] is not finite"
    case .overflow(let result, let index):
      return "\(result)[\(index)] is not finite: the numbers are too large for the precision"
    case .diverged(let worlds, let step):
      let shown = worlds.prefix(8).map(String.init).joined(separator: ", ")
      let more = worlds.count > 8 ? ", …" : ""
      return
        "\(worlds.count) of the worlds diverged (\(shown)\(more)), the first in step \(step); "
        + "a smaller timestep, smaller controls or the implicitfast integrator may help"
    case .invalidRequest(let text): return text
    }
  }
}
