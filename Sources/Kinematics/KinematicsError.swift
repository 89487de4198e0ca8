/// Why kinematics could not be computed.
public enum KinematicsError: Error, Equatable, Sendable, CustomStringConvertible {
  /// No body or site has the name; `near` are names like it, or, where none is, the names that exist.
  case unknownFrame(name: String, near: [String])
  /// An array does not have the length that the model and the number of configurations need.
  case wrongCount(name: String, expected: String, actual: Int)
  /// An input is infinite or not a number.
  case notFinite(name: String, index: Int)
  /// A result is too large for the scalar type, although everything given is finite.
  case overflow(name: String)
  /// The quaternion of a free or ball joint has length zero, so that it stands for no rotation.
  case zeroQuaternion(joint: String, configuration: Int)
  /// A request that makes no sense for this model; the message says why.
  case invalidRequest(String)

  /// The error as a sentence.
  public var description: String {
    switch self {
    case .unknownFrame(let name, let near):
      let list = near.map { "'\($0)'" }.joined(separator: ", ")
      return "there is no body or site '\(name)'"
        + (near.isEmpty ? "; the model has no named bodies or sites" : "; there are \(list)")
    case .wrongCount(let name, let expected, let actual):
      return "\(name) has \(actual) numbers; \(expected) are needed"
    case .notFinite(let name, let index):
      return "\(name)[\(index)] is not finite"
    case .overflow(let name):
      return "\(name) is too large for the precision; scale the input down, or use Double"
    case .zeroQuaternion(let joint, let configuration):
      return
        "the quaternion of joint '\(joint)' is zero in configuration \(configuration); give it unit length"
    case .invalidRequest(let message):
      return message
    }
  }
}
