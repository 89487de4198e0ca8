/// How poses, and the cotangents of poses, are laid out in arrays.
public enum PoseFormat: Sendable, Hashable, CaseIterable {
  /// Seven numbers: `x y z`, then the quaternion `w x y z`, with the sign that MuJoCo's composition gives.
  case positionQuaternion
  /// Twelve numbers: the rotation matrix with the position as a fourth column, row by row.
  case matrix3x4
  /// Sixteen numbers: the homogeneous transformation, row by row. The last row's cotangents are not read.
  case matrix4x4

  /// Numbers per pose.
  public var width: Int {
    switch self {
    case .positionQuaternion: 7
    case .matrix3x4: 12
    case .matrix4x4: 16
    }
  }
}
