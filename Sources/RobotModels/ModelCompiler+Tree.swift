import Lanes

extension ModelCompiler {
  /// Lays bodies, joints, degrees of freedom, geoms and sites out flat and sets the default configuration.
  mutating func assembleTree() throws {
    // Last degree of freedom on the way from the root to each body.
    var lastFreedom = [Int](repeating: -1, count: bodies.count)
    var mocapCount = 0
    for (index, source) in bodies.enumerated() {
      var body = Body()
      body.name = source.name
      body.parent = source.parent
      body.root = index == 0 || source.parent == 0 ? index : model.bodies[source.parent].root
      body.weldedTo =
        index == 0 || !source.isStatic ? index : model.bodies[source.parent].weldedTo
      body.position = source.pose.position
      body.orientation = source.pose.orientation
      body.inertialPosition = source.inertialPose.position
      body.inertialOrientation = source.inertialPose.orientation
      body.mass = source.mass
      body.inertia = source.inertia
      body.gravityCompensation = source.gravityCompensation
      if source.isMocap {
        body.mocapIndex = mocapCount
        mocapCount += 1
      }
      if index > 0 { lastFreedom[index] = lastFreedom[source.parent] }
      let firstJoint = model.joints.count
      let firstFreedom = model.degreesOfFreedom.count
      for (joint, jointSource) in zip(source.joints, source.jointSources) {
        appendJoint(joint, jointSource, body: index, pose: source.pose, lastFreedom: &lastFreedom[index])
      }
      body.joints = firstJoint..<model.joints.count
      body.degreesOfFreedom = firstFreedom..<model.degreesOfFreedom.count
      let firstGeom = model.geoms.count
      for var geom in source.geoms {
        geom.body = index
        if !geom.name.isEmpty { geomIndices[geom.name] = model.geoms.count }
        model.geoms.append(geom)
      }
      body.geoms = firstGeom..<model.geoms.count
      for var site in source.sites {
        site.body = index
        if !site.name.isEmpty { siteIndices[site.name] = model.sites.count }
        model.sites.append(site)
      }
      if !body.name.isEmpty { bodyIndices[body.name] = index }
      model.bodies.append(body)
    }
    model.positionCount = model.defaultPosition.count
    model.velocityCount = model.degreesOfFreedom.count
    bodies = []
  }

  private mutating func appendJoint(
    _ source: Joint, _ specified: ModelSpecification.Joint, body: Int, pose: Pose, lastFreedom: inout Int
  ) {
    var joint = source
    joint.body = body
    joint.positionAddress = model.defaultPosition.count
    joint.velocityAddress = model.degreesOfFreedom.count
    let index = model.joints.count
    if !joint.name.isEmpty { jointIndices[joint.name] = index }
    model.joints.append(joint)
    jointSources.append(specified)
    // A mimic joint takes the addresses of its source once all joints are known.
    guard specified.mimic == nil else { return }
    switch joint.type {
    case .free:
      let position = pose.position.array + pose.orientation.array
      model.defaultPosition += position
      model.springPosition += position
    case .ball:
      model.defaultPosition += Quaternion<Double>.identity.array
      model.springPosition += Quaternion<Double>.identity.array
    case .slide, .hinge:
      model.defaultPosition.append(specified.reference)
      model.springPosition.append(specified.springReference)
    }
    for _ in 0..<joint.type.velocityCount {
      var freedom = DegreeOfFreedom()
      freedom.body = body
      freedom.joint = index
      freedom.parent = lastFreedom
      freedom.armature = specified.armature
      freedom.damping = specified.damping
      freedom.frictionLoss = specified.frictionLoss
      freedom.frictionSolverReference = specified.frictionSolverReference
      freedom.frictionSolverImpedance = specified.frictionSolverImpedance
      lastFreedom = model.degreesOfFreedom.count
      model.degreesOfFreedom.append(freedom)
    }
  }

  /// Follows chains of mimic joints to the independent joint that drives them. Armature, damping and friction
  /// of a mimic joint count at its source, through the multiplier.
  ///
  /// - Throws: for loops, joints that are not hinges or slides, and more than ``largestTieCount`` mimic joints.
  mutating func resolveMimics() throws {
    let mimics = jointSources.compactMap(\.mimic)
    guard mimics.count <= Self.largestTieCount else {
      throw invalid(
        mimics[Self.largestTieCount].location,
        "\(mimics.count) joints mimic others; at most \(Self.largestTieCount) can")
    }
    for (index, source) in jointSources.enumerated() {
      guard let relation = source.mimic else { continue }
      let element = Self.label("joint", source.name)
      guard source.type == .hinge || source.type == .slide else {
        throw invalid(relation.location, "\(element) mimics another joint but is not a hinge or slide joint")
      }
      let driver = try mimicSource(of: index, element)
      let type = model.joints[driver.source].type
      guard type == .hinge || type == .slide else {
        throw invalid(
          relation.location,
          "\(element) mimics joint '\(model.joints[driver.source].name)', which is not a hinge or slide joint"
        )
      }
      model.joints[index].mimic = driver
      model.joints[index].positionAddress = model.joints[driver.source].positionAddress
      let address = model.joints[driver.source].velocityAddress
      model.joints[index].velocityAddress = address
      let multiplier = driver.multiplier
      model.degreesOfFreedom[address].armature += multiplier * multiplier * source.armature
      model.degreesOfFreedom[address].damping += multiplier * multiplier * source.damping
      model.degreesOfFreedom[address].frictionLoss += abs(multiplier) * source.frictionLoss
    }
  }

  private func mimicSource(of index: Int, _ element: String) throws -> Mimic {
    var result = Mimic(source: index, multiplier: 1, offset: 0)
    var steps = 0
    while let next = jointSources[result.source].mimic {
      try requireFinite([next.multiplier, next.offset], "the mimic relation of \(element)", next.location)
      result.offset += result.multiplier * next.offset
      result.multiplier *= next.multiplier
      result.source = try find("joint", next.source, in: jointIndices, for: element, next.location)
      steps += 1
      guard steps <= jointSources.count, result.source != index else {
        throw invalid(next.location, "\(element) mimics itself, through \(steps) joints; break the loop")
      }
    }
    return result
  }
}
