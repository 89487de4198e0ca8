import Lanes

extension MJCFReader {
  mutating func readActuator(_ element: XMLTreeElement) throws {
    var prototype = try topLevelClass(of: element).actuator
    try apply(element, to: &prototype)
    var actuator = prototype.value
    actuator.location = element.location
    actuator.name = element.string("name") ?? ""
    try readTransmission(element, &actuator)
    try declare(actuator.name, kind: "actuator", element)
    list(prototype, of: element, named: actuator.name)
    specification.actuators.append(actuator)
  }

  private func readTransmission(
    _ element: XMLTreeElement, _ actuator: inout ModelSpecification.Actuator
  ) throws {
    let transmissions: [(String, ActuatorTransmission, String)] = [
      ("joint", .joint, "joint"), ("jointinparent", .jointInParent, "joint"), ("tendon", .tendon, "tendon"),
      ("cranksite", .sliderCrank, "site"), ("site", .site, "site"), ("body", .body, "body"),
    ]
    let given = transmissions.filter { element.attribute($0.0) != nil }
    guard let (attribute, transmission, kind) = given.first else {
      let valid = element.name == "adhesion" ? "body" : "joint, jointinparent, tendon, site or cranksite"
      throw element.error("\(element.label) has nothing to act on; expected one of the attributes \(valid)")
    }
    if given.count > 1 {
      throw element.error(
        at: given[1].0,
        "\(element.label) acts on both '\(attribute)' and '\(given[1].0)'; only one is allowed")
    }
    actuator.transmission = transmission
    actuator.target = try requiredReference(element, attribute, kind: kind)
    for name in ["cranklength", "slidersite"]
    where element.attribute(name) != nil && transmission != .sliderCrank {
      throw element.error(at: name, "'\(name)' of \(element.label) goes with 'cranksite' only")
    }
    if element.attribute("refsite") != nil, transmission != .site {
      throw element.error(at: "refsite", "'refsite' of \(element.label) goes with 'site' only")
    }
    try checkReference(element, "slidersite", kind: "site")
    actuator.referenceSite = try reference(element, "refsite", kind: "site") ?? ""
    _ = try element.range("lengthrange")
  }

  func apply(
    _ element: XMLTreeElement, to prototype: inout MJCFPrototype<ModelSpecification.Actuator>
  ) throws {
    guard !["pid", "orientation", "dcmotor", "plugin"].contains(element.name) else {
      throw element.error(
        "\(element.label): actuators of type '\(element.name)' are not supported; supported are general, motor, "
          + "position, velocity, intvelocity, damper, cylinder and adhesion")
    }
    for name in ["input", "velrange", "ffrange"] where element.attribute(name) != nil {
      throw element.error(
        at: name,
        "attribute '\(name)' of \(element.label) is not supported; it belongs to PID and DC motor control")
    }
    try readCommon(element, &prototype)
    var actuator = prototype.value
    switch element.name {
    case "motor": Self.setMotor(&actuator)
    case "position", "intvelocity": try readPositionServo(element, &actuator)
    case "velocity":
      let gain = try element.double("kv") ?? actuator.gainParameters[0]
      actuator.biasParameters = [Double](repeating: 0, count: 10)
      actuator.gainParameters[0] = gain
      actuator.biasParameters[2] = -gain
      (actuator.dynamics, actuator.gain, actuator.bias) = (.none, .fixed, .affine)
    case "damper": try readDamper(element, &actuator)
    case "cylinder": try readCylinder(element, &actuator)
    case "muscle": try readMuscle(element, &actuator)
    case "adhesion":
      element.overwrite(&actuator.gainParameters[0], with: try element.nonNegative("gain"))
      guard actuator.controlRange.allSatisfy({ $0 >= 0 }) else {
        throw element.error(
          at: "ctrlrange", "the ctrlrange of \(element.label) goes below zero, but adhesion only pulls")
      }
      actuator.controlLimited = .yes
      (actuator.gain, actuator.bias) = (.fixed, .none)
    default: break
    }
    prototype.value = actuator
  }

  /// Attributes that all actuators share, and those of `general`.
  private func readCommon(
    _ element: XMLTreeElement, _ prototype: inout MJCFPrototype<ModelSpecification.Actuator>
  ) throws {
    var actuator = prototype.value
    element.overwrite(&actuator.group, with: try element.integer("group"))
    element.overwrite(&actuator.controlRange, with: try element.range("ctrlrange"))
    element.overwrite(&actuator.forceRange, with: try element.range("forcerange"))
    element.overwrite(&actuator.activationRange, with: try element.range("actrange"))
    element.overwrite(&actuator.controlLimited, with: try element.limited("ctrllimited"))
    element.overwrite(&actuator.forceLimited, with: try element.limited("forcelimited"))
    element.overwrite(&actuator.activationLimited, with: try element.limited("actlimited"))
    try element.overwrite(&actuator.gear, "gear")
    if let count = try element.integer("actdim") { actuator.activationDimension = count < 0 ? nil : count }
    element.overwrite(&actuator.actsEarly, with: try element.boolean("actearly"))
    element.overwrite(
      &actuator.dynamics,
      with: try kind(
        element, "dyntype",
        [
          "none": ActuatorDynamics.none, "integrator": .integrator, "filter": .filter,
          "filterexact": .filterExact, "muscle": .muscle, "user": .user, "dcmotor": nil, "pid": nil,
        ]))
    element.overwrite(
      &actuator.gain,
      with: try kind(
        element, "gaintype",
        [
          "fixed": ActuatorGain.fixed, "affine": .affine, "muscle": .muscle, "user": .user, "dcmotor": nil,
          "so3": nil, "pid": nil,
        ]))
    element.overwrite(
      &actuator.bias,
      with: try kind(
        element, "biastype",
        [
          "none": ActuatorBias.none, "affine": .affine, "muscle": .muscle, "user": .user, "dcmotor": nil,
          "so3": nil,
        ]))
    try element.overwrite(&actuator.dynamicsParameters, "dynprm")
    try element.overwrite(&actuator.gainParameters, "gainprm")
    try element.overwrite(&actuator.biasParameters, "biasprm")
    prototype.value = actuator

    if let samples = try element.integer("nsample") {
      prototype.setUnsupported("nsample", samples > 0 ? .actuation : nil, "control history (nsample)")
    }
    if let delay = try element.nonNegative("delay") {
      prototype.setUnsupported("delay", delay > 0 ? .actuation : nil, "delayed control (delay)")
    }
    if let armature = try element.nonNegative("armature") {
      prototype.setUnsupported("armature", armature > 0 ? .actuation : nil, "armature of an actuator")
    }
    if let damping = try element.doubles("damping", count: 1...3) {
      prototype.setUnsupported(
        "damping", damping.contains { $0 != 0 } ? .actuation : nil, "damping of an actuator")
    }
    _ = try element.double("cranklength")
  }

  /// A keyword; those with nil are MuJoCo's, but not supported.
  private func kind<Value>(
    _ element: XMLTreeElement, _ name: String, _ choices: KeyValuePairs<String, Value?>
  ) throws -> Value? {
    guard let choice = try element.keyword(name, choices) else { return nil }
    guard let value = choice else {
      throw element.error(
        at: name,
        "'\(name)' of \(element.label) is '\(element.string(name) ?? "")', which is not supported; supported are "
          + choices.filter { $0.value != nil }.map { "'\($0.key)'" }.joined(separator: ", "))
    }
    return value
  }

  private static func setMotor(_ actuator: inout ModelSpecification.Actuator) {
    actuator.gainParameters[0] = 1
    (actuator.dynamics, actuator.gain, actuator.bias) = (.none, .fixed, .none)
  }

  private func readPositionServo(
    _ element: XMLTreeElement, _ actuator: inout ModelSpecification.Actuator
  ) throws {
    let stiffness = try element.double("kp") ?? actuator.gainParameters[0]
    actuator.gainParameters[0] = stiffness
    actuator.biasParameters[1] = -stiffness
    let damping = try element.nonNegative("kv")
    let ratio = try element.nonNegative("dampratio")
    if damping != nil, ratio != nil {
      throw element.error(
        at: "dampratio", "\(element.label) has both 'kv' and 'dampratio'; only one is allowed")
    }
    if let damping { actuator.biasParameters[2] = -damping }
    if let ratio { actuator.biasParameters[2] = ratio }
    if let time = try element.nonNegative("timeconst") {
      actuator.dynamicsParameters[0] = time
      actuator.dynamics = time == 0 ? .none : .filterExact
    }
    element.overwrite(&actuator.inheritRange, with: try element.nonNegative("inheritrange"))
    let isIntegrated = element.name == "intvelocity"
    if actuator.inheritRange > 0 {
      let range = isIntegrated ? actuator.activationRange : actuator.controlRange
      if range.contains(where: { $0 != 0 }) {
        let name = isIntegrated ? "actrange" : "ctrlrange"
        throw element.error(
          at: "inheritrange", "\(element.label) has both '\(name)' and 'inheritrange'; only one is allowed")
      }
    }
    (actuator.gain, actuator.bias) = (.fixed, .affine)
    if isIntegrated { actuator.dynamics = .integrator }
  }

  private func readDamper(
    _ element: XMLTreeElement, _ actuator: inout ModelSpecification.Actuator
  ) throws {
    let inherited = actuator.gain == .affine ? -actuator.gainParameters[2] : 0
    let damping = try element.nonNegative("kv") ?? inherited
    actuator.gainParameters = [Double](repeating: 0, count: 10)
    actuator.gainParameters[2] = -damping
    actuator.controlLimited = .yes
    (actuator.dynamics, actuator.gain, actuator.bias) = (.none, .affine, .none)
    guard actuator.controlRange.allSatisfy({ $0 >= 0 }) else {
      throw element.error(
        at: "ctrlrange", "the control range of \(element.label) is negative; a damper's control is at least 0"
      )
    }
  }

  private func readCylinder(
    _ element: XMLTreeElement, _ actuator: inout ModelSpecification.Actuator
  ) throws {
    element.overwrite(&actuator.dynamicsParameters[0], with: try element.double("timeconst"))
    if let bias = try element.doubles("bias", count: 3) {
      actuator.biasParameters.replaceSubrange(0..<3, with: bias)
    }
    element.overwrite(&actuator.gainParameters[0], with: try element.double("area"))
    if let diameter = try element.double("diameter"), diameter >= 0 {
      actuator.gainParameters[0] = Double.pi / 4 * diameter * diameter
    }
    (actuator.dynamics, actuator.gain, actuator.bias) = (.filter, .fixed, .affine)
  }

  private func readMuscle(
    _ element: XMLTreeElement, _ actuator: inout ModelSpecification.Actuator
  ) throws {
    var dynamics = actuator.dynamicsParameters
    var gain = actuator.gainParameters
    // Values that are still MuJoCo's general defaults become a muscle's defaults.
    if dynamics[0] == 1 { dynamics[0] = 0.01 }
    if dynamics[1] == 0 { dynamics[1] = 0.04 }
    if gain[0] == 1 { gain[0] = 0.75 }
    for (index, value) in [(1, 1.05), (2, -1), (3, 200), (4, 0.5), (5, 1.6), (6, 1.5), (7, 1.3), (8, 1.2)]
    where gain[index] == 0 {
      gain[index] = value
    }
    func take(_ value: Double?, _ target: inout Double) {
      if let value, value >= 0 { target = value }
    }
    element.overwrite(&dynamics[2], with: try element.nonNegative("tausmooth"))
    if let times = try element.doubles("timeconst", count: 2) {
      take(times[0], &dynamics[0])
      take(times[1], &dynamics[1])
    }
    if let range = try element.range("range") {
      take(range[0], &gain[0])
      take(range[1], &gain[1])
    }
    for (index, name) in ["force", "scale", "lmin", "lmax", "vmax", "fpmax", "fvmax"].enumerated() {
      take(try element.double(name), &gain[index + 2])
    }
    actuator.dynamicsParameters = dynamics
    actuator.gainParameters = gain
    actuator.biasParameters.replaceSubrange(0..<9, with: gain[0..<9])
    (actuator.dynamics, actuator.gain, actuator.bias) = (.muscle, .muscle, .muscle)
  }
}
