/// Why an algorithm of ``RigidBodyAlgorithms`` gives no result.
public enum RigidBodyError: Error, Equatable, Sendable, CustomStringConvertible {
  /// An element of the model adds to its inertia in a way that the algorithms do not know; the text says which.
  case unsupported(String)
  /// An array does not have the length that the model and the number of configurations need.
  case wrongCount(name: String, expected: String, actual: Int)
  /// An input is infinite or not a number.
  case notFinite(name: String, index: Int)
  /// The quaternion of a free or ball joint has length zero, so that it stands for no rotation.
  case zeroQuaternion(joint: String, configuration: Int)
  /// The mass matrix is not positive definite to working precision: a force at this joint finds no inertia.
  case singularMassMatrix(joint: String, body: String, configuration: Int)
  /// Numbers so large that the result is infinite or not a number.
  case overflow(result: String, configuration: Int)

  /// The error as a sentence.
  public var description: String {
    switch self {
    case .unsupported(let element):
      return "\(element) is not supported; remove it from the model to leave it out"
    case .wrongCount(let name, let expected, let actual):
      return "\(name) has \(actual) numbers; \(expected) are needed"
    case .notFinite(let name, let index):
      return "\(name)[\(index)] is not finite"
    case .zeroQuaternion(let joint, let configuration):
      return
        "the quaternion of joint '\(joint)' is zero in configuration \(configuration); give it unit length"
    case .singularMassMatrix(let joint, let body, let configuration):
      return
        "the mass matrix is singular in configuration \(configuration): joint '\(joint)' of body '\(body)' moves "
        + "no inertia of its own; give the body mass and inertia, or the joint armature"
    case .overflow(let result, let configuration):
      return
        "\(result) of configuration \(configuration) are not finite: the inputs are too large for the precision"
    }
  }
}
