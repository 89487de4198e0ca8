import Lanes

extension MJCFReader {
  // MARK: Contact

  mutating func readContact(_ element: XMLTreeElement) throws {
    let name = element.string("name") ?? ""
    if element.name == "exclude" {
      var exclusion = ModelSpecification.ContactExclusion(location: element.location)
      exclusion.name = name
      exclusion.body1 = try requiredReference(element, "body1", kind: "body")
      exclusion.body2 = try requiredReference(element, "body2", kind: "body")
      try declare(name, kind: "exclude", element)
      specification.contactExclusions.append(exclusion)
      return
    }
    var prototype = try topLevelClass(of: element).pair
    try apply(element, to: &prototype)
    var pair = prototype.value
    pair.location = element.location
    pair.name = name
    pair.geom1 = try requiredReference(element, "geom1", kind: "geom")
    pair.geom2 = try requiredReference(element, "geom2", kind: "geom")
    try declare(name, kind: "pair", element)
    list(prototype, of: element, named: name)
    specification.contactPairs.append(pair)
  }

  func apply(
    _ element: XMLTreeElement, to prototype: inout MJCFPrototype<ModelSpecification.ContactPair>
  ) throws {
    var pair = prototype.value
    if let dimension = try element.integer("condim") {
      guard [1, 3, 4, 6].contains(dimension) else {
        throw element.error(
          at: "condim", "attribute 'condim' of \(element.label) is \(dimension); expected 1, 3, 4 or 6")
      }
      pair.contactDimension = dimension
    }
    try overwrite(&pair.friction, [1, 1, 0.005, 0.0001, 0.0001], element, "friction")
    try overwrite(&pair.solverReference, [0.02, 1], element, "solref")
    try overwrite(&pair.solverReferenceFriction, [0, 0], element, "solreffriction")
    try overwrite(&pair.solverImpedance, [0.9, 0.95, 0.001, 0.5, 2], element, "solimp")
    if let margin = try element.double("margin") { pair.margin = margin }
    if let gap = try element.double("gap") { pair.gap = gap }
    if let adhesion = try element.double("adhesion") {
      prototype.setUnsupported("adhesion", adhesion != 0 ? .contact : nil, "adhesion")
    }
    prototype.value = pair
  }

  private func overwrite(
    _ target: inout [Double]?, _ defaults: [Double], _ element: XMLTreeElement, _ name: String
  ) throws {
    guard element.attribute(name) != nil else { return }
    var values = target ?? defaults
    try element.overwrite(&values, name)
    target = values
  }

  // MARK: Equality

  mutating func readEquality(_ element: XMLTreeElement) throws {
    var prototype = try topLevelClass(of: element).equality
    try apply(element, to: &prototype)
    var equality = prototype.value
    equality.location = element.location
    equality.name = element.string("name") ?? ""
    switch element.name {
    case "connect", "weld":
      equality.type = element.name == "weld" ? .weld : .connect
      try readBodyEquality(element, &equality)
    case "joint", "tendon":
      equality.type = element.name == "joint" ? .joint : .tendon
      equality.object1 = try requiredReference(element, element.name + "1", kind: element.name)
      equality.object2 = try reference(element, element.name + "2", kind: element.name)
      if let coefficients = try element.doubles("polycoef", count: 1...5) {
        equality.data.replaceSubrange(0..<coefficients.count, with: coefficients)
      }
    default:
      throw element.error(
        "\(element.label): equality constraints of type '\(element.name)' are not supported")
    }
    try declare(equality.name, kind: "equality", element)
    list(prototype, of: element, named: equality.name)
    specification.equalities.append(equality)
  }

  private func readBodyEquality(
    _ element: XMLTreeElement, _ equality: inout ModelSpecification.Equality
  ) throws {
    let isWeld = equality.type == .weld
    let bodyAttributes = ["body1", "body2", "anchor"] + (isWeld ? ["relpose"] : [])
    let givesSites = element.attribute("site1") != nil || element.attribute("site2") != nil
    if givesSites {
      if let other = bodyAttributes.first(where: { element.attribute($0) != nil }) {
        throw element.error(
          at: other,
          "\(element.label) names sites and gives '\(other)'; either site1 and site2, or "
            + "body1\(isWeld ? "" : " and anchor")")
      }
      equality.joinsSites = true
      equality.object1 = try requiredReference(element, "site1", kind: "site")
      equality.object2 = try requiredReference(element, "site2", kind: "site")
    } else {
      guard element.attribute("body1") != nil, isWeld || element.attribute("anchor") != nil else {
        throw element.error(
          "\(element.label) needs either site1 and site2, or body1\(isWeld ? "" : " and anchor")")
      }
      equality.object1 = try requiredReference(element, "body1", kind: "body")
      equality.object2 = try reference(element, "body2", kind: "body")
    }
    if let anchor = try element.doubles("anchor", count: 3) {
      equality.data.replaceSubrange(0..<3, with: anchor)
    } else if isWeld, !givesSites {
      equality.data.replaceSubrange(0..<3, with: [0, 0, 0])
    }
    guard isWeld else { return }
    if let pose = try element.doubles("relpose", count: 7) {
      equality.data.replaceSubrange(3..<10, with: pose)
    }
    if let scale = try element.double("torquescale") { equality.data[10] = scale }
  }

  func apply(
    _ element: XMLTreeElement, to prototype: inout MJCFPrototype<ModelSpecification.Equality>
  ) throws {
    element.overwrite(&prototype.value.active, with: try element.boolean("active"))
    try element.overwrite(&prototype.value.solverReference, "solref")
    try element.overwrite(&prototype.value.solverImpedance, "solimp")
  }

  // MARK: Tendon

  mutating func readTendon(_ element: XMLTreeElement) throws {
    var prototype = try topLevelClass(of: element).tendon
    try apply(element, to: &prototype)
    var tendon = prototype.value
    tendon.location = element.location
    tendon.name = element.string("name") ?? ""
    tendon.isFixed = element.name == "fixed"
    for child in element.children {
      switch child.name {
      case "joint":
        _ = try child.requiredString("coef")
        tendon.joints.append(
          (
            name: try requiredReference(child, "joint", kind: "joint"),
            coefficient: try child.double("coef") ?? 0, location: child.location
          ))
      case "site":
        tendon.path.append(
          (element: .site(try requiredReference(child, "site", kind: "site")), location: child.location))
      case "geom":
        let geom = try requiredReference(child, "geom", kind: "geom")
        let side = try reference(child, "sidesite", kind: "site") ?? ""
        tendon.path.append((element: .geom(geom, sideSite: side), location: child.location))
      default:
        _ = try child.requiredString("divisor")
        let divisor = try child.double("divisor") ?? 1
        guard divisor > 0 else {
          throw child.error(at: "divisor", "divisor of \(element.label) is \(divisor); it has to be positive")
        }
        tendon.path.append((element: .pulley(divisor: divisor), location: child.location))
      }
    }
    guard !element.children.isEmpty else {
      throw element.error(
        "\(element.label) is empty; expected \(tendon.isFixed ? "<joint joint=… coef=…>" : "<site> and <geom>") "
          + "inside")
    }
    try declare(tendon.name, kind: "tendon", element)
    list(prototype, of: element, named: tendon.name)
    specification.tendons.append(tendon)
  }

  func apply(
    _ element: XMLTreeElement, to prototype: inout MJCFPrototype<ModelSpecification.Tendon>
  ) throws {
    var tendon = prototype.value
    element.overwrite(&tendon.limited, with: try element.limited("limited"))
    element.overwrite(&tendon.range, with: try element.range("range"))
    try element.overwrite(&tendon.limitSolverReference, "solreflimit")
    try element.overwrite(&tendon.limitSolverImpedance, "solimplimit")
    try element.overwrite(&tendon.frictionSolverReference, "solreffriction")
    try element.overwrite(&tendon.frictionSolverImpedance, "solimpfriction")
    element.overwrite(&tendon.frictionLoss, with: try element.nonNegative("frictionloss"))
    element.overwrite(&tendon.margin, with: try element.double("margin"))
    element.overwrite(&tendon.armature, with: try element.nonNegative("armature"))
    if let lengths = try element.doubles("springlength", count: 1...2) {
      tendon.springLength = [lengths[0], lengths.count > 1 ? lengths[1] : lengths[0]]
    }
    if let stiffness = try element.coefficient("stiffness") {
      tendon.stiffness = stiffness.constant
      prototype.setUnsupported("stiffness", stiffness.isPolynomial ? .tendon : nil, "polynomial stiffness")
    }
    if let damping = try element.coefficient("damping") {
      tendon.damping = damping.constant
      prototype.setUnsupported("damping", damping.isPolynomial ? .tendon : nil, "polynomial damping")
    }
    let limited = try element.limited("actuatorfrclimited")
    let range = try element.range("actuatorfrcrange")
    if limited != nil || range != nil {
      prototype.setUnsupported(
        "actuatorfrcrange", limited == .no ? nil : .tendon, "limited actuator force (actuatorfrcrange)")
    }
    prototype.value = tendon
  }

  // MARK: Keyframes

  mutating func readKeyframe(_ element: XMLTreeElement) throws {
    var key = ModelSpecification.Keyframe(location: element.location)
    key.name = element.string("name") ?? ""
    element.overwrite(&key.time, with: try element.double("time"))
    key.position = try element.doubles("qpos", count: 1...Int.max)
    key.velocity = try element.doubles("qvel", count: 1...Int.max)
    key.activation = try element.doubles("act", count: 1...Int.max)
    key.control = try element.doubles("ctrl", count: 1...Int.max)
    key.mocapPosition = try element.doubles("mpos", count: 1...Int.max)
    key.mocapOrientation = try element.doubles("mquat", count: 1...Int.max)
    try declare(key.name, kind: "key", element)
    specification.keyframes.append(key)
  }
}
