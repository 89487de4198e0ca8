import Lanes

extension ModelCompiler {
  mutating func compileKeyframes() throws {
    for source in specification.keyframes { model.keyframes.append(try compileKeyframe(source)) }
    while model.keyframes.count < specification.minimumKeyframeCount {
      model.keyframes.append(
        try compileKeyframe(ModelSpecification.Keyframe(location: specification.location)))
    }
  }

  private mutating func compileKeyframe(_ source: ModelSpecification.Keyframe) throws -> Keyframe {
    let element = Self.label("keyframe", source.name)
    let mocapCount = model.bodies.count { $0.mocapIndex != nil }
    /// Numbers that are missing at the end take their defaults, as in MuJoCo.
    func complete(_ values: [Double]?, _ defaults: [Double], _ attribute: String) throws -> [Double] {
      guard let values, !values.isEmpty else { return defaults }
      try requireFinite(values, "\(attribute) of \(element)", source.location)
      guard values.count <= defaults.count else {
        throw invalid(
          source.location,
          "\(attribute) of \(element) has \(values.count) numbers; the model has \(defaults.count)")
      }
      if values.count < defaults.count {
        model.warnings.append(
          "\(element): \(attribute) has \(values.count) of \(defaults.count) numbers; the others take their "
            + "defaults")
      }
      return values + defaults[values.count...]
    }
    var keyframe = Keyframe()
    keyframe.name = source.name
    try requireFinite([source.time], "time of \(element)", source.location)
    keyframe.time = source.time
    keyframe.position = try complete(source.position, model.defaultPosition, "qpos")
    keyframe.velocity = try complete(
      source.velocity, [Double](repeating: 0, count: model.velocityCount), "qvel")
    keyframe.activation = try complete(
      source.activation, [Double](repeating: 0, count: model.activationCount), "act")
    keyframe.control = try complete(
      source.control, [Double](repeating: 0, count: model.controlCount), "ctrl")
    _ = try complete(source.mocapPosition, [Double](repeating: 0, count: 3 * mocapCount), "mpos")
    _ = try complete(source.mocapOrientation, [Double](repeating: 0, count: 4 * mocapCount), "mquat")
    for joint in model.joints where joint.type == .free || joint.type == .ball {
      let start = joint.positionAddress + (joint.type == .free ? 3 : 0)
      let value = keyframe.position[start..<start + 4].map { $0 }
      let turn = Quaternion(value[0], value[1], value[2], value[3]).normalized
      keyframe.position.replaceSubrange(start..<start + 4, with: turn.array)
    }
    return keyframe
  }

  mutating func compileEqualities() throws {
    let poses = model.defaultBodyPoses()
    for source in specification.equalities {
      var equality = try resolveEquality(source)
      completeData(of: &equality, poses)
      model.equalities.append(equality)
    }
  }

  private func resolveEquality(_ source: ModelSpecification.Equality) throws -> Equality {
    let element = Self.label("equality constraint", source.name)
    let (kind, indices): (String, [String: Int])
    switch source.type {
    case .connect, .weld:
      (kind, indices) = source.joinsSites ? ("site", siteIndices) : ("body", bodyIndices)
    case .joint: (kind, indices) = ("joint", jointIndices)
    case .tendon: (kind, indices) = ("tendon", tendonIndices)
    case .other:
      // What this one joins is the reader's to check; it is listed as unsupported.
      (kind, indices) = ("", [:])
    }
    var equality = Equality()
    equality.name = source.name
    equality.type = source.type
    equality.active = source.active
    equality.joinsSites = source.joinsSites
    equality.data = source.data
    equality.solverReference = source.solverReference
    equality.solverImpedance = source.solverImpedance
    try requireFinite(
      source.data + source.solverReference + source.solverImpedance, element, source.location)
    guard source.type != .other else { return equality }
    equality.object1 = try find(kind, source.object1, in: indices, for: element, source.location)
    if let second = source.object2, !second.isEmpty {
      equality.object2 = try find(kind, second, in: indices, for: element, source.location)
    } else if kind == "body" {
      equality.object2 = 0
    }
    guard equality.object2 != equality.object1 else {
      throw invalid(source.location, "\(element) joins the \(kind) '\(source.object1)' to itself")
    }
    if source.type == .joint {
      for index in [equality.object1, equality.object2].compactMap({ $0 })
      where model.joints[index].type.positionCount != 1 {
        throw invalid(
          source.location,
          "\(element) joins joint '\(model.joints[index].name)', which is not a hinge or slide joint")
      }
    }
    return equality
  }

  /// What a connect or weld between bodies leaves open is taken from the default configuration.
  private func completeData(of equality: inout Equality, _ poses: [Pose]) {
    guard !equality.joinsSites, equality.type == .connect || equality.type == .weld,
      let second = equality.object2
    else {
      if equality.type == .connect { equality.data = [Double](repeating: 0, count: equality.data.count) }
      return
    }
    let (one, two) = (poses[equality.object1], poses[second])
    let anchor = Vector3(equality.data[0], equality.data[1], equality.data[2])
    switch equality.type {
    case .connect:
      let place = two.inverse * (one * Pose(position: anchor))
      equality.data.replaceSubrange(3..<6, with: place.position.array)
    case .weld:
      let stated = equality.data[6..<10].map { $0 }
      if stated.contains(where: { $0 != 0 }) {
        let turn = Quaternion(stated[0], stated[1], stated[2], stated[3]).normalized
        equality.data.replaceSubrange(6..<10, with: turn.array)
        return
      }
      let place = one.inverse * (two * Pose(position: anchor))
      equality.data.replaceSubrange(3..<6, with: place.position.array)
      equality.data.replaceSubrange(6..<10, with: (one.orientation.conjugate * two.orientation).array)
    case .joint, .tendon, .other: break
    }
  }
}
