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

  /// One entry for all contacts that could occur: pairs that the file names, and geoms whose bits match on bodies
  /// that can touch.
  private mutating func listContacts() {
    let counted = countContactPairs()
    let named = model.contactPairs.count
    guard counted.count + named > 0 else { return }
    var parts: [String] = []
    if let (one, two) = counted.example {
      let prefix = counted.count >= Self.largestPairCount ? "at least " : ""
      parts.append(
        "\(prefix)\(counted.count) pairs of geoms can touch, for example \(geomLabel(one)) and \(geomLabel(two))"
      )
    }
    if let pair = model.contactPairs.first {
      parts.append(
        "\(named) explicit pairs, for example \(geomLabel(pair.geom1)) and \(geomLabel(pair.geom2))")
    }
    model.unsupported.append(
      UnsupportedElement(category: .contact, description: "contact: " + parts.joined(separator: "; ")))
  }

  private func geomLabel(_ index: Int) -> String {
    let geom = model.geoms[index]
    if !geom.name.isEmpty { return "'\(geom.name)'" }
    let body = model.bodies[geom.body].name
    return body.isEmpty
      ? "a \(geom.type.rawValue)" : "a \(geom.type.rawValue) of '\(body)'"
  }

  /// Counting stops here.
  private static let largestPairCount = 1_000_000

  private struct BodyPair: Hashable {
    var first: Int
    var second: Int
  }

  private func countContactPairs() -> (count: Int, example: (Int, Int)?) {
    let excluded = Set(model.contactExclusions.map { BodyPair(first: $0.body1, second: $0.body2) })
    let filtersParents = !model.options.disabled.contains(.filterParent)
    let colliding = model.bodies.indices.filter { body in
      model.geoms[model.bodies[body].geoms].contains { $0.contactType != 0 || $0.contactAffinity != 0 }
    }
    let masks = colliding.map { body in
      model.geoms[model.bodies[body].geoms].reduce((type: 0, affinity: 0)) {
        ($0.type | $1.contactType, $0.affinity | $1.contactAffinity)
      }
    }
    var count = 0
    var example: (Int, Int)?
    for (position, first) in colliding.enumerated() {
      let weld1 = model.bodies[first].weldedTo
      let parent1 = model.bodies[model.bodies[weld1].parent].weldedTo
      let moves1 = !model.bodies[weld1].joints.isEmpty
      for other in (position + 1)..<max(colliding.count, position + 1) {
        let (one, two) = (masks[position], masks[other])
        guard one.type & two.affinity != 0 || two.type & one.affinity != 0 else { continue }
        let second = colliding[other]
        let weld2 = model.bodies[second].weldedTo
        guard weld1 != weld2, moves1 || !model.bodies[weld2].joints.isEmpty else { continue }
        if filtersParents, weld1 != 0, weld2 != 0 {
          let parent2 = model.bodies[model.bodies[weld2].parent].weldedTo
          if weld1 == parent2 || weld2 == parent1 { continue }
        }
        if !excluded.isEmpty, excluded.contains(BodyPair(first: first, second: second)) { continue }
        for a in model.bodies[first].geoms {
          for b in model.bodies[second].geoms {
            let (one, two) = (model.geoms[a], model.geoms[b])
            guard one.contactType & two.contactAffinity != 0 || two.contactType & one.contactAffinity != 0
            else { continue }
            count += 1
            example = example ?? (a, b)
          }
        }
        if count >= Self.largestPairCount { return (count, example) }
      }
    }
    return (count, example)
  }
}
