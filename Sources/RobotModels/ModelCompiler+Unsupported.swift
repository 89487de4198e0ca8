import Lanes

extension ModelCompiler {
  /// Lists what would change the motion and is not simulated, unless the file switches it off.
  mutating func listUnsupported() {
    let disabled = model.options.disabled
    let constraints = !disabled.contains(.constraint)
    if constraints, !disabled.contains(.limit) { listLimits() }
    if constraints, !disabled.contains(.contact) { listContacts() }
    if constraints, !disabled.contains(.frictionLoss) { listFriction() }
    if constraints, !disabled.contains(.equality) {
      for equality in model.equalities where equality.active {
        refuse(.equality, Self.label("equality", equality.name), equality.type.rawValue)
      }
    }
    listTendons()
    if !disabled.contains(.actuation) { listActuators() }
    listFluid()
    if model.options.integrator == .implicit {
      refuse(.other, "option", "integrator implicit; Euler, implicitfast and RK4 are simulated")
    }
    if model.options.enabled.contains(.sleep) { refuse(.other, "option", "sleep") }
    for sensor in model.sensors {
      model.notEvaluated.append("\(Self.label("sensor", sensor.name)): \(sensor.kind)")
    }
  }

  private mutating func refuse(
    _ category: UnsupportedElement.Category, _ element: String, _ what: String
  ) {
    model.unsupported.append(UnsupportedElement(category: category, description: "\(element): \(what)"))
  }

  private mutating func listLimits() {
    for joint in model.joints where joint.limited {
      refuse(.limit, Self.label("joint", joint.name), "limited")
    }
    for tendon in model.tendons where tendon.limited {
      refuse(.limit, Self.label("tendon", tendon.name), "limited")
    }
  }

  private mutating func listFriction() {
    for (index, joint) in model.joints.enumerated() where joint.mimic == nil {
      let loss = model.degreesOfFreedom[joint.velocityAddress].frictionLoss
      if loss > 0 { refuse(.frictionLoss, Self.label("joint", model.joints[index].name), "frictionloss") }
    }
    for tendon in model.tendons where tendon.frictionLoss > 0 {
      refuse(.frictionLoss, Self.label("tendon", tendon.name), "frictionloss")
    }
  }

  private mutating func listTendons() {
    let disabled = model.options.disabled
    for tendon in model.tendons {
      var parts: [String] = []
      if tendon.stiffness != 0, !disabled.contains(.spring) { parts.append("stiffness") }
      if tendon.damping != 0, !disabled.contains(.damper) { parts.append("damping") }
      if tendon.armature != 0 { parts.append("armature") }
      guard !parts.isEmpty else { continue }
      refuse(.tendon, Self.label("tendon", tendon.name), parts.joined(separator: ", "))
    }
  }

  private mutating func listActuators() {
    for actuator in model.actuators {
      let bit = UInt32(1) << UInt32(min(max(actuator.group, 0), 31))
      guard model.options.disabledActuatorGroups & bit == 0 else { continue }
      var parts: [String] = []
      switch actuator.transmission {
      case .joint, .jointInParent: break
      case .tendon, .site, .body, .sliderCrank:
        parts.append("\(actuator.transmission.rawValue) transmission")
      }
      if actuator.dynamics == .muscle || actuator.dynamics == .user {
        parts.append("dyntype \(actuator.dynamics.rawValue)")
      }
      if actuator.gain == .muscle || actuator.gain == .user {
        parts.append("gaintype \(actuator.gain.rawValue)")
      }
      if actuator.bias == .muscle || actuator.bias == .user {
        parts.append("biastype \(actuator.bias.rawValue)")
      }
      guard !parts.isEmpty else { continue }
      refuse(.actuation, Self.label("actuator", actuator.name), parts.joined(separator: ", "))
    }
  }

  private mutating func listFluid() {
    let options = model.options
    guard options.density > 0 || options.viscosity > 0 else { return }
    for geom in model.geoms
    where geom.ellipsoidFluidCoefficients != nil
      && !model.bodies[model.bodies[geom.body].weldedTo].joints.isEmpty
    {
      refuse(.passive, Self.label("geom", geom.name), "ellipsoid fluid model")
    }
  }
}
