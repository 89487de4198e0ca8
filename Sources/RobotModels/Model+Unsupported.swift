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
      for tendon in tendons where tendon.limited && !tendon.isFixed {
        add(.limit, ModelCompiler.label("tendon", tendon.name), ["limited"])
      }
    }
    if constraints, !options.disabled.contains(.contact) {
      if let contacts = unsupportedContacts { list.append(contacts) }
      if options.enabled.contains(.override) { add(.contact, "option", ["override"]) }
    }
    if constraints, !options.disabled.contains(.frictionLoss) {
      for tendon in tendons where tendon.frictionLoss > 0 && !tendon.isFixed {
        add(.frictionLoss, ModelCompiler.label("tendon", tendon.name), ["frictionloss"])
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
    var parts: [String] = []
    if tendon.stiffness != 0, !options.disabled.contains(.spring) { parts.append("stiffness") }
    if tendon.damping != 0, !options.disabled.contains(.damper) { parts.append("damping") }
    if tendon.armature != 0 { parts.append("armature") }
    return parts
  }

  private func unsupportedParts(of actuator: Actuator) -> [String] {
    var parts = actuator.unsupportedParts
    switch actuator.transmission {
    case .joint, .jointInParent:
      let joint = joints[actuator.target]
      if let mimic = joint.mimic, joint.actuatorForceLimited || joints[mimic.source].actuatorForceLimited {
        parts.append("force limits of a mimic joint or of the joint it mimics")
      }
    case .tendon, .site, .body, .sliderCrank: break
    }
    return parts
  }
}

extension Actuator {
  /// What of an actuator is not simulated, whatever it acts on; empty if all is.
  package var unsupportedParts: [String] {
    var parts: [String] = []
    switch transmission {
    case .joint, .jointInParent: break
    case .tendon, .site, .body, .sliderCrank: parts.append("\(transmission.rawValue) transmission")
    }
    if dynamics == .muscle || dynamics == .user { parts.append("dyntype \(dynamics.rawValue)") }
    if gain == .muscle || gain == .user { parts.append("gaintype \(gain.rawValue)") }
    if bias == .muscle || bias == .user { parts.append("biastype \(bias.rawValue)") }
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
