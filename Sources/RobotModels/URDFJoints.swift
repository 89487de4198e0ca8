import Lanes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

extension URDFReader {
  private enum Kind { case hinge, continuous, slide, fixed, floating, planar, ball }

  /// Places a body and gives it the joints of the URDF joint above it.
  mutating func readJoint(
    _ index: Int, mimic: ModelSpecification.Mimic?, into body: inout ModelSpecification.Body
  ) throws {
    let element = tree.joints[index].element
    try checkChildren(
      of: element,
      known: [
        "origin", "parent", "child", "axis", "calibration", "dynamics", "limit", "mimic", "safety_controller",
      ])
    skip(element.children(named: "calibration") + element.children(named: "safety_controller"))
    _ = try element.requiredString("type")
    let kind = try element.keyword(
      "type",
      [
        "revolute": Kind.hinge, "continuous": .continuous, "prismatic": .slide, "fixed": .fixed,
        "floating": .floating, "planar": .planar, "spherical": .ball,
      ])
    body.pose = try element.urdfOrigin()
    let axis = kind == .fixed ? Vector3(1, 0, 0) : try readAxis(element)
    body.joints = joints(
      of: kind ?? .fixed, named: tree.joints[index].name, axis: axis, at: element, in: body)
    try readDynamics(element, into: &body)
    if let limit = try element.onlyChild("limit") {
      try readLimit(limit, of: element, kind: kind ?? .fixed, into: &body)
    } else if kind == .hinge || kind == .slide {
      try warn(element, "\(element.label) has no <limit>, so it is not limited")
    }
    if let mimic { body.joints[0].mimic = mimic }
  }

  private func joints(
    of kind: Kind, named name: String, axis: Vector3<Double>, at element: XMLTreeElement,
    in body: ModelSpecification.Body
  ) -> [ModelSpecification.Joint] {
    func joint(
      _ type: JointType, _ suffix: String = "", _ axis: Vector3<Double> = Vector3(0, 0, 1)
    ) -> ModelSpecification.Joint {
      var joint = ModelSpecification.Joint(location: element.location)
      joint.name = name + suffix
      joint.type = type
      joint.axis = axis
      joint.limited = .no
      joint.actuatorForceLimited = .no
      return joint
    }
    switch kind {
    case .fixed: return []
    case .hinge, .continuous: return [joint(.hinge, "", axis)]
    case .slide: return [joint(.slide, "", axis)]
    case .ball: return [joint(.ball)]
    case .planar:
      let (first, second) = Self.planeAxes(normal: axis)
      return [joint(.slide, "_TX", first), joint(.slide, "_TY", second), joint(.hinge, "_RZ", axis)]
    case .floating:
      if body.parent == 0 { return [joint(.free)] }
      return [
        joint(.slide, "_TX", Vector3(1, 0, 0)), joint(.slide, "_TY", Vector3(0, 1, 0)),
        joint(.slide, "_TZ", Vector3(0, 0, 1)), joint(.ball, "_R"),
      ]
    }
  }

  /// The x and y axes turned by the smallest rotation that takes z to the normal; for the opposite of z, by half a
  /// turn about x, as MuJoCo has it.
  static func planeAxes(normal: Vector3<Double>) -> (Vector3<Double>, Vector3<Double>) {
    let sine = (normal.x * normal.x + normal.y * normal.y).squareRoot()
    let axis = sine < 1e-10 ? Vector3(1, 0, 0) : Vector3(-normal.y / sine, normal.x / sine, 0)
    let half = atan2(sine, normal.z) / 2
    let turn = Quaternion(cos(half), axis * sin(half))
    return (turn.rotate(Vector3(1, 0, 0)), turn.rotate(Vector3(0, 1, 0)))
  }

  private func readAxis(_ element: XMLTreeElement) throws -> Vector3<Double> {
    guard let child = try element.onlyChild("axis"), let axis = try child.vector3("xyz") else {
      return Vector3(1, 0, 0)
    }
    // The largest component first, so that neither squares nor their sum leave the range.
    let largest = max(abs(axis.x), abs(axis.y), abs(axis.z))
    guard largest > 0 else {
      throw child.error(
        at: "xyz", "the axis of \(element.label) is 0 0 0, which has no direction; expected such as 0 0 1")
    }
    let scaled = axis / largest
    return scaled / scaled.norm
  }

  private func readDynamics(_ element: XMLTreeElement, into body: inout ModelSpecification.Body) throws {
    guard let dynamics = try element.onlyChild("dynamics") else { return }
    let damping = try dynamics.nonNegative("damping") ?? 0
    let friction = try dynamics.nonNegative("friction") ?? 0
    for index in body.joints.indices {
      body.joints[index].damping = damping
      body.joints[index].frictionLoss = friction
    }
  }

  private mutating func readLimit(
    _ limit: XMLTreeElement, of element: XMLTreeElement, kind: Kind, into body: inout ModelSpecification.Body
  ) throws {
    let lower = try limit.double("lower")
    let upper = try limit.double("upper")
    let effort = try limit.double("effort")
    if try limit.double("velocity") != nil { skipAttribute("velocity", of: limit) }
    switch kind {
    case .fixed: return
    case .floating, .planar, .ball:
      try warn(limit, "the <limit> of \(element.label) is not used: its joint has several directions")
      return
    case .hinge, .slide:
      let (lower, upper) = (lower ?? 0, upper ?? 0)
      guard lower <= upper else {
        throw limit.error(
          at: "lower", "the range of \(element.label) is upside down: lower is \(lower), upper \(upper)")
      }
      if lower < upper {
        body.joints[0].limited = .yes
        body.joints[0].range = [lower, upper]
      } else {
        try warn(limit, "the range of \(element.label) is empty (\(lower) to \(upper)), so it is not limited")
      }
    case .continuous: break
    }
    if let effort, effort != 0 {
      if effort < 0 { try warn(limit, "the effort of \(element.label) is negative; its size is used") }
      body.joints[0].actuatorForceLimited = .yes
      body.joints[0].actuatorForceRange = [-abs(effort), abs(effort)]
    }
  }
}
