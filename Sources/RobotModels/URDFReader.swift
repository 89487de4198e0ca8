import Lanes

/// Reads URDF, the robot description format of ROS.
///
/// Every link becomes a body, the root link one that is fixed to the world (or floats, on request); a root link
/// that is called `world` is the world itself. Joints keep their names; a planar joint becomes two slides and a
/// hinge, a floating one three slides and a ball, or a free joint where the parent is the world. Mass and inertia
/// are those of `<inertial>` alone, and collisions become geoms. What does not change the motion (visuals,
/// transmissions, Gazebo's and other extensions) is listed as not evaluated.
struct URDFReader {
  var specification: ModelSpecification
  let options: ModelReadingOptions
  let tree: URDFTree
  var meshes: URDFMeshes
  /// Names of collisions that geoms already have.
  var geomNames: Set<String> = []
  /// How many elements of each kind were passed over.
  private var skipped: [String: Int] = [:]

  /// - Throws: ``ModelError`` with line and column for anything that is not valid, and for what would otherwise be
  ///   a warning where the options say `strict`.
  /// - Complexity: linear in the file's size, and the meshes'.
  static func read(document: XMLTree, options: ModelReadingOptions) throws -> ModelSpecification {
    var reader = try URDFReader(document: document, options: options)
    try reader.read(document.root)
    return reader.specification
  }

  private init(document: XMLTree, options: ModelReadingOptions) throws {
    self.options = options
    specification = ModelSpecification(location: document.root.location)
    specification.name = document.root.string("name") ?? ""
    specification.compiler.inertiaFromGeom = .no
    specification.compiler.discardVisual = true
    specification.compiler.impossibleInertia = options.strict ? .error : .warning
    specification.compiler.masslessMovingBody = options.strict ? .error : .warning
    tree = try URDFTree(document.root)
    meshes = URDFMeshes(directory: document.directory, packagePaths: options.packagePaths)
  }

  private mutating func read(_ robot: XMLTreeElement) throws {
    try checkChildren(of: robot, known: ["link", "joint", "material", "transmission", "gazebo", "mujoco"])
    for kind in ["material", "transmission", "gazebo"] { skip(robot.children(named: kind)) }
    try applyExtension(robot.children(named: "mujoco"))
    if let fuse = options.fuseStatic { specification.compiler.fuseStatic = fuse }
    let mimics = try URDFMimics(tree)

    var bodies = Array(repeating: 0, count: tree.links.count)
    for link in tree.order {
      let element = tree.links[link]
      let name = tree.name(ofLink: link)
      var body = ModelSpecification.Body(location: element.location)
      body.name = name
      if let joint = tree.parentJoint[link] {
        guard name != "world" else {
          throw element.error(
            at: "name", "only the root link can be called 'world', which is the world's own name; rename it")
        }
        body.parent = bodies[tree.joints[joint].parent]
        try readJoint(joint, mimic: mimics.resolved[joint], into: &body)
      } else if name == "world" {
        try checkWorld(element)
        body = specification.bodies[0]
      } else if options.floatingBase {
        var free = ModelSpecification.Joint(location: element.location)
        free.name = name + "_free_joint"
        free.type = .free
        body.joints = [free]
      }
      try readLink(element, into: &body)
      if name == "world" {
        specification.bodies[0] = body
      } else {
        bodies[link] = specification.bodies.count
        specification.bodies.append(body)
      }
    }
    specification.meshes = meshes.loaded
    specification.unsupported += meshes.unsupported
    specification.warnings += meshes.warnings
    for (kind, count) in skipped.sorted(by: { $0.key < $1.key }) {
      specification.notEvaluated.append(count == 1 ? "<\(kind)>" : "\(count) <\(kind)>")
    }
  }

  private func checkWorld(_ element: XMLTreeElement) throws {
    guard !options.floatingBase else {
      throw element.error(
        at: "name",
        "the root link is called 'world', which is the world itself and cannot float; rename it, or read the file "
          + "without a floating base")
    }
  }
}

extension URDFReader {
  /// Counts elements that do not change the motion.
  mutating func skip(_ elements: [XMLTreeElement]) {
    for element in elements { skipped[element.name, default: 0] += 1 }
  }

  /// Counts an attribute that does not change the motion, as `element attribute`.
  mutating func skipAttribute(_ name: String, of element: XMLTreeElement) {
    skipped["\(element.name) \(name)", default: 0] += 1
  }

  /// A warning, or an error at the element where the file is read strictly.
  mutating func warn(_ element: XMLTreeElement, _ message: String) throws {
    if options.strict { throw element.error(message) }
    specification.warnings.append("line \(element.location.line): \(message)")
  }

  /// Passes over extensions, but not over misspelt elements: those would silently change the robot.
  mutating func checkChildren(of element: XMLTreeElement, known: Set<String>) throws {
    for child in element.children where !known.contains(child.name) {
      if child.name.hasPrefix("xacro:") {
        throw child.error(
          "<\(child.name.clippedForMessage)> is xacro, not URDF; run the file through xacro first")
      }
      if let nearest = child.name.nearest(in: known), nearest.editDistance(to: child.name) <= 2 {
        throw child.error(
          "<\(child.name.clippedForMessage)> inside \(element.label) is not known; did you mean <\(nearest)>?"
        )
      }
      skip([child])
    }
  }
}
