import Lanes

extension Model {
  /// What would change the motion and is not simulated, as the model stands now: ``unreadElements``, and what its fields
  /// ask for and ``SimulationOptions/disabled`` does not switch off. A simulation of the model is refused with this list
  /// unless the caller says what to ignore.
  ///
  /// - Complexity: linear in the size of the model, but for the contact summary, which compares bodies in pairs until it
  ///   has counted a million.
  public var unsupported: [UnsupportedElement] {
    var list = unreadElements
    func add(_ category: UnsupportedElement.Category, _ element: String, _ parts: [String]) {
      guard !parts.isEmpty else { return }
      list.append(
        UnsupportedElement(
          category: category, description: "\(element): \(parts.joined(separator: ", "))"))
    }
    let constraints = !options.disabled.contains(.constraint)
    if constraints, !options.disabled.contains(.limit) {
      for tendon in tendons where tendon.limited && tendon.wraps {
        add(.limit, ModelCompiler.label("tendon", tendon.name), ["limited, and wraps around geoms"])
      }
    }
    if constraints, !options.disabled.contains(.contact) {
      if let contacts = unsupportedContacts { list.append(contacts) }
      if options.enabled.contains(.override) { add(.contact, "option", ["override"]) }
    }
    if constraints, !options.disabled.contains(.frictionLoss) {
      for tendon in tendons where tendon.frictionLoss > 0 && tendon.wraps {
        add(
          .frictionLoss, ModelCompiler.label("tendon", tendon.name), ["frictionloss, and wraps around geoms"])
      }
    }
    if constraints, !options.disabled.contains(.equality) {
      for equality in equalities where equality.active && !isSimulated(equality) {
        add(.equality, ModelCompiler.label("equality", equality.name), [equality.type.rawValue])
      }
    }
    for tendon in tendons {
      add(.tendon, ModelCompiler.label("tendon", tendon.name), dynamicParts(of: tendon))
    }
    for actuator in actuators where !options.switchesOff(actuator) {
      add(.actuation, ModelCompiler.label("actuator", actuator.name), unsupportedParts(of: actuator))
    }
    if options.density > 0 || options.viscosity > 0 {
      for geom in geoms where geom.ellipsoidFluidCoefficients != nil && moves(geom) {
        add(.passive, ModelCompiler.label("geom", geom.name), ["ellipsoid fluid model"])
      }
    }
    if options.integrator == .implicit {
      add(.other, "option", ["integrator implicit; Euler, implicitfast and RK4 are simulated"])
    }
    if options.enabled.contains(.sleep) { add(.other, "option", ["sleep"]) }
    return list
  }

  private func isSimulated(_ equality: Equality) -> Bool {
    switch equality.type {
    case .joint, .connect, .weld: true
    case .tendon:
      ([equality.object1] + (equality.object2.map { [$0] } ?? [])).allSatisfy { tendons[$0].isFixed }
    case .other: false
    }
  }

  private func moves(_ geom: Geom) -> Bool { !bodies[bodies[geom.body].weldedTo].joints.isEmpty }

  private func dynamicParts(of tendon: Tendon) -> [String] {
    guard !tendon.isFixed else {
      return tendon.armature != 0 && !isAlongOnePath(tendon)
        ? ["armature that couples joints of different branches"] : []
    }
    var parts: [String] = []
    if tendon.armature != 0 { parts.append("armature of a spatial tendon") }
    guard tendon.wraps else { return parts }
    if tendon.stiffness != 0, !options.disabled.contains(.spring) { parts.append("stiffness") }
    if tendon.damping != 0, !options.disabled.contains(.damper) { parts.append("damping") }
    if !parts.isEmpty { parts.append("wraps around geoms") }
    return parts
  }

  /// Whether a fixed tendon's joints lie on one path from the root outwards: then its armature couples only what the mass
  /// matrix couples anyway. (MuJoCo drops what it has no place for in its matrix, which changes the physics.)
  package func isAlongOnePath(_ tendon: Tendon) -> Bool {
    let freedoms = momentArms(of: tendon).filter { $0.value != 0 }.keys.sorted()
    guard let last = freedoms.last else { return true }
    var path: Set<Int> = []
    var freedom = last
    while freedom >= 0 {
      path.insert(freedom)
      freedom = degreesOfFreedom[freedom].parent
    }
    return freedoms.allSatisfy(path.contains)
  }

  /// Joints on the way from sites to the root.
  private func joints(moving sites: [Int]) -> [Int] {
    sites.flatMap { site in
      var found: [Int] = []
      var body = self.sites[site].body
      while body > 0 {
        found += bodies[body].joints
        body = bodies[body].parent
      }
      return found
    }
  }

  /// What of an actuator on a body is not simulated: its force is known when contacts are, after those of the joints.
  private func bodyTransmissionParts(of actuator: Actuator) -> [String] {
    var parts: [String] = []
    func isAffine(_ parameters: [Double]) -> Bool { parameters.dropFirst().prefix(2).contains { $0 != 0 } }
    if actuator.gain == .affine && isAffine(actuator.gainParameters)
      || actuator.bias == .affine && isAffine(actuator.biasParameters)
    {
      parts.append("body transmission of a force that depends on length or velocity")
    }
    if joints.contains(where: { $0.actuatorForceLimited && $0.type.velocityCount == 1 }) {
      parts.append("body transmission beside joints with limited actuator force")
    }
    let hasRigidPair = contactPairs.contains { pair in
      let own = [pair.geom1, pair.geom2].map { geoms[$0].body }
      let welds = own.map { bodies[$0].weldedTo }
      return own.contains(actuator.target)
        && (welds[0] == welds[1] || welds.allSatisfy { bodies[$0].joints.isEmpty })
    }
    if hasRigidPair { parts.append("body transmission through a contact pair of geoms that move as one") }
    return parts
  }

  /// What of an actuator is not simulated; empty if all is.
  package func unsupportedParts(of actuator: Actuator) -> [String] {
    var parts: [String] = []
    var moved: [Int] = []
    switch actuator.transmission {
    case .joint, .jointInParent: moved = [actuator.target]
    case .tendon:
      let tendon = tendons[actuator.target]
      moved = tendon.joints + joints(moving: tendon.segments.flatMap { [$0.first, $0.second] })
      if tendon.wraps { parts.append("transmission by a tendon that wraps around geoms") }
    case .site:
      moved = joints(moving: [actuator.target, actuator.referenceSite].compactMap { $0 })
    case .body: parts += bodyTransmissionParts(of: actuator)
    case .sliderCrank: parts.append("\(actuator.transmission.rawValue) transmission")
    }
    let limitsMimic = moved.contains { index in
      let joint = joints[index]
      return joint.mimic.map { joint.actuatorForceLimited || joints[$0.source].actuatorForceLimited } ?? false
    }
    if limitsMimic { parts.append("force limits of a mimic joint or of the joint it mimics") }
    if actuator.dynamics == .muscle || actuator.dynamics == .user {
      parts.append("dyntype \(actuator.dynamics.rawValue)")
    }
    if actuator.gain == .muscle || actuator.gain == .user {
      parts.append("gaintype \(actuator.gain.rawValue)")
    }
    if actuator.bias == .muscle || actuator.bias == .user {
      parts.append("biastype \(actuator.bias.rawValue)")
    }
    return parts
  }
}

extension SimulationOptions {
  /// True for an actuator that the options switch off, alone or with all others.
  package func switchesOff(_ actuator: Actuator) -> Bool {
    disabled.contains(.actuation)
      || ((0..<31).contains(actuator.group) && disabledActuatorGroups & (1 << UInt32(actuator.group)) != 0)
  }
}
