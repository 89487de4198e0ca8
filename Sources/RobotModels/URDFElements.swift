import Lanes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Reading of the parts that several URDF elements share.
extension XMLTreeElement {
  /// The child of that name, or nil.
  ///
  /// - Throws: ``ModelError`` where there are several.
  func onlyChild(_ name: String) throws -> XMLTreeElement? {
    let found = children(named: name)
    guard found.count <= 1 else {
      throw found[1].error("a second <\(name)> inside \(label); at most one is allowed")
    }
    return found.first
  }

  /// The child of that name.
  ///
  /// - Throws: ``ModelError`` where there is none or are several.
  func requiredChild(_ name: String) throws -> XMLTreeElement {
    guard let child = try onlyChild(name) else { throw error("\(label) needs a <\(name)> inside") }
    return child
  }

  /// One number.
  func requiredDouble(_ name: String) throws -> Double {
    _ = try requiredString(name)
    return try double(name) ?? 0
  }

  /// The `<origin>` inside: a position and fixed-axis roll, pitch and yaw; the identity where absent.
  func urdfOrigin() throws -> ModelSpecification.Pose {
    var pose = ModelSpecification.Pose()
    guard let origin = try onlyChild("origin") else { return pose }
    if let position = try origin.vector3("xyz") { pose.position = position }
    if let angles = try origin.vector3("rpy") {
      func half(_ angle: Double, _ axis: Vector3<Double>) -> Quaternion<Double> {
        Quaternion(cos(angle / 2), axis * sin(angle / 2))
      }
      pose.orientation =
        half(angles.z, Vector3(0, 0, 1)) * half(angles.y, Vector3(0, 1, 0)) * half(angles.x, Vector3(1, 0, 0))
    }
    return pose
  }
}
