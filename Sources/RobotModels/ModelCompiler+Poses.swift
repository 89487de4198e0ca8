import Lanes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

extension ModelSpecification.Pose {
  /// The pose `child`, given in the frame `parent`, in the frame that `parent` is given in.
  static func * (parent: Self, child: Self) -> Self {
    Self(
      position: parent.position + parent.orientation.matrix * child.position,
      orientation: parent.orientation * child.orientation)
  }
  /// The pose of the outer frame in this one.
  var inverse: Self {
    Self(
      position: -orientation.matrix.transposedTimes(position), orientation: orientation.conjugate)
  }
}

extension ModelCompiler {
  typealias Pose = ModelSpecification.Pose

  /// - Throws: for numbers that are not finite and for the zero quaternion.
  func normalized(_ pose: Pose, _ element: String, _ location: ModelError.Location) throws -> Pose {
    try requireFinite(pose.position.array + pose.orientation.array, "the pose of \(element)", location)
    guard pose.orientation.normSquared > 1e-14 else {
      throw invalid(
        location, "the orientation of \(element) is the zero quaternion; \"1 0 0 0\" does not turn")
    }
    return Pose(position: pose.position, orientation: pose.orientation.normalized)
  }

  /// The frame whose z axis runs from the second end point to the first, about their middle, and half their
  /// distance.
  func segmentPose(
    _ segment: [Double], _ pose: Pose, _ element: String, _ location: ModelError.Location
  ) throws -> (pose: Pose, halfLength: Double) {
    try requireFinite(segment, "fromto of \(element)", location)
    guard pose.position == .zero else {
      throw invalid(location, "\(element) has both pos and fromto; give one of them")
    }
    let (start, end) = (
      Vector3(segment[0], segment[1], segment[2]), Vector3(segment[3], segment[4], segment[5])
    )
    let length = (start - end).norm
    guard length * length >= 1e-14 else {
      throw invalid(location, "the points of fromto of \(element) coincide; they have to be apart")
    }
    let direction = (start - end) / length
    // Minimal rotation from z to the direction; about x where they are opposite.
    var axis = Vector3(0, 0, 1).cross(direction)
    var sine = axis.norm
    if sine * sine < 1e-14 { sine = 0 }
    axis = sine == 0 ? Vector3(1, 0, 0) : axis / sine
    let angle = atan2(sine, direction.z)
    return (
      Pose(
        position: (start + end) * 0.5, orientation: Quaternion(cos(angle / 2), axis * sin(angle / 2))),
      length / 2
    )
  }
}
