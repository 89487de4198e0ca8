import Lanes

/// Where in the body tree the reader is.
struct MJCFBodyContext {
  /// Index of the body that elements belong to.
  var body: Int
  /// The enclosing frames' pose in that body.
  var frame = ModelSpecification.Pose()
  /// The class of elements that name none.
  var defaults: MJCFDefaultClass
  /// What enclosing `<replicate>` elements append to names, the innermost first.
  var suffix = ""
  var isReplicated: Bool { !suffix.isEmpty }
}

extension MJCFReader {
  /// Elements that `<replicate>` may make in all.
  private static let largestCopyCount = 100_000

  mutating func readWorld(_ section: XMLTreeElement) throws {
    let context = MJCFBodyContext(body: 0, defaults: try topLevelClass(of: section))
    try readContent(of: section, context)
  }

  // Bodies nest, hundreds deep in a chain: what this calls is kept out of its stack frame.
  private mutating func readContent(of parent: XMLTreeElement, _ context: MJCFBodyContext) throws {
    for element in parent.children {
      switch element.name {
      case "body": try readContent(of: element, try bodyContext(element, context))
      case "frame": try readContent(of: element, try frameContext(element, context))
      default: try readLeaf(element, in: parent, context)
      }
    }
  }

  /// Counts what `<replicate>` makes.
  private mutating func countCopy(_ element: XMLTreeElement, _ context: MJCFBodyContext) throws {
    guard context.isReplicated else { return }
    copies += 1
    guard copies <= Self.largestCopyCount else {
      throw element.error(
        "<replicate> makes more than \(Self.largestCopyCount) elements; lower its 'count'")
    }
  }

  @inline(never)
  private mutating func frameContext(
    _ element: XMLTreeElement, _ context: MJCFBodyContext
  ) throws -> MJCFBodyContext {
    try countCopy(element, context)
    var inner = context
    if let defaults = try defaultClass(of: element, attribute: "childclass") { inner.defaults = defaults }
    _ = try name(of: element, kind: "frame", context)
    inner.frame = context.frame.appending(try pose(of: element))
    return inner
  }

  @inline(never)
  private mutating func readLeaf(
    _ element: XMLTreeElement, in parent: XMLTreeElement, _ context: MJCFBodyContext
  ) throws {
    try countCopy(element, context)
    switch element.name {
    case "replicate": try replicate(element, context)
    case "inertial": try readInertial(element, context)
    case "joint": try readJoint(element, context)
    case "freejoint": try readFreeJoint(element, context)
    case "geom": try readGeom(element, context)
    case "site": try readSite(element, context)
    case "camera", "light":
      _ = try name(of: element, kind: element.name, context)
      _ = try defaultClass(of: element)
      _ = try element.vector3("pos")
      if let target = element.string("target") { specification.referencedBodies.insert(target) }
      note(element)
    case "plugin": throw element.error("plugins are not supported; remove <plugin> from \(parent.label)")
    case "attach":
      throw element.error(
        "<attach> is not supported; save the assembled model with MuJoCo (mj_saveLastXML) and load that")
    default:
      throw element.error(
        "<\(element.name)> is not supported; write its bodies out, or save the compiled model with MuJoCo "
          + "(mj_saveLastXML) and load that")
    }
  }

  /// The element's name with the suffix of enclosing replicates, made known.
  private mutating func name(
    of element: XMLTreeElement, kind: String, _ context: MJCFBodyContext
  ) throws -> String {
    guard let given = element.string("name"), !given.isEmpty else { return "" }
    if context.isReplicated { replicated.insert("\(kind)/\(given)") }
    let name = given + context.suffix
    try declare(name, kind: kind, element)
    return name
  }

  private func pose(of element: XMLTreeElement) throws -> ModelSpecification.Pose {
    ModelSpecification.Pose(
      position: try element.vector3("pos") ?? .zero, orientation: try element.orientation(settings.angles))
  }

  @inline(never)
  private mutating func bodyContext(
    _ element: XMLTreeElement, _ context: MJCFBodyContext
  ) throws -> MJCFBodyContext {
    try countCopy(element, context)
    var body = ModelSpecification.Body(location: element.location)
    body.name = try name(of: element, kind: "body", context)
    body.parent = context.body
    body.frame = context.frame
    body.pose = try pose(of: element)
    body.isMocap = try element.boolean("mocap") ?? false
    body.gravityCompensation = try element.double("gravcomp") ?? 0
    _ = try element.keyword("sleep", ["auto": 0, "never": 1, "allowed": 2, "init": 3])
    _ = try element.keyword("simple", ["false": 0, "auto": 1])
    let defaults = try defaultClass(of: element, attribute: "childclass") ?? context.defaults
    specification.bodies.append(body)
    return MJCFBodyContext(body: specification.bodies.count - 1, defaults: defaults, suffix: context.suffix)
  }

  /// Reads the content once for each copy, each in a frame that moves on by the offset and the rotation.
  private mutating func replicate(_ element: XMLTreeElement, _ context: MJCFBodyContext) throws {
    _ = try element.requiredString("count")
    let count = try element.integer("count") ?? 0
    guard count > 0 else {
      throw element.error(at: "count", "attribute 'count' of <replicate> is \(count); expected at least 1")
    }
    let offset = try element.vector3("offset") ?? .zero
    let euler = try element.doubles("euler", count: 3) ?? [0, 0, 0]
    let separator = element.string("sep") ?? ""
    let defaults = try defaultClass(of: element, attribute: "childclass") ?? context.defaults
    let digits = String(count).count
    var position = Vector3<Double>.zero
    for index in 0..<count {
      let orientation = Quaternion(euler: euler.map { $0 * Double(index) }, settings.angles)
      let number = String(index)
      var inner = context
      inner.defaults = defaults
      inner.frame = context.frame.appending(.init(position: position, orientation: orientation))
      inner.suffix =
        separator + String(repeating: "0", count: max(0, digits - number.count)) + number + context.suffix
      try readContent(of: element, inner)
      position += orientation.rotate(offset)
    }
  }

  private mutating func readInertial(_ element: XMLTreeElement, _ context: MJCFBodyContext) throws {
    guard context.body > 0 else {
      throw element.error("the world cannot have an <inertial>; put it inside a <body>")
    }
    if let first = specification.bodies[context.body].inertial {
      throw element.error("a second <inertial> in one body; the first is at line \(first.location.line)")
    }
    var inertial = ModelSpecification.Inertial(location: element.location)
    _ = try element.requiredString("pos")
    _ = try element.requiredString("mass")
    inertial.position = try element.vector3("pos") ?? .zero
    inertial.mass = try element.nonNegative("mass") ?? 0
    inertial.orientation = try element.orientation(settings.angles)
    if let full = try element.doubles("fullinertia", count: 6) {
      for name in ["quat", "axisangle", "xyaxes", "zaxis", "euler", "diaginertia"]
      where element.attribute(name) != nil {
        throw element.error(
          at: name,
          "<inertial> has both 'fullinertia' and '\(name)'; a full inertia defines its own axes, keep one")
      }
      inertial.inertia = .full(full)
    } else if let diagonal = try element.vector3("diaginertia") {
      inertial.inertia = .diagonal(diagonal)
    }
    specification.bodies[context.body].inertial = inertial
  }

  private mutating func readJoint(_ element: XMLTreeElement, _ context: MJCFBodyContext) throws {
    guard context.body > 0 else {
      throw element.error("the world cannot have joints; put <joint> inside a <body>")
    }
    var prototype = (try defaultClass(of: element) ?? context.defaults).joint
    try apply(element, to: &prototype)
    var joint = prototype.value
    joint.location = element.location
    joint.name = try name(of: element, kind: "joint", context)
    joint.frame = context.frame
    if settings.angles.isDegree {
      let angles = settings.angles
      if joint.type == .hinge || joint.type == .ball { joint.range = joint.range.map { angles.radians($0) } }
      if joint.type == .hinge {
        joint.reference = angles.radians(joint.reference)
        joint.springReference = angles.radians(joint.springReference)
      }
    }
    list(prototype, of: element, named: joint.name)
    specification.bodies[context.body].joints.append(joint)
  }

  private mutating func readFreeJoint(_ element: XMLTreeElement, _ context: MJCFBodyContext) throws {
    guard context.body > 0 else {
      throw element.error("the world cannot have joints; put <freejoint> inside a <body>")
    }
    var joint = ModelSpecification.Joint(location: element.location)
    joint.type = .free
    joint.name = try name(of: element, kind: "joint", context)
    joint.frame = context.frame
    joint.alignFree = try element.keyword("align", ["false": false, "true": true, "auto": nil]) ?? nil
    specification.bodies[context.body].joints.append(joint)
  }

  private mutating func readGeom(_ element: XMLTreeElement, _ context: MJCFBodyContext) throws {
    if let plugin = element.children.first {
      throw plugin.error("plugins are not supported; remove <plugin> from \(element.label)")
    }
    var prototype = (try defaultClass(of: element) ?? context.defaults).geom
    try apply(element, to: &prototype)
    var geom = prototype.value
    geom.location = element.location
    geom.name = try name(of: element, kind: "geom", context)
    geom.frame = context.frame
    if let orientation = prototype.orientation { geom.pose.orientation = orientation }
    try checkAssets(of: prototype, element)
    switch geom.type {
    case .sdf:
      throw element.error(
        at: "type", "\(element.label): signed distance fields (type 'sdf') are not supported")
    case .hfield:
      guard let field = prototype.assets["hfield"], let half = heightFieldBoxes[field] else {
        throw element.error("\(element.label) of type 'hfield' needs the attribute 'hfield'")
      }
      geom.size = half
    case .mesh:
      guard geom.mesh != nil else {
        throw element.error("\(element.label) of type 'mesh' needs the attribute 'mesh'")
      }
    default: break
    }
    if geom.type != .hfield, let field = prototype.assets["hfield"] {
      throw element.error(
        at: "hfield",
        "\(element.label) refers to the height field '\(field.clippedForMessage)', but its type is "
          + "'\(geom.type.rawValue)'; expected type=\"hfield\"")
    }
    list(prototype, of: element, named: geom.name)
    specification.bodies[context.body].geoms.append(geom)
  }

  private mutating func readSite(_ element: XMLTreeElement, _ context: MJCFBodyContext) throws {
    var prototype = (try defaultClass(of: element) ?? context.defaults).site
    try apply(element, to: &prototype)
    var site = prototype.value
    site.location = element.location
    site.name = try name(of: element, kind: "site", context)
    site.frame = context.frame
    if let orientation = prototype.orientation { site.pose.orientation = orientation }
    try checkAssets(of: prototype, element)
    specification.bodies[context.body].sites.append(site)
  }

  /// Materials, meshes and height fields must exist.
  private func checkAssets<Value>(of prototype: MJCFPrototype<Value>, _ element: XMLTreeElement) throws {
    for (kind, name) in prototype.assets where declared[kind]?[name] == nil {
      throw element.error(
        at: kind,
        "\(kind) '\(name.clippedForMessage)' does not exist" + offer(of: kind, for: name))
    }
  }
}
