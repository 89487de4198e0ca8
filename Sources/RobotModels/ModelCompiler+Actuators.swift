import Lanes

extension ModelCompiler {
  mutating func compileTendons() throws {
    for source in specification.tendons {
      if !source.name.isEmpty { tendonIndices[source.name] = model.tendons.count }
      model.tendons.append(try compileTendon(source))
    }
    let heavy = specification.tendons.filter { $0.armature > 0 }
    guard heavy.count <= Self.largestTieCount else {
      throw invalid(
        heavy[Self.largestTieCount].location,
        "\(heavy.count) tendons have armature; at most \(Self.largestTieCount) can")
    }
  }

  private func compileTendon(_ source: ModelSpecification.Tendon) throws -> Tendon {
    let element = Self.label("tendon", source.name)
    var tendon = Tendon()
    tendon.name = source.name
    tendon.isFixed = source.isFixed
    if source.isFixed {
      guard !source.joints.isEmpty else {
        throw invalid(source.location, "\(element) has no joints; a fixed tendon needs one or more <joint>")
      }
      for entry in source.joints {
        let joint = try find("joint", entry.name, in: jointIndices, for: element, entry.location)
        guard model.joints[joint].type.positionCount == 1 else {
          throw invalid(
            entry.location,
            "\(element) goes through joint '\(entry.name)', which is not a hinge or slide joint")
        }
        try requireFinite([entry.coefficient], "coef of \(element)", entry.location)
        tendon.joints.append(joint)
        tendon.coefficients.append(entry.coefficient)
      }
    } else {
      guard source.path.count >= 2 else {
        throw invalid(
          source.location, "\(element) is a spatial tendon and needs a path of two or more elements")
      }
      for step in source.path {
        switch step.element {
        case .site(let name):
          tendon.path.append(.site(try find("site", name, in: siteIndices, for: element, step.location)))
        case .geom(let name, let side):
          tendon.path.append(
            .geom(
              try find("geom", name, in: geomIndices, for: element, step.location),
              sideSite: side.isEmpty
                ? nil : try find("site", side, in: siteIndices, for: element, step.location)))
        case .pulley(let divisor):
          try requireFinite([divisor], "divisor of \(element)", step.location)
          tendon.path.append(.pulley(divisor: divisor))
        }
      }
    }
    tendon.limited = try isLimited(source.limited, source.range, attribute: "", of: element, source.location)
    tendon.range = source.range
    guard source.springLength[0] <= source.springLength[1] else {
      throw invalid(
        source.location, "springlength of \(element) is upside down; the smaller number stands first")
    }
    guard source.armature >= 0 else {
      throw invalid(source.location, "armature of \(element) cannot be negative")
    }
    tendon.margin = source.margin
    tendon.stiffness = source.stiffness
    tendon.damping = source.damping
    tendon.armature = source.armature
    tendon.frictionLoss = source.frictionLoss
    tendon.springLength = source.springLength
    tendon.limitSolverReference = source.limitSolverReference
    tendon.limitSolverImpedance = source.limitSolverImpedance
    tendon.frictionSolverReference = source.frictionSolverReference
    tendon.frictionSolverImpedance = source.frictionSolverImpedance
    try requireFinite(
      source.springLength + source.limitSolverReference + source.limitSolverImpedance
        + source.frictionSolverReference + source.frictionSolverImpedance + [
          source.margin, source.stiffness, source.damping, source.armature, source.frictionLoss,
        ], element, source.location)
    return tendon
  }

  mutating func compileActuators() throws {
    for source in specification.actuators {
      var actuator = try compileActuator(source)
      let element = Self.label("actuator", source.name)
      let dimension = source.activationDimension ?? (source.dynamics == .none ? 0 : 1)
      let isStateless = source.dynamics == .none
      guard dimension == 0 || !isStateless else {
        throw invalid(source.location, "actdim of \(element) is \(dimension), but its dyntype is none")
      }
      guard dimension > 0 || isStateless else {
        throw invalid(
          source.location, "actdim of \(element) is \(dimension), but its dyntype has an activation")
      }
      guard dimension <= 1 || source.dynamics == .user else {
        throw invalid(
          source.location, "actdim of \(element) is \(dimension); more than one activation needs dyntype user"
        )
      }
      if dimension > 0 {
        actuator.activationAddress = model.activationCount
        model.activationCount += dimension
      }
      model.actuators.append(actuator)
    }
  }

  private func compileActuator(_ source: ModelSpecification.Actuator) throws -> Actuator {
    let element = Self.label("actuator", source.name)
    let location = source.location
    try requireFinite(
      source.gear + source.dynamicsParameters + source.gainParameters + source.biasParameters
        + source.controlRange + source.forceRange + source.activationRange + [source.inheritRange],
      element, location)
    var actuator = Actuator()
    actuator.name = source.name
    actuator.transmission = source.transmission
    actuator.target = try actuatorTarget(source, element)
    if !source.referenceSite.isEmpty {
      actuator.referenceSite = try find(
        "site", source.referenceSite, in: siteIndices, for: element, location)
    }
    actuator.gear = source.gear
    actuator.dynamics = source.dynamics
    actuator.gain = source.gain
    actuator.bias = source.bias
    actuator.dynamicsParameters = source.dynamicsParameters
    actuator.gainParameters = source.gainParameters
    actuator.biasParameters = source.biasParameters
    actuator.controlRange = source.controlRange
    actuator.forceRange = source.forceRange
    actuator.activationRange = source.activationRange
    actuator.actsEarly = source.actsEarly
    actuator.group = source.group
    if source.inheritRange > 0 { try inheritRange(&actuator, source, element) }
    actuator.forceLimited = try isLimited(
      source.forceLimited, actuator.forceRange, attribute: "force", of: element, location)
    actuator.controlLimited = try isLimited(
      source.controlLimited, actuator.controlRange, attribute: "ctrl", of: element, location)
    actuator.activationLimited = try isLimited(
      source.activationLimited, actuator.activationRange, attribute: "act", of: element, location)
    if actuator.activationLimited, source.dynamics == .none {
      throw invalid(location, "\(element) has an actrange, but its dyntype is none: it has no activation")
    }
    return actuator
  }

  private func actuatorTarget(_ source: ModelSpecification.Actuator, _ element: String) throws -> Int {
    let (kind, indices): (String, [String: Int])
    switch source.transmission {
    case .joint, .jointInParent: (kind, indices) = ("joint", jointIndices)
    case .tendon: (kind, indices) = ("tendon", tendonIndices)
    case .site, .sliderCrank: (kind, indices) = ("site", siteIndices)
    case .body: (kind, indices) = ("body", bodyIndices)
    }
    guard !source.target.isEmpty else {
      throw invalid(source.location, "\(element) has no target; name a joint, tendon, site or body")
    }
    return try find(kind, source.target, in: indices, for: element, source.location)
  }

  /// The control range of a position servo, or the activation range of an integrated-velocity servo, from the
  /// range of what it moves.
  private func inheritRange(
    _ actuator: inout Actuator, _ source: ModelSpecification.Actuator, _ element: String
  ) throws {
    let isServo =
      source.gain == .fixed && source.bias == .affine
      && source.gainParameters[0] == -source.biasParameters[1]
    guard isServo else { return }
    let range: [Double]
    switch source.transmission {
    case .joint where model.joints[actuator.target].type.positionCount == 1:
      range = model.joints[actuator.target].range
    case .tendon:
      range = model.tendons[actuator.target].range
    default:
      throw invalid(
        source.location, "inheritrange of \(element) needs a hinge or slide joint or a tendon to inherit from"
      )
    }
    guard range[0] != range[1] else {
      throw invalid(
        source.location,
        "inheritrange of \(element): '\(source.target)' has no range; give it one, or the actuator")
    }
    let middle = 0.5 * (range[1] + range[0])
    let radius = 0.5 * (range[1] - range[0]) * source.inheritRange
    let inherited = [middle - radius, middle + radius]
    switch source.dynamics {
    case .none, .filterExact: actuator.controlRange = inherited
    case .integrator: actuator.activationRange = inherited
    case .filter, .muscle, .user:
      throw invalid(
        source.location, "inheritrange of \(element) is for position and integrated-velocity servos only")
    }
  }

  /// Turns the damping ratio of position servos into damping: twice the ratio times the root of stiffness times
  /// the inertia seen through the transmission at the default configuration.
  mutating func resolveDampingRatios() {
    for index in model.actuators.indices {
      let actuator = model.actuators[index]
      guard actuator.gainParameters[0] == -actuator.biasParameters[1], actuator.biasParameters[2] > 0,
        let moment = defaultMoment(of: actuator)
      else { continue }
      var inertia = 0.0
      for (address, arm) in moment where arm * arm > Self.smallestMass {
        inertia += model.degreesOfFreedom[address].inertia0 / (arm * arm)
      }
      let stiffness = actuator.gainParameters[0]
      model.actuators[index].biasParameters[2] =
        -actuator.biasParameters[2] * 2 * (stiffness * inertia).squareRoot()
    }
  }

  /// Moment arms at the default configuration by degree of freedom, or nil for a transmission that is not
  /// simulated.
  private func defaultMoment(of actuator: Actuator) -> [(Int, Double)]? {
    let gear = actuator.gear
    switch actuator.transmission {
    case .joint, .jointInParent:
      let joint = model.joints[actuator.target]
      let address = joint.velocityAddress
      switch joint.type {
      case .hinge, .slide: return [(address, gear[0] * (joint.mimic?.multiplier ?? 1))]
      case .ball: return (0..<3).map { (address + $0, gear[$0]) }
      case .free:
        var turn = Vector3(gear[3], gear[4], gear[5])
        if actuator.transmission == .jointInParent {
          turn = model.bodies[joint.body].orientation.conjugate.rotate(turn)
        }
        return (0..<6).map { (address + $0, $0 < 3 ? gear[$0] : turn[$0 - 3]) }
      }
    case .tendon:
      let tendon = model.tendons[actuator.target]
      guard !tendon.wraps else { return nil }
      return model.momentArms(of: tendon).map { ($0.key, gear[0] * $0.value) }
    case .site: return siteMoment(of: actuator)
    case .body, .sliderCrank: return nil
    }
  }

  /// What a wrench on a site does at the default configuration.
  private func siteMoment(of actuator: Actuator) -> [(Int, Double)] {
    let kinematics = DefaultKinematics(model)
    func pose(_ site: Site) -> Pose {
      kinematics.poses[site.body] * Pose(position: site.position, orientation: site.orientation)
    }
    let site = model.sites[actuator.target]
    let other = actuator.referenceSite.map { model.sites[$0] }
    let axes = pose(other ?? site).orientation
    let gear = actuator.gear
    let force = axes.rotate(Vector3(gear[0], gear[1], gear[2]))
    let torque = axes.rotate(Vector3(gear[3], gear[4], gear[5]))
    func moment(_ site: Site) -> [Int: Double] {
      kinematics.motions(of: pose(site).position, on: site.body, model).mapValues {
        force.dot($0.linear) + torque.dot($0.angular)
      }
    }
    let own = moment(site)
    guard let other else { return own.map { ($0.key, $0.value) } }
    // What moves both sites does nothing.
    let opposite = moment(other)
    return own.filter { opposite[$0.key] == nil }.map { ($0.key, $0.value) }
      + opposite.filter { own[$0.key] == nil }.map { ($0.key, -$0.value) }
  }
}
