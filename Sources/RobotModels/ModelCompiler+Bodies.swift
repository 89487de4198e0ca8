import Lanes

/// A body between the specification and the model: checked, with its inertia, not yet at its final index.
struct CompiledBody {
  var name: String
  var location: ModelError.Location
  var parent: Int
  /// Indices of the children, in order.
  var children: [Int] = []
  var pose: ModelSpecification.Pose
  var mass = 0.0
  /// Principal moments, and the frame they belong to.
  var inertia: Vector3<Double> = .zero
  var inertialPose = ModelSpecification.Pose()
  var gravityCompensation: Double
  var isMocap: Bool
  var joints: [Joint] = []
  var jointSources: [ModelSpecification.Joint]
  var geoms: [Geom] = []
  var sites: [Site] = []

  var isStatic: Bool { joints.isEmpty && !isMocap }
}

extension ModelCompiler {
  /// Brings the bodies into depth-first order and compiles each with its geoms, joints and sites.
  mutating func compileBodies() throws {
    let sources = specification.bodies
    guard let world = sources.first, world.joints.isEmpty else {
      throw invalid(specification.location, "the world cannot have joints; put the joint into a body")
    }
    guard sources.count <= Self.largestBodyCount else {
      throw invalid(
        specification.location, "\(sources.count) bodies; at most \(Self.largestBodyCount) can be compiled")
    }
    var children = [[Int]](repeating: [], count: sources.count)
    for (index, body) in sources.enumerated().dropFirst() { children[body.parent].append(index) }
    var order: [Int] = []
    var stack = [0]
    while let index = stack.popLast() {
      order.append(index)
      stack.append(contentsOf: children[index].reversed())
    }
    var compiledIndex = [Int](repeating: 0, count: sources.count)
    for (index, source) in order.enumerated() { compiledIndex[source] = index }
    // Whether the body moves, or is carried by a mocap body: planes may not be on the former.
    var moves = [Bool](repeating: false, count: sources.count)
    bodies.reserveCapacity(sources.count)
    for (index, source) in order.enumerated() {
      let body = sources[source]
      let parent = compiledIndex[body.parent]
      moves[index] = !body.joints.isEmpty || (index > 0 && !body.isMocap && moves[parent])
      var compiled = try compileBody(
        body, isWorld: index == 0, moves: moves[index], childCount: children[source].count)
      compiled.parent = parent
      if index > 0 { bodies[parent].children.append(index) }
      bodies.append(compiled)
    }
  }

  private mutating func compileBody(
    _ source: ModelSpecification.Body, isWorld: Bool, moves: Bool, childCount: Int
  ) throws -> CompiledBody {
    let element = Self.label("body", source.name)
    let pose = try normalized(source.pose, element, source.location)
    let frame = try normalized(source.frame, element, source.location)
    try requireFinite([source.gravityCompensation], element, source.location)
    var body = CompiledBody(
      name: source.name, location: source.location, parent: 0, pose: frame * pose,
      gravityCompensation: source.gravityCompensation, isMocap: source.isMocap, jointSources: source.joints)
    var shapes: [CompiledGeom] = []
    for geom in source.geoms {
      let infersMass =
        !isWorld && (source.inertial == nil || specification.compiler.inertiaFromGeom == .yes)
        && specification.compiler.inertiaGroupRange.contains(geom.group)
      shapes.append(try compileGeom(geom, infersMass: infersMass, moves: moves))
    }
    if !isWorld { try setInertia(of: &body, source, shapes, ownPose: pose) }
    body.geoms = shapes.map(\.geom)

    let inverse = alignFreeJoint(&body, source, childCount: childCount)
    for joint in source.joints { body.joints.append(try compileJoint(joint)) }
    try checkJoints(of: body, isTopLevel: source.parent == 0)
    for site in source.sites {
      var compiled = try compileSite(site)
      if let inverse {
        let moved = inverse * Pose(position: compiled.position, orientation: compiled.orientation)
        (compiled.position, compiled.orientation) = (moved.position, moved.orientation)
      }
      body.sites.append(compiled)
    }
    return body
  }

  /// Moves the frame of a free body without children to its inertial frame where that is asked for.
  ///
  /// - Returns: the old body frame in the new one, or nil.
  private func alignFreeJoint(
    _ body: inout CompiledBody, _ source: ModelSpecification.Body, childCount: Int
  ) -> Pose? {
    guard source.joints.count == 1, let joint = source.joints.first, joint.type == .free, childCount == 0,
      joint.alignFree ?? specification.compiler.alignFree
    else { return nil }
    let inverse = body.inertialPose.inverse
    body.pose = body.pose * body.inertialPose
    body.inertialPose = Pose()
    for index in body.geoms.indices {
      let moved =
        inverse * Pose(position: body.geoms[index].position, orientation: body.geoms[index].orientation)
      (body.geoms[index].position, body.geoms[index].orientation) = (moved.position, moved.orientation)
    }
    return inverse
  }

  private func checkJoints(of body: CompiledBody, isTopLevel: Bool) throws {
    let element = Self.label("body", body.name)
    var ballFound = false
    for (joint, source) in zip(body.joints, body.jointSources) {
      if ballFound, joint.type == .ball || joint.type == .hinge {
        throw invalid(
          source.location, "\(element) has a rotation after a ball joint; put the ball joint last")
      }
      if joint.type == .ball { ballFound = true }
      guard joint.type == .free else { continue }
      guard body.joints.count == 1 else {
        throw invalid(source.location, "the free joint of \(element) has to be the body's only joint")
      }
      guard isTopLevel else {
        throw invalid(
          source.location,
          "\(element) has a free joint but is not a child of the world; move it to the top level")
      }
    }
    let freedom = body.joints.reduce(0) { $0 + $1.type.velocityCount }
    guard freedom <= 6 else {
      throw invalid(
        body.location, "the joints of \(element) have \(freedom) degrees of freedom; a body has at most 6")
    }
    if body.isMocap, freedom > 0 || !isTopLevel {
      throw invalid(
        body.location, "\(element) is a mocap body; it has to be a child of the world and without joints")
    }
  }

  private func compileJoint(_ source: ModelSpecification.Joint) throws -> Joint {
    let element = Self.label("joint", source.name)
    try requireFinite(
      source.position.array + source.axis.array + source.springDamper
        + source.limitSolverReference + source.limitSolverImpedance + source.frictionSolverReference
        + source.frictionSolverImpedance + [
          source.reference, source.springReference, source.stiffness, source.damping, source.armature,
          source.frictionLoss, source.margin,
        ], element, source.location)
    guard source.armature >= 0, source.frictionLoss >= 0 else {
      throw invalid(source.location, "armature and frictionloss of \(element) cannot be negative")
    }
    var joint = Joint()
    joint.name = source.name
    joint.type = source.type
    joint.stiffness = source.stiffness
    joint.range = source.range
    joint.margin = source.margin
    joint.limitSolverReference = source.limitSolverReference
    joint.limitSolverImpedance = source.limitSolverImpedance
    joint.actuatorForceRange = source.actuatorForceRange
    joint.actuatorGravityCompensation = source.actuatorGravityCompensation
    let spring = source.springDamper
    if spring != [0, 0], spring[0] <= 0 || spring[1] <= 0 {
      throw invalid(
        source.location, "springdamper of \(element) is \(spring[0]) \(spring[1]); both have to be positive")
    }
    if source.type != .free {
      // A ball joint may be limited to no rotation at all.
      let isLockedBall = source.type == .ball && source.limited == .yes && source.range == [0, 0]
      joint.limited =
        try isLockedBall
        || isLimited(source.limited, source.range, attribute: "", of: element, source.location)
      if joint.limited, source.type == .ball, source.range[0] != 0 {
        throw invalid(
          source.location, "range of \(element) has to start at 0: a ball joint's limit is an angle")
      }
    }
    if source.type == .hinge || source.type == .slide {
      joint.actuatorForceLimited = try isLimited(
        source.actuatorForceLimited, source.actuatorForceRange, attribute: "actuatorfrc", of: element,
        source.location)
      let length = source.axis.norm
      guard length * length >= 1e-14 else {
        throw invalid(
          source.location, "the axis of \(element) has no length; give a direction such as \"0 0 1\"")
      }
      let frame = try normalized(source.frame, element, source.location)
      joint.axis = frame.orientation.rotate(source.axis)
      joint.axis = joint.axis / joint.axis.norm
    }
    if source.type != .free {
      let frame = try normalized(source.frame, element, source.location)
      joint.position = (frame * Pose(position: source.position)).position
    }
    return joint
  }

  private func compileSite(_ source: ModelSpecification.Site) throws -> Site {
    let element = Self.label("site", source.name)
    var site = Site()
    site.name = source.name
    var pose = try normalized(source.pose, element, source.location)
    if let segment = source.segment {
      pose = try segmentPose(segment, source.pose, element, source.location).pose
    }
    pose = try normalized(source.frame, element, source.location) * pose
    site.position = pose.position
    site.orientation = pose.orientation.normalized
    return site
  }
}
